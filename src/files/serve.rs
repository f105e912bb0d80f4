//! From a path within the folder to a response; what may block is marked so.

use super::mime;
use super::plan::{Facts, Plan, Span, plan};
use crate::disk::{Jail, OpenError, Opened};
use crate::http::{Body, FileSpan, Method, Request, Response, Status};
use rustix::io::Errno;
use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// An open folder and how it is shown.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) jail: Jail,
    /// The file that stands for its folder.
    pub(super) index: Cow<'static, str>,
}

/// Files up to this length are read at once, so that head and content leave in
/// one write; above, the engine sends them piece by piece as the client takes
/// them.
const SMALL_MAX: u64 = 64 * 1024;
/// The longest name and the longest path that Linux knows, in bytes.
const NAME_MAX: usize = 255;
const PATH_MAX: usize = 4095;

/// What can be told without the disk: whether it is worth looking.
///
/// # Errors
/// 405, 403 for what would leave the folder, 404 for what can't be a file.
pub(super) fn check(request: &Request) -> Result<(), Status> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Status::METHOD_NOT_ALLOWED);
    }
    let path = wanted(request);
    if path.split('/').any(|name| name == "..") {
        return Err(escape(request));
    }
    // An encoded slash would become one that no rule of a proxy has seen. Two
    // slashes at the front would make the redirect below lead to another host.
    let odd = has_encoded_slash(request.path()) || request.path().starts_with("//");
    if odd || !can_be_file(path) {
        return Err(Status::NOT_FOUND);
    }
    Ok(())
}

/// The path within the folder, decoded: what the route's last parameter caught.
fn wanted(request: &Request) -> &str {
    request.params().iter().last().map_or("", |(_, value)| value)
}

fn has_encoded_slash(path: &str) -> bool {
    path.as_bytes().windows(3).any(|triplet| triplet.eq_ignore_ascii_case(b"%2f"))
}

/// Whether a path of this spelling is ever shown: no empty, hidden, current or
/// overlong name in it. Several spellings of one file would help to get around
/// the rules of a proxy or a cache.
fn can_be_file(path: &str) -> bool {
    let bare = path.strip_suffix('/').unwrap_or(path);
    let mut names = bare.split('/').enumerate();
    let sound = |(at, name): (usize, &str)| {
        // RFC 8615: the one hidden name that is meant for everybody.
        let shown = !name.starts_with('.') || (at == 0 && name == ".well-known");
        shown && !name.is_empty() && name.len() <= NAME_MAX && !name.contains('\0')
    };
    path.is_empty() || (path.len() <= PATH_MAX && names.all(sound))
}

/// Says in the log who tried to leave the folder.
fn escape(request: &Request) -> Status {
    let (peer, path) = (request.peer(), request.path());
    log::warn!("{peer} asked for {path:?}, which leads out of the folder: refused");
    Status::FORBIDDEN
}

impl Root {
    /// The response to a request that passed [`check`]. Blocks on the disk.
    ///
    /// # Errors
    /// The status to answer with.
    pub(super) fn answer(&self, request: &Request) -> Result<Response, Status> {
        let path = wanted(request);
        // Where the route caught nothing, the address itself tells.
        let address = if path.is_empty() { request.path() } else { path };
        if !address.ends_with('/') {
            if path.is_empty() {
                return Ok(to_folder(request));
            }
            let opened = self.open(request, path)?;
            if opened.metadata.is_dir() {
                return Ok(to_folder(request));
            }
            return respond(request, path, opened);
        }
        // A file is no folder: with a slash behind it, it is not found here.
        let index = format!("{path}{}", self.index);
        let opened = self.open(request, &index)?;
        respond(request, &index, opened)
    }

    fn open(&self, request: &Request, path: &str) -> Result<Opened, Status> {
        self.jail.open(path.as_bytes()).map_err(|error| match error {
            OpenError::Escape => escape(request),
            OpenError::NotFound => Status::NOT_FOUND,
            OpenError::Denied => Status::FORBIDDEN,
            OpenError::Other(error) => status_of(path, &error),
            // Not from a call that may wait.
            OpenError::WouldBlock => Status::INTERNAL_SERVER_ERROR,
        })
    }
}

/// Sends the client to the folder's own address, so that relative links in its
/// index lead into it. The query is kept.
fn to_folder(request: &Request) -> Response {
    let path = request.path();
    let location = match request.query() {
        Some(query) => format!("{path}/?{query}"),
        None => format!("{path}/"),
    };
    Response::new(Status::PERMANENT_REDIRECT).header("Location", location)
}

fn respond(request: &Request, path: &str, opened: Opened) -> Result<Response, Status> {
    // A folder can be named like the index file.
    if !opened.metadata.is_file() {
        return Err(Status::NOT_FOUND);
    }
    let facts = Facts::of(&opened.metadata);
    let Plan { mut response, part } = plan(request, &facts, mime::of(path));
    if let Some(part) = part {
        let is_read = *request.method() == Method::GET && part.len <= SMALL_MAX;
        let body = if is_read {
            Body::Owned(read(&opened.file, part).map_err(|error| status_of(path, &error))?)
        } else {
            // For HEAD as well: it has the length, and nobody reads it.
            let Span { offset, len } = part;
            Body::File(FileSpan { file: Arc::new(opened.file), offset, len })
        };
        response.set_body(body);
    }
    Ok(response)
}

/// Reads a part that is small. A file that has shrunk since is an error: the
/// head that was planned is no longer true.
fn read(file: &File, part: Span) -> io::Result<Vec<u8>> {
    let len = usize::try_from(part.len.min(SMALL_MAX)).unwrap_or(0);
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, part.offset)?;
    Ok(bytes)
}

/// What the client is told of a failure; the log is told all.
fn status_of(path: &str, error: &io::Error) -> Status {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    match errno {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => {
            log::error!("{path:?}: {error}");
            Status::SERVICE_UNAVAILABLE
        }
        _ => {
            log::error!("{path:?}: {error}");
            Status::INTERNAL_SERVER_ERROR
        }
    }
}

#[cfg(test)]
mod tests;
