//! `onepoll serve`: the files of a folder.

use super::args::{self, LogFormat, ServeArgs};
use super::inherited;
use super::secrets::Secrets;
use super::signals::{self, Ask};
use onepoll::middleware::{AccessLog, Format};
use onepoll::net::Listener;
use onepoll::{App, Error, Request, Response, Server, Status};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// How long what is under way may take after the first signal.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);

/// Serves until a signal ends it.
///
/// # Errors
/// What kept it from starting, or ended the loop.
pub(super) fn serve(args: &ServeArgs) -> Result<(), Error> {
    let given = inherited::listeners(&args.sockets.fd)?;
    let tls = Secrets::new(args)?;
    let config = args::net::config(args.limits.config(), &args.proxies, &args.crowd)?;
    let server = listen(args, given, &tls)?.config(config);
    let app = application(args, &tls, &server)?;
    // With port 0, only now is it known which.
    let unix = server.listeners().map(ToString::to_string).filter(|it| it.starts_with("unix:"));
    let mut shown: Vec<String> = unix.collect();
    if server.local_addrs().next().is_some() {
        shown.insert(0, tls.urls(&server));
    }
    let _tls_watch = tls.watch()?;
    let running = server.start(app)?;
    let handle = running.handle();
    let watch = signals::watch(move |ask| match ask {
        Ask::Drain => {
            log::info!("asked to end: finishing what is under way, for {DRAIN_LIMIT:?} at most");
            handle.drain(DRAIN_LIMIT);
        }
        Ask::Stop => {
            log::info!("asked again: stopping");
            handle.stop();
        }
    });
    let _watch = watch.map_err(|source| Error::Io { doing: "watching for signals", source })?;
    log::info!("serving {} on {}", args.root.display(), shown.join(" and "));
    running.run()?;
    log::info!("ended");
    Ok(())
}

/// The folder's routes, and around them, from the outermost in: the access log,
/// CORS (as a preflight has no password) and passwords.
fn application(args: &ServeArgs, tls: &Secrets, server: &Server) -> Result<App, Error> {
    let ServeArgs { root, content, cache, access, uploads, .. } = args;
    let mut files = content.files(root, cache)?;
    let mut app = App::new();
    let format = match args.log_format {
        LogFormat::Combined => Some(Format::Combined),
        LogFormat::Json => Some(Format::Json),
        LogFormat::Off => None,
    };
    if let Some(format) = format {
        let failed = |source| Error::Io { doing: "starting the access log", source };
        app.wrap(AccessLog::stdout().map_err(failed)?.format(format));
    }
    // In front of whoever asks for a password.
    tls.redirect(&mut app, server);
    if let Some(cors) = access.cors(uploads)? {
        app.wrap(cors);
    }
    let auth = access.auth()?;
    if uploads.upload && auth.is_none() {
        log::warn!("whoever reaches this server may upload files; --auth asks for a password");
    }
    if let Some(auth) = auth {
        app.wrap(auth);
    }
    if !content.header.is_empty() {
        let fields = content.header.clone();
        app.errors(move |_: &Request, status, message| error_page(status, message, &fields));
    }
    if let Some(uploads) = uploads.uploads(access)? {
        files = files.upload(uploads);
    }
    files.mount(&mut app, "/");
    Ok(app)
}

/// An error as text, with the fields that every reply has.
fn error_page(status: Status, message: &str, fields: &[(String, String)]) -> Response {
    let text = match message {
        "" => format!("{status}\n"),
        _ => format!("{status}: {message}\n"),
    };
    let page = Response::new(status).text(text);
    fields.iter().fold(page, |page, (name, value)| page.header(name, value))
}

/// On the sockets that were given, and where it was said besides; and without TLS
/// on a second port, if one redirects.
fn listen(args: &ServeArgs, given: Vec<Listener>, tls: &Secrets) -> Result<Server, Error> {
    let hosts = args.address.hosts(!given.is_empty());
    let server = Server::new().sockets(&args.sockets.options())?;
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
