//! Access log.
/// x
#[derive(Debug)]
pub struct AccessLog;
