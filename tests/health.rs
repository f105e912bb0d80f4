//! Health, over sockets: what stands around the app is not around it, checks run
//! beside the loop, and a server that leaves says so.

mod support;

use onepoll::app::Flow;
use onepoll::handlers::Health;
use onepoll::middleware::{AccessLog, RateLimit};
use onepoll::{App, Request, Server, Status};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Client, Gate, PATIENCE, until};

/// Keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic with it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn get(client: &mut Client, path: &str) -> support::Reply {
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    client.reply()
}

#[test]
fn probes_are_neither_logged_nor_limited_nor_asked_for_a_password() {
    let kept = Kept::default();
    let log = kept.clone();
    let server = Server::bind("127.0.0.1:0").expect("a free port").spawn(move || {
        let mut app = App::new();
        app.wrap(AccessLog::to(log).expect("a thread"));
        app.wrap(RateLimit::sliding(1, Duration::from_secs(3600)));
        app.before(|_| Flow::Refuse(Status::UNAUTHORIZED.into()));
        Health::new().mount(&mut app);
        app
    });
    let server = server.expect("a server that starts");
    let mut client = Client::connect(server.local_addr());
    for _ in 0..3 {
        for path in ["/livez", "/readyz", "/healthz"] {
            get(&mut client, path).expect(200);
        }
    }
    get(&mut client, "/other").expect(401);
    get(&mut client, "/other").expect(429);
    drop((client, server));
    let lines = String::from_utf8(kept.0.lock().expect("no panic with it").clone());
    let lines = lines.expect("a log is text");
    assert_eq!(lines.lines().count(), 2, "{lines}");
}

#[test]
fn checks_hold_up_nobody() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Server::bind("127.0.0.1:0").expect("a free port").spawn(move || {
        let mut app = App::new();
        app.get("/", |_: &mut Request| "here");
        let check = move || {
            held.wait();
            Ok(())
        };
        Health::new().check("slow", check).limit(PATIENCE).show().mount(&mut app);
        app
    });
    let server = server.expect("a server that starts");
    let mut first = Client::connect(server.local_addr());
    first.send("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n");
    gate.expect_entered(1);
    let mut second = Client::connect(server.local_addr());
    get(&mut second, "/").expect(200);
    get(&mut second, "/livez").expect(200);
    // Somebody waits already: the others hear what is known.
    let reply = get(&mut second, "/readyz").expect(503);
    assert!(reply.text().ends_with("slow: not looked at yet\n"), "{}", reply.text());
    assert!(first.is_silent());
    gate.open();
    let reply = first.reply().expect(200);
    assert!(reply.text().ends_with("slow: ok\n"), "{}", reply.text());
    get(&mut second, "/readyz").expect(200);
}

#[test]
fn a_server_that_leaves_is_alive_but_not_ready() {
    let server = Server::bind("127.0.0.1:0").expect("a free port").spawn(|| {
        let mut app = App::new();
        app.get("/", |_: &mut Request| "here");
        Health::new().mount(&mut app);
        app
    });
    let server = server.expect("a server that starts");
    // On connections that are there; new ones are not taken any more.
    let table = [("/readyz", 503), ("/livez", 200), ("/healthz", 200)];
    let mut clients = table.map(|_| Client::connect(server.local_addr()));
    clients.iter_mut().for_each(|client| drop(get(client, "/").expect(200)));
    server.handle().drain(PATIENCE);
    until("it drains", || server.handle().stats().draining.value() == 1);
    for (client, (path, status)) in clients.iter_mut().zip(table) {
        let reply = get(client, path).expect(status);
        let leaving = reply.text().contains("draining: the server is leaving\n");
        assert_eq!(leaving, path == "/readyz", "{}", reply.text());
    }
}
