//! Reading of a part of a file, or of what is in memory of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Fills the buffer from a file, waiting for the disk if need be. How many
/// bytes there were: fewer than wanted at the file's end only.
///
/// # Errors
/// As the system says.
pub(crate) fn read(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    fill(buffer, offset, |part, at| file.read_at(part, at))
}

/// As [`read`], but never waits: for the loop.
///
/// # Errors
/// `WouldBlock` if a part is not in memory, or if the file system can't tell.
#[cfg(target_os = "linux")]
pub(crate) fn read_resident(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    fill(buffer, offset, |part, at| {
        let mut vector = [io::IoSliceMut::new(part)];
        match preadv2(file, &mut vector, at, ReadWriteFlags::NOWAIT) {
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            other => Ok(other?),
        }
    })
}

/// As [`read`], but never waits: here it can't be told, so it never reads.
///
/// # Errors
/// `WouldBlock`.
#[cfg(not(target_os = "linux"))]
pub(crate) fn read_resident(_: &File, _: &mut [u8], _: u64) -> io::Result<usize> {
    Err(io::ErrorKind::WouldBlock.into())
}

fn fill(
    buffer: &mut [u8],
    offset: u64,
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match read(rest, offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_end_is_not_read() {
        let file = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
        let len = file.metadata().unwrap().len();
        let mut buffer = vec![0; 100];
        assert_eq!(read(&file, &mut buffer, len - 7).unwrap(), 7);
        assert_eq!(read(&file, &mut buffer, len + 7).unwrap(), 0);
        assert_eq!(read(&file, &mut [], 0).unwrap(), 0);
        // It was just read, so it is in memory, unless the system is short of it.
        match read_resident(&file, &mut buffer, len - 7) {
            Ok(count) => assert_eq!(count, 7),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }

    #[test]
    fn short_reads_and_interruptions_are_gone_on_with() {
        let mut steps = [Ok(2), Err(io::ErrorKind::Interrupted.into()), Ok(3), Ok(0)].into_iter();
        let mut at = Vec::new();
        let got = fill(&mut [0; 9], 100, |part, offset| {
            at.push((offset, part.len()));
            steps.next().unwrap()
        });
        assert_eq!(got.unwrap(), 5);
        assert_eq!(at, [(100, 9), (102, 7), (102, 7), (105, 4)]);
    }
}
