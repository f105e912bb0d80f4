//! Files: opening what lies within a folder, and nothing else.

pub(crate) mod jail;
