//! Files, in and out.

use crate::site::{FORM, HTML, Site, form};
use crate::support::folder::Folder;
use crate::support::json::Json;
use crate::support::{expect_pattern, pattern, until};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn files_are_taken_listed_and_given_back() {
    let site = Site::start();
    let mut visitor = site.visitor();
    let token = visitor.token("/uploads");
    let (large, script) = (pattern(1_500_000), b"<script>alert(1)</script>".as_slice());
    let files = [("a picture.png", &large[..]), ("page.html", script), ("empty", b"")];
    let reply = visitor.send_files(&token, &files).expect(303);
    assert_eq!(reply.get("location"), Some("/uploads"));
    assert_eq!(site.uploads(), ["a picture.png", "empty", "page.html"]);

    let list = visitor.get("/uploads").expect(200);
    let list = list.text();
    assert!(list.contains("Saved: a picture.png, page.html, empty"), "{list}");
    assert!(list.contains("href=\"/uploads/a%20picture.png\"") || list.contains("a%20picture.png"));
    assert!(list.contains("1.5 MB") && list.contains("25 bytes"), "{list}");
    // Said once.
    assert!(!visitor.get("/uploads").text().contains("Saved: "));

    for (path, content) in
        [("/uploads/a%20picture.png", &large[..]), ("/uploads/page.html", script)]
    {
        let file = visitor.get(path).expect(200);
        assert!(file.body == content, "{path}: {} bytes", file.body.len());
        let how = file.get("content-disposition").expect("to be saved");
        assert!(how.starts_with("attachment; filename=\""), "{how}");
        assert_eq!(file.get("x-content-type-options"), Some("nosniff"));
    }
    let part = visitor.ask("GET", "/uploads/a%20picture.png", &["Range: bytes=251-501"], b"");
    expect_pattern(&part.expect(206).body, 251);

    // The same name once more: both are there.
    let token = visitor.token("/uploads");
    visitor.accept = "application/json";
    let reply = visitor.send_files(&token, &[("page.html", b"other")]).expect(201);
    let names = Json::read(reply.text());
    assert_eq!(names.get("files").array()[0].text(), "page-2.html");
    assert_eq!(site.upload("page.html"), script);
    assert_eq!(site.upload("page-2.html"), b"other");
}

#[test]
fn odd_names_are_made_harmless() {
    let site = Site::start();
    let mut visitor = site.visitor();
    let token = visitor.token("/uploads");
    let files: [(&str, &[u8]); 4] =
        [("../../evil", b"1"), (".hidden", b"2"), ("<img src=x>.png", b"3"), ("é漢.txt", b"4")];
    visitor.send_files(&token, &files).expect(303);
    assert_eq!(site.uploads(), ["_img src=x_.png", "evil", "hidden", "é漢.txt"]);
    let list = visitor.get("/uploads").expect(200);
    assert!(!list.text().contains("<img"), "{}", list.text());
    assert_eq!(visitor.get("/uploads/%C3%A9%E6%BC%A2.txt").expect(200).body, b"4");
    for path in ["/uploads/..%2Fmessages.db", "/uploads/../messages.db", "/uploads/.hidden"] {
        assert!(visitor.get(path).status >= 400, "{path}");
    }
}

#[test]
fn what_is_refused_leaves_nothing() {
    let site = Site::start();
    let mut visitor = site.visitor();
    let token = visitor.token("/uploads");
    visitor.send_files("", &[("a", b"a")]).expect(403);
    visitor.send_files(&format!("{token}0"), &[("a", b"a")]).expect(403);
    site.visitor().send_files(&token, &[("a", b"a")]).expect(403);
    visitor.send_files(&token, &[]).expect(422);
    let many: Vec<(&str, &[u8])> = (0..17).map(|_| ("a", &b"a"[..])).collect();
    visitor.send_files(&token, &many).expect(413);
    visitor.post("/uploads", "text/plain", "hello").expect(415);
    let mut visitor = site.visitor();
    visitor.post("/uploads", "multipart/form-data; boundary=xyz", "--xyz\r\n").expect(400);
    assert_eq!(site.uploads(), [""; 0]);
}

#[test]
fn a_shelf_that_is_full_says_so_before_anything_is_sent() {
    let site = Site::start();
    let mut visitor = site.visitor();
    let token = visitor.token("/uploads");
    let full = site.data.0.join("uploads/full");
    let file = fs::File::create(&full).expect("a file");
    // All but three bytes of it.
    file.set_len((4 << 30) - 3).expect("a sparse file");
    visitor.send_files(&token, &[("four", b"four")]).expect(507);
    visitor.post("/upload", "application/json", "1234").expect(507);
    visitor.send_files(&token, &[("a", b"a")]).expect(303);
    visitor.post("/upload", "application/json", "12").expect(201);
    assert_eq!(site.uploads().len(), 3);
    // Who asks first is told at once, with the page for it.
    let fields = [
        "Content-Type: multipart/form-data; boundary=xyz",
        "Expect: 100-continue",
        "Content-Length: 1000000",
    ];
    let refused = site.visitor().ask_first("/uploads", &fields).expect(507);
    assert!(refused.text().contains("Nothing was kept"), "{}", refused.text());
    // The way out of it.
    fs::remove_file(full).expect("it is there");
    visitor.send_files(&token, &[("b", b"b")]).expect(303);
}

/// What the page promises, with what a browser writes around it.
#[test]
fn a_file_of_a_gibibyte_is_not_too_much() {
    let site = Site::start();
    for (len, answer) in [((1_u64 << 30) + 600, "HTTP/1.1 100"), (2 << 30, "HTTP/1.1 413")] {
        let mut tcp = TcpStream::connect(site.address).expect("it listens");
        let head = format!("POST /uploads HTTP/1.1\r\nHost: {}\r\n", site.address);
        let kind = "Content-Type: multipart/form-data; boundary=xyz\r\n";
        let rest = format!("{kind}Content-Length: {len}\r\nExpect: 100-continue\r\n\r\n");
        tcp.write_all((head + &rest).as_bytes()).expect("it listens");
        let mut begun = [0; 12];
        tcp.read_exact(&mut begun).expect("an answer");
        assert_eq!(begun.as_slice(), answer.as_bytes());
    }
}

#[test]
fn a_full_disk_is_a_507_and_nothing_is_left() {
    let data = Folder::new();
    let Some(_mount) = data.small() else { return };
    let site = Site::on(Folder(data.0.clone()), &[]);
    let mut visitor = site.visitor();
    let token = visitor.token("/uploads");
    let large = pattern(3 << 20);
    let page = visitor.send_files(&token, &[("small", b"1"), ("large", &large)]).expect(507);
    assert!(page.text().contains("Nothing was kept"), "{}", page.text());
    until("nothing is left", || site.uploads().is_empty());
    // What there is room for is taken again.
    let mut visitor = site.visitor();
    let token = visitor.token("/uploads");
    visitor.send_files(&token, &[("small", b"1")]).expect(303);
    assert_eq!(site.uploads(), ["small"]);
    // To the brim.
    let fill = site.data.0.join("fill");
    let written = fs::write(&fill, &large).expect_err("it is full");
    assert_eq!(written.kind(), std::io::ErrorKind::StorageFull);
    let document = format!("\"{}\"", "a".repeat(100_000));
    visitor.post("/upload", "application/json", &document).expect(507);
    assert_eq!(site.uploads(), ["small"]);
    // What can't be kept is not thanked for, and what needn't be kept is answered.
    visitor.get("/uploads/small").expect(200);
    visitor.get("/livez").expect(200);
    let (count, mut refused) = (site.messages().get("total").number(), 0);
    let token = visitor.token("/contact");
    let message = form(&token, "Ada", "a@example.org", &"much ".repeat(700));
    for _ in 0..5 {
        refused += u32::from(visitor.post("/contact", FORM, &message).status == 507);
    }
    let kept = site.messages().get("total").number() - count;
    assert_eq!(kept, 5 - u64::from(refused));
    fs::remove_file(fill).expect("it is there");
    visitor.post("/contact", FORM, &message).expect(303);
    visitor.post("/upload", "application/json", &document).expect(201);
}

#[test]
fn a_kill_within_an_upload_leaves_nothing_and_one_after_the_reply_all() {
    let mut site = Site::start();
    let mut visitor = site.visitor();
    let token = visitor.token("/uploads");
    let content = pattern(300_000);
    visitor.send_files(&token, &[("kept", &content)]).expect(303);
    // Half of another.
    let body = crate::site::multipart(&token, &[("cut", &content)]);
    let cookie = visitor.cookie.clone().expect("a session");
    let mut client = crate::support::Client::connect(site.address);
    client.send(format!(
        "POST /uploads HTTP/1.1\r\nHost: {}\r\nAccept: {HTML}\r\nCookie: {cookie}\r\n\
         Content-Type: multipart/form-data; boundary=xyz\r\nContent-Length: {}\r\n\r\n",
        site.address,
        body.len()
    ));
    client.send(&body[..body.len() / 2]);
    site.kill();
    let site = site.revived();
    assert_eq!(site.uploads(), ["kept"]);
    expect_pattern(&site.upload("kept"), content.len());
}
