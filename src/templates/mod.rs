//! Pages from templates, in the language of Jinja (the crate `minijinja`).
//!
//! Templates are parsed before they are needed, and a page is made of what is in
//! memory then: rendering reads no file, so that handlers may do it on the loop.
//!
//! ```text
//!   release       embedded: texts in the program -- parse, once, at start --.
//!                 folder: files -- read and parse, once, at start ---------.|
//!                                                                          vv
//!   development   request --> reload(): a helper reads the folder ---> Environment
//!                             and parses what has changed                   |
//!                                                    handler: render -------'
//! ```
//!
//! What is wrong with a template is found at start, with file and line. What comes to
//! light later, such as a value that isn't there, is logged the same way, and the
//! client gets the app's page for a 500, which tells nothing of it.
//!
//! ```
//! use onepoll::app::{App, TestClient};
//! use onepoll::http::Request;
//! use onepoll::templates::{Templates, context};
//! let templates = Templates::embedded([
//!     ("base.html", "<!doctype html><title>{% block title %}{% endblock %}</title>"),
//!     ("hello.html", "{% extends 'base.html' %}{% block title %}Hello, {{ name }}{% endblock %}"),
//! ])?;
//! let mut app = App::new();
//! app.get("/hello/{name}", move |request: &mut Request| {
//!     templates.render("hello.html", context! { name => request.params().get("name") })
//! });
//! let reply = TestClient::new(app).get("/hello/%3CAda%3E").send();
//! assert_eq!(reply.text(), "<!doctype html><title>Hello, &lt;Ada&gt;</title>");
//! # Ok::<(), onepoll::Error>(())
//! ```

mod folder;

pub use minijinja;
pub use minijinja::context;

use crate::app::{Flow, Middleware, Reject};
use crate::error::Error;
use crate::http::{Body, ContentType, Request, Response};
use folder::Texts;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use std::fmt::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// A set of templates. A clone is the same set; any thread may render.
///
/// - A template's name decides what it makes: `.html`, `.xml`, `.svg` and all else is
///   escaped, `.txt` is text as it is.
/// - A value that isn't there is an error where it is printed, walked through or asked
///   for its parts, so that a misspelt name is noticed. `{% if name %}` may ask
///   whether it is there, and `{{ name|default('') }}` do without.
/// - `{{ words|urlencode }}` makes a text a part of an address: `a%20b%26c`.
/// - A line that holds nothing but a `{% tag %}` leaves no blank line behind.
#[derive(Clone)]
pub struct Templates(Arc<Shared>);

struct Shared {
    /// The way here of those that came from files.
    folder: Option<PathBuf>,
    /// Everything but the templates.
    bare: Environment<'static>,
    /// Held for as long as it takes to copy a pointer, or to put another there.
    current: RwLock<Arc<Environment<'static>>>,
    /// What was read last. Held while the folder is read: only helpers wait for it.
    known: Mutex<Texts>,
}

/// Has a helper look for changed files before each request: for development. See
/// [`Templates::reload`].
#[derive(Debug)]
pub struct Reload(Templates);

impl Templates {
    /// Of texts that are in the program, by name: `include_str!` puts them there. They
    /// are parsed here, once.
    ///
    /// # Errors
    /// [`Error::Config`] with the file and line of what can't be parsed.
    pub fn embedded(
        texts: impl IntoIterator<Item = (&'static str, &'static str)>,
    ) -> Result<Templates, Error> {
        let bare = environment();
        let mut filled = bare.clone();
        for (name, text) in texts {
            filled.add_template(name, text).map_err(|error| broken(None, &error))?;
        }
        Ok(Templates::of(None, bare, filled, Texts::new()))
    }

    /// Of all files below a folder, named by their path in it, such as
    /// `mail/welcome.txt`; hidden ones are left out. They are read and parsed here,
    /// which blocks, and not again unless [`reload`](Templates::reload) says so.
    /// 1,000 files at most, of 1 MiB at most.
    ///
    /// # Errors
    /// [`Error::Folder`] or [`Error::File`] for what can't be read,
    /// [`Error::Config`] with the file and line of what can't be parsed.
    pub fn folder(path: impl AsRef<Path>) -> Result<Templates, Error> {
        let path = path.as_ref();
        let texts = folder::read(path)?;
        let bare = environment();
        let (filled, errors) = fill(&bare, &texts);
        match errors.first() {
            Some(error) => Err(broken(Some(path), error)),
            None => Ok(Templates::of(Some(path.to_owned()), bare, filled, texts)),
        }
    }

    fn of(
        folder: Option<PathBuf>,
        bare: Environment<'static>,
        filled: Environment<'static>,
        texts: Texts,
    ) -> Templates {
        let current = RwLock::new(Arc::new(filled));
        Templates(Arc::new(Shared { folder, bare, current, known: Mutex::new(texts) }))
    }

    /// With a value that all templates see: the site's name, say. To be called before
    /// clones are made; on a clone it does nothing, with a line in the log.
    #[must_use]
    pub fn global(self, name: &str, value: impl Serialize) -> Templates {
        let value = Value::from_serialize(value);
        self.setup(|environment| environment.add_global(name.to_owned(), value.clone()))
    }

    /// With whatever `minijinja` offers besides: filters, functions, tests. To be
    /// called before clones are made, as [`global`](Templates::global).
    ///
    /// ```
    /// use onepoll::templates::{Templates, context};
    /// let templates = Templates::embedded([("a.txt", "{{ 1500|kb }} kB")])?.setup(|environment| {
    ///     environment.add_filter("kb", |bytes: u64| bytes / 1000);
    /// });
    /// assert_eq!(templates.text("a.txt", context! {}).unwrap(), "1 kB");
    /// # Ok::<(), onepoll::Error>(())
    /// ```
    #[must_use]
    pub fn setup(mut self, change: impl Fn(&mut Environment<'static>)) -> Templates {
        let Some(shared) = Arc::get_mut(&mut self.0) else {
            log::error!("templates that are shared already can't be set up");
            return self;
        };
        change(&mut shared.bare);
        let current = shared.current.get_mut().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(current));
        self
    }

    /// A middleware for development: before each request a helper reads the folder,
    /// and if anything has changed the handler renders the new templates. One that
    /// can't be parsed is logged, with its line, and missing until it can. That costs
    /// each request the time to read the folder; the loop waits for nothing. Around
    /// embedded templates it does nothing.
    ///
    /// ```no_run
    /// # use onepoll::{App, templates::Templates};
    /// # let mut app = App::new();
    /// let templates = Templates::folder("templates")?;
    /// if cfg!(debug_assertions) {
    ///     app.wrap(templates.reload());
    /// }
    /// # Ok::<(), onepoll::Error>(())
    /// ```
    pub fn reload(&self) -> Reload {
        Reload(self.clone())
    }

    /// Reads the folder now, if there is one. Blocks. What can't be read or parsed is
    /// logged; if that is the whole folder, the templates stay as they were.
    pub fn refresh(&self) {
        let Some(path) = &self.0.folder else { return };
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        let texts = match folder::read(path) {
            Ok(texts) if texts == *known => return,
            Ok(texts) => texts,
            Err(error) => return log::error!("templates: {error}"),
        };
        let (filled, errors) = fill(&self.0.bare, &texts);
        for error in &errors {
            log::error!("templates: {}", explain(Some(path), error));
        }
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(filled);
        *known = texts;
    }

    /// A page: 200, with the media type that the name says (`.html` and what is
    /// unknown: HTML). The context is anything that serde can write, or made by
    /// [`context!`](context).
    ///
    /// # Errors
    /// A [`Reject`] of 500; file and line are in the log.
    pub fn render(&self, name: &str, context: impl Serialize) -> Result<Response, Reject> {
        let text = self.text(name, context)?;
        let kind = match extension(name) {
            "txt" => ContentType::TEXT,
            "xml" => ContentType::new("application/xml").unwrap_or(ContentType::BYTES),
            "svg" => ContentType::new("image/svg+xml").unwrap_or(ContentType::BYTES),
            _ => ContentType::HTML,
        };
        Ok(Response::default().content(kind, Body::Owned(text.into_bytes())))
    }

    /// As [`render`](Templates::render), the text alone.
    ///
    /// # Errors
    /// As `render`.
    pub fn text(&self, name: &str, context: impl Serialize) -> Result<String, Reject> {
        let current = self.0.current.read().unwrap_or_else(PoisonError::into_inner);
        let environment = Arc::clone(&current);
        drop(current);
        let template = environment.get_template(name);
        let text = template.and_then(|template| template.render(context));
        text.map_err(|error| {
            let folder = self.0.folder.as_deref();
            Reject::internal(format_args!("template {name}: {}", explain(folder, &error)))
        })
    }
}

impl Middleware for Reload {
    fn before(&self, _: &mut Request) -> Flow {
        if self.0.0.folder.is_none() {
            return Flow::Go;
        }
        let templates = self.0.clone();
        Flow::offload(move |_| {
            templates.refresh();
            Flow::Go
        })
    }
}

/// The rules that all templates share.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_keep_trailing_newline(true);
    // For values in addresses: `/search?q={{ words|urlencode }}`.
    environment.add_filter("urlencode", encode_all);
    // What nobody thought of is escaped.
    environment.set_auto_escape_callback(|name| match extension(name) {
        "txt" => AutoEscape::None,
        _ => AutoEscape::Html,
    });
    environment
}

/// A text as a part of a query: all but unreserved characters (RFC 3986 section 2.3) is
/// percent-encoded, what separates parts included.
fn encode_all(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => {
                // To a string, which can't fail.
                let _ = write!(encoded, "%{other:02X}");
            }
        }
    }
    encoded
}

/// All templates that can be parsed, and what is wrong with the others.
fn fill(
    bare: &Environment<'static>,
    texts: &Texts,
) -> (Environment<'static>, Vec<minijinja::Error>) {
    let mut filled = bare.clone();
    let add = |(name, text): (&String, &String)| {
        filled.add_template_owned(name.clone(), text.clone()).err()
    };
    let errors = texts.iter().filter_map(add).collect();
    (filled, errors)
}

fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn broken(folder: Option<&Path>, error: &minijinja::Error) -> Error {
    Error::Config { field: "templates", why: explain(folder, error) }
}

/// `templates/page.html:7: what is wrong`. An error in a template that another one
/// includes or extends has both, the innermost last.
fn explain(folder: Option<&Path>, error: &minijinja::Error) -> String {
    let mut text = String::new();
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if !text.is_empty() {
            text.push_str(": ");
        }
        match error.downcast_ref::<minijinja::Error>() {
            Some(error) => text.push_str(&place(folder, error)),
            None => text.push_str(&error.to_string()),
        }
        next = error.source();
    }
    text
}

fn place(folder: Option<&Path>, error: &minijinja::Error) -> String {
    let kind = error.kind();
    let what = error.detail().map_or(kind.to_string(), |detail| format!("{kind}: {detail}"));
    match (error.name(), error.line()) {
        (Some(name), Some(line)) => {
            let path = folder.unwrap_or(Path::new("")).join(name);
            format!("{}:{line}: {what}", path.display())
        }
        _ => what,
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let current = self.0.current.read().unwrap_or_else(PoisonError::into_inner);
        let names: Vec<_> = current.templates().map(|(name, _)| name).collect();
        f.debug_struct("Templates").field("folder", &self.0.folder).field("names", &names).finish()
    }
}

#[cfg(test)]
mod tests;
