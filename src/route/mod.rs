//! Which route serves a method and a path.

mod table;

pub use table::{Lookup, Table, join};
