//! A listing for people: one page that needs nothing else.
//!
//! No script, no picture, no font: the style is part of the page, and the
//! policy that goes with it names its hash, so that nothing else that might get
//! into the page is ever run or fetched.

use super::gather::Row;
use super::order::{Key, Order, Way};
use super::{Sorted, Tally, text_of};
use crate::app::html::escape;
use crate::disk::Kind;
use crate::http::date;
use crate::http::target::percent_encode;
use std::fmt::Write;

/// What a page shows beside the entries.
#[derive(Debug)]
pub(super) struct Page {
    /// The folder's path below the top, without slashes at its ends.
    pub(super) folder: String,
    /// What the top is called: the host.
    pub(super) host: String,
    pub(super) order: Order,
    /// Whether there is a form to send files.
    pub(super) uploads: bool,
}

const STYLE: &str = include_str!("style.css");

/// The policy (CSP level 3): this style, this form, nothing more. The hash is
/// that of `style.css`; a test computes it again.
pub(super) const POLICY: &str = "default-src 'none'; \
    style-src 'sha256-+1ip2PzEA7PumXDQS8Hn7r8eBKWBwWHL6+sCAGskRBw='; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

impl Page {
    /// All that stands above the table, and can be said before the folder is read.
    pub(super) fn start(&self, out: &mut String) {
        out.push_str(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>Index of /",
        );
        text(out, &self.folder);
        if !self.folder.is_empty() {
            out.push('/');
        }
        out.push_str("</title>\n<style>");
        out.push_str(STYLE);
        out.push_str("</style>\n</head>\n<body>\n");
        self.way_up(out);
        out.push_str("<main>\n<h1>");
        text(out, self.folder.rsplit('/').next().filter(|s| !s.is_empty()).unwrap_or(self.top()));
        out.push_str("</h1>\n");
        if self.uploads {
            out.push_str(
                "<form method=\"post\" action=\"./\" enctype=\"multipart/form-data\">\
                 <label>Add files <input type=\"file\" name=\"file\" multiple required></label>\
                 <button>Upload</button></form>\n",
            );
        }
    }

    fn top(&self) -> &str {
        if self.host.is_empty() { "Top" } else { &self.host }
    }

    /// The folders above, as links: the top is as many steps up as there are names.
    fn way_up(&self, out: &mut String) {
        let names: Vec<&str> = self.folder.split('/').filter(|name| !name.is_empty()).collect();
        if names.is_empty() {
            return;
        }
        out.push_str("<nav aria-label=\"Folders above\"><ol>");
        let trail = std::iter::once(self.top()).chain(names.iter().copied());
        // The last name is the folder itself.
        for (name, steps) in trail.zip((1..=names.len()).rev()) {
            out.push_str("<li><a href=\"");
            (0..steps).for_each(|_| out.push_str("../"));
            out.push_str(self.suffix());
            out.push_str("\">");
            text(out, name);
            out.push_str("</a></li>");
        }
        out.push_str("</ol></nav>\n");
    }

    /// What is behind the address of a folder, so that the order is kept on the
    /// way: nothing, if it is the usual one.
    fn suffix(&self) -> &'static str {
        if self.order == Order::default() { "" } else { self.order.query() }
    }

    /// The head of the table.
    pub(super) fn table(&self, out: &mut String, sorted: Sorted) {
        if sorted == Sorted::No {
            out.push_str(
                "<p role=\"status\">This folder is too large to be sorted: \
                 its entries are shown in the order in which the disk has them.</p>\n",
            );
        }
        out.push_str("<table>\n<thead><tr>");
        for (key, name) in [(Key::Name, "Name"), (Key::Size, "Size"), (Key::Time, "Modified")] {
            out.push_str("<th scope=\"col\"");
            if sorted == Sorted::No {
                let _ = write!(out, ">{name}</th>");
                continue;
            }
            if self.order.key == key {
                out.push_str(match self.order.way {
                    Way::Ascending => " aria-sort=\"ascending\"",
                    Way::Descending => " aria-sort=\"descending\"",
                });
            }
            // Writing into a String cannot fail, here and below.
            let _ = write!(out, "><a href=\"{}\">{name}</a></th>", self.order.turned(key).query());
        }
        out.push_str("</tr></thead>\n<tbody>\n");
    }

    pub(super) fn row(&self, out: &mut String, row: &Row<'_>) {
        let Row { name, entry } = *row;
        // In front of the name a `./`, as a colon in it would end a scheme.
        let (open, slash) = match entry.kind {
            Kind::Folder => ("<tr class=\"d\"><th scope=\"row\"><a href=\"./", "/"),
            Kind::File => ("<tr><th scope=\"row\"><a href=\"./", ""),
        };
        out.push_str(open);
        // `&` and `'` may stand in a path as they are, but not in an attribute.
        escape(out, &percent_encode(name.as_bytes()));
        out.push_str(slash);
        if entry.kind == Kind::Folder {
            out.push_str(self.suffix());
        }
        out.push_str("\">");
        text(out, name);
        out.push_str(slash);
        out.push_str("</a></th><td>");
        if entry.kind == Kind::File {
            size(out, entry.size);
        }
        out.push_str("</td><td>");
        time(out, entry.modified);
        out.push_str("</td></tr>\n");
    }

    pub(super) fn end(&self, out: &mut String, tally: &Tally) {
        if tally.folders + tally.files == 0 {
            out.push_str("<tr><td colspan=\"3\">There is nothing here.</td></tr>\n");
        }
        out.push_str("</tbody>\n</table>\n<p>");
        counted(out, tally.folders, "folder", "folders");
        out.push_str(", ");
        counted(out, tally.files, "file", "files");
        if tally.files > 0 {
            out.push_str(" of ");
            size(out, tally.bytes);
        }
        out.push_str(". Times are UTC.");
        if tally.left_out > 0 {
            out.push(' ');
            counted(out, tally.left_out, "entry has a name", "entries have names");
            out.push_str(" that can’t be shown.");
        }
        out.push_str("</p>\n</main>\n</body>\n</html>\n");
    }
}

/// Text, escaped. What would not be seen, or would change how the rest is seen,
/// is shown by a sign: a name is what it looks like.
pub(super) fn text(out: &mut String, text: &str) {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return escape(out, text); // nearly always
    }
    let mut plain = 0;
    for (at, c) in text.char_indices().filter(|(_, c)| is_unseen(*c)) {
        escape(out, text.get(plain..at).unwrap_or(""));
        match u32::from(c) {
            // Unicode has a picture for each of these.
            code @ 0..0x20 => out.extend(char::from_u32(0x2400 + code)),
            0x7f => out.push('\u{2421}'),
            code => {
                let _ = write!(out, "\u{27e8}U+{code:04X}\u{27e9}");
            }
        }
        plain = at + c.len_utf8();
    }
    escape(out, text.get(plain..).unwrap_or(""));
}

/// Control characters, marks that turn the direction of text, and what takes no
/// place at all. The joiners U+200C and U+200D are parts of words and of emoji.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The size for people, and the exact one for whoever wants it.
fn size(out: &mut String, bytes: u64) {
    let _ = write!(out, "<data value=\"{bytes}\" title=\"");
    grouped(out, bytes);
    out.push_str(if bytes == 1 { " byte\">" } else { " bytes\">" });
    human(out, bytes);
    out.push_str("</data>");
}

/// In the largest unit of which there is one, with three digits or so.
pub(super) fn human(out: &mut String, bytes: u64) {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        let _ = write!(out, "{bytes} B");
        return;
    }
    let (mut whole, mut unit) = (bytes, "");
    // Tenths of the unit, rounded up like the file that takes the place.
    let mut tenths = 0;
    for next in UNITS {
        if whole < 1024 {
            break;
        }
        (tenths, unit) = (whole % 1024 * 10 / 1024, next);
        whole /= 1024;
    }
    let _ = match whole {
        ..100 => write!(out, "{whole}.{tenths} {unit}"),
        _ => write!(out, "{whole} {unit}"),
    };
}

/// `1,234,567`
fn grouped(out: &mut String, number: u64) {
    let digits = number.to_string();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
}

fn counted(out: &mut String, number: u64, one: &str, many: &str) {
    grouped(out, number);
    out.push(' ');
    out.push_str(if number == 1 { one } else { many });
}

/// Date and time; the page's style leaves the time out where there is no room.
fn time(out: &mut String, unix_secs: u64) {
    let full = date::rfc3339(unix_secs);
    let (full, minutes) = (text_of(&full), text_of(full.get(..16).unwrap_or(&[])));
    let (day, time) = minutes.split_once('T').unwrap_or((minutes, ""));
    let _ = write!(out, "<time datetime=\"{full}\">{day}<span> {time}</span></time>");
}

#[cfg(test)]
mod tests;
