//! What new servers get wrong, 18 to 22: ends, fields, deadlines, memory.

use crate::common::{HELLO, ask, refused, with};
use crate::support::app::{LARGE, app};
use crate::support::child::{self, Process};
use crate::support::{Client, Ending, Fixture, Gate, expect_pattern, until};
use onepoll::{Config, Server};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn item_18_a_half_closed_client_still_gets_its_answers() {
    let fixture = Fixture::new();
    let expect = |client: &mut Client, path: &str, len: usize| {
        let reply = client.reply().expect(200);
        assert_eq!(reply.body.len(), len, "{path}");
        client.expect_closed();
    };
    for (path, len) in [
        ("/hello", 13),
        ("/after/50", 8),
        ("/job/1", 5),
        ("/bytes/3000000", 3_000_000),
        ("/file/3000000", 3_000_000),
        ("/sized/3000000", 3_000_000),
        ("/large", LARGE.len()),
    ] {
        let request = with(&format!("GET {path}"), "");
        // The FIN right behind the request, mostly in one event with it.
        let mut client = fixture.client();
        client.send(&request).half_close();
        expect(&mut client, path, len);
        // The FIN once the answer has begun.
        let mut client = Client::connect_narrow(fixture.addr());
        client.send(&request);
        until("the beginning of the answer", || !client.is_silent());
        client.half_close();
        expect(&mut client, path, len);
    }
    let mut client = fixture.client();
    let post = with("POST /echo", "Content-Length: 100000\r\n") + &"x".repeat(100_000);
    client.send(post).half_close();
    expect(&mut client, "/echo", 100_000);
    // All of a batch, though the FIN came with it.
    let mut client = fixture.client();
    let batch = [HELLO, &with("GET /bytes/1000000", ""), &with("GET /job/7", ""), HELLO].concat();
    client.send(batch).half_close();
    client.reply().expect(200);
    expect_pattern(&client.reply().expect(200).body, 1_000_000);
    assert_eq!(client.reply().text(), "job 7");
    assert_eq!(client.reply().text(), "Hello, World!");
    client.expect_closed();
    // Half of a request and the end: there is nobody to answer.
    for part in ["GET /hello HTT", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel"]
    {
        let mut client = fixture.client();
        client.send(part).half_close();
        client.expect_closed();
    }
    fixture.expect_open(0);
}

#[test]
fn item_19_date_on_each_answer_allow_on_405_no_single_field_twice() {
    // What is checked of every reply in these tests is checked when its head is
    // read; here is one of each kind.
    let fixture = Fixture::new();
    for (request, status) in [
        (HELLO.to_owned(), 200),
        (with("HEAD /hello", ""), 200),
        (with("GET /204", ""), 204),
        (with("GET /redirect", ""), 303),
        (with("GET /304", ""), 304),
        (with("GET /number/x", ""), 400),
        (with("GET /nowhere", ""), 404),
        (with("DELETE /hello", ""), 405),
        (with("GET /panic", ""), 500),
        (with("GET /panicking-job", ""), 500),
        (with("POST /full-disk", "Content-Length: 1\r\n") + "x", 507),
        (with("POST /broken-disk", "Content-Length: 1\r\n") + "x", 500),
    ] {
        let (reply, _) = ask(&fixture, &request);
        let reply = reply.expect(status);
        assert!(reply.get("date").is_some() && reply.get("server").is_some(), "{reply:?}");
    }
    for (request, status) in [
        ("BROKEN\r\n\r\n".to_owned(), 400),
        (with("POST /small", "Transfer-Encoding: chunked\r\n") + "b\r\nhello hello", 413),
        (with(&format!("GET /{}", "x".repeat(9000)), ""), 414),
        (with("POST /echo", "Expect: x\r\nContent-Length: 5\r\n"), 417),
        (with("GET /hello", &"X: y\r\n".repeat(101)), 431),
        (with("POST /echo", "Transfer-Encoding: br, chunked\r\n"), 501),
        ("GET / HTTP/2.0\r\n\r\n".to_owned(), 505),
    ] {
        let reply = refused(&fixture, &request, &[status]);
        assert!(reply.get("date").is_some() && reply.get("server").is_some(), "{reply:?}");
    }
    let (reply, _) = ask(&fixture, with("DELETE /hello", ""));
    assert_eq!(reply.allow(), ["GET", "HEAD", "OPTIONS", "POST"]);
    let (reply, _) = ask(&fixture, with("OPTIONS /hello", ""));
    assert_eq!(reply.allow(), ["GET", "HEAD", "OPTIONS", "POST"]);
}

#[test]
fn item_20_the_head_has_one_deadline_and_empty_lines_are_no_activity() {
    let short = Duration::from_millis(400);
    let config = Config {
        head_timeout: short,
        first_timeout: short,
        idle_timeout: short,
        ..Config::default()
    };
    let fixture = Fixture::with(config);
    // Trickling doesn't extend it, on the first request and on later ones.
    for requests in [0, 1, 3] {
        let mut client = fixture.client();
        for _ in 0..requests {
            client.send(HELLO).reply().expect(200);
        }
        client.send("GET /hello HTTP/1.1\r\nHost: a\r\nX: ");
        let mut sent = 0;
        while client.is_silent() {
            assert!(sent < 2000, "trickling goes on for ever");
            client.try_send("x").ok();
            std::thread::sleep(Duration::from_millis(20)); // the pace of the attack
            sent += 1;
        }
        client.last_reply().expect(408);
    }
    // Empty lines are no request, and keep no connection.
    for requests in [0, 1] {
        let mut client = fixture.client();
        for _ in 0..requests {
            client.send(HELLO).reply().expect(200);
        }
        let mut sent = 0;
        while client.is_silent() {
            assert!(sent < 2000, "empty lines keep a connection");
            client.try_send("\r\n").ok();
            std::thread::sleep(Duration::from_millis(150)); // less than any deadline
            sent += 1;
        }
        client.expect_ended();
    }
}

#[test]
fn item_21_memory_for_unread_answers_is_bounded() {
    let fixture = Fixture::new();
    let mut clients = Vec::new();
    for _ in 0..4 {
        let client = Client::connect_narrow(fixture.addr());
        client.stream().set_write_timeout(Some(Duration::from_millis(300))).expect("an option");
        clients.push(client);
    }
    let requests = with("GET /bytes/50000", "").repeat(1000);
    for client in &mut clients {
        // Taken as far as the sockets buffer it; then the server reads no more.
        let mut stuck = false;
        for _ in 0..1000 {
            stuck |= client.try_send(&requests).is_err();
            if stuck {
                break;
            }
        }
        assert!(stuck, "a server that takes 50 MB of requests without an answer read");
    }
    let lent = fixture.stats().buffers.value();
    assert!(lent < 4 << 20, "{lent} bytes of buffers for four clients that don't read");
    fixture.client().send(HELLO).reply().expect(200);
}

#[test]
fn item_21_memory_for_declared_uploads_is_what_arrived() {
    let fixture = Fixture::new();
    let mut clients: Vec<Client> = (0..50).map(|_| fixture.client()).collect();
    for client in &mut clients {
        client.send(with("POST /echo", "Content-Length: 67108864\r\n") + "hello");
    }
    until("all heads", || fixture.stats().requests.value() == 50);
    fixture.client().send(HELLO).reply().expect(200);
    let lent = fixture.stats().buffers.value();
    assert!(lent < 2 << 20, "{lent} bytes of buffers for 250 bytes of content");
}

#[test]
fn item_21_buffers_together_are_bounded_and_uploads_wait_for_their_turn() {
    let config = Config { buffers_max: 2 << 20, ..Config::default() };
    let fixture = Fixture::with(config);
    // Four unfinished uploads of 1 MB each don't fit together.
    let mut clients: Vec<Client> = (0..4).map(|_| fixture.client()).collect();
    for client in &mut clients {
        client.stream().set_write_timeout(Some(Duration::from_millis(300))).expect("an option");
        client.send(with("POST /echo", "Content-Length: 1000001\r\n"));
        client.try_send(vec![b'x'; 1_000_000]).ok();
    }
    until("memory in use", || fixture.stats().buffers.value() > 1 << 20);
    let lent = fixture.stats().buffers.value();
    assert!(lent < 3 << 20, "{lent} bytes of buffers where 2 MiB are allowed");
    // Whoever leaves makes room for those who wait.
    clients.into_iter().for_each(Client::reset);
    fixture.expect_open(0);
    let mut client = fixture.client();
    client.send(with("POST /echo", "Content-Length: 1000000\r\n"));
    client.send(vec![b'x'; 1_000_000]);
    assert_eq!(client.reply().expect(200).body.len(), 1_000_000);
}

#[test]
fn item_22_no_descriptor_is_left_behind_by_resets() {
    let mut server = Process::spawn("items_18_22::child", "serve", "");
    let to = server.address();
    Client::connect(to).send(HELLO).reply().expect(200);
    server.say("idle");
    assert_eq!(server.line(), "idle");
    let before = server.descriptors();
    for round in 0..300 {
        let mut client = Client::connect_narrow(to);
        let request = match round % 10 {
            0 => String::new(),
            1 => "GET /hel".to_owned(),
            2 => with("POST /echo", "Content-Length: 100\r\n") + "part",
            3 => with("GET /after/100000", ""),
            4 => with("GET /large", ""),
            5 => with("GET /ticks/10", ""),
            6 => with("GET /file/1000000", ""),
            7 => with("POST /blocking", "Content-Length: 100000\r\n") + "part",
            8 => with("GET /blocking/10000000", ""),
            _ => "BROKEN\r\n\r\n".to_owned(),
        };
        client.send(request);
        // Of one that sleeps an end in order is no reason to forget it.
        if round % 20 >= 10 || round % 10 == 3 {
            client.reset();
        } else if matches!(round % 10, 4 | 6) {
            client.skip(1);
        }
    }
    server.say("idle");
    assert_eq!(server.line(), "idle");
    assert_eq!(server.descriptors(), before);
}

/// The other process of `item_22`, when it is that.
#[test]
fn child() {
    let Some((role, _)) = child::role() else { return };
    assert_eq!(role, "serve");
    let (seen, gate) = (Arc::default(), Gate::default());
    let server = Server::bind("127.0.0.1:0").expect("a port");
    let server = server.spawn(move || app(&seen, &gate)).expect("a server");
    child::tell(&server.local_addr().to_string());
    while child::told().is_some() {
        until("all clients gone", || server.handle().stats().open.value() == 0);
        child::tell("idle");
    }
}

#[test]
fn item_22_an_ending_is_an_eof_and_no_reset() {
    // The client's view of the same: whatever was asked, the end is in order.
    let fixture = Fixture::new();
    for request in [
        with("GET /hello", "Connection: close\r\n"),
        with("GET /hello", "Connection: close\r\n") + HELLO,
        with("POST /early", "Connection: close\r\nContent-Length: 1000\r\n") + "part",
        "BROKEN\r\n\r\nand more".to_owned(),
    ] {
        let mut client = fixture.client();
        client.send(request);
        client.reply();
        assert_eq!(client.rest(), (Vec::new(), Ending::Eof));
    }
}
