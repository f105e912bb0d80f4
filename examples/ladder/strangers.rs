//! The bad company: a client that reads slow files, and a slowloris.
//!
//! Neither breaks a rule, and both exist: the first is a telephone in a tunnel that
//! wants what lies on a sleeping disk, the second is somebody who doesn't like you.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Between two bytes of the slowloris.
const BYTE_EVERY: Duration = Duration::from_millis(250);
/// Between two sips of the slow reader, and how much they are.
const SIP_EVERY: Duration = Duration::from_millis(2);
const SIP: usize = 4096;
/// How soon the end is noticed.
const PATIENCE: Duration = Duration::from_millis(100);

/// Both, until [`leave`](Strangers::leave).
pub(crate) struct Strangers {
    stop: Arc<AtomicBool>,
    slowloris: JoinHandle<Slowloris>,
    reader: JoinHandle<()>,
}

/// How the slowloris fared.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slowloris {
    /// How often the server cut it.
    pub(crate) cuts: u64,
    /// After how long, the last time.
    pub(crate) after: Duration,
    /// How long it was there in one go when it left.
    pub(crate) there: Duration,
}

impl Strangers {
    /// They come before anybody else: the first connection is the slowloris's.
    ///
    /// # Errors
    /// There is no connection to be had.
    pub(crate) fn come(address: SocketAddr) -> io::Result<Strangers> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut first = TcpStream::connect(address)?;
        first.write_all(b"G")?;
        let stopped = Arc::clone(&stop);
        let slowloris = thread::spawn(move || slowloris(address, first, &stopped));
        let stopped = Arc::clone(&stop);
        let reader = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if slow_file(address, &stopped).is_err() {
                    thread::sleep(PATIENCE);
                }
            }
        });
        Ok(Strangers { stop, slowloris, reader })
    }

    /// Sends them away, and returns the slowloris's fate.
    pub(crate) fn leave(self) -> Slowloris {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.reader.join();
        self.slowloris.join().unwrap_or_default()
    }
}

fn slowloris(address: SocketAddr, first: TcpStream, stop: &AtomicBool) -> Slowloris {
    let mut fate = Slowloris::default();
    let mut stream = Some(first);
    while !stop.load(Ordering::Relaxed) {
        let Some(open) = stream.take().or_else(|| TcpStream::connect(address).ok()) else {
            thread::sleep(PATIENCE);
            continue;
        };
        let since = Instant::now();
        if drip(open, stop).is_ok() {
            fate.there = since.elapsed();
        } else {
            fate.cuts += 1;
            fate.after = since.elapsed();
        }
    }
    fate
}

/// A byte after the other. An error: the server has had enough of it.
fn drip(mut stream: TcpStream, stop: &AtomicBool) -> io::Result<()> {
    // The wait for an end that never comes is the pause between the bytes.
    stream.set_read_timeout(Some(BYTE_EVERY))?;
    for byte in b"GET / HTTP/1.1\r\n".iter().chain(b"a: b\r\n".iter().cycle()) {
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        stream.write_all(&[*byte])?;
        match stream.read(&mut [0; 512]) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            _ => return Err(ErrorKind::ConnectionReset.into()),
        }
    }
    Ok(())
}

/// Asks for a slow file, and takes it in sips.
fn slow_file(address: SocketAddr, stop: &AtomicBool) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /files/slow.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    let mut sip = [0; SIP];
    while !stop.load(Ordering::Relaxed) {
        match stream.read(&mut sip) {
            Ok(0) => return Ok(()),
            Ok(_) => thread::sleep(SIP_EVERY),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::Interrupted.into())
}
