//! One loop, several addresses.

mod support;

use onepoll::net::handover;
use onepoll::server::Background;
use onepoll::{App, Error, Request, Server};
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;
use support::Client;
use support::child::{self, Process};

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

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("onepoll-{}-{name}", std::process::id()))
}

/// The child of the test below: serves what it is given.
#[test]
fn heir() {
    let Some((role, path)) = child::role() else { return };
    assert_eq!(role, "heir");
    let from = UnixStream::connect(path).expect("the parent listens");
    let listeners = handover::receive(&from).expect("listeners");
    let server = listeners.into_iter().fold(Server::new(), Server::and_listener);
    let _server = server.spawn(|| {
        let mut app = App::new();
        app.get("/", |_: &mut Request| "the heir");
        app
    });
    child::tell("serving");
    while child::told().is_some() {}
}

/// Half of them come before, half after; nobody notices more than another name.
#[test]
fn another_process_takes_over_without_a_loss() {
    if child::role().is_some() {
        return;
    }
    let (hand, socket) = (path("hand"), path("served.sock"));
    let server = Server::bind("127.0.0.1:0").unwrap().and_bind_unix(&socket).unwrap();
    let address = server.local_addr().unwrap();
    let spare: Vec<_> = server.listeners().map(|it| it.try_clone().unwrap()).collect();
    let old = run(server);
    expect_served(address);
    let waiting = UnixListener::bind(&hand).unwrap();
    let heir = Process::spawn("heir", "heir", &hand.display().to_string());
    let (to, _) = waiting.accept().unwrap();
    std::fs::remove_file(&hand).unwrap();
    handover::send(&to, &spare).unwrap();
    assert_eq!(heir.line(), "serving");
    // Both accept from one queue until the old one leaves.
    let ask = || Client::connect(address).ask("GET /", &[]);
    for _ in 0..20 {
        assert_eq!(ask().status, 200);
    }
    drop(spare);
    old.handle().drain(Duration::from_secs(20));
    for _ in 0..20 {
        assert_eq!(ask().status, 200);
    }
    old.join().unwrap();
    for _ in 0..20 {
        assert_eq!(ask().text(), "the heir");
    }
    let mut client = Client::over_unix(UnixStream::connect(&socket).expect("its file is there"));
    assert_eq!(client.ask("GET /", &[]).text(), "the heir");
    drop(heir); // it is told by its input's end
    assert!(!socket.exists(), "the heir removed it");
}

/// Who holds the same socket must not wake a loop that has left it.
#[test]
fn a_closed_listener_is_not_watched() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let spare = server.listeners().next().unwrap().try_clone().unwrap();
    let server = run(server);
    let mut slow = Client::connect(address);
    // Keeps the drain from ending.
    slow.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n");
    assert_eq!(slow.reply().status, 405);
    slow.send("G");
    let handle = server.handle().clone();
    handle.drain(Duration::from_secs(20));
    support::until("the drain", || handle.stats().draining.value() == 1);
    support::until("no more turns", || {
        let turns = handle.stats().turns.value();
        std::thread::sleep(Duration::from_millis(20));
        handle.stats().turns.value() == turns
    });
    let turns = handle.stats().turns.value();
    // One at a time, and each with time enough to wake somebody.
    let _waiting: Vec<Client> = (0..20)
        .map(|_| {
            let client = Client::connect(address);
            std::thread::sleep(Duration::from_millis(10));
            client
        })
        .collect();
    let woken = handle.stats().turns.value() - turns;
    assert!(woken < 10, "{woken} turns for clients that are another's");
    assert!(spare.accept().is_ok());
    handle.stop();
}
