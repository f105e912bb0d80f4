//! `Server-Timing`: how long a reply took and what of, for a browser's tools.

use super::fields::add;
use crate::app::{After, Flow, Middleware};
use crate::http::chars::is_token;
use crate::http::{Request, Response};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Says in each reply how long it took from the routes to here: helpers, sleeps
/// and content included, sending not.
///
/// Handlers add what they measured to the [`Timings`] in the request's bag. What
/// takes long can tell a stranger what is there: wrap it where everybody may
/// know, or in development.
///
/// ```
/// use onepoll::app::TestClient;
/// use onepoll::middleware::{ServerTiming, Timings};
/// use onepoll::{App, Request};
/// use std::time::Duration;
/// let mut app = App::new();
/// app.wrap(ServerTiming::new());
/// app.get("/", |request: &mut Request| {
///     if let Some(timings) = request.extension_mut::<Timings>() {
///         timings.add("db", Duration::from_micros(2500));
///     }
///     "page"
/// });
/// let response = TestClient::new(app).get("/").send();
/// let timing = response.headers.text("Server-Timing").unwrap();
/// assert!(timing.starts_with("db;dur=2.500, total;dur=0."));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerTiming(());

/// What was measured for one request.
#[derive(Clone, Debug)]
pub struct Timings {
    begun: Instant,
    text: String,
    count: usize,
}

/// Measurements of one reply.
const COUNT_MAX: usize = 32;

impl ServerTiming {
    /// For all replies.
    pub fn new() -> ServerTiming {
        ServerTiming(())
    }
}

impl Timings {
    /// This part took so long. Its name is a token such as `db`; what is none is
    /// left out, and so is what comes after 32 others.
    pub fn add(&mut self, name: &str, time: Duration) {
        if !is_token(name.as_bytes()) || name.len() > 64 || self.count >= COUNT_MAX {
            log::debug!("Server-Timing: {name:?} is left out");
            return;
        }
        self.count += 1;
        // In milliseconds; writing to a string never fails.
        let (millis, micros) = (time.as_millis(), time.subsec_micros() % 1000);
        let _ = write!(self.text, "{name};dur={millis}.{micros:03}, ");
    }
}

impl Middleware for ServerTiming {
    fn before(&self, request: &mut Request) -> Flow {
        request.extend(Timings { begun: Instant::now(), text: String::new(), count: 0 });
        Flow::Go
    }

    fn after(&self, request: &mut Request, response: &mut Response) -> After {
        if let Some(mut timings) = request.remove_extension::<Timings>() {
            timings.count = 0;
            timings.add("total", timings.begun.elapsed());
            add(response, "Server-Timing", timings.text.trim_end_matches(", "));
        }
        After::Go
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{App, TestClient};

    #[test]
    fn what_was_measured_is_told() {
        let mut app = App::new();
        app.wrap(ServerTiming::new());
        app.get("/", |request: &mut Request| {
            let timings = request.extension_mut::<Timings>().expect("it was put there");
            timings.add("db", Duration::from_micros(12_034));
            timings.add("not a token", Duration::ZERO);
            timings.add("a\r\nX: y", Duration::ZERO);
            timings.add("view", Duration::from_secs(2));
        });
        app.get("/many", |request: &mut Request| {
            let timings = request.extension_mut::<Timings>().expect("it was put there");
            (0..1000).for_each(|_| timings.add("x", Duration::ZERO));
        });
        let mut client = TestClient::new(app);
        let mut timing = |target| {
            let response = client.get(target).send();
            response.headers.text("server-timing").expect("the field").to_owned()
        };
        let text = timing("/");
        assert!(text.starts_with("db;dur=12.034, view;dur=2000.000, total;dur="), "{text}");
        assert_eq!(timing("/many").matches(";dur=").count(), COUNT_MAX + 1);
        assert!(timing("/none").starts_with("total;dur="), "404 as well");
    }
}
