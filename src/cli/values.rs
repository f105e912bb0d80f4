//! Values of flags, read and checked: what is wrong with one is said here, and
//! the parser says which flag it was.

use onepoll::http::{ContentType, Networks};
use onepoll::middleware::Cors;
use onepoll::{Error, Response};
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

/// The same for what must come to an end.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time.is_zero() || time > Duration::from_secs(7 * 24 * 3600) {
        return Err("expected more than 0 and at most a week (168h)".to_owned());
    }
    Ok(time)
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

/// The same for a request's head, which is indexed by 16 bits.
pub(super) fn head(text: &str) -> Result<usize, String> {
    match size(text)? {
        bytes @ 64..=65_535 => Ok(bytes as usize),
        _ => Err("expected 64 to 65535 bytes".to_owned()),
    }
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

pub(super) fn reactors(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=1024) => Ok(count),
        _ => Err("expected a number from 1 to 1024".to_owned()),
    }
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "expected a number from 0 to 65535".to_owned())
}

/// Accepts an address, with or without brackets, or a name that may be one. It
/// is looked up when it is listened on.
pub(super) fn host(text: &str) -> Result<String, String> {
    if text.strip_prefix("unix:").is_some_and(|name| !name.is_empty() && name != "@") {
        return Ok(text.to_owned());
    }
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    let in_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    if bare.parse::<std::net::IpAddr>().is_ok() || (!bare.is_empty() && bare.chars().all(in_name)) {
        return Ok(bare.to_owned());
    }
    // With a zone, as in fe80::1%eth0.
    if bare.split_once('%').is_some_and(|(a, zone)| a.contains(':') && !zone.is_empty()) {
        return Ok(bare.to_owned());
    }
    Err("expected an address or a name; the port is --port's".to_owned())
}

/// Accepts an address, a network or `unix`.
pub(super) fn network(text: &str) -> Result<String, String> {
    match Networks::parse([text]) {
        Ok(_) => Ok(text.to_owned()),
        // The value itself is named by the parser.
        Err(error) => Err(error.why().to_owned()),
    }
}

/// Reads permissions as `chmod` does: `660`.
pub(super) fn mode(text: &str) -> Result<u32, String> {
    let octal = text.bytes().all(|byte| byte.is_ascii_digit());
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| octal && *mode <= 0o777);
    mode.ok_or_else(|| "expected permissions like 660 or 600".to_owned())
}

/// Accepts the name of an index file: one part of a path, and not a hidden one.
pub(super) fn index(text: &str) -> Result<String, String> {
    if text.is_empty() || text.starts_with('.') || text.contains(['/', '\0']) {
        return Err("expected a file name without a slash or a leading dot".to_owned());
    }
    Ok(text.to_owned())
}

/// Accepts a path within the folder.
pub(super) fn inside(text: &str) -> Result<String, String> {
    let path = text.trim_start_matches("./");
    let wrong = |part: &str| part.is_empty() || part == "." || part == ".." || part.contains('\0');
    if path.split('/').any(wrong) {
        return Err(
            "expected the path of a file in the folder, without .. or a slash in front".into()
        );
    }
    Ok(path.to_owned())
}

/// Accepts the path of a route that stands for itself.
pub(super) fn path(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    if !text.starts_with('/') || text.len() < 2 || !text.chars().all(plain) {
        return Err("expected a path like /metrics".to_owned());
    }
    Ok(text.to_owned())
}

/// Accepts an extension, with or without its dot.
pub(super) fn extension(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('.').unwrap_or(text);
    if bare.is_empty() || bare.contains(['.', '/', '\0']) {
        return Err("expected an extension like html, what stands behind the last dot".to_owned());
    }
    Ok(bare.to_ascii_lowercase())
}

/// Reads `wasm=application/wasm`.
pub(super) fn media_type(text: &str) -> Result<(String, String), String> {
    let wrong = "expected EXT=TYPE, like wasm=application/wasm";
    let (name, value) = text.split_once('=').ok_or(wrong)?;
    let (main, sub) = value.split_once('/').ok_or(wrong)?;
    if main.is_empty() || sub.is_empty() {
        return Err(wrong.to_owned());
    }
    ContentType::new(value.to_owned()).map_err(|error| error.to_string())?;
    Ok((extension(name)?, value.to_owned()))
}

/// Reads `Name: value`.
pub(super) fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected 'Name: value'")?;
    let (name, value) = (name.trim(), value.trim());
    Response::default().add_header(name, value).map_err(|error| error.to_string())?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Reads `assets/**=max-age=3600`: the first equals sign divides.
pub(super) fn cache_control(text: &str) -> Result<(String, String), String> {
    let (pattern, value) = text.split_once('=').ok_or("expected PATTERN=VALUE")?;
    let (pattern, value) = (pattern.trim(), value.trim());
    if pattern.is_empty() || value.is_empty() {
        return Err("expected PATTERN=VALUE".to_owned());
    }
    let added = Response::default().add_header("Cache-Control", value);
    added.map_err(|error| error.to_string())?;
    Ok((pattern.to_owned(), value.to_owned()))
}

/// Accepts an origin, or `*`.
pub(super) fn origin(text: &str) -> Result<String, String> {
    match Cors::new([text]) {
        Ok(_) => Ok(text.to_owned()),
        Err(Error::Config { why, .. }) => {
            // The value itself is named by the parser.
            Err(why.split_once("`: ").map_or(why.as_str(), |(_, why)| why).to_owned())
        }
        Err(other) => Err(other.to_string()),
    }
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
