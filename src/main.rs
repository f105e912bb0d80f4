//! The `onepoll` command.
#![forbid(unsafe_code)]

fn main() {}
