//! The examples' binaries.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The binary of an example: `cargo test` builds them beside the tests.
///
/// # Panics
/// If it is not there, or older than a source of it: `cargo test --test NAME` builds
/// no examples, and what was built before a change would be tested instead of it.
#[track_caller]
pub fn binary(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("a test knows its binary");
    let folder = this.ancestors().nth(2).expect("target/debug/deps/this");
    let path = folder.join("examples").join(name);
    let build = format!(
        "`cargo build --example {name}` makes it (with the flags of this `cargo test`, \
         `--release` say); so does `cargo test` without `--test`"
    );
    assert!(path.is_file(), "there is no {}: {build}", path.display());
    if let Some(newer) = newer_source(&path) {
        panic!("{} is newer than {}: {build}", newer.display(), path.display());
    }
    path
}

/// A source that was changed since, by the list that cargo leaves beside its binaries.
fn newer_source(binary: &Path) -> Option<PathBuf> {
    let changed = |path: &Path| path.metadata().and_then(|metadata| metadata.modified());
    let built = changed(binary).unwrap_or(SystemTime::UNIX_EPOCH);
    let list = std::fs::read_to_string(binary.with_extension("d")).ok()?;
    let (_, sources) = list.split_once(": ")?;
    // A space within a path has a backslash before it.
    let sources = sources.trim_end().replace("\\ ", "\0");
    let mut sources = sources.split(' ').map(|path| PathBuf::from(path.replace('\0', " ")));
    sources.find(|path| changed(path).is_ok_and(|changed| changed > built))
}
