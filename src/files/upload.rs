//! Files that clients send into the folder: `PUT` of one, forms of several.
//!
//! ```text
//!   loop:    who asks? (another site: 403)  how is it spelled?  415, 413, 405
//!              |
//!   helper:  open the folder in the jail; may there be such a file? 404, 409, 412
//!              |                                 (only now: 100 Continue)
//!   loop:    bytes -> chunk ---.
//!   helper:       write <------'  into a file that has no name yet; 507, 413, 400
//!              |
//!   helper:  all is in: ask again, under a lock, then give the files their names
//!              |
//!   loop:    201, 204; 303 or JSON for forms
//! ```
//!
//! A helper is used only while there is a chunk to write, so slow uploads hold
//! none. Until the end nothing is seen of an upload, and whatever ends it
//! before leaves nothing: see [`disk::TempFile`](crate::disk::TempFile).

mod gate;
mod post;
mod put;
mod sink;

use super::serve::Site;
use super::variant;
use crate::app::{App, BodyMode, Reject};
use crate::disk::{Folder, OpenError};
use crate::error::Error;
use crate::http::{Refusal, Request, Status};
use std::collections::HashSet;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};

/// Who may send what into the folder.
///
/// | Request | Answer |
/// |---|---|
/// | `PUT /name` | 201 and `Location`; 204 if it replaced a file |
/// | `POST /folder/`, `multipart/form-data` | 303 to the folder, or a list |
/// | its `Accept` prefers `application/json` to HTML | 201 and the list: name, size, path |
/// | the name is taken | 409, unless [`overwrite`](Uploads::overwrite) is set |
/// | `If-None-Match: *`, `If-Match` and the like say no | 412 |
/// | there is no such folder | 404; for `PUT` 409 (RFC 4918 section 9.7.1) |
/// | a name that `GET` doesn't show | 403 |
/// | a backslash or control character in it, over 255 bytes | 400 |
/// | too long, too many | 413 |
/// | the disk is full | 507 |
/// | `PUT` with `Content-Range` | 400 |
/// | `POST` of other types of content | 415 |
///
/// Where [precompressed](super::Files::precompressed) files are sent, the name
/// `a.js.gz` is taken, too, if there is an `a.js`, for which it would be sent.
/// Of the names in a form only what is behind the last slash or backslash
/// counts. A form is saved as a whole or not at all, but for files that it has
/// replaced. Folders are never made. Other fields of a form are ignored.
///
/// A page of another site can make its visitor's browser send forms, also to
/// servers that only the visitor can reach. Browsers say so: a request with
/// `Sec-Fetch-Site` other than `same-origin` and `none`, or else with an
/// `Origin` that isn't ours, is refused with 403. See
/// [`origin`](Uploads::origin). This is no access control: whoever can reach
/// the server can send files, and what is sent is served: a page, too.
///
/// Where the process has a limit of file sizes (`RLIMIT_FSIZE`), what exceeds it
/// is 507 if SIGXFSZ is handled or ignored, as the `onepoll` command does; else
/// that signal ends the process.
///
/// ```no_run
/// use onepoll::{App, files::{Files, Uploads}};
/// let mut app = App::new();
/// Files::new("/srv/inbox")?
///     .listing(true)
///     .upload(Uploads::new().max(100 << 20).files_max(10))
///     .mount(&mut app, "/");
/// # Ok::<(), onepoll::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Uploads {
    max: u64,
    file_max: u64,
    files_max: usize,
    overwrite: bool,
    sync: bool,
    origins: Vec<Box<str>>,
    common: Arc<Common>,
}

/// What keeps uploads into the same folders apart.
#[derive(Debug, Default)]
struct Common {
    /// Held from the last question to the last name: of two uploads of one name
    /// the second is asked whether it may replace the first.
    names: Mutex<()>,
    /// Folders that were looked through for what a killed process has left.
    swept: Mutex<HashSet<(u64, u64)>>,
}

/// The longest request content that is taken unless something else is said: a
/// film, and still a tenth of a small disk.
const MAX: u64 = 1 << 30;
/// Files of one form: each is an open descriptor until all are there, and a
/// process has 1,024 of those where nobody changed anything.
const FILES_MAX: usize = 64;

impl Default for Uploads {
    fn default() -> Uploads {
        Uploads {
            max: MAX,
            file_max: u64::MAX,
            files_max: FILES_MAX,
            overwrite: false,
            sync: false,
            origins: Vec::new(),
            common: Arc::default(),
        }
    }
}

impl Uploads {
    /// Requests of up to 1 GiB, forms of up to 64 files, none of which replaces
    /// another.
    #[must_use]
    pub fn new() -> Uploads {
        Uploads::default()
    }

    /// For the same folders as another, or a clone of it: on another loop, or
    /// instead of it. Else two of them could both find that a file is as a client's
    /// `If-Match` says, and both replace it.
    #[must_use]
    pub fn beside(mut self, other: &Uploads) -> Uploads {
        self.common = Arc::clone(&other.common);
        self
    }

    /// The longest request content that is taken, in bytes; more is 413.
    /// Default 1 GiB.
    #[must_use]
    pub fn max(mut self, bytes: u64) -> Uploads {
        self.max = bytes;
        self
    }

    /// The longest file that is taken, in bytes; more is 413. Default: what the
    /// request may have.
    #[must_use]
    pub fn file_max(mut self, bytes: u64) -> Uploads {
        self.file_max = bytes;
        self
    }

    /// Files that one form may have, each a descriptor until the form is
    /// complete; more is 413. Default 64.
    #[must_use]
    pub fn files_max(mut self, count: usize) -> Uploads {
        self.files_max = count;
        self
    }

    /// Whether a file may take the place of one that is there. If not, 409.
    /// Folders and what is neither file nor link are never replaced.
    #[must_use]
    pub fn overwrite(mut self, yes: bool) -> Uploads {
        self.overwrite = yes;
        self
    }

    /// Whether to reply only when content and name are on the disk (`fsync`).
    /// Default: no, a crash of the system may lose what was just sent.
    #[must_use]
    pub fn sync(mut self, yes: bool) -> Uploads {
        self.sync = yes;
        self
    }

    /// Takes files from pages of that origin as well, such as
    /// `https://app.example`. The browser wants to be told by CORS fields, too.
    ///
    /// # Errors
    /// [`Error::Config`] if it isn't scheme, host and, if need be, port.
    pub fn origin(mut self, origin: &str) -> Result<Uploads, Error> {
        if gate::authority(origin).is_none() {
            let why = format!("{origin:?}: an origin has the form https://host");
            return Err(Error::Config { field: "origin", why });
        }
        self.origins.push(origin.into());
        Ok(self)
    }
}

/// What the uploads into one site share.
#[derive(Debug)]
struct Desk {
    site: Arc<Site>,
    uploads: Uploads,
}

/// Folders to remember as swept; then all are forgotten.
const SWEPT_MAX: usize = 1024;

/// Adds the routes for `PUT` and `POST` below `pattern`.
pub(super) fn mount(app: &mut App, pattern: &str, site: &Arc<Site>, uploads: &Uploads) {
    let desk = Arc::new(Desk { site: Arc::clone(site), uploads: uploads.clone() });
    // Before the start nobody waits; an application that takes another's place is
    // made while others do. Where we may not write, uploads will say so.
    let swept = uploads.common.swept.lock().unwrap_or_else(PoisonError::into_inner);
    let is_first = swept.is_empty();
    drop(swept);
    if is_first && let Ok(folder) = site.jail.folder(b"") {
        desk.sweep(&folder);
    }
    app.put(pattern, put::handler(Arc::clone(&desk))).body(BodyMode::Ignore);
    app.post(pattern, post::handler(desk)).body(BodyMode::Ignore);
}

impl Desk {
    /// Opens the folder of that path, which ends with a slash or is empty.
    /// Blocks on the disk.
    fn folder(&self, request: &Request, path: &str, missing: Status) -> Result<Folder, Reject> {
        let bare = path.strip_suffix('/').unwrap_or(path);
        let folder = self.site.jail.folder(bare.as_bytes()).map_err(|error| match error {
            OpenError::Escape => super::serve::escape(request).into(),
            OpenError::NotFound => Reject::new(missing, "there is no such folder"),
            OpenError::Denied => Reject::forbidden(),
            OpenError::Other(error) => super::serve::status_of(path, &error).into(),
            // Not from a call that may wait.
            OpenError::WouldBlock => Status::INTERNAL_SERVER_ERROR.into(),
        })?;
        self.sweep(&folder);
        Ok(folder)
    }

    /// Who asks for the file after the reply is not shown what was there before.
    fn changed(&self, folder: &str, name: &str) {
        self.site.outbox.changed(&format!("{folder}{name}"));
    }

    /// Removes what a killed process has left in a folder, at its first upload.
    fn sweep(&self, folder: &Folder) {
        let Ok(metadata) = folder.metadata() else { return };
        let mut swept = self.uploads.common.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.len() >= SWEPT_MAX {
            swept.clear();
        }
        let is_new = swept.insert((metadata.dev(), metadata.ino()));
        drop(swept);
        if is_new {
            match folder.sweep() {
                Ok(0) => {}
                Ok(count) => log::info!("removed {count} files of unfinished uploads"),
                Err(error) => log::warn!("leftovers of uploads: {error}"),
            }
        }
    }
}

/// Whether a file of this name may be there beside the others: `a.js.gz` is sent
/// for `a.js`, so who may not replace the one may not add the other.
fn may_be_beside(folder: &Folder, name: &str, desk: &Desk) -> io::Result<()> {
    let Some(plain) = variant::original(&desk.site.options, name) else { return Ok(()) };
    if desk.uploads.overwrite || folder.find(plain.as_bytes())?.is_none_or(|it| it.is_dir()) {
        return Ok(());
    }
    let why = format!("it would be sent for {plain:?}, which is there already");
    Err(Refusal::new(Status::CONFLICT, why).into())
}

/// Whether a file may take the place of what is there.
fn may_replace(there: &Metadata, overwrite: bool) -> Result<(), Refusal> {
    let why = match there {
        there if there.is_dir() => "there is a folder of that name",
        there if !there.is_file() && !there.is_symlink() => "there is something of that name",
        _ if !overwrite => "there is such a file already",
        _ => return Ok(()),
    };
    Err(Refusal::new(Status::CONFLICT, why))
}

#[cfg(test)]
mod tests;
