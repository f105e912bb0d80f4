//! The forms in which a file can be sent: as it is, or compressed.
//!
//! ```text
//!   siblings   a.js.br, a.js.zst, a.js.gz    found when the file is loaded, and
//!              beside a.js                   looked for again when it is renewed
//!
//!   gzip       made here, when the first client comes that wants it most:
//!
//!     Due --- up to 16 KiB: at once, also on the loop ----------------> Tried
//!      '----- longer: on a helper, one at a time; until it is done,  ---^
//!             others get the file as it is
//! ```
//!
//! A sibling counts if it is a regular file and not older than the original: one
//! that is older was made from what the original no longer is. Programs that
//! keep the original's time in whole seconds are trusted with the second.
//!
//! Each form has a tag of its own, as tags are of bytes (RFC 9110 section 8.8.3),
//! and whenever there could be more than one form, all replies say
//! `Vary: Accept-Encoding`.

use super::options::Options;
use super::resource::{Representation, Resource, Stamp};
use super::serve::{Read, Site, Stop, Wait, read};
use crate::http::Request;
use crate::http::accept::{Coding, Codings};
use crate::http::compressible::is_compressible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

/// The forms of a file beside the one it has on the disk.
#[derive(Debug, Default)]
pub(super) struct Others {
    pub(super) forms: Vec<Representation>,
    /// What each sibling was when it was opened; by [`CODINGS`].
    siblings: [Option<Stamp>; 3],
    pub(super) zip: Zip,
}

/// How far it has come with the form that is made here.
#[derive(Debug, Default)]
pub(super) enum Zip {
    /// Never: not of a kind, too short or too long, not wanted by the settings.
    #[default]
    No,
    /// When somebody wants it. The flag is up while a helper makes it.
    Due(Arc<AtomicBool>),
    /// It is among the forms; or it was not shorter, or the file changed.
    #[cfg_attr(not(feature = "gzip"), allow(dead_code, reason = "there is no encoder"))]
    Tried,
}

/// Siblings, and what is behind their names.
const CODINGS: [(Coding, &str); 3] =
    [(Coding::Br, ".br"), (Coding::Zstd, ".zst"), (Coding::Gzip, ".gz")];
/// Below this, head and trailer eat most of the gain, and it is one packet anyway.
const ZIP_MIN: u64 = 256;
/// Above this, the file goes out as it is: to compress it takes some tenths of a
/// second, and the result would crowd others out of the cache. Who has such
/// files puts siblings beside them.
const ZIP_MAX: u64 = 8 << 20;
/// What the cache is asked to hold at most, as a part of it.
const CACHE_PART: u64 = 4;
/// Even without a cache, what is read into memory is compressed.
const ZIP_SMALL: u64 = super::serve::SMALL_MAX;

impl Others {
    /// Whether another client could get another form: then the reply has `Vary`.
    pub(super) fn varies(&self) -> bool {
        !self.forms.is_empty() || !matches!(self.zip, Zip::No)
    }

    /// Whether a sibling may have changed since without a trace.
    pub(super) fn is_racy(&self, now: SystemTime) -> bool {
        self.siblings.iter().flatten().any(|stamp| stamp.is_racy(now))
    }

    /// What the client likes best of those that there are, and `more`.
    fn best(&self, request: &Request, more: Option<Coding>) -> Coding {
        let mut there = [Coding::Identity; 4];
        let forms = self.forms.iter().filter_map(|form| form.coding);
        for (place, coding) in there.iter_mut().zip(forms.chain(more)) {
            *place = coding;
        }
        Codings::of(request.headers()).best(&there)
    }
}

/// The other forms of a file that are at hand. `path` is its path within the
/// site. On the loop ([`Wait::Never`]) what isn't at hand is [`Stop::Wait`]: then
/// a helper is asked the same.
///
/// # Errors
/// [`Stop`].
pub(super) fn others(
    site: &Site,
    path: &str,
    identity: &Representation,
    wait: Wait,
) -> Result<Others, Stop> {
    let mut others = Others::default();
    for ((coding, _), place) in CODINGS.into_iter().zip(0..) {
        let Some(read) = sibling(site, path, identity, coding, wait)? else { continue };
        let (content_type, content) = (identity.content_type.clone(), read.content);
        let (coding, facts, ready) = (Some(coding), read.facts, None);
        others.forms.push(Representation { coding, facts, content_type, content, ready });
        if let Some(stamp) = others.siblings.get_mut(place) {
            *stamp = Some(read.stamp);
        }
    }
    let has_gzip = others.forms.iter().any(|form| form.coding == Some(Coding::Gzip));
    if !has_gzip && is_worth_a_try(site, path, identity) {
        others.zip = Zip::Due(Arc::default());
    }
    Ok(others)
}

/// Whether the other forms of a file, which itself is as it was, are what they
/// were, and no others have come.
///
/// # Errors
/// [`Stop`].
pub(super) fn is_same(site: &Site, resource: &Resource, wait: Wait) -> Result<bool, Stop> {
    for ((coding, _), known) in CODINGS.into_iter().zip(&resource.others.siblings) {
        let found = open(site, &resource.path, &resource.identity, coding, wait)?;
        if found.map(|opened| Stamp::of(&opened.metadata)) != *known {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The name for which a file of this name is sent to clients that take its form:
/// `a.js` for `a.js.gz`.
pub(super) fn original<'a>(options: &Options, name: &'a str) -> Option<&'a str> {
    let stem = |name: &'a str| CODINGS.iter().find_map(|(_, end)| name.strip_suffix(end));
    // What is compressed has no siblings.
    stem(name).filter(|plain| options.precompressed && !plain.is_empty() && stem(plain).is_none())
}

/// What the file that holds this form was when it was opened; of what was made
/// here there is none.
pub(super) fn stamp_of(resource: &Resource, form: &Representation) -> Option<Stamp> {
    let Some(own) = form.coding else { return Some(resource.stamp) };
    let mut siblings = CODINGS.iter().zip(&resource.others.siblings);
    siblings.find_map(|((coding, _), stamp)| (*coding == own).then_some(*stamp)?)
}

/// The form that the client likes best.
#[inline]
pub(super) fn choose<'a>(request: &Request, resource: &'a Resource) -> &'a Representation {
    let Resource { identity, others, .. } = resource;
    if others.forms.is_empty() {
        return identity;
    }
    let best = others.best(request, None);
    others.forms.iter().find(|form| form.coding == Some(best)).unwrap_or(identity)
}

/// Whether the client would rather have a form that is still to be made, and
/// nobody makes it.
#[inline]
pub(super) fn lacks(request: &Request, resource: &Resource) -> bool {
    match &resource.others.zip {
        Zip::Due(taken) => {
            resource.others.best(request, Some(Coding::Gzip)) == Coding::Gzip
                && !taken.load(Ordering::Relaxed)
        }
        Zip::No | Zip::Tried => false,
    }
}

/// The resource with the form that it [lacks]; `None` if there can be none now,
/// so that it is sent as it is.
///
/// # Errors
/// [`Stop::Wait`] if that is nothing for the loop.
#[cfg(feature = "gzip")]
pub(super) fn complete(resource: &Resource, wait: Wait) -> Result<Option<Resource>, Stop> {
    use super::zip::{INLINE_MAX, zip};
    if wait == Wait::Never && resource.identity.facts.len > INLINE_MAX {
        return Err(Stop::Wait);
    }
    let Zip::Due(taken) = &resource.others.zip else { return Ok(None) };
    let Some(_turn) = Turn::take(taken) else { return Ok(None) };
    let mut forms = resource.others.forms.clone();
    match zip(resource, wait) {
        Ok(made) => forms.extend(made),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(Stop::Wait),
        // Not again before the file is another: one that changes all the time
        // would have helpers compress all the time.
        Err(error) => log::debug!("{:?} is not compressed: {error}", resource.path),
    }
    let others = Others { forms, siblings: resource.others.siblings, zip: Zip::Tried };
    let Resource { path, stamp, racy, identity, .. } = resource;
    let (path, identity) = (path.clone(), identity.clone());
    Ok(Some(Resource { path, stamp: *stamp, racy: *racy, identity, others }))
}

/// There is no encoder.
#[cfg(not(feature = "gzip"))]
pub(super) fn complete(_: &Resource, _: Wait) -> Result<Option<Resource>, Stop> {
    Ok(None)
}

/// One at a time: the flag is up as long as this lives.
#[cfg(feature = "gzip")]
struct Turn<'a>(&'a AtomicBool);

#[cfg(feature = "gzip")]
impl<'a> Turn<'a> {
    fn take(flag: &'a AtomicBool) -> Option<Turn<'a>> {
        (!flag.swap(true, Ordering::AcqRel)).then_some(Turn(flag))
    }
}

#[cfg(feature = "gzip")]
impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// A sibling, read if it is small.
fn sibling(
    site: &Site,
    path: &str,
    identity: &Representation,
    coding: Coding,
    wait: Wait,
) -> Result<Option<Read>, Stop> {
    let Some(opened) = open(site, path, identity, coding, wait)? else { return Ok(None) };
    match read(site, opened, wait) {
        Ok(read) => Ok(read.is_still.then_some(read)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(Stop::Wait),
        Err(error) => {
            log::warn!("{path:?} as {}: {error}", coding.as_str());
            Ok(None)
        }
    }
}

/// A sibling that counts, open. What can't be opened counts for nothing, whatever
/// the reason: the file itself is there.
fn open(
    site: &Site,
    path: &str,
    identity: &Representation,
    coding: Coding,
    wait: Wait,
) -> Result<Option<crate::disk::Opened>, Stop> {
    let end = CODINGS.iter().find(|(known, _)| *known == coding).map_or("", |(_, end)| end);
    // What is compressed has no siblings.
    if !site.options.precompressed || CODINGS.iter().any(|(_, end)| path.ends_with(end)) {
        return Ok(None);
    }
    let opened = match site.open(&format!("{path}{end}"), wait) {
        Ok(opened) => opened,
        Err(crate::disk::OpenError::WouldBlock) => return Err(Stop::Wait),
        Err(_) => return Ok(None),
    };
    let (theirs, ours) = (Stamp::of(&opened.metadata).modified(), identity.facts.modified);
    let is_new = if theirs.1 == 0 { theirs.0 >= ours.0 } else { theirs >= ours };
    Ok((opened.metadata.is_file() && is_new).then_some(opened))
}

fn is_worth_a_try(site: &Site, path: &str, identity: &Representation) -> bool {
    let max = (site.options.cache_bytes / CACHE_PART).clamp(ZIP_SMALL, ZIP_MAX);
    cfg!(feature = "gzip")
        && site.options.gzip
        && (ZIP_MIN..=max).contains(&identity.facts.len)
        && is_compressible(&identity.content_type)
        && !CODINGS.iter().any(|(_, end)| path.ends_with(end))
}

#[cfg(test)]
mod tests;
