use super::*;
use crate::app::{App, TestClient, TestResponse};

fn client(cors: Cors) -> TestClient<App> {
    let mut app = App::new();
    app.wrap(cors);
    app.get("/", |_: &mut Request| "hello");
    app.get("/cached", |_: &mut Request| {
        Response::new(Status::NOT_MODIFIED).header("Vary", "Accept-Encoding, origin")
    });
    app.get("/own", |_: &mut Request| {
        Response::new(Status::OK).header("Access-Control-Allow-Origin", "https://own.example")
    });
    app.get("/panic", |_: &mut Request| -> () { panic!("on purpose") });
    TestClient::new(app)
}

fn listed() -> Cors {
    Cors::new(["https://a.example", "https://*.b.example"]).unwrap()
}

fn allowed(response: &TestResponse) -> Option<&str> {
    response.headers.text("access-control-allow-origin")
}

fn varies(response: &TestResponse) -> String {
    let list = response.headers.list("vary").map(|name| String::from_utf8_lossy(name).into_owned());
    list.collect::<Vec<_>>().join(", ")
}

#[test]
fn every_reply_says_it_whatever_its_status() {
    let mut client = client(listed());
    let table = [
        (Method::GET, "/", 200),
        (Method::GET, "/none", 404),
        (Method::PUT, "/", 405),
        (Method::GET, "/cached", 304),
        (Method::GET, "/panic", 500),
        (Method::OPTIONS, "/", 204),
    ];
    for (method, target, code) in table {
        for (origin, expected) in [
            (Some("https://a.example"), Some("https://a.example")),
            (Some("https://x.b.example"), Some("https://x.b.example")),
            (Some("https://evil.example"), None),
            (None, None),
        ] {
            let mut request = client.request(method.clone(), target);
            if let Some(origin) = origin {
                request = request.header("Origin", origin);
            }
            let response = request.send();
            assert_eq!(response.status.code(), code, "{target}");
            assert_eq!(allowed(&response), expected, "{method} {target} from {origin:?}");
            let count = varies(&response).to_ascii_lowercase().matches("origin").count();
            assert_eq!(count, 1, "{target}: {}", varies(&response));
        }
    }
}

#[test]
fn everybody_needs_no_vary() {
    let mut client = client(Cors::new(["https://a.example", "*"]).unwrap());
    for request in [client.get("/").send(), client.get("/none").header("Origin", "null").send()] {
        assert_eq!(allowed(&request), Some("*"));
        assert_eq!(varies(&request), "");
    }
}

#[test]
fn a_preflight_is_answered_here() {
    let cors = listed().methods(["GET", "PUT"]).unwrap().max_age(Duration::from_secs(3600));
    let mut client = client(cors.expose(["X-Total"]).unwrap().credentials().unwrap());
    for target in ["/", "/none"] {
        let preflight = client
            .request(Method::OPTIONS, target)
            .header("Origin", "https://a.example")
            .header("Access-Control-Request-Method", "PUT")
            .header("Access-Control-Request-Headers", "content-type, x-word");
        let response = preflight.send();
        let field = |name: &str| response.headers.text(name);
        assert_eq!(response.status.code(), 204);
        assert_eq!(allowed(&response), Some("https://a.example"));
        assert_eq!(field("access-control-allow-methods"), Some("GET, PUT"));
        assert_eq!(field("access-control-allow-headers"), Some("content-type, x-word"));
        assert_eq!(field("access-control-max-age"), Some("3600"));
        assert_eq!(field("access-control-allow-credentials"), Some("true"));
        assert_eq!(field("access-control-expose-headers"), None);
        assert_eq!(field("allow"), None);
        assert_eq!(varies(&response), "Access-Control-Request-Headers, Origin");
    }
    let response = client.get("/").header("Origin", "https://a.example").send();
    assert_eq!(response.headers.text("access-control-expose-headers"), Some("X-Total"));
    assert_eq!(response.headers.text("access-control-allow-credentials"), Some("true"));
}

#[test]
fn fields_that_are_named_are_not_mirrored() {
    let mut client = client(listed().headers(["X-Word"]).unwrap());
    let preflight = |client: &mut TestClient<App>, asked: &str| {
        let request = client.request(Method::OPTIONS, "/").header("Origin", "https://a.example");
        let request = request.header("Access-Control-Request-Method", "GET");
        request.header("Access-Control-Request-Headers", asked).send()
    };
    let response = preflight(&mut client, "x-other");
    assert_eq!(response.headers.text("access-control-allow-headers"), Some("X-Word"));
    let mut client = self::client(listed());
    for odd in ["a b", "a,,b", "\"x\"", &"x".repeat(5000)] {
        let response = preflight(&mut client, odd);
        assert_eq!(response.headers.text("access-control-allow-headers"), None, "{odd}");
    }
}

#[test]
fn a_preflight_from_elsewhere_is_refused() {
    let request = |origins: &[&str]| {
        let mut client = client(listed());
        let mut request = client.request(Method::OPTIONS, "/");
        request = request.header("Access-Control-Request-Method", "GET");
        for origin in origins {
            request = request.header("Origin", origin);
        }
        request.send()
    };
    for origins in [&["https://evil.example"][..], &["https://a.example", "https://a.example"]] {
        let response = request(origins);
        assert_eq!(response.status.code(), 403, "{origins:?}");
        assert_eq!(allowed(&response), None);
        assert_eq!(response.headers.text("access-control-allow-methods"), None);
    }
    // Without an origin it is an ordinary OPTIONS.
    let response = request(&[]);
    assert_eq!((response.status.code(), response.headers.text("allow").is_some()), (204, true));
}

#[test]
fn a_handler_that_knows_better_is_left_alone() {
    let mut client = client(listed());
    let response = client.get("/own").header("Origin", "https://a.example").send();
    let all: Vec<_> = response.headers.all("access-control-allow-origin").collect();
    assert_eq!(all, [b"https://own.example"]);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let table = [
        Cors::new(["a.example"]).unwrap_err(),
        Cors::new([""; 0]).unwrap_err(),
        Cors::any().credentials().unwrap_err(),
        Cors::any().methods(["GET POST"]).unwrap_err(),
        Cors::any().headers(["a\r\nb"]).unwrap_err(),
        listed().credentials().unwrap().expose(["*"]).unwrap_err(),
        listed().expose(["*"]).unwrap().credentials().unwrap_err(),
    ];
    for error in table {
        let line = error.to_string();
        assert!(line.starts_with("configuration: cors ") && !line.contains('\n'), "{line}");
    }
}
