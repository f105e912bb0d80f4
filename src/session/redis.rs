//! Sessions in a Redis or Valkey server: several machines have them in common.
//!
//! A session is one value, under `onepoll:session:` and its key in hexadecimal. It is
//! changed by a script that puts the new value in only if the old one is still there
//! as it was read; otherwise it is read again. So what requests on several machines
//! change at the same time is merged, key by key. The server lets it expire by itself.
//!
//! ```text
//!   GET --> Change::apply --> EVAL "is it still that? then SET ... PXAT"
//!    ^                          |
//!    +--------- no -------------+
//! ```

use super::change::Change;
use super::data::Record;
use super::id::Key;
use super::store::SessionStore;
use crate::kv::Redis;
use ::redis::{self, Connection, RedisResult, Script};
use std::fmt::{self, Write};
use std::io;

/// Before the keys of sessions, unless [`RedisStore::prefix`] says otherwise.
const PREFIX: &str = "onepoll:session:";
/// Tries to change a value that others change at the same time. Each failure is
/// another one's success, and a client has few requests under way.
const TRIES: usize = 16;

/// Keeps sessions in a server that several machines use. Keys are hashes of the
/// clients' ids: whoever sees the server's data gets in nowhere by it.
///
/// How long what a reply was told of survives is up to the server: with
/// `appendfsync always` a power failure, with its defaults the last second may be
/// lost. It holds as many as its memory does; set `maxmemory` and
/// `maxmemory-policy volatile-ttl` there.
///
/// If the server can't be asked, requests with a session are answered 503, or go on
/// without, see [`Sessions::optional`](super::Sessions::optional).
///
/// ```
/// use onepoll::kv::Redis;
/// use onepoll::session::{RedisStore, Sessions};
/// let redis = Redis::new("redis://127.0.0.1")?;
/// onepoll::App::new().wrap(Sessions::new(RedisStore::new(redis)));
/// # Ok::<(), onepoll::Error>(())
/// ```
#[derive(Debug)]
pub struct RedisStore {
    redis: Redis,
    prefix: String,
    scripts: Scripts,
}

struct Scripts {
    replace: Script,
    rotate: Script,
}

impl RedisStore {
    /// A store in that server.
    pub fn new(redis: Redis) -> RedisStore {
        let scripts = Scripts { replace: Script::new(REPLACE), rotate: Script::new(ROTATE) };
        RedisStore { redis, prefix: PREFIX.to_owned(), scripts }
    }

    /// What stands before the keys, so that several applications can share a server:
    /// `onepoll:session:`. In a cluster give it a part in braces, so that all sessions
    /// are in one place.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> RedisStore {
        prefix.clone_into(&mut self.prefix);
        self
    }

    fn name(&self, key: &Key) -> String {
        let mut name = self.prefix.clone();
        for byte in key.as_bytes() {
            // To a string, which can't fail.
            let _ = write!(name, "{byte:02x}");
        }
        name
    }

    fn get(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.redis.call(|c| redis::cmd("GET").arg(name).query(c))
    }

    /// Reads, changes, and writes back unless it was changed meanwhile.
    fn change(
        &self,
        old: &Key,
        change: impl Fn(&Record) -> io::Result<Record>,
        write: impl Fn(&mut Connection, &str, &[u8], &Record) -> RedisResult<bool>,
    ) -> io::Result<bool> {
        let name = self.name(old);
        for _ in 0..TRIES {
            let Some(held) = self.get(&name)? else { return Ok(false) };
            let record = change(&decode(&held)?)?;
            if self.redis.call(|c| write(c, &name, &held, &record))? {
                return Ok(true);
            }
        }
        Err(io::Error::new(io::ErrorKind::ResourceBusy, "a session is changed all the time"))
    }

    fn replace(
        &self,
        key: &Key,
        change: impl Fn(&Record) -> io::Result<Record>,
    ) -> io::Result<bool> {
        self.change(key, change, |c, name, held, record| {
            let mut call = self.scripts.replace.key(name);
            call.arg(held).arg(encode(record)).arg(millis(record.expires)).invoke(c)
        })
    }
}

impl SessionStore for RedisStore {
    fn load(&self, key: &Key, now: u64) -> io::Result<Option<Record>> {
        let held = self.get(&self.name(key))?;
        let record = held.map(|held| decode(&held)).transpose()?;
        Ok(record.filter(|record| record.expires > now))
    }

    fn create(&self, key: &Key, record: &Record) -> io::Result<()> {
        let (name, value) = (self.name(key), encode(record));
        // No `NX`: the key was drawn at random, and asked twice it must not be an error.
        self.redis.call(|c| {
            let mut set = redis::cmd("SET");
            set.arg(&name).arg(&value).arg("PXAT").arg(millis(record.expires)).exec(c)
        })
    }

    fn save(&self, key: &Key, change: &Change) -> io::Result<bool> {
        self.replace(key, |held| change.apply(held))
    }

    fn rotate(&self, old: &Key, new: &Key, change: &Change) -> io::Result<bool> {
        let new = self.name(new);
        self.change(
            old,
            |held| change.apply(held),
            |c, name, held, record| {
                let mut call = self.scripts.rotate.key(name);
                call.key(&new).arg(held).arg(encode(record)).arg(millis(record.expires)).invoke(c)
            },
        )
    }

    fn touch(&self, key: &Key, expires: u64) -> io::Result<bool> {
        self.replace(key, |held| Ok(Record { expires, ..held.clone() }))
    }

    fn delete(&self, key: &Key) -> io::Result<()> {
        let name = self.name(key);
        self.redis.call(|c| redis::cmd("DEL").arg(&name).exec(c))
    }

    /// The server does it.
    fn sweep(&self, _: u64, _: usize) -> io::Result<usize> {
        Ok(0)
    }

    /// The server orders them.
    fn is_serial(&self) -> bool {
        false
    }
}

impl fmt::Debug for Scripts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripts")
    }
}

/// Both times, eight bytes each, little end first; then the data.
fn encode(record: &Record) -> Vec<u8> {
    let mut value = Vec::new();
    value.extend_from_slice(&record.created.to_le_bytes());
    value.extend_from_slice(&record.expires.to_le_bytes());
    value.extend_from_slice(&record.encode());
    value
}

fn decode(value: &[u8]) -> io::Result<Record> {
    let parse = || {
        let (created, rest) = value.split_first_chunk()?;
        let (expires, rest) = rest.split_first_chunk()?;
        let (created, expires) = (u64::from_le_bytes(*created), u64::from_le_bytes(*expires));
        Some(Record { data: Record::decode(rest)?, created, expires })
    };
    parse().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a session is damaged"))
}

/// Redis counts in milliseconds, with a sign.
fn millis(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX)
}

/// 1 if the value was replaced.
const REPLACE: &str = "
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3])
    return 1";
/// The same under another key.
const ROTATE: &str = "
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    redis.call('SET', KEYS[2], ARGV[2], 'PXAT', ARGV[3])
    redis.call('DEL', KEYS[1])
    return 1";
