//! Many clients at once, and more than there is room for.
//!
//! Servers and crowds run in processes of their own (the test binary once more,
//! see `support::child`), so that each has its own descriptors and CPU time.

mod support;

use onepoll::http::Request;
use onepoll::{App, Config, Overload, Reject, Reply, Server, after};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::child::{self, Process};
use support::{Client, Ending, Fixture, Gate, PATIENCE, is_slow, until};

const HELLO: &str = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// A folder to serve, and a file in it.
#[cfg(feature = "files")]
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

/// The other processes, when this is one.
#[test]
fn child() {
    let Some((role, argument)) = child::role() else { return };
    match role.as_str() {
        "serve" => serve(None),
        "serve-bare" => serve_bare(),
        "serve-short" => serve(Some(argument.parse().expect("a number of descriptors"))),
        "idle" => idle_crowd(&argument),
        "sleepers" => sleeping_crowd(&argument),
        other => panic!("no such role: {other}"),
    }
}

/// A server that does what it is told: `stats`, `hog` all but so many
/// descriptors, `release` them.
fn serve(descriptors: Option<u64>) {
    if let Some(limit) = descriptors {
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        setrlimit(Resource::Nofile, limit).expect("a lower limit is always allowed");
    }
    let (seen, gate) = (Arc::default(), Gate::default());
    let server = Server::bind("127.0.0.1:0").expect("a port");
    let server = server.spawn(move || {
        #[cfg_attr(not(feature = "files"), expect(unused_mut))]
        let mut app = support::app::app(&seen, &gate);
        #[cfg(feature = "files")]
        app.get("/files/{*path}", onepoll::files::Files::new(FOLDER).expect("a folder").handler());
        app
    });
    let server = server.expect("a server");
    child::tell(&server.local_addr().to_string());
    let mut hogged = Vec::new();
    while let Some(line) = child::told() {
        match line.split_once(' ') {
            Some(("hog", left)) => {
                let left: usize = left.parse().expect("a number");
                hogged.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
                hogged.truncate(hogged.len() - left);
            }
            _ if line == "release" => hogged.clear(),
            _ if line == "no threads" => {
                // Less than a thread's stack is left to be mapped.
                let statm = std::fs::read_to_string("/proc/self/statm").expect("a statm");
                let pages = statm.split(' ').next().and_then(|n| n.parse::<u64>().ok());
                let most = pages.expect("a count of pages") * 4096 + (1 << 20);
                let limit = Rlimit { current: Some(most), maximum: None };
                setrlimit(Resource::As, limit).expect("a lower limit");
            }
            _ => {}
        }
        let stats = server.handle().stats();
        let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        child::tell(&format!(
            "{} {} {} {} {threads}",
            stats.open.value(),
            stats.requests.value(),
            stats.turns.value(),
            stats.accept_errors.value(),
        ));
    }
}

/// A server whose application keeps nothing of the requests that it answers.
fn serve_bare() {
    let server = Server::bind("127.0.0.1:0").expect("a port").spawn(|| {
        let mut app = App::new();
        app.get("/after/{ms}", |request: &mut Request| -> Result<Reply, Reject> {
            let ms = request.param::<u64>("ms")?;
            Ok(after(Duration::from_millis(ms), move || format!("after {ms}")))
        });
        app
    });
    let server = server.expect("a server");
    child::tell(&server.local_addr().to_string());
    child::told();
}

/// What a server in another process says of itself.
#[derive(Debug)]
struct State {
    open: u64,
    requests: u64,
    turns: u64,
    accept_errors: u64,
    threads: u64,
}

fn state(server: &mut Process, order: &str) -> State {
    server.say(order);
    let line = server.line();
    let numbers: Vec<u64> = line.split(' ').map(|n| n.parse().expect("a number")).collect();
    let [open, requests, turns, accept_errors, threads] = numbers[..] else {
        panic!("not the state of a server: {line}");
    };
    State { open, requests, turns, accept_errors, threads }
}

/// The count and the server's address in a crowd's argument.
fn parse(argument: &str) -> (usize, SocketAddr) {
    let (count, to) = argument.split_once(' ').expect("count and address");
    (count.parse().expect("a count"), to.parse().expect("an address"))
}

/// Many clients that have each made one request, and stay until told to go.
fn idle_crowd(argument: &str) {
    raise_limit();
    let (count, to) = parse(argument);
    let mut clients: Vec<Client> = (0..count).map(|_| Client::connect(to)).collect();
    for client in &mut clients {
        client.send(HELLO);
    }
    for client in &mut clients {
        client.reply().expect(200);
    }
    child::tell("ready");
    assert_eq!(child::told().as_deref(), Some("again"));
    for client in &mut clients {
        client.send(HELLO).reply().expect(200);
    }
    child::tell("served again");
    child::told();
}

/// Many clients whose answers are due at different times.
fn sleeping_crowd(argument: &str) {
    raise_limit();
    let (count, to) = parse(argument);
    // Long enough for all of them to be asleep at once.
    let time = |n: usize| count as u64 + 1000 + (n as u64 * 7919) % 2000;
    let (mut clients, mut asked) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for n in 0..count {
        let mut client = Client::connect(to);
        asked.push(Instant::now());
        client.send(get(&format!("/after/{}", time(n))));
        clients.push(client);
    }
    child::tell("asked");
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|&n| asked[n] + Duration::from_millis(time(n)));
    let mut latest = Duration::ZERO;
    for n in order {
        assert_eq!(clients[n].reply().expect(200).text(), format!("after {}", time(n)));
        let (passed, due) = (asked[n].elapsed(), Duration::from_millis(time(n)));
        assert!(passed >= due, "{passed:?} instead of {due:?}");
        latest = latest.max(passed.saturating_sub(due));
    }
    child::tell(&format!("answered, {latest:?} late at most"));
    child::told();
}

fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).expect("the hard limit is allowed");
}

/// As many as the descriptor limit allows; says so if those are too few.
fn crowd(name: &str, slow: usize) -> Option<usize> {
    let count = if is_slow() { slow } else { 2000 };
    let limit = getrlimit(Resource::Nofile).maximum;
    if limit.is_some_and(|limit| limit < count as u64 + 500) {
        println!("{name} skipped: {count} clients need more than {limit:?} descriptors");
        return None;
    }
    Some(count)
}

#[test]
fn thousands_of_idle_connections_cost_nothing_and_are_served_again() {
    let Some(count) = crowd("idle connections", 10_000) else { return };
    let mut server = Process::spawn("child", "serve", "");
    let to = server.address();
    let mut crowd = Process::spawn("child", "idle", &format!("{count} {to}"));
    assert_eq!(crowd.line(), "ready");
    assert_eq!(state(&mut server, "stats").open, count as u64);
    // Nobody says anything: the loop has nothing to do and does nothing.
    let (before, ticks) = (state(&mut server, "stats"), server.cpu_ticks());
    std::thread::sleep(Duration::from_millis(500)); // the silence under test
    let (after, used) = (state(&mut server, "stats"), server.cpu_ticks() - ticks);
    assert!(after.turns - before.turns <= 20, "{} turns for nothing", after.turns - before.turns);
    assert!(used <= 10, "{used}0 ms of CPU for nothing");
    // Beside them others are served, and they are as well.
    let mut client = Client::connect(to);
    for _ in 0..100 {
        client.send(HELLO).reply().expect(200);
    }
    crowd.say("again");
    assert_eq!(crowd.line(), "served again");
    drop(crowd);
    until("only this client", || state(&mut server, "stats").open == 1);
    client.send(HELLO).reply().expect(200);
    assert_eq!(state(&mut server, "stats").requests, 2 * count as u64 + 101);
}

#[test]
fn thousands_of_requests_sleep_without_a_thread() {
    let Some(count) = crowd("sleeping requests", 19_000) else { return };
    let mut server = Process::spawn("child", "serve", "");
    let to = server.address();
    let before = state(&mut server, "stats").threads;
    let mut crowd = Process::spawn("child", "sleepers", &format!("{count} {to}"));
    assert_eq!(crowd.line(), "asked");
    until("all asleep", || state(&mut server, "stats").requests == count as u64);
    assert_eq!(state(&mut server, "stats").threads, before);
    let line = crowd.line();
    assert!(line.starts_with("answered"), "{line}");
    println!("{count} sleepers {line}");
    crowd.say("go");
    drop(crowd);
    until("nobody", || state(&mut server, "stats").open == 0);
    assert_eq!(state(&mut server, "stats").requests, count as u64);
}

/// What a crowd was lent goes back to the system, while its clients are idle.
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn a_burst_of_active_connections_leaves_no_memory_behind() {
    let Some(count) = crowd("a burst", 10_000) else { return };
    let server = Process::spawn("child", "serve-bare", "");
    let (to, before) = (server.address(), server.memory());
    let grown = || server.memory().saturating_sub(before);
    // Some tables grow in steps, and what is made once for a burst is for each of
    // them: a thread's pages, room for the first boxes.
    let most = count as u64 * 256 + (512 << 10);
    // A single piece that lives on can keep much below it, and where it lies is the C
    // library's to say: one run in eleven kept more. So one burst has to do well.
    let mut best = u64::MAX;
    for burst in 1..=3 {
        let mut crowd = Process::spawn("child", "sleepers", &format!("{count} {to}"));
        assert_eq!(crowd.line(), "asked");
        until("most are asleep, and lent what that takes", || grown() > most);
        let busy = grown();
        let line = crowd.line();
        assert!(line.starts_with("answered"), "{line}");
        let begun = Instant::now();
        while grown() >= most && begun.elapsed() < PATIENCE / 4 {
            std::thread::sleep(Duration::from_millis(1)); // the sweeper is another thread
        }
        best = best.min(grown());
        let each = |bytes: u64| bytes / count as u64;
        println!("burst {burst}: {} bytes for each, {} when idle", each(busy), each(grown()));
        crowd.say("go");
    }
    assert!(best < most, "{best} bytes are left of each burst");
}

#[test]
fn out_of_descriptors_the_server_neither_spins_nor_forgets_anybody() {
    let mut server = Process::spawn("child", "serve-short", "256");
    let to = server.address();
    let mut early: Vec<Client> = (0..5).map(|_| Client::connect(to)).collect();
    for client in &mut early {
        client.send(HELLO).reply().expect(200);
        client.send(get("/ticks/50")).head(); // busy, so that none yields its place
    }
    state(&mut server, "hog 0");
    // The kernel completes their handshakes; the server can't take them.
    let mut waiting: Vec<Client> = (0..10).map(|_| Client::connect(to)).collect();
    for client in &mut waiting {
        client.send(HELLO);
    }
    until("a failed accept", || state(&mut server, "stats").accept_errors > 0);
    let (before, ticks) = (state(&mut server, "stats"), server.cpu_ticks());
    let begun = Instant::now();
    std::thread::sleep(Duration::from_millis(800)); // the misery under test
    let (after, used) = (state(&mut server, "stats"), server.cpu_ticks() - ticks);
    // A spin would have used all of it, in 10 ms ticks.
    let passed = begun.elapsed().as_millis() as u64 / 10;
    assert!(used * 2 < passed, "{used} ticks of CPU in {passed}: it spins");
    assert!(after.turns - before.turns < 500, "{} turns", after.turns - before.turns);
    assert!(after.accept_errors - before.accept_errors < 100, "{after:?}");
    // Those who are in are served meanwhile.
    for client in &mut early {
        client.take(100);
    }
    assert!(waiting.iter().all(Client::is_silent));
    state(&mut server, "release");
    for client in &mut waiting {
        client.reply().expect(200);
    }
    Client::connect(to).send(HELLO).reply().expect(200);
    drop((early, waiting));
    until("nobody", || state(&mut server, "stats").open == 0);
}

/// What `connections_max` leaves is not much, and all of it may be in use.
#[test]
#[cfg(feature = "files")]
fn out_of_descriptors_a_file_is_refused_and_not_cut() {
    let mut server = Process::spawn("child", "serve-short", "256");
    let mut client = Client::connect(server.address());
    // The second reply is of a later turn: by then the loop has seen that nobody
    // else is at the door, and lets no idle connection go for them.
    for _ in 0..2 {
        client.send(get("/files/lib.rs")).reply().expect(200);
    }
    state(&mut server, "hog 0");
    for name in ["config.rs", "error.rs", "stats.rs"] {
        let reply = client.send(get(&format!("/files/{name}"))).reply().expect(503);
        assert!(reply.get("retry-after").is_some(), "{reply:?}");
    }
    // The first is in the cache.
    client.send(get("/files/lib.rs")).reply().expect(200);
    state(&mut server, "release");
    client.send(get("/files/lib.rs")).reply().expect(200);
}

#[test]
fn without_a_thread_to_help_requests_are_refused_and_not_cut() {
    let mut server = Process::spawn("child", "serve", "");
    let to = server.address();
    state(&mut server, "no threads");
    for (method, path) in [("GET", "/job/1"), ("POST", "/blocking"), ("GET", "/blocking/9")] {
        for content in ["", "some content"] {
            let len = content.len();
            let mut client = Client::connect(to);
            client.send(format!(
                "{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n\r\n{content}"
            ));
            let reply = client.last_reply().expect(503);
            assert!(reply.get("retry-after").is_some(), "{reply:?}");
        }
    }
    // What needs none goes on.
    Client::connect(to).send(HELLO).reply().expect(200);
}

#[test]
fn out_of_descriptors_idle_connections_yield_theirs() {
    let mut server = Process::spawn("child", "serve-short", "256");
    let to = server.address();
    let mut idle: Vec<Client> = (0..5).map(|_| Client::connect(to)).collect();
    for client in &mut idle {
        client.send(HELLO).reply().expect(200);
    }
    state(&mut server, "hog 0");
    let mut late: Vec<Client> = (0..3).map(|_| Client::connect(to)).collect();
    for client in &mut late {
        client.send(HELLO).reply().expect(200);
    }
    // Three gave way, in order and without a reset, and not the youngest.
    let mut gone = 0;
    for client in &mut idle {
        if !client.is_silent() {
            client.expect_closed();
            gone += 1;
        }
    }
    assert!(gone >= 3, "{gone} of 5 have yielded to 3");
}

fn full(overload: Overload) -> (Fixture, Vec<Client>) {
    let config = Config { connections_max: 5, overload, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut busy: Vec<Client> = (0..5).map(|_| fixture.client()).collect();
    for client in &mut busy {
        client.send(get("/gate")); // none yields its place
    }
    until("all requests", || fixture.stats().requests.value() == 5);
    (fixture, busy)
}

#[test]
fn beyond_connections_max_clients_are_told_when_to_come_again() {
    let (fixture, mut busy) = full(Overload::Refuse);
    for n in 1..=20 {
        let mut client = fixture.client();
        if n % 2 == 0 {
            client.try_send(HELLO).ok(); // before or after the refusal
        }
        let reply = client.last_reply().expect(503);
        let seconds = reply.get("retry-after").expect("Retry-After");
        assert!(seconds.parse::<u32>().is_ok_and(|s| s > 0), "{seconds:?}");
        drop(client);
        until("counted", || fixture.stats().refused.value() == n);
    }
    // Beyond the slots for refusals there is a plain close, and no harm.
    let mut crowd: Vec<Client> = (0..200).map(|_| fixture.client()).collect();
    for client in &mut crowd {
        client.expect_ended();
    }
    drop(crowd);
    fixture.gate.open();
    for client in &mut busy {
        client.reply().expect(200);
    }
    drop(busy);
    fixture.expect_open(0);
    fixture.client().send(HELLO).reply().expect(200);
}

#[test]
fn beyond_connections_max_clients_wait_if_that_is_wished() {
    let (fixture, mut busy) = full(Overload::Pause);
    let mut waiting: Vec<Client> = (0..3).map(|_| fixture.client()).collect();
    for client in &mut waiting {
        client.send(HELLO);
    }
    // The loop is alive and doesn't take them.
    let turns = fixture.stats().turns.value();
    std::thread::sleep(Duration::from_millis(300)); // the waiting under test
    assert!(waiting.iter().all(Client::is_silent));
    assert_eq!(fixture.stats().open.value(), 5);
    let turned = fixture.stats().turns.value() - turns;
    assert!(turned < 100, "{turned} turns: it spins while it waits");
    // One goes, one comes.
    fixture.gate.open();
    for client in &mut busy {
        client.reply().expect(200);
    }
    for client in &mut waiting {
        client.reply().expect(200);
    }
    assert_eq!(fixture.stats().refused.value(), 0);
}

#[test]
fn near_the_limit_the_longest_idle_yields_its_place() {
    let config = Config { connections_max: 10, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut clients = Vec::new();
    for _ in 0..30 {
        // All that came before are idle, the first for longest.
        let mut client = fixture.client();
        client.send(HELLO).reply().expect(200);
        clients.push(client);
    }
    assert_eq!(fixture.stats().refused.value(), 0);
    assert!(fixture.stats().shed.value() >= 20);
    // Those who have yielded are exactly the first ones, ended in order.
    let first = fixture.stats().shed.value() as usize;
    assert!((20..30).contains(&first), "{first} have yielded");
    for client in clients.iter_mut().take(first) {
        assert_eq!(client.rest(), (Vec::new(), Ending::Eof));
    }
    for client in clients.iter_mut().skip(first) {
        client.send(HELLO).reply().expect(200);
    }
}

#[test]
fn a_connection_that_is_used_does_not_yield_before_one_that_is_not() {
    let config = Config { connections_max: 10, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut used = fixture.client();
    used.send(HELLO).reply().expect(200);
    let mut clients = Vec::new();
    for _ in 0..30 {
        let mut client = fixture.client();
        client.send(HELLO).reply().expect(200);
        used.send(HELLO).reply().expect(200);
        clients.push(client);
    }
    assert!(fixture.stats().shed.value() >= 20);
}
