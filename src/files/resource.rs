//! What a path stands for: a file, as it was when it was looked at.

use super::plan::{Facts, Portion};
use super::ranges::COPY_MAX;
use super::variant::Others;
use crate::disk;
use crate::http::accept::Coding;
use crate::http::range::Bytes;
use crate::http::{Body, ContentType, FileSpan, OpenFile, Part, Template};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A file with all forms in which it can be sent.
#[derive(Debug)]
pub(super) struct Resource {
    /// The file's path within the site.
    pub(super) path: Box<str>,
    /// What the file was when it was opened.
    pub(super) stamp: Stamp,
    /// Whether the stamp proves nothing when it is seen again.
    pub(super) racy: bool,
    /// The file itself.
    pub(super) identity: Representation,
    /// Its other forms, see [`variant`](super::variant).
    pub(super) others: Others,
}

/// One form of a file.
#[derive(Clone, Debug)]
pub(super) struct Representation {
    /// `Content-Encoding`; none for the file itself.
    pub(super) coding: Option<Coding>,
    /// Of the file that holds it.
    pub(super) facts: Facts,
    pub(super) content_type: ContentType,
    pub(super) content: Content,
    /// The head of a 200, for a request without conditions and ranges.
    pub(super) ready: Option<Template>,
}

/// Where the bytes are.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// In memory: at most [`SMALL_MAX`](super::serve::SMALL_MAX) of a file, or
    /// what was compressed.
    Bytes(Arc<[u8]>),
    /// On the disk.
    File(Arc<OpenFile>),
}

impl Representation {
    /// All of the content.
    #[inline]
    pub(super) fn whole(&self) -> Body {
        match &self.content {
            Content::Bytes(bytes) => Body::Shared(Arc::clone(bytes)),
            Content::File(file) => {
                let (file, len) = (Arc::clone(file), self.facts.len);
                Body::File(FileSpan { file, offset: 0, len })
            }
        }
    }

    /// That much of the content.
    pub(super) fn body(&self, portion: Portion) -> Body {
        match portion {
            Portion::Nothing => Body::Empty,
            Portion::Whole => self.whole(),
            Portion::One(bytes) => match self.part(bytes) {
                Part::File(span) => Body::File(span),
                Part::Owned(bytes) => Body::Owned(bytes),
                part => match part.bytes() {
                    Some(few) if few.len() <= COPY_MAX => Body::Owned(few.to_vec()),
                    _ => Body::Pieces(vec![part]),
                },
            },
            Portion::Several(multipart) => multipart.body(|bytes| self.part(bytes)),
        }
    }

    /// A part of the content, from where it lies. A short one of a file is read
    /// if it is in memory: a file's part would be a call of its own when it is
    /// sent, and a packet.
    fn part(&self, bytes: Bytes) -> Part {
        match &self.content {
            Content::Bytes(content) => {
                let from = usize::try_from(bytes.offset).unwrap_or(usize::MAX);
                let to = usize::try_from(bytes.end()).unwrap_or(usize::MAX);
                Part::Slice(Arc::clone(content), from..to)
            }
            Content::File(file) => {
                let Bytes { offset, len } = bytes;
                if let Some(len) = usize::try_from(len).ok().filter(|len| *len <= COPY_MAX) {
                    let mut few = vec![0; len];
                    if disk::read_resident(&file.file, &mut few, offset).is_ok_and(|n| n == len) {
                        return Part::Owned(few);
                    }
                }
                Part::File(FileSpan { file: Arc::clone(file), offset, len })
            }
        }
    }
}

/// What tells a file as it was from what it became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    facts: Facts,
    device: u64,
    /// The last change of content, name or rights, which nobody can set back.
    changed: (i64, i64),
}

/// A file that was changed less than this before it was read can be changed
/// again within the same tick of its file system's clock, and no stamp will
/// tell. The coarsest clock, FAT's, ticks every two seconds.
const TICK: Duration = Duration::from_secs(2);

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Stamp {
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Stamp { facts: Facts::of(metadata), device: metadata.dev(), changed }
    }

    /// The last change of the content: seconds, and nanoseconds beyond.
    pub(super) fn modified(&self) -> (u64, u32) {
        self.facts.modified
    }

    /// Whether the change may not have been the last with this stamp. `now` is
    /// a time before the file was read.
    pub(super) fn is_racy(&self, now: SystemTime) -> bool {
        let seconds = Duration::from_secs(u64::try_from(self.changed.0).unwrap_or(0));
        // What is in the future is, too.
        UNIX_EPOCH.checked_add(seconds + TICK).is_none_or(|end| end > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_just_changed_can_change_again_unseen() {
        let metadata = std::fs::metadata(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        let mut stamp = Stamp::of(&metadata.unwrap());
        stamp.changed = (1_000_000, 0);
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        for (now, racy) in [(999_999, true), (1_000_000, true), (1_000_001, true)] {
            assert_eq!(stamp.is_racy(at(now)), racy, "{now}");
        }
        assert!(!stamp.is_racy(at(1_000_002)));
    }
}
