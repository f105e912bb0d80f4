//! The application under simulation: does what each target says, and keeps books.

use super::content::{self, Sum};
use super::program::{Act, Ending, Program, Stream};
use super::rng::Rng;
use crate::http::{
    Body, ContentType, End, Exchange, FileSpan, Intake, Job, Lane, Outcome, Part, Pull, Request,
    Response, Service, Sink, Source, Status, Step, Switched, Wake,
};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What happened to the exchanges, and what was wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// By serial number: how often it was finished.
    finished: Vec<u8>,
    pub(crate) sent: u64,
    /// Connections that left HTTP, as their replies say, and as their new owners do.
    switched: usize,
    taken_over: Arc<AtomicUsize>,
    pub(crate) wrong: Option<String>,
}

/// Wakes that sources asked for, with the time until then; read by the world.
pub(crate) type Wakes = Arc<Mutex<Vec<(Duration, Wake)>>>;

/// The service. Its parts that travel count themselves in `alive`.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) ledger: Rc<RefCell<Ledger>>,
    pub(crate) wakes: Wakes,
    pub(crate) alive: Arc<AtomicUsize>,
    /// Clients are whom a PROXY header names.
    pub(crate) proxied: bool,
}

impl Ledger {
    /// What is wrong at the end.
    pub(crate) fn verdict(&self) -> Result<(), String> {
        if let Some(wrong) = &self.wrong {
            return Err(wrong.clone());
        }
        for (serial, count) in self.finished.iter().enumerate() {
            let wanted = u8::from(is_observed(serial as u32));
            if *count != wanted {
                return Err(format!("exchange {serial}: finished {count} times, not {wanted}"));
            }
        }
        let taken = self.taken_over.load(Ordering::Relaxed);
        if taken != self.switched {
            return Err(format!("{} connections have left HTTP, {taken} owned", self.switched));
        }
        Ok(())
    }

    fn complain(&mut self, what: String) {
        self.wrong.get_or_insert(what);
    }
}

/// Some exchanges are not observed, so that both ways are gone.
fn is_observed(serial: u32) -> bool {
    serial % 4 != 3
}

impl Service for Scripted {
    fn begin(&mut self, mut exchange: Box<Exchange>) -> Step {
        self.check_fresh(&exchange);
        self.check_peer(&exchange);
        let mut ledger = self.ledger.borrow_mut();
        exchange.bookmark.route = Some(ledger.finished.len() as u32);
        log::trace!("exchange {}: {}", ledger.finished.len(), exchange.request.target());
        ledger.finished.push(0);
        drop(ledger);
        self.go_on(exchange)
    }

    fn resume(&mut self, mut exchange: Box<Exchange>) -> Step {
        if let Some(status) = exchange.failed {
            exchange.response = Response::new(status).text("failed\n");
            return Step::Respond(exchange);
        }
        self.go_on(exchange)
    }

    fn observes(&self, exchange: &Exchange) -> bool {
        exchange.bookmark.route.is_some_and(is_observed)
    }

    fn finish(&mut self, exchange: &mut Exchange, outcome: &Outcome) {
        let mut ledger = self.ledger.borrow_mut();
        let serial = exchange.bookmark.route.unwrap_or(u32::MAX);
        log::trace!("exchange {serial}: {:?}", outcome.end);
        match ledger.finished.get_mut(serial as usize) {
            Some(count) => *count = count.saturating_add(1),
            None => ledger.complain(format!("exchange {serial} finished and never begun")),
        }
        match outcome.end {
            End::Sent if outcome.bytes == 0 => ledger.complain(format!("{serial} sent 0 bytes")),
            End::Sent => {
                ledger.sent += 1;
                ledger.switched += usize::from(outcome.status == Status::SWITCHING_PROTOCOLS);
            }
            _ => {}
        }
        if outcome.ended.instant < outcome.started {
            ledger.complain(format!("{serial} ended before it started"));
        }
    }
}

impl Scripted {
    /// Whose header it was is whose request it is.
    fn check_peer(&self, exchange: &Exchange) {
        let peer = exchange.request.peer().to_string();
        if peer.starts_with("192.0.2.") != self.proxied {
            self.ledger.borrow_mut().wrong = Some(format!("a request of {peer}"));
        }
    }

    /// An exchange that begins must have nothing of the one before.
    fn check_fresh(&self, exchange: &Exchange) {
        let Exchange { request, response, bookmark, failed, .. } = exchange;
        let stale = if !response.is_fresh() || response.status() != Status::OK {
            "response"
        } else if bookmark.route.is_some() || bookmark.note.is_some() || bookmark.entered != 0 {
            "bookmark"
        } else if failed.is_some() {
            "failed"
        } else if !request.body().is_empty() {
            "body"
        } else if !request.trailers().is_empty() {
            "trailers"
        } else if request.extension::<Sum>().is_some() {
            "extensions"
        } else if exchange.gone() {
            "gone"
        } else {
            return;
        };
        let what = format!("{}: a fresh exchange has an old {stale}", request.target());
        self.ledger.borrow_mut().complain(what);
    }

    fn go_on(&self, mut exchange: Box<Exchange>) -> Step {
        let Ok(program) = exchange.request.target().parse::<Program>() else {
            exchange.response = Response::new(Status::NOT_FOUND).text("no program\n");
            return Step::Respond(exchange);
        };
        let at = usize::from(exchange.bookmark.entered);
        exchange.bookmark.entered += 1;
        let Some(act) = program.acts.get(at) else { return self.end(exchange, &program) };
        match *act {
            Act::Sleep(ms) => Step::Sleep(exchange, Duration::from_millis(ms)),
            Act::Job => Step::Offload(exchange, Job::new(job)),
            Act::EngineJob => Step::Offload(exchange, Job::new(job).lane(Lane::Engine)),
            Act::SerialJob => Step::Offload(exchange, Job::new(job).lane(Lane::Serial)),
            Act::Buffer(max) => Step::Receive(exchange, Intake::Buffer { max }),
            Act::Inline(max) => {
                let sink = self.sink(false);
                Step::Receive(exchange, Intake::Inline { sink, max })
            }
            Act::Blocking(max) => {
                let sink = self.sink(false);
                Step::Receive(exchange, Intake::Blocking { sink, max })
            }
            Act::Failing(true) => {
                let sink = self.sink(true);
                Step::Receive(exchange, Intake::Blocking { sink, max: u64::MAX })
            }
            Act::Failing(false) => {
                let sink = self.sink(true);
                Step::Receive(exchange, Intake::Inline { sink, max: u64::MAX })
            }
        }
    }

    fn end(&self, mut exchange: Box<Exchange>, program: &Program) -> Step {
        let bytes = ContentType::BYTES;
        let response = Response::new(Status::OK);
        exchange.response = match program.ending {
            Ending::None => Response::new(Status::NO_CONTENT),
            Ending::Switch => self.switch(is_observed(exchange.bookmark.route.unwrap_or(0))),
            Ending::Owned(key, len) => {
                response.content(bytes, Body::Owned(content::part(key, len).to_vec()))
            }
            Ending::Static(key, len) => {
                response.content(bytes, Body::Static(content::part(key, len)))
            }
            Ending::Shared(key, len) => {
                response.content(bytes, Body::Shared(Arc::from(content::part(key, len))))
            }
            Ending::File(key, len) => match self.span(key, len) {
                Some(span) => response.content(bytes, Body::File(span)),
                None => response,
            },
            Ending::Pieces(key, len) => {
                response.content(bytes, Body::Pieces(self.pieces(key, len)))
            }
            Ending::Echo => match exchange.request.extension::<Sum>() {
                Some(sum) => response.text(sum.text()),
                None => {
                    let body = exchange.request.take_body();
                    response.content(bytes, Body::Owned(body))
                }
            },
            Ending::Close(key, len) => {
                let mut response =
                    response.content(bytes, Body::Owned(content::part(key, len).to_vec()));
                response.close();
                response
            }
            Ending::Stream(stream) => {
                response.content(bytes, self.stream(stream, &exchange.request))
            }
        };
        Step::Respond(exchange)
    }

    fn span(&self, key: usize, len: usize) -> Option<FileSpan> {
        match content::file() {
            Ok(file) => Some(FileSpan { file, offset: key as u64, len: len as u64 }),
            Err(error) => {
                self.ledger.borrow_mut().complain(format!("no temporary file: {error}"));
                None
            }
        }
    }

    /// That part in pieces of every kind, files at both ends of one another.
    fn pieces(&self, key: usize, len: usize) -> Vec<Part> {
        let (mut parts, fifth) = (Vec::new(), len / 5);
        let mut at = key;
        for kind in 0..6 {
            let len = if kind < 5 { fifth } else { key + len - at };
            let bytes = content::part(at, len);
            let part = match kind {
                0 => Some(Part::Owned(bytes.to_vec())),
                1 | 2 => self.span(at, len).map(Part::File),
                3 => Some(Part::Shared(Arc::from(bytes))),
                4 => {
                    let from = at.min(1);
                    let more = content::part(at - from, from + len + 1);
                    Some(Part::Slice(Arc::from(more), from..from + len))
                }
                _ => Some(Part::Static(bytes)),
            };
            parts.extend(part);
            at += len;
        }
        parts
    }

    /// Those that are not observed are not counted.
    fn switch(&self, counts: bool) -> Response {
        let taken = Arc::clone(&self.ledger.borrow().taken_over);
        let takeover = move |switched: Switched| {
            // What was read too much is the beginning of what the client sent.
            assert!(content::part(0, 3_000).starts_with(&switched.unread), "wrong bytes left");
            taken.fetch_add(usize::from(counts), Ordering::Relaxed);
        };
        let body = Body::Switch(Box::new(takeover));
        Response::new(Status::SWITCHING_PROTOCOLS).header("Upgrade", "sim").body(body)
    }

    fn sink(&self, fails: bool) -> Box<dyn Sink> {
        Box::new(Taker { sum: Sum::EMPTY, fails, _alive: Alive::new(&self.alive) })
    }

    fn stream(&self, stream: Stream, request: &Request) -> Body {
        let giver = Giver {
            left: content::part(stream.key, stream.len),
            fails: stream.fails,
            pauses: 6,
            rng: Rng::new(stream.seed),
            wake: request.waker(),
            wakes: Arc::clone(&self.wakes),
            _alive: Alive::new(&self.alive),
        };
        // A source that fails promises a byte that never comes.
        let len = stream.known.then_some(stream.len as u64 + u64::from(stream.fails));
        match stream.blocking {
            true => Body::Blocking(Box::new(giver), len),
            false => Body::Inline(Box::new(giver), len),
        }
    }
}

/// A job with nothing to do but to be away for a while.
fn job(exchange: &mut Exchange) {
    exchange.bookmark.note = Some(Box::new("a job was here"));
}

/// Counts itself while it lives.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Alive {
        count.fetch_add(1, Ordering::Relaxed);
        Alive(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A sink that sums up.
struct Taker {
    sum: Sum,
    fails: bool,
    _alive: Alive,
}

impl Sink for Taker {
    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.sum.add(chunk);
        if self.fails { Err(io::Error::other("scripted")) } else { Ok(()) }
    }

    fn finish(&mut self, request: &mut Request) -> io::Result<()> {
        if self.fails {
            return Err(io::ErrorKind::StorageFull.into());
        }
        request.extend(self.sum);
        Ok(())
    }
}

/// A source that gives its bytes in pieces, with pauses.
struct Giver {
    left: &'static [u8],
    fails: bool,
    /// Pauses that it may still make.
    pauses: u32,
    rng: Rng,
    wake: Option<Wake>,
    wakes: Wakes,
    _alive: Alive,
}

impl Source for Giver {
    fn pull(&mut self, out: &mut Vec<u8>, room: usize) -> io::Result<Pull> {
        let most = if self.rng.once_in(3) { room } else { 2_000 };
        let len = self.rng.below(most.min(room) + 1).min(self.left.len());
        let (piece, rest) = self.left.split_at_checked(len).unwrap_or((self.left, &[]));
        let pausing = self.pauses > 0 && self.rng.once_in(3);
        if pausing {
            self.pauses -= 1;
            if self.rng.once_in(2) {
                self.left = rest;
                out.extend_from_slice(piece);
            }
            return Ok(self.pause());
        }
        let piece = if piece.is_empty() { self.left.get(..1).unwrap_or(&[]) } else { piece };
        self.left = self.left.get(piece.len()..).unwrap_or(&[]);
        out.extend_from_slice(piece);
        match self.left.is_empty() {
            false => Ok(Pull::More),
            true if self.fails => Err(io::Error::other("scripted")),
            true => Ok(Pull::End),
        }
    }

    fn leave(&mut self) -> bool {
        self.rng.once_in(2)
    }
}

impl Giver {
    fn pause(&mut self) -> Pull {
        let time = Duration::from_micros(self.rng.below(60_000) as u64);
        match (self.rng.below(3), &self.wake) {
            (0, _) | (_, None) => Pull::After(time),
            // The producer comes just when we have looked and found nothing.
            (1, Some(wake)) => {
                wake.wake();
                Pull::Pending
            }
            (_, Some(wake)) => {
                let mut wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
                wakes.push((time, wake.clone()));
                Pull::Pending
            }
        }
    }
}
