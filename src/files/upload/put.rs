//! `PUT`: one file, at the address where it will be found (RFC 9110 section 9.3.4).

use super::sink::{Saved, Store, explain, take};
use super::{Desk, gate};
use crate::app::{Reject, Reply, offload_now};
use crate::disk::{Existing, Folder, Placed, TempFile};
use crate::files::fields;
use crate::files::plan::Facts;
use crate::http::conditional::{self, Validators, Verdict};
use crate::http::{Lane, Refusal, Request, Response, Status};
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::UNIX_EPOCH;

/// A file on its way.
struct PutFile {
    desk: Arc<Desk>,
    folder: Folder,
    /// Its path within the site.
    path: String,
    name: String,
    file: TempFile,
    len: u64,
}

/// The handler for `PUT`.
pub(super) fn handler(desk: Arc<Desk>) -> impl Fn(&mut Request) -> Reply + 'static {
    move |request: &mut Request| match check(request, &desk) {
        Ok(()) => {
            let desk = Arc::clone(&desk);
            offload_now(move |request: &mut Request| begin(request, &desk)).lane(Lane::Engine)
        }
        Err(reject) => reject.into(),
    }
}

/// What can be told without the disk.
fn check(request: &Request, desk: &Desk) -> Result<(), Reject> {
    let (folder, name) = gate::admit(request, desk)?;
    if name.is_empty() {
        let response = Response::new(Status::METHOD_NOT_ALLOWED)
            .header("Allow", "GET, HEAD, POST")
            .text("405 Method Not Allowed: a folder can't be sent\n");
        return Err(response.into());
    }
    gate::check_name(name, folder, desk)?;
    if request.headers().get("content-range").is_some() {
        // RFC 9110 section 14.5: who doesn't know it would take the part for the whole.
        return Err(Reject::bad("parts of files are not taken"));
    }
    let max = desk.uploads.max.min(desk.uploads.file_max);
    if request.content_length().is_some_and(|length| length > max) {
        return Err(Status::CONTENT_TOO_LARGE.into());
    }
    Ok(())
}

/// Asks whether there may be such a file, before its content is sent, and takes
/// it. Blocks on the disk.
fn begin(request: &Request, desk: &Arc<Desk>) -> Result<Reply, Reject> {
    let (path, name) = gate::admit(request, desk)?;
    let folder = desk.folder(request, path, Status::CONFLICT)?;
    may_be(request, desk, &folder, name)?;
    let file = folder.create().map_err(|error| explain(&error))?;
    let (path, name) = (path.to_owned(), name.to_owned());
    let store = PutFile { desk: Arc::clone(desk), folder, path, name, file, len: 0 };
    let shared = Arc::clone(desk);
    let answer = move |request: &mut Request, saved: Vec<Saved>| answer(request, &shared, saved);
    Ok(take(desk, store, answer))
}

/// Whether the request may put a file there, as things are now.
fn may_be(request: &Request, desk: &Desk, folder: &Folder, name: &str) -> Result<(), Refusal> {
    let there = folder.find(name.as_bytes()).map_err(|error| explain(&error))?;
    let Some(there) = there else {
        // Whatever the tags, and `*` too, none is there (RFC 9110 section 13.1.1).
        return match request.headers().get("if-match") {
            Some(_) => Err(Refusal::new(Status::PRECONDITION_FAILED, "there is no such file")),
            None => super::may_be_beside(folder, name, desk).map_err(|error| explain(&error)),
        };
    };
    let facts = Facts::of(&there);
    let etag = facts.etag(None);
    let current = Validators { etag: Some(&etag), modified: Some(facts.modified.0) };
    let now = request.now().wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if conditional::verdict(request.method(), request.headers(), current, now) != Verdict::Go {
        return Err(Refusal::new(Status::PRECONDITION_FAILED, "the file is not as you expect it"));
    }
    super::may_replace(&there, desk.uploads.overwrite)
}

impl Store for PutFile {
    type Saved = Vec<Saved>;

    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.len += chunk.len() as u64;
        if self.len > self.desk.uploads.file_max {
            return Err(Refusal::new(Status::CONTENT_TOO_LARGE, "the file is too long").into());
        }
        self.file.write_all(chunk)
    }

    fn save(&mut self, request: &mut Request) -> io::Result<Vec<Saved>> {
        let PutFile { desk, folder, path, name, file, len } = self;
        let uploads = &desk.uploads;
        if uploads.sync {
            file.sync()?;
        }
        let existing = if uploads.overwrite { Existing::Replace } else { Existing::Keep };
        let lock = uploads.common.names.lock().unwrap_or_else(PoisonError::into_inner);
        may_be(request, desk, folder, name)?;
        let placed = file.place(name.as_bytes(), existing)?;
        drop(lock);
        desk.changed(path, name);
        if uploads.sync {
            folder.sync()?;
        }
        let etag = file.metadata().ok().map(|metadata| Facts::of(&metadata).etag(None));
        Ok(vec![Saved { name: std::mem::take(name), len: *len, placed, etag }])
    }
}

/// 201 or 204, with the tag that the file has now: it is stored as it was sent
/// (RFC 9110 section 9.3.4).
fn answer(request: &Request, desk: &Desk, saved: Vec<Saved>) -> Reply {
    let replaced = saved.iter().any(|file| file.placed == Placed::Replaced);
    let mut response = match replaced {
        true => Response::new(Status::NO_CONTENT),
        false => Response::new(Status::CREATED).header("Location", request.path()),
    };
    for etag in saved.into_iter().filter_map(|file| file.etag) {
        response = response.header("ETag", etag);
    }
    fields::add_own(&desk.site.options, &mut response);
    response.into()
}
