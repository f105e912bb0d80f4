//! Several parts of a file in one reply: `multipart/byteranges` (RFC 9110 section 14.6).
//!
//! ```text
//!   --BOUNDARY                      a head for each part; the parts themselves
//!   Content-Type: text/plain        are sent from where they lie
//!   Content-Range: bytes 0-1/10
//!
//!   01
//!   --BOUNDARY
//!   ...
//!   56
//!   --BOUNDARY--
//! ```
//!
//! All lengths are known before anything is sent, so that the reply has a
//! `Content-Length`, and a client sees if it was cut.

use crate::http::range::{Bytes, Set};
use crate::http::{Body, ContentType, Part};
use std::fmt::Write;

/// A reply of several parts, but for their content.
#[derive(Debug)]
pub(super) struct Multipart {
    boundary: String,
    /// A part and what stands before it.
    parts: Vec<(String, Bytes)>,
}

/// A part up to this length is copied, so that it leaves in one write with what
/// stands before it; a longer one keeps all that it is a part of while it is
/// sent.
pub(super) const COPY_MAX: usize = 4 * 1024;
/// What says that a reply has parts, behind which stands the boundary.
const TYPE: &str = "multipart/byteranges; boundary=";

impl Multipart {
    /// The heads for these parts of content of `length` bytes, which would go
    /// with this type and this tag if it were sent as a whole.
    pub(super) fn new(set: &Set, length: u64, content_type: &str, etag: &str) -> Multipart {
        let boundary = boundary(etag);
        let mut parts = Vec::with_capacity(set.as_slice().len());
        for part in set.as_slice() {
            // The line end in front belongs to the boundary (RFC 2046 section 5.1.1).
            let before = if parts.is_empty() { "" } else { "\r\n" };
            let range = content_range(*part, length);
            let head = format!(
                "{before}--{boundary}\r\n\
                 Content-Type: {content_type}\r\n\
                 Content-Range: {range}\r\n\r\n"
            );
            parts.push((head, *part));
        }
        Multipart { boundary, parts }
    }

    /// The reply's own type.
    pub(super) fn content_type(&self) -> ContentType {
        // Letters and digits: always a type.
        ContentType::new(format!("{TYPE}{}", self.boundary)).unwrap_or(ContentType::BYTES)
    }

    /// The reply's content; `part` gives that of each part. What is short is
    /// copied between the heads, so that few calls send it all; the rest is sent
    /// from where it lies.
    pub(super) fn body(self, part: impl Fn(Bytes) -> Part) -> Body {
        let Multipart { boundary, parts } = self;
        let (mut pieces, mut gathered) = (Vec::new(), Vec::new());
        for (head, bytes) in parts {
            gathered.extend_from_slice(head.as_bytes());
            let part = part(bytes);
            match part.bytes() {
                Some(few) if few.len() <= COPY_MAX => gathered.extend_from_slice(few),
                _ => pieces.extend([Part::Owned(std::mem::take(&mut gathered)), part]),
            }
        }
        gathered.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        if pieces.is_empty() {
            return Body::Owned(gathered);
        }
        pieces.push(Part::Owned(gathered));
        Body::Pieces(pieces)
    }
}

/// `Content-Range` of a part (section 14.4).
pub(super) fn content_range(part: Bytes, length: u64) -> String {
    // A part is never empty.
    format!("bytes {}-{}/{length}", part.offset, part.end().saturating_sub(1))
}

/// A line that doesn't stand in the content: made of its tag, which the content
/// would have to know before it is written. The same content has the same
/// boundary, so that a reply is the same each time.
fn boundary(etag: &str) -> String {
    let mut text = String::with_capacity(32);
    for start in [0xcbf2_9ce4_8422_2325u64, 0x6c62_272e_07bb_0142] {
        // FNV-1a, from two starts.
        let hash = etag
            .bytes()
            .fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        // Writing to a string never fails.
        let _ = write!(text, "{hash:016x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::range::{Wanted, wanted};

    const CONTENT: &[u8] = b"0123456789";

    fn set(list: &str, length: u64) -> Set {
        match wanted(format!("bytes={list}").as_bytes(), length) {
            Wanted::Several(set) => set,
            other => panic!("{list}: {other:?}"),
        }
    }

    fn text(body: &Body) -> String {
        let Body::Pieces(parts) = body else {
            return String::from_utf8(body.bytes().unwrap().to_vec()).unwrap();
        };
        let bytes: Vec<_> = parts.iter().flat_map(|part| part.bytes().unwrap().to_vec()).collect();
        assert_eq!(body.len(), Some(bytes.len() as u64));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn parts_have_heads_and_an_end() {
        let multipart = Multipart::new(&set("0-1,5-6,-1", 10), 10, "text/plain", "\"tag\"");
        let media = multipart.content_type();
        let boundary = media.as_str().strip_prefix(TYPE).unwrap().to_owned();
        assert!(boundary.len() == 32 && boundary.bytes().all(|b| b.is_ascii_hexdigit()));
        let body = multipart.body(|part| {
            let (from, to) = (part.offset as usize, part.end() as usize);
            Part::Static(&CONTENT[from..to])
        });
        let b = boundary;
        let head = |range: &str| {
            format!("--{b}\r\nContent-Type: text/plain\r\nContent-Range: bytes {range}/10\r\n\r\n")
        };
        let (one, two, three) = (head("0-1"), head("5-6"), head("9-9"));
        let expected = format!("{one}01\r\n{two}56\r\n{three}9\r\n--{b}--\r\n");
        assert!(matches!(body, Body::Owned(_)), "{body:?}");
        assert_eq!(text(&body), expected);
    }

    #[test]
    fn short_parts_are_copied_and_long_ones_are_not() {
        let (long, few) = (vec![b'x'; COPY_MAX + 1], vec![b'y'; COPY_MAX]);
        let multipart = Multipart::new(&set("0-0,2-2,4-4,6-6", 10), 10, "a/b", "");
        let body = multipart.body(|part| match part.offset {
            0 | 4 => Part::Shared(long.clone().into()),
            _ => Part::Shared(few.clone().into()),
        });
        let Body::Pieces(parts) = &body else { panic!("{body:?}") };
        assert_eq!(parts.len(), 5, "{parts:?}");
        let text = text(&body);
        let parts: Vec<_> = text.split("/10\r\n\r\n").skip(1).collect();
        for (part, letter) in parts.iter().zip(["x", "y", "x", "y"]) {
            assert!(part.starts_with(letter) && part.len() > COPY_MAX, "{letter}");
        }
    }

    #[test]
    fn positions_beyond_32_bits() {
        let length = u64::MAX;
        let multipart = Multipart::new(&set("0-0,5000000000-,", length), length, "a/b", "\"\"");
        let heads: Vec<_> = multipart.parts.iter().map(|(head, _)| head.as_str()).collect();
        assert!(heads[1].contains("\r\nContent-Range: bytes 5000000000-18446744073709551614/"));
        assert!(heads[1].contains(&format!("/{length}\r\n")));
    }

    #[test]
    fn each_tag_has_its_boundary() {
        let tags = ["", "\"\"", "\"a\"", "\"b\"", "\"a-gz\"", "W/\"a\""];
        let mut all: Vec<_> = tags.iter().map(|tag| boundary(tag)).collect();
        assert_eq!(all, tags.map(boundary));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), tags.len());
    }
}
