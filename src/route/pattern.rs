//! Reads the text of a pattern into one syntax tree, whatever the dialect.
//!
//! ```text
//!   pattern  = 1*( "/" segment ) [ "/" rest ]      or a regex that starts with "^"
//!   segment  = *char                               literal
//!            / *char capture *char                 one capture, with prefix and suffix
//!   capture  = "{" name [ ":" regex ] "}"          anywhere in the segment
//!            / ":" name                            at the start of the segment
//!   rest     = "{*" name "}"  /  "*" name          the whole last segment
//!   name     = ( ALPHA / "_" ) *( ALPHA / DIGIT / "_" )
//!   char     = any, but "{", "}", "/", "?", "#"    "\" takes the next one literally
//! ```
//!
//! Literal text is brought into the form in which a request's path arrives:
//! what may not stand in a path is percent-encoded, unreserved characters are
//! decoded, hex digits are upper-case (RFC 3986 section 6.2.2). So `/é` and
//! `/%c3%a9` are the same pattern, and a literal is always ASCII.

use crate::error::Error;
use crate::http::chars;

/// A pattern, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Segments, matched one by one.
    Path(Vec<Segment>),
    /// A regex for the whole path.
    Regex(String),
}

/// What stands between two slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Exactly this; empty after a trailing slash.
    Literal(String),
    /// One byte or more, between a prefix and a suffix.
    Capture { name: String, shape: Shape },
    /// All that is left of the path, slashes too; may be empty. Always the last.
    Rest { name: String },
}

/// What tells one capture from another: everything but the name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) prefix: String,
    pub(crate) suffix: String,
    /// A regex for the whole decoded value.
    pub(crate) constraint: Option<String>,
}

/// The longest pattern in bytes. A path this long is refused long before
/// (`TARGET_MAX`), so a longer pattern is a mistake.
const PATTERN_MAX: usize = 4096;
/// The most segments in a pattern: bounds the depth of the search.
pub(crate) const SEGMENTS_MAX: usize = 64;
/// The most captures in a pattern: the search keeps them in an array.
pub(crate) const CAPTURES_MAX: usize = 16;

impl Pattern {
    /// Takes a pattern apart. The error says what is wrong, without the pattern.
    pub(crate) fn parse(text: &str) -> Result<Pattern, String> {
        if text.len() > PATTERN_MAX {
            return Err(format!("is longer than {PATTERN_MAX} bytes"));
        }
        if text.starts_with('^') {
            return Ok(Pattern::Regex(text.to_owned()));
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err("must start with `/`".to_owned());
        };
        let parts = split(rest)?;
        if parts.len() > SEGMENTS_MAX {
            return Err(format!("has more than {SEGMENTS_MAX} segments"));
        }
        let mut segments = Vec::with_capacity(parts.len());
        for (i, part) in parts.iter().enumerate() {
            let segment = Segment::parse(part)?;
            if matches!(segment, Segment::Rest { .. }) && i + 1 < parts.len() {
                return Err(format!("goes on after the wildcard `{part}`"));
            }
            segments.push(segment);
        }
        check_names(&segments)?;
        Ok(Pattern::Path(segments))
    }
}

fn check_names(segments: &[Segment]) -> Result<(), String> {
    let mut names: Vec<&str> = Vec::new();
    for name in segments.iter().filter_map(Segment::name) {
        if names.contains(&name) {
            return Err(format!("has two params `{name}`"));
        }
        names.push(name);
    }
    if names.len() > CAPTURES_MAX {
        return Err(format!("has more than {CAPTURES_MAX} params"));
    }
    Ok(())
}

/// Splits at slashes that are not inside braces (a regex may hold one).
fn split(text: &str) -> Result<Vec<&str>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut at = 0;
    while let Some(c) = rest.get(at..).and_then(|tail| tail.chars().next()) {
        match c {
            '/' => {
                parts.push(rest.get(..at).unwrap_or(""));
                rest = rest.get(at + 1..).unwrap_or("");
                at = 0;
            }
            '{' => at += braces(rest.get(at..).unwrap_or(""))?,
            '\\' => {
                let skipped = rest.get(at + 1..).and_then(|tail| tail.chars().next());
                at += 1 + skipped.map_or(0, char::len_utf8);
            }
            _ => at += c.len_utf8(),
        }
    }
    parts.push(rest);
    Ok(parts)
}

/// The length of the braced group that `text` starts with. Braces nest, as in
/// `{year:[0-9]{4}}`; a regex escapes the others (`\{`).
fn braces(text: &str) -> Result<usize, String> {
    let mut depth = 0;
    let mut escaped = false;
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => depth += 1,
            '}' if depth == 1 => return Ok(i + 1),
            '}' => depth -= 1,
            _ => {}
        }
    }
    Err(format!("has no `}}` for `{text}`"))
}

impl Segment {
    /// The one path that matches, if there is no more than one.
    pub(crate) fn literal_path(segments: &[Segment]) -> Option<String> {
        let mut path = String::new();
        for segment in segments {
            let Segment::Literal(text) = segment else { return None };
            path.push('/');
            path.push_str(text);
        }
        Some(path)
    }

    /// Whether its literal text holds a percent-encoded byte.
    pub(crate) fn is_escaped(&self) -> bool {
        match self {
            Segment::Literal(text) => text.contains('%'),
            Segment::Capture { shape, .. } => {
                shape.prefix.contains('%') || shape.suffix.contains('%')
            }
            Segment::Rest { .. } => false,
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Segment::Literal(_) => None,
            Segment::Capture { name, .. } | Segment::Rest { name } => Some(name),
        }
    }

    fn parse(text: &str) -> Result<Segment, String> {
        if let Some(after) = text.strip_prefix('*') {
            return Ok(Segment::Rest { name: whole_name(after)? });
        }
        if let Some(after) = text.strip_prefix(':') {
            let end = after.find(|c: char| !is_name_char(c)).unwrap_or(after.len());
            let (name, suffix) = after.split_at(end);
            let shape = Shape { suffix: literal_only(suffix)?, ..Shape::default() };
            return Ok(Segment::Capture { name: whole_name(name)?, shape });
        }
        let (prefix, after) = literal(text)?;
        if after.is_empty() {
            return Ok(Segment::Literal(prefix));
        }
        let (group, suffix) = after.split_at(braces(after)?);
        let inside = group.get(1..group.len() - 1).unwrap_or("");
        if let Some(name) = inside.strip_prefix('*') {
            if group.len() != text.len() {
                return Err(format!("has a wildcard that is not a whole segment: `{text}`"));
            }
            return Ok(Segment::Rest { name: whole_name(name)? });
        }
        let (name, constraint) = match inside.split_once(':') {
            Some((_, "")) => return Err(format!("has an empty constraint: `{group}`")),
            Some((name, regex)) => (name, Some(regex.to_owned())),
            None => (inside, None),
        };
        let shape = Shape { prefix, suffix: literal_only(suffix)?, constraint };
        Ok(Segment::Capture { name: whole_name(name)?, shape })
    }
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn whole_name(text: &str) -> Result<String, String> {
    let starts_well = text.starts_with(|c: char| is_name_char(c) && !c.is_ascii_digit());
    if starts_well && text.chars().all(is_name_char) {
        return Ok(text.to_owned());
    }
    Err(match text {
        "" => "has a param without a name".to_owned(),
        _ => format!("has a param whose name is not an identifier: `{text}`"),
    })
}

/// A suffix: nothing but literal text.
fn literal_only(text: &str) -> Result<String, String> {
    match literal(text)? {
        (suffix, "") => Ok(suffix),
        _ => Err(format!("has more than one param in a segment, before `{text}`")),
    }
}

/// Reads literal text up to a brace: (the text in normal form, what is left).
fn literal(text: &str) -> Result<(String, &str), String> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '{' => return Ok((out, text.get(i..).unwrap_or(""))),
            '}' => return Err(format!("has a `}}` without `{{` in `{text}`")),
            '?' | '#' => return Err(format!("has a `{c}`, which ends a path")),
            '\\' => match chars.next() {
                Some((_, c)) if matches!(c, '?' | '#' | '/') => {
                    return Err(format!("has `\\{c}`; a path holds it percent-encoded only"));
                }
                Some((_, c)) => encode(c, &mut out),
                None => return Err("ends with a `\\`".to_owned()),
            },
            '%' => {
                let digits = text.get(i + 1..i + 3).and_then(hex);
                let byte = digits.ok_or_else(|| {
                    format!("has a `%` without two hex digits in `{text}` (itself it is `%25`)")
                })?;
                if chars::is(byte, chars::UNRESERVED) {
                    out.push(char::from(byte));
                } else {
                    push_encoded(byte, &mut out);
                }
                chars.nth(1);
            }
            _ => encode(c, &mut out),
        }
    }
    Ok((out, ""))
}

fn encode(c: char, out: &mut String) {
    // `%` comes here escaped only; `/` never does.
    if c.is_ascii() && c != '%' && chars::is(c as u8, chars::TARGET) {
        return out.push(c);
    }
    for &byte in c.encode_utf8(&mut [0; 4]).as_bytes() {
        push_encoded(byte, out);
    }
}

fn push_encoded(byte: u8, out: &mut String) {
    out.push('%');
    for digit in [byte >> 4, byte & 15] {
        out.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
    }
}

fn hex(digits: &str) -> Option<u8> {
    let all_hex = digits.bytes().all(|b| b.is_ascii_hexdigit()); // `+f` parses, too
    all_hex.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

/// Puts a prefix before a pattern, for routes that are mounted below others:
/// `/api` and `/users` make `/api/users`; `/api` and nothing make `/api`.
///
/// A prefix is itself a pattern, with params if need be, but without a trailing
/// slash (unless it is just `/`, which changes nothing), wildcard or regex.
///
/// ```
/// use onepoll::route::join;
/// assert_eq!(join("/api/{tenant}", "/users")?, "/api/{tenant}/users");
/// assert_eq!(join("/api", "/")?, "/api/"); // trailing slashes are significant
/// assert!(join("/api/", "/users").is_err());
/// # Ok::<(), onepoll::Error>(())
/// ```
///
/// # Errors
/// [`Error::Route`] if the prefix or the pattern is not like that.
pub fn join(prefix: &str, pattern: &str) -> Result<String, Error> {
    let wrong = |text: &str, why: &str| Err(Error::Route(format!("`{text}` {why}")));
    if pattern.starts_with('^') {
        return wrong(pattern, &format!("is a regex and can't be mounted below `{prefix}`"));
    }
    if !pattern.starts_with('/') && !pattern.is_empty() {
        return wrong(pattern, "must start with `/`");
    }
    let segments = match Pattern::parse(prefix) {
        Ok(Pattern::Path(segments)) => segments,
        Ok(Pattern::Regex(_)) => return wrong(prefix, "is a regex and can't be a prefix"),
        Err(why) => return wrong(prefix, &why),
    };
    if matches!(segments.last(), Some(Segment::Rest { .. })) {
        return wrong(prefix, "ends in a wildcard and can't be a prefix");
    }
    match prefix {
        "/" if pattern.is_empty() => Ok("/".to_owned()),
        "/" => Ok(pattern.to_owned()),
        _ if prefix.ends_with('/') => wrong(prefix, "is a prefix and must not end with `/`"),
        _ => Ok(format!("{prefix}{pattern}")),
    }
}

#[cfg(test)]
mod tests;
