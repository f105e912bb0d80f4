//! [`App`] as a [`Service`]: the way in, the way out, and the cursor.
//!
//! The cursor is the exchange's bookmark. `entered` counts the middlewares
//! whose `before` was called, `unwound` those whose `after` was; both only
//! grow, so whatever happens between, each is called once. The phase says what
//! the exchange is away for, the note what to go on with.

use super::App;
use super::guard::{Panicked, guard};
use super::handler::{BodyMode, Entry};
use super::middleware::{After, Done, Flow, Middleware};
use super::pages;
use super::reject::Reject;
use super::reply::{Kind, Reply, Then};
use crate::config::Config;
use crate::error::Error;
use crate::http::{Exchange, Intake, Job, Method, Now, Outcome, Refusal, Response};
use crate::http::{Refused, Service, Status, Step};
use crate::route::Lookup;
use std::borrow::Cow;
use std::rc::Rc;
use std::time::Instant;

/// What the exchange is away for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The job of a `before`.
    Before,
    /// The content that the route wants before its handler is called.
    Body,
    /// What the handler asked for.
    Reply,
    /// The job of an `after`.
    After,
}

impl Phase {
    fn of(exchange: &Exchange) -> Phase {
        match exchange.bookmark.phase {
            0 => Phase::Before,
            1 => Phase::Body,
            2 => Phase::Reply,
            _ => Phase::After,
        }
    }
}

/// The bookmark's note: what to go on with.
pub(super) enum Next {
    /// The handler's closure.
    Then(Then),
    /// What the handler's job returned.
    Reply(Reply),
    /// What the job of a `before` returned.
    Flow(Flow),
    /// A job panicked.
    Panicked(Panicked),
}

impl Service for App {
    fn prepare(&mut self, config: &Config) -> Result<(), Error> {
        self.default_body_max(config.limits.body_max);
        self.check()
    }

    fn routes(&self) -> Vec<String> {
        let names = self.entries.iter().map(|entry| entry.pattern.as_deref());
        names.map(|name| name.unwrap_or("(fallback)").to_owned()).collect()
    }

    /// Only middleware wants to know how it ended.
    #[inline]
    fn observes(&self, exchange: &Exchange) -> bool {
        exchange.bookmark.entered > 0
    }

    #[inline]
    fn begin(&mut self, mut exchange: Box<Exchange>) -> Step {
        let route = self.find(&mut exchange);
        exchange.bookmark.route = route;
        sign_in(&exchange);
        self.inward(exchange, route.and_then(|route| self.entries.get(route as usize)))
    }

    fn resume(&mut self, mut exchange: Box<Exchange>) -> Step {
        sign_in(&exchange);
        let note = exchange.bookmark.note.take();
        if let Some(status) = exchange.failed.take() {
            let refusal = exchange.request.remove_extension::<Refusal>();
            let message = refusal.map_or(Cow::Borrowed(""), |refusal| refusal.message);
            self.refuse(&mut exchange, status, &message);
            exchange.bookmark.close = true;
            return self.outward(exchange);
        }
        let next = note.and_then(|note| note.downcast::<Next>().ok()).map(|next| *next);
        match (Phase::of(&exchange), next) {
            (_, Some(Next::Panicked(panicked))) => self.panicked(exchange, "a job", &panicked),
            (Phase::Before, Some(Next::Flow(flow))) => match self.flow(exchange, flow) {
                Ok(exchange) => self.inward_again(exchange),
                Err(step) => step,
            },
            (Phase::Before, _) if is_untouched(&exchange.response) => self.inward_again(exchange),
            (Phase::Body, _) => {
                let entry = self.entry_of(&exchange);
                self.handle(exchange, entry)
            }
            (Phase::Reply, Some(Next::Reply(reply))) => self.settle(exchange, reply),
            (Phase::Reply, Some(Next::Then(then))) => match guard(|| then(&mut exchange.request)) {
                Ok(reply) => self.settle(exchange, reply),
                Err(panicked) => self.panicked(exchange, "the handler", &panicked),
            },
            // A job left a response, or one is on its way out already.
            _ => self.outward(exchange),
        }
    }

    fn finish(&mut self, exchange: &mut Exchange, outcome: &Outcome) {
        if exchange.bookmark.entered == 0 {
            return;
        }
        let entry = self.entry_of(exchange);
        let route = entry.and_then(|entry| entry.pattern.as_deref());
        let (request, response) = (&exchange.request, &exchange.response);
        let done = Done { request, response, route, outcome };
        let entered = usize::from(std::mem::take(&mut exchange.bookmark.entered));
        for middleware in self.chain(entry).iter().take(entered).rev() {
            if let Err(Panicked(why)) = guard(|| middleware.done(&done)) {
                log::error!("panic in a `done` hook after {}: {why}", name(exchange, route));
            }
        }
    }

    /// What stands around all routes hears of it.
    fn refused(&mut self, refused: &Refused) {
        for middleware in self.chain(None) {
            if let Err(Panicked(why)) = guard(|| middleware.refused(refused)) {
                log::error!("panic in a `refused` hook: {why}");
            }
        }
    }

    fn idle(&mut self, now: Now) -> Option<Instant> {
        if self.bare {
            return None;
        }
        let wraps = self.scopes.iter().flat_map(|scope| &scope.wraps);
        wraps.filter_map(|middleware| guard(|| middleware.idle(now)).ok().flatten()).min()
    }
}

impl App {
    /// The way in: every `before` that was not called yet, then the content.
    #[inline]
    fn inward(&self, exchange: Box<Exchange>, entry: Option<&Entry>) -> Step {
        if self.bare || self.chain(entry).is_empty() {
            self.inside(exchange, entry)
        } else {
            self.through(exchange, entry)
        }
    }

    /// The same after a `before` that had to wait.
    fn inward_again(&self, exchange: Box<Exchange>) -> Step {
        let entry = self.entry_of(&exchange);
        self.inward(exchange, entry)
    }

    /// Through the middleware.
    fn through(&self, mut exchange: Box<Exchange>, entry: Option<&Entry>) -> Step {
        let chain = self.chain(entry);
        while let Some(middleware) = chain.get(usize::from(exchange.bookmark.entered)) {
            exchange.bookmark.entered += 1;
            exchange = match guard(|| middleware.before(&mut exchange.request)) {
                Ok(Flow::Go) => exchange,
                Ok(flow) => match self.flow(exchange, flow) {
                    Ok(exchange) => exchange,
                    Err(step) => return step,
                },
                Err(panicked) => return self.panicked(exchange, "a `before` hook", &panicked),
            };
        }
        self.inside(exchange, entry)
    }

    /// All middleware is entered: the content, if it is wanted, then the handler.
    #[inline]
    fn inside(&self, exchange: Box<Exchange>, entry: Option<&Entry>) -> Step {
        let max = match entry.map(|entry| entry.body) {
            Some(BodyMode::Ignore) | None => None,
            Some(BodyMode::Buffer) => entry.and_then(|e| self.scopes.get(e.scope)).map(|s| s.max),
            Some(BodyMode::Max(max)) => Some(max),
        };
        match max {
            Some(max) if exchange.request.has_body() => {
                self.receive(exchange, Intake::Buffer { max }, Phase::Body)
            }
            _ => self.handle(exchange, entry),
        }
    }

    /// What a `before` said. `Ok` is to go on inward.
    fn flow(&self, mut exchange: Box<Exchange>, flow: Flow) -> Result<Box<Exchange>, Step> {
        match flow {
            Flow::Go => Ok(exchange),
            Flow::Stop(response) => {
                exchange.response = response;
                Err(self.outward(exchange))
            }
            Flow::Refuse(reject) => {
                self.turn_down(&mut exchange, reject);
                Err(self.outward(exchange))
            }
            Flow::Offload(job) => Err(away(exchange, job, Phase::Before)),
        }
    }

    #[inline]
    fn handle(&self, mut exchange: Box<Exchange>, entry: Option<&Entry>) -> Step {
        let Some(entry) = entry else {
            self.unrouted(&mut exchange);
            return self.outward(exchange);
        };
        match guard(|| (entry.handler)(&mut exchange)) {
            Ok(None) => self.outward(exchange),
            Ok(Some(reply)) => self.settle(exchange, *reply),
            Err(panicked) => self.panicked(exchange, "the handler", &panicked),
        }
    }

    /// Does what the handler answered.
    fn settle(&self, mut exchange: Box<Exchange>, reply: Reply) -> Step {
        match reply.0 {
            Kind::Respond(response) => {
                exchange.response = response;
                self.outward(exchange)
            }
            Kind::Refuse(reject) => {
                self.turn_down(&mut exchange, reject);
                self.outward(exchange)
            }
            Kind::Offload(job) => away(exchange, job, Phase::Reply),
            Kind::After(time, then) => {
                exchange.bookmark.phase = Phase::Reply as u8;
                exchange.bookmark.note = Some(Box::new(Next::Then(then)));
                Step::Sleep(exchange, time)
            }
            Kind::Receive(intake, then) => {
                exchange.bookmark.note = Some(Box::new(Next::Then(then)));
                self.receive(exchange, intake, Phase::Reply)
            }
        }
    }

    /// Asks for the content, unless it says itself that it is too long: then a
    /// client that waits for 100 is spared the sending (RFC 9110 section 10.1.1).
    fn receive(&self, mut exchange: Box<Exchange>, intake: Intake, phase: Phase) -> Step {
        let (Intake::Buffer { max } | Intake::Inline { max, .. } | Intake::Blocking { max, .. }) =
            &intake;
        if exchange.request.content_length().is_some_and(|length| length > *max) {
            exchange.bookmark.note = None;
            self.refuse(&mut exchange, Status::CONTENT_TOO_LARGE, "");
            return self.outward(exchange);
        }
        exchange.bookmark.phase = phase as u8;
        Step::Receive(exchange, intake)
    }

    /// The way out: every `after` of those entered that was not called yet.
    #[inline]
    fn outward(&self, exchange: Box<Exchange>) -> Step {
        if exchange.bookmark.entered > 0 { self.unwind(exchange) } else { respond(exchange) }
    }

    /// Back through the middleware.
    fn unwind(&self, mut exchange: Box<Exchange>) -> Step {
        let chain = self.chain(self.entry_of(&exchange));
        while exchange.bookmark.unwound < exchange.bookmark.entered {
            let Exchange { request, response, bookmark, .. } = &mut *exchange;
            bookmark.unwound += 1;
            let at = usize::from(bookmark.entered - bookmark.unwound);
            let Some(middleware) = chain.get(at) else { continue };
            match guard(|| middleware.after(request, response)) {
                Ok(After::Go) => {}
                Ok(After::Offload(job)) => return away(exchange, job, Phase::After),
                Err(panicked) => self.note_panic(&mut exchange, "an `after` hook", &panicked),
            }
        }
        respond(exchange)
    }

    #[cold]
    fn panicked(&self, mut exchange: Box<Exchange>, what: &str, panicked: &Panicked) -> Step {
        self.note_panic(&mut exchange, what, panicked);
        self.outward(exchange)
    }

    /// A panic becomes 500, and the connection's last reply: nobody knows what
    /// state the code left behind.
    #[cold]
    fn note_panic(&self, exchange: &mut Exchange, what: &str, Panicked(why): &Panicked) {
        let route = self.entry_of(exchange).and_then(|entry| entry.pattern.as_deref());
        log::error!("panic in {what} of {}: {why}", name(exchange, route));
        self.refuse(exchange, Status::INTERNAL_SERVER_ERROR, "");
        exchange.bookmark.close = true;
    }

    /// Puts what a handler or a hook rejects with into the exchange.
    fn turn_down(&self, exchange: &mut Exchange, reject: Reject) {
        let Reject { status, message, response, fields } = reject;
        match response {
            Some(response) => exchange.response = *response,
            None => self.refuse(exchange, status, &message),
        }
        for (name, value) in fields.iter() {
            if let Err(error) = exchange.response.set_header(name, value) {
                log::error!("response field {name:?}: {error}; left out");
            }
        }
    }

    /// Puts the error page into the exchange.
    #[cold]
    fn refuse(&self, exchange: &mut Exchange, status: Status, message: &str) {
        let scope = self.entry_of(exchange).map_or(0, |entry| entry.scope);
        let page = self.scopes.get(scope).and_then(|scope| scope.page.as_ref());
        exchange.response = match page {
            None => pages::plain(status, message),
            Some(page) => guard(|| page(&exchange.request, status, message)).unwrap_or_else(
                |Panicked(why)| {
                    log::error!("panic in the error page for {status}: {why}");
                    pages::plain(status, message)
                },
            ),
        };
        // Full queues and missing descriptors pass.
        let response = &mut exchange.response;
        if status == Status::SERVICE_UNAVAILABLE && response.get("retry-after").is_none() {
            response.add_header("Retry-After", RETRY_AFTER).ok();
        }
    }

    /// Which entry answers, if any.
    fn find(&self, exchange: &mut Exchange) -> Option<u32> {
        let (method, path, params) = exchange.request.route_parts();
        match self.table.lookup_bytes(method, path, params) {
            Lookup::Found { value, .. } => Some(*value),
            Lookup::Options(_) | Lookup::MethodNotAllowed(_) => None,
            // Without a path: `OPTIONS *`, or the authority of a CONNECT
            // (RFC 9112 section 3.2). No fallback is about those.
            Lookup::NotFound if *method == Method::CONNECT => self.connect,
            Lookup::NotFound if path.is_empty() || *method == Method::TRACE => None,
            Lookup::NotFound => self.fallback_for(std::str::from_utf8(path).unwrap_or("")),
        }
    }

    /// Answers what has no entry. The table is asked again rather than its
    /// answer kept over the hooks: this is not the path to make fast.
    #[cold]
    fn unrouted(&self, exchange: &mut Exchange) {
        let (method, path, params) = exchange.request.route_parts();
        let (connect, options) = (*method == Method::CONNECT, *method == Method::OPTIONS);
        let trace = *method == Method::TRACE;
        match self.table.lookup_bytes(method, path, params) {
            Lookup::Options(allow) => {
                exchange.response = Response::new(Status::NO_CONTENT).header("Allow", allow);
            }
            Lookup::MethodNotAllowed(allow) => self.not_allowed(exchange, allow),
            _ if connect => self.refuse(exchange, Status::NOT_IMPLEMENTED, ""),
            // The server as a whole is asked, and is well (RFC 9110 section 9.3.7).
            _ if options && path.is_empty() => {
                exchange.response = Response::new(Status::NO_CONTENT);
            }
            _ if trace => self.not_allowed(exchange, ""),
            _ => self.refuse(exchange, Status::NOT_FOUND, ""),
        }
    }

    /// 405 names what would be allowed (RFC 9110 section 15.5.6).
    fn not_allowed(&self, exchange: &mut Exchange, allow: &str) {
        self.refuse(exchange, Status::METHOD_NOT_ALLOWED, "");
        if let Err(error) = exchange.response.set_header("Allow", allow) {
            log::error!("Allow: {allow}: {error}");
        }
    }

    #[inline]
    fn entry_of(&self, exchange: &Exchange) -> Option<&Entry> {
        self.entries.get(exchange.bookmark.route? as usize)
    }

    /// The middleware around that entry; around what has none, the app's own.
    #[inline]
    fn chain(&self, entry: Option<&Entry>) -> &[Rc<dyn Middleware>] {
        self.scopes.get(entry.map_or(0, |entry| entry.scope)).map_or(&[], |scope| &scope.chain)
    }
}

/// Tells who has the loop from here on.
#[inline]
fn sign_in(exchange: &Exchange) {
    if let Some(stats) = exchange.request.stats() {
        stats.watch.enter(exchange.bookmark.route);
    }
}

/// The end of the way out.
#[inline]
fn respond(mut exchange: Box<Exchange>) -> Step {
    if exchange.bookmark.close {
        exchange.response.close();
    }
    Step::Respond(exchange)
}

/// Sends the exchange to a helper thread, with a net under the job.
fn away(mut exchange: Box<Exchange>, job: Job, phase: Phase) -> Step {
    exchange.bookmark.phase = phase as u8;
    let Job { lane, run } = job;
    let net = move |exchange: &mut Exchange| {
        if let Err(panicked) = guard(|| run(exchange)) {
            exchange.bookmark.note = Some(Box::new(Next::Panicked(panicked)));
        }
    };
    Step::Offload(exchange, Job { lane, run: Box::new(net) })
}

/// Whether a job left the response as it was.
fn is_untouched(response: &Response) -> bool {
    response.status() == Status::OK && response.is_fresh()
}

/// The request for the log: its route rather than its target, which is the client's.
fn name(exchange: &Exchange, route: Option<&str>) -> String {
    format!("{} {}", exchange.request.method(), route.unwrap_or("(no route)"))
}

/// Seconds after which a client may try again.
const RETRY_AFTER: &str = "2";

#[cfg(test)]
mod tests;
