//! What is served, made of the arguments: once at the start for each loop, and
//! again when settings are read anew.
//!
//! What must read files or may wait is done in [`Site::new`], on any thread; what
//! belongs to a loop's thread is made there, by [`Site::app`].

use super::args::{self, LogFormat, ServeArgs};
use super::secrets::Redirect;
use onepoll::files::{Files, Uploads};
use onepoll::handlers::{Health, Inside, Metrics, SharedMetrics};
use onepoll::middleware::{AccessLog, BasicAuth, Cors, Format};
use onepoll::{App, Config, Error, Request, Response, Status};
use std::rc::Rc;

/// The parts of an application that can go from thread to thread.
pub(super) struct Site {
    files: Files,
    uploads: Option<Uploads>,
    cors: Option<Cors>,
    auth: Option<BasicAuth>,
    /// Fields of every reply.
    fields: Vec<(String, String)>,
    health: bool,
    metrics: Option<String>,
    inside: Option<Inside>,
}

/// What a loop keeps when its application is replaced: else lines of the log would
/// be out of order, and numbers would begin again.
#[derive(Clone)]
pub(super) struct Kept {
    log: Option<Rc<AccessLog>>,
    metrics: Rc<Metrics>,
    redirect: Option<Redirect>,
}

impl Site {
    /// Opens and reads what the arguments name. `others` are the uploads of the same
    /// process.
    ///
    /// # Errors
    /// What is not there, or makes no sense.
    pub(super) fn new(args: &ServeArgs, others: &Uploads) -> Result<Site, Error> {
        let ServeArgs { root, content, cache, access, uploads, life, inside, .. } = args;
        Ok(Site {
            files: content.files(root, cache)?,
            uploads: uploads.uploads(access)?.map(|uploads| uploads.beside(others)),
            cors: access.cors(uploads)?,
            auth: access.auth()?,
            fields: content.header.clone(),
            health: life.health,
            metrics: life.metrics.clone(),
            inside: inside.page(&args.address.host)?,
        })
    }

    /// Says in the log what a careful person would want to know.
    pub(super) fn warn(&self) {
        if self.uploads.is_some() && self.auth.is_none() {
            log::warn!("whoever reaches this server may upload files; --auth asks for a password");
        }
    }

    /// The folder's routes, and around them, from the outermost in: metrics, the
    /// access log, the way to HTTPS, CORS (as a preflight has no password) and passwords.
    pub(super) fn app(self, kept: &Kept) -> App {
        let mut app = App::new();
        if let Some(path) = self.metrics {
            let metrics = Rc::clone(&kept.metrics);
            app.wrap(Rc::clone(&metrics));
            app.apart(|app| {
                app.get(&path, move |request: &mut Request| metrics.page(request));
            });
        }
        if self.health {
            Health::new().mount(&mut app);
        }
        if let Some(log) = &kept.log {
            app.wrap(Rc::clone(log));
        }
        // In front of whoever asks for a password.
        if let Some(redirect) = &kept.redirect {
            redirect.wrap(&mut app);
        }
        if let Some(cors) = self.cors {
            app.wrap(cors);
        }
        if let Some(auth) = self.auth {
            app.wrap(auth);
        }
        let fields = self.fields;
        if !fields.is_empty() {
            app.errors(move |_: &Request, status, message| error_page(status, message, &fields));
        }
        let files = match self.uploads {
            Some(uploads) => self.files.upload(uploads),
            None => self.files,
        };
        files.mount(&mut app, "/");
        // Last: whether it is shown changes no other route's number.
        if let Some(inside) = self.inside {
            inside.mount(&mut app, args::inside::PATH);
        }
        app
    }
}

impl Kept {
    /// For one loop; with others there is `together`.
    pub(super) fn new(
        log: Option<AccessLog>,
        together: Option<&SharedMetrics>,
        redirect: Option<Redirect>,
    ) -> Kept {
        let metrics = Metrics::new();
        let metrics = match together {
            Some(together) => metrics.shared(together),
            None => metrics,
        };
        Kept { log: log.map(Rc::new), metrics: Rc::new(metrics), redirect }
    }
}

/// The engine's settings that the arguments mean.
///
/// # Errors
/// [`Error::Config`] for what makes no sense together.
pub(super) fn config(args: &ServeArgs) -> Result<Config, Error> {
    let config = args::net::config(args.limits.config(), &args.proxies, &args.crowd)?;
    let config = args.inside.config(config);
    config.check()?;
    Ok(config)
}

/// Where requests are logged, if they are.
///
/// # Errors
/// If the file can't be opened, or there is no thread to be had.
pub(super) fn access_log(args: &ServeArgs) -> Result<Option<AccessLog>, Error> {
    let format = match args.log_format {
        LogFormat::Combined => Format::Combined,
        LogFormat::Json => Format::Json,
        LogFormat::Off => return Ok(None),
    };
    let log = match &args.access_log {
        Some(path) => {
            AccessLog::file(path).map_err(|source| Error::File { path: path.clone(), source })?
        }
        None => AccessLog::stdout()
            .map_err(|source| Error::Io { doing: "starting the access log", source })?,
    };
    Ok(Some(log.format(format)))
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
