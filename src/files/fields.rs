//! The fields that the settings add to a reply.

use super::options::Options;
use super::resource::{Representation, Resource};
use crate::http::{Response, Status};
use std::fmt::Write;

/// Adds what the settings say of a file to a response that was planned for one
/// of its forms.
pub(super) fn add(
    options: &Options,
    resource: &Resource,
    form: &Representation,
    response: &mut Response,
) {
    if let Some(value) = options.cache_control(&resource.path) {
        set(response, "Cache-Control", value);
    }
    if resource.others.varies() {
        // Also where the file itself is sent: another client gets another form.
        set(response, "Vary", "Accept-Encoding");
    }
    // What describes content stands with content (RFC 9110 section 15.4.5).
    if matches!(response.status(), Status::OK | Status::PARTIAL_CONTENT) {
        if let Some(coding) = form.coding {
            set(response, "Content-Encoding", coding.as_str());
        }
        if options.is_attachment(&resource.path) {
            let name = resource.path.rsplit('/').next().unwrap_or(&resource.path);
            set(response, "Content-Disposition", &disposition(name));
        }
    }
    add_own(options, response);
}

/// Adds the fields that every reply of the folder has; the program's word
/// counts more than ours. But `Vary` says what we look at, too: without it a
/// cache would send what is compressed to those who can't read it.
pub(super) fn add_own(options: &Options, response: &mut Response) {
    let own = &options.headers;
    let is_vary = |name: &str| name.eq_ignore_ascii_case("vary");
    for (name, _) in own.iter().filter(|(name, _)| !is_vary(name)) {
        response.remove_header(name);
    }
    for (name, value) in own.iter() {
        if let Err(error) = response.add_header(name, value) {
            log::error!("{name}: {error}");
        }
    }
}

fn set(response: &mut Response, name: &str, value: &str) {
    if let Err(error) = response.set_header(name, value) {
        log::error!("{name}: {value:?}: {error}");
    }
}

/// `Content-Disposition` for a file of this name (RFC 6266 section 4). A name
/// that is not plain comes twice: as text that nobody reads wrongly, and encoded
/// (RFC 8187).
pub(super) fn disposition(name: &str) -> String {
    // Quotes, backslashes and percent signs are read in more than one way
    // (RFC 6266 appendix D).
    let is_plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '%');
    let mut text = String::from("attachment; filename=\"");
    text.extend(name.chars().map(|c| if is_plain(c) { c } else { '_' }));
    text.push('"');
    if !name.chars().all(is_plain) {
        text.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            // attr-char (RFC 8187 section 3.2.1).
            if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                // Writing to a string never fails.
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_what_is_saved() {
        let table = [
            ("a.zip", "attachment; filename=\"a.zip\""),
            ("a b;c.zip", "attachment; filename=\"a b;c.zip\""),
            ("a\"b.zip", "attachment; filename=\"a_b.zip\"; filename*=UTF-8''a%22b.zip"),
            ("a\\b%41", "attachment; filename=\"a_b_41\"; filename*=UTF-8''a%5Cb%2541"),
            ("a\r\nX: y", "attachment; filename=\"a__X: y\"; filename*=UTF-8''a%0D%0AX%3A%20y"),
            ("€'.zip", "attachment; filename=\"_'.zip\"; filename*=UTF-8''%E2%82%AC%27.zip"),
        ];
        for (name, expected) in table {
            assert_eq!(disposition(name), expected, "{name:?}");
            let response = Response::default().header("Content-Disposition", disposition(name));
            assert_eq!(response.status(), Status::OK, "{name:?}");
        }
    }
}
