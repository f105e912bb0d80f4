//! Files that appear whole or not at all: written without a name, then put in place.
//!
//! ```text
//!            Folder::create                    write_all            place
//!   Linux:   O_TMPFILE: no name at all   --->  ....  --->  linkat to the name
//!   else:    O_EXCL: a hidden name       --->  ....  --->  rename to the name
//!                   |                            |
//!                   '----------- dropped --------'--->  nothing is left
//! ```
//!
//! A file without a name vanishes with its process, however that ends. A hidden
//! one would stay when the process is killed; so would the second name that a
//! file without one needs for an instant to replace another. Whoever writes a
//! file holds a lock on it, which the kernel drops with the process: a hidden
//! file without a lock is a leftover, and [`Folder::sweep`] removes it.

mod unique;

use super::{Jail, Links, OpenError, Opened};
use rustix::fs::{AtFlags, CWD, Dir, FlockOperation, Mode, OFlags};
use rustix::fs::{flock, linkat, openat, renameat, unlinkat};
use rustix::io::{Errno, retry_on_intr};
use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// A folder, open to put files into. A clone is the same one.
///
/// ```
/// use onepoll::disk::{Existing, Jail, Links, Placed};
/// # let path = std::env::temp_dir().join(format!("onepoll-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&path)?;
/// let folder = Jail::new(&path, Links::Refuse)?.folder(b"")?;
/// let mut file = folder.create()?;
/// file.write_all(b"all of it")?;
/// assert!(folder.find(b"report.txt")?.is_none(), "nobody sees it yet");
/// assert_eq!(file.place(b"report.txt", Existing::Keep)?, Placed::Created);
/// assert_eq!(std::fs::read(path.join("report.txt"))?, b"all of it");
/// # std::fs::remove_dir_all(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Folder {
    file: Arc<File>,
}

/// A file that is being written. Dropped before it is placed, it was never there.
#[derive(Debug)]
pub struct TempFile {
    folder: Folder,
    file: File,
    name: Name,
}

/// What a file is called now.
#[derive(Debug)]
enum Name {
    /// Nothing, and there is no trace of it in the folder.
    None,
    /// A name that is removed if the file is not placed.
    Hidden(String),
    /// What it was to be called.
    Placed,
}

/// What to do with a file that is in the place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays: an error of the kind [`AlreadyExists`](io::ErrorKind::AlreadyExists).
    Keep,
    /// It is replaced, in one step: who looks finds the one or the other. A link
    /// is replaced itself, not what it leads to.
    Replace,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// There was none of that name.
    Created,
    /// It has taken another's place.
    Replaced,
}

impl Jail {
    /// Opens the folder that the path means, as [`open`](Jail::open) does, to put
    /// files into it. We must be allowed to read it, too.
    ///
    /// # Errors
    /// See [`OpenError`]; a file is [`NotFound`](OpenError::NotFound).
    pub fn folder(&self, path: &[u8]) -> Result<Folder, OpenError> {
        let Opened { file, metadata } = self.open(path)?;
        if !metadata.is_dir() {
            return Err(OpenError::NotFound);
        }
        Ok(Folder { file: Arc::new(file) })
    }
}

impl Folder {
    /// The folder at that path.
    ///
    /// # Errors
    /// What the system says: there is none, or it is not ours to enter and to read.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Folder> {
        Jail::new(path, Links::Refuse)?.folder(b"").map_err(|error| match error {
            OpenError::Other(error) => error,
            OpenError::Denied => io::ErrorKind::PermissionDenied.into(),
            _ => io::ErrorKind::NotFound.into(),
        })
    }

    /// A new file, for writing. The process's umask counts.
    ///
    /// # Errors
    /// What the system says, for example that we may not write here.
    pub fn create(&self) -> io::Result<TempFile> {
        let (file, name) = match self.nameless()? {
            Some(file) => (file, Name::None),
            None => {
                let (file, name) = self.hidden()?;
                (file, Name::Hidden(name))
            }
        };
        Ok(TempFile { folder: self.clone(), file, name })
    }

    /// What is there under that name, if anything; of a link, the link itself.
    /// Nothing is opened for it.
    ///
    /// # Errors
    /// What the system says; [`InvalidInput`](io::ErrorKind::InvalidInput) for
    /// what is no name.
    pub fn find(&self, name: &[u8]) -> io::Result<Option<Metadata>> {
        is_name(name)?;
        match retry_on_intr(|| openat(&self.file, name, LOOK, Mode::empty())) {
            Ok(fd) => File::from(fd).metadata().map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What the system knows of the folder.
    ///
    /// # Errors
    /// What the system says.
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    /// Removes a file that was placed, if it is still that one: to take back one
    /// of several. Whether it was.
    ///
    /// # Errors
    /// What the system says.
    pub fn take_back(&self, name: &[u8], file: &TempFile) -> io::Result<bool> {
        let (there, ours) = (self.find(name)?, file.file.metadata()?);
        let same = there.is_some_and(|there| identity(&there) == identity(&ours));
        if same {
            unlinkat(&self.file, name, AtFlags::empty())?;
        }
        Ok(same)
    }

    /// Waits until names that were placed are on the disk.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Whether a name is one that files have before they are placed. Nobody
    /// else's file should be called so: a [`sweep`](Folder::sweep) removes it.
    pub fn reserves(name: &[u8]) -> bool {
        name.starts_with(PREFIX.as_bytes()) && name.ends_with(SUFFIX.as_bytes())
    }

    /// Removes what killed processes have left in this folder; how many files
    /// those were. Takes time with the number of entries.
    ///
    /// # Errors
    /// What the system says; leftovers that can't be removed are no error.
    pub fn sweep(&self) -> io::Result<usize> {
        let mut count = 0;
        for entry in Dir::read_from(&self.file)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if Folder::reserves(name) && self.remove_leftover(name).is_ok() {
                count += 1;
            }
        }
        Ok(count)
    }

    fn remove_leftover(&self, name: &[u8]) -> Result<(), Errno> {
        let file = File::from(openat(&self.file, name, CHECK, Mode::empty())?);
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(Errno::INVAL);
        }
        // Whoever is writing it has the lock.
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        unlinkat(&self.file, name, AtFlags::empty())
    }

    /// A file without a name, if the file system has such.
    #[cfg(target_os = "linux")]
    fn nameless(&self) -> io::Result<Option<File>> {
        if !has_proc() {
            return Ok(None);
        }
        let flags = OFlags::TMPFILE.union(OFlags::RDWR).union(OFlags::CLOEXEC);
        match retry_on_intr(|| openat(&self.file, ".", flags, MODE)) {
            Ok(fd) => {
                let file = File::from(fd);
                // For the instant in which it has a hidden name: see `replace`.
                lock(&file)?;
                Ok(Some(file))
            }
            // The file system has none, or the kernel doesn't know the flag.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn nameless(&self) -> io::Result<Option<File>> {
        Ok(None)
    }

    /// A file under a name that nobody else has, locked.
    fn hidden(&self) -> io::Result<(File, String)> {
        let flags = OFlags::RDWR.union(OFlags::CREATE).union(OFlags::EXCL);
        let flags = flags.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
        for _ in 0..TRIES_MAX {
            let name = hidden_name();
            let file = match retry_on_intr(|| openat(&self.file, &name, flags, MODE)) {
                Ok(fd) => File::from(fd),
                // A leftover of another process with our number.
                Err(Errno::EXIST) => continue,
                Err(error) => return Err(error.into()),
            };
            // Somebody's sweep may have come between: then it is gone.
            if lock(&file)? && file.metadata()?.nlink() > 0 {
                return Ok((file, name));
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    }
}

impl TempFile {
    /// Appends all of it.
    ///
    /// # Errors
    /// What the system says. A full disk is
    /// [`StorageFull`](io::ErrorKind::StorageFull) or
    /// [`QuotaExceeded`](io::ErrorKind::QuotaExceeded).
    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Reads what was written, from that offset on: how many bytes. To look at
    /// content before it gets its name.
    ///
    /// # Errors
    /// What the system says.
    pub fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(into, offset)
    }

    /// Waits until the content is on the disk. The name is
    /// [another matter](Folder::sync).
    ///
    /// # Errors
    /// What the system says.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// What the system knows of it.
    ///
    /// # Errors
    /// What the system says.
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    /// Gives it its name, once: from now on it is there, whole.
    ///
    /// # Errors
    /// What the system says; the file has no name then, and may be placed under
    /// another. [`AlreadyExists`](io::ErrorKind::AlreadyExists) if one is there
    /// that is to be kept, [`IsADirectory`](io::ErrorKind::IsADirectory) for a
    /// folder in any case, [`InvalidInput`](io::ErrorKind::InvalidInput) for what
    /// is no name.
    pub fn place(&mut self, name: &[u8], existing: Existing) -> io::Result<Placed> {
        is_name(name)?;
        let placed = match self.create_as(name) {
            Ok(()) => Placed::Created,
            Err(Errno::EXIST) if existing == Existing::Replace => {
                self.replace(name)?;
                Placed::Replaced
            }
            Err(error) => return Err(error.into()),
        };
        self.name = Name::Placed;
        Ok(placed)
    }

    /// Under a name that nobody has.
    fn create_as(&self, name: &[u8]) -> Result<(), Errno> {
        let folder = &self.folder.file;
        match &self.name {
            Name::None => {
                // An open file's own entry there leads to it, name or not.
                let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                linkat(CWD, path, folder, name, AtFlags::SYMLINK_FOLLOW)
            }
            Name::Hidden(hidden) => match rename_new(&self.folder, hidden, name) {
                // The file system doesn't know that call's flag.
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                    linkat(folder, hidden, folder, name, AtFlags::empty())?;
                    // A second name that can't be removed is a leftover.
                    let _ = unlinkat(folder, hidden, AtFlags::empty());
                    Ok(())
                }
                other => other,
            },
            Name::Placed => Err(Errno::INVAL),
        }
    }

    /// Under a name that is taken: only a file with a name can be renamed.
    fn replace(&mut self, name: &[u8]) -> io::Result<()> {
        let mut tries = 1;
        while let Name::None = self.name {
            let hidden = hidden_name();
            match self.create_as(hidden.as_bytes()) {
                // From here on it is removed in the end.
                Ok(()) => self.name = Name::Hidden(hidden),
                Err(Errno::EXIST) if tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(error.into()),
            }
        }
        let Name::Hidden(hidden) = &self.name else { return Ok(()) };
        renameat(&self.folder.file, hidden, &self.folder.file, name)?;
        Ok(())
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if let Name::Hidden(hidden) = &self.name {
            let _ = unlinkat(&self.folder.file, hidden, AtFlags::empty());
        }
    }
}

#[cfg(target_os = "linux")]
fn rename_new(folder: &Folder, from: &str, to: &[u8]) -> Result<(), Errno> {
    use rustix::fs::{RenameFlags, renameat_with};
    renameat_with(&folder.file, from, &folder.file, to, RenameFlags::NOREPLACE)
}

#[cfg(not(target_os = "linux"))]
fn rename_new(_: &Folder, _: &str, _: &[u8]) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// Locks a file of ours; whether nobody was faster. Where there are no locks,
/// leftovers stay.
fn lock(file: &File) -> io::Result<bool> {
    match retry_on_intr(|| flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive)) {
        Err(Errno::WOULDBLOCK) => Ok(false),
        _ => Ok(true),
    }
}

/// Whether files without a name can get one: without `/proc` that takes a
/// privilege.
#[cfg(target_os = "linux")]
fn has_proc() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    *THERE.get_or_init(|| Path::new("/proc/self/fd").is_dir())
}

fn hidden_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}{}-{count}{SUFFIX}", std::process::id())
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// One component, so that nothing leads out of the folder.
fn is_name(name: &[u8]) -> io::Result<()> {
    let odd = |b: &u8| matches!(b, b'/' | 0);
    if name.is_empty() || name == b"." || name == b".." || name.iter().any(odd) {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    Ok(())
}

/// What hidden names begin and end with.
const PREFIX: &str = ".onepoll-";
const SUFFIX: &str = ".part";
/// Names that are tried: there may be leftovers of other processes with our
/// number (in a container it is often 1).
const TRIES_MAX: u32 = 1000;
/// As for any new file; the umask takes away from it.
const MODE: Mode = Mode::from_bits_retain(0o666);
/// To look at what is there without opening it.
#[cfg(target_os = "linux")]
const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const LOOK: OFlags = CHECK;
/// To open what may be a leftover: no link, and no waiting for a FIFO.
const CHECK: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

#[cfg(test)]
mod tests;
