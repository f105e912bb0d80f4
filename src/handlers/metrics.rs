//! Metrics in Prometheus' text format (0.0.4), by OpenTelemetry's names.
//!
//! Two halves share a book: a middleware that counts when a reply's last byte was
//! taken, and a handler that writes the page. Beside what the requests were, the
//! page tells how the loop is ([`Stats`](crate::stats::Stats)).
//!
//! ```text
//!   requests --> before: active + 1
//!            <-- after:  size of the reply
//!                done:   active - 1, duration by route, method and status --> book
//!   GET /metrics --> book, stats of the loop, own numbers --> page
//! ```
//!
//! | Metric | Labels |
//! |---|---|
//! | `http_server_request_duration_seconds` | method, route, status |
//! | `http_server_active_requests` | method, scheme |
//! | `http_server_request_body_size_bytes` | method, status |
//! | `http_server_response_body_size_bytes` | method, status |
//! | `onepoll_*` | `engine.rs` lists them |
//!
//! Clients can't make labels: the route is the pattern that matched or `unmatched`,
//! a method that is not one of the registered nine is `_OTHER`, and the status is
//! what the application says. Should those be too many all the same, what comes
//! late is counted together under `_OTHER`. A client that left before there was a
//! reply has an empty status.
//!
//! Sizes are of contents whose length is known: a reply that is a stream without
//! one, and a request's content in chunks that its handler took out, are not there.

mod book;
mod engine;
mod shared;
mod text;

use crate::app::{After, App, Done, Middleware, Reply, offload_now};
use crate::http::{Body, ContentType, End, Lane, Method, Now, Request, Response};
use book::{Book, Key};
use shared::Place;
pub use shared::SharedMetrics;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};
use text::Text;

/// Bounds of the durations, unless [`Metrics::buckets`] says otherwise: those that
/// OpenTelemetry advises, in milliseconds.
const BOUNDS_MS: [u64; 14] = [5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000];
/// Combinations of route, method and status that are counted apart. A page of so
/// many has 18,000 lines, 2 MB.
const SERIES_MAX: usize = 1000;
/// With more than so many the page is written by a helper: it takes longer than a
/// turn of the loop should.
const SERIES_INLINE: usize = 100;

/// Counts requests and shows the numbers.
///
/// ```
/// use onepoll::app::{App, TestClient};
/// use onepoll::handlers::Metrics;
/// use onepoll::http::Request;
/// let mut app = App::new();
/// Metrics::new()
///     .gauge("shop_carts", "Carts that are being filled.", || 3.0)
///     .mount(&mut app, "/metrics");
/// app.get("/users/{id}", |_: &mut Request| "somebody");
/// let mut client = TestClient::new(app);
/// client.get("/users/7").send();
/// let page = client.get("/metrics").send();
/// assert!(page.text().contains("shop_carts 3\n"));
/// assert!(page.text().contains(
///     "http_server_request_duration_seconds_count{http_request_method=\"GET\",\
///      http_route=\"/users/{id}\",http_response_status_code=\"200\"} 1\n"
/// ));
/// ```
pub struct Metrics {
    book: RefCell<Book>,
    own: Vec<Own>,
    shared: Option<Place>,
}

/// A number of the application.
struct Own {
    name: String,
    kind: &'static str,
    help: String,
    value: Box<dyn Fn() -> f64>,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// Nothing is counted yet.
    pub fn new() -> Metrics {
        let bounds = BOUNDS_MS.map(Duration::from_millis);
        Metrics {
            book: RefCell::new(Book::new(&bounds, SERIES_MAX)),
            own: Vec::new(),
            shared: None,
        }
    }

    /// Shows what all loops of a server have counted that were given the same
    /// [`SharedMetrics`]; of the others it is up to a second old. What the loops say
    /// of themselves, `onepoll_*`, has the label `reactor` if there are several, and
    /// numbers of the application's own are as that loop sees them.
    #[must_use]
    pub fn shared(mut self, all: &SharedMetrics) -> Metrics {
        self.shared = Some(all.place());
        self
    }

    /// Other bounds for the durations: OpenTelemetry's, from 5 ms to 10 s, are
    /// wide for a service that answers within microseconds.
    #[must_use]
    pub fn buckets(mut self, bounds: &[Duration]) -> Metrics {
        self.book = RefCell::new(Book::new(bounds, SERIES_MAX));
        self
    }

    /// A number of the application's own that goes up and down. The function is
    /// called on the loop for each page.
    ///
    /// A name that is none, or that is there already or begins with `onepoll_` or
    /// `http_server_`, is left out, with a line in the log.
    #[must_use]
    pub fn gauge(self, name: &str, help: &str, value: impl Fn() -> f64 + 'static) -> Metrics {
        self.own(name, "gauge", help, value)
    }

    /// As [`gauge`](Metrics::gauge), for a number that only goes up. By custom its
    /// name ends in `_total`.
    #[must_use]
    pub fn counter(self, name: &str, help: &str, value: impl Fn() -> f64 + 'static) -> Metrics {
        self.own(name, "counter", help, value)
    }

    /// Shows as `onepoll_log_dropped_lines_total` what this says, for example
    /// [`LogHandle::dropped`](crate::middleware::LogHandle::dropped).
    #[must_use]
    pub fn dropped_lines(mut self, dropped: impl Fn() -> u64 + 'static) -> Metrics {
        let name = "onepoll_log_dropped_lines_total";
        let help = "Lines of logs dropped because writing took too long.";
        self.keep(name, "counter", help, move || dropped() as f64);
        self
    }

    fn own(
        mut self,
        name: &str,
        kind: &'static str,
        help: &str,
        value: impl Fn() -> f64 + 'static,
    ) -> Metrics {
        let ours = name.starts_with("onepoll_") || name.starts_with("http_server_");
        if ours || !text::is_name(name) {
            log::error!("{name:?} can't be the name of a metric; left out");
        } else {
            self.keep(name, kind, help, value);
        }
        self
    }

    fn keep(
        &mut self,
        name: &str,
        kind: &'static str,
        help: &str,
        value: impl Fn() -> f64 + 'static,
    ) {
        if self.own.iter().any(|own| own.name == name) {
            log::error!("{name} is there twice; the second is left out");
            return;
        }
        let (name, help, value) = (name.to_owned(), help.to_owned(), Box::new(value));
        self.own.push(Own { name, kind, help, value });
    }

    /// Wraps the app in the middleware, and shows the page at this path,
    /// [apart](App::apart) from all middleware. To be called before other
    /// middleware is wrapped, so that what that turns down is counted as well.
    pub fn mount(self, app: &mut App, path: &str) {
        let metrics = Rc::new(self);
        app.wrap(Rc::clone(&metrics));
        app.apart(|app| {
            app.get(path, move |request: &mut Request| metrics.page(request));
        });
    }

    /// The page. For who has wrapped an `Rc` of it and routes it otherwise than
    /// [`mount`](Metrics::mount).
    pub fn page(&self, request: &Request) -> Reply {
        let mut text = Text::default();
        if let Some(stats) = request.stats() {
            engine::write(&mut text, stats);
        }
        for Own { name, kind, help, value } in &self.own {
            text.family(name, kind, help);
            text.sample(name, "", &[], text::float(value()));
        }
        let book = self.book.borrow();
        if book.len() <= SERIES_INLINE && self.shared.is_none() {
            book.write(&mut text);
            return respond(text).into();
        }
        let mut book = book.clone();
        let others = self.shared.as_ref().map(Place::others);
        // The engine's lane: numbers are wanted above all when the queue is full.
        let write = move |_: &mut Request| {
            others.iter().for_each(|others| others.add_to(&mut book));
            book.write(&mut text);
            respond(text)
        };
        offload_now(write).lane(Lane::Engine)
    }
}

impl Middleware for Metrics {
    fn before(&self, request: &mut Request) -> crate::app::Flow {
        self.book.borrow_mut().active(request, true);
        crate::app::Flow::Go
    }

    fn after(&self, request: &mut Request, response: &mut Response) -> After {
        let is_sent = *request.method() != Method::HEAD && !response.status().is_bodiless();
        let size = if is_sent { response.body_ref().len() } else { Some(0) };
        if let Some(size) = size {
            let key = Key::new(request.method(), response.status().code());
            self.book.borrow_mut().sent(key, size);
        }
        After::Go
    }

    fn done(&self, done: &Done<'_>) {
        let Done { request, route, outcome, .. } = *done;
        let status = if outcome.end == End::Abandoned { 0 } else { outcome.status.code() };
        let key = Key::new(request.method(), status);
        let time = outcome.ended.instant.saturating_duration_since(outcome.started);
        let size = match request.content_length() {
            None if request.has_body() => Some(request.body().len() as u64).filter(|n| *n > 0),
            length => Some(length.unwrap_or(0)),
        };
        let mut book = self.book.borrow_mut();
        book.active(request, false);
        book.done(route.unwrap_or("unmatched"), key, time);
        if let Some(size) = size {
            book.received(key, size);
        }
        self.shared.iter().for_each(Place::note);
    }

    fn idle(&self, now: Now) -> Option<Instant> {
        self.shared.as_ref()?.idle(&self.book.borrow(), now.instant)
    }
}

fn respond(text: Text) -> Response {
    let version = ContentType::new("text/plain; version=0.0.4; charset=utf-8");
    Response::default()
        .content(version.unwrap_or(ContentType::TEXT), Body::Owned(text.finish().into_bytes()))
        .header("Cache-Control", "no-store")
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let series = self.book.borrow().len();
        f.debug_struct("Metrics").field("series", &series).finish_non_exhaustive()
    }
}
