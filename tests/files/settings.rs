//! What the settings of a folder change in its replies.

use crate::common::{Tree, ask, get, serve, serve_at};
use crate::support::Reply;
use onepoll::Error;
use onepoll::files::Files;

#[test]
fn a_folder_is_redirected_to_and_the_query_kept() {
    let tree = Tree::full();
    let server = serve_at("/static/", tree.files().header("X-Own", "1").unwrap());
    for (target, location) in [
        ("/static/sub", "/static/sub/"),
        ("/static/sub?a=b&c", "/static/sub/?a=b&c"),
        ("/static", "/static/"),
    ] {
        let reply = get(server.local_addr(), target).expect(308);
        assert_eq!(reply.get("location"), Some(location));
        assert_eq!(reply.get("x-own"), Some("1"));
    }
}

#[test]
fn an_own_vary_stands_beside_ours() {
    let tree = Tree::full();
    tree.put("a.txt.gz", "zip");
    let files = tree.files().precompressed(true).header("Vary", "X-Tenant").unwrap();
    tree.put("a.txt", "plain");
    tree.put("a.txt.gz", "zip");
    let server = serve(files.listing(true));
    let vary = |reply: &Reply| {
        let lines = reply.headers.iter().filter(|(name, _)| name == "vary");
        lines.map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    for lines in ["", "Accept-Encoding: gzip\r\n", "If-None-Match: *\r\n"] {
        let reply = ask(server.local_addr(), "GET", "/a.txt", lines);
        assert_eq!(vary(&reply), ["Accept-Encoding", "X-Tenant"], "{lines}");
    }
    let listing = get(server.local_addr(), "/sub/deep/").expect(200);
    assert_eq!(vary(&listing), ["Accept", "X-Tenant"]);
}

/// RFC 9110 section 4.2.3: an empty path and `/` are one.
#[test]
fn an_address_without_a_path_is_the_top() {
    let tree = Tree::full();
    let server = serve(tree.files());
    for target in ["http://x", "http://x/", "http://x?a=b"] {
        assert_eq!(get(server.local_addr(), target).expect(200).text(), "<h1>top</h1>");
    }
}

#[test]
fn every_file_says_what_it_is() {
    let tree = Tree::full();
    tree.put("x.wasm", "");
    tree.put("noext", "");
    let files = tree.files().media_type("CSS", "text/x-own").unwrap();
    let server = serve(files);
    for (target, media) in [
        ("/", "text/html; charset=utf-8"),
        ("/style.css", "text/x-own"),
        ("/app.5f3c9a1b.js", "text/javascript; charset=utf-8"),
        ("/x.wasm", "application/wasm"),
        ("/noext", "application/octet-stream"),
    ] {
        for method in ["GET", "HEAD", "GET"] {
            let reply = ask(server.local_addr(), method, target, "").expect(200);
            assert_eq!(reply.get("content-type"), Some(media), "{method} {target}");
            assert_eq!(reply.get("x-content-type-options"), Some("nosniff"));
            assert!(reply.get("etag").is_some() && reply.get("last-modified").is_some());
        }
    }
}

#[test]
fn conditions_and_ranges_of_what_is_cached() {
    let tree = Tree::full();
    tree.put("large.bin", vec![7; 100_000]);
    let server = serve(tree.files().cache_control("**", "no-cache").unwrap());
    let to = server.local_addr();
    for (target, len) in [("/sub/deep/a.txt", 4), ("/large.bin", 100_000)] {
        let first = get(to, target).expect(200);
        assert_eq!(first.body.len(), len);
        let tag = first.get("etag").unwrap();
        for _ in 0..2 {
            let same = ask(to, "GET", target, &format!("If-None-Match: {tag}\r\n")).expect(304);
            assert_eq!(
                (same.get("etag"), same.get("cache-control")),
                (Some(tag), Some("no-cache"))
            );
            assert_eq!(ask(to, "GET", target, "If-Match: \"x\"\r\n").status, 412);
            let part = ask(to, "GET", target, "Range: bytes=1-2\r\n").expect(206);
            assert_eq!(part.body, first.body[1..3]);
            assert_eq!(part.get("cache-control"), Some("no-cache"));
            assert_eq!(ask(to, "GET", target, &format!("Range: bytes={len}-\r\n")).status, 416);
            let head = ask(to, "HEAD", target, "Range: bytes=1-2\r\n").expect(200);
            assert_eq!(head.get("content-length"), Some(len.to_string().as_str()));
            // Fields whose names are as long, and begin alike.
            let other = "Refer: x\r\nIf-Other: x\r\nRange: lines=1\r\n";
            assert_eq!(ask(to, "GET", target, other).expect(200).body, first.body);
        }
    }
}

#[test]
fn the_404_page_is_a_404() {
    let tree = Tree::full();
    let server = serve(tree.files().page404("/404.html").header("X-Own", "1").unwrap());
    for target in ["/none", "/none/", "/.hidden", "/fifo", "/sub%2findex.html", "/sub/deep/"] {
        for method in ["GET", "HEAD"] {
            let range = "Range: bytes=0-1\r\nIf-None-Match: *\r\n";
            let reply = ask(server.local_addr(), method, target, range).expect(404);
            assert_eq!(reply.get("content-type"), Some("text/html; charset=utf-8"), "{target}");
            assert_eq!((reply.get("etag"), reply.get("content-length")), (None, Some("13")));
            assert_eq!(reply.get("x-own"), Some("1"));
            assert_eq!(reply.text(), if method == "GET" { "<h1>lost</h1>" } else { "" });
        }
    }
    assert_eq!(get(server.local_addr(), "/../x").status, 403);
    // Itself it is a page like any other.
    get(server.local_addr(), "/404.html").expect(200);
    let none = serve(tree.files().page404("gone.html"));
    assert_eq!(get(none.local_addr(), "/none").status, 404);
}

#[test]
fn an_application_gets_what_looks_like_its_pages() {
    let tree = Tree::full();
    let server = serve(tree.files().spa("index.html").page404("404.html"));
    let to = server.local_addr();
    let html = "Accept: text/plain, Text/HTML;q=0.9\r\n";
    let any = "Accept: */*\r\n";
    for (target, lines, status) in [
        ("/users/42", "", 200),
        ("/users/42", any, 200),
        ("/users/", "", 200),
        ("/users?x=a.b", "", 200),
        ("/index.html/x", "", 200),
        ("/none.png", "", 404),
        ("/none.png", any, 404),
        ("/none.png", html, 200),
        ("/v1.2/page", "", 200),
        ("/.git/config", html, 404),
        ("/a%2fb", html, 404),
        ("/../x", html, 403),
    ] {
        let reply = ask(to, "GET", target, lines).expect(status);
        let content = match status {
            200 => "<h1>top</h1>",
            404 => "<h1>lost</h1>",
            _ => continue,
        };
        assert_eq!(reply.text(), content, "{target}");
        ask(to, "HEAD", target, lines).expect(status);
    }
    ask(to, "POST", "/users/42", "Content-Length: 0\r\n").expect(405);
    // It has a tag, and conditions hold.
    let tag = get(to, "/users/42");
    let lines = format!("If-None-Match: {}\r\n", tag.get("etag").unwrap());
    ask(to, "GET", "/users/43", &lines).expect(304);
}

#[test]
fn what_is_saved_has_a_name() {
    let tree = Tree::full();
    let server = serve(tree.files().attachment([".ZIP"]));
    let said = |target| {
        let reply = get(server.local_addr(), target).expect(200);
        reply.get("content-disposition").map(str::to_owned)
    };
    assert_eq!(said("/data.zip").as_deref(), Some("attachment; filename=\"data.zip\""));
    assert_eq!(
        said("/quote%22semi;.zip").as_deref(),
        Some("attachment; filename=\"quote_semi;.zip\"; filename*=UTF-8''quote%22semi%3B.zip")
    );
    assert_eq!(said("/"), None);
}

#[test]
fn how_long_it_may_be_kept_and_what_else_is_said() {
    let tree = Tree::full();
    let files = tree.files().immutable_hashed(true);
    let files = files.cache_control("sub/**", "no-store").unwrap();
    let files = files.header("X-Frame-Options", "DENY").unwrap();
    let files = files.header("X-Content-Type-Options", "own").unwrap();
    let server = serve(files);
    for (target, cached) in [
        ("/app.5f3c9a1b.js", Some("public, max-age=31536000, immutable")),
        ("/sub/deep/a.txt", Some("no-store")),
        ("/sub/", Some("no-store")),
        ("/", None),
    ] {
        let reply = get(server.local_addr(), target).expect(200);
        assert_eq!(reply.get("cache-control"), cached, "{target}");
        assert_eq!(reply.get("x-frame-options"), Some("DENY"));
        assert_eq!(reply.get("x-content-type-options"), Some("own"));
    }
}

#[test]
fn what_is_shown_can_be_chosen() {
    let tree = Tree::full();
    let hidden = serve(tree.files().hidden(true));
    assert_eq!(get(hidden.local_addr(), "/.hidden").expect(200).text(), "hidden");
    assert_eq!(get(hidden.local_addr(), "/.git/config").expect(200).text(), "git");
    for target in ["/.", "/./", "/..", "/sub/."] {
        assert!(get(hidden.local_addr(), target).status >= 403, "{target}");
    }
    let only = serve(tree.files().only(["html", ".CSS"]));
    for (target, status) in
        [("/", 200), ("/style.css", 200), ("/data.zip", 404), ("/sub/", 200), ("/dots...", 404)]
    {
        assert_eq!(get(only.local_addr(), target).status, status, "{target}");
    }
}

#[test]
fn a_wrong_setting_is_told_at_the_start() {
    let tree = Tree::empty();
    let wrong = |result: Result<Files, Error>| match result {
        Err(error @ Error::Config { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    for line in [
        wrong(tree.files().header("X: y", "z")),
        wrong(tree.files().header("Content-Length", "1")),
        wrong(tree.files().cache_control("*", "a\r\nb")),
        wrong(tree.files().media_type("x", "text")),
    ] {
        assert!(line.starts_with("configuration: ") && !line.contains('\n'), "{line}");
    }
}
