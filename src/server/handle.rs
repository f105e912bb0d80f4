//! Handles: how other threads end a server, and see what it has done.

use crate::error::Error;
use crate::reactor::{Command, Inbox};
use crate::stats::Stats;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Ends a server from any thread, and tells what it has done. Cheap to clone;
/// harmless once the server is over.
#[derive(Clone, Debug)]
pub struct Handle {
    inbox: Arc<Inbox>,
    stats: Arc<Stats>,
}

impl Handle {
    pub(crate) fn new(inbox: Arc<Inbox>, stats: Arc<Stats>) -> Handle {
        Handle { inbox, stats }
    }

    /// Takes no new clients, lets what is under way finish, and ends. What is
    /// not finished after `limit` is cut. Returns at once: it is the server's
    /// `run` or [`Background::join`] that waits.
    ///
    /// Clients already in the kernel's queue are still taken. Idle connections
    /// stay open for `Config::drain_idle`, since a request may be on its way;
    /// every reply from here on says `Connection: close`. Called again, it can
    /// only bring the end closer.
    pub fn drain(&self, limit: Duration) {
        self.inbox.command(Command::Drain(limit));
    }

    /// Ends now: what is under way is cut. Jobs that helpers were given are
    /// still run, for `Config::join_limit` at most.
    pub fn stop(&self) {
        self.inbox.command(Command::Stop);
    }

    /// The loop's counters; they outlive it.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }
}

/// A server on a thread of its own. Dropping it stops the server and waits for
/// the thread.
///
/// ```
/// use onepoll::{App, Request, Server};
/// use std::time::Duration;
/// let server = Server::bind("127.0.0.1:0")?.spawn(|| {
///     let mut app = App::new();
///     app.get("/", |_: &mut Request| "Hello, World!");
///     app
/// })?;
/// println!("http://{}", server.local_addr());
/// server.handle().drain(Duration::from_secs(1));
/// server.join()?;
/// # Ok::<(), onepoll::Error>(())
/// ```
#[derive(Debug)]
pub struct Background {
    thread: Option<JoinHandle<Result<(), Error>>>,
    handle: Handle,
    address: SocketAddr,
}

impl Background {
    pub(crate) fn new(
        thread: JoinHandle<Result<(), Error>>,
        handle: Handle,
        address: SocketAddr,
    ) -> Background {
        Background { thread: Some(thread), handle, address }
    }

    /// A handle to end it with.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Where its first listener listens: the port that the system chose, if it
    /// was asked for port 0. `0.0.0.0:0` if it has Unix sockets alone.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the server has ended by itself or through a handle.
    ///
    /// # Errors
    /// What its loop ended with; [`Error::Io`] if its thread panicked.
    pub fn join(mut self) -> Result<(), Error> {
        self.wait()
    }

    fn wait(&mut self) -> Result<(), Error> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| {
            Err(Error::io("the server's thread")(std::io::Error::other("it panicked")))
        })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.handle.stop();
            if let Err(error) = self.wait() {
                log::error!("{error}");
            }
        }
    }
}
