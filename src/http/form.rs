//! Form-style text: `a=1&b=2` (WHATWG URL, `application/x-www-form-urlencoded`).

use super::{Refusal, Request, Status, target};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

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

/// The fields of a form, or of a query: [`Request::form`], [`Request::query_fields`].
///
/// Nothing is copied until a value is asked for, and then only if it is encoded.
///
/// ```
/// use onepoll::http::{Method, Refusal, Request, Response};
/// fn save(request: &mut Request) -> Result<Response, Refusal> {
///     let form = request.form()?;
///     let (name, age) = (form.need("name")?, form.parse::<u8>("age")?);
///     let colours: Vec<_> = form.all("colour").collect();
///     Ok(Response::default().text(format!("{name}, {age}, {}", colours.join(" and "))))
/// }
/// let mut request = Request::new(Method::POST, "/");
/// request.headers_mut().add("Content-Type", "application/x-www-form-urlencoded").unwrap();
/// request.set_body("name=Ada+L.&age=36&colour=red&colour=blue");
/// assert!(save(&mut request).is_ok());
/// request.set_body("name=Ada&age=old");
/// let refusal = save(&mut request).unwrap_err();
/// assert_eq!(refusal.status.code(), 422);
/// assert_eq!(refusal.message, "the field `age` is not valid");
/// ```
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    text: &'a str,
    /// What a field that is missing or wrong is answered with.
    status: Status,
}

impl<'a> Fields<'a> {
    /// The first value of that name; `None` if there is none.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// All values of that name, in order: of boxes that were ticked, say.
    pub fn all(&self, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
        self.iter().filter(move |(n, _)| n == name).map(|(_, value)| value)
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        query_pairs(self.text).take(FIELDS_MAX)
    }

    /// The first value of that name, which must be there; it may be empty.
    ///
    /// # Errors
    /// A [`Refusal`] that names the field: 422 in a form, 400 in a query.
    pub fn need(&self, name: &str) -> Result<Cow<'a, str>, Refusal> {
        self.get(name).ok_or_else(|| self.refuse(name, "is missing"))
    }

    /// The first value of that name as a `T`, without white space around it.
    ///
    /// # Errors
    /// As [`need`](Fields::need), also if it is no `T`.
    pub fn parse<T: FromStr>(&self, name: &str) -> Result<T, Refusal> {
        let value = self.need(name)?;
        value.trim().parse().map_err(|_| self.refuse(name, "is not valid"))
    }

    /// As [`parse`](Fields::parse), for a field that may be missing or empty.
    ///
    /// # Errors
    /// If something is there that is no `T`.
    pub fn parse_if_any<T: FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        match self.get(name) {
            Some(value) if !value.trim().is_empty() => self.parse(name).map(Some),
            _ => Ok(None),
        }
    }

    /// The name is the program's own, not the client's.
    fn refuse(&self, name: &str, what: &str) -> Refusal {
        Refusal::new(self.status, format!("the field `{name}` {what}"))
    }
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Request {
    /// The fields of a form in the content (`application/x-www-form-urlencoded`),
    /// once that has come. Forms with files are [`multipart`](super::multipart).
    ///
    /// # Errors
    /// A [`Refusal`], to be returned with `?`: 415 for content of another type, and for
    /// what is compressed, 400 for what is not UTF-8, 413 for more than 1,000 fields.
    pub fn form(&self) -> Result<Fields<'_>, Refusal> {
        let why = "this takes a form: application/x-www-form-urlencoded";
        expect_type(self, |kind| kind.eq_ignore_ascii_case(FORM), why)?;
        let text = std::str::from_utf8(self.body())
            .map_err(|_| Refusal::new(Status::BAD_REQUEST, "the form is not UTF-8"))?;
        if memchr::memchr_iter(b'&', text.as_bytes()).nth(FIELDS_MAX - 1).is_some() {
            return Err(Refusal::new(Status::CONTENT_TOO_LARGE, "the form has too many fields"));
        }
        Ok(Fields { text, status: Status::UNPROCESSABLE_CONTENT })
    }

    /// The fields of the query; none if there is no query. Those after the
    /// thousandth are left out.
    ///
    /// ```
    /// # use onepoll::http::{Method, Request};
    /// let request = Request::new(Method::GET, "/list?page=2&q=a+b");
    /// let query = request.query_fields();
    /// assert_eq!(query.parse_if_any("page"), Ok(Some(2)));
    /// assert_eq!(query.get("q").as_deref(), Some("a b"));
    /// assert_eq!(query.parse::<u8>("q").unwrap_err().status.code(), 400);
    /// ```
    pub fn query_fields(&self) -> Fields<'_> {
        Fields { text: self.query().unwrap_or(""), status: Status::BAD_REQUEST }
    }
}

/// Whether the content has such a media type, without its parameters, and is not
/// compressed: nobody has asked how large it may become.
///
/// # Errors
/// 415, with this message for another type.
pub(super) fn expect_type(
    request: &Request,
    test: impl Fn(&str) -> bool,
    why: &'static str,
) -> Result<(), Refusal> {
    let kind = request.header("content-type").and_then(|kind| kind.split(';').next());
    let why = match kind.is_some_and(|kind| test(kind.trim())) {
        true if !request.is_coded() => return Ok(()),
        true => "compressed content is not taken",
        false => why,
    };
    Err(Refusal::new(Status::UNSUPPORTED_MEDIA_TYPE, why))
}

const FORM: &str = "application/x-www-form-urlencoded";

/// Pairs of a form at most, the empty ones included: each look-up goes through
/// all of them, on the loop. No page has as many.
const FIELDS_MAX: usize = 1000;

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

    fn form(kind: &str, body: impl Into<Vec<u8>>) -> Request {
        let mut request = Request::new(crate::http::Method::POST, "/?a=query");
        if !kind.is_empty() {
            request.headers_mut().add("Content-Type", kind).unwrap();
        }
        request.set_body(body);
        request
    }

    #[test]
    fn compressed_content_is_not_taken_for_a_form() {
        let mut request = form(FORM, b"a=1");
        request.headers_mut().add("Content-Encoding", "gzip").unwrap();
        assert_eq!(request.form().unwrap_err().status.code(), 415);
    }

    #[test]
    fn what_is_no_form_is_refused() {
        let most = "a=1&".repeat(FIELDS_MAX - 1);
        let more = "&".repeat(FIELDS_MAX);
        let table: [(&str, &[u8], u16); 9] = [
            (FORM, b"a=1", 200),
            ("Application/X-WWW-Form-Urlencoded ; charset=utf-8", b"a=1", 200),
            (FORM, b"", 200),
            (FORM, most.as_bytes(), 200),
            (FORM, more.as_bytes(), 413),
            (FORM, b"a=\xff", 400),
            ("", b"a=1", 415),
            ("application/json", b"{}", 415),
            ("application/x-www-form-urlencodedx", b"a=1", 415),
        ];
        for (kind, body, wanted) in table {
            let request = form(kind, body);
            let code = request.form().map_or_else(|refusal| refusal.status.code(), |_| 200);
            assert_eq!(code, wanted, "{kind} {}", body.len());
        }
    }

    #[test]
    fn fields_are_typed_and_refusals_name_them() {
        let request = form(FORM, "n=+12+&empty=&n=13&t=a%26b");
        let fields = request.form().unwrap();
        assert_eq!(fields.parse::<u8>("n"), Ok(12));
        assert_eq!(fields.all("n").collect::<Vec<_>>(), [" 12 ", "13"]);
        assert_eq!(fields.need("t").as_deref(), Ok("a&b"));
        assert_eq!(fields.need("empty").as_deref(), Ok(""));
        assert_eq!(fields.parse_if_any::<u8>("empty"), Ok(None));
        assert_eq!(fields.parse_if_any::<u8>("none"), Ok(None));
        for (name, what) in
            [("none", "is missing"), ("t", "is not valid"), ("empty", "is not valid")]
        {
            let refusal = fields.parse::<u8>(name).unwrap_err();
            assert_eq!(refusal.status, Status::UNPROCESSABLE_CONTENT);
            assert_eq!(refusal.message, format!("the field `{name}` {what}"));
        }
        assert_eq!(request.query_fields().get("a").as_deref(), Some("query"));
        assert_eq!(request.query_fields().parse::<u8>("a").unwrap_err().status.code(), 400);
    }
}
