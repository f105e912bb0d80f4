//! `POST` of a form: its files, into the folder that it is sent to.

use super::sink::{Saved, Store, take};
use super::{Desk, gate};
use crate::app::{Reject, Reply, json, offload_now, redirect};
use crate::disk::{Existing, Folder, Placed, TempFile};
use crate::files::fields;
use crate::http::accept::media_type;
use crate::http::multipart::{Event, Fault, Limits, Multipart, PartHead};
use crate::http::target::percent_encode;
use crate::http::{Lane, Refusal, Request, Response, Status};
use std::io;
use std::sync::{Arc, PoisonError};

/// A form on its way.
struct Form {
    desk: Arc<Desk>,
    folder: Folder,
    /// Its path within the site.
    path: String,
    parser: Multipart,
    part: Part,
    /// Those that are complete.
    files: Vec<File>,
    /// Bytes of fields that may still come.
    fields_left: u64,
}

/// A file that is being written, or waits for the others.
struct File {
    name: String,
    file: TempFile,
    len: u64,
}

/// What the next data belongs to.
enum Part {
    /// A field that isn't a file, or a file that the form's user didn't choose.
    Field,
    File(File),
}

/// Bytes of all fields that aren't files: they are only thrown away.
const FIELDS_MAX: u64 = 1 << 20;

/// The handler for `POST`.
pub(super) fn handler(desk: Arc<Desk>) -> impl Fn(&mut Request) -> Reply + 'static {
    move |request: &mut Request| match check(request, &desk) {
        Ok(parser) => {
            let desk = Arc::clone(&desk);
            let job = move |request: &mut Request| begin(request, &desk, parser);
            offload_now(job).lane(Lane::Engine)
        }
        Err(reject) => reject.into(),
    }
}

/// What can be told without the disk.
fn check(request: &Request, desk: &Desk) -> Result<Multipart, Reject> {
    let (folder, name) = gate::admit(request, desk)?;
    let is_folder = name.is_empty() && (!folder.is_empty() || request.path().ends_with('/'));
    if !is_folder {
        let response = Response::new(Status::METHOD_NOT_ALLOWED)
            .header("Allow", "GET, HEAD, PUT")
            .text("405 Method Not Allowed: forms go to a folder, whose address ends with /\n");
        return Err(response.into());
    }
    if request.content_length().is_some_and(|length| length > desk.uploads.max) {
        return Err(Status::CONTENT_TOO_LARGE.into());
    }
    let mut types = request.headers().all("content-type");
    let (content_type, another) = (types.next().unwrap_or(b""), types.next());
    if another.is_some() {
        return Err(Reject::bad("the content's type is there twice"));
    }
    let parser = Multipart::new(content_type, Limits::default());
    parser.map_err(|Fault { status, reason }| Reject::new(status, reason))
}

/// Takes the form's content. Blocks on the disk.
fn begin(request: &Request, desk: &Arc<Desk>, parser: Multipart) -> Result<Reply, Reject> {
    let (path, _) = gate::admit(request, desk)?;
    let folder = desk.folder(request, path, Status::NOT_FOUND)?;
    let form = Form {
        desk: Arc::clone(desk),
        folder,
        path: path.to_owned(),
        parser,
        part: Part::Field,
        files: Vec::new(),
        fields_left: FIELDS_MAX,
    };
    let shared = Arc::clone(desk);
    Ok(take(desk, form, move |request: &mut Request, saved| answer(request, &shared, &saved)))
}

impl Store for Form {
    type Saved = Vec<Saved>;

    fn write(&mut self, mut chunk: &[u8]) -> io::Result<()> {
        loop {
            match self.parser.next(&mut chunk).map_err(refusal)? {
                Event::Part(head) => self.part = self.begin(&head)?,
                Event::Data(bytes) => match &mut self.part {
                    Part::File(file) => {
                        file.len += bytes.len() as u64;
                        if file.len > self.desk.uploads.file_max {
                            return Err(too_large("a file is too long"));
                        }
                        file.file.write_all(bytes)?;
                    }
                    Part::Field => {
                        let left = self.fields_left.checked_sub(bytes.len() as u64);
                        self.fields_left =
                            left.ok_or_else(|| too_large("the form's fields are too long"))?;
                    }
                },
                Event::PartEnd => {
                    if let Part::File(file) = std::mem::replace(&mut self.part, Part::Field) {
                        self.files.push(file);
                    }
                }
                Event::End => {}
                Event::NeedMore => return Ok(()),
            }
        }
    }

    fn save(&mut self, _: &mut Request) -> io::Result<Vec<Saved>> {
        self.parser.finish().map_err(refusal)?;
        if self.files.is_empty() {
            return Err(Refusal::new(Status::BAD_REQUEST, "there is no file in the form").into());
        }
        let sync = self.desk.uploads.sync;
        if sync {
            self.files.iter().try_for_each(|file| file.file.sync())?;
        }
        let saved = self.place_all()?;
        if sync {
            self.folder.sync()?;
        }
        Ok(saved)
    }
}

impl Form {
    /// A part begins: if it is a file that can't be saved, it is better to know
    /// that before it is sent.
    fn begin(&self, head: &PartHead) -> io::Result<Part> {
        let Some(name) = head.file() else { return Ok(Part::Field) };
        // A form's file field into which nothing was put.
        if head.filename.as_deref() == Some("") {
            return Ok(Part::Field);
        }
        gate::check_name(name, &self.path, &self.desk).map_err(|refusal| about(name, &refusal))?;
        if self.files.len() >= self.desk.uploads.files_max {
            return Err(too_large("there are too many files in the form"));
        }
        if self.files.iter().any(|file| file.name == name) {
            let why = format!("{name:?} is in the form twice");
            return Err(Refusal::new(Status::CONFLICT, why).into());
        }
        self.may_be(name)?;
        Ok(Part::File(File { name: name.to_owned(), file: self.folder.create()?, len: 0 }))
    }

    /// Whether a file of that name may be saved, as things are now.
    fn may_be(&self, name: &str) -> io::Result<()> {
        if let Some(there) = self.folder.find(name.as_bytes())? {
            super::may_replace(&there, self.desk.uploads.overwrite)
                .map_err(|refusal| about(name, &refusal))?;
        }
        super::may_be_beside(&self.folder, name, &self.desk)
    }

    /// Gives all files their names, or none of them.
    fn place_all(&mut self) -> io::Result<Vec<Saved>> {
        let _lock = self.desk.uploads.common.names.lock().unwrap_or_else(PoisonError::into_inner);
        self.files.iter().try_for_each(|file| self.may_be(&file.name))?;
        let overwrite = self.desk.uploads.overwrite;
        let existing = if overwrite { Existing::Replace } else { Existing::Keep };
        let mut saved: Vec<Saved> = Vec::new();
        let mut failed = None;
        for File { name, file, len } in &mut self.files {
            match file.place(name.as_bytes(), existing) {
                Ok(placed) => {
                    self.desk.changed(&self.path, name);
                    saved.push(Saved { name: name.clone(), len: *len, placed, etag: None });
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let Some(error) = failed else { return Ok(saved) };
        for (File { name, file, .. }, saved) in self.files.iter().zip(&saved) {
            // What was replaced is lost; what replaced it is better than nothing.
            if saved.placed == Placed::Created
                && let Err(error) = self.folder.take_back(name.as_bytes(), file)
            {
                log::warn!("{name:?} of an upload that failed can't be removed: {error}");
            }
            self.desk.changed(&self.path, name);
        }
        Err(error)
    }
}

fn refusal(fault: Fault) -> Refusal {
    Refusal::new(fault.status, fault.reason)
}

/// Which of a form's files it is about.
fn about(name: &str, refusal: &Refusal) -> Refusal {
    Refusal::new(refusal.status, format!("{name:?}: {}", refusal.message))
}

fn too_large(why: &'static str) -> io::Error {
    Refusal::new(Status::CONTENT_TOO_LARGE, why).into()
}

/// A browser is sent to the folder, a program gets a list.
fn answer(request: &Request, desk: &Desk, saved: &[Saved]) -> Reply {
    let folder = request.path();
    // As for a listing: whoever says nothing is taken for a browser.
    let wanted = media_type(request.headers(), &["text/html", "application/json"]);
    let mut response = if wanted == Some(1) {
        let list = json::array(|list| {
            for file in saved {
                list.object(|object| {
                    object.set("name", file.name.as_str());
                    object.set("size", file.len);
                    let name = percent_encode(file.name.as_bytes());
                    object.set("path", format!("{folder}{name}").as_str());
                });
            }
        });
        Response::new(Status::CREATED).json(format!("{list}\n"))
    } else {
        redirect(folder)
    };
    fields::add_own(&desk.site.options, &mut response);
    response.into()
}
