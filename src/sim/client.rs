//! A client that follows its plan and checks what it gets.

use super::link::{Link, Side};
use super::plan::{Closes, Expected, Op, Plan, Wanted};
use super::replies::{Replies, Reply};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// The client's end of a [`Link`].
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) link: Rc<RefCell<Link>>,
    plan: Plan,
    /// The next thing to do, and how far it was done.
    at: usize,
    sent: usize,
    /// Until when it does nothing; until when it reads nothing.
    waits: Option<Duration>,
    deaf_until: Duration,
    replies: Replies,
    count: usize,
    /// A reply said, or was, the last one.
    last: bool,
    end: Option<Side>,
    pub(crate) bytes: u64,
    state: Doing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Waiting,
    Talking,
    Done,
}

/// When a client wants to be looked at again, unless something stirs.
pub(crate) type Again = Option<Duration>;

impl Client {
    pub(crate) fn new(plan: Plan, link: Rc<RefCell<Link>>) -> Client {
        Client {
            link,
            plan,
            at: 0,
            sent: 0,
            waits: None,
            deaf_until: Duration::ZERO,
            replies: Replies::default(),
            count: 0,
            last: false,
            end: None,
            bytes: 0,
            state: Doing::Waiting,
        }
    }

    pub(crate) fn starts(&self) -> Duration {
        self.plan.starts
    }

    pub(crate) fn connect(&mut self) {
        self.state = Doing::Talking;
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state == Doing::Done
    }

    /// What it is doing, for a report.
    pub(crate) fn status(&self) -> String {
        let Client { at, sent, count, state, end, .. } = self;
        let mut op = format!("{:?}", self.plan.ops.get(*at));
        op.truncate(60);
        let link = self.link.borrow();
        format!("{state:?} at {at} ({op}, {sent} sent), {count} replies, end {end:?}; {link}")
    }

    /// Complete replies so far.
    pub(crate) fn replies(&self) -> usize {
        self.count
    }

    /// Goes on with the plan as far as possible.
    pub(crate) fn act(&mut self, now: Duration) -> Result<Again, String> {
        while self.state == Doing::Talking {
            if self.end.is_some() {
                // Nobody is there to talk to.
                self.state = Doing::Done;
                self.link.borrow_mut().client_closes();
                self.at_end()?;
                return Ok(None);
            }
            let Some(op) = self.plan.ops.get(self.at) else { break };
            match op {
                Op::Send(bytes) => {
                    let rest = bytes.get(self.sent..).unwrap_or(&[]);
                    self.sent += self.link.borrow_mut().deliver(rest);
                    if self.sent < bytes.len() {
                        return Ok(None); // until it stirs
                    }
                    self.sent = 0;
                }
                Op::Think(time) => {
                    if let Some(again) = self.waited(now, *time) {
                        return Ok(again);
                    }
                }
                Op::AwaitContinue(index) => {
                    if self.count <= *index
                        && self.replies.interim() == 0
                        && let Some(again) = self.waited(now, Duration::from_secs(1))
                    {
                        return Ok(again);
                    }
                    self.waits = None;
                }
                Op::Await(count) if self.count < *count => return Ok(None),
                Op::Await(_) => {}
                Op::AwaitEnd if self.is_overdue() => {
                    return match self.waited(now, END_MAX) {
                        None => Err("the connection stays open after the last reply".to_owned()),
                        Some(again) => Ok(again),
                    };
                }
                Op::AwaitEnd => return Ok(None),
                Op::Pause(time) => self.deaf_until = now + *time,
                Op::HalfClose => self.link.borrow_mut().client_ends(),
                Op::Reset => {
                    self.link.borrow_mut().client_resets();
                    self.state = Doing::Done;
                }
                Op::Close => {
                    self.link.borrow_mut().client_closes();
                    self.state = Doing::Done;
                    self.at_end()?;
                }
            }
            self.at += 1;
        }
        Ok(None)
    }

    /// `None`: the time is over; else when to come back.
    fn waited(&mut self, now: Duration, time: Duration) -> Option<Again> {
        let until = *self.waits.get_or_insert(now + time);
        if until > now {
            return Some(Some(until));
        }
        self.waits = None;
        None
    }

    fn is_overdue(&self) -> bool {
        self.last && !self.plan.lenient
    }

    /// Reads once; when to read again.
    pub(crate) fn read(&mut self, now: Duration) -> Result<Again, String> {
        if self.state != Doing::Talking {
            return Ok(None);
        }
        if now < self.deaf_until {
            return Ok(Some(self.deaf_until));
        }
        let (most, pause) = self.plan.reads;
        let bytes = self.link.borrow_mut().take(most);
        self.bytes += bytes.len() as u64;
        self.replies.take(&bytes);
        self.check()?;
        let link = self.link.borrow();
        if link.holds_for_client() > 0 {
            return Ok(Some(now + pause));
        }
        if self.end.is_none() {
            self.end = link.server_end();
        }
        Ok(None)
    }

    /// When something stirred, how long it takes to be noticed.
    pub(crate) fn latency(&self) -> Duration {
        self.plan.reads.1
    }

    fn expected(&self) -> Option<&Expected> {
        self.plan.expected.get(self.count)
    }

    fn check(&mut self) -> Result<(), String> {
        loop {
            let to_head = self.expected().is_some_and(|it| it.to_head);
            match self.replies.next(to_head) {
                Ok(Some(reply)) => self.check_reply(&reply)?,
                Ok(None) => break,
                Err(what) => return Err(format!("reply {}: {what}", self.count)),
            }
        }
        self.check_partial()
    }

    fn check_reply(&mut self, reply: &Reply) -> Result<(), String> {
        let index = self.count;
        if self.last {
            return Err(format!("a reply behind the last one: {}", show(reply)));
        }
        self.count += 1;
        let refusal = matches!(reply.status, 400 | 408 | 413 | 503) && reply.closes;
        let Some(expected) = self.plan.expected.get(index) else {
            self.last = true;
            // Overload and work that takes too long are answers to a request.
            let fits = refusal && reply.status != 503 && self.plan.lenient;
            return if fits { Ok(()) } else { Err(format!("unasked: {}", show(reply))) };
        };
        let fits = match &expected.wanted {
            Wanted::Reply(status, body) => *status == reply.status && *body == reply.body,
            _ => false,
        };
        if fits {
            let (low, high) = expected.interim;
            let interim = reply.interim.len();
            if interim > high || (interim < low && !self.plan.lenient) {
                return Err(format!("reply {index}: {interim} interim replies"));
            }
            self.last = expected.closes == Closes::Yes || reply.closes;
            if reply.closes && expected.closes == Closes::No && !self.plan.lenient {
                return Err(format!("reply {index} closes without reason"));
            }
            return Ok(());
        }
        let refused = reply.status == 503 && expected.may_be_refused && reply.closes;
        if refused || (refusal && self.plan.lenient) {
            self.last = true;
            return Ok(());
        }
        Err(format!("reply {index}: {}, but expected {}", show(reply), describe(expected)))
    }

    /// What has come of a reply must not be wrong already.
    fn check_partial(&self) -> Result<(), String> {
        let Some(partial) = self.replies.partial().filter(|partial| partial.status == 200) else {
            return Ok(());
        };
        let body = match self.expected().map(|it| &it.wanted) {
            Some(Wanted::Reply(_, body) | Wanted::Cut(body)) => body,
            _ => return Ok(()),
        };
        if !body.starts_with(&partial.body) {
            return Err(format!("reply {}: wrong bytes so far: {}", self.count, show(partial)));
        }
        Ok(())
    }

    /// Whether it may end here.
    fn at_end(&mut self) -> Result<(), String> {
        let cut = matches!(self.expected().map(|it| &it.wanted), Some(Wanted::Cut(_)));
        if self.end == Some(Side::Closed) || self.end == Some(Side::Ended) {
            if self.replies.is_until_close() && cut {
                return Ok(());
            }
            let ended = self.replies.end();
            if let Some(reply) = ended.filter(|_| !self.plan.lenient) {
                self.check_reply(&reply)?;
            }
        }
        if self.plan.lenient {
            return Ok(());
        }
        if let Some(partial) = self.replies.partial().filter(|_| !cut) {
            return Err(format!("reply {} ends too early: {}", self.count, show(partial)));
        }
        let open = self.expected().filter(|_| !self.last && !cut);
        let Some(expected) = open else { return Ok(()) };
        if matches!(expected.wanted, Wanted::Nothing) {
            return Ok(());
        }
        let before = self.count.checked_sub(1).and_then(|index| self.plan.expected.get(index));
        if before.is_some_and(|it| it.closes == Closes::Maybe) {
            return Ok(());
        }
        let end = self.end;
        Err(format!("no reply {}, expected {}; {end:?}", self.count, describe(expected)))
    }
}

/// How long a server may take to end a connection after its last reply: some slow
/// pulls of a source that only says then that it is done, less than the idle time.
const END_MAX: Duration = Duration::from_secs(60);

fn show(reply: &Reply) -> String {
    let start: String = String::from_utf8_lossy(&reply.body).chars().take(40).collect();
    let Reply { status, body, closes, interim, .. } = reply;
    format!("{status}, {} bytes {start:?}, closes: {closes}, interim {interim:?}", body.len())
}

fn describe(expected: &Expected) -> String {
    let what = match &expected.wanted {
        Wanted::Reply(status, body) => {
            let start: String = String::from_utf8_lossy(body).chars().take(40).collect();
            format!("{status}, {} bytes {start:?}", body.len())
        }
        Wanted::Cut(body) => format!("a cut within {} bytes", body.len()),
        Wanted::Nothing => "nothing".to_owned(),
    };
    format!("{what}, closes: {:?}", expected.closes)
}
