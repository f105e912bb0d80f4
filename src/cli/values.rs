//! Values of flags: durations, sizes, ranges of numbers, hosts.

use std::net::{IpAddr, ToSocketAddrs};
use std::time::Duration;

/// Reads `10`, `10s`, `500ms`, `2m` or `1h`; a number alone is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let ms_per_unit = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err("expected a time like 500ms, 10s, 2m or 1h".to_owned()),
    };
    let ms = scaled(number, ms_per_unit).ok_or("expected a time like 500ms, 10s, 2m or 1h")?;
    Ok(Duration::from_millis(ms))
}

/// Reads `1000`, `64k`, `10M` or `1GiB`: bytes, by powers of 1,024.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        _ => return Err("expected a size like 4096, 64k, 10M or 1G".to_owned()),
    };
    scaled(number, 1 << shift).ok_or_else(|| "expected a size like 4096, 64k, 10M or 1G".to_owned())
}

/// Reads `1..4`, both ends included, or `4` for exactly four.
pub(super) fn helpers(text: &str) -> Result<(usize, usize), String> {
    let wrong = || "expected MIN..MAX, like 1..4, or one number".to_owned();
    let (min, max) = text.split_once("..").unwrap_or((text, text));
    let min: usize = min.trim().parse().map_err(|_| wrong())?;
    let max: usize = max.trim().parse().map_err(|_| wrong())?;
    if max == 0 || min > max || max > 1024 {
        return Err("expected 0..1 to 1024 threads, MIN not above MAX".to_owned());
    }
    Ok((min, max))
}

/// Reads an address, with or without brackets, or looks a name up: its first
/// IPv4 address if it has one, since `localhost` often names an IPv6 address
/// that the machine doesn't have.
pub(super) fn host(text: &str) -> Result<IpAddr, String> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse() {
        return Ok(address);
    }
    let found = (text, 0).to_socket_addrs().map_err(|error| format!("no such host: {error}"))?;
    let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses.first().copied().ok_or_else(|| "the host has no address".to_owned())
}

/// Accepts the name of an index file: one part of a path, and not a hidden one.
pub(super) fn index(text: &str) -> Result<String, String> {
    if text.is_empty() || text.starts_with('.') || text.contains(['/', '\0']) {
        return Err("expected a file name without a slash or a leading dot".to_owned());
    }
    Ok(text.to_owned())
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

fn scaled(number: &str, by: u64) -> Option<u64> {
    number.parse::<u64>().ok()?.checked_mul(by)
}

#[cfg(test)]
mod tests;
