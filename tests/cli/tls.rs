//! HTTPS.

use super::served::{Folder, Served};
use super::support::tls::{self, usual};
use super::support::{Client, PATIENCE};
use super::{onepoll, stderr};
use std::net::{SocketAddr, TcpStream};

#[track_caller]
fn secure(to: SocketAddr) -> Client {
    let tcp = TcpStream::connect(to).expect("connecting");
    tcp.set_read_timeout(Some(PATIENCE)).expect("an option");
    Client::secure(tcp, usual(), "localhost").expect("a handshake")
}

#[test]
fn a_folder_is_served_over_https() {
    let folder = Folder::new().with("a.txt", "hello");
    let mut served = Served::start(folder, &["--tls-self-signed"]);
    let reply = secure(served.addresses[0]).ask("GET /a.txt", &[]);
    assert_eq!(reply.text(), "hello");
    // Who forgets the s is told.
    let mut plain = Client::plain(TcpStream::connect(served.addresses[0]).expect("connecting"));
    assert!(plain.ask("GET /a.txt", &[]).text().contains("https://"));
    assert_eq!(served.end().0, Some(0));
}

#[test]
fn certificates_come_from_files_and_are_replaced() {
    let certificates = tls::Folder::new();
    let old = certificates.pair("x", &["localhost"]);
    let path = |name: &str| certificates.path(name).display().to_string();
    let flags = ["--tls-cert", &path("x.pem"), "--tls-key", &path("x.key")];
    let served = Served::start(Folder::new().with("a.txt", "hello"), &flags);
    let mut open = secure(served.addresses[0]);
    assert_eq!(open.ask("GET /a.txt", &[]).text(), "hello");
    assert!(open.session().certificate() == old);
    let new = certificates.pair("x", &["localhost"]);
    served.log_with("certificates reloaded");
    assert!(secure(served.addresses[0]).session().certificate() == new);
    assert_eq!(open.ask("GET /a.txt", &[]).text(), "hello");
}

#[test]
fn http_is_redirected_before_anybody_is_asked_for_a_password() {
    let folder = Folder::new().with("a.txt", "hello");
    let user = format!("a:sha256:{}", "0".repeat(64));
    let flags = ["--tls-self-signed", "--tls-redirect", "0", "--auth", &user];
    let served = Served::start(folder, &flags);
    let line = served.before.iter().find(|line| line.contains("redirecting http://"));
    let (_, url) = line.expect("the port is told").split_once("http://").expect("a URL");
    let plain: SocketAddr = url.trim_end_matches('/').parse().expect("an address");
    let mut client = Client::plain(TcpStream::connect(plain).expect("connecting"));
    let port = served.addresses[0].port();
    for (host, status, location) in [
        ("localhost", 308, Some(format!("https://localhost:{port}/a.txt?q"))),
        ("127.0.0.1:80", 308, Some(format!("https://127.0.0.1:{port}/a.txt?q"))),
        ("evil.example", 421, None),
    ] {
        client.send(format!("GET /a.txt?q HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let reply = client.reply();
        assert_eq!(reply.status, status, "{host}");
        assert_eq!(reply.get("location"), location.as_deref());
    }
    assert_eq!(secure(served.addresses[0]).ask("GET /a.txt", &[]).status, 401);
}

#[test]
fn what_is_wrong_with_certificates_is_one_line() {
    let certificates = tls::Folder::new();
    certificates.pair("x", &["localhost"]);
    certificates.pair("y", &["localhost"]);
    let path = |name: &str| certificates.path(name).display().to_string();
    let (cert, key, other) = (path("x.pem"), path("x.key"), path("y.key"));
    let none = path("none");
    let table: [(&[&str], i32, String); 7] = [
        (&["--tls-cert", &none, "--tls-key", &key], 1, format!("{none}: no such file")),
        (&["--tls-cert", &cert, "--tls-key", &cert], 1, format!("{cert}: no private key in it;")),
        (&["--tls-cert", &cert, "--tls-key", &other], 1, format!("{other}: the key does not")),
        (
            &["--tls-cert", &cert, "--tls-key", &key, "--tls-client-ca", &key],
            1,
            format!("{key}: no certificate in it;"),
        ),
        (&["--tls-cert", &cert], 2, "the following required arguments".to_owned()),
        (
            &["--tls-cert", &cert, "--tls-cert", &cert, "--tls-key", &key],
            2,
            "configuration: --tls-key must be given as often as --tls-cert".to_owned(),
        ),
        (&["--tls-redirect", "0"], 2, "configuration: --tls-redirect needs".to_owned()),
    ];
    for (args, code, message) in table {
        let output = onepoll(&[&["serve", "--port", "0"], args].concat());
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
        assert!(text.starts_with(&format!("onepoll: {message}")), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
