//! A folder that nobody gets out of: files below it, opened by a client's path.
//!
//! The folder is opened once, and every path is resolved from that handle: it
//! means the same folder even if its name comes to mean another. First the path
//! is looked at as text, where most mischief ends; what remains is resolved by
//! the kernel under the rule that no step may lead out.
//!
//! ```text
//!   bytes of a path ----> vet ----> openat2(RESOLVE_BENEATH) ----> fstat ----> Opened
//!   (decoded, `/` not      |          | no openat2: step by step     |
//!    at its beginning)     |          | with O_NOFOLLOW              |
//!                          v          v                              v
//!                    .. / NUL //   out, or a link              fifo, socket, device
//! ```
//!
//! Checks before the opening would be races: a folder may become a link between
//! the two. So the resolving itself is restricted, and the type is asked of what
//! *was* opened. `O_NONBLOCK` makes sure that opening a FIFO waits for no writer.

mod entries;

pub use entries::{Entries, Entry, Kind};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat};
use rustix::io::{Errno, retry_on_intr};
use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// A folder, open.
///
/// ```
/// use onepoll::disk::{Jail, Links, OpenError};
/// let jail = Jail::new("src", Links::Refuse)?;
/// let opened = jail.open(b"lib.rs")?;
/// assert!(opened.metadata.is_file());
/// assert!(matches!(jail.open(b"../Cargo.toml"), Err(OpenError::Escape)));
/// assert!(matches!(jail.open(b"no/such/file"), Err(OpenError::NotFound)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Jail {
    root: OwnedFd,
    links: Links,
    way: Way,
    /// Whether reading may leave no trace: only owners of files may ask for that.
    #[cfg(target_os = "linux")]
    untraced: std::sync::atomic::AtomicBool,
}

/// What to do with symbolic links below the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Any link in a path is an escape. One that leads in a circle is not found,
    /// where the system can tell.
    Refuse,
    /// Links are followed as long as they stay below the folder. On systems
    /// without `openat2` (Linux before 5.6, other Unixes) they are refused.
    Within,
}

/// A file or a folder, open for reading, and what it is.
#[derive(Debug)]
pub struct Opened {
    /// The file. If it is a folder, it can be listed by its descriptor.
    pub file: File,
    /// Of the opened file, not of its name.
    pub metadata: Metadata,
}

/// Why a path can't be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// It leads out of the folder, or through a link that is refused: 403.
    Escape,
    /// There is no such file, or none that can be read like one: 404.
    NotFound,
    /// The file's permissions say no: 403.
    Denied,
    /// Only from [`Jail::open_cached`]: it would take the disk to know.
    WouldBlock,
    /// Something else, such as no descriptors left: 500 or 503.
    Other(io::Error),
}

/// How paths are resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// In one call, by the kernel.
    #[cfg(target_os = "linux")]
    Beneath,
    /// Component by component, without following links.
    Walk,
}

impl Jail {
    /// Opens the folder.
    ///
    /// # Errors
    /// What the system says: it does not exist, is no folder, is not ours to enter.
    pub fn new(folder: impl AsRef<Path>, links: Links) -> io::Result<Jail> {
        let root = openat(CWD, folder.as_ref(), FOLDER, Mode::empty())?;
        // To hold a folder is not to be let in.
        openat(&root, ".", FOLDER, Mode::empty())?;
        let way = Way::available(root.as_fd());
        Ok(Jail {
            root,
            links,
            way,
            #[cfg(target_os = "linux")]
            untraced: true.into(),
        })
    }

    /// Opens what the path means below the folder; the empty path is the folder
    /// itself. The path consists of bytes as the file system has them, already
    /// decoded, with `/` between the components only; a backslash is a byte like
    /// any other. Reading it leaves the time of its last access as it was, if the
    /// process owns the files or may do as if it did.
    ///
    /// It may wait for the disk.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(&self, path: &[u8]) -> Result<Opened, OpenError> {
        vet(path)?;
        let fd = match self.way {
            #[cfg(target_os = "linux")]
            Way::Beneath => self.beneath(path, rustix::fs::ResolveFlags::empty())?,
            Way::Walk => self.walk(path)?,
        };
        Opened::check(fd)
    }

    /// Like [`open`](Jail::open), yet never waits for the disk: for the loop.
    ///
    /// # Errors
    /// [`OpenError::WouldBlock`] if the kernel has not every name of the path at
    /// hand (or can't tell): let a helper `open` it.
    pub fn open_cached(&self, path: &[u8]) -> Result<Opened, OpenError> {
        vet(path)?;
        match self.way {
            #[cfg(target_os = "linux")]
            Way::Beneath => {
                use rustix::fs::ResolveFlags;
                // What is mounted below may be anything: to open it could mean to
                // ask a server at the other end of the world.
                let how = ResolveFlags::CACHED | ResolveFlags::NO_XDEV;
                Opened::check(self.beneath(path, how)?)
            }
            Way::Walk => Err(OpenError::WouldBlock),
        }
    }

    /// Whether the folder's file system is one where looking at an open file, or
    /// opening one whose names are in memory, waits for nothing: not a network's,
    /// and no program's. What isn't known is not.
    #[cfg(target_os = "linux")]
    pub fn is_local(&self) -> bool {
        let stat = rustix::fs::fstatfs(&self.root);
        // The type's width and sign depend on the machine; the numbers fit 32 bits.
        stat.is_ok_and(|stat| LOCAL.contains(&(stat.f_type as u32)))
    }

    /// Whether the folder's file system is known to be a local one: not here.
    #[cfg(not(target_os = "linux"))]
    pub fn is_local(&self) -> bool {
        false
    }

    #[cfg(target_os = "linux")]
    fn beneath(&self, path: &[u8], extra: rustix::fs::ResolveFlags) -> Result<OwnedFd, OpenError> {
        use rustix::fs::{ResolveFlags, openat2};
        use std::sync::atomic::Ordering::Relaxed;
        let path = if path.is_empty() { b"." } else { path };
        let mut how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | extra;
        if self.links == Links::Refuse {
            how |= ResolveFlags::NO_SYMLINKS;
        }
        let mut tries = 1;
        loop {
            // To note the time of a first access, a read waits for the journal.
            let untraced = self.untraced.load(Relaxed);
            let flags = if untraced { READ | OFlags::NOATIME } else { READ };
            match retry_on_intr(|| openat2(&self.root, path, flags, Mode::empty(), how)) {
                Ok(fd) => return Ok(fd),
                // Somebody else's file; and so the others will be.
                Err(Errno::PERM) if untraced => self.untraced.store(false, Relaxed),
                // EINVAL: a kernel before 5.12 does not know CACHED.
                Err(Errno::AGAIN | Errno::INVAL) if extra.contains(ResolveFlags::CACHED) => {
                    return Err(OpenError::WouldBlock);
                }
                // A mount point, or a way out: a helper finds out which.
                Err(Errno::XDEV) if extra.contains(ResolveFlags::NO_XDEV) => {
                    return Err(OpenError::WouldBlock);
                }
                Err(Errno::AGAIN) if tries < TRIES_MAX => tries += 1,
                // A link. Whether it ends anywhere is nothing for the loop.
                Err(Errno::LOOP) if extra.contains(ResolveFlags::CACHED) => {
                    return Err(OpenError::WouldBlock);
                }
                Err(Errno::LOOP) if self.is_endless(path) => return Err(OpenError::NotFound),
                Err(error) => return Err(self.classify(error)),
            }
        }
    }

    /// Whether the links on the way lead in a circle: then there is nothing that
    /// somebody could have wanted to reach. The path is only followed, nothing is
    /// opened, and not outside of the folder.
    #[cfg(target_os = "linux")]
    fn is_endless(&self, path: &[u8]) -> bool {
        use rustix::fs::{ResolveFlags, openat2};
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let found = retry_on_intr(|| openat2(&self.root, path, flags, Mode::empty(), how));
        found.is_err_and(|error| error == Errno::LOOP)
    }

    fn walk(&self, path: &[u8]) -> Result<OwnedFd, OpenError> {
        let mut folder: Option<OwnedFd> = None;
        let mut components = path.split(|byte| *byte == b'/').peekable();
        while let Some(name) = components.next() {
            let base = folder.as_ref().unwrap_or(&self.root).as_fd();
            let last = components.peek().is_none();
            let flags = if last { READ } else { FOLDER } | OFlags::NOFOLLOW;
            let name = if name.is_empty() { b"." } else { name };
            match retry_on_intr(|| openat(base, name, flags, Mode::empty())) {
                Ok(fd) if last => return Ok(fd),
                Ok(fd) => folder = Some(fd),
                // A link in the place of a folder is not told apart by the call.
                Err(Errno::NOTDIR) if is_link(base, name) => return Err(OpenError::Escape),
                Err(error) => return Err(self.classify(error)),
            }
        }
        Err(OpenError::NotFound)
    }

    fn classify(&self, error: Errno) -> OpenError {
        // Some systems say EMLINK for a link that must not be followed.
        let refused = self.links == Links::Refuse || self.way == Way::Walk;
        match error {
            Errno::XDEV => OpenError::Escape,
            Errno::LOOP | Errno::MLINK if refused => OpenError::Escape,
            Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::LOOP => OpenError::NotFound,
            // A socket, or a device without a driver: nothing that can be read.
            Errno::NXIO | Errno::NODEV | Errno::OPNOTSUPP => OpenError::NotFound,
            // Bytes that the file system can't have in a name.
            Errno::INVAL | Errno::ILSEQ => OpenError::NotFound,
            Errno::ACCESS | Errno::PERM => OpenError::Denied,
            other => OpenError::Other(other.into()),
        }
    }
}

impl Way {
    /// Whether there is an `openat2`. Some sandboxes answer EPERM for calls that
    /// they don't know, hence the trial instead of an error later.
    #[cfg(target_os = "linux")]
    fn available(root: BorrowedFd<'_>) -> Way {
        let how = rustix::fs::ResolveFlags::BENEATH;
        match rustix::fs::openat2(root, ".", FOLDER, Mode::empty(), how) {
            Ok(_) => Way::Beneath,
            Err(_) => Way::Walk,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn available(_: BorrowedFd<'_>) -> Way {
        Way::Walk
    }
}

impl Opened {
    /// Files and folders only.
    fn check(fd: OwnedFd) -> Result<Opened, OpenError> {
        let file = File::from(fd);
        let metadata = file.metadata().map_err(OpenError::Other)?;
        if metadata.is_file() || metadata.is_dir() {
            Ok(Opened { file, metadata })
        } else {
            Err(OpenError::NotFound)
        }
    }
}

/// What can be told from the text alone. An escape is named even if the path
/// is wrong in other ways, too.
fn vet(path: &[u8]) -> Result<(), OpenError> {
    let mut components = path.split(|byte| *byte == b'/');
    if path.starts_with(b"/") || components.clone().any(|name| name == b"..") {
        return Err(OpenError::Escape);
    }
    // Two spellings of one file would be two keys of a cache and two rules of a
    // proxy before us: only the plain one is a file.
    let odd = |name: &[u8]| name.is_empty() || name == b"." || name.contains(&0);
    if !path.is_empty() && components.any(odd) {
        return Err(OpenError::NotFound);
    }
    Ok(())
}

fn is_link(folder: BorrowedFd<'_>, name: &[u8]) -> bool {
    let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
    stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Escape => f.write_str("the path leads out of the folder"),
            OpenError::NotFound => f.write_str("no such file"),
            OpenError::Denied => f.write_str("permission denied"),
            OpenError::WouldBlock => f.write_str("not known without the disk"),
            OpenError::Other(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            OpenError::Other(error) => Some(error),
            _ => None,
        }
    }
}

/// No terminal becomes ours, no FIFO waits, no child inherits it.
const READ: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// A folder as a starting point: it must be enterable, not readable.
#[cfg(target_os = "linux")]
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// File systems on a disk of this machine or in its memory, by the numbers of
/// `statfs`. An overlay may have anything below it; in practice it is a local
/// one, as containers have it.
#[cfg(target_os = "linux")]
const LOCAL: [u32; 15] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // Btrfs
    0x0102_1994, // tmpfs
    0x8584_58f6, // ramfs
    0x794c_7630, // overlayfs
    0xf2f5_2010, // F2FS
    0x2fc1_2fc1, // ZFS
    0xca45_1a4e, // bcachefs
    0xe0f5_e1e2, // EROFS
    0x7371_7368, // squashfs
    0x3153_464a, // JFS
    0x3434,      // NILFS
    0x4d44,      // FAT
    0x2011_bab0, // exFAT
];

/// A rename somewhere on the system while a link leads through `..` makes the
/// kernel ask to try again. So often in a row is no accident any more.
#[cfg(target_os = "linux")]
const TRIES_MAX: u32 = 16;

#[cfg(test)]
mod tests;
