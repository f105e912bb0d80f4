//! The builder: listeners, a loop, its helpers, and the handle that ends it.
//!
//! ```text
//!   Server --start--> Running --run, turn--> until a Handle says drain or stop
//!     '-----spawn---> Background: the same on a thread of its own
//! ```
//!
//! ```no_run
//! use onepoll::{App, Config, Request, Server};
//! use std::time::Duration;
//! let mut app = App::new();
//! app.get("/", |_: &mut Request| "Hello, World!");
//! let config = Config { idle_timeout: Duration::from_secs(5), ..Config::default() };
//! Server::bind("127.0.0.1:8080")?.and_bind("[::1]:8080")?.config(config).run(app)?;
//! # Ok::<(), onepoll::Error>(())
//! ```

mod handle;
mod several;
mod watchdog;
mod world;

pub use handle::{Background, Handle};

use crate::config::Config;
use crate::error::Error;
use crate::helper::{Pool, Settings};
use crate::http::Service;
#[cfg(feature = "tls")]
use crate::net::tls::Tls;
use crate::net::{Listener, SocketOptions};
use crate::reactor::Reactor;
use crate::stats::Stats;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use watchdog::Watchdog;
use world::RealWorld;

/// Descriptors kept for everything that is not a client's socket: listeners,
/// poll, waker, log files, and files being opened.
const DESCRIPTORS_KEPT: usize = 64;
/// Memory for buffers that a loop has at least, in bytes: what a configuration may
/// say at least.
const BUFFERS_LEAST: usize = 1 << 20;
/// How long a helper thread without work stays.
const HELPER_IDLE: Duration = Duration::from_secs(10);

/// Addresses to listen on and limits to keep: a server that is not running yet.
///
/// Its sockets listen from [`bind`](Server::bind) on, so clients that come
/// before [`run`](Server::run) wait in the kernel's queue.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<Listener>,
    options: SocketOptions,
    config: Config,
}

impl Server {
    /// Listens on an address: `"127.0.0.1:8080"`, `"[::]:80"`, `("localhost", 0)`.
    /// Port 0 lets the system choose: see [`local_addr`](Server::local_addr). A
    /// name is looked up here, which may take a while, and its first address
    /// that can be listened on is used.
    ///
    /// # Errors
    /// [`Error::Listen`], naming the address.
    pub fn bind(address: impl ToSocketAddrs + std::fmt::Debug) -> Result<Server, Error> {
        Server::new().and_bind(address)
    }

    /// As [`bind`](Server::bind), but other processes of the same user may listen on
    /// the same addresses if they say so, too: see
    /// [`SocketOptions::reuse_port`](SocketOptions), which is set for all to come.
    ///
    /// # Errors
    /// As [`bind`](Server::bind).
    pub fn bind_shared(address: impl ToSocketAddrs + std::fmt::Debug) -> Result<Server, Error> {
        let options = SocketOptions { reuse_port: true, ..SocketOptions::default() };
        Server { options, ..Server::new() }.and_bind(address)
    }

    /// Listens on a Unix socket: a path, or `@name` for an abstract name (Linux).
    /// What a server that is gone left behind is replaced: see [`Listener::unix`].
    ///
    /// # Errors
    /// [`Error::Listen`], naming the path.
    pub fn bind_unix(name: impl AsRef<Path>) -> Result<Server, Error> {
        Server::new().and_bind_unix(name)
    }

    /// On this listener, such as an [inherited](Listener::inherit) one.
    pub fn listener(listener: Listener) -> Server {
        Server::new().and_listener(listener)
    }

    /// Without a listener yet, so that what is said of [sockets](Server::sockets)
    /// counts for the first one, too.
    pub fn new() -> Server {
        Server {
            listeners: Vec::new(),
            options: SocketOptions::default(),
            config: Config::default(),
        }
    }

    /// Listens on one more Unix socket.
    ///
    /// # Errors
    /// As [`bind_unix`](Server::bind_unix).
    pub fn and_bind_unix(mut self, name: impl AsRef<Path>) -> Result<Server, Error> {
        let name = name.as_ref();
        let failed = |source| Error::Listen { address: format!("unix:{}", name.display()), source };
        self.listeners.push(Listener::unix(name, &self.options).map_err(failed)?);
        Ok(self)
    }

    /// One more listener.
    #[must_use]
    pub fn and_listener(mut self, listener: Listener) -> Server {
        self.listeners.push(listener);
        self
    }

    /// Sets options of the listening sockets: those there are, and those to come.
    /// The mode of a Unix socket and `reuse_port` count for those to come only.
    ///
    /// # Errors
    /// [`Error::Listen`] for the address whose socket can't have them.
    pub fn sockets(mut self, options: &SocketOptions) -> Result<Server, Error> {
        for listener in &mut self.listeners {
            let set = listener.set(options);
            set.map_err(|source| Error::Listen { address: listener.to_string(), source })?;
        }
        self.options = options.clone();
        Ok(self)
    }

    /// The sockets that listen, to show where.
    pub fn listeners(&self) -> impl Iterator<Item = &Listener> {
        self.listeners.iter()
    }

    /// Listens on one more address. `[::]` takes IPv4 clients as well, so that
    /// with a `0.0.0.0` of the same port, before or after it, each client still
    /// has one listener.
    ///
    /// # Errors
    /// As [`bind`](Server::bind).
    pub fn and_bind(
        mut self,
        address: impl ToSocketAddrs + std::fmt::Debug,
    ) -> Result<Server, Error> {
        let shown = format!("{address:?}").replace('"', "");
        let failed = |source| Error::Listen { address: shown.clone(), source };
        let mut last = std::io::ErrorKind::AddrNotAvailable.into();
        for address in address.to_socket_addrs().map_err(failed)? {
            match self.listen(address) {
                Ok(()) => return Ok(self),
                Err(error) => last = error,
            }
        }
        Err(failed(last))
    }

    /// As [`bind`](Server::bind), for clients that speak TLS.
    ///
    /// # Errors
    /// As [`bind`](Server::bind).
    #[cfg(feature = "tls")]
    pub fn bind_tls(
        address: impl ToSocketAddrs + std::fmt::Debug,
        tls: &Tls,
    ) -> Result<Server, Error> {
        Server::new().and_bind_tls(address, tls)
    }

    /// Listens on one more address, for clients that speak TLS. Those on other
    /// addresses speak what they did.
    ///
    /// # Errors
    /// As [`bind`](Server::bind).
    #[cfg(feature = "tls")]
    pub fn and_bind_tls(
        self,
        address: impl ToSocketAddrs + std::fmt::Debug,
        tls: &Tls,
    ) -> Result<Server, Error> {
        let plain = self.listeners.len();
        let mut server = self.and_bind(address)?;
        if let Some(new) = server.listeners.len().checked_sub(plain).filter(|&new| new > 0) {
            let added = server.listeners.split_off(server.listeners.len() - new);
            server.listeners.extend(added.into_iter().map(|listener| listener.with_tls(tls)));
        }
        Ok(server)
    }

    fn listen(&mut self, address: SocketAddr) -> std::io::Result<()> {
        let port = address.port();
        let any = |ip: IpAddr| self.local_addrs().any(|own| own == SocketAddr::new(ip, port));
        let (any_v4, any_v6) =
            (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        let listener = match address.ip() {
            ip if ip == any_v4 && any(any_v6) => return Ok(()), // it is taken care of
            ip => {
                let only_v6 = ip == any_v6 && any(any_v4);
                Listener::with(address, only_v6, &self.options)?
            }
        };
        self.listeners.push(listener);
        Ok(())
    }

    /// With these limits and times instead of the defaults. They are checked by
    /// [`start`](Server::start).
    #[must_use]
    pub fn config(mut self, config: Config) -> Server {
        self.config = config;
        self
    }

    /// Where the first listener listens.
    ///
    /// # Errors
    /// [`Error::Io`] as the system says, as if it is a Unix socket.
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        let first = self.listeners.first().ok_or_else(|| {
            Error::io("asking for the local address")(std::io::ErrorKind::NotFound.into())
        })?;
        first.local_addr().map_err(Error::io("asking for the local address"))
    }

    /// Where all listeners listen, but for Unix sockets.
    pub fn local_addrs(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok())
    }

    /// Where those listen whose clients speak TLS.
    pub fn tls_addrs(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        let them = self.listeners.iter().filter(|listener| listener.is_tls());
        them.filter_map(|listener| listener.local_addr().ok())
    }

    /// Serves until somebody ends it: see [`Handle`].
    ///
    /// # Errors
    /// As [`start`](Server::start), and [`Error::Io`] if the poll fails.
    pub fn run<S: Service>(self, service: S) -> Result<(), Error> {
        self.start(service)?.run()
    }

    /// Makes everything ready and hands the loop over, for those who turn it
    /// themselves. Raises the process's soft limit of descriptors to the hard one,
    /// and lowers `connections_max` to what that allows.
    ///
    /// # Errors
    /// [`Error::Config`] for limits that make no sense, [`Error::Route`] for
    /// routes that conflict, [`Error::Io`] if the system refuses a poll, a
    /// waker or the first helper thread.
    pub fn start<S: Service>(self, service: S) -> Result<Running<S>, Error> {
        self.check()?;
        let Server { listeners, config, .. } = self;
        let helpers = Helpers::new(&config)?;
        let descriptors = descriptors_for_clients();
        Running::new(service, listeners, config, &helpers, descriptors)
    }

    fn check(&self) -> Result<(), Error> {
        self.config.check()?;
        if self.listeners.is_empty() {
            let why = "there are none: nobody could connect".to_owned();
            return Err(Error::Config { field: "listeners", why });
        }
        Ok(())
    }

    /// Serves on a thread of its own. The application is made there, by the
    /// factory, because it need not be `Send`.
    ///
    /// # Errors
    /// As [`start`](Server::start), or if the thread can't be started.
    pub fn spawn<S, F>(self, factory: F) -> Result<Background, Error>
    where
        S: Service,
        F: FnOnce() -> S + Send + 'static,
    {
        let factory = Mutex::new(Some(factory));
        self.try_reactors(1, move |_| {
            let factory = factory.lock().unwrap_or_else(PoisonError::into_inner).take();
            let missing = || std::io::Error::other("it is called once");
            factory.map(|make| make()).ok_or_else(|| Error::io("making the service")(missing()))
        })
    }
}

impl Default for Server {
    fn default() -> Server {
        Server::new()
    }
}

/// A server that is ready: turn it, or let it run.
///
/// For a loop of your own, watch [`as_fd`](AsFd::as_fd) for reading, wait until
/// [`next_deadline`](Running::next_deadline) at most, then call
/// [`turn`](Running::turn) with a `max_wait` of zero. Dropping it cuts what is
/// under way, and waits for helper threads for `Config::join_limit`.
///
/// ```
/// use onepoll::{App, Server};
/// let mut running = Server::bind("127.0.0.1:0")?.start(App::new())?;
/// running.handle().stop();
/// while running.turn(None)? {}
/// # Ok::<(), onepoll::Error>(())
/// ```
#[derive(Debug)]
pub struct Running<S: Service> {
    /// First: jobs end while there is a loop to come home to.
    _helpers: Arc<Helpers>,
    reactor: Reactor<S, RealWorld>,
    handle: Handle,
    /// Each loop has one of its own: they are held each by its own handlers.
    _dog: Option<Watchdog>,
}

/// The helper threads of a server. Whichever loop ends last waits for them.
#[derive(Debug)]
struct Helpers {
    pool: Arc<Pool>,
    join_limit: Duration,
}

impl<S: Service> Running<S> {
    /// One loop with these listeners; `descriptors` are its share of those.
    fn new(
        mut service: S,
        listeners: Vec<Listener>,
        mut config: Config,
        helpers: &Arc<Helpers>,
        descriptors: usize,
    ) -> Result<Running<S>, Error> {
        service.prepare(&config)?;
        config.connections_max = config.connections_max.min(descriptors);
        let helpers = Arc::clone(helpers);
        let (world, inbox) = RealWorld::new(listeners, Arc::clone(&helpers.pool))?;
        let stats = Arc::new(Stats::new(Arc::clone(helpers.pool.stats())));
        let handle = Handle::new(Arc::clone(&inbox), Arc::clone(&stats), descriptors);
        let dog = config.blame.map(|limit| Watchdog::start(Arc::clone(&stats), limit));
        let dog = dog.transpose().map_err(Error::io("starting the watchdog's thread"))?;
        let reactor = Reactor::new(service, world, config, inbox, stats);
        Ok(Running { _helpers: helpers, reactor, handle, _dog: dog })
    }

    /// One turn of the loop: waits until something happens, `max_wait` at most,
    /// and deals with it. `false`: it is over.
    ///
    /// # Errors
    /// [`Error::Io`] if the poll fails.
    pub fn turn(&mut self, max_wait: Option<Duration>) -> Result<bool, Error> {
        self.reactor.turn(max_wait)
    }

    /// Turns until a [`Handle`] ends it.
    ///
    /// # Errors
    /// [`Error::Io`] if the poll fails.
    pub fn run(mut self) -> Result<(), Error> {
        self.run_on()
    }

    fn run_on(&mut self) -> Result<(), Error> {
        while self.reactor.turn(None)? {}
        Ok(())
    }

    /// A handle to end it with, from any thread.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// When [`turn`](Running::turn) should be called even if the descriptor
    /// says nothing; `None`: no deadline is running.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.reactor.next_deadline()
    }

    /// The application.
    pub fn service(&mut self) -> &mut S {
        self.reactor.service()
    }
}

/// The poll's descriptor: readable when a turn has something to do.
impl<S: Service> AsFd for Running<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reactor.world_ref().as_fd()
    }
}

impl Helpers {
    fn new(config: &Config) -> Result<Arc<Helpers>, Error> {
        let pool = Pool::new(Settings {
            min: config.helpers_min,
            max: config.helpers_max,
            queue: config.helper_queue,
            idle: HELPER_IDLE,
            name: "onepoll-helper".to_owned(),
        });
        let pool = Arc::new(pool.map_err(Error::io("starting a helper thread"))?);
        Ok(Arc::new(Helpers { pool, join_limit: config.join_limit }))
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        let left = self.pool.shutdown(self.join_limit);
        if left > 0 {
            log::warn!("{left} helper threads did not end in {:?}; left alone", self.join_limit);
        }
    }
}

/// One loop's share of what a server may take.
fn share(config: &Config, reactors: usize) -> Config {
    let of = |all: usize, least: usize| all.div_ceil(reactors.max(1)).max(least);
    Config {
        connections_max: of(config.connections_max, 1),
        buffers_max: of(config.buffers_max, BUFFERS_LEAST),
        ..config.clone()
    }
}

/// Raises the soft descriptor limit to the hard one; how many clients that is
/// room for.
fn descriptors_for_clients() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            log::debug!("the descriptor limit stays as it is: {error}");
        }
    }
    let descriptors = getrlimit(Resource::Nofile).current;
    descriptors.map_or(usize::MAX, |n| {
        usize::try_from(n).unwrap_or(usize::MAX).saturating_sub(DESCRIPTORS_KEPT).max(1)
    })
}
