//! What is sent as it is, and the templates: built into the program, so that it runs
//! from anywhere.

use crate::args::Args;
use onepoll::http::{Body, ContentType};
use onepoll::templates::Templates;
use onepoll::{Error, Reject, Request, Response};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

/// Name, media type, content.
const FILES: [(&str, &str, &[u8]); 3] = [
    ("site.css", "text/css; charset=utf-8", include_bytes!("static/site.css")),
    ("site.js", "text/javascript; charset=utf-8", include_bytes!("static/site.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("static/icon.svg")),
];

const TEMPLATES: [(&str, &str); 7] = [
    ("base.html", include_str!("templates/base.html")),
    ("home.html", include_str!("templates/home.html")),
    ("profile.html", include_str!("templates/profile.html")),
    ("contact.html", include_str!("templates/contact.html")),
    ("thanks.html", include_str!("templates/thanks.html")),
    ("uploads.html", include_str!("templates/uploads.html")),
    ("error.html", include_str!("templates/error.html")),
];

/// The templates, parsed once, or those of the folder that somebody works on.
pub fn templates(args: &Args) -> Result<Templates, Error> {
    let templates = match &args.templates {
        Some(folder) => Templates::folder(folder)?,
        None => Templates::embedded(TEMPLATES)?,
    };
    Ok(templates.global("version", VERSION.as_str()))
}

/// Changes when a file does. It stands in the addresses of all of them, so that
/// browsers may keep what they have for ever.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    FILES.hash(&mut hasher);
    format!("{:08x}", hasher.finish() as u32)
});

/// `GET /static/{file}`
pub fn file(request: &mut Request) -> Result<Response, Reject> {
    let name: String = request.param("file")?;
    let (_, kind, content) =
        FILES.iter().find(|(own, ..)| *own == name).ok_or_else(Reject::not_found)?;
    // Only who asks for this very version may keep it.
    let current = request.query().and_then(|query| query.strip_prefix("v=")) == Some(&**VERSION);
    let cache = if current { "public, max-age=31536000, immutable" } else { "no-cache" };
    let kind = ContentType::new(*kind).map_err(Reject::internal)?;
    let response = Response::default().content(kind, Body::Static(content));
    Ok(response.header("Cache-Control", cache))
}

/// What browsers ask for that haven't read the page.
pub fn icon(_: &mut Request) -> Response {
    onepoll::app::permanent("/static/icon.svg")
}
