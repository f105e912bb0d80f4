//! STAND-IN, to be replaced at merge.

/// Stand-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// Stand-in.
    pub body: Length,
    /// Stand-in.
    pub keep: bool,
    /// Stand-in.
    pub expect: bool,
    /// Stand-in.
    pub upgrade: bool,
}

/// Stand-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Stand-in.
    None,
    /// Stand-in.
    Exact(u64),
    /// Stand-in.
    Chunked,
}
