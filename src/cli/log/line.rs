//! One line of the log, made where it is logged.

use log::kv::{self, Key, Value, VisitSource};
use log::{Level, Log, Record};
use std::fmt::{self, Write};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// A record with everything said that only its own thread and time know.
#[derive(Debug)]
pub(super) struct Line {
    level: Level,
    /// Time, target and thread: `2026-01-02T03:04:05.678Z onepoll::net@main`.
    /// It travels as the target, which is what `simple_logger` puts in front.
    origin: String,
    text: String,
}

/// The longest text of a line, in bytes; the rest is cut. A request target of
/// the default length fits.
const TEXT_MAX: usize = 16 * 1024;
/// The same for target and thread name, which are the program's own.
const ORIGIN_MAX: usize = 256;

impl Line {
    pub(super) fn new(record: &Record<'_>) -> Line {
        let mut origin = String::with_capacity(64);
        let mut out = Escaped { line: &mut origin, max: ORIGIN_MAX };
        let thread = thread::current();
        // Writing to an `Escaped` ends early when the bound is reached: wanted.
        let _ = write!(out, "{} ", Stamp(SystemTime::now()));
        let _ = write!(out, "{}@{}", record.target(), thread.name().unwrap_or("?"));
        let mut text = String::new();
        let mut out = Escaped { line: &mut text, max: TEXT_MAX };
        let whole = out.write_fmt(*record.args()).is_ok()
            && record.key_values().visit(&mut Pairs(&mut out)).is_ok();
        if !whole {
            text.push_str(" [cut]");
        }
        Line { level: record.level(), origin, text }
    }

    /// Its length in bytes.
    pub(super) fn len(&self) -> usize {
        self.origin.len() + self.text.len()
    }

    /// Hands it to a logger.
    pub(super) fn show(&self, sink: &dyn Log) {
        sink.log(
            &Record::builder()
                .level(self.level)
                .target(&self.origin)
                .args(format_args!("{}", self.text))
                .build(),
        );
    }
}

/// Writes text so that it stays one line that a terminal can be shown: control
/// characters become escapes, and so do those that break lines or turn the
/// writing direction.
struct Escaped<'a> {
    line: &'a mut String,
    max: usize,
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.line.len() >= self.max {
                return Err(fmt::Error);
            }
            if is_harmless(c) {
                self.line.push(c);
            } else {
                self.line.extend(c.escape_default());
            }
        }
        Ok(())
    }
}

fn is_harmless(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !turns && !matches!(c, '\u{2028}' | '\u{2029}')
}

/// Appends key-values: ` key=value`, the value in quotes where it needs them.
struct Pairs<'a, 'b>(&'a mut Escaped<'b>);

impl<'kvs> VisitSource<'kvs> for Pairs<'_, '_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let mut shown = String::new();
        let mut out = Escaped { line: &mut shown, max: TEXT_MAX };
        // What was cut here is cut again below, where it is noticed.
        let _ = write!(out, "{value}");
        if shown.is_empty() || shown.contains([' ', '"', '=']) {
            write!(self.0, " {key}=\"{}\"", shown.replace('"', "\\\""))?;
        } else {
            write!(self.0, " {key}={shown}")?;
        }
        Ok(())
    }
}

/// A time in UTC, to the millisecond, as RFC 3339 writes it.
struct Stamp(SystemTime);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Before 1970 the clock is wrong anyway.
        let since = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = since.as_secs();
        let (year, month, day) = date(seconds / 86_400);
        let (hour, minute) = (seconds / 3600 % 24, seconds / 60 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}", seconds % 60)?;
        write!(f, ".{:03}Z", since.subsec_millis())
    }
}

/// Year, month and day of that day since 1970, in the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is a year's last and
/// month lengths follow the line 153 m + 2 over 5.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 1 March of the year 0
    let era = days / 146_097; // of 400 years
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year_of_era + later, month, day)
}

#[cfg(test)]
mod tests;
