use super::*;
use crate::http::Part;

const FACTS: Facts = Facts { len: 1000, modified: (784_111_777, 5), inode: 0xab };
const TAG: &str = "\"3e8-ae1b981bc490a05-ab\"";
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn planned(method: Method, lines: &[(&str, &str)]) -> Plan {
    let mut request = Request::new(method, "/a.txt");
    for (name, value) in lines {
        request.headers_mut().add(name, value).unwrap();
    }
    plan(&request, &FACTS, None, ContentType::TEXT)
}

fn field<'a>(plan: &'a Plan, name: &str) -> Option<&'a str> {
    plan.response.get(name).map(|value| std::str::from_utf8(value).unwrap())
}

#[test]
fn the_whole_file_comes_with_all_that_a_client_needs_to_come_back() {
    for method in [Method::GET, Method::HEAD] {
        let plan = planned(method, &[]);
        assert_eq!(plan.response.status(), Status::OK);
        assert!(matches!(plan.portion, Portion::Whole));
        assert_eq!(field(&plan, "etag"), Some(TAG));
        assert_eq!(field(&plan, "last-modified"), Some(DATE));
        assert_eq!(field(&plan, "accept-ranges"), Some("bytes"));
        assert_eq!(field(&plan, "x-content-type-options"), Some("nosniff"));
        assert_eq!(field(&plan, "content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(field(&plan, "content-range"), None);
    }
}

/// Where the one part begins, and how long it is.
fn part_of(plan: &Plan) -> Option<(u64, u64)> {
    match &plan.portion {
        Portion::Nothing => None,
        Portion::Whole => Some((0, FACTS.len)),
        Portion::One(part) => Some((part.offset, part.len)),
        Portion::Several(multipart) => panic!("{multipart:?}"),
    }
}

#[test]
fn several_ranges_are_a_multipart_of_the_same_state() {
    let several = ("Range", "bytes=0-1,5-6");
    let plan = planned(Method::GET, &[several]);
    assert_eq!(plan.response.status(), Status::PARTIAL_CONTENT);
    assert!(field(&plan, "content-type").unwrap().starts_with("multipart/byteranges; boundary="));
    assert_eq!(field(&plan, "content-range"), None);
    assert_eq!(field(&plan, "etag"), Some(TAG));
    let Portion::Several(multipart) = plan.portion else { panic!("{:?}", plan.portion) };
    let body = multipart.body(|part| Part::Owned(vec![b'x'; part.len as usize]));
    let head = String::from_utf8_lossy(body.bytes().unwrap());
    assert!(head.contains("Content-Type: text/plain; charset=utf-8\r\n"), "{head}");
    assert!(head.contains("Content-Range: bytes 0-1/1000\r\n"), "{head}");
    for lines in [[several, ("If-Range", "\"old\"")], [several, ("Range", "bytes=0-0")]] {
        let plan = planned(Method::GET, &lines);
        assert_eq!(plan.response.status(), Status::OK, "{lines:?}");
    }
    let plan = planned(Method::HEAD, &[several]);
    assert_eq!(plan.response.status(), Status::OK);
}

#[test]
fn ranges_and_conditions() {
    let whole = Some((0, 1000));
    type Lines<'a> = &'a [(&'a str, &'a str)];
    type Row<'a> = (Lines<'a>, u16, Option<(u64, u64)>, Option<&'a str>);
    let table: &[Row<'_>] = &[
        (&[("Range", "bytes=0-0")], 206, Some((0, 1)), Some("bytes 0-0/1000")),
        (&[("Range", "bytes=990-")], 206, Some((990, 10)), Some("bytes 990-999/1000")),
        (&[("Range", "bytes=-1")], 206, Some((999, 1)), Some("bytes 999-999/1000")),
        (&[("Range", "bytes=1000-")], 416, None, Some("bytes */1000")),
        (&[("Range", "bytes=0-1,2-3")], 206, Some((0, 4)), Some("bytes 0-3/1000")),
        (&[("Range", "bytes=0-1,2000-")], 206, Some((0, 2)), Some("bytes 0-1/1000")),
        (&[("Range", "bytes=0-1,x")], 200, whole, None),
        (&[("Range", "bytes=0-1"), ("Range", "bytes=2-3")], 200, whole, None),
        (&[("Range", "bytes=0-0"), ("If-Range", TAG)], 206, Some((0, 1)), Some("bytes 0-0/1000")),
        (&[("Range", "bytes=0-0"), ("If-Range", DATE)], 206, Some((0, 1)), Some("bytes 0-0/1000")),
        (&[("Range", "bytes=0-0"), ("If-Range", "\"old\"")], 200, whole, None),
        (&[("Range", "bytes=1000-"), ("If-Range", "\"old\"")], 200, whole, None),
        (&[("If-Range", "\"old\"")], 200, whole, None),
        (&[("If-None-Match", TAG)], 304, None, None),
        (&[("If-None-Match", TAG), ("Range", "bytes=0-0")], 304, None, None),
        (&[("If-None-Match", "\"old\"")], 200, whole, None),
        (&[("If-Modified-Since", DATE)], 304, None, None),
        (&[("If-Match", "\"old\"")], 412, None, None),
        (&[("If-Match", TAG), ("Range", "bytes=1-1")], 206, Some((1, 1)), Some("bytes 1-1/1000")),
    ];
    for (lines, status, part, range) in table {
        let plan = planned(Method::GET, lines);
        assert_eq!(plan.response.status().code(), *status, "{lines:?}");
        assert_eq!(part_of(&plan), *part, "{lines:?}");
        assert_eq!(field(&plan, "content-range"), *range, "{lines:?}");
        assert_eq!(field(&plan, "etag"), Some(TAG), "{lines:?}");
    }
}

#[test]
fn head_knows_no_ranges() {
    let plan = planned(Method::HEAD, &[("Range", "bytes=0-0")]);
    assert_eq!(plan.response.status(), Status::OK);
    assert!(matches!(plan.portion, Portion::Whole));
}

#[test]
fn a_304_describes_nothing_but_its_tag() {
    let plan = planned(Method::GET, &[("If-None-Match", TAG)]);
    for name in ["content-type", "last-modified", "content-range"] {
        assert_eq!(field(&plan, name), None, "{name}");
    }
}

#[test]
fn tags_differ_in_each_fact() {
    let others = [
        Facts { len: 1001, ..FACTS },
        Facts { modified: (784_111_777, 6), ..FACTS },
        Facts { modified: (784_111_778, 5), ..FACTS },
        Facts { inode: 0xac, ..FACTS },
    ];
    for other in others {
        assert_ne!(other.etag(None), FACTS.etag(None), "{other:?}");
    }
    let codings = [None, Some(Coding::Gzip), Some(Coding::Zstd), Some(Coding::Br)];
    let tags: std::collections::BTreeSet<_> = codings.map(|c| FACTS.etag(c)).into();
    assert_eq!(tags.len(), codings.len());
}

#[test]
fn a_change_in_the_future_is_dated_now() {
    let facts = Facts { modified: (253_000_000_000, 0), ..FACTS };
    let request = Request::new(Method::GET, "/");
    let plan = plan(&request, &facts, None, ContentType::TEXT);
    let text = field(&plan, "last-modified").unwrap();
    let seconds = date::parse(text.as_bytes(), 0).unwrap();
    assert!(seconds < 253_000_000_000, "{text}");
}
