//! What can go wrong at start.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a server can't start, or why its loop ended. One line, for a person.
///
/// ```
/// let error = onepoll::Server::bind("127.0.0.1:99999").unwrap_err();
/// assert!(error.to_string().starts_with("cannot listen on 127.0.0.1:99999: "));
/// ```
#[non_exhaustive]
pub enum Error {
    /// A limit or a time that makes no sense.
    Config {
        /// The field of [`Config`](crate::Config).
        field: &'static str,
        /// What is allowed.
        why: String,
    },
    /// An address can't be listened on.
    Listen {
        /// The address as it was given.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// A server to measure can't be reached.
    Connect {
        /// The address as it was given.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// A folder that was to be served can't be.
    Folder {
        /// The path as it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that was to be read can't be.
    File {
        /// The path as it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of certificates or keys makes no sense.
    Tls {
        /// The path as it was given.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// Two routes that nothing tells apart, or a pattern that is none.
    Route(String),
    /// The system refused something that the loop can't do without.
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { doing, source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Config { field, why } => write!(f, "configuration: {field} {why}"),
            Error::Listen { address, source } => {
                write!(f, "cannot listen on {address}: ")?;
                match source.kind() {
                    io::ErrorKind::AddrInUse => {
                        f.write_str("the address is in use by another program")
                    }
                    io::ErrorKind::AddrNotAvailable => {
                        f.write_str("this machine has no such address")
                    }
                    io::ErrorKind::PermissionDenied if address.starts_with("unix:") => {
                        f.write_str("permission denied to make a socket there")
                    }
                    io::ErrorKind::NotFound if address.starts_with("unix:") => {
                        f.write_str("there is no such folder")
                    }
                    io::ErrorKind::PermissionDenied => {
                        f.write_str("permission denied; ports below 1024 are for the superuser")
                    }
                    _ => write!(f, "{source}"),
                }
            }
            Error::Connect { address, source } => {
                write!(f, "cannot connect to {address}: ")?;
                match source.kind() {
                    io::ErrorKind::ConnectionRefused => f.write_str("connection refused"),
                    io::ErrorKind::TimedOut => f.write_str("no answer in time"),
                    io::ErrorKind::NotFound => f.write_str("there is no such address"),
                    _ => write!(f, "{source}"),
                }
            }
            Error::Folder { path, source } => {
                let path = path.display();
                match source.kind() {
                    io::ErrorKind::NotFound => write!(f, "{path}: no such folder"),
                    io::ErrorKind::NotADirectory => write!(f, "{path}: not a folder"),
                    io::ErrorKind::PermissionDenied => write!(f, "{path}: permission denied"),
                    _ => write!(f, "{path}: {source}"),
                }
            }
            Error::File { path, source } => {
                let path = path.display();
                match source.kind() {
                    io::ErrorKind::NotFound => write!(f, "{path}: no such file"),
                    io::ErrorKind::IsADirectory => write!(f, "{path}: a folder, not a file"),
                    io::ErrorKind::PermissionDenied => write!(f, "{path}: permission denied"),
                    _ => write!(f, "{path}: {source}"),
                }
            }
            Error::Tls { path, why } => write!(f, "{}: {why}", path.display()),
            Error::Route(why) => write!(f, "routes: {why}"),
            Error::Io { doing, source } => write!(f, "{doing}: {source}"),
        }
    }
}

/// The same line as [`Display`](fmt::Display): it is what a `main` that returns
/// this error prints.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Listen { source, .. }
            | Error::Connect { source, .. }
            | Error::Folder { source, .. }
            | Error::File { source, .. }
            | Error::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_main_prints_is_one_line_for_a_person() {
        let source = io::ErrorKind::AddrInUse.into();
        let error = Error::Listen { address: "127.0.0.1:80".to_owned(), source };
        let line = "cannot listen on 127.0.0.1:80: the address is in use by another program";
        assert_eq!(format!("{error:?}"), line);
        assert_eq!(error.to_string(), line);
    }
}
