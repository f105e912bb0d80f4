//! `onepoll serve`: the files of a folder.

use super::signals::{self, Ask};
use clap::ValueEnum;
use onepoll::files::Files;
use onepoll::middleware::{AccessLog, Format};
use onepoll::{App, Config, Error, Server};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What `onepoll serve` was asked to do, checked.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ServeOptions {
    /// The folder whose files are served.
    pub(super) root: PathBuf,
    /// The file that stands for its folder.
    pub(super) index: String,
    /// Where to listen; port 0 means any.
    pub(super) address: SocketAddr,
    /// The engine's limits and times.
    pub(super) config: Config,
    /// How requests are logged.
    pub(super) log_format: LogFormat,
}

/// How requests are logged, on the standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// As most servers write it, one line of text a request
    Combined,
    /// One JSON object a request
    Json,
    /// Not at all
    Off,
}

/// How long what is under way may take after the first signal.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);

/// Serves until a signal ends it.
///
/// # Errors
/// What kept it from starting, or ended the loop.
pub(super) fn serve(options: ServeOptions) -> Result<(), Error> {
    log::debug!("{options:?}");
    let ServeOptions { root, index, address, config, log_format } = options;
    let app = application(&root, index, log_format)?;
    let server = Server::bind(address)?.config(config);
    // With port 0, only now is it known which.
    let address = server.local_addr()?;
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
    log::info!("serving {} on http://{address}/", root.display());
    running.run()?;
    log::info!("ended");
    Ok(())
}

/// One route that catches everything, and the access log around it.
fn application(root: &Path, index: String, log_format: LogFormat) -> Result<App, Error> {
    let files = Files::new(root)?.index(index);
    let mut app = App::new();
    let format = match log_format {
        LogFormat::Combined => Some(Format::Combined),
        LogFormat::Json => Some(Format::Json),
        LogFormat::Off => None,
    };
    if let Some(format) = format {
        let failed = |source| Error::Io { doing: "starting the access log", source };
        app.wrap(AccessLog::stdout().map_err(failed)?.format(format));
    }
    app.get("/{*path}", files.handler());
    Ok(app)
}
