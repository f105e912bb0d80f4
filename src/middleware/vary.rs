//! `Vary`: what a reply depends on besides its address (RFC 9110 section 12.5.5).

use crate::http::Response;

/// Adds a name, unless it is there or `*` says it all. In a line of its own: that
/// means the same as one list (section 5.3).
pub(super) fn vary(response: &mut Response, name: &str) {
    let same = |member: &[u8]| member == b"*" || member.eq_ignore_ascii_case(name.as_bytes());
    if !response.headers().list("vary").any(same)
        && let Err(error) = response.add_header("Vary", name)
    {
        log::warn!("Vary: {name}: {error}");
    }
}
