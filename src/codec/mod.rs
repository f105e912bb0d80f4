//! Content codings: bytes made shorter on their way to a client.

pub mod gzip;
