//! Fixed points of the calendar, the three forms, and what is none of them.

use super::*;

const NOW: u64 = 1_700_000_000; // November 2023

#[test]
fn dates_are_written() {
    let table = [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (951_868_799, "Tue, 29 Feb 2000 23:59:59 GMT"),
        (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
        (978_307_199, "Sun, 31 Dec 2000 23:59:59 GMT"),
        (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (253_402_300_800, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ];
    for (secs, text) in table {
        assert_eq!(format(secs).escape_ascii().to_string(), text);
    }
}

#[test]
fn every_day_of_a_thousand_years_comes_back() {
    let mut expected = 0;
    for year in 1970..=2999 {
        for month in 1..=12 {
            for day in 1..=days_in(year, month) {
                assert_eq!(days_before(year, month, day), Some(expected));
                assert_eq!(civil(expected), (year, month, day));
                expected += 1;
            }
        }
    }
    assert_eq!(civil(LAST / DAY), (9999, 12, 31));
}

#[test]
fn what_is_written_is_read() {
    let mut secs = 0;
    while secs <= LAST {
        assert_eq!(parse(&format(secs), NOW), Some(secs));
        secs += 29 * DAY + 12_347;
    }
}

#[test]
fn the_three_forms_are_read() {
    let table = [
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
        ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
        ("Wed Nov 16 08:49:37 1994", Some(784_111_777 + 10 * DAY)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        ("Sat, 31 Dec 2016 23:59:60 GMT", Some(1_483_228_799)), // a leap second
        ("Tue, 29 Feb 2000 00:00:00 GMT", Some(951_782_400)),
        ("Mon, 29 Feb 2100 00:00:00 GMT", None),
        ("Sun, 29 Feb 2023 00:00:00 GMT", None),
        ("Wed, 31 Dec 1969 23:59:59 GMT", None),
        ("Sat, 01 Jan 0000 00:00:00 GMT", None),
        ("Sun, 00 Nov 1994 08:49:37 GMT", None),
        ("Sun, 31 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 24:00:00 GMT", None),
        ("Sun, 06 Nov 1994 08:60:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:61 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 UTC", None),
        ("Sun, 06 Nov 1994 08:49:37", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT ", None),
        ("Sun, 6 Nov 1994 08:49:37 GMT", None),
        ("sun, 06 nov 1994 08:49:37 gmt", None),
        ("Sunday, 06 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06-Nov-94 08:49:37 GMT", None),
        ("Xxx, 06 Nov 1994 08:49:37 GMT", None),
        ("Sun Nov 6 08:49:37 1994", None),
        ("Sun Nov  6 08:49:37 1994 GMT", None),
        ("784111777", None),
        ("Sun", None),
        ("", None),
    ];
    for (text, secs) in table {
        assert_eq!(parse(text.as_bytes(), NOW), secs, "{text}");
    }
}

#[test]
fn two_digit_years_lie_near_now() {
    let year = |now: u64, yy: u64| {
        let text = format!("Monday, 01-Jan-{yy:02} 00:00:00 GMT");
        parse(text.as_bytes(), now).map(|secs| civil(secs / DAY).0)
    };
    let at = |year| days_before(year, 6, 1).unwrap() * DAY;
    assert_eq!(year(at(2023), 73), Some(2073));
    assert_eq!(year(at(2023), 74), Some(1974));
    assert_eq!(year(at(2023), 99), Some(1999));
    assert_eq!(year(at(2023), 0), Some(2000));
    assert_eq!(year(at(2080), 10), Some(2110));
    assert_eq!(year(at(1970), 20), Some(2020));
}

#[test]
fn a_changed_byte_is_never_a_panic() {
    for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT"] {
        for at in 0..text.len() {
            for byte in 0..=255 {
                let mut bytes = text.as_bytes().to_vec();
                bytes[at] = byte;
                let _ = parse(&bytes, NOW);
                let _ = parse(&bytes[..at], NOW);
            }
        }
    }
}

#[test]
fn rfc3339_tells_the_same_time() {
    for (secs, expected) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_399, "2000-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (1_735_689_599, "2024-12-31T23:59:59Z"),
        (LAST, "9999-12-31T23:59:59Z"),
        (u64::MAX, "9999-12-31T23:59:59Z"),
    ] {
        assert_eq!(rfc3339(secs).escape_ascii().to_string(), expected);
    }
}
