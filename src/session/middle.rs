//! [`Sessions`]: the middleware that loads and saves them.

use super::data::Record;
use super::id::Id;
use super::state::{Lives, Plan, Session};
use super::store::SessionStore;
use crate::app::{After, Flow, Middleware, Reject};
use crate::http::cookie::{self, Cookie, SameSite};
use crate::http::{Exchange, Job, Lane, Refusal, Request, Response, Status};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Gives requests a [`Session`], kept in a [`SessionStore`]; see the
/// [module](crate::session).
///
/// The cookie is `HttpOnly`, `SameSite=Lax`, for all paths of this host and no other
/// host, and `Secure` if the request came over TLS. A request without it costs
/// nothing. Replies whose handlers looked at the session have `Vary: Cookie`, and
/// `Cache-Control: private` unless they say something themselves.
///
/// ```
/// use onepoll::session::{MemoryStore, Sessions};
/// use std::time::Duration;
/// let sessions = Sessions::new(MemoryStore::new(10_000))
///     .name("__Host-id")
///     .secure()
///     .idle(Duration::from_secs(30 * 60))
///     .absolute(Duration::from_secs(12 * 60 * 60));
/// onepoll::App::new().wrap(sessions);
/// ```
pub struct Sessions {
    shared: Arc<Shared>,
}

struct Shared {
    store: Box<dyn SessionStore>,
    name: String,
    secure: Secure,
    lives: Lives,
    without: Without,
    /// When expired sessions were removed, in seconds since 1970.
    swept: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Secure {
    /// As the request came.
    AsAsked,
    Always,
}

/// What becomes of requests with a session while the store can't be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Without {
    /// They are answered 503.
    Refuse,
    /// They go on, as from somebody new.
    GoOn,
}

/// In the bag of a request that goes on without the session it has: none is made in
/// its place.
struct Lost;

/// In the bag of each request that `Sessions` stands around. Of no size, so that it
/// takes no memory from the allocator.
struct Around;

/// In the bag of a request whose handler looked at its session.
struct Seen;

/// The session of this request; an empty one if its client has none. It is stored
/// when the handler has answered, if something was set.
///
/// # Panics
/// If no [`Sessions`] stands around the route: what is set would be lost. The client
/// gets a 500, and the log says so.
pub fn session(request: &mut Request) -> &mut Session {
    if request.extension::<Session>().is_none() {
        assert!(request.extension::<Around>().is_some(), "no `Sessions` around this route");
        request.extend(Session::absent());
    }
    if request.extension::<Seen>().is_none() {
        request.extend(Seen);
    }
    // ok: it was put there, or found, above
    request.extension_mut().expect("a session")
}

impl Sessions {
    /// With that store. The cookie is called `session`; it and the session expire 7
    /// days after the last request, and 30 days after their beginning.
    pub fn new(store: impl SessionStore + 'static) -> Sessions {
        Sessions {
            shared: Arc::new(Shared {
                store: Box::new(store),
                name: "session".to_owned(),
                secure: Secure::AsAsked,
                lives: Lives { idle: 7 * DAY, absolute: 30 * DAY },
                without: Without::Refuse,
                swept: AtomicU64::new(0),
            }),
        }
    }

    /// The cookie's name. With the beginning `__Host-`, and [`secure`](Sessions::secure),
    /// browsers see to it that no other host of the site can set it.
    ///
    /// # Panics
    /// If it is no token: this is for the program's own text.
    #[must_use]
    pub fn name(self, name: &str) -> Sessions {
        assert!(Response::default().add_cookie((name, "")).is_ok(), "no cookie's name: {name:?}");
        self.with(|shared| shared.name = name.to_owned())
    }

    /// The cookie is `Secure` always: for servers behind a proxy that speaks TLS and
    /// doesn't say so. One that does, and is [trusted](crate::Config::trusted), needs
    /// nothing here.
    /// Browsers send it over plain HTTP to `localhost` at most.
    #[must_use]
    pub fn secure(self) -> Sessions {
        self.with(|shared| shared.secure = Secure::Always)
    }

    /// How long a session lives without a request: 7 days. Whole seconds, one at
    /// least. It may end a tenth of that early, as not each request is noted.
    #[must_use]
    pub fn idle(self, time: Duration) -> Sessions {
        self.with(|shared| shared.lives.idle = time.as_secs().clamp(1, LIFE_MAX))
    }

    /// How long a session lives at most, from its beginning or its rotation: 30
    /// days. Whole seconds, one at least.
    #[must_use]
    pub fn absolute(self, time: Duration) -> Sessions {
        self.with(|shared| shared.lives.absolute = time.as_secs().clamp(1, LIFE_MAX))
    }

    /// While the store can't be asked, as a server elsewhere that is down, requests go on
    /// without their session, and what they set is lost. Otherwise they are answered
    /// 503. For pages that are worth something to strangers, too: handlers see somebody
    /// who isn't logged in.
    #[must_use]
    pub fn optional(self) -> Sessions {
        self.with(|shared| shared.without = Without::GoOn)
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Sessions {
        // Nobody else has it before it is wrapped around an app.
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            change(shared);
        }
        self
    }
}

impl Middleware for Sessions {
    fn before(&self, request: &mut Request) -> Flow {
        request.extend(Around);
        let sent = request.cookies().filter(|(name, _)| *name == self.shared.name);
        let Some(id) = sent.take(SENT_MAX).find_map(|(_, value)| Id::parse(value)) else {
            return Flow::Go;
        };
        if !self.shared.store.blocks() {
            return self.shared.load(id, request);
        }
        let shared = Arc::clone(&self.shared);
        Flow::offload(move |request| shared.load(id, request))
    }

    fn after(&self, request: &mut Request, response: &mut Response) -> After {
        let Some(session) = request.remove_extension::<Session>() else { return After::Go };
        let failed = response.status().code() >= 500;
        let now = seconds(request.now().wall);
        let plan = session.plan(self.shared.lives, now, failed);
        if request.remove_extension::<Seen>().is_some() {
            keep_private(response);
        }
        if let Plan::Nothing = plan {
            return After::Go;
        }
        if request.remove_extension::<Lost>().is_some() {
            return After::Go;
        }
        let secure = self.shared.secure == Secure::Always || request.is_secure();
        if !self.shared.store.blocks() {
            return match self.shared.carry_out(plan, now, secure, response) {
                Ok(()) => After::Go,
                // A job can say that the exchange failed; it has nothing else to do.
                Err(refusal) => After::Offload(Job::new(|exchange| exchange.refuse(refusal))),
            };
        }
        let shared = Arc::clone(&self.shared);
        let job = Job::new(move |exchange: &mut Exchange| {
            let done = shared.carry_out(plan, now, secure, &mut exchange.response);
            if let Err(refusal) = done {
                exchange.refuse(refusal);
            }
        });
        let lane = if self.shared.store.is_serial() { Lane::Serial } else { Lane::Application };
        After::Offload(job.lane(lane))
    }
}

impl Shared {
    fn load(&self, id: Id, request: &mut Request) -> Flow {
        let now = seconds(request.now().wall);
        match self.store.load(&id.key(), now) {
            Ok(Some(record)) if self.is_alive(&record, now) => {
                request.extend(Session::present(id, record));
                Flow::Go
            }
            // Not ours, or not any more. It is never taken over: what is set now gets
            // an id of its own.
            Ok(_) => Flow::Go,
            Err(error) if self.without == Without::GoOn => {
                log::debug!("a request goes on without its session: {error}");
                request.extend(Lost);
                Flow::Go
            }
            Err(error) if is_away(&error) => {
                log::debug!("sessions: {error}");
                Flow::Refuse(
                    Reject::new(Status::SERVICE_UNAVAILABLE, AWAY).header("Retry-After", "2"),
                )
            }
            Err(error) => Flow::Refuse(Reject::internal(format!("sessions: {error}"))),
        }
    }

    /// By today's settings, which may be shorter than those it was saved with.
    fn is_alive(&self, record: &Record, now: u64) -> bool {
        record.expires > now && record.created.saturating_add(self.lives.absolute) > now
    }

    /// Does it, and tells the client. May block.
    fn carry_out(
        &self,
        plan: Plan,
        now: u64,
        secure: bool,
        response: &mut Response,
    ) -> Result<(), Refusal> {
        let told = match self.ask(plan, now) {
            Ok(told) => told,
            Err(error) if is_away(&error) => {
                log::debug!("a session is not saved: {error}");
                return match self.without {
                    Without::GoOn => Ok(()),
                    Without::Refuse => Err(Refusal::new(Status::SERVICE_UNAVAILABLE, AWAY)),
                };
            }
            Err(error) => return Err(Refusal::of(&error)),
        };
        let (value, age) = match &told {
            None => return Ok(()),
            Some((id, expires)) => {
                (id.as_ref().map_or("", Id::as_str), expires.saturating_sub(now))
            }
        };
        let age = cookie::time::Duration::seconds(age.min(LIFE_MAX) as i64);
        let cookie = Cookie::build((self.name.as_str(), value))
            .http_only(true)
            .same_site(SameSite::Lax)
            .path("/")
            .secure(secure)
            .max_age(age);
        response.add_cookie(cookie).map_err(|error| {
            // 64 KiB of other fields. The client must not believe that it is known.
            Refusal::of(&io::Error::other(format!("session cookie: {error}")))
        })
    }

    /// What the client is to be told: an id and its expiry, no id to forget it.
    fn ask(&self, plan: Plan, now: u64) -> io::Result<Option<(Option<Id>, u64)>> {
        let (known, id, expires) = match plan {
            Plan::Nothing => return Ok(None),
            Plan::Delete(key) => {
                self.store.delete(&key)?;
                return Ok(Some((None, 0)));
            }
            Plan::Create(record) => {
                self.sweep(now);
                let id = Id::fresh()?;
                self.store.create(&id.key(), &record)?;
                (true, id, record.expires)
            }
            Plan::Rotate(old, change) => {
                let id = Id::fresh()?;
                (self.store.rotate(&old, &id.key(), &change)?, id, change.expires)
            }
            Plan::Save(id, change) => (self.store.save(&id.key(), &change)?, id, change.expires),
            Plan::Touch(id, expires) => (self.store.touch(&id.key(), expires)?, id, expires),
        };
        if !known {
            log::debug!("a session ended while a request of it was answered");
            return Ok(None);
        }
        Ok(Some((Some(id), expires)))
    }

    /// Before a session is made, so that their number can't grow without it.
    fn sweep(&self, now: u64) {
        let last = self.swept.load(Ordering::Relaxed);
        if now < last.saturating_add(SWEEP_EVERY) {
            return;
        }
        match self.store.sweep(now, SWEEP_MAX) {
            // There may be more: the next one goes on.
            Ok(SWEEP_MAX) => {}
            Ok(_) => self.swept.store(now, Ordering::Relaxed),
            Err(error) => log::warn!("expired sessions could not be removed: {error}"),
        }
    }
}

/// What clients are told meanwhile.
const AWAY: &str = "sessions can't be looked up at the moment";

/// Whether a store couldn't be asked, by its error.
fn is_away(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::TimedOut
            | Kind::NotConnected
            | Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::BrokenPipe
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NotFound // of a socket's path
    )
}

/// No shared cache may give one client's page to another.
fn keep_private(response: &mut Response) {
    let says_cookie = |member: &[u8]| member == b"*" || member.eq_ignore_ascii_case(b"cookie");
    let mut fields = Vec::new();
    if !response.headers().list("vary").any(says_cookie) {
        fields.push(("Vary", "Cookie"));
    }
    if response.get("cache-control").is_none() {
        fields.push(("Cache-Control", "private"));
    }
    for (name, value) in fields {
        if let Err(error) = response.add_header(name, value) {
            log::warn!("{name}: {error}; left out");
        }
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { name, secure, lives, .. } = &*self.shared;
        write!(f, "Sessions({name}, {secure:?}, {lives:?})")
    }
}

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;
/// The longest that a session may live: browsers keep no cookie longer than 400 days.
const LIFE_MAX: u64 = 400 * DAY;
/// Cookies of our name that are looked at: one of ours and some that others set.
const SENT_MAX: usize = 4;
/// Seconds between two sweeps, and how many go in one.
const SWEEP_EVERY: u64 = 60;
const SWEEP_MAX: usize = 256;

#[cfg(test)]
mod tests;
