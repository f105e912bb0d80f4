//! The real world: mio's poll, the system's clock, sockets, and threads.

use crate::error::Error;
use crate::helper::{self, Pool};
use crate::http::{FileSpan, Lane, Peer};
use crate::net::{Listener, Residents, Stream};
use crate::reactor::{Bits, Errand, Inbox, Ready, Source, World};
use mio::{Events, Interest, Poll, Token, Waker};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use std::{
    sync::mpsc::{SyncSender, sync_channel},
    thread,
};

/// The waker's token; listeners come after it, then the slots.
const WAKER: usize = 0;
/// Events taken from the kernel at once. With more ready, the rest comes with
/// the next turn, which then does not wait.
const EVENTS_PER_TURN: usize = 1024;
/// For a thread that does next to nothing.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const STACK: usize = 64 * 1024;

/// Everything outside the loop, for real.
#[derive(Debug)]
pub(crate) struct RealWorld {
    poll: Poll,
    events: Events,
    listeners: Vec<Option<Listener>>,
    pool: Arc<Pool>,
    residents: Residents,
    /// Whether the end of a wait is noted, and when the last one was.
    notes_return: bool,
    returned: Option<Instant>,
}

impl RealWorld {
    /// Registers the listeners, and makes the inbox whose bell ends the poll.
    pub(crate) fn new(
        mut listeners: Vec<Listener>,
        pool: Arc<Pool>,
    ) -> Result<(RealWorld, Arc<Inbox>), Error> {
        let poll = Poll::new().map_err(Error::io("opening a poll"))?;
        let waker = Waker::new(poll.registry(), Token(WAKER)).map_err(Error::io("a waker"))?;
        for (i, listener) in listeners.iter_mut().enumerate() {
            poll.registry()
                .register(listener, Token(WAKER + 1 + i), Interest::READABLE)
                .map_err(Error::io("watching a listener"))?;
        }
        let inbox = Inbox::new(move || {
            if let Err(error) = waker.wake() {
                log::error!("the loop can't be woken: {error}");
            }
        });
        let world = RealWorld {
            poll,
            events: Events::with_capacity(EVENTS_PER_TURN),
            listeners: listeners.into_iter().map(Some).collect(),
            pool,
            residents: Residents::default(),
            notes_return: false,
            returned: None,
        };
        Ok((world, Arc::new(inbox)))
    }

    fn first_slot(&self) -> usize {
        WAKER + 1 + self.listeners.len()
    }
}

impl World for RealWorld {
    type Socket = Stream;

    fn now(&mut self) -> Instant {
        Instant::now()
    }

    fn wall(&mut self) -> SystemTime {
        SystemTime::now()
    }

    #[inline]
    fn poll(&mut self, wait: Option<Duration>, mut ready: impl FnMut(Ready)) -> io::Result<()> {
        match self.poll.poll(&mut self.events, wait) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        if self.notes_return {
            self.returned = Some(Instant::now());
        }
        let first_slot = self.first_slot();
        for event in &self.events {
            let token = event.token().0;
            let source = match token {
                WAKER => Source::Inbox,
                _ if token < first_slot => Source::Listener((token - WAKER - 1) as u32),
                _ => Source::Slot((token - first_slot) as u32),
            };
            let read_closed = event.is_read_closed();
            let gone = event.is_error() || (read_closed && event.is_write_closed());
            let bits = Bits::NONE
                .with(Bits::READABLE, event.is_readable())
                .with(Bits::WRITABLE, event.is_writable())
                .with(Bits::HALF_CLOSED, read_closed)
                .with(Bits::GONE, gone);
            ready(Ready { source, bits });
        }
        Ok(())
    }

    fn note_return(&mut self, noted: bool) {
        (self.notes_return, self.returned) = (noted, None);
    }

    fn returned(&self) -> Option<Instant> {
        self.returned
    }

    fn listeners(&self) -> usize {
        self.listeners.len()
    }

    fn accept(&mut self, listener: usize) -> io::Result<(Stream, Peer)> {
        match self.listeners.get_mut(listener) {
            Some(Some(listener)) => listener.accept(),
            _ => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn close_listener(&mut self, listener: usize) {
        let Some(place) = self.listeners.get_mut(listener) else { return };
        // Dropping it closes it. That ends the watch only if nobody else has the same
        // socket: another process may, to which it was handed over.
        if let Some(mut closing) = place.take()
            && let Err(error) = self.poll.registry().deregister(&mut closing)
        {
            log::debug!("a listener that is closed is still watched: {error}");
        }
    }

    fn register(&mut self, socket: &mut Stream, slot: u32) -> io::Result<()> {
        let token = Token(self.first_slot() + slot as usize);
        self.poll.registry().register(socket, token, Interest::READABLE | Interest::WRITABLE)
    }

    fn deregister(&mut self, socket: &mut Stream) {
        if let Err(error) = self.poll.registry().deregister(socket) {
            log::debug!("a socket that leaves is still watched: {error}");
        }
    }

    fn is_resident(&mut self, part: &FileSpan) -> bool {
        self.residents.has(part, Instant::now)
    }

    fn submit(&mut self, errand: Errand) -> Result<(), Errand> {
        let lane = match errand.lane() {
            Lane::Engine => helper::Lane::Engine,
            Lane::Application => helper::Lane::Application,
            Lane::Serial => helper::Lane::Serial,
        };
        // Refused, the errand is needed again, and it can't be had back out of
        // a closure: both share it.
        let errand = Arc::new(Mutex::new(Some(errand)));
        let task = Arc::clone(&errand);
        let run = move || {
            let errand = task.lock().unwrap_or_else(PoisonError::into_inner).take();
            errand.into_iter().for_each(Errand::run);
        };
        match self.pool.submit(lane, Box::new(run)) {
            Ok(()) => Ok(()),
            Err(_) => match errand.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(errand) => Err(errand),
                None => Ok(()),
            },
        }
    }

    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn sweeper(&mut self) -> Option<SyncSender<Vec<Vec<u8>>>> {
        let (sender, pieces) = sync_channel::<Vec<Vec<u8>>>(1);
        let thread = thread::Builder::new().name("onepoll-sweeper".to_owned());
        match thread.stack_size(STACK).spawn(move || pieces.into_iter().for_each(drop)) {
            Ok(_) => Some(sender),
            Err(error) => {
                log::debug!("a burst's memory stays: no thread: {error}");
                None
            }
        }
    }
}

impl AsFd for RealWorld {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poll.registry().as_fd()
    }
}
