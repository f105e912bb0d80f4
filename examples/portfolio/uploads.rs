//! Files, in and out. (Out: `Files`, in `routes.rs`.)

use crate::site::Site;
use onepoll::app::redirect;
use onepoll::forms::{UploadForm, UploadedForm};
use onepoll::http::accept::media_type;
use onepoll::session::session;
use onepoll::templates::context;
use onepoll::{Error, Reject, Request, Response, Status};
use serde::Serialize;
use std::sync::Arc;

/// Bytes of an upload, all its files together.
const UPLOAD_MAX: u64 = 1 << 30;
const FILES_MAX: usize = 16;

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
    Ok(form.total_max(UPLOAD_MAX).files_max(FILES_MAX).sync(true))
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
    site.shelf.check_room()?;
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
