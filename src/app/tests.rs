//! The app as its user sees it.

use super::*;
use crate::http::{
    Body, ContentType, Intake, Lane, Method, Pull, Refusal, Request, Response, Service, Sink,
    Source, Status, Step,
};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

fn client(fill: impl FnOnce(&mut App)) -> TestClient<App> {
    let mut app = App::new();
    fill(&mut app);
    app.check().unwrap();
    TestClient::new(app)
}

fn greet(request: &mut Request) -> Result<String, Reject> {
    Ok(format!("Hello, {}", request.param::<String>("name")?))
}

#[test]
fn everything_sensible_is_a_reply() {
    let mut client = client(|app| {
        app.get("/str", |_: &mut Request| "text");
        app.get("/string", |_| String::from("text"));
        app.get("/vec", |_| vec![1u8, 2]);
        app.get("/shared", |_| Arc::<[u8]>::from([1u8, 2]));
        app.get("/body", |_| Body::Static(b"abc"));
        app.get("/unit", |_| ());
        app.get("/status", |_| Status::ACCEPTED);
        app.get("/gone", |_| Status::GONE);
        app.get("/pair", |_| (Status::CREATED, "made"));
        app.get("/some", |_| Some("some"));
        app.get("/none", |_| None::<&str>);
        app.get("/hello/{name}", greet);
        app.get("/ok", |_: &mut Request| -> Result<Response, Reject> { Ok(ok("fine")) });
        app.get("/io", |_: &mut Request| -> Result<String, Reject> {
            Ok(std::fs::read_to_string("/nonexistent/file")?)
        });
        app.get("/other", |_| Err::<(), _>(io::Error::other("the secret reason")));
        app.get("/full", |_| Err::<(), _>(io::Error::from(io::ErrorKind::StorageFull)));
        app.get("/large", |_| Err::<(), _>(io::Error::from(io::ErrorKind::FileTooLarge)));
        app.get("/refused", |_: &mut Request| -> Result<(), Reject> {
            Err(io::Error::from(Refusal::new(Status::CONFLICT, "it is there")))?
        });
        app.get("/bad", |_| Err::<(), _>(Reject::bad("no such colour")));
        app.get("/teapot", |_: &mut Request| -> Result<(), Reject> {
            let teapot = Status::new(418).unwrap();
            Err(Response::new(teapot).text("short and stout"))?
        });
    });
    let text = Some("text/plain; charset=utf-8");
    let bytes = Some("application/octet-stream");
    for (target, status, content_type, body) in [
        ("/str", 200, text, "text"),
        ("/string", 200, text, "text"),
        ("/vec", 200, bytes, "\u{1}\u{2}"),
        ("/shared", 200, bytes, "\u{1}\u{2}"),
        ("/body", 200, bytes, "abc"),
        ("/unit", 204, None, ""),
        ("/status", 202, None, ""),
        ("/gone", 410, text, "410 Gone\n"),
        ("/pair", 201, text, "made"),
        ("/some", 200, text, "some"),
        ("/none", 404, text, "404 Not Found\n"),
        ("/hello/you", 200, text, "Hello, you"),
        ("/ok", 200, text, "fine"),
        ("/io", 404, text, "404 Not Found\n"),
        ("/other", 500, text, "500 Internal Server Error\n"),
        ("/full", 507, text, "507 Insufficient Storage\n"),
        ("/large", 507, text, "507 Insufficient Storage\n"),
        ("/refused", 409, text, "409 Conflict: it is there\n"),
        ("/bad", 400, text, "400 Bad Request: no such colour\n"),
        ("/teapot", 418, text, "short and stout"),
    ] {
        let response = client.get(target).send();
        assert_eq!(response.status.code(), status, "{target}");
        assert_eq!(response.header("content-type"), content_type, "{target}");
        assert_eq!(response.text(), body, "{target}");
        assert!(response.complete && !response.closes, "{target}");
    }
}

#[test]
fn responses_have_short_names() {
    for (response, status, location) in [
        (created("/notes/1", ()), 201, "/notes/1"),
        (redirect("/there"), 303, "/there"),
        (found("/there"), 302, "/there"),
        (temporary("/there"), 307, "/there"),
        (permanent("/there"), 308, "/there"),
    ] {
        assert_eq!(response.status().code(), status);
        assert_eq!(response.get("location"), Some(location.as_bytes()));
    }
    let injected = redirect("/a\r\nSet-Cookie: b");
    assert_eq!(injected.status(), Status::INTERNAL_SERVER_ERROR);
    assert_eq!(injected.get("location"), None);
}

#[test]
fn state_needs_no_send() {
    let count = Rc::new(RefCell::new(0));
    let seen = Rc::clone(&count);
    let mut client = client(|app| {
        app.get("/", move |_: &mut Request| {
            *seen.borrow_mut() += 1;
            "counted"
        });
    });
    client.get("/").send();
    client.get("/").send();
    assert_eq!(*count.borrow(), 2);
}

#[test]
fn methods_without_a_route_are_answered() {
    let mut client = client(|app| {
        app.get("/x", |request: &mut Request| request.method().to_string());
        app.post("/x", |_| "posted");
        app.any("/any", |request: &mut Request| request.method().to_string());
    });
    let purge = Method::parse(b"PURGE").unwrap();
    for (method, target, status) in [
        (Method::GET, "/x", 200),
        (Method::HEAD, "/x", 200),
        (Method::OPTIONS, "/x", 204),
        (Method::PUT, "/x", 405),
        (Method::TRACE, "/x", 405),
        (Method::TRACE, "/none", 405),
        (purge.clone(), "/x", 405),
        (purge.clone(), "/none", 404),
        (purge, "/any", 200),
        (Method::OPTIONS, "*", 204),
        (Method::OPTIONS, "/none", 404),
        (Method::CONNECT, "example.com:443", 501),
        (Method::CONNECT, "/none", 501),
    ] {
        let response = client.request(method.clone(), target).send();
        assert_eq!(response.status.code(), status, "{method} {target}");
        let allowed = status == 405 || (status == 204 && target != "*");
        assert_eq!(response.header("allow").is_some(), allowed, "{method} {target}");
    }
    let allow = client.request(Method::PUT, "/x").send();
    let allow: Vec<_> = allow.header("allow").unwrap().split(", ").collect();
    for method in ["GET", "HEAD", "POST", "OPTIONS"] {
        assert!(allow.contains(&method), "{allow:?}");
    }
    assert_eq!(client.get("/x").send().text(), "GET");
    assert_eq!(client.request(Method::HEAD, "/x").send().text(), "", "no content for HEAD");
}

#[test]
fn connect_can_have_a_handler() {
    let mut client = client(|app| {
        app.connect(|request: &mut Request| request.target().to_owned());
        app.fallback(|_| "fallback");
    });
    assert_eq!(client.request(Method::CONNECT, "a.example:1").send().text(), "a.example:1");
    assert_eq!(client.get("/").send().text(), "fallback");
    assert_eq!(client.request(Method::OPTIONS, "*").send().status, Status::NO_CONTENT);
}

#[test]
fn scopes_and_mounts_nest() {
    let mut inner = App::new();
    inner.get("/", |_: &mut Request| "inner root");
    inner.get("/leaf/{id}", |request: &mut Request| request.param::<String>("id"));
    inner.fallback(|_| (Status::NOT_FOUND, "inner nothing"));
    let mut client = client(|app| {
        app.scope("/a", |a| {
            a.get("", |_: &mut Request| "a itself");
            a.mount("/b/", inner);
            a.scope("/{tenant}/t", |t| {
                t.fallback(|_| "tenant's");
            });
        });
        app.fallback(|_| "outer nothing");
    });
    for (target, text) in [
        ("/a", "a itself"),
        ("/a/", "outer nothing"),
        ("/a/b", "inner root"),
        ("/a/b/", "inner root"),
        ("/a/b/leaf/7", "7"),
        ("/a/b/none", "inner nothing"),
        ("/a/bc", "outer nothing"),
        ("/a/anyone/t/x", "tenant's"),
        ("/a/anyone/tt", "outer nothing"),
    ] {
        assert_eq!(client.get(target).send().text(), text, "{target}");
    }
}

#[cfg(feature = "regex")]
#[test]
fn regex_routes_are_mounted_below_plain_text() {
    let mut client = client(|app| {
        app.scope("/v1.0", |v1| {
            v1.route_regex(Method::GET, r"/(\d+)|/n(\d)", |request: &mut Request| {
                request.param::<String>("1").map(|id| format!("number {id}"))
            });
        });
    });
    assert_eq!(client.get("/v1.0/77").send().text(), "number 77");
    for target in ["/v1x0/77", "/n7", "/v1.0/x", "/v1.0/77/x"] {
        assert_eq!(client.get(target).send().status, Status::NOT_FOUND, "{target}");
    }
}

#[test]
fn the_first_conflict_is_reported() {
    let mut app = App::new();
    app.get("/same", |_: &mut Request| "1");
    assert!(app.check().is_ok());
    app.scope("/sub", |sub| {
        sub.get("/twice", |_: &mut Request| "1");
        sub.get("/twice", |_: &mut Request| "2");
    });
    app.get("/same", |_: &mut Request| "2");
    let error = app.check().unwrap_err().to_string();
    assert!(error.contains("twice"), "{error}");
    let mut app = App::new();
    app.get("", |_: &mut Request| "1");
    assert!(app.check().is_err());
    let mut app = App::new();
    app.mount("sub", App::new());
    assert!(app.check().is_err());
}

#[test]
fn defaults_are_inherited_and_overridden() {
    let page = |name: &'static str| {
        move |_: &Request, status: Status, message: &str| {
            Response::new(status).text(format!("{name} {} {message}", status.code()))
        }
    };
    let refuse = |_: &mut Request| Reject::bad("no");
    let mut client = client(|app| {
        app.errors(page("outer")).body_max(4);
        app.scope("/own", |own| {
            own.errors(page("own")).body_max(6);
            own.post("/", refuse);
            own.scope("/deep", |deep| {
                deep.post("/", refuse);
            });
        });
        app.scope("/plain", |plain| {
            plain.post("/", refuse);
            plain.post("/more", refuse).body_max(6);
        });
    });
    for (target, body, text) in [
        ("/own", "123456", "own 400 no"),
        ("/own", "1234567", "own 413 "),
        ("/own/deep", "123456", "own 400 no"),
        ("/own/deep", "1234567", "own 413 "),
        ("/plain", "1234", "outer 400 no"),
        ("/plain", "12345", "outer 413 "),
        ("/plain/more", "123456", "outer 400 no"),
        ("/none", "", "outer 404 "),
    ] {
        assert_eq!(client.post(target).body(body).send().text(), text, "{target} {body}");
        assert_eq!(client.post(target).chunked(body).send().text(), text, "{target} {body}");
    }
}

#[test]
fn closures_are_middleware() {
    let mut client = client(|app| {
        app.get("/open", |_: &mut Request| "open");
        app.after(|_, response| {
            let _ = response.set_header("X-Seen", response.status().code().to_string());
        });
        app.scope("/closed", |closed| {
            closed.get("/", |_: &mut Request| "closed");
            closed.before(|request| match request.header("x-word") {
                Some("please") => Flow::Go,
                _ => Flow::Stop(Response::new(Status::FORBIDDEN)),
            });
        });
    });
    assert_eq!(client.get("/open").send().header("x-seen"), Some("200"));
    assert_eq!(client.get("/closed").send().header("x-seen"), Some("403"));
    assert_eq!(client.get("/closed").header("X-Word", "please").send().text(), "closed");
}

#[test]
fn a_broken_error_page_is_not_the_end() {
    let mut client = client(|app| {
        app.errors(|_, _, _| panic!("page"));
    });
    assert_eq!(client.get("/").send().text(), "404 Not Found\n");
}

#[test]
fn content_is_buffered_where_methods_have_some() {
    let mut client = client(|app| {
        app.post("/", |request: &mut Request| request.take_body());
        app.get("/", |request: &mut Request| request.take_body());
        app.any("/any", |request: &mut Request| request.take_body());
        app.delete("/any", |request: &mut Request| request.take_body());
        app.fallback(|request: &mut Request| request.take_body()).body_max(2);
    });
    for (method, target, text) in [
        (Method::POST, "/", "content"),
        (Method::GET, "/", ""),
        (Method::PUT, "/any", "content"),
        (Method::DELETE, "/any", ""),
        (Method::PUT, "/else", "413 Content Too Large\n"),
    ] {
        let response = client.request(method.clone(), target).body("content").send();
        assert_eq!(response.text(), text, "{method} {target}");
    }
}

#[test]
fn replies_that_wait_come_to_their_end() {
    let mut client = client(|app| {
        app.post("/job", offload(|request: &mut Request| request.take_body()));
        app.get("/after", |_: &mut Request| after(Duration::from_millis(50), || "there you are"));
        app.get("/both", |_: &mut Request| {
            after_with(Duration::from_secs(1), |request: &mut Request| {
                let path = request.path().to_owned();
                offload_now(move |_| after(Duration::from_secs(2), move || path))
            })
        });
    });
    assert_eq!(client.post("/job").body("abc").send().text(), "abc");
    let response = client.get("/after").send();
    assert_eq!(response.text(), "there you are");
    assert_eq!(response.slept, Duration::from_millis(50));
    let response = client.get("/both").send();
    assert_eq!((response.text(), response.slept), ("/both", Duration::from_secs(3)));
}

#[test]
fn jobs_wait_in_the_lane_they_are_given() {
    let mut app = App::new();
    app.get("/plain", offload(|_: &mut Request| ()));
    app.get("/serial", offload_in(Lane::Serial, |_: &mut Request| ()));
    app.get("/now", |_: &mut Request| offload_now(|_| ()).lane(Lane::Engine));
    let lanes = [("/plain", Lane::Application), ("/serial", Lane::Serial), ("/now", Lane::Engine)];
    for (target, lane) in lanes {
        let request = Request::new(Method::GET, target);
        let exchange = crate::http::Exchange { request, ..Default::default() };
        match app.begin(Box::new(exchange)) {
            Step::Offload(_, job) => assert_eq!(job.lane, lane, "{target}"),
            other => panic!("{other:?}"),
        }
    }
}

/// Counts bytes and pieces.
#[derive(Default)]
struct Counter(usize, usize);

impl Sink for Counter {
    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.0 += chunk.len();
        self.1 += 1;
        match self.0 {
            0..1000 if chunk.contains(&7) => {
                Err(Refusal::new(Status::UNPROCESSABLE_CONTENT, "no sevens").into())
            }
            0..1000 => Ok(()),
            _ => Err(io::Error::from(io::ErrorKind::StorageFull)),
        }
    }

    fn finish(&mut self, request: &mut Request) -> io::Result<()> {
        request.extend((self.0, self.1));
        Ok(())
    }
}

#[test]
fn content_can_go_to_a_sink() {
    let mut client = client(|app| {
        app.post("/count", |_: &mut Request| {
            let sink = Box::new(Counter::default());
            receive(Intake::Blocking { sink, max: 2000 }, |request: &mut Request| {
                format!("{:?}", request.extension::<(usize, usize)>())
            })
        })
        .body(BodyMode::Ignore);
    });
    assert_eq!(client.post("/count").body([0; 100]).send().text(), "Some((100, 15))");
    assert_eq!(client.post("/count").send().text(), "Some((0, 0))");
    assert_eq!(client.post("/count").chunked([0; 1500]).send().status.code(), 507);
    assert_eq!(client.post("/count").body([0; 2001]).send().status.code(), 413);
    let refused = client.post("/count").body([7; 10]).send();
    assert_eq!((refused.status.code(), refused.closes), (422, true));
    assert!(refused.text().contains("no sevens"), "{}", refused.text());
}

struct Countdown(u8);

impl Source for Countdown {
    fn pull(&mut self, out: &mut Vec<u8>, _: usize) -> io::Result<Pull> {
        out.push(b'0' + self.0);
        match self.0 {
            0 => Ok(Pull::End),
            7 => Ok(Pull::Pending),
            9 => Err(io::Error::other("lost")),
            _ => {
                self.0 -= 1;
                Ok(Pull::More)
            }
        }
    }
}

#[test]
fn streams_and_files_are_read_to_their_end() {
    let mut client = client(|app| {
        app.get("/{from}", |request: &mut Request| -> Result<Response, Reject> {
            Ok(stream(ContentType::TEXT, Countdown(request.param("from")?)))
        });
        app.get("/file/now", |_: &mut Request| -> Result<Body, Reject> {
            let file = std::fs::File::open("Cargo.toml")?;
            Ok(Body::File(crate::http::FileSpan { file: Arc::new(file.into()), offset: 1, len: 7 }))
        });
    });
    for (target, text, complete) in [
        ("/3", "3210", true),
        ("/8", "87", false),
        ("/9", "9", false),
        ("/file/now", "package", true),
    ] {
        let response = client.get(target).send();
        assert_eq!((response.text(), response.complete), (text, complete), "{target}");
    }
}
