//! The pages, and who is remembered.

use crate::site::{Site, between};

/// What a page must not have: it would need a laxer policy.
fn expect_no_inline(page: &str) {
    for inline in [" style=", "<style", "<script>", "javascript:", " onclick=", " onload="] {
        assert!(!page.contains(inline), "{inline} in {page}");
    }
}

#[test]
fn each_page_is_whole_and_strict() {
    let site = Site::start();
    let mut visitor = site.visitor();
    for (path, title) in [
        ("/", "Portfolio · Mara Lindqvist"),
        ("/profile/mara", "mara · Mara Lindqvist"),
        ("/profile/Some_body-1", "Some_body-1 · Mara Lindqvist"),
        ("/contact", "Contact · Mara Lindqvist"),
        ("/contact/thanks", "Thank you · Mara Lindqvist"),
        ("/uploads", "Uploads · Mara Lindqvist"),
    ] {
        let reply = visitor.get(path).expect(200);
        assert_eq!(reply.get("content-type"), Some("text/html; charset=utf-8"), "{path}");
        let page = reply.text();
        assert_eq!(between(page, "<title>", "</title>"), title);
        for part in ["<html lang=\"en\">", "<main id=\"main\"", "class=\"skip\"", "<h1>"] {
            assert!(page.contains(part), "{path}: {part}");
        }
        assert_eq!(page.matches("<h1").count(), 1, "{path}");
        expect_no_inline(page);
        let csp = reply.get("content-security-policy").expect("a policy");
        assert!(csp.contains("default-src 'self'") && !csp.contains("unsafe"), "{csp}");
        assert_eq!(reply.get("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.get("x-frame-options"), Some("DENY"));
        assert_eq!(reply.get("x-request-id").map(str::len), Some(32));
        let cache = reply.get("cache-control").expect("one visitor's page");
        assert!(cache.contains("private") || cache.contains("no-store"), "{path}: {cache}");

        // What it refers to is there, and may be kept.
        for (start, kind) in [
            ("rel=\"stylesheet\" href=\"", "text/css; charset=utf-8"),
            ("<script src=\"", "text/javascript; charset=utf-8"),
            ("rel=\"icon\" href=\"", "image/svg+xml"),
        ] {
            let asset = visitor.get(between(page, start, "\"")).expect(200);
            assert_eq!(asset.get("content-type"), Some(kind));
            assert!(asset.get("cache-control").expect("one").contains("immutable"));
        }
    }
    let bare = visitor.get("/static/site.css").expect(200);
    assert_eq!(bare.get("cache-control"), Some("no-cache"));
    visitor.get("/favicon.ico").expect(308);
}

#[test]
fn profiles_are_of_names_and_nothing_else() {
    let site = Site::start();
    let mut visitor = site.visitor();
    assert!(visitor.get("/profile/mara").expect(200).text().contains("That’s me"));
    assert!(visitor.get("/profile/zoe").text().contains("nobody of that name"));
    visitor.write("Zoe", "z@example.org", "a message of Zoe's").expect(303);
    assert!(visitor.get("/profile/zoe").text().contains("1 message from zoe"));
    let long = format!("/profile/{}", "a".repeat(33));
    for path in ["/profile/1st", "/profile/a.b", "/profile/%3Cb%3E", "/profile/", &long] {
        visitor.get(path).expect(404);
    }
}

/// The number on the home page.
#[track_caller]
fn visits(page: &str) -> u64 {
    between(page, "id=\"visits\">", "<").parse().expect("a number")
}

#[test]
fn visits_are_counted_for_each_and_outlive_the_process() {
    let site = Site::start();
    let (mut ada, mut bob) = (site.visitor(), site.visitor());
    for count in 1..=3 {
        assert_eq!(visits(ada.get("/").expect(200).text()), count);
    }
    assert_eq!(visits(bob.get("/").text()), 1);
    // To ask for the head is no visit, and neither is another page.
    ada.ask("HEAD", "/", &[], b"").expect(200);
    ada.get("/profile/ada").expect(200);
    assert_eq!(visits(ada.get("/").text()), 4);

    let site = site.killed_and_started_again();
    let mut again = site.visitor();
    again.cookie = ada.cookie.clone();
    assert_eq!(visits(again.get("/").text()), 5);

    // An id that a client made up is not taken over.
    let made_up = format!("session={}", "a".repeat(27));
    let mut forger = site.visitor();
    forger.cookie = Some(made_up.clone());
    assert_eq!(visits(forger.get("/").text()), 1);
    assert_ne!(forger.cookie, Some(made_up));
}
