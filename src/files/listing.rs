//! What is in a folder, as a page or as JSON.
//!
//! A folder may have a million entries, and its reader may be slow. So a listing
//! is a [`Source`]: it reads as the client takes. Only what a person would read
//! through is gathered and sorted; beyond that, entries go out as they come from
//! the disk, and the listing says so.
//!
//! ```text
//!   respond --> Begin --> Gather --- the end ------------> sort --> Shown --> End
//!               (head)      |                                        ^ |
//!                           '- too many, or no memory for it --------' '--> Stream --> End
//!                               (in the folder's order)                      (one batch
//!                                                                             of names)
//! ```
//!
//! Everything here runs on a helper. A listing that is short is complete when
//! [`respond`] is, and leaves in one piece, with its length.

mod gather;
mod html;
mod json;
mod order;

use super::fields;
use super::serve::{Site, status_of};
use crate::disk::{Entries, Entry, Folder, Kind, Opened};
use crate::http::accept::media_type;
use crate::http::{Body, ContentType, Method, Pull, Request, Response, Source, Status};
use gather::{Budget, Gathered, Row};
use order::Order;
use std::io;

/// How a folder is shown.
struct View {
    /// Its path below the served folder, decoded, without slashes at its ends.
    folder: String,
    /// Whether an entry of this name may be asked for; what may not isn't shown.
    /// It is asked before an entry is looked at, and after.
    shows: Shows,
    /// Whether the page has a form that posts files to the folder.
    uploads: bool,
}

/// A rule about names; the kind of the entry is given if it is known.
type Shows = Box<dyn Fn(&str, Option<Kind>) -> bool + Send>;

/// The reply to `GET` or `HEAD` of a folder that is open; `path` is its own
/// within the site, empty or with a slash at its end. Blocks on the disk.
///
/// # Errors
/// The status to answer with.
pub(super) fn answer(
    site: &Site,
    request: &Request,
    path: &str,
    opened: Opened,
) -> Result<Response, Status> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let folder = Entries::of(&site.jail, path.as_bytes(), opened).map_err(|_| Status::NOT_FOUND)?;
    let (options, top) = (site.options.clone(), path.is_empty());
    let uploads = options.upload.is_some();
    let shows: Shows = Box::new(move |name, kind| match kind {
        None => options.shows_name(name, top) && !Folder::reserves(name.as_bytes()),
        Some(Kind::Folder) => true,
        Some(Kind::File) => options.shows_file(name),
    });
    let view = View { folder: path.to_owned(), shows, uploads };
    let mut response = respond(request, folder, view).map_err(|error| status_of(path, &error))?;
    fields::add_own(&site.options, &mut response);
    Ok(response)
}

fn respond(request: &Request, folder: Entries, view: View) -> io::Result<Response> {
    let order = Order::of(request.query().unwrap_or(""));
    let page = match media_type(request.headers(), &["text/html", "application/json"]) {
        Some(1) => Page::Json(view.folder),
        _ => {
            let (folder, host) = (view.folder, request.authority().to_owned());
            Page::Html(html::Page { folder, host, order, uploads: view.uploads })
        }
    };
    let response = head(&page);
    let mut listing = Listing::new(folder, view.shows, page, order, &gather::SHARED);
    if *request.method() == Method::HEAD {
        // Nobody pulls it; but its length is as unknown as that of many.
        return Ok(response.body(Body::Blocking(Box::new(listing), None)));
    }
    let mut first = Vec::new();
    Ok(response.body(match listing.pull(&mut first, FIRST)? {
        Pull::End => Body::Owned(first),
        _ => Body::Blocking(Box::new(Begun { first, listing }), None),
    }))
}

/// All but the content.
fn head(page: &Page) -> Response {
    let response = Response::new(Status::OK)
        // There is no validator that tells whether an entry has changed.
        .header("Cache-Control", "no-cache")
        .header("Vary", "Accept")
        .header("X-Content-Type-Options", "nosniff");
    match page {
        Page::Html(_) => response
            .header("Content-Security-Policy", html::POLICY)
            .header("Content-Type", ContentType::HTML.as_str()),
        Page::Json(_) => response.header("Content-Type", ContentType::JSON.as_str()),
    }
}

/// A listing on its way out.
struct Listing {
    state: State,
    /// Until it is read to its end.
    folder: Option<Entries>,
    shows: Shows,
    gathered: Gathered,
    /// The first one that could not be gathered.
    beyond: Option<(String, Entry)>,
    order: Order,
    page: Page,
    tally: Tally,
}

enum State {
    /// Nothing is written yet.
    Begin,
    /// Entries are read and kept.
    Gather,
    /// The gathered are written, the first so many of them already.
    Shown(usize),
    /// The others are read and written.
    Stream,
    End,
}

enum Page {
    Html(html::Page),
    /// The folder's path.
    Json(String),
}

/// Whether entries are in the order that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sorted {
    Yes,
    No,
}

/// What was shown, and what was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    folders: u64,
    files: u64,
    /// Of the files.
    bytes: u64,
    /// Entries whose names are not UTF-8: no address leads to them.
    left_out: u64,
}

/// Bytes of the first piece. What is not longer is sent as a whole.
const FIRST: usize = 64 * 1024;
/// Room for the row that makes a piece longer than was asked for.
const ROW: usize = 4 * 1024;
/// Entries that are looked at in one go. Each may cost a read from a slow disk;
/// in between, others get their turn at the helper.
const LOOKS_MAX: usize = 1_000;

impl Source for Listing {
    fn pull(&mut self, out: &mut Vec<u8>, room: usize) -> io::Result<Pull> {
        let mut text = String::with_capacity(room + ROW);
        let mut looks = 0;
        let pull = loop {
            if text.len() >= room || looks >= LOOKS_MAX {
                break Pull::More;
            }
            match self.state {
                State::Begin => {
                    self.page.start(&mut text);
                    self.state = State::Gather;
                }
                State::Gather => {
                    looks += 1;
                    self.gather(&mut text)?;
                }
                State::Shown(at) => self.show(at, &mut text),
                State::Stream => {
                    looks += 1;
                    self.stream(&mut text)?;
                }
                State::End => break Pull::End,
            }
        };
        if out.is_empty() {
            *out = text.into_bytes();
        } else {
            out.extend_from_slice(text.as_bytes());
        }
        Ok(pull)
    }
}

impl Listing {
    fn new(
        folder: Entries,
        shows: Shows,
        page: Page,
        order: Order,
        budget: &'static Budget,
    ) -> Listing {
        Listing {
            state: State::Begin,
            folder: Some(folder),
            shows,
            gathered: Gathered::new(budget),
            beyond: None,
            order,
            page,
            tally: Tally::default(),
        }
    }

    /// Keeps one more entry.
    fn gather(&mut self, out: &mut String) -> io::Result<()> {
        let sorted = match self.next()? {
            Next::Hidden => return Ok(()),
            Next::Entry(name, entry) if self.gathered.add(&name, entry) => return Ok(()),
            Next::Entry(name, entry) => {
                self.beyond = Some((name, entry));
                Sorted::No
            }
            Next::Over => {
                self.folder = None; // its descriptor is worth more elsewhere
                self.gathered.sort(self.order);
                Sorted::Yes
            }
        };
        self.page.table(out, sorted);
        self.state = State::Shown(0);
        Ok(())
    }

    /// Writes one of the gathered.
    fn show(&mut self, at: usize, out: &mut String) {
        if let Some(row) = self.gathered.get(at) {
            self.page.row(out, &row, &mut self.tally);
            self.state = State::Shown(at + 1);
            return;
        }
        self.gathered.clear();
        if let Some((name, entry)) = self.beyond.take() {
            self.page.row(out, &Row { name: &name, entry }, &mut self.tally);
        }
        self.state = State::Stream;
    }

    /// Reads and writes one.
    fn stream(&mut self, out: &mut String) -> io::Result<()> {
        match self.next()? {
            Next::Hidden => {}
            Next::Entry(name, entry) => {
                self.page.row(out, &Row { name: &name, entry }, &mut self.tally);
            }
            Next::Over => {
                self.folder = None;
                self.page.end(out, &self.tally);
                self.state = State::End;
            }
        }
        Ok(())
    }

    fn next(&mut self) -> io::Result<Next> {
        let Some(folder) = &mut self.folder else { return Ok(Next::Over) };
        if !folder.advance()? {
            return Ok(Next::Over);
        }
        let Ok(name) = std::str::from_utf8(folder.name()) else {
            // Hidden ones are hidden, whatever the rest of the name.
            let hidden = folder.name().starts_with(b".");
            self.tally.left_out += u64::from(!hidden && folder.look().is_some());
            return Ok(Next::Hidden);
        };
        if !(self.shows)(name, None) {
            return Ok(Next::Hidden);
        }
        Ok(match folder.look().filter(|entry| (self.shows)(name, Some(entry.kind))) {
            Some(entry) => Next::Entry(name.to_owned(), entry),
            None => Next::Hidden,
        })
    }
}

enum Next {
    Entry(String, Entry),
    Hidden,
    Over,
}

impl Page {
    fn start(&self, out: &mut String) {
        if let Page::Html(page) = self {
            page.start(out);
        }
    }

    fn table(&self, out: &mut String, sorted: Sorted) {
        match self {
            Page::Html(page) => page.table(out, sorted),
            Page::Json(folder) => json::table(out, folder, sorted),
        }
    }

    fn row(&self, out: &mut String, row: &Row<'_>, tally: &mut Tally) {
        match self {
            Page::Html(page) => page.row(out, row),
            Page::Json(_) => json::row(out, row, tally.folders + tally.files == 0),
        }
        match row.entry.kind {
            Kind::Folder => tally.folders += 1,
            Kind::File => {
                tally.files += 1;
                tally.bytes = tally.bytes.saturating_add(row.entry.size);
            }
        }
    }

    fn end(&self, out: &mut String, tally: &Tally) {
        match self {
            Page::Html(page) => page.end(out, tally),
            Page::Json(_) => json::end(out, tally),
        }
    }
}

/// A listing whose first piece is there already.
struct Begun {
    first: Vec<u8>,
    listing: Listing,
}

impl Source for Begun {
    fn pull(&mut self, out: &mut Vec<u8>, room: usize) -> io::Result<Pull> {
        if self.first.is_empty() {
            return self.listing.pull(out, room);
        }
        out.append(&mut std::mem::take(&mut self.first));
        Ok(Pull::More)
    }
}

/// Bytes of our own making, which are ASCII.
fn text_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("")
}

#[cfg(test)]
mod tests;
