//! Uploads for handlers of one's own: forms with files, and raw content, to disk.
//!
//! ```text
//!  loop     is it a form? 415, 400; how long? 413        (then: 100 Continue)
//!             |
//!  loop     bytes -> chunk ---.
//!  helper      parse <--------'--> fields: memory, fields_max
//!             |                '-> files: on disk, without a name yet
//!             |  all is in
//!  helper   the handler: |request, &form| -> what is kept gets its name here
//!             |                             what isn't is gone
//!  loop     the reply
//! ```
//!
//! A helper is used only while there is a chunk to write, so slow clients hold
//! none, and while one is written nothing is read: a slow disk slows the client.
//! Memory doesn't grow with a file. Until the handler keeps a file nobody sees
//! it, and whatever ends the upload before leaves nothing, not even a `kill -9`:
//! see [`disk::TempFile`](crate::disk::TempFile).
//!
//! **The handler runs on a helper thread**, where it may block: to give a file its
//! name waits for the disk. So it is `Send` and `Sync`. It is the engine's own lane
//! ([`Lane::Engine`](crate::http::Lane::Engine)), which refuses nothing: an upload
//! that is complete gets no 503. What takes long, or wants the serial lane, is
//! returned as a reply to come: [`offload_now`](crate::app::offload_now).
//!
//! A folder that takes files under the names that clients give them needs no
//! handler: `files::Uploads`.
//!
//! ```no_run
//! use onepoll::app::{App, Reject, redirect};
//! use onepoll::forms::{UploadForm, UploadedForm};
//! use onepoll::http::{Request, Response};
//! # fn main() -> Result<(), onepoll::Error> {
//! let mut app = App::new();
//! let uploads = UploadForm::into("uploads")?.file_max(10 << 20).files_max(4).sync(true);
//! app.post("/uploads", uploads.handler(save)).body(onepoll::app::BodyMode::Ignore);
//! // The same, shorter:
//! uploads.mount(&mut app, "/pictures", save);
//!
//! fn save(_: &mut Request, form: &UploadedForm) -> Result<Response, Reject> {
//!     let title = form.need("title")?; // 422 without it
//!     for file in form.files() {
//!         if file.content_type() != Some("image/png") {
//!             continue; // dropped: nothing is left of it
//!         }
//!         let name = file.keep_as_unique()?; // `cat.png`, or `cat-2.png`
//!         log::info!("{title}: {name}, {} bytes", file.len());
//!     }
//!     Ok(redirect("/uploads"))
//! }
//! # Ok(())
//! # }
//! ```

mod body;
mod file;
mod form;
mod name;
mod room;
mod upload;

pub use body::UploadBody;
pub use file::{Reader, UploadedFile};
pub use form::UploadedForm;
pub use name::safe_name;
pub use upload::UploadForm;

#[cfg(test)]
mod tests;
