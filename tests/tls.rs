//! HTTPS.
#![allow(unused_imports)]
mod support;
use onepoll::Config;
use std::net::TcpStream;
use support::{Client, Ending, Fixture, tls};

#[test]
fn smoke() {
    let fixture = Fixture::tls(Config::default(), tls::shared());
    let tcp = TcpStream::connect(fixture.addr()).unwrap();
    let mut client = Client::secure(tcp, tls::usual(), "localhost").unwrap();
    let reply = client.ask("GET /hello", &[]);
    assert_eq!(reply.status, 200);
    assert_eq!(client.ask("GET /secure", &[]).body, b"true\n");
    let reply = client.ask("GET /bytes/3000000", &[]);
    support::expect_pattern(&reply.body, 3_000_000);
    let reply = client.ask("GET /file/3000000", &["Connection: close"]);
    support::expect_pattern(&reply.body, 3_000_000);
    client.expect_closed();
}
