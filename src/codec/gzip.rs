//! The gzip format (RFC 1952), written piece by piece or at once.
//!
//! ```text
//!   new     head: 10 bytes, no name, no time     the same content, the same bytes
//!   push    deflate blocks (RFC 1951)            as they become ready
//!   flush   an empty block                       all that was pushed can be read now
//!   finish  last block, CRC-32, length
//! ```
//!
//! Deflating is the work of `flate2`. An encoder keeps about 300 KiB whatever
//! the content's length; what is ready goes to the caller at once.

use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use std::io;

/// A stream that is being compressed.
///
/// ```
/// use onepoll::codec::gzip::{Gzip, LEVEL};
/// let (mut gzip, mut out) = (Gzip::new(LEVEL), Vec::new());
/// gzip.push(b"event: a\n\n", &mut out)?;
/// gzip.flush(&mut out)?; // the client can read the event now
/// gzip.push(b"event: b\n\n", &mut out)?;
/// gzip.finish(&mut out)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Gzip {
    deflate: Compress,
    sum: Crc,
    head: Head,
}

/// Whether the head is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    Due,
    Written,
}

/// The level that most programs choose: half the time of 9, and nearly as small.
pub const LEVEL: u32 = 6;
/// Deflate (8), no flags, no time, no hint, written on an unknown system (255).
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// What is made ready at once, in bytes: output grows in steps of this.
const STEP: usize = 8 * 1024;

impl Gzip {
    /// An encoder. Level 1 is fast, 9 is small; what lies beyond is cut to that.
    pub fn new(level: u32) -> Gzip {
        let level = Compression::new(level.clamp(1, 9));
        Gzip { deflate: Compress::new(level, false), sum: Crc::new(), head: Head::Due }
    }

    /// Takes content in, and appends what is ready to `out`: nothing, often.
    ///
    /// # Errors
    /// Only if the library behind it fails.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.begin(out);
        self.sum.update(bytes);
        let mut rest = bytes;
        while !rest.is_empty() {
            let (taken, _) = self.step(rest, FlushCompress::None, out)?;
            rest = rest.get(taken..).unwrap_or(&[]);
        }
        Ok(())
    }

    /// Appends all that was pushed, so that the other end can read it. Costs a
    /// few bytes each time.
    ///
    /// # Errors
    /// As [`push`](Gzip::push).
    pub fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.begin(out);
        // It may all be out already: then there is nothing to do, and that is no
        // error. Room that is left over says that it is.
        while self.step(&[], FlushCompress::Sync, out)?.1 == Room::None {}
        Ok(())
    }

    /// Appends the rest. The encoder is used up.
    ///
    /// # Errors
    /// As [`push`](Gzip::push).
    pub fn finish(mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.end(out)
    }

    /// Appends the rest, and is as new: what is pushed next begins another stream.
    /// For many short ones, as an encoder's memory costs more than they do.
    ///
    /// ```
    /// use onepoll::codec::gzip::{Gzip, LEVEL, gzip};
    /// let mut encoder = Gzip::new(LEVEL);
    /// for text in [&b"one"[..], b"two"] {
    ///     let mut out = Vec::new();
    ///     encoder.push(text, &mut out)?;
    ///     encoder.end(&mut out)?;
    ///     assert_eq!(out, gzip(text, LEVEL)?);
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`push`](Gzip::push); it is of no use then.
    pub fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.begin(out);
        loop {
            match self.step(&[], FlushCompress::Finish, out)?.1 {
                Room::End => break,
                Room::None => {}
                Room::Left => return Err(io::Error::other("the encoder does not end")),
            }
        }
        out.extend_from_slice(&self.sum.sum().to_le_bytes());
        out.extend_from_slice(&self.sum.amount().to_le_bytes()); // modulo 2^32: section 2.3.1
        self.deflate.reset();
        self.sum.reset();
        self.head = Head::Due;
        Ok(())
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if self.head == Head::Due {
            out.extend_from_slice(&HEAD);
            self.head = Head::Written;
        }
    }

    /// One call: how many bytes were taken, and what became of the room.
    fn step(
        &mut self,
        bytes: &[u8],
        flush: FlushCompress,
        out: &mut Vec<u8>,
    ) -> io::Result<(usize, Room)> {
        if out.capacity() == out.len() {
            out.reserve(STEP);
        }
        let before = self.deflate.total_in();
        let status = self.deflate.compress_vec(bytes, out, flush)?;
        let taken = (self.deflate.total_in() - before) as usize; // no more than `bytes`
        let room = match status {
            Status::StreamEnd => Room::End,
            _ if out.len() == out.capacity() => Room::None,
            _ => Room::Left,
        };
        Ok((taken, room))
    }
}

/// What was left of the room for output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// All was used: there may be more.
    None,
    Left,
    /// The stream is at its end.
    End,
}

impl std::fmt::Debug for Gzip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gzip({} bytes -> {})", self.deflate.total_in(), self.deflate.total_out())
    }
}

/// Compresses content that is all there.
///
/// ```
/// use onepoll::codec::gzip::{LEVEL, gzip};
/// let text = "to be, or not to be; ".repeat(100);
/// assert!(gzip(text.as_bytes(), LEVEL)?.len() < 100);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// As [`Gzip::push`].
pub fn gzip(bytes: &[u8], level: u32) -> io::Result<Vec<u8>> {
    // Text becomes a third or a quarter of its length.
    let mut out = Vec::with_capacity(bytes.len() / 3 + 64);
    let mut gzip = Gzip::new(level);
    gzip.push(bytes, &mut out)?;
    gzip.finish(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use proptest::prelude::*;
    use std::io::Read;

    fn unzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        GzDecoder::new(bytes).read_to_end(&mut out).unwrap();
        out
    }

    /// What can be read of a stream that has no end yet.
    fn unzip_so_far(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut reader = GzDecoder::new(bytes);
        let mut byte = [0; 1];
        while let Ok(1) = reader.read(&mut byte) {
            out.extend_from_slice(&byte);
        }
        out
    }

    fn text(len: usize) -> Vec<u8> {
        (0..len).map(|n| b"the quick brown fox\n"[(n * n / 7) % 20]).collect()
    }

    #[test]
    fn content_comes_back() {
        for len in [0, 1, 2, 100, 8_192, 100_000, 1_000_000] {
            let text = text(len);
            for level in [0, 1, 6, 9, 100] {
                assert_eq!(unzip(&gzip(&text, level).unwrap()), text, "{len} at {level}");
            }
        }
    }

    #[test]
    fn nothing_tells_when_or_where_it_was_made() {
        assert_eq!(gzip(b"abc", LEVEL).unwrap()[..10], HEAD);
        assert_eq!(gzip(b"abc", LEVEL).unwrap(), gzip(b"abc", LEVEL).unwrap());
    }

    #[test]
    fn what_is_flushed_can_be_read() {
        let (mut gzip, mut out) = (Gzip::new(LEVEL), Vec::new());
        let mut sent = Vec::new();
        for len in [0, 1, 10_000, 0, 3, 70_000] {
            gzip.push(&text(len), &mut out).unwrap();
            sent.extend(text(len));
            gzip.flush(&mut out).unwrap();
            gzip.flush(&mut out).unwrap();
            assert_eq!(unzip_so_far(&out), sent, "after {len}");
        }
        gzip.finish(&mut out).unwrap();
        assert_eq!(unzip(&out), sent);
    }

    #[test]
    fn a_stream_needs_no_more_memory_than_a_piece() {
        let (mut gzip, mut out) = (Gzip::new(1), Vec::new());
        let mut sum = 0;
        for n in 0..2_000u32 {
            let mix = |i: u32| (n * 1_000 + i).wrapping_mul(2_654_435_761);
            let noise: Vec<u8> = (0..1_000).map(|i| (mix(i) >> 13) as u8).collect();
            gzip.push(&noise, &mut out).unwrap();
            assert!(out.len() <= 256 * 1024, "{} bytes at once", out.len());
            sum += out.len();
            out.clear();
        }
        assert!(sum > 100_000, "{sum} bytes: too easy");
    }

    fn piece() -> impl Strategy<Value = (Vec<u8>, bool)> {
        (prop::collection::vec(0..8u8, 0..3000), any::<bool>())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn any_pieces_are_the_whole(
            pieces in prop::collection::vec(piece(), 0..8),
            room in 0..64usize,
        ) {
            let (mut gzip, mut out) = (Gzip::new(LEVEL), Vec::with_capacity(room));
            let mut whole = Vec::new();
            for (piece, flush) in &pieces {
                gzip.push(piece, &mut out).unwrap();
                whole.extend_from_slice(piece);
                if *flush {
                    gzip.flush(&mut out).unwrap();
                }
            }
            gzip.finish(&mut out).unwrap();
            prop_assert_eq!(unzip(&out), whole);
        }
    }
}
