//! The metrics' page, read by a strict reader.

mod support;

use onepoll::app::{Flow, TestClient};
use onepoll::handlers::Metrics;
use onepoll::http::{Method, Response};
use onepoll::{App, Config, Reject, Request, Server, Status};
use std::time::Duration;
use support::exposition::Page;
use support::{Client, Gate, until};

const TIMES: &str = "http_server_request_duration_seconds";

fn series(metric: &str, method: &str, route: &str, status: &str) -> String {
    let status = format!("http_response_status_code=\"{status}\"");
    format!("{metric}{{http_request_method=\"{method}\",http_route=\"{route}\",{status}}}")
}

/// That page, over the connection.
fn page(client: &mut Client) -> Page {
    client.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    let reply = client.reply().expect(200);
    let version = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(reply.get("content-type"), Some(version));
    Page::read(reply.text())
}

#[test]
#[should_panic(expected = "twice")]
fn the_reader_is_strict() {
    Page::read("# HELP a b\n# TYPE a gauge\na{x=\"1\"} 1\na{x=\"1\"} 2\n");
}

#[test]
#[should_panic(expected = "_count")]
fn the_reader_wants_whole_histograms() {
    Page::read("# HELP a b\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 2\n");
}

fn app() -> App {
    let mut app = App::new();
    Metrics::new()
        .buckets(&[Duration::from_secs(60), Duration::from_micros(1), Duration::from_secs(60)])
        .gauge("own_one", "With a \\ and\na second line.", || f64::INFINITY)
        .counter("own_two_total", "Two.", || 2.5)
        .gauge("onepoll_mine", "Not allowed.", || 1.0)
        .gauge("no name", "Not allowed.", || 1.0)
        .gauge("own_one", "Twice.", || 1.0)
        .dropped_lines(|| 7)
        .mount(&mut app, "/metrics");
    app.before(|request| match request.path() {
        "/stop" => Flow::Refuse(Reject::forbidden()),
        _ => Flow::Go,
    });
    app.get("/users/{id:\\d+}", |_: &mut Request| "somebody");
    app.post("/users", |_: &mut Request| (Status::CREATED, "made"));
    app.fallback(|_: &mut Request| Status::NOT_FOUND);
    app
}

#[test]
fn labels_are_bounded() {
    let mut client = TestClient::new(app());
    for id in 0..50 {
        client.get(&format!("/users/{id}?q={id}")).send();
        client.get(&format!("/nothing/{id}")).header("Host", &format!("host{id}")).send();
        let method = Method::parse(format!("PURGE{id}").as_bytes()).expect("a token");
        client.request(method, "/users/1").send();
    }
    client.get("/stop").send();
    client.request(Method::HEAD, "/users/1").send();
    client.post("/users").body("x".repeat(300)).send();
    client.post("/users").chunked("x".repeat(300)).send();
    let text = client.get("/metrics").send().text().to_owned();
    let page = Page::read(&text);
    for (method, route, status, count) in [
        ("GET", "/users/{id:\\\\d+}", "200", 50.0),
        ("GET", "unmatched", "404", 50.0),
        ("_OTHER", "unmatched", "405", 50.0),
        ("GET", "unmatched", "403", 1.0),
        ("HEAD", "/users/{id:\\\\d+}", "200", 1.0),
        ("POST", "/users", "201", 2.0),
    ] {
        let count_of = series(&format!("{TIMES}_count"), method, route, status);
        assert_eq!(page.value(&count_of), count, "{method} {route} {status}");
    }
    for raw in ["nothing", "host", "PURGE", "/stop", "q="] {
        assert!(!text.contains(raw), "{raw} is the client's");
    }
    let counts = page.samples.keys().filter(|key| key.starts_with(&format!("{TIMES}_count")));
    assert_eq!(counts.count(), 6);
    assert_eq!(page.value("own_one"), f64::INFINITY);
    assert_eq!(page.value("own_two_total"), 2.5);
    assert_eq!(page.value("onepoll_log_dropped_lines_total"), 7.0);
    assert!(!page.families.contains_key("onepoll_mine"));
    let sizes = |what: &str, method: &str, status: &str| {
        let labels = format!("http_request_method=\"{method}\"");
        let labels = format!("{labels},http_response_status_code=\"{status}\"");
        page.value(&format!("http_server_{what}_body_size_bytes_sum{{{labels}}}"))
    };
    assert_eq!(sizes("request", "POST", "201"), 600.0);
    assert_eq!(sizes("response", "POST", "201"), 8.0);
    assert_eq!(sizes("response", "GET", "200"), 400.0);
    assert_eq!(sizes("response", "HEAD", "200"), 0.0);
}

#[test]
fn the_loop_and_the_requests_are_shown() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Server::bind("127.0.0.1:0").expect("a free port").spawn(move || {
        let mut app = app();
        let wait = move |_: &mut Request| {
            held.wait();
            "waited"
        };
        app.get("/wait", onepoll::offload(wait));
        app
    });
    let server = server.expect("a server that starts");
    let mut waiting = Client::connect(server.local_addr());
    waiting.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    gate.expect_entered(1);
    let mut client = Client::connect(server.local_addr());
    let active = "http_server_active_requests{http_request_method=\"GET\",url_scheme=\"http\"}";
    let first = page(&mut client);
    assert_eq!(first.value(active), 1.0, "and the page itself is apart");
    assert_eq!(first.value("onepoll_helper_running"), 1.0);
    assert_eq!(first.value("onepoll_slab_used"), 2.0);
    assert!(first.value("onepoll_slab_capacity") >= 2.0);
    gate.open();
    waiting.reply().expect(200);
    let sent = |page: &Page| page.value("onepoll_sent_bytes_total");
    until("the waiting one is counted", || {
        let page = page(&mut client);
        page.value(active) == 0.0 && sent(&page) > sent(&first)
    });
    drop(waiting);
    let closed = "onepoll_connections_closed_total{reason=\"peer\"}";
    until("its connection is gone", || page(&mut client).value(closed) == 1.0);
    let last = page(&mut client);
    let count = series(&format!("{TIMES}_count"), "GET", "/wait", "200");
    assert_eq!(last.value(&count), 1.0);
    for (name, kind) in [
        ("onepoll_connections", "gauge"),
        ("onepoll_accept_errors_total", "counter"),
        ("onepoll_loop_turn_seconds", "histogram"),
        ("onepoll_loop_lag_seconds", "gauge"),
        ("onepoll_timers", "gauge"),
        ("onepoll_helper_queue_length", "gauge"),
        ("onepoll_helper_wait_seconds_total", "counter"),
        ("onepoll_buffers_lent_bytes", "gauge"),
    ] {
        assert_eq!(last.families.get(name).map(String::as_str), Some(kind), "{name}");
    }
}

#[test]
fn a_client_that_leaves_has_no_status() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Server::bind("127.0.0.1:0").expect("a free port").spawn(move || {
        let mut app = app();
        let wait = move |_: &mut Request| held.wait();
        app.get("/wait", onepoll::offload(wait));
        app
    });
    let server = server.expect("a server that starts");
    let mut leaving = Client::connect(server.local_addr());
    leaving.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    gate.expect_entered(1);
    leaving.reset();
    let mut client = Client::connect(server.local_addr());
    let closed = "onepoll_connections_closed_total{reason=\"peer\"}";
    until("it is seen", || page(&mut client).value(closed) == 1.0);
    gate.open();
    let count = series(&format!("{TIMES}_count"), "GET", "/wait", "");
    until("it is counted", || page(&mut client).samples.get(&count) == Some(&1.0));
}

#[test]
fn a_large_page_is_written_by_a_helper() {
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let server = server.config(Config { requests_per_connection: u32::MAX, ..Config::default() });
    let server = server.spawn(|| {
        let mut app = app();
        app.get("/{status}", |request: &mut Request| {
            request.param::<u16>("status").map(|code| Response::new(Status::new(code).unwrap()))
        });
        app
    });
    let server = server.expect("a server that starts");
    let mut client = Client::connect(server.local_addr());
    for status in 210..400 {
        client.send(format!("GET /{status} HTTP/1.1\r\nHost: a\r\n\r\n"));
        client.reply().expect(status);
    }
    let started =
        || server.handle().stats().helpers.started.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(started(), 0);
    let page = page(&mut client);
    assert_eq!(started(), 1);
    assert_eq!(page.value(&series(&format!("{TIMES}_count"), "GET", "/{status}", "210")), 1.0);
}
