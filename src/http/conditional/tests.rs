use super::*;

const TAG: &str = "\"abc\"";
/// Sun, 06 Nov 1994 08:49:37 GMT
const CHANGED: u64 = 784_111_777;
const NOW: u64 = 1_700_000_000;
const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

/// Names and values.
type Lines<'a> = &'a [(&'a str, &'a str)];

fn headers(lines: &[(&str, &str)]) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in lines {
        headers.add(name, value).unwrap();
    }
    headers
}

fn current() -> Validators<'static> {
    Validators { etag: Some(TAG), modified: Some(CHANGED) }
}

#[test]
fn conditions_of_a_get() {
    use Verdict::*;
    let table: &[(Lines<'_>, Verdict)] = &[
        (&[], Go),
        (&[("If-None-Match", "\"abc\"")], NotModified),
        (&[("If-None-Match", "W/\"abc\"")], NotModified),
        (&[("If-None-Match", "*")], NotModified),
        (&[("If-None-Match", " * ")], NotModified),
        (&[("If-None-Match", "\"x\", \"abc\"")], NotModified),
        (&[("If-None-Match", "\"x\" ,,\t\"abc\"")], NotModified),
        (&[("If-None-Match", "\"x\""), ("If-None-Match", "\"abc\"")], NotModified),
        (&[("If-None-Match", "\"x,\\\",\"abc\"")], NotModified),
        (&[("If-None-Match", "\"x, abc\"")], Go),
        (&[("If-None-Match", "\"ABC\"")], Go),
        (&[("If-None-Match", "w/\"abc\"")], Go),
        (&[("If-None-Match", "abc")], Go),
        (&[("If-None-Match", "\"abc")], Go),
        // No comma between: a list up to there.
        (&[("If-None-Match", "\"abc\" \"x\"")], Go),
        (&[("If-None-Match", "\"x\"\"abc\"")], Go),
        (&[("If-None-Match", "\"abc\"x")], Go),
        (&[("If-None-Match", "\"abc\", nonsense")], NotModified),
        (&[("If-None-Match", "\"abc\",")], NotModified),
        (&[("If-None-Match", ", \"abc\"")], NotModified),
        (&[("If-None-Match", "W/ \"abc\"")], Go),
        (&[("If-None-Match", "W/abc")], Go),
        (&[("If-None-Match", "\"a bc\", \"abc\"")], Go),
        (&[("If-None-Match", "*, \"x\"")], Go),
        (&[("If-None-Match", "\"x\", *")], Go),
        (&[("If-None-Match", "**")], Go),
        (&[("If-None-Match", "")], Go),
        (&[("If-None-Match", "nonsense, \"abc\"")], Go),
        (&[("If-Modified-Since", SAME)], NotModified),
        (&[("If-Modified-Since", AFTER)], NotModified),
        (&[("If-Modified-Since", BEFORE)], Go),
        (&[("If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT")], NotModified),
        (&[("If-Modified-Since", "Sunday, 06-Nov-94 08:49:36 GMT")], Go),
        (&[("If-Modified-Since", "Sun Nov  6 08:49:37 1994")], NotModified),
        (&[("If-Modified-Since", "Sun Nov  6 08:49:36 1994")], Go),
        (&[("If-Modified-Since", "yesterday")], Go),
        (&[("If-Modified-Since", "")], Go),
        (&[("If-Modified-Since", "784111777")], Go),
        (&[("If-Modified-Since", "Sun, 31 Feb 2094 08:49:37 GMT")], Go),
        (&[("If-Modified-Since", "Sun, 06 Nov 2094 08:49:37")], Go),
        (&[("If-Modified-Since", "Sun, 06 Nov 2094 08:49:37 +0100")], Go),
        (&[("If-Modified-Since", "*")], Go),
        (&[("If-Modified-Since", SAME), ("If-Modified-Since", SAME)], Go),
        // The tag is more exact: with it, the date is not looked at.
        (&[("If-None-Match", "\"x\""), ("If-Modified-Since", SAME)], Go),
    ];
    check(table);
}

#[test]
fn conditions_of_a_state_that_must_still_be() {
    use Verdict::*;
    check(&[
        (&[("If-Match", "\"abc\"")], Go),
        (&[("If-Match", "*")], Go),
        (&[("If-Match", "\"x\"")], Failed),
        (&[("If-Match", "\"x\", \"abc\"")], Go),
        (&[("If-Match", "\"x\""), ("If-Match", "\"abc\"")], Go),
        (&[("If-Match", "\"x,\\\",\"abc\"")], Go),
        (&[("If-Match", "W/\"abc\", \"abc\"")], Go),
        (&[("If-Match", "")], Failed),
        (&[("If-Match", "abc")], Failed),
        (&[("If-Match", "W/\"abc\"")], Failed),
        (&[("If-Match", "\"x\""), ("If-None-Match", "\"abc\"")], Failed),
        (&[("If-Match", "\"abc\""), ("If-None-Match", "\"abc\"")], NotModified),
        (&[("If-Match", "\"abc\""), ("If-Unmodified-Since", BEFORE)], Go),
        (&[("If-Unmodified-Since", BEFORE)], Failed),
        (&[("If-Unmodified-Since", SAME)], Go),
        (&[("If-Unmodified-Since", "never")], Go),
        (&[("If-Unmodified-Since", "Saturday, 05-Nov-94 08:49:37 GMT")], Failed),
        (&[("If-Unmodified-Since", "Sat Nov  5 08:49:37 1994")], Failed),
        (&[("If-Unmodified-Since", BEFORE), ("If-Unmodified-Since", BEFORE)], Go),
    ]);
}

fn check(table: &[(Lines<'_>, Verdict)]) {
    for (lines, expected) in table {
        let got = verdict(&Method::GET, &headers(lines), current(), NOW);
        assert_eq!(got, *expected, "{lines:?}");
        assert_eq!(verdict(&Method::HEAD, &headers(lines), current(), NOW), *expected);
    }
}

#[test]
fn conditions_are_weighed_in_their_order() {
    use Verdict::*;
    // RFC 9110 section 13.2.2: match or unmodified first, then none-match or
    // modified; of each pair, the tag alone if it is there.
    let table = [
        (["\"abc\"", BEFORE, "\"abc\"", BEFORE], NotModified),
        (["\"abc\"", BEFORE, "\"x\"", SAME], Go),
        (["\"x\"", SAME, "\"x\"", BEFORE], Failed),
        (["\"x\"", SAME, "\"abc\"", SAME], Failed),
        (["", BEFORE, "\"abc\"", SAME], Failed),
        (["", SAME, "\"abc\"", BEFORE], NotModified),
        (["", SAME, "\"x\"", SAME], Go),
        (["", SAME, "", SAME], NotModified),
        (["", BEFORE, "", SAME], Failed),
        (["\"abc\"", "", "", SAME], NotModified),
        (["*", "", "*", ""], NotModified),
    ];
    let names = ["If-Match", "If-Unmodified-Since", "If-None-Match", "If-Modified-Since"];
    for (values, expected) in table {
        // In whatever order they come.
        let lines: Vec<_> = names.into_iter().zip(values).filter(|(_, v)| !v.is_empty()).collect();
        let backwards: Vec<_> = lines.iter().rev().copied().collect();
        for lines in [lines, backwards] {
            let got = verdict(&Method::GET, &headers(&lines), current(), NOW);
            assert_eq!(got, expected, "{lines:?}");
        }
    }
}

#[test]
fn other_methods_fail_where_a_get_is_not_modified() {
    let none_match = headers(&[("If-None-Match", "*")]);
    assert_eq!(verdict(&Method::PUT, &none_match, current(), NOW), Verdict::Failed);
    let since = headers(&[("If-Modified-Since", SAME)]);
    assert_eq!(verdict(&Method::PUT, &since, current(), NOW), Verdict::Go);
}

#[test]
fn without_validators_tags_and_dates_match_nothing() {
    let bare = Validators::default();
    let check = |name, value| verdict(&Method::GET, &headers(&[(name, value)]), bare, NOW);
    assert_eq!(check("If-None-Match", "\"abc\""), Verdict::Go);
    assert_eq!(check("If-Modified-Since", SAME), Verdict::Go);
    assert_eq!(check("If-Match", "\"abc\""), Verdict::Failed);
    assert_eq!(check("If-Unmodified-Since", BEFORE), Verdict::Go);
}

#[test]
fn a_range_is_followed_only_for_the_same_state() {
    let table = [
        ("\"abc\"", NOW, true),
        ("W/\"abc\"", NOW, false),
        ("\"x\"", NOW, false),
        ("\"abc\" x", NOW, false),
        (SAME, NOW, true),
        (SAME, CHANGED + 1, true),
        (SAME, CHANGED, false),
        ("Sunday, 06-Nov-94 08:49:37 GMT", NOW, true),
        ("Sun Nov  6 08:49:37 1994", NOW, true),
        ("\"abc\", \"x\"", NOW, false),
        ("*", NOW, false),
        ("abc", NOW, false),
        (BEFORE, NOW, false),
        (AFTER, NOW, false),
        ("", NOW, false),
    ];
    for (value, now, expected) in table {
        let headers = headers(&[("If-Range", value)]);
        assert_eq!(if_range(&headers, current(), now), expected, "{value}");
    }
    assert!(if_range(&Headers::new(), current(), NOW));
    let twice = headers(&[("If-Range", TAG), ("If-Range", TAG)]);
    assert!(!if_range(&twice, current(), NOW));
    let weak = Validators { etag: Some("W/\"abc\""), modified: None };
    assert!(!if_range(&headers(&[("If-Range", "W/\"abc\"")]), weak, NOW));
}
