//! Limits of an application, over sockets: rates, and requests at once.

mod support;

use onepoll::middleware::{InFlight, RateLimit, TimeLimit};
use onepoll::stats::Close;
use onepoll::{App, Config, Request, Server, after, offload};
use std::time::Duration;
use support::{Client, Gate, PATIENCE, until};

#[test]
fn a_rate_limit_turns_down_and_the_connection_goes_on() {
    let server = Server::bind("127.0.0.1:0").expect("a free port").spawn(|| {
        let mut app = App::new();
        app.get("/free", |_: &mut Request| "free");
        app.scope("/api", |api| {
            api.wrap(RateLimit::sliding(3, Duration::from_secs(3600)));
            api.get("/", |_: &mut Request| "in");
        });
        app
    });
    let server = server.expect("a server that starts");
    let ask = |client: &mut Client, path: &str| {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        client.reply()
    };
    // Two connections of one address have one quota.
    let mut first = Client::connect(server.local_addr());
    let mut second = Client::connect(server.local_addr());
    for (client, left) in [(&mut first, 2), (&mut second, 1)] {
        let reply = ask(client, "/api");
        assert_eq!(reply.status, 200);
        assert_eq!(reply.get("ratelimit-policy"), Some("\"default\";q=3;w=3600"));
        let limit = reply.get("ratelimit").expect("the quota").to_owned();
        assert!(limit.starts_with(&format!("\"default\";r={left};t=3")), "{limit}");
    }
    // Pipelined: the first is let in, the second is not.
    let head = "GET /api HTTP/1.1\r\nHost: a\r\n\r\n";
    first.send(head.repeat(2));
    assert_eq!(first.reply().status, 200);
    let refused = first.reply();
    assert_eq!(refused.status, 429);
    let wait: u64 = refused.get("retry-after").expect("when").parse().expect("seconds");
    assert!((1..=3600).contains(&wait), "{wait}");
    assert_eq!(ask(&mut second, "/api").status, 429);
    assert_eq!(ask(&mut first, "/free").status, 200);
}

/// After a burst, one at a time; each client by its own key.
#[test]
fn a_token_bucket_by_a_key_of_ones_own() {
    let server = Server::bind("127.0.0.1:0").expect("a free port").spawn(|| {
        let mut app = App::new();
        let bucket = RateLimit::token_bucket(2, 1, Duration::from_secs(3600));
        app.wrap(bucket.key(|request, keys| Some(keys.of(request.header("x-user")?))));
        app.get("/", |_: &mut Request| "in");
        app
    });
    let server = server.expect("a server that starts");
    let mut client = Client::connect(server.local_addr());
    let mut status = |fields: &[&str]| client.ask("GET /", fields).status;
    for user in ["X-User: ada", "X-User: bob"] {
        assert_eq!([(); 4].map(|()| status(&[user])), [200, 200, 429, 429], "{user}");
    }
    assert_eq!([(); 4].map(|()| status(&[])), [200; 4], "without a key there is no limit");
}

/// The whole app's, a scope's and a route's own; told before the content is sent, where
/// its length is, and where it is not as soon as it is too long.
#[test]
fn each_route_has_its_limit_of_content() {
    let server = Server::bind("127.0.0.1:0").expect("a free port").spawn(|| {
        let echo = |request: &mut Request| request.body().len().to_string();
        let mut app = App::new();
        app.body_max(10);
        app.post("/", echo);
        app.post("/route", echo).body_max(20);
        app.scope("/scope", |scope| {
            scope.body_max(5);
            scope.put("/", echo);
            scope.put("/route", echo).body_max(30);
        });
        app
    });
    let server = server.expect("a server that starts");
    let table = [("POST /", 10), ("POST /route", 20), ("PUT /scope", 5), ("PUT /scope/route", 30)];
    for (line, max) in table {
        let content = "x".repeat(max);
        let mut client = Client::connect(server.local_addr());
        let head = format!("{line} HTTP/1.1\r\nHost: a\r\n");
        client.send(format!("{head}Content-Length: {max}\r\n\r\n{content}"));
        assert_eq!(client.reply().expect(200).text(), max.to_string(), "{line}");
        let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{max:x}\r\n{content}\r\n");
        client.send(format!("{chunked}0\r\n\r\n"));
        assert_eq!(client.reply().expect(200).text(), max.to_string(), "{line}");
        client.send(format!("{chunked}1\r\nx\r\n"));
        assert_eq!(client.last_reply().status, 413, "{line}");
        let mut client = Client::connect(server.local_addr());
        client.send(format!("{head}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", max + 1));
        assert_eq!(client.head().status, 413, "{line}");
    }
}

#[test]
fn so_many_at_once_and_no_more() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Server::bind("127.0.0.1:0").expect("a free port").spawn(move || {
        let mut app = App::new();
        // The outer one must not lose count by what the inner one turns down.
        app.wrap(InFlight::new(3));
        app.scope("/slow", |slow| {
            slow.wrap(InFlight::new(2).retry_after(Duration::from_millis(1500)));
            let held = held.clone();
            slow.get("/", offload(move |_: &mut Request| held.wait()));
        });
        app.get("/", |_: &mut Request| "quick");
        app
    });
    let server = server.expect("a server that starts");
    let ask = |client: &mut Client, path: &str| {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    };
    let mut slow = [(); 2].map(|()| Client::connect(server.local_addr()));
    slow.iter_mut().for_each(|client| ask(client, "/slow"));
    gate.expect_entered(2);
    let mut other = Client::connect(server.local_addr());
    for _ in 0..5 {
        ask(&mut other, "/slow");
        let refused = other.reply().expect(503);
        assert_eq!(refused.get("retry-after"), Some("2"));
        ask(&mut other, "/");
        other.reply().expect(200);
    }
    // One that vanishes gives its place back, once its job has come home.
    let [gone, mut stays] = slow;
    gone.reset();
    gate.open();
    stays.reply().expect(204);
    until("both places are free", || {
        ask(&mut other, "/slow");
        other.reply().status == 204
    });
    for _ in 0..5 {
        ask(&mut stays, "/slow");
        stays.reply().expect(204);
    }
}

#[test]
fn a_part_of_the_app_has_its_own_time() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let config = Config { work_timeout: Some(PATIENCE * 100), ..Config::default() };
    let server = server.config(config).spawn(move || {
        let mut app = App::new();
        app.scope("/short", |short| {
            short.wrap(TimeLimit::new(Duration::from_millis(20)));
            let held = held.clone();
            short.get("/job", offload(move |_: &mut Request| held.wait()));
            short.get("/sleep", |_: &mut Request| after(PATIENCE * 50, || "late"));
        });
        app.get("/sleep", |_: &mut Request| after(Duration::from_millis(50), || "in time"));
        app
    });
    let server = server.expect("a server that starts");
    for path in ["/short/job", "/short/sleep"] {
        let mut client = Client::connect(server.local_addr());
        // The connection has had another request before: its limit is not this one's.
        client.send("GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.reply().expect(200).text(), "in time");
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(client.last_reply().status, 503, "{path}");
    }
    until("both are counted", || server.handle().stats().closes.of(Close::Work) == 2);
    gate.open();
}
