//! Conditional requests: whether the client's copy is still good (RFC 9110 section 13).
//!
//! The order of section 13.2.2, which [`verdict`] follows:
//!
//! ```text
//!   If-Match there?            no match  -> Failed (412)
//!     else If-Unmodified-Since  modified  -> Failed (412)
//!   If-None-Match there?       a match   -> NotModified (304) to GET and HEAD, else Failed
//!     else If-Modified-Since   not since -> NotModified (304), only GET and HEAD
//!   otherwise                            -> Go
//!   then, for GET with Range: If-Range?  no match -> the whole (if_range)
//! ```

use super::{Headers, Method, date};

/// What tells one state of a resource from another.
#[derive(Clone, Copy, Debug, Default)]
pub struct Validators<'a> {
    /// The entity tag as it is sent, quotes and all: `"abc"` or `W/"abc"`.
    pub etag: Option<&'a str>,
    /// The last change, in Unix seconds.
    pub modified: Option<u64>,
}

/// What becomes of a request that carries conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Do what the method says.
    Go,
    /// The client's copy is good: 304.
    NotModified,
    /// The client wanted another state than there is: 412.
    Failed,
}

/// Weighs the conditions of a request for a resource that exists. `now_secs`
/// are Unix seconds, to place dates with two-digit years.
pub fn verdict(
    method: &Method,
    headers: &Headers,
    current: Validators<'_>,
    now_secs: u64,
) -> Verdict {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let date = |name| single(headers, name).and_then(|text| date::parse(text, now_secs));
    if headers.get("if-match").is_some() {
        // Strong comparison (section 13.1.1): a weak tag never matches.
        if !any_tag(headers, "if-match", |tag| current.etag.is_some_and(|own| strong(tag, own))) {
            return Verdict::Failed;
        }
    } else if let (Some(limit), Some(modified)) = (date("if-unmodified-since"), current.modified)
        && modified > limit
    {
        return Verdict::Failed;
    }
    if headers.get("if-none-match").is_some() {
        // Weak comparison (section 13.1.2).
        if any_tag(headers, "if-none-match", |tag| current.etag.is_some_and(|own| weak(tag, own))) {
            return if reads { Verdict::NotModified } else { Verdict::Failed };
        }
    } else if reads
        && let (Some(since), Some(modified)) = (date("if-modified-since"), current.modified)
        && modified <= since
    {
        return Verdict::NotModified;
    }
    Verdict::Go
}

/// Whether a `Range` may be followed: there is no `If-Range`, or it names the
/// current state by a strong validator (section 13.1.5).
pub fn if_range(headers: &Headers, current: Validators<'_>, now_secs: u64) -> bool {
    if headers.get("if-range").is_none() {
        return true;
    }
    let Some(value) = single(headers, "if-range") else { return false };
    match entity_tag(value) {
        Some((tag, b"")) => current.etag.is_some_and(|own| strong(tag, own)),
        Some(_) => false,
        // A date is a strong validator only once the second it names is over:
        // the file can have changed twice within it (section 8.8.2.2).
        None => match (date::parse(value, now_secs), current.modified) {
            (Some(date), Some(modified)) => date == modified && modified < now_secs,
            _ => false,
        },
    }
}

/// The value of a field that may come once only; repeated, it is ignored.
fn single<'a>(headers: &'a Headers, name: &str) -> Option<&'a [u8]> {
    let mut all = headers.all(name);
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

/// Whether `*` or any tag of a list matches. A list that is malformed ends
/// where it no longer makes sense.
fn any_tag(headers: &Headers, name: &str, matches: impl Fn(&[u8]) -> bool) -> bool {
    headers.all(name).any(|value| {
        let mut rest = super::chars::trim(value);
        if rest == b"*" {
            return true;
        }
        loop {
            // Members may be empty (section 5.6.1.2).
            while let [b',' | b' ' | b'\t', more @ ..] = rest {
                rest = more;
            }
            let Some((tag, behind)) = entity_tag(rest) else { return false };
            rest = super::chars::trim(behind);
            if !matches!(rest, [] | [b',', ..]) {
                return false;
            }
            if matches(tag) {
                return true;
            }
        }
    })
}

/// Splits an entity tag off: `W/"x"` or `"x"`, and what is behind it. A comma
/// may stand within the quotes, and a backslash escapes nothing (section 8.8.3).
fn entity_tag(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let prefix = if text.starts_with(b"W/") { 2 } else { 0 };
    let opaque = text.get(prefix..)?.strip_prefix(b"\"")?;
    let end = opaque.iter().position(|&b| b == b'"')?;
    opaque.get(..end)?.iter().all(|&b| b == 0x21 || b >= 0x23 && b != 0x7f).then_some(())?;
    text.split_at_checked(prefix + 1 + end + 1)
}

fn strong(tag: &[u8], own: &str) -> bool {
    tag == own.as_bytes() && !tag.starts_with(b"W/")
}

fn weak(tag: &[u8], own: &str) -> bool {
    opaque(tag) == opaque(own.as_bytes())
}

fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests;
