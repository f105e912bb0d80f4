use super::*;
use crate::http::Method;
use proptest::prelude::*;

/// Trusted: 10.0.0.0/8, fd00::/8 and Unix sockets.
fn trusted() -> Networks {
    Networks::parse(["10.0.0.0/8", "fd00::/8", "unix"]).unwrap()
}

fn request(via: &str, lines: &[&str]) -> Request {
    let mut request = Request::new(Method::GET, "/");
    request.origin.peer = match via {
        "unix" => Peer::Unix,
        ip => Peer::Tcp(SocketAddr::new(ip.parse().unwrap(), 4711)),
    };
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        request.headers_mut().add(name, value).unwrap();
    }
    request
}

/// Peer, scheme and host as the application sees them.
fn seen(family: Forwarded, via: &str, lines: &[&str]) -> String {
    let mut request = request(via, lines);
    resolve(&mut request, &trusted(), family);
    format!("{} {} {}", request.peer(), request.scheme(), request.authority())
}

#[test]
fn the_walk_goes_from_the_right_as_far_as_trust_does() {
    let table: [Case; 27] = [
        // Nobody who isn't trusted is believed.
        (
            "6.6.6.6",
            &["X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: https"],
            "6.6.6.6:4711 http ",
        ),
        ("6.6.6.6", &["X-Forwarded-Host: bank.example"], "6.6.6.6:4711 http "),
        ("::1", &["X-Forwarded-For: 1.1.1.1"], "[::1]:4711 http "),
        // A proxy's own request, as a check of its.
        ("10.0.0.1", &[], "10.0.0.1:4711 http "),
        ("10.0.0.1", &["X-Forwarded-For: "], "10.0.0.1:4711 http "),
        ("10.0.0.1", &["X-Forwarded-For: 1.1.1.1"], "1.1.1.1 http "),
        ("unix", &["X-Forwarded-For: 1.1.1.1"], "1.1.1.1 http "),
        ("fd00::9", &["X-Forwarded-For: 1.1.1.1"], "1.1.1.1 http "),
        ("::ffff:10.0.0.1", &["X-Forwarded-For: 1.1.1.1"], "1.1.1.1 http "),
        // What stands left of the first stranger may be the stranger's own.
        ("10.0.0.1", &["X-Forwarded-For: 6.6.6.6, 1.1.1.1"], "1.1.1.1 http "),
        ("10.0.0.1", &["X-Forwarded-For: 10.0.0.9, 1.1.1.1"], "1.1.1.1 http "),
        ("10.0.0.1", &["X-Forwarded-For: \", 1.1.1.1"], "1.1.1.1 http "),
        ("10.0.0.1", &["X-Forwarded-For: 6.6.6.6, 1.1.1.1, 10.0.0.2"], "1.1.1.1 http "),
        ("10.0.0.1", &["X-Forwarded-For: 6.6.6.6", "x-forwarded-for: 1.1.1.1"], "1.1.1.1 http "),
        ("10.0.0.1", &["X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: ,10.2.2.2,"], "1.1.1.1 http "),
        // All of the house.
        ("10.0.0.1", &["X-Forwarded-For: 10.0.0.3, 10.0.0.2"], "10.0.0.3 http "),
        // Ports, IPv6, and what is none.
        ("10.0.0.1", &["X-Forwarded-For: 1.1.1.1:80"], "1.1.1.1:80 http "),
        ("10.0.0.1", &["X-Forwarded-For: 2001:db8::1"], "2001:db8::1 http "),
        ("10.0.0.1", &["X-Forwarded-For: [2001:db8::1]"], "2001:db8::1 http "),
        ("10.0.0.1", &["X-Forwarded-For: [2001:db8::1]:443"], "[2001:db8::1]:443 http "),
        ("10.0.0.1", &["X-Forwarded-For: ::ffff:1.1.1.1"], "1.1.1.1 http "),
        ("10.0.0.1", &["X-Forwarded-For: unknown"], "- http "),
        ("10.0.0.1", &["X-Forwarded-For: 1.1.1.1, unknown"], "- http "),
        ("10.0.0.1", &["X-Forwarded-For: 1.1.1.1:"], "- http "),
        ("10.0.0.1", &["X-Forwarded-For: 1.1.1.1:99999"], "- http "),
        ("10.0.0.1", &["X-Forwarded-For: [1.1.1.1]"], "- http "),
        ("10.0.0.1", &["X-Forwarded-For: 1.1.1.1 2.2.2.2"], "- http "),
    ];
    expect_all(&table);
}

#[test]
fn scheme_and_host_are_the_word_of_who_named_the_client() {
    let table: [Case; 5] = [
        (
            "10.0.0.1",
            &[
                "X-Forwarded-For: 1.1.1.1",
                "X-Forwarded-Proto: HTTPS",
                "X-Forwarded-Host: a.example",
            ],
            "1.1.1.1 https a.example",
        ),
        (
            "10.0.0.1",
            &[
                "X-Forwarded-For: 1.1.1.1",
                "X-Forwarded-Proto: https, http",
                "X-Forwarded-Host: b, a",
            ],
            "1.1.1.1 http a",
        ),
        (
            "10.0.0.1",
            &["X-Forwarded-For: 1.1.1.1, 10.0.0.2", "X-Forwarded-Proto: https, http"],
            "1.1.1.1 https ",
        ),
        // The outer proxy said it, the inner one passed it on.
        (
            "10.0.0.1",
            &["X-Forwarded-For: 1.1.1.1, 10.0.0.2", "X-Forwarded-Proto: https"],
            "1.1.1.1 https ",
        ),
        (
            "10.0.0.1",
            &["X-Forwarded-Proto: gopher", "X-Forwarded-Host: a b"],
            "10.0.0.1:4711 http ",
        ),
    ];
    expect_all(&table);
}

/// The socket's peer, lines, and what is seen.
type Case = (&'static str, &'static [&'static str], &'static str);

#[track_caller]
fn expect_all(table: &[Case]) {
    for (via, lines, expected) in table {
        assert_eq!(&seen(Forwarded::X, via, lines), expected, "{via}: {lines:?}");
    }
}

#[test]
fn forwarded_is_read_as_rfc_7239_has_it() {
    let table = [
        ("for=1.1.1.1", "1.1.1.1 http "),
        ("For=\"1.1.1.1\"", "1.1.1.1 http "),
        ("for=\"[2001:db8:cafe::17]:4711\"", "[2001:db8:cafe::17]:4711 http "),
        ("for=\"[2001:db8:cafe::17]\"", "2001:db8:cafe::17 http "),
        ("for=\"1.1.1.1:_port\"", "1.1.1.1 http "),
        ("for=unknown", "- http "),
        ("for=_hidden", "- http "),
        ("for=\"_gazonk\"", "- http "),
        ("for=1.1.1.1;proto=https;by=10.0.0.1", "1.1.1.1 https "),
        ("for=1.1.1.1 ; PROTO=https;host=\"a.example:8443\"", "1.1.1.1 https a.example:8443"),
        ("for=6.6.6.6;proto=http, for=1.1.1.1;proto=https", "1.1.1.1 https "),
        ("for=1.1.1.1;proto=https;host=a, for=10.0.0.2;proto=http;host=b", "1.1.1.1 https a"),
        ("for=1.1.1.1, for=10.0.0.2;proto=https;host=b", "1.1.1.1 https b"),
        // An odd quote in front swallows nothing of what comes behind.
        ("for=\", for=1.1.1.1", "1.1.1.1 http "),
        ("for=\"6.6.6.6, for=1.1.1.1;proto=https", "1.1.1.1 https "),
        // Malformed: nobody.
        ("1.1.1.1", "- http "),
        ("for=", "- http "),
        ("for=\"1.1.1.1", "- http "),
        ("for=1.1.1.1;for=2.2.2.2", "- http "),
        ("for=\"1.1.1.1\\\"\"", "- http "),
        ("proto=https", "- https "),
        ("for =1.1.1.1", "- http "),
        (";;for=1.1.1.1;;", "1.1.1.1 http "),
    ];
    for (value, expected) in table {
        let line = format!("Forwarded: {value}");
        assert_eq!(seen(Forwarded::Rfc7239, "10.0.0.1", &[&line]), expected, "{value}");
        assert_eq!(seen(Forwarded::X, "10.0.0.1", &[&line]), "10.0.0.1:4711 http ", "{value}");
        assert_eq!(seen(Forwarded::Rfc7239, "6.6.6.6", &[&line]), "6.6.6.6:4711 http ");
    }
    // The other family is what a client may have sent through this proxy.
    let both = ["Forwarded: for=1.1.1.1", "X-Forwarded-For: 6.6.6.6"];
    assert_eq!(seen(Forwarded::Rfc7239, "10.0.0.1", &both), "1.1.1.1 http ");
    assert_eq!(seen(Forwarded::X, "10.0.0.1", &both), "6.6.6.6 http ");
}

#[test]
fn nobody_is_trusted_in_an_endless_row() {
    let row = vec!["10.0.0.2"; HOPS_MAX].join(", ");
    let line = format!("X-Forwarded-For: 1.1.1.1, {row}");
    assert_eq!(seen(Forwarded::X, "10.0.0.1", &[&line]), "- http ");
    let line = format!("X-Forwarded-For: {row}");
    assert_eq!(seen(Forwarded::X, "10.0.0.1", &[&line]), "10.0.0.2 http ");
}

#[test]
fn the_socket_s_peer_is_still_known() {
    let mut request = request("10.0.0.1", &["X-Forwarded-For: 1.1.1.1"]);
    assert!(!request.is_from_trusted());
    resolve(&mut request, &trusted(), Forwarded::X);
    assert!(request.is_from_trusted());
    assert_eq!(request.via().to_string(), "10.0.0.1:4711");
    // The same box, for the next client.
    request.origin.peer = Peer::Tcp("6.6.6.6:1".parse().unwrap());
    resolve(&mut request, &trusted(), Forwarded::X);
    assert!(!request.is_from_trusted());
    assert_eq!(request.via().to_string(), "6.6.6.6:1");
}

proptest! {
    /// Whatever the client sends, what a trusted proxy adds behind it counts.
    #[test]
    fn a_client_can_t_speak_for_the_proxy(junk in "[ -~\t]{0,80}", family: bool) {
        let (family, name, added) = match family {
            true => (Forwarded::X, "X-Forwarded-For", "1.1.1.1"),
            false => (Forwarded::Rfc7239, "Forwarded", "for=1.1.1.1"),
        };
        for line in [format!("{name}: {junk}, {added}"), format!("{name}: {added}")] {
            let lines = [format!("{name}: {junk}"), line];
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let mut request = request("10.0.0.1", &lines);
            resolve(&mut request, &trusted(), family);
            prop_assert_eq!(request.peer().to_string(), "1.1.1.1");
        }
    }

    /// Nothing panics, and what is made of it is a part of the head.
    #[test]
    fn anything_may_stand_there(value in "[ -~\t]{0,120}") {
        let lines = ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded"]
            .map(|name| format!("{name}: {value}"));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        for family in [Forwarded::X, Forwarded::Rfc7239] {
            let mut request = request("unix", &lines);
            resolve(&mut request, &trusted(), family);
            let host = request.authority();
            prop_assert!(value.contains(host));
        }
    }
}
