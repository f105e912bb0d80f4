//! Forms that only our own pages can send: a token in the session and in the form.
//!
//! `SameSite=Lax` keeps most forged requests away; this is for the rest, such as
//! those from other hosts of the same site.

use super::id::random_hex;
use super::session;
use super::state::{CSRF, Session};
use crate::app::Reject;
use crate::http::{Request, Status};
use subtle::ConstantTimeEq;

impl Session {
    /// The token of this session's forms, drawn when it is first asked for; it is
    /// another one after [`rotate`](Session::rotate). It goes into the hidden field
    /// `_csrf`, or a script sends it as `X-CSRF-Token`; [`check_csrf`] looks for it.
    ///
    /// # Errors
    /// A [`Reject`], if the session is full.
    pub fn csrf_token(&mut self) -> Result<String, Reject> {
        if let Some(token) = self.get(CSRF) {
            return Ok(token.to_owned());
        }
        let token = random_hex().map_err(Reject::internal)?;
        self.set(CSRF, token.clone())?;
        Ok(token)
    }

    /// Whether this is the token, compared in a time that doesn't tell how much of it
    /// is right. For forms with files, whose fields come as a stream.
    pub fn is_csrf_token(&self, given: &str) -> bool {
        let token = self.get(CSRF).unwrap_or("");
        !token.is_empty() && bool::from(token.as_bytes().ct_eq(given.as_bytes()))
    }
}

/// Whether the request has its session's token: in the field `X-CSRF-Token`, or in a
/// form's `_csrf`. To be called first in handlers that change something, where the
/// content is there.
///
/// ```
/// use onepoll::app::{App, Reject};
/// use onepoll::http::{Request, Response};
/// use onepoll::session::{MemoryStore, Sessions, check_csrf, session};
/// let mut app = App::new();
/// app.wrap(Sessions::new(MemoryStore::new(1000)));
/// app.get("/note", |request: &mut Request| -> Result<Response, Reject> {
///     let token = session(request).csrf_token()?;
///     let hidden = format!(r#"<input type="hidden" name="_csrf" value="{token}">"#);
///     Ok(Response::default().html(format!(r#"<form method="post">{hidden}<input name="note">"#)))
/// });
/// app.post("/note", |request: &mut Request| -> Result<String, Reject> {
///     check_csrf(request)?;
///     Ok(request.form()?.need("note")?.into_owned())
/// });
/// ```
///
/// # Errors
/// A [`Reject`] of 403, also for a client without a session.
pub fn check_csrf(request: &mut Request) -> Result<(), Reject> {
    let given = match request.header("x-csrf-token") {
        Some(token) => Some(token.to_owned()),
        None => request.form().ok().and_then(|form| form.get(CSRF)).map(|token| token.into_owned()),
    };
    if given.is_some_and(|given| session(request).is_csrf_token(&given)) {
        return Ok(());
    }
    let why = "the form is out of date: load its page again, and send it once more";
    Err(Reject::new(Status::FORBIDDEN, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{App, TestClient};
    use crate::session::{MemoryStore, Sessions};

    #[test]
    fn only_the_session_s_own_token_will_do() {
        let mut app = App::new();
        app.wrap(Sessions::new(MemoryStore::new(10)));
        app.get("/", |request: &mut Request| session(request).csrf_token());
        app.get("/login", |request: &mut Request| session(request).rotate());
        app.post("/", |request: &mut Request| check_csrf(request));
        let mut client = TestClient::new(app);
        let reply = client.get("/").send();
        let token = reply.text().to_owned();
        let cookie_of = |reply: &crate::app::TestResponse| {
            reply.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
        };
        let mine = cookie_of(&reply);
        let reply = client.get("/").send();
        let (other, theirs) = (reply.text().to_owned(), cookie_of(&reply));
        assert_ne!(token, other);
        assert_eq!(client.get("/").header("Cookie", &mine).send().text(), token);
        let short = &token[1..];
        let table = [
            (&*mine, &*token, 204),
            (&theirs, &token, 403),
            (&mine, &other, 403),
            (&mine, short, 403),
            (&mine, "", 403),
            ("a=b", &token, 403),
            ("a=b", "", 403),
        ];
        for (cookie, token, wanted) in table {
            let by_field = client.post("/").header("Cookie", cookie).header("X-CSRF-Token", token);
            assert_eq!(by_field.send().status.code(), wanted, "{cookie} {token}");
            let kind = "application/x-www-form-urlencoded";
            let form = client.post("/").header("Cookie", cookie).header("Content-Type", kind);
            let reply = form.body(format!("a=1&_csrf={token}")).send();
            assert_eq!(reply.status.code(), wanted, "{cookie} {token}");
        }
        let rotated = cookie_of(&client.get("/login").header("Cookie", &mine).send());
        let old = client.post("/").header("Cookie", &rotated).header("X-CSRF-Token", &token);
        assert_eq!(old.send().status.code(), 403);
    }
}
