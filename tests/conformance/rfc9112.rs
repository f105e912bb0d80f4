//! RFC 9112, HTTP/1.1: what the items leave open.

use crate::common::{HELLO, ask, chunked, refused, understood, with};
use crate::support::{Ending, Fixture, Framing, expect_pattern, until};
use onepoll::http::End;

#[test]
fn s2_1_any_segmentation_of_a_request_gives_the_same_answer() {
    let fixture = Fixture::new();
    let request = chunked("/echo", "5;x=y\r\nhello\r\n00\r\nT: 1\r\n\r\n");
    for cut in 1..request.len() {
        let mut client = fixture.client();
        client.send(&request[..cut]);
        client.send(&request[cut..]);
        assert_eq!(client.reply().expect(200).text(), "hello", "cut at {cut}");
        client.send(HELLO).reply().expect(200);
    }
}

#[test]
fn s2_2_an_empty_line_before_the_request_line_is_ignored() {
    let fixture = Fixture::new();
    understood(&fixture, format!("\r\n{HELLO}"), 200);
    // As by clients that send a CRLF behind a body.
    let post = with("POST /echo", "Content-Length: 5\r\n");
    understood(&fixture, format!("{post}hello\r\n"), 200);
    // But not for ever.
    let mut client = fixture.client();
    client.try_send("\r\n".repeat(10_000)).ok();
    client.expect_ended();
}

#[test]
fn s2_3_replies_are_of_1_1_whatever_was_asked() {
    // The reader of heads insists on `HTTP/1.1`.
    let fixture = Fixture::new();
    for request in [
        "GET /hello HTTP/1.0\r\n\r\n",
        "GET /hello HTTP/1.7\r\nHost: a\r\n\r\n",
        "X / HTTP/3.0\r\n\r\n",
    ] {
        ask(&fixture, request);
    }
}

#[test]
fn s3_2_2_an_absolute_target_wins_over_host() {
    let fixture = Fixture::new();
    let request = "GET http://b.example:81/mirror HTTP/1.1\r\nHost: a\r\n\r\n";
    let reply = understood(&fixture, request, 200);
    assert!(reply.text().starts_with("GET /mirror - b.example:81 "), "{}", reply.text());
}

#[test]
fn s3_2_4_options_of_the_server_as_a_whole() {
    let fixture = Fixture::new();
    let reply = understood(&fixture, with("OPTIONS *", "Content-Length: 0\r\n"), 204);
    assert!(reply.body.is_empty());
}

#[test]
fn s3_1_methods_are_case_sensitive_and_extensible() {
    let fixture = Fixture::new();
    for method in ["PURGE", "get", "M-SEARCH", "X!#$%&'*+.^_`|~9", "PROPFIND", "UPDATEREDIRECTREF"]
    {
        let reply = understood(&fixture, with(&format!("{method} /mirror"), ""), 200);
        assert!(reply.text().starts_with(&format!("{method} /mirror ")), "{}", reply.text());
    }
    let reply = understood(&fixture, with("get /hello", ""), 405);
    assert_eq!(reply.allow(), ["GET", "HEAD", "OPTIONS", "POST"]);
}

#[test]
fn s5_1_fields_keep_order_case_and_inner_space() {
    let fixture = Fixture::new();
    let fields = "X-A: 1\r\nx-b:2\r\nX-A:  3 \t 4\t\r\nX-Empty:\r\nX-Obs: \u{e9}\r\n";
    let reply = understood(&fixture, with("GET /mirror", fields), 200);
    let (_, seen) = reply.text().split_once('\n').unwrap();
    assert_eq!(seen, "host: a\nx-a: 1\nx-b: 2\nx-a: 3 \\t 4\nx-empty: \nx-obs: \\xc3\\xa9\n");
}

#[test]
fn s6_1_both_framings_of_requests_deliver_the_same_content() {
    let fixture = Fixture::new();
    for len in [0, 1, 100, 4095, 4096, 4097, 65_535, 65_536, 65_537, 1_000_000] {
        let body = crate::support::pattern(len);
        let mut client = fixture.client();
        client.send(with("POST /echo", &format!("Content-Length: {len}\r\n"))).send(&body);
        expect_pattern(&client.reply().expect(200).body, len);
        client.send(with("POST /echo", "Transfer-Encoding: chunked\r\n"));
        for chunk in body.chunks(30_011) {
            client.send(format!("{:x}\r\n", chunk.len())).send(chunk).send("\r\n");
        }
        client.send("0\r\n\r\n");
        expect_pattern(&client.reply().expect(200).body, len);
    }
}

#[test]
fn s6_3_replies_without_content_have_none() {
    // HEAD, 204 and 304 are followed at once by the next reply: `understood`.
    let fixture = Fixture::new();
    for path in ["/hello", "/bytes/100000", "/file/100000", "/stream/100000", "/sized/100000"] {
        let head = understood(&fixture, with(&format!("HEAD {path}"), ""), 200);
        let get = understood(&fixture, with(&format!("GET {path}"), ""), 200);
        assert_eq!(head.names(), get.names(), "{path}");
        assert_eq!(head.get("content-length"), get.get("content-length"), "{path}");
    }
    understood(&fixture, with("HEAD /nowhere", ""), 404);
    understood(&fixture, with("HEAD /204", ""), 204);
    understood(&fixture, with("GET /204", ""), 204);
    understood(&fixture, with("GET /304", ""), 304);
    understood(&fixture, with("HEAD /after/1", ""), 200);
    understood(&fixture, with("HEAD /job/1", ""), 200);
}

#[test]
fn s6_3_a_request_without_framing_has_no_content() {
    let fixture = Fixture::new();
    for line in ["POST /echo", "PUT /mirror", "GET /hello", "DELETE /mirror"] {
        understood(&fixture, with(line, ""), 200);
    }
}

#[test]
fn s7_1_streams_of_unknown_length_are_chunked_and_complete() {
    let fixture = Fixture::new();
    for len in [0, 1, 4096, 65_536, 65_537, 1_000_000] {
        for path in ["stream", "blocking"] {
            let reply = understood(&fixture, with(&format!("GET /{path}/{len}"), ""), 200);
            assert_eq!(reply.framing, Framing::Chunked);
            expect_pattern(&reply.body, len);
        }
        let reply = understood(&fixture, with(&format!("GET /sized/{len}"), ""), 200);
        assert_eq!(reply.framing, Framing::Length(len));
        expect_pattern(&reply.body, len);
    }
}

#[test]
fn s7_1_2_trailers_are_kept_apart_from_the_headers() {
    let fixture = Fixture::new();
    let request = chunked("/mirror", "0\r\nX-Late: 1\r\n\r\n");
    let reply = understood(&fixture, request, 200);
    assert!(!reply.text().contains("x-late"), "{}", reply.text());
}

#[test]
fn s8_content_that_falls_short_or_fails_is_visibly_incomplete() {
    let fixture = Fixture::new();
    for path in ["/liar/1001", "/failing", "/blocking-failing"] {
        let mut client = fixture.client();
        client.send(with(&format!("GET {path}"), "")).send(HELLO);
        let cut = client.try_reply_to("GET");
        assert!(cut.is_err(), "{path} looks complete: {cut:?}");
        fixture.expect_end(path, End::Cut, 1);
    }
    // More than was said: not a byte of it.
    let mut client = fixture.client();
    client.send(with("GET /liar/999", "")).send(HELLO);
    let rest = client.expect_ended();
    assert!(rest.len() < 1400, "{} bytes", rest.len());
    assert!(!rest.ends_with(b"Hello, World!"));
    // To 1.0 only a reset can say it.
    let mut client = fixture.client();
    client.send("GET /failing HTTP/1.0\r\n\r\n");
    client.head();
    client.expect_ended();
    until("the end", || fixture.stats().open.value() == 0);
}

/// Part of a cut reply once went out to whoever was served next.
#[test]
fn s8_what_is_left_of_a_cut_reply_reaches_nobody_else() {
    let fixture = Fixture::new();
    let mut others: Vec<_> = (0..8).map(|_| fixture.client()).collect();
    for _ in 0..20 {
        let mut cut = fixture.client();
        cut.send(with("GET /blocking-failing", ""));
        for other in &mut others {
            other.send(HELLO);
        }
        assert!(cut.try_reply_to("GET").is_err());
        for other in &mut others {
            assert_eq!(other.reply().expect(200).text(), "Hello, World!");
        }
    }
}

#[test]
fn s8_an_incomplete_request_is_never_handled() {
    let fixture = Fixture::new();
    for (framing, part) in [
        ("Content-Length: 10\r\n", "hello"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhel"),
    ] {
        for path in ["/echo", "/inline", "/blocking"] {
            let mut client = fixture.client();
            client.send(with(&format!("POST {path}"), framing) + part).half_close();
            let (rest, _) = client.rest();
            assert!(!rest.starts_with(b"HTTP/1.1 2"), "{path}: {}", rest.escape_ascii());
        }
    }
    until("lost sinks dropped", || {
        fixture.seen.sinks_dropped.load(std::sync::atomic::Ordering::Relaxed) == 8
    });
    assert_eq!(fixture.seen.sinks_finished.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[test]
fn s9_3_connections_persist() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    for _ in 0..200 {
        assert!(!client.send(HELLO).reply().expect(200).closes());
    }
    assert_eq!(fixture.stats().accepted.value(), 1);
    assert_eq!(fixture.stats().requests.value(), 200);
}

#[test]
fn s9_6_close_in_a_reply_is_followed_by_the_end() {
    let fixture = Fixture::new();
    for path in ["/hello", "/bytes/100000", "/stream/100000", "/file/100000", "/204", "/nowhere"] {
        let (_, mut client) = ask(&fixture, with(&format!("GET {path}"), "Connection: close\r\n"));
        assert_eq!(client.rest(), (Vec::new(), Ending::Eof), "{path}");
    }
    fixture.expect_open(0);
}

#[test]
fn s9_6_a_panic_is_a_500_and_the_server_lives() {
    let fixture = Fixture::new();
    for path in ["/panic", "/panicking-job"] {
        let (reply, mut client) = ask(&fixture, with(&format!("GET {path}"), ""));
        assert!(reply.expect(500).closes());
        client.expect_closed();
    }
    understood(&fixture, HELLO, 200);
}

#[test]
fn s11_2_a_smuggled_request_is_never_answered() {
    // Known tricks: each is refused, or its inner request is mere content.
    let fixture = Fixture::new();
    let inner = "GET /hello HTTP/1.1\r\nHost: evil\r\n\r\n";
    for framing in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 6\r\nTransfer-Encoding : chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "X: y\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 0\r\nContent-Length: 40\r\n",
        "Content-Length: 0, 40\r\n",
        "Content-Length : 0\r\n",
        "\u{0}Content-Length: 0\r\n",
        "Content_Length: 0\r\nContent-Length: 0x28\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
    ] {
        refused(&fixture, with("POST /early", framing) + "0\r\n\r\n" + inner, &[400, 501]);
    }
    assert_eq!(fixture.seen.handled.load(std::sync::atomic::Ordering::Relaxed), 0);
}
