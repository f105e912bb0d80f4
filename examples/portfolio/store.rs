//! Messages, in an SQLite database. Everything here blocks: it is for helpers.

use onepoll::{Reject, Status};
use rusqlite::{Connection, ErrorCode, params};
use serde::Serialize;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Messages that are kept; then no more are taken, so that strangers can't fill the
/// disk.
const MESSAGES_MAX: u64 = 100_000;
/// How long to wait for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
        name TEXT NOT NULL,
        email TEXT NOT NULL,
        text TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS messages_by_name ON messages (name COLLATE NOCASE);
";

/// One connection that writes, one that reads meanwhile.
pub struct Messages {
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
    count: AtomicU64,
}

/// As it comes from the form.
pub struct NewMessage {
    pub name: String,
    pub email: String,
    pub text: String,
}

/// As everybody may see it: without the address.
#[derive(Serialize)]
pub struct Message {
    pub id: i64,
    pub at: String,
    pub name: String,
    pub message: String,
}

/// What can go wrong with the database. The client learns no more than the status.
#[derive(Debug)]
pub enum StoreError {
    Full,
    Sqlite(rusqlite::Error),
}

impl Messages {
    pub fn open(path: &Path) -> Result<Messages, String> {
        let failed = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
        // There are addresses in it. SQLite gives its other files the rights of this one.
        let private = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        private.map_err(|why| failed(&why))?;
        let open = || -> rusqlite::Result<Messages> {
            let (writer, reader) = (Connection::open(path)?, Connection::open(path)?);
            for connection in [&writer, &reader] {
                connection.busy_timeout(BUSY)?;
            }
            writer.execute_batch(SCHEMA)?;
            let count = count(&writer)?;
            let (writer, reader) = (Mutex::new(writer), Mutex::new(reader));
            Ok(Messages { writer, reader, count: AtomicU64::new(count) })
        };
        open().map_err(|why| failed(&why))
    }

    /// When this returns it is on the disk (`synchronous = FULL`).
    pub fn add(&self, message: &NewMessage) -> Result<(), StoreError> {
        let writer = lock(&self.writer);
        if self.count() >= MESSAGES_MAX {
            return Err(StoreError::Full);
        }
        let mut insert = writer
            .prepare_cached("INSERT INTO messages (name, email, text) VALUES (?1, ?2, ?3)")?;
        insert.execute(params![message.name, message.email, message.text])?;
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// How many there are, and some of them: the newest first.
    pub fn page(&self, skip: u64, take: u64) -> Result<(u64, Vec<Message>), StoreError> {
        let reader = lock(&self.reader);
        let mut select = reader.prepare_cached(
            "SELECT id, at, name, text FROM messages ORDER BY id DESC LIMIT ?1 OFFSET ?2",
        )?;
        let rows = select.query_map(params![take as i64, skip as i64], |row| {
            let (id, at) = (row.get(0)?, row.get(1)?);
            Ok(Message { id, at, name: row.get(2)?, message: row.get(3)? })
        })?;
        let messages = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok((count(&reader)?, messages))
    }

    /// How many were left under that name.
    pub fn by(&self, name: &str) -> Result<u64, StoreError> {
        let reader = lock(&self.reader);
        let mut select = reader
            .prepare_cached("SELECT COUNT(*) FROM messages WHERE name = ?1 COLLATE NOCASE")?;
        let count: i64 = select.query_row([name], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// How many there are, without a look at the disk.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether it can be read.
    pub fn check(&self) -> Result<(), StoreError> {
        count(&lock(&self.reader))?;
        Ok(())
    }
}

fn count(connection: &Connection) -> rusqlite::Result<u64> {
    let mut select = connection.prepare_cached("SELECT COUNT(*) FROM messages")?;
    let count: i64 = select.query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// A panic under the lock leaves nothing half done: SQLite rolls back.
fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoreError::Full => f.write_str("all messages are taken"),
            StoreError::Sqlite(why) => write!(f, "database: {why}"),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(why: rusqlite::Error) -> StoreError {
        match why.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full,
            _ => StoreError::Sqlite(why),
        }
    }
}

/// For `?` in handlers: 507 if there is no room, else 500 with a line in the log.
impl From<StoreError> for Reject {
    fn from(why: StoreError) -> Reject {
        match why {
            StoreError::Full => {
                Reject::new(Status::INSUFFICIENT_STORAGE, "the message could not be kept")
            }
            StoreError::Sqlite(_) => Reject::internal(why),
        }
    }
}
