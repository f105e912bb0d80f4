//! # Level 08: a jail for paths
//!
//! **The problem of level 07:** a name from a stranger was joined to a folder, and
//! whatever came of it was read: `../secret.txt`, `/etc/passwd` (an absolute name
//! *replaces* the folder it is joined to), a link that leads out, a pipe that keeps a
//! helper waiting for ever.
//!
//! **The idea:** two gates. The first looks at the name, before any disk is touched:
//! it must consist of plain names only. The second looks at what the kernel makes of
//! it: links resolved, it must still be below the folder, and be a regular file.
//!
//! ```text
//!   "a%2e./b" --decode--> "a../b" --plain names only?--> resolve links --below the root?
//!                                      | no                                | no
//!                                      '------------> 404 <----------------'
//! ```
//!
//! Decoding comes *first*: who checks and then decodes has checked something else
//! (`%2e%2e%2f`). All refusals look alike, so that nobody learns what there is outside.
//! Nothing else has changed: the loop is that of level 07, with other helpers.
//!
//! ## Try it
//! ```text
//! cargo run --release --example ladder -- 8 --port 8080
//! curl --path-as-is http://127.0.0.1:8080/files/../secret.txt
//! curl --path-as-is http://127.0.0.1:8080/files/%2e%2e/secret.txt
//! curl http://127.0.0.1:8080/files//etc/passwd
//! ```
//!
//! ## What it gets wrong
//! Between the look at the path and the `open` somebody who may write in the folder can
//! put a link in its place; the look and the opening would have to be one step. The
//! kernel has that step (`openat2` with `RESOLVE_BENEATH`), and onepoll takes it.
//! The ladder shows no break any more, only something that is missing: the site
//! **remembers nobody**.

use crate::level07;
use crate::site::{self, Reply, Site, Task};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Component, Path, PathBuf};

/// A file is kept in memory while it is sent; larger ones are no business of this site.
const FILE_MAX: u64 = 16 << 20;

pub(crate) fn run(site: &Site) -> io::Result<()> {
    let jail = Jail::new(&site.root)?;
    level07::run_with(site, || {
        let jail = jail.clone();
        Ok(move |task: &Task| match task {
            Task::File(name) => jail.reply(name),
            Task::Visits(_) => Reply::text("404 Not Found", "level 09 counts visits\n"),
        })
    })
}

/// A folder that no name leads out of.
#[derive(Clone, Debug)]
pub(crate) struct Jail {
    /// Resolved once: what is compared must be spelt alike.
    root: PathBuf,
}

impl Jail {
    pub(crate) fn new(root: &Path) -> io::Result<Jail> {
        Ok(Jail { root: root.canonicalize()? })
    }

    /// The file of that name, as it stands in a request. Blocks.
    pub(crate) fn reply(&self, name: &str) -> Reply {
        let Some(name) = decode(name).filter(|name| is_plain(name)) else {
            return Reply::missing();
        };
        site::slow_disk(&name);
        site::file(self.read(&name))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        // The second gate. `canonicalize` fails for what doesn't exist.
        let path = self.root.join(name).canonicalize()?;
        if !path.starts_with(&self.root) || !path.metadata()?.is_file() {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let mut content = Vec::new();
        // One byte more than there may be shows that there is more.
        let count = File::open(path)?.take(FILE_MAX + 1).read_to_end(&mut content)?;
        if count as u64 > FILE_MAX {
            return Err(ErrorKind::FileTooLarge.into());
        }
        Ok(content)
    }
}

/// The first gate: names and nothing but names. `Path` knows what else there is on
/// this system: roots, `.` and `..`.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    !name.is_empty()
        // No system call takes a zero byte.
        && !name.contains('\0')
        && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// Undoes `%XX`, once. `None`: it isn't what it should be, or no UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = |byte: Option<u8>| (byte? as char).to_digit(16);
        bytes.push(match byte {
            b'%' => u8::try_from(hex(rest.next())? * 16 + hex(rest.next())?).ok()?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}
