//! Who may upload, and under which names: all that needs no disk.

use super::{Desk, Uploads};
use crate::app::Reject;
use crate::disk::Folder;
use crate::files::serve::{can_be_file, escape, has_encoded_slash, wanted};
use crate::http::{Refusal, Request, Status};

/// The longest name that Linux knows, in bytes.
const NAME_MAX: usize = 255;

/// The folder and the name behind it that a request is for. The folder's path
/// is empty or ends with a slash; the name is empty for the folder itself.
///
/// # Errors
/// 403 for a page of another site and for what would leave the folder, 404 for
/// what can't be there.
pub(super) fn admit<'a>(request: &'a Request, desk: &Desk) -> Result<(&'a str, &'a str), Reject> {
    if !is_welcome(request, &desk.uploads) {
        return Err(Reject::new(Status::FORBIDDEN, "a page of another site may not send files"));
    }
    let path = wanted(request);
    if path.split('/').any(|name| name == "..") {
        return Err(escape(request).into());
    }
    let at = path.rfind('/').map_or(0, |slash| slash + 1);
    let (folder, name) = path.split_at_checked(at).unwrap_or(("", path));
    // As for GET: one spelling for each file.
    let odd = has_encoded_slash(request.path()) || request.path().starts_with("//");
    if odd || !can_be_file(folder, &desk.site.options) {
        return Err(Reject::not_found());
    }
    Ok((folder, name))
}

/// Whether a file may have this name in that folder: if it could not be asked
/// for afterwards, or only in ways that somebody could take for something else,
/// it is not taken.
///
/// # Errors
/// 400 and 403, with the reason.
pub(super) fn check_name(name: &str, folder: &str, desk: &Desk) -> Result<(), Refusal> {
    let refuse = |status, why: &'static str| Err(Refusal::new(status, why));
    let odd = |c: char| c.is_control() || matches!(c, '/' | '\\');
    let options = &desk.site.options;
    if name.is_empty() || name == "." || name == ".." {
        return refuse(Status::BAD_REQUEST, "the file has no name");
    }
    if name.len() > NAME_MAX {
        return refuse(Status::BAD_REQUEST, "the file's name is too long");
    }
    if name.contains(odd) {
        return refuse(Status::BAD_REQUEST, "the file's name has a character that is not taken");
    }
    if !options.shows_name(name, folder.is_empty()) || Folder::reserves(name.as_bytes()) {
        return refuse(Status::FORBIDDEN, "hidden files are not taken");
    }
    if !options.shows_file(name) {
        return refuse(Status::FORBIDDEN, "files of this kind are not taken");
    }
    Ok(())
}

/// Whether the request is none that a page of another site has made a browser
/// send. Clients that are no browsers send neither field.
fn is_welcome(request: &Request, uploads: &Uploads) -> bool {
    let origin = request.header("origin");
    if let Some(origin) = origin
        && uploads.origins.iter().any(|own| own.eq_ignore_ascii_case(origin))
    {
        return true;
    }
    // The browser's own judgement; no page can set it. It is missing where
    // neither TLS nor localhost is used, so that others could change it anyway.
    // `same-site` is another port of this host, or a sibling of its name.
    if let Some(site) = request.headers().get("sec-fetch-site") {
        return matches!(site, b"same-origin" | b"none");
    }
    match request.headers().get("origin") {
        None => true,
        // `null` is the origin of nobody whom we know.
        Some(_) => origin.and_then(authority).is_some_and(|from| {
            let own = request.authority();
            from.eq_ignore_ascii_case(own.strip_suffix(":80").unwrap_or(own))
                || from.eq_ignore_ascii_case(own.strip_suffix(":443").unwrap_or(own))
        }),
    }
}

/// Host and port of an origin (RFC 6454 section 6.2); the port of its scheme is
/// not written.
pub(super) fn authority(origin: &str) -> Option<&str> {
    let (scheme, rest) = origin.split_once("://")?;
    let usual = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    let odd = |c: char| c.is_control() || matches!(c, '/' | '?' | '#' | '@' | ' ');
    let rest = rest.strip_suffix(usual).unwrap_or(rest);
    (!rest.is_empty() && !rest.contains(odd)).then_some(rest)
}
