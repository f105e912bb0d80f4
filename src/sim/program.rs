//! What a request makes the service do, written in its target.
//!
//! A target such as `/s20/j/b5000/own.17.300` says: sleep 20 ms, have a job run,
//! receive up to 5,000 bytes, answer with 300 bytes of the block from 17 on. The
//! service reads it and does so; the client that made it up knows what to expect.

use std::fmt;
use std::str::FromStr;

/// Acts, then an ending.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Program {
    pub(crate) acts: Vec<Act>,
    pub(crate) ending: Ending,
}

/// Something to be done before the reply.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Act {
    /// Sleep for milliseconds.
    Sleep(u64),
    /// A job that may be refused.
    Job,
    /// A job that may not.
    EngineJob,
    /// A job of the serial lane.
    SerialJob,
    /// Receive into the request's buffer, so many bytes at most.
    Buffer(u64),
    /// Receive into a sink on the loop.
    Inline(u64),
    /// Receive into a sink on a helper.
    Blocking(u64),
    /// Receive into a sink that fails; on a helper or not.
    Failing(bool),
}

/// The reply.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ending {
    None,
    Owned(usize, usize),
    Static(usize, usize),
    Shared(usize, usize),
    File(usize, usize),
    /// The same in pieces of every kind.
    Pieces(usize, usize),
    /// The received content, or its sum if a sink took it.
    Echo,
    /// Owned, and close.
    Close(usize, usize),
    Stream(Stream),
    /// The connection leaves HTTP.
    Switch,
}

/// A reply from a source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stream {
    pub(crate) key: usize,
    pub(crate) len: usize,
    pub(crate) blocking: bool,
    pub(crate) known: bool,
    pub(crate) fails: bool,
    pub(crate) seed: u64,
}

impl Program {
    /// What receives the content, if anything does.
    pub(crate) fn receives(&self) -> Option<Act> {
        self.acts.iter().copied().find(|act| act.limit().is_some())
    }
}

impl Act {
    /// Whether its lane may be full.
    pub(crate) fn is_bounded(self) -> bool {
        matches!(self, Act::Job | Act::SerialJob)
    }

    /// The most bytes that it receives, if it does.
    pub(crate) fn limit(self) -> Option<u64> {
        match self {
            Act::Buffer(max) | Act::Inline(max) | Act::Blocking(max) => Some(max),
            Act::Failing(_) => Some(u64::MAX),
            _ => None,
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for act in &self.acts {
            match act {
                Act::Sleep(ms) => write!(f, "/s{ms}")?,
                Act::Job => f.write_str("/j")?,
                Act::EngineJob => f.write_str("/e")?,
                Act::SerialJob => f.write_str("/q")?,
                Act::Buffer(max) => write!(f, "/b{max}")?,
                Act::Inline(max) => write!(f, "/i{max}")?,
                Act::Blocking(max) => write!(f, "/x{max}")?,
                Act::Failing(blocking) => write!(f, "/f{}", u8::from(*blocking))?,
            }
        }
        match self.ending {
            Ending::None => f.write_str("/none"),
            Ending::Owned(key, len) => write!(f, "/own.{key}.{len}"),
            Ending::Static(key, len) => write!(f, "/static.{key}.{len}"),
            Ending::Shared(key, len) => write!(f, "/shared.{key}.{len}"),
            Ending::File(key, len) => write!(f, "/file.{key}.{len}"),
            Ending::Pieces(key, len) => write!(f, "/pieces.{key}.{len}"),
            Ending::Echo => f.write_str("/echo"),
            Ending::Switch => f.write_str("/switch"),
            Ending::Close(key, len) => write!(f, "/close.{key}.{len}"),
            Ending::Stream(Stream { key, len, blocking, known, fails, seed }) => {
                let flag = |flag: bool| u8::from(flag);
                let flags = flag(blocking) | flag(known) << 1 | flag(fails) << 2;
                write!(f, "/stream.{key}.{len}.{flags}.{seed}")
            }
        }
    }
}

impl FromStr for Program {
    type Err = ();

    fn from_str(text: &str) -> Result<Program, ()> {
        let mut acts = Vec::new();
        for segment in text.strip_prefix('/').ok_or(())?.split('/') {
            let number = || segment.get(1..).and_then(|digits| digits.parse::<u64>().ok());
            let act = match (segment.as_bytes().first(), number()) {
                (Some(b's'), Some(ms)) => Act::Sleep(ms),
                (Some(b'b'), Some(max)) => Act::Buffer(max),
                (Some(b'i'), Some(max)) => Act::Inline(max),
                (Some(b'x'), Some(max)) => Act::Blocking(max),
                (Some(b'f'), Some(blocking)) => Act::Failing(blocking == 1),
                _ if segment == "j" => Act::Job,
                _ if segment == "e" => Act::EngineJob,
                _ if segment == "q" => Act::SerialJob,
                _ => return Ok(Program { acts, ending: ending(segment)? }),
            };
            acts.push(act);
        }
        Err(())
    }
}

fn ending(segment: &str) -> Result<Ending, ()> {
    let (name, rest) = segment.split_once('.').unwrap_or((segment, ""));
    let numbers: Vec<u64> = rest.split('.').filter_map(|n| n.parse().ok()).collect();
    Ok(match (name, &numbers[..]) {
        ("none", []) => Ending::None,
        ("echo", []) => Ending::Echo,
        ("switch", []) => Ending::Switch,
        ("own", [key, len]) => Ending::Owned(*key as usize, *len as usize),
        ("static", [key, len]) => Ending::Static(*key as usize, *len as usize),
        ("shared", [key, len]) => Ending::Shared(*key as usize, *len as usize),
        ("file", [key, len]) => Ending::File(*key as usize, *len as usize),
        ("pieces", [key, len]) => Ending::Pieces(*key as usize, *len as usize),
        ("close", [key, len]) => Ending::Close(*key as usize, *len as usize),
        ("stream", [key, len, flags, seed]) => Ending::Stream(Stream {
            key: *key as usize,
            len: *len as usize,
            blocking: flags & 1 != 0,
            known: flags & 2 != 0,
            fails: flags & 4 != 0,
            seed: *seed,
        }),
        _ => return Err(()),
    })
}
