//! Fields that several middlewares read or write.

use crate::http::{Request, Response};

/// The value of a field that may be there once only. Two lines are as none:
/// who reads the other one would decide otherwise.
pub(super) fn single<'a>(request: &'a Request, name: &str) -> Option<&'a [u8]> {
    let mut lines = request.headers().all(name);
    lines.next().filter(|_| lines.next().is_none())
}

/// Adds a name to `Vary` (RFC 9110 section 12.5.5), unless it is there or `*`
/// says it all. In a line of its own: that means the same as one list (section
/// 5.3).
pub(super) fn vary(response: &mut Response, name: &str) {
    let same = |member: &[u8]| member == b"*" || member.eq_ignore_ascii_case(name.as_bytes());
    if !response.headers().list("vary").any(same)
        && let Err(error) = response.add_header("Vary", name)
    {
        log::warn!("Vary: {name}: {error}");
    }
}
