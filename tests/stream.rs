//! Content that comes and goes as a stream: back pressure in both directions,
//! clients that never read, and clients that vanish.

mod support;

use onepoll::http::End;
use onepoll::{Config, Server};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use support::child::{self, Process};
use support::{Client, Ending, Fixture, Gate, expect_pattern, is_slow, pattern, until};

const HELLO: &str = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn post(path: &str, fields: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

/// The server in a process of its own, when this is that.
#[test]
fn child() {
    if child::role().is_none() {
        return;
    }
    let (seen, gate) = (Arc::default(), Gate::default());
    let server = Server::bind("127.0.0.1:0").expect("a port");
    let server = server.spawn(move || support::app::app(&seen, &gate)).expect("a server");
    child::tell(&server.local_addr().to_string());
    while child::told().is_some() {}
}

/// Streams that much, by a route that pulls on the loop or on a helper, to a
/// reader that stalls now and then, and says how far memory grew, in KiB.
fn growth(server: &Process, to: std::net::SocketAddr, path: &str, len: usize) -> u64 {
    let stream = |len: usize, mut each: Box<dyn FnMut() + '_>| {
        let mut client = Client::connect_narrow(to);
        client.send(format!("GET {path}/{len} HTTP/1.0\r\n\r\n"));
        let (mut read, mut next) = (0, 0);
        while read < len {
            if read >= next {
                each();
                next += len / 16;
            }
            read += client.skip((len - read).min(1 << 20));
        }
    };
    // What is needed once: buffers, the allocator's pools, threads.
    stream(8 << 20, Box::new(|| ()));
    let before = server.rss_kib();
    let mut most = before;
    let mut client = Client::connect_narrow(to);
    client.send(HELLO).reply().expect(200);
    stream(
        len,
        Box::new(|| {
            // Stalled, until the server has surely filled what it may fill.
            for _ in 0..3 {
                client.send(HELLO).reply().expect(200);
                std::thread::sleep(Duration::from_millis(5));
                most = most.max(server.rss_kib());
            }
        }),
    );
    most = most.max(server.rss_kib());
    most - before
}

#[test]
fn a_long_stream_to_a_slow_reader_does_not_grow_memory() {
    let server = Process::spawn("child", "serve", "");
    let to = server.address();
    let len = if is_slow() { 1 << 30 } else { 64 << 20 };
    for path in ["/zeros", "/blocking"] {
        let grown = growth(&server, to, path, if path == "/zeros" { len } else { len / 4 });
        assert!(grown < 1024, "{path}: {len} bytes grew memory by {grown} KiB");
    }
}

#[test]
fn a_client_that_never_reads_stops_the_source_and_nobody_else() {
    let fixture = Fixture::new();
    for path in ["/stream/1000000000", "/blocking/1000000000", "/sized/1000000000"] {
        let mut stuck = Client::connect_narrow(fixture.addr());
        stuck.send(get(path));
        // The source stands still although there is much left.
        let mut last = u64::MAX;
        until("the source stands still", || {
            std::thread::sleep(Duration::from_millis(30)); // long beside a turn
            let now = fixture.seen.pulled.load(Ordering::Relaxed);
            std::mem::replace(&mut last, now) == now && now > 0
        });
        assert!(last < 32 << 20, "{path}: {last} bytes were pulled for nobody");
        let lent = fixture.stats().buffers.value();
        assert!(lent < 1 << 20, "{path}: {lent} bytes of buffers");
        fixture.client().send(HELLO).reply().expect(200);
        // Reading makes it go on.
        stuck.skip(last as usize + 1000);
        stuck.reset();
        fixture.expect_end(path, End::Cut, 1);
        fixture.seen.pulled.store(0, Ordering::Relaxed);
    }
    assert_eq!(fixture.seen.sources_dropped.load(Ordering::Relaxed), 3);
    fixture.expect_open(0);
}

#[test]
fn streams_to_many_readers_are_whole_with_few_helpers() {
    let fixture = Fixture::with(Config { helpers_max: 2, ..Config::default() });
    let mut clients: Vec<Client> =
        (0..20).map(|_| Client::connect_narrow(fixture.addr())).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        client.send(get(["/blocking/500000", "/stream/500000", "/file/500000"][n % 3]));
    }
    for client in &mut clients {
        expect_pattern(&client.reply().expect(200).body, 500_000);
    }
}

#[test]
fn a_source_that_waits_goes_on_when_it_is_woken() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.send(get("/sleeper")).send(HELLO);
    client.head();
    // The line end that belongs to a chunk may come with the next one.
    assert_eq!(client.take(b"6\r\nfirst\n".len()), b"6\r\nfirst\n");
    fixture.gate.expect_entered(1);
    fixture.gate.open();
    let rest = b"\r\n5\r\nlast\n\r\n0\r\n\r\n";
    assert_eq!(client.take(rest.len()), rest);
    client.reply().expect(200);
}

#[test]
fn a_source_that_names_a_time_is_pulled_then() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    let begun = std::time::Instant::now();
    client.send(get("/ticks/20")).head();
    let ticks = b"5\r\ntick\n\r\n".repeat(9);
    assert_eq!(client.take(ticks.len()), ticks);
    assert!(begun.elapsed() >= Duration::from_millis(8 * 20 - 10), "{:?}", begun.elapsed());
}

#[test]
fn a_file_that_is_shorter_than_was_said_is_cut() {
    let fixture = Fixture::new();
    for len in [0, 100, 1_000_000] {
        let path = format!("/short-file/{len}");
        let mut client = fixture.client();
        client.send(get(&path)).send(HELLO);
        let (_, part) = client.try_reply_to("GET").expect_err("it can't be whole");
        assert!(part.len() <= len);
        fixture.expect_end(&path, End::Cut, 1);
    }
}

/// What a client that vanishes leaves under way.
#[test]
fn a_client_that_vanishes_is_noticed_whatever_is_under_way() {
    let fixture = Fixture::new();
    let cases = [
        ("/after/600000", End::Abandoned),
        ("/ticks/600000", End::Cut),
        ("/sleeper", End::Cut),
        ("/stream/1000000000", End::Cut),
        ("/blocking/1000000000", End::Cut),
        ("/large", End::Cut),
        ("/file/60000000", End::Cut),
    ];
    for (n, (path, end)) in cases.into_iter().enumerate() {
        let mut client = Client::connect_narrow(fixture.addr());
        client.send(get(path));
        until("the request", || fixture.stats().requests.value() == 1 + n as u64);
        if end == End::Cut {
            client.skip(10);
        }
        client.reset();
        fixture.expect_end(path, end, 1);
        fixture.expect_open(0);
    }
    assert_eq!(fixture.seen.sources_dropped.load(Ordering::Relaxed), 4);
    // Uploads: the sink is dropped and never finished.
    for (n, path) in ["/echo", "/inline", "/blocking"].into_iter().enumerate() {
        let mut client = fixture.client();
        client.send(post(path, "Content-Length: 1000000\r\n")).send([0; 10_000]);
        until("the request", || fixture.stats().requests.value() == 8 + n as u64);
        client.reset();
        fixture.expect_end(path, End::Abandoned, 1);
        fixture.expect_open(0);
    }
    until("sinks", || fixture.seen.sinks_dropped.load(Ordering::Relaxed) == 2);
    assert_eq!(fixture.seen.sinks_finished.load(Ordering::Relaxed), 0);
}

#[test]
fn a_client_that_vanishes_while_its_request_is_offloaded_is_noticed() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.send(get("/gate"));
    fixture.gate.expect_entered(1);
    client.reset();
    // Noticed while the job is still running: its slot is free again.
    fixture.expect_open(0);
    let mut next = fixture.client();
    next.send(get("/after/300"));
    fixture.gate.open();
    fixture.expect_end("/gate", End::Abandoned, 1);
    assert_eq!(fixture.stats().strays.value(), 1);
    assert_eq!(next.reply().expect(200).text(), "after 300");
    // With a sink: its chunk is away while the client goes.
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.send(post("/gated", "Content-Length: 1000000\r\n")).send(vec![0; 200_000]);
    fixture.gate.expect_entered(1);
    client.reset();
    fixture.expect_open(0);
    fixture.gate.open();
    until("the sink is dropped", || fixture.seen.sinks_dropped.load(Ordering::Relaxed) == 1);
    assert_eq!(fixture.seen.sinks_finished.load(Ordering::Relaxed), 0);
}

#[test]
fn a_client_that_closes_ends_an_endless_stream() {
    let fixture = Fixture::new();
    for path in ["/ticks/20", "/ticks/600000"] {
        let mut client = fixture.client();
        client.send(get(path));
        client.skip(10);
        drop(client);
        fixture.expect_end(path, End::Cut, 1);
        fixture.expect_open(0);
    }
    // Its job goes on for whoever only half-closed; the answer finds out.
    let mut client = fixture.client();
    client.send(get("/gate"));
    fixture.gate.expect_entered(1);
    drop(client);
    fixture.gate.open();
    fixture.expect_open(0);
}

#[test]
fn a_client_that_has_half_closed_gets_the_rest_of_what_has_an_end() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.send(get("/sleeper"));
    client.head();
    client.half_close();
    assert_eq!(client.take(11), b"6\r\nfirst\n\r\n");
    assert!(client.is_silent());
    fixture.gate.open();
    assert_eq!(client.rest(), (b"5\r\nlast\n\r\n0\r\n\r\n".to_vec(), Ending::Eof));
    fixture.expect_end("/sleeper", End::Sent, 1);
}

#[test]
fn uploads_reach_their_sinks_whole() {
    let fixture = Fixture::new();
    for path in ["/inline", "/blocking"] {
        for len in [0, 1, 1000, 65_535, 65_536, 65_537, 131_072, 1_000_000] {
            let body = pattern(len);
            let mut client = fixture.client();
            client.send(post(path, &format!("Content-Length: {len}\r\n"))).send(&body);
            client.send(HELLO);
            assert_eq!(client.reply().expect(200).text(), format!("{len} true"));
            client.reply().expect(200);
            client.send(post(path, "Transfer-Encoding: chunked\r\n"));
            for piece in body.chunks(7001) {
                client.send(format!("{:X};x=y\r\n", piece.len())).send(piece).send("\r\n");
            }
            client.send("0\r\nT: 1\r\n\r\n");
            assert_eq!(client.reply().expect(200).text(), format!("{len} true"));
        }
    }
}

#[test]
fn a_large_upload_waits_for_100_and_is_taken_whole() {
    let fixture = Fixture::new();
    let len = if is_slow() { 512 << 20 } else { 32 << 20 };
    let body = pattern(251 * 4096); // whole periods: pieces follow each other
    for path in ["/inline", "/blocking"] {
        let mut client = fixture.client();
        let fields = format!("Expect: 100-continue\r\nContent-Length: {len}\r\n");
        client.send(post(path, &fields));
        client.reply().expect(100);
        let mut left = len;
        while left > 0 {
            let piece = left.min(body.len());
            client.send(&body[..piece]);
            left -= piece;
        }
        assert_eq!(client.reply().expect(200).text(), format!("{len} true"));
        client.send(HELLO).reply().expect(200);
    }
    assert!(fixture.stats().buffers.value() < 1 << 20);
}

#[test]
fn a_slow_sink_stops_the_reading_and_bounds_memory() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.stream().set_write_timeout(Some(Duration::from_millis(300))).expect("an option");
    client.send(post("/gated", "Content-Length: 50000000\r\n"));
    let mut sent = 0;
    let (piece, mut stuck) = (pattern(251 * 100), false);
    while !stuck && sent < 50_000_000 {
        match std::io::Write::write(&mut client.stream(), &piece[sent % 251..]) {
            Ok(count) => sent += count,
            Err(_) => stuck = true,
        }
    }
    assert!(stuck, "50 MB were read for a sink that takes nothing");
    let read = fixture.stats().bytes_in.value();
    assert!(read < 1 << 20, "{read} bytes were read for a sink that takes nothing");
    assert!(fixture.stats().buffers.value() < 1 << 20);
    fixture.client().send(HELLO).reply().expect(200);
    fixture.gate.open();
    while sent < 50_000_000 {
        let end = piece.len().min(sent % 251 + 50_000_000 - sent);
        sent += std::io::Write::write(&mut client.stream(), &piece[sent % 251..end])
            .expect("the server reads again");
    }
    assert_eq!(client.reply().expect(200).text(), "50000000 true");
}

#[test]
fn slow_uploads_hold_no_helper() {
    let fixture = Fixture::with(Config { helpers_max: 1, ..Config::default() });
    let mut slow: Vec<Client> = (0..5).map(|_| fixture.client()).collect();
    for client in &mut slow {
        client.send(post("/blocking", "Content-Length: 100000\r\n")).send(pattern(70_000));
    }
    until("their heads", || fixture.stats().requests.value() == 5);
    let mut client = fixture.client();
    assert_eq!(client.send(get("/job/1")).reply().expect(200).text(), "job 1");
    let rest = pattern(100_000).split_off(70_000);
    for client in &mut slow {
        client.send(&rest);
        assert_eq!(client.reply().expect(200).text(), "100000 true");
    }
}

#[test]
fn a_sink_that_fails_is_500_or_507_and_the_end() {
    let fixture = Fixture::new();
    for (path, status) in [("/full-disk", 507), ("/broken-disk", 500)] {
        let mut client = fixture.client();
        client.send(post(path, "Content-Length: 10000000\r\n"));
        for _ in 0..10 {
            client.try_send([0; 20_000]).ok();
        }
        let reply = client.reply().expect(status);
        assert!(reply.closes());
    }
    until("sinks", || fixture.seen.sinks_dropped.load(Ordering::Relaxed) == 2);
    assert_eq!(fixture.seen.sinks_finished.load(Ordering::Relaxed), 0);
}

#[test]
fn a_full_queue_of_helpers_is_503_and_the_connection_ends() {
    let config = Config { helpers_max: 1, helper_queue: 2, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut held = fixture.client();
    held.send(get("/gate"));
    fixture.gate.expect_entered(1);
    let mut queued: Vec<Client> = (0..2).map(|_| fixture.client()).collect();
    for (n, client) in queued.iter_mut().enumerate() {
        client.send(get("/job/1"));
        until("in the queue", || fixture.stats().requests.value() == 2 + n as u64);
    }
    let mut refused = fixture.client();
    refused.send(get("/job/1"));
    refused.last_reply().expect(503);
    assert_eq!(fixture.stats().jobs_refused.value(), 1);
    // Content still finds its helper's lane, and the loop goes on.
    fixture.client().send(HELLO).reply().expect(200);
    fixture.gate.open();
    assert_eq!(held.reply().expect(200).text(), "through the gate");
    for client in &mut queued {
        assert_eq!(client.reply().expect(200).text(), "job 1");
    }
}

#[test]
fn a_firehose_does_not_starve_the_others() {
    let config = Config { requests_per_connection: u32::MAX, ..Config::default() };
    let fixture = Fixture::with(config);
    let to = fixture.addr();
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let firehoses: Vec<_> = (0..2)
        .map(|n| {
            let done = Arc::clone(&done);
            std::thread::spawn(move || {
                let mut client = Client::connect(to);
                let requests = get(["/hello", "/bytes/100000"][n]).repeat(100);
                while !done.load(Ordering::Relaxed) {
                    client.send(&requests);
                    for _ in 0..100 {
                        client.reply().expect(200);
                    }
                }
            })
        })
        .collect();
    let mut client = fixture.client();
    for _ in 0..100 {
        client.send(HELLO).reply().expect(200);
        client.send(get("/after/1")).reply().expect(200);
    }
    done.store(true, Ordering::Relaxed);
    for thread in firehoses {
        thread.join().expect("a served firehose");
    }
    assert_eq!(client.half_close().rest(), (Vec::new(), Ending::Eof));
}
