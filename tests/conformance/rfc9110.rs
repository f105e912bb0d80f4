//! RFC 9110, HTTP semantics: what the items leave open.

use crate::common::{HELLO, ask, refused, understood, with};
use crate::support::{Fixture, until};
use onepoll::{Config, Server};

#[test]
fn s6_6_1_date_is_the_present() {
    let fixture = Fixture::new();
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.unwrap().as_secs()
    };
    let before = now();
    let (reply, mut client) = ask(&fixture, HELLO);
    let date = |reply: &crate::support::Reply| {
        onepoll::http::date::parse(reply.get("date").unwrap().as_bytes(), before).unwrap()
    };
    assert!((before - 1..=now() + 1).contains(&date(&reply)), "{}", date(&reply));
    // It goes on, on one connection.
    until("the next second", || {
        let reply = client.send(HELLO).reply();
        date(&reply) > before + 1
    });
}

#[test]
fn s8_6_content_length_is_of_the_content() {
    let fixture = Fixture::new();
    for (path, len) in [("/hello", "13"), ("/bytes/0", "0"), ("/bytes/9", "9"), ("/file/77", "77")]
    {
        let (reply, _) = ask(&fixture, with(&format!("GET {path}"), ""));
        assert_eq!(reply.get("content-length"), Some(len), "{path}");
    }
}

#[test]
fn s9_3_1_content_in_get_is_no_request() {
    let fixture = Fixture::new();
    understood(&fixture, with("GET /hello", "Content-Length: 5\r\n") + "GET /", 200);
}

#[test]
fn s9_3_2_head_has_the_fields_of_get_and_no_content() {
    let fixture = Fixture::new();
    let head = understood(&fixture, with("HEAD /hello", ""), 200);
    let get = understood(&fixture, with("GET /hello", ""), 200);
    assert_eq!(head.names(), get.names());
    assert_eq!(head.get("content-length"), Some("13"));
}

#[test]
fn s9_3_6_connect_without_a_route_is_501() {
    let fixture = Fixture::new();
    for target in ["a:80", "[::1]:443", "1.2.3.4:1"] {
        let (reply, _) =
            ask(&fixture, format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"));
        reply.expect(501);
    }
}

#[test]
fn s9_3_7_options_lists_the_methods() {
    let fixture = Fixture::new();
    let reply = understood(&fixture, with("OPTIONS /hello", ""), 204);
    assert_eq!(reply.allow(), ["GET", "HEAD", "OPTIONS", "POST"]);
    let reply = understood(&fixture, with("OPTIONS /echo", ""), 204);
    assert_eq!(reply.allow(), ["OPTIONS", "POST"]);
    understood(&fixture, with("OPTIONS /nowhere", ""), 404);
}

#[test]
fn s9_3_8_trace_echoes_nothing() {
    // A server that reflected the head would show cookies to scripts.
    let fixture = Fixture::new();
    let (reply, _) = ask(&fixture, with("TRACE /hello", "Cookie: secret\r\n"));
    assert!(matches!(reply.status, 405 | 501), "{}", reply.status);
    assert!(!reply.body.windows(6).any(|six| six == b"secret"));
}

#[test]
fn s10_2_4_server_is_what_was_configured_or_absent() {
    let config = Config { server_name: Some("teapot/1".into()), ..Config::default() };
    let fixture = Fixture::with(config);
    assert_eq!(ask(&fixture, HELLO).0.get("server"), Some("teapot/1"));
    assert_eq!(refused(&fixture, "X\r\n\r\n", &[400]).get("server"), Some("teapot/1"));
    let fixture = Fixture::with(Config { server_name: None, ..Config::default() });
    assert_eq!(ask(&fixture, HELLO).0.get("server"), None);
    assert_eq!(refused(&fixture, "X\r\n\r\n", &[400]).get("server"), None);
}

#[test]
fn s10_2_4_a_name_that_would_inject_a_line_keeps_the_server_from_starting() {
    let config = Config { server_name: Some("a\r\nX: y".into()), ..Config::default() };
    let server = Server::bind("127.0.0.1:0").unwrap().config(config);
    assert!(server.spawn(onepoll::App::new).is_err());
}

#[test]
fn s15_5_5_and_s15_5_6_unknown_paths_and_methods() {
    let fixture = Fixture::new();
    understood(&fixture, with("GET /nowhere", ""), 404);
    understood(&fixture, with("GET /hello/", ""), 404);
    understood(&fixture, with("GET /HELLO", ""), 404);
    understood(&fixture, with("GET /hello%2F", ""), 404);
    understood(&fixture, with("GET /hel%6co", ""), 200);
    understood(&fixture, with("GET /hello?x=/y", ""), 200);
    let reply = understood(&fixture, with("DELETE /echo", ""), 405);
    assert_eq!(reply.allow(), ["OPTIONS", "POST"]);
}

#[test]
fn s15_6_2_what_no_route_could_know_is_501() {
    let fixture = Fixture::new();
    let request = with("POST /echo", "Transfer-Encoding: gzip, chunked\r\n");
    refused(&fixture, request + "0\r\n\r\n", &[501]);
}

#[test]
fn s9_3_2_a_refused_head_has_no_content_either() {
    let fixture = Fixture::new();
    for fields in ["Content-Length: x\r\n", "Bad Name: x\r\n", "Transfer-Encoding: x\r\n"] {
        let reply = refused(&fixture, with("HEAD /hello", fields), &[400, 501]);
        assert!(reply.body.is_empty());
    }
    refused(&fixture, "HEAD /hello HTTP/1.1\r\n\r\n", &[400]);
}
