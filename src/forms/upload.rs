//! [`UploadForm`]: what a form may have, and the way from its bytes to the handler.

use super::room::Room;
use super::{UploadedFile, UploadedForm};
use crate::app::{App, BodyMode, Reject, Reply, Store, take};
use crate::disk::Folder;
use crate::error::Error;
use crate::http::multipart::{Event, Fields, Limits, Multipart, PartHead};
use crate::http::{Refusal, Request, Status};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What a form with files may have, and where its files are kept.
///
/// | What | Answer |
/// |---|---|
/// | no `multipart/form-data` | 415 |
/// | malformed, its last boundary missing, fields that aren't UTF-8 | 400 |
/// | too long: as a whole, a file, the fields, the head of a part | 413 |
/// | too many: parts, files | 413 |
/// | compressed (`Content-Encoding`) | 415 |
/// | the disk is full | 507 |
/// | no descriptor is left; too much is [under way](UploadForm::under_way_max) | 503 |
///
/// All of these are answered before the handler is called, and leave nothing.
///
/// Each file is a descriptor and each form its fields in memory until the handler
/// returns; [`InFlight`](crate::middleware::InFlight) limits how many there are at a
/// time. Pages of other sites can make browsers send forms, with
/// this site's cookies if those are not `SameSite`: where there is a session, compare
/// its token, `session(request).is_csrf_token(form.need("_csrf")?)`.
#[derive(Clone, Debug)]
pub struct UploadForm {
    folder: Folder,
    fields_max: usize,
    file_max: u64,
    files_max: usize,
    total_max: u64,
    room: Room,
    limits: Limits,
    sync: bool,
}

/// Names and values of fields in bytes, unless something else is said: a long text.
/// They are in memory.
const FIELDS_MAX: usize = 64 * 1024;
/// The longest form in bytes, unless something else is said: some photographs.
const TOTAL_MAX: u64 = 100 << 20;
/// Files of one form, unless something else is said: each is an open descriptor, and
/// a process has 1,024 of those where nobody changed anything.
const FILES_MAX: usize = 16;

impl UploadForm {
    /// Forms whose files are kept in that folder, which must be there and on whose file
    /// system they are written. What a killed process has left of uploads is removed.
    ///
    /// # Errors
    /// [`Error::Folder`] if it can't be entered and read.
    pub fn into(folder: impl AsRef<Path>) -> Result<UploadForm, Error> {
        Ok(UploadForm {
            folder: open(folder.as_ref())?,
            fields_max: FIELDS_MAX,
            file_max: u64::MAX,
            files_max: FILES_MAX,
            total_max: TOTAL_MAX,
            room: Room::new(u64::MAX),
            limits: Limits::default(),
            sync: false,
        })
    }

    /// Names and values of all fields that aren't files, in bytes of memory, where each
    /// field counts for 64 more; then 413. Default 64 KiB.
    #[must_use]
    pub fn fields_max(mut self, bytes: usize) -> UploadForm {
        self.fields_max = bytes;
        self
    }

    /// The longest file, in bytes, then 413. Default: what the form may have.
    #[must_use]
    pub fn file_max(mut self, bytes: u64) -> UploadForm {
        self.file_max = bytes;
        self
    }

    /// Files of one form, then 413. Default 16.
    #[must_use]
    pub fn files_max(mut self, count: usize) -> UploadForm {
        self.files_max = count;
        self
    }

    /// The longest form, in bytes of the request's content, then 413. Default 100 MiB.
    #[must_use]
    pub fn total_max(mut self, bytes: u64) -> UploadForm {
        self.total_max = bytes;
        self
    }

    /// Bytes of files that were not kept yet, of all forms under way together, then 503
    /// for whoever would exceed it. It bounds what strangers can have on the disk before
    /// the handler has had a say; a form longer than that is never taken. Clones share it.
    /// Default: no limit.
    #[must_use]
    pub fn under_way_max(mut self, bytes: u64) -> UploadForm {
        self.room = Room::new(bytes);
        self
    }

    /// Parts of one form, fields and files, then 413. Default 1,000.
    #[must_use]
    pub fn parts_max(mut self, count: usize) -> UploadForm {
        self.limits.parts_max = count;
        self
    }

    /// The head of one part, in bytes, then 413. Default 8 KiB.
    #[must_use]
    pub fn part_head_max(mut self, bytes: usize) -> UploadForm {
        self.limits.head_max = bytes;
        self
    }

    /// Whether a file that is kept is on the disk (`fsync`), content and name, before
    /// the call returns. Default: no, a crash of the system may lose it.
    #[must_use]
    pub fn sync(mut self, yes: bool) -> UploadForm {
        self.sync = yes;
        self
    }

    /// Answers `POST` there: [`handler`](UploadForm::handler) on a route that leaves the
    /// content alone.
    pub fn mount<R: Into<Reply>>(
        &self,
        app: &mut App,
        pattern: &str,
        handler: impl Fn(&mut Request, &UploadedForm) -> R + Send + Sync + 'static,
    ) {
        app.post(pattern, self.handler(handler)).body(BodyMode::Ignore);
    }

    /// The route's handler; yours is called when the form is complete, on a helper
    /// thread, where it may block. The route must be one that leaves the content alone
    /// ([`BodyMode::Ignore`]); one that takes it into memory first works, up to that
    /// route's own limit.
    pub fn handler<R: Into<Reply>>(
        &self,
        handler: impl Fn(&mut Request, &UploadedForm) -> R + Send + Sync + 'static,
    ) -> impl Fn(&mut Request) -> Reply + 'static {
        let settings = Arc::new(self.clone());
        let handler: Handler = Arc::new(move |request: &mut Request, form: &UploadedForm| {
            handler(request, form).into()
        });
        move |request: &mut Request| match settings.parser(request) {
            Ok(parser) => {
                let form = Incoming {
                    settings: Arc::clone(&settings),
                    handler: Arc::clone(&handler),
                    parser,
                    part: Part::Skipped,
                    fields: Fields::new(settings.fields_max),
                    files: Vec::new(),
                };
                take(settings.total_max, form, |_, reply| reply)
            }
            Err(reject) => reject.into(),
        }
    }

    /// What can be told before any content is sent.
    fn parser(&self, request: &Request) -> Result<Multipart, Reject> {
        may_be_taken(request)?;
        let content_type = request.headers().get("content-type").unwrap_or(b"");
        let parser = Multipart::new(content_type, self.limits).map_err(Refusal::from)?;
        Ok(parser)
    }
}

/// Opens a folder for uploads, and removes what killed processes have left there.
pub(super) fn open(path: &Path) -> Result<Folder, Error> {
    let folder =
        Folder::open(path).map_err(|source| Error::Folder { path: path.to_owned(), source })?;
    match folder.sweep() {
        Ok(0) => {}
        Ok(count) => log::info!("removed {count} files of unfinished uploads"),
        Err(error) => log::warn!("leftovers of uploads: {error}"),
    }
    Ok(folder)
}

/// Whether the content is what its type says it is.
pub(super) fn may_be_taken(request: &Request) -> Result<(), Reject> {
    if request.headers().all("content-type").nth(1).is_some() {
        return Err(Reject::bad("the content's type is there twice"));
    }
    if request.is_coded() {
        // RFC 9110 section 12.5.3: what would be taken.
        let reject = Reject::new(Status::UNSUPPORTED_MEDIA_TYPE, "compressed content is not taken");
        return Err(reject.header("Accept-Encoding", "identity"));
    }
    Ok(())
}

type Handler = Arc<dyn Fn(&mut Request, &UploadedForm) -> Reply + Send + Sync>;

/// A form on its way.
struct Incoming {
    settings: Arc<UploadForm>,
    handler: Handler,
    parser: Multipart,
    part: Part,
    fields: Fields,
    /// Those that are complete.
    files: Vec<UploadedFile>,
}

/// What the next data belongs to.
enum Part {
    Field,
    File(UploadedFile),
    /// A file field for which nothing was chosen.
    Skipped,
}

impl Store for Incoming {
    type Saved = Reply;

    fn write(&mut self, mut chunk: &[u8]) -> io::Result<()> {
        loop {
            match self.parser.next(&mut chunk).map_err(Refusal::from)? {
                Event::Part(head) => {
                    self.part = begin(head, &self.settings, &self.files, &mut self.fields)?;
                }
                Event::Data(bytes) => match &mut self.part {
                    Part::Field => self.fields.push(bytes).map_err(Refusal::from)?,
                    Part::File(file) => file.write(bytes, self.settings.file_max)?,
                    Part::Skipped => {}
                },
                Event::PartEnd => {
                    if let Part::File(file) = std::mem::replace(&mut self.part, Part::Skipped) {
                        self.files.push(file);
                    }
                }
                Event::End => {}
                Event::NeedMore => return Ok(()),
            }
        }
    }

    /// Here, and not later on the loop: files that are dropped are removed by whoever
    /// drops them, and for a long one that takes the disk a while.
    fn save(&mut self, request: &mut Request) -> io::Result<Reply> {
        self.parser.finish().map_err(Refusal::from)?;
        let fields = std::mem::replace(&mut self.fields, Fields::new(0));
        let form = UploadedForm::new(fields, std::mem::take(&mut self.files))?;
        Ok((self.handler)(request, &form))
    }
}

/// A part begins.
fn begin(
    head: PartHead,
    settings: &UploadForm,
    files: &[UploadedFile],
    fields: &mut Fields,
) -> io::Result<Part> {
    match head.filename.as_deref() {
        None => {
            fields.begin(head.name).map_err(Refusal::from)?;
            Ok(Part::Field)
        }
        Some("") => Ok(Part::Skipped),
        Some(_) if files.len() >= settings.files_max => {
            let why = "there are too many files in the form";
            Err(Refusal::new(Status::CONTENT_TOO_LARGE, why).into())
        }
        Some(_) => {
            let UploadForm { folder, room, sync, .. } = settings;
            Ok(Part::File(UploadedFile::create(folder, room, *sync, head)?))
        }
    }
}
