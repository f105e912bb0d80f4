//! Cookies (RFC 6265): what a client sends back, and what it is asked to keep.
//!
//! The crate `cookie` splits and writes them; what may stand in a field is checked
//! here, as it does not: a `;` in a value would be the end of it, and the rest an
//! attribute.

use super::{InvalidField, Request, Response, chars};
use cookie::Cookie;

impl Request {
    /// The value of the first cookie of that name, as it was sent: neither decoded
    /// nor unquoted.
    ///
    /// Browsers send the one of the most specific path first. Whoever controls
    /// another host of the same site can put one in front of yours: a name that
    /// begins with `__Host-` can't be set by others.
    ///
    /// ```
    /// # use onepoll::http::{Method, Request};
    /// let mut request = Request::new(Method::GET, "/");
    /// request.headers_mut().add("Cookie", "theme=dark; lang=en").unwrap();
    /// assert_eq!(request.cookie("lang"), Some("en"));
    /// ```
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// Names and values of all cookies, in order; 200 at most. What has no name or
    /// no `=`, and a field that is not UTF-8, is passed over.
    pub fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.headers().all("cookie").filter_map(|line| std::str::from_utf8(line).ok());
        let pairs = lines.flat_map(|line| Cookie::split_parse(line).take(COOKIES_MAX));
        pairs.take(COOKIES_MAX).filter_map(|pair| {
            let pair = pair.ok()?;
            Some((pair.name_raw()?, pair.value_raw()?))
        })
    }
}

impl Response {
    /// Asks the client to keep a cookie (`Set-Cookie`). One with the maximum age 0
    /// is asked to be forgotten; path and domain must be as when it was set.
    ///
    /// Nothing is set that the builder does not say: session cookies should have
    /// `http_only`, `same_site` and, under TLS, `secure`.
    ///
    /// ```
    /// use onepoll::http::Response;
    /// use onepoll::http::cookie::{Cookie, SameSite};
    /// let mut response = Response::default();
    /// let theme = Cookie::build(("theme", "dark")).path("/").same_site(SameSite::Lax);
    /// response.add_cookie(theme)?;
    /// assert_eq!(response.get("set-cookie"), Some(&b"theme=dark; SameSite=Lax; Path=/"[..]));
    /// assert!(response.add_cookie(("theme", "dark; Domain=example.org")).is_err());
    /// # Ok::<(), onepoll::http::InvalidField>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidField`]: the name is no token, or the value, the path or the domain
    /// has what may not be there (RFC 6265 section 4.1.1): white space, `"` within,
    /// `,`, `;`, `\`, or anything that is not ASCII. Such values have to be encoded.
    pub fn add_cookie<'c>(&mut self, cookie: impl Into<Cookie<'c>>) -> Result<(), InvalidField> {
        let cookie = cookie.into();
        if !chars::is_token(cookie.name().as_bytes()) {
            return Err(InvalidField::Name);
        }
        let value = cookie.value();
        let bare = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let sound = bare.unwrap_or(value).bytes().all(is_octet);
        let attribute = |text: Option<&str>| {
            text.is_none_or(|text| text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b';'))
        };
        if !sound || !attribute(cookie.path()) || !attribute(cookie.domain()) {
            return Err(InvalidField::Value);
        }
        self.add_header("Set-Cookie", cookie.to_string())
    }
}

/// `cookie-octet` of RFC 6265 section 4.1.1.
fn is_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

/// Cookies of a request that are looked at: browsers keep fewer for a host (RFC
/// 6265 section 6.1 asks for 50, the common ones keep up to 180).
const COOKIES_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Method;

    fn request(lines: &[&str]) -> Request {
        let mut request = Request::new(Method::GET, "/");
        for line in lines {
            request.headers_mut().add("Cookie", line).unwrap();
        }
        request
    }

    /// Lines, and the names and values in them.
    type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);

    #[test]
    fn cookies_are_found_as_they_were_sent() {
        let table: [Row<'_>; 11] = [
            (&[], &[]),
            (&[""], &[]),
            (&["a=1"], &[("a", "1")]),
            (&["a=1; b=2;c=3 ;  d = 4 "], &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]),
            (&["a=1; a=2", "a=3"], &[("a", "1"), ("a", "2"), ("a", "3")]),
            (&["a=", "a=b=c"], &[("a", ""), ("a", "b=c")]),
            (&["=1; flag; ;; b=2"], &[("b", "2")]),
            (&["a=\"q\"; b=%41+"], &[("a", "\"q\""), ("b", "%41+")]),
            (&["A=1; a=2"], &[("A", "1"), ("a", "2")]),
            (&["a=1, b=2"], &[("a", "1, b=2")]),
            (&["$Version=1; é=ü"], &[("$Version", "1"), ("é", "ü")]),
        ];
        for (lines, wanted) in table {
            let request = request(lines);
            assert_eq!(request.cookies().collect::<Vec<_>>(), wanted, "{lines:?}");
            for (name, _) in wanted {
                let first = wanted.iter().find(|(n, _)| n == name).map(|(_, value)| *value);
                assert_eq!(request.cookie(name), first, "{lines:?}");
            }
        }
    }

    /// What is cut anywhere gives the cookies before the cut, and no other name.
    #[test]
    fn a_cut_makes_up_nothing() {
        let line = "one=1; two=\"2\"; three=3=3; =; four";
        for at in 0..line.len() {
            let request = request(&[&line[..at]]);
            for (name, value) in request.cookies() {
                assert!(
                    line.starts_with(&format!("{name}={value}")) || {
                        line.contains(&format!("; {name}={value}"))
                    }
                );
            }
        }
    }

    #[test]
    fn there_is_a_most_and_other_bytes_are_passed_over() {
        let many = "a=1;".repeat(COOKIES_MAX) + "last=1";
        assert_eq!(request(&[&many]).cookies().count(), COOKIES_MAX);
        assert_eq!(request(&[&many]).cookie("last"), None);
        assert_eq!(request(&["a=1", &many]).cookies().count(), COOKIES_MAX);
        let mut bad = request(&[]);
        bad.headers_mut().add("Cookie", b"a=\xff").unwrap();
        bad.headers_mut().add("Cookie", "b=1").unwrap();
        assert_eq!(bad.cookies().collect::<Vec<_>>(), [("b", "1")]);
    }

    #[test]
    fn what_would_be_more_than_a_cookie_is_no_cookie() {
        let (name, value) = (Err(InvalidField::Name), Err(InvalidField::Value));
        let table = [
            (Cookie::new("a", "1"), Ok(())),
            (Cookie::new("a", ""), Ok(())),
            (Cookie::new("__Host-a", "\"q\""), Ok(())),
            (Cookie::build(("a", "1")).path("/x y").domain("example.org").build(), Ok(())),
            (Cookie::new("", "1"), name),
            (Cookie::new("a b", "1"), name),
            (Cookie::new("a=b", "1"), name),
            (Cookie::new("a;b", "1"), name),
            (Cookie::new("a", "1; Domain=example.org"), value),
            (Cookie::new("a", "1\r\nX: y"), value),
            (Cookie::new("a", "1 2"), value),
            (Cookie::new("a", "1,2"), value),
            (Cookie::new("a", "\""), value),
            (Cookie::new("a", "1\\2"), value),
            (Cookie::new("a", "é"), value),
            (Cookie::build(("a", "1")).path("/; Secure").build(), value),
            (Cookie::build(("a", "1")).domain("x;y").build(), value),
            (Cookie::build(("a", "1")).path("/\n").build(), value),
        ];
        for (cookie, wanted) in table {
            let mut response = Response::default();
            assert_eq!(response.add_cookie(cookie.clone()), wanted, "{cookie:?}");
            assert_eq!(response.get("set-cookie").is_some(), wanted.is_ok(), "{cookie:?}");
        }
    }

    #[test]
    fn several_are_several_lines() {
        let mut response = Response::default();
        response.add_cookie(("a", "1")).unwrap();
        response.add_cookie(("a", "2")).unwrap();
        let lines: Vec<_> = response.headers().all("set-cookie").collect();
        assert_eq!(lines, [b"a=1", b"a=2"]);
    }
}
