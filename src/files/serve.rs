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
//!  a file: its content (up to 32 KiB), its other forms -> shelf  |
//!    |                                                           v
//!  choose a form, plan: 412, 304, 206, 416, 200 <----------- Resource
//! ```
//!
//! On the loop every step that would wait ends the try with [`Stop::Wait`], and
//! a helper makes another.

use super::options::{Options, extension};
use super::plan::{Facts, Plan, plan};
use super::resource::{Content, Representation, Resource, Stamp};
use super::temperature::{Inbox, Outbox, mailbox};
use super::{fields, listing, mime, variant};
use crate::disk::{self, Jail, OpenError, Opened};
use crate::http::{FileState, Method, OpenFile, Request, Response, Status};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// An open folder and how it is shown.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) jail: Arc<Jail>,
    pub(super) options: Options,
    /// Whether the loop may look at the file system.
    pub(super) is_local: bool,
    /// For what the loop's cache should know.
    pub(super) outbox: Outbox,
}

impl Site {
    /// The site, and what the loop reads its news from.
    pub(super) fn new(jail: Arc<Jail>, options: Options) -> (Site, Inbox) {
        let (outbox, inbox) = mailbox();
        let is_local = options.before_disk.is_none() && jail.is_local();
        (Site { jail, options, is_local, outbox }, inbox)
    }
}

impl Site {
    /// Opens a file or a folder, if need be only without waiting.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub(super) fn open(&self, path: &str, wait: Wait) -> Result<Opened, OpenError> {
        match wait {
            Wait::Never if !self.is_local => Err(OpenError::WouldBlock),
            Wait::Never => self.jail.open_cached(path.as_bytes()),
            Wait::Allowed => self.jail.open(path.as_bytes()),
        }
    }

    /// A file that the engine is to send. It looks at the file once more before
    /// the end, if that is free of waiting.
    fn content(&self, file: File, facts: &Facts) -> Content {
        let Facts { len, modified, .. } = *facts;
        let state = self.is_local.then_some(FileState { len, modified });
        Content::File(Arc::new(OpenFile { file, state }))
    }
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

/// Where files that were looked at are kept, by the path that led there.
pub(super) trait Shelf {
    fn get(&self, key: &str) -> Known;
    /// It was just read.
    fn put(&self, key: &str, resource: &Arc<Resource>);
    /// It has one form more.
    fn enrich(&self, key: &str, resource: &Arc<Resource>);
    /// The disk still says the same.
    fn renew(&self, key: &str, resource: &Arc<Resource>);
}

/// What a shelf has.
pub(super) enum Known {
    /// To be taken as it is.
    Fresh(Arc<Resource>),
    /// To be compared with the disk.
    Stale(Arc<Resource>),
    Nothing,
}

/// One try to answer a request.
pub(super) struct Visit<'a> {
    pub(super) site: &'a Site,
    pub(super) request: &'a Request,
    pub(super) wait: Wait,
    pub(super) shelf: &'a dyn Shelf,
}

/// Files up to this length are kept in memory, so that head and content leave
/// in one write. Beyond, to copy them costs more than a second call, and the
/// engine sends them piece by piece as the client takes them. (Measured: at
/// 32 KiB a write is cheaper by a tenth, at 64 KiB `sendfile` is.)
pub(super) const SMALL_MAX: u64 = 32 * 1024;
/// How often a file that changes meanwhile is read.
const READS_MAX: u32 = 3;
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
        let found = match check(self.request, &self.site.options) {
            Ok(()) => self.look(path),
            Err(status) => Err(status.into()),
        };
        match found {
            Err(Stop::Status(Status::NOT_FOUND)) => self.not_found(path),
            other => other,
        }
    }

    fn look(&self, path: &str) -> Result<Response, Stop> {
        // Where the route caught nothing, the address itself tells.
        let address = if path.is_empty() { self.request.path() } else { path };
        // `http://host` is `http://host/` (RFC 9110 section 4.2.3).
        if !(address.is_empty() || address.ends_with('/')) {
            if path.is_empty() {
                return Ok(to_folder(self.site, self.request));
            }
            return match self.find(path, path)? {
                Found::File(resource) => Ok(respond(self.site, self.request, &resource)),
                Found::Folder => Ok(to_folder(self.site, self.request)),
            };
        }
        // A file is no folder: with a slash behind it, it is not found here.
        let index = format!("{path}{}", self.site.options.index);
        match self.find(path, &index) {
            Ok(Found::File(resource)) => Ok(respond(self.site, self.request, &resource)),
            Ok(Found::Folder) | Err(Stop::Status(Status::NOT_FOUND)) => self.list(path),
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

    /// What is at this path, with the form that the client likes best; on the
    /// shelf it is under the key.
    fn find(&self, key: &str, path: &str) -> Result<Found, Stop> {
        match self.find_as_is(key, path)? {
            Found::File(resource) if variant::lacks(self.request, &resource) => {
                let Some(mut more) = variant::complete(&resource, self.wait)? else {
                    return Ok(Found::File(resource));
                };
                make_ready(self.site, &mut more);
                let more = Arc::new(more);
                self.shelf.enrich(key, &more);
                Ok(Found::File(more))
            }
            found => Ok(found),
        }
    }

    /// What is at this path, from the shelf or from the disk.
    fn find_as_is(&self, key: &str, path: &str) -> Result<Found, Stop> {
        let known = self.shelf.get(key);
        if let Known::Fresh(resource) = known {
            return Ok(Found::File(resource));
        }
        let opened = self.open(path)?;
        if opened.metadata.is_dir() {
            return Ok(Found::Folder);
        }
        // Also where a folder is named like the index file.
        if !self.site.options.shows_file(path) {
            return Err(Status::NOT_FOUND.into());
        }
        if let Known::Stale(resource) = known
            && !resource.racy
            && resource.stamp == Stamp::of(&opened.metadata)
            && variant::is_same(self.site, &resource, self.wait)?
        {
            self.shelf.renew(key, &resource);
            return Ok(Found::File(resource));
        }
        self.load(key, path, opened).map(Found::File)
    }

    fn open(&self, path: &str) -> Result<Opened, Stop> {
        self.site.open(path, self.wait).map_err(|error| match error {
            OpenError::Escape => escape(self.request).into(),
            OpenError::NotFound => Status::NOT_FOUND.into(),
            OpenError::Denied => Status::FORBIDDEN.into(),
            OpenError::Other(error) => status_of(path, &error).into(),
            OpenError::WouldBlock => Stop::Wait,
        })
    }

    /// Looks at an open file and puts it on the shelf.
    fn load(&self, key: &str, path: &str, opened: Opened) -> Result<Arc<Resource>, Stop> {
        let now = self.request.now();
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::WouldBlock => Stop::Wait,
            _ => Stop::Status(status_of(path, &error)),
        };
        let Read { content, stamp, facts, is_still } =
            read(self.site, opened, self.wait).map_err(failed)?;
        let content_type = match self.site.options.media_type(path) {
            Some(own) => own.clone(),
            None => mime::of(path),
        };
        let identity = Representation { coding: None, facts, content_type, content, ready: None };
        let others = variant::others(self.site, path, &identity, self.wait)?;
        let racy = stamp.is_racy(now.wall) || others.is_racy(now.wall);
        let mut resource = Resource { path: path.into(), stamp, racy, identity, others };
        make_ready(self.site, &mut resource);
        let resource = Arc::new(resource);
        if is_still {
            self.shelf.put(key, &resource);
        }
        Ok(resource)
    }

    /// There is no such file.
    fn not_found(&self, path: &str) -> Result<Response, Stop> {
        let options = &self.site.options;
        if let Some(page) = &options.spa
            && can_be_page(self.request, path)
            && let Some(resource) = self.page(page)?
        {
            return Ok(respond(self.site, self.request, &resource));
        }
        if let Some(page) = &options.page404
            && let Some(resource) = self.page(page)?
        {
            // It is no answer to the conditions, nor a part of anything.
            let form = &resource.identity;
            let mut response = Response::new(Status::NOT_FOUND)
                .header("X-Content-Type-Options", "nosniff")
                .content(form.content_type.clone(), form.whole());
            fields::add_own(options, &mut response);
            return Ok(response);
        }
        Err(Status::NOT_FOUND.into())
    }

    /// A file that the settings name; `None` if it isn't there.
    fn page(&self, path: &str) -> Result<Option<Arc<Resource>>, Stop> {
        match self.find(path, path) {
            Ok(Found::File(resource)) => Ok(Some(resource)),
            Ok(Found::Folder) | Err(Stop::Status(_)) => Ok(None),
            Err(Stop::Wait) => Err(Stop::Wait),
        }
    }
}

/// What a path leads to.
enum Found {
    File(Arc<Resource>),
    Folder,
}

/// Renders the heads of 200s.
fn make_ready(site: &Site, resource: &mut Resource) {
    let bare = Request::new(Method::GET, "/");
    let now = bare.now().wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let ready = |form: &Representation| {
        // A change in the future is told as of now, each time anew.
        let lasts = form.facts.modified.0 <= now;
        lasts.then(|| described(site, &bare, resource, form).into_template())
    };
    let identity = ready(&resource.identity);
    let others: Vec<_> = resource.others.forms.iter().map(ready).collect();
    resource.identity.ready = identity;
    for (form, ready) in resource.others.forms.iter_mut().zip(others) {
        form.ready = ready;
    }
}

/// The response to a request for a file.
#[inline]
pub(super) fn respond(site: &Site, request: &Request, resource: &Resource) -> Response {
    let form = variant::choose(request, resource);
    match &form.ready {
        Some(ready) if is_plain(request) => Response::of(ready).body(form.whole()),
        _ => described(site, request, resource, form),
    }
}

/// Whether the answer is the whole file, as far as the request goes: it has no
/// condition and no range.
#[inline]
fn is_plain(request: &Request) -> bool {
    let headers = request.headers();
    headers.fields.iter().all(|field| match field.name_len {
        // Range, If-Match, If-Range, If-None-Match, If-Modified-Since and
        // If-Unmodified-Since: their lengths are few fields', and so are their
        // first letters.
        5 | 8 | 13 | 17 | 19 => !matches!(headers.name_of(*field), [b'R' | b'r' | b'I' | b'i', ..]),
        _ => true,
    })
}

/// The response as conditions, ranges and settings make it.
fn described(
    site: &Site,
    request: &Request,
    resource: &Resource,
    form: &Representation,
) -> Response {
    let content_type = form.content_type.clone();
    let Plan { mut response, portion } = plan(request, &form.facts, form.coding, content_type);
    fields::add(&site.options, resource, form, &mut response);
    response.set_body(form.body(portion));
    response
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

pub(super) fn has_encoded_slash(path: &str) -> bool {
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
    log::warn!("{peer} asked for {path:?}, which leads out of the folder or over a link: refused");
    Status::FORBIDDEN
}

/// Sends the client to the folder's own address, so that relative links in its
/// index lead into it. The query is kept.
pub(super) fn to_folder(site: &Site, request: &Request) -> Response {
    let path = request.path();
    let location = match request.query() {
        Some(query) => format!("{path}/?{query}"),
        None => format!("{path}/"),
    };
    let mut response = Response::new(Status::PERMANENT_REDIRECT).header("Location", location);
    fields::add_own(&site.options, &mut response);
    response
}

/// A file that was opened, and read if it is small.
pub(super) struct Read {
    pub(super) content: Content,
    pub(super) stamp: Stamp,
    pub(super) facts: Facts,
    /// Whether the content is one state of the file, as far as can be told.
    pub(super) is_still: bool,
}

/// Reads a file that is small. One that changes while it is read is read again;
/// if it goes on changing it is left to the engine, which sends as many bytes as
/// it has now or cuts the connection: that is right for what only grows.
///
/// # Errors
/// `WouldBlock` if it may not wait and had to; else as the system says.
pub(super) fn read(site: &Site, opened: Opened, wait: Wait) -> io::Result<Read> {
    let Opened { file, mut metadata } = opened;
    for _ in 0..READS_MAX {
        let (facts, stamp) = (Facts::of(&metadata), Stamp::of(&metadata));
        if facts.len > SMALL_MAX {
            let content = site.content(file, &facts);
            return Ok(Read { content, stamp, facts, is_still: true });
        }
        // At most SMALL_MAX; one more byte would show that it grew.
        let mut bytes = vec![0; usize::try_from(facts.len).unwrap_or(0)];
        let count = match wait {
            Wait::Never => disk::read_resident(&file, &mut bytes, 0)?,
            Wait::Allowed => disk::read(&file, &mut bytes, 0)?,
        };
        metadata = file.metadata()?;
        if count == bytes.len() && Stamp::of(&metadata) == stamp {
            let content = Content::Bytes(bytes.into());
            return Ok(Read { content, stamp, facts, is_still: true });
        }
    }
    let (facts, stamp) = (Facts::of(&metadata), Stamp::of(&metadata));
    Ok(Read { content: site.content(file, &facts), stamp, facts, is_still: false })
}

/// Whether what isn't found could be a page of an application in the browser:
/// its last name has no extension, or the client says that it wants a page. An
/// image that is missing stays missing. What is never shown stays so, too.
fn can_be_page(request: &Request, path: &str) -> bool {
    let is_name = !has_encoded_slash(request.path()) && !path.contains(['\0', '\\']);
    let hidden = path.split('/').any(|name| name.starts_with('.'));
    let wants_page = || {
        let mut accepted = request.headers().list("accept");
        accepted.any(|range| {
            let media = range.split(|b| *b == b';').next().unwrap_or(range);
            media.trim_ascii_end().eq_ignore_ascii_case(b"text/html")
        })
    };
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    reads && is_name && !hidden && (extension(path).is_none() || wants_page())
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
