use super::*;
use crate::app::{App, TestClient};
use crate::http::{Exchange, Method, Now, Peer, Service, Step};
use std::rc::Rc;
use std::time::SystemTime;

/// Sends requests of made-up clients at made-up times.
struct Desk {
    app: App,
    start: Instant,
}

impl Desk {
    fn new(limit: RateLimit) -> Desk {
        let mut app = App::new();
        app.wrap(limit);
        app.get("/", |_: &mut Request| "in");
        Desk { app, start: Instant::now() }
    }

    fn ask(&mut self, peer: &str, millis: u64) -> Response {
        let mut exchange = Box::<Exchange>::default();
        exchange.request = Request::new(Method::GET, "/");
        exchange.request.origin.peer = Peer::Tcp(format!("{peer}:1").parse().unwrap());
        let instant = self.start + Duration::from_millis(millis);
        exchange.request.origin.now = Some(Now { instant, wall: SystemTime::UNIX_EPOCH });
        match self.app.begin(exchange) {
            Step::Respond(mut exchange) => std::mem::take(&mut exchange.response),
            step => panic!("{step:?}"),
        }
    }

    fn status(&mut self, peer: &str, millis: u64) -> u16 {
        self.ask(peer, millis).status().code()
    }
}

fn text<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.get(name).and_then(|value| std::str::from_utf8(value).ok())
}

#[test]
fn clients_are_counted_apart_and_let_in_again() {
    let mut desk = Desk::new(RateLimit::sliding(2, Duration::from_secs(1)));
    assert_eq!(desk.status("192.0.2.1", 0), 200);
    assert_eq!(desk.status("192.0.2.1", 600), 200);
    assert_eq!(desk.status("192.0.2.1", 999), 429);
    assert_eq!(desk.status("192.0.2.2", 999), 200);
    assert_eq!(desk.status("192.0.2.1", 1000), 200);
    assert_eq!(desk.status("192.0.2.1", 1001), 429);
    assert_eq!(desk.status("[2001:db8::1]", 1001), 200);
    assert_eq!(desk.status("[2001:db8::2]", 1001), 200);
    assert_eq!(desk.status("[2001:db8::3]", 1001), 429, "one /64 is one client");
    assert_eq!(desk.status("[2001:db8:0:1::3]", 1001), 200);
}

#[test]
fn fields_tell_the_quota() {
    let bucket = RateLimit::token_bucket(2, 1, Duration::from_millis(2500)).name("a\"b\\c\u{7}ä");
    let mut desk = Desk::new(bucket);
    for (millis, status, limit, retry) in [
        (0, 200, "\"a\\\"b\\\\c\";r=1;t=3", None),
        (0, 200, "\"a\\\"b\\\\c\";r=0;t=3", None),
        (600, 429, "\"a\\\"b\\\\c\";r=0;t=2", Some("2")),
        (2499, 429, "\"a\\\"b\\\\c\";r=0;t=1", Some("1")),
        (2500, 200, "\"a\\\"b\\\\c\";r=0;t=3", None),
    ] {
        let response = desk.ask("192.0.2.1", millis);
        assert_eq!(response.status().code(), status, "at {millis}");
        assert_eq!(text(&response, "RateLimit"), Some(limit));
        assert_eq!(text(&response, "Retry-After"), retry);
        assert_eq!(text(&response, "RateLimit-Policy"), Some("\"a\\\"b\\\\c\";q=2;w=5"));
    }
}

#[test]
fn the_refusal_says_why() {
    let mut desk = Desk::new(RateLimit::sliding(1, Duration::from_secs(60)));
    desk.ask("192.0.2.1", 0);
    let response = desk.ask("192.0.2.1", 30_500);
    let body = response.body_ref().bytes().unwrap();
    let want = "429 Too Many Requests: the limit is 1 requests in 60 s; try again in 30 s\n";
    assert_eq!(std::str::from_utf8(body), Ok(want));
}

#[test]
fn quiet_limits_tell_only_whom_they_refuse() {
    let mut desk = Desk::new(RateLimit::sliding(1, Duration::from_secs(60)).quiet());
    assert!(desk.ask("192.0.2.1", 0).headers().is_empty());
    let refused = desk.ask("192.0.2.1", 0);
    assert_eq!(text(&refused, "RateLimit"), Some("\"default\";r=0;t=60"));
}

#[test]
fn the_oldest_key_is_forgotten() {
    let mut desk = Desk::new(RateLimit::sliding(1, Duration::from_secs(60)).keys_max(2));
    for (peer, status) in [
        ("192.0.2.1", 200),
        ("192.0.2.2", 200),
        ("192.0.2.1", 429), // and is the newest again
        ("192.0.2.3", 200),
        ("192.0.2.1", 429),
        ("192.0.2.2", 200),
    ] {
        assert_eq!(desk.status(peer, 0), status, "{peer}");
    }
}

#[test]
fn keys_by_function_and_limits_together() {
    let limit = RateLimit::sliding(1, Duration::from_secs(60)).name("key");
    let limit = limit.key(|request, keys| Some(keys.of(request.header("x-key")?)));
    let wide = Rc::new(RateLimit::sliding(3, Duration::from_secs(60)).name("all"));
    let mut app = App::new();
    for prefix in ["/a", "/b"] {
        app.scope(prefix, |scope| {
            scope.wrap(Rc::clone(&wide));
            scope.get("/", |_: &mut Request| "in");
        });
    }
    app.wrap(limit);
    let mut client = TestClient::new(app);
    assert_eq!(client.get("/a").header("X-Key", "1").send().status.code(), 200);
    assert_eq!(client.get("/a").header("X-Key", "1").send().status.code(), 429);
    let both = client.get("/b").header("X-Key", "2").send();
    let lines: Vec<_> = both.headers.all("RateLimit").map(<[u8]>::escape_ascii).collect();
    let lines: Vec<String> = lines.into_iter().map(|line| line.to_string()).collect();
    assert_eq!(lines, ["\\\"all\\\";r=1;t=60", "\\\"key\\\";r=0;t=60"]);
    assert_eq!(client.get("/a").send().status.code(), 200, "no key, no limit by it");
    let refused = client.get("/b").send();
    assert_eq!(refused.status.code(), 429, "the two scopes share one limit");
    assert_eq!(refused.headers.all("RateLimit").count(), 1);
}

#[test]
fn refusals_are_shown_by_the_apps_error_page() {
    let mut app = App::new();
    app.wrap(RateLimit::sliding(1, Duration::from_secs(60)));
    app.errors(|_, status, message| Response::new(status).html(format!("<p>{message}")));
    let mut client = TestClient::new(app);
    client.get("/").send();
    let refused = client.get("/").send();
    assert_eq!(refused.text(), "<p>the limit is 1 requests in 60 s; try again in 60 s");
    assert_eq!(refused.header("Retry-After"), Some("60"));
}
