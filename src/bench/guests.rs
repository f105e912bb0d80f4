//! Clients that are a burden and not measured: idle ones, slow readers, and those
//! that send a head without end.
//!
//! Each is a socket and a step, driven by its timer. One that the server cuts
//! comes again after a second, but an idle one: it has nothing to say, so it is
//! only counted as lost.

use super::job::Job;
use super::plan;
use super::report::GuestReport;
use super::response::{Event, Parser};
use super::socket::Socket;
use crate::reactor::{Tick, Wheel};
use mio::{Poll, Token};
use std::io;
use std::time::Duration;

/// All of them; the first thread has them.
#[derive(Debug)]
pub(crate) struct Guests {
    list: Vec<Guest>,
    /// The token and the wheel's key of the first.
    first: usize,
    slow_rate: u32,
    opened: bool,
    report: GuestReport,
}

#[derive(Debug)]
struct Guest {
    kind: Kind,
    socket: Option<Socket>,
    ready: bool,
}

#[derive(Debug)]
enum Kind {
    Idle,
    /// Bytes of the request that were sent, and the reply.
    SlowReader {
        sent: usize,
        parser: Parser,
    },
    /// Bytes of the head that were sent.
    Slowloris {
        sent: usize,
    },
}

/// Between two steps of a slow reader.
const READ_EVERY: Duration = Duration::from_millis(100);
/// Between two bytes of a slow head.
const BYTE_EVERY: Duration = Duration::from_secs(1);
/// Before one that was cut comes again.
const AGAIN: Duration = Duration::from_secs(1);
/// Guests that are opened at once, and how often: a crowd must not hold up the loop.
const OPEN_AT_ONCE: usize = 100;
const OPEN_EVERY: Duration = Duration::from_millis(5);
/// Bytes that a step of a slow reader takes at most.
const STEP_MAX: usize = 64 * 1024;

impl Guests {
    pub(crate) fn new(plan: &plan::Guests, first: Option<usize>) -> Guests {
        let mut list = Vec::new();
        if first.is_some() {
            let add = |list: &mut Vec<Guest>, count, kind: fn() -> Kind| {
                let guest = || Guest { kind: kind(), socket: None, ready: false };
                list.extend(std::iter::repeat_with(guest).take(count));
            };
            add(&mut list, plan.slow_readers, || Kind::SlowReader {
                sent: 0,
                parser: Parser::new(),
            });
            add(&mut list, plan.slowloris, || Kind::Slowloris { sent: 0 });
            add(&mut list, plan.idle, || Kind::Idle);
        }
        Guests {
            list,
            first: first.unwrap_or(usize::MAX),
            slow_rate: plan.slow_rate,
            opened: false,
            report: GuestReport::default(),
        }
    }

    /// Has them come, some at a time.
    pub(crate) fn start(&mut self, job: &Job, poll: &Poll, wheel: &mut Wheel, now: Tick) {
        if std::mem::replace(&mut self.opened, true) {
            return;
        }
        for at in 0..self.list.len() {
            let number = self.first + at;
            let batch = u32::try_from(at / OPEN_AT_ONCE).unwrap_or(u32::MAX);
            if batch == 0 {
                self.open(at, job, poll, wheel, now);
            } else {
                wheel.arm(number as u32, now + OPEN_EVERY * batch, true);
            }
        }
    }

    /// What has become of them.
    pub(crate) fn report(&self) -> GuestReport {
        let open = |is: fn(&Kind) -> bool| {
            self.list.iter().filter(|guest| guest.ready && is(&guest.kind)).count() as u64
        };
        GuestReport {
            idle_open: open(|kind| matches!(kind, Kind::Idle)),
            slow_readers_open: open(|kind| matches!(kind, Kind::SlowReader { .. })),
            slowloris_open: open(|kind| matches!(kind, Kind::Slowloris { .. })),
            ..self.report
        }
    }

    /// The poll has news.
    pub(crate) fn event(
        &mut self,
        token: usize,
        event: &mio::event::Event,
        job: &Job,
        poll: &Poll,
    ) {
        let _ = (job, poll);
        let Some(at) = token.checked_sub(self.first) else { return };
        let Some(guest) = self.list.get_mut(at) else { return };
        let Some(socket) = &mut guest.socket else { return };
        if !guest.ready {
            match socket.ready() {
                Ok(ready) => guest.ready = ready,
                Err(_) => self.cut(at),
            }
            return;
        }
        // Idle ones and slow heads expect nothing, so anything is the end. Slow
        // readers look when it is time.
        let expects = matches!(guest.kind, Kind::SlowReader { .. });
        if event.is_readable() && !expects {
            let mut few = [0; 512];
            match socket.read(&mut few) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // An answer, such as 408: the end will follow.
                Ok(1..) => {}
                Ok(0) | Err(_) => self.cut(at),
            }
        }
        if event.is_read_closed() && !expects {
            self.cut(at);
        }
    }

    /// The wheel asks for this one.
    pub(crate) fn due(&mut self, key: usize, job: &Job, poll: &Poll, wheel: &mut Wheel, now: Tick) {
        let Some(at) = key.checked_sub(self.first) else { return };
        let rate = self.slow_rate;
        let Some(guest) = self.list.get_mut(at) else { return };
        let Some(socket) = &mut guest.socket else {
            return self.open(at, job, poll, wheel, now);
        };
        let stepped = match &mut guest.kind {
            _ if !guest.ready => Ok(0),
            Kind::Idle => return,
            Kind::SlowReader { sent, parser } => slow_read(socket, sent, parser, job, rate),
            Kind::Slowloris { sent } => slow_write(socket, sent, job),
        };
        let every = match &guest.kind {
            Kind::SlowReader { .. } => READ_EVERY,
            _ => BYTE_EVERY,
        };
        match stepped {
            Ok(bytes) => {
                if let Kind::SlowReader { .. } = guest.kind {
                    self.report.slow_bytes += bytes;
                }
                wheel.arm(key as u32, now + every, true);
            }
            Err(_) => {
                self.cut(at);
                wheel.arm(key as u32, now + AGAIN, true);
            }
        }
    }

    fn open(&mut self, at: usize, job: &Job, poll: &Poll, wheel: &mut Wheel, now: Tick) {
        let (Some(guest), Some(origin)) = (self.list.get_mut(at), job.origins.first()) else {
            return;
        };
        let key = self.first + at;
        let made = match &mut guest.kind {
            Kind::Idle => Socket::connect(&origin.address),
            Kind::SlowReader { sent, parser } => {
                *sent = 0;
                parser.reset();
                Socket::connect_narrow(&origin.address)
            }
            Kind::Slowloris { sent } => {
                *sent = 0;
                Socket::connect(&origin.address)
            }
        };
        let made = made.and_then(|mut socket| {
            socket.watch(poll.registry(), Token(key))?;
            Ok(socket)
        });
        guest.ready = false;
        guest.socket = made.ok();
        if guest.socket.is_none() {
            self.report.failed += 1;
        }
        if guest.socket.is_none() || !matches!(guest.kind, Kind::Idle) {
            wheel.arm(key as u32, now + READ_EVERY, true);
        }
    }

    /// The server doesn't want it, or not any more.
    fn cut(&mut self, at: usize) {
        let Some(guest) = self.list.get_mut(at) else { return };
        let was_ready = std::mem::replace(&mut guest.ready, false);
        guest.socket = None;
        match guest.kind {
            _ if !was_ready => self.report.failed += 1,
            Kind::Idle => self.report.idle_cut += 1,
            Kind::SlowReader { .. } => self.report.slow_readers_cut += 1,
            Kind::Slowloris { .. } => self.report.slowloris_cut += 1,
        }
    }
}

/// Sends the request, then takes its share of the reply.
fn slow_read(
    socket: &mut Socket,
    sent: &mut usize,
    parser: &mut Parser,
    job: &Job,
    rate: u32,
) -> io::Result<u64> {
    let request = job.targets.first().map_or(&[][..], |target| &target.request);
    if let Some(rest) = request.get(*sent..).filter(|rest| !rest.is_empty()) {
        *sent += or_later(socket.write(rest))?;
    }
    let mut buffer = [0; STEP_MAX];
    let share = (rate as usize / 10).clamp(1, STEP_MAX);
    let Some(share) = buffer.get_mut(..share) else { return Ok(0) };
    let count = match socket.read(share) {
        Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
        other => or_later(other)?,
    };
    let mut rest = share.get(..count).unwrap_or(&[]);
    loop {
        let (taken, event) =
            parser.take(rest, job.asked).map_err(|_| io::ErrorKind::InvalidData)?;
        rest = rest.get(taken..).unwrap_or(&[]);
        match event {
            Event::End => *sent = 0, // once more
            Event::More if rest.is_empty() => break,
            _ => {}
        }
    }
    Ok(count as u64)
}

/// One more byte of a head that never ends.
fn slow_write(socket: &mut Socket, sent: &mut usize, job: &Job) -> io::Result<u64> {
    // The last CRLF is left out, and then comes one field after the other.
    let head = job.targets.first().map_or(&[][..], |target| &target.request);
    let end = memchr::memmem::find(head, b"\r\n\r\n").map_or(0, |at| at + 2);
    let byte = match head.get(..end).and_then(|head| head.get(*sent)) {
        Some(byte) => *byte,
        None => ENDLESS.get((*sent - end) % ENDLESS.len()).copied().unwrap_or(b'a'),
    };
    let count = or_later(socket.write(&[byte]))?;
    *sent += count;
    Ok(count as u64)
}

/// Nothing for now is no error.
fn or_later(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}

/// Fields, one after the other.
const ENDLESS: &[u8] = b"a: b\r\n";
