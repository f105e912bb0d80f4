//! A file that was sent, and what can be done with it.

use super::room::{Room, Share};
use super::safe_name;
use crate::app::explain;
use crate::disk::{Existing, Folder, TempFile};
use crate::http::multipart::PartHead;
use crate::http::{Refusal, Status};
use std::cell::RefCell;
use std::fmt;
use std::io;

/// A file of a form, or a request's content as a file: on disk, without a name.
/// When the handler has returned it was never there,
/// unless it was kept.
///
/// To keep a file never overwrites another, whoever else writes into the folder.
pub struct UploadedFile {
    folder: Folder,
    temp: RefCell<TempFile>,
    /// Its name now, if it was kept.
    kept: RefCell<Option<String>>,
    field: String,
    client_name: String,
    content_type: Option<String>,
    len: u64,
    /// Behind the file, and so dropped after it.
    share: Share,
    sync: bool,
}

impl UploadedFile {
    /// An empty file that is to be kept in that folder.
    pub(super) fn create(
        folder: &Folder,
        room: &Room,
        sync: bool,
        head: PartHead,
    ) -> io::Result<UploadedFile> {
        Ok(UploadedFile {
            temp: RefCell::new(folder.create()?),
            folder: folder.clone(),
            kept: RefCell::default(),
            field: head.name,
            client_name: head.filename.unwrap_or_default(),
            content_type: head.content_type,
            len: 0,
            share: room.share(),
            sync,
        })
    }

    /// Appends, up to `max` bytes in all.
    pub(super) fn write(&mut self, bytes: &[u8], max: u64) -> io::Result<()> {
        self.len += bytes.len() as u64;
        if self.len > max {
            let why = "a file is too long";
            return Err(Refusal::new(Status::CONTENT_TOO_LARGE, why).into());
        }
        self.share.take(bytes.len() as u64)?;
        self.temp.get_mut().write_all(bytes)
    }

    /// The name of the form's field; empty for raw content.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The file's name, made harmless: see [`safe_name`]. Other clients may have
    /// sent the same.
    pub fn name(&self) -> String {
        safe_name(&self.client_name)
    }

    /// The file's name as the client sent it (`filename*` or `filename`): any text,
    /// perhaps with a path in it. To be shown, escaped; no name to save it under.
    pub fn client_name(&self) -> &str {
        &self.client_name
    }

    /// The media type that the client says it has, as it was sent.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no byte.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Reads the content from its beginning: to find out what it is, before it is
    /// kept. Blocks on the disk.
    pub fn reader(&self) -> Reader<'_> {
        Reader { file: self, at: 0 }
    }

    /// Gives it that name in the folder, which is one component. The name must be the
    /// program's own, or a [`safe_name`].
    ///
    /// # Errors
    /// A [`Refusal`], to be returned with `?`: 409 if there is something of that name,
    /// 400 if no file can be called so, 507 for a full disk, 500 if it was kept before.
    pub fn keep(&self, name: &str) -> Result<(), Refusal> {
        let place = |temp: &mut TempFile| {
            temp.place(name.as_bytes(), Existing::Keep).map(|_| name.to_owned())
        };
        self.keep_by(place).map(drop)
    }

    /// Gives it its own [name](UploadedFile::name) or, if that is taken, one like it:
    /// `cat.jpg`, then `cat-2.jpg` to `cat-9.jpg`, then
    /// `cat-20261121T055332-123456.jpg`. The name that it has got is returned.
    ///
    /// # Errors
    /// As for [`keep`](UploadedFile::keep), but for 409.
    pub fn keep_as_unique(&self) -> Result<String, Refusal> {
        self.keep_by(|temp| temp.place_numbered(&self.name()))
    }

    /// Gives it a name made of prefix, time and extension, such as
    /// `upload-20261121T055332-123456.json`, that no other file has; it is returned.
    /// Nothing of it is the client's.
    ///
    /// # Errors
    /// As for [`keep`](UploadedFile::keep), but for 409.
    pub fn keep_stamped(&self, prefix: &str, extension: &str) -> Result<String, Refusal> {
        self.keep_by(|temp| temp.place_stamped(prefix, extension))
    }

    /// The name that it was kept under.
    pub fn kept(&self) -> Option<String> {
        self.kept.borrow().clone()
    }

    /// Removes it again, if it was kept and is still there under its name: when what
    /// was to go with it, a line in a database, say, could not be saved.
    ///
    /// # Errors
    /// What the system says; then it may still be there.
    pub fn take_back(&self) -> io::Result<()> {
        if let Some(name) = self.kept.borrow_mut().take() {
            self.folder.take_back(name.as_bytes(), &self.temp.borrow())?;
        }
        Ok(())
    }

    /// Content first, then the name: after a crash there is no file that is half there.
    fn keep_by(
        &self,
        place: impl FnOnce(&mut TempFile) -> io::Result<String>,
    ) -> Result<String, Refusal> {
        let keep = || {
            if self.kept.borrow().is_some() {
                return Err(io::Error::other("a file can't be kept twice"));
            }
            let mut temp = self.temp.borrow_mut();
            if self.sync {
                temp.sync()?;
            }
            let name = place(&mut temp)?;
            *self.kept.borrow_mut() = Some(name.clone());
            drop(temp);
            if self.sync
                && let Err(error) = self.folder.sync()
            {
                self.take_back()?;
                return Err(error);
            }
            Ok(name)
        };
        keep().map_err(|error| explain(&error))
    }
}

impl fmt::Debug for UploadedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UploadedFile({:?}, {:?}, {} bytes)", self.field, self.client_name, self.len)
    }
}

/// Reads an [`UploadedFile`].
#[derive(Debug)]
pub struct Reader<'a> {
    file: &'a UploadedFile,
    at: u64,
}

impl io::Read for Reader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.temp.borrow().read_at(into, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}
