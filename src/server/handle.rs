//! Handles: how other threads end a server, and see what it has done.

use crate::config::Config;
use crate::error::Error;
use crate::reactor::{Ask, Command, Inbox};
use crate::stats::Stats;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Ends a server from any thread, and tells what it has done. Cheap to clone;
/// harmless once the server is over. Of a server with several reactors it reaches
/// all.
#[derive(Clone, Debug)]
pub struct Handle {
    reactors: Arc<[One]>,
}

/// One loop, from outside.
#[derive(Clone, Debug)]
struct One {
    inbox: Arc<Inbox>,
    stats: Arc<Stats>,
    /// Clients that it may have: its share, and what descriptors allow.
    connections_max: usize,
}

impl Handle {
    pub(crate) fn new(inbox: Arc<Inbox>, stats: Arc<Stats>, connections_max: usize) -> Handle {
        Handle { reactors: Arc::new([One { inbox, stats, connections_max }]) }
    }

    /// One for all of these.
    pub(crate) fn all(handles: &[Handle]) -> Handle {
        Handle { reactors: handles.iter().flat_map(|one| one.reactors.iter().cloned()).collect() }
    }

    /// Lets the loops know of each other's counters, for metrics.
    pub(crate) fn introduce(&self) {
        let all: Vec<_> = self.reactors.iter().map(|one| Arc::downgrade(&one.stats)).collect();
        for one in self.reactors.iter() {
            one.stats.introduce(&all);
        }
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
        self.command(Command::Drain(limit));
    }

    /// Ends now: what is under way is cut. Jobs that helpers were given are
    /// still run, for `Config::join_limit` at most.
    pub fn stop(&self) {
        self.command(Command::Stop);
    }

    /// Serves on, but is not ready any more: [`Health`](crate::handlers::Health)
    /// answers 503 at `/readyz`. To be called before [`drain`](Handle::drain), by as
    /// much as balancers need to notice.
    pub fn unready(&self) {
        self.ask(Ask::Unready);
    }

    /// Writes the loop's state to the log, on the level of information: connections
    /// by state, timers, buffers, helpers, why connections ended.
    pub fn report(&self) {
        self.ask(Ask::Report);
    }

    /// Has the loop turn once, so that [`Service::idle`](crate::http::Service::idle)
    /// is called: for a service that is told something by other threads.
    pub fn turn(&self) {
        self.ask(Ask::Turn);
    }

    /// Other limits and times, from now on, for clients that are there as well.
    /// What the loop was built with stays: `helpers_min`, `helpers_max`,
    /// `helper_queue`, `join_limit`, `buffers_max`, `server_name` and `blame`; so does
    /// `limits.body_max`, which the application has taken over. Without effect
    /// while the server drains.
    ///
    /// # Errors
    /// [`Error::Config`] for values that make no sense; nothing is changed then.
    pub fn configure(&self, config: &Config) -> Result<(), Error> {
        config.check()?;
        let share = super::share(config, self.reactors.len());
        for one in self.reactors.iter() {
            let connections_max = share.connections_max.min(one.connections_max);
            one.inbox.configure(Config { connections_max, ..share.clone() });
        }
        Ok(())
    }

    /// The loop's counters; they outlive it. Of several loops it is the first one's.
    pub fn stats(&self) -> &Stats {
        // A handle is made of one loop at least.
        let first = self.reactors.first().map(|one| &*one.stats);
        first.unwrap_or_else(|| Stats::none())
    }

    /// The counters of each loop, in order.
    pub fn reactors(&self) -> impl ExactSizeIterator<Item = &Stats> {
        self.reactors.iter().map(|one| &*one.stats)
    }

    /// The counters of all loops together, as they are now.
    pub fn total(&self) -> Stats {
        Stats::total(self.reactors())
    }

    fn command(&self, command: Command) {
        self.reactors.iter().for_each(|one| one.inbox.command(command));
    }

    fn ask(&self, ask: Ask) {
        self.reactors.iter().for_each(|one| one.inbox.ask(ask));
    }
}

/// A server on threads of its own, one for each reactor. Dropping it stops the
/// server and waits for the threads.
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
    threads: Vec<JoinHandle<Result<(), Error>>>,
    handle: Handle,
    address: SocketAddr,
}

impl Background {
    pub(crate) fn new(
        threads: Vec<JoinHandle<Result<(), Error>>>,
        handle: Handle,
        address: SocketAddr,
    ) -> Background {
        Background { threads, handle, address }
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

    /// Waits for all; of several errors the first counts.
    fn wait(&mut self) -> Result<(), Error> {
        let mut result = Ok(());
        for thread in self.threads.drain(..) {
            let ended = thread.join().unwrap_or_else(|_| {
                Err(Error::io("the server's thread")(std::io::Error::other("it panicked")))
            });
            result = result.and(ended);
        }
        result
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.handle.stop();
            if let Err(error) = self.wait() {
                log::error!("{error}");
            }
        }
    }
}
