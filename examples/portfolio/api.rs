//! JSON, in and out.

use crate::site::Site;
use onepoll::{Reject, Request, Response, Status, created};
use serde::Serialize;
use std::sync::Arc;

/// Bytes of a document that is sent to `/upload`.
pub const DOCUMENT_MAX: u64 = 256 * 1024;
/// Messages on a page.
const PER_PAGE: u64 = 20;
const PER_PAGE_MAX: u64 = 100;
const PAGE_MAX: u64 = 1_000_000;

/// `POST /upload`: any JSON, kept under a name that tells when it came. The reply says
/// where, once it is on the disk.
pub fn save(site: &Arc<Site>, request: &mut Request) -> Result<Response, Reject> {
    #[derive(Serialize)]
    struct Saved<'a> {
        path: &'a str,
        bytes: usize,
    }
    // Only looked at: what is kept are the very bytes that came.
    let _: serde_json::Value = request.json()?;
    let name = site.shelf.save_document(request.body())?;
    let path = format!("uploads/{name}");
    let saved = Saved { path: &path, bytes: request.body().len() };
    Ok(created(&format!("/{path}"), Response::default().json_of(&saved)))
}

/// `GET /api/messages?page=2&per_page=50`: the newest first. Addresses are not shown.
pub fn messages(site: &Arc<Site>, request: &mut Request) -> Result<Response, Reject> {
    #[derive(Serialize)]
    struct Page<T> {
        page: u64,
        pages: u64,
        per_page: u64,
        total: u64,
        messages: T,
    }
    let number = |name: &str, default: u64, max: u64| -> Result<u64, Reject> {
        let number = request.query_fields().parse_if_any(name)?.unwrap_or(default);
        if (1..=max).contains(&number) {
            return Ok(number);
        }
        Err(Reject::new(Status::BAD_REQUEST, format!("`{name}` is a number from 1 to {max}")))
    };
    let page = number("page", 1, PAGE_MAX)?;
    let per_page = number("per_page", PER_PAGE, PER_PAGE_MAX)?;
    let (total, messages) = site.messages.page((page - 1) * per_page, per_page)?;
    let pages = total.div_ceil(per_page);
    let mut response = Response::default()
        .json_of(&Page { page, pages, per_page, total, messages })
        .header("Cache-Control", "no-cache");
    for (rel, to, there) in [("prev", page - 1, page > 1), ("next", page + 1, page < pages)] {
        if there {
            let link = format!("</api/messages?page={to}&per_page={per_page}>; rel=\"{rel}\"");
            response = response.header("Link", link);
        }
    }
    Ok(response)
}
