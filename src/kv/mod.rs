//! Connections to a Redis or Valkey server, for helper threads.
//!
//! What several machines share, sessions and rate limits, lies in a server of its
//! own. It can be slow, be restarted, or be gone, and none of this may take the
//! helpers from everybody else. So every wait has a limit, and a server that failed
//! is left alone for a while: who asks meanwhile is refused at once, without a
//! thread that waits. Then one asks again, on trial.
//!
//! ```text
//!            ok                        a second, then 2, 4 ... 8 s
//!    +---------------+   failed    +-------------------------------+
//!    |  Up           | ----------> |  Down(until): refused at once |
//!    +---------------+             +-------------------------------+
//!            ^                             | the time is over
//!            |  ok                         v
//!            +------------------- one call, on trial -- failed -> Down, longer
//! ```

use crate::error::Error;
use redis::{Client, Connection, RedisError, RedisResult};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a connection may take to be made, and then each answer: a server in the
/// same network takes a thousandth of it.
const TIMEOUT: Duration = Duration::from_millis(250);
/// Connections that are kept for the next call: as many as there are helpers, most
/// often.
const IDLE_MAX: usize = 16;
/// How long a server that failed is left alone: at first, and at most.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(8);

/// A Redis or Valkey server. Clones are the same: give one to each store that uses it.
///
/// Calls block, so they belong on helper threads; [`RedisStore`](crate::session::RedisStore)
/// and [`RedisRates`](crate::middleware::RedisRates) see to that. A call that takes too
/// long, or finds nobody, is an error; for the next seconds all calls are errors at
/// once, and then one is tried again. The log has one line when the server goes and
/// one when it is back.
///
/// ```
/// use onepoll::kv::Redis;
/// use std::time::Duration;
/// let redis = Redis::new("redis://127.0.0.1:6379/0")?.timeout(Duration::from_millis(100));
/// assert_eq!(redis.failures(), 0); // nobody was asked yet
/// assert!(Redis::new("memcached://127.0.0.1").is_err());
/// # Ok::<(), onepoll::Error>(())
/// ```
#[derive(Clone)]
pub struct Redis {
    shared: Arc<Shared>,
    timeout: Duration,
}

struct Shared {
    client: Client,
    /// Without the password.
    name: String,
    idle: Mutex<Vec<Connection>>,
    health: Mutex<Health>,
    failures: AtomicU64,
}

/// Whether the server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Up,
    /// It failed: nobody asks before then, and this was the pause.
    Down {
        until: Instant,
        pause: Duration,
    },
}

impl Redis {
    /// A server by its address: `redis://[[user]:password@]host[:port][/database]`, or
    /// `unix:///path/to.sock`. Nothing is connected yet. A host's name is looked up by
    /// the system, for which there is no time limit: prefer an address.
    ///
    /// # Errors
    /// [`Error::Config`] if this is no such address.
    pub fn new(url: &str) -> Result<Redis, Error> {
        let client = Client::open(url).map_err(|error| Error::Config {
            field: "redis",
            why: format!("{:?} is no address of a Redis server: {error}", without_secret(url)),
        })?;
        let shared = Shared {
            client,
            name: without_secret(url),
            idle: Mutex::default(),
            health: Mutex::new(Health::Up),
            failures: AtomicU64::new(0),
        };
        Ok(Redis { shared: Arc::new(shared), timeout: TIMEOUT })
    }

    /// How long it may take to connect, and then to answer: 250 ms each.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Redis {
        // Zero would be none at all.
        self.timeout = timeout.max(Duration::from_millis(1));
        self
    }

    /// Calls that failed so far, those that were refused without asking included.
    pub fn failures(&self) -> u64 {
        self.shared.failures.load(Ordering::Relaxed)
    }

    /// Whether calls are tried: not while the server is left alone after a failure.
    pub fn is_up(&self) -> bool {
        *self.shared.health() == Health::Up
    }

    /// Asks the server. What is asked must be right when it is done twice: a
    /// connection that was broken meanwhile is only found out by using it.
    ///
    /// # Errors
    /// `TimedOut`, or whatever kept it from answering; `NotConnected` while the server
    /// is left alone.
    pub(crate) fn call<T>(
        &self,
        mut ask: impl FnMut(&mut Connection) -> RedisResult<T>,
    ) -> io::Result<T> {
        let shared = &*self.shared;
        // Nobody else waits while one asks: no lock is held.
        let admitted = shared.health().admit(Instant::now());
        let answer = admitted.and_then(|()| self.attempt(&mut ask));
        match &answer {
            Ok(_) => shared.succeeded(),
            Err(error) => shared.failed(error),
        }
        answer
    }

    fn attempt<T>(&self, ask: &mut impl FnMut(&mut Connection) -> RedisResult<T>) -> io::Result<T> {
        // One that was kept may be of a server that was restarted since.
        let kept = self.shared.idle().pop();
        if let Some(mut kept) = kept {
            match ask(&mut kept) {
                Ok(value) => {
                    self.keep(kept);
                    return Ok(value);
                }
                Err(error) if error.is_connection_dropped() && !error.is_timeout() => {
                    self.shared.idle().clear();
                }
                Err(error) => return Err(self.broken(kept, &error)),
            }
        }
        let mut new = self.connect().map_err(|error| as_io(&error))?;
        match ask(&mut new) {
            Ok(value) => {
                self.keep(new);
                Ok(value)
            }
            Err(error) => Err(self.broken(new, &error)),
        }
    }

    fn connect(&self) -> RedisResult<Connection> {
        let connection = self.shared.client.get_connection_with_timeout(self.timeout)?;
        connection.set_read_timeout(Some(self.timeout))?;
        connection.set_write_timeout(Some(self.timeout))?;
        Ok(connection)
    }

    /// A connection whose answer didn't come could give it to the next one who asks;
    /// one that only said no is as good as before.
    fn broken(&self, connection: Connection, error: &RedisError) -> io::Error {
        if !error.is_io_error() && !error.is_unrecoverable_error() {
            self.keep(connection);
        }
        as_io(error)
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.shared.idle();
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
    }
}

impl Health {
    /// May it be asked? After the pause one is let through, and the pause begins anew
    /// for the others.
    fn admit(&mut self, now: Instant) -> io::Result<()> {
        match *self {
            Health::Up => Ok(()),
            Health::Down { until, .. } if now < until => {
                Err(io::Error::new(io::ErrorKind::NotConnected, "left alone after a failure"))
            }
            Health::Down { pause, .. } => {
                *self = Health::Down { until: now + pause, pause };
                Ok(())
            }
        }
    }

    fn fail(&mut self, now: Instant) {
        let pause = match *self {
            Health::Up => PAUSE,
            Health::Down { pause, .. } => (pause * 2).min(PAUSE_MAX),
        };
        *self = Health::Down { until: now + pause, pause };
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn succeeded(&self) {
        let before = std::mem::replace(&mut *self.health(), Health::Up);
        if before != Health::Up {
            log::info!("{}: is back", self.name);
        }
    }

    fn failed(&self, error: &io::Error) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        // What was refused here, or by the server in so many words, says nothing of
        // whether it is there.
        if matches!(error.kind(), io::ErrorKind::NotConnected | io::ErrorKind::InvalidData) {
            return;
        }
        let mut health = self.health();
        if *health == Health::Up {
            log::warn!("{}: {error}; it is left alone for a while", self.name);
        }
        health.fail(Instant::now());
        drop(health);
        self.idle().clear();
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("server", &self.shared.name)
            .field("health", &*self.shared.health())
            .finish_non_exhaustive()
    }
}

/// The server's own refusals, a wrong password above all, are `InvalidData`.
fn as_io(error: &RedisError) -> io::Error {
    let kind = match () {
        () if error.is_timeout() => io::ErrorKind::TimedOut,
        () if error.is_connection_refusal() => io::ErrorKind::ConnectionRefused,
        () if error.is_io_error() || is_absent(error) => io::ErrorKind::ConnectionAborted,
        () => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, error.to_string())
}

/// Whether it answers, but has nothing to say at the moment: it is starting, or its data
/// are to be changed elsewhere.
fn is_absent(error: &RedisError) -> bool {
    use redis::ServerErrorKind as Kind;
    matches!(
        error.kind(),
        redis::ErrorKind::Server(Kind::BusyLoading | Kind::MasterDown | Kind::ReadOnly)
    )
}

/// For logs: what stands before the `@` is a secret.
fn without_secret(url: &str) -> String {
    match (url.split_once("://"), url.rfind('@')) {
        (Some((scheme, _)), Some(at)) => {
            format!("{scheme}://***{}", url.get(at..).unwrap_or_default())
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn who_failed_is_left_alone_for_longer_and_longer_and_tried_by_one() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut health = Health::Up;
        assert!(health.admit(at(0)).is_ok());
        health.fail(at(0));
        assert_eq!(health.admit(at(0)).unwrap_err().kind(), io::ErrorKind::NotConnected);
        // One at a time, when the pause is over.
        assert!(health.admit(at(1)).is_ok());
        assert!(health.admit(at(1)).is_err());
        for (fails, free) in [(1, 3), (3, 7), (7, 15), (15, 23)] {
            health.fail(at(fails));
            assert!(health.admit(at(free - 1)).is_err(), "{fails}");
            assert!(health.admit(at(free)).is_ok(), "{fails}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        for (url, shown) in [
            ("redis://:pass@host:1/2", "redis://***@host:1/2"),
            ("redis://user:p@ss@host", "redis://***@host"),
            ("redis://host", "redis://host"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(without_secret(url), shown);
        }
        let error = Redis::new("http://u:secret@host").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn nobody_is_there() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let redis = Redis::new(&format!("redis://{free}")).unwrap();
        assert_eq!(redis.call(ping).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert!(!redis.is_up());
    }

    /// Who connects, and never gets a word.
    #[test]
    fn nobody_waits_for_long_and_the_next_not_at_all() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let redis = Redis::new(&format!("redis://{}", silent.local_addr().unwrap())).unwrap();
        let redis = redis.timeout(Duration::from_millis(20));
        assert_eq!(redis.call(ping).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(redis.call(ping).unwrap_err().kind(), io::ErrorKind::NotConnected);
        assert_eq!(redis.failures(), 2);
    }

    fn ping(connection: &mut Connection) -> RedisResult<String> {
        redis::cmd("PING").query(connection)
    }
}
