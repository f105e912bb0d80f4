//! Limits of an application, over sockets: rates, and requests at once.

mod support;

use onepoll::middleware::RateLimit;
use onepoll::{App, Request, Server};
use std::time::Duration;
use support::Client;

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
