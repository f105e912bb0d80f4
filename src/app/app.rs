//! [`App`]: routes, scopes and middleware, put together before the start.
//!
//! A scope is an app of its own that is merged into its parent under a prefix,
//! so `scope` and `mount` are the same thing. Scopes form a tree, kept as a list
//! in which parents come first; each keeps its whole chain of middleware, from
//! the app's own to its own, so that a request needs one look-up.

use super::Reply;
use super::handler::{BodyMode, Entry, Route, boxed};
use super::middleware::{AfterHook, Before, Flow, Middleware};
use super::pages::Errors;
use super::pattern::Pattern;
use crate::error::Error;
use crate::http::{Method, Request, Response, Status};
use crate::route::Table;
use std::fmt;
use std::rc::Rc;

/// An application: what the server calls for each request.
///
/// Patterns are those of the route table: `/users/{id}`, `/files/{*path}`.
/// Registering never fails on the spot: the first conflict is kept, and
/// [`check`](App::check) or the server's start reports it.
pub struct App {
    pub(super) table: Table<u32>,
    pub(super) entries: Vec<Entry>,
    /// Parents before children; the first is the app itself.
    pub(super) scopes: Vec<Scope>,
    /// What was put into the table, to do it again when mounted.
    lines: Vec<Line>,
    pub(super) fallbacks: Vec<Fallback>,
    pub(super) connect: Option<u32>,
    problem: Option<String>,
    /// Whether there is no middleware at all.
    pub(super) bare: bool,
    body_max: u64,
}

/// A part of the app with middleware and defaults of its own.
#[derive(Default)]
pub(super) struct Scope {
    parent: Option<usize>,
    pub(super) wraps: Vec<Rc<dyn Middleware>>,
    errors: Option<Errors>,
    body_max: Option<u64>,
    /// Whether the middleware around it is not around it.
    apart: bool,
    /// From the outermost in; derived from the fields above and the parent's.
    pub(super) chain: Vec<Rc<dyn Middleware>>,
    pub(super) page: Option<Errors>,
    pub(super) max: u64,
}

/// One line of the table.
struct Line {
    method: Option<Method>,
    pattern: Pattern,
    entry: u32,
}

/// Who answers for what no route knows, below a prefix.
pub(super) struct Fallback {
    prefix: String,
    entry: u32,
}

/// Content that a route buffers if nobody says otherwise, in bytes, until a
/// server brings its own `Limits::body_max`, whose default this is.
const BODY_MAX: u64 = 1 << 20;

impl Default for App {
    fn default() -> App {
        App::new()
    }
}

impl App {
    /// An app that answers everything with 404.
    pub fn new() -> App {
        App {
            table: Table::new(),
            entries: Vec::new(),
            scopes: vec![Scope { max: BODY_MAX, ..Scope::default() }],
            lines: Vec::new(),
            fallbacks: Vec::new(),
            connect: None,
            problem: None,
            bare: true,
            body_max: BODY_MAX,
        }
    }

    /// Answers `GET`, and `HEAD` unless that has a route of its own. Content is
    /// not read.
    pub fn get<R: Into<Reply>>(
        &mut self,
        pattern: &str,
        handler: impl Fn(&mut Request) -> R + 'static,
    ) -> Route<'_> {
        self.route(Method::GET, pattern, handler)
    }

    /// Answers `HEAD` otherwise than `GET` would.
    pub fn head<R: Into<Reply>>(
        &mut self,
        pattern: &str,
        handler: impl Fn(&mut Request) -> R + 'static,
    ) -> Route<'_> {
        self.route(Method::HEAD, pattern, handler)
    }

    /// Answers `POST`, once the content is in.
    pub fn post<R: Into<Reply>>(
        &mut self,
        pattern: &str,
        handler: impl Fn(&mut Request) -> R + 'static,
    ) -> Route<'_> {
        self.route(Method::POST, pattern, handler)
    }

    /// Answers `PUT`, once the content is in.
    pub fn put<R: Into<Reply>>(
        &mut self,
        pattern: &str,
        handler: impl Fn(&mut Request) -> R + 'static,
    ) -> Route<'_> {
        self.route(Method::PUT, pattern, handler)
    }

    /// Answers `PATCH`, once the content is in.
    pub fn patch<R: Into<Reply>>(
        &mut self,
        pattern: &str,
        handler: impl Fn(&mut Request) -> R + 'static,
    ) -> Route<'_> {
        self.route(Method::PATCH, pattern, handler)
    }

    /// Answers `DELETE`. Content is not read.
    pub fn delete<R: Into<Reply>>(
        &mut self,
        pattern: &str,
        handler: impl Fn(&mut Request) -> R + 'static,
    ) -> Route<'_> {
        self.route(Method::DELETE, pattern, handler)
    }

    /// Answers `OPTIONS` otherwise than with the list of methods. Content is
    /// not read.
    pub fn options<R: Into<Reply>>(
        &mut self,
        pattern: &str,
        handler: impl Fn(&mut Request) -> R + 'static,
    ) -> Route<'_> {
        self.route(Method::OPTIONS, pattern, handler)
    }

    /// Answers that method, once the content is in; without waiting for it if
    /// the method is one for which content means nothing (RFC 9110 section 9.3).
    pub fn route<R: Into<Reply>>(
        &mut self,
        method: Method,
        pattern: &str,
        handler: impl Fn(&mut Request) -> R + 'static,
    ) -> Route<'_> {
        let entry = self.entry(Some(pattern), body_mode(&method), handler);
        self.line(Some(method), Pattern::Path(pattern.to_owned()), entry);
        self.last()
    }

    /// Answers that method on all paths that the regex matches as a whole.
    /// Needs the feature `regex`; groups are params, by name or by number.
    pub fn route_regex<R: Into<Reply>>(
        &mut self,
        method: Method,
        regex: &str,
        handler: impl Fn(&mut Request) -> R + 'static,
    ) -> Route<'_> {
        let entry = self.entry(Some(regex), body_mode(&method), handler);
        self.line(Some(method), Pattern::Regex(regex.to_owned()), entry);
        self.last()
    }

    /// Answers every method that has no route of its own, once the content is in.
    pub fn any<R: Into<Reply>>(
        &mut self,
        pattern: &str,
        handler: impl Fn(&mut Request) -> R + 'static,
    ) -> Route<'_> {
        let entry = self.entry(Some(pattern), BodyMode::Buffer, handler);
        self.line(None, Pattern::Path(pattern.to_owned()), entry);
        self.last()
    }

    /// Answers `CONNECT`, whatever authority it names; without it: 501. Lost
    /// when the app is mounted in one that has its own.
    pub fn connect<R: Into<Reply>>(
        &mut self,
        handler: impl Fn(&mut Request) -> R + 'static,
    ) -> Route<'_> {
        self.connect = Some(self.entry(None, BodyMode::Ignore, handler));
        self.last()
    }

    /// Answers what no route knows, instead of the 404; within a scope, what
    /// no route below its prefix knows. Content is not read.
    pub fn fallback<R: Into<Reply>>(
        &mut self,
        handler: impl Fn(&mut Request) -> R + 'static,
    ) -> Route<'_> {
        let entry = self.entry(None, BodyMode::Ignore, handler);
        self.fallbacks.retain(|fallback| !fallback.prefix.is_empty());
        self.fallbacks.push(Fallback { prefix: String::new(), entry });
        self.last()
    }

    /// Routes that share a prefix, middleware or defaults.
    ///
    /// ```
    /// # use onepoll::{App, app::{Flow, Middleware}, http::Request};
    /// # struct Auth; impl Middleware for Auth {}
    /// let mut app = App::new();
    /// app.scope("/admin", |admin| {
    ///     admin.wrap(Auth);
    ///     admin.get("/", |_: &mut Request| "at /admin and /admin/");
    ///     admin.get("/users", |_: &mut Request| "at /admin/users");
    /// });
    /// ```
    pub fn scope(&mut self, prefix: &str, fill: impl FnOnce(&mut App)) {
        let mut inner = App::new();
        fill(&mut inner);
        self.mount(prefix, inner);
    }

    /// Routes without any of this app's middleware, or that of the apps it is
    /// mounted in; wherever in the order of calls. For what is asked by machines,
    /// such as probes, and is to be neither logged, nor limited, nor hidden behind
    /// a login. Error pages and `body_max` are as elsewhere, and middleware that is
    /// wrapped around the inner app is around it.
    ///
    /// ```
    /// # use onepoll::{app::{App, TestClient}, http::{Request, Status}};
    /// let mut app = App::new();
    /// app.before(|_| onepoll::app::Flow::Refuse(Status::FORBIDDEN.into()));
    /// app.get("/", |_: &mut Request| "secret");
    /// app.apart(|app| {
    ///     app.get("/ping", |_: &mut Request| "pong");
    /// });
    /// let mut client = TestClient::new(app);
    /// assert_eq!(client.get("/").send().status, Status::FORBIDDEN);
    /// assert_eq!(client.get("/ping").send().text(), "pong");
    /// ```
    pub fn apart(&mut self, fill: impl FnOnce(&mut App)) {
        let mut inner = App::new();
        fill(&mut inner);
        if let Some(scope) = inner.scopes.first_mut() {
            scope.apart = true;
        }
        self.mount("", inner);
    }

    /// Takes another app in, with its routes below this prefix. Its middleware
    /// stands inside of this one's; where it has no error page or `body_max`
    /// of its own, this one's are used. What its regex routes match is the
    /// rest after the prefix, which for them is plain text.
    pub fn mount(&mut self, prefix: &str, inner: App) {
        let prefix = prefix.trim_end_matches('/');
        if !prefix.is_empty() && !prefix.starts_with('/') {
            self.trouble(format!("the prefix `{prefix}` does not begin with a slash"));
        }
        let (scope_base, entry_base) = (self.scopes.len(), self.entries.len() as u32);
        self.scopes.extend(inner.scopes.into_iter().map(|scope| Scope {
            parent: Some(scope.parent.map_or(0, |parent| parent + scope_base)),
            ..scope
        }));
        self.entries.extend(inner.entries.into_iter().map(|entry| Entry {
            scope: entry.scope + scope_base,
            pattern: entry.pattern.map(|pattern| format!("{prefix}{pattern}")),
            ..entry
        }));
        for Line { method, pattern, entry } in inner.lines {
            let entry = entry + entry_base;
            if matches!(&pattern, Pattern::Path(path) if path == "/") && !prefix.is_empty() {
                self.line(method.clone(), Pattern::Path(prefix.to_owned()), entry);
            }
            self.line(method, pattern.below(prefix), entry);
        }
        for Fallback { prefix: rest, entry } in inner.fallbacks {
            let prefix = format!("{prefix}{rest}");
            self.fallbacks.push(Fallback { prefix, entry: entry + entry_base });
        }
        self.connect = self.connect.or(inner.connect.map(|entry| entry + entry_base));
        if let Some(problem) = inner.problem {
            self.trouble(problem);
        }
        self.derive();
    }

    /// Puts a middleware around all routes of this app or scope, whenever they
    /// are registered, inside of those that are there already.
    pub fn wrap(&mut self, middleware: impl Middleware + 'static) -> &mut App {
        if let Some(scope) = self.scopes.first_mut() {
            scope.wraps.push(Rc::new(middleware));
        }
        self.derive();
        self
    }

    /// A middleware that only looks at requests on their way in.
    ///
    /// ```
    /// # use onepoll::{App, app::Flow, http::*};
    /// App::new().before(|request| match request.header("x-word") {
    ///     Some("please") => Flow::Go,
    ///     _ => Flow::Stop(Response::new(Status::FORBIDDEN).text("say the word")),
    /// });
    /// ```
    pub fn before(&mut self, hook: impl Fn(&mut Request) -> Flow + 'static) -> &mut App {
        self.wrap(Before(hook))
    }

    /// A middleware that only looks at responses on their way out.
    ///
    /// ```
    /// # use onepoll::App;
    /// App::new().after(|_request, response| {
    ///     let _ = response.set_header("X-Content-Type-Options", "nosniff");
    /// });
    /// ```
    pub fn after(&mut self, hook: impl Fn(&mut Request, &mut Response) + 'static) -> &mut App {
        self.wrap(AfterHook(hook))
    }

    /// Makes the page for every error that the app itself answers: 404, 405,
    /// 413, a [`Reject`](super::Reject), a panic's 500. The message may be empty.
    ///
    /// ```
    /// # use onepoll::{App, http::*};
    /// App::new().errors(|_request, status, message| {
    ///     Response::new(status).html(format!("<h1>{status}</h1><p>{message}"))
    /// });
    /// ```
    pub fn errors(
        &mut self,
        page: impl Fn(&Request, Status, &str) -> Response + 'static,
    ) -> &mut App {
        if let Some(scope) = self.scopes.first_mut() {
            scope.errors = Some(Rc::new(page));
        }
        self.derive();
        self
    }

    /// How many bytes of content a route buffers, then 413: 1 MiB by default.
    /// A route can say otherwise ([`Route::body_max`]).
    pub fn body_max(&mut self, max: u64) -> &mut App {
        if let Some(scope) = self.scopes.first_mut() {
            scope.body_max = Some(max);
        }
        self.derive();
        self
    }

    /// Whether all routes could be registered.
    ///
    /// # Errors
    /// [`Error::Route`] names the first that could not, and why.
    pub fn check(&self) -> Result<(), Error> {
        let empty = || self.lines.iter().any(|line| line.pattern.as_str().is_empty());
        match &self.problem {
            Some(why) => Err(Error::Route(why.clone())),
            None if empty() => Err(Error::Route("an empty pattern outside of a scope".into())),
            None => Ok(()),
        }
    }

    /// The deepest fallback whose prefix the path lies below.
    pub(super) fn fallback_for(&self, path: &str) -> Option<u32> {
        let below = self.fallbacks.iter().filter(|fallback| is_below(path, &fallback.prefix));
        below.max_by_key(|fallback| fallback.prefix.len()).map(|fallback| fallback.entry)
    }

    fn entry<R: Into<Reply>>(
        &mut self,
        pattern: Option<&str>,
        body: BodyMode,
        handler: impl Fn(&mut Request) -> R + 'static,
    ) -> u32 {
        let handler = boxed(handler);
        let pattern = pattern.map(str::to_owned);
        self.entries.push(Entry { handler, scope: 0, body, pattern });
        self.entries.len() as u32 - 1
    }

    fn line(&mut self, method: Option<Method>, pattern: Pattern, entry: u32) {
        let inserted = match &pattern {
            // Within a scope the empty pattern is the prefix itself.
            Pattern::Path(path) if path.is_empty() => Ok(()),
            Pattern::Path(path) => self.table.insert(method.clone(), path, entry),
            Pattern::Regex(regex) => self.table.insert_regex(method.clone(), regex, entry),
        };
        match inserted {
            Ok(()) => {}
            Err(Error::Route(why)) => self.trouble(why),
            Err(other) => self.trouble(other.to_string()),
        }
        self.lines.push(Line { method, pattern, entry });
    }

    fn last(&mut self) -> Route<'_> {
        Route { body: self.entries.last_mut().map(|entry| &mut entry.body) }
    }

    fn trouble(&mut self, why: String) {
        self.problem.get_or_insert(why);
    }

    /// Works out what each scope inherits. Parents come first in the list.
    fn derive(&mut self) {
        self.bare = self.scopes.iter().all(|scope| scope.wraps.is_empty());
        for i in 0..self.scopes.len() {
            let (before, rest) = self.scopes.split_at_mut(i);
            let Some(scope) = rest.first_mut() else { continue };
            let parent = scope.parent.and_then(|parent| before.get(parent));
            let around = parent.filter(|_| !scope.apart);
            scope.chain = around.map(|around| around.chain.clone()).unwrap_or_default();
            scope.chain.extend(scope.wraps.iter().cloned());
            scope.page = scope.errors.clone().or_else(|| parent?.page.clone());
            scope.max = scope.body_max.or(parent.map(|parent| parent.max)).unwrap_or(self.body_max);
        }
    }

    /// What a route takes if neither it nor a scope around it says otherwise.
    pub(super) fn default_body_max(&mut self, bytes: u64) {
        self.body_max = bytes;
        self.derive();
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for line in &self.lines {
            let method = line.method.as_ref().map_or("*", Method::as_str);
            list.entry(&format_args!("{method} {}", line.pattern.as_str()));
        }
        list.finish()
    }
}

/// What routes of that method do about content, unless they say otherwise.
fn body_mode(method: &Method) -> BodyMode {
    let ignored = method.is_safe() || *method == Method::DELETE;
    if ignored { BodyMode::Ignore } else { BodyMode::Buffer }
}

/// Whether the path is the prefix or continues it by whole segments. Segments
/// of the prefix that are parameters stand for any one segment.
fn is_below(path: &str, prefix: &str) -> bool {
    let mut segments = path.split('/');
    prefix.split('/').all(|wanted| match segments.next() {
        Some(segment) if wanted.starts_with(['{', ':']) => !segment.is_empty(),
        Some(segment) => segment == wanted,
        None => false,
    })
}
