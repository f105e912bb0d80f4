//! The forms in which a file can be sent: as it is, or compressed.

use super::resource::{Representation, Resource};
use super::serve::{Site, Stop, Wait};
use crate::http::Request;

/// The forms of a file beside the one it has on the disk. `identity` is that
/// one, `path` its path within the site. On the loop ([`Wait::Never`]) what
/// isn't at hand is [`Stop::Wait`]: then a helper is asked the same.
///
/// # Errors
/// [`Stop`].
pub(super) fn others(
    _site: &Site,
    _path: &str,
    _identity: &Representation,
    _wait: Wait,
) -> Result<Vec<Representation>, Stop> {
    Ok(Vec::new())
}

/// Whether the other forms of a file, which itself is as it was, are what they
/// were, and no others have come.
///
/// # Errors
/// [`Stop`].
pub(super) fn is_same(_site: &Site, _resource: &Resource, _wait: Wait) -> Result<bool, Stop> {
    Ok(true)
}

/// The form that the client likes best.
pub(super) fn choose<'a>(_request: &Request, resource: &'a Resource) -> &'a Representation {
    &resource.identity
}
