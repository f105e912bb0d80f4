//! Parts of files: sent without a copy, and asked whether they are in memory.
//!
//! A loop must not wait for a disk, and `sendfile` does if a page is not in
//! memory. So each part is asked about first. Between the question and the
//! sending the system may drop pages after all, and pages in the middle are not
//! asked about: then the loop waits, for one part of 256 KiB at most.
//!
//! A file that many want at the same time is asked about once for all of them:
//! [`Residents`] remembers what was in memory a moment ago.

use crate::http::{FileSpan, FileState, OpenFile};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

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

/// Reads a part of a file that should be in memory; 0 is the file's end. It is
/// short where memory ends, and waits for the disk only if nothing is there
/// after all.
#[cfg(feature = "tls")]
pub(crate) fn read(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    use std::os::unix::fs::FileExt;
    #[cfg(target_os = "linux")]
    {
        use rustix::io::{ReadWriteFlags, preadv2};
        let mut vector = [io::IoSliceMut::new(buffer)];
        if let Ok(count) = preadv2(file, &mut vector, offset, ReadWriteFlags::NOWAIT) {
            return Ok(count);
        }
    }
    file.read_at(buffer, offset)
}

/// The parts of files that were in memory a moment ago, each in the place where
/// a hash of it leads: a fixed number of them.
#[derive(Debug, Default)]
pub(crate) struct Residents(Vec<Resident>);

#[derive(Debug, Default)]
struct Resident {
    /// Not the file itself, which is to be closed when its last user goes. As
    /// long as this is here, no other file has its address.
    file: Weak<OpenFile>,
    offset: u64,
    len: u64,
    until: Option<Instant>,
}

/// How long what was in memory is taken to be there. A page that was just sent
/// is among the last that a system drops; and the two questions, asked once in
/// this time, cost nothing.
const MOMENT: Duration = Duration::from_millis(50);
/// Parts that are remembered: 40 KiB of memory, from the first file on.
const RESIDENTS: usize = 1024;

impl Residents {
    /// As [`is_resident`], or known from a moment ago.
    pub(crate) fn has(&mut self, span: &FileSpan, now: impl FnOnce() -> Instant) -> bool {
        if self.0.is_empty() {
            self.0.resize_with(RESIDENTS, Resident::default);
        }
        let address = Arc::as_ptr(&span.file);
        // Multiplied, both spread into the upper bits.
        let mixed = (address.addr() as u64 ^ span.offset).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let place = (mixed >> 32) as usize % RESIDENTS;
        let Some(resident) = self.0.get_mut(place) else { return is_resident(span) };
        let now = now();
        let known = std::ptr::eq(resident.file.as_ptr(), address)
            && (resident.offset, resident.len) == (span.offset, span.len)
            && resident.until.is_some_and(|until| now < until);
        if known {
            return true;
        }
        let is_there = is_resident(span);
        if is_there {
            let (file, until) = (Arc::downgrade(&span.file), now.checked_add(MOMENT));
            *resident = Resident { file, offset: span.offset, len: span.len, until };
        }
        is_there
    }
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
        match preadv2(&span.file.file, &mut vector, offset, ReadWriteFlags::NOWAIT) {
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

/// Whether a file's content may be another than when its length was learnt.
/// Appended to, as logs are, it isn't: what was promised is still there.
pub(crate) fn was_rewritten(file: &OpenFile) -> bool {
    let Some(FileState { len, modified }) = file.state else { return false };
    // Of an open file on a local disk: no path is walked and nothing is waited for.
    let Ok(now) = rustix::fs::fstat(&file.file) else { return true };
    // A time before 1970 counts as 0, as where the state comes from.
    let seconds = u64::try_from(now.st_mtime).unwrap_or(0);
    let nanoseconds = u32::try_from(now.st_mtime_nsec).unwrap_or(0);
    (seconds, nanoseconds) != modified && u64::try_from(now.st_size).unwrap_or(0) <= len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_in_memory_is_remembered_for_a_moment_and_for_its_file_only() {
        let open = || {
            Arc::new(OpenFile::from(
                File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap(),
            ))
        };
        let known =
            |residents: &Residents| residents.0.iter().filter(|r| r.until.is_some()).count();
        let mut residents = Residents::default();
        let start = Instant::now();
        let span = FileSpan { file: open(), offset: 0, len: 100 };
        if !residents.has(&span, || start) {
            println!("skipped: this file system does not tell what is in memory");
            return;
        }
        assert_eq!(known(&residents), 1);
        // Known, it is not asked about again: the mark stays as it is.
        let until = residents.0.iter().find_map(|r| r.until);
        assert!(residents.has(&span, || start + MOMENT / 2));
        assert_eq!(residents.0.iter().find_map(|r| r.until), until);
        assert!(residents.has(&span, || start + MOMENT));
        assert_ne!(residents.0.iter().find_map(|r| r.until), until);
        // Neither another part nor another file is taken for it.
        let place = residents.0.iter().position(|r| r.until.is_some()).unwrap();
        residents.0[place].len = 99;
        assert!(residents.has(&span, || start) && residents.0[place].len == 100);
        residents.0[place].file = Arc::downgrade(&open());
        assert!(residents.has(&span, || start));
        assert!(std::ptr::eq(residents.0[place].file.as_ptr(), Arc::as_ptr(&span.file)));
        // And it keeps none open.
        drop(span);
        assert_eq!(residents.0[place].file.strong_count(), 0);
    }
}
