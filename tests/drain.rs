//! Leaving: drains lose no accepted request, stops end at once, and whoever
//! drops a server has no thread of it left.

mod support;

use onepoll::http::{End, Lane, Request};
use onepoll::{App, Config, Server};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};
use support::{Client, Ending, Fixture, PATIENCE, expect_pattern, is_slow, until};

const HELLO: &str = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
const LONG: Duration = Duration::from_secs(60);

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// Waits for the server's end, which must come by itself.
#[track_caller]
fn join(fixture: Fixture) {
    let begun = Instant::now();
    fixture.server.join().expect("a server that ends in order");
    assert!(begun.elapsed() < PATIENCE, "it ended after {:?}", begun.elapsed());
}

#[test]
fn a_drain_without_clients_ends_at_once() {
    let fixture = Fixture::new();
    fixture.server.handle().drain(LONG);
    join(fixture);
}

#[test]
fn endless_streams_are_told_and_say_goodbye() {
    let fixture = Fixture::new();
    let mut guests: Vec<Client> = ["/guest", "/guest-blocking", "/guest-rude"]
        .map(|path| {
            let mut client = fixture.client();
            client.send(get(path)).head();
            assert_eq!(client.take(11), b"6\r\nhello\n\r\n");
            client
        })
        .into();
    let handle = fixture.server.handle().clone();
    handle.drain(LONG);
    for polite in &mut guests[..2] {
        assert_eq!(polite.take(18), b"8\r\ngoodbye\n\r\n0\r\n\r\n");
        polite.expect_closed();
    }
    // Who has nothing to say to it stays until the limit.
    assert!(guests[2].is_silent());
    handle.drain(Duration::ZERO);
    join(fixture);
    assert_eq!(guests[2].expect_ended(), b"");
}

#[test]
fn a_stop_cuts_what_is_under_way() {
    let fixture = Fixture::new();
    let mut idle = fixture.client();
    idle.send(HELLO).reply().expect(200);
    let mut asleep = fixture.client();
    asleep.send(get("/after/600000"));
    let mut streaming = fixture.client();
    streaming.send(get("/ticks/10")).head();
    let handle = fixture.server.handle().clone();
    let seen = Arc::clone(&fixture.seen);
    until("requests", || fixture.stats().requests.value() == 3);
    handle.stop();
    join(fixture);
    for client in [&mut idle, &mut asleep, &mut streaming] {
        client.expect_ended();
    }
    assert_eq!(seen.ended("/ticks/10", End::Cut), 1);
    assert_eq!(seen.ended("/after/600000", End::Abandoned), 1);
    assert_eq!(seen.sources_dropped.load(Ordering::Relaxed), 1);
    // Harmless once it is over.
    handle.stop();
    handle.drain(LONG);
}

#[test]
fn a_drain_lets_finish_what_is_under_way_and_says_so() {
    let fixture = Fixture::new();
    let mut asleep = fixture.client();
    asleep.send(get("/after/300"));
    let mut away = fixture.client();
    away.send(get("/gate"));
    let mut pipelined = fixture.client();
    pipelined.send(get("/after/200") + &get("/after/201"));
    let mut uploading = fixture.client();
    uploading.send("POST /blocking HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n\0\u{1}\u{2}");
    let mut streaming = Client::connect_narrow(fixture.addr());
    streaming.send(get("/stream/3000000"));
    let mut large = Client::connect_narrow(fixture.addr());
    large.send(get("/large"));
    until("requests", || fixture.stats().requests.value() == 6);
    fixture.gate.expect_entered(1);
    fixture.server.handle().drain(LONG);
    until("the listener is closed", || TcpStream::connect(fixture.addr()).is_err());
    // Replies whose head went out before can't say it any more; the others do.
    expect_pattern(&streaming.reply().expect(200).body, 3_000_000);
    streaming.expect_closed();
    assert_eq!(large.reply().expect(200).body.len(), 16 << 20);
    large.expect_closed();
    uploading.send("\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}\u{9}");
    assert_eq!(uploading.last_reply().expect(200).text(), "10 true");
    fixture.gate.open();
    assert_eq!(away.last_reply().expect(200).text(), "through the gate");
    assert_eq!(asleep.last_reply().expect(200).text(), "after 300");
    assert_eq!(pipelined.last_reply().expect(200).text(), "after 200");
    join(fixture);
}

#[test]
fn a_drain_takes_a_request_that_was_on_its_way_on_an_idle_connection() {
    let fixture = Fixture::with(Config { drain_idle: Duration::from_secs(5), ..Config::default() });
    let mut client = fixture.client();
    client.send(HELLO).reply().expect(200);
    fixture.server.handle().drain(LONG);
    until("the listener is closed", || TcpStream::connect(fixture.addr()).is_err());
    let begun = Instant::now();
    client.send(HELLO);
    client.last_reply().expect(200);
    drop(client);
    join(fixture);
    assert!(begun.elapsed() < Duration::from_secs(5), "no need to wait for anybody");
}

#[test]
fn a_drain_gives_its_time_to_connections_that_were_idle_for_longer() {
    let drain_idle = Duration::from_millis(500);
    let fixture = Fixture::with(Config { drain_idle, ..Config::default() });
    let mut clients = [fixture.client(), fixture.client()];
    for client in &mut clients {
        client.send(HELLO).reply().expect(200);
    }
    std::thread::sleep(drain_idle * 2); // the idleness under test
    let begun = Instant::now();
    fixture.server.handle().drain(LONG);
    until("the listener is closed", || TcpStream::connect(fixture.addr()).is_err());
    let [asking, silent] = &mut clients;
    asking.send(HELLO).last_reply().expect(200);
    silent.expect_closed();
    assert!(begun.elapsed() + Duration::from_millis(20) >= drain_idle, "{:?}", begun.elapsed());
    drop(clients);
    join(fixture);
}

#[test]
fn a_drain_ends_idle_connections_in_order_after_a_while() {
    let drain_idle = Duration::from_millis(300);
    let fixture = Fixture::with(Config { drain_idle, ..Config::default() });
    let mut used = fixture.client();
    used.send(HELLO).reply().expect(200);
    let mut fresh = fixture.client();
    fixture.expect_open(2);
    let begun = Instant::now();
    fixture.server.handle().drain(LONG);
    for client in [&mut used, &mut fresh] {
        assert_eq!(client.rest(), (Vec::new(), Ending::Eof));
    }
    drop((used, fresh));
    join(fixture);
    assert!(begun.elapsed() + Duration::from_millis(20) >= drain_idle);
}

#[test]
fn a_drain_cuts_at_its_limit_what_does_not_end() {
    let fixture = Fixture::new();
    let mut asleep = fixture.client();
    asleep.send(get("/after/600000"));
    let mut streaming = fixture.client();
    streaming.send(get("/ticks/10")).head();
    let mut half = fixture.client();
    half.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\npart");
    until("requests", || fixture.stats().requests.value() == 3);
    let limit = Duration::from_millis(300);
    let begun = Instant::now();
    fixture.server.handle().drain(limit);
    let seen = Arc::clone(&fixture.seen);
    join(fixture);
    assert!(begun.elapsed() >= limit, "{:?}", begun.elapsed());
    for client in [&mut asleep, &mut streaming, &mut half] {
        client.expect_ended();
    }
    assert_eq!(seen.ended("/ticks/10", End::Cut), 1);
    assert_eq!(seen.ended("/echo", End::Abandoned), 1);
}

#[test]
fn a_second_drain_may_shorten_the_limit_and_a_stop_ends_it() {
    for shorten in [true, false] {
        let fixture = Fixture::new();
        let mut asleep = fixture.client();
        asleep.send(get("/after/600000"));
        until("the request", || fixture.stats().requests.value() == 1);
        let handle = fixture.server.handle().clone();
        handle.drain(LONG);
        if shorten {
            handle.drain(Duration::from_millis(50));
        } else {
            handle.stop();
        }
        join(fixture);
        asleep.expect_ended();
    }
}

#[test]
fn a_client_in_the_listener_s_queue_is_served() {
    // It connects before the server runs, and the drain is asked for before the
    // first turn: an accepted connection, as the client sees it.
    let server = Server::bind("127.0.0.1:0").unwrap();
    let to = server.local_addr().unwrap();
    let mut clients: Vec<Client> = (0..100).map(|_| Client::connect(to)).collect();
    for client in &mut clients {
        client.send(HELLO);
    }
    let mut app = App::new();
    app.get("/hello", |_: &mut Request| "Hello, World!");
    let mut running = server.start(app).unwrap();
    running.handle().drain(LONG);
    let thread = std::thread::spawn(move || {
        for client in &mut clients {
            client.last_reply().expect(200);
        }
    });
    while running.turn(Some(PATIENCE)).unwrap() {}
    thread.join().unwrap();
}

/// Clients ask as fast as they can, on kept and on new connections, while the
/// server drains: a request that was sent on an accepted connection is either
/// answered whole, or the connection ended in order before a byte of an answer,
/// and then only an idle one whose end had been sent before the request came.
#[test]
fn a_drain_under_load_loses_no_accepted_request() {
    let rounds = if is_slow() { 50 } else { 5 };
    for round in 0..rounds {
        drain_under_load(round % 2 == 0);
    }
}

fn drain_under_load(keep: bool) {
    const CLIENTS: usize = 8;
    let fixture = Fixture::new();
    let to = fixture.addr();
    let (answered, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let start = Arc::new(Barrier::new(CLIENTS + 1));
    let threads: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let (answered, asked) = (Arc::clone(&answered), Arc::clone(&asked));
            let start = Arc::clone(&start);
            std::thread::spawn(move || {
                start.wait();
                load(to, n, keep, &asked, &answered);
            })
        })
        .collect();
    start.wait();
    until("some load", || answered.load(Ordering::Relaxed) > 200);
    fixture.server.handle().drain(LONG);
    for thread in threads {
        thread.join().expect("no client has lost a request");
    }
    assert_eq!(asked.load(Ordering::Relaxed), answered.load(Ordering::Relaxed));
    join(fixture);
}

/// One client of the load, until the server takes no connection any more.
fn load(
    to: std::net::SocketAddr,
    n: usize,
    keep: bool,
    asked: &AtomicUsize,
    answered: &AtomicUsize,
) {
    let path = ["/hello", "/after/1", "/job/1", "/bytes/100000"][n % 4];
    while let Ok(mut client) = Client::try_connect(to) {
        loop {
            asked.fetch_add(1, Ordering::Relaxed);
            let closing = if keep { "" } else { "Connection: close\r\n" };
            let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{closing}\r\n");
            let sent = client.try_send(request);
            match client.try_reply_to("GET") {
                Ok(reply) => {
                    assert_eq!(reply.status, 200, "{:?}", reply.body.escape_ascii());
                    answered.fetch_add(1, Ordering::Relaxed);
                    if reply.closes() {
                        break;
                    }
                }
                // Never accepted: the listener was closed over it.
                Err((Ending::Reset, rest)) if rest.is_empty() => {
                    asked.fetch_sub(1, Ordering::Relaxed);
                    return;
                }
                // The same, noticed when it was asked: the reset is told but once.
                Err((Ending::Eof, rest)) if rest.is_empty() && was_reset(&sent) => {
                    asked.fetch_sub(1, Ordering::Relaxed);
                    return;
                }
                Err((ending, rest)) => {
                    panic!("{ending:?} after {} bytes, sent: {sent:?}", rest.len());
                }
            }
        }
    }
}

fn was_reset(sent: &std::io::Result<()>) -> bool {
    sent.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
}

#[test]
fn dropping_a_server_ends_its_threads() {
    let threads = |name: &str| {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let comms =
            tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        comms.filter(|comm| comm.trim_end() == name).count()
    };
    // In a name of its own: other tests run servers beside this one.
    let mut app_dropped = Vec::new();
    for _ in 0..3 {
        let dropped = Arc::new(AtomicBool::new(false));
        let flag = DropFlag(Arc::clone(&dropped));
        let server = Server::bind("127.0.0.1:0").unwrap().spawn(move || {
            let mut app = App::new();
            app.get("/name", move |_: &mut Request| {
                let _kept = &flag;
                onepoll::app::offload_now(|_: &mut Request| {
                    std::fs::write("/proc/thread-self/comm", "drain-helper").unwrap();
                    "named"
                })
                .lane(Lane::Application)
            });
            app
        });
        let server = server.unwrap();
        let mut client = Client::connect(server.local_addr());
        client.send(get("/name")).reply().expect(200);
        assert_eq!(threads("drain-helper"), 1);
        drop(server);
        assert_eq!(threads("drain-helper"), 0, "a helper thread is left");
        client.expect_ended();
        app_dropped.push(dropped.load(Ordering::Relaxed));
    }
    assert_eq!(app_dropped, [true; 3], "the application is dropped with its server");
}

struct DropFlag(Arc<AtomicBool>);

impl Drop for DropFlag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_job_that_does_not_end_does_not_keep_the_server_longer_than_its_limit() {
    let join_limit = Duration::from_millis(200);
    let fixture = Fixture::with(Config { join_limit, ..Config::default() });
    let mut client = fixture.client();
    client.send(get("/gate"));
    fixture.gate.expect_entered(1);
    let gate = fixture.gate.clone();
    let begun = Instant::now();
    drop(fixture);
    assert!(begun.elapsed() >= join_limit, "{:?}", begun.elapsed());
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    client.expect_ended();
    gate.open();
}

#[test]
fn several_servers_in_one_process_do_not_know_of_each_other() {
    let (one, two) = (Fixture::new(), Fixture::new());
    let mut kept = two.client();
    kept.send(HELLO).reply().expect(200);
    let mut client = one.client();
    client.send(get("/after/50"));
    until("the request", || one.stats().requests.value() == 1);
    one.server.handle().drain(LONG);
    client.last_reply().expect(200);
    drop(client);
    join(one);
    assert_eq!(two.stats().requests.value(), 1);
    kept.send(HELLO).reply().expect(200);
    two.client().send(get("/job/1")).reply().expect(200);
}

#[test]
fn a_server_listens_on_several_addresses_and_frees_them() {
    let server = Server::bind("127.0.0.1:0").unwrap().and_bind("127.0.0.1:0").unwrap();
    let all: Vec<_> = server.local_addrs().collect();
    let server = server.spawn(|| {
        let mut app = App::new();
        app.get("/hello", |_: &mut Request| "Hello, World!");
        app
    });
    for &to in &all {
        Client::connect(to).send(HELLO).reply().expect(200);
    }
    drop(server);
    for &to in &all {
        Server::bind(to).expect("the address is free again");
    }
}

#[test]
fn an_address_that_is_taken_is_an_error_that_names_it() {
    let fixture = Fixture::new();
    let error = Server::bind(fixture.addr()).expect_err("it is taken");
    assert!(error.to_string().contains(&fixture.addr().to_string()), "{error}");
}
