//! What the loop counts about itself, seen over sockets.

mod support;

use onepoll::http::Status;
use onepoll::stats::Close;
use onepoll::{App, Config, Request, Server};
use std::time::Duration;
use support::{Client, Fixture, until};

#[test]
fn closes_are_counted_by_their_reason() {
    let short = Duration::from_millis(20);
    type Act = fn(&mut Client);
    let table: [(Close, Config, Act); 6] = [
        (Close::Done, Config::default(), |client| {
            client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            client.last_reply();
        }),
        (Close::Peer, Config::default(), |client| {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").reply();
        }),
        (Close::Fault, Config::default(), |client| {
            client.send("GET / HTTP/1.1\r\n\r\n");
            client.last_reply();
        }),
        (Close::Idle, Config { first_timeout: short, ..Config::default() }, Client::expect_closed),
        (Close::SlowRequest, Config { head_timeout: short, ..Config::default() }, |client| {
            client.send("GET / HT");
            client.last_reply();
        }),
        (Close::Full, Config { connections_max: 1, ..Config::default() }, |client| {
            // The first one has the place.
            let other = client.stream().peer_addr().expect("it is connected");
            client.send("GET / HT");
            Client::connect(other).last_reply();
        }),
    ];
    for (why, config, act) in table {
        let server = Server::bind("127.0.0.1:0").expect("a free port").config(config);
        let server = server.spawn(App::new).expect("a server that starts");
        let stats = server.handle().stats();
        let mut client = Client::connect(server.local_addr());
        act(&mut client);
        if why == Close::Peer {
            drop(client);
        }
        until(why.name(), || stats.closes.of(why) == 1);
        let all: u64 = Close::ALL.iter().map(|why| stats.closes.of(*why)).sum();
        assert_eq!(all, 1, "{why:?} and no other");
    }
}

#[test]
fn a_drain_is_the_reason_for_what_it_cuts() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    fixture.expect_open(1);
    assert_eq!(fixture.stats().draining.value(), 0);
    fixture.server.handle().drain(Duration::ZERO);
    until("it is cut", || fixture.stats().closes.of(Close::Drain) == 1);
    assert_eq!(fixture.stats().draining.value(), 1);
}

#[test]
fn gauges_follow_the_connections() {
    let server = Server::bind("127.0.0.1:0").expect("a free port").spawn(|| {
        let mut app = App::new();
        app.get("/", |request: &mut Request| match request.stats() {
            Some(stats) => format!("{} {}", stats.open.value(), stats.requests.value()),
            None => "none".to_owned(),
        });
        app.get("/never", |_: &mut Request| {
            onepoll::after(Duration::from_secs(3600), || Status::OK)
        });
        app
    });
    let server = server.expect("a server that starts");
    let stats = server.handle().stats();
    let mut idle = Client::connect(server.local_addr());
    let mut busy = Client::connect(server.local_addr());
    busy.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
    until("one is busy", || stats.open.value() == 2 && stats.busy.value() == 1);
    idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(idle.reply().text(), "2 2");
    until("both have a deadline", || stats.timers.value() == 2);
    assert!(stats.slots.value() >= 2);
    let timed = stats.turn_times.counts().sum::<u64>();
    assert!((1..=stats.turns.value()).contains(&timed), "{timed} turns are timed");
    busy.reset();
    until("it is gone", || stats.open.value() == 1 && stats.busy.value() == 0);
}

#[test]
fn a_turn_that_blocks_shows() {
    let server = Server::bind("127.0.0.1:0").expect("a free port").spawn(|| {
        let mut app = App::new();
        app.get("/", |_: &mut Request| {
            std::thread::sleep(Duration::from_millis(30)); // what no handler should do
            "done"
        });
        app
    });
    let server = server.expect("a server that starts");
    let stats = server.handle().stats();
    // The second of two that follow each other after 30 ms is timed for certain.
    let mut client = Client::connect(server.local_addr());
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").reply();
    }
    until("the lag", || stats.lag_us.value() >= 30_000);
    let beyond: u64 = stats.turn_times.counts().skip(9).sum();
    assert!((1..=2).contains(&beyond), "{beyond} turns took longer than 25 ms");
    assert!(stats.turn_times.total_us() >= 30_000);
}
