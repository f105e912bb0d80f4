//! The examples' binaries.

use std::path::PathBuf;

/// The binary of an example: `cargo test` builds them beside the tests.
#[track_caller]
pub fn binary(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("a test knows its binary");
    let folder = this.ancestors().nth(2).expect("target/debug/deps/this");
    let path = folder.join("examples").join(name);
    assert!(path.is_file(), "{}: `cargo build --examples` makes it", path.display());
    path
}
