//! Health: three answers for those who watch over a server.
//!
//! | Path | Answers 200 while |
//! |---|---|
//! | `/livez` | the loop turns; it says nothing else |
//! | `/readyz` | it is not draining nor about to, helpers have room, all checks pass |
//! | `/healthz` | helpers have room, all checks pass |
//!
//! Else it is 503. Checks may block, so they never run on the loop, and each
//! runs on a thread of its own, since one that hangs must not hold up anything:
//!
//! ```text
//!   GET /readyz --> results younger than a second? --yes--> answer
//!                     | no
//!                     v
//!                   does somebody wait for them? --yes--> answer with the last ones
//!                     | no
//!                     v
//!                   a helper starts the threads of all checks that don't run yet, and
//!                   waits for them until the limit: who is late has failed
//! ```
//!
//! So a flood of probes costs one helper at most, and a check that hangs one
//! thread, however often it is asked for.

use crate::app::{App, Reply, json, offload_now};
use crate::http::accept::media_type;
use crate::http::{ContentType, Request, Response, Status};
use crate::stats::Stats;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a check may take, unless [`Health::limit`] says otherwise: what probes
/// have patience for.
const LIMIT: Duration = Duration::from_secs(1);
/// How long results are good, unless [`Health::keep`] says otherwise.
const KEEP: Duration = Duration::from_secs(1);
/// A check's message is cut to so many characters.
const MESSAGE_MAX: usize = 1000;

/// The three paths, and checks of one's own.
///
/// The answer is text, or JSON for who prefers it. What a failed check says is
/// logged, and shown only if asked for by [`show`](Health::show).
///
/// ```
/// use onepoll::app::{App, TestClient};
/// use onepoll::handlers::Health;
/// let mut app = App::new();
/// Health::new()
///     .check("disk", || Ok(()))
///     .check("database", || Err("connection refused".to_owned()))
///     .mount(&mut app);
/// let mut client = TestClient::new(app);
/// assert_eq!(client.get("/livez").send().text(), "ok\n");
/// let ready = client.get("/readyz").header("Accept", "application/json").send();
/// assert_eq!(ready.status.code(), 503);
/// assert_eq!(
///     ready.text(),
///     "{\"status\":\"failed\",\"checks\":{\"draining\":\"ok\",\"helpers\":\"ok\",\
///      \"disk\":\"ok\",\"database\":\"failed\"}}"
/// );
/// ```
pub struct Health {
    checks: Vec<Check>,
    limit: Duration,
    keep: Duration,
    show: bool,
}

struct Check {
    name: String,
    run: Arc<Run>,
}

type Run = dyn Fn() -> Result<(), String> + Send + Sync;

/// What the paths share once they are mounted.
struct Board {
    checks: Vec<Check>,
    limit: Duration,
    keep: Duration,
    show: bool,
    state: Mutex<State>,
    /// A check has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// One for each check, in order.
    checks: Vec<Known>,
    /// When they were complete last.
    since: Option<Instant>,
    /// Whether somebody waits for them now.
    awaited: bool,
}

/// What is known of a check.
#[derive(Clone, Debug, Default)]
struct Known {
    running: bool,
    /// Of the last time that was waited for: why it failed, if it did.
    failed: Option<String>,
    /// What the thread has brought, until it is looked at.
    fresh: Option<Result<(), String>>,
}

/// One line of an answer: what was looked at, and why it is not well.
type Line<'a> = (&'a str, Option<&'a str>);

impl Default for Health {
    fn default() -> Health {
        Health::new()
    }
}

impl Health {
    /// Without checks.
    pub fn new() -> Health {
        Health { checks: Vec::new(), limit: LIMIT, keep: KEEP, show: false }
    }

    /// One more thing to look at. It may block; it runs on a thread of its own,
    /// never twice at once. A panic is a failure.
    #[must_use]
    pub fn check(
        mut self,
        name: &str,
        run: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Health {
        self.checks.push(Check { name: name.to_owned(), run: Arc::new(run) });
        self
    }

    /// How long all checks together may take before those that are not done count
    /// as failed: 1 s.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Health {
        self.limit = limit;
        self
    }

    /// How long results are good: 1 s.
    #[must_use]
    pub fn keep(mut self, keep: Duration) -> Health {
        self.keep = keep;
        self
    }

    /// Shows what failed checks say, which may tell strangers more than it should.
    #[must_use]
    pub fn show(mut self) -> Health {
        self.show = true;
        self
    }

    /// Puts `/livez`, `/readyz` and `/healthz` into the app, [apart](App::apart)
    /// from its middleware.
    pub fn mount(self, app: &mut App) {
        let Health { checks, limit, keep, show } = self;
        // Nobody is ready before it was looked at once.
        let unknown = Known { failed: Some("not looked at yet".to_owned()), ..Known::default() };
        let known = vec![unknown; checks.len()];
        let state = Mutex::new(State { checks: known, ..State::default() });
        let board = Arc::new(Board { checks, limit, keep, show, state, ended: Condvar::new() });
        let other = Arc::clone(&board);
        app.apart(|app| {
            app.get("/livez", |request: &mut Request| answer(request, &[], true));
            app.get("/readyz", move |request: &mut Request| board.ask(request, true));
            app.get("/healthz", move |request: &mut Request| other.ask(request, false));
        });
    }
}

impl Board {
    /// Answers, or has a helper do it.
    fn ask(self: &Arc<Board>, request: &Request, ready: bool) -> Reply {
        let now = request.now().instant;
        let is_good = |since: Instant| now.saturating_duration_since(since) < self.keep;
        let mut state = self.lock();
        if self.checks.is_empty() || state.since.is_some_and(is_good) || state.awaited {
            return self.report(request, &state.checks, ready).into();
        }
        // Saturated helpers are an answer already, and the job would only add to it.
        if request.stats().is_some_and(|stats| stats.helpers.is_saturated()) {
            return self.report(request, &state.checks, ready).into();
        }
        state.awaited = true;
        drop(state);
        let turn = Turn(Arc::clone(self));
        offload_now(move |request: &mut Request| {
            let Turn(board) = &turn;
            let known = board.look();
            board.report(request, &known, ready)
        })
    }

    /// Runs the checks and waits for them, on a helper thread.
    fn look(self: &Arc<Board>) -> Vec<Known> {
        let until = Instant::now() + self.limit;
        let mut state = self.lock();
        for (number, check) in self.checks.iter().enumerate() {
            let Some(known) = state.checks.get_mut(number) else { continue };
            known.fresh = None;
            if !known.running {
                known.running = self.start(number, &check.run);
            }
        }
        let left = until.saturating_duration_since(Instant::now());
        let running = |state: &mut State| {
            state.checks.iter().any(|known| known.running && known.fresh.is_none())
        };
        let waited = self.ended.wait_timeout_while(state, left, running);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let first = state.since.is_none();
        for (known, check) in state.checks.iter_mut().zip(&self.checks) {
            let failed = match known.fresh.take() {
                Some(result) => result.err(),
                None if known.running => Some("it takes too long".to_owned()),
                None => Some("no thread can be had for it".to_owned()),
            };
            match &failed {
                Some(why) if failed != known.failed => log::warn!("check {}: {why}", check.name),
                None if !first && known.failed.is_some() => {
                    log::info!("check {}: ok again", check.name);
                }
                _ => {}
            }
            known.failed = failed;
        }
        state.since = Some(Instant::now());
        state.checks.clone()
    }

    /// Starts a check's thread; whether there was one to be had.
    fn start(self: &Arc<Board>, number: usize, run: &Arc<Run>) -> bool {
        let (board, run) = (Arc::clone(self), Arc::clone(run));
        let thread = std::thread::Builder::new().name("onepoll-check".to_owned());
        let started = thread.spawn(move || {
            let result = catch_unwind(AssertUnwindSafe(|| run()));
            let mut result = result.unwrap_or_else(|_| Err("it panicked".to_owned()));
            if let Err(message) = &mut result {
                *message = message.chars().take(MESSAGE_MAX).collect();
            }
            if let Some(known) = board.lock().checks.get_mut(number) {
                known.running = false;
                known.fresh = Some(result);
            }
            board.ended.notify_all();
        });
        started.is_ok()
    }

    fn report(&self, request: &Request, known: &[Known], ready: bool) -> Response {
        let stats = request.stats();
        let leaves = |s: &Stats| s.draining.value() > 0 || s.unready.value() > 0;
        let draining = stats.is_some_and(leaves);
        let saturated = stats.is_some_and(|stats| stats.helpers.is_saturated());
        let mut lines: Vec<Line<'_>> = Vec::with_capacity(known.len() + 2);
        if ready {
            lines.push(("draining", draining.then_some("the server is leaving")));
        }
        lines.push(("helpers", saturated.then_some("the helpers' queue is full")));
        for (check, known) in self.checks.iter().zip(known) {
            let why = if self.show { known.failed.as_deref() } else { Some("failed") };
            lines.push((&check.name, why.filter(|_| known.failed.is_some())));
        }
        let well = lines.iter().all(|(_, why)| why.is_none());
        answer(request, &lines, well)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to wait for the checks. It ends with the job, also with one that
/// was refused or whose client is gone.
struct Turn(Arc<Board>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.lock().awaited = false;
    }
}

fn answer(request: &Request, lines: &[Line<'_>], well: bool) -> Response {
    let status = if well { Status::OK } else { Status::SERVICE_UNAVAILABLE };
    let response = Response::new(status).header("Cache-Control", "no-store");
    let word = if well { "ok" } else { "failed" };
    if media_type(request.headers(), &["text/plain", "application/json"]) == Some(1) {
        return response.json(json::object(|object| {
            object.set("status", word);
            if !lines.is_empty() {
                object.object("checks", |checks| {
                    for (name, why) in lines {
                        checks.set(name, why.unwrap_or("ok"));
                    }
                });
            }
        }));
    }
    let mut text = format!("{word}\n");
    for (name, why) in lines {
        text.push_str(name);
        text.push_str(": ");
        // One line each, whatever a check says.
        text.extend(why.unwrap_or("ok").chars().map(|c| if c.is_control() { ' ' } else { c }));
        text.push('\n');
    }
    response.content(ContentType::TEXT, crate::http::Body::Owned(text.into_bytes()))
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.checks.iter().map(|check| check.name.as_str()).collect();
        f.debug_struct("Health").field("checks", &names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
