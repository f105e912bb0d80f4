//! Zstandard (RFC 8878), written piece by piece.
//!
//! The work is that of the reference library, in C, by the crate `zstd`: encoders in Rust
//! are not there yet.

use std::fmt;
use std::io;
use zstd::stream::raw::{CParameter, Encoder, InBuffer, Operation, OutBuffer};

/// A stream that is being compressed.
///
/// ```
/// use onepoll::codec::zstd::Zstd;
/// let (mut zstd, mut out) = (Zstd::new(4)?, Vec::new());
/// zstd.push(b"event: a\n\n", &mut out)?;
/// zstd.flush(&mut out)?; // the client can read the event now
/// zstd.end(&mut out)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Zstd {
    encoder: Encoder<'static>,
}

/// How far back a stream may refer, as a power of two: 128 KiB. Clients need not keep
/// more than 8 MiB (RFC 9659 section 3), and each encoder keeps this much.
const WINDOW: u32 = 17;
/// Entries of the encoder's tables, as powers of two: what goes with that window. Else
/// they are for the longest content, and take megabytes.
const TABLE: u32 = 16;
/// What is made ready at once, in bytes.
const STEP: usize = 8 * 1024;

impl Zstd {
    /// An encoder. Level 1 is fast, 9 is small; what lies beyond is cut to that.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn new(level: u32) -> io::Result<Zstd> {
        let mut encoder = Encoder::new(level.clamp(1, 9) as i32)?;
        encoder.set_parameter(CParameter::WindowLog(WINDOW))?;
        encoder.set_parameter(CParameter::HashLog(TABLE))?;
        encoder.set_parameter(CParameter::ChainLog(TABLE))?;
        Ok(Zstd { encoder })
    }

    /// Takes content in, and appends what is ready to `out`: nothing, often.
    ///
    /// # Errors
    /// Only if the library behind it fails.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let mut input = InBuffer::around(bytes);
        while input.pos() < bytes.len() {
            self.step(out, |encoder, out| encoder.run(&mut input, out))?;
        }
        Ok(())
    }

    /// Appends all that was pushed, so that the other end can read it.
    ///
    /// # Errors
    /// As [`push`](Zstd::push).
    pub fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        while self.step(out, |encoder, out| encoder.flush(out))? > 0 {}
        Ok(())
    }

    /// Appends the rest, and is as new.
    ///
    /// # Errors
    /// As [`push`](Zstd::push).
    pub fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        while self.step(out, |encoder, out| encoder.finish(out, true))? > 0 {}
        self.encoder.reinit()
    }

    /// One call with some room: what the library says is left to write.
    fn step(
        &mut self,
        out: &mut Vec<u8>,
        call: impl FnOnce(&mut Encoder<'static>, &mut OutBuffer<'_, Vec<u8>>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if out.capacity() == out.len() {
            out.reserve(STEP);
        }
        let at = out.len();
        call(&mut self.encoder, &mut OutBuffer::around_pos(out, at))
    }
}

impl fmt::Debug for Zstd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Zstd")
    }
}
