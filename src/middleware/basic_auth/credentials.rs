//! What the client sent, taken apart.

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// A name and a password, and the field they came in.
pub(super) struct Credentials {
    pub(super) sent: Vec<u8>,
    pub(super) name: Vec<u8>,
    pub(super) password: Vec<u8>,
}

/// Bytes of the field at most. bcrypt looks at 72 of a password, so more is a
/// mistake, or work made for us.
const SENT_MAX: usize = 1024;

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Credentials {
    /// Reads the value of `Authorization`: scheme, spaces, Base64 of `name:password`
    /// (RFC 7617 section 2). Control bytes are not for either.
    pub(super) fn parse(sent: &[u8]) -> Option<Credentials> {
        if sent.len() > SENT_MAX {
            return None;
        }
        let (scheme, rest) = sent.split_at_checked(5)?;
        if !scheme.eq_ignore_ascii_case(b"basic") || rest.first() != Some(&b' ') {
            return None;
        }
        let mut name = BASE64.decode(rest.trim_ascii()).ok()?;
        if name.iter().any(u8::is_ascii_control) {
            return None;
        }
        let colon = name.iter().position(|&byte| byte == b':')?;
        let password = name.split_off(colon + 1);
        name.truncate(colon);
        Some(Credentials { sent: sent.to_vec(), name, password })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_taken_apart_or_refused() {
        let table: [(&str, Option<(&str, &str)>); 13] = [
            ("Basic YW5uYTpzZWNyZXQ=", Some(("anna", "secret"))),
            ("Basic YW5uYTpzZWNyZXQ", Some(("anna", "secret"))),
            ("bAsIc   YW5uYTpzZWNyZXQ=", Some(("anna", "secret"))),
            ("Basic YTpiOmM6", Some(("a", "b:c:"))), // only the first colon divides
            ("Basic OnNlY3JldA==", Some(("", "secret"))),
            ("Basic YW5uYTo=", Some(("anna", ""))),
            ("Basic YW5uYQ==", None), // no colon
            ("Basic YW5uYTpzZWM\ncmV0", None),
            ("Basic YTpiAA==", None), // a NUL in it
            ("Basic !!!", None),
            ("Basic", None),
            ("BasicYW5uYTpzZWNyZXQ=", None),
            ("Bearer YW5uYTpzZWNyZXQ=", None),
        ];
        for (sent, expected) in table {
            let credentials = Credentials::parse(sent.as_bytes());
            let found = credentials.as_ref().map(|c| (&c.name[..], &c.password[..]));
            let expected = expected.map(|(name, password)| (name.as_bytes(), password.as_bytes()));
            assert_eq!(found, expected, "{sent:?}");
        }
        let long = format!("Basic {}", "YTpi".repeat(300));
        assert!(Credentials::parse(long.as_bytes()).is_none());
    }
}
