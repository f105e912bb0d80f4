//! Server-sent events, over sockets.

mod support;

use onepoll::handlers::{Channel, Event};
use onepoll::server::Background;
use onepoll::stats::Close;
use onepoll::{App, Request, Server};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use support::child::{self, Process};
use support::{Client, Ending, Framing, PATIENCE, is_slow, until};

/// A server whose `/events` is that channel.
fn serve(channel: &Channel) -> Background {
    let channel = channel.clone();
    let server = Server::bind("127.0.0.1:0").expect("a free port").spawn(move || {
        let mut app = App::new();
        app.get("/plaintext", |_: &mut Request| "Hello, World!");
        app.get("/events", move |request: &mut Request| channel.events(request));
        app
    });
    server.expect("a server that starts")
}

/// A client that listens: its stream has begun.
fn listen(to: SocketAddr, fields: &str) -> Client {
    let mut client = Client::connect(to);
    client.send(format!("GET /events HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
    let head = client.head();
    assert_eq!((head.status, head.framing), (200, Framing::Chunked));
    assert_eq!(head.get("content-type"), Some("text/event-stream"));
    assert_eq!(head.get("cache-control"), Some("no-store"));
    assert_eq!(head.get("x-accel-buffering"), Some("no"));
    client
}

/// Reads a chunk that has these bytes, and only these.
#[track_caller]
fn expect(client: &mut Client, text: &str) {
    let chunk = format!("{:x}\r\n{text}\r\n", text.len());
    let got = client.take(chunk.len());
    assert_eq!(got.escape_ascii().to_string(), chunk.as_bytes().escape_ascii().to_string());
}

#[test]
fn events_reach_all_who_listen_and_those_who_come_back() {
    let channel = Channel::new();
    let server = serve(&channel);
    let mut clients = [(); 3].map(|()| listen(server.local_addr(), ""));
    assert_eq!(channel.listeners(), 3);
    for n in 0..3 {
        channel.send(Event::new(format!("{n}\nmore")).id(&n.to_string()).name("tick"));
        for client in &mut clients {
            expect(client, &format!("id: {n}\nevent: tick\ndata: {n}\ndata: more\n\n"));
        }
    }
    let mut back = listen(server.local_addr(), "Last-Event-ID: 1\r\n");
    expect(&mut back, "id: 2\nevent: tick\ndata: 2\ndata: more\n\n");
    // They leave in all ways; nobody is kept.
    let [one, mut two, three] = clients;
    one.reset();
    two.half_close();
    drop((three, back));
    until("all have left", || channel.listeners() == 0);
}

#[test]
fn silence_is_broken_and_the_end_is_in_order() {
    let channel = Channel::new().heartbeat(Duration::from_millis(5));
    let server = serve(&channel);
    let mut client = listen(server.local_addr(), "");
    for _ in 0..3 {
        expect(&mut client, ":\n\n");
    }
    channel.close();
    let mut rest = Vec::new();
    while !rest.ends_with(b"0\r\n\r\n") {
        rest.extend(client.take(1));
    }
    // The stream is over, the connection is not.
    client.send("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n");
    client.reply().expect(200);
}

#[test]
fn a_drain_ends_streams_in_order() {
    let channel = Channel::new();
    let server = serve(&channel);
    let mut clients = [(); 3].map(|()| listen(server.local_addr(), ""));
    let mut late = Client::connect(server.local_addr());
    late.send("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n").reply().expect(200);
    server.handle().drain(PATIENCE);
    until("it has begun", || server.handle().stats().draining.value() == 1);
    // Who comes when it has begun gets a stream that is over.
    late.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(late.last_reply().body, b"");
    for client in &mut clients {
        let (rest, ending) = client.rest();
        assert_eq!((rest.as_slice(), ending), (&b"0\r\n\r\n"[..], Ending::Eof));
    }
    assert_eq!(channel.listeners(), 0);
}

#[test]
fn there_is_a_limit() {
    let channel = Channel::new().streams_max(1);
    let server = serve(&channel);
    let client = listen(server.local_addr(), "");
    let mut other = Client::connect(server.local_addr());
    other.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    let refused = other.reply().expect(503);
    assert_eq!(refused.get("retry-after"), Some("10"));
    drop(client);
    until("the place is free", || channel.listeners() == 0);
    listen(server.local_addr(), "");
}

#[test]
fn slow_clients_are_cut_and_hold_up_nobody() {
    const KEPT: usize = 8;
    let channel = Channel::new().keep(KEPT);
    let server = serve(&channel);
    // More than a wave has places for, and nobody of them reads.
    let slow: Vec<Client> = (0..150)
        .map(|_| {
            let mut client = Client::connect_narrow(server.local_addr());
            client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
            client
        })
        .collect();
    until("they listen", || channel.listeners() == slow.len());
    let mut quick = listen(server.local_addr(), "");
    let data = "x".repeat(100_000);
    let mut sent = 0;
    while channel.cut() < slow.len() as u64 {
        assert!(sent < 10_000, "{} of them are cut", channel.cut());
        channel.send(Event::new(data.as_str()).id("i"));
        expect(&mut quick, &format!("id: i\ndata: {data}\n\n"));
        sent += 1;
        if sent > 100 {
            break; // what they could take, they have; the rest is cut when they read
        }
    }
    for mut client in slow {
        let (got, ending) = client.rest();
        assert!(!got.ends_with(b"0\r\n\r\n"), "visibly incomplete");
        assert!(got.len() < sent * data.len());
        assert!(matches!(ending, Ending::Eof | Ending::Reset));
    }
    assert_eq!(channel.cut(), 150);
    assert_eq!(server.handle().stats().closes.of(Close::Cut), 150);
    assert_eq!(channel.listeners(), 1);
}

/// The crowd, when this is its process.
#[test]
fn child() {
    let Some((_, argument)) = child::role() else { return };
    raise_limit();
    let (count, to) = argument.split_once(' ').expect("count and address");
    let (count, to): (usize, SocketAddr) =
        (count.parse().expect("a count"), to.parse().expect("an address"));
    let mut clients: Vec<Client> = (0..count).map(|_| Client::connect(to)).collect();
    for client in &mut clients {
        client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.head().status, 200);
    }
    child::tell("ready");
    while let Some(line) = child::told() {
        for client in &mut clients {
            expect(client, &format!("id: 1\ndata: {line}\n\n"));
        }
        child::tell("heard");
    }
}

fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).expect("the hard limit is allowed");
}

#[test]
fn a_broadcast_to_thousands_lets_others_in_between() {
    let count: usize = if is_slow() { 10_000 } else { 2000 };
    let limit = getrlimit(Resource::Nofile).maximum;
    if limit.is_some_and(|limit| limit < count as u64 + 500) {
        println!("skipped: {count} clients need more than {limit:?} descriptors");
        return;
    }
    let channel = Channel::new();
    let server = serve(&channel);
    let mut crowd = Process::spawn("child", "listen", &format!("{count} {}", server.local_addr()));
    assert_eq!(crowd.line(), "ready");
    assert_eq!(channel.listeners(), count);
    let stats = server.handle().stats();
    let mut other = Client::connect(server.local_addr());
    let mut longest = Duration::ZERO;
    for round in 0..5 {
        let (turns, sent) = (stats.turns.value(), stats.bytes_out.value());
        channel.send(Event::new(format!("round {round}")).id("1"));
        let event = format!("id: 1\ndata: round {round}\n\n").len() + "xx\r\n\r\n".len();
        let (began, mut asked) = (Instant::now(), 0_u64);
        let mut got = 0;
        while got < (count * event) as u64 {
            assert!(began.elapsed() < PATIENCE, "{got} bytes in {asked} requests");
            let ask = Instant::now();
            other.send("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n");
            let reply = other.reply().expect(200);
            longest = longest.max(ask.elapsed());
            assert_eq!(reply.text(), "Hello, World!");
            asked += 1;
            got = stats.bytes_out.value() - sent;
        }
        let turns = stats.turns.value() - turns;
        println!("{count} listeners: {:?}, {turns} turns, {asked} others", began.elapsed());
        assert!(turns >= count as u64 / 256, "{turns} turns: too much in one");
        crowd.say(&format!("round {round}"));
        assert_eq!(crowd.line(), "heard");
    }
    println!("the longest wait of another: {longest:?}");
}
