//! `onepoll serve`: the files of a folder.

use super::args::{LogFormat, ServeArgs};
use super::signals::{self, Ask};
use super::urls;
use onepoll::middleware::{AccessLog, Format};
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
    let app = application(args)?;
    let server = bind(&args.address.host, args.address.port)?.config(args.limits.config());
    // With port 0, only now is it known which.
    let addresses: Vec<SocketAddr> = server.local_addrs().collect();
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
    log::info!("serving {} on {}", args.root.display(), urls::list(&addresses));
    running.run()?;
    log::info!("ended");
    Ok(())
}

/// The folder's routes, and around them, from the outermost in: the access log,
/// CORS (as a preflight has no password) and passwords.
fn application(args: &ServeArgs) -> Result<App, Error> {
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

/// Listens on each of these hosts, once.
fn bind(hosts: &[String], port: u16) -> Result<Server, Error> {
    let mut server: Option<Server> = None;
    let mut done: Vec<IpAddr> = Vec::new();
    for host in hosts {
        let address = look_up(host, port)?;
        // With port 0, nobody wants the same address with two ports.
        if done.contains(&address.ip()) || (is_any_v4(address.ip()) && has_any_v6(hosts)) {
            continue;
        }
        done.push(address.ip());
        server = Some(match server {
            None => Server::bind(address)?,
            Some(server) => server.and_bind(address)?,
        });
    }
    server.ok_or_else(|| Error::Config { field: "--host", why: "must be given".to_owned() })
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
