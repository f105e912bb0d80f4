//! Parts of files, over sockets: one and several, of small files, large ones and
//! such as no 32 bits can count, beside what a program would cut out itself.
#![cfg(feature = "files")]

mod support;

use onepoll::files::Files;
use onepoll::{App, Background, Server};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use support::{Client, Reply, pattern};

/// Kept in memory, and sent from the disk: see `files`.
const SMALL: usize = 30_000;
const LARGE: usize = 300_000;
/// A file of holes with a few bytes at both ends.
const HUGE: u64 = 5_000_000_000;

/// A server of one folder.
struct Fixture {
    server: Background,
    path: PathBuf,
}

impl Fixture {
    fn new(name: &str) -> Fixture {
        let path = std::env::temp_dir().join(format!("onepoll-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("small.txt"), pattern(SMALL)).unwrap();
        fs::write(path.join("large.bin"), pattern(LARGE)).unwrap();
        fs::write(path.join("ten.txt"), "0123456789").unwrap();
        fs::write(path.join("empty.txt"), "").unwrap();
        let mut huge = File::create(path.join("huge.bin")).unwrap();
        huge.write_all(b"begin").unwrap();
        huge.seek(SeekFrom::Start(HUGE - 3)).unwrap();
        huge.write_all(b"end").unwrap();
        let folder = path.clone();
        let server = Server::bind("127.0.0.1:0").unwrap().spawn(move || {
            let mut app = App::new();
            app.get("/{*path}", Files::new(&folder).unwrap().handler());
            app
        });
        Fixture { server: server.unwrap(), path }
    }

    fn connect(&self) -> Client {
        Client::connect(self.server.local_addr())
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[track_caller]
fn get(client: &mut Client, target: &str, fields: &str) -> Reply {
    client.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n"));
    client.reply()
}

/// The parts of a reply: where each begins, how long the whole is, the bytes.
#[track_caller]
fn parts(reply: &Reply) -> Vec<(u64, u64, Vec<u8>)> {
    let media = reply.get("content-type").unwrap();
    let Some(boundary) = media.strip_prefix("multipart/byteranges; boundary=") else {
        let (from, to, all) = content_range(reply.get("content-range").unwrap());
        assert_eq!(reply.body.len() as u64, to - from + 1);
        return vec![(from, all, reply.body.clone())];
    };
    assert_eq!(reply.get("content-range"), None);
    let (mut rest, mut parts) = (&reply.body[..], Vec::new());
    let start = format!("--{boundary}\r\n");
    rest = rest.strip_prefix(start.as_bytes()).expect("the first boundary");
    loop {
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n").expect("a part's head");
        let head = std::str::from_utf8(&rest[..end]).unwrap();
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        assert!(field("Content-Type: ").is_some(), "{head}");
        let (from, to, all) = content_range(field("Content-Range: ").unwrap());
        rest = &rest[end + 4..];
        let len = (to - from + 1) as usize;
        parts.push((from, all, rest[..len].to_vec()));
        rest = &rest[len..];
        if rest == format!("\r\n--{boundary}--\r\n").as_bytes() {
            return parts;
        }
        rest = rest.strip_prefix(format!("\r\n{start}").as_bytes()).expect("the next boundary");
    }
}

fn content_range(text: &str) -> (u64, u64, u64) {
    let (range, all) = text.strip_prefix("bytes ").unwrap().split_once('/').unwrap();
    let (from, to) = range.split_once('-').unwrap();
    (from.parse().unwrap(), to.parse().unwrap(), all.parse().unwrap())
}

#[test]
fn parts_are_told_apart() {
    let fixture = Fixture::new("ranges-ten");
    let mut client = fixture.connect();
    let reply = get(&mut client, "/ten.txt", "Range: bytes=0-1,5-6\r\n").expect(206);
    let expected = [(0, 10, b"01".to_vec()), (5, 10, b"56".to_vec())];
    assert_eq!(parts(&reply), expected);
    let tag = reply.get("etag").unwrap().to_owned();
    let date = reply.get("last-modified").unwrap().to_owned();
    // The date is a strong validator once its second is over.
    let old = File::options().write(true).open(fixture.path.join("ten.txt")).unwrap();
    old.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(784_111_777)).unwrap();
    let now = get(&mut client, "/empty.txt", "").expect(200);
    assert_eq!(now.get("accept-ranges"), Some("bytes"));
    for stale in [tag, date] {
        let fields = format!("Range: bytes=0-1,5-6\r\nIf-Range: {stale}\r\n");
        support::until("the change is seen", || {
            get(&mut client, "/ten.txt", &fields).status == 200
        });
    }
    let now = get(&mut client, "/ten.txt", "").expect(200);
    for name in ["etag", "last-modified"] {
        let valid = now.get(name).unwrap();
        let fields = format!("Range: bytes=-1,2-3\r\nIf-Range: {valid}\r\n");
        let reply = get(&mut client, "/ten.txt", &fields).expect(206);
        assert_eq!(parts(&reply), [(9, 10, b"9".to_vec()), (2, 10, b"23".to_vec())]);
    }
}

#[test]
fn what_can_not_be_satisfied_says_how_long_it_is() {
    let fixture = Fixture::new("ranges-416");
    let mut client = fixture.connect();
    for range in ["10-", "10-11,20-", "-0"] {
        let reply = get(&mut client, "/ten.txt", &format!("Range: bytes={range}\r\n")).expect(416);
        assert_eq!(reply.get("content-range"), Some("bytes */10"), "{range}");
    }
    get(&mut client, "/empty.txt", "Range: bytes=0-\r\n").expect(416);
    let whole = get(&mut client, "/empty.txt", "Range: bytes=-5\r\n").expect(200);
    assert!(whole.body.is_empty());
}

#[test]
fn head_ignores_ranges() {
    let fixture = Fixture::new("ranges-head");
    let mut client = fixture.connect();
    client.send("HEAD /ten.txt HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1,5-6\r\n\r\n");
    let head = client.reply_to("HEAD").expect(200);
    assert_eq!(head.get("content-length"), Some("10"));
}

#[test]
fn beyond_four_gibibytes() {
    let fixture = Fixture::new("ranges-huge");
    let mut client = fixture.connect();
    client.send("HEAD /huge.bin HTTP/1.1\r\nHost: x\r\n\r\n");
    let head = client.reply_to("HEAD").expect(200);
    assert_eq!(head.get("content-length"), Some("5000000000"));
    type Row<'a> = (&'a str, &'a [(u64, &'a [u8])]);
    let table: [Row<'_>; 5] = [
        ("-3", &[(HUGE - 3, b"end")]),
        ("4999999997-", &[(HUGE - 3, b"end")]),
        ("4999999998-99999999999999999999", &[(HUGE - 2, b"nd")]),
        ("4294967295-4294967296", &[(4_294_967_295, b"\0\0")]),
        ("-2,0-4,4294967296-4294967296", &[(HUGE - 2, b"nd"), (0, b"begin"), (1 << 32, b"\0")]),
    ];
    for (range, expected) in table {
        let reply = get(&mut client, "/huge.bin", &format!("Range: bytes={range}\r\n"));
        let expected: Vec<_> = expected.iter().map(|(at, b)| (*at, HUGE, b.to_vec())).collect();
        assert_eq!(parts(&reply.expect(206)), expected, "{range}");
    }
}

#[test]
fn many_small_ranges_are_the_whole_and_no_more() {
    let fixture = Fixture::new("ranges-many");
    let mut client = fixture.connect();
    let many: Vec<_> = (0..1_000).map(|n| format!("{0}-{0}", n * 2)).collect();
    let fields = format!("Range: bytes={}\r\n", many.join(","));
    let reply = get(&mut client, "/small.txt", &fields).expect(200);
    assert_eq!(reply.body.len(), SMALL);
    let many = vec!["0-"; 1_500].join(",");
    let reply = get(&mut client, "/small.txt", &format!("Range: bytes={many}\r\n")).expect(206);
    assert_eq!(reply.body.len(), SMALL);
}

/// Which bytes are asked for, one by one.
fn asked(ranges: &[(usize, Option<usize>)], length: usize) -> Vec<bool> {
    let mut asked = vec![false; length];
    for &(from, to) in ranges {
        let to = to.map_or(length, |to| (to + 1).min(length));
        if from < to {
            asked[from..to].fill(true);
        }
    }
    asked
}

#[test]
fn any_ranges_are_the_bytes_that_were_asked_for() {
    let fixture = Fixture::new("ranges-any");
    let mut client = fixture.connect();
    let edge = prop_oneof![0..100usize, SMALL - 100..SMALL + 100, 0..LARGE + 100];
    let range = (edge, prop::option::of(prop_oneof![0..10usize, 0..LARGE]))
        .prop_map(|(from, more)| (from, more.map(|more| from + more)));
    let ranges = prop::collection::vec(range, 1..12);
    let mut runner = TestRunner::new(ProptestConfig {
        failure_persistence: None,
        cases: 300,
        ..ProptestConfig::default()
    });
    let client = std::cell::RefCell::new(&mut client);
    let property = |(ranges, large): (Vec<(usize, Option<usize>)>, bool)| {
        let (target, length) = if large { ("/large.bin", LARGE) } else { ("/small.txt", SMALL) };
        let asked = asked(&ranges, length);
        let text = |(from, to): &(usize, Option<usize>)| match to {
            Some(to) => format!("{from}-{to}"),
            None => format!("{from}-"),
        };
        let list: Vec<_> = ranges.iter().map(text).collect();
        let fields = format!("Range: bytes={}\r\n", list.join(","));
        let reply = get(&mut client.borrow_mut(), target, &fields);
        if !asked.contains(&true) {
            prop_assert_eq!(reply.status, 416);
            return Ok(());
        }
        prop_assert_eq!(reply.status, 206);
        let mut missing = asked;
        for (from, all, bytes) in parts(&reply) {
            prop_assert_eq!(all, length as u64);
            let same = bytes.iter().zip(from..).all(|(&b, at)| b == support::pattern_byte(at));
            prop_assert!(same, "wrong bytes at {from}");
            for place in &mut missing[from as usize..from as usize + bytes.len()] {
                prop_assert!(std::mem::take(place), "a byte that was not asked for, or twice");
            }
        }
        prop_assert!(!missing.contains(&true), "bytes are missing");
        Ok(())
    };
    runner.run(&(ranges, any::<bool>()), property).unwrap();
}
