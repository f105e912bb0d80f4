//! HTTP/1.1 without I/O: bytes in, events out; a response in, bytes out.

mod encode;
pub mod fault;
mod framing;
mod head;
mod http1;
mod state;

pub use encode::Preamble;
pub use fault::{Fault, Misuse};
pub use framing::{Framing, Length};
pub use head::Head;
pub use http1::{Cycle, Event, Framed, Http1};
pub use state::{Read, Write};
