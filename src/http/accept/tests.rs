use super::*;
use Coding::*;

fn headers(name: &str, values: &[&str]) -> Headers {
    let mut headers = Headers::new();
    for value in values {
        headers.add(name, value).unwrap();
    }
    headers
}

fn best(value: &str, available: &[Coding]) -> Coding {
    Codings::of(&headers("Accept-Encoding", &[value])).best(available)
}

#[test]
fn codings() {
    let all: &[Coding] = &[Gzip, Zstd, Br];
    let table: &[(&str, &[Coding], Coding)] = &[
        ("gzip", all, Gzip),
        ("GZip", all, Gzip),
        ("x-gzip", all, Gzip),
        ("br", all, Br),
        ("zstd", all, Zstd),
        // The smaller one, of equals.
        ("gzip, deflate, br, zstd", all, Br),
        ("gzip, deflate, br, zstd", &[Gzip, Zstd], Zstd),
        ("gzip, deflate, br, zstd", &[Gzip], Gzip),
        ("gzip, deflate, br, zstd", &[], Identity),
        ("zstd;q=0.5, gzip;q=0.5", all, Zstd),
        // Weights go first.
        ("gzip;q=1.0, br;q=0.9", all, Gzip),
        ("br;q=0.001, gzip;q=0.002", all, Gzip),
        ("gzip;q=0.5", all, Gzip),
        ("gzip;q=0.001", all, Gzip),
        ("br;q=0.9, gzip", &[Br], Br),
        // Never what is ruled out.
        ("gzip;q=0", all, Identity),
        ("gzip;q=0.000", all, Identity),
        ("br;q=0, gzip", all, Gzip),
        ("br;q=0, *", all, Zstd),
        ("*;q=0, gzip;q=0.1", all, Gzip),
        ("*", all, Br),
        ("*;q=0.5", all, Br),
        ("*;q=0", all, Identity),
        ("gzip, *;q=0.1", all, Gzip),
        ("gzip, *;q=0.1", &[Br], Br),
        // The content as it is, with a weight of its own.
        ("identity", all, Identity),
        ("identity, gzip;q=0.5", all, Identity),
        ("identity;q=0.5, gzip", all, Gzip),
        ("identity, gzip", all, Gzip),
        ("identity;q=0", all, Identity),
        ("identity;q=0, gzip", &[], Identity),
        ("identity;q=0, gzip;q=0.1", all, Gzip),
        ("*;q=0.8, gzip;q=0.5", &[Gzip], Identity),
        // Spaces, empty members, strangers, repetition.
        ("  gzip ;\tq=0.5 ", all, Gzip),
        (",,gzip,,", all, Gzip),
        ("compress, sdch, gzip", all, Gzip),
        ("gzip;q=0, gzip", all, Identity),
        ("gzip;Q=0", all, Identity),
    ];
    for &(value, available, expected) in table {
        assert_eq!(best(value, available), expected, "{value:?} of {available:?}");
    }
    assert_eq!(Codings::of(&Headers::new()), Codings::IDENTITY);
    assert_eq!(Codings::IDENTITY.best(all), Identity);
    let lines = headers("Accept-Encoding", &["gzip;q=0.1", "zstd"]);
    assert_eq!(Codings::of(&lines).best(all), Zstd);
}

#[test]
fn a_malformed_wish_is_none() {
    let values = [
        "",
        "deflate",
        "gzip;q=2",
        "gzip;q=1.001",
        "gzip;q=0.1234",
        "gzip;q=-1",
        "gzip;q=.5",
        "gzip;q=",
        "gzip;q=a",
        "gzip;q=0.a",
        "gzip;",
        "gzip;level=9",
        "gzip;q=1;q=0",
        "gzip br",
        "\"gzip\"",
        ";q=1",
        "gzip, br;q=x",
        "gzip2",
    ];
    for value in values {
        assert_eq!(best(value, &[Gzip, Zstd, Br]), Identity, "{value:?}");
    }
}

#[test]
fn weights_have_three_decimals() {
    for thousandths in 0..=1000u16 {
        let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
        assert_eq!(quality(text.as_bytes()), Some(thousandths), "{text}");
    }
    assert_eq!(quality(b"1."), Some(1000));
    assert_eq!(quality(b"0.5"), Some(500));
}

#[test]
fn who_wants_no_coding_needs_none_looked_for() {
    for (value, expected) in [("", true), ("gzip;q=0", true), ("br", false), ("*", false)] {
        let codings = Codings::of(&headers("Accept-Encoding", &[value]));
        assert_eq!(codings.wants_identity(), expected, "{value:?}");
    }
}

#[test]
fn media_types() {
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let offers = ["text/html", "application/json"];
    let table: &[(&str, Option<usize>)] = &[
        (browser, Some(0)),
        ("*/*", Some(0)),
        ("", Some(0)),
        ("text/html", Some(0)),
        ("application/json", Some(1)),
        ("APPLICATION/Json", Some(1)),
        ("application/*", Some(1)),
        ("application/json, text/plain, */*", Some(1)),
        ("application/json; charset=utf-8", Some(1)),
        ("application/json;q=0.5, text/html", Some(0)),
        ("text/html;q=0.5, application/json", Some(1)),
        ("text/html;q=0.5, application/json;q=0.4", Some(0)),
        ("text/html;level=1;q=0.3, application/json;q=0.4", Some(1)),
        // The most exact range has the say, also if it says no.
        ("text/html;q=0, */*", Some(1)),
        ("text/*;q=0, */*;q=0.1", Some(1)),
        ("text/*;q=0.9, text/html;q=0.1, application/json;q=0.5", Some(1)),
        ("image/png", None),
        ("text/html;q=0", None),
        ("*/*;q=0", None),
        ("text/htm", None),
        ("text/htmlx", None),
        // A comma or a semicolon within quotes is no end.
        ("text/plain;a=\"x, text/html\", application/json", Some(1)),
        ("text/plain;a=\"\\\",;q=0\";q=1, application/json", Some(1)),
        // Malformed: as if nothing were said.
        ("json", Some(0)),
        ("application/json, json", Some(0)),
        ("application/json;q=2", Some(0)),
        ("*/json", Some(0)),
        ("application/", Some(0)),
        ("/", Some(0)),
    ];
    for &(value, expected) in table {
        let headers = headers("Accept", &[value]);
        assert_eq!(media_type(&headers, &offers), expected, "{value:?}");
    }
    assert_eq!(media_type(&Headers::new(), &offers), Some(0));
    assert_eq!(media_type(&Headers::new(), &[]), None);
    let lines = headers("Accept", &["text/html;q=0.1", "application/json"]);
    assert_eq!(media_type(&lines, &offers), Some(1));
}
