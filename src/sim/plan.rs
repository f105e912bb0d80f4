//! What a client is going to do, and what it must get for it.

use super::content::{self, KEYS, Sum};
use super::program::{Act, Ending, Program, Stream};
use super::rng::Rng;
use std::fmt::Write;
use std::time::Duration;

/// A client's life.
#[derive(Debug)]
pub(crate) struct Plan {
    /// When it connects.
    pub(crate) starts: Duration,
    pub(crate) ops: Vec<Op>,
    pub(crate) expected: Vec<Expected>,
    /// How it reads: so many bytes, then a pause.
    pub(crate) reads: (usize, Duration),
    /// Whatever it gets must fit, but it can't count on getting all.
    pub(crate) lenient: bool,
}

/// One thing that a client does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Op {
    Send(Vec<u8>),
    Think(Duration),
    /// Wait until so many final replies are here, or the end.
    Await(usize),
    /// Wait for 100 Continue, a final reply to this request, or for a second.
    AwaitContinue(usize),
    /// Read nothing for a while.
    Pause(Duration),
    HalfClose,
    Reset,
    /// Wait for the server's end.
    AwaitEnd,
    Close,
}

/// What a request must get.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) to_head: bool,
    pub(crate) wanted: Wanted,
    pub(crate) closes: Closes,
    /// A job may be refused: then it is 503, and the end.
    pub(crate) may_be_refused: bool,
    /// How many 100s at least and at most.
    pub(crate) interim: (usize, usize),
}

#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// A whole reply.
    Reply(u16, Vec<u8>),
    /// A reply that begins like this and is not completed.
    Cut(Vec<u8>),
    /// The end, without a reply.
    Nothing,
}

/// Whether the connection ends with a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closes {
    No,
    Maybe,
    Yes,
}

/// What the plans of a run have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Requests after which the server closes.
    pub(crate) requests_max: usize,
    /// Everything that makes an outcome uncertain is left out, or not.
    pub(crate) rude: bool,
}

/// A request and what comes of it.
struct Ask {
    head: Vec<u8>,
    body: Vec<u8>,
    waits: bool,
    expected: Expected,
    /// So much is unread when the reply is sent that a reset may eat it.
    lossy: bool,
    /// A half-close may cut the reply.
    endless: bool,
    /// It says itself that it is the client's last.
    says_last: bool,
}

impl Plan {
    pub(crate) fn new(rng: &mut Rng, style: Style) -> Plan {
        let pipelined = rng.once_in(3);
        let slow = rng.once_in(4);
        let reads = match slow {
            true => (rng.between(800, 6_000), Duration::from_millis(100)),
            false => (64 * 1024, Duration::from_micros(rng.below(2_000) as u64)),
        };
        let mut plan = Plan {
            starts: Duration::from_micros(rng.below(400_000) as u64),
            ops: Vec::new(),
            expected: Vec::new(),
            reads,
            lenient: style.rude,
        };
        plan.ops.push(Op::Think(Duration::from_micros(rng.below(300_000) as u64)));
        let most = if rng.once_in(8) { 60 } else { 6 };
        let count = rng.between(1, most);
        let (mut endless, mut ignored) = (false, 0);
        for index in 0..count {
            let last = index + 1 == count;
            let mut ask = Ask::new(rng, last);
            if index + 1 >= style.requests_max && ask.expected.closes == Closes::No {
                ask.expected.closes = Closes::Yes;
            }
            let (closes, says_last) = (ask.expected.closes, ask.says_last);
            plan.lenient |= ask.lossy;
            // A cut may come as a reset, which eats what was not read yet.
            plan.lenient |= pipelined && matches!(ask.expected.wanted, Wanted::Cut(_));
            endless |= ask.endless;
            // Nor is anything certain if too much comes behind the last reply.
            if plan.expected.iter().any(|it| it.closes != Closes::No) {
                ignored += ask.head.len() + ask.body.len();
            }
            plan.lenient |= ignored > LOSSLESS;
            plan.send(rng, ask, index, pipelined);
            if style.rude && rng.once_in(6) {
                plan.misbehave(rng);
            }
            // What follows a closing reply is ignored.
            if closes != Closes::No && (slow || !rng.once_in(3)) {
                break;
            }
            // What it sends against its own word may meet a closed socket.
            plan.lenient |= says_last;
        }
        let all = plan.expected.len();
        if rng.once_in(6) {
            plan.ops.push(Op::HalfClose);
            plan.lenient |= endless;
        }
        plan.ops.push(Op::Await(all));
        let closing = plan.expected.iter().any(|it| it.closes == Closes::Yes);
        if closing || rng.once_in(3) {
            plan.ops.push(Op::AwaitEnd);
        }
        plan.ops.push(Op::Close);
        plan
    }

    fn send(&mut self, rng: &mut Rng, ask: Ask, index: usize, pipelined: bool) {
        let Ask { head, body, waits, expected, .. } = ask;
        if waits {
            self.pieces(rng, &head);
            self.ops.push(Op::AwaitContinue(index));
            self.pieces(rng, &body);
        } else {
            let mut both = head;
            both.extend_from_slice(&body);
            self.pieces(rng, &both);
        }
        self.expected.push(expected);
        if !pipelined {
            self.ops.push(Op::Await(index + 1));
            let most = if rng.once_in(12) { 60_000 } else { 300 };
            self.ops.push(Op::Think(Duration::from_millis(rng.below(most) as u64)));
        }
    }

    /// Cut anywhere, with short pauses.
    fn pieces(&mut self, rng: &mut Rng, bytes: &[u8]) {
        let mut rest = bytes;
        let mut cuts = [0, 1, 2, 5, 40].get(rng.below(5)).copied().unwrap_or(0);
        while cuts > 0 && rest.len() > 1 {
            cuts -= 1;
            let most = if rng.once_in(2) { 4 } else { rest.len() - 1 };
            let (piece, tail) = rest.split_at(rng.between(1, most.min(rest.len() - 1)));
            rest = tail;
            self.ops.push(Op::Send(piece.to_vec()));
            if !rng.once_in(3) {
                self.ops.push(Op::Think(Duration::from_micros(rng.below(30_000) as u64)));
            }
        }
        self.ops.push(Op::Send(rest.to_vec()));
    }

    /// Does something after which nothing is certain, somewhere in the middle.
    fn misbehave(&mut self, rng: &mut Rng) {
        let at = rng.below(self.ops.len() + 1);
        let long = Duration::from_secs(rng.between(1, 120) as u64);
        let op = match rng.below(4) {
            0 => Op::Reset,
            1 => Op::Close,
            2 => Op::Think(long),
            _ => Op::Pause(long),
        };
        self.ops.insert(at, op);
    }
}

impl Ask {
    fn new(rng: &mut Rng, last: bool) -> Ask {
        if last && rng.once_in(10) {
            return Ask::garbage(rng);
        }
        if last && rng.once_in(12) {
            return Ask::switch(rng);
        }
        let program = program(rng);
        let method = ["GET", "GET", "HEAD", "POST", "POST", "PUT"].get(rng.below(6)).copied();
        let method = method.unwrap_or("GET");
        let old = rng.once_in(12);
        let keep = !rng.once_in(if old { 2 } else { 15 });
        let mut head = format!("{method} {program} HTTP/1.{}\r\nHost: sim\r\n", u8::from(!old));
        match (old, keep) {
            (true, true) => head.push_str("Connection: keep-alive\r\n"),
            (false, false) => head.push_str("Connection: close\r\n"),
            _ => {}
        }
        if rng.once_in(10) {
            let _ = write!(head, "X-Filler: {}\r\n", "x".repeat(rng.below(5_000)));
        }
        let mut content = Vec::new();
        if matches!(method, "POST" | "PUT") {
            let len = rng.length(300_000);
            content = content::part(rng.below(KEYS), len).to_vec();
        }
        let chunked = !old && !content.is_empty() && rng.once_in(3);
        let expects = !content.is_empty() && rng.once_in(6);
        if expects {
            head.push_str("Expect: 100-continue\r\n");
        }
        let mut body = content.clone();
        if chunked {
            head.push_str("Transfer-Encoding: chunked\r\n");
            body = chunks(rng, &content);
        } else if matches!(method, "POST" | "PUT") {
            let _ = write!(head, "Content-Length: {}\r\n", content.len());
        }
        head.push_str("\r\n");
        let mut ask = Ask {
            head: head.into_bytes(),
            body,
            waits: expects && rng.once_in(2),
            expected: Expected {
                to_head: method == "HEAD",
                wanted: Wanted::Nothing,
                closes: if keep { Closes::No } else { Closes::Yes },
                may_be_refused: program.acts.iter().any(|act| act.is_bounded()),
                interim: (0, usize::from(expects && !old)),
            },
            lossy: false,
            endless: false,
            says_last: !keep,
        };
        ask.foresee(&program, &content, old, chunked, expects);
        if last && rng.once_in(8) && !ask.body.is_empty() {
            ask.spoil(rng, &program, chunked);
        }
        ask
    }

    /// What the program makes of this content.
    fn foresee(
        &mut self,
        program: &Program,
        content: &[u8],
        old: bool,
        chunked: bool,
        expects: bool,
    ) {
        let len = content.len() as u64;
        let receives = program.receives();
        let failed = match receives {
            Some(Act::Failing(_)) => Some(if len > 0 { 500 } else { 507 }),
            Some(act) if act.limit().is_some_and(|max| len > max) => Some(413),
            _ => None,
        };
        if let Some(status) = failed {
            // Neither is content that failed in the middle read to its end.
            self.lossy = self.body.len() > LOSSLESS;
            self.expected.closes = Closes::Yes;
            self.expected.wanted = Wanted::Reply(status, self.shown(b"failed\n".to_vec()));
            return;
        }
        if receives.is_none() && len > 0 {
            self.lossy = self.body.len() > LOSSLESS;
            let more = if chunked { self.body.len() > LOSSLESS } else { len > 65_536 };
            match (more, chunked) {
                (true, true) => self.maybe_closes(),
                (true, false) => self.expected.closes = Closes::Yes,
                _ => {}
            }
            if expects && !old {
                self.expected.closes = Closes::Yes;
            }
        }
        if receives.is_some() && self.waits && !old {
            self.expected.interim.0 = 1;
        }
        let content = match receives {
            Some(Act::Buffer(_)) => content.to_vec(),
            Some(_) => {
                let mut sum = Sum::EMPTY;
                sum.add(content);
                sum.text().into_bytes()
            }
            None => Vec::new(),
        };
        self.answer(program, content, old);
    }

    fn answer(&mut self, program: &Program, echo: Vec<u8>, old: bool) {
        let part = |key, len| content::part(key, len).to_vec();
        let mut status = 200;
        let body = match program.ending {
            Ending::None => {
                status = 204;
                Vec::new()
            }
            Ending::Echo => echo,
            Ending::Switch => Vec::new(), // has its own plan
            Ending::Close(key, len) => {
                self.expected.closes = Closes::Yes;
                part(key, len)
            }
            Ending::Owned(key, len) | Ending::Static(key, len) => part(key, len),
            Ending::Shared(key, len) | Ending::File(key, len) => part(key, len),
            Ending::Pieces(key, len) => part(key, len),
            Ending::Stream(Stream { key, len, known, fails, .. }) => {
                self.endless = !known;
                if old && !known && !self.expected.to_head {
                    self.expected.closes = Closes::Yes;
                }
                if fails && !self.expected.to_head {
                    self.expected.closes = Closes::Yes;
                    self.expected.wanted = Wanted::Cut(part(key, len));
                    return;
                }
                part(key, len)
            }
        };
        self.expected.wanted = Wanted::Reply(status, self.shown(body));
    }

    /// Makes the content's end wrong or missing.
    fn spoil(&mut self, rng: &mut Rng, program: &Program, chunked: bool) {
        let ends_well = matches!(self.expected.wanted, Wanted::Reply(200 | 204, _));
        if !ends_well || !chunked || self.body.len() > LOSSLESS {
            return;
        }
        let from = self.body.len() - rng.between(1, self.body.len().min(4));
        self.body.truncate(from);
        // Wrong as a size, as a line's end, and as a trailer.
        self.body.extend_from_slice(b"\rzz\r".repeat(200).as_slice());
        self.body.push(b'\n');
        self.expected.closes = Closes::Yes;
        if program.receives().is_some() {
            self.expected.wanted = Wanted::Reply(400, self.shown(b"failed\n".to_vec()));
        }
    }

    /// A request to leave HTTP, and what follows in another protocol.
    fn switch(rng: &mut Rng) -> Ask {
        let acts = if rng.once_in(2) { vec![Act::EngineJob] } else { Vec::new() };
        let program = Program { acts, ending: Ending::Switch };
        let head = format!(
            "GET {program} HTTP/1.1\r\nHost: sim\r\nConnection: upgrade\r\nUpgrade: sim\r\n\r\n"
        );
        let expected = Expected {
            to_head: false,
            wanted: Wanted::Reply(101, Vec::new()),
            closes: Closes::Yes,
            may_be_refused: false,
            interim: (0, 0),
        };
        Ask {
            head: head.into_bytes(),
            body: content::part(0, rng.below(3_000)).to_vec(),
            waits: false,
            expected,
            lossy: false,
            endless: false,
            says_last: false,
        }
    }

    /// Something that is no request.
    fn garbage(rng: &mut Rng) -> Ask {
        let mut head = match rng.below(3) {
            0 => b"GARBAGE\r\n\r\n".to_vec(),
            1 => b"GET / HTTP/1.1\r\nHost: sim\r\nno colon\r\n\r\n".to_vec(),
            _ => b"\x16\x03\x01 hello\r\n\r\n".to_vec(),
        };
        head.extend_from_slice(content::part(0, rng.below(3_000)));
        let expected = Expected {
            to_head: false,
            wanted: Wanted::Reply(400, b"Bad Request\n".to_vec()),
            closes: Closes::Yes,
            may_be_refused: false,
            interim: (0, 0),
        };
        Ask {
            head,
            body: Vec::new(),
            waits: false,
            expected,
            lossy: false,
            endless: false,
            says_last: false,
        }
    }

    fn maybe_closes(&mut self) {
        if self.expected.closes == Closes::No {
            self.expected.closes = Closes::Maybe;
        }
    }

    fn shown(&self, body: Vec<u8>) -> Vec<u8> {
        if self.expected.to_head { Vec::new() } else { body }
    }
}

/// Content of a request that is surely read after its reply, by discarding or
/// by lingering.
const LOSSLESS: usize = 40_000;

fn chunks(rng: &mut Rng, content: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut rest = content;
    while !rest.is_empty() {
        let most = if rng.once_in(2) { 100.max(rest.len() / 20) } else { rest.len() };
        let (chunk, tail) = rest.split_at(rng.between(1, most.min(rest.len())));
        rest = tail;
        let extension = if rng.once_in(10) { ";a=b" } else { "" };
        body.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n");
    if rng.once_in(5) {
        body.extend_from_slice(b"X-Trailer: here\r\n");
    }
    body.extend_from_slice(b"\r\n");
    body
}

fn program(rng: &mut Rng) -> Program {
    let mut acts = Vec::new();
    for _ in 0..[0, 0, 1, 1, 2].get(rng.below(5)).copied().unwrap_or(0) {
        acts.push(match rng.below(4) {
            0 => Act::Sleep(rng.below(2_000) as u64),
            1 => Act::Job,
            2 => Act::SerialJob,
            _ => Act::EngineJob,
        });
    }
    if rng.once_in(2) {
        let max = if rng.once_in(10) { 1_000 } else { 1 << 20 };
        let act = match rng.below(16) {
            0..=5 => Act::Buffer(max),
            6..=9 => Act::Inline(max),
            10..=14 => Act::Blocking(max),
            _ => Act::Failing(rng.once_in(2)),
        };
        acts.insert(rng.below(acts.len() + 1), act);
    }
    let (key, len) = (rng.below(KEYS), rng.length(300_000));
    let ending = match rng.below(14) {
        0 => Ending::None,
        1 => Ending::Owned(key, len),
        2 => Ending::Pieces(key, len),
        3 => Ending::Static(key, len),
        4 => Ending::Shared(key, len),
        5 | 6 => Ending::File(key, len),
        7 if rng.once_in(3) => Ending::Close(key, len),
        7..=9 => Ending::Echo,
        _ => Ending::Stream(Stream {
            key,
            len,
            blocking: rng.once_in(2),
            known: rng.once_in(2),
            fails: rng.once_in(15),
            seed: rng.next() >> 40,
        }),
    };
    Program { acts, ending }
}
