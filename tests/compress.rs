//! Compressed replies as clients meet them: over sockets, with helpers at work,
//! and with a client that we did not write.
#![cfg(feature = "gzip")]

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

const GZIP: &[&str] = &["Accept-Encoding: gzip"];
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
fn unzip(bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let whole = flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).is_ok();
    (out, whole)
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
    for (path, len, is_chunked) in table {
        let reply = client.ask(&format!("GET {path}"), GZIP).expect(200);
        assert_eq!(reply.framing == Framing::Chunked, is_chunked, "{path}");
        assert_eq!(reply.get("content-encoding"), Some("gzip"), "{path}");
        assert_eq!(reply.get("vary"), Some("Accept-Encoding"), "{path}");
        assert_eq!(reply.get("etag"), Some("W/\"one\""), "{path}");
        assert!(reply.body.len() < len / 4, "{path}: {} bytes", reply.body.len());
        assert!(unzip(&reply.body) == (pattern(len), true), "{path}");

        let head = client.ask(&format!("HEAD {path}"), GZIP).expect(200);
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

#[test]
fn each_word_arrives_when_it_is_said() {
    let (server, chats) = serve();
    let mut client = Client::connect(server.local_addr());
    client.send("GET /chat HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    let head = client.head();
    assert_eq!((head.status, head.framing), (200, Framing::Chunked));
    let (say, wake) = chats.recv_timeout(support::PATIENCE).expect("a chat begins");
    let (mut content, mut said) = (Vec::new(), String::new());
    for word in ["hello", " ", "there"] {
        say.send(word).expect("the chat goes on");
        wake.wake();
        said.push_str(word);
        // A client that waits for whole chunks sees each word before the next.
        while unzip(&content).0 != said.as_bytes() {
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
    assert_eq!(unzip(&content), (said.into_bytes(), true));
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
    for path in ["/fails", "/less"] {
        let mut client = Client::connect(server.local_addr());
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"));
        let reply = client.try_reply_to("GET");
        assert!(reply.is_err(), "{path}: a chunk that says that this is all");
        // Of old clients, who see the end of the connection only, gzip's own trailer.
        let mut client = Client::connect(server.local_addr());
        client.send(format!("GET {path} HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n"));
        assert_eq!(client.head().get("content-encoding"), Some("gzip"));
        let (rest, _) = client.rest();
        assert!(!unzip(&rest).1, "{path}: whole");
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
