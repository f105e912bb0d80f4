//! The names of Unix sockets: files that come, may be left behind, and go.
//!
//! A socket's file outlives a server that is killed, and then stands in the way
//! of the next. Whether anybody still listens is found by knocking:
//!
//! ```text
//!   bind --> in use --> a socket? --no--> say so
//!                          | yes
//!                       connect --> refused: left behind; remove it, bind again
//!                          '------> anything else: somebody is there
//! ```
//!
//! That is done under a lock on the folder, so that two servers that start at
//! once don't remove each other's file.

use super::SocketOptions;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A socket's file, removed when this is dropped if it is still the one that was
/// made: another server may have put its own there meanwhile.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and number.
    id: (u64, u64),
    /// It is somebody else's by now.
    left: AtomicBool,
}

impl SocketFile {
    /// The file at that path, as one's own.
    pub(super) fn own(path: &Path) -> io::Result<SocketFile> {
        Ok(SocketFile { path: path.to_owned(), id: id_of(path)?, left: AtomicBool::new(false) })
    }

    /// Whether it is removed when this is dropped.
    pub(super) fn keep(&self, ours: bool) {
        self.left.store(!ours, Ordering::Relaxed);
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if !self.left.load(Ordering::Relaxed)
            && id_of(&self.path).is_ok_and(|id| id == self.id)
            && let Err(error) = fs::remove_file(&self.path)
        {
            log::warn!("{}: the socket's file can't be removed: {error}", self.path.display());
        }
    }
}

fn id_of(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|it| (it.dev(), it.ino()))
}

/// Binds and listens: `@name` is an abstract name (Linux), which has no file.
pub(super) fn listen(
    name: &Path,
    options: &SocketOptions,
) -> io::Result<(OwnedFd, Option<SocketFile>)> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if let Some(address) = abstract_name(name)? {
        socket.bind(&address)?;
        options.listen(&socket)?;
        return Ok((socket.into(), None));
    }
    let address = SockAddr::unix(name)?;
    let _lock = lock_folder(name)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if !fs::symlink_metadata(name)?.file_type().is_socket() {
                let why = "there is a file of that name which is no socket";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
            }
            if !is_left_behind(&address)? {
                return Err(error);
            }
            log::info!("{}: left behind by a server that is gone: removed", name.display());
            fs::remove_file(name)?;
            socket.bind(&address)?;
        }
        other => other?,
    }
    let file = SocketFile::own(name)?;
    // Nobody can connect yet, so that nobody gets in before the mode is right.
    if let Some(mode) = options.unix_mode {
        fs::set_permissions(name, Permissions::from_mode(mode))?;
    }
    options.listen(&socket)?;
    Ok((socket.into(), Some(file)))
}

/// Whether nobody listens there any more.
fn is_left_behind(address: &SockAddr) -> io::Result<bool> {
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // One whose queue is full is there as well; it is not waited for.
    probe.set_nonblocking(true)?;
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    Ok(probe.connect(address).is_err_and(refused))
}

/// Who makes or removes sockets of a folder has it alone meanwhile.
fn lock_folder(name: &Path) -> io::Result<OwnedFd> {
    let folder = match name.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    // Waiting is for as long as another server needs for the same few calls.
    for _ in 0..LOCK_TRIES {
        match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => std::thread::sleep(LOCK_PAUSE),
            other => {
                other?;
                return Ok(folder);
            }
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "another program has locked its folder"))
}

/// A second, since at start nobody is kept waiting by it.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// The address of `@name`; `None` for a path.
fn abstract_name(name: &Path) -> io::Result<Option<SockAddr>> {
    use std::os::unix::ffi::OsStrExt;
    let Some(name) = name.as_os_str().as_bytes().strip_prefix(b"@") else { return Ok(None) };
    if name.is_empty() || name.contains(&0) {
        let why = "an abstract name needs a character behind the @";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        let why = "only Linux has abstract names";
        return Err(io::Error::new(io::ErrorKind::Unsupported, why));
    }
    let mut bytes = vec![0];
    bytes.extend_from_slice(name);
    SockAddr::unix(std::ffi::OsStr::from_bytes(&bytes)).map(Some)
}
