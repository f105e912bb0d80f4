//! Restarts that lose nobody.

use crate::served::{Folder, Served};
use crate::support::{Client, is_slow, until};
use onepoll::net::handover;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const LENGTH: usize = 100_000;

/// Clients that ask until they are told to end; each counts, and any failure is a panic.
struct Load {
    over: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn on(address: SocketAddr, clients: usize) -> Load {
        let (over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = |number: usize| {
            let (over, count) = (Arc::clone(&over), Arc::clone(&count));
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    if number.is_multiple_of(2) {
                        keep(address, number, &over, &count);
                    } else {
                        let reply =
                            Client::connect(address).ask("GET /a.txt", &["Connection: close"]);
                        assert_eq!((reply.status, reply.text()), (200, "0123456789"));
                        count.fetch_add(1, Ordering::Relaxed);
                        thread::sleep(Duration::from_millis(1)); // a second of it: its ports are few
                    }
                }
            })
        };
        let threads = (0..clients).map(client).collect();
        Load { over, count, threads }
    }

    /// Until all of them have been served since.
    fn go_on(&self) {
        let before = self.count.load(Ordering::Relaxed);
        let enough = before + 10 * self.threads.len();
        until("they are served", || {
            assert!(self.threads.iter().all(|thread| !thread.is_finished()), "a client failed");
            self.count.load(Ordering::Relaxed) > enough
        });
    }

    fn end(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().expect("no request fails"));
        self.count.load(Ordering::Relaxed)
    }
}

/// One connection, as long as it lasts, with time to think between its requests.
fn keep(address: SocketAddr, number: usize, over: &AtomicBool, count: &AtomicUsize) {
    let mut client = Client::connect(address);
    while !over.load(Ordering::Relaxed) && client.is_silent() {
        let reply = client.ask("GET /a.txt", &[]);
        assert_eq!((reply.status, reply.text()), (200, "0123456789"));
        count.fetch_add(1, Ordering::Relaxed);
        if reply.get("connection").is_some_and(|it| it.eq_ignore_ascii_case("close")) {
            return client.expect_closed();
        }
        thread::sleep(Duration::from_millis(5 + number as u64));
    }
}

fn begin_upload(address: SocketAddr, number: usize) -> Client {
    let mut client = Client::connect(address);
    client.send(format!(
        "PUT /up{number} HTTP/1.1\r\nHost: x\r\nContent-Length: {LENGTH}\r\n\r\n{}",
        "x".repeat(LENGTH / 2)
    ));
    client
}

/// Under a steady load, with an upload in flight, by one loop and by several.
#[test]
fn restarts_lose_no_request() {
    let folder = Folder::new();
    let path = folder.0.join("takeover").display().to_string();
    let start = |number: usize| {
        let reactors = ["1", "2"][number / 2 % 2];
        let flags =
            ["--takeover", &path, "--upload", "--log-format", "off", "--reactors", reactors];
        Served::start(Folder::new(), &flags)
    };
    let mut served = start(0);
    let address = served.addresses[0];
    let load = Load::on(address, 8);
    for number in 1..=if is_slow() { 100 } else { 3 } {
        load.go_on();
        let mut upload = begin_upload(address, number);
        load.go_on();
        let next = start(number);
        assert_eq!(next.addresses, [address]);
        served.log_with("another process serves now");
        load.go_on();
        upload.send("x".repeat(LENGTH - LENGTH / 2));
        assert_eq!(upload.reply_to("PUT").status, 201, "restart {number}");
        drop(upload);
        assert_eq!(served.wait().0, Some(0));
        served = next;
    }
    load.go_on();
    assert!(load.end() > 100);
    assert_eq!(served.end().0, Some(0));
    assert!(!std::path::Path::new(&path).exists());
}

/// Who fails before it is ready changes nothing.
#[test]
fn a_next_one_that_dies_leaves_the_old_one_serving() {
    let folder = Folder::new();
    let path = folder.0.join("takeover").display().to_string();
    let mut served = Served::start(Folder::new(), &["--takeover", &path]);
    let mut other = UnixStream::connect(&path).unwrap();
    other.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    served.log_with("something else: serving on");
    let mut next = UnixStream::connect(&path).unwrap();
    next.write_all(b"onepoll takeover 1\n").unwrap();
    let taken = handover::receive(&next).unwrap();
    assert_eq!(taken[0].local_addr().unwrap(), served.addresses[0]);
    drop((taken, next));
    served.log_with("the other process has left: serving on");
    assert_eq!(served.client().ask("GET /a.txt", &[]).status, 200);
    assert_eq!(served.end().0, Some(0));
    // Neither does a file that a killed one has left behind.
    let killed = Served::start(Folder::new(), &["--takeover", &path]);
    killed.signal(rustix::process::Signal::KILL);
    drop(killed);
    assert!(std::path::Path::new(&path).exists());
    let mut served = Served::start(Folder::new(), &["--takeover", &path]);
    assert_eq!(served.client().ask("GET /a.txt", &[]).status, 200);
    assert_eq!(served.end().0, Some(0));
}
