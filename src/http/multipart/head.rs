//! The head of a part: which field it is of, and which file.

use super::Fault;
use super::params::{self, Malformed};
use crate::http::chars;
use std::borrow::Cow;

/// What a part says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartHead {
    /// The field's name. Whatever a page's author or its user wrote: it may be
    /// empty, and hold any character, line breaks too.
    pub name: String,
    /// The file's name, if it is a file; empty where the form's user chose none.
    /// As the client sent it, perhaps with a path in front: see
    /// [`file`](PartHead::file).
    pub filename: Option<String>,
    /// The content's media type, as it was sent; without it, text.
    pub content_type: Option<String>,
}

impl PartHead {
    /// The file's name without the folders in front of it, which some clients
    /// send (RFC 7578 section 4.2): what is behind the last slash or backslash.
    /// It may be empty, `..`, or hold control characters; it is no safe name yet.
    ///
    /// ```
    /// # use onepoll::http::multipart::PartHead;
    /// let filename = Some(r"C:\My files\cat.jpg".to_owned());
    /// let head = PartHead { filename, ..PartHead::default() };
    /// assert_eq!(head.file(), Some("cat.jpg"));
    /// ```
    pub fn file(&self) -> Option<&str> {
        self.filename.as_deref()?.rsplit(['/', '\\']).next()
    }

    /// Reads the lines, each with its CRLF.
    pub(super) fn parse(lines: &[u8]) -> Result<PartHead, Fault> {
        let mut head = PartHead::default();
        let mut disposed = false;
        for line in lines.split_inclusive(|&b| b == b'\n') {
            let line = line.strip_suffix(b"\r\n").ok_or(Fault::BARE_LF)?;
            let colon = memchr::memchr(b':', line).ok_or(Fault::LINE)?;
            let (name, value) = line.split_at_checked(colon).ok_or(Fault::LINE)?;
            let value = chars::trim(value.get(1..).unwrap_or(&[]));
            // A folded line begins with a blank, so its name is no token.
            if !chars::is_token(name) || !chars::is_field_value(value) {
                return Err(Fault::LINE);
            }
            if name.eq_ignore_ascii_case(b"content-disposition") {
                if disposed {
                    return Err(Fault::DISPOSITION);
                }
                disposed = true;
                head.disposition(value)?;
            } else if name.eq_ignore_ascii_case(b"content-type") {
                let text = std::str::from_utf8(value).map_err(|_| Fault::ENCODING)?;
                if head.content_type.replace(text.to_owned()).is_some() {
                    return Err(Fault::ENCODING);
                }
            } else if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
                // Deprecated (RFC 7578 section 4.7). Those that change nothing
                // are harmless; others would be stored encoded.
                let harmless = [&b"binary"[..], b"8bit", b"7bit"];
                if !harmless.iter().any(|known| value.eq_ignore_ascii_case(known)) {
                    return Err(Fault::ENCODING);
                }
            }
        }
        if disposed { Ok(head) } else { Err(Fault::DISPOSITION) }
    }

    /// `form-data; name="a"; filename="b.txt"` (RFC 7578 section 4.2).
    fn disposition(&mut self, value: &[u8]) -> Result<(), Fault> {
        let (kind, params) = params::split(value);
        if !kind.eq_ignore_ascii_case(b"form-data") {
            return Err(Fault::DISPOSITION);
        }
        let mut plain = Names::default();
        let mut extended = Names::default();
        for param in params {
            let (key, value) = param.map_err(|Malformed| Fault::DISPOSITION)?;
            let key = key.to_ascii_lowercase();
            let (names, value) = match key.as_slice() {
                b"name" | b"filename" => (&mut plain, unescape(value)),
                // RFC 7578 tells clients not to send these; some do.
                b"name*" | b"filename*" => (&mut extended, params::extended(&value)),
                _ => continue,
            };
            let value = value.ok_or(Fault::NAME)?;
            let place =
                if key.starts_with(b"name") { &mut names.name } else { &mut names.filename };
            if place.replace(value).is_some() {
                return Err(Fault::DISPOSITION);
            }
        }
        self.name = extended.name.or(plain.name).ok_or(Fault::NAME)?;
        self.filename = extended.filename.or(plain.filename);
        Ok(())
    }
}

/// Of one of the two ways to write them.
#[derive(Default)]
struct Names {
    name: Option<String>,
    filename: Option<String>,
}

/// The three characters that browsers write as triplets, and no others: they
/// leave `%` itself as it is, so that more would change names that hold one
/// (<https://html.spec.whatwg.org/#multipart-form-data>).
fn unescape(value: Cow<'_, [u8]>) -> Option<String> {
    let text = String::from_utf8(value.into_owned()).ok()?;
    if !text.contains('%') {
        return Some(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, behind)) = rest.split_once('%') {
        out.push_str(before);
        let written = behind.get(..2).unwrap_or("");
        let character = match written {
            "22" => '"',
            _ if written.eq_ignore_ascii_case("0d") => '\r',
            _ if written.eq_ignore_ascii_case("0a") => '\n',
            _ => {
                out.push('%');
                rest = behind;
                continue;
            }
        };
        out.push(character);
        rest = behind.get(2..).unwrap_or("");
    }
    out.push_str(rest);
    Some(out)
}
