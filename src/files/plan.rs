//! What to answer for a file that is open: pure, from the request and the stat.

use crate::http::conditional::{self, Validators, Verdict};
use crate::http::range::{self, Part};
use crate::http::{ContentType, Method, Request, Response, Status, date};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::UNIX_EPOCH;

/// What the answer depends on, of a regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// Its length in bytes.
    pub(super) len: u64,
    /// Its last change, in Unix seconds, and the nanoseconds beyond.
    pub(super) modified: (u64, u32),
    /// Its number in the file system: another file moved here has another one.
    pub(super) inode: u64,
}

/// A response without its content, and which part of the file that is.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) response: Response,
    pub(super) part: Option<Span>,
}

/// A part of a file, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) offset: u64,
    pub(super) len: u64,
}

impl Facts {
    pub(super) fn of(metadata: &Metadata) -> Facts {
        // Before 1970 there is no HTTP date that we would read back.
        let seconds = u64::try_from(metadata.mtime()).unwrap_or(0);
        let nanos = u32::try_from(metadata.mtime_nsec()).unwrap_or(0);
        Facts { len: metadata.len(), modified: (seconds, nanos), inode: metadata.ino() }
    }

    /// A strong entity tag. Content that is rewritten in place with the same
    /// length within one tick of the file system's clock, some milliseconds,
    /// keeps its tag: replace files by renaming.
    fn etag(&self) -> String {
        let nanos = u128::from(self.modified.0) * 1_000_000_000 + u128::from(self.modified.1);
        format!("\"{:x}-{:x}-{:x}\"", self.len, nanos, self.inode)
    }
}

/// Weighs conditions, then the range (RFC 9110 section 13.2.2). The method is
/// `GET` or `HEAD`.
pub(super) fn plan(request: &Request, facts: &Facts, content_type: ContentType) -> Plan {
    let now = request.now().wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let etag = facts.etag();
    // A change in the future would never be seen as over (section 8.8.2.1).
    let modified = facts.modified.0.min(now);
    let current = Validators { etag: Some(&etag), modified: Some(modified) };
    let whole = Span { offset: 0, len: facts.len };
    let headers = request.headers();
    let head = |status| Response::new(status).header("ETag", &etag);
    match conditional::verdict(request.method(), headers, current, now) {
        Verdict::Failed => return Plan { response: head(Status::PRECONDITION_FAILED), part: None },
        // No `Last-Modified` beside the tag (section 15.4.5).
        Verdict::NotModified => return Plan { response: head(Status::NOT_MODIFIED), part: None },
        Verdict::Go => {}
    }
    let described = |status| {
        let mut response = head(status)
            .header("Last-Modified", date::format(modified))
            .header("Accept-Ranges", "bytes")
            // The type comes from the name: a client that guesses from the
            // content could take an uploaded text for a script.
            .header("X-Content-Type-Options", "nosniff");
        response.set_content_type(content_type);
        response
    };
    match wanted_part(request, current, facts.len, now) {
        Part::Whole => Plan { response: described(Status::OK), part: Some(whole) },
        Part::Bytes { offset, len } => {
            let range = format!("bytes {offset}-{}/{}", offset + len - 1, facts.len);
            let response = described(Status::PARTIAL_CONTENT).header("Content-Range", range);
            Plan { response, part: Some(Span { offset, len }) }
        }
        Part::Beyond => {
            let range = format!("bytes */{}", facts.len);
            let response = head(Status::RANGE_NOT_SATISFIABLE).header("Content-Range", range);
            Plan { response, part: None }
        }
    }
}

/// A range is defined for `GET` alone (section 14.2), and a field that comes
/// twice says nothing clear.
fn wanted_part(request: &Request, current: Validators<'_>, len: u64, now: u64) -> Part {
    let mut ranges = request.headers().all("range");
    match (ranges.next(), ranges.next()) {
        (Some(range), None)
            if *request.method() == Method::GET
                && conditional::if_range(request.headers(), current, now) =>
        {
            range::part(range, len)
        }
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests;
