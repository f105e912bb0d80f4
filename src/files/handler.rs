//! [`Files`]: a folder as a handler of the application.

use super::options::{Hook, Options, plain_extension, plain_path};
use super::serve::{Site, to_folder};
use super::temperature::{Inbox, handler};
use super::upload::{self, Uploads};
use crate::app::{App, Reply};
use crate::disk::{Jail, Links};
use crate::error::Error;
use crate::http::Request;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The files of one folder.
///
/// The path within the folder is what the route's last parameter caught. It
/// can't leave the folder, neither by `..` nor by a symbolic link: such a
/// request gets 403 and a warning in the log. Only regular files are served.
///
/// A folder's address ends with a slash; without it the client is sent there
/// (308). It stands for its index file.
///
/// ```no_run
/// use onepoll::{App, files::Files};
/// let mut app = App::new();
/// Files::new("/srv/www")?
///     .spa("index.html")
///     .immutable_hashed(true)
///     .header("X-Frame-Options", "DENY")?
///     .mount(&mut app, "/");
/// # Ok::<(), onepoll::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Files {
    path: PathBuf,
    jail: Arc<Jail>,
    options: Options,
}

impl Files {
    /// The files of that folder, with `index.html` as the index file. The
    /// folder is opened now: renaming it later changes nothing.
    ///
    /// # Errors
    /// [`Error::Folder`] if it can't be opened or is none.
    pub fn new(root: impl AsRef<Path>) -> Result<Files, Error> {
        let path = root.as_ref().to_owned();
        let jail = open(&path, Links::Refuse)?;
        Ok(Files { path, jail, options: Options::default() })
    }

    /// The file that stands for its folder, a name. Default `index.html`.
    #[must_use]
    pub fn index(mut self, name: impl Into<String>) -> Files {
        self.options.index = name.into().into();
        self
    }

    /// Whether a folder without an index file is listed: as HTML, or as JSON if
    /// `Accept` prefers that. Default: no, it is not found.
    #[must_use]
    pub fn listing(mut self, yes: bool) -> Files {
        self.options.listing = yes;
        self
    }

    /// Whether names with a leading dot are shown. Default: no, they are not
    /// found, but for `.well-known` at the top (RFC 8615).
    #[must_use]
    pub fn hidden(mut self, yes: bool) -> Files {
        self.options.hidden = yes;
        self
    }

    /// What becomes of symbolic links. Default [`Links::Refuse`]: 403. With
    /// [`Links::Within`] those that stay within the folder are followed.
    ///
    /// # Errors
    /// [`Error::Folder`] as [`new`](Files::new): the folder is opened again.
    pub fn links(mut self, links: Links) -> Result<Files, Error> {
        self.jail = open(&self.path, links)?;
        Ok(self)
    }

    /// The only extensions that are shown, without regard to case; others are
    /// not found. Default: all.
    #[must_use]
    pub fn only<T: AsRef<str>>(mut self, extensions: impl IntoIterator<Item = T>) -> Files {
        self.options.only = extensions.into_iter().map(|e| plain_extension(e.as_ref())).collect();
        self
    }

    /// Extensions of files that a browser is to save and not to show
    /// (`Content-Disposition: attachment`, RFC 6266); `*` stands for all files: right
    /// for a folder that strangers fill. Default: none.
    #[must_use]
    pub fn attachment<T: AsRef<str>>(mut self, extensions: impl IntoIterator<Item = T>) -> Files {
        let extensions = extensions.into_iter();
        self.options.attachment = extensions.map(|e| plain_extension(e.as_ref())).collect();
        self
    }

    /// `Cache-Control` of the files whose path within the folder is of this
    /// kind: `*` stands for anything within a name, `**` across folders. The
    /// first rule that matches counts. Default: no such field.
    ///
    /// # Errors
    /// [`Error::Config`] for an empty or overlong pattern, or a value that can't
    /// be one.
    pub fn cache_control(mut self, pattern: &str, value: &str) -> Result<Files, Error> {
        self.options.add_cache_control(pattern, value)?;
        Ok(self)
    }

    /// Whether files whose name holds a hash of their content, such as
    /// `app.5f3c9a1b.js`, may be kept for ever without asking again, unless a
    /// rule of [`cache_control`](Files::cache_control) says otherwise. The hash
    /// stands between a dot or hyphen and the extension: 8 to 64 letters and
    /// digits, some of each. Default: no.
    #[must_use]
    pub fn immutable_hashed(mut self, yes: bool) -> Files {
        self.options.immutable_hashed = yes;
        self
    }

    /// One more field on each reply of the folder, but not on error pages.
    ///
    /// # Errors
    /// [`Error::Config`] if it can't be a field, is one of the engine's, or tells
    /// of one file's content, as `ETag` does.
    pub fn header(mut self, name: &str, value: &str) -> Result<Files, Error> {
        self.options.add_header(name, value)?;
        Ok(self)
    }

    /// The media type of files with this extension, instead of the usual one.
    ///
    /// # Errors
    /// [`Error::Config`] if it isn't of the form `type/subtype`.
    pub fn media_type(mut self, extension: &str, media_type: &str) -> Result<Files, Error> {
        self.options.add_media_type(extension, media_type)?;
        Ok(self)
    }

    /// The file that is sent, with status 404, for what isn't found; its path
    /// within the folder. Default: the app's error page.
    #[must_use]
    pub fn page404(mut self, path: &str) -> Files {
        self.options.page404 = Some(plain_path(path));
        self
    }

    /// The file that is sent, with status 200, for what isn't found but looks
    /// like a page of an application that routes in the browser: the path's last
    /// name has no extension, or `Accept` names `text/html`. Default: none.
    #[must_use]
    pub fn spa(mut self, path: &str) -> Files {
        self.options.spa = Some(plain_path(path));
        self
    }

    /// Whether `name.br`, `name.zst` and `name.gz` are sent for `name` to
    /// clients that take them. Default: no.
    #[must_use]
    pub fn precompressed(mut self, yes: bool) -> Files {
        self.options.precompressed = yes;
        self
    }

    /// Whether files of compressible types are compressed when they are sent
    /// (feature `gzip`). Default: no.
    #[must_use]
    pub fn gzip(mut self, yes: bool) -> Files {
        self.options.gzip = yes;
        self
    }

    /// Content that the cache may hold, in bytes. Default 32 MiB; 0: none.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: u64) -> Files {
        self.options.cache_bytes = bytes;
        self
    }

    /// Open files that the cache may hold, each a descriptor, and an eighth of
    /// those that the process may have at most. Default 256; 0: none.
    #[must_use]
    pub fn cache_files(mut self, count: usize) -> Files {
        self.options.cache_files = count;
        self
    }

    /// How long what is in the cache is sent without looking at the disk.
    /// Default 1 s; a file that is replaced is seen within that time.
    #[must_use]
    pub fn fresh(mut self, time: Duration) -> Files {
        self.options.fresh = time;
        self
    }

    /// Takes files from clients; see [`Uploads`]. Only
    /// [`mount`](Files::mount) adds the routes. Default: no.
    #[must_use]
    pub fn upload(mut self, uploads: Uploads) -> Files {
        self.options.upload = Some(uploads);
        self
    }

    /// Called on a helper before each job that may wait for the disk; with it,
    /// whatever is not in the cache is such a job. For tests that make the disk
    /// slow.
    #[doc(hidden)]
    #[must_use]
    pub fn before_disk(mut self, hook: impl Fn() + Send + Sync + 'static) -> Files {
        self.options.before_disk = Some(Hook(Arc::new(hook)));
        self
    }

    /// A handler for `GET` on a route like `/{*path}`; `HEAD` comes with it.
    pub fn handler(&self) -> impl Fn(&mut Request) -> Reply + 'static {
        let (site, inbox) = self.site();
        handler(site, inbox)
    }

    /// Adds the routes for everything below `prefix`, which begins and ends with
    /// a slash: `GET` and `HEAD`, and those of the uploads if there are any.
    pub fn mount(&self, app: &mut App, prefix: &str) {
        let (site, inbox) = self.site();
        let pattern = format!("{}/{{*path}}", prefix.strip_suffix('/').unwrap_or(prefix));
        if let Some(uploads) = &self.options.upload {
            upload::mount(app, &pattern, &site, uploads);
        }
        if let Some(bare) = prefix.strip_suffix('/').filter(|bare| !bare.is_empty()) {
            let site = Arc::clone(&site);
            app.get(bare, move |request: &mut Request| to_folder(&site, request));
        }
        app.get(&pattern, handler(site, inbox));
    }

    fn site(&self) -> (Arc<Site>, Inbox) {
        let (site, inbox) = Site::new(Arc::clone(&self.jail), self.options.clone());
        (Arc::new(site), inbox)
    }
}

fn open(path: &Path, links: Links) -> Result<Arc<Jail>, Error> {
    let refuse = |source| Error::Folder { path: path.to_owned(), source };
    Ok(Arc::new(Jail::new(path, links).map_err(refuse)?))
}
