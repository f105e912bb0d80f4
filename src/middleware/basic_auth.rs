//! Passwords: the `Basic` scheme (RFC 7617).
//!
//! A hash that is slow to compute is what keeps a stolen password file from
//! being of use, and what a server must not compute on its loop, nor for each
//! request. So it is computed by a helper, and what turned out right is
//! remembered for a while:
//!
//! ```text
//!   before --> remembered? --yes------------------------------> go
//!                 | no
//!                 v
//!              user's hash,      sha256  --here----> right? --> go, or 401
//!              or a decoy        bcrypt  --helper--> right? --> remember, go, or 401
//!                                   |
//!                                   '-- too many at work: 503; of this client: 429
//! ```
//!
//! **What an attacker learns.** For a name that nobody has, a decoy is worked
//! on: somebody's hash, always the same one for the same name, and its result
//! is not looked at. So the time says nothing about names. What is remembered is
//! a hash keyed with a secret of this process, not the password.
//!
//! **What an attacker blocks.** At most [`AT_WORK_MAX`] hashes are in the helpers'
//! queue, [`AT_WORK_PER_CLIENT`] for one client. Those who are remembered pass.

mod credentials;
mod remembered;
mod users;

use super::fields::single;
use super::{Key, Keys, User};
use crate::app::{Flow, Middleware, Reject};
use crate::error::Error;
use crate::http::{Peer, Request, Status};
use credentials::Credentials;
use remembered::Remembered;
use std::cell::RefCell;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use users::{Secret, Users};

/// Slow hashes at work or waiting at once. With four helpers and a cost of 10,
/// which takes 50 ms, the last waits for less than half a second.
const AT_WORK_MAX: usize = 32;
/// Of one client (an IPv6 network of 64 bits): a browser's six connections, and
/// a few more.
const AT_WORK_PER_CLIENT: usize = 8;
/// How long right credentials are remembered.
const REMEMBER: Duration = Duration::from_secs(300);

/// Lets in who knows a name and its password, and tells handlers who it is: see
/// [`User`].
///
/// Users are lines as `htpasswd -B` writes them, one way of three each:
///
/// | Line | Checked | For |
/// |---|---|---|
/// | `name:$2y$10$...` | by a helper, remembered for 5 minutes | people's passwords |
/// | `name:sha256:<64 hex digits>` | at once | long random tokens |
/// | `name:plain:password` | at once | files that only the server can read |
///
/// Without TLS in front, passwords cross the network as they are. The hash of
/// bcrypt looks at the first 72 bytes of a password.
///
/// ```
/// use onepoll::app::TestClient;
/// use onepoll::middleware::BasicAuth;
/// use onepoll::{App, Request};
/// let token = "sha256:3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0";
/// let mut app = App::new();
/// app.wrap(BasicAuth::new("the back office")?.user(&format!("anna:{token}"))?);
/// app.get("/", |_: &mut Request| "welcome");
/// let mut client = TestClient::new(app);
/// assert_eq!(client.get("/").send().status.code(), 401);
/// let known = client.get("/").header("Authorization", "Basic YW5uYTp0b2tlbg==").send();
/// assert_eq!(known.text(), "welcome");
/// # Ok::<(), onepoll::Error>(())
/// ```
pub struct BasicAuth {
    users: Users,
    desk: Arc<Desk>,
    keys: Keys,
    at_work: RefCell<Vec<Ticket>>,
    remember: Duration,
}

/// What the loop shares with the helpers.
struct Desk {
    /// The value of `WWW-Authenticate`.
    challenge: String,
    /// Helpers hold the lock for one look or one entry. The loop never waits for
    /// it: see [`BasicAuth::recall`].
    remembered: Mutex<Remembered>,
}

/// A hash that is worked on: it lives as long as its job does, whatever becomes
/// of that.
struct Ticket {
    client: Key,
    job: Weak<()>,
}

impl BasicAuth {
    /// Asks for a password, with these words to the user where browsers show
    /// them. Nobody gets in as long as there are no users.
    ///
    /// # Errors
    /// [`Error::Config`] if the realm has a control byte; [`Error::Io`] if the
    /// system has no random bytes.
    pub fn new(realm: &str) -> Result<BasicAuth, Error> {
        if realm.chars().any(char::is_control) {
            return Err(wrong("the realm must have no control character".to_owned()));
        }
        let quoted = realm.replace('\\', "\\\\").replace('"', "\\\"");
        let desk = Desk {
            challenge: format!("Basic realm=\"{quoted}\", charset=\"UTF-8\""),
            remembered: Mutex::new(Remembered::new()?),
        };
        Ok(BasicAuth {
            users: Users::default(),
            desk: Arc::new(desk),
            keys: Keys::default(),
            at_work: RefCell::default(),
            remember: REMEMBER,
        })
    }

    /// One more user, `name:hash`; see the table above. A name that was there
    /// has this hash from now on.
    ///
    /// # Errors
    /// [`Error::Config`] says what is wrong with it, without repeating it.
    pub fn user(mut self, line: &str) -> Result<BasicAuth, Error> {
        self.users.add(line).map_err(|why| wrong(format!("user: {why}")))?;
        Ok(self)
    }

    /// The users of a file, one a line; empty lines and those with a `#` in front
    /// are left out. It is read now, and once.
    ///
    /// # Errors
    /// [`Error::File`] if it can't be read, [`Error::Config`] with the number of
    /// the first line that is wrong.
    pub fn file(mut self, path: impl AsRef<Path>) -> Result<BasicAuth, Error> {
        let path = path.as_ref();
        let failed = |source| Error::File { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(failed)?;
        for (line, number) in text.lines().zip(1..) {
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = |why| wrong(format!("file {}, line {number}: {why}", path.display()));
            self.users.add(line).map_err(at)?;
        }
        Ok(self)
    }

    /// For how long right credentials are remembered, so that a slow hash is
    /// not computed for each request: 5 minutes.
    #[must_use]
    pub fn remember(mut self, time: Duration) -> BasicAuth {
        self.remember = time;
        self
    }

    /// How many users there are.
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// Whether these credentials were right a while ago. If a helper is just at
    /// the list, they are unknown: then a hash is computed, and nobody waited.
    fn recall(&self, sent: &[u8], request: &Request) -> Option<User> {
        self.desk.remembered.try_lock().ok()?.find(sent, request.now().instant)
    }

    /// A place among those that are worked on.
    fn ticket(&self, request: &Request) -> Result<Arc<()>, Status> {
        let client = self.keys.peer(request);
        let mut at_work = self.at_work.borrow_mut();
        at_work.retain(|ticket| ticket.job.strong_count() > 0);
        if at_work.len() >= AT_WORK_MAX {
            return Err(Status::SERVICE_UNAVAILABLE);
        }
        // On a Unix socket all clients look alike.
        let is_one = matches!(request.peer(), Peer::Tcp(_));
        let own = at_work.iter().filter(|other| is_one && other.client == client);
        if own.count() >= AT_WORK_PER_CLIENT {
            return Err(Status::TOO_MANY_REQUESTS);
        }
        let job = Arc::new(());
        at_work.push(Ticket { client, job: Arc::downgrade(&job) });
        Ok(job)
    }

    /// Has a helper compute the slow hash.
    fn compute(
        &self,
        request: &Request,
        credentials: Credentials,
        hash: Arc<str>,
        user: Option<User>,
    ) -> Flow {
        let ticket = match self.ticket(request) {
            Ok(ticket) => ticket,
            Err(status) => return Flow::Refuse(busy(status, request.peer())),
        };
        let (desk, remember) = (Arc::clone(&self.desk), self.remember);
        Flow::offload(move |request| {
            let _ticket = ticket;
            let now = request.now().instant;
            // Of a page's worth of requests, the first has done it for all.
            let known = desk.lock().find(&credentials.sent, now);
            if let Some(user) = known {
                return desk.welcome(request, user);
            }
            let right = users::is_bcrypt_of(&hash, &credentials.password);
            match user {
                Some(user) if right => {
                    desk.lock().add(&credentials.sent, user.clone(), now, remember);
                    desk.welcome(request, user)
                }
                _ => desk.refuse(request, &credentials),
            }
        })
    }
}

impl Middleware for BasicAuth {
    fn before(&self, request: &mut Request) -> Flow {
        let Some(sent) = single(request, "authorization") else {
            // The usual first request of a browser: nothing to log.
            return Flow::Refuse(self.desk.challenge());
        };
        if self.users.has_slow()
            && let Some(user) = self.recall(sent, request)
        {
            return self.desk.welcome(request, user);
        }
        let Some(credentials) = Credentials::parse(sent) else {
            log::info!("{}: 401: credentials that can't be read", request.peer());
            return Flow::Refuse(self.desk.challenge());
        };
        match self.users.find(&credentials.name) {
            Some((user, Secret::Bcrypt(hash))) => {
                let hash = Arc::clone(hash);
                self.compute(request, credentials, hash, user)
            }
            Some((user, Secret::Sha256(hash))) => {
                let right = users::is_sha256_of(hash, &credentials.password);
                match user {
                    Some(user) if right => self.desk.welcome(request, user),
                    _ => self.desk.refuse(request, &credentials),
                }
            }
            None => self.desk.refuse(request, &credentials),
        }
    }
}

impl Desk {
    fn lock(&self) -> std::sync::MutexGuard<'_, Remembered> {
        // An entry is whole whenever the lock is released.
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn welcome(&self, request: &mut Request, user: User) -> Flow {
        request.extend(user);
        Flow::Go
    }

    fn refuse(&self, request: &Request, credentials: &Credentials) -> Flow {
        let name = String::from_utf8_lossy(&credentials.name);
        log::info!("{}: 401: wrong password, or no such user: {name:?}", request.peer());
        Flow::Refuse(self.challenge())
    }

    fn challenge(&self) -> Reject {
        Reject::from(Status::UNAUTHORIZED).header("WWW-Authenticate", &self.challenge)
    }
}

/// Too many hashes are waited for.
fn busy(status: Status, peer: Peer) -> Reject {
    log::info!("{peer}: {}: too many passwords are being checked", status.code());
    Reject::new(status, "too many passwords are being checked").header("Retry-After", "1")
}

fn wrong(why: String) -> Error {
    Error::Config { field: "auth", why }
}

impl fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicAuth").field("users", &self.users.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
