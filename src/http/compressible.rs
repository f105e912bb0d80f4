//! Which media types become shorter when they are compressed.

use super::ContentType;

/// Whether content of this type is text or the like, and not compressed yet.
pub(crate) fn is_compressible(content_type: &ContentType) -> bool {
    let media = content_type.as_str().split(';').next().unwrap_or("").trim_end();
    let Some((kind, subtype)) = media.split_once('/') else { return false };
    let is = |list: &[&str]| list.iter().any(|one| subtype.eq_ignore_ascii_case(one));
    let ends = |end: &str| subtype.to_ascii_lowercase().ends_with(end);
    match kind.to_ascii_lowercase().as_str() {
        "text" => true,
        "application" => is(&APPLICATIONS) || ends("+json") || ends("+xml") || ends("+text"),
        // Those for the web, WOFF and WOFF2, are compressed inside.
        "font" => is(&["ttf", "otf", "collection", "sfnt"]),
        "image" => is(&["bmp", "x-icon", "vnd.microsoft.icon"]) || ends("+xml"),
        "model" => ends("+json") || ends("+xml") || is(&["obj"]),
        _ => false,
    }
}

/// Types of applications that are text, or as loosely packed.
const APPLICATIONS: [&str; 20] = [
    "json",
    "javascript",
    "x-javascript",
    "ecmascript",
    "xml",
    "wasm",
    "x-ndjson",
    "jsonl",
    "yaml",
    "x-yaml",
    "toml",
    "sql",
    "rtf",
    "postscript",
    "x-sh",
    "x-tex",
    "x-font-ttf",
    "x-font-otf",
    "vnd.ms-fontobject",
    "graphql",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_are_worth_it() {
        let table = [
            ("text/html; charset=utf-8", true),
            ("text/css", true),
            ("TEXT/Plain", true),
            ("text/javascript; charset=utf-8", true),
            ("application/json", true),
            ("application/json ; charset=utf-8", true),
            ("application/ld+json", true),
            ("application/rss+xml", true),
            ("application/wasm", true),
            ("image/svg+xml", true),
            ("image/x-icon", true),
            ("font/ttf", true),
            ("font/otf", true),
            ("font/woff", false),
            ("font/woff2", false),
            ("image/png", false),
            ("image/jpeg", false),
            ("video/mp4", false),
            ("application/zip", false),
            ("application/gzip", false),
            ("application/pdf", false),
            ("application/octet-stream", false),
            ("application", false),
            ("", false),
        ];
        for (text, expected) in table {
            let content_type = ContentType::new(text).unwrap();
            assert_eq!(is_compressible(&content_type), expected, "{text}");
        }
    }
}
