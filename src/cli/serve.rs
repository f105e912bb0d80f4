//! `onepoll serve`: the files of a folder.

use super::signals;
use clap::ValueEnum;
use onepoll::files::Files;
use onepoll::{App, Config, Error};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

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

/// How requests are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// As most servers write it, one line of text a request
    Combined,
    /// One JSON object a request
    Json,
    /// Not at all
    Off,
}

/// Serves until a signal ends it.
///
/// # Errors
/// What kept it from starting, or ended the loop.
pub(super) fn serve(options: ServeOptions) -> Result<(), Error> {
    log::debug!("{options:?}");
    let ServeOptions { root, index, address, config, log_format } = options;
    let app = application(&root, index, log_format)?;
    // TO CONNECT: the server of `app`, bound to `address`, with `config`.
    let _ = (app, address, config);
    let watch = signals::watch(|ask| {
        log::info!("{ask:?} asked for by a signal");
        // TO CONNECT: Ask::Drain => handle.drain(..), Ask::Stop => handle.stop().
    });
    let _watch = watch.map_err(|source| Error::Io { doing: "watching for signals", source })?;
    Ok(())
}

/// One route that catches everything, and the access log around it.
fn application(root: &Path, index: String, log_format: LogFormat) -> Result<App, Error> {
    let files = Files::with_index(root, index)?;
    let mut app = App::new();
    match log_format {
        // TO CONNECT: app.wrap(AccessLog::..) for each of the two.
        LogFormat::Combined | LogFormat::Json | LogFormat::Off => {}
    }
    app.get("/{*path}", files.handler());
    app.check()?;
    Ok(app)
}
