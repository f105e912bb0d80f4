//! Sessions in memory: gone with the process.

use super::change::Change;
use super::data::Record;
use super::id::Key;
use super::store::SessionStore;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps sessions in memory, so many at most: then the one that would expire first,
/// which is the one that was used longest ago, goes for each new one.
///
/// It is asked on the loop: each call is a few steps in a map. A session is 4 KiB of
/// data at most.
pub struct MemoryStore {
    max: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    records: HashMap<Key, Record>,
    /// The same keys by their expiry.
    order: BTreeSet<(u64, Key)>,
}

impl MemoryStore {
    /// For so many sessions, one at least.
    pub fn new(max: usize) -> MemoryStore {
        MemoryStore { max: max.max(1), kept: Mutex::default() }
    }

    /// How many there are, those included that expired and are not swept yet.
    pub fn len(&self) -> usize {
        self.kept().records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Held for a few steps only, so that the loop may wait for it. A panic between
    /// two of them can't happen: no code of others runs there.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn put(&mut self, key: Key, record: Record) {
        self.order.insert((record.expires, key));
        if let Some(old) = self.records.insert(key, record) {
            self.forget_order(old.expires, key);
        }
    }

    fn take(&mut self, key: &Key) -> Option<Record> {
        let record = self.records.remove(key)?;
        self.order.remove(&(record.expires, *key));
        Some(record)
    }

    /// Takes the old place of a key out, unless it is the new one as well.
    fn forget_order(&mut self, expires: u64, key: Key) {
        if self.records.get(&key).is_some_and(|record| record.expires != expires) {
            self.order.remove(&(expires, key));
        }
    }
}

impl SessionStore for MemoryStore {
    fn load(&self, key: &Key, now: u64) -> io::Result<Option<Record>> {
        let kept = self.kept();
        Ok(kept.records.get(key).filter(|record| record.expires > now).cloned())
    }

    fn create(&self, key: &Key, record: &Record) -> io::Result<()> {
        let mut kept = self.kept();
        while kept.records.len() >= self.max {
            let Some((_, oldest)) = kept.order.pop_first() else { break };
            kept.records.remove(&oldest);
        }
        kept.put(*key, record.clone());
        Ok(())
    }

    fn save(&self, key: &Key, change: &Change) -> io::Result<bool> {
        let mut kept = self.kept();
        let Some(held) = kept.records.get(key) else { return Ok(false) };
        let record = change.apply(held)?;
        kept.put(*key, record);
        Ok(true)
    }

    fn rotate(&self, old: &Key, new: &Key, change: &Change) -> io::Result<bool> {
        let mut kept = self.kept();
        let Some(held) = kept.records.get(old) else { return Ok(false) };
        let record = change.apply(held)?;
        kept.take(old);
        kept.put(*new, record);
        Ok(true)
    }

    fn touch(&self, key: &Key, expires: u64) -> io::Result<bool> {
        let mut kept = self.kept();
        let taken = kept.take(key);
        let known = taken.is_some();
        if let Some(record) = taken {
            kept.put(*key, Record { expires, ..record });
        }
        Ok(known)
    }

    fn delete(&self, key: &Key) -> io::Result<()> {
        self.kept().take(key);
        Ok(())
    }

    fn sweep(&self, now: u64, max: usize) -> io::Result<usize> {
        let mut kept = self.kept();
        let mut swept = 0;
        while swept < max {
            let Some(&(expires, key)) = kept.order.first() else { break };
            if expires > now {
                break;
            }
            kept.take(&key);
            swept += 1;
        }
        Ok(swept)
    }

    fn blocks(&self) -> bool {
        false
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryStore({} of {})", self.len(), self.max)
    }
}
