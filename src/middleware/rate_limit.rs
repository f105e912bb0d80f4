//! Rate limits: so many requests per client, by sliding window or token bucket.
//!
//! A request is taken from the quota of its [`Key`]: by default the address it
//! comes from. Quotas are rows of a table of bounded size in the loop's memory,
//! found, changed and evicted in O(1); nothing is allocated for a request whose
//! client is known.
//!
//! ```text
//!   before:  request --> key --> table: row --> rule: take --> on to the handler
//!                                                    '-------> 429, Retry-After
//!   after:   RateLimit-Policy: "default";q=100;w=60
//!            RateLimit: "default";r=99;t=60
//! ```
//!
//! The two fields are those of draft-ietf-httpapi-ratelimit-headers-11 (May 2026):
//! of the named policy, `q` requests are allowed in `w` seconds, of which `r` are
//! left, and `t` seconds from now there is more. `Retry-After` (RFC 9110 section
//! 10.2.3) says the same as `t` to whoever must wait.

mod key;
#[cfg(feature = "redis")]
mod redis;
mod rule;
#[cfg(feature = "redis")]
mod shared;
mod table;

pub use key::{Key, Keys};
#[cfg(feature = "redis")]
pub use redis::RedisRates;
#[cfg(feature = "redis")]
pub use shared::{Policy, RateStore, Taken};

use crate::app::{After, Flow, Middleware, Reject};
use crate::http::{Request, Response, Status};
use rule::{Bucket, Quota, Rule, Sliding};
#[cfg(feature = "redis")]
use shared::{Elsewhere, Shared};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};
use table::{Place, Table};

/// Clients that are remembered, unless [`RateLimit::keys_max`] says otherwise: in
/// the worst case, a sliding window with a limit above 32, some 6 MB.
const KEYS_MAX: usize = 10_000;

/// Lets in so many requests of each client, and answers 429 to the rest.
///
/// Wrap it around an app or a scope; an `Rc` of it around several counts them
/// together. What it turns down goes through the app's
/// [error page](crate::App::errors). Requests that are turned down use nothing up.
///
/// ```
/// use onepoll::app::{App, TestClient};
/// use onepoll::http::Request;
/// use onepoll::middleware::RateLimit;
/// use std::time::Duration;
/// let mut app = App::new();
/// app.get("/", |_: &mut Request| "Hello!");
/// app.scope("/api", |api| {
///     api.wrap(RateLimit::sliding(2, Duration::from_secs(60)));
///     api.get("/", |_: &mut Request| "data");
/// });
/// let mut client = TestClient::new(app);
/// assert_eq!(client.get("/api").send().status.code(), 200);
/// assert_eq!(client.get("/api").send().status.code(), 200);
/// let refused = client.get("/api").send();
/// assert_eq!(refused.status.code(), 429);
/// assert_eq!(refused.header("Retry-After"), Some("60"));
/// assert_eq!(refused.header("RateLimit-Policy"), Some("\"default\";q=2;w=60"));
/// assert_eq!(client.get("/").send().status.code(), 200);
/// ```
pub struct RateLimit {
    name: String,
    /// `q` and `w` of the policy: requests, and seconds.
    allowed: (u32, u64),
    policy: String,
    key: Box<KeyOf>,
    keys: Keys,
    keys_max: usize,
    fields: Fields,
    books: RefCell<Books>,
    #[cfg(feature = "redis")]
    shared: Option<Shared>,
    /// The quota of the request that was let in last, and its connection: nearly
    /// always the next one that goes out.
    latest: Cell<Option<(u64, Quota)>>,
}

type KeyOf = dyn Fn(&Request, &Keys) -> Option<Key>;

/// Which replies tell the quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fields {
    Always,
    /// Only those that say 429.
    Refused,
}

/// Everything that requests change.
struct Books {
    rule: Rule,
    table: Table,
    /// What times are counted from: the first request's.
    begin: Option<Instant>,
}

impl RateLimit {
    /// At most `limit` requests (one at least) within any span of that length.
    ///
    /// With a limit above 32, requests that come close together are forgotten
    /// together, so that a request may count for a 30th of the window longer.
    pub fn sliding(limit: u32, window: Duration) -> RateLimit {
        let (limit, window_us) = (limit.max(1), micros(window));
        let rule = Rule::Sliding(Sliding::new(limit, window_us));
        RateLimit::with(rule, (limit, seconds(window_us)))
    }

    /// `rate` requests per `period` on average, and up to `burst` at once after
    /// a pause. All are one at least.
    ///
    /// ```
    /// # use onepoll::middleware::RateLimit;
    /// # use std::time::Duration;
    /// // 20 at once, then one every 100 ms.
    /// RateLimit::token_bucket(20, 10, Duration::from_secs(1));
    /// ```
    pub fn token_bucket(burst: u32, rate: u32, period: Duration) -> RateLimit {
        let (burst, rate, period_us) = (burst.max(1), rate.max(1), micros(period));
        let rule = Rule::Bucket(Bucket::new(burst, rate, period_us));
        // What an empty bucket needs to be full again.
        let fill = (u128::from(burst) * u128::from(period_us)).div_ceil(u128::from(rate));
        let fill = u64::try_from(fill).unwrap_or(u64::MAX);
        RateLimit::with(rule, (burst, seconds(fill)))
    }

    fn with(rule: Rule, allowed: (u32, u64)) -> RateLimit {
        let table = Table::new(KEYS_MAX);
        let mut limit = RateLimit {
            name: String::new(),
            allowed,
            policy: String::new(),
            key: Box::new(|request, keys| Some(keys.peer(request))),
            keys: Keys::default(),
            keys_max: KEYS_MAX,
            fields: Fields::Always,
            books: RefCell::new(Books { rule, table, begin: None }),
            #[cfg(feature = "redis")]
            shared: None,
            latest: Cell::new(None),
        };
        limit.rename("default");
        limit
    }

    /// Whose requests are counted together, instead of an address's: the
    /// function makes a key of the request, or says `None` for one that is not
    /// limited at all.
    ///
    /// Whoever may choose their key may have as many quotas as they like: take
    /// something that was verified, such as a session's user.
    ///
    /// ```
    /// # use onepoll::{middleware::RateLimit, http::Request};
    /// # use std::time::Duration;
    /// # let limit = RateLimit::sliding(10, Duration::from_secs(1));
    /// limit.key(|request, keys| match request.header("x-api-key") {
    ///     Some(key) => Some(keys.of(key)),
    ///     None => Some(keys.peer(request)),
    /// });
    /// ```
    #[must_use]
    pub fn key(mut self, key: impl Fn(&Request, &Keys) -> Option<Key> + 'static) -> RateLimit {
        self.key = Box::new(key);
        self
    }

    /// How many keys are remembered: 10,000. Beyond that, the one that asked
    /// longest ago is forgotten, and with it what it has used.
    #[must_use]
    pub fn keys_max(mut self, max: usize) -> RateLimit {
        self.keys_max = max.max(1);
        self.books.get_mut().table = Table::new(self.keys_max);
        self
    }

    /// What the policy is called in the fields: `default`. To be told apart if
    /// there are several limits. Only printable ASCII; the rest is left out.
    #[must_use]
    pub fn name(mut self, name: &str) -> RateLimit {
        self.rename(name);
        self
    }

    /// Sends the fields `RateLimit` and `RateLimit-Policy` only with a 429. Then
    /// nothing at all is allocated for a request that is let in.
    #[must_use]
    pub fn quiet(mut self) -> RateLimit {
        self.fields = Fields::Refused;
        self
    }

    #[cfg(feature = "redis")]
    /// Counts in that store as well, for all servers that use it. Who is within the
    /// limit here is asked about there, by a helper thread; who isn't, is not. While the
    /// store can't be asked, the count here is what counts.
    ///
    /// [`Keys::of`] hashes without a secret then, since all servers must come to the
    /// same key.
    #[must_use]
    pub fn shared(mut self, store: impl RateStore + 'static) -> RateLimit {
        let policy = self.books.get_mut().rule.policy();
        self.keys = Keys::steady();
        self.shared = Some(Shared::new(std::sync::Arc::new(store), policy));
        self
    }

    #[cfg(feature = "redis")]
    /// Answers 503 while the [store](RateLimit::shared) can't be asked, instead of letting
    /// requests in that are within the limit here.
    #[must_use]
    pub fn fail_closed(mut self) -> RateLimit {
        if let Some(shared) = &mut self.shared {
            shared.fail_closed();
        }
        self
    }

    #[cfg(feature = "redis")]
    /// How often the [store](RateLimit::shared) couldn't be asked.
    pub fn failures(&self) -> u64 {
        self.shared.as_ref().map_or(0, Shared::failures)
    }

    fn rename(&mut self, name: &str) {
        // A string of RFC 9651 section 3.3.3.
        let mut quoted = String::from('"');
        for c in name.chars().filter(|c| matches!(c, ' '..='~')) {
            if matches!(c, '"' | '\\') {
                quoted.push('\\');
            }
            quoted.push(c);
        }
        quoted.push('"');
        let (q, w) = self.allowed;
        self.policy = format!("{quoted};q={q};w={w}");
        self.name = quoted;
    }

    /// What that request's client has left.
    fn look(&self, request: &Request) -> Option<Quota> {
        // The last of several limits that are asked elsewhere has to do for all.
        #[cfg(feature = "redis")]
        if self.shared.is_some()
            && let Some(Elsewhere(quota)) = request.extension::<Elsewhere>()
        {
            return Some(*quota);
        }
        if let Some((connection, quota)) = self.latest.take()
            && connection == request.connection()
        {
            return Some(quota);
        }
        let key = (self.key)(request, &self.keys)?;
        let mut books = self.books.borrow_mut();
        let now = books.time(request);
        let row = books.table.get(key)?;
        Some(books.rule.look(row, now))
    }
}

impl Books {
    /// The request's time, in microseconds since the first request.
    fn time(&mut self, request: &Request) -> u64 {
        let now = request.now().instant;
        micros(now.saturating_duration_since(*self.begin.get_or_insert(now)))
    }

    fn take(&mut self, key: Key, request: &Request) -> Result<Quota, Quota> {
        let now = self.time(request);
        let row = match self.table.place(key) {
            Place::Known(row) => row,
            Place::New(row) => {
                self.rule.clear(row);
                row
            }
        };
        self.rule.take(row, now)
    }
}

impl Middleware for RateLimit {
    fn before(&self, request: &mut Request) -> Flow {
        self.latest.set(None);
        let Some(key) = (self.key)(request, &self.keys) else { return Flow::Go };
        let taken = self.books.borrow_mut().take(key, request);
        let (Ok(quota) | Err(quota)) = taken;
        self.latest.set(Some((request.connection(), quota)));
        let allowed = self.allowed;
        if let Err(quota) = taken {
            return Flow::Refuse(too_many(allowed, quota));
        }
        #[cfg(feature = "redis")]
        if let Some(shared) = &self.shared {
            return shared.ask(key.0, move |quota| too_many(allowed, quota));
        }
        Flow::Go
    }

    fn after(&self, request: &mut Request, response: &mut Response) -> After {
        let refused = response.status() == Status::TOO_MANY_REQUESTS;
        if self.fields == Fields::Refused && !refused {
            return After::Go;
        }
        let Some(Quota { left, more_in }) = self.look(request) else { return After::Go };
        // `t` is never zero, nor later than `Retry-After`, which wins anyway.
        let more_in = if more_in == 0 { self.allowed.1 } else { seconds(more_in) };
        let mut text = [0; 320];
        let mut rest = &mut text[..];
        // What doesn't fit, because of a name that is much too long, is not sent.
        if write!(rest, "{};r={left};t={more_in}", self.name).is_ok() {
            let unused = rest.len();
            let used = text.len() - unused;
            let fields = [
                ("RateLimit-Policy", self.policy.as_bytes()),
                ("RateLimit", text.get(..used).unwrap_or_default()),
            ];
            for (name, value) in fields {
                // Lines of several limits are one list.
                if let Err(error) = response.add_header(name, value) {
                    log::error!("{name}: {error}");
                }
            }
        }
        After::Go
    }
}

fn too_many((requests, span): (u32, u64), quota: Quota) -> Reject {
    let wait = seconds(quota.more_in);
    let message = format!("the limit is {requests} requests in {span} s; try again in {wait} s");
    let reject = Reject::new(Status::TOO_MANY_REQUESTS, message);
    reject.header("Retry-After", wait.to_string())
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.books.borrow().table.len();
        f.debug_struct("RateLimit")
            .field("policy", &self.policy)
            .field("keys", &keys)
            .field("keys_max", &self.keys_max)
            .finish_non_exhaustive()
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Whole seconds, rounded up: who comes back then is not too early.
fn seconds(micros: u64) -> u64 {
    micros.div_ceil(1_000_000)
}

#[cfg(test)]
mod tests;
