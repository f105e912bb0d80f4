//! `onepoll serve`: the files of a folder.

use super::signals;
use clap::ValueEnum;
use onepoll::{Config, Error};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

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
    check_folder(&options.root)?;
    let ServeOptions { root, index, address, config, log_format } = options;
    log::debug!("serving {} on {address}, index {index}, {log_format:?}", root.display());
    log::debug!("{config:?}");
    // TO CONNECT: Files::new(root).index(index), the access log, Server::bind(address).
    let watch = signals::watch(|ask| {
        log::info!("{ask:?} asked for by a signal");
        // TO CONNECT: Ask::Drain => handle.drain(..), Ask::Stop => handle.stop().
    });
    let _watch = watch.map_err(|source| Error::Io { doing: "watching for signals", source })?;
    Ok(())
}

/// Tells a wrong path before anything is opened.
fn check_folder(path: &Path) -> Result<(), Error> {
    let refuse = |source| Error::Folder { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(refuse)?.is_dir() {
        return Err(refuse(io::ErrorKind::NotADirectory.into()));
    }
    Ok(())
}
