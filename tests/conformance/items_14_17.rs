//! What new servers get wrong, 14 to 17: refusals, 100, closing, order.

use crate::common::{HELLO, ask, refused, understood, with};
use crate::support::app::LARGE;
use crate::support::{Client, Fixture, expect_pattern};
use onepoll::Config;

#[test]
fn item_14_an_early_refusal_can_be_read_by_the_client() {
    let fixture = Fixture::new();
    let readable = |mut client: Client, status: u16| {
        let reply = client.reply().expect(status);
        if reply.closes() {
            client.expect_closed();
        } else {
            client.send(HELLO).reply().expect(200); // the rest was read away
        }
    };
    let body = "x".repeat(40_000);
    for _ in 0..20 {
        for (request, status) in [
            (with("POST /small", "Content-Length: 40000\r\n") + &body, 413),
            (with("POST /echo", "Content-Length: +1\r\n") + &body, 400),
            (format!("NONSENSE\r\n\r\n{body}"), 400),
            (with("GET /hello", "Expect: nonsense\r\nContent-Length: 40000\r\n") + &body, 417),
            (with("POST /echo", "Transfer-Encoding: chunked\r\n") + "x\r\n" + &body, 400),
        ] {
            let mut client = fixture.client();
            client.try_send(request).ok();
            readable(client, status);
        }
    }
    // More comes after the answer was sent, before it is read.
    for _ in 0..20 {
        let mut client = fixture.client();
        client.send(with("POST /small", "Content-Length: 40000\r\n"));
        for piece in body.as_bytes().chunks(4000) {
            client.try_send(piece).ok();
        }
        readable(client, 413);
    }
}

#[test]
fn item_15_100_only_when_the_body_is_wanted() {
    let fixture = Fixture::new();
    let expecting =
        |line: &str, fields: &str| with(line, &format!("Expect: 100-continue\r\n{fields}"));
    for path in ["/echo", "/inline", "/blocking", "/after-body/1"] {
        for value in ["100-continue", "100-Continue", " 100-CONTINUE\t"] {
            let mut client = fixture.client();
            let fields = format!("Expect:{value}\r\nContent-Length: 5\r\n");
            client.send(with(&format!("POST {path}"), &fields));
            client.reply().expect(100);
            client.send("hello");
            client.reply().expect(200);
            client.send(HELLO);
            client.reply().expect(200);
        }
    }
    // No 100 where the final status is known, and nobody waits for the body.
    for (line, status) in [
        ("POST /nowhere", 404),
        ("PUT /hello", 405),
        ("POST /small", 413),
        ("POST /early", 200),
        ("GET /hello", 200),
    ] {
        let (reply, mut client) = ask(&fixture, expecting(line, "Content-Length: 100\r\n"));
        reply.expect(status);
        // Whether the body comes or not can't be known: so this is the end.
        client.expect_closed();
    }
    // Never to 1.0.
    let mut client = fixture.client();
    client.send("POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    client.send("hello");
    assert_eq!(client.last_reply().expect(200).text(), "hello");
    // No hang without a body, or with one that doesn't wait.
    for (request, content) in [
        (expecting("POST /echo", ""), ""),
        (expecting("POST /echo", "Content-Length: 0\r\n"), ""),
        (expecting("POST /echo", "Content-Length: 5\r\n") + "hello", "hello"),
        (expecting("POST /echo", "Transfer-Encoding: chunked\r\n") + "1\r\na\r\n0\r\n\r\n", "a"),
        (expecting("GET /hello", ""), "Hello, World!"),
    ] {
        let (mut reply, mut client) = ask(&fixture, request);
        if reply.status == 100 {
            reply = client.reply();
        }
        assert_eq!(reply.expect(200).text(), content);
    }
    for value in ["foo", "100-continue, foo", "100-continue=1", "200-ok"] {
        let fields = format!("Expect: {value}\r\nContent-Length: 5\r\n");
        refused(&fixture, with("POST /echo", &fields), &[417]);
    }
}

#[test]
fn item_16_close_in_any_spelling_stops_pipelining_and_is_announced() {
    let fixture = Fixture::new();
    for fields in [
        "Connection: close\r\n",
        "Connection: Close\r\n",
        "connection:CLOSE\r\n",
        "Connection: keep-alive, close\r\n",
        "Connection: foo , close, bar\r\n",
        "Connection: ,close\r\n",
        "Connection: keep-alive\r\nConnection: close\r\n",
        "Connection: close\r\nConnection: keep-alive\r\n",
        "Connection:\tclose\t,\r\n",
    ] {
        for line in ["GET /hello", "GET /nowhere", "GET /after/1", "GET /job/1", "GET /bytes/50000"]
        {
            let mut client = fixture.client();
            client.send(format!("{}{HELLO}{HELLO}", with(line, fields)));
            client.last_reply();
        }
    }
    for fields in ["Connection: closed\r\n", "Connection: xclose\r\n", "X-Connection: close\r\n"] {
        understood(&fixture, with("GET /hello", fields), 200);
    }
    // The server's own closing is announced as well.
    let config = Config { requests_per_connection: 3, ..Config::default() };
    let fixture = Fixture::with(config);
    let mut client = fixture.client();
    client.send(HELLO.repeat(5));
    assert!(!client.reply().closes());
    assert!(!client.reply().closes());
    client.last_reply();
}

#[test]
fn item_17_pipelined_answers_stay_in_order() {
    let fixture = Fixture::new();
    let requests = [
        with("GET /number/1", ""),
        with("GET /after/20", ""),
        with("HEAD /hello", ""),
        with("GET /file/100000", ""),
        with("GET /job/5", ""),
        with("GET /nowhere", ""),
        with("POST /echo", "Content-Length: 5\r\n") + "hello",
        with("GET /stream/100000", ""),
        with("POST /early", "Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n0\r\n\r\n",
        with("GET /204", ""),
        with("GET /blocking/100000", ""),
        with("GET /304", ""),
        with("GET /bytes/100000", ""),
        with("HEAD /gate", ""),
        with("PUT /hello", "Content-Length: 3\r\n") + "abc",
        with("GET /number/x", ""),
        "BROKEN\r\n\r\n".to_owned(),
    ];
    let bytes = requests.concat();
    for size in [bytes.len(), 1, 7, 100, 301] {
        let mut client = fixture.client();
        client.send_in_pieces(&bytes, size);
        assert_eq!(client.reply().expect(200).text(), "1");
        assert_eq!(client.reply().expect(200).text(), "after 20");
        client.reply_to("HEAD").expect(200);
        expect_pattern(&client.reply().expect(200).body, 100_000);
        assert_eq!(client.reply().expect(200).text(), "job 5");
        client.reply().expect(404);
        assert_eq!(client.reply().expect(200).text(), "hello");
        expect_pattern(&client.reply().expect(200).body, 100_000);
        assert_eq!(client.reply().expect(200).text(), "early");
        client.reply().expect(204);
        expect_pattern(&client.reply().expect(200).body, 100_000);
        client.reply().expect(304);
        expect_pattern(&client.reply().expect(200).body, 100_000);
        client.reply_to("HEAD").expect(204);
        client.reply().expect(405);
        client.reply().expect(400);
        client.last_reply().expect(400);
    }
}

#[test]
fn item_17_partial_writes_keep_the_order_too() {
    let fixture = Fixture::new();
    let mut client = Client::connect_narrow(fixture.addr());
    let mut asked = 0;
    for n in 0..40 {
        let request = match n % 4 {
            0 => with("GET /bytes/60000", ""),
            1 => with(&format!("GET /number/{n}"), ""),
            2 => with("GET /file/60000", ""),
            _ => with("GET /stream/60000", ""),
        };
        client.send(request);
        asked += 1;
    }
    for n in 0..asked {
        let reply = client.reply().expect(200);
        if n % 4 == 1 {
            assert_eq!(reply.text(), n.to_string());
        } else {
            expect_pattern(&reply.body, 60_000);
        }
    }
    client.send(with("GET /large", ""));
    assert_eq!(client.reply().body.len(), LARGE.len());
}

#[test]
fn item_17_hundreds_of_small_requests_in_one_segment() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    let requests: String = (0..500).map(|n| with(&format!("GET /number/{n}"), "")).collect();
    client.send(requests);
    for n in 0..500 {
        assert_eq!(client.reply().expect(200).text(), n.to_string());
    }
}
