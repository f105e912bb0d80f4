//! JSON as content, typed by serde (RFC 8259). What writes JSON without serde is
//! `app::json`.
//!
//! What is wrong has three statuses, as a client mends each in another place: 415
//! is the type it declares, 400 the text, 422 a text that is JSON but not what was
//! asked for.

use super::form::expect_type;
use super::{Body, ContentType, Refusal, Request, Response, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

impl Request {
    /// The content as a `T`, once it has come, from `application/json` or any type
    /// that ends in `+json`. Arrays and objects nest 128 deep at most.
    ///
    /// ```
    /// use onepoll::http::{Refusal, Request, Response};
    /// use std::collections::BTreeMap;
    /// fn count(request: &mut Request) -> Result<Response, Refusal> {
    ///     let stock: BTreeMap<String, u32> = request.json()?;
    ///     Ok(Response::default().json_of(&stock.values().sum::<u32>()))
    /// }
    /// let mut app = onepoll::App::new();
    /// app.post("/count", count);
    /// let mut client = onepoll::app::TestClient::new(app);
    /// let mut ask = |body: &str| {
    ///     client.post("/count").header("Content-Type", "application/json").body(body).send()
    /// };
    /// assert_eq!(ask(r#"{"apples": 3, "pears": 4}"#).text(), "7");
    /// assert_eq!(ask(r#"{"apples": "#).status.code(), 400);
    /// assert_eq!(ask(r#"{"apples": -3}"#).status.code(), 422);
    /// ```
    ///
    /// # Errors
    /// A [`Refusal`], to be returned with `?`: 415 for content of another type, and for
    /// what is compressed, 400
    /// for what is no JSON, 422 for what is no `T`. It says where and why.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        expect_type(self, is_json, "this takes JSON: application/json")?;
        serde_json::from_slice(self.body()).map_err(|error| {
            let status = match error.classify() {
                Category::Data => Status::UNPROCESSABLE_CONTENT,
                Category::Io | Category::Syntax | Category::Eof => Status::BAD_REQUEST,
            };
            let mut message = format!("JSON: {error}");
            if message.len() > MESSAGE_MAX {
                let cuts = message.char_indices().map(|(at, _)| at);
                let cut = cuts.take_while(|at| *at <= MESSAGE_MAX).last();
                message.truncate(cut.unwrap_or(0));
                message.push_str("...");
            }
            Refusal::new(status, message)
        })
    }
}

impl Response {
    /// With this value as JSON. What can't be written (a map whose keys are no
    /// texts) turns the response into an empty 500 and says so in the log.
    ///
    /// ```
    /// use onepoll::http::Response;
    /// let response = Response::default().json_of(&[1, 2]);
    /// assert_eq!(response.body_ref().bytes(), Some(&b"[1,2]"[..]));
    /// ```
    #[must_use]
    pub fn json_of<T: Serialize + ?Sized>(self, value: &T) -> Response {
        match serde_json::to_vec(value) {
            Ok(text) => self.content(ContentType::JSON, Body::Owned(text)),
            Err(error) => {
                log::error!("a value can't be JSON: {error}; answering 500 instead");
                Response::new(Status::INTERNAL_SERVER_ERROR)
            }
        }
    }
}

/// RFC 6839 section 3.1: a `+json` type can be read as JSON.
fn is_json(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Bytes of a refusal's message, which may quote the content: enough for the names
/// of many fields.
const MESSAGE_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Note {
        title: String,
        stars: u8,
    }

    fn read(kind: &str, body: impl Into<Vec<u8>>) -> Result<Note, Refusal> {
        let mut request = Request::new(crate::http::Method::POST, "/");
        if !kind.is_empty() {
            request.headers_mut().add("Content-Type", kind).unwrap();
        }
        request.set_body(body);
        request.json()
    }

    #[test]
    fn each_mistake_has_its_status() {
        let good = r#"{"title":"t","stars":3}"#;
        let deep = "[".repeat(100_000);
        let table: [(&str, &[u8], u16); 14] = [
            ("application/json", good.as_bytes(), 200),
            ("Application/JSON; charset=utf-8", good.as_bytes(), 200),
            ("application/vnd.note+json", good.as_bytes(), 200),
            ("", good.as_bytes(), 415),
            ("text/plain", good.as_bytes(), 415),
            ("application/jsonx", good.as_bytes(), 415),
            ("application/json", b"", 400),
            ("application/json", br#"{"title":"t","stars":3"#, 400),
            ("application/json", br#"{"title":"t","stars":3} x"#, 400),
            ("application/json", b"{\"title\":\"\xff\",\"stars\":3}", 400),
            ("application/json", deep.as_bytes(), 422),
            ("application/json", br#"{"title":"t"}"#, 422),
            ("application/json", br#"{"title":"t","stars":300}"#, 422),
            ("application/json", b"[]", 422),
        ];
        for (kind, body, wanted) in table {
            let read = read(kind, body);
            let code = read.as_ref().map_or_else(|refusal| refusal.status.code(), |_| 200);
            assert_eq!(code, wanted, "{kind} {}: {read:?}", body.escape_ascii());
        }
    }

    #[test]
    fn compressed_content_is_not_taken_for_text() {
        for (coding, wanted) in [("gzip", 415), ("identity, br", 415), ("Identity", 200)] {
            let mut request = Request::new(crate::http::Method::POST, "/");
            request.headers_mut().add("Content-Type", "application/json").unwrap();
            request.headers_mut().add("Content-Encoding", coding).unwrap();
            request.set_body("1");
            let code = request.json::<u8>().map_or_else(|refusal| refusal.status.code(), |_| 200);
            assert_eq!(code, wanted, "{coding}");
        }
    }

    #[test]
    fn the_message_says_where_and_is_short() {
        let refusal = read("application/json", r#"{"title":"t"}"#).unwrap_err();
        assert_eq!(refusal.message, "JSON: missing field `stars` at line 1 column 13");
        let long = format!(r#"{{"title":"t","stars":"{}"}}"#, "é".repeat(5000));
        let refusal = read("application/json", long).unwrap_err();
        assert!(refusal.message.len() <= MESSAGE_MAX + 3, "{}", refusal.message.len());
        assert!(refusal.message.ends_with("..."));
    }

    #[test]
    fn what_is_no_json_is_a_500() {
        let bad: BTreeMap<Option<bool>, u8> = BTreeMap::from([(None, 1)]);
        let response = Response::new(Status::CREATED).json_of(&bad);
        assert_eq!(response.status(), Status::INTERNAL_SERVER_ERROR);
        let response = Response::new(Status::CREATED).json_of("a\"b");
        assert_eq!(response.status(), Status::CREATED);
        assert_eq!(response.body_ref().bytes(), Some(&b"\"a\\\"b\""[..]));
    }
}
