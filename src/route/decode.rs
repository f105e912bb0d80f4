//! Percent-decoding of captured values (RFC 3986 section 2.1), in pieces, so
//! that no buffer is needed.

use std::str::from_utf8;

/// Decodes `value` and hands it on in pieces. `false` if a `%` is without its
/// digits or the result is not UTF-8; some pieces may have been handed on.
pub(crate) fn decode(value: &str, mut put: impl FnMut(&str)) -> bool {
    let mut rest = value;
    while let Some(at) = rest.find('%') {
        let (plain, encoded) = rest.split_at(at);
        put(plain);
        // One character is up to four bytes, each of them encoded.
        let mut character = [0; 4];
        let Some(first) = byte(encoded, 0) else { return false };
        let len = match first {
            ..0x80 => 1,
            0x80..0xe0 => 2, // 80..C0 start no character; from_utf8 says so
            0xe0..0xf0 => 3,
            0xf0.. => 4,
        };
        for (i, slot) in character.iter_mut().take(len).enumerate() {
            let Some(byte) = byte(encoded, i) else { return false };
            *slot = byte;
        }
        let Some(Ok(character)) = character.get(..len).map(from_utf8) else { return false };
        put(character);
        rest = encoded.get(3 * len..).unwrap_or("");
    }
    put(rest);
    true
}

/// The byte that the triplet number `i` stands for.
fn byte(encoded: &str, i: usize) -> Option<u8> {
    let [b'%', high, low] = encoded.as_bytes().get(3 * i..3 * i + 3)? else { return None };
    let digit = |b: u8| char::from(b).to_digit(16);
    Some((digit(*high)? << 4 | digit(*low)?) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(value: &str) -> Option<String> {
        let mut out = String::new();
        decode(value, |part| out.push_str(part)).then_some(out)
    }

    #[test]
    fn decodes_whole_characters_only() {
        for (value, expected) in [
            ("", Some("")),
            ("plain", Some("plain")),
            ("a%20b", Some("a b")),
            ("%2F%2f", Some("//")),
            ("%00", Some("\0")),
            ("%25%32%35", Some("%25")),
            ("caf%C3%A9", Some("café")),
            ("%e2%82%ac!", Some("€!")),
            ("%F0%9F%98%80", Some("😀")),
            ("é%C3%A9", Some("éé")),
            ("%", None),
            ("%4", None),
            ("a%zz", None),
            ("%+1", None),
            ("%é", None),
            ("%4é", None),
            ("%C3", None),       // cut
            ("%C3A", None),      // not continued
            ("%C3é", None),      // continued by a whole character
            ("%A9", None),       // a continuation alone
            ("%C0%AF", None),    // overlong slash
            ("%ED%A0%80", None), // surrogate
            ("%F5%80%80%80", None),
            ("%FF", None),
        ] {
            assert_eq!(decoded(value).as_deref(), expected, "{value}");
        }
    }
}
