//! What to answer for a file that is open: pure, from the request and the stat.

use super::ranges::{Multipart, content_range};
use crate::http::accept::Coding;
use crate::http::conditional::{self, Validators, Verdict};
use crate::http::range::{self, Bytes, Wanted};
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
    pub(super) portion: Portion,
}

/// How much of a file is sent.
#[derive(Debug)]
pub(super) enum Portion {
    Nothing,
    Whole,
    One(Bytes),
    Several(Multipart),
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
    /// keeps its tag: replace files by renaming. Each coding has its own.
    pub(super) fn etag(&self, coding: Option<Coding>) -> String {
        let nanos = u128::from(self.modified.0) * 1_000_000_000 + u128::from(self.modified.1);
        let form = match coding {
            None | Some(Coding::Identity) => "",
            Some(Coding::Gzip) => "-gz",
            Some(Coding::Zstd) => "-zst",
            Some(Coding::Br) => "-br",
        };
        format!("\"{:x}-{:x}-{:x}{form}\"", self.len, nanos, self.inode)
    }
}

/// Weighs conditions, then the range (RFC 9110 section 13.2.2). The method is
/// `GET` or `HEAD`.
pub(super) fn plan(
    request: &Request,
    facts: &Facts,
    coding: Option<Coding>,
    content_type: ContentType,
) -> Plan {
    let now = request.now().wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let etag = facts.etag(coding);
    // A change in the future would never be seen as over (section 8.8.2.1).
    let modified = facts.modified.0.min(now);
    let current = Validators { etag: Some(&etag), modified: Some(modified) };
    let headers = request.headers();
    let head = |status| Response::new(status).header("ETag", &etag);
    let bare = |response| Plan { response, portion: Portion::Nothing };
    match conditional::verdict(request.method(), headers, current, now) {
        Verdict::Failed => return bare(head(Status::PRECONDITION_FAILED)),
        // No `Last-Modified` beside the tag (section 15.4.5).
        Verdict::NotModified => return bare(head(Status::NOT_MODIFIED)),
        Verdict::Go => {}
    }
    let described = |status, content_type| {
        let mut response = head(status)
            .header("Last-Modified", date::format(modified))
            .header("Accept-Ranges", "bytes")
            // The type comes from the name: a client that guesses from the
            // content could take an uploaded text for a script.
            .header("X-Content-Type-Options", "nosniff");
        response.set_content_type(content_type);
        response
    };
    match wanted_parts(request, current, facts.len, now) {
        Wanted::Whole => {
            Plan { response: described(Status::OK, content_type), portion: Portion::Whole }
        }
        Wanted::One(part) => {
            let response = described(Status::PARTIAL_CONTENT, content_type)
                .header("Content-Range", content_range(part, facts.len));
            Plan { response, portion: Portion::One(part) }
        }
        Wanted::Several(set) => {
            // No `Content-Range` here: each part has its own (section 15.3.7.2).
            let multipart = Multipart::new(&set, facts.len, content_type.as_str(), &etag);
            let response = described(Status::PARTIAL_CONTENT, multipart.content_type());
            Plan { response, portion: Portion::Several(multipart) }
        }
        Wanted::Beyond => {
            let range = format!("bytes */{}", facts.len);
            bare(head(Status::RANGE_NOT_SATISFIABLE).header("Content-Range", range))
        }
    }
}

/// A range is defined for `GET` alone (section 14.2), and a field that comes
/// twice says nothing clear.
fn wanted_parts(request: &Request, current: Validators<'_>, len: u64, now: u64) -> Wanted {
    let mut ranges = request.headers().all("range");
    match (ranges.next(), ranges.next()) {
        (Some(range), None)
            if *request.method() == Method::GET
                && conditional::if_range(request.headers(), current, now) =>
        {
            range::wanted(range, len)
        }
        _ => Wanted::Whole,
    }
}

#[cfg(test)]
mod tests;
