//! A listing for programs.
//!
//! ```json
//! {"path":"/pictures/","sorted":true,"entries":[
//!   {"name":"2024","type":"directory","size":null,"modified":"2026-01-02T03:04:05Z"},
//!   {"name":"a.jpg","type":"file","size":1234,"modified":"2026-01-02T03:04:05Z"}
//! ],"left_out":0}
//! ```
//!
//! Names and types are those that nginx's listings have, where programs may
//! know them from.

use super::gather::Row;
use super::{Sorted, Tally, text_of};
use crate::app::json;
use crate::disk::Kind;
use crate::http::date;
use std::fmt::Write;

pub(super) fn table(out: &mut String, folder: &str, sorted: Sorted) {
    out.push_str("{\"path\":");
    let path = if folder.is_empty() { "/".to_owned() } else { format!("/{folder}/") };
    json::string(out, &path);
    let sorted = sorted == Sorted::Yes;
    // Writing into a String cannot fail, here and below.
    let _ = write!(out, ",\"sorted\":{sorted},\"entries\":[");
}

pub(super) fn row(out: &mut String, row: &Row<'_>, first: bool) {
    out.push_str(if first { "\n{\"name\":" } else { ",\n{\"name\":" });
    json::string(out, row.name);
    let _ = match row.entry.kind {
        Kind::Folder => out.write_str(",\"type\":\"directory\",\"size\":null"),
        Kind::File => write!(out, ",\"type\":\"file\",\"size\":{}", row.entry.size),
    };
    let modified = date::rfc3339(row.entry.modified);
    let _ = write!(out, ",\"modified\":\"{}\"}}", text_of(&modified));
}

pub(super) fn end(out: &mut String, tally: &Tally) {
    let _ = writeln!(out, "\n],\"left_out\":{}}}", tally.left_out);
}
