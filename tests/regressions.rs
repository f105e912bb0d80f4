//! Faults that the engine once had, each with the shortest way to see it.

mod support;

use onepoll::app::{BodyMode, Done, Flow, Middleware, after_with, receive};
use onepoll::http::{Body, FileSpan, Intake, Pull, Refusal, Request, Response, Sink, Source};
use onepoll::http::{Status, Wake};
use onepoll::server::Background;
use onepoll::{App, Config, Server};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Client, Fixture, Gate, PATIENCE, expect_pattern, until};

const HELLO: &str = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
const SHORT: Duration = Duration::from_millis(300);

fn post(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
}

fn serve(config: Config, make: impl FnOnce(&mut App) + Send + 'static) -> Background {
    let factory = move || {
        let mut app = App::new();
        make(&mut app);
        app.get("/hello", |_: &mut Request| "Hello, World!");
        app
    };
    Server::bind("127.0.0.1:0").unwrap().config(config).spawn(factory).unwrap()
}

/// The window of progress was left behind by whoever had the box before.
#[test]
fn a_slow_body_is_not_judged_by_the_time_of_an_earlier_one() {
    let config = Config { body_timeout: SHORT, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = fixture.client();
    for _ in 0..2 {
        client.send(post("/echo", 8)).send("half");
        std::thread::sleep(SHORT / 3); // within the time
        client.send("half");
        assert_eq!(client.reply().expect(200).text(), "halfhalf");
        std::thread::sleep(SHORT * 2); // idle: nothing is asked of the client
    }
}

#[test]
fn a_slow_reader_is_not_judged_by_the_time_of_an_earlier_one() {
    let config = Config { write_timeout: SHORT, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = Client::connect_narrow(fixture.addr());
    for _ in 0..3 {
        client.send("GET /bytes/6000000 HTTP/1.1\r\nHost: a\r\n\r\n");
        std::thread::sleep(SHORT / 3); // within the time
        expect_pattern(&client.reply().expect(200).body, 6_000_000);
        std::thread::sleep(SHORT * 2);
    }
}

/// An idle connection's time began when its last reply was begun.
#[test]
fn a_connection_is_not_idle_while_it_downloads() {
    let config = Config { idle_timeout: SHORT * 5, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = Client::connect_narrow(fixture.addr());
    client.send("GET /bytes/6000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    std::thread::sleep(SHORT * 6);
    expect_pattern(&client.reply().expect(200).body, 6_000_000);
    std::thread::sleep(SHORT / 2);
    client.send(HELLO).reply().expect(200);
}

/// A head's time began with the reply before it.
#[test]
fn a_head_is_not_late_because_the_reply_before_it_was_long() {
    let config = Config { head_timeout: SHORT * 5, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = Client::connect_narrow(fixture.addr());
    let request = "GET /file/3000000 HTTP/1.1\r\nHost: a\r\n\r\n";
    client.send(request);
    std::thread::sleep(SHORT * 6);
    client.send("GET /hello HT");
    until("it has arrived", || fixture.stats().bytes_in.value() > request.len() as u64);
    expect_pattern(&client.reply().expect(200).body, 3_000_000);
    std::thread::sleep(SHORT / 2);
    client.send("TP/1.1\r\nHost: a\r\n\r\n").reply().expect(200);
}

/// A file system that can't say what is in memory: its files were asked about
/// and fetched for ever, and never sent.
#[test]
#[cfg(target_os = "linux")]
fn a_file_is_sent_though_its_file_system_knows_no_nowait() {
    const FILE: &str = "/sys/kernel/btf/vmlinux"; // sysfs, and long
    let Ok(content) = std::fs::read(FILE) else { return };
    let server = serve(Config::default(), |app| {
        app.get("/file", |_: &mut Request| {
            let file = std::fs::File::open(FILE).unwrap();
            let len = file.metadata().unwrap().len();
            Body::File(FileSpan { file: Arc::new(file.into()), offset: 0, len })
        });
    });
    let mut client = Client::connect(server.local_addr());
    client.send("GET /file HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.reply().expect(200).body == content);
}

struct Panics;

impl Sink for Panics {
    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        panic!("a sink that panics")
    }

    fn finish(&mut self, _: &mut Request) -> io::Result<()> {
        Ok(())
    }
}

/// Says which thread it was dropped by.
struct Dropped(std::sync::mpsc::Sender<Option<String>>);

impl Sink for Dropped {
    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        match chunk.contains(&b'!') {
            true => Err(Refusal::new(Status::UNPROCESSABLE_CONTENT, "no marks").into()),
            false => Ok(()),
        }
    }

    fn finish(&mut self, _: &mut Request) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(std::thread::current().name().map(str::to_owned));
    }
}

/// The sink of an upload that was given up was dropped by the loop, which then
/// waited for the disk while the upload's file was being removed.
#[test]
fn a_blocking_sink_is_dropped_by_a_helper() {
    let (send, dropped) = std::sync::mpsc::channel();
    let config = Config { body_timeout: Duration::from_millis(100), ..Config::default() };
    let server = serve(config, move |app| {
        app.post("/sink", move |_: &mut Request| {
            let sink = Box::new(Dropped(send.clone()));
            receive(Intake::Blocking { sink, max: 100_000 }, |_: &mut Request| "done")
        })
        .body(BodyMode::Ignore);
    });
    let by = |what: &str| {
        let thread = dropped.recv_timeout(PATIENCE).expect(what).unwrap_or_default();
        assert!(thread.starts_with("onepoll-helper"), "{what}: {thread:?}");
    };
    let mut whole = Client::connect(server.local_addr());
    whole.send(post("/sink", 4)).send("four").reply().expect(200);
    by("the end");
    let mut refused = Client::connect(server.local_addr());
    let reply = refused.send(post("/sink", 4)).send("4!!!").last_reply().expect(422);
    assert!(reply.text().contains("no marks"), "{}", reply.text());
    by("its own error");
    let mut slow = Client::connect(server.local_addr());
    slow.send(post("/sink", 9)).send("four").last_reply().expect(408);
    by("a slow client");
    let mut malformed = Client::connect(server.local_addr());
    malformed.send("POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n!");
    malformed.last_reply().expect(400);
    by("a malformed chunk");
    let mut gone = Client::connect(server.local_addr());
    let asking = post("/sink", 90_000).replace("Host", "Expect: 100-continue\r\nHost");
    // A reset takes with it what was not read: the sink must be there before.
    gone.send(asking).head().expect(100);
    gone.send(vec![b'a'; 70_000]);
    gone.reset();
    by("a client that is gone");
}

/// It ended the loop, and with it everybody's server.
#[test]
fn a_sink_that_panics_on_the_loop_is_a_500() {
    let server = serve(Config::default(), |app| {
        app.post("/panics", |_: &mut Request| {
            receive(Intake::Inline { sink: Box::new(Panics), max: 100 }, |_: &mut Request| "no")
        })
        .body(BodyMode::Ignore);
    });
    let mut client = Client::connect(server.local_addr());
    client.send(post("/panics", 4)).send("four");
    client.last_reply().expect(500);
    Client::connect(server.local_addr()).send(HELLO).reply().expect(200);
}

/// What was learnt of the client's end while it waits for a finite stream.
#[test]
fn a_half_closed_client_gets_a_stream_of_unknown_length_whole() {
    let fixture = Fixture::new();
    for path in ["/stream/3000000", "/blocking/3000000"] {
        let mut client = fixture.client();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).half_close();
        expect_pattern(&client.reply().expect(200).body, 3_000_000);
    }
}

struct Keep(Arc<std::sync::Mutex<Vec<u8>>>);

impl Sink for Keep {
    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().extend_from_slice(chunk);
        Ok(())
    }

    fn finish(&mut self, request: &mut Request) -> io::Result<()> {
        request.set_body(self.0.lock().unwrap().clone());
        Ok(())
    }
}

/// The content of a route that buffers was asked for again by its handler: it
/// waited for bytes that had been taken already.
#[test]
fn content_can_be_asked_for_twice() {
    fn sink() -> Box<dyn Sink> {
        Box::new(Keep(Arc::default()))
    }
    let server = serve(Config::default(), |app| {
        let echo = |request: &mut Request| request.take_body();
        app.post("/buffer", move |_: &mut Request| receive(Intake::Buffer { max: 100 }, echo));
        app.post("/inline", move |_: &mut Request| {
            receive(Intake::Inline { sink: sink(), max: 100 }, echo)
        });
        app.post("/blocking", move |_: &mut Request| {
            receive(Intake::Blocking { sink: sink(), max: 100 }, echo)
        });
    });
    for path in ["/buffer", "/inline", "/blocking"] {
        let mut client = Client::connect(server.local_addr());
        client.send(post(path, 4)).send("four");
        assert_eq!(client.reply().expect(200).text(), "four", "{path}");
        client.send(HELLO).reply().expect(200);
    }
}

/// The work's time began with the request's first byte.
#[test]
fn an_upload_is_no_work() {
    let config = Config { work_timeout: Some(SHORT), ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = fixture.client();
    client.send(post("/after-body/100", 8)).send("half");
    std::thread::sleep(SHORT * 2);
    client.send("half");
    assert_eq!(client.reply().expect(200).text(), "halfhalf");
}

/// What sleeps holds its content, and the account did not know.
#[test]
fn content_is_accounted_for_while_its_request_is_asleep() {
    let config = Config { buffers_max: 8 << 20, ..Config::default() };
    let server = serve(config, |app| {
        app.post("/sleep", |_: &mut Request| {
            after_with(Duration::from_secs(3600), |_: &mut Request| "over")
        })
        .body_max(1 << 20);
    });
    let stats = server.handle().stats();
    let mut client = Client::connect(server.local_addr());
    client.send(post("/sleep", 1 << 20)).send(vec![b'x'; 1 << 20]);
    until("the content is in", || stats.bytes_in.value() > 1 << 20);
    Client::connect(server.local_addr()).send(HELLO).reply().expect(200);
    assert!(stats.buffers.value() >= 1 << 20, "{} bytes", stats.buffers.value());
}

struct Observer(Arc<AtomicU64>);

impl Middleware for Observer {
    fn done(&self, _: &Done<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Each reply that is not taken yet keeps its request, whose head is up to 32 KiB.
#[test]
fn requests_whose_replies_are_not_read_are_bounded() {
    let done = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&done);
    let server = serve(Config::default(), move |app| {
        app.wrap(Observer(counter));
    });
    let stats = server.handle().stats();
    let mut client = Client::connect_narrow(server.local_addr());
    let padding = "x".repeat(30_000);
    let request = format!("GET /hello HTTP/1.1\r\nHost: a\r\nPadding: {padding}\r\n\r\n");
    // As many as the server takes: enough to fill all buffers of the sockets.
    client.stream().set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut sent = 0;
    while sent < 60_000 && client.try_send(&request).is_ok() {
        sent += 1;
    }
    assert!(sent < 60_000, "reading never stopped");
    let held = stats.requests.value() - done.load(Ordering::Relaxed);
    let lent = stats.buffers.value();
    assert!(held <= 128, "{held} requests are held");
    assert!(lent >= held * 30_000, "{lent} bytes are accounted for {held} requests");
}

/// A server that ends the connection of its own accord can't know that nothing
/// is on its way: a close at once would be a reset that eats the reply.
#[test]
fn the_last_reply_of_a_connection_is_followed_by_a_linger() {
    let config = Config { requests_per_connection: 2, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = fixture.client();
    client.send(HELLO).reply().expect(200);
    client.send(HELLO);
    until("the last one is answered", || fixture.seen.handled.load(Ordering::Relaxed) == 2);
    client.send(HELLO); // it was on its way
    client.last_reply().expect(200);
    client.send(HELLO);
    assert!(client.try_send(HELLO).is_ok());
    drop(client);
    fixture.expect_open(0);
}

/// Idle for long when the drain begins, it was closed there and then.
#[test]
fn a_request_that_is_on_its_way_when_the_drain_begins_is_answered() {
    let config = Config { drain_idle: SHORT * 4, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = fixture.client();
    client.send(HELLO).reply().expect(200);
    std::thread::sleep(SHORT * 5);
    fixture.server.handle().drain(Duration::from_secs(60));
    until("nobody listens", || Client::try_connect(fixture.addr()).is_err());
    std::thread::sleep(SHORT * 2); // less than it may take
    client.send(HELLO);
    client.last_reply().expect(200);
}

/// `%%33` became `%3`, and that with what followed a triplet of its own.
#[test]
fn percent_encoding_is_undone_once() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.send("GET /number/%%33%31 HTTP/1.1\r\nHost: a\r\n\r\n");
    let status = client.reply().status;
    assert!(status == 400 || status == 404, "{status}");
}

/// Each holds a descriptor.
#[test]
fn a_pipelining_client_has_few_files_open() {
    let fixture = Fixture::new();
    let mut client = Client::connect_narrow(fixture.addr());
    client.send("GET /file/3000000 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(40));
    until("some are begun", || fixture.stats().requests.value() >= 2);
    std::thread::sleep(SHORT); // time for more
    assert!(fixture.stats().requests.value() < 8, "{}", fixture.stats().requests.value());
}

/// Says nothing before it is woken; then it is over.
struct Sleeper(Arc<Mutex<Option<Wake>>>, Option<Wake>);

impl Source for Sleeper {
    fn pull(&mut self, out: &mut Vec<u8>, _: usize) -> io::Result<Pull> {
        match self.1.take() {
            Some(wake) => {
                *self.0.lock().unwrap() = Some(wake);
                Ok(Pull::Pending)
            }
            None => {
                out.extend_from_slice(b"awake");
                Ok(Pull::End)
            }
        }
    }
}

/// Clients who leave keep their slots to the turn's end, so that those who come in
/// the same turn have numbers beyond all that `connections_max` is good for. Their
/// wakes were thrown away.
#[test]
fn who_comes_while_many_leave_can_be_woken() {
    const REFUSED: usize = 64; // slots for those for whom there is no room
    let config = Config { connections_max: 2, linger_timeout: PATIENCE, ..Config::default() };
    let (gate, wake) = (Gate::default(), Arc::<Mutex<Option<Wake>>>::default());
    let (at_gate, slot) = (gate.clone(), Arc::clone(&wake));
    let server = serve(config, move |app| {
        app.get("/gate", move |_: &mut Request| at_gate.wait()); // on the loop
        app.get("/wake", move |request: &mut Request| {
            let source = Sleeper(Arc::clone(&slot), request.waker());
            Response::default().body(Body::Inline(Box::new(source), None))
        });
    });
    let (to, stats) = (server.local_addr(), server.handle().stats());
    let mut first = Client::connect(to);
    let mut others = vec![Client::connect(to)];
    until("both are in", || stats.accepted.value() == 2);
    others.extend((0..REFUSED).map(|_| Client::connect(to)));
    until("nobody else", || stats.refused.value() == REFUSED as u64);
    first.send("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
    gate.expect_entered(1);
    drop(others);
    let mut late = Client::connect(to);
    late.send("GET /wake HTTP/1.1\r\nHost: a\r\n\r\n");
    gate.open();
    until("it is asleep", || wake.lock().unwrap().is_some());
    wake.lock().unwrap().as_ref().unwrap().wake();
    assert_eq!(late.reply().expect(200).text(), "awake");
}

/// The target and the authority lie in the same buffer as the field lines.
#[test]
fn fields_that_are_taken_out_leave_the_target_alone() {
    let server = serve(Config::default(), |app| {
        app.before(|request: &mut Request| {
            assert!(request.headers_mut().remove("X-First"));
            request.headers_mut().set("Accept", "text/plain").unwrap();
            assert!(request.headers_mut().remove("Host"));
            Flow::Go
        });
        app.get("/a/path", |request: &mut Request| {
            let (target, path, query) = (request.target(), request.path(), request.query());
            let accept = request.header("accept");
            format!("{target} {path} {query:?} {} {accept:?}", request.authority())
        });
    });
    let mut client = Client::connect(server.local_addr());
    let fields = ["X-First: a long value that is taken out", "Accept: a/b"];
    for _ in 0..2 {
        let reply = client.ask("GET /a/path?q=1", &fields).expect(200);
        assert_eq!(reply.text(), "/a/path?q=1 /a/path Some(\"q=1\") x Some(\"text/plain\")");
    }
}

/// A handler may keep the request and leave another one in its place: an empty one, or
/// one that came over another connection.
#[test]
fn a_request_that_is_exchanged_leaves_the_next_one_as_it_should_be() {
    let server = serve(Config::default(), |app| {
        let kept = std::cell::RefCell::new(Request::default());
        app.get("/keep", move |request: &mut Request| {
            std::mem::swap(request, &mut *kept.borrow_mut());
            "kept"
        });
        app.get("/who", |request: &mut Request| {
            let (wakes, counts) = (request.waker().is_some(), request.stats().is_some());
            format!("{:?} {} {wakes} {counts}", request.peer(), request.connection())
        });
    });
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(server.local_addr())).collect();
    let who = |client: &mut Client| client.ask("GET /who", &[]).expect(200).text().to_owned();
    let before: Vec<String> = clients.iter_mut().map(who).collect();
    for _ in 0..2 {
        for client in &mut clients {
            client.ask("GET /keep", &[]).expect(200);
        }
        // Together, so that the box is not lent anew between them.
        for (client, before) in clients.iter_mut().zip(&before) {
            client
                .send("GET /keep HTTP/1.1\r\nHost: a\r\n\r\nGET /who HTTP/1.1\r\nHost: a\r\n\r\n");
            client.reply().expect(200);
            assert_eq!(client.reply().expect(200).text(), before);
        }
        assert_eq!(clients.iter_mut().map(who).collect::<Vec<_>>(), before);
    }
}
