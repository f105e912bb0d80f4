//! What a channel's streams share: the ring of events, and who listens.
//!
//! **Events** have numbers, and each lies in the ring once, encoded. A stream
//! knows the number that it wants next. What falls out of the ring is lost for
//! those who have not taken it, and they with it.
//!
//! **A wave, not a flood.** To wake all streams at once would hand the loop ten
//! thousand connections in a single turn. So a stream that has taken everything
//! is *parked*, in a queue; an event wakes the first [`WAVE`] of it, and each that
//! was woken and comes to take wakes one more:
//!
//! ```text
//!   send ---> wake 128 --turn--> 128 take, each wakes one --turn--> 128 take ...
//!                 other clients are served between the turns
//! ```
//!
//! What keeps a wave going is that whoever is woken comes, or is dropped. That is
//! so since a parked stream has room: it was pulled, had nothing to add, and its
//! connection has queued nothing since. A slow client's stream is not parked, and
//! takes no place in the wave.

use crate::http::Wake;
use slab::Slab;
use std::collections::VecDeque;
use std::sync::Arc;

/// Streams that are woken at once: what a turn of the loop has to do for them,
/// about a millisecond.
const WAVE: usize = 128;

/// The ring, the streams, the queue.
#[derive(Debug)]
pub(super) struct Hub {
    ring: VecDeque<Entry>,
    ring_max: usize,
    /// The number of the first event in the ring.
    first: u64,
    streams: Slab<Stream>,
    streams_max: usize,
    /// In the order in which they were parked, and so of the events they want.
    parked: VecDeque<Parked>,
    /// Streams that were woken and have not come yet.
    woken: usize,
    /// Streams that were cut because they were too slow.
    cut: u64,
    stamp: u64,
    /// No more events will come.
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    id: Box<str>,
    bytes: Arc<[u8]>,
}

/// A client that listens.
#[derive(Debug)]
struct Stream {
    wake: Option<Wake>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It will come by itself.
    Running,
    /// It has everything; in the queue with this stamp.
    Parked(u64),
    /// It was woken, and will come.
    Woken,
}

/// A place in the queue; void if the stream has another stamp by now.
#[derive(Clone, Copy, Debug)]
struct Parked {
    stream: usize,
    stamp: u64,
    /// The event that it wants next.
    wants: u64,
}

/// What a stream gets when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Some events; there may be more.
    Some,
    /// There is nothing, and it is parked.
    Nothing,
    /// There is nothing, and never will be.
    End,
    /// Events that it wants are gone.
    Lost,
}

impl Hub {
    pub(super) fn new(ring_max: usize, streams_max: usize) -> Hub {
        Hub {
            ring: VecDeque::new(),
            ring_max: ring_max.max(1),
            first: 0,
            streams: Slab::new(),
            streams_max,
            parked: VecDeque::new(),
            woken: 0,
            cut: 0,
            stamp: 0,
            closed: false,
        }
    }

    pub(super) fn ring_max(&mut self, max: usize) {
        self.ring_max = max.max(1);
    }

    pub(super) fn streams_max(&mut self, max: usize) {
        self.streams_max = max;
    }

    /// The number of the next event.
    fn next(&self) -> u64 {
        self.first + self.ring.len() as u64
    }

    /// Listens, from now on or from what follows that event. `None`: there is no
    /// room for one more.
    pub(super) fn join(
        &mut self,
        wake: Option<Wake>,
        after: Option<&[u8]>,
    ) -> Option<(usize, u64)> {
        if self.streams.len() >= self.streams_max {
            return None;
        }
        let from = match after {
            None => self.next(),
            // Looked for from the end: who comes back was away for a moment. One that
            // is not known has left the ring, and everything that is there is newer.
            Some(id) => {
                let place = self.ring.iter().rposition(|entry| entry.id.as_bytes() == id);
                self.first + place.map_or(0, |place| place as u64 + 1)
            }
        };
        Some((self.streams.insert(Stream { wake, state: State::Running }), from))
    }

    /// No longer listens.
    pub(super) fn leave(&mut self, stream: usize) {
        self.comes(stream);
        self.streams.try_remove(stream);
        self.tidy();
    }

    /// One more event, under that number's id.
    pub(super) fn put(&mut self, id: Box<str>, bytes: Arc<[u8]>) {
        while self.ring.len() >= self.ring_max {
            self.ring.pop_front();
            self.first += 1;
        }
        self.ring.push_back(Entry { id, bytes });
    }

    /// No more events.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// A stream comes, and takes events from that number on, about `room` bytes.
    pub(super) fn take(
        &mut self,
        stream: usize,
        wants: &mut u64,
        out: &mut Vec<u8>,
        room: usize,
        leaving: bool,
    ) -> Taken {
        self.comes(stream);
        let Some(mut place) = wants.checked_sub(self.first) else {
            self.cut += 1;
            return Taken::Lost;
        };
        let before = out.len();
        while out.len() - before < room
            && let Some(entry) = self.ring.get(place as usize)
        {
            out.extend_from_slice(&entry.bytes);
            place += 1;
        }
        *wants = self.first + place;
        match () {
            () if out.len() > before => Taken::Some,
            () if self.closed || leaving => Taken::End,
            () => Taken::Nothing,
        }
    }

    /// A stream has nothing to do until there is an event.
    pub(super) fn park(&mut self, stream: usize, wants: u64) {
        self.stamp += 1;
        let stamp = self.stamp;
        if let Some(known) = self.streams.get_mut(stream) {
            known.state = State::Parked(stamp);
            self.parked.push_back(Parked { stream, stamp, wants });
        }
        self.tidy();
    }

    /// Places of streams that have come or gone by themselves are void. When they
    /// are most of the queue they are thrown out, so that it stays in proportion.
    fn tidy(&mut self) {
        if self.parked.len() > 2 * self.streams.len() + WAVE {
            let streams = &self.streams;
            self.parked.retain(|parked| is_valid(streams, parked));
        }
    }

    /// Who is to be woken now, until the wave is full.
    pub(super) fn wave(&mut self) -> Vec<Wake> {
        let mut wakes = Vec::new();
        while self.woken < WAVE
            && let Some(parked) = self.parked.front()
            && (parked.wants < self.next() || self.closed || !is_valid(&self.streams, parked))
        {
            let Some(parked) = self.parked.pop_front() else { break };
            if !is_valid(&self.streams, &parked) {
                continue;
            }
            let Some(stream) = self.streams.get_mut(parked.stream) else { continue };
            if let Some(wake) = &stream.wake {
                stream.state = State::Woken;
                self.woken += 1;
                wakes.push(wake.clone());
            }
        }
        wakes
    }

    /// How many listen.
    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }

    /// How many were cut for being too slow.
    pub(super) fn cut(&self) -> u64 {
        self.cut
    }

    /// The stream is here, woken or not; a place in the queue is void.
    fn comes(&mut self, stream: usize) {
        let Some(stream) = self.streams.get_mut(stream) else { return };
        if std::mem::replace(&mut stream.state, State::Running) == State::Woken {
            self.woken -= 1;
        }
    }
}

fn is_valid(streams: &Slab<Stream>, parked: &Parked) -> bool {
    let stream = streams.get(parked.stream);
    stream.is_some_and(|stream| stream.state == State::Parked(parked.stamp))
}

#[cfg(test)]
mod tests;
