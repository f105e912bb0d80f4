//! What was looked at lately, by path: bounded, and owned by the loop.
//!
//! An entry holds the content of a small file, or a large one open. It is
//! *fresh* for a while after it was last compared with the disk, and then taken
//! without a look; later it is *stale*, a candidate that is kept if the disk
//! still says the same. Only a path that leads to a file gets an entry, and two
//! sums bound them: bytes (content and what an entry itself takes) and open
//! files. So nothing grows with the number of paths that are asked for.
//!
//! ```text
//!        index: path -> slot                       the hand goes round:
//!        slots: [ used ][ not ][ used ][ not ]     used -> not used, go on
//!                         ^ hand                   not used -> out
//! ```
//!
//! That is second chance: a hit sets a flag, and to make room costs a step for
//! each hit or entry that there was, so a constant for each request.

use super::resource::{Content, Resource};
use slab::Slab;
use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// See the module.
#[derive(Debug)]
pub(super) struct Cache {
    index: HashMap<Rc<str>, usize, Seed>,
    slots: Slab<Entry>,
    hand: usize,
    bytes: u64,
    files: usize,
    bytes_max: u64,
    files_max: usize,
    fresh: Duration,
}

#[derive(Debug)]
struct Entry {
    path: Rc<str>,
    resource: Arc<Resource>,
    /// When it was last compared with the disk.
    checked: Instant,
    used: Cell<bool>,
}

/// What an entry is counted for beside its content and its path: the table's
/// share, the fields of its replies, and the books kept of its forms.
const ENTRY: u64 = 1024;

impl Cache {
    pub(super) fn new(bytes_max: u64, files_max: usize, fresh: Duration) -> Cache {
        let index = HashMap::with_hasher(Seed::new());
        let slots = Slab::new();
        Cache { index, slots, hand: 0, bytes: 0, files: 0, bytes_max, files_max, fresh }
    }

    /// What is there and fresh.
    #[inline]
    pub(super) fn fresh(&self, path: &str, now: Instant) -> Option<&Arc<Resource>> {
        let entry = self.entry(path)?;
        if now.saturating_duration_since(entry.checked) >= self.fresh {
            return None;
        }
        entry.used.set(true);
        Some(&entry.resource)
    }

    /// What is there, as old as it may be.
    pub(super) fn stale(&self, path: &str) -> Option<&Arc<Resource>> {
        Some(&self.entry(path)?.resource)
    }

    #[inline]
    fn entry(&self, path: &str) -> Option<&Entry> {
        self.slots.get(*self.index.get(path)?)
    }

    /// Keeps it, if there can be room for it. `checked` is a time before the
    /// disk was looked at.
    pub(super) fn put(&mut self, path: &str, resource: &Arc<Resource>, checked: Instant) {
        self.remove(path);
        let (bytes, files) = cost(path, resource);
        if bytes > self.bytes_max || files > self.files_max {
            return;
        }
        while self.bytes + bytes > self.bytes_max || self.files + files > self.files_max {
            self.make_room();
        }
        self.bytes += bytes;
        self.files += files;
        let path: Rc<str> = path.into();
        let resource = Arc::clone(resource);
        let used = Cell::new(false);
        let slot = self.slots.insert(Entry { path: Rc::clone(&path), resource, checked, used });
        self.index.insert(path, slot);
    }

    /// Puts a resource with more forms into the place of what is there, which
    /// gets no fresher by that.
    pub(super) fn enrich(&mut self, path: &str, resource: &Arc<Resource>) {
        if let Some(checked) = self.entry(path).map(|entry| entry.checked) {
            self.put(path, resource, checked);
        }
    }

    /// The disk still says the same.
    pub(super) fn renew(&mut self, path: &str, checked: Instant) {
        if let Some(slot) = self.index.get(path)
            && let Some(entry) = self.slots.get_mut(*slot)
        {
            entry.checked = checked;
        }
    }

    /// Forgets all that a file at this path has to do with: as itself, as its
    /// folder's index, as a form of another.
    pub(super) fn forget(&mut self, path: &str) {
        self.remove(path);
        let folder = path.rfind('/').and_then(|at| path.get(..=at));
        self.remove(folder.unwrap_or(""));
        if let Some((plain, _)) = path.rsplit_once('.') {
            self.remove(plain);
        }
    }

    /// Forgets what is there.
    pub(super) fn remove(&mut self, path: &str) {
        if let Some(slot) = self.index.remove(path)
            && let Some(entry) = self.slots.try_remove(slot)
        {
            let (bytes, files) = cost(path, &entry.resource);
            self.bytes -= bytes;
            self.files -= files;
        }
    }

    /// Moves the hand on by one. There is an entry, or there would be room.
    fn make_room(&mut self) {
        // A slab never shrinks: its slots are as many as there ever were entries.
        self.hand = if self.hand + 1 < self.slots.capacity() { self.hand + 1 } else { 0 };
        let Some(entry) = self.slots.get(self.hand) else { return };
        if !entry.used.take() {
            let path = Rc::clone(&entry.path);
            self.remove(&path);
        }
    }
}

/// Bytes and open files that an entry is counted for.
fn cost(path: &str, resource: &Resource) -> (u64, usize) {
    let (mut bytes, mut files) = (ENTRY + path.len() as u64 + resource.path.len() as u64, 0);
    for form in std::iter::once(&resource.identity).chain(&resource.others.forms) {
        match &form.content {
            Content::Bytes(content) => bytes += content.len() as u64,
            Content::File(_) => files += 1,
        }
    }
    (bytes, files)
}

/// A hash of paths that costs a multiplication for eight bytes. Who could choose
/// names in the folder that meet in it would have to know the seed.
#[derive(Clone, Copy, Debug)]
struct Seed(u64);

impl Seed {
    fn new() -> Seed {
        Seed(RandomState::new().hash_one(0u8))
    }
}

impl BuildHasher for Seed {
    type Hasher = PathHasher;

    #[inline]
    fn build_hasher(&self) -> PathHasher {
        PathHasher(self.0)
    }
}

struct PathHasher(u64);

/// The golden ratio's fraction, odd: its multiples are spread evenly.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl PathHasher {
    #[inline]
    fn add(&mut self, word: u64) {
        // A product's halves, folded: each bit depends on all of the word's.
        let product = u128::from(self.0 ^ word) * u128::from(SPREAD);
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for PathHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        for (place, byte) in last.iter_mut().zip(rest) {
            *place = *byte;
        }
        self.add(u64::from_le_bytes(last) ^ (bytes.len() as u64) << 56);
    }

    #[inline]
    fn write_u8(&mut self, _: u8) {
        // The end of a text: its length is in already, and it is all there is.
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests;
