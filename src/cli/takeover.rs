//! A restart that loses nobody: the next process takes the same listening sockets.
//!
//! ```text
//!   old: serves, waits at PATH              new: has read all that it needs
//!     |  <---------- "onepoll takeover 1" --------  connects to PATH
//!     |  ----------- the listening sockets ------>  makes its loops with them
//!     |  <---------- "ready" ---------------------  (both may accept now)
//!   leaves PATH
//!     |  ----------- "yours" -------------------->  waits at PATH for the next
//!   drains, ends                                  serves
//! ```
//!
//! No queue is ever without somebody who accepts. Until "ready" nothing has changed
//! for the old one: if the new one dies before, it serves on. Both look whether the
//! other is of the same user; the file is for that user alone.

use onepoll::net::{Listener, SocketOptions, handover};
use onepoll::{Error, Server};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

const HELLO: &[u8] = b"onepoll takeover 1\n";
const READY: &[u8] = b"ready\n";
const YOURS: &[u8] = b"yours\n";
/// How long the other may take for a step: making loops is a matter of milliseconds,
/// and a certificate or a thousand of threads not much more.
const PATIENCE: Duration = Duration::from_secs(60);
/// Until a failed accept is tried again, as for want of descriptors.
const RETRY: Duration = Duration::from_secs(1);

/// The new process's side.
pub(super) struct Guest(UnixStream);

/// The old process's side.
#[derive(Clone, Default)]
pub(super) struct Host(Arc<Mutex<Stage>>);

#[derive(Default)]
enum Stage {
    /// The socket at PATH, with its file, and those to be handed over.
    Waits(Listener, Vec<Listener>),
    /// It is not open yet, or they are being handed over.
    #[default]
    Busy,
    /// Nobody is waited for any more.
    Closed,
}

fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { doing, source }
}

/// Asks the process that waits there for its sockets; `None` if there is none.
///
/// # Errors
/// If it is somebody else's, or doesn't answer.
pub(super) fn knock(path: Option<&Path>) -> Result<Option<(Guest, Vec<Listener>)>, Error> {
    let Some(path) = path else { return Ok(None) };
    let mut stream = match UnixStream::connect(path) {
        Ok(stream) => stream,
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => return Ok(None),
            _ => return Err(Error::File { path: path.to_owned(), source: error }),
        },
    };
    let asked = is_ours(&stream).and_then(|()| {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(HELLO)?;
        handover::receive(&stream)
    });
    let taken = asked.map_err(failed("taking the sockets of the process before"))?;
    // Until this one serves, files of sockets are the other's.
    taken.iter().for_each(|listener| listener.keep_file(false));
    Ok(Some((Guest(stream), taken)))
}

/// All sockets once more.
///
/// # Errors
/// If there are no descriptors, or more sockets than can be handed over.
pub(super) fn clones(server: &Server) -> Result<Vec<Listener>, Error> {
    let clones: io::Result<Vec<Listener>> = server.listeners().map(Listener::try_clone).collect();
    let clones = clones.map_err(failed("preparing --takeover"))?;
    if clones.len() > handover::LISTENERS_MAX {
        let why = format!("{} sockets, {} at most", clones.len(), handover::LISTENERS_MAX);
        return Err(Error::Config { field: "--takeover", why });
    }
    Ok(clones)
}

/// What systemd has to know when another process is the service from now on.
pub(super) fn main_pid() -> String {
    format!("MAINPID={}\n", std::process::id())
}

impl Guest {
    /// The loops are ready: from here on this is the process that serves.
    ///
    /// # Errors
    /// If the other has given up waiting: it serves on.
    pub(super) fn ready(mut self, own: &[Listener]) -> Result<(), Error> {
        let told = self.0.write_all(READY).and_then(|()| expect(&mut self.0, YOURS));
        told.map_err(failed("taking over from the process before"))?;
        own.iter().for_each(|listener| listener.keep_file(true));
        Ok(())
    }
}

impl Host {
    /// Waits for the next process, on a thread; `leave` is called when that one serves.
    ///
    /// # Errors
    /// If the path can't be had, or there is no thread.
    pub(super) fn open(
        &self,
        path: &Path,
        own: Vec<Listener>,
        leave: impl FnOnce() + Send + 'static,
    ) -> Result<(), Error> {
        let options = SocketOptions { unix_mode: Some(0o600), ..SocketOptions::default() };
        let said = |source| Error::File { path: path.to_owned(), source };
        let place = Listener::unix(path, &options).map_err(said)?;
        let waiting = place.as_fd().try_clone_to_owned().map_err(said)?;
        let waiting = UnixListener::from(waiting);
        waiting.set_nonblocking(false).map_err(said)?;
        self.put(place, own);
        let host = self.clone();
        let thread = thread::Builder::new().name("onepoll-takeover".to_owned());
        let thread = thread.spawn(move || host.wait(waiting, leave));
        thread.map(drop).map_err(failed("waiting for the next process"))
    }

    /// There is to be no next process: this one leaves. Else the clones would let
    /// clients come whom nobody serves.
    pub(super) fn close(&self) {
        *self.lock() = Stage::Closed;
    }

    fn wait(self, waiting: UnixListener, leave: impl FnOnce()) {
        loop {
            let mut stream = match waiting.accept() {
                Ok((stream, _)) => stream,
                Err(error) => {
                    log::warn!("--takeover: {error}");
                    thread::sleep(RETRY);
                    continue;
                }
            };
            // Not under the lock: the other may take its time.
            let (place, own) = match std::mem::replace(&mut *self.lock(), Stage::Busy) {
                Stage::Waits(place, own) => (place, own),
                Stage::Busy | Stage::Closed => return self.close(),
            };
            if let Err(error) = hand_over(&mut stream, &own) {
                log::warn!("--takeover: {error}: serving on");
                self.put(place, own);
                continue;
            }
            // The place must be free before the other is told that it is.
            drop((waiting, place));
            own.iter().for_each(|listener| listener.keep_file(false));
            let _ = stream.write_all(YOURS);
            drop(own);
            log::info!("another process serves now: finishing what is under way");
            return leave();
        }
    }

    /// To be handed over, unless it was closed meanwhile.
    fn put(&self, place: Listener, own: Vec<Listener>) {
        let mut stage = self.lock();
        if matches!(*stage, Stage::Busy) {
            *stage = Stage::Waits(place, own);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hand_over(stream: &mut UnixStream, own: &[Listener]) -> io::Result<()> {
    is_ours(stream)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    expect(stream, HELLO)?;
    handover::lend(&*stream, own)?;
    expect(stream, READY)
}

fn expect(stream: &mut UnixStream, text: &[u8]) -> io::Result<()> {
    let mut read = vec![0; text.len()];
    stream.read_exact(&mut read).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "the other process has left"),
        io::ErrorKind::WouldBlock => io::Error::new(error.kind(), "the other process is silent"),
        _ => error,
    })?;
    if read == text {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the other process says something else"))
}

/// Whether the other is of the same user.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_ours(stream: &UnixStream) -> io::Result<()> {
    let peer = rustix::net::sockopt::socket_peercred(stream)?;
    if peer.uid == rustix::process::geteuid() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "the other process is another user's"))
}

/// The file's permissions must do.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_ours(_: &UnixStream) -> io::Result<()> {
    Ok(())
}
