//! # Level 09: sessions, and SQLite off the loop
//!
//! **The problem of level 08:** the site remembered nobody.
//!
//! **The idea:** a visitor gets a number that can't be guessed, in a cookie, and all
//! that is remembered lies here, in a database, under that number. A database is a
//! disk with manners: it waits, for the medium and for locks. So it belongs where the
//! files are, with the helpers. Each has a connection of its own; SQLite sorts out who
//! writes when.
//!
//! ```text
//!   GET /visits  Cookie: id=9f3..  --> loop --job--> helper --> UPDATE ... RETURNING
//!                                        ^              |           visits.db (WAL)
//!   200  visit 4          <--------------'---reply------'
//! ```
//!
//! What to look for: an id that *we* haven't drawn is never used, however nicely a
//! client asks: who can choose your id beforehand knows it afterwards. And the reply
//! goes when the database has said that it is done: what a visitor was told is kept.
//!
//! ## Try it
//! ```text
//! cargo run --release --example ladder -- 9 --port 8080
//! curl -c jar -b jar http://127.0.0.1:8080/visits      and again, and again
//! curl -b id=please http://127.0.0.1:8080/visits       a new visitor
//! ```
//!
//! ## What it gets wrong
//! Nothing that the ladder could show. What it doesn't do would fill a book: POST,
//! HEAD and content, ranges, caching, compression, TLS, a log, an orderly end; a helper
//! that panics is gone for good; visitors' ids lie in the database as they are, and who
//! reads a copy of it can be anybody. That book is level 10.

use crate::level07;
use crate::level08::Jail;
use crate::site::{Reply, Site, Task};
use rusqlite::{Connection, OptionalExtension, params};
use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

/// How long a helper waits for another that writes.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// Visitors that are remembered. Who sends no cookie is a new one each time, so
/// without an end a stranger could fill the disk. Beyond it the longest absent goes.
const VISITORS_MAX: u32 = 100_000;
/// Of random bits in an id: 128 aren't guessed while the sun shines.
const ID_BYTES: usize = 16;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS visitors (
        id TEXT PRIMARY KEY, visits INTEGER NOT NULL, seen INTEGER NOT NULL);
    CREATE INDEX IF NOT EXISTS by_seen ON visitors (seen);";
const KNOWN: &str = "
    UPDATE visitors SET visits = visits + 1, seen = unixepoch() WHERE id = ?1 RETURNING visits";
const NEW: &str = "INSERT INTO visitors VALUES (?1, 1, unixepoch())";
const FORGET: &str = "
    DELETE FROM visitors WHERE (SELECT count(*) FROM visitors) > ?1
    AND id = (SELECT id FROM visitors ORDER BY seen LIMIT 1)";

pub(crate) fn run(site: &Site) -> io::Result<()> {
    let jail = Jail::new(&site.root)?;
    level07::run_with(site, || {
        let jail = jail.clone();
        let mut visitors = Visitors::open(&site.database).map_err(io::Error::other)?;
        Ok(move |task: &Task| match task {
            Task::File(name) => jail.reply(name),
            Task::Visits(id) => visitors.reply(id.as_deref()),
        })
    })
}

/// Who was here how often.
struct Visitors {
    database: Connection,
}

impl Visitors {
    fn open(path: &Path) -> rusqlite::Result<Visitors> {
        let database = Connection::open(path)?;
        database.busy_timeout(LOCK_WAIT)?;
        database.execute_batch(SCHEMA)?;
        Ok(Visitors { database })
    }

    /// Counts a visit. Blocks.
    fn reply(&mut self, id: Option<&str>) -> Reply {
        match self.visit(id) {
            Ok((visits, new_id)) => {
                let mut reply = Reply::text("200 OK", format!("visit {visits}\n"));
                reply.id = new_id;
                reply
            }
            Err(error) => {
                // For us, not for the visitor, who can't do anything about it.
                eprintln!("counting a visit: {error}");
                Reply::text("500 Internal Server Error", "not counted\n")
            }
        }
    }

    /// The number of the visit, and an id if the visitor is new.
    fn visit(&mut self, id: Option<&str>) -> io::Result<(i64, Option<String>)> {
        let known = self.count(id.unwrap_or_default()).map_err(io::Error::other)?;
        if let Some(visits) = known {
            return Ok((visits, None));
        }
        let id = new_id()?;
        self.insert(&id).map_err(io::Error::other)?;
        Ok((1, Some(id)))
    }

    fn count(&self, id: &str) -> rusqlite::Result<Option<i64>> {
        // Parameters, never texts put together: a cookie that looks like SQL is only a
        // strange id.
        self.database.prepare_cached(KNOWN)?.query_row(params![id], |row| row.get(0)).optional()
    }

    fn insert(&mut self, id: &str) -> rusqlite::Result<()> {
        // Both or none; and to the disk once, not twice.
        let both = self.database.transaction()?;
        both.execute(NEW, params![id])?;
        both.execute(FORGET, params![VISITORS_MAX])?;
        both.commit()
    }
}

/// From the kernel's generator. A counter or a clock could be guessed.
fn new_id() -> io::Result<String> {
    let mut bytes = [0; ID_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut id, byte| {
        let _ = write!(id, "{byte:02x}"); // into a text: can't fail
        id
    }))
}
