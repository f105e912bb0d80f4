//! What is compressed, what it says then, and what is left alone.

use super::*;
use crate::App;
use crate::app::{TestClient, TestResponse};
use crate::http::{FileSpan, Method, Pull, Source};
use flate2::read::GzDecoder;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

fn text(len: usize) -> Vec<u8> {
    (0..len).map(|n| b"the quick brown fox\n"[(n * n / 7) % 20]).collect()
}

fn page(body: Body) -> Response {
    Response::default().content(ContentType::HTML, body)
}

fn unzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut out).expect("gzip, to its end");
    out
}

/// Sends a request to an app of one handler.
fn ask(
    compress: Compress,
    method: Method,
    accept: &str,
    handler: impl Fn() -> Response + 'static,
) -> TestResponse {
    let mut app = App::new();
    app.wrap(compress);
    app.get("/", move |_: &mut Request| handler());
    TestClient::new(app).request(method, "/").header("Accept-Encoding", accept).send()
}

fn get(accept: &str, handler: impl Fn() -> Response + 'static) -> TestResponse {
    ask(Compress::new(), Method::GET, accept, handler)
}

/// Pieces, and what is said with each; then the end.
struct Script(Vec<(Vec<u8>, Pull)>, Sender<()>);

impl Source for Script {
    fn pull(&mut self, out: &mut Vec<u8>, _: usize) -> io::Result<Pull> {
        if self.0.is_empty() {
            return Ok(Pull::End);
        }
        let (bytes, pull) = self.0.remove(0);
        if bytes == b"fail" {
            return Err(io::Error::other("as the script says"));
        }
        out.extend_from_slice(&bytes);
        Ok(pull)
    }

    fn leave(&mut self) -> bool {
        let _ = self.1.send(());
        true
    }
}

fn script(pieces: &[(Vec<u8>, Pull)]) -> Box<dyn Source> {
    Box::new(Script(pieces.to_vec(), channel().0))
}

#[test]
fn content_in_memory_comes_back() {
    for len in [1024, 16 * 1024, 16 * 1024 + 1, 1 << 20, (1 << 20) + 1, 3_000_000] {
        let (a, b) = (text(len / 3), text(len - len / 3));
        let whole = [a.clone(), b.clone()].concat();
        type Form = fn(Vec<u8>, Vec<u8>) -> Body;
        let bodies: [Form; 3] = [
            |a, b| Body::Owned([a, b].concat()),
            |a, b| Body::Shared([a, b].concat().into()),
            |a, b| Body::Pieces(vec![Part::Owned(a), Part::Owned(Vec::new()), Part::Owned(b)]),
        ];
        for body in bodies {
            let (a, b) = (a.clone(), b.clone());
            let reply = get("gzip", move || page(body(a.clone(), b.clone())));
            assert_eq!(reply.header("content-encoding"), Some("gzip"), "{len}");
            assert_eq!(reply.header("vary"), Some("Accept-Encoding"));
            assert!(reply.complete && unzip(&reply.body) == whole, "{len}");
        }
    }
}

#[test]
fn the_encoder_is_used_again() {
    let mut app = App::new();
    app.wrap(Compress::new());
    app.get("/{len}", |request: &mut Request| {
        request.param("len").map(|len: usize| page(Body::Owned(text(len))))
    });
    let mut client = TestClient::new(app);
    for len in [5000, 3000, 16_000, 5000] {
        let reply = client.get(&format!("/{len}")).header("Accept-Encoding", "gzip").send();
        assert!(unzip(&reply.body) == text(len), "{len}");
    }
}

#[test]
fn streams_come_back() {
    let pieces: Vec<_> = (0..200).map(|n| (text(n * 37), Pull::More)).collect();
    let whole: Vec<u8> = pieces.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
    type Form = fn(Box<dyn Source>, u64) -> Body;
    let bodies: [Form; 4] = [
        |source, _| Body::Inline(source, None),
        |source, len| Body::Inline(source, Some(len)),
        |source, _| Body::Blocking(source, None),
        |source, len| Body::Blocking(source, Some(len)),
    ];
    for (body, at) in bodies.into_iter().zip(0..) {
        let (pieces, len) = (pieces.clone(), whole.len() as u64);
        let reply = get("gzip", move || page(body(script(&pieces), len)));
        assert_eq!(reply.header("content-encoding"), Some("gzip"));
        assert!(reply.complete && unzip(&reply.body) == whole, "form {at}");
    }
}

#[test]
fn what_is_left_alone() {
    let body = || Body::Owned(text(5000));
    type Change = fn(Response) -> Response;
    let table: [(&str, Change, bool); 13] = [
        ("as it is", |page| page, true),
        ("encoded", |page| page.header("Content-Encoding", "br"), false),
        ("not to be changed", |page| page.header("Cache-Control", "a, No-Transform"), false),
        ("cached", |page| page.header("Cache-Control", "max-age=1"), true),
        ("digest", |page| page.header("Content-Digest", "sha-256=:AA==:"), false),
        ("range", |page| page.with_status(Status::PARTIAL_CONTENT), false),
        ("204", |page| page.with_status(Status::NO_CONTENT), false),
        ("404", |page| page.with_status(Status::NOT_FOUND), true),
        ("image", |page| page.header("Content-Type", "image/png"), false),
        ("events", |page| page.header("Content-Type", "text/event-stream"), false),
        ("events", |page| page.header("Content-Type", "Text/Event-Stream; a=b"), false),
        ("no type", |_| Response::default().body(Body::Owned(text(5000))), false),
        ("file", |page| page.body(Body::File(this_file())), false),
    ];
    for (what, change, expected) in table {
        let reply = get("gzip", move || change(page(body())));
        let is_zipped = reply.body.starts_with(&[0x1f, 0x8b]);
        let vary = reply.header("vary") == Some("Accept-Encoding");
        assert_eq!((is_zipped, vary), (expected, expected), "{what}");
    }
}

fn this_file() -> FileSpan {
    let file = std::fs::File::open("Cargo.toml").expect("it is there");
    FileSpan { file: Arc::new(file.into()), offset: 0, len: 1500 }
}

#[test]
fn who_does_not_want_it_is_told_what_it_depends_on() {
    let table = [
        ("gzip", true),
        ("deflate, gzip;q=0.1", true),
        ("x-gzip", true),
        ("*", true),
        ("", false),
        ("deflate", false),
        ("gzip;q=0", false),
        ("identity, gzip;q=0.5", false),
        ("gzip;q=nonsense", false),
    ];
    for (accept, expected) in table {
        let reply = get(accept, || page(Body::Owned(text(2000))));
        assert_eq!(reply.header("content-encoding").is_some(), expected, "{accept}");
        assert_eq!(reply.header("vary"), Some("Accept-Encoding"), "{accept}");
        assert_eq!(reply.body.len() == 2000, !expected, "{accept}");
    }
}

#[test]
fn what_is_short_or_does_not_become_shorter_stays() {
    let reply = get("gzip", || page(Body::Owned(text(1023))));
    assert_eq!((reply.body.len(), reply.header("content-encoding")), (1023, None));
    let noise = |len: usize| -> Vec<u8> {
        (0..len as u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8 ^ (n >> 3) as u8)
            .collect()
    };
    // Noise that compresses after all would make the test void.
    assert!(crate::codec::gzip::gzip(&noise(1100), LEVEL).expect("gzip").len() >= 1100);
    let reply = get("gzip", move || page(Body::Owned(noise(1100))).header("ETag", "\"a\""));
    assert_eq!((reply.body.len(), reply.header("content-encoding")), (1100, None));
    assert_eq!(reply.header("etag"), Some("\"a\""), "its tag is as strong as before");
    let small = Compress::new().min_len(0);
    let reply = ask(small, Method::GET, "gzip", || page(Body::Owned(text(300))));
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
}

#[test]
fn head_says_what_get_says() {
    let bodies: [fn() -> Body; 4] = [
        || Body::Owned(text(2000)),
        || Body::Owned(text(100_000)),
        || Body::Inline(script(&[(text(10), Pull::More)]), None),
        || Body::Owned(text(10)),
    ];
    for body in bodies {
        let handler = move || page(body()).header("ETag", "\"a\"").header("Accept-Ranges", "bytes");
        let fields = |method| {
            let reply = ask(Compress::new(), method, "gzip", handler);
            let lines = reply.headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec()));
            lines.collect::<Vec<_>>()
        };
        assert_eq!(fields(Method::GET), fields(Method::HEAD));
    }
}

#[test]
fn tags_become_weak() {
    for (before, after) in [("\"a\"", "W/\"a\""), ("W/\"a\"", "W/\"a\"")] {
        let handler = move || page(Body::Owned(text(2000))).header("ETag", before);
        assert_eq!(get("gzip", handler).header("etag"), Some(after));
        assert_eq!(get("deflate", handler).header("etag"), Some(before));
    }
    let handler = || page(Body::Owned(text(2000))).header("Accept-Ranges", "bytes");
    assert_eq!(get("gzip", handler).header("accept-ranges"), None);
}

#[test]
fn a_304_has_the_tag_that_the_client_has() {
    let mut app = App::new();
    app.wrap(Compress::new());
    app.get("/", |_: &mut Request| Response::new(Status::NOT_MODIFIED).header("ETag", "\"a\""));
    let mut client = TestClient::new(app);
    for (known, tag) in [("W/\"a\"", "W/\"a\""), ("\"b\", W/\"a\"", "W/\"a\""), ("\"a\"", "\"a\"")]
    {
        let reply = client.get("/").header("If-None-Match", known).send();
        assert_eq!(
            (reply.header("etag"), reply.header("vary")),
            (Some(tag), Some("Accept-Encoding"))
        );
    }
}

#[test]
fn types_can_be_chosen() {
    let table = [
        ("text/html", "text/html; charset=utf-8", true),
        ("TEXT/HTML", "text/html", true),
        ("text/*", "Text/Plain", true),
        ("*/*", "image/png", true),
        ("text/html", "text/htmlx", false),
        ("text/*", "textual/plain", false),
        ("*/*", "text/event-stream", false),
    ];
    for (listed, sent, expected) in table {
        let compress = Compress::new().types([listed]).expect("a type");
        let reply = ask(compress, Method::GET, "gzip", move || {
            page(Body::Owned(text(2000))).header("Content-Type", sent)
        });
        assert_eq!(reply.header("content-encoding").is_some(), expected, "{listed}, {sent}");
    }
    for wrong in ["", "text", "text/", "/html", "*/html", "text/html; a", "a/b/c", "te xt/html"] {
        assert!(Compress::new().types([wrong]).is_err(), "{wrong:?}");
    }
}

/// A stream with a permit of its own.
fn zipped_stream(pieces: &[(Vec<u8>, Pull)], len: Option<u64>) -> Zipped {
    Zipped::new(
        script(pieces),
        len,
        (Coding::Gzip, LEVEL),
        Permits::new(1).take(1).expect("the first"),
    )
}

#[test]
fn what_is_pending_can_be_read() {
    let wait = Pull::After(Duration::from_secs(1));
    let mut stream = zipped_stream(
        &[
            (Vec::new(), Pull::Pending),
            (text(100), Pull::More),
            (text(50), Pull::Pending),
            (Vec::new(), Pull::Pending),
            (text(7), wait),
        ],
        None,
    )
    .on_the_loop();
    let mut out = Vec::new();
    let mut readable = || {
        let pull = stream.pull(&mut out, 65536).expect("no failure");
        let (mut reader, mut seen) = (GzDecoder::new(&out[..]), Vec::new());
        let mut byte = [0];
        while let Ok(1) = reader.read(&mut byte) {
            seen.push(byte[0]);
        }
        (pull, seen.len(), out.len())
    };
    assert_eq!(readable(), (Pull::Pending, 0, 0), "nothing in, nothing out");
    let (pull, seen, len) = readable();
    assert_eq!((pull, seen), (Pull::Pending, 150));
    assert_eq!(readable(), (Pull::Pending, 150, len), "nothing to flush");
    let (pull, seen, _) = readable();
    assert_eq!((pull, seen), (wait, 157));
    assert_eq!((readable().0, unzip(&out).len()), (Pull::End, 157));
}

#[test]
fn a_pull_on_the_loop_is_bounded_and_then_it_is_the_others_turn() {
    let pieces = vec![(text(4000), Pull::More); 10];
    let mut stream = zipped_stream(&pieces, None).on_the_loop();
    let mut pulls = Vec::new();
    while pulls.last() != Some(&Pull::End) {
        pulls.push(stream.pull(&mut Vec::new(), 65536).expect("no failure"));
    }
    let pause = Pull::After(Duration::from_millis(1));
    assert_eq!(pulls, [pause, pause, Pull::End], "16, 20 and 4 kilobytes");
}

#[test]
fn content_of_another_length_than_was_said_fails() {
    for (len, is_whole) in [(299, false), (300, true), (301, false)] {
        let handler = move || {
            let pieces = [(text(100), Pull::More), (text(200), Pull::More)];
            page(Body::Blocking(script(&pieces), Some(len)))
        };
        let reply = ask(Compress::new().min_len(1), Method::GET, "gzip", handler);
        assert_eq!(reply.header("content-encoding"), Some("gzip"));
        assert_eq!(reply.complete, is_whole, "{len}");
    }
    let failing = [(text(100_000), Pull::More), (b"fail".to_vec(), Pull::More)];
    let reply = get("gzip", move || page(Body::Inline(script(&failing), None)));
    assert!(!reply.complete);
}

#[test]
fn encoders_are_counted() {
    let permits = Permits::new(2);
    let first = permits.take(1);
    let second = permits.take(1);
    assert!(first.is_some() && second.is_some() && permits.take(1).is_none());
    assert!(Permits::new(4).take(5).is_none());
    drop(first);
    assert!(permits.take(1).is_some());
    let stream = || page(Body::Inline(script(&[(text(3000), Pull::More)]), None));
    let reply = ask(Compress::new().streams_max(0), Method::GET, "gzip", stream);
    assert_eq!((reply.header("content-encoding"), reply.body.len()), (None, 3000));
    assert_eq!(reply.header("vary"), Some("Accept-Encoding"));
}

#[test]
fn a_source_hears_that_it_is_time_to_leave() {
    let (sender, told) = channel();
    let source = Box::new(Script(Vec::new(), sender));
    let permit = Permits::new(1).take(1).expect("the first");
    assert!(Zipped::new(source, None, (Coding::Gzip, LEVEL), permit).leave());
    assert!(told.try_recv().is_ok());
}
