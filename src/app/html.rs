//! HTML escaping: text that stays text.

use std::borrow::Cow;

/// Appends the text with `& < > " '` as character references: right within
/// elements and within quoted attribute values, not within scripts or styles.
///
/// ```
/// let mut page = String::from("<p>");
/// onepoll::app::html::escape(&mut page, "a < b & 'c'");
/// assert_eq!(page, "<p>a &lt; b &amp; &#39;c&#39;");
/// ```
pub fn escape(out: &mut String, text: &str) {
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let reference = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\'' => "&#39;",
            _ => continue,
        };
        // All five are ASCII, so `at` is a character boundary.
        out.push_str(text.get(plain..at).unwrap_or(""));
        out.push_str(reference);
        plain = at + 1;
    }
    out.push_str(text.get(plain..).unwrap_or(""));
}

/// The text, escaped; allocates only if there is something to escape.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'')) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    escape(&mut out, text);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_are_escaped_and_nothing_else() {
        for (text, want) in [
            ("", ""),
            ("plain", "plain"),
            ("<script>", "&lt;script&gt;"),
            ("\" onload='x'", "&quot; onload=&#39;x&#39;"),
            ("&amp;", "&amp;amp;"),
            ("é<ü>&", "é&lt;ü&gt;&amp;"),
        ] {
            assert_eq!(escaped(text), want, "{text}");
            assert_eq!(matches!(escaped(text), Cow::Borrowed(_)), text == want, "{text}");
        }
    }
}
