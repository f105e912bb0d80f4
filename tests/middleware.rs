//! Middleware as clients meet it: over sockets, with helpers at work.

mod support;

use onepoll::middleware::{Cors, HostGuard, RequestIds, SecurityHeaders, ServerTiming};
use onepoll::server::Background;
use onepoll::{App, Request, Response, Server, Status};
use support::Client;

/// A server around this application.
#[track_caller]
fn serve(fill: impl FnOnce(&mut App) + Send + 'static) -> Background {
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let server = server.spawn(move || {
        let mut app = App::new();
        fill(&mut app);
        app.get("/", |_: &mut Request| "hello");
        app.get("/cached", |_: &mut Request| Response::new(Status::NOT_MODIFIED));
        app
    });
    server.expect("a server that starts")
}

#[test]
fn scripts_of_allowed_origins_may_read_every_reply() {
    let server = serve(|app| {
        app.wrap(Cors::new(["https://a.example"]).expect("an origin"));
    });
    let mut client = Client::connect(server.local_addr());
    let table = [
        ("GET /", 200),
        ("HEAD /", 200),
        ("GET /cached", 304),
        ("GET /none", 404),
        ("DELETE /", 405),
        ("OPTIONS /", 204),
    ];
    for (line, status) in table {
        let reply = client.ask(line, &["Origin: https://a.example"]);
        assert_eq!(reply.status, status, "{line}");
        assert_eq!(reply.get("access-control-allow-origin"), Some("https://a.example"));
        assert_eq!(reply.get("vary"), Some("Origin"), "{line}");
        let reply = client.ask(line, &["Origin: https://evil.example"]);
        assert_eq!(reply.get("access-control-allow-origin"), None, "{line}");
        assert_eq!(reply.get("vary"), Some("Origin"), "{line}");
    }
    let asks = ["Origin: https://a.example", "Access-Control-Request-Method: DELETE"];
    let reply = client.ask("OPTIONS /none", &asks);
    assert_eq!((reply.status, reply.body.len()), (204, 0));
    let methods = reply.get("access-control-allow-methods").expect("a preflight's answer");
    assert!(methods.contains("DELETE"), "{methods}");
    assert_eq!(reply.get("access-control-max-age"), Some("600"));
}

#[test]
fn the_small_ones_go_together() {
    let server = serve(|app| {
        app.wrap(RequestIds::new().trust(["127.0.0.0/8"]).expect("a network"));
        app.wrap(ServerTiming::new());
        app.wrap(SecurityHeaders::new());
        app.wrap(HostGuard::new(["x", "localhost"]).expect("hosts"));
    });
    let mut client = Client::connect(server.local_addr());
    for (line, status) in [("GET /", 200), ("HEAD /", 200), ("GET /none", 404), ("PUT /", 405)] {
        let reply = client.ask(line, &["X-Request-Id: from-the-proxy"]);
        assert_eq!(reply.status, status);
        assert_eq!(reply.get("x-request-id"), Some("from-the-proxy"), "{line}");
        assert_eq!(reply.get("x-content-type-options"), Some("nosniff"), "{line}");
        assert!(reply.get("server-timing").is_some_and(|t| t.starts_with("total;dur=")));
    }
    client.send("GET / HTTP/1.1\r\nHost: rebound.evil:80\r\n\r\n");
    let reply = client.reply();
    assert_eq!(reply.status, 421);
    assert!(reply.get("x-request-id").is_some(), "also what is turned down has a name");
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(client.last_reply().status, 400);
}

#[cfg(feature = "auth")]
mod auth {
    use super::*;
    use onepoll::middleware::{BasicAuth, User};

    /// `secret`, at a cost of 5, as another implementation hashed it.
    const ANNA: &str = "anna:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";
    const RIGHT: &str = "Authorization: Basic YW5uYTpzZWNyZXQ=";
    const WRONG: &str = "Authorization: Basic YW5uYTp3cm9uZw==";

    fn with_auth() -> Background {
        serve(|app| {
            let auth = BasicAuth::new("here").and_then(|auth| auth.user(ANNA));
            // Browsers ask first, and without credentials.
            app.wrap(Cors::new(["https://a.example"]).expect("an origin"));
            app.wrap(auth.expect("a user"));
            app.get("/me", |request: &mut Request| {
                request.extension::<User>().map(|user| user.name().to_owned())
            });
        })
    }

    #[test]
    fn a_helper_checks_and_the_connection_lives_on() {
        let server = with_auth();
        let mut client = Client::connect(server.local_addr());
        let origin = "Origin: https://a.example";
        for _ in 0..2 {
            let reply = client.ask("GET /me", &[origin]);
            assert_eq!(reply.status, 401);
            let challenge = reply.get("www-authenticate");
            assert_eq!(challenge, Some("Basic realm=\"here\", charset=\"UTF-8\""));
            assert!(reply.get("access-control-allow-origin").is_some());
            assert_eq!(client.ask("GET /me", &[WRONG]).status, 401);
            assert_eq!(client.ask("GET /me", &[RIGHT]).body, b"anna");
            assert_eq!(client.ask("GET /none", &[RIGHT]).status, 404);
            let asks = [origin, "Access-Control-Request-Method: GET"];
            assert_eq!(client.ask("OPTIONS /me", &asks).status, 204);
        }
    }

    /// Guesses come in faster than they are checked: some are turned away, and
    /// one who is known passes at once, on the same few threads.
    #[test]
    fn a_crowd_that_guesses_is_held_back() {
        let server = with_auth();
        let mut known = Client::connect(server.local_addr());
        assert_eq!(known.ask("GET /me", &[RIGHT]).status, 200);
        let mut crowd: Vec<_> = (0..40).map(|_| Client::connect(server.local_addr())).collect();
        for client in &mut crowd {
            client.send(format!("GET /me HTTP/1.1\r\nHost: x\r\n{WRONG}\r\n\r\n"));
        }
        assert_eq!(known.ask("GET /me", &[RIGHT]).status, 200);
        for client in &mut crowd {
            let reply = client.reply();
            assert!(matches!(reply.status, 401 | 429), "{}", reply.status);
            assert_eq!(reply.get("retry-after").is_some(), reply.status == 429);
        }
        // Afterwards there is room again.
        assert_eq!(known.ask("GET /me", &[WRONG]).status, 401);
    }
}
