//! `onepoll serve`: the flags that bound what clients take up.

use crate::served::{Folder, Served};
use crate::support::{Client, until};

/// A limit that is far below the patience of tests, as the defaults are not.
const SOON: &str = "200ms";

#[test]
fn max_requests_closes_the_connection() {
    let served = Served::start(Folder::new(), &["--max-requests", "2"]);
    let mut client = served.client();
    assert!(!client.ask("GET /a.txt", &[]).closes());
    assert!(client.ask("GET /a.txt", &[]).closes());
    client.expect_closed();
}

/// Holds a place: it still owes ten bytes. If it were idle it would have to leave.
fn busy(served: &Served) -> Client {
    let mut client = served.client();
    assert_eq!(client.ask("GET /a.txt", &["Content-Length: 10"]).status, 200);
    client
}

#[test]
fn overload_503_tells_those_for_whom_there_is_no_place() {
    let served = Served::start(Folder::new(), &["--max-conns", "1"]);
    let mut first = busy(&served);
    let refused = served.client().last_reply();
    assert_eq!(refused.status, 503);
    assert!(refused.get("retry-after").is_some());
    first.send("0123456789");
    assert_eq!(first.ask("GET /a.txt", &[]).status, 200);
}

#[test]
fn overload_pause_lets_them_wait() {
    let served = Served::start(Folder::new(), &["--max-conns", "1", "--overload", "pause"]);
    let first = busy(&served);
    let mut second = served.client();
    second.send("GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(second.is_silent());
    drop(first);
    assert_eq!(second.reply().status, 200);
}

#[test]
fn max_header_bytes_bounds_the_head() {
    let served = Served::start(Folder::new(), &["--max-header-bytes", "256"]);
    assert_eq!(served.client().ask("GET /a.txt", &[]).status, 200);
    let long = format!("X-Long: {}", "x".repeat(300));
    assert_eq!(served.client().ask("GET /a.txt", &[&long]).status, 431);
    let target = format!("GET /{}", "x".repeat(300));
    assert!(matches!(served.client().ask(&target, &[]).status, 414 | 431));
}

#[test]
fn header_timeout_ends_slow_heads_and_silence() {
    let served = Served::start(Folder::new(), &["--header-timeout", SOON]);
    served.client().expect_closed();
    let mut client = served.client();
    client.send("GET /a.txt HT");
    assert_eq!(client.last_reply().status, 408);
}

#[test]
fn body_timeout_ends_content_that_stalls() {
    let served = Served::start(Folder::new(), &["--body-timeout", SOON]);
    let mut client = served.client();
    client.ask("GET /a.txt", &["Content-Length: 10"]);
    client.expect_ended();
}

#[test]
fn keep_alive_ends_idle_connections() {
    let served = Served::start(Folder::new(), &["--keep-alive", SOON]);
    let mut client = served.client();
    assert!(!client.ask("GET /a.txt", &[]).closes());
    client.expect_closed();
}

#[test]
fn write_timeout_cuts_those_who_do_not_read() {
    let folder = Folder::new();
    let file = std::fs::File::create(folder.0.join("large")).expect("a file");
    file.set_len(64 << 20).expect("a sparse file");
    let mut served = Served::start(folder, &["--write-timeout", SOON, "--log-format=json"]);
    let mut client = Client::connect_narrow(served.addresses[0]);
    client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
    served.log_with("cut: the client takes too little");
    let (_, requests) = served.end();
    assert!(requests.contains("\"end\":\"cut\""), "{requests}");
}

#[test]
fn helpers_are_there_from_the_start() {
    let helpers = |served: &Served| {
        served.threads().iter().filter(|name| name.starts_with("onepoll-helper")).count()
    };
    let served = Served::start(Folder::new(), &["--helpers", "3..3"]);
    // A thread names itself, after its start.
    until("three helpers", || helpers(&served) == 3);
    assert_eq!(helpers(&Served::start(Folder::new(), &[])), 0);
}
