//! STAND-IN, to be replaced by the real room: same contract, none of its safety
//! against a folder that changes while a path is walked.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(crate) struct Jail {
    root: PathBuf,
}

#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) metadata: Metadata,
}

#[derive(Debug)]
pub(crate) enum JailError {
    Escape,
    NotFound,
    Denied,
    Other(io::Error),
}

impl Jail {
    pub(crate) fn open_root(path: impl AsRef<Path>) -> io::Result<Jail> {
        let root = path.as_ref().canonicalize()?;
        if !root.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Jail { root })
    }

    pub(crate) fn open(&self, relative: &[u8]) -> Result<Opened, JailError> {
        let wanted = self.root.join(std::ffi::OsStr::from_bytes(relative));
        let real = wanted.canonicalize().map_err(of)?;
        if !real.starts_with(&self.root) {
            return Err(JailError::Escape);
        }
        if real != wanted.components().collect::<PathBuf>() {
            return Err(JailError::Denied);
        }
        let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&real).map_err(of)?;
        let metadata = file.metadata().map_err(of)?;
        Ok(Opened { file, metadata })
    }
}

fn of(error: io::Error) -> JailError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => JailError::NotFound,
        io::ErrorKind::PermissionDenied => JailError::Denied,
        _ => JailError::Other(error),
    }
}
