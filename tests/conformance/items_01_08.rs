//! What new servers get wrong, 1 to 8: framing.

use crate::common::{HELLO, ask, chunked, refused, understood, with};
use crate::support::Fixture;

#[test]
fn item_01_content_length_is_digits_only_on_every_method() {
    let fixture = Fixture::new();
    let wrong = [
        "+5",
        "-1",
        "",
        "abc",
        "5 5",
        "0x5",
        "5.0",
        "1e1",
        "5;",
        "5,",
        ",5",
        "5, 6",
        "\"5\"",
        "18446744073709551616",
        "99999999999999999999999999",
        "5\t5",
        "\u{665}",
    ];
    for value in wrong {
        let request = with("POST /echo", &format!("Content-Length: {value}\r\n"));
        refused(&fixture, request + "hello", &[400]);
    }
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"] {
        for fields in [
            "Content-Length: +5\r\n",
            "Content-Length: \r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 18446744073709551616\r\n",
        ] {
            refused(&fixture, with(&format!("{method} /hello"), fields) + "hello", &[400]);
        }
    }
    understood(&fixture, with("POST /echo", "Content-Length: 5\r\n") + "hello", 200);
    understood(&fixture, with("POST /echo", "Content-Length:\t0005 \t\r\n") + "hello", 200);
    assert!(fixture.stats().faults.value() > 50, "faults are counted");
}

#[test]
fn item_02_content_length_with_transfer_encoding_is_refused() {
    let fixture = Fixture::new();
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: identity\r\n",
        "Content-Length: 5\r\ntransfer-encoding:chunked\r\nContent-Length: 5\r\n",
    ] {
        for line in ["POST /echo", "GET /hello", "DELETE /hello"] {
            refused(&fixture, with(line, fields) + "0\r\n\r\n", &[400]);
        }
    }
}

#[test]
fn item_03_transfer_encoding_is_exactly_one_final_chunked() {
    let fixture = Fixture::new();
    let wrong = [
        "identity",
        "gzip",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "xchunked",
        "chunkedx",
        "",
        ",",
        "chunked;q=1",
        "\"chunked\"",
        "chunked, identity",
        "\u{b}chunked",
        "chunk ed",
        "chunked\r\nTransfer-Encoding: chunked",
        "gzip\r\nTransfer-Encoding: chunked",
        "chunked\r\nTransfer-Encoding: identity",
    ];
    for value in wrong {
        for line in ["POST /echo", "GET /hello"] {
            let request = with(line, &format!("Transfer-Encoding: {value}\r\n"));
            refused(&fixture, request + "5\r\nhello\r\n0\r\n\r\n", &[400, 501]);
        }
    }
    // Ending in chunked the length is known, but nobody can decode the rest.
    let unknown = with("POST /echo", "Transfer-Encoding: br, chunked\r\n");
    refused(&fixture, unknown + "0\r\n\r\n", &[501]);
    for value in ["chunked", "Chunked", "CHUNKED", " \tchunked \t"] {
        let request = with("POST /echo", &format!("Transfer-Encoding:{value}\r\n"));
        let reply = understood(&fixture, request + "5\r\nhello\r\n0\r\n\r\n", 200);
        assert_eq!(reply.text(), "hello");
    }
    // RFC 9112 section 6.1: an HTTP/1.0 message can't be chunked.
    let old = "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    refused(&fixture, old, &[400]);
}

#[test]
fn item_04_chunk_sizes_are_hex_and_do_not_overflow() {
    let fixture = Fixture::new();
    for size in ["5", "05", "0000000005", "0000000000000000000005"] {
        let reply =
            understood(&fixture, chunked("/echo", &format!("{size}\r\nhello\r\n0\r\n\r\n")), 200);
        assert_eq!(reply.text(), "hello", "{size}");
    }
    for size in ["a", "A", "0a"] {
        let body = format!("{size}\r\nhellohello\r\n00\r\n\r\n");
        assert_eq!(understood(&fixture, chunked("/echo", &body), 200).text(), "hellohello");
    }
    for size in [
        "",
        "g",
        "5g",
        "0x5",
        "+5",
        "-5",
        " 5",
        "\t5",
        "5 ",
        "5 5",
        "5,",
        "'5'",
        "\u{665}",
        "5h",
        "10000000000000000",
        "FFFFFFFFFFFFFFFFF",
        "100000000000000005",
        "-0",
    ] {
        refused(&fixture, chunked("/echo", &format!("{size}\r\nhello\r\n0\r\n\r\n")), &[400]);
    }
    // It fits into 64 bits, but into no body that is wanted.
    for size in ["FFFFFFFFFFFFFFFF", "7FFFFFFFFFFFFFFF"] {
        refused(&fixture, chunked("/small", &format!("{size}\r\nhello hello")), &[400, 413]);
    }
}

#[test]
fn item_05_chunk_framing_is_crlf_and_extensions_follow_the_grammar() {
    let fixture = Fixture::new();
    let bad_framing = [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5\r\nhello\rX0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\n\r\nhello\r\n0\r\n\r\n",
        "\r\n5\r\nhello\r\n0\r\n\r\n",
        "5\r\r\nhello\r\n0\r\n\r\n",
    ];
    for body in bad_framing {
        refused(&fixture, chunked("/echo", body), &[400]);
    }
    for extension in [
        ";a",
        ";a=b",
        ";a=\"b c\"",
        ";a=\"\\\"q\\\\\"",
        ";a;b=c",
        " ; a = b",
        ";a=\"\"",
        "\t;\ta",
        ";a=\";\"",
    ] {
        let body = format!("5{extension}\r\nhello\r\n0{extension}\r\n\r\n");
        assert_eq!(understood(&fixture, chunked("/echo", &body), 200).text(), "hello");
    }
    for extension in [
        ";",
        ";=b",
        ";a=",
        ";a=\"b",
        ";a b",
        ";a=\u{1}",
        ";a=\"\u{0}\"",
        ";a=b c",
        ";;a",
        "; ;",
        ";a\n",
        ";a\r",
        ";a=\"b\"c",
        ";a@b",
        "a=b",
        ";a=\"\n\"",
        ";a,b",
    ] {
        refused(&fixture, chunked("/echo", &format!("5{extension}\r\nhello\r\n0\r\n\r\n")), &[400]);
    }
}

#[test]
fn item_06_extensions_and_trailers_are_bounded_and_never_affect_framing() {
    let fixture = Fixture::new();
    let long = format!("1;a={}\r\nx\r\n", "b".repeat(5000));
    refused(&fixture, chunked("/echo", &long.repeat(5)), &[400]); // 25 kB of them in total
    let trailers = format!("X-T: {}\r\n", "v".repeat(1000)).repeat(20);
    refused(&fixture, chunked("/echo", &format!("0\r\n{trailers}\r\n")), &[431]);
    let endless = "1\r\nx\r\n".repeat(100);
    refused(&fixture, chunked("/small", &endless), &[413]);
    for trailer in [
        "Bad Name: x",
        "NoColon",
        " folded: x",
        "A : b",
        ": v",
        "A: b\r\n folded",
        "A: \u{0}",
        "A: b\rc",
        "A\u{e9}: b",
    ] {
        let body = format!("5\r\nhello\r\n0\r\n{trailer}\r\n\r\n");
        refused(&fixture, chunked("/echo", &body), &[400]);
    }
    let body = "5\r\nhello\r\n0\r\nX-Sum: 42\r\nContent-Length: 999\r\nHost: evil\r\n\
                Transfer-Encoding: gzip\r\nConnection: close\r\nAuthorization: x\r\n\
                Content-Type: a/b\r\nX-More:  \r\n\r\n";
    let reply = understood(&fixture, chunked("/trailers", body), 200);
    assert_eq!(reply.text(), "5\nx-sum: 42\nx-more: \n");
}

#[test]
fn item_07_after_an_error_nothing_more_is_parsed() {
    let fixture = Fixture::new();
    // What looks like a request within the refused one is none: `refused` sends
    // a good one behind each, and there must be one answer.
    let inner = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    for broken in [
        format!("BROKEN\r\n\r\n{inner}"),
        format!("GET /hello HTTP/1.1\r\n\r\n{inner}"),
        format!("GET /hello HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n{inner}"),
        format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n{inner}"),
        format!("{}{inner}", chunked("/echo", "zz\r\n")),
        format!("\u{16}\u{3}\u{1}\u{0}{inner}"), // the beginning of a TLS handshake
    ] {
        refused(&fixture, broken, &[400]);
    }
    assert_eq!(fixture.seen.handled.load(std::sync::atomic::Ordering::Relaxed), 0);
    // Good requests before a bad one are answered, in order.
    let mut client = fixture.client();
    client.send(format!("{HELLO}{HELLO}GET\r\n\r\n{HELLO}"));
    client.reply().expect(200);
    client.reply().expect(200);
    client.last_reply().expect(400);
    // The body breaks after its answer: no second answer to the same request.
    let mut client = fixture.client();
    client.send(chunked("/early", "5\r\nhel"));
    client.reply().expect(200);
    client.try_send("loXX").ok();
    let rest = client.expect_ended();
    assert!(rest.is_empty(), "{}", rest.escape_ascii());
}

#[test]
fn item_08_bodies_that_nobody_reads_are_drained_or_the_connection_closes() {
    let fixture = Fixture::new();
    for (line, status) in [
        ("POST /nowhere", 404),
        ("PUT /hello", 405),
        ("GET /304", 304),
        ("GET /redirect", 303),
        ("GET /hello", 200),
        ("HEAD /hello", 200),
        ("OPTIONS /hello", 204),
        ("DELETE /hello", 405),
        ("POST /early", 200),
        ("GET /after/1", 200),
        ("GET /job/1", 200),
    ] {
        for (fields, body) in [
            ("Content-Length: 36\r\n", "GET /smuggled HTTP/1.1\r\nHost: evil\r\n"),
            ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n"),
        ] {
            let head = with(line, fields);
            for together in [true, false] {
                let mut client = fixture.client();
                client.send(if together { format!("{head}{body}{HELLO}") } else { head.clone() });
                let method = line.split(' ').next().unwrap_or("");
                let reply = client.reply_to(method);
                let ok = reply.status == status || (status == 204 && reply.status == 200);
                assert!(ok, "{line} {fields:?}: {}", reply.status);
                if !together {
                    client.try_send(format!("{body}{HELLO}")).ok();
                }
                if reply.closes() {
                    client.expect_closed();
                } else {
                    assert_eq!(client.reply().text(), "Hello, World!", "{line} {fields:?}");
                }
            }
        }
    }
}

#[test]
fn item_08_too_long_a_body_that_nobody_reads_ends_the_connection() {
    let fixture = Fixture::new();
    for line in ["POST /nowhere", "PUT /hello", "GET /hello", "POST /early", "OPTIONS /hello"] {
        let head = with(line, "Content-Length: 100000000\r\n");
        let (reply, mut client) = ask(&fixture, head);
        assert!(reply.closes(), "{line}: it is known that the end comes: {reply:?}");
        client.expect_closed();
        // Chunked, it turns out later.
        let mut client = fixture.client();
        client.send(with(line, "Transfer-Encoding: chunked\r\n"));
        client.reply();
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(4096));
        let mut sent = 0;
        while client.try_send(&chunk).is_ok() {
            sent += 1;
            assert!(sent < 20_000, "{line}: 80 MB of unwanted content were read");
        }
    }
}
