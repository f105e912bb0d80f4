//! Files, in a folder. Everything here blocks: it is for helpers.

use onepoll::disk::Folder;
use onepoll::http::{Refusal, date, target};
use onepoll::{Error, Status};
use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What strangers may leave here, all in all.
const FILES_MAX: usize = 1000;
const BYTES_MAX: u64 = 4 << 30;

pub struct Shelf {
    path: PathBuf,
    folder: Folder,
}

/// A file as the list shows it.
#[derive(Serialize)]
pub struct Item {
    pub name: String,
    pub bytes: u64,
    pub size: String,
    pub at: String,
    pub href: String,
    #[serde(skip)]
    changed: SystemTime,
}

impl Shelf {
    pub fn open(path: &Path) -> Result<Shelf, Error> {
        let failed = |source| Error::Folder { path: path.to_owned(), source };
        std::fs::create_dir_all(path).map_err(failed)?;
        let folder = Folder::open(path).map_err(failed)?;
        // Is it ours to write in? Better to know that now.
        folder.create().map_err(failed)?;
        Ok(Shelf { path: path.to_owned(), folder })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All files, the newest first.
    pub fn list(&self) -> io::Result<Vec<Item>> {
        let mut items = Vec::new();
        for entry in self.path.read_dir()?.take(2 * FILES_MAX) {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // It may be gone again.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_file() && !name.starts_with('.') {
                items.push(Item::new(name, metadata.len(), metadata.modified()?));
            }
        }
        items.sort_by(|a, b| b.changed.cmp(&a.changed).then_with(|| a.name.cmp(&b.name)));
        Ok(items)
    }

    /// Whether there is room for so many more files of so many bytes together, of
    /// what strangers bring.
    ///
    /// # Errors
    /// A [`Refusal`] of 507 if there is none; what the system says.
    pub fn check_room(&self, files: usize, bytes: u64) -> io::Result<()> {
        let items = self.list()?;
        let kept: u64 = items.iter().map(|item| item.bytes).sum();
        if items.len() + files > FILES_MAX || kept + bytes > BYTES_MAX {
            return Err(Refusal::new(Status::INSUFFICIENT_STORAGE, "").into());
        }
        Ok(())
    }

    /// Keeps a document under a name that tells when it came, and that no other file
    /// has. When this returns, the document and its name are on the disk.
    pub fn save_document(&self, bytes: &[u8]) -> io::Result<String> {
        self.check_room(1, bytes.len() as u64)?;
        self.folder.save_stamped("document-", "json", bytes, true)
    }

    /// Whether files can be made here.
    pub fn check(&self) -> io::Result<()> {
        self.folder.create().map(drop)
    }
}

impl Item {
    fn new(name: String, bytes: u64, changed: SystemTime) -> Item {
        let href = format!("/uploads/{}", target::percent_encode(name.as_bytes()));
        let at = stamp(changed);
        Item { size: size(bytes), at, href, name, bytes, changed }
    }
}

fn stamp(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    String::from_utf8_lossy(&date::rfc3339(since.as_secs())).into_owned()
}

/// For people: three digits are enough.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut shown = format!("{bytes} bytes");
    for unit in UNITS {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        let digits = if value < 10.0 { 1 } else { 0 };
        shown = format!("{value:.digits$} {unit}");
    }
    shown
}
