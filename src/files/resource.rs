//! What a path stands for: a file, as it was when it was looked at.

use super::plan::Facts;
use crate::disk::Opened;
use crate::http::ContentType;
use std::fs::File;
use std::sync::Arc;

/// A file with all forms in which it can be sent.
#[derive(Debug)]
pub(super) struct Resource {
    /// The file's path within the site.
    pub(super) path: Box<str>,
    /// The file itself.
    pub(super) identity: Representation,
    /// Its other forms, see [`variant`](super::variant).
    pub(super) others: Vec<Representation>,
}

/// One form of a file.
#[derive(Debug)]
pub(super) struct Representation {
    /// `Content-Encoding`; none for the file itself.
    pub(super) coding: Option<&'static str>,
    /// Of the file that holds it.
    pub(super) facts: Facts,
    pub(super) content_type: ContentType,
    pub(super) content: Content,
}

/// Where the bytes are.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// In memory: at most [`SMALL_MAX`](super::serve::SMALL_MAX) of a file, or
    /// what was compressed.
    Bytes(Arc<[u8]>),
    /// On the disk.
    File(Arc<File>),
}

impl Representation {
    /// A file as it is, not read yet.
    pub(super) fn of_file(opened: Opened, content_type: ContentType) -> Representation {
        let facts = Facts::of(&opened.metadata);
        let content = Content::File(Arc::new(opened.file));
        Representation { coding: None, facts, content_type, content }
    }
}
