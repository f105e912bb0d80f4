//! Who is here now.

use crate::site::{Site, between};
use crate::support::{Client, PATIENCE, until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::Instant;

/// Somebody who listens, and what was heard so far.
struct Listener {
    client: Client,
    heard: String,
}

impl Listener {
    fn new(site: &Site) -> Listener {
        let mut client = Client::connect(site.address);
        let accept = "Accept: text/event-stream";
        client.send(format!("GET /events HTTP/1.1\r\nHost: {}\r\n{accept}\r\n\r\n", site.address));
        let head = client.head().expect(200);
        assert_eq!(head.get("content-type"), Some("text/event-stream"));
        assert_eq!(head.get("content-encoding"), None);
        Listener { client, heard: String::new() }
    }

    /// Waits for that number.
    #[track_caller]
    fn hears(&mut self, count: u32) {
        let event = format!("event: visitors\nretry: 2000\ndata: {count}\n\n");
        // Comments come for ever.
        let deadline = Instant::now() + PATIENCE;
        while !self.heard.contains(&event) {
            assert!(Instant::now() < deadline, "waited in vain for {count}: {}", self.heard);
            self.heard.push_str(&String::from_utf8_lossy(&self.client.take(1)));
        }
        self.heard.clear();
    }
}

fn visitors(site: &Site) -> String {
    let page = site.visitor().get("/").expect(200);
    between(between(page.text(), "id=\"visitors\"", "/span>"), ">", "<").to_owned()
}

/// Each of them hears how many they are, and nobody is cut because the others came at
/// the same time.
#[test]
fn a_crowd_that_comes_at_once_is_told_of_as_one() {
    const CROWD: usize = 2000;
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    setrlimit(Resource::Nofile, raised).expect("the hard limit is allowed");
    if limit.maximum.is_some_and(|max| max < 2 * CROWD as u64) {
        eprintln!("SKIPPED: there are too few descriptors");
        return;
    }
    let site = Site::start();
    let mut crowd: Vec<Client> = (0..CROWD).map(|_| Client::connect(site.address)).collect();
    for client in &mut crowd {
        client.send(format!("GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", site.address));
    }
    // Nobody has read a byte so far.
    for client in crowd {
        let mut listener = Listener { client, heard: String::new() };
        listener.client.head().expect(200);
        listener.hears(CROWD as u32);
    }
    until("all are gone", || visitors(&site) == "1");
}

#[test]
fn who_comes_and_goes_is_told_to_all() {
    let site = Site::start();
    assert_eq!(visitors(&site), "1");
    let mut first = Listener::new(&site);
    first.hears(1);
    let mut second = Listener::new(&site);
    second.hears(2);
    first.hears(2);
    let third = Listener::new(&site);
    first.hears(3);
    assert_eq!(visitors(&site), "3");
    // One goes in order, one vanishes.
    drop(third);
    first.hears(2);
    second.client.reset();
    first.hears(1);
    drop(first);
    let metrics = || site.visitor().get("/metrics").expect(200).text().to_owned();
    until("nobody is left", || metrics().contains("\nportfolio_visitors 0\n"));
}
