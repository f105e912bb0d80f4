//! The load generator, held against servers of known behaviour.
#![cfg(feature = "bench")]

#[path = "bench/servers.rs"]
mod servers;
mod support;

use onepoll::bench::{Arrivals, ErrorKind, Plan, Report, Stop, compare, run, run_with};
use onepoll::http::Body;
use onepoll::{App, Error, Request, Response, Server, after};
use servers::{Act, ok, serve, serve_unix};
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use support::until;

const SECOND: Duration = Duration::from_secs(1);
/// Far from what is quick, and from a second, also on a busy machine.
const HALF: Duration = Duration::from_millis(500);

fn plan(address: SocketAddr, target: &str) -> Plan {
    Plan::new(&format!("http://{address}{target}")).expect("a URL")
}

#[track_caller]
fn report(plan: &Plan) -> Report {
    run(plan).unwrap_or_else(|error| panic!("{error}"))
}

/// An ordinary server, and how many requests its handlers have seen.
fn onepoll() -> (onepoll::Background, Arc<AtomicU64>) {
    let seen = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&seen);
    let server = Server::bind("127.0.0.1:0").expect("a port");
    let server = server.spawn(move || {
        let mut app = App::new();
        app.before(move |_: &mut Request| {
            count.fetch_add(1, Ordering::Relaxed);
            onepoll::app::Flow::Go
        });
        app.get("/hello", |_: &mut Request| "Hello, World!\n");
        app.get("/delay/{ms}", |request: &mut Request| {
            let ms: u64 = request.param("ms")?;
            Ok::<_, onepoll::Reject>(after(Duration::from_millis(ms), || "there you are\n"))
        });
        app.post("/echo", |request: &mut Request| {
            Response::default().body(Body::Owned(request.take_body()))
        });
        app
    });
    (server.expect("a thread"), seen)
}

#[test]
fn every_request_is_counted_once() {
    let (server, seen) = onepoll();
    let report = report(&plan(server.local_addr(), "/hello").requests(5003).connections(20));
    assert_eq!((report.ok, report.error_count(), report.unfinished), (5003, 0, 0));
    assert_eq!(seen.load(Ordering::Relaxed), 5003);
    assert_eq!(server.handle().stats().requests.value(), 5003);
    assert_eq!(report.statuses, [(200, 5003)]);
    assert_eq!((report.response.count(), report.service.count()), (5003, 5003));
    assert_eq!(report.connect.count(), 20);
    assert_eq!(report.connections_open, 20);
    assert_eq!(report.intervals.iter().map(|it| it.ok).sum::<u64>(), 5003);
    assert!(report.received_bytes > 5003 * 14 && report.sent_bytes > 5003 * 20);
}

/// What is under way at the end is waited for.
#[test]
fn a_time_counts_what_the_server_counts() {
    let (server, seen) = onepoll();
    let plans = [
        plan(server.local_addr(), "/hello").threads(2),
        plan(server.local_addr(), "/hello").pipeline(8),
        plan(server.local_addr(), "/delay/30"),
        plan(server.local_addr(), "/hello").connect_each().connections(8),
        plan(server.local_addr(), "/hello").rate(3000.0, Arrivals::Poisson),
    ];
    for plan in plans {
        let before = seen.load(Ordering::Relaxed);
        let plan = plan.duration(Duration::from_millis(300)).warm(Duration::ZERO);
        let report = report(&plan);
        assert_eq!(report.error_count(), 0, "{plan:?}\n{report}");
        assert_eq!(seen.load(Ordering::Relaxed) - before, report.ok, "{plan:?}\n{report}");
        assert!(report.ok > 0);
    }
}

#[test]
fn the_warm_up_is_left_out() {
    let (server, seen) = onepoll();
    let plan = plan(server.local_addr(), "/delay/1").warm(Duration::from_millis(100));
    let report = report(&plan.requests(100).connections(4));
    assert_eq!(report.ok, 100);
    assert!(seen.load(Ordering::Relaxed) > 100);
}

#[test]
fn a_latency_is_at_least_the_delay() {
    let (server, _) = onepoll();
    let delay = Duration::from_millis(40);
    let plan = plan(server.local_addr(), "/delay/40").requests(40).connections(10);
    for plan in [plan.clone(), plan.rate(200.0, Arrivals::Uniform)] {
        let report = report(&plan);
        assert_eq!(report.ok, 40);
        // The histogram's least value is rounded down by 0.1 % at most.
        for latency in [&report.response, &report.service] {
            assert!(latency.min() * 1001 / 1000 >= delay, "{report}");
        }
    }
}

/// A server in which everything stands still for a second, once, at the request
/// with that number.
fn stalls_at(number: u64) -> SocketAddr {
    let count = Mutex::new(0u64);
    serve(move |_| {
        let mut count = count.lock().unwrap();
        *count += 1;
        if *count == number {
            thread::sleep(SECOND); // with the lock held: all others wait
        }
        drop(count);
        Act::Reply(ok("x"))
    })
}

/// In a closed loop nobody asks while the server stalls: two slow requests of
/// thousands. In an open loop all that should have started meanwhile are late.
#[test]
fn a_stall_shows_in_an_open_loop_only() {
    let shown = SECOND * 9 / 10;
    let closed = report(&plan(stalls_at(1000), "/").requests(4000).connections(2));
    assert_eq!((closed.ok, closed.error_count()), (4000, 0));
    assert!(closed.response.max() >= shown, "{closed}");
    assert!(closed.response.percentile(99.9) < HALF, "{closed}");
    let open = plan(stalls_at(1000), "/").requests(4000).connections(2);
    let open = report(&open.rate(1500.0, Arrivals::Uniform));
    assert_eq!((open.ok, open.error_count()), (4000, 0));
    assert!(open.response.percentile(99.9) >= shown, "{open}");
    // The omission is visible in one report, too.
    assert!(open.service.percentile(99.9) < HALF, "{open}");
}

#[test]
fn what_is_wrong_is_an_error_of_its_kind() {
    use ErrorKind::{Body, Closed, Malformed, Reset, Short, Status, Timeout};
    type Case = (&'static str, fn() -> Act, ErrorKind);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let table: [Case; 14] = [
        ("another content", || Act::Reply(ok("wrong")), Body),
        ("less content", || Act::Reply(ok("righ")), Body),
        ("more content", || Act::Reply(ok("right!")), Body),
        ("no content", || Act::Reply(ok("")), Body),
        (
            "404",
            || Act::Reply(b"HTTP/1.1 404 N\r\nContent-Length: 5\r\n\r\nright".to_vec()),
            Status,
        ),
        ("500", || Act::Last(b"HTTP/1.1 500 I\r\n\r\nright".to_vec()), Status),
        (
            "cut content",
            || Act::Last(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nrig".to_vec()),
            Short,
        ),
        ("cut head", || Act::Last(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()), Short),
        (
            "cut chunks",
            || {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                Act::Last(format!("{head}5\r\nright\r\n").into_bytes())
            },
            Short,
        ),
        ("no reply", || Act::Last(Vec::new()), Closed),
        ("a reset", || Act::Reset, Reset),
        ("no HTTP", || Act::Reply(b"220 mail.example ESMTP\r\n\r\n".to_vec()), Malformed),
        (
            "two lengths",
            || {
                let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n";
                Act::Reply(format!("{head}right").into_bytes())
            },
            Malformed,
        ),
        ("silence", || Act::Silence, Timeout),
    ];
    for (name, act, kind) in table {
        let plan = plan(serve(move |_| act()), "/").requests(7).connections(2);
        let plan = plan.expect_body("right").timeout(Duration::from_millis(200));
        let report = report(&plan);
        assert_eq!((report.ok, report.errors.as_slice()), (0, &[(kind, 7)][..]), "{name}");
        assert_eq!(report.response.count(), 0, "{name}");
    }
    // And what is right is none, however it is sent.
    let whole =
        move |_: &str| Act::Reply(format!("{chunked}2\r\nri\r\n3\r\nght\r\n0\r\n\r\n").into());
    let by_end = |_: &str| Act::Last(b"HTTP/1.1 200 OK\r\n\r\nright".to_vec());
    let interim = |_: &str| Act::Reply([b"HTTP/1.1 100 C\r\n\r\n".to_vec(), ok("right")].concat());
    for address in [serve(whole), serve(by_end), serve(interim)] {
        let report = report(&plan(address, "/").requests(7).expect_body("right").expect_length(5));
        assert_eq!((report.ok, report.error_count()), (7, 0), "{report}");
    }
}

#[test]
fn bytes_that_nobody_asked_for_are_an_error() {
    let twice = |_: &str| Act::Reply([ok("x"), ok("x")].concat());
    let report = report(&plan(serve(twice), "/").requests(5).connections(1));
    // Whether they come with the reply or after the next request has begun is chance.
    assert!(report.ok <= 5 && report.errors_of(ErrorKind::Malformed) > 0, "{report}");
}

#[test]
fn who_refuses_is_told_at_once() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = run(&plan(address, "/")).unwrap_err();
    assert!(matches!(error, Error::Connect { .. }));
    assert_eq!(error.to_string(), format!("cannot connect to {address}: connection refused"));
    let error = run(&Plan::new("unix:/no/such/socket:/").unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot connect to unix:/no/such/socket: there is no such address"
    );
}

/// A server that goes away: what was asked is counted, all of it.
#[test]
fn a_server_that_dies_ends_the_count_all_the_same() {
    for open in [false, true] {
        let (address, server) = dies_at_the_fourth();
        let mut plan = plan(address, "/").requests(8).connections(1);
        if open {
            plan = plan.rate(100.0, Arrivals::Uniform);
        }
        let report = report(&plan);
        server.join().unwrap();
        assert_eq!((report.ok, report.error_count()), (3, 5), "{report}");
        assert_eq!(report.errors_of(ErrorKind::Closed), 1, "{report}");
        assert_eq!(report.errors_of(ErrorKind::Refused), 4, "{report}");
    }
}

/// A server for one client, gone after three replies.
fn dies_at_the_fourth() -> (SocketAddr, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for _ in 0..3 {
            let _ = stream.read(&mut [0; 1024]).unwrap();
            std::io::Write::write_all(&mut stream, &ok("x")).unwrap();
        }
        let _ = stream.read(&mut [0; 1024]).unwrap();
        drop(listener);
    });
    (address, server)
}

/// Replies belong to requests in their order.
#[test]
fn pipelined_requests_keep_their_order() {
    let order = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&order);
    let address = serve(move |head| {
        let path = head.split(' ').nth(1).unwrap();
        seen.lock().unwrap().push_str(&path[1..2]);
        let status = if path == "/a" { "200 OK" } else { "404 Not Found" };
        Act::Reply(format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{path}").into())
    });
    let plan = plan(address, "/a*2").and(&format!("http://{address}/b")).unwrap();
    let report = report(&plan.requests(30).connections(1).pipeline(6));
    assert_eq!(*order.lock().unwrap(), "aba".repeat(10));
    assert_eq!(report.statuses, [(200, 20), (404, 10)]);
    assert_eq!((report.ok, report.errors_of(ErrorKind::Status)), (20, 10));
}

/// The server says which reply is the last; the rest is sent again, and is no error.
#[test]
fn requests_behind_an_announced_end_are_sent_again() {
    let count = AtomicU64::new(0);
    let address = serve(move |_| match count.fetch_add(1, Ordering::Relaxed) % 3 {
        2 => {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx";
            Act::Last(head.into())
        }
        _ => Act::Reply(ok("x")),
    });
    let report = report(&plan(address, "/").requests(30).connections(1).pipeline(4));
    assert_eq!((report.ok, report.error_count()), (30, 0), "{report}");
    assert!(report.resent > 0, "{report}");
}

#[test]
fn content_is_sent_and_fields_are_too() {
    let (server, _) = onepoll();
    let content = "x".repeat(300_000);
    let plan = plan(server.local_addr(), "/echo").body(content.clone()).expect_body(content);
    let report = report(&plan.requests(20).connections(3));
    assert_eq!((report.ok, report.error_count()), (20, 0), "{report}");
    let address = serve(|head| {
        let right = head.starts_with("PURGE /x HTTP/1.1\r\n") && head.contains("\r\nA: b\r\n");
        Act::Reply(ok(if right { "y" } else { "n" }))
    });
    let plan = self::plan(address, "/x").method("PURGE").header("A", "b").expect_body("y");
    assert_eq!(self::report(&plan.requests(3)).ok, 3);
    let plan = self::plan(server.local_addr(), "/hello").method("HEAD").requests(9);
    assert_eq!(self::report(&plan).ok, 9);
}

#[test]
fn a_unix_socket_does_as_well() {
    let path = std::env::temp_dir().join(format!("onepoll-bench-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    serve_unix(&path, |head| Act::Reply(ok(head.split(' ').nth(1).unwrap())));
    let plan = Plan::new(&format!("unix:{}:/a?b", path.display())).unwrap();
    let report = report(&plan.requests(50).connections(1).expect_body("/a?b"));
    std::fs::remove_file(&path).unwrap();
    assert_eq!((report.ok, report.error_count()), (50, 0), "{report}");
}

#[test]
fn a_connection_for_each_request() {
    let (server, _) = onepoll();
    let plan = plan(server.local_addr(), "/hello").connect_each();
    let report = report(&plan.requests(200).connections(5));
    assert_eq!((report.ok, report.error_count()), (200, 0), "{report}");
    assert_eq!(report.connect.count(), 200);
    assert!(report.response.percentile(50.0) >= report.service.percentile(50.0), "{report}");
}

#[test]
fn many_connections_in_one_thread() {
    let (server, seen) = onepoll();
    let count = if support::is_slow() { 10_000 } else { 1000 };
    let plan = plan(server.local_addr(), "/hello").connections(count).timeout(support::PATIENCE);
    let report = report(&plan.requests(count as u64 * 3).idle(50));
    assert_eq!((report.ok, report.error_count()), (count as u64 * 3, 0), "{report}");
    assert_eq!((report.connections_open, report.guests.idle_open), (count, 50), "{report}");
    assert_eq!(seen.load(Ordering::Relaxed), count as u64 * 3);
}

/// An open loop whose rate no server of one at a time can meet says so.
#[test]
fn a_rate_that_was_not_met_is_told() {
    let (server, _) = onepoll();
    let plan = plan(server.local_addr(), "/delay/20").connections(1).warm(Duration::ZERO);
    let report = report(&plan.rate(1000.0, Arrivals::Uniform).duration(HALF));
    assert!(report.missed > 0 && report.ok + report.missed == 500, "{report}");
    assert!(report.warnings().iter().any(|line| line.contains("was not met")), "{report}");
    assert!(report.response.max() > report.service.min(), "{report}");
}

/// Guests are there, and the load doesn't suffer from them.
#[test]
fn guests_are_a_burden_of_their_own() {
    let (server, _) = onepoll();
    let plan = plan(server.local_addr(), "/hello").connections(2).duration(SECOND);
    let plan = plan.warm(Duration::ZERO);
    let stop = Stop::default();
    let stats = server.handle().stats();
    let report = run_with(&plan.idle(3).slow_readers(2, 100).slowloris(4), &stop, |progress| {
        if progress.ok > 0 && !stop.is_stopped() {
            until("the guests have come", || stats.open.value() == 11);
            stop.stop();
        }
    });
    let report = report.unwrap();
    let guests = report.guests;
    assert_eq!((guests.idle_open, guests.slow_readers_open, guests.slowloris_open), (3, 2, 4));
    assert!(report.ok > 0 && report.error_count() == 0 && report.stopped, "{report}");
}

#[test]
fn a_run_can_be_ended() {
    let (server, _) = onepoll();
    let stop = Stop::default();
    let plan = plan(server.local_addr(), "/hello").duration(Duration::from_secs(3600));
    let ended = run_with(&plan.warm(Duration::ZERO), &stop, |progress| {
        if progress.ok > 100 {
            stop.stop();
        }
    });
    let report = ended.unwrap();
    assert!(report.ok > 100 && report.stopped && report.elapsed < Duration::from_secs(3600));
}

#[test]
fn plans_that_make_no_sense_are_refused() {
    let plan = || Plan::new("http://127.0.0.1:1/").unwrap();
    let table = [
        (plan().connections(0), "connections must be 1 to 1000000"),
        (plan().threads(51), "threads must be 1 to 256, and at most one for each connection"),
        (plan().pipeline(0), "pipeline must be 1 to 10000"),
        (plan().pipeline(2).connect_each(), "pipeline needs connections that stay"),
        (plan().rate(0.0, Arrivals::Uniform), "rate must be more than 0 and at most 1e9 a second"),
        (
            plan().rate(f64::NAN, Arrivals::Poisson),
            "rate must be more than 0 and at most 1e9 a second",
        ),
        (plan().requests(0), "duration or number of requests must not be 0"),
        (plan().timeout(Duration::ZERO), "timeout must be more than 0 and at most an hour"),
        (plan().method("GE T"), "method \"GE T\" is none"),
        (plan().header("A", "b\r\nC: d"), "header \"A\": \"b\\r\\nC: d\" is no field"),
        (plan().header("Content-Length", "1"), "header Content-Length follows from the body"),
        (plan().pid(u32::MAX), "pid 4294967295: no such process"),
    ];
    for (plan, why) in table {
        let error = run(&plan).unwrap_err();
        assert!(matches!(error, Error::Config { .. }), "{why}");
        assert_eq!(error.to_string(), format!("configuration: {why}"));
    }
    let error = Plan::new("ftp://a").unwrap_err();
    assert!(error.to_string().starts_with("configuration: URL \"ftp://a\": expected http://"));
}

/// Twice the delay is about half the rate: the interval is on one side of 1.
#[test]
fn two_servers_are_compared() {
    let (server, _) = onepoll();
    let plan = |ms: u32| {
        let plan = plan(server.local_addr(), &format!("/delay/{ms}")).connections(4);
        plan.duration(Duration::from_millis(150)).warm(Duration::ZERO)
    };
    let pid = std::process::id();
    let mut told = Vec::new();
    let stop = Stop::default();
    let comparison = compare(&plan(40).pid(pid), &plan(5).pid(pid), 3, &stop, |round| {
        told.push(round);
    });
    let comparison = comparison.unwrap();
    assert_eq!((told, comparison.rounds()), (vec![1, 2, 3], 3));
    let p50 = comparison.ratio("p50").unwrap();
    assert!(p50.low <= p50.ratio && p50.ratio <= p50.high && p50.ratio > 1.0, "{comparison}");
    assert!(comparison.ratio("requests/s").unwrap().ratio < 1.0, "{comparison}");
    let json: serde_json::Value = serde_json::from_str(&comparison.json()).unwrap();
    assert_eq!(json["rounds"], 3);
}
