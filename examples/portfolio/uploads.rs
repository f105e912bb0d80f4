//! Files, in and out. (Out: `Files`, in `routes.rs`.)

use crate::site::Site;
use onepoll::app::{Flow, redirect};
use onepoll::forms::{UploadForm, UploadedFile, UploadedForm};
use onepoll::http::accept::media_type;
use onepoll::session::session;
use onepoll::templates::context;
use onepoll::{Error, Method, Reject, Request, Response, Status};
use serde::Serialize;
use std::sync::Arc;

/// Bytes of an upload, all its files together.
const UPLOAD_MAX: u64 = 1 << 30;
const FILES_MAX: usize = 16;
/// Bytes of a form besides its files: boundaries, names, the token.
const FRAME_MAX: u64 = 64 * 1024;
/// Bytes of all uploads that are on their way, beside what the shelf has: whoever
/// sends them has shown no token yet.
const UNDER_WAY_MAX: u64 = 2 * UPLOAD_MAX;

/// The form, and what is there.
pub fn list(site: &Arc<Site>, request: &mut Request) -> Result<Response, Reject> {
    let items = site.shelf.list()?;
    let session = session(request);
    let csrf = session.csrf_token()?;
    // What the last upload left to be said, once.
    let saved = session.remove("saved");
    let max = UPLOAD_MAX;
    site.form("uploads.html", context! { here => "uploads", csrf, items, saved, max })
}

/// How forms with files are taken: they go to the disk as they come, and have no name
/// there until `save` gives them one. With `sync`, a name is on the disk, too, before
/// anybody is told of it.
pub fn settings(site: &Site) -> Result<UploadForm, Error> {
    let form = UploadForm::into(site.shelf.path())?;
    let form = form.total_max(UPLOAD_MAX + FRAME_MAX).files_max(FILES_MAX);
    Ok(form.under_way_max(UNDER_WAY_MAX).sync(true))
}

/// Before anything is sent: a shelf that is full is no reason to send a gigabyte.
pub fn only_if_room(site: &Arc<Site>) -> impl Fn(&mut Request) -> Flow + use<> {
    let site = Arc::clone(site);
    move |request: &mut Request| {
        if *request.method() != Method::POST {
            return Flow::Go;
        }
        let site = Arc::clone(&site);
        Flow::offload(move |_| match site.shelf.check_room(1, 1) {
            Ok(()) => Flow::Go,
            Err(why) => Flow::Refuse(why.into()),
        })
    }
}

/// A form that has come as a whole. What isn't kept here is gone when this returns.
pub fn save(site: &Site, request: &mut Request, form: &UploadedForm) -> Result<Response, Reject> {
    if !session(request).is_csrf_token(form.get("_csrf").unwrap_or("")) {
        let why = "the form is out of date: load its page again, and send it once more";
        return Err(Reject::new(Status::FORBIDDEN, why));
    }
    if form.files().is_empty() {
        return Err(Reject::new(Status::UNPROCESSABLE_CONTENT, "there is no file in the form"));
    }
    let bytes = form.files().iter().map(UploadedFile::len).sum();
    site.shelf.check_room(form.files().len(), bytes)?;
    let names = form.keep_all()?;
    // A text of a bounded length: sessions are small.
    let shown: String = names.join(", ").chars().take(200).collect();
    session(request).set("saved", shown)?;
    if media_type(request.headers(), &["text/html", "application/json"]) == Some(1) {
        #[derive(Serialize)]
        struct Saved<'a> {
            files: &'a [String],
        }
        return Ok(Response::new(Status::CREATED).json_of(&Saved { files: &names }));
    }
    Ok(redirect("/uploads"))
}
