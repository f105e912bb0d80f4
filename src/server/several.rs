//! Several loops on one set of addresses, for machines with several cores.
//!
//! ```text
//!                    .--> queue 0 --> thread 0: loop, slab, wheel, service --.
//!   SO_REUSEPORT ----+--> queue 1 --> thread 1: loop, slab, wheel, service --+--> helpers
//!   (by a hash of    '--> queue 2 --> thread 2: ...                        --'    (shared)
//!    the addresses)
//! ```
//!
//! They share nothing but the helpers. Each has listening sockets of its own with
//! queues of their own, and the kernel decides whose a client is, once and for all
//! (Unix sockets and inherited ones are the same for all: whoever is first accepts).
//! So each service sees a part of the clients, and what it keeps in memory it keeps
//! of those alone.
//!
//! **Start.** Each thread makes its service and its loop and waits. Only when all
//! are ready do they begin; if one can't, none does, and its error is the
//! server's. **End.** A handle reaches all. A loop that fails, or a panic in a
//! service, stops the others: half a server would look like a whole one from
//! outside.

use super::{Background, Handle, Helpers, Running, Server, descriptors_for_clients, share};
use crate::config::Config;
use crate::error::Error;
use crate::http::Service;
use crate::net::Listener;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

/// Loops at most: as many as there are threads in large machines. Each takes some
/// descriptors and its share of the memory.
const REACTORS_MAX: usize = 1024;

/// What a loop's thread is made of.
struct Seat {
    number: usize,
    listeners: Vec<Listener>,
    config: Config,
    helpers: Arc<Helpers>,
    descriptors: usize,
    /// Says that it is ready, or why it can't be.
    ready: Sender<(usize, Result<Handle, Error>)>,
    /// Brings the handle of all when they are to begin; else it is cut off.
    begin: Receiver<Handle>,
}

impl Server {
    /// Serves with so many loops, each on a thread of its own with a service of
    /// its own, which the factory makes there. One loop is enough for most; several
    /// make sense up to the number of cores, less those that helpers need.
    ///
    /// The loops share the helper threads and `helper_queue`. `connections_max`,
    /// `buffers_max` and the process's descriptors are shared out: each has an n-th.
    /// **What a service keeps in memory is per loop**, and a client meets one of them
    /// per connection: caches of files (each its `cache_size`), sessions in memory
    /// and rate limits. Keep what all clients share in an `Arc`, or in a store.
    ///
    /// ```
    /// use onepoll::{App, Request, Server};
    /// let server = Server::bind("127.0.0.1:0")?.reactors(2, || {
    ///     let mut app = App::new();
    ///     app.get("/", |_: &mut Request| "Hello, World!");
    ///     app
    /// })?;
    /// assert_eq!(server.handle().reactors().len(), 2);
    /// server.handle().stop();
    /// server.join()?;
    /// # Ok::<(), onepoll::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`start`](Server::start) says of any loop, or if a thread can't be
    /// started; [`Error::Config`] for a number that is not 1 to 1,024.
    pub fn reactors<S, F>(self, number: usize, factory: F) -> Result<Background, Error>
    where
        S: Service,
        F: Fn() -> S + Send + Sync + 'static,
    {
        self.try_reactors(number, move |_| Ok(factory()))
    }

    /// Opens the sockets of all loops now: of each address so many, if there are not
    /// more, as those of another process. So they can be [cloned](Listener::try_clone)
    /// before the start, to be [handed over](crate::net::handover) in the end.
    ///
    /// # Errors
    /// [`Error::Listen`], naming the address.
    pub fn for_reactors(mut self, number: usize) -> Result<Server, Error> {
        self.listeners = enough(self.listeners, number)?;
        Ok(self)
    }

    /// The same with a factory that can fail and is told which loop it is for,
    /// counted from 0.
    ///
    /// # Errors
    /// As [`reactors`](Server::reactors), and the factory's.
    pub fn try_reactors<S, F>(self, number: usize, factory: F) -> Result<Background, Error>
    where
        S: Service,
        F: Fn(usize) -> Result<S, Error> + Send + Sync + 'static,
    {
        if number == 0 || number > REACTORS_MAX {
            let why = format!("must be 1 to {REACTORS_MAX}");
            return Err(Error::Config { field: "reactors", why });
        }
        self.check()?;
        // Of Unix sockets alone there is none.
        let address = self.local_addrs().next().unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into());
        let config = share(&self.config, number);
        let helpers = Helpers::new(&self.config)?;
        let descriptors = (descriptors_for_clients() / number).max(1);
        let factory = Arc::new(factory);
        let (ready, told) = channel();
        let mut threads = Vec::with_capacity(number);
        let mut begins: Vec<SyncSender<Handle>> = Vec::with_capacity(number);
        for (at, listeners) in spread(self.listeners, number)?.into_iter().enumerate() {
            let (begin, begun) = sync_channel(1);
            let seat = Seat {
                number: at,
                listeners,
                config: config.clone(),
                helpers: Arc::clone(&helpers),
                descriptors,
                ready: ready.clone(),
                begin: begun,
            };
            let name = if number == 1 { "onepoll".to_owned() } else { format!("onepoll-{at}") };
            let factory = Arc::clone(&factory);
            let thread = thread::Builder::new().name(name).spawn(move || seat.serve(&*factory));
            threads.push(thread.map_err(Error::io("starting the server's thread"))?);
            begins.push(begin);
        }
        drop(ready);
        let handle = match all_ready(&told, number) {
            Ok(handle) => handle,
            Err(error) => {
                drop(begins); // the others go home
                threads.into_iter().map(JoinHandle::join).for_each(drop);
                return Err(error);
            }
        };
        handle.introduce();
        for begin in begins {
            let _ = begin.send(handle.clone());
        }
        Ok(Background::new(threads, handle, address))
    }
}

/// Waits for all, or for the first that fails.
fn all_ready(
    told: &Receiver<(usize, Result<Handle, Error>)>,
    number: usize,
) -> Result<Handle, Error> {
    let mut ready = Vec::with_capacity(number);
    while ready.len() < number {
        match told.recv() {
            Ok((at, Ok(handle))) => ready.push((at, handle)),
            Ok((_, Err(error))) => return Err(error),
            Err(_) => {
                let panicked = io::Error::other("it panicked");
                return Err(Error::io("starting the server's thread")(panicked));
            }
        }
    }
    ready.sort_by_key(|(at, _)| *at);
    let handles: Vec<Handle> = ready.into_iter().map(|(_, handle)| handle).collect();
    Ok(Handle::all(&handles))
}

/// A set of listeners for each loop: of each address all sockets there are, and at
/// least one.
fn spread(listeners: Vec<Listener>, number: usize) -> Result<Vec<Vec<Listener>>, Error> {
    let mut sets: Vec<Vec<Listener>> = (0..number).map(|_| Vec::new()).collect();
    for group in by_address(enough(listeners, number)?) {
        for (at, listener) in group.into_iter().enumerate() {
            if let Some(set) = sets.get_mut(at % number) {
                set.push(listener);
            }
        }
    }
    Ok(sets)
}

/// So many sockets for each address, if there are not more.
fn enough(listeners: Vec<Listener>, number: usize) -> Result<Vec<Listener>, Error> {
    let mut all = Vec::new();
    for group in by_address(listeners) {
        let mut more = Vec::new();
        let wanted = number.saturating_sub(group.len());
        for listener in group.iter().cycle().take(wanted) {
            let failed = |source| Error::Listen { address: listener.to_string(), source };
            more.push(listener.another().map_err(failed)?);
        }
        all.extend(group);
        all.extend(more);
    }
    Ok(all)
}

fn by_address(listeners: Vec<Listener>) -> Vec<Vec<Listener>> {
    let mut groups: Vec<(String, Vec<Listener>)> = Vec::new();
    for listener in listeners {
        let address = listener.to_string();
        match groups.iter_mut().find(|(of, _)| *of == address) {
            Some((_, group)) => group.push(listener),
            None => groups.push((address, vec![listener])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

impl Seat {
    fn serve<S: Service>(self, make: &dyn Fn(usize) -> Result<S, Error>) -> Result<(), Error> {
        let Seat { number, listeners, config, helpers, descriptors, ready, begin } = self;
        // If that panics, dropping `ready` tells of it.
        let made = make(number)
            .and_then(|service| Running::new(service, listeners, config, &helpers, descriptors));
        drop(helpers);
        let mut running = match made {
            Ok(running) => running,
            Err(error) => {
                let _ = ready.send((number, Err(error)));
                return Ok(());
            }
        };
        let _ = ready.send((number, Ok(running.handle())));
        drop(ready);
        let Ok(all) = begin.recv() else { return Ok(()) };
        let mut guard = OneForAll(Some(all));
        running.run_on()?;
        guard.0 = None;
        Ok(())
    }
}

/// Stops all loops when one ends in a way that nobody asked for.
struct OneForAll(Option<Handle>);

impl Drop for OneForAll {
    fn drop(&mut self) {
        let Some(all) = &self.0 else { return };
        if all.reactors().len() > 1 {
            log::error!("a reactor has failed: stopping the others");
        }
        all.stop();
    }
}
