//! Listings of folders, over sockets.
#![cfg(feature = "files")]

mod support;

use onepoll::disk::Links;
use onepoll::server::Background;
use onepoll::{App, Server, files::Files};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use support::json::Json;
use support::{Client, Framing, Reply};

/// A folder that is gone when the test is over, and a server of it.
struct Served {
    base: PathBuf,
    server: Background,
}

impl Served {
    fn new(name: &str, options: impl FnOnce(Files) -> Files + Send + 'static) -> Served {
        let base = std::env::temp_dir().join(format!("onepoll-{name}-{}", std::process::id()));
        fs::create_dir_all(&base).expect("a folder");
        let path = base.clone();
        let server = Server::bind("127.0.0.1:0").expect("a free port").spawn(move || {
            let mut app = App::new();
            let files = Files::new(&path).expect("the folder is there").listing(true);
            app.get("/at/{*path}", options(files).handler());
            app
        });
        Served { base, server: server.expect("a server that starts") }
    }

    fn put(&self, name: &[u8], content: &[u8]) {
        fs::write(self.base.join(OsStr::from_bytes(name)), content).expect("writing a file");
    }

    fn ask(&self, method: &str, target: &str, accept: &str) -> Reply {
        let mut client = Client::connect(self.server.local_addr());
        client.send(format!(
            "{method} {target} HTTP/1.1\r\nHost: test\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
        ));
        let reply = client.reply_to(method);
        client.expect_closed();
        reply
    }

    /// A listing in JSON.
    fn entries(&self, target: &str) -> Vec<Json> {
        let reply = self.ask("GET", target, "application/json").expect(200);
        Json::read(reply.text()).get("entries").array().to_vec()
    }

    fn names(&self, target: &str) -> Vec<String> {
        self.entries(target).iter().map(|entry| entry.get("name").text().to_owned()).collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.base);
    }
}

/// Names that break a page, an address or a text if they are not written right.
const ODD: [&str; 18] = [
    "plain.txt",
    "with space",
    " ",
    "<b>&amp;'\"",
    "50%",
    "%2e%2e",
    "%252F",
    "a#b?c=d",
    "new\nline",
    "back\\slash",
    "...",
    "..a",
    "+",
    "a:b",
    "é漢🦀",
    "exe.\u{202e}gpj",
    "\u{1}",
    "~user;v=1,2",
];

/// The links of a page, as they stand in it.
fn links(page: &str) -> Vec<String> {
    let rows = page.split("<th scope=\"row\"><a href=\"").skip(1);
    let links = rows.map(|row| row.split('"').next().unwrap_or(""));
    links.map(|link| link.replace("&#39;", "'").replace("&amp;", "&")).collect()
}

#[test]
fn each_link_leads_to_its_file() {
    let served = Served::new("links", |files| files.hidden(true));
    for name in ODD {
        served.put(name.as_bytes(), name.as_bytes());
    }
    fs::create_dir(served.base.join("sub folder?")).expect("a folder");
    served.put(b"sub folder?/in it", b"deep");
    let page = served.ask("GET", "/at/", "text/html").expect(200);
    let links = links(page.text());
    assert_eq!(links.len(), ODD.len() + 1);
    assert_eq!(links[0], "./sub%20folder%3F/");
    let mut contents = Vec::new();
    for link in &links[1..] {
        let target = format!("/at/{}", link.strip_prefix("./").expect("a link from here"));
        let reply = served.ask("GET", &target, "*/*").expect(200);
        contents.push(reply.text().to_owned());
    }
    contents.sort();
    let mut expected = ODD;
    expected.sort_unstable();
    assert_eq!(contents, expected);
    // And down, and up again.
    let deep = served.ask("GET", "/at/sub%20folder%3F/", "text/html").expect(200);
    assert!(deep.text().contains("<a href=\"./in%20it\">in it</a>"), "{}", deep.text());
    assert!(deep.text().contains("<a href=\"../\">test</a>"), "{}", deep.text());
}

#[test]
fn json_is_json_and_says_what_is_there() {
    let served = Served::new("json", |files| files.hidden(true));
    for name in ODD {
        served.put(name.as_bytes(), name.as_bytes());
    }
    served.put(b"not UTF-8 \xFF", b"");
    served.put(b".onepoll-1-0.part", b"an upload that is not over");
    let reply = served.ask("GET", "/at/?sort=size&order=desc", "application/json").expect(200);
    assert_eq!(reply.get("content-type"), Some("application/json"));
    let json = Json::read(reply.text());
    assert_eq!(json.get("path").text(), "/");
    assert_eq!(*json.get("sorted"), Json::Bool(true));
    assert_eq!(json.get("left_out").number(), 1);
    let mut names = Vec::new();
    let mut last = u64::MAX;
    for entry in json.get("entries").array() {
        names.push(entry.get("name").text().to_owned());
        assert_eq!(entry.get("type").text(), "file");
        let size = entry.get("size").number();
        assert_eq!(size, names[names.len() - 1].len() as u64);
        assert!(size <= last, "by size, the largest first");
        last = size;
        let modified = entry.get("modified").text();
        assert!(modified.starts_with("20") && modified.ends_with('Z'), "{modified}");
    }
    names.sort();
    let mut expected = ODD;
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[test]
fn head_has_the_head_of_get() {
    let served = Served::new("list-head", |files| {
        files.header("X-Own", "yes").expect("a field that can be sent")
    });
    served.put(b"a", b"");
    for accept in ["text/html", "application/json"] {
        let get = served.ask("GET", "/at/", accept).expect(200);
        let head = served.ask("HEAD", "/at/", accept).expect(200);
        assert!(head.body.is_empty());
        for name in [
            "content-type",
            "cache-control",
            "vary",
            "x-content-type-options",
            "content-security-policy",
            "x-own",
        ] {
            assert_eq!(head.get(name), get.get(name), "{name}");
        }
        assert_eq!(get.get("x-own"), Some("yes"));
        assert_eq!(get.get("vary"), Some("Accept"));
        assert_eq!(get.get("etag"), None);
    }
}

#[test]
fn only_folders_without_an_index_are_listed_and_only_what_may_be_had() {
    let served = Served::new("list-only", |files| files.only(["txt", "html"]));
    for folder in ["indexed", "plain", "plain/sub", "plain/.git"] {
        fs::create_dir(served.base.join(folder)).expect("a folder");
    }
    served.put(b"indexed/index.html", b"the index");
    served.put(b"plain/a.txt", b"a");
    served.put(b"plain/a.exe", b"a");
    served.put(b"plain/.hidden.txt", b"a");
    assert_eq!(served.ask("GET", "/at/indexed/", "*/*").expect(200).text(), "the index");
    assert_eq!(served.names("/at/plain/"), ["sub", "a.txt"]);
    assert_eq!(served.names("/at/plain/sub/"), [""; 0]);
    for (target, status) in [
        ("/at/plain", 308),
        ("/at/plain/a.exe", 404),
        ("/at/plain/.git/", 404),
        ("/at/plain/a.txt/", 404),
        ("/at/gone/", 404),
        ("/at/../", 403),
    ] {
        served.ask("GET", target, "application/json").expect(status);
    }
    // What vanishes is not found, whatever was there before.
    fs::remove_dir(served.base.join("plain/sub")).expect("it is empty");
    served.ask("GET", "/at/plain/sub/", "*/*").expect(404);
}

#[test]
fn links_are_shown_where_they_are_followed() {
    for (links, expected) in [(Links::Refuse, &["a"][..]), (Links::Within, &["a", "b"])] {
        let name = format!("list-links-{}", expected.len());
        let served = Served::new(&name, move |files| files.links(links).expect("a folder"));
        served.put(b"a", b"a");
        std::os::unix::fs::symlink("a", served.base.join("b")).expect("a link");
        std::os::unix::fs::symlink("/etc", served.base.join("c")).expect("a link");
        assert_eq!(served.names("/at/"), expected);
    }
}

#[test]
fn a_folder_that_is_not_ours_to_read_is_forbidden() {
    use std::os::unix::fs::PermissionsExt;
    let served = Served::new("list-denied", |files| files);
    let folder = served.base.join("closed");
    fs::create_dir(&folder).expect("a folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o000)).expect("it is ours");
    // The superuser is not stopped by permissions.
    let status = if fs::read_dir(&folder).is_ok() { 200 } else { 403 };
    served.ask("GET", "/at/closed/", "application/json").expect(status);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("it is ours");
}

#[test]
fn a_large_folder_is_streamed() {
    let served = Served::new("list-large", |files| files);
    // More than are sorted.
    for number in 0..10_500 {
        served.put(format!("{number}").as_bytes(), b"");
    }
    let reply = served.ask("GET", "/at/", "application/json").expect(200);
    assert_eq!(reply.framing, Framing::Chunked);
    assert!(reply.chunks > 5, "{} chunks", reply.chunks);
    let json = Json::read(reply.text());
    assert_eq!(*json.get("sorted"), Json::Bool(false));
    let mut numbers: Vec<u64> = Vec::new();
    for entry in json.get("entries").array() {
        numbers.push(entry.get("name").text().parse().expect("a number"));
    }
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..10_500), "each comes once");
    let page = served.ask("GET", "/at/", "text/html").expect(200);
    assert!(page.text().contains("too large to be sorted"));
    assert_eq!(links(page.text()).len(), 10_500);
    // One that fits is sorted, though it comes in pieces.
    for number in 9_000..10_500 {
        fs::remove_file(served.base.join(format!("{number}"))).expect("it is there");
    }
    let names = served.names("/at/?order=desc");
    assert!(names.iter().map(|n| n.parse::<u64>().expect("a number")).eq((0..9_000).rev()));
}

/// The reader below reads nothing that isn't JSON.
#[test]
fn the_judge_is_strict() {
    for good in ["{}", "[]", " [1, -0.5e+3, \"a\\u00e9\\n\", true, null] ", "{\"a\":{\"b\":[]}}"] {
        assert!(Json::try_read(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "[1 2]",
        "\"\n\"",
        "\"\\x\"",
        "\"\\ud800\"",
        "01",
        "1.",
        "[] []",
        "nul",
        "{\"a\":1,\"a\":2}",
    ] {
        assert!(Json::try_read(bad).is_err(), "{bad}");
    }
}
