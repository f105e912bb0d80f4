//! One line, in either format. What clients send is quoted so that it can
//! neither end a line nor a field: nobody writes entries but we.

use crate::app::{Done, json};
use crate::http::{End, Peer, Refused, Request};
use crate::middleware::{RequestId, User};
use std::fmt::Write;
use std::time::{Duration, SystemTime};

/// No field that a client chose is longer than this in the log, in bytes
/// before escaping: a line stays a line.
const FIELD_MAX: usize = 4 * 1024;

/// The time as the combined format writes it, kept while the second lasts.
#[derive(Default)]
pub(super) struct Clock {
    secs: Option<u64>,
    text: String,
}

impl Clock {
    fn at(&mut self, time: SystemTime) -> &str {
        let (secs, _) = unix(time);
        if self.secs != Some(secs) {
            let Civil { year, month, day, hour, minute, second } = civil(secs);
            let month = MONTHS.get(month as usize - 1).unwrap_or(&"???");
            self.text.clear();
            let _ = write!(
                self.text,
                "{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000"
            );
            self.secs = Some(secs);
        }
        &self.text
    }
}

/// Appends a line of the combined format.
pub(super) fn combined(out: &mut String, done: &Done<'_>, clock: &mut Clock) {
    let (request, outcome) = (done.request, done.outcome);
    host(out, request.peer());
    out.push_str(" - ");
    user(out, request);
    out.push_str(" [");
    out.push_str(clock.at(begun(done)));
    out.push_str("] \"");
    quoted(out, request.method().as_str().as_bytes());
    out.push(' ');
    quoted(out, request.target().as_bytes());
    let version = request.version().as_str();
    let _ = write!(out, " {version}\" {} {} ", outcome.status.code(), outcome.bytes);
    for (name, end) in [("referer", ' '), ("user-agent", '\n')] {
        out.push('"');
        quoted(out, request.headers().get(name).unwrap_or(b"-"));
        out.push('"');
        out.push(end);
    }
}

/// Appends a line for what was no request.
pub(super) fn combined_refusal(out: &mut String, refused: &Refused, clock: &mut Clock) {
    host(out, refused.peer);
    let (time, status) = (clock.at(refused.at.wall), refused.status.code());
    let _ = writeln!(out, " - - [{time}] \"-\" {status} - \"-\" \"-\"");
}

/// The same as a JSON object.
pub(super) fn json_refusal(out: &mut String, refused: &Refused) {
    json::object_in(out, |line| {
        line.set("time", rfc3339(refused.at.wall));
        line.set("peer", refused.peer.to_string());
        line.set("connection", refused.connection);
        line.set("status", refused.status.code());
        line.set("refused", refused.reason);
    });
    out.push('\n');
}

/// Appends who it was, without the port.
fn host(out: &mut String, peer: Peer) {
    let _ = match peer {
        Peer::Tcp(address) => write!(out, "{}", address.ip()),
        peer => write!(out, "{peer}"),
    };
}

/// Appends a JSON object and a line feed.
pub(super) fn json(out: &mut String, done: &Done<'_>) {
    let (request, outcome) = (done.request, done.outcome);
    let time = rfc3339(begun(done));
    json::object_in(out, |line| {
        line.set("time", &time);
        line.set("peer", request.peer().to_string());
        line.set("connection", request.connection());
        if let Some(id) = request.extension::<RequestId>() {
            line.set("id", id.as_str());
        }
        if let Some(user) = request.extension::<User>() {
            line.set("user", cut(user.name()));
        }
        line.set("method", request.method().as_str());
        line.set("target", cut(request.target()));
        line.set("version", request.version().as_str());
        if !request.authority().is_empty() {
            line.set("host", cut(request.authority()));
        }
        if let Some(route) = done.route {
            line.set("route", route);
        }
        line.set("status", outcome.status.code());
        line.set("bytes", outcome.bytes);
        line.set("duration_us", lasted(done).as_micros().min(u128::from(u64::MAX)) as u64);
        if let Some(content_type) = done.response.content_type() {
            line.set("type", content_type.as_str());
        }
        for (name, field) in [("referrer", "referer"), ("agent", "user-agent")] {
            if let Some(value) = request.headers().get(field) {
                let value = value.get(..FIELD_MAX).unwrap_or(value);
                line.set(name, &*String::from_utf8_lossy(value));
            }
        }
        line.set(
            "end",
            match outcome.end {
                End::Sent => "sent",
                End::Cut => "cut",
                End::Abandoned => "abandoned",
            },
        );
    });
    out.push('\n');
}

/// Appends a name that is one word of the line, or a hyphen for nobody's.
fn user(out: &mut String, request: &Request) {
    let name = request.extension::<User>().map_or("-", User::name);
    for part in name.split_inclusive(' ') {
        quoted(out, part.trim_end_matches(' ').as_bytes());
        if part.ends_with(' ') {
            out.push_str("\\x20");
        }
    }
}

fn lasted(done: &Done<'_>) -> Duration {
    done.outcome.ended.instant.saturating_duration_since(done.outcome.started)
}

/// When the request's first byte was seen, by the wall clock.
fn begun(done: &Done<'_>) -> SystemTime {
    let ended = done.outcome.ended.wall;
    ended.checked_sub(lasted(done)).unwrap_or(ended)
}

/// The text, no longer than it may be. Targets and hosts are ASCII.
fn cut(text: &str) -> &str {
    text.get(..FIELD_MAX).unwrap_or(text)
}

/// Appends bytes as they stand between quotes.
fn quoted(out: &mut String, bytes: &[u8]) {
    let bytes = bytes.get(..FIELD_MAX).unwrap_or(bytes);
    for &byte in bytes {
        match byte {
            b'"' | b'\\' | 0..0x20 | 0x7f.. => {
                let _ = write!(out, "\\x{byte:02x}");
            }
            _ => out.push(char::from(byte)),
        }
    }
}

/// `2025-11-20T23:56:01.123Z`
fn rfc3339(time: SystemTime) -> String {
    let (secs, millis) = unix(time);
    let Civil { year, month, day, hour, minute, second } = civil(secs);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Seconds since 1970, and milliseconds of the next. A clock before that counts as 1970.
fn unix(time: SystemTime) -> (u64, u32) {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (since.as_secs(), since.subsec_millis())
}

/// A moment in UTC.
#[derive(Debug, PartialEq, Eq)]
struct Civil {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Days of 400 years of the Gregorian calendar, after which it repeats.
const DAYS_400: u64 = 146_097;
/// Days from 1 March of year 0 to 1 January 1970.
const EPOCH: u64 = 719_468;

/// Years are counted from March, so that a leap day is the last of its year.
fn civil(secs: u64) -> Civil {
    let (days, rest) = (secs / 86_400 + EPOCH, secs % 86_400);
    let (era, day_400) = (days / DAYS_400, days % DAYS_400);
    // One leap day less every 4 years, one more every 100, one less every 400.
    let year = (day_400 - day_400 / 1460 + day_400 / 36_524 - day_400 / 146_096) / 365;
    let day_1 = day_400 - (365 * year + year / 4 - year / 100);
    // From March on, each five months have 153 days.
    let shifted = (5 * day_1 + 2) / 153;
    let day = day_1 - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    Civil { year, month, day, hour: rest / 3600, minute: rest / 60 % 60, second: rest % 60 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_their_dates() {
        for (secs, want) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (86_399, "1970-01-01T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"),
            (784_111_777, "1994-11-06T08:49:37.000Z"),
            (1_709_164_800, "2024-02-29T00:00:00.000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799, "9999-12-31T23:59:59.000Z"),
        ] {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
            assert_eq!(rfc3339(time), want);
        }
    }

    #[test]
    fn days_follow_each_other() {
        let mut last = civil(0);
        for day in 1..200_000 {
            let next = civil(day * 86_400);
            let same_month = next.month == last.month && next.day == last.day + 1;
            let next_month = next.day == 1 && last.day >= 28 && next.month == last.month % 12 + 1;
            assert!(same_month || next_month, "{last:?}, then {next:?}");
            assert_eq!(next.year, last.year + u64::from(next.month == 1 && next.day == 1));
            last = next;
        }
    }

    #[test]
    fn the_clock_turns_with_the_second() {
        let mut clock = Clock::default();
        let at = |millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        assert_eq!(clock.at(at(784_111_777_999)), "06/Nov/1994:08:49:37 +0000");
        assert_eq!(clock.at(at(784_111_777_000)), "06/Nov/1994:08:49:37 +0000");
        assert_eq!(clock.at(at(784_111_778_000)), "06/Nov/1994:08:49:38 +0000");
    }
}
