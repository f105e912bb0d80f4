//! The two ways to count, as arithmetic on microseconds: no clock, no keys.
//!
//! **Sliding window**: at most `limit` within *any* span of `window`. A row keeps
//! when its last requests were let in. Up to [`MARKS`] it keeps each of them, and
//! the rule is exact. With a higher limit, requests that come within a 30th of
//! the window after each other share a mark, which has the time of the last of
//! them: still never more than the limit within any window, and a request is
//! forgotten a 30th of the window late at most.
//!
//! ```text
//!             |<---------- window ---------->|
//!   ----------x--3---1----------5-----2------now     3 + 1 + 5 + 2 of the limit are used
//!   forgotten ^                 ^ 5 requests, the last of them then
//! ```
//!
//! **Token bucket**: a bucket of `burst` tokens, which `rate` tokens per `period`
//! drip into, full at first. A request takes one. A token is `period` units, so
//! that a microsecond brings `rate` units and nothing is ever rounded.

/// Marks of a row of the sliding window at most.
const MARKS: usize = 32;
/// Into how many parts a window is cut if its limit is beyond [`MARKS`]. A part's
/// requests share a mark, and one more part may reach into the window at its far
/// end; the second mark to spare makes the number round.
const PARTS: u64 = MARKS as u64 - 2;

/// How requests are counted, and the counts of all rows.
#[derive(Debug)]
pub(super) enum Rule {
    /// So many in any window.
    Sliding(Sliding),
    /// So many at once, and then as they drip.
    Bucket(Bucket),
}

/// What a row has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quota {
    /// Requests that would be let in now.
    pub(super) left: u32,
    /// Microseconds until there is more; none if nothing is used.
    pub(super) more_in: u64,
}

impl Rule {
    /// Takes a request of that row, at that time. `Err` if it must not be let in.
    ///
    /// # Errors
    /// What is left, which is nothing, and when there will be something.
    pub(super) fn take(&mut self, row: u32, now: u64) -> Result<Quota, Quota> {
        match self {
            Rule::Sliding(sliding) => sliding.take(row, now),
            Rule::Bucket(bucket) => bucket.take(row, now),
        }
    }

    /// What that row has left.
    pub(super) fn look(&mut self, row: u32, now: u64) -> Quota {
        match self {
            Rule::Sliding(sliding) => sliding.look(row, now),
            Rule::Bucket(bucket) => bucket.look(row, now),
        }
    }

    /// The rule in other words.
    #[cfg(feature = "redis")]
    pub(super) fn policy(&self) -> super::Policy {
        use std::time::Duration;
        match self {
            Rule::Sliding(Sliding { limit, window, .. }) => {
                super::Policy::Sliding { limit: *limit, window: Duration::from_micros(*window) }
            }
            Rule::Bucket(Bucket { rate, period, full, .. }) => super::Policy::TokenBucket {
                burst: u32::try_from(full / u128::from(*period)).unwrap_or(u32::MAX),
                rate: *rate,
                period: Duration::from_micros(*period),
            },
        }
    }

    /// Forgets what the row held, or makes it, if it is the next.
    pub(super) fn clear(&mut self, row: u32) {
        match self {
            Rule::Sliding(sliding) => sliding.clear(row),
            Rule::Bucket(bucket) => bucket.clear(row),
        }
    }
}

/// The sliding window.
#[derive(Clone, Debug)]
pub(super) struct Sliding {
    limit: u32,
    window: u64,
    /// How long requests share a mark.
    grain: u64,
    /// Marks of a row.
    width: usize,
    rows: Vec<Row>,
    /// Of all rows, one after the other; each row's are a ring.
    marks: Vec<Mark>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Row {
    /// Requests in all its marks.
    used: u32,
    /// Where its oldest mark is, and how many there are.
    first: u8,
    count: u8,
    /// When the newest mark was begun.
    begun: u64,
}

/// Requests that were let in.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    /// When the last of them was.
    last: u64,
    count: u32,
}

impl Sliding {
    pub(super) fn new(limit: u32, window: u64) -> Sliding {
        let (limit, window) = (limit.max(1), window.max(1));
        let exact = limit as usize <= MARKS;
        Sliding {
            limit,
            window,
            grain: if exact { 0 } else { window.div_ceil(PARTS) },
            width: if exact { limit as usize } else { MARKS },
            rows: Vec::new(),
            marks: Vec::new(),
        }
    }

    fn clear(&mut self, row: u32) {
        if self.rows.len() <= row as usize {
            self.rows.resize(row as usize + 1, Row::default());
            self.marks.resize((row as usize + 1) * self.width, Mark::default());
        }
        if let Some(row) = self.rows.get_mut(row as usize) {
            *row = Row::default();
        }
    }

    fn take(&mut self, at: u32, now: u64) -> Result<Quota, Quota> {
        let before = self.look(at, now);
        if before.left == 0 {
            return Err(before);
        }
        let Some(row) = self.rows.get_mut(at as usize) else { return Err(before) };
        let marks = ring(&mut self.marks, at, self.width);
        let newest = (usize::from(row.first) + usize::from(row.count).max(1) - 1) % self.width;
        let shared = row.count > 0 && now.saturating_sub(row.begun) < self.grain;
        let place =
            if shared { newest } else { (newest + usize::from(row.count > 0)) % self.width };
        let Some(mark) = marks.get_mut(place) else { return Err(before) };
        if shared {
            *mark = Mark { last: now, count: mark.count + 1 };
        } else {
            *mark = Mark { last: now, count: 1 };
            row.begun = now;
            row.count += 1;
        }
        row.used += 1;
        Ok(self.look(at, now))
    }

    fn look(&mut self, at: u32, now: u64) -> Quota {
        let full = Quota { left: self.limit, more_in: 0 };
        let Some(row) = self.rows.get_mut(at as usize) else { return full };
        let marks = ring(&mut self.marks, at, self.width);
        // At most `MARKS` turns, and each ends a mark: so on average one a request.
        while row.count > 0 {
            let Some(mark) = marks.get(usize::from(row.first)) else { break };
            let over = mark.last.saturating_add(self.window);
            if over > now {
                return Quota { left: self.limit - row.used, more_in: over - now };
            }
            row.used -= mark.count;
            row.first = ((usize::from(row.first) + 1) % self.width) as u8;
            row.count -= 1;
        }
        full
    }
}

/// That row's marks.
fn ring(marks: &mut [Mark], row: u32, width: usize) -> &mut [Mark] {
    let start = row as usize * width;
    marks.get_mut(start..start + width).unwrap_or_default()
}

/// The token bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: u32,
    period: u64,
    /// What a full bucket holds, in units.
    full: u128,
    levels: Vec<Level>,
}

/// What a bucket held at a time, in units.
#[derive(Clone, Copy, Debug)]
struct Level {
    units: u128,
    at: u64,
}

impl Bucket {
    pub(super) fn new(burst: u32, rate: u32, period: u64) -> Bucket {
        let (burst, rate, period) = (burst.max(1), rate.max(1), period.max(1));
        let full = u128::from(burst) * u128::from(period);
        Bucket { rate, period, full, levels: Vec::new() }
    }

    fn clear(&mut self, row: u32) {
        let full = Level { units: self.full, at: 0 };
        if self.levels.len() <= row as usize {
            self.levels.resize(row as usize + 1, full);
        }
        if let Some(level) = self.levels.get_mut(row as usize) {
            *level = full;
        }
    }

    fn take(&mut self, row: u32, now: u64) -> Result<Quota, Quota> {
        let before = self.look(row, now);
        if before.left == 0 {
            return Err(before);
        }
        if let Some(level) = self.levels.get_mut(row as usize) {
            level.units = level.units.saturating_sub(u128::from(self.period));
        }
        Ok(self.look(row, now))
    }

    fn look(&mut self, row: u32, now: u64) -> Quota {
        let (rate, period) = (u128::from(self.rate), u128::from(self.period));
        let Some(level) = self.levels.get_mut(row as usize) else {
            return Quota { left: 0, more_in: self.period };
        };
        let dripped = u128::from(now.saturating_sub(level.at)) * rate;
        *level = Level { units: (level.units + dripped).min(self.full), at: now.max(level.at) };
        let left = level.units / period;
        let missing = if level.units == self.full { 0 } else { (left + 1) * period - level.units };
        Quota {
            left: u32::try_from(left).unwrap_or(u32::MAX),
            more_in: u64::try_from(missing.div_ceil(rate)).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests;
