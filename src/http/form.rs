//! Form-style text: `a=1&b=2` (WHATWG URL, `application/x-www-form-urlencoded`).

use super::target;
use std::borrow::Cow;

/// Names and values of a query or of a form's content, decoded, in order.
///
/// `+` is a space, `%xx` a byte; a `%` that is no such triplet stays as it is,
/// and what is not UTF-8 becomes U+FFFD. Empty pairs are left out; a pair without
/// `=` has an empty value. Nothing is allocated for texts without encoding.
///
/// ```
/// use onepoll::http::form::query_pairs;
/// let pairs: Vec<_> = query_pairs("q=a+b&lang=en&flag").collect();
/// assert_eq!(pairs[0], ("q".into(), "a b".into()));
/// assert_eq!(pairs[2], ("flag".into(), "".into()));
/// ```
pub fn query_pairs(text: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

fn decode(text: &str) -> Cow<'_, str> {
    if memchr::memchr2(b'%', b'+', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let bytes = target::decode(text.as_bytes(), true);
    Cow::Owned(match String::from_utf8_lossy(&bytes) {
        Cow::Owned(repaired) => repaired,
        Cow::Borrowed(valid) => valid.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_in_order_and_bad_sequences_stay() {
        let table: [(&str, &[(&str, &str)]); 9] = [
            ("", &[]),
            ("&&", &[]),
            ("a=1&b=2&a=3", &[("a", "1"), ("b", "2"), ("a", "3")]),
            ("a", &[("a", "")]),
            ("=v", &[("", "v")]),
            ("a=b=c", &[("a", "b=c")]),
            ("a+b=%2B%20+", &[("a b", "+  ")]),
            ("a=%zz%4&b=100%", &[("a", "%zz%4"), ("b", "100%")]),
            ("a=%ff%26", &[("a", "\u{fffd}&")]),
        ];
        for (text, wanted) in table {
            let pairs: Vec<_> = query_pairs(text).collect();
            let pairs: Vec<_> = pairs.iter().map(|(n, v)| (&**n, &**v)).collect();
            assert_eq!(pairs, wanted, "{text}");
        }
    }
}
