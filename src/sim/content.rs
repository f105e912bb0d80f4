//! Content that both sides know without sending it to each other: a part of one
//! long block, named by where it begins.

use crate::http::OpenFile;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Longer than any content, and of no short period.
pub(crate) const BLOCK: usize = 1 << 20;
/// Contents begin below this.
pub(crate) const KEYS: usize = 4096;

/// The block; the same in every run.
pub(crate) fn block() -> &'static [u8] {
    static BLOCK_BYTES: OnceLock<Box<[u8]>> = OnceLock::new();
    BLOCK_BYTES.get_or_init(|| {
        let mut rng = super::rng::Rng::new(1);
        let mut bytes = Vec::with_capacity(BLOCK);
        while bytes.len() < BLOCK {
            // Printable, so that a failure's excerpt can be read.
            bytes.extend(rng.next().to_le_bytes().map(|byte| b'0' + (byte & 63)));
        }
        bytes.into_boxed_slice()
    })
}

/// The part that begins at `key`.
pub(crate) fn part(key: usize, len: usize) -> &'static [u8] {
    block().get(key..key.saturating_add(len)).unwrap_or(&[])
}

/// The block as a file that no path leads to any more.
pub(crate) fn file() -> io::Result<Arc<OpenFile>> {
    static FILE: OnceLock<Arc<OpenFile>> = OnceLock::new();
    if let Some(file) = FILE.get() {
        return Ok(Arc::clone(file));
    }
    let name = format!("onepoll-sim-{}-{:?}", std::process::id(), std::thread::current().id());
    let path: PathBuf = std::env::temp_dir().join(name);
    File::create(&path)?.write_all(block())?;
    let file = Arc::new(OpenFile::from(File::open(&path)?));
    std::fs::remove_file(&path)?;
    Ok(Arc::clone(FILE.get_or_init(|| file)))
}

/// Length and checksum, as a sink reports what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) len: u64,
    hash: u64,
}

impl Sum {
    pub(crate) const EMPTY: Sum = Sum { len: 0, hash: 0xCBF2_9CE4_8422_2325 };

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }

    pub(crate) fn text(self) -> String {
        format!("{}:{:x}", self.len, self.hash)
    }
}
