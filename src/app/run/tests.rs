//! The order of hooks, for every way an exchange can end.

use super::*;
use crate::app::{Reply, TestClient, after, offload, offload_now, receive};
use crate::http::{End, Request};
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// What was called, in order.
type Trace = Rc<RefCell<Vec<String>>>;

/// What a spy does in one hook besides taking notes.
#[derive(Clone, Copy, PartialEq)]
enum Trick {
    None,
    Stop,
    Offload,
    OffloadStop,
    RawJobStop,
    RawJobGo,
    Panic,
    OffloadPanic,
}

struct Spy {
    name: &'static str,
    trace: Trace,
    before: Trick,
    after: Trick,
    done: Trick,
}

impl Spy {
    fn note(&self, hook: &str) {
        self.trace.borrow_mut().push(format!("{hook} {}", self.name));
    }
}

impl Middleware for Spy {
    fn before(&self, _: &mut Request) -> Flow {
        self.note("before");
        match self.before {
            Trick::None => Flow::Go,
            Trick::Stop => Flow::Stop(Response::new(Status::FORBIDDEN)),
            Trick::Offload => Flow::offload(|_| Flow::Go),
            Trick::OffloadStop => Flow::offload(|_| Flow::Stop(Response::new(Status::FORBIDDEN))),
            Trick::RawJobStop => Flow::Offload(Job::new(|exchange| {
                exchange.response = Response::new(Status::FORBIDDEN);
            })),
            Trick::RawJobGo => Flow::Offload(Job::new(|exchange| {
                exchange.request.extend(7u32);
            })),
            Trick::Panic => panic!("before {}", self.name),
            Trick::OffloadPanic => Flow::offload(|_| panic!("in a before's job")),
        }
    }

    fn after(&self, _: &mut Request, response: &mut Response) -> After {
        self.note(&format!("after({})", response.status().code()));
        match self.after {
            Trick::Offload => After::offload(|_, response| {
                let _ = response.add_header("X-Saved", "yes");
            }),
            Trick::Panic => panic!("after {}", self.name),
            Trick::OffloadPanic => After::offload(|_, _| panic!("in an after's job")),
            _ => After::Go,
        }
    }

    fn done(&self, done: &Done<'_>) {
        self.note(&format!("done({:?})", done.outcome.end));
        assert!(self.done != Trick::Panic, "done {}", self.name);
    }
}

/// An app with three spies: two of its own and one of a scope.
fn app(trace: &Trace, middle: impl FnOnce(&mut Spy)) -> App {
    let spy = |name| Spy {
        name,
        trace: Rc::clone(trace),
        before: Trick::None,
        after: Trick::None,
        done: Trick::None,
    };
    let mut app = App::new();
    app.wrap(spy("a"));
    let mut b = spy("b");
    middle(&mut b);
    app.wrap(b);
    app.scope("/s", |s| {
        let seen = Rc::clone(trace);
        s.get("/text", move |_: &mut Request| {
            seen.borrow_mut().push("handler".to_owned());
            "text"
        });
        s.wrap(spy("c"));
        s.get("/panic", |_: &mut Request| -> &'static str { panic!("handler") });
        s.get("/job", offload(|_: &mut Request| "from a job"));
        s.get("/jobpanic", offload(|_: &mut Request| -> () { panic!("job") }));
        s.get("/sleep", |_: &mut Request| after(Duration::from_secs(9), || "slept"));
        s.get("/chain", |_: &mut Request| {
            offload_now(|_| after(Duration::from_secs(1), || offload_now(|_| "at last")))
        });
        s.get("/thenpanic", |_: &mut Request| {
            after(Duration::from_secs(9), || -> Reply { panic!("then") })
        });
        s.post("/post", |request: &mut Request| request.take_body());
    });
    app
}

const IN: &str = "before a, before b, before c";

fn all(status: u16) -> String {
    format!("{IN}, after({status}) c, after({status}) b, after({status}) a, {DONE}")
}

const DONE: &str = "done(Sent) c, done(Sent) b, done(Sent) a";

/// Sends a GET and compares the trace.
fn check(target: &str, status: u16, want: &str, middle: impl FnOnce(&mut Spy)) {
    let trace = Trace::default();
    let mut client = TestClient::new(app(&trace, middle));
    let response = client.get(target).send();
    assert_eq!(response.status.code(), status, "{target}");
    assert_eq!(trace.borrow().join(", "), want, "{target}");
    assert_eq!(response.closes, status == 500, "{target}: 500 closes");
}

#[test]
fn every_ending_of_a_handler_unwinds_all_hooks_once() {
    let with_handler = all(200).replace("c, after(200) c", "c, handler, after(200) c");
    check("/s/text", 200, &with_handler, |_| {});
    for (target, status) in [
        ("/s/job", 200),
        ("/s/sleep", 200),
        ("/s/chain", 200),
        ("/s/panic", 500),
        ("/s/jobpanic", 500),
        ("/s/thenpanic", 500),
    ] {
        check(target, status, &all(status), |_| {});
    }
}

#[test]
fn what_has_no_route_passes_the_apps_middleware_only() {
    let want = |status| {
        format!(
            "before a, before b, after({status}) b, after({status}) a, done(Sent) b, done(Sent) a"
        )
    };
    check("/s/none", 404, &want(404), |_| {});
    check("/none", 404, &want(404), |_| {});
    check("/s/post", 405, &want(405), |_| {});
    // Its middleware may wait in between; the answer is still known after it.
    check("/s/post", 405, &want(405), |b| b.before = Trick::Offload);
}

#[test]
fn who_stops_is_entered_and_who_stands_behind_is_not() {
    for trick in [Trick::Stop, Trick::OffloadStop, Trick::RawJobStop] {
        let want = "before a, before b, after(403) b, after(403) a, done(Sent) b, done(Sent) a";
        check("/s/text", 403, want, |b| b.before = trick);
    }
    for trick in [Trick::Panic, Trick::OffloadPanic] {
        let want = "before a, before b, after(500) b, after(500) a, done(Sent) b, done(Sent) a";
        check("/s/text", 500, want, |b| b.before = trick);
    }
}

#[test]
fn jobs_of_hooks_go_on_where_they_were() {
    for trick in [Trick::Offload, Trick::RawJobGo] {
        check("/s/job", 200, &all(200), |b| b.before = trick);
    }
    check("/s/job", 200, &all(200), |b| b.after = Trick::Offload);
}

#[test]
fn a_panic_on_the_way_out_shows_to_those_outside_of_it() {
    for trick in [Trick::Panic, Trick::OffloadPanic] {
        let want = format!("{IN}, after(200) c, after(200) b, after(500) a, {DONE}");
        check("/s/job", 500, &want, |b| b.after = trick);
    }
    check("/s/job", 200, &all(200), |b| b.done = Trick::Panic);
}

/// A begun exchange and its app.
fn begin(app: &mut App, mut request: Request, declared: Option<u64>) -> Step {
    request.content_length = declared;
    app.begin(Box::new(Exchange { request, ..Exchange::default() }))
}

fn outcome(end: End) -> Outcome {
    let ended = Now::read();
    Outcome { status: Status::OK, bytes: 0, started: Instant::now(), ended, end }
}

#[test]
fn content_that_fails_becomes_a_page_and_unwinds() {
    let trace = Trace::default();
    let mut app = app(&trace, |_| {});
    let step = begin(&mut app, Request::new(Method::POST, "/s/post"), Some(5));
    let Step::Receive(mut exchange, Intake::Buffer { max: 1_048_576 }) = step else {
        panic!("{step:?}")
    };
    assert_eq!(trace.borrow().join(", "), IN, "the hooks come before the content");
    exchange.failed = Some(Status::REQUEST_TIMEOUT);
    let step = app.resume(exchange);
    let Step::Respond(mut exchange) = step else { panic!("{step:?}") };
    assert_eq!(exchange.response.status(), Status::REQUEST_TIMEOUT);
    assert!(exchange.response.closes());
    app.finish(&mut exchange, &outcome(End::Sent));
    assert_eq!(trace.borrow().join(", "), all(408));
}

#[test]
fn a_refused_job_of_a_handler_or_hook_becomes_a_page() {
    let trace = Trace::default();
    let mut app = app(&trace, |b| b.after = Trick::Offload);
    let step = begin(&mut app, Request::new(Method::GET, "/s/job"), None);
    let Step::Offload(mut exchange, _) = step else { panic!("{step:?}") };
    exchange.failed = Some(Status::SERVICE_UNAVAILABLE);
    let step = app.resume(exchange);
    let Step::Offload(mut exchange, _) = step else { panic!("{step:?}") };
    exchange.failed = Some(Status::SERVICE_UNAVAILABLE);
    let step = app.resume(exchange);
    let Step::Respond(mut exchange) = step else { panic!("{step:?}") };
    app.finish(&mut exchange, &outcome(End::Cut));
    assert_eq!(trace.borrow().join(", "), all(503).replace("Sent", "Cut"));
}

#[test]
fn a_lost_exchange_is_done_without_after() {
    for target in ["/s/job", "/s/sleep"] {
        let trace = Trace::default();
        let mut app = app(&trace, |_| {});
        let step = begin(&mut app, Request::new(Method::GET, target), None);
        let (Step::Offload(mut exchange, _) | Step::Sleep(mut exchange, _)) = step else {
            panic!("{step:?}")
        };
        app.finish(&mut exchange, &outcome(End::Abandoned));
        // A second time would be the engine's mistake; it is told once all the same.
        app.finish(&mut exchange, &outcome(End::Abandoned));
        let want = format!("{IN}, {}", DONE.replace("Sent", "Abandoned"));
        assert_eq!(trace.borrow().join(", "), want);
    }
}

#[test]
fn an_exchange_is_as_new_after_recycling() {
    let trace = Trace::default();
    let mut app = app(&trace, |b| b.after = Trick::Panic);
    let step = begin(&mut app, Request::new(Method::GET, "/s/panic"), None);
    let Step::Respond(mut exchange) = step else { panic!("{step:?}") };
    assert!(exchange.response.closes());
    app.finish(&mut exchange, &outcome(End::Sent));
    exchange.recycle();
    exchange.request = Request::new(Method::GET, "/s/sleep");
    trace.borrow_mut().clear();
    let step = app.begin(exchange);
    let Step::Sleep(exchange, _) = step else { panic!("{step:?}") };
    assert!(!exchange.response.closes() && !exchange.bookmark.close);
    assert_eq!(trace.borrow().join(", "), IN);
}

#[test]
fn declared_content_beyond_the_limit_is_not_asked_for() {
    let mut app = App::new();
    app.body_max(10);
    app.post("/small", |_: &mut Request| "taken");
    app.post("/large", |_: &mut Request| "taken").body_max(20);
    app.post("/stream", |_: &mut Request| receive(Intake::Buffer { max: 5 }, |_| "taken"))
        .body(BodyMode::Ignore);
    for (target, length, asked) in [
        ("/small", 10, true),
        ("/small", 11, false),
        ("/large", 20, true),
        ("/large", 21, false),
        ("/stream", 5, true),
        ("/stream", 6, false),
    ] {
        let step = begin(&mut app, Request::new(Method::POST, target), Some(length));
        match step {
            Step::Receive(..) => assert!(asked, "{target} {length}"),
            Step::Respond(exchange) => {
                assert!(!asked, "{target} {length}");
                assert_eq!(exchange.response.status(), Status::CONTENT_TOO_LARGE);
            }
            other => panic!("{other:?}"),
        }
    }
    let step = begin(&mut app, Request::new(Method::POST, "/small"), None);
    assert!(matches!(step, Step::Respond(_)), "no content: nothing to wait for");
}
