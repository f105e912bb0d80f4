//! One loop, several addresses.

mod support;

use onepoll::server::Background;
use onepoll::{App, Error, Request, Server};
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use support::Client;

/// Tells each client its own address.
#[track_caller]
fn run(server: Server) -> Background {
    let server = server.spawn(|| {
        let mut app = App::new();
        app.get("/", |request: &mut Request| request.peer().to_string());
        app
    });
    server.expect("a server that starts")
}

#[track_caller]
fn expect_served(address: SocketAddr) {
    let mut client = Client::connect(address);
    for _ in 0..2 {
        let reply = client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").reply();
        assert_eq!(reply.text(), client.local_addr().to_string(), "at {address}");
    }
}

/// Whether this machine can do IPv6; not all containers can.
fn has_v6() -> bool {
    let has = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !has {
        println!("skipped: no IPv6 here");
    }
    has
}

#[test]
fn several_addresses_are_served_at_once() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let server = server.and_bind("127.0.0.2:0").unwrap().and_bind("127.0.0.1:0").unwrap();
    let addresses: Vec<SocketAddr> = server.local_addrs().collect();
    let ports: std::collections::HashSet<u16> = addresses.iter().map(SocketAddr::port).collect();
    assert_eq!(ports.len(), 3, "each :0 is a port of its own: {addresses:?}");
    let server = run(server);
    assert_eq!(server.local_addr(), addresses[0]);
    for address in addresses {
        expect_served(address);
    }
}

#[test]
fn one_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = Server::bind("127.0.0.1:0").unwrap().and_bind(address).unwrap_err();
    assert!(matches!(&error, Error::Listen { .. }));
    assert_eq!(
        error.to_string(),
        format!("cannot listen on {address}: the address is in use by another program")
    );
}

#[test]
fn any_v6_address_is_any_v4_address_too() {
    if !has_v6() {
        return;
    }
    let server = run(Server::bind("[::]:0").unwrap());
    let port = server.local_addr().port();
    expect_served(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    // Whose address is shown as what it is.
    expect_served(SocketAddr::from(([127, 0, 0, 1], port)));
}

#[test]
fn both_wildcards_go_together_in_either_order() {
    if !has_v6() {
        return;
    }
    for (first, second) in [("0.0.0.0", "::"), ("::", "0.0.0.0")] {
        let host = |text: &str| text.parse::<std::net::IpAddr>().unwrap();
        let server = Server::bind((host(first), 0)).unwrap();
        let port = server.local_addr().unwrap().port();
        let _server = run(server.and_bind((host(second), port)).expect("room for the other"));
        expect_served(SocketAddr::from(([127, 0, 0, 1], port)));
        expect_served(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    }
}
