//! What `PUT` and forms share.

use super::Desk;
use crate::app::{Reply, take as take_into};
use crate::disk::Placed;
use crate::http::Request;

pub(super) use crate::app::{Store, explain};

/// What was saved.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) name: String,
    pub(super) len: u64,
    pub(super) placed: Placed,
    pub(super) etag: Option<String>,
}

/// Takes the request's content into the store; then answers.
pub(super) fn take<S: Store<Saved = Vec<Saved>>>(
    desk: &Desk,
    store: S,
    answer: impl FnOnce(&mut Request, Vec<Saved>) -> Reply + Send + 'static,
) -> Reply {
    take_into(desk.uploads.max, store, answer)
}
