//! The contact form: checked, shown again with what is wrong, saved, thanked for.
//!
//! ```text
//!   GET /contact --> form with a token --> POST /contact
//!                      ^                      | token? fields?
//!                      |  422, what was typed | wrong
//!                      '----------------------|
//!                                             | right: saved by a helper
//!   GET /contact/thanks <------- 303 ---------'   (so that a reload sends nothing)
//! ```

use crate::site::Site;
use crate::store::NewMessage;
use onepoll::app::{Reply, offload_now};
use onepoll::http::{Lane, Refusal};
use onepoll::session::{check_csrf, session};
use onepoll::templates::context;
use onepoll::{Reject, Request, Response, Status, redirect};
use serde::Serialize;
use std::sync::Arc;

/// Bytes of the form's content: the longest message, each character encoded.
pub const FORM_MAX: u64 = 64 * 1024;
/// Characters of the fields.
const NAME_MAX: usize = 80;
const EMAIL_MAX: usize = 254;
const MESSAGE_MIN: usize = 10;
const MESSAGE_MAX: usize = 4000;

/// What was typed, as it was typed.
#[derive(Default, Serialize)]
struct Typed {
    name: String,
    email: String,
    message: String,
}

/// What is wrong with each field; empty if nothing is.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Wrong {
    name: &'static str,
    email: &'static str,
    message: &'static str,
}

/// The empty form; a link to it may bring a name.
pub fn form(site: &Arc<Site>, request: &mut Request) -> Result<Response, Reject> {
    let name = request.query_fields().get("name").unwrap_or_default().into_owned();
    show(site, request, &Typed { name, ..Typed::default() }, &Wrong::default())
}

/// The form that was sent.
pub fn send(site: &Arc<Site>, request: &mut Request) -> Result<Reply, Reject> {
    check_csrf(request)?;
    let typed = Typed::read(request)?;
    let wrong = typed.check();
    if wrong != Wrong::default() {
        let page = show(site, request, &typed, &wrong)?;
        return Ok(page.with_status(Status::UNPROCESSABLE_CONTENT).into());
    }
    session(request).set("name", typed.name.clone())?;
    let (site, message) = (Arc::clone(site), typed.into_message());
    // The database has one writer at a time anyway: they queue up in a lane of their
    // own instead of holding up other helpers.
    let save = move |_: &mut Request| -> Result<Response, Reject> {
        site.messages.add(&message)?;
        Ok(redirect("/contact/thanks"))
    };
    Ok(offload_now(save).lane(Lane::Serial))
}

/// What is seen after the redirect.
pub fn thanks(site: &Arc<Site>, request: &mut Request) -> Result<Response, Reject> {
    let name = session(request).get("name").map(str::to_owned);
    site.page("thanks.html", context! { here => "contact", name })
}

fn show(
    site: &Arc<Site>,
    request: &mut Request,
    typed: &Typed,
    wrong: &Wrong,
) -> Result<Response, Reject> {
    let csrf = session(request).csrf_token()?;
    let failed = *wrong != Wrong::default();
    let limits = context! { name => NAME_MAX, email => EMAIL_MAX, message => MESSAGE_MAX };
    site.form("contact.html", context! { here => "contact", csrf, typed, wrong, failed, limits })
}

impl Typed {
    /// # Errors
    /// What is no form at all; a field that is missing is an empty one.
    fn read(request: &Request) -> Result<Typed, Refusal> {
        let form = request.form()?;
        let field = |name| form.get(name).unwrap_or_default().trim().replace("\r\n", "\n");
        Ok(Typed { name: field("name"), email: field("email"), message: field("message") })
    }

    fn check(&self) -> Wrong {
        let has_control = |text: &str| text.chars().any(char::is_control);
        let name = match self.name.chars().count() {
            0 => "Please tell me your name.",
            length if length > NAME_MAX => "That is longer than a name may be here.",
            _ if has_control(&self.name) => "A name is one line of text.",
            _ => "",
        };
        let email = match self.email.as_str() {
            "" => "Please leave an address, so that I can answer.",
            text if !is_email(text) => "That does not look like an e-mail address.",
            _ => "",
        };
        let message = match self.message.chars().count() {
            0 => "Please write something.",
            length if length < MESSAGE_MIN => "A little more, please: ten characters at least.",
            length if length > MESSAGE_MAX => "That is more than I can take: 4000 characters.",
            _ if has_control(&self.message.replace(['\n', '\t'], " ")) => "Plain text, please.",
            _ => "",
        };
        Wrong { name, email, message }
    }

    fn into_message(self) -> NewMessage {
        NewMessage { name: self.name, email: self.email, text: self.message }
    }
}

/// Whether it may be an address; only a letter that arrives can tell.
fn is_email(text: &str) -> bool {
    let odd = |c: char| c.is_control() || c.is_whitespace() || "<>()[],;:\\\"".contains(c);
    let Some((local, domain)) = text.split_once('@') else { return false };
    let labels = || domain.split('.');
    text.len() <= EMAIL_MAX
        && !text.contains(odd)
        && !local.is_empty()
        && !domain.contains('@')
        && labels().count() >= 2
        && labels().all(|label| !label.is_empty())
}
