//! JSON, in and out.

use crate::site::Site;
use crate::support::exposition::Page;
use crate::support::json::Json;
use std::collections::BTreeSet;

const JSON: &str = "application/json";

#[test]
fn documents_are_kept_as_they_came_under_names_of_their_own() {
    let mut site = Site::start();
    let mut names = BTreeSet::new();
    let document = "{ \"a\": [1, 2.50, null],\n \"é\": \"\\u00e9\" }";
    for _ in 0..20 {
        let reply = site.visitor().post("/upload", JSON, document).expect(201);
        let saved = Json::read(reply.text());
        let path = saved.get("path").text();
        let name = path.strip_prefix("uploads/").expect("a path in the data");
        assert_eq!(reply.get("location"), Some(format!("/{path}").as_str()));
        assert_eq!(saved.get("bytes").number(), document.len() as u64);
        assert!(name.starts_with("document-20") && name.ends_with(".json"), "{name}");
        assert!(names.insert(name.to_owned()), "{name} twice");
    }
    // At the same time, too.
    let address = site.address;
    let many: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(move || {
                let mut client = crate::support::Client::connect(address);
                let fields = format!("Host: {address}\r\nContent-Type: {JSON}");
                client.send(format!(
                    "POST /upload HTTP/1.1\r\n{fields}\r\nContent-Length: 2\r\n\r\n{{}}"
                ));
                let reply = client.reply().expect(201);
                Json::read(reply.text()).get("path").text().to_owned()
            })
        })
        .collect();
    for thread in many {
        assert!(names.insert(thread.join().expect("no panic")["uploads/".len()..].to_owned()));
    }
    // What was replied to is there after a kill.
    let last = site.visitor().post("/upload", JSON, document).expect(201);
    site.kill();
    let path = Json::read(last.text()).get("path").text().to_owned();
    assert_eq!(std::fs::read(site.data.0.join(&path)).expect("it is there"), document.as_bytes());
    assert_eq!(site.uploads().len(), names.len() + 1);
}

#[test]
fn what_is_no_json_is_not_kept() {
    let site = Site::start();
    let long = format!("\"{}\"", "a".repeat(256 * 1024));
    let table: [(&str, &str, u16); 9] = [
        (JSON, "", 400),
        (JSON, "{", 400),
        (JSON, "{\"a\":1,}", 400),
        (JSON, "{} {}", 400),
        (JSON, "\u{feff}{}", 400),
        ("text/plain", "{}", 415),
        ("application/x-www-form-urlencoded", "a=1", 415),
        ("application/jsonp", "{}", 415),
        (JSON, &long, 413),
    ];
    for (kind, body, status) in table {
        let mut visitor = site.visitor();
        visitor.accept = JSON;
        let reply = visitor.post("/upload", kind, body).expect(status);
        assert_eq!(reply.get("content-type"), Some("application/problem+json"), "{body:.20}");
        let problem = Json::read(reply.text());
        assert_eq!(problem.get("status").number(), u64::from(status));
        assert_eq!(problem.find("detail").is_some(), status != 413, "{problem:?}");
    }
    let reply = site.visitor().ask("GET", "/upload", &[], b"").expect(405);
    assert_eq!(reply.allow(), ["OPTIONS", "POST"]);
    assert_eq!(site.uploads(), [""; 0]);
}

#[test]
fn messages_come_in_pages() {
    let site = Site::start();
    let mut visitor = site.visitor();
    let none = site.messages();
    assert_eq!((none.get("total").number(), none.get("pages").number()), (0, 0));
    for number in 1..=5 {
        visitor.write("Ada", "a@example.org", &format!("message number {number}")).expect(303);
    }
    let mut page = |query: &str| {
        let reply = visitor.get(&format!("/api/messages{query}")).expect(200);
        let links: Vec<String> = reply
            .headers
            .iter()
            .filter(|(name, _)| name == "link")
            .map(|(_, link)| link.clone())
            .collect();
        let json = Json::read(reply.text());
        let ids: Vec<u64> =
            json.get("messages").array().iter().map(|message| message.get("id").number()).collect();
        assert_eq!(json.get("total").number(), 5);
        (ids, json.get("pages").number(), links.join(", "))
    };
    let link = |to: u64, rel: &str| format!("</api/messages?page={to}&per_page=2>; rel=\"{rel}\"");
    assert_eq!(page(""), (vec![5, 4, 3, 2, 1], 1, String::new()));
    assert_eq!(page("?per_page=2"), (vec![5, 4], 3, link(2, "next")));
    let both = format!("{}, {}", link(1, "prev"), link(3, "next"));
    assert_eq!(page("?page=2&per_page=2"), (vec![3, 2], 3, both));
    assert_eq!(page("?per_page=2&page=3"), (vec![1], 3, link(2, "prev")));
    assert_eq!(page("?page=4&per_page=2").0, [0; 0]);
    assert_eq!(page("?page=1000000&per_page=100").0, [0; 0]);
    for query in [
        "page=0",
        "page=-1",
        "page=x",
        "page=1000001",
        "per_page=0",
        "per_page=101",
        "per_page=1e9",
        "page=99999999999999999999",
    ] {
        visitor.get(&format!("/api/messages?{query}")).expect(400);
    }
}

#[test]
fn machines_see_how_it_is() {
    let site = Site::start();
    let mut visitor = site.visitor();
    visitor.write("Ada", "a@example.org", "something to be counted").expect(303);
    visitor.get("/profile/ada").expect(200);
    visitor.get("/nowhere").expect(404);
    let metrics = visitor.get("/metrics").expect(200);
    let page = Page::read(metrics.text());
    assert_eq!(page.value("portfolio_messages"), 1.0);
    assert_eq!(page.value("portfolio_visitors"), 0.0);
    let routes = metrics.text();
    assert!(routes.contains("http_route=\"/contact\""), "{routes}");
    assert!(routes.contains("http_route=\"unmatched\"") && !routes.contains("nowhere"));
    for path in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(visitor.get(path).status, 200, "{path}");
    }
    visitor.accept = JSON;
    let health = visitor.get("/readyz").expect(200);
    let checks = Json::read(health.text());
    assert_eq!(checks.get("checks").get("messages").text(), "ok");
    assert_eq!(checks.get("checks").get("uploads").text(), "ok");
}
