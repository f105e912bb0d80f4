//! Pages for what goes wrong.

use crate::site::Site;
use onepoll::handlers::pages;
use onepoll::middleware::RequestId;
use onepoll::templates::context;
use onepoll::{Request, Response, Status};

/// The site's own page for browsers; what else there is, problem details for programs
/// and a line of text for everybody else, the library makes.
pub fn page(site: &Site, request: &Request, status: Status, message: &str) -> Response {
    let plain = pages(request, status, message);
    if plain.content_type().is_none_or(|kind| !kind.as_str().starts_with("text/html")) {
        return plain;
    }
    let (title, advice) = words(status.code());
    let id = request.extension::<RequestId>().map(RequestId::as_str);
    let context = context! { status => status.code(), title, advice, message, id };
    match site.templates.render("error.html", context) {
        // What the plain page says, under the new content: status and `Vary`.
        Ok(page) => page.with_status(status).header("Vary", "Accept"),
        // The page for errors has one. It is in the log.
        Err(_) => plain,
    }
}

/// A heading, and what a visitor can do about it.
fn words(status: u16) -> (&'static str, &'static str) {
    match status {
        400 => ("That was not understood", "Something in the request is malformed."),
        403 => ("Not like this", "Reload the page you came from, and try once more."),
        404 => ("Nothing here", "The page may have moved, or the address has a typo."),
        405 => ("Not that way", "This address exists, but it can't be used like this."),
        408 => ("That took too long", "The connection may be slow. Please try again."),
        409 => ("Somebody was faster", "There is something of that name already."),
        413 => ("Too large", "That is more than this site takes at once."),
        415 => ("The wrong kind", "This address takes another type of content."),
        421 => ("The wrong house", "This server does not answer to that name."),
        422 => ("Not quite", "Something in the content does not fit."),
        429 => ("One moment, please", "That was a lot at once. Wait a little, and try again."),
        503 => ("Very busy", "Please try again in a few seconds."),
        507 => ("The shelf is full", "There is no room left to save this. Nothing was kept."),
        500.. => ("My mistake", "It is in the log, and nothing that you did is lost."),
        _ => ("That did not work", "Please go back, and try it another way."),
    }
}
