//! Field lines: one buffer of bytes and an index into it.
//!
//! A request's head arrives as one block; copying it once and remembering
//! where each name and value lies costs far less than a map of strings, and
//! keeps order and repetition as they were sent. A response's fields are kept
//! the other way round: written as they will go out (`Name: value\r\n`), so
//! that encoding them is one copy.

use super::chars;
use std::fmt;

/// An ordered list of field lines (RFC 9110 section 5), names compared without
/// regard to case.
///
/// At most 65,535 bytes in all.
///
/// ```
/// use onepoll::http::Headers;
/// let mut headers = Headers::new();
/// headers.add("Accept", "text/html")?;
/// headers.add("accept", "text/plain")?;
/// assert_eq!(headers.get("ACCEPT"), Some(&b"text/html"[..]));
/// assert_eq!(headers.all("accept").count(), 2);
/// assert!(headers.add("X-Evil", "a\r\nSet-Cookie: b").is_err());
/// # Ok::<(), onepoll::http::InvalidField>(())
/// ```
#[derive(Clone, Default)]
pub struct Headers {
    pub(crate) bytes: Vec<u8>,
    pub(crate) fields: Vec<Field>,
}

/// Where one field line's name and value lie in the buffer, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: u16,
    pub(crate) name_len: u16,
    pub(crate) value: u16,
    pub(crate) value_len: u16,
}

/// Why a field line can't be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidField {
    /// The name is not a token (RFC 9110 section 5.6.2).
    Name,
    /// The value has a control byte, such as CR, LF or NUL (section 5.5).
    Value,
    /// The name belongs to the engine: it frames the message itself.
    Reserved,
    /// All lines together would pass 65,535 bytes.
    TooLong,
}

impl fmt::Display for InvalidField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InvalidField::Name => "the field name is not a token",
            InvalidField::Value => "the field value has a control byte",
            InvalidField::Reserved => "the field is set by the engine, which frames the message",
            InvalidField::TooLong => "the field lines pass 65,535 bytes",
        })
    }
}

impl std::error::Error for InvalidField {}

impl Headers {
    /// An empty list; allocates nothing.
    pub const fn new() -> Headers {
        Headers { bytes: Vec::new(), fields: Vec::new() }
    }

    /// How many field lines there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field line.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The value of the first line with this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// The first value as text; `None` if there is none or it is not UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.get(name)?).ok()
    }

    /// The values of all lines with this name, in order.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let wanted = name.as_bytes();
        self.fields.iter().filter_map(move |field| {
            let same = usize::from(field.name_len) == wanted.len()
                && self.name_of(*field).eq_ignore_ascii_case(wanted);
            same.then(|| self.value_of(*field))
        })
    }

    /// The members of a comma-separated list field over all its lines, trimmed,
    /// empty ones left out (RFC 9110 section 5.6.1). Quoted strings are not
    /// treated apart: for lists of tokens.
    pub fn list<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.all(name)
            .flat_map(|value| value.split(|&b| b == b','))
            .map(chars::trim)
            .filter(|member| !member.is_empty())
    }

    /// Name and value of each line, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> + '_ {
        self.fields.iter().map(|field| {
            // Names are tokens, so ASCII.
            (std::str::from_utf8(self.name_of(*field)).unwrap_or(""), self.value_of(*field))
        })
    }

    /// Appends a line, whatever lines of that name there are.
    ///
    /// # Errors
    /// [`InvalidField`] if name or value break the grammar or the sum is too long.
    pub fn add(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), InvalidField> {
        let value = value.as_ref();
        check(name.as_bytes(), value)?;
        let line = name.len() + value.len() + 4;
        if self.bytes.len() + line > usize::from(u16::MAX) {
            return Err(InvalidField::TooLong);
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b": ");
        self.bytes.extend_from_slice(value);
        self.bytes.extend_from_slice(b"\r\n");
        // The sum was checked above: nothing is cut here.
        self.fields.push(Field {
            name: start as u16,
            name_len: name.len() as u16,
            value: (start + name.len() + 2) as u16,
            value_len: value.len() as u16,
        });
        Ok(())
    }

    /// Replaces all lines of that name by one.
    ///
    /// # Errors
    /// As [`add`](Headers::add); the old lines are then still there.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), InvalidField> {
        let value = value.as_ref();
        check(name.as_bytes(), value)?;
        self.remove(name);
        self.add(name, value)
    }

    /// Removes all lines of that name; whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        if self.get(name).is_none() {
            return false;
        }
        if self.is_of_a_head() {
            let mut fields = std::mem::take(&mut self.fields);
            fields.retain(|field| !self.name_of(*field).eq_ignore_ascii_case(name.as_bytes()));
            self.fields = fields;
            return true;
        }
        let mut kept = Headers::new();
        for field in &self.fields {
            let (n, v) = (self.name_of(*field), self.value_of(*field));
            if !n.eq_ignore_ascii_case(name.as_bytes()) {
                let n = std::str::from_utf8(n).unwrap_or("");
                // It was in the list, so it is valid and fits.
                let _ = kept.add(n, v);
            }
        }
        *self = kept;
        true
    }

    /// Empties the list and keeps its memory.
    pub fn clear(&mut self) {
        if !self.is_of_a_head() {
            self.bytes.clear();
        }
        self.fields.clear();
    }

    /// Forgets the head as well.
    pub(crate) fn reset(&mut self) {
        self.bytes.clear();
        self.fields.clear();
    }

    /// Whether the bytes are a head that was received: they begin with its request line,
    /// and a target, or an authority, lies in them and must stay where it is.
    fn is_of_a_head(&self) -> bool {
        self.fields.first().is_none_or(|first| first.name > 0)
    }

    /// The lines as they go on the wire. Only for lists built by `add`.
    pub(crate) fn wire(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn name_of(&self, field: Field) -> &[u8] {
        slice(&self.bytes, field.name, field.name_len)
    }

    pub(crate) fn value_of(&self, field: Field) -> &[u8] {
        slice(&self.bytes, field.value, field.value_len)
    }
}

#[inline]
fn slice(bytes: &[u8], start: u16, len: u16) -> &[u8] {
    let start = usize::from(start);
    bytes.get(start..start + usize::from(len)).unwrap_or(&[])
}

fn check(name: &[u8], value: &[u8]) -> Result<(), InvalidField> {
    if !chars::is_token(name) {
        return Err(InvalidField::Name);
    }
    if !chars::is_field_value(value) {
        return Err(InvalidField::Value);
    }
    Ok(())
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.iter().map(|(n, v)| (n, v.escape_ascii().to_string()));
        f.debug_map().entries(lines).finish()
    }
}
