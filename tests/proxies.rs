//! Clients behind proxies: what is believed of whom, and what each may take.

mod support;

use onepoll::http::{Forwarded, Networks};
use onepoll::middleware::{HostGuard, Hsts, RateLimit, RequestIds, SecurityHeaders};
use onepoll::server::Background;
use onepoll::stats::{Close, TurnedAway};
use onepoll::{App, Config, PerAddress, Request, Server, TurnAway};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use support::{Client, until};

/// 127.0.0.2 is a proxy that is trusted, 127.0.0.1 is not.
const PROXY: &str = "127.0.0.2";

fn networks(texts: &[&str]) -> Networks {
    Networks::parse(texts).unwrap()
}

/// Tells who asks, by which scheme, of which host, and who brought it.
fn run(config: Config) -> Background {
    let server = Server::bind("127.0.0.1:0").unwrap().config(config);
    server.spawn(app).expect("a server that starts")
}

fn app() -> App {
    let mut app = App::new();
    app.get("/", |request: &mut Request| {
        let via = request.via().to_string();
        let via = via.split(':').next().unwrap_or("").to_owned();
        let (peer, scheme) = (request.peer(), request.scheme());
        format!("{peer} {scheme} {} via {via}", request.authority())
    });
    app
}

fn ask(client: &mut Client, fields: &[&str]) -> String {
    client.ask("GET /", fields).text().to_owned()
}

const TOLD: [&str; 3] = [
    "X-Forwarded-For: 6.6.6.6, 192.0.2.1",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: a.example",
];

#[test]
fn who_is_trusted_is_believed_and_nobody_else() {
    let server = run(Config { trusted: networks(&[PROXY]), ..Config::default() });
    let mut proxy = Client::connect_from(PROXY, server.local_addr());
    let own = proxy.local_addr();
    for _ in 0..2 {
        assert_eq!(ask(&mut proxy, &TOLD), "192.0.2.1 https a.example via 127.0.0.2");
        // Of the request before nothing is left.
        assert_eq!(ask(&mut proxy, &[]), format!("{own} http x via 127.0.0.2"));
    }
    let mut stranger = Client::connect(server.local_addr());
    let own = stranger.local_addr();
    assert_eq!(ask(&mut stranger, &TOLD), format!("{own} http x via 127.0.0.1"));
    let nobody = run(Config::default());
    let mut client = Client::connect_from(PROXY, nobody.local_addr());
    let own = client.local_addr();
    assert_eq!(ask(&mut client, &TOLD), format!("{own} http x via 127.0.0.2"));
}

/// A trust that is withdrawn is withdrawn for connections that are there, and what
/// was believed before is forgotten.
#[test]
fn trust_can_change_while_it_runs() {
    let trusting = Config { trusted: networks(&[PROXY]), ..Config::default() };
    let server = run(Config::default());
    let mut proxy = Client::connect_from(PROXY, server.local_addr());
    let own = proxy.local_addr();
    let believed = "192.0.2.1 https a.example via 127.0.0.2";
    for _ in 0..2 {
        assert_eq!(ask(&mut proxy, &TOLD), format!("{own} http x via 127.0.0.2"));
        server.handle().configure(&trusting).unwrap();
        until("it is trusted", || ask(&mut proxy, &TOLD) == believed);
        server.handle().configure(&Config::default()).unwrap();
        until("it is not trusted any more", || ask(&mut proxy, &TOLD) != believed);
    }
    // The box that held what was said before is lent to anybody.
    let mut client = Client::connect(server.local_addr());
    let own = client.local_addr();
    assert_eq!(ask(&mut client, &TOLD), format!("{own} http x via 127.0.0.1"));
}

/// There is one notion of the client, and what is wrapped around handlers follows it.
#[test]
fn middleware_sees_the_client_and_not_the_proxy() {
    let config = Config { trusted: networks(&[PROXY]), ..Config::default() };
    let server = Server::bind("127.0.0.1:0").unwrap().config(config).spawn(|| {
        let mut app = app();
        app.wrap(RequestIds::new());
        app.wrap(SecurityHeaders::new().hsts(Hsts::new(Duration::from_secs(60))));
        app.wrap(HostGuard::new(["x", "a.example"]).unwrap());
        app.wrap(RateLimit::sliding(1, Duration::from_secs(3600)));
        app
    });
    let server = server.unwrap();
    let ask = |from: &str, client: &str, host: &str| {
        let fields = [
            format!("X-Forwarded-For: {client}"),
            format!("X-Forwarded-Host: {host}"),
            "X-Forwarded-Proto: https".to_owned(),
            "X-Request-Id: 4711".to_owned(),
        ];
        let fields = fields.each_ref().map(String::as_str);
        Client::connect_from(from, server.local_addr()).ask("GET /", &fields)
    };
    let first = ask(PROXY, "192.0.2.1", "a.example");
    assert_eq!(first.status, 200);
    assert!(first.get("strict-transport-security").is_some());
    assert_eq!(first.get("x-request-id"), Some("4711"));
    // Each client has its own quota, whatever proxy it came by.
    assert_eq!(ask(PROXY, "192.0.2.1", "x").status, 429);
    assert_eq!(ask(PROXY, "192.0.2.2", "x").status, 200);
    assert_eq!(ask(PROXY, "192.0.2.3", "bank.example").status, 421);
    // From somebody else these are fields like any other.
    let stranger = ask("127.0.0.1", "192.0.2.9", "bank.example");
    assert_eq!(stranger.status, 200);
    assert!(stranger.get("strict-transport-security").is_none());
    assert_ne!(stranger.get("x-request-id"), Some("4711"));
    assert_eq!(ask("127.0.0.1", "192.0.2.10", "x").status, 429);
}

#[test]
fn one_family_of_fields_is_read() {
    let config =
        Config { trusted: networks(&[PROXY]), forwarded: Forwarded::Rfc7239, ..Config::default() };
    let server = run(config);
    let mut proxy = Client::connect_from(PROXY, server.local_addr());
    let both = ["X-Forwarded-For: 6.6.6.6", "Forwarded: for=192.0.2.1;proto=https;host=a.example"];
    assert_eq!(ask(&mut proxy, &both), "192.0.2.1 https a.example via 127.0.0.2");
}

#[test]
fn a_unix_socket_is_served_and_may_be_trusted() {
    let path = std::env::temp_dir().join(format!("onepoll-{}-proxies", std::process::id()));
    let config = Config { trusted: networks(&["unix"]), ..Config::default() };
    let server = Server::bind_unix(&path).unwrap().config(config).spawn(app).unwrap();
    let mut client = Client::over_unix(UnixStream::connect(&path).unwrap());
    assert_eq!(ask(&mut client, &[]), "unix http x via unix");
    assert_eq!(ask(&mut client, &TOLD), "192.0.2.1 https a.example via unix");
    drop(server);
    client.expect_closed();
    assert!(!path.exists());
}

/// Version 2, for 192.0.2.1:4660.
const BINARY: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\xc0\0\x02\x01\x0a\0\0\x01\x12\x34\0\x50\x04\0\0";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

fn with_protocol() -> Config {
    Config { proxy_protocol: networks(&[PROXY]), ..Config::default() }
}

#[test]
fn a_proxy_header_comes_before_everything_else() {
    let server = run(with_protocol());
    let lines: [(&[u8], &str); 4] = [
        (b"PROXY TCP4 192.0.2.1 10.0.0.1 4660 80\r\n", "192.0.2.1:4660"),
        (b"PROXY TCP6 2001:db8::1 ::1 4660 80\r\n", "[2001:db8::1]:4660"),
        (BINARY, "192.0.2.1:4660"),
        (LOCAL, "own"),
    ];
    for (header, peer) in lines {
        for size in [1, 7, 1000] {
            let mut client = Client::connect_from(PROXY, server.local_addr());
            let own = client.local_addr().to_string();
            let peer = if peer == "own" { &own } else { peer };
            // With two requests in one go.
            client.send_in_pieces([header, GET, GET].concat(), size);
            for _ in 0..2 {
                let reply = client.reply();
                assert!(reply.text().starts_with(&format!("{peer} http")), "{}", reply.text());
            }
            assert!(ask(&mut client, &[]).starts_with(peer), "the third time");
        }
    }
}

#[test]
fn without_its_header_a_proxy_is_cut_off() {
    let server = run(with_protocol());
    for bytes in [GET, b"PROXY TCP9 1 2 3 4\r\n", b"\r\n\r\n\0\r\nQUIT\n\x31", b"\x16\x03\x01"] {
        let mut client = Client::connect_from(PROXY, server.local_addr());
        client.send(bytes);
        assert_eq!(client.expect_ended(), b"", "{}", bytes.escape_ascii());
    }
    // It ends within its header.
    let mut client = Client::connect_from(PROXY, server.local_addr());
    client.send("PROXY TCP4 192").half_close();
    assert_eq!(client.expect_ended(), b"");
    assert_eq!(server.handle().stats().closes.of(Close::Fault), 5);
    let mut client = Client::connect_from(PROXY, server.local_addr());
    client.half_close();
    client.expect_closed();
}

#[test]
fn from_anybody_else_a_header_is_no_request() {
    let server = run(with_protocol());
    for header in [b"PROXY TCP4 192.0.2.1 10.0.0.1 4660 80\r\n", BINARY] {
        let mut client = Client::connect(server.local_addr());
        client.send([header, GET].concat());
        assert_eq!(client.last_reply().status, 400);
    }
    let mut client = Client::connect(server.local_addr());
    assert!(ask(&mut client, &[]).starts_with("127.0.0.1"));
}

#[test]
fn a_header_that_trickles_has_the_time_of_a_first_byte() {
    let first_timeout = Duration::from_millis(200);
    let server = run(Config { first_timeout, ..with_protocol() });
    let mut client = Client::connect_from(PROXY, server.local_addr());
    for byte in b"PROXY TCP4 192.0.2.1 10.0" {
        if client.try_send([*byte]).is_err() {
            break;
        }
        std::thread::sleep(first_timeout / 20);
    }
    client.expect_ended();
    until("its end", || server.handle().stats().closes.of(Close::Idle) == 1);
}

#[test]
fn the_client_of_a_header_may_be_a_proxy_itself() {
    let server = run(Config { trusted: networks(&["192.0.2.1"]), ..with_protocol() });
    let mut client = Client::connect_from(PROXY, server.local_addr());
    client.send(BINARY);
    let field = "X-Forwarded-For: 198.51.100.7";
    assert_eq!(ask(&mut client, &[field]), "198.51.100.7 http x via 192.0.2.1");
}

fn crowd(per_address: PerAddress) -> Config {
    Config { per_address, ..Config::default() }
}

fn turned_away(server: &Background, why: TurnedAway) -> u64 {
    server.handle().stats().turned_away.of(why)
}

#[test]
fn an_address_has_so_many_connections() {
    let server = run(crowd(PerAddress { connections_max: Some(2), ..PerAddress::default() }));
    let to = server.local_addr();
    let mut first = Client::connect(to);
    let mut second = Client::connect(to);
    assert!(ask(&mut first, &[]).starts_with("127.0.0.1"));
    assert!(ask(&mut second, &[]).starts_with("127.0.0.1"));
    assert_eq!(Client::connect(to).last_reply().status, 429);
    // Others are not concerned.
    assert!(ask(&mut Client::connect_from(PROXY, to), &[]).starts_with(PROXY));
    // Nor is this one, as soon as one of its own has gone.
    assert_eq!(turned_away(&server, TurnedAway::Connections), 1);
    until("its end", || server.handle().stats().closes.of(Close::Limit) == 1);
    drop(first);
    until("its place is free", || Client::connect(to).try_reply_after(GET).status == 200);
}

#[test]
fn those_beyond_are_told_or_not() {
    let of =
        |turn_away| PerAddress { connections_max: Some(0), turn_away, ..PerAddress::default() };
    let server = run(crowd(of(TurnAway::Unavailable)));
    let reply = Client::connect(server.local_addr()).last_reply();
    assert_eq!((reply.status, reply.get("retry-after").is_some()), (503, true));
    let server = run(crowd(of(TurnAway::Close)));
    let mut client = Client::connect(server.local_addr());
    assert_eq!(client.expect_ended(), b"");
    let stats = server.handle().stats();
    assert_eq!(stats.accepted.value(), 0, "no slot was used");
    // A crowd gets no more slots than are kept for refusals.
    let server = run(crowd(of(TurnAway::TooManyRequests)));
    let many: Vec<Client> = (0..200).map(|_| Client::connect(server.local_addr())).collect();
    until("all seen", || turned_away(&server, TurnedAway::Connections) == 200);
    let told = many.into_iter().filter_map(|mut client| client.try_reply_to("GET").ok()).count();
    assert!((1..=200).contains(&told), "{told} were told");
}

#[test]
fn an_address_has_so_many_new_connections_a_second() {
    let server = run(crowd(PerAddress { rate_max: Some(3), ..PerAddress::default() }));
    let to = server.local_addr();
    let mut came = 0;
    while turned_away(&server, TurnedAway::Rate) == 0 {
        let reply = Client::connect(to).ask("GET /", &["Connection: close"]);
        came += u32::from(reply.status == 200);
        assert!(came < 1000, "nobody was ever turned away");
    }
    assert!(came >= 3, "a second's number may come at once: {came}");
    assert!(ask(&mut Client::connect_from(PROXY, to), &[]).starts_with(PROXY));
}

#[test]
fn who_is_trusted_or_exempt_is_not_counted() {
    let per_address = PerAddress {
        connections_max: Some(0),
        exempt: networks(&["127.0.0.3"]),
        ..PerAddress::default()
    };
    let trusted = networks(&[PROXY]);
    let server = run(Config { per_address, trusted, ..Config::default() });
    for (from, served) in [("127.0.0.1", false), (PROXY, true), ("127.0.0.3", true)] {
        let mut client = Client::connect_from(from, server.local_addr());
        let reply = client.try_reply_after("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(reply.status == 200, served, "{from}");
    }
}

#[test]
fn behind_a_proxy_it_is_the_client_s_address_that_counts() {
    let per_address = PerAddress { connections_max: Some(1), ..PerAddress::default() };
    let server = run(Config { per_address, ..with_protocol() });
    let to = server.local_addr();
    let from = |address: &str| {
        let mut client = Client::connect_from(PROXY, to);
        client.send(format!("PROXY TCP4 {address} 10.0.0.1 1 2\r\n"));
        client
    };
    let mut first = from("192.0.2.1");
    assert!(ask(&mut first, &[]).starts_with("192.0.2.1"));
    assert_eq!(from("192.0.2.1").last_reply().status, 429);
    assert!(ask(&mut from("192.0.2.2"), &[]).starts_with("192.0.2.2"));
    // The proxy's own connections are as many as it likes.
    let own = || {
        let mut client = Client::connect_from(PROXY, to);
        client.send(LOCAL);
        client
    };
    let mut several = [own(), own(), own()];
    several.iter_mut().for_each(|client| assert!(ask(client, &[]).starts_with(PROXY)));
    drop(first);
    until("its place is free", || {
        let mut again = from("192.0.2.1");
        again.ask("GET /", &[]).status == 200
    });
}
