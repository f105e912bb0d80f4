//! Fields that several middlewares read or write.

use crate::http::{Request, Response};

/// The value of a field that may be there once only. Two lines are as none:
/// who reads the other one would decide otherwise.
pub(super) fn single<'a>(request: &'a Request, name: &str) -> Option<&'a [u8]> {
    let mut lines = request.headers().all(name);
    lines.next().filter(|_| lines.next().is_none())
}

/// Adds a field. If 64 KiB of others leave no room, the reply goes without it:
/// nothing that a client could do harm with is lost.
pub(super) fn add(response: &mut Response, name: &str, value: &str) {
    if let Err(error) = response.add_header(name, value) {
        log::warn!("{name}: {error}; left out");
    }
}

/// Adds a field unless the handler did.
pub(super) fn absent(response: &mut Response, name: &str, value: &str) {
    if response.get(name).is_none() {
        add(response, name, value);
    }
}

/// Sets a field whatever the handler did.
pub(super) fn set(response: &mut Response, name: &str, value: &str) {
    if let Err(error) = response.set_header(name, value) {
        log::warn!("{name}: {error}; left out");
    }
}

/// Adds a name to `Vary` (RFC 9110 section 12.5.5), unless it is there or `*`
/// says it all. In a line of its own: that means the same as one list (section
/// 5.3).
pub(super) fn vary(response: &mut Response, name: &str) {
    let same = |member: &[u8]| member == b"*" || member.eq_ignore_ascii_case(name.as_bytes());
    if !response.headers().list("vary").any(same) {
        add(response, "Vary", name);
    }
}
