//! `onepoll serve`: the flags that say who may do what.

use crate::served::{Folder, Served};

/// `token`
const ANNA: &str = "anna:sha256:3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0";
const ANNA_SAYS: &str = "Authorization: Basic YW5uYTp0b2tlbg==";
/// `secret`
const BEN: &str = "ben:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";
const BEN_SAYS: &str = "Authorization: Basic YmVuOnNlY3JldA==";
/// `carl:open:sesame`
const CARL_SAYS: &str = "Authorization: Basic Y2FybDpvcGVuOnNlc2FtZQ==";

#[test]
fn users_come_from_flags_files_and_the_environment() {
    let folder = Folder::new().with("users", format!("# who\n{BEN}\n"));
    let users = folder.0.join("users");
    let flags = ["--auth", ANNA, "--auth-file", users.to_str().expect("an ASCII path")];
    let variable = [("ONEPOLL_AUTH", "carl:plain:open:sesame")];
    let mut served = Served::start_with(folder, &flags, &variable);
    let mut client = served.client();
    let reply = client.ask("GET /a.txt", &[]);
    assert_eq!(reply.status, 401);
    let challenge = reply.get("www-authenticate");
    assert_eq!(challenge, Some("Basic realm=\"onepoll\", charset=\"UTF-8\""));
    for says in [ANNA_SAYS, BEN_SAYS, BEN_SAYS, CARL_SAYS] {
        assert_eq!(client.ask("GET /a.txt", &[says]).status, 200, "{says}");
    }
    let wrong = ANNA_SAYS.replace("0b2tlbg==", "3cm9uZw=="); // anna:wrong
    assert_eq!(client.ask("GET /a.txt", &[&wrong]).status, 401);
    let line = served.log_with("401");
    assert!(line.contains("127.0.0.1:") && line.contains("anna"), "{line}");
    let (_, requests) = served.end();
    assert!(requests.contains("127.0.0.1 - ben ["), "{requests}");
}

#[test]
fn cors_lets_scripts_of_other_sites_read() {
    let served = Served::start(
        Folder::new(),
        &["--cors", "https://a.example", "--cors", "http://localhost:*", "--auth", ANNA],
    );
    let mut client = served.client();
    for (origin, allowed) in [
        ("https://a.example", true),
        ("http://localhost:3000", true),
        ("https://evil.example", false),
    ] {
        let field = format!("Origin: {origin}");
        for (line, status) in [("GET /a.txt", 200), ("GET /none", 404), ("DELETE /a.txt", 405)] {
            let reply = client.ask(line, &[&field, ANNA_SAYS]);
            assert_eq!(reply.status, status);
            let allow = reply.get("access-control-allow-origin");
            assert_eq!(allow, allowed.then_some(origin), "{line}");
        }
        // Browsers ask without a password.
        let reply = client.ask("OPTIONS /a.txt", &[&field, "Access-Control-Request-Method: GET"]);
        assert_eq!(reply.status, if allowed { 204 } else { 403 });
        let methods = reply.get("access-control-allow-methods");
        assert_eq!(methods, allowed.then_some("GET, HEAD"));
    }
    let everybody = Served::start(Folder::new(), &["--cors", "*"]);
    let reply = everybody.client().ask("GET /a.txt", &["Origin: https://b.example"]);
    assert_eq!(reply.get("access-control-allow-origin"), Some("*"));
    let exposed = reply.get("access-control-expose-headers").expect("fields for scripts");
    assert!(exposed.contains("Content-Range"), "{exposed}");
}

#[test]
fn pages_of_other_sites_send_files_only_if_their_origin_is_named() {
    let put = |served: &Served, origin: &str, name: &str| {
        let mut client = served.client();
        let head = format!("PUT /{name} HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\n");
        client.send(format!("{head}Sec-Fetch-Site: cross-site\r\nContent-Length: 1\r\n\r\nx"));
        client.reply().status
    };
    let flags = ["--upload", "--cors", "https://a.example", "--cors", "http://localhost:*"];
    let named = Served::start(Folder::new(), &flags);
    assert_eq!(put(&named, "https://a.example", "1"), 201);
    assert_eq!(put(&named, "https://b.example", "2"), 403);
    assert_eq!(put(&named, "http://localhost:3000", "3"), 403);
    let fields = ["Origin: https://a.example", "Access-Control-Request-Method: PUT"];
    let methods = named.client().ask("OPTIONS /1", &fields);
    assert_eq!(methods.get("access-control-allow-methods"), Some("GET, HEAD, PUT, POST"));
    let all = Served::start(Folder::new(), &["--upload", "--cors", "*"]);
    assert_eq!(put(&all, "https://a.example", "1"), 403);
    let methods = all.client().ask("OPTIONS /1", &fields);
    assert_eq!(methods.get("access-control-allow-methods"), Some("GET, HEAD"));
}
