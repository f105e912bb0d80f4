//! From a request to a response, in one try that may wait for the disk or not.
//!
//! ```text
//!  check: method, spelling ---> 403, 404, 405
//!    |
//!  the shelf: is it at hand? ------------------------------------.
//!    | no                                                        |
//!  open + stat in the jail ---> 403, 404 (page404, spa)          |
//!    |                                                           |
//!  a folder? 308 to `name/`, its index file, or listing          |
//!    |                                                           |
//!  a file: its content (up to 64 KiB), its other forms -> shelf  |
//!    |                                                           v
//!  choose a form, plan: 412, 304, 206, 416, 200 <----------- Resource
//! ```
//!
//! On the loop every step that would wait ends the try with [`Stop::Wait`], and
//! a helper makes another.

use super::options::Options;
use super::plan::{Plan, Span, plan};
use super::resource::{Content, Representation, Resource};
use super::{fields, listing, mime, variant};
use crate::disk::{Jail, OpenError, Opened};
use crate::http::{Body, FileSpan, Method, Request, Response, Status};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// An open folder and how it is shown.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) jail: Arc<Jail>,
    pub(super) options: Options,
}

/// Whether a try may wait for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// On the loop.
    Never,
    /// On a helper.
    Allowed,
}

/// Why a try ends without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It would take the disk to know: ask again on a helper.
    Wait,
    /// The app's error page for that status.
    Status(Status),
}

/// Where files that were looked at are kept, by their path.
pub(super) trait Shelf {
    fn get(&self, path: &str) -> Option<Arc<Resource>>;
    fn put(&self, path: &str, resource: &Arc<Resource>);
}

/// One try to answer a request.
pub(super) struct Visit<'a> {
    pub(super) site: &'a Site,
    pub(super) request: &'a Request,
    pub(super) wait: Wait,
    pub(super) shelf: &'a dyn Shelf,
}

/// Files up to this length are kept in memory, so that head and content leave
/// in one write; above, the engine sends them piece by piece as the client
/// takes them.
pub(super) const SMALL_MAX: u64 = 64 * 1024;
/// The longest name and the longest path that Linux knows, in bytes.
const NAME_MAX: usize = 255;
const PATH_MAX: usize = 4095;

impl From<Status> for Stop {
    fn from(status: Status) -> Stop {
        Stop::Status(status)
    }
}

impl Visit<'_> {
    /// The response, as far as it can be told.
    ///
    /// # Errors
    /// [`Stop`].
    pub(super) fn answer(&self) -> Result<Response, Stop> {
        let path = wanted(self.request);
        if let Err(status) = check(self.request, &self.site.options) {
            return self.refuse(status);
        }
        match self.look(path) {
            Err(Stop::Status(Status::NOT_FOUND)) => self.not_found(path),
            other => other,
        }
    }

    fn look(&self, path: &str) -> Result<Response, Stop> {
        // Where the route caught nothing, the address itself tells.
        let address = if path.is_empty() { self.request.path() } else { path };
        if !address.ends_with('/') {
            if path.is_empty() {
                return Ok(to_folder(self.request));
            }
            if let Some(resource) = self.shelf.get(path) {
                return self.respond(&resource);
            }
            let opened = self.open(path)?;
            if opened.metadata.is_dir() {
                return Ok(to_folder(self.request));
            }
            let resource = self.load(path, path, opened)?;
            return self.respond(&resource);
        }
        if let Some(resource) = self.shelf.get(path) {
            return self.respond(&resource);
        }
        // A file is no folder: with a slash behind it, it is not found here.
        let index = format!("{path}{}", self.site.options.index);
        match self.open(&index) {
            Ok(opened) if opened.metadata.is_file() => {
                let resource = self.load(path, &index, opened)?;
                self.respond(&resource)
            }
            Ok(_) | Err(Stop::Status(Status::NOT_FOUND)) => self.list(path),
            Err(stop) => Err(stop),
        }
    }

    /// A folder without an index file.
    fn list(&self, path: &str) -> Result<Response, Stop> {
        if !self.site.options.listing {
            return Err(Status::NOT_FOUND.into());
        }
        if self.wait == Wait::Never {
            return Err(Stop::Wait);
        }
        let folder = self.open(path.strip_suffix('/').unwrap_or(path))?;
        if !folder.metadata.is_dir() {
            return Err(Status::NOT_FOUND.into());
        }
        Ok(listing::answer(self.site, self.request, path, folder)?)
    }

    fn open(&self, path: &str) -> Result<Opened, Stop> {
        let opened = match self.wait {
            Wait::Never => self.site.jail.open_cached(path.as_bytes()),
            Wait::Allowed => self.site.jail.open(path.as_bytes()),
        };
        opened.map_err(|error| match error {
            OpenError::Escape => escape(self.request).into(),
            OpenError::NotFound => Status::NOT_FOUND.into(),
            OpenError::Denied => Status::FORBIDDEN.into(),
            OpenError::Other(error) => status_of(path, &error).into(),
            OpenError::WouldBlock => Stop::Wait,
        })
    }

    /// Looks at an open file and puts it on the shelf under that key.
    fn load(&self, key: &str, path: &str, opened: Opened) -> Result<Arc<Resource>, Stop> {
        // A folder can be named like the index file.
        if !opened.metadata.is_file() || !self.site.options.shows_file(path) {
            return Err(Status::NOT_FOUND.into());
        }
        let content_type = match self.site.options.media_type(path) {
            Some(own) => own.clone(),
            None => mime::of(path),
        };
        let mut identity = Representation::of_file(opened, content_type);
        self.read(path, &mut identity)?;
        let others = variant::others(self.site, path, &identity, self.wait)?;
        let resource = Arc::new(Resource { path: path.into(), identity, others });
        self.shelf.put(key, &resource);
        Ok(resource)
    }

    /// Reads content that is small.
    fn read(&self, path: &str, form: &mut Representation) -> Result<(), Stop> {
        if let Content::File(file) = &form.content
            && form.facts.len <= SMALL_MAX
        {
            let whole = Span { offset: 0, len: form.facts.len };
            let bytes = read(file, whole).map_err(|error| status_of(path, &error))?;
            form.content = Content::Bytes(bytes.into());
        }
        Ok(())
    }

    fn respond(&self, resource: &Resource) -> Result<Response, Stop> {
        let form = variant::choose(self.request, resource);
        let content_type = form.content_type.clone();
        let Plan { mut response, part } = plan(self.request, &form.facts, content_type);
        fields::add(&self.site.options, resource, form, &mut response);
        if let Some(part) = part {
            response.set_body(body(&form.content, part, form.facts.len));
        }
        Ok(response)
    }

    /// There is no such file.
    fn not_found(&self, _path: &str) -> Result<Response, Stop> {
        self.refuse(Status::NOT_FOUND)
    }

    fn refuse(&self, status: Status) -> Result<Response, Stop> {
        Err(status.into())
    }
}

/// A part of the content.
fn body(content: &Content, part: Span, len: u64) -> Body {
    let Span { offset, len: wanted } = part;
    match content {
        Content::Bytes(bytes) if wanted == len => Body::Shared(Arc::clone(bytes)),
        Content::Bytes(bytes) => {
            let from = usize::try_from(offset).unwrap_or(usize::MAX);
            let to = usize::try_from(offset + wanted).unwrap_or(usize::MAX);
            Body::Owned(bytes.get(from..to).unwrap_or(&[]).to_vec())
        }
        Content::File(file) => Body::File(FileSpan { file: Arc::clone(file), offset, len: wanted }),
    }
}

/// What can be told without the disk: whether it is worth looking.
///
/// # Errors
/// 405, 403 for what would leave the folder, 404 for what can't be a file.
pub(super) fn check(request: &Request, options: &Options) -> Result<(), Status> {
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
    if odd || !can_be_file(path, options) {
        return Err(Status::NOT_FOUND);
    }
    Ok(())
}

/// The path within the folder, decoded: what the route's last parameter caught.
pub(super) fn wanted(request: &Request) -> &str {
    request.params().iter().last().map_or("", |(_, value)| value)
}

fn has_encoded_slash(path: &str) -> bool {
    path.as_bytes().windows(3).any(|triplet| triplet.eq_ignore_ascii_case(b"%2f"))
}

/// Whether a path of this spelling is ever shown: no empty, hidden, current or
/// overlong name in it. Several spellings of one file would help to get around
/// the rules of a proxy or a cache.
pub(super) fn can_be_file(path: &str, options: &Options) -> bool {
    let bare = path.strip_suffix('/').unwrap_or(path);
    let mut names = bare.split('/').enumerate();
    let sound = |(at, name): (usize, &str)| {
        let odd = name.is_empty() || name == "." || name.len() > NAME_MAX || name.contains('\0');
        !odd && options.shows_name(name, at == 0)
    };
    path.is_empty() || (path.len() <= PATH_MAX && names.all(sound))
}

/// Says in the log who tried to leave the folder.
pub(super) fn escape(request: &Request) -> Status {
    let (peer, path) = (request.peer(), request.path());
    log::warn!("{peer} asked for {path:?}, which leads out of the folder: refused");
    Status::FORBIDDEN
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

/// Reads a part that is small. A file that has shrunk since is an error: the
/// head that was planned is no longer true.
fn read(file: &File, part: Span) -> io::Result<Vec<u8>> {
    let len = usize::try_from(part.len.min(SMALL_MAX)).unwrap_or(0);
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, part.offset)?;
    Ok(bytes)
}

/// What the client is told of a failure; the log is told all.
pub(super) fn status_of(path: &str, error: &io::Error) -> Status {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    log::error!("{path:?}: {error}");
    match errno {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => Status::SERVICE_UNAVAILABLE,
        _ => Status::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests;
