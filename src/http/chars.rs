//! Byte classes of the grammar (RFC 9110 section 5.6, RFC 3986), as tables.

/// `tchar`: what a token (method, field name) is made of (RFC 9110 section 5.6.2).
pub(crate) const TOKEN: u8 = 1;
/// What a field value may hold: SP, HTAB, VCHAR and obs-text (section 5.5).
pub(crate) const VALUE: u8 = 2;
/// What a request target may hold: visible ASCII other than `#` (RFC 9112
/// section 3.2: a fragment is never sent; other bytes must be percent-encoded).
pub(crate) const TARGET: u8 = 4;
/// `unreserved` (RFC 3986 section 2.3): percent-encoding these changes nothing.
pub(crate) const UNRESERVED: u8 = 8;
/// `TARGET` without the two bytes that need a second look: `?` and `%`.
pub(crate) const PLAIN: u8 = 16;

/// The classes of each byte, one bit per class.
pub(crate) static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut i = 0;
    while i < 256 {
        let b = i as u8;
        let alphanumeric = b.is_ascii_alphanumeric();
        let mark = matches!(
            b,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        );
        if alphanumeric || mark {
            table[i] |= TOKEN;
        }
        if b == b'\t' || (b >= b' ' && b != 0x7f) {
            table[i] |= VALUE;
        }
        if b > b' ' && b < 0x7f && b != b'#' {
            table[i] |= TARGET;
            if b != b'?' && b != b'%' {
                table[i] |= PLAIN;
            }
        }
        if alphanumeric || matches!(b, b'-' | b'.' | b'_' | b'~') {
            table[i] |= UNRESERVED;
        }
        i += 1;
    }
    table
}

/// Whether the byte belongs to the class.
#[inline(always)]
pub(crate) fn is(byte: u8, class: u8) -> bool {
    CLASS[usize::from(byte)] & class != 0
}

/// Whether this is a token: at least one `tchar` and nothing else.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| is(b, TOKEN))
}

/// Whether every byte may stand in a field value: no control byte but HTAB.
pub fn is_field_value(bytes: &[u8]) -> bool {
    bytes.iter().all(|&b| is(b, VALUE))
}

/// Without SP and HTAB at both ends (`OWS`, RFC 9110 section 5.6.3).
pub fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_fifteen_marks_and_alphanumerics() {
        let count = (0..=255u8).filter(|&b| is(b, TOKEN)).count();
        assert_eq!(count, 15 + 62);
        assert!(is_token(b"X-Custom_1!"));
        for bad in [&b""[..], b"a b", b"a:", b"a\0", b"\x80", b"(", b"a,b", b"a/b", b"a\"b"] {
            assert!(!is_token(bad), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn field_values_hold_no_control_byte_but_tab() {
        assert!(is_field_value(b"a\tb \xe9"));
        for b in (0..32u8).filter(|&b| b != b'\t').chain([127]) {
            assert!(!is_field_value(&[b'a', b, b'b']), "{b}");
        }
    }

    #[test]
    fn trim_takes_spaces_and_tabs_only() {
        assert_eq!(trim(b" \t a b\t "), b"a b");
        assert_eq!(trim(b"\x0ba"), b"\x0ba");
        assert_eq!(trim(b"  "), b"");
    }
}
