//! Several loops on one address: all serve, all leave, and none alone.

mod support;

use onepoll::handlers::{Metrics, SharedMetrics};
use onepoll::http::{Exchange, Service, Step};
use onepoll::{App, Config, Error, Request, Server};
use std::cell::Cell;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::exposition::Page;
use support::{Client, until};

const LONG: Duration = Duration::from_secs(60);

/// Says which loop it is, and counts in its own memory.
fn app(number: usize) -> App {
    let mut app = App::new();
    let count = Cell::new(0);
    app.get("/who", move |_: &mut Request| {
        count.set(count.get() + 1);
        format!("{number} {}", count.get())
    });
    app.get("/panic", |_: &mut Request| -> &'static str { panic!("as it should") });
    app.get("/later", |_: &mut Request| onepoll::after(LONG, || "late"));
    app
}

fn get(client: &mut Client, path: &str) -> String {
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).reply().text().to_owned()
}

/// Clients, until each of two loops has one.
fn one_of_each(address: SocketAddr) -> [Client; 2] {
    let mut found = [None, None];
    for _ in 0..1000 {
        let mut client = Client::connect(address);
        let text = get(&mut client, "/who");
        let at: usize = text.split(' ').next().unwrap().parse().unwrap();
        found[at].get_or_insert(client);
        if let [Some(_), Some(_)] = found {
            return found.map(Option::unwrap);
        }
    }
    panic!("one of the loops never had a client");
}

#[test]
fn all_serve_and_a_drain_reaches_all() {
    let made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&made);
    let server = Server::bind("127.0.0.1:0").unwrap().try_reactors(2, move |number| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(app(number))
    });
    let server = server.unwrap();
    assert_eq!(made.load(Ordering::Relaxed), 2);
    let handle = server.handle().clone();
    let mut clients = one_of_each(server.local_addr());
    // Each has memory of its own.
    for (i, client) in clients.iter_mut().enumerate() {
        let text = get(client, "/who");
        assert_eq!(text.split(' ').next(), Some(i.to_string().as_str()));
    }
    let by_reactor: Vec<u64> = handle.reactors().map(|stats| stats.requests.value()).collect();
    assert!(by_reactor.iter().all(|count| *count >= 2), "{by_reactor:?}");
    assert_eq!(handle.total().requests.value(), by_reactor.iter().sum::<u64>());
    // A panic is one request's, not one loop's.
    assert!(get(&mut clients[0], "/panic").contains("500"));
    let mut clients = one_of_each(server.local_addr());
    clients.iter_mut().for_each(|client| {
        client.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    });
    handle.drain(LONG);
    until("both drain", || handle.reactors().all(|stats| stats.draining.value() == 1));
    until("nobody listens", || TcpStream::connect(server.local_addr()).is_err());
    handle.stop();
    server.join().unwrap();
    clients.iter_mut().for_each(|client| {
        client.expect_ended();
    });
}

#[test]
fn limits_are_shared_out() {
    let config = Config { connections_max: 4, idle_timeout: LONG, ..Config::default() };
    let server = Server::bind("127.0.0.1:0").unwrap().config(config.clone());
    let server = server.try_reactors(2, |number| Ok(app(number))).unwrap();
    let handle = server.handle();
    let mut clients: Vec<Client> = Vec::new();
    // 2 for each: so many more than that can't be open.
    while handle.total().refused.value() == 0 && clients.len() < 1000 {
        clients.push(Client::connect(server.local_addr()));
        let all = clients.len() as u64;
        until("it is counted", || {
            let total = handle.total();
            total.accepted.value() + total.refused.value() >= all
        });
    }
    assert!(clients.len() >= 3 && handle.reactors().all(|stats| stats.open.value() <= 3));
    // And again when they are changed.
    handle.configure(&Config { connections_max: 200, ..config }).unwrap();
    let wrong = Config { connections_max: 0, ..Config::default() };
    assert!(handle.configure(&wrong).is_err());
}

#[test]
fn one_that_cannot_start_is_the_servers_end() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let started = server.try_reactors(3, |number| match number {
        1 => Err(Error::Config { field: "one", why: "is wrong".to_owned() }),
        _ => Ok(app(number)),
    });
    assert_eq!(started.unwrap_err().to_string(), "configuration: one is wrong");
    assert!(TcpStream::connect(address).is_err());
    // A route that conflicts, a panic.
    let conflict = || {
        let mut app = App::new();
        app.get("/{a}", |_: &mut Request| "a");
        app.get("/{b}", |_: &mut Request| "b");
        app
    };
    let started = Server::bind("127.0.0.1:0").unwrap().reactors(2, conflict);
    assert!(matches!(started, Err(Error::Route(_))), "{started:?}");
    let panicking = || -> App { panic!("as it should") };
    let started = Server::bind("127.0.0.1:0").unwrap().reactors(2, panicking);
    assert!(matches!(started, Err(Error::Io { .. })), "{started:?}");
    for number in [0, 1025] {
        let started = Server::bind("127.0.0.1:0").unwrap().reactors(number, App::new);
        assert!(matches!(started, Err(Error::Config { .. })), "{started:?}");
    }
}

/// Whoever is asked shows the numbers of all.
#[test]
fn metrics_are_of_all_loops() {
    let together = SharedMetrics::default();
    let server = Server::bind("127.0.0.1:0").unwrap().try_reactors(2, move |number| {
        let mut app = App::new();
        Metrics::new().shared(&together).mount(&mut app, "/metrics");
        let who = format!("{number} ");
        app.get("/who", move |_: &mut Request| who.clone());
        Ok(app)
    });
    let server = server.unwrap();
    let clients = one_of_each(server.local_addr());
    let asked: u64 = server.handle().total().requests.value();
    let count = "http_server_request_duration_seconds_count{http_request_method=\"GET\",\
                 http_route=\"/who\",http_response_status_code=\"200\"}";
    for mut client in clients {
        // Of the other loop it is what was counted up to a second ago.
        until("all are counted", || {
            let page = Page::read(&get(&mut client, "/metrics"));
            let loops = ["0", "1"].map(|number| {
                page.value(&format!("onepoll_requests_total{{reactor=\"{number}\"}}"))
            });
            assert!(loops.iter().all(|count| *count > 0.0), "{loops:?}");
            page.value(count) as u64 == asked
        });
    }
}

/// A service that breaks its loop.
struct Broken;

impl Service for Broken {
    fn begin(&mut self, _: Box<Exchange>) -> Step {
        panic!("as it should")
    }

    fn resume(&mut self, exchange: Box<Exchange>) -> Step {
        Step::Respond(exchange)
    }
}

#[test]
fn one_that_fails_stops_the_others() {
    let server = Server::bind("127.0.0.1:0").unwrap().reactors(3, || Broken).unwrap();
    let _client = Client::connect(server.local_addr()).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let address = server.local_addr();
    assert!(server.join().is_err());
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn several_servers_share_an_address_if_all_say_so() {
    let first = Server::bind_shared("127.0.0.1:0").unwrap();
    let address = first.local_addr().unwrap();
    assert!(Server::bind(address).is_err());
    let servers = [first, Server::bind_shared(address).unwrap()].map(|server| {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        server.spawn(move || app(number)).unwrap()
    });
    one_of_each(address);
    drop(servers);
    let alone = Server::bind(address).unwrap();
    assert!(Server::bind_shared(address).is_err(), "the first did not say so");
    drop(alone);
}

/// Also where IPv4 clients are let in, or not.
#[test]
fn dual_stack_listeners_are_doubled_as_they_are() {
    let Ok(server) = Server::bind("[::]:0") else {
        println!("skipped: no IPv6 here");
        return;
    };
    let port = server.local_addr().unwrap().port();
    let server = server.try_reactors(2, |number| Ok(app(number))).unwrap();
    one_of_each(SocketAddr::from(([127, 0, 0, 1], port)));
    one_of_each(format!("[::1]:{port}").parse().unwrap());
    drop(server);
}
