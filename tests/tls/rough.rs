//! Clients by chance: records of all lengths, reads of a few bytes, requests in
//! heaps, new keys in between, every way to leave. Nobody may wait for ever.

use crate::support::tls::{Client, Session};
use crate::support::{Client as Plain, Fixture, PATIENCE, is_slow, pattern};
use crate::{VERSIONS, fixture};
use onepoll::net::tls::rustls::ProtocolVersion;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

struct Rng(u64);

impl Rng {
    /// Less than that.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end
    }

    /// Small as often as large.
    fn size(&mut self, most: usize) -> usize {
        let most = most >> self.below(most.ilog2() as usize + 1);
        1 + self.below(most)
    }
}

/// A socket that takes and gives a few bytes at a time.
struct Narrow<'a>(&'a TcpStream, usize);

impl Read for Narrow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(self.1);
        self.0.read(&mut buffer[..len])
    }
}

impl Write for Narrow<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..bytes.len().min(self.1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Leaving {
    HalfClose,
    NotifyOnly,
    FinOnly,
    Stay,
    /// After so many steps.
    Reset(usize),
}

/// A request, and the content of its reply.
fn request(rng: &mut Rng) -> (Vec<u8>, Vec<u8>) {
    let n = rng.size(200_000);
    let (line, content, reply) = match rng.below(6) {
        0 => (format!("GET /bytes/{n}"), Vec::new(), pattern(n)),
        1 => (format!("GET /file/{n}"), Vec::new(), pattern(n)),
        2 => (format!("GET /sized/{n}"), Vec::new(), pattern(n)),
        3 => (format!("GET /job/{n}"), Vec::new(), format!("job {n}").into_bytes()),
        4 => ("POST /echo".to_owned(), pattern(n), pattern(n)),
        _ => (format!("GET /number/{n}"), Vec::new(), n.to_string().into_bytes()),
    };
    let head = format!("{line} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", content.len());
    ([head.into_bytes(), content].concat(), reply)
}

/// Takes the first reply off the bytes, if it is whole: its content.
fn take(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let head = bytes.windows(4).take(2000).position(|end| end == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).expect("a head").to_ascii_lowercase();
    assert!(text.starts_with("http/1.1 200 "), "{text}");
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let end = head + length.expect("a length").parse::<usize>().expect("a number");
    (bytes.len() >= end).then(|| bytes.drain(..end).skip(head).collect())
}

fn rough(fixture: &Fixture, seed: u64) {
    let rng = &mut Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let version = VERSIONS[rng.below(2)];
    let leaving = match rng.below(6) {
        0 | 1 => Leaving::HalfClose,
        2 => Leaving::NotifyOnly,
        3 => Leaving::FinOnly,
        4 => Leaving::Stay,
        _ => Leaving::Reset(rng.size(2000)),
    };
    let (mut wanted, mut to_send) = (Vec::new(), Vec::new());
    for _ in 0..rng.size(40) {
        let (bytes, reply) = request(rng);
        to_send.extend(bytes);
        wanted.push(reply);
    }
    let tcp = match rng.below(2) {
        0 => Plain::connect_bare_narrow(fixture.addr()),
        _ => TcpStream::connect(fixture.addr()).expect("connecting"),
    };
    tcp.set_nonblocking(true).expect("an option");
    let config = Client { versions: vec![version], ..Default::default() }.config();
    let mut session = Session::begin(&config, "localhost").inner;
    let (speed, chatty) = (rng.size(64 * 1024), 1 + rng.below(4));
    let (mut sent, mut got, mut replies, mut told) = (0, Vec::new(), 0, false);
    let begun = Instant::now();
    for step in 0.. {
        let (at, of) = (replies, wanted.len());
        let what = || format!("seed {seed}, {leaving:?}, {:?}: {at} of {of}", version.version);
        assert!(begun.elapsed() < PATIENCE * 2, "{}: stuck, {sent} bytes sent", what());
        if leaving == Leaving::Reset(step) {
            let socket = socket2::SockRef::from(&tcp);
            return socket.set_linger(Some(std::time::Duration::ZERO)).expect("an option");
        }
        let mut moved = false;
        if rng.below(4) < chatty && !session.is_handshaking() && !session.wants_write() {
            if sent < to_send.len() {
                let end = to_send.len().min(sent + rng.size(20_000));
                sent += session.writer().write(&to_send[sent..end]).expect("room");
                if rng.below(20) == 0 && version.version == ProtocolVersion::TLSv1_3 {
                    session.refresh_traffic_keys().expect("TLS 1.3 can");
                }
            } else if !told {
                told = true;
                if matches!(leaving, Leaving::HalfClose | Leaving::NotifyOnly) {
                    session.send_close_notify();
                }
                while session.wants_write() {
                    let _ = session.write_tls(&mut &tcp);
                }
                if matches!(leaving, Leaving::HalfClose | Leaving::FinOnly) {
                    tcp.shutdown(Shutdown::Write).expect("a half-close");
                }
            }
        }
        if session.wants_write() {
            moved |= session.write_tls(&mut Narrow(&tcp, rng.size(speed))).is_ok();
        }
        match session.read_tls(&mut Narrow(&tcp, rng.size(speed))) {
            Ok(0) => {
                assert_eq!(replies, wanted.len(), "{}: the end", what());
                return;
            }
            Ok(_) => {
                moved = true;
                session.process_new_packets().unwrap_or_else(|error| panic!("{}: {error}", what()));
                let mut buffer = [0; 64 * 1024];
                while let Ok(count @ 1..) = session.reader().read(&mut buffer) {
                    got.extend_from_slice(&buffer[..count]);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => panic!("{}: {error}", what()),
        }
        while let Some(reply) = take(&mut got) {
            assert!(reply == wanted[replies], "{}: another content", what());
            replies += 1;
        }
        if replies == wanted.len() && leaving == Leaving::Stay {
            return;
        }
        if !moved {
            std::thread::yield_now();
        }
    }
}

#[test]
fn clients_by_chance_get_what_they_ask_for() {
    let fixture = fixture();
    let seeds: u64 = if is_slow() { 4000 } else { 60 };
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let fixture = &fixture;
            scope.spawn(move || {
                for seed in (0..seeds).filter(|seed| seed % 4 == worker) {
                    rough(fixture, seed);
                }
            });
        }
    });
    fixture.expect_open(0);
    assert_eq!(fixture.stats().buffers.value(), 0);
}
