//! Deadlines: what happens when nothing happens, in which order, and what does
//! not count as something.
//!
//! Times are asserted from below (nothing may come too early) and, from above,
//! only by the patience of the tests.

mod support;

use onepoll::Config;
use onepoll::http::End;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use support::{Client, Ending, Fixture, expect_pattern, until};

const HELLO: &str = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
/// The time under test.
const SHORT: Duration = Duration::from_millis(300);
/// The wheel and the clock are read in steps; a deadline may be early by one.
const STEP: Duration = Duration::from_millis(20);

fn post(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
}

#[track_caller]
fn expect_timeouts(fixture: &Fixture, count: u64) {
    until("the deadline is counted", || fixture.stats().timeouts.value() == count);
}

#[test]
fn a_head_that_does_not_end_is_408_after_its_time() {
    let fixture = Fixture::with(Config { head_timeout: SHORT, ..Config::default() });
    for part in ["G", "GET /hello HTTP/1.1\r\n", "GET /hello HTTP/1.1\r\nHost: a\r\n"] {
        let mut client = fixture.client();
        let begun = Instant::now();
        client.send(part);
        client.last_reply().expect(408);
        assert!(begun.elapsed() + STEP >= SHORT, "{:?}", begun.elapsed());
    }
    expect_timeouts(&fixture, 3);
}

#[test]
fn a_head_behind_others_in_one_segment_has_its_time_as_well() {
    let fixture = Fixture::with(Config { head_timeout: SHORT, ..Config::default() });
    let mut client = fixture.client();
    client.send(format!("{HELLO}{HELLO}GET /hel"));
    client.reply().expect(200);
    client.reply().expect(200);
    client.last_reply().expect(408);
}

#[test]
fn a_connection_that_never_begins_is_closed_without_a_word() {
    let config = Config { first_timeout: SHORT, ..Config::default() };
    let fixture = Fixture::with(config);
    let begun = Instant::now();
    let mut client = fixture.client();
    client.expect_closed();
    assert!(begun.elapsed() + STEP >= SHORT, "{:?}", begun.elapsed());
    expect_timeouts(&fixture, 1);
    drop(client);
    fixture.expect_open(0);
}

#[test]
fn an_idle_connection_is_closed_without_a_word_and_each_request_renews_it() {
    let config = Config { idle_timeout: SHORT, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = fixture.client();
    let mut last = Instant::now();
    for _ in 0..8 {
        client.send(HELLO).reply().expect(200);
        last = Instant::now();
        std::thread::sleep(SHORT / 5); // together longer than the time under test
    }
    client.expect_closed();
    assert!(last.elapsed() + STEP >= SHORT, "{:?}", last.elapsed());
    expect_timeouts(&fixture, 1);
}

#[test]
fn the_first_deadline_is_not_the_idle_one() {
    let config = Config { idle_timeout: SHORT, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut fresh = fixture.client();
    let mut used = fixture.client();
    used.send(HELLO).reply().expect(200);
    used.expect_closed();
    fresh.send(HELLO).reply().expect(200);
}

#[test]
fn content_that_stops_is_408_wherever_it_goes() {
    let config = Config { body_timeout: SHORT, ..Config::default() };
    let fixture = Fixture::with(config);
    let paths = ["/echo", "/inline", "/blocking"];
    for path in paths {
        let mut client = fixture.client();
        client.send(post(path, 100_000));
        let begun = Instant::now();
        client.send("part");
        client.last_reply().expect(408);
        assert!(begun.elapsed() + STEP >= SHORT, "{:?}", begun.elapsed());
    }
    // Nothing was taken for complete, and nothing was left behind.
    until("sinks dropped", || fixture.seen.sinks_dropped.load(Ordering::Relaxed) == 2);
    assert_eq!(fixture.seen.sinks_finished.load(Ordering::Relaxed), 0);
    expect_timeouts(&fixture, 3);
}

#[test]
fn content_below_the_least_rate_is_408_though_it_never_stops() {
    let config = Config { body_timeout: SHORT, body_rate: 10_000, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = fixture.client();
    client.send(post("/echo", 1_000_000));
    let mut sent = 0;
    while client.is_silent() {
        assert!(sent < 1000, "a trickle keeps a connection for ever");
        client.try_send("x").ok();
        std::thread::sleep(Duration::from_millis(20)); // the pace of the attack
        sent += 1;
    }
    client.last_reply().expect(408);
}

#[test]
fn content_above_the_least_rate_may_take_longer_than_the_time() {
    let config = Config { body_timeout: SHORT, body_rate: 10, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = fixture.client();
    client.send(post("/echo", 30 * 100));
    let begun = Instant::now();
    for _ in 0..30 {
        std::thread::sleep(SHORT / 10);
        client.send([b'x'; 100]);
    }
    assert_eq!(client.reply().expect(200).body.len(), 3000);
    assert!(begun.elapsed() > SHORT * 2, "this test was too fast to show anything");
    assert_eq!(fixture.stats().timeouts.value(), 0);
}

#[test]
fn unwanted_content_that_stops_ends_the_connection_after_the_answer() {
    let config = Config { body_timeout: SHORT, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = fixture.client();
    client.send(post("/early", 1000));
    assert_eq!(client.reply().expect(200).text(), "early");
    client.expect_closed();
}

#[test]
fn a_client_that_waits_for_100_and_then_says_nothing_is_408() {
    let config = Config { body_timeout: SHORT, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = fixture.client();
    client.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    );
    client.reply().expect(100);
    client.last_reply().expect(408);
}

#[test]
fn a_client_that_does_not_read_is_cut() {
    let config = Config { write_timeout: SHORT, ..Config::default() };
    let fixture = Fixture::with(config);
    for path in ["/large", "/stream/100000000", "/blocking/100000000", "/file/30000000"] {
        let mut client = Client::connect_narrow(fixture.addr());
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        fixture.expect_end(path, End::Cut, 1);
        fixture.expect_open(0);
        let (rest, _) = client.rest();
        assert!(rest.len() < 30_000_000, "it was cut, so it is not whole");
    }
    assert_eq!(fixture.seen.sources_dropped.load(Ordering::Relaxed), 2);
    expect_timeouts(&fixture, 4);
}

#[test]
fn a_client_that_reads_below_the_least_rate_is_cut_though_it_never_stops() {
    let config = Config { write_timeout: SHORT, write_rate: 50_000_000, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = Client::connect_narrow(fixture.addr());
    client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut read = 0;
    while fixture.seen.ended("/large", End::Cut) == 0 {
        assert!(read < 10_000_000, "a slow reader is served for ever");
        read += client.skip(1000);
        std::thread::sleep(Duration::from_millis(5)); // the pace of the attack
    }
    fixture.expect_open(0);
}

#[test]
fn a_slow_but_steady_reader_is_not_cut() {
    let config = Config { write_timeout: SHORT, write_rate: 1000, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = Client::connect_narrow(fixture.addr());
    client.send("GET /bytes/6000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.head();
    assert_eq!(head.status, 200);
    let begun = Instant::now();
    let mut body = Vec::new();
    while body.len() < 6_000_000 {
        body.extend(client.take(100_000));
        std::thread::sleep(Duration::from_millis(20));
    }
    expect_pattern(&body, 6_000_000);
    assert!(begun.elapsed() > SHORT * 2, "this test was too fast to show anything");
    assert_eq!(fixture.stats().timeouts.value(), 0);
}

/// Reads a long answer in more than the time under test.
fn read_slowly(client: &mut Client, len: usize) {
    let begun = Instant::now();
    assert_eq!(client.head().status, 200);
    for _ in 0..30 {
        client.take(len / 30);
        std::thread::sleep(SHORT / 10);
    }
    assert!(begun.elapsed() > SHORT * 2, "this test was too fast to show anything");
}

#[test]
fn the_idle_time_begins_when_the_last_byte_is_taken() {
    let config = Config { idle_timeout: SHORT * 2, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = Client::connect_narrow(fixture.addr());
    client.send("GET /bytes/9000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    read_slowly(&mut client, 9_000_000);
    std::thread::sleep(SHORT / 2); // less than the time, and more than a step of the wheel
    client.send(HELLO).reply().expect(200);
    client.expect_closed();
}

#[test]
fn the_time_for_a_head_begins_when_it_can_be_read() {
    let config = Config { head_timeout: SHORT, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = Client::connect_narrow(fixture.addr());
    client.send(format!("GET /bytes/9000000 HTTP/1.1\r\nHost: a\r\n\r\n{}", &HELLO[..7]));
    read_slowly(&mut client, 9_000_000);
    client.send(&HELLO[7..]).reply().expect(200);
    client.send("GET");
    client.last_reply().expect(408);
}

#[test]
fn an_unread_answer_stops_the_next_requests_and_its_deadline_counts() {
    let config = Config { write_timeout: SHORT, head_timeout: SHORT, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = Client::connect_narrow(fixture.addr());
    client.send(format!("GET /large HTTP/1.1\r\nHost: a\r\n\r\n{HELLO}GET /hel"));
    fixture.expect_end("/large", End::Cut, 1);
    fixture.expect_open(0);
}

#[test]
fn a_lingering_connection_ends_after_its_time_though_the_client_stays() {
    let config = Config { linger_timeout: SHORT, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = fixture.client();
    client.send("BROKEN\r\n\r\n");
    let begun = Instant::now();
    client.last_reply().expect(400);
    // We have seen the server's end, and keep ours open: it still lingers.
    fixture.expect_open(0);
    assert!(begun.elapsed() + STEP >= SHORT, "{:?}", begun.elapsed());
    // From then on nobody is there.
    until("a reset", || client.try_send("x").is_err());
}

#[test]
fn a_lingering_connection_reads_so_much_and_no_more() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.send("BROKEN\r\n\r\n");
    client.last_reply().expect(400);
    let begun = Instant::now();
    let mut sent = 0;
    while client.try_send([0; 4096]).is_ok() {
        sent += 4096;
        assert!(sent < 64 << 20, "a lingering connection reads for ever");
    }
    fixture.expect_open(0);
    // The default linger is 2 s; that a bound on bytes struck is seen by time.
    assert!(begun.elapsed() < Duration::from_secs(2) || sent < 1 << 20);
}

#[test]
fn work_that_takes_too_long_is_503_and_its_result_reaches_nobody() {
    let config = Config { work_timeout: Some(SHORT), ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = fixture.client();
    let begun = Instant::now();
    client.send("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n").send(HELLO);
    client.last_reply().expect(503);
    assert!(begun.elapsed() + STEP >= SHORT, "{:?}", begun.elapsed());
    expect_timeouts(&fixture, 1);
    // The slot may be used again by now: the late result must not go there.
    let mut other = fixture.client();
    fixture.gate.expect_entered(1);
    fixture.gate.open();
    until("the result came home", || fixture.stats().strays.value() == 1);
    other.send(HELLO);
    assert_eq!(other.reply().text(), "Hello, World!");
    assert!(other.is_silent());
}

#[test]
fn a_pull_that_takes_longer_than_work_may_is_cut() {
    let config = Config { work_timeout: Some(SHORT), ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = fixture.client();
    client.send("GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n");
    fixture.gate.expect_entered(1);
    fixture.expect_end("/stuck", End::Cut, 1);
    expect_timeouts(&fixture, 1);
    let (rest, _) = client.rest();
    assert!(rest.ends_with(b"line\n\r\n"), "{}", String::from_utf8_lossy(&rest));
    fixture.gate.open(); // its result reaches nobody
    fixture.client().send(HELLO).reply().expect(200);
    // What takes its time, and says so, is not cut.
    let mut client = fixture.client();
    client.send("GET /ticks/400 HTTP/1.1\r\nHost: a\r\n\r\n").head();
    for _ in 0..3 {
        client.skip(10);
    }
}

#[test]
fn a_sleep_longer_than_the_work_may_take_is_503() {
    let config = Config { work_timeout: Some(SHORT), ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = fixture.client();
    client.send("GET /after/60000 HTTP/1.1\r\nHost: a\r\n\r\n");
    client.last_reply().expect(503);
    let mut client = fixture.client();
    client.send("GET /after/10 HTTP/1.1\r\nHost: a\r\n\r\n");
    client.reply().expect(200);
}

#[test]
fn without_a_limit_work_may_take_longer_than_every_other_deadline() {
    let config = Config {
        head_timeout: SHORT,
        first_timeout: SHORT,
        idle_timeout: SHORT,
        body_timeout: SHORT,
        write_timeout: SHORT,
        linger_timeout: SHORT,
        ..Config::default()
    };
    let fixture = Fixture::with(config);
    let mut asleep = fixture.client();
    let mut away = fixture.client();
    asleep.send("GET /after/900 HTTP/1.1\r\nHost: a\r\n\r\n");
    away.send("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(asleep.reply().expect(200).text(), "after 900");
    fixture.gate.open();
    assert_eq!(away.reply().expect(200).text(), "through the gate");
    // Behind it the ordinary deadlines are back.
    asleep.expect_closed();
    away.expect_closed();
}

#[test]
fn sleeps_end_in_the_order_of_their_times_and_not_early() {
    let fixture = Fixture::new();
    let begun = Instant::now();
    let times = [240, 40, 160, 80, 0, 1, 120, 200];
    let mut clients: Vec<(u64, Client)> = times.map(|ms| (ms, fixture.client())).into();
    for (ms, client) in &mut clients {
        client.send(format!("GET /after/{ms} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    clients.sort_by_key(|(ms, _)| *ms);
    for (ms, client) in &mut clients {
        assert_eq!(client.reply().text(), format!("after {ms}"));
        let passed = begun.elapsed() + Duration::from_millis(1);
        assert!(passed >= Duration::from_millis(*ms), "{ms} ms were {passed:?}");
    }
    // A reply is read before the loop has told the hooks of its end.
    let all = times.len();
    until("all have ended", || fixture.seen.ends.lock().unwrap().len() == all);
    let ends = fixture.seen.ends.lock().unwrap();
    let order: Vec<&str> = ends.iter().map(|(path, _)| path.as_str()).collect();
    // The clients asked within milliseconds of each other; the times lie 40 apart.
    let expected =
        ["/after/40", "/after/80", "/after/120", "/after/160", "/after/200", "/after/240"];
    let longer: Vec<&str> = order.into_iter().filter(|path| expected.contains(path)).collect();
    assert_eq!(longer, expected);
}

#[test]
fn a_deadline_ends_in_order_and_not_with_a_reset() {
    let config = Config { idle_timeout: SHORT, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = fixture.client();
    client.send(HELLO).reply().expect(200);
    assert_eq!(client.rest(), (Vec::new(), Ending::Eof));
    // A request that crossed the end on its way: no reset, while it lingers.
    client.try_send(HELLO).ok();
    assert_eq!(client.rest(), (Vec::new(), Ending::Eof));
}
