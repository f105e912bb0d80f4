//! Content codings: bytes made shorter on their way to a client.
//!
//! Each coding is a feature and a room of its own with the same four calls: `new`,
//! `push`, `flush` (all that was pushed can be read by the other end) and `end`, after
//! which it is as new. [`Encoder`] is one of them, whichever the client wants.

#[cfg(feature = "brotli")]
pub mod brotli;
#[cfg(feature = "gzip")]
pub mod gzip;
#[cfg(feature = "zstd")]
pub mod zstd;

use crate::http::accept::Coding;
use std::io;

/// The codings that were compiled in.
pub const AVAILABLE: &[Coding] = &[
    #[cfg(feature = "brotli")]
    Coding::Br,
    #[cfg(feature = "zstd")]
    Coding::Zstd,
    #[cfg(feature = "gzip")]
    Coding::Gzip,
];

/// A stream that is being compressed, in one of the codings.
///
/// ```
/// use onepoll::codec::{AVAILABLE, Encoder};
/// for &coding in AVAILABLE {
///     let mut encoder = Encoder::new(coding, 4)?;
///     let mut out = Vec::new();
///     encoder.push("to be, or not to be; ".repeat(100).as_bytes(), &mut out)?;
///     encoder.end(&mut out)?;
///     assert!(out.len() < 100, "{coding:?}: {}", out.len());
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Encoder {
    /// With the feature `gzip`.
    #[cfg(feature = "gzip")]
    Gzip(gzip::Gzip),
    /// With the feature `brotli`.
    #[cfg(feature = "brotli")]
    Brotli(brotli::Brotli),
    /// With the feature `zstd`.
    #[cfg(feature = "zstd")]
    Zstd(zstd::Zstd),
}

/// The same call to whichever it is.
macro_rules! each {
    ($self:ident, $encoder:ident => $call:expr) => {
        match $self {
            #[cfg(feature = "gzip")]
            Encoder::Gzip($encoder) => $call,
            #[cfg(feature = "brotli")]
            Encoder::Brotli($encoder) => $call,
            #[cfg(feature = "zstd")]
            Encoder::Zstd($encoder) => $call,
        }
    };
}

impl Encoder {
    /// An encoder of that coding. Level 1 is fast, 9 is small; what lies beyond is cut
    /// to that.
    ///
    /// # Errors
    /// If the coding is none of the [`AVAILABLE`], or there is no memory for it.
    pub fn new(coding: Coding, level: u32) -> io::Result<Encoder> {
        match coding {
            #[cfg(feature = "gzip")]
            Coding::Gzip => Ok(Encoder::Gzip(gzip::Gzip::new(level))),
            #[cfg(feature = "brotli")]
            Coding::Br => Ok(Encoder::Brotli(brotli::Brotli::new(level))),
            #[cfg(feature = "zstd")]
            Coding::Zstd => zstd::Zstd::new(level).map(Encoder::Zstd),
            other => Err(io::Error::other(format!("no encoder for {}", other.as_str()))),
        }
    }

    /// Which coding it is.
    pub fn coding(&self) -> Coding {
        match self {
            #[cfg(feature = "gzip")]
            Encoder::Gzip(_) => Coding::Gzip,
            #[cfg(feature = "brotli")]
            Encoder::Brotli(_) => Coding::Br,
            #[cfg(feature = "zstd")]
            Encoder::Zstd(_) => Coding::Zstd,
        }
    }

    /// Takes content in, and appends what is ready to `out`: nothing, often.
    ///
    /// # Errors
    /// Only if the library behind it fails. It is of no use then.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        each!(self, encoder => encoder.push(bytes, out))
    }

    /// Appends all that was pushed, so that the other end can read it. Costs a few bytes
    /// each time.
    ///
    /// # Errors
    /// As [`push`](Encoder::push).
    pub fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        each!(self, encoder => encoder.flush(out))
    }

    /// Appends the rest, and is as new: what is pushed next begins another stream.
    ///
    /// # Errors
    /// As [`push`](Encoder::push).
    pub fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        each!(self, encoder => encoder.end(out))
    }
}

#[cfg(test)]
mod tests;
