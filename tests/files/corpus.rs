//! Ways out of a folder that have worked somewhere, over raw sockets: what
//! isn't shown is 403 or 404, and never a byte from outside.

use crate::common::{SECRET, Tree, ask, collect_warnings, get, serve, serve_at, warnings};
use onepoll::disk::Links;

/// Each is asked for as it stands, below `/` and below `/static/`.
const ATTEMPTS: &[(&str, u16)] = &[
    // Dots, plain and encoded, once and twice.
    ("..", 403),
    ("../secret.txt", 403),
    ("sub/../../secret.txt", 403),
    ("../site/index.html", 403),
    ("../site-2/secret.txt", 403),
    ("%2e%2e/secret.txt", 403),
    ("%2E%2E/secret.txt", 403),
    (".%2e/secret.txt", 403),
    ("%2e./secret.txt", 403),
    ("sub/%2e%2e/%2e%2e/secret.txt", 403),
    ("..%2fsecret.txt", 403),
    ("..%2Fsecret.txt", 403),
    ("%2e%2e%2fsecret.txt", 403),
    ("%252e%252e/secret.txt", 404),
    ("%252e%252e%252fsecret.txt", 404),
    ("..%252fsecret.txt", 404),
    ("...%2f...%2fsecret.txt", 404),
    ("..;/secret.txt", 404),
    ("..%00/secret.txt", 404),
    // Trailing dots and spaces: a name like any other.
    ("index.html.", 404),
    ("index.html..", 404),
    ("index.html%20", 404),
    (".../secret.txt", 404),
    ("....//secret.txt", 404),
    // Backslashes are bytes of a name.
    ("..\\secret.txt", 404),
    ("..%5csecret.txt", 404),
    ("..%5Csecret.txt", 404),
    ("sub\\index.html", 404),
    ("sub%5cindex.html", 404),
    // NUL.
    ("index.html%00", 404),
    ("index.html%00.txt", 404),
    ("%00", 404),
    // Other spellings of one file.
    ("./index.html", 404),
    ("%2e/index.html", 404),
    ("sub/./index.html", 404),
    ("sub//index.html", 404),
    ("sub%2findex.html", 404),
    ("sub%2Findex.html", 404),
    ("/index.html", 404),
    ("//index.html", 404),
    ("/etc/passwd", 404),
    ("%2fetc%2fpasswd", 404),
    ("%2fetc/passwd", 404),
    // Links that leave, with and without something behind them.
    ("link-out.txt", 403),
    ("link-abs.txt", 403),
    ("link-root/etc/passwd", 403),
    ("link-root/", 403),
    ("link-up/secret.txt", 403),
    ("link-up/site/index.html", 403),
    ("sub/link-over.txt", 403),
    // What can't be read like a file.
    ("fifo", 404),
    ("socket", 404),
    ("fifo/", 404),
    ("fifo/x", 404),
    // Files as folders, folders as files.
    ("index.html/", 404),
    ("index.html/x", 404),
    ("index.html/..", 403),
    ("dir.index/", 404),
    ("sub/deep/", 404),
    // Hidden.
    (".hidden", 404),
    ("%2ehidden", 404),
    (".git/config", 404),
    (".git/", 404),
    ("sub/.well-known", 404),
    // Devices and the like by their usual names.
    ("CON", 404),
    ("index.html::$DATA", 404),
    ("file:///etc/passwd", 404),
    ("~root", 404),
];

#[test]
fn nobody_gets_out() {
    for links in [Links::Refuse, Links::Within] {
        let tree = Tree::full();
        for (prefix, at) in [("/", "/"), ("/static/", "/static/")] {
            let server = serve_at(prefix, tree.files().links(links).expect("it is still there"));
            for (attempt, expected) in ATTEMPTS {
                let target = format!("{at}{attempt}");
                let reply = get(server.local_addr(), &target);
                assert_eq!(reply.status, *expected, "{links:?} {target}");
                let body = String::from_utf8_lossy(&reply.body);
                assert!(!body.contains(SECRET) && !body.contains("root:"), "{target}");
            }
        }
    }
}

/// Bytes that are no UTF-8, among them dots and slashes in too many bytes: a
/// name in the folder can't be meant, and no decoder makes dots of them.
#[test]
fn what_is_no_text_is_no_file() {
    let tree = Tree::full();
    let server = serve(tree.files());
    for target in [
        "/%c0%ae%c0%ae/secret.txt",
        "/%c0%ae%c0%ae%c0%afsecret.txt",
        "/..%c0%afsecret.txt",
        "/..%c1%9csecret.txt",
        "/%e0%80%ae%e0%80%ae/secret.txt",
        "/%f0%80%80%ae/secret.txt",
        "/%uff0e%uff0e/secret.txt",
        "/\u{ff0e}\u{ff0e}/secret.txt",
        "/%ff",
        "/index.html%ff",
        "/%",
        "/%zz",
        "/%2",
    ] {
        let reply = get(server.local_addr(), target);
        assert!(matches!(reply.status, 400 | 403 | 404), "{target}: {}", reply.status);
    }
}

#[test]
fn links_within_are_followed_if_that_is_wanted() {
    let tree = Tree::full();
    let refuse = serve(tree.files());
    let within = serve(tree.files().links(Links::Within).expect("it is still there"));
    for (target, content) in [("/link-in.txt", "deep"), ("/sub/link-back.txt", "<h1>top</h1>")] {
        assert_eq!(get(refuse.local_addr(), target).status, 403, "{target}");
        assert_eq!(get(within.local_addr(), target).expect(200).text(), content);
    }
    // With and without them, a circle leads nowhere: there is nothing.
    assert_eq!(get(refuse.local_addr(), "/link-loop").status, 404);
    assert_eq!(get(within.local_addr(), "/link-loop").status, 404);
}

#[test]
fn an_attempt_to_escape_is_one_warning_with_the_peer() {
    collect_warnings();
    let tree = Tree::full();
    let server = serve(tree.files().links(Links::Within).expect("it is still there"));
    for target in ["/warn-1/../../secret.txt", "/link-out.txt?warn-2"] {
        let mut client = crate::support::Client::connect(server.local_addr());
        let peer = client.local_addr().to_string();
        client.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(client.reply().status, 403);
        let said = warnings().iter().filter(|line| line.contains(&peer)).count();
        assert_eq!(said, 1, "{target}: {:?}", warnings());
    }
}

#[test]
fn odd_names_are_names() {
    let tree = Tree::full();
    let server = serve(tree.files());
    for (target, content) in [
        ("/a%20b.txt", "space"),
        ("/a+b.txt", "plus"),
        ("/a%2Bb.txt", "plus"),
        ("/100%25.txt", "percent"),
        ("/%2541.txt", "encoded"),
        ("/A.txt", "plain"),
        ("/%41.txt", "plain"),
        ("/c%23d.txt", "hash"),
        ("/e%3Ff.txt", "question"),
        ("/e%3ff.txt?x", "question"),
        ("/g%0Ah.txt", "newline"),
        ("/back%5Cslash.txt", "backslash"),
        ("/dots...", "dots"),
        ("/na%C3%AFve-%E2%82%AC-%E6%97%A5%E6%9C%AC.txt", "unicode"),
        ("/.well-known/security.txt", "contact"),
        ("/sub/", "sub"),
        ("/", "<h1>top</h1>"),
        ("/?", "<h1>top</h1>"),
    ] {
        // The second time it comes from the cache.
        for _ in 0..2 {
            let reply = get(server.local_addr(), target);
            assert_eq!((reply.status, reply.text()), (200, content), "{target}");
        }
    }
    // A space is no plus, and the other way round.
    assert_eq!(get(server.local_addr(), "/a+b.txt?a%20b").text(), "plus");
    assert_eq!(get(server.local_addr(), "/a%2520b.txt").status, 404);
    let long = "x".repeat(300);
    let deep = "y/".repeat(2500);
    for target in [format!("/{long}"), format!("/{long}/a"), format!("/sub/{deep}")] {
        assert_eq!(get(server.local_addr(), &target).status, 404, "{} bytes", target.len());
    }
}

/// What is in the cache under one spelling is not there under another.
#[test]
fn the_cache_knows_no_short_cuts() {
    let tree = Tree::full();
    let server = serve(tree.files());
    let to = server.local_addr();
    get(to, "/sub/index.html").expect(200);
    get(to, "/sub/").expect(200);
    get(to, "/").expect(200);
    for (target, status) in [
        ("/sub%2findex.html", 404),
        ("/sub/%69ndex.html", 200),
        ("//sub/index.html", 404),
        ("/sub", 308),
        ("/sub?/", 308),
        ("/sub/index.html/", 404),
        ("/x/../sub/index.html", 403),
    ] {
        assert_eq!(get(to, target).status, status, "{target}");
    }
    for method in ["POST", "PUT", "DELETE"] {
        let reply = ask(to, method, "/sub/index.html", "Content-Length: 0\r\n");
        assert_eq!((reply.status, reply.allow()), (405, vec!["GET", "HEAD", "OPTIONS"]));
    }
}
