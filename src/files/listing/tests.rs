//! Listings of real folders, made for each test.

use super::*;
use crate::disk::{Jail, Links};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that is gone when the test is over.
struct Base(PathBuf);

impl Base {
    fn new() -> Base {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("onepoll-list-{}-{n}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Base(path)
    }

    fn put(&self, name: &[u8], len: usize) -> &Base {
        fs::write(self.0.join(OsStr::from_bytes(name)), vec![b'x'; len]).unwrap();
        self
    }

    fn folder(&self, links: Links) -> Entries {
        Entries::open(&Arc::new(Jail::new(&self.0, links).unwrap()), b"").unwrap()
    }

    fn listing(&self, page: Page, order: &str, budget: &'static Budget) -> Listing {
        Listing::new(self.folder(Links::Refuse), plain(), page, Order::of(order), budget)
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What is hidden is not shown.
fn plain() -> Shows {
    Box::new(|name, _| !name.starts_with('.'))
}

fn view() -> View {
    View { folder: "in/here".to_owned(), shows: plain(), uploads: false }
}

fn budget(bytes: usize) -> &'static Budget {
    Box::leak(Box::new(Budget::new(bytes)))
}

fn get(target: &str, accept: &str) -> Request {
    let mut request = Request::new(Method::GET, target);
    request.headers_mut().add("Accept", accept).unwrap();
    request
}

/// All pieces, and the largest of them.
fn drained(source: &mut dyn Source, room: usize) -> (String, usize) {
    let (mut all, mut largest) = (Vec::new(), 0);
    loop {
        let mut piece = Vec::new();
        let pull = source.pull(&mut piece, room).unwrap();
        largest = largest.max(piece.capacity());
        all.extend_from_slice(&piece);
        match pull {
            Pull::More => {}
            Pull::End => return (String::from_utf8(all).unwrap(), largest),
            other => panic!("{other:?}"),
        }
    }
}

fn content(mut response: Response) -> String {
    match response.take_body() {
        Body::Owned(bytes) => String::from_utf8(bytes).unwrap(),
        Body::Blocking(mut source, None) => drained(source.as_mut(), 64 * 1024).0,
        other => panic!("{other:?}"),
    }
}

/// The names of a listing in JSON, in their order.
fn names(json: &str) -> Vec<String> {
    let rows = json.lines().filter_map(|line| line.split_once("{\"name\":\""));
    rows.map(|(_, rest)| rest.split_once("\",\"type\"").unwrap().0.to_owned()).collect()
}

#[test]
fn a_listing_is_what_is_asked_for() {
    let base = Base::new();
    base.put(b"a.txt", 3);
    for (accept, media_type) in [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        ("application/json", "application/json"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("image/png", "text/html; charset=utf-8"),
    ] {
        let request = get("/in/here/", accept);
        let response = respond(&request, base.folder(Links::Refuse), view()).unwrap();
        assert_eq!(response.status(), Status::OK);
        let field = |name| response.get(name).map(|v| v.escape_ascii().to_string());
        assert_eq!(field("content-type").as_deref(), Some(media_type), "{accept}");
        assert_eq!(field("vary").as_deref(), Some("Accept"));
        assert_eq!(field("cache-control").as_deref(), Some("no-cache"));
        assert_eq!(field("x-content-type-options").as_deref(), Some("nosniff"));
        assert_eq!(field("etag"), None);
        let is_html = media_type.starts_with("text/html");
        assert_eq!(field("content-security-policy").is_some(), is_html);
        // HEAD has the same fields, and reads nothing.
        let mut request = get("/in/here/", accept);
        request.method = Method::HEAD;
        let head = respond(&request, base.folder(Links::Refuse), view()).unwrap();
        assert!(head.headers().iter().eq(response.headers().iter()));
        assert_eq!(head.content_type(), response.content_type());
        assert!(matches!(head.body_ref(), Body::Blocking(_, None)));
    }
}

#[test]
fn json_has_the_entries() {
    let base = Base::new();
    base.put(b"b\"\n.txt", 3).put(b"a", 0);
    fs::create_dir(base.0.join("sub")).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(784_111_777);
    for name in ["b\"\n.txt", "a", "sub"] {
        let file = fs::File::open(base.0.join(name)).unwrap();
        file.set_modified(time).unwrap();
    }
    let request = get("/in/here/?sort=size&order=desc", "application/json");
    let response = respond(&request, base.folder(Links::Refuse), view()).unwrap();
    let at = "\"modified\":\"1994-11-06T08:49:37Z\"";
    let expected = format!(
        "{{\"path\":\"/in/here/\",\"sorted\":true,\"entries\":[\n\
         {{\"name\":\"sub\",\"type\":\"directory\",\"size\":null,{at}}},\n\
         {{\"name\":\"b\\\"\\n.txt\",\"type\":\"file\",\"size\":3,{at}}},\n\
         {{\"name\":\"a\",\"type\":\"file\",\"size\":0,{at}}}\n],\"left_out\":0}}\n"
    );
    assert_eq!(content(response), expected);
    let empty = Base::new();
    let view = View { folder: String::new(), ..view() };
    let request = get("/", "application/json");
    let response = respond(&request, empty.folder(Links::Refuse), view).unwrap();
    let expected = "{\"path\":\"/\",\"sorted\":true,\"entries\":[\n],\"left_out\":0}\n";
    assert_eq!(content(response), expected);
}

#[test]
fn only_what_can_be_had_is_shown() {
    let base = Base::new();
    base.put(b"a.txt", 1).put(b".hidden", 1).put(b"b.exe", 1).put(b"bad\xFF", 1).put(b".\xFF", 1);
    fs::create_dir(base.0.join("folder.exe")).unwrap();
    fs::create_dir(base.0.join(".git")).unwrap();
    symlink("a.txt", base.0.join("link.txt")).unwrap();
    symlink("folder.exe", base.0.join("way")).unwrap();
    symlink("/etc/passwd", base.0.join("out.txt")).unwrap();
    symlink("nothing", base.0.join("dangling.txt")).unwrap();
    mknodat(CWD, base.0.join("fifo.txt"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let shows = || -> Shows {
        Box::new(|name, kind| {
            !name.starts_with('.') && (kind != Some(Kind::File) || name.ends_with(".txt"))
        })
    };
    for (links, expected) in [
        (Links::Refuse, &["folder.exe", "a.txt"][..]),
        (Links::Within, &["folder.exe", "way", "a.txt", "link.txt"]),
    ] {
        let view = View { shows: shows(), ..view() };
        let request = get("/", "application/json");
        let text = content(respond(&request, base.folder(links), view).unwrap());
        assert_eq!(names(&text), expected, "{links:?}");
        assert!(text.contains("\"left_out\":1}"), "{text}");
    }
}

#[test]
fn a_short_listing_has_a_length_and_a_long_one_is_a_stream() {
    let base = Base::new();
    base.put(b"a", 1);
    let respond =
        |base: &Base| respond(&get("/", "text/html"), base.folder(Links::Refuse), view()).unwrap();
    assert!(matches!(respond(&base).body_ref(), Body::Owned(_)));
    for number in 0..1_000 {
        base.put(format!("{number}").as_bytes(), 0);
    }
    let long = respond(&base);
    assert!(matches!(long.body_ref(), Body::Blocking(_, None)));
    let text = content(long);
    assert!(text.ends_with("</html>\n") && text.matches("<tr>").count() == 1_002, "{text}");
    assert!(text.find(">999</a>").unwrap() < text.find(">a</a>").unwrap());
}

/// However large the folder: what is held at any time is bounded, and beyond
/// the bound the listing says that it isn't sorted.
#[test]
fn a_hundred_thousand_entries_in_bounded_memory() {
    const COUNT: usize = 100_000;
    let base = Base::new();
    base.put(b"first", 0);
    // Names without inodes of their own: quick to make. A file system has a
    // limit of names for each, so the file they are names of changes.
    let mut from = base.0.join("first");
    for number in 1..COUNT {
        let name = base.0.join(format!("name of the file {number}"));
        if fs::hard_link(&from, &name).is_err() {
            fs::write(&name, "").unwrap();
            from = name;
        }
    }
    for page in [Page::Json(String::new()), Page::Html(html_page())] {
        let is_json = matches!(page, Page::Json(_));
        let shared = budget(4 << 20);
        let mut listing = base.listing(page, "", shared);
        let (mut all, mut held_max) = (0, 0);
        let mut seen = BTreeSet::new();
        loop {
            let mut piece = Vec::new();
            let pull = listing.pull(&mut piece, 64 * 1024).unwrap();
            held_max = held_max.max(piece.capacity() + listing.gathered.held());
            let text = std::str::from_utf8(&piece).unwrap();
            if is_json {
                seen.extend(names(text));
            }
            all += text.matches(if is_json { "{\"name\"" } else { "<a href=\"./" }).count();
            if pull == Pull::End {
                break;
            }
        }
        assert_eq!(all, COUNT);
        assert!(!is_json || seen.len() == COUNT);
        assert!(held_max < 2 << 20, "{held_max} bytes");
        assert_eq!(shared.left(), 4 << 20);
        assert_eq!(listing.tally.files, COUNT as u64);
    }
}

fn html_page() -> html::Page {
    let (folder, host) = (String::new(), "h".to_owned());
    html::Page { folder, host, order: Order::default(), uploads: false }
}

#[test]
fn without_memory_for_it_nothing_is_sorted_and_all_is_there() {
    let base = Base::new();
    for number in 0..200 {
        base.put(format!("{number:03}").as_bytes(), 0);
    }
    for bytes in [0, 1024, 3_000] {
        let shared = budget(bytes);
        let mut listing = base.listing(Page::Json(String::new()), "", shared);
        let (text, _) = drained(&mut listing, 64 * 1024);
        assert!(text.starts_with("{\"path\":\"/\",\"sorted\":false,"), "{text}");
        let mut order = Vec::new();
        let mut folder = base.folder(Links::Refuse);
        while folder.advance().unwrap() {
            order.push(String::from_utf8(folder.name().to_vec()).unwrap());
        }
        assert_eq!(names(&text), order, "the folder's own order");
        assert_eq!(shared.left(), bytes);
        let (text, _) = drained(&mut base.listing(Page::Html(html_page()), "", shared), 1 << 20);
        assert!(text.contains("too large to be sorted"));
    }
}

/// What is dropped half way gives back what it held.
#[test]
fn a_client_that_leaves_costs_nothing() {
    let base = Base::new();
    for number in 0..1_500 {
        base.put(format!("{number}").as_bytes(), 0);
    }
    let shared = budget(1 << 20);
    let mut listing = base.listing(Page::Json(String::new()), "", shared);
    let mut out = Vec::new();
    while out.is_empty() {
        assert_eq!(listing.pull(&mut out, 100).unwrap(), Pull::More);
    }
    assert!(shared.left() < 1 << 20);
    drop(listing);
    assert_eq!(shared.left(), 1 << 20);
}

#[test]
fn pieces_of_any_size_are_the_same_listing() {
    let base = Base::new();
    for number in 0..300 {
        base.put(format!("{number}{}", "<".repeat(number % 200)).as_bytes(), number);
    }
    let all = |room| drained(&mut base.listing(Page::Html(html_page()), "", budget(1 << 20)), room);
    let (whole, _) = all(1 << 20);
    for room in [1, 100, 4_096, 65_536] {
        let (text, largest) = all(room);
        assert!(text == whole, "{room}");
        assert!(largest <= 2 * (room + ROW) + STYLED, "{largest} bytes for {room}");
    }
}

/// The start of the page, which is one piece.
const STYLED: usize = 8 * 1024;

/// A folder that changes or vanishes while it is read gives a listing that is
/// whole in itself, of what was seen.
#[test]
fn a_folder_may_change_while_it_is_read() {
    let base = Base::new();
    for number in 0..3_000 {
        base.put(format!("file {number}").as_bytes(), 0);
    }
    for shared in [budget(1 << 20), budget(0)] {
        let mut listing = base.listing(Page::Json(String::new()), "", shared);
        let mut out = Vec::new();
        assert_eq!(listing.pull(&mut out, 1_000).unwrap(), Pull::More);
        for number in (0..3_000).step_by(7) {
            let _ = fs::remove_file(base.0.join(format!("file {number}")));
            base.put(format!("new {number}").as_bytes(), 0);
        }
        let (rest, _) = drained(&mut listing, 64 * 1024);
        let text = String::from_utf8(out).unwrap() + &rest;
        let seen = names(&text);
        let unique: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(unique.len(), seen.len(), "an entry came twice");
        // What was there all the time is shown.
        let kept = (0..3_000).filter(|number| number % 7 != 0);
        assert!(kept.into_iter().all(|n| unique.contains(&format!("file {n}"))));
        assert!(text.ends_with("\n],\"left_out\":0}\n"));
    }
    let mut listing = base.listing(Page::Json(String::new()), "", budget(0));
    let mut out = Vec::new();
    assert_eq!(listing.pull(&mut out, 1_000).unwrap(), Pull::More);
    fs::remove_dir_all(&base.0).unwrap();
    let (rest, _) = drained(&mut listing, 64 * 1024);
    assert!(rest.ends_with("\n],\"left_out\":0}\n"));
}
