//! Where everything comes home: what helpers finished, wakes, and commands.
//!
//! ```text
//!   helper threads --.
//!   Wake handles ----+--> Mutex<Queue> --(waker, if it was empty)--> poll
//!   Handle ----------'         |
//!                              '--swapped out whole under the lock--> the loop
//! ```
//!
//! The lock is held for a push or a swap, never for work. The waker is written
//! to only by whoever finds the queue empty, so a burst costs one wake-up.
//!
//! **The queue is bounded**, whoever calls how often: there is one parcel at most
//! for each job that a helper was given, one wake for each connection, one word of
//! memory to be swept for each burst and its end, one command, the one that comes to
//! most, and one of each kind of question.

use super::slots::{ConnectionId, table};
use crate::config::Config;
use crate::http::{Exchange, Home, Pull, Sink, Source};
use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Something for the loop, from any thread.
pub(crate) enum Parcel {
    /// An exchange whose job has run.
    Exchange(ConnectionId, Box<Exchange>),
    /// A sink that has taken its chunk; the emptied chunk comes back with it.
    Sink(ConnectionId, Box<dyn Sink>, Vec<u8>, io::Result<()>),
    /// A source that has filled a chunk.
    Source(ConnectionId, Box<dyn Source>, Vec<u8>, io::Result<Pull>),
    /// Drive that connection: its source has something.
    Wake(ConnectionId),
    /// The next part of its file is in memory.
    Warm(ConnectionId),
    /// A burst has left memory.
    Sweep,
    /// For the loop itself.
    Command(Command),
    /// The same, about nothing that can't wait.
    Ask(Ask),
    /// Other limits and times, from now on.
    Config(Box<Config>),
}

/// What else can be asked of a loop, by any number of people: it is done once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Turn once, so that the service's `idle` is called.
    Turn,
    /// Write your state to the log.
    Report,
    /// Say that you are not ready, wherever that is asked.
    Unready,
}

/// What a server's handle can ask of its loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Take no new clients, finish what is under way within this time, end. A
    /// second one can only bring the end closer.
    Drain(Duration),
    /// End now; whatever is under way is cut.
    Stop,
}

/// The queue and its bell.
///
/// ```
/// use onepoll::reactor::{Command, Inbox};
/// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
/// let rung = Arc::new(AtomicU32::new(0));
/// let bell = Arc::clone(&rung);
/// let inbox = Inbox::new(move || { bell.fetch_add(1, Ordering::Relaxed); });
/// inbox.command(Command::Stop);
/// inbox.command(Command::Stop);
/// assert_eq!(rung.load(Ordering::Relaxed), 1, "only the first found it empty");
/// ```
pub struct Inbox {
    queue: Mutex<Queue>,
    bell: Box<dyn Fn() + Send + Sync>,
}

/// What has come since the loop last looked.
struct Queue {
    parcels: Vec<Parcel>,
    command: Option<Command>,
    /// Of each kind, whether it was asked for.
    asked: [bool; Ask::ALL.len()],
    /// The last one counts.
    config: Option<Box<Config>>,
    /// By slot: the last wake.
    woken: Vec<Woken>,
    /// Slots that the loop may have: no other one is woken.
    slots_max: usize,
    /// How often the loop has looked, and once more.
    round: u64,
}

/// Which connection a wake was for, and in which round.
#[derive(Clone, Copy)]
struct Woken {
    round: u64,
    generation: u32,
}

impl Inbox {
    /// An empty inbox; `bell` wakes the poll and may be called from any thread.
    pub fn new(bell: impl Fn() + Send + Sync + 'static) -> Inbox {
        let queue = Queue {
            parcels: parcels(),
            command: None,
            asked: [false; Ask::ALL.len()],
            config: None,
            woken: table(),
            slots_max: 0,
            round: 1,
        };
        Inbox { queue: Mutex::new(queue), bell: Box::new(bell) }
    }

    /// Asks something of the loop.
    pub fn command(&self, command: Command) {
        self.ring_after(|queue| queue.command = Some(command.and(queue.command)));
    }

    pub(crate) fn ask(&self, ask: Ask) {
        self.ring_after(|queue| {
            if let Some(asked) = queue.asked.get_mut(ask as usize) {
                *asked = true;
            }
        });
    }

    /// Gives the loop other limits and times.
    pub(crate) fn configure(&self, config: Config) {
        self.ring_after(|queue| queue.config = Some(Box::new(config)));
    }

    pub(crate) fn put(&self, parcel: Parcel) {
        self.ring_after(|queue| queue.parcels.push(parcel));
    }

    fn ring_after(&self, change: impl FnOnce(&mut Queue)) {
        let mut queue = self.lock();
        let was_empty = queue.is_empty();
        change(&mut queue);
        let rings = was_empty && !queue.is_empty();
        drop(queue);
        if rings {
            (self.bell)();
        }
    }

    /// How many slots the loop has at most, or so many at least.
    pub(crate) fn serve(&self, slots_max: usize) {
        let mut queue = self.lock();
        queue.slots_max = queue.slots_max.max(slots_max);
    }

    /// Takes all that is there, leaving the (empty) vector given.
    pub(crate) fn swap(&self, parcels: &mut Vec<Parcel>) {
        let mut queue = self.lock();
        std::mem::swap(&mut queue.parcels, parcels);
        queue.round += 1;
        parcels.extend(queue.command.take().map(Parcel::Command));
        parcels.extend(queue.config.take().map(Parcel::Config));
        if queue.asked.contains(&true) {
            let asked = std::mem::take(&mut queue.asked);
            let asked = Ask::ALL.iter().zip(asked).filter(|(_, asked)| *asked);
            parcels.extend(asked.map(|(ask, _)| Parcel::Ask(*ask)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room for some of them, made at the start: it stays, and would lie among what
/// clients are lent.
pub(super) fn parcels() -> Vec<Parcel> {
    Vec::with_capacity(16)
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.parcels.is_empty()
            && self.command.is_none()
            && self.config.is_none()
            && !self.asked.contains(&true)
    }

    /// Queues a wake, unless that connection's is here already, or a later one's in
    /// its slot: then it is gone.
    fn wake(&mut self, id: ConnectionId) {
        let slot = id.slot as usize;
        if slot >= self.slots_max {
            return;
        }
        if self.woken.len() <= slot {
            self.woken.resize(slot + 1, Woken { round: 0, generation: 0 });
        }
        let (round, Some(woken)) = (self.round, self.woken.get_mut(slot)) else { return };
        let is_later = id.generation.wrapping_sub(woken.generation) as i32 > 0;
        if woken.round != round || is_later {
            *woken = Woken { round, generation: id.generation };
            self.parcels.push(Parcel::Wake(id));
        }
    }
}

impl Ask {
    const ALL: [Ask; 3] = [Ask::Turn, Ask::Report, Ask::Unready];
}

impl Command {
    /// Both in one.
    fn and(self, other: Option<Command>) -> Command {
        match (self, other) {
            (Command::Drain(one), Some(Command::Drain(two))) => Command::Drain(one.min(two)),
            (Command::Stop, _) | (_, Some(Command::Stop)) => Command::Stop,
            (only, None) => only,
        }
    }
}

impl Home for Inbox {
    fn wake(&self, connection: u64) {
        self.ring_after(|queue| queue.wake(ConnectionId::from(connection)));
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inbox")
    }
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Parcel::Exchange(id, _) => write!(f, "Exchange({id:?})"),
            Parcel::Sink(id, ..) => write!(f, "Sink({id:?})"),
            Parcel::Source(id, ..) => write!(f, "Source({id:?})"),
            Parcel::Wake(id) => write!(f, "Wake({id:?})"),
            Parcel::Warm(id) => write!(f, "Warm({id:?})"),
            Parcel::Sweep => f.write_str("Sweep"),
            Parcel::Command(command) => write!(f, "{command:?}"),
            Parcel::Ask(ask) => write!(f, "{ask:?}"),
            Parcel::Config(_) => write!(f, "Config"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn inbox(slots_max: usize) -> (Inbox, Arc<AtomicU32>) {
        let rung = Arc::<AtomicU32>::default();
        let bell = Arc::clone(&rung);
        let inbox = Inbox::new(move || {
            bell.fetch_add(1, Ordering::Relaxed);
        });
        inbox.serve(slots_max);
        (inbox, rung)
    }

    fn take(inbox: &Inbox) -> Vec<String> {
        let mut parcels = Vec::new();
        inbox.swap(&mut parcels);
        parcels.iter().map(|parcel| format!("{parcel:?}")).collect()
    }

    fn id(slot: u32, generation: u32) -> u64 {
        ConnectionId { slot, generation }.into()
    }

    #[test]
    fn a_connection_is_woken_once_however_often_it_is_called() {
        let (inbox, rung) = inbox(10);
        for round in 1..4 {
            for _ in 0..1_000_000 {
                inbox.wake(id(3, 7));
            }
            inbox.wake(id(4, 7));
            assert_eq!(inbox.lock().parcels.len(), 2);
            assert!(inbox.lock().parcels.capacity() <= 16);
            assert_eq!(take(&inbox).len(), 2);
            assert_eq!(rung.load(Ordering::Relaxed), round);
        }
        assert_eq!(take(&inbox), [""; 0]);
    }

    #[test]
    fn the_wake_of_one_who_is_gone_hides_nobodys() {
        let (inbox, _) = inbox(10);
        for generation in [6, 7, 6, 7, 6, 5] {
            inbox.wake(id(3, generation));
        }
        let all = take(&inbox);
        assert_eq!(all.len(), 2, "{all:?}");
        assert!(all[1].contains("generation: 7"), "{all:?}");
        // Generations wrap.
        inbox.wake(id(3, u32::MAX));
        inbox.wake(id(3, 0));
        assert_eq!(take(&inbox).len(), 2);
    }

    #[test]
    fn a_number_that_nobody_can_have_wakes_nobody() {
        let (inbox, rung) = inbox(10);
        for slot in [10, u32::MAX] {
            inbox.wake(id(slot, 0));
        }
        assert_eq!(take(&inbox), [""; 0]);
        assert_eq!(rung.load(Ordering::Relaxed), 0);
        assert!(inbox.lock().woken.is_empty());
    }

    #[test]
    fn questions_are_put_once() {
        let (inbox, rung) = inbox(1);
        for _ in 0..1000 {
            inbox.ask(Ask::Report);
            inbox.ask(Ask::Turn);
            inbox.configure(Config::default());
        }
        assert_eq!(rung.load(Ordering::Relaxed), 1);
        assert_eq!(take(&inbox), ["Config", "Turn", "Report"]);
        assert_eq!(take(&inbox), [""; 0]);
        for (i, ask) in Ask::ALL.iter().enumerate() {
            assert_eq!(*ask as usize, i);
            inbox.ask(*ask);
        }
        assert_eq!(rung.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn commands_become_the_one_that_comes_to_most() {
        let drain = |secs| Command::Drain(Duration::from_secs(secs));
        let cases: &[(&[Command], &str)] = &[
            (&[drain(5), drain(3), drain(9)], "Drain(3s)"),
            (&[drain(5), Command::Stop, drain(1)], "Stop"),
            (&[Command::Stop, Command::Stop], "Stop"),
        ];
        for (commands, comes_to) in cases {
            let (inbox, rung) = inbox(1);
            commands.iter().for_each(|command| inbox.command(*command));
            assert_eq!(take(&inbox), [*comes_to]);
            assert_eq!(rung.load(Ordering::Relaxed), 1);
        }
    }
}
