//! What goes wrong has a page, or a problem, and tells nothing that it should not.

use crate::site::{FORM, HTML, Site};
use crate::support::json::Json;

#[test]
fn each_error_is_a_page_for_people_and_a_problem_for_programs() {
    let site = Site::start();
    let large = "a".repeat(65 * 1024);
    let table: [(&str, &str, &[&str], &str, u16); 10] = [
        ("GET", "/api/messages?page=x", &[], "", 400),
        ("POST", "/contact", &["Content-Type: application/x-www-form-urlencoded"], "a=1", 403),
        ("GET", "/nothing/here", &[], "", 404),
        ("GET", "/uploads/none", &[], "", 404),
        ("DELETE", "/contact", &[], "", 405),
        ("POST", "/contact", &["Content-Type: application/x-www-form-urlencoded"], &large, 413),
        ("POST", "/upload", &["Content-Type: text/plain"], "{}", 415),
        (
            "POST",
            "/upload",
            &["Content-Type: application/json", "Content-Encoding: gzip"],
            "{}",
            415,
        ),
        ("GET", "/", &["Host: evil.example"], "", 421),
        ("POST", "/upload", &["Content-Type: application/json"], "{", 400),
    ];
    for (method, path, fields, body, status) in table {
        let mut visitor = site.visitor();
        let page = visitor.ask(method, path, fields, body.as_bytes()).expect(status);
        assert_eq!(page.get("content-type"), Some("text/html; charset=utf-8"), "{path}");
        assert!(page.text().contains(&format!("Error {status}: ")), "{}", page.text());
        assert!(page.text().contains(page.get("x-request-id").expect("an id")), "{path}");
        assert!(page.get("content-security-policy").is_some(), "{path}");

        let mut program = site.visitor();
        program.accept = "application/json";
        let problem = program.ask(method, path, fields, body.as_bytes()).expect(status);
        assert_eq!(problem.get("content-type"), Some("application/problem+json"), "{path}");
        assert_eq!(Json::read(problem.text()).get("status").number(), u64::from(status));

        let mut curl = site.visitor();
        curl.accept = "*/*";
        let text = curl.ask(method, path, fields, body.as_bytes()).expect(status);
        assert!(text.text().starts_with(&status.to_string()), "{}", text.text());
    }
}

#[test]
fn what_is_broken_inside_is_a_500_that_tells_nothing() {
    let site = Site::start();
    let mut visitor = site.visitor();
    visitor.write("Ada", "a@example.org", "before the accident").expect(303);
    let database =
        rusqlite::Connection::open(site.data.0.join("messages.db")).expect("it is there");
    database.execute_batch("ALTER TABLE messages RENAME TO away").expect("it can be broken");
    for accept in [HTML, "application/json", "*/*"] {
        visitor.accept = accept;
        for path in ["/api/messages", "/profile/ada"] {
            let reply = visitor.get(path).expect(500);
            for leak in ["messages.db", "SELECT", "no such table", "sqlite", "rusqlite"] {
                assert!(!reply.text().contains(leak), "{leak}: {}", reply.text());
            }
        }
    }
    // The token is still good, and what can't be saved is not thanked for.
    visitor.accept = HTML;
    visitor.write("Ada", "a@example.org", "after the accident").expect(500);
    visitor.get("/readyz").expect(503);
    // All else goes on, and so does this once it is mended.
    visitor.get("/").expect(200);
    database.execute_batch("ALTER TABLE away RENAME TO messages").expect("it can be mended");
    assert_eq!(site.messages().get("total").number(), 1);
}

#[test]
fn it_answers_to_its_own_names() {
    let site = Site::on(crate::support::folder::Folder::new(), &["--name", "mara.example"]);
    let port = site.address.port();
    for (host, status) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        (format!("mara.example:{port}"), 200),
        ("evil.example".to_owned(), 421),
        ("127.0.0.1:1".to_owned(), 421),
    ] {
        let mut visitor = site.visitor();
        assert_eq!(
            visitor.ask("GET", "/", &[&format!("Host: {host}")], b"").status,
            status,
            "{host}"
        );
    }
    site.visitor().post("/contact", FORM, "").expect(403);
}
