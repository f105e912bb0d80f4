//! The access log beside a real server: what is in it that no handler saw.

mod support;

use onepoll::http::Request;
use onepoll::middleware::{AccessLog, Format};
use onepoll::{App, Config, Server};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Client, until};

/// Where the log goes.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// So many, once they are there.
    fn expect(&self, count: usize) -> Vec<String> {
        let text = || String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        until("the lines are written", || text().lines().count() >= count);
        text().lines().map(str::to_owned).collect()
    }
}

/// What is sent, the status, and the reason in the log.
const REFUSED: &[(&str, u16)] = &[
    ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    ("GET /\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\n", 408),
];

fn log(format: Format) -> Vec<String> {
    let lines = Lines::default();
    let to = lines.clone();
    let head_timeout = Duration::from_millis(100);
    let config = Config { head_timeout, ..Config::default() };
    let server = Server::bind("127.0.0.1:0").unwrap().config(config);
    let server = server.spawn(move || {
        let mut app = App::new();
        app.wrap(AccessLog::to(to).unwrap().format(format));
        app.get("/", |_: &mut Request| "Hello");
        app
    });
    let server = server.unwrap();
    for (head, status) in REFUSED {
        Client::connect(server.local_addr()).send(head).last_reply().expect(*status);
    }
    let mut client = Client::connect(server.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").reply().expect(200);
    lines.expect(REFUSED.len() + 1)
}

#[test]
fn what_never_became_a_request_has_a_line() {
    let lines = log(Format::Combined);
    assert_eq!(lines.len(), REFUSED.len() + 1, "{lines:?}");
    for (line, (_, status)) in lines.iter().zip(REFUSED) {
        assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
        assert!(line.ends_with(&format!("] \"-\" {status} - \"-\" \"-\"")), "{line}");
    }
    assert!(lines.last().unwrap().contains("\"GET / HTTP/1.1\" 200"), "{lines:?}");
}

#[test]
fn and_the_reason_in_the_other_format() {
    let lines = log(Format::Json);
    for (line, (_, status)) in lines.iter().zip(REFUSED) {
        assert!(line.contains(&format!("\"status\":{status},\"refused\":\"")), "{line}");
    }
    assert!(lines.first().unwrap().contains("Host"), "{lines:?}");
}
