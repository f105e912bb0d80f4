//! What a folder holds, for people and for programs.

use super::serve::Site;
use crate::disk::Opened;
use crate::http::{Request, Response, Status};

/// A folder's listing. Runs on a helper; `path` is the folder's own within the
/// site, empty or with a slash at its end.
///
/// # Errors
/// The status to answer with.
pub(super) fn answer(
    _site: &Site,
    _request: &Request,
    _path: &str,
    _folder: Opened,
) -> Result<Response, Status> {
    Err(Status::NOT_FOUND)
}
