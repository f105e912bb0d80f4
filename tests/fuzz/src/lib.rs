//! What the targets share: a connection that is fed in pieces, and its record.

use onepoll::Limits;
use onepoll::http::{Body, ContentType, Request, Response};
use onepoll::proto::{Cycle, Event, Framed, Http1, Preamble};

/// What a connection's protocol has made of its input. Two ways of cutting the
/// same input must give two equal records.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Record {
    pub requests: Vec<Message>,
    pub end: End,
}

/// One request as it was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub head: String,
    pub content: Vec<u8>,
    pub trailers: String,
    pub complete: bool,
}

/// What became of the connection.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It waits for more.
    #[default]
    Waits,
    /// The peer is at fault: status and reason.
    Fault(Option<u16>, &'static str),
    /// It is over, by what was agreed on.
    Over,
}

/// When replies are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// After the content.
    Late,
    /// After the head: the content is thrown away.
    Early,
}

/// Feeds the input in pieces that end at `cuts`, which ascend, and at its end.
pub fn feed(limits: &Limits, input: &[u8], reply: Reply, cuts: &[usize]) -> Record {
    let preamble = Preamble::new(Some("fuzz"));
    let mut run = Run {
        http: Http1::new(),
        request: Request::default(),
        record: Record::default(),
        out: Vec::new(),
        replied: true,
        reply,
    };
    let mut used = 0;
    for &end in cuts.iter().chain([&input.len()]) {
        while run.record.end == End::Waits {
            let window = &input[used.min(end)..end];
            let (taken, goes_on) = run.receive(limits, window, &preamble);
            assert!(taken <= window.len());
            used += taken;
            if !goes_on {
                break;
            }
        }
    }
    run.record
}

/// The cuts of all ways that are tried: every byte, and one by chance.
pub fn cuttings(len: usize, seed: u8) -> [Vec<usize>; 2] {
    let mut by_chance = Vec::new();
    let (mut at, mut step) = (0, usize::from(seed));
    loop {
        step = (step * 37 + 11) % 61;
        at += step;
        if at >= len {
            return [(0..len).collect(), by_chance];
        }
        by_chance.push(at);
    }
}

struct Run {
    http: Http1,
    request: Request,
    record: Record,
    out: Vec<u8>,
    replied: bool,
    reply: Reply,
}

impl Run {
    /// One call of the protocol. How many bytes it took, and whether there may
    /// be more in what is left.
    fn receive(&mut self, limits: &Limits, window: &[u8], preamble: &Preamble) -> (usize, bool) {
        let (used, event) = match self.http.receive(limits, window, &mut self.request) {
            Ok(received) => received,
            Err(fault) => {
                // After a reply nobody is told: it is an end like others.
                self.record.end = match self.replied && !self.record.requests.is_empty() {
                    true if self.reply == Reply::Early && self.open() => End::Over,
                    _ => End::Fault(fault.status.map(|status| status.code()), fault.reason),
                };
                return (0, false);
            }
        };
        match event {
            Event::NeedMore => return (used, false),
            Event::Closed => {
                self.record.end = End::Over;
                return (used, false);
            }
            Event::Head => {
                let head = format!("{:?} {:?}", self.request, self.request.route_path());
                self.record.requests.push(Message { head, ..Message::default() });
                self.replied = false;
                if self.reply == Reply::Early {
                    self.respond(preamble);
                }
            }
            Event::Data(range) => {
                assert!(!range.is_empty() && range.end <= used, "{range:?} of {used}");
                if let (Reply::Late, Some(last)) = (self.reply, self.record.requests.last_mut()) {
                    last.content.extend_from_slice(&window[range]);
                }
            }
            Event::End => self.complete(preamble),
            Event::Paused => {
                assert_eq!(used, 0);
                self.complete(preamble);
            }
        }
        (used, true)
    }

    /// Whether the last request's content is still under way.
    fn open(&self) -> bool {
        self.record.requests.last().is_some_and(|last| !last.complete)
    }

    fn complete(&mut self, preamble: &Preamble) {
        if let Some(last) = self.record.requests.last_mut() {
            assert!(!last.complete, "it ends twice");
            last.complete = true;
            last.trailers = format!("{:?}", self.request.trailers());
        }
        if self.replied {
            self.next();
        } else {
            self.respond(preamble);
        }
    }

    fn respond(&mut self, preamble: &Preamble) {
        self.replied = true;
        self.out.clear();
        let response = Response::default().content(ContentType::TEXT, Body::Static(b"ok"));
        match self.http.respond(&response, preamble, &mut self.out) {
            Framed::Nothing => {}
            Framed::Length(2) => {
                assert!(self.http.frame(2, &mut self.out));
                self.out.extend_from_slice(b"ok");
                assert!(self.http.finish(&mut self.out));
            }
            other => panic!("{other:?} for two bytes"),
        }
        assert!(self.out.starts_with(b"HTTP/1.1 "));
        self.next();
    }

    fn next(&mut self) {
        match self.http.next_cycle() {
            Cycle::Next => {
                if let Some(last) = self.record.requests.last_mut() {
                    last.complete = true;
                }
                self.request = Request::default();
            }
            // Without content `receive` says `Paused`, with it goes on to `End`.
            Cycle::Wait | Cycle::Discard => {}
            Cycle::Linger | Cycle::Close | Cycle::Cut => self.record.end = End::Over,
        }
    }
}
