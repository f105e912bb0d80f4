//! A folder below a jail, read entry by entry.
//!
//! A cursor, not a list: it holds one batch of names, whatever the size of the
//! folder, and looks at an entry only when it is asked to.
//!
//! ```text
//!   advance --> getdents (a batch of names) --> name --> look --> fstatat, no link followed
//!      ^                                                  |         | a link that may be
//!      '------- the next one -----------------------------'         v
//!                                         openat2(O_PATH) from the jail's root --> fstat
//! ```

use super::{Jail, Links, OpenError, Opened, vet};
use rustix::fs::{AtFlags, FileType, Stat, statat};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A folder, open for reading its entries once, in the order in which the file
/// system has them. Entries that come or go meanwhile are there or not.
///
/// ```
/// use onepoll::disk::{Entries, Jail, Links};
/// use std::sync::Arc;
/// let jail = Arc::new(Jail::new("src", Links::Refuse)?);
/// let mut folder = Entries::open(&jail, b"disk")?;
/// let mut names = Vec::new();
/// while folder.advance()? {
///     names.push(folder.name().to_vec());
/// }
/// assert!(names.contains(&b"mod.rs".to_vec()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Entries {
    fd: OwnedFd,
    /// The jail and this folder's path in it, if links are followed.
    links: Option<(Arc<Jail>, Vec<u8>)>,
    /// What is left of the last batch: a byte for the type, the name, a NUL;
    /// again and again.
    batch: Vec<u8>,
    /// Where the entry after the current one begins.
    next: usize,
    /// The current entry.
    name: (usize, usize),
    hint: FileType,
}

/// A file or a folder within a [`Entries`]: what can be told without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which of the two.
    pub kind: Kind,
    /// Its length in bytes; of a folder nothing that means anything.
    pub size: u64,
    /// Its last change, in Unix seconds; 0 if that was before 1970.
    pub modified: u64,
}

/// What an entry is. There are no others: see [`Entries::look`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A regular file.
    File,
}

impl Jail {
    /// What a path means, links followed; `None` if it leads to nothing or out.
    fn stat(&self, path: &[u8]) -> Option<Stat> {
        vet(path).ok()?;
        match self.way {
            #[cfg(target_os = "linux")]
            super::Way::Beneath => {
                use super::TRIES_MAX;
                use rustix::fs::{Mode, OFlags, ResolveFlags, fstat, openat2};
                use rustix::io::Errno;
                let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
                // Only named, not opened: a FIFO has no reader, a device no user.
                let flags = OFlags::PATH | OFlags::CLOEXEC;
                let opened = (0..TRIES_MAX).find_map(|_| {
                    match openat2(&self.root, path, flags, Mode::empty(), how) {
                        Err(Errno::AGAIN | Errno::INTR) => None,
                        other => Some(other),
                    }
                });
                fstat(opened?.ok()?).ok()
            }
            super::Way::Walk => None,
        }
    }
}

impl Entries {
    /// Opens a folder of the jail. The path is as for [`Jail::open`], and it may
    /// wait for the disk like it.
    ///
    /// # Errors
    /// See [`OpenError`]; what is no folder is [`OpenError::NotFound`].
    pub fn open(jail: &Arc<Jail>, path: &[u8]) -> Result<Entries, OpenError> {
        Entries::of(jail, path, jail.open(path)?)
    }

    /// The same of what was opened under this path already.
    ///
    /// # Errors
    /// [`OpenError::NotFound`] if it is no folder.
    pub fn of(jail: &Arc<Jail>, path: &[u8], opened: Opened) -> Result<Entries, OpenError> {
        if !opened.metadata.is_dir() {
            return Err(OpenError::NotFound);
        }
        let follows = jail.links == Links::Within;
        let links = follows.then(|| (Arc::clone(jail), path.to_vec()));
        let fd = OwnedFd::from(opened.file);
        let (batch, hint) = (Vec::new(), FileType::Unknown);
        Ok(Entries { fd, links, batch, next: 0, name: (0, 0), hint })
    }

    /// Goes to the next entry, of any type; `false` after the last one. The
    /// names `.` and `..` are left out. It may wait for the disk.
    ///
    /// # Errors
    /// What the system says of the reading. A folder that was removed is empty.
    pub fn advance(&mut self) -> io::Result<bool> {
        loop {
            let rest = self.batch.get(self.next..).unwrap_or(&[]);
            let Some((&hint, rest)) = rest.split_first() else {
                self.next = 0;
                self.batch.clear();
                fill(&self.fd, &mut self.batch)?;
                if self.batch.is_empty() {
                    self.name = (0, 0);
                    return Ok(false);
                }
                continue;
            };
            let start = self.next + 1;
            let end = start + memchr::memchr(0, rest).unwrap_or(rest.len());
            self.next = end + 1;
            self.name = (start, end);
            self.hint = hinted(hint);
            if !matches!(self.name(), b"." | b"..") {
                return Ok(true);
            }
        }
    }

    /// The current entry's name.
    pub fn name(&self) -> &[u8] {
        self.batch.get(self.name.0..self.name.1).unwrap_or(&[])
    }

    /// Looks at the current entry. `None` if it is neither a file nor a folder,
    /// is gone, or is a link that must not be followed, leads out of the jail or
    /// to nothing. It may wait for the disk.
    pub fn look(&self) -> Option<Entry> {
        if !matches!(
            self.hint,
            FileType::RegularFile | FileType::Directory | FileType::Symlink | FileType::Unknown
        ) {
            return None;
        }
        let stat = statat(&self.fd, self.name(), AtFlags::SYMLINK_NOFOLLOW).ok()?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            return entry(&stat);
        }
        let (jail, folder) = self.links.as_ref()?;
        let slash: &[u8] = if folder.is_empty() { b"" } else { b"/" };
        entry(&jail.stat(&[folder, slash, self.name()].concat())?)
    }
}

fn entry(stat: &Stat) -> Option<Entry> {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        _ => return None,
    };
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    Some(Entry { kind, size, modified: u64::try_from(stat.st_mtime).unwrap_or(0) })
}

/// Appends a batch of entries; none at the end.
#[cfg(target_os = "linux")]
fn fill(fd: &OwnedFd, batch: &mut Vec<u8>) -> io::Result<()> {
    use rustix::fs::RawDir;
    use rustix::io::Errno;
    let mut buffer = [std::mem::MaybeUninit::uninit(); BATCH];
    let mut entries = RawDir::new(fd, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(Errno::INTR) => continue,
            // The folder was removed, and so were its entries.
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        push(batch, entry.file_type(), entry.file_name().to_bytes());
        // One system call: what it has given is not read again.
        if entries.is_buffer_empty() {
            break;
        }
    }
    Ok(())
}

/// The same elsewhere, all in one go: there is no call that stops in between.
#[cfg(not(target_os = "linux"))]
fn fill(fd: &OwnedFd, batch: &mut Vec<u8>) -> io::Result<()> {
    // A second reading of this descriptor begins where the first has ended.
    for entry in rustix::fs::Dir::new(fd.try_clone()?)? {
        let entry = entry?;
        push(batch, entry.file_type(), entry.file_name().to_bytes());
    }
    Ok(())
}

fn push(batch: &mut Vec<u8>, hint: FileType, name: &[u8]) {
    batch.push(match hint {
        FileType::RegularFile => b'f',
        FileType::Directory => b'd',
        FileType::Symlink => b'l',
        FileType::Unknown => b'?',
        _ => b'-',
    });
    batch.extend_from_slice(name);
    batch.push(0);
}

fn hinted(byte: u8) -> FileType {
    match byte {
        b'f' => FileType::RegularFile,
        b'd' => FileType::Directory,
        b'l' => FileType::Symlink,
        b'?' => FileType::Unknown,
        _ => FileType::Fifo,
    }
}

/// Bytes of directory entries that are read at once: some 200 of usual names.
/// It is all that an open folder holds, and a call's cost is spread thin enough.
#[cfg(target_os = "linux")]
const BATCH: usize = 8 * 1024;

#[cfg(test)]
mod tests;
