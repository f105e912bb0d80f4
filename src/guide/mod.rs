//! Guides: chapters for people, without code.

pub mod production;
