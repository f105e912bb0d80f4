//! The forms of a file: siblings that were compressed before, and gzip.
#![cfg(all(feature = "files", feature = "gzip"))]

mod support;

use onepoll::app::{TestClient, TestResponse};
use onepoll::files::Files;
use onepoll::http::Method;
use onepoll::{App, Server};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// A folder that is gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("onepoll-variants-{name}-{}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        fs::create_dir_all(&folder.0).unwrap();
        folder
    }

    /// Writes a file that was last changed so many seconds ago.
    fn put(&self, name: &str, content: impl AsRef<[u8]>, age: u64) {
        fs::write(self.0.join(name), content).unwrap();
        let file = File::options().write(true).open(self.0.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
    }

    fn files(&self) -> Files {
        // Each request looks at the disk again.
        Files::new(&self.0).unwrap().precompressed(true).gzip(true).fresh(Duration::ZERO)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn client(files: &Files) -> TestClient<App> {
    let mut app = App::new();
    files.mount(&mut app, "/");
    TestClient::new(app)
}

fn get(client: &mut TestClient<App>, target: &str, accept: &str) -> TestResponse {
    client.get(target).header("Accept-Encoding", accept).send()
}

fn unzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap();
    out
}

fn text(len: usize) -> Vec<u8> {
    b"to be, or not to be, that is the question:\n".iter().copied().cycle().take(len).collect()
}

#[test]
fn siblings_are_chosen_by_weights() {
    let folder = Folder::new("siblings");
    folder.put("a.js", "as it is", 100);
    folder.put("a.js.br", "brotli", 50);
    folder.put("a.js.zst", "zstandard", 100);
    folder.put("a.js.gz", "gnu zip", 0);
    let mut client = client(&folder.files());
    let table = [
        ("", None, "as it is"),
        ("gzip", Some("gzip"), "gnu zip"),
        ("gzip, deflate, br, zstd", Some("br"), "brotli"),
        ("gzip, deflate, zstd", Some("zstd"), "zstandard"),
        ("br;q=0.5, gzip", Some("gzip"), "gnu zip"),
        ("*", Some("br"), "brotli"),
        ("br;q=0, *", Some("zstd"), "zstandard"),
        ("identity, br;q=0.9", None, "as it is"),
        ("br;q=x", None, "as it is"),
    ];
    let mut tags = BTreeSet::new();
    for (accept, coding, content) in table {
        let reply = get(&mut client, "/a.js", accept);
        assert_eq!((reply.status.code(), reply.text()), (200, content), "{accept}");
        assert_eq!(reply.header("content-encoding"), coding, "{accept}");
        assert_eq!(reply.header("content-type"), Some("text/javascript; charset=utf-8"));
        assert_eq!(reply.header("vary"), Some("Accept-Encoding"), "{accept}");
        let tag = reply.header("etag").unwrap().to_owned();
        assert!(!tag.starts_with("W/"), "{tag}");
        // The same condition, another form: it is not what the client has.
        let again = |client: &mut TestClient<App>, accept: &str| {
            let request = client.get("/a.js").header("If-None-Match", &tag);
            request.header("Accept-Encoding", accept).send()
        };
        let same = again(&mut client, accept);
        assert_eq!(same.status.code(), 304, "{accept}");
        assert_eq!(same.header("vary"), Some("Accept-Encoding"));
        assert_eq!(same.header("etag"), Some(tag.as_str()));
        assert_eq!(same.header("content-encoding"), None);
        let other = if coding.is_some() { "" } else { "br" };
        assert_eq!(again(&mut client, other).status.code(), 200, "{accept}");
        let failed = client.get("/a.js").header("If-Match", "\"x\"").send();
        assert_eq!((failed.status.code(), failed.header("vary")), (412, Some("Accept-Encoding")));
        tags.insert(tag);
    }
    assert_eq!(tags.len(), 4);
}

#[test]
fn a_sibling_can_be_asked_for_in_parts() {
    let folder = Folder::new("parts");
    let packed: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
    folder.put("a.txt", text(10), 100);
    folder.put("a.txt.br", &packed, 50);
    let mut client = client(&folder.files());
    let part = client.get("/a.txt").header("Accept-Encoding", "br");
    let part = part.header("Range", "bytes=100000-100009,-1").send();
    assert_eq!(part.status.code(), 206);
    assert_eq!(part.header("content-encoding"), Some("br"));
    let body = String::from_utf8_lossy(&part.body).into_owned();
    assert!(body.contains("Content-Range: bytes 100000-100009/200000\r\n"), "{body}");
    assert!(body.contains("Content-Type: text/plain; charset=utf-8\r\n"), "{body}");
    let found = part.body.windows(10).any(|ten| ten == &packed[100_000..100_010]);
    assert!(found, "the coded bytes");
}

#[test]
fn what_is_no_sibling_counts_for_nothing() {
    let folder = Folder::new("none");
    for name in ["old", "folder", "link", "fifo"] {
        folder.put(name, "as it is", 100);
    }
    let at = |name: &str| folder.0.join(name);
    folder.put("old.br", "stale", 101);
    fs::create_dir(at("folder.br")).unwrap();
    std::os::unix::fs::symlink("old", at("link.br")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(at("fifo.br")).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo");
    let mut client = client(&folder.files());
    for name in ["old", "folder", "link", "fifo"] {
        let reply = get(&mut client, &format!("/{name}"), "br");
        assert_eq!((reply.status.code(), reply.text()), (200, "as it is"), "{name}");
        assert_eq!(reply.header("content-encoding"), None, "{name}");
        assert_eq!(reply.header("vary"), None, "{name}");
    }
}

#[test]
fn a_sibling_with_whole_seconds_may_be_of_the_same_second() {
    let folder = Folder::new("seconds");
    let path = |name: &str| folder.0.join(name);
    let set = |name: &str, time: Duration| {
        fs::write(path(name), name).unwrap();
        let file = File::options().write(true).open(path(name)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + time).unwrap();
    };
    set("a.js", Duration::from_millis(1_000_000_700));
    for (theirs, expected) in [(1_000_000_000, "a.js.br"), (1_000_000_699, "a.js")] {
        set("a.js.br", Duration::from_millis(theirs));
        let mut client = client(&folder.files());
        assert_eq!(get(&mut client, "/a.js", "br").text(), expected, "{theirs}");
    }
}

#[test]
fn siblings_are_no_way_around_the_rules() {
    let folder = Folder::new("rules");
    folder.put("a.html", "as it is", 100);
    folder.put("a.html.br", "brotli", 50);
    folder.put(".secret.br", "secret", 50);
    folder.put("b.br", "alone", 50);
    let mut client = client(&folder.files().only(["html"]));
    assert_eq!(get(&mut client, "/a.html", "br").text(), "brotli");
    for target in ["/a.html.br", "/.secret", "/.secret.br", "/b", "/b.br"] {
        assert_eq!(get(&mut client, target, "br").status.code(), 404, "{target}");
    }
}

#[test]
fn siblings_come_change_and_go() {
    let folder = Folder::new("change");
    folder.put("index.html", "as it is", 100);
    let mut client = client(&folder.files());
    let mut now = || get(&mut client, "/", "br").text().to_owned();
    assert_eq!(now(), "as it is");
    folder.put("index.html.br", "brotli", 50);
    assert_eq!(now(), "brotli");
    folder.put("index.html.br", "another", 40);
    assert_eq!(now(), "another");
    folder.put("index.html", "newer", 30);
    assert_eq!(now(), "newer");
    folder.put("index.html.br", "new again", 30);
    assert_eq!(now(), "new again");
    fs::remove_file(folder.0.join("index.html.br")).unwrap();
    assert_eq!(now(), "newer");
}

#[test]
fn text_is_compressed_as_it_is_sent() {
    let folder = Folder::new("zip");
    for len in [255, 256, 16 * 1024, 16 * 1024 + 1, 64 * 1024, 64 * 1024 + 1, 3_000_000] {
        folder.put("a.txt", text(len), 100);
        let mut client = client(&folder.files());
        let plain = get(&mut client, "/a.txt", "");
        assert!(plain.body == text(len), "{len}");
        let reply = get(&mut client, "/a.txt", "gzip, br");
        if len < 256 {
            assert_eq!(reply.header("content-encoding"), None);
            assert_eq!(reply.header("vary"), None);
            continue;
        }
        assert_eq!(reply.header("content-encoding"), Some("gzip"), "{len}");
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
        assert!(unzip(&reply.body) == text(len), "{len}");
        for reply in [&plain, &reply] {
            assert_eq!(reply.header("vary"), Some("Accept-Encoding"), "{len}");
        }
        let (tag, whole) = (reply.header("etag").unwrap().to_owned(), reply.body);
        assert_ne!(plain.header("etag"), Some(tag.as_str()));
        assert!(tag.ends_with("-gz\""), "{tag}");
        let ask = |client: &mut TestClient<App>, name: &str, value: &str| {
            let request = client.get("/a.txt").header("Accept-Encoding", "gzip");
            request.header(name, value).header("If-Range", &tag).send()
        };
        let same = ask(&mut client, "If-None-Match", &tag);
        assert_eq!((same.status.code(), same.header("vary")), (304, Some("Accept-Encoding")));
        let part = ask(&mut client, "Range", "bytes=5-14");
        assert_eq!((part.status.code(), &part.body[..]), (206, &whole[5..15]), "{len}");
        assert_eq!(part.header("content-encoding"), Some("gzip"));
        let head = client.request(Method::HEAD, "/a.txt").header("Accept-Encoding", "gzip").send();
        assert_eq!(head.header("etag"), Some(tag.as_str()), "{len}");
    }
}

#[test]
fn what_gains_nothing_is_sent_as_it_is() {
    let folder = Folder::new("gain");
    let mut state = 1u32;
    let noise: Vec<u8> = (0..100_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    folder.put("noise.txt", &noise, 100);
    folder.put("few.txt", &noise[..5_000], 100);
    folder.put("a.png", text(5_000), 100);
    folder.put("a.txt.gz", text(5_000), 100);
    folder.put("long.txt", text((8 << 20) + 1), 100);
    let mut client = client(&folder.files());
    for (target, varies) in [
        ("/noise.txt", true),
        ("/few.txt", true),
        ("/a.png", false),
        ("/a.txt.gz", false),
        ("/long.txt", false),
    ] {
        for _ in 0..2 {
            let reply = get(&mut client, target, "gzip");
            assert!(reply.complete && reply.status.code() == 200, "{target}");
            assert_eq!(reply.header("content-encoding"), None, "{target}");
            let vary = varies.then_some("Accept-Encoding");
            assert_eq!(reply.header("vary"), vary, "{target}");
        }
    }
}

#[test]
fn a_form_goes_with_its_file() {
    let folder = Folder::new("goes");
    let mut client = client(&folder.files());
    let mut tags = BTreeSet::new();
    for n in 1..5 {
        let content = text(20_000 * n);
        folder.put("a.txt", &content, 100 - n as u64);
        for _ in 0..2 {
            let reply = get(&mut client, "/a.txt", "gzip");
            assert!(unzip(&reply.body) == content, "{n}");
            tags.insert(reply.header("etag").unwrap().to_owned());
        }
    }
    assert_eq!(tags.len(), 4);
}

#[test]
fn without_a_cache_what_is_short_is_compressed() {
    let folder = Folder::new("cacheless");
    folder.put("short.txt", text(30_000), 100);
    folder.put("long.txt", text(100_000), 100);
    let mut client = client(&folder.files().cache_bytes(0).cache_files(0));
    for (target, coding) in [("/short.txt", Some("gzip")), ("/long.txt", None)] {
        for _ in 0..2 {
            let reply = get(&mut client, target, "gzip");
            assert_eq!(reply.header("content-encoding"), coding, "{target}");
        }
    }
}

#[test]
fn by_default_a_file_is_sent_as_it_is() {
    let folder = Folder::new("default");
    folder.put("a.txt", text(1_000), 100);
    folder.put("a.txt.br", "brotli", 50);
    let mut client = client(&Files::new(&folder.0).unwrap());
    let reply = get(&mut client, "/a.txt", "br, gzip");
    assert_eq!((reply.body, reply.headers.get("vary")), (text(1_000), None));
}

#[test]
fn many_at_once_all_get_the_same_text() {
    let folder = Folder::new("many");
    let content = text(5_000_000);
    folder.put("a.txt", &content, 100);
    let files = folder.files().fresh(Duration::from_secs(1));
    let server = Server::bind("127.0.0.1:0").unwrap().spawn(move || {
        let mut app = App::new();
        files.mount(&mut app, "/");
        app
    });
    let server = server.unwrap();
    let to = server.local_addr();
    let ask = || {
        let mut client = support::Client::connect(to);
        client.send("GET /a.txt HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n");
        let reply = client.reply().expect(200);
        match reply.get("content-encoding") {
            Some("gzip") => assert!(unzip(&reply.body) == content),
            // While somebody makes the other form.
            none => assert!(none.is_none() && reply.body == content),
        }
        reply.get("content-encoding") == Some("gzip")
    };
    let made = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
        let made = clients.into_iter().map(|client| client.join().expect("it is right"));
        made.filter(|zip| *zip).count()
    });
    assert!(made >= 1, "one makes it");
    assert!(ask(), "then it is there");
}
