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

/// The form that the client likes best.
pub(super) fn choose<'a>(_request: &Request, resource: &'a Resource) -> &'a Representation {
    &resource.identity
}
