//! What a folder shows and how: plain settings, checked when they are set.

use super::pattern::{Pattern, is_hashed};
use super::upload::Uploads;
use crate::error::Error;
use crate::http::{ContentType, Headers, Response};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The settings of one folder; what each means is said at the method of
/// [`Files`](super::Files) that sets it.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// The file that stands for its folder.
    pub(super) index: Box<str>,
    pub(super) listing: bool,
    pub(super) hidden: bool,
    /// Extensions in lower case, without the dot; none: all are shown.
    pub(super) only: Vec<Box<str>>,
    /// Extensions in lower case that are offered to be saved.
    pub(super) attachment: Vec<Box<str>>,
    /// The first that matches the path within the folder counts.
    pub(super) cache_control: Vec<(Pattern, Box<str>)>,
    pub(super) immutable_hashed: bool,
    /// Fields of every reply, but for the app's error pages.
    pub(super) headers: Headers,
    /// Extensions in lower case, and their types.
    pub(super) media_types: Vec<(Box<str>, ContentType)>,
    /// Paths within the folder.
    pub(super) page404: Option<Box<str>>,
    pub(super) spa: Option<Box<str>>,
    pub(super) precompressed: bool,
    pub(super) gzip: bool,
    pub(super) cache_bytes: u64,
    pub(super) cache_files: usize,
    pub(super) fresh: Duration,
    pub(super) upload: Option<Uploads>,
    pub(super) before_disk: Option<Hook>,
}

/// What a test wants to happen before a helper touches the disk.
#[derive(Clone)]
pub(super) struct Hook(pub(super) Arc<dyn Fn() + Send + Sync>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// Content that the cache may hold. Its fields and names come on top.
const CACHE_BYTES: u64 = 32 << 20;
/// Open files that the cache may hold: far below the 1,024 descriptors that a
/// process has on a system where nobody changed anything.
const CACHE_FILES: usize = 256;
/// How long what is in the cache is taken for the truth.
const FRESH: Duration = Duration::from_secs(1);
/// What is named after its content never changes: a year, the longest that
/// caches agree to (RFC 9111 section 1.2.2 leaves more undefined), and no
/// question when the page is loaded again (RFC 8246).
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Fields that tell of one file's content: with one value for all, clients and
/// caches would take one file for another, or garbage for text.
const OF_CONTENT: [&str; 5] =
    ["Content-Encoding", "Content-Range", "Content-Type", "ETag", "Last-Modified"];

impl Default for Options {
    fn default() -> Options {
        Options {
            index: "index.html".into(),
            listing: false,
            hidden: false,
            only: Vec::new(),
            attachment: Vec::new(),
            cache_control: Vec::new(),
            immutable_hashed: false,
            headers: Headers::new(),
            media_types: Vec::new(),
            page404: None,
            spa: None,
            precompressed: false,
            gzip: false,
            cache_bytes: CACHE_BYTES,
            cache_files: CACHE_FILES,
            fresh: FRESH,
            upload: None,
            before_disk: None,
        }
    }
}

impl Options {
    /// Whether a name may be shown; `top` is whether it lies in the folder
    /// itself.
    pub(super) fn shows_name(&self, name: &str, top: bool) -> bool {
        // RFC 8615: the one hidden name that is meant for everybody.
        self.hidden || !name.starts_with('.') || (top && name == ".well-known")
    }

    /// Whether a file of this name may be shown, as far as its extension goes.
    pub(super) fn shows_file(&self, name: &str) -> bool {
        self.only.is_empty() || has_extension(name, &self.only)
    }

    /// Whether a file of this name is offered to be saved.
    pub(super) fn is_attachment(&self, name: &str) -> bool {
        self.attachment.iter().any(|one| &**one == "*") || has_extension(name, &self.attachment)
    }

    /// `Cache-Control` of a file, by its path within the folder.
    pub(super) fn cache_control(&self, path: &str) -> Option<&str> {
        let rule = self.cache_control.iter().find(|(pattern, _)| pattern.matches(path));
        match rule {
            Some((_, value)) => Some(value),
            None if self.immutable_hashed && is_hashed(path) => Some(IMMUTABLE),
            None => None,
        }
    }

    /// The type that the settings give this name.
    pub(super) fn media_type(&self, name: &str) -> Option<&ContentType> {
        let extension = extension(name)?;
        let own = self.media_types.iter().find(|(own, _)| own.eq_ignore_ascii_case(extension));
        own.map(|(_, media_type)| media_type)
    }

    pub(super) fn add_cache_control(&mut self, pattern: &str, value: &str) -> Result<(), Error> {
        check_field("cache_control", "Cache-Control", value)?;
        let why = |why| Error::Config { field: "cache_control", why };
        let pattern = Pattern::new(pattern).map_err(why)?;
        self.cache_control.push((pattern, value.into()));
        Ok(())
    }

    pub(super) fn add_header(&mut self, name: &str, value: &str) -> Result<(), Error> {
        check_field("header", name, value)?;
        if OF_CONTENT.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            let why = format!("{name:?} is not the same for all files");
            return Err(Error::Config { field: "header", why });
        }
        let why = |error| Error::Config { field: "header", why: format!("{name:?}: {error}") };
        self.headers.add(name, value).map_err(why)
    }

    pub(super) fn add_media_type(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let why = |why: &str| Error::Config {
            field: "media_type",
            why: format!("{value:?} of {name:?}: {why}"),
        };
        let looks_right =
            value.split_once('/').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty());
        if !looks_right {
            return Err(why("a media type has the form type/subtype"));
        }
        let media_type = ContentType::new(value.to_owned());
        let media_type = media_type.map_err(|error| why(&error.to_string()))?;
        self.media_types.push((plain_extension(name), media_type));
        Ok(())
    }
}

/// What stands behind the last dot of a name; a dot at its beginning is no such.
pub(super) fn extension(name: &str) -> Option<&str> {
    let name = name.rsplit('/').next().unwrap_or(name);
    let (stem, extension) = name.rsplit_once('.')?;
    (!stem.is_empty() && !extension.is_empty()).then_some(extension)
}

fn has_extension(name: &str, list: &[Box<str>]) -> bool {
    let Some(extension) = extension(name) else { return false };
    list.iter().any(|one| one.eq_ignore_ascii_case(extension))
}

/// An extension as people write it, `.HTML`, as it is compared.
pub(super) fn plain_extension(text: &str) -> Box<str> {
    text.trim_start_matches('.').to_ascii_lowercase().into()
}

/// A path within the folder as people write it, with or without a slash in front.
pub(super) fn plain_path(text: &str) -> Box<str> {
    text.trim_start_matches('/').into()
}

/// Whether this can be a field line of a reply, and is not the engine's.
fn check_field(field: &'static str, name: &str, value: &str) -> Result<(), Error> {
    let why = |error| Error::Config { field, why: format!("{name:?}: {value:?}: {error}") };
    Response::default().add_header(name, value).map_err(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions() {
        let table = [
            ("a.html", Some("html")),
            ("a.tar.gz", Some("gz")),
            ("x.d/a", None),
            ("x.d/a.B", Some("B")),
            ("a.", None),
            (".profile", None),
            ("a", None),
            ("", None),
        ];
        for (name, expected) in table {
            assert_eq!(extension(name), expected, "{name}");
        }
    }

    #[test]
    fn what_is_shown() {
        let mut options = Options::default();
        assert!(options.shows_name("a", false) && options.shows_name(".well-known", true));
        assert!(!options.shows_name(".a", true) && !options.shows_name(".well-known", false));
        assert!(options.shows_file("Makefile"));
        options.hidden = true;
        assert!(options.shows_name(".a", false));
        options.only = vec![plain_extension(".HTML"), plain_extension("css")];
        for (name, expected) in [("a.html", true), ("a.HTML", true), ("a.txt", false), ("a", false)]
        {
            assert_eq!(options.shows_file(name), expected, "{name}");
        }
    }

    #[test]
    fn what_is_to_be_saved() {
        let mut options = Options::default();
        assert!(!options.is_attachment("a.zip"));
        options.attachment = vec![plain_extension(".ZIP")];
        assert!(options.is_attachment("a.zip") && !options.is_attachment("zip"));
        options.attachment = vec![plain_extension("*")];
        assert!(options.is_attachment("a.html") && options.is_attachment("no-extension"));
    }

    #[test]
    fn the_first_rule_counts() {
        let mut options = Options { immutable_hashed: true, ..Options::default() };
        options.add_cache_control("assets/*.js", "no-store").unwrap();
        options.add_cache_control("**/*.js", "max-age=60").unwrap();
        let table = [
            ("assets/a.js", Some("no-store")),
            ("assets/b/a.js", Some("max-age=60")),
            ("app.5f3c9a1b.css", Some(IMMUTABLE)),
            ("app.css", None),
        ];
        for (path, expected) in table {
            assert_eq!(options.cache_control(path), expected, "{path}");
        }
    }

    #[test]
    fn what_can_not_be_sent_is_told_at_the_start() {
        let mut options = Options::default();
        let errors = [
            options.add_header("X A", "b"),
            options.add_header("X-A", "b\r\nX-B: c"),
            options.add_header("Content-Length", "1"),
            options.add_header("etag", "\"1\""),
            options.add_header("Content-Encoding", "gzip"),
            options.add_header("Content-Type", "text/plain"),
            options.add_cache_control("*", "a\n"),
            options.add_cache_control("", "no-store"),
            options.add_media_type("wasm", "application"),
            options.add_media_type("wasm", "a/b\n"),
        ];
        for (at, error) in errors.into_iter().enumerate() {
            let Err(error @ Error::Config { .. }) = error else { panic!("row {at}") };
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        options.add_header("X-A", "b").unwrap();
        options.add_media_type(".WASM", "application/x-wasm").unwrap();
        let own = options.media_type("a.wasm").map(ContentType::as_str);
        assert_eq!(own, Some("application/x-wasm"));
    }
}
