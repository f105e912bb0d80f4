//! Sessions in an SQLite database: they outlive the process.
//!
//! ```text
//!  Lane::Serial       create, save, rotate, touch, delete --> writer \
//!                                                                     sessions.db (WAL)
//!  Lane::Application  load ---------------------------------> reader /
//! ```
//!
//! The write-ahead log lets the reader go on while the writer waits for the disk.
//! With `synchronous=FULL` a transaction is on the disk before it is over, so that a
//! session that a client was told of survives a crash of the process, of the system,
//! and the loss of power.

use super::change::Change;
use super::data::Record;
use super::id::Key;
use super::store::SessionStore;
use crate::error::Error;
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};
use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Keeps sessions in a file. Keys are hashes of the clients' ids: a copy of the file
/// lets nobody in. The file is made readable for its owner only.
///
/// It holds [`max`](SqliteStore::max) sessions; then the one that would expire first
/// goes for each new one. Several processes may share a file; each counts for itself.
///
/// ```no_run
/// use onepoll::session::{Sessions, SqliteStore};
/// let mut app = onepoll::App::new();
/// app.wrap(Sessions::new(SqliteStore::open("sessions.db")?));
/// # Ok::<(), onepoll::Error>(())
/// ```
pub struct SqliteStore {
    path: PathBuf,
    writer: Mutex<Writer>,
    reader: Mutex<Connection>,
    max: u64,
}

struct Writer {
    connection: Connection,
    /// How many sessions there are, expired ones included.
    rows: u64,
}

impl SqliteStore {
    /// Opens the file, or makes it, and removes what has expired. Blocks.
    ///
    /// # Errors
    /// [`Error::Config`] if it can't be opened or written, is no database, or was
    /// made by a later version of this library.
    pub fn open(path: impl AsRef<Path>) -> Result<SqliteStore, Error> {
        let path = path.as_ref();
        open(path).map_err(|error| {
            let why = format!("{}: {error}", path.display());
            Error::Config { field: "sessions", why }
        })
    }

    /// How many sessions it holds at most, one at least: 1,000,000.
    #[must_use]
    pub fn max(mut self, max: u64) -> SqliteStore {
        self.max = max.max(1);
        self
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // What a panic leaves open is rolled back when its transaction is dropped.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(path: &Path) -> io::Result<SqliteStore> {
    // SQLite gives its other files the rights of this one.
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let connection = connect(path)?;
    // Answers with the mode that it is in then; a file system without shared memory
    // can't have this one, and is slower.
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(|error| failed(&error))?;
    if mode != "wal" {
        log::warn!("{}: journal mode {mode} instead of WAL", path.display());
    }
    let prepare = || -> rusqlite::Result<Option<u64>> {
        connection.execute_batch("PRAGMA synchronous = FULL")?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version > VERSION {
            return Ok(None);
        }
        connection.execute_batch(SCHEMA)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        connection.execute("DELETE FROM sessions WHERE expires <= ?1", [whole(now.as_secs())])?;
        connection.query_row("SELECT COUNT(*) FROM sessions", [], count).map(Some)
    };
    let Some(rows) = prepare().map_err(|error| failed(&error))? else {
        return Err(io::Error::other("made by a later version"));
    };
    let reader = connect(path)?;
    reader.execute_batch("PRAGMA query_only = ON").map_err(|error| failed(&error))?;
    Ok(SqliteStore {
        path: path.to_owned(),
        writer: Mutex::new(Writer { connection, rows }),
        reader: Mutex::new(reader),
        max: MAX,
    })
}

fn connect(path: &Path) -> io::Result<Connection> {
    let connection = Connection::open(path).map_err(|error| failed(&error))?;
    connection.busy_timeout(BUSY).map_err(|error| failed(&error))?;
    Ok(connection)
}

impl SessionStore for SqliteStore {
    fn load(&self, key: &Key, now: u64) -> io::Result<Option<Record>> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let record = select(&reader, key).map_err(|error| failed(&error))?.transpose()?;
        Ok(record.filter(|record| record.expires > now))
    }

    fn create(&self, key: &Key, record: &Record) -> io::Result<()> {
        let mut writer = self.writer();
        let over = writer.rows >= self.max;
        let gone = writer.change(|change| {
            let gone = match over {
                true => change.execute(
                    "DELETE FROM sessions WHERE key = \
                     (SELECT key FROM sessions ORDER BY expires LIMIT 1)",
                    [],
                )?,
                false => 0,
            };
            insert(change, key, record)?;
            Ok(gone)
        })?;
        writer.rows = (writer.rows + 1).saturating_sub(gone as u64);
        Ok(())
    }

    fn save(&self, key: &Key, change: &Change) -> io::Result<bool> {
        self.rotate(key, key, change)
    }

    fn rotate(&self, old: &Key, new: &Key, change: &Change) -> io::Result<bool> {
        // Read and written in one transaction, which nobody else's can come into.
        self.writer().change(|connection| {
            let held = select(connection, old)?;
            let record = held.map(|held| held.and_then(|held| change.apply(&held)));
            Ok(match record {
                None => Ok(false),
                Some(Err(error)) => Err(error),
                Some(Ok(record)) => {
                    replace(connection, old, new, &record)?;
                    Ok(true)
                }
            })
        })?
    }

    fn touch(&self, key: &Key, expires: u64) -> io::Result<bool> {
        self.writer().change(|change| {
            let mut update =
                change.prepare_cached("UPDATE sessions SET expires = ?2 WHERE key = ?1")?;
            Ok(update.execute(params![key.as_bytes(), whole(expires)])? > 0)
        })
    }

    fn delete(&self, key: &Key) -> io::Result<()> {
        let mut writer = self.writer();
        let gone = writer.change(|change| delete(change, key))?;
        writer.rows = writer.rows.saturating_sub(gone as u64);
        Ok(())
    }

    fn sweep(&self, now: u64, max: usize) -> io::Result<usize> {
        let mut writer = self.writer();
        let gone = writer.change(|change| {
            let mut sweep = change.prepare_cached(
                "DELETE FROM sessions WHERE key IN (SELECT key FROM sessions \
                 WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
            )?;
            sweep.execute(params![whole(now), whole(max as u64)])
        })?;
        writer.rows = writer.rows.saturating_sub(gone as u64);
        Ok(gone)
    }
}

impl Writer {
    /// One transaction, which has the lock from its beginning: one that had to get it
    /// later could be refused at once instead of waiting.
    fn change<T>(
        &mut self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> io::Result<T> {
        let run = || {
            let transaction =
                self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = change(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        run().map_err(|error| failed(&error))
    }
}

/// What is there under that key, expired or not; an error if it is damaged.
fn select(connection: &Connection, key: &Key) -> rusqlite::Result<Option<io::Result<Record>>> {
    let mut select =
        connection.prepare_cached("SELECT data, created, expires FROM sessions WHERE key = ?1")?;
    let row = |row: &rusqlite::Row<'_>| {
        let data = Record::decode(&row.get::<_, Vec<u8>>(0)?);
        let (created, expires) = (natural(row.get(1)?), natural(row.get(2)?));
        Ok(data.map(|data| Record { data, created, expires }))
    };
    let record = select.query_row([key.as_bytes()], row).optional()?;
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a session is damaged");
    Ok(record.map(|record| record.ok_or_else(damaged)))
}

/// Puts a record in the place of one that is there.
fn replace(
    connection: &Connection,
    old: &Key,
    new: &Key,
    record: &Record,
) -> rusqlite::Result<usize> {
    let mut update = connection.prepare_cached(
        "UPDATE sessions SET key = ?2, data = ?3, created = ?4, expires = ?5 WHERE key = ?1",
    )?;
    let (created, expires) = (whole(record.created), whole(record.expires));
    let (old, new) = (old.as_bytes(), new.as_bytes());
    update.execute(params![old, new, record.encode(), created, expires])
}

fn insert(change: &Connection, key: &Key, record: &Record) -> rusqlite::Result<usize> {
    let mut insert = change.prepare_cached("INSERT INTO sessions VALUES (?1, ?2, ?3, ?4)")?;
    let (created, expires) = (whole(record.created), whole(record.expires));
    insert.execute(params![key.as_bytes(), record.encode(), created, expires])
}

fn delete(change: &Connection, key: &Key) -> rusqlite::Result<usize> {
    change.prepare_cached("DELETE FROM sessions WHERE key = ?1")?.execute([key.as_bytes()])
}

/// A full disk is told apart: it has a status of its own.
fn failed(error: &rusqlite::Error) -> io::Error {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => io::ErrorKind::StorageFull,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error.to_string())
}

fn count(row: &rusqlite::Row<'_>) -> rusqlite::Result<u64> {
    row.get(0).map(natural)
}

/// SQLite's integers have a sign.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqliteStore({})", self.path.display())
    }
}

/// The first version. The number is SQLite's `user_version`.
const SCHEMA: &str = "
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS sessions (
        key BLOB PRIMARY KEY,
        data BLOB NOT NULL,
        created INTEGER NOT NULL,
        expires INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS sessions_by_expiry ON sessions (expires);
    PRAGMA user_version = 1;
    COMMIT;
";
const VERSION: i64 = 1;
/// Sessions at most: with 4 KiB each, as large as a small disk can take.
const MAX: u64 = 1_000_000;
/// How long it waits while another process writes.
const BUSY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
