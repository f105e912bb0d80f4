//! HTTPS over sockets, with another side of the same library, curl and openssl.

#[path = "tls/certificates.rs"]
mod certificates;
#[path = "tls/rough.rs"]
mod rough;
mod support;
#[path = "tls/tools.rs"]
mod tools;

use onepoll::Config;
use onepoll::http::End;
use onepoll::net::tls::rustls;
use onepoll::stats::{Close, HandshakeFailure};
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, SupportedProtocolVersion};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use support::tls::{Session, shared, usual};
use support::{Client, Ending, Fixture, PATIENCE, expect_pattern, pattern, until};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

fn fixture() -> Fixture {
    Fixture::tls(Config::default(), shared())
}

#[track_caller]
fn connect(fixture: &Fixture) -> TcpStream {
    let tcp = TcpStream::connect(fixture.addr()).expect("connecting");
    tcp.set_read_timeout(Some(PATIENCE)).expect("an option");
    tcp.set_nodelay(true).expect("an option");
    tcp
}

#[track_caller]
fn client(fixture: &Fixture) -> Client {
    Client::secure(connect(fixture), usual(), "localhost").expect("a handshake")
}

fn of_version(version: &'static SupportedProtocolVersion) -> Arc<rustls::ClientConfig> {
    support::tls::Client { versions: vec![version], ..Default::default() }.config()
}

fn failures(fixture: &Fixture, why: HandshakeFailure) -> u64 {
    fixture.stats().handshake_failures.of(why)
}

#[test]
fn both_versions_bring_every_kind_of_reply() {
    for version in VERSIONS {
        let fixture = fixture();
        let tcp = connect(&fixture);
        let mut client = Client::secure(tcp, &of_version(version), "localhost").expect("shaken");
        assert_eq!(client.session().inner.protocol_version(), Some(version.version));
        assert_eq!(client.ask("GET /hello", &[]).text(), "Hello, World!");
        assert_eq!(client.ask("GET /secure", &[]).text(), "true\n");
        for path in ["bytes", "file", "stream", "sized", "blocking"] {
            let reply = client.ask(&format!("GET /{path}/1000003"), &[]);
            expect_pattern(&reply.body, 1_000_003);
        }
        let content = pattern(700_001);
        for path in ["echo", "inline", "blocking"] {
            client.send(format!(
                "POST /{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
                content.len()
            ));
            client.send(&content);
            let reply = client.reply();
            if path == "echo" {
                expect_pattern(&reply.body, content.len());
            } else {
                assert_eq!(reply.text(), "700001 true", "{path}");
            }
        }
        assert_eq!(client.ask("GET /hello", &["Connection: close"]).status, 200);
        client.expect_closed(); // with close_notify
        assert_eq!(fixture.stats().handshakes.value(), 1);
    }
}

#[test]
fn a_file_arrives_at_a_slow_reader() {
    const LEN: usize = 8 << 20;
    let fixture = fixture();
    let narrow = Client::connect_bare_narrow(fixture.addr());
    let mut client = Client::secure(narrow, usual(), "localhost").expect("a handshake");
    client.send(format!("GET /file/{LEN} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
    let mut others = self::client(&fixture);
    let reply = client.head();
    assert_eq!(reply.status, 200);
    let mut content = Vec::new();
    while content.len() < LEN {
        // Small pieces, and somebody else is served between them.
        content.extend(client.take(100_003.min(LEN - content.len())));
        assert_eq!(others.ask("GET /hello", &[]).status, 200);
    }
    expect_pattern(&content, LEN);
    assert_eq!(client.ask("GET /hello", &[]).status, 200);
}

#[test]
fn pipelined_requests_in_one_record_and_in_many() {
    let fixture = fixture();
    let mut client = client(&fixture);
    let many: String =
        (0..200).map(|n| format!("GET /number/{n} HTTP/1.1\r\nHost: x\r\n\r\n")).collect();
    for size in [many.len(), 1000, 7, 1] {
        for piece in many.as_bytes().chunks(size) {
            client.send(piece);
        }
        for n in 0..200 {
            assert_eq!(client.reply().text(), n.to_string());
        }
    }
}

/// All that the client would send, cut anywhere: nobody else minds.
#[test]
fn a_handshake_is_cut_at_every_byte() {
    for version in VERSIONS {
        let (fixture, config) = (fixture(), of_version(version));
        let (mut cut_at, mut cuts) = (0, 0);
        loop {
            let mut tcp = connect(&fixture);
            let mut session = Session::begin(&config, "localhost");
            let whole = shake_until(&mut session, &mut tcp, cut_at);
            if whole {
                break;
            }
            cuts += 1;
            // In one of three ways.
            match cut_at % 3 {
                0 => drop(tcp),
                1 => {
                    tcp.shutdown(Shutdown::Write).expect("half-closing");
                    let _ = tcp.read_to_end(&mut Vec::new());
                }
                _ => {
                    let linger = Some(Duration::ZERO);
                    socket2::SockRef::from(&tcp).set_linger(linger).expect("SO_LINGER");
                }
            }
            cut_at += 1;
        }
        assert!(cuts > 250, "only {cuts} places to cut at");
        fixture.expect_open(0);
        assert_eq!(failures(&fixture, HandshakeFailure::Left), cuts);
        assert_eq!(fixture.stats().closes.of(Close::Handshake), cuts);
        assert_eq!(client(&fixture).ask("GET /hello", &[]).status, 200);
    }
}

/// Sends that many bytes of a handshake; whether it came to its end by them.
fn shake_until(session: &mut Session, tcp: &mut TcpStream, mut left: usize) -> bool {
    let inner = &mut session.inner;
    loop {
        let mut flight = Vec::new();
        while inner.wants_write() {
            inner.write_tls(&mut flight).expect("a vector takes all");
        }
        let some = flight.len().min(left);
        tcp.write_all(&flight[..some]).expect("sending");
        left -= some;
        if some < flight.len() {
            return false;
        }
        if !inner.is_handshaking() {
            return true;
        }
        inner.read_tls(tcp).expect("the server goes on");
        inner.process_new_packets().expect("the server makes no mistake");
    }
}

#[test]
fn everything_comes_byte_by_byte() {
    for version in VERSIONS {
        let fixture = fixture();
        let mut tcp = connect(&fixture);
        let mut session = Session::begin(&of_version(version), "localhost");
        let mut asked = false;
        let mut reply = Vec::new();
        while !reply.ends_with(b"Hello, World!") {
            let inner = &mut session.inner;
            if !inner.is_handshaking() && !asked {
                inner.writer().write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").expect("room");
                asked = true;
            }
            let mut bytes = Vec::new();
            while inner.wants_write() {
                inner.write_tls(&mut bytes).expect("a vector takes all");
            }
            for byte in bytes {
                tcp.write_all(&[byte]).expect("sending");
            }
            if inner.is_handshaking() || asked {
                // A byte at a time as well.
                inner.read_tls(&mut (&mut tcp).take(1)).expect("the server goes on");
                inner.process_new_packets().expect("the server makes no mistake");
                let mut some = [0; 1000];
                if let Ok(count) = inner.reader().read(&mut some) {
                    reply.extend_from_slice(&some[..count]);
                }
            }
        }
    }
}

#[test]
fn a_handshake_has_a_deadline() {
    let config = Config { handshake_timeout: Duration::from_millis(200), ..Config::default() };
    let fixture = Fixture::tls(config, shared());
    let mut silent = connect(&fixture);
    let mut slow = connect(&fixture);
    let mut session = Session::begin(usual(), "localhost");
    assert!(!shake_until(&mut session, &mut slow, 100));
    for tcp in [&mut silent, &mut slow] {
        assert!(matches!(tcp.read(&mut [0; 10]), Ok(0) | Err(_)), "it is told nothing");
    }
    fixture.expect_open(0);
    assert_eq!(failures(&fixture, HandshakeFailure::Timeout), 2);
    assert_eq!(fixture.stats().closes.of(Close::Handshake), 2);
    assert_eq!(fixture.stats().timeouts.value(), 2);
}

#[test]
fn plain_http_is_told_so_in_plain_text() {
    let fixture = fixture();
    for request in ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\r\nGET / HTTP/1.0\r\n\r\n", "g"] {
        let mut client = Client::plain(connect(&fixture));
        client.send(request);
        let reply = client.last_reply();
        assert_eq!(reply.status, 400);
        assert!(reply.text().contains("https://"), "{}", reply.text());
    }
    // More than is read at once: it must not become a reset.
    let mut client = Client::plain(connect(&fixture));
    client.send(format!("POST / HTTP/1.1\r\nContent-Length: 30000\r\n\r\n{}", "x".repeat(30_000)));
    assert_eq!(client.last_reply().status, 400);
    fixture.expect_open(0);
    assert_eq!(failures(&fixture, HandshakeFailure::Plain), 4);
    assert_eq!(fixture.stats().requests.value(), 0);
}

#[test]
fn what_is_no_tls_is_refused() {
    let fixture = fixture();
    let alert = |bytes: &[u8]| {
        let mut tcp = connect(&fixture);
        tcp.write_all(bytes).expect("sending");
        let mut reply = Vec::new();
        tcp.read_to_end(&mut reply).expect("an end in order");
        reply
    };
    for bytes in [&[0; 100][..], &[22, 3, 1, 0, 5, 9, 9, 9, 9, 9], &[128, 46, 1, 0, 2, 0, 0, 0]] {
        let reply = alert(bytes);
        // An alert, where the session has a word for it.
        assert!(matches!(reply.first(), Some(21) | None), "to {bytes:?}: {reply:?}");
    }
    fixture.expect_open(0);
    assert_eq!(failures(&fixture, HandshakeFailure::Fault), 3);
}

/// The reply to a request behind which nothing comes is whole, and so is its end.
#[test]
fn a_half_close_gets_its_reply() {
    for version in VERSIONS {
        let fixture = fixture();
        let tcp = connect(&fixture);
        let mut client = Client::secure(tcp, &of_version(version), "localhost").expect("shaken");
        client.send("GET /after/20 HTTP/1.1\r\nHost: x\r\n\r\n").half_close();
        assert_eq!(client.reply().text(), "after 20");
        client.expect_closed();
        fixture.expect_open(0);
    }
}

#[test]
fn truncation_is_an_end_between_requests_and_none_within() {
    let fixture = fixture();
    // Between them: many clients leave so.
    let mut quiet = client(&fixture);
    assert_eq!(quiet.ask("GET /hello", &[]).status, 200);
    quiet.stream().shutdown(Shutdown::Write).expect("half-closing");
    quiet.expect_closed();
    // Within the content: the handler never sees it.
    let mut cut = client(&fixture);
    cut.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345");
    cut.stream().shutdown(Shutdown::Write).expect("half-closing");
    let (rest, _) = cut.rest();
    assert_eq!(rest, b"");
    fixture.expect_end("/echo", End::Abandoned, 1);
    // A record within which it ends.
    let mut within = client(&fixture);
    let inner = &mut within.session().inner;
    inner.writer().write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").expect("room");
    let mut bytes = Vec::new();
    inner.write_tls(&mut bytes).expect("a vector takes all");
    within.stream().write_all(&bytes[..bytes.len() - 1]).expect("sending");
    within.stream().shutdown(Shutdown::Write).expect("half-closing");
    assert_eq!(within.rest().0, b"");
    fixture.expect_open(0);
}

/// Else a part would look like the whole.
#[test]
fn a_reply_that_is_cut_has_no_close_notify() {
    let fixture = fixture();
    for path in ["failing", "blocking-failing", "liar/2000", "short-file/500000"] {
        let mut client = client(&fixture);
        client.send(format!("GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        let (_, ending) = client.rest();
        assert_ne!(ending, Ending::Eof, "{path}");
    }
}

#[test]
fn a_changed_record_ends_the_connection() {
    let fixture = fixture();
    let mut client = client(&fixture);
    assert_eq!(client.ask("GET /hello", &[]).status, 200);
    let inner = &mut client.session().inner;
    inner.writer().write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").expect("room");
    let mut bytes = Vec::new();
    inner.write_tls(&mut bytes).expect("a vector takes all");
    bytes[20] ^= 1;
    client.stream().write_all(&bytes).expect("sending");
    fixture.expect_open(0);
    assert_eq!(fixture.stats().requests.value(), 1);
    assert_eq!(fixture.stats().closes.of(Close::Peer), 1);
}

#[test]
fn sessions_are_resumed() {
    use rustls::client::{Resumption, Tls12Resumption};
    let cases = [
        (&TLS13, Tls12Resumption::SessionIdOrTickets),
        (&TLS12, Tls12Resumption::SessionIdOrTickets),
        (&TLS12, Tls12Resumption::SessionIdOnly),
    ];
    for (version, how) in cases {
        let fixture = fixture();
        let resumption = Resumption::in_memory_sessions(8).tls12_resumption(how);
        let config = support::tls::Client {
            versions: vec![version],
            resumption,
            ..support::tls::Client::default()
        };
        let config = config.config();
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
            let mut client =
                Client::secure(connect(&fixture), &config, "localhost").expect("a handshake");
            assert_eq!(client.session().inner.handshake_kind(), Some(kind), "{version:?} {how:?}");
            assert_eq!(client.ask("GET /hello", &["Connection: close"]).status, 200);
            client.expect_closed();
        }
        assert_eq!(fixture.stats().handshakes.value(), 3);
        assert_eq!(fixture.stats().handshakes_resumed.value(), 2);
    }
}

#[test]
fn only_http_1_is_agreed_upon() {
    let fixture = fixture();
    let table: [(&[&str], Option<&str>); 4] = [
        (&[], None),
        (&["h2", "http/1.1"], Some("http/1.1")),
        (&["http/1.0"], Some("http/1.0")),
        (&["h2"], Some("-")),
    ];
    for (offered, agreed) in table {
        let config = support::tls::Client { alpn: offered.to_vec(), ..Default::default() }.config();
        let shaken = Client::secure(connect(&fixture), &config, "localhost");
        if agreed == Some("-") {
            let error = shaken.expect_err("an alert").to_string();
            assert!(error.contains("NoApplicationProtocol"), "{error}");
            continue;
        }
        let mut client = shaken.expect("a handshake");
        let protocol = client.session().inner.alpn_protocol().map(<[u8]>::to_vec);
        assert_eq!(protocol.as_deref(), agreed.map(str::as_bytes));
        assert_eq!(client.ask("GET /hello", &[]).status, 200);
    }
    until("the failure is counted", || failures(&fixture, HandshakeFailure::Protocol) == 1);
}

/// The answer to it is our own doing, and must not get between the bytes.
#[test]
fn keys_are_updated_under_way() {
    let fixture = fixture();
    let mut client = client(&fixture);
    for round in 0..20 {
        client.session().inner.refresh_traffic_keys().expect("TLS 1.3 can");
        assert_eq!(client.ask(&format!("GET /number/{round}"), &[]).text(), round.to_string());
        let reply = client.ask("GET /bytes/300000", &[]);
        expect_pattern(&reply.body, 300_000);
    }
}

#[test]
fn one_for_whom_there_is_no_place_is_told() {
    let config = Config { connections_max: 1, ..Config::default() };
    let fixture = Fixture::tls(config, shared());
    let first = client(&fixture);
    let mut second = client(&fixture);
    assert_eq!(second.last_reply().status, 503);
    drop(first);
}

#[test]
fn a_drain_lets_handshakes_end() {
    let fixture = fixture();
    let mut tcp = connect(&fixture);
    let mut session = Session::begin(usual(), "localhost");
    assert!(!shake_until(&mut session, &mut tcp, 100));
    fixture.expect_open(1);
    fixture.server.handle().drain(PATIENCE);
    until("it drains", || fixture.stats().draining.value() == 1);
    // The rest of what it had to say: the session can't be told to go on there.
    drop(tcp);
    fixture.expect_open(0);
    fixture.server.join().expect("a drain that ends");
}
