//! [`Files`]: a folder as a handler of the application.

use super::serve::{Root, check};
use crate::app::{Reply, offload_now};
use crate::disk::{Jail, Links};
use crate::error::Error;
use crate::http::{Lane, Request, Response, Status};
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

/// The files of one folder, for reading.
///
/// The path within the folder is what the route's last parameter caught. It
/// can't leave the folder, neither by `..` nor by a symbolic link: such a
/// request gets 403 and a warning in the log. Hidden names (with a leading
/// dot) are not found, but for `.well-known` at the top (RFC 8615). Symbolic
/// links are not followed, and only regular files are served.
///
/// A folder's address ends with a slash; without it the client is sent there
/// (308). It stands for its index file; there are no listings.
///
/// ```no_run
/// use onepoll::{App, files::Files};
/// let files = Files::new("/srv/www")?;
/// let mut app = App::new();
/// app.get("/{*path}", files.handler());
/// # Ok::<(), onepoll::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Files {
    root: Arc<Root>,
}

impl Files {
    /// The files of that folder, with `index.html` as the index file. The
    /// folder is opened now: renaming it later changes nothing.
    ///
    /// # Errors
    /// [`Error::Folder`] if it can't be opened or is none.
    pub fn new(root: impl AsRef<Path>) -> Result<Files, Error> {
        Files::with_index(root, "index.html")
    }

    /// The same with another index file, a name within the folder.
    ///
    /// # Errors
    /// As [`new`](Files::new).
    pub fn with_index(
        root: impl AsRef<Path>,
        index: impl Into<Cow<'static, str>>,
    ) -> Result<Files, Error> {
        let path = root.as_ref();
        let refuse = |source| Error::Folder { path: path.to_owned(), source };
        let jail = Jail::new(path, Links::Refuse).map_err(refuse)?;
        Ok(Files { root: Arc::new(Root { jail, index: index.into() }) })
    }

    /// A handler for `GET` on a route like `/{*path}`; `HEAD` comes with it.
    pub fn handler(&self) -> impl Fn(&mut Request) -> Reply + 'static {
        let root = Arc::clone(&self.root);
        move |request: &mut Request| {
            if let Err(status) = check(request) {
                return refuse(status);
            }
            let root = Arc::clone(&root);
            offload_now(move |request: &mut Request| match root.answer(request) {
                Ok(response) => Reply::from(response),
                Err(status) => refuse(status),
            })
            .lane(Lane::Engine)
        }
    }
}

/// The app's error page for that status.
fn refuse(status: Status) -> Reply {
    if status == Status::METHOD_NOT_ALLOWED {
        // RFC 9110 section 15.5.6: the field is a must.
        return Response::new(status)
            .header("Allow", "GET, HEAD")
            .text("405 Method Not Allowed\n")
            .into();
    }
    status.into()
}
