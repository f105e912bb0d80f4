//! Which route serves a method and a path.

mod allow;
mod decode;
mod pattern;
mod regex;
mod scan;
mod table;
mod tree;

pub use pattern::join;
pub use table::{Lookup, Table};
