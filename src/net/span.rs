//! Parts of files: sent without a copy, and asked whether they are in memory.
//!
//! A loop must not wait for a disk, and `sendfile` does if a page is not in
//! memory. So each part is asked about first. Between the question and the
//! sending the system may drop pages after all, and pages in the middle are not
//! asked about: then the loop waits, for one part of 256 KiB at most.

use crate::http::FileSpan;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;

/// Sends `len` bytes of a file from `offset` on to a socket, as much as fits; 0
/// is the file's end.
///
/// # Errors
/// `WouldBlock` when nothing fits; else as the system says.
#[cfg(target_os = "linux")]
pub(crate) fn send(socket: impl AsFd, file: &File, offset: u64, len: usize) -> io::Result<usize> {
    let mut offset = offset;
    Ok(rustix::fs::sendfile(socket, file, Some(&mut offset), len)?)
}

/// Sends a part of a file to a socket, through a small buffer.
///
/// # Errors
/// `WouldBlock` when nothing fits; else as the system says.
#[cfg(not(target_os = "linux"))]
pub(crate) fn send(socket: impl AsFd, file: &File, offset: u64, len: usize) -> io::Result<usize> {
    use std::os::unix::fs::FileExt;
    let mut buffer = [0; 16 * 1024];
    let room = len.min(buffer.len());
    let count = file.read_at(&mut buffer[..room], offset)?;
    Ok(rustix::io::write(socket, &buffer[..count])?)
}

/// Whether a part of a file can be read without waiting for a disk: its first
/// and its last byte are asked for on the condition that they are in memory.
/// A file system that knows no such condition counts as slow.
#[cfg(target_os = "linux")]
pub(crate) fn is_resident(span: &FileSpan) -> bool {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    let at = |offset| {
        let mut byte = [0; 1];
        let mut vector = [io::IoSliceMut::new(&mut byte)];
        match preadv2(&span.file, &mut vector, offset, ReadWriteFlags::NOWAIT) {
            Ok(_) => true, // 0 is beyond the end: known without a disk
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => false,
            Err(_) => true, // sending it will say what is wrong
        }
    };
    span.len == 0 || (at(span.offset) && at(span.offset + (span.len - 1)))
}

/// Not known here: helpers read everything first.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_resident(_span: &FileSpan) -> bool {
    false
}
