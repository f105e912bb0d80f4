//! Dates as HTTP writes them (RFC 9110 section 5.6.7), and as it must read them.
//!
//! There is no clock here: seconds since 1970 go in and come out. Days are
//! counted in years that begin on 1 March, so that the leap day is the last of
//! its year and the months before it have a fixed pattern.

/// The length of an IMF-fixdate, in bytes.
pub const LEN: usize = 29;

/// Writes Unix seconds as an IMF-fixdate, the one form that is sent. Times
/// after the year 9999 are written as its last second: the form has no more
/// digits.
///
/// ```
/// use onepoll::http::date;
/// assert_eq!(&date::format(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
/// ```
pub fn format(unix_secs: u64) -> [u8; LEN] {
    let secs = unix_secs.min(LAST);
    let (days, time) = (secs / DAY, secs % DAY);
    let (year, month, day) = civil(days);
    let mut out = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    // 1 January 1970 was a Thursday, the fifth day of the table.
    put(&mut out, 0, name(&WEEKDAYS, (days + 4) % 7));
    put(&mut out, 5, &two(day));
    put(&mut out, 8, name(&MONTHS, month - 1));
    put(&mut out, 12, &two(year / 100));
    put(&mut out, 14, &two(year % 100));
    put(&mut out, 17, &two(time / 3600));
    put(&mut out, 20, &two(time / 60 % 60));
    put(&mut out, 23, &two(time % 60));
    out
}

/// Writes Unix seconds as RFC 3339 has them, for what is not a field of HTTP.
/// The same times are cut.
///
/// ```
/// use onepoll::http::date;
/// assert_eq!(&date::rfc3339(784_111_777), b"1994-11-06T08:49:37Z");
/// ```
pub fn rfc3339(unix_secs: u64) -> [u8; 20] {
    let secs = unix_secs.min(LAST);
    let (days, time) = (secs / DAY, secs % DAY);
    let (year, month, day) = civil(days);
    let mut out = *b"1970-01-01T00:00:00Z";
    put(&mut out, 0, &two(year / 100));
    put(&mut out, 2, &two(year % 100));
    put(&mut out, 5, &two(month));
    put(&mut out, 8, &two(day));
    put(&mut out, 11, &two(time / 3600));
    put(&mut out, 14, &two(time / 60 % 60));
    put(&mut out, 17, &two(time % 60));
    out
}

/// Reads any of the three forms as Unix seconds.
///
/// `None` for anything else, for a day that the month doesn't have, and for a
/// time before 1970. The name of the weekday must be one, but is not checked
/// against the date. A leap second counts as the second before it. A two-digit
/// year lies within 50 years after `now_secs`, else in the past.
///
/// ```
/// use onepoll::http::date;
/// let now = 1_700_000_000;
/// for text in [
///     "Sun, 06 Nov 1994 08:49:37 GMT",  // IMF-fixdate
///     "Sunday, 06-Nov-94 08:49:37 GMT", // obsolete RFC 850 form
///     "Sun Nov  6 08:49:37 1994",       // what C's asctime() writes
/// ] {
///     assert_eq!(date::parse(text.as_bytes(), now), Some(784_111_777));
/// }
/// ```
pub fn parse(text: &[u8], now_secs: u64) -> Option<u64> {
    let at = text.iter().position(|b| !b.is_ascii_alphabetic())?;
    let (weekday, rest) = text.split_at_checked(at)?;
    match rest {
        [b',', b' ', rest @ ..] if index(&WEEKDAYS, weekday).is_some() => fixdate(rest),
        [b',', b' ', rest @ ..] if LONG_WEEKDAYS.contains(&weekday) => rfc850(rest, now_secs),
        [b' ', rest @ ..] if index(&WEEKDAYS, weekday).is_some() => asctime(rest),
        _ => None,
    }
}

/// `06 Nov 1994 08:49:37 GMT`
fn fixdate(text: &[u8]) -> Option<u64> {
    let [d1, d2, b' ', m1, m2, m3, b' ', y1, y2, y3, y4, b' ', time @ ..] = text else {
        return None;
    };
    let time = time.strip_suffix(b" GMT")?;
    let year = number(&[*y1, *y2, *y3, *y4])?;
    let month = index(&MONTHS, &[*m1, *m2, *m3])? + 1;
    unix(year, month, number(&[*d1, *d2])?, time)
}

/// `06-Nov-94 08:49:37 GMT`
fn rfc850(text: &[u8], now_secs: u64) -> Option<u64> {
    let [d1, d2, b'-', m1, m2, m3, b'-', y1, y2, b' ', time @ ..] = text else {
        return None;
    };
    let time = time.strip_suffix(b" GMT")?;
    let (this_year, _, _) = civil(now_secs.min(LAST) / DAY);
    let mut year = this_year / 100 * 100 + number(&[*y1, *y2])?;
    // Both ends of the window: from the end of a century the next one is near,
    // and from its beginning the last one.
    if year > this_year + 50 {
        year -= 100;
    } else if year + 50 <= this_year {
        year += 100;
    }
    let month = index(&MONTHS, &[*m1, *m2, *m3])? + 1;
    unix(year, month, number(&[*d1, *d2])?, time)
}

/// `Nov  6 08:49:37 1994`
fn asctime(text: &[u8]) -> Option<u64> {
    let [m1, m2, m3, b' ', d1, d2, b' ', time @ .., b' ', y1, y2, y3, y4] = text else {
        return None;
    };
    let day = match d1 {
        b' ' => number(&[*d2])?,
        _ => number(&[*d1, *d2])?,
    };
    let month = index(&MONTHS, &[*m1, *m2, *m3])? + 1;
    unix(number(&[*y1, *y2, *y3, *y4])?, month, day, time)
}

/// The Unix time of a date and `08:49:37`.
fn unix(year: u64, month: u64, day: u64, time: &[u8]) -> Option<u64> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = time else { return None };
    let (hour, minute) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
    let second = number(&[*s1, *s2])?;
    if hour > 23 || minute > 59 || second > 60 || day == 0 || day > days_in(year, month) {
        return None;
    }
    let days = days_before(year, month, day)?;
    Some(days * DAY + hour * 3600 + minute * 60 + second.min(59))
}

fn days_in(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970 to a date; `None` before that.
fn days_before(year: u64, month: u64, day: u64) -> Option<u64> {
    // January and February belong to the year that began last March.
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let month = (month + 9) % 12;
    // From March on, five months have 153 days: 31, 30, 31, 30, 31.
    let in_year = (153 * month + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + in_year;
    days.checked_sub(EPOCH)
}

/// Year, month (from 1) and day (from 1) of a day since 1970.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + EPOCH;
    let (era, in_era) = (days / DAYS_400, days % DAYS_400);
    // Takes out the leap days: one in 4 years, none in 100, one in 400.
    let year = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (year * 365 + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year + u64::from(month >= 10);
    (year, (month + 2) % 12 + 1, day)
}

/// The value of at most four decimal digits.
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |sum, b| {
        b.is_ascii_digit().then(|| sum * 10 + u64::from(*b - b'0')) // ten thousand fits
    })
}

fn two(value: u64) -> [u8; 2] {
    let digit = |n: u64| b'0' + (n % 10) as u8; // below ten
    [digit(value / 10), digit(value)]
}

fn put(out: &mut [u8], at: usize, text: &[u8]) {
    for (to, from) in out.iter_mut().skip(at).zip(text) {
        *to = *from;
    }
}

fn name<const N: usize>(names: &[&'static [u8; 3]; N], at: u64) -> &'static [u8] {
    names.get(at as usize).map_or(b"???", |name| &name[..])
}

/// Names are compared with their case: the grammar spells them out.
fn index<const N: usize>(names: &[&[u8; 3]; N], name: &[u8]) -> Option<u64> {
    names.iter().position(|n| n[..] == *name).map(|at| at as u64)
}

const DAY: u64 = 24 * 3600;
/// Days in 400 years, after which the calendar repeats.
const DAYS_400: u64 = 146_097;
/// Days from 1 March of the year 0 to 1 January 1970.
const EPOCH: u64 = 719_468;
/// The last second of the year 9999.
const LAST: u64 = 253_402_300_799;

const WEEKDAYS: [&[u8; 3]; 7] = [b"Sun", b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat"];
const LONG_WEEKDAYS: [&[u8]; 7] =
    [b"Sunday", b"Monday", b"Tuesday", b"Wednesday", b"Thursday", b"Friday", b"Saturday"];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

#[cfg(test)]
mod tests;
