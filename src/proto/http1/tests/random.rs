//! Streams made by chance: valid ones give the same events however they are
//! cut, and no bytes at all make it panic.

use super::*;

/// A small generator (xorshift64*): the same seed gives the same stream.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)) // few bits set make a slow start
    }

    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below
    }
}

/// One valid request with its content, which may look like another request.
fn request(dice: &mut Dice, wire: &mut Vec<u8>) {
    const PIECES: [&str; 6] = ["a", "\r\n", "0\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", ";\"", "\0\n"];
    let content: Vec<u8> =
        (0..dice.roll(6)).flat_map(|_| PIECES[dice.roll(PIECES.len())].bytes()).collect();
    let path = dice.roll(100);
    let head = |wire: &mut Vec<u8>, method: &str, more: &str| {
        let text = format!("{method} /{path} HTTP/1.1\r\nHost: a\r\n{more}\r\n");
        wire.extend_from_slice(text.as_bytes());
    };
    match dice.roll(3) {
        0 => head(wire, "GET", ""),
        1 => {
            head(wire, "PUT", &format!("Content-Length: {}\r\n", content.len()));
            wire.extend_from_slice(&content);
        }
        _ => {
            head(wire, "POST", "Transfer-Encoding: chunked\r\n");
            let mut rest = &content[..];
            while !rest.is_empty() {
                let (chunk, more) = rest.split_at(1 + dice.roll(rest.len()));
                let extension = ["", ";a", " ;a = \"\\\"\"", ";x=y;z"][dice.roll(4)];
                let zeros = dice.roll(3);
                let size = format!("{}{:x}{extension}\r\n", "0".repeat(zeros), chunk.len());
                wire.extend_from_slice(size.as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
                rest = more;
            }
            wire.extend_from_slice(["0\r\n\r\n", "0\r\nX-T: 1\r\n\r\n"][dice.roll(2)].as_bytes());
        }
    }
}

/// All events of a stream that arrives in pieces, with data joined; each
/// request is answered as soon as it is complete.
fn events(wire: &[u8], mut cut: impl FnMut(usize) -> usize) -> Vec<String> {
    let (mut peer, mut seen, mut data) = (Peer::new(), Vec::new(), Vec::new());
    let mut sent = 0;
    while sent < wire.len() {
        let end = wire.len().min(sent + cut(wire.len() - sent));
        peer.input.extend_from_slice(&wire[sent..end]);
        sent = end;
        loop {
            let before = peer.input.clone();
            match peer.event() {
                Event::NeedMore => break,
                Event::Closed => panic!("closed in {}", wire.escape_ascii()),
                Event::Data(range) => data.extend_from_slice(&before[range]),
                Event::Head => {
                    let Request { method, .. } = &peer.request;
                    seen.push(format!("{method} {}", peer.request.target()));
                }
                Event::End => {
                    let trailers = peer.request.trailers().len();
                    seen.push(format!("{} +{trailers}", data.escape_ascii()));
                    data.clear();
                }
                Event::Paused => {
                    assert_eq!(peer.respond(&Response::default()), Framed::Nothing);
                    assert_eq!(peer.http.next_cycle(), Cycle::Next);
                    peer.request.recycle();
                }
            }
        }
    }
    assert_eq!(peer.http.receive_eof(peer.input.len()), Ok(Event::Closed));
    seen
}

#[test]
fn a_stream_gives_the_same_events_however_it_is_cut() {
    for seed in 1..200 {
        let mut dice = Dice::new(seed);
        let mut wire = Vec::new();
        let requests = 1 + dice.roll(5);
        for _ in 0..requests {
            request(&mut dice, &mut wire);
        }
        let whole = events(&wire, |rest| rest);
        let heads = whole.iter().filter(|event| event.contains(" /")).count();
        assert!(heads >= requests, "seed {seed}");
        assert_eq!(events(&wire, |_| 1), whole, "seed {seed}, byte by byte");
        for _ in 0..20 {
            let size = 1 + dice.roll(40);
            assert_eq!(events(&wire, |_| 1 + dice.roll(size)), whole, "seed {seed}");
        }
    }
}

/// Bytes that lead deep into the grammar more often than even chance would.
fn noise(dice: &mut Dice) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "GET / HTTP/1.1\r\n",
        "POST / HTTP/1.0\r\n",
        "Host: a\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\n",
        "Connection: close\r\n",
        "\r\n",
        "\r\n\r\n",
        "0\r\n",
        "3\r\nabc\r\n",
        "ffffffffffffffff",
        ";a=\"b\"",
        ":",
        " ",
        "x",
    ];
    let mut bytes = Vec::new();
    for _ in 0..dice.roll(30) {
        match dice.roll(8) {
            0 => bytes.push(dice.roll(256) as u8),
            _ => bytes.extend_from_slice(WORDS[dice.roll(WORDS.len())].as_bytes()),
        }
    }
    bytes
}

#[test]
fn no_bytes_make_it_panic_or_stand_still() {
    for seed in 1..5_000 {
        let mut dice = Dice::new(seed);
        let mut peer = Peer::new();
        peer.input = noise(&mut dice);
        let mut steps = 0;
        loop {
            steps += 1;
            assert!(steps < 1_000, "seed {seed} stands still at {}", peer.state());
            match peer.next() {
                Ok(Event::NeedMore) => match peer.http.receive_eof(peer.input.len()) {
                    Ok(event) => assert_eq!(event, Event::Closed, "seed {seed}"),
                    Err(fault) => assert_eq!(fault.status, None, "seed {seed}"),
                },
                Ok(Event::Head | Event::Data(_) | Event::End) => {}
                // Now and then the reply is early.
                Ok(Event::Paused) => drop(peer.respond(&Response::default())),
                Ok(Event::Closed) => break,
                Err(fault) => {
                    peer.http.refuse(&fault, &peer.preamble, &mut peer.out);
                }
            }
            if peer.http.write_state() == Write::Owed && dice.roll(6) == 0 {
                peer.respond(&Response::default());
            }
            if peer.http.next_cycle() == Cycle::Next {
                peer.request.recycle();
            }
        }
        assert_eq!(peer.state(), "Closed/Closed", "seed {seed}");
    }
}
