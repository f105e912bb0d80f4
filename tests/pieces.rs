//! Content of several pieces, over sockets: order, framing, back pressure, the end.

mod support;

use onepoll::http::{ContentType, FileSpan, Method, OpenFile, Part, Request, Response, Status};
use onepoll::{App, Background, Body, Server};
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;
use support::{Client, Ending, expect_pattern, pattern};

/// What the file of the fixture holds: the pattern.
const LEN: usize = 8 << 20;

/// A server whose replies are parts of the pattern, and its file.
struct Fixture {
    server: Background,
    path: PathBuf,
}

impl Fixture {
    fn new(name: &str) -> Fixture {
        let name = format!("onepoll-pieces-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, pattern(LEN)).unwrap();
        let file = Arc::new(OpenFile::from(File::open(&path).unwrap()));
        let app = move || {
            let mut app = App::new();
            let known = Arc::clone(&file);
            app.any("/all", move |_: &mut Request| reply(every_kind(&known)));
            let known = Arc::clone(&file);
            app.get("/spans", move |_: &mut Request| reply(spans(&known)));
            let known = Arc::clone(&file);
            app.get("/tiny", move |_: &mut Request| {
                reply((0..5_000).map(|at| span(&known, at, 1)).collect())
            });
            app.get("/none", |_: &mut Request| reply(Vec::new()));
            app.get("/empty", |_: &mut Request| reply(vec![Part::Static(b""); 3]));
            app.get("/too-much", move |_: &mut Request| {
                reply(vec![span(&file, 0, u64::MAX), span(&file, 0, u64::MAX)])
            });
            app.get("/text", |_: &mut Request| "text");
            app
        };
        Fixture { server: Server::bind("127.0.0.1:0").unwrap().spawn(app).unwrap(), path }
    }

    fn connect(&self) -> Client {
        Client::connect(self.server.local_addr())
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn reply(parts: Vec<Part>) -> Response {
    Response::new(Status::OK).content(ContentType::BYTES, Body::Pieces(parts))
}

fn span(file: &Arc<OpenFile>, offset: u64, len: u64) -> Part {
    Part::File(FileSpan { file: Arc::clone(file), offset, len })
}

/// The pattern from 0 to 610,000, in pieces small and large.
fn every_kind(file: &Arc<OpenFile>) -> Vec<Part> {
    let all = pattern(700_000);
    let part = |from: usize, to: usize| all.get(from..to).unwrap().to_vec();
    vec![
        Part::Owned(part(0, 10)),
        span(file, 10, 99_990),
        span(file, 100_000, 1),
        Part::Static(b""),
        Part::Shared(part(100_001, 300_000).into()),
        span(file, 300_000, 0),
        Part::Slice(all.clone().into(), 300_000..600_000),
        Part::Slice(all.clone().into(), 600_000..600_000),
        Part::Owned(part(600_000, 609_000)),
        Part::Slice(part(0, 610_000).into(), 609_000..usize::MAX),
    ]
}

/// The pattern up to the file's end, by files alone.
fn spans(file: &Arc<OpenFile>) -> Vec<Part> {
    let piece = LEN as u64 / 16;
    (0..16).map(|n| span(file, n * piece, piece)).collect()
}

#[test]
fn pieces_arrive_in_order() {
    let fixture = Fixture::new("order");
    let mut client = fixture.connect();
    for (target, len) in [("/all", 610_000), ("/spans", LEN), ("/tiny", 5_000), ("/none", 0)] {
        client.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
        expect_pattern(&client.reply().body, len);
    }
    client.send("GET /empty HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.reply().body, b"");
}

#[test]
fn pipelined_replies_keep_their_pieces_apart() {
    let fixture = Fixture::new("pipeline");
    let mut client = fixture.connect();
    for _ in 0..3 {
        client.send("GET /text HTTP/1.1\r\nHost: x\r\n\r\nGET /all HTTP/1.1\r\nHost: x\r\n\r\n");
        client.send("HEAD /all HTTP/1.1\r\nHost: x\r\n\r\nGET /tiny HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    for _ in 0..3 {
        assert_eq!(client.reply().body, b"text");
        expect_pattern(&client.reply().body, 610_000);
        let head = client.reply_to("HEAD");
        assert_eq!(head.get("content-length"), Some("610000"));
        expect_pattern(&client.reply().body, 5_000);
    }
}

#[test]
fn an_old_client_gets_them_as_well() {
    let fixture = Fixture::new("old");
    let mut client = fixture.connect();
    client.send("GET /all HTTP/1.0\r\n\r\n");
    let reply = client.last_reply();
    assert_eq!(reply.get("content-length"), Some("610000"));
    expect_pattern(&reply.body, 610_000);
}

#[test]
fn a_slow_client_gets_every_byte() {
    let fixture = Fixture::new("slow");
    let mut client = Client::connect_narrow(fixture.server.local_addr());
    client.send("GET /spans HTTP/1.1\r\nHost: x\r\n\r\nGET /all HTTP/1.1\r\nHost: x\r\n\r\n");
    client.head();
    let mut body = Vec::new();
    while body.len() < LEN {
        let more = (LEN - body.len()).min(50_000);
        body.extend(client.take(more));
    }
    expect_pattern(&body, LEN);
    expect_pattern(&client.reply().body, 610_000);
}

#[test]
fn a_file_that_shrank_cuts_the_reply() {
    let fixture = Fixture::new("shrunk");
    let half = File::options().write(true).open(&fixture.path).unwrap();
    half.set_len(LEN as u64 / 2 + 100).unwrap();
    let mut client = fixture.connect();
    client.send("GET /spans HTTP/1.1\r\nHost: x\r\n\r\n");
    let head = client.head();
    assert_eq!(head.get("content-length"), Some(LEN.to_string().as_str()));
    let (body, ending) = client.rest();
    assert!(body.len() <= LEN / 2 + 100, "{} bytes, {ending:?}", body.len());
    expect_pattern(&body, body.len());
    // A reset may eat bytes; an orderly end must not.
    assert!(ending == Ending::Reset || body.len() == LEN / 2 + 100, "{} bytes", body.len());
}

#[test]
fn more_than_can_be_counted_is_not_sent() {
    let fixture = Fixture::new("much");
    let mut client = fixture.connect();
    client.send("GET /too-much HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(client.expect_ended().len() < 10_000);
    let mut client = fixture.connect();
    client.send("GET /text HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.reply().body, b"text");
}

#[test]
fn the_test_client_reads_them() {
    let fixture = Fixture::new("memory");
    let file = Arc::new(OpenFile::from(File::open(&fixture.path).unwrap()));
    let mut app = App::new();
    let known = Arc::clone(&file);
    app.get("/all", move |_: &mut Request| reply(every_kind(&known)));
    app.get("/short", move |_: &mut Request| reply(vec![span(&file, LEN as u64, 1)]));
    let mut client = onepoll::app::TestClient::new(app);
    let whole = client.get("/all").send();
    assert!(whole.complete);
    expect_pattern(&whole.body, 610_000);
    assert!(client.request(Method::HEAD, "/all").send().body.is_empty());
    assert!(!client.get("/short").send().complete);
}
