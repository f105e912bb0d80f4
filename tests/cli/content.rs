//! `onepoll serve`: the flags that say what is shown, and how.

use crate::served::{Folder, Served};
use std::os::unix::fs::symlink;

/// The status of each of these, on one connection.
#[track_caller]
fn expect(served: &Served, table: &[(&str, u16)]) {
    let mut client = served.client();
    for (path, status) in table {
        assert_eq!(client.ask(&format!("GET {path}"), &[]).status, *status, "{path}");
    }
}

fn folder() -> Folder {
    let folder = Folder::new().with("start.htm", "start").with("index.html", "index");
    let folder = folder.with(".hidden", "x").with(".well-known/x", "x").with("b.zip", "PK");
    let folder = folder.with("assets/app.5f3c9a1b.js", "x").with("assets/app.js", "x");
    symlink("a.txt", folder.0.join("link")).expect("a link");
    symlink("/etc/passwd", folder.0.join("out")).expect("a link");
    folder
}

#[test]
fn without_flags_it_shows_what_is_meant_to_be_shown() {
    let served = Served::start(folder(), &[]);
    let table = [
        ("/", 200),
        ("/assets", 308),
        ("/assets/", 404),
        ("/.hidden", 404),
        ("/.well-known/x", 200),
        ("/link", 403),
        ("/out", 403),
        ("/b.zip", 200),
    ];
    expect(&served, &table);
    let mut client = served.client();
    assert_eq!(client.ask("GET /", &[]).text(), "index");
    let reply = client.ask("GET /b.zip", &[]);
    for absent in ["content-disposition", "cache-control", "access-control-allow-origin"] {
        assert_eq!(reply.get(absent), None);
    }
}

#[test]
fn hidden_files_and_links_are_shown_if_told_so() {
    let served = Served::start(folder(), &["--hidden", "--follow-symlinks"]);
    expect(&served, &[("/.hidden", 200), ("/link", 200), ("/out", 403)]);
}

#[test]
fn only_some_extensions_are_shown() {
    let served = Served::start(folder(), &["--only", "txt,.ZIP", "--only", "htm"]);
    let table = [
        ("/a.txt", 200),
        ("/b.zip", 200),
        ("/start.htm", 200),
        ("/assets/app.js", 404),
        ("/", 404),
    ];
    expect(&served, &table);
}

#[test]
fn fields_of_replies_are_as_told() {
    let flags = [
        "--index=start.htm",
        "--attachment=zip",
        "--immutable",
        "--cache-control=assets/app.js=no-store",
        "--cache-control",
        "*.zip=max-age=60, public",
        "--header=X-Frame-Options: DENY",
        "--header",
        "X-Colon: a:b",
        "--media-type=htm=application/xhtml+xml",
    ];
    let served = Served::start(folder(), &flags);
    let mut client = served.client();
    let forever = "public, max-age=31536000, immutable";
    let table = [
        ("/", "content-type", Some("application/xhtml+xml")),
        ("/b.zip", "content-disposition", Some("attachment; filename=\"b.zip\"")),
        ("/b.zip", "cache-control", Some("max-age=60, public")),
        ("/assets/app.js", "cache-control", Some("no-store")),
        ("/assets/app.5f3c9a1b.js", "cache-control", Some(forever)),
        ("/a.txt", "cache-control", None),
        ("/a.txt", "content-disposition", None),
        ("/a.txt", "x-frame-options", Some("DENY")),
        ("/a.txt", "x-colon", Some("a:b")),
        ("/none", "x-frame-options", Some("DENY")),
        ("/out", "x-frame-options", Some("DENY")),
    ];
    for (path, name, value) in table {
        assert_eq!(client.ask(&format!("GET {path}"), &[]).get(name), value, "{path}: {name}");
    }
    assert_eq!(client.ask("GET /", &[]).text(), "start");
}

#[test]
fn files_that_flags_name_and_that_are_not_there_are_told() {
    let flags = ["--spa", "--page404=none.html"];
    let served = Served::start(Folder::new(), &flags);
    let told = served.before.join("\n");
    assert!(told.contains("--spa: there is no index.html in"), "{told}");
    assert!(told.contains("--page404: there is no none.html in"), "{told}");
}

#[test]
fn what_is_not_there_has_a_page() {
    let served = Served::start(folder(), &["--page404=start.htm"]);
    let reply = served.client().ask("GET /none", &[]);
    assert_eq!((reply.status, reply.text()), (404, "start"));
    let served = Served::start(folder(), &["--spa", "--page404=start.htm"]);
    let reply = served.client().ask("GET /some/page", &["Accept: text/html"]);
    assert_eq!((reply.status, reply.text()), (200, "index"));
    let served = Served::start(folder(), &["--spa=start.htm"]);
    let reply = served.client().ask("GET /some/page", &["Accept: text/html"]);
    assert_eq!((reply.status, reply.text()), (200, "start"));
}

#[test]
fn folders_are_listed_if_told_so() {
    let served = Served::start(folder(), &["--listing"]);
    let reply = served.client().ask("GET /assets/", &["Accept: text/html"]);
    assert_eq!(reply.status, 200);
    assert!(reply.text().contains("app.5f3c9a1b.js"), "{}", reply.text());
}

#[test]
fn content_is_compressed_unless_told_not_to() {
    let folder = || Folder::new().with("long.txt", "word ".repeat(1000)).with("a.txt.br", "br");
    let coding = |flags: &[&str], path: &str| {
        let served = Served::start(folder(), flags);
        let reply = served.client().ask(&format!("GET {path}"), &["Accept-Encoding: br, gzip"]);
        reply.get("content-encoding").map(str::to_owned)
    };
    assert_eq!(coding(&[], "/a.txt").as_deref(), Some("br"));
    assert_eq!(coding(&["--no-precompressed"], "/a.txt"), None);
    assert_eq!(coding(&[], "/long.txt").as_deref(), Some("gzip"));
    assert_eq!(coding(&["--no-gzip"], "/long.txt"), None);
}

#[test]
fn files_can_be_sent_if_told_so() {
    let put = |served: &Served, name: &str, content: &str| {
        let length = format!("Content-Length: {}", content.len());
        let mut client = served.client();
        client.send(format!("PUT /{name} HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n{content}"));
        client.reply().status
    };
    let served = Served::start(Folder::new(), &[]);
    assert_eq!(put(&served, "new.txt", "new"), 405);
    let served = Served::start(Folder::new(), &["--upload", "--upload-max", "16"]);
    assert!(served.before.join("\n").contains("may upload files"), "{:?}", served.before);
    assert_eq!(put(&served, "new.txt", "new"), 201);
    assert_eq!(put(&served, "new.txt", "newer"), 409);
    assert_eq!(put(&served, "long.txt", &"x".repeat(17)), 413);
    assert_eq!(served.client().ask("GET /new.txt", &[]).text(), "new");
    let served = Served::start(Folder::new(), &["--upload", "--overwrite"]);
    assert!(matches!(put(&served, "a.txt", "new"), 200 | 204));
    assert_eq!(served.client().ask("GET /a.txt", &[]).text(), "new");
}

/// The system's way to say so is a signal that ends a process.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_the_system_thinks_too_long_ends_nothing() {
    let served = Served::start(folder(), &["--upload"]);
    served.limit_files(100_000);
    let mut client = served.client();
    client.send(format!("PUT /long HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", 200_000));
    client.send(vec![b'x'; 200_000]);
    assert_eq!(client.reply().status, 507);
    expect(&served, &[("/a.txt", 200), ("/long", 404)]);
}
