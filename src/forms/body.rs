//! [`UploadBody`]: a request's content as a file, whatever it is.

use super::UploadedFile;
use super::room::Room;
use super::upload::{may_be_taken, open};
use crate::app::{App, BodyMode, Reject, Reply, Store, take};
use crate::disk::Folder;
use crate::error::Error;
use crate::http::multipart::PartHead;
use crate::http::{Request, Status};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Takes the content of requests, of whatever type, to disk.
///
/// It answers 413 for what is too long, 415 for other types than those that are wanted
/// and for compressed content, 507 if the disk is full, 503 without descriptors; all
/// before the handler is called, and nothing is left.
///
/// ```no_run
/// use onepoll::app::{App, Reject, created};
/// use onepoll::forms::{UploadBody, UploadedFile};
/// use onepoll::http::{Request, Response};
/// # let mut app = App::new();
/// let uploads = UploadBody::into("uploads")?.max(1 << 20).types(&["application/json"]).sync(true);
/// uploads.mount(&mut app, "/upload", |_: &mut Request, file: &UploadedFile| {
///     // `upload-20261121T055332-123456.json`, and never the name of another.
///     let name = file.keep_stamped("upload-", "json")?;
///     Ok::<Response, Reject>(created(&format!("/uploads/{name}"), "saved\n"))
/// });
/// # Ok::<(), onepoll::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct UploadBody {
    folder: Folder,
    max: u64,
    room: Room,
    types: Vec<Box<str>>,
    sync: bool,
}

/// The longest content in bytes, unless something else is said.
const MAX: u64 = 100 << 20;

impl UploadBody {
    /// Content that is kept in that folder, which must be there. What a killed process
    /// has left of uploads is removed.
    ///
    /// # Errors
    /// [`Error::Folder`] if it can't be entered and read.
    pub fn into(folder: impl AsRef<Path>) -> Result<UploadBody, Error> {
        let (folder, room) = (open(folder.as_ref())?, Room::new(u64::MAX));
        Ok(UploadBody { folder, max: MAX, room, types: Vec::new(), sync: false })
    }

    /// The longest content, in bytes, then 413. Default 100 MiB.
    #[must_use]
    pub fn max(mut self, bytes: u64) -> UploadBody {
        self.max = bytes;
        self
    }

    /// Bytes of files that were not kept yet, of all requests under way together, then 503
    /// for whoever would exceed it. It bounds what strangers can have on the disk before
    /// the handler has had a say; a request longer than that is never taken. Clones share it.
    /// Default: no limit.
    #[must_use]
    pub fn under_way_max(mut self, bytes: u64) -> UploadBody {
        self.room = Room::new(bytes);
        self
    }

    /// Takes these media types and no others (415): `application/json`, `image/*`.
    /// Parameters don't matter. Default: all, and content without a type.
    #[must_use]
    pub fn types(mut self, types: &[&str]) -> UploadBody {
        self.types = types.iter().map(|kind| Box::from(*kind)).collect();
        self
    }

    /// Whether what is kept is on the disk (`fsync`), content and name, before the call
    /// returns. Default: no, a crash of the system may lose it.
    #[must_use]
    pub fn sync(mut self, yes: bool) -> UploadBody {
        self.sync = yes;
        self
    }

    /// Answers `POST` there: [`handler`](UploadBody::handler) on a route that leaves the
    /// content alone.
    pub fn mount<R: Into<Reply>>(
        &self,
        app: &mut App,
        pattern: &str,
        handler: impl Fn(&mut Request, &UploadedFile) -> R + Send + Sync + 'static,
    ) {
        app.post(pattern, self.handler(handler)).body(BodyMode::Ignore);
    }

    /// The route's handler; yours is called when all content has come, on a helper
    /// thread, where it may block. See [`UploadForm::handler`](super::UploadForm::handler).
    pub fn handler<R: Into<Reply>>(
        &self,
        handler: impl Fn(&mut Request, &UploadedFile) -> R + Send + Sync + 'static,
    ) -> impl Fn(&mut Request) -> Reply + 'static {
        let settings = Arc::new(self.clone());
        let handler: Handler = Arc::new(move |request: &mut Request, file: &UploadedFile| {
            handler(request, file).into()
        });
        move |request: &mut Request| match settings.head(request) {
            Ok(head) => {
                let settings = Arc::clone(&settings);
                let (max, handler) = (settings.max, Arc::clone(&handler));
                take(max, Incoming { settings, handler, head, file: None }, |_, reply| reply)
            }
            Err(reject) => reject.into(),
        }
    }

    /// What the request says of its content.
    fn head(&self, request: &Request) -> Result<PartHead, Reject> {
        may_be_taken(request)?;
        let content_type = request.header("content-type").map(str::to_owned);
        let bare = content_type.as_deref().and_then(|it| it.split(';').next()).unwrap_or("");
        if !self.types.is_empty() && !self.types.iter().any(|kind| is_of(kind, bare.trim())) {
            let why = format!("this takes {}", self.types.join(", "));
            return Err(Reject::new(Status::UNSUPPORTED_MEDIA_TYPE, why));
        }
        Ok(PartHead { content_type, ..PartHead::default() })
    }
}

/// Whether a media type is that one, or of that kind.
fn is_of(kind: &str, media_type: &str) -> bool {
    match kind.strip_suffix('*') {
        Some(start) => {
            media_type.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start))
        }
        None => media_type.eq_ignore_ascii_case(kind),
    }
}

type Handler = Arc<dyn Fn(&mut Request, &UploadedFile) -> Reply + Send + Sync>;

/// Content on its way.
struct Incoming {
    settings: Arc<UploadBody>,
    handler: Handler,
    head: PartHead,
    /// From the first byte on: made on a helper.
    file: Option<UploadedFile>,
}

impl Incoming {
    fn take_file(&mut self) -> io::Result<UploadedFile> {
        match self.file.take() {
            Some(file) => Ok(file),
            None => {
                let head = std::mem::take(&mut self.head);
                let UploadBody { folder, room, sync, .. } = &*self.settings;
                UploadedFile::create(folder, room, *sync, head)
            }
        }
    }
}

impl Store for Incoming {
    type Saved = Reply;

    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        let mut file = self.take_file()?;
        file.write(chunk, self.settings.max)?;
        self.file = Some(file);
        Ok(())
    }

    fn save(&mut self, request: &mut Request) -> io::Result<Reply> {
        let file = self.take_file()?;
        Ok((self.handler)(request, &file))
    }
}
