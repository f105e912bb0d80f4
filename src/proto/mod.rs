//! HTTP/1.1 without input or output: bytes in, events and bytes out.

pub mod fault;
pub mod framing;
pub mod head;
