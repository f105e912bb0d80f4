//! Forms: any cutting gives the same, a plain reading of the grammar finds the
//! same parts, and what is put into a form comes out of it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use onepoll::http::multipart::{Event, Limits, Multipart};
use onepoll_fuzz::cuttings;

const TYPE: &[u8] = b"multipart/form-data; boundary=xyz";
const DELIMITER: &[u8] = b"\r\n--xyz";
const HEAD: &[u8] = b"--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\n";

fuzz_target!(|data: &[u8]| {
    let [flags, seed, body @ ..] = data else { return };
    let limits = match flags & 1 {
        0 => Limits::default(),
        _ => Limits { parts_max: 2, head_max: 80 },
    };
    // Half of the inputs need not find out how a form begins.
    let input = if flags & 2 == 0 { body.to_vec() } else { [HEAD, body].concat() };
    let whole = read(limits, &input, &[]);
    for cuts in cuttings(input.len(), *seed) {
        assert_eq!(read(limits, &input, &cuts), whole, "{cuts:?}");
    }
    if whole.end == Some("") {
        let parts: Vec<_> = whole.parts.iter().map(|(_, data)| data.clone()).collect();
        assert_eq!(plain(&input), parts);
    }
    round_trip(body);
    let _ = Multipart::new(body, limits);
});

#[derive(Debug, Default, PartialEq, Eq)]
struct Record {
    /// Heads as text, and data.
    parts: Vec<(String, Vec<u8>)>,
    /// Parts that are complete.
    complete: usize,
    /// Why it ended; empty if well.
    end: Option<&'static str>,
}

fn read(limits: Limits, input: &[u8], cuts: &[usize]) -> Record {
    let mut form = Multipart::new(TYPE, limits).expect("a boundary");
    let mut record = Record::default();
    let mut from = 0;
    for &to in cuts.iter().chain([&input.len()]) {
        let mut slice = &input[from.min(to)..to];
        from = to;
        loop {
            match form.next(&mut slice) {
                Ok(Event::Part(head)) => {
                    assert_eq!(record.complete, record.parts.len());
                    let file = head.file().unwrap_or("");
                    assert!(!file.contains(['/', '\\']));
                    record.parts.push((format!("{head:?}"), Vec::new()));
                }
                Ok(Event::Data(data)) => {
                    assert!(!data.is_empty());
                    let (_, part) = record.parts.last_mut().expect("data is of a part");
                    part.extend_from_slice(data);
                }
                Ok(Event::PartEnd) => {
                    record.complete += 1;
                    assert_eq!(record.complete, record.parts.len());
                }
                Ok(Event::End) => assert_eq!(record.complete, record.parts.len()),
                Ok(Event::NeedMore) => break,
                Err(fault) => {
                    record.end = Some(fault.reason);
                    return record;
                }
            }
        }
        assert!(slice.is_empty());
    }
    record.end = Some(form.finish().map_or_else(|fault| fault.reason, |()| ""));
    record
}

fn find(data: &[u8], what: &[u8]) -> Option<usize> {
    data.windows(what.len()).position(|window| window == what)
}

/// RFC 2046 section 5.1.1 for a form that is known to be good.
fn plain(input: &[u8]) -> Vec<Vec<u8>> {
    let input = [b"\r\n", input].concat();
    let mut rest = &input[find(&input, DELIMITER).expect("a boundary") + DELIMITER.len()..];
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        // The blank line's CRLF may be that of the next delimiter.
        let line = find(rest, b"\r\n").expect("the end of the delimiter's line");
        let head = line + find(&rest[line..], b"\r\n\r\n").expect("a blank line");
        let end = head + 2 + find(&rest[head + 2..], DELIMITER).expect("another boundary");
        parts.push(rest[(head + 4).min(end)..end].to_vec());
        rest = &rest[end + DELIMITER.len()..];
    }
    parts
}

/// Data without the delimiter comes back as it is.
fn round_trip(data: &[u8]) {
    if find(&[b"\r\n", data].concat(), DELIMITER).is_none() {
        let form = [HEAD, data, DELIMITER, b"--"].concat();
        let record = read(Limits::default(), &form, &[]);
        assert_eq!((record.end, record.complete), (Some(""), 1));
        assert_eq!(record.parts[0].1, data);
    }
}
