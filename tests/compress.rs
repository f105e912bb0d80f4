//! Compressed replies as clients meet them: over sockets, with helpers at work,
//! and with a client that we did not write.
#![cfg(any(feature = "brotli", feature = "gzip", feature = "zstd"))]

mod support;

use onepoll::http::{Body, ContentType, Pull, Source, Wake};
use onepoll::middleware::Compress;
use onepoll::server::Background;
use onepoll::{App, Request, Response, Server};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use support::{Client, Framing, pattern};

/// What was compiled in.
const CODINGS: &[&str] = &[
    #[cfg(feature = "brotli")]
    "br",
    #[cfg(feature = "zstd")]
    "zstd",
    #[cfg(feature = "gzip")]
    "gzip",
];

fn accept(coding: &str) -> String {
    format!("Accept-Encoding: {coding}")
}

/// Many pulls long, and not of a round length.
const LONG: usize = 2_000_001;

fn page(body: Body) -> Response {
    Response::default().content(ContentType::HTML, body).header("ETag", "\"one\"")
}

/// The pattern, up to that length; then the end, or a failure.
struct Stream {
    at: usize,
    len: usize,
    fails: bool,
}

impl Stream {
    fn new(fails: bool) -> Box<Stream> {
        Box::new(Stream { at: 0, len: LONG, fails })
    }
}

impl Source for Stream {
    fn pull(&mut self, out: &mut Vec<u8>, room: usize) -> io::Result<Pull> {
        let to = self.len.min(self.at + room);
        out.extend((self.at as u64..to as u64).map(support::pattern_byte));
        self.at = to;
        match self.at == self.len {
            false => Ok(Pull::More),
            true if self.fails => Err(io::Error::other("as the test wants it")),
            true => Ok(Pull::End),
        }
    }
}

/// Says what the test says, when it says it.
struct Chat(Receiver<&'static str>);

impl Source for Chat {
    fn pull(&mut self, out: &mut Vec<u8>, _: usize) -> io::Result<Pull> {
        match self.0.try_recv() {
            Ok("bye") => Ok(Pull::End),
            Ok(word) => {
                out.extend_from_slice(word.as_bytes());
                Ok(Pull::Pending)
            }
            Err(_) => Ok(Pull::Pending),
        }
    }
}

/// A server, and who gets the ends of each chat.
fn serve() -> (Background, Receiver<(Sender<&'static str>, Wake)>) {
    let (chats, begun) = channel();
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let server = server.spawn(move || {
        let mut app = App::new();
        app.wrap(Compress::new());
        app.get("/short", |_: &mut Request| page(Body::Owned(pattern(5_000))));
        app.get("/long", |_: &mut Request| page(Body::Owned(pattern(500_000))));
        app.get("/huge", |_: &mut Request| page(Body::Owned(pattern(LONG))));
        app.get("/inline", |_: &mut Request| page(Body::Inline(Stream::new(false), None)));
        app.get("/helper", |_: &mut Request| {
            page(Body::Blocking(Stream::new(false), Some(LONG as u64)))
        });
        app.get("/fails", |_: &mut Request| page(Body::Blocking(Stream::new(true), None)));
        app.get("/less", |_: &mut Request| {
            page(Body::Blocking(Stream::new(false), Some(LONG as u64 + 1)))
        });
        app.get("/chat", move |request: &mut Request| {
            let (say, hear) = channel();
            let wake = request.waker().expect("a request from a client");
            chats.send((say, wake)).expect("the test is there");
            page(Body::Inline(Box::new(Chat(hear)), None))
        });
        app
    });
    (server.expect("a server that starts"), begun)
}

/// What can be read, and whether that is all.
fn unzip(coding: &str, bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut reader: Box<dyn Read + '_> = match coding {
        #[cfg(feature = "gzip")]
        "gzip" => Box::new(flate2::read::GzDecoder::new(bytes)),
        #[cfg(feature = "brotli")]
        "br" => Box::new(brotli::Decompressor::new(bytes, 4096)),
        #[cfg(feature = "zstd")]
        "zstd" => Box::new(zstd::stream::read::Decoder::new(bytes).expect("a decoder")),
        other => panic!("{other}"),
    };
    let (mut out, mut some) = (Vec::new(), [0; 4096]);
    loop {
        match reader.read(&mut some) {
            Ok(0) => return (out, true),
            Ok(n) => out.extend_from_slice(&some[..n]),
            Err(_) => return (out, false),
        }
    }
}

#[test]
fn every_kind_of_content_comes_back() {
    let (server, _) = serve();
    let mut client = Client::connect(server.local_addr());
    let table = [
        ("/short", 5_000, false),
        ("/long", 500_000, false),
        ("/huge", LONG, true),
        ("/inline", LONG, true),
        ("/helper", LONG, true),
    ];
    let each = CODINGS.iter().flat_map(|coding| table.map(|row| (*coding, row)));
    for (coding, (path, len, is_chunked)) in each {
        let fields = [&*accept(coding)];
        let reply = client.ask(&format!("GET {path}"), &fields).expect(200);
        assert_eq!(reply.framing == Framing::Chunked, is_chunked, "{path}");
        assert_eq!(reply.get("content-encoding"), Some(coding), "{path}");
        assert_eq!(reply.get("vary"), Some("Accept-Encoding"), "{path}");
        assert_eq!(reply.get("etag"), Some("W/\"one\""), "{path}");
        assert!(reply.body.len() < len / 4, "{path}: {} bytes", reply.body.len());
        assert!(unzip(coding, &reply.body) == (pattern(len), true), "{coding} {path}");

        let head = client.ask(&format!("HEAD {path}"), &fields).expect(200);
        let fields = |headers: &[(String, String)]| {
            let mut fields = headers.to_vec();
            fields.retain(|(name, _)| name != "date");
            fields
        };
        assert_eq!(fields(&head.headers), fields(&reply.headers), "{path}");

        let plain = client.ask(&format!("GET {path}"), &[]).expect(200);
        assert_eq!(plain.get("content-encoding"), None, "{path}");
        assert_eq!(plain.get("vary"), Some("Accept-Encoding"), "{path}");
        assert_eq!(plain.get("etag"), Some("\"one\""), "{path}");
        assert!(plain.body == pattern(len), "{path}");
    }
}

/// The client's weights decide; of equal ones the smaller coding.
#[test]
fn the_client_has_the_choice() {
    let (server, _) = serve();
    let mut client = Client::connect(server.local_addr());
    let mut ask = |wish: &str| {
        let reply = client.ask("GET /short", &[&accept(wish)]).expect(200);
        reply.get("content-encoding").unwrap_or("identity").to_owned()
    };
    assert_eq!(ask("gzip, deflate, br, zstd"), CODINGS[0]);
    assert_eq!(ask("*"), CODINGS[0]);
    assert_eq!(ask("identity, *;q=0.5"), "identity");
    assert_eq!(ask("br;q=0, gzip;q=0, zstd;q=0"), "identity");
    for coding in CODINGS {
        assert_eq!(ask(&format!("{coding}, *;q=0.9")), *coding);
        assert_eq!(ask(&format!("br;q=0.1, gzip;q=0.1, zstd;q=0.1, {coding};q=1")), CODINGS[0]);
        assert_eq!(ask(&format!("deflate, {coding};q=0.001")), *coding);
    }
}

#[test]
fn each_word_arrives_when_it_is_said() {
    CODINGS.iter().for_each(|coding| each_word_arrives_in(coding));
}

fn each_word_arrives_in(coding: &str) {
    let (server, chats) = serve();
    let mut client = Client::connect(server.local_addr());
    client.send(format!("GET /chat HTTP/1.1\r\nHost: a\r\n{}\r\n\r\n", accept(coding)));
    let head = client.head();
    assert_eq!((head.status, head.framing), (200, Framing::Chunked));
    let (say, wake) = chats.recv_timeout(support::PATIENCE).expect("a chat begins");
    let (mut content, mut said) = (Vec::new(), String::new());
    for word in ["hello", " ", "there"] {
        say.send(word).expect("the chat goes on");
        wake.wake();
        said.push_str(word);
        // A client that waits for whole chunks sees each word before the next.
        while unzip(coding, &content).0 != said.as_bytes() {
            content.extend(chunk(&mut client));
        }
    }
    say.send("bye").expect("the chat goes on");
    wake.wake();
    loop {
        match chunk(&mut client) {
            last if last.is_empty() => break,
            more => content.extend(more),
        }
    }
    assert_eq!(unzip(coding, &content), (said.into_bytes(), true));
}

fn chunk(client: &mut Client) -> Vec<u8> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.extend(client.take(1));
    }
    let text = std::str::from_utf8(&line).expect("ASCII").trim_end();
    let size = usize::from_str_radix(text, 16).expect("a size");
    let chunk = client.take(size);
    assert_eq!(client.take(2), b"\r\n");
    chunk
}

#[test]
fn what_fails_has_no_end() {
    let (server, _) = serve();
    let each = CODINGS.iter().flat_map(|coding| ["/fails", "/less"].map(|path| (*coding, path)));
    for (coding, path) in each {
        let wish = accept(coding);
        let mut client = Client::connect(server.local_addr());
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{wish}\r\n\r\n"));
        let reply = client.try_reply_to("GET");
        assert!(reply.is_err(), "{path}: a chunk that says that this is all");
        // Of old clients, who see the end of the connection only, the coding's own end.
        let mut client = Client::connect(server.local_addr());
        client.send(format!("GET {path} HTTP/1.0\r\n{wish}\r\n\r\n"));
        assert_eq!(client.head().get("content-encoding"), Some(coding));
        let (rest, _) = client.rest();
        assert!(!unzip(coding, &rest).1, "{coding} {path}: whole");
    }
}

/// What curl makes of it: its exit code, and the content.
fn curl(server: SocketAddr, path: &str) -> Option<(Option<i32>, Vec<u8>)> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--compressed", "--max-time", "60", "--noproxy", "*"]);
    match command.arg(format!("http://{server}{path}")).output() {
        Ok(output) => Some((output.status.code(), output.stdout)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => panic!("curl: {error}"),
    }
}

#[test]
fn curl_understands_it() {
    let (server, _) = serve();
    for (path, len) in [("/short", 5_000), ("/long", 500_000), ("/inline", LONG), ("/helper", LONG)]
    {
        let Some((code, content)) = curl(server.local_addr(), path) else { return };
        assert_eq!((code, content.len()), (Some(0), len), "{path}");
        assert!(content == pattern(len), "{path}");
    }
    for path in ["/fails", "/less"] {
        let Some((code, _)) = curl(server.local_addr(), path) else { return };
        assert_ne!(code, Some(0), "{path}");
    }
}
