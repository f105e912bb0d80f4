//! Error pages in the form that the client can read: a page for people, problem
//! details (RFC 9457) for programs, a line of text for everybody else.

use crate::app::{html, json};
use crate::http::accept::media_type;
use crate::http::{Body, ContentType, Request, Response, Status};

/// What a browser gets. No style of its own: a strict policy would not have it.
const PAGE: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
    <meta name=\"color-scheme\" content=\"light dark\">\n";

/// In order of preference where the client has none. The first is no type: it wins
/// where `*/*` is all that was said, and then a line of text will do.
const OFFERS: [&str; 5] =
    ["-/-", "application/problem+json", "application/json", "text/html", "text/plain"];

/// The page for an error, for [`App::errors`](crate::App::errors): by `Accept` as
/// HTML, as `application/problem+json` (also for who asks for `application/json`),
/// or as text, which is what it is without the field and for `*/*`.
///
/// For pages of one's own, it is the answer to the rest:
///
/// ```
/// use onepoll::app::{App, TestClient};
/// use onepoll::handlers::pages;
/// use onepoll::http::{Response, Status};
/// let mut app = App::new();
/// app.errors(|request, status, message| match status {
///     Status::NOT_FOUND if request.path().starts_with("/shop/") => {
///         Response::new(status).html("<h1>Sold out</h1>")
///     }
///     _ => pages(request, status, message),
/// });
/// let mut client = TestClient::new(app);
/// let problem = client.get("/x").header("Accept", "application/json").send();
/// assert_eq!(problem.header("Content-Type"), Some("application/problem+json"));
/// assert_eq!(problem.text(), r#"{"type":"about:blank","title":"Not Found","status":404}"#);
/// ```
pub fn pages(request: &Request, status: Status, message: &str) -> Response {
    let response = match media_type(request.headers(), &OFFERS) {
        Some(1 | 2) => problem(status, message),
        Some(3) => Response::new(status).html(page(status, message)),
        _ => {
            let end = if message.is_empty() { "" } else { ": " };
            Response::new(status).text(format!("{status}{end}{message}\n"))
        }
    };
    response.header("Vary", "Accept")
}

/// Problem details of a status and a message, which may be empty (RFC 9457
/// section 4.2.1: the type `about:blank` means no more than the status).
pub fn problem(status: Status, message: &str) -> Response {
    let text = json::object(|problem| {
        problem.set("type", "about:blank");
        problem.set("title", title(status));
        problem.set("status", u32::from(status.code()));
        if !message.is_empty() {
            problem.set("detail", message);
        }
    });
    let kind = ContentType::new("application/problem+json").unwrap_or(ContentType::JSON);
    Response::new(status).content(kind, Body::Owned(text.into_bytes()))
}

fn page(status: Status, message: &str) -> String {
    let heading = format!("{} {}", status.code(), title(status));
    let mut text = format!("{PAGE}<title>{heading}</title>\n</head>\n<body>\n<main>\n");
    text.push_str(&format!("<h1>{heading}</h1>\n"));
    if !message.is_empty() {
        text.push_str("<p>");
        html::escape(&mut text, message);
        text.push_str("</p>\n");
    }
    text.push_str("</main>\n</body>\n</html>\n");
    text
}

/// The reason phrase; something to read also for a status without one.
fn title(status: Status) -> &'static str {
    match status.reason() {
        "" => "Error",
        reason => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{App, Flow, Reject, TestClient};
    use crate::http::Method;

    const FIREFOX: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

    fn of(accept: &str, message: &str) -> Response {
        let mut request = Request::new(Method::GET, "/");
        if !accept.is_empty() {
            request.headers_mut().add("Accept", accept).unwrap();
        }
        pages(&request, Status::UNPROCESSABLE_CONTENT, message)
    }

    #[test]
    fn each_client_gets_what_it_reads() {
        for (accept, kind) in [
            ("", "text/plain; charset=utf-8"),
            ("*/*", "text/plain; charset=utf-8"),
            (FIREFOX, "text/html; charset=utf-8"),
            ("text/html", "text/html; charset=utf-8"),
            ("application/json", "application/problem+json"),
            ("application/json, text/plain, */*", "application/problem+json"),
            ("application/problem+json", "application/problem+json"),
            ("text/html;q=0.1, application/json", "application/problem+json"),
            ("text/plain", "text/plain; charset=utf-8"),
            ("image/png", "text/plain; charset=utf-8"),
        ] {
            let response = of(accept, "");
            assert_eq!(response.content_type().unwrap().as_str(), kind, "{accept}");
            assert_eq!(response.get("vary"), Some(&b"Accept"[..]));
            assert_eq!(response.status().code(), 422);
        }
    }

    #[test]
    fn messages_are_escaped() {
        let body = |accept| {
            let response = of(accept, "a <b> & \"c\"\n");
            String::from_utf8(response.body_ref().bytes().unwrap().to_vec()).unwrap()
        };
        let html = body("text/html");
        assert!(html.contains("<p>a &lt;b&gt; &amp; &quot;c&quot;\n</p>"), "{html}");
        assert!(html.contains("<title>422 Unprocessable Content</title>"));
        let problem = body("application/json");
        assert!(problem.ends_with(r#""status":422,"detail":"a <b> & \"c\"\n"}"#), "{problem}");
        assert_eq!(body(""), "422 Unprocessable Content: a <b> & \"c\"\n\n");
    }

    #[test]
    fn all_errors_of_an_app_pass_through_it() {
        let mut app = App::new();
        app.errors(pages);
        app.before(|request| match request.path() {
            "/hook" => Flow::Refuse(Reject::forbidden().header("X-Why", "hook")),
            _ => Flow::Go,
        });
        app.post("/only", |_: &mut Request| "posted").body_max(1);
        app.get("/panics", |_: &mut Request| -> &'static str { panic!("on purpose") });
        app.get("/bad", |_: &mut Request| Reject::bad("no"));
        let mut client = TestClient::new(app);
        for (path, status) in
            [("/none", 404), ("/only", 405), ("/panics", 500), ("/bad", 400), ("/hook", 403)]
        {
            let reply = client.get(path).header("Accept", "application/json").send();
            assert_eq!(reply.status.code(), status);
            assert!(reply.text().contains(&format!("\"status\":{status}")), "{}", reply.text());
        }
        let hook = client.get("/hook").header("Accept", FIREFOX).send();
        assert_eq!(hook.header("X-Why"), Some("hook"));
        let long = client.post("/only").header("Accept", FIREFOX).body("xx").send();
        assert!(long.text().contains("<h1>413 Content Too Large</h1>"));
        let allow = client.get("/only").send();
        assert_eq!(allow.header("Allow"), Some("OPTIONS, POST"));
    }
}
