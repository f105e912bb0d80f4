//! The trait of what keeps sessions.

use super::change::Change;
use super::data::Record;
use super::id::Key;
use std::io;
use std::sync::Arc;

/// Keeps sessions. Times are seconds since 1970.
///
/// When a call returns `Ok`, what it did is as durable as the store can make it: the
/// reply leaves then. An error becomes a 500 (507 for a full disk) and is logged.
pub trait SessionStore: Send + Sync {
    /// The session of that key, unless it expired by `now`.
    ///
    /// # Errors
    /// Whatever keeps it from knowing.
    fn load(&self, key: &Key, now: u64) -> io::Result<Option<Record>>;

    /// Puts a new session in.
    ///
    /// # Errors
    /// If it isn't in then.
    fn create(&self, key: &Key, record: &Record) -> io::Result<()>;

    /// [Applies](Change::apply) a change to the record that is there now, in one step:
    /// nobody else's change may come between. If there is none, none is made, and the
    /// answer is `false`: the session was ended meanwhile.
    ///
    /// # Errors
    /// If the old one is still there; what `apply` returned as it is.
    fn save(&self, key: &Key, change: &Change) -> io::Result<bool>;

    /// Moves the record that is there to a new key and applies a change to it, all or
    /// nothing. `false` as for [`save`](SessionStore::save).
    ///
    /// # Errors
    /// As for [`save`](SessionStore::save).
    fn rotate(&self, old: &Key, new: &Key, change: &Change) -> io::Result<bool>;

    /// Lets a session live until then, its data as they are; `false` if it is gone.
    ///
    /// # Errors
    /// If it expires as before.
    fn touch(&self, key: &Key, expires: u64) -> io::Result<bool>;

    /// Removes a session. One that isn't there is no error.
    ///
    /// # Errors
    /// If it may still be there.
    fn delete(&self, key: &Key) -> io::Result<()>;

    /// Removes expired sessions, `max` at most, and says how many. Called from time
    /// to time when a session was made.
    ///
    /// # Errors
    /// Logged, and nothing else.
    fn sweep(&self, now: u64, max: usize) -> io::Result<usize>;

    /// Whether calls may wait for something: then they come on helper threads, those
    /// that change something one at a time. Otherwise they come on the loop.
    fn blocks(&self) -> bool {
        true
    }

    /// Whether calls that change something must come one at a time, if they block.
    fn is_serial(&self) -> bool {
        true
    }
}

/// A store that several have.
impl<S: SessionStore + ?Sized> SessionStore for Arc<S> {
    fn load(&self, key: &Key, now: u64) -> io::Result<Option<Record>> {
        (**self).load(key, now)
    }

    fn create(&self, key: &Key, record: &Record) -> io::Result<()> {
        (**self).create(key, record)
    }

    fn save(&self, key: &Key, change: &Change) -> io::Result<bool> {
        (**self).save(key, change)
    }

    fn rotate(&self, old: &Key, new: &Key, change: &Change) -> io::Result<bool> {
        (**self).rotate(old, new, change)
    }

    fn touch(&self, key: &Key, expires: u64) -> io::Result<bool> {
        (**self).touch(key, expires)
    }

    fn delete(&self, key: &Key) -> io::Result<()> {
        (**self).delete(key)
    }

    fn sweep(&self, now: u64, max: usize) -> io::Result<usize> {
        (**self).sweep(now, max)
    }

    fn blocks(&self) -> bool {
        (**self).blocks()
    }

    fn is_serial(&self) -> bool {
        (**self).is_serial()
    }
}

#[cfg(test)]
pub(super) mod tests;
