//! Media types by file extension.

use crate::http::ContentType;

/// The media type of a file of this name.
///
/// Text is said to be UTF-8: what a client would guess otherwise depends on
/// its locale. A name without a known extension is `application/octet-stream`.
pub(super) fn of(name: &str) -> ContentType {
    let Some((_, extension)) = name.rsplit_once('.') else { return ContentType::BYTES };
    if let Some(known) = common(extension) {
        // Constants of this file: they are valid.
        return ContentType::new(known).unwrap_or(ContentType::BYTES);
    }
    match mime_guess::from_ext(extension).first_raw() {
        Some(text) if text.starts_with("text/") => {
            ContentType::new(format!("{text}; charset=utf-8"))
        }
        Some(other) => ContentType::new(other),
        None => return ContentType::BYTES,
    }
    .unwrap_or(ContentType::BYTES)
}

/// What a web site is made of, without an allocation; and what the table of
/// the crate doesn't say as the standards do today.
fn common(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        // RFC 9239 section 6 makes this the one type of both.
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        // RFC 8259 section 11: JSON has no charset parameter.
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_by_extension() {
        let table = [
            ("index.html", "text/html; charset=utf-8"),
            ("INDEX.HTML", "text/html; charset=utf-8"),
            ("a.b.css", "text/css; charset=utf-8"),
            ("app.js", "text/javascript; charset=utf-8"),
            ("app.mjs", "text/javascript; charset=utf-8"),
            ("data.csv", "text/csv; charset=utf-8"),
            ("feed.xml", "text/xml; charset=utf-8"),
            ("data.json", "application/json"),
            ("code.wasm", "application/wasm"),
            ("a.png", "image/png"),
            ("a.JPG", "image/jpeg"),
            ("a.svg", "image/svg+xml"),
            ("a.woff2", "font/woff2"),
            ("a.pdf", "application/pdf"),
            ("a.webp", "image/webp"),
            ("Makefile", "application/octet-stream"),
            ("a.", "application/octet-stream"),
            ("a.unheard-of", "application/octet-stream"),
            ("", "application/octet-stream"),
        ];
        for (name, expected) in table {
            assert_eq!(of(name).as_str(), expected, "{name}");
        }
    }
}
