//! Dates as HTTP writes them (RFC 9110 section 5.6.7).

/// The length of an IMF-fixdate, in bytes.
pub const LEN: usize = 29;

/// Writes Unix seconds as an IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`.
/// Years beyond 9999 are written as the last second of 9999.
pub fn format(unix_secs: u64) -> [u8; LEN] {
    let _ = unix_secs;
    todo!()
}

/// Reads any of the three forms as Unix seconds; `None` if it is none of them
/// or before 1970. `now_secs` places two-digit years (within 50 years ahead).
pub fn parse(text: &[u8], now_secs: u64) -> Option<u64> {
    let _ = (text, now_secs);
    todo!()
}
