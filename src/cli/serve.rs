//! `onepoll serve`: the files of a folder.

use super::args::ServeArgs;
use super::inherited;
use super::life::{self, Life};
use super::live::{Live, Next};
use super::notify::{Notify, Pulse};
use super::secrets::{Redirect, Secrets};
use super::settings::Settings;
use super::signals;
use super::site::{self, Kept, Site};
use super::takeover::{self, Host};
use onepoll::files::Uploads;
use onepoll::handlers::SharedMetrics;
use onepoll::http::Service;
use onepoll::middleware::AccessLog;
use onepoll::net::{Listener, SocketOptions};
use onepoll::{Background, Error, Running, Server};
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Serves until a signal ends it. `words` are the command line, to be read again.
///
/// # Errors
/// What kept it from starting, or ended the loop.
pub(super) fn serve(settings: Settings, words: Vec<OsString>) -> Result<(), Error> {
    let Some(args) = life::args(&settings) else { return Ok(()) };
    let given = inherited::listeners(&args.sockets.fd)?;
    let notify = Notify::from_environment();
    let uploads = Uploads::new();
    let seeds = seeds(args, &notify, &uploads)?;
    let nexts = seeds.iter().map(|seed| seed.next.clone()).collect();
    let log = seeds.first().and_then(|seed| seed.log.as_ref()).map(AccessLog::handle);
    let secrets = Secrets::new(args)?;
    let config = site::config(args)?;
    let (guest, server) = match takeover::knock(args.life.takeover.as_deref())? {
        Some((guest, taken)) => (Some(guest), taken_over(args, taken, &secrets)?),
        None => (None, listen(args, given, &secrets)?),
    };
    let mut server = server.config(config);
    let mut own = Vec::new();
    if args.life.takeover.is_some() {
        server = server.for_reactors(args.life.reactors)?;
        own = takeover::clones(&server)?;
    }
    let places = places(&server, &secrets);
    let redirect = secrets.redirect(&server);
    let _certificates = secrets.watch()?;
    let started = start(server, seeds, redirect)?;
    let handle = match &started {
        Started::Here(running) => running.handle(),
        Started::Threads(background) => background.handle().clone(),
    };
    let takeover = args.life.takeover.clone();
    let (gone, limit) = (handle.clone(), args.life.drain_limit);
    let leave = move || gone.drain(limit);
    let line = format!("serving {} on {places}", args.root.display());
    let notify_life = notify.clone();
    let host = Host::default();
    let mut life = Life {
        handle,
        notify: notify_life,
        host: host.clone(),
        log,
        nexts,
        uploads,
        secrets,
        words,
        settings,
    };
    let watch = signals::watch(move |ask| life.obey(ask));
    let _watch = watch.map_err(|source| Error::Io { doing: "watching for signals", source })?;
    let main = guest.as_ref().map_or_else(String::new, |_| takeover::main_pid());
    let has_taken = guest.is_some();
    if let Some(guest) = guest {
        guest.ready(&own)?;
    }
    match takeover.map(|path| host.open(&path, own, leave)).transpose() {
        // Nobody else serves any more.
        Err(error) if has_taken => log::error!("{error}; the next start can't take over"),
        opened => drop(opened?),
    }
    log::info!("{line}");
    notify.tell(&format!("{main}READY=1\nSTATUS={line}"));
    match started {
        Started::Here(running) => running.run()?,
        Started::Threads(background) => background.join()?,
    }
    host.close();
    log::info!("ended");
    Ok(())
}

/// On the sockets of the process before, and with TLS as those had it.
fn taken_over(args: &ServeArgs, taken: Vec<Listener>, secrets: &Secrets) -> Result<Server, Error> {
    let redirects = |listener: &Listener| {
        let port = listener.local_addr().ok().map(|address| address.port());
        port.is_some() && port == secrets.redirect_port()
    };
    let guarded = taken
        .into_iter()
        .map(|listener| if redirects(&listener) { listener } else { secrets.guard(listener) });
    guarded.fold(Server::new(), Server::and_listener).sockets(&args.sockets.options())
}

/// Where it listens, for people.
fn places(server: &Server, secrets: &Secrets) -> String {
    // With port 0, only now is it known which.
    let unix = server.listeners().map(ToString::to_string).filter(|it| it.starts_with("unix:"));
    let mut shown: Vec<String> = unix.collect();
    shown.dedup(); // several loops may have one each
    if server.local_addrs().next().is_some() {
        shown.insert(0, secrets.urls(server));
    }
    shown.join(" and ")
}

/// What a loop is made of, on its own thread.
struct Seed {
    site: Site,
    log: Option<AccessLog>,
    together: Option<SharedMetrics>,
    next: Next,
    pulse: Option<Pulse>,
}

/// A server that serves, or is ready to.
enum Started {
    /// One loop, for this thread.
    Here(Box<Running<Live>>),
    /// Several, with threads of their own.
    Threads(Background),
}

/// One for each loop.
fn seeds(args: &ServeArgs, notify: &Notify, uploads: &Uploads) -> Result<Vec<Seed>, Error> {
    let count = args.life.reactors;
    let log = site::access_log(args)?;
    let dog = notify.watchdog(count);
    let together = (count > 1).then(SharedMetrics::default);
    let seed = |seat| {
        Ok(Seed {
            site: Site::new(args, uploads)?,
            log: log.clone(),
            together: together.clone(),
            next: Next::default(),
            pulse: dog.as_ref().map(|dog| dog.pulse(seat)),
        })
    };
    let seeds: Vec<Seed> = (0..count).map(seed).collect::<Result<_, Error>>()?;
    if let Some(seed) = seeds.first() {
        seed.site.warn();
    }
    Ok(seeds)
}

impl Seed {
    fn grow(self, redirect: Option<Redirect>) -> Live {
        let kept = Kept::new(self.log, self.together.as_ref(), redirect);
        Live::new(self.site, kept, self.next, self.pulse)
    }
}

fn start(
    server: Server,
    mut seeds: Vec<Seed>,
    redirect: Option<Redirect>,
) -> Result<Started, Error> {
    let count = seeds.len();
    if count == 1
        && let Some(seed) = seeds.pop()
    {
        return Ok(Started::Here(Box::new(server.start(seed.grow(redirect))?)));
    }
    let seeds: Vec<Option<Seed>> = seeds.into_iter().map(Some).collect();
    let seeds = Mutex::new(seeds);
    let background = server.try_reactors(count, move |number| {
        let mut seeds = seeds.lock().unwrap_or_else(PoisonError::into_inner);
        let seed = seeds.get_mut(number).and_then(Option::take);
        drop(seeds);
        let missing = || std::io::Error::other("it is called once for each");
        let seed = seed.ok_or_else(|| Error::Io { doing: "making a reactor", source: missing() });
        seed.map(|seed| seed.grow(redirect.clone()))
    })?;
    Ok(Started::Threads(background))
}

/// Looks whether it could serve: whether all that is named is there and makes sense.
/// It doesn't listen, since the server that it is for may be running.
///
/// # Errors
/// As [`serve`].
pub(super) fn check(args: &ServeArgs) -> Result<(), Error> {
    let config = site::config(args)?;
    for host in args.address.hosts(!args.sockets.fd.is_empty()) {
        if !host.starts_with("unix:") {
            look_up(&host, args.address.port)?;
        }
    }
    Secrets::new(args)?;
    if let Some(path) = &args.access_log {
        appendable(path).map_err(|source| Error::File { path: path.clone(), source })?;
    }
    let site = Site::new(args, &Uploads::new())?;
    site.warn();
    site.app(&Kept::new(None, None, None)).prepare(&config)
}

/// Whether a log could be written there, without making it.
fn appendable(path: &Path) -> std::io::Result<()> {
    match std::fs::metadata(path) {
        Ok(_) => std::fs::OpenOptions::new().append(true).open(path).map(drop),
        Err(_) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = std::fs::metadata(folder.unwrap_or_else(|| Path::new(".")))?;
            if folder.is_dir() { Ok(()) } else { Err(std::io::ErrorKind::NotADirectory.into()) }
        }
    }
}

/// On the sockets that were given, and where it was said besides; and without TLS
/// on a second port, if one redirects.
fn listen(args: &ServeArgs, given: Vec<Listener>, tls: &Secrets) -> Result<Server, Error> {
    let hosts = args.address.hosts(!given.is_empty());
    let reuse_port = args.life.reuse_port;
    // Before the first is bound.
    let server = Server::new().sockets(&SocketOptions { reuse_port, ..args.sockets.options() })?;
    let given = given.into_iter().map(|listener| tls.guard(listener));
    let server = given.fold(server, Server::and_listener);
    let server = bind(server, &hosts, args.address.port, |server, to| tls.listen(server, to))?;
    match tls.redirect_port() {
        Some(port) => {
            let tcp: Vec<String> =
                hosts.iter().filter(|host| !host.starts_with("unix:")).cloned().collect();
            bind(server, &tcp, port, Server::and_bind)
        }
        None => Ok(server),
    }
}

/// Listens on each of these hosts, once.
fn bind(
    mut server: Server,
    hosts: &[String],
    port: u16,
    listen: impl Fn(Server, SocketAddr) -> Result<Server, Error>,
) -> Result<Server, Error> {
    let mut done: Vec<IpAddr> = Vec::new();
    for host in hosts {
        if let Some(name) = host.strip_prefix("unix:") {
            server = server.and_bind_unix(name)?;
            continue;
        }
        let address = look_up(host, port)?;
        // With port 0, nobody wants the same address with two ports.
        if done.contains(&address.ip()) || (is_any_v4(address.ip()) && has_any_v6(hosts)) {
            continue;
        }
        done.push(address.ip());
        server = listen(server, address)?;
    }
    Ok(server)
}

/// Its address; of several an IPv4 one, since `localhost` often names an IPv6
/// address that the machine doesn't have.
fn look_up(host: &str, port: u16) -> Result<SocketAddr, Error> {
    let failed = |source| Error::Listen { address: host.to_owned(), source };
    let found = (host, port).to_socket_addrs().map_err(failed)?;
    found.min_by_key(SocketAddr::is_ipv6).ok_or_else(|| {
        failed(std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address"))
    })
}

fn is_any_v4(ip: IpAddr) -> bool {
    ip.is_ipv4() && ip.is_unspecified()
}

/// `::` takes IPv4 clients as well.
fn has_any_v6(hosts: &[String]) -> bool {
    hosts.iter().any(|host| host.parse() == Ok(IpAddr::from([0u16; 8])))
}
