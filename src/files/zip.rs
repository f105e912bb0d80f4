//! A file's gzip'd form, made when it is wanted: from memory, or read in pieces.

use super::plan::Facts;
use super::resource::{Content, Representation, Resource, Stamp};
use super::serve::Wait;
use crate::codec::gzip::{Gzip, LEVEL};
use crate::disk;
use crate::http::accept::Coding;
use std::fs::File;
use std::io;

/// Up to this length the loop compresses itself: half a millisecond, once, and
/// then it is in the cache; a helper would cost the client two trips.
pub(super) const INLINE_MAX: u64 = 16 * 1024;
/// What is read at once of a file that isn't in memory.
const PIECE: usize = 64 * 1024;
/// The part of the length that must be gained, or each client would unpack for
/// nothing: a sixteenth.
const GAIN: u64 = 16;

/// The gzip'd form of a file, or `None` if it would not be much shorter.
///
/// # Errors
/// `WouldBlock` if it may not wait and would have to; `Interrupted` if the file
/// is not what it was; else as the system says.
pub(super) fn zip(resource: &Resource, wait: Wait) -> io::Result<Option<Representation>> {
    let Representation { facts, content_type, content, .. } = &resource.identity;
    let most = facts.len - facts.len / GAIN;
    let packed = match content {
        Content::Bytes(bytes) => pack(bytes.chunks(PIECE), most)?,
        Content::File(_) if wait == Wait::Never => return Err(io::ErrorKind::WouldBlock.into()),
        Content::File(file) => {
            let packed = pack_file(&file.file, facts.len, most)?;
            if Stamp::of(&file.file.metadata()?) != resource.stamp {
                return Err(changed());
            }
            packed
        }
    };
    Ok(packed.map(|bytes| Representation {
        coding: Some(Coding::Gzip),
        // The tag is that of the file, but for the length and what is added for
        // the coding: another encoder's content has another length, most likely.
        facts: Facts { len: bytes.len() as u64, ..*facts },
        content_type: content_type.clone(),
        content: Content::Bytes(bytes.into()),
        ready: None,
    }))
}

/// `None` if more than `most` bytes come of it.
fn pack<'a>(pieces: impl Iterator<Item = &'a [u8]>, most: u64) -> io::Result<Option<Vec<u8>>> {
    let (mut gzip, mut out) = (Gzip::new(LEVEL), Vec::new());
    for piece in pieces {
        gzip.push(piece, &mut out)?;
        if out.len() as u64 > most {
            return Ok(None);
        }
    }
    gzip.finish(&mut out)?;
    Ok((out.len() as u64 <= most).then_some(out))
}

fn pack_file(file: &File, len: u64, most: u64) -> io::Result<Option<Vec<u8>>> {
    let (mut gzip, mut out) = (Gzip::new(LEVEL), Vec::new());
    let (mut piece, mut at) = (vec![0; PIECE], 0);
    while at < len {
        let want = piece.len().min(usize::try_from(len - at).unwrap_or(PIECE));
        let room = piece.get_mut(..want).unwrap_or(&mut []);
        if disk::read(file, room, at)? < want {
            return Err(changed());
        }
        gzip.push(room, &mut out)?;
        if out.len() as u64 > most {
            return Ok(None);
        }
        at += want as u64;
    }
    gzip.finish(&mut out)?;
    Ok((out.len() as u64 <= most).then_some(out))
}

fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::Interrupted, "it changed meanwhile")
}
