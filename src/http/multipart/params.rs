//! Parameters of a field: `; name=value; name="quoted"`, and what is in them.

use super::Fault;
use crate::http::chars;
use crate::http::target;
use std::borrow::Cow;

/// The longest boundary, in bytes (RFC 2046 section 5.1.1).
const BOUNDARY_MAX: usize = 70;

/// The parameters behind a field's first word, one by one.
pub(super) struct Params<'a> {
    rest: &'a [u8],
}

/// A field's first word, and its parameters.
pub(super) fn split(value: &[u8]) -> (&[u8], Params<'_>) {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    let (word, rest) = value.split_at_checked(end).unwrap_or((value, &[]));
    (chars::trim(word), Params { rest })
}

/// A parameter that is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl<'a> Iterator for Params<'a> {
    type Item = Result<(&'a [u8], Cow<'a, [u8]>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        // Semicolons without a parameter are allowed (RFC 9110 section 5.6.6).
        while let [b';' | b' ' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
        if self.rest.is_empty() {
            return None;
        }
        let next = self.parameter();
        if next.is_none() {
            self.rest = &[];
        }
        Some(next.ok_or(Malformed))
    }
}

impl<'a> Params<'a> {
    fn parameter(&mut self) -> Option<(&'a [u8], Cow<'a, [u8]>)> {
        // No blank around `=` (RFC 9110 section 5.6.6).
        let equals = memchr::memchr(b'=', self.rest)?;
        let (name, value) = self.rest.split_at_checked(equals)?;
        if !chars::is_token(name) {
            return None;
        }
        let (value, rest) = match value.get(1..)? {
            [b'"', quoted @ ..] => unquote(quoted)?,
            bare => {
                let stop = |b: &u8| matches!(b, b';' | b' ' | b'\t');
                let end = bare.iter().position(stop).unwrap_or(bare.len());
                let (value, rest) = bare.split_at_checked(end)?;
                let odd = value.is_empty() || memchr::memchr2(b'"', b'\\', value).is_some();
                (!odd).then_some((Cow::Borrowed(value), rest))?
            }
        };
        self.rest = chars::trim(rest);
        matches!(self.rest, [] | [b';', ..]).then_some((name, value))
    }
}

/// The text up to the closing quote, and what is behind it.
///
/// A backslash escapes a quote and a backslash, and is itself in front of all
/// else: browsers write `C:\new` and `a\b` as they are.
fn unquote(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let (mut from, mut owned) = (0, Vec::new());
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        match text.get(at..)? {
            [b'"', rest @ ..] => {
                let last = text.get(from..at)?;
                if from == 0 {
                    return Some((Cow::Borrowed(last), rest));
                }
                owned.extend_from_slice(last);
                return Some((Cow::Owned(owned), rest));
            }
            [_, b'"' | b'\\', ..] => {
                owned.extend_from_slice(text.get(from..at)?);
                from = at + 1;
                at += 2;
            }
            _ => at += 1,
        }
    }
}

/// The boundary that a `Content-Type` names.
///
/// # Errors
/// See [`Multipart::new`](super::Multipart::new).
pub(super) fn boundary(content_type: &[u8]) -> Result<Cow<'_, [u8]>, Fault> {
    let (media_type, params) = split(content_type);
    if !media_type.eq_ignore_ascii_case(b"multipart/form-data") {
        return Err(Fault::NOT_A_FORM);
    }
    let mut found = None;
    for param in params {
        let (name, value) = param.map_err(|Malformed| Fault::BOUNDARY)?;
        if name.eq_ignore_ascii_case(b"boundary") && found.replace(value).is_some() {
            return Err(Fault::BOUNDARY);
        }
    }
    let boundary = found.ok_or(Fault::BOUNDARY)?;
    let sound = (1..=BOUNDARY_MAX).contains(&boundary.len())
        && boundary.iter().all(|&b| is_boundary_byte(b))
        && boundary.last() != Some(&b' ');
    if sound { Ok(boundary) } else { Err(Fault::BOUNDARY) }
}

/// `bchars` (RFC 2046 section 5.1.1), and three more that clients use. What
/// matters is that there is no CR.
fn is_boundary_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"'()+_,-./:=? *#!".contains(&b)
}

/// The value of `name*` (RFC 8187 section 3.2): charset, language, triplets.
pub(super) fn extended(value: &[u8]) -> Option<String> {
    let mut parts = value.splitn(3, |&b| b == b'\'');
    let (charset, _language, text) = (parts.next()?, parts.next()?, parts.next()?);
    // `value-chars`: `attr-char` is a token without three of its marks.
    let plain = |&b: &u8| chars::is(b, chars::TOKEN) && !matches!(b, b'*' | b'\'');
    if !text.iter().all(plain) || !target::are_triplets(text) {
        return None;
    }
    let bytes = target::decode(text, false);
    if charset.eq_ignore_ascii_case(b"utf-8") {
        return String::from_utf8(bytes).ok();
    }
    // Optional, yet each byte is the character of that number.
    let latin = charset.eq_ignore_ascii_case(b"iso-8859-1");
    latin.then(|| bytes.iter().map(|&b| char::from(b)).collect())
}
