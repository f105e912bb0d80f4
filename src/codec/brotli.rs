//! Brotli (RFC 7932), written piece by piece.
//!
//! The work is that of the crate `brotli`. Its encoder writes into a `Vec` of its own;
//! for the time of a call that is the caller's.

use brotli::CompressorWriter;
use brotli::enc::BrotliEncoderParams;
use std::fmt;
use std::io::{self, Write};

/// A stream that is being compressed.
///
/// ```
/// use onepoll::codec::brotli::Brotli;
/// let (mut brotli, mut out) = (Brotli::new(4), Vec::new());
/// brotli.push(b"event: a\n\n", &mut out)?;
/// brotli.flush(&mut out)?; // the client can read the event now
/// brotli.end(&mut out)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Brotli {
    level: u32,
    /// Made when there is something to compress.
    writer: Option<Box<CompressorWriter<Vec<u8>>>>,
}

/// How far back a stream may refer, as a power of two: 128 KiB. What is made for one
/// request is seldom longer; each encoder keeps twice that.
const WINDOW: i32 = 17;
/// What is made ready at once, in bytes.
const STEP: usize = 8 * 1024;

impl Brotli {
    /// An encoder. Level 1 is fast, 9 is small; what lies beyond is cut to that. (10 and
    /// 11 take a hundred times as long: they are for what is compressed once.)
    pub fn new(level: u32) -> Brotli {
        Brotli { level: level.clamp(1, 9), writer: None }
    }

    /// Takes content in, and appends what is ready to `out`: nothing, often.
    ///
    /// # Errors
    /// Only if the library behind it fails.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.with(out, |writer| writer.write_all(bytes))
    }

    /// Appends all that was pushed, so that the other end can read it.
    ///
    /// # Errors
    /// As [`push`](Brotli::push).
    pub fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.with(out, CompressorWriter::flush)
    }

    /// Appends the rest, and is as new.
    ///
    /// # Errors
    /// As [`push`](Brotli::push).
    pub fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        // So that content without a byte is a stream, too.
        self.with(out, |_| Ok(()))?;
        if let Some(mut writer) = self.writer.take() {
            std::mem::swap(writer.get_mut(), out);
            *out = writer.into_inner();
        }
        Ok(())
    }

    /// Calls the writer, which writes into `out`.
    fn with(
        &mut self,
        out: &mut Vec<u8>,
        call: impl FnOnce(&mut CompressorWriter<Vec<u8>>) -> io::Result<()>,
    ) -> io::Result<()> {
        let level = self.level;
        let writer = self.writer.get_or_insert_with(|| Box::new(make(level)));
        std::mem::swap(writer.get_mut(), out);
        let done = call(writer);
        std::mem::swap(writer.get_mut(), out);
        done
    }
}

fn make(level: u32) -> CompressorWriter<Vec<u8>> {
    let quality = level as i32; // 1 to 9
    let params = BrotliEncoderParams { quality, lgwin: WINDOW, ..Default::default() };
    CompressorWriter::with_params(Vec::new(), STEP, &params)
}

impl fmt::Debug for Brotli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Brotli(level {})", self.level)
    }
}
