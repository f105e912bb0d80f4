//! Request heads: the same result however they are cut, and none that another
//! parser would read in another way.

#![no_main]

use libfuzzer_sys::fuzz_target;
use onepoll::Limits;
use onepoll::http::{Request, chars};
use onepoll::proto::{Fault, Framing, Head};
use onepoll_fuzz::cuttings;

/// A head that ended: what it said, and how many bytes it had.
#[derive(Debug, PartialEq)]
struct Seen {
    text: String,
    used: usize,
    framing: Framing,
}

fuzz_target!(|data: &[u8]| {
    let [flags, seed, input @ ..] = data else { return };
    let limits = match flags & 1 {
        0 => Limits::default(),
        _ => Limits { head_max: 150, target_max: 40, headers_max: 4, ..Limits::default() },
    };
    let (whole, request) = feed(&limits, input, &[]);
    for cuts in cuttings(input.len(), *seed) {
        assert_eq!(feed(&limits, input, &cuts).0, whole, "{cuts:?}");
    }
    if let Ok(Some(seen)) = whole {
        sound(&limits, &request, seen.used);
        compare(&input[..seen.used], &request);
    }
});

fn feed(
    limits: &Limits,
    input: &[u8],
    cuts: &[usize],
) -> (Result<Option<Seen>, Fault>, Request) {
    let (mut head, mut request, mut dropped) = (Head::default(), Request::default(), 0);
    for &end in cuts.iter().chain([&input.len()]) {
        match head.parse(limits, &input[dropped..end], &mut request) {
            Ok(None) => dropped += head.drop_blank(),
            Ok(Some((used, framing))) => {
                let text = format!("{request:?} {:?}", request.authority());
                return (Ok(Some(Seen { text, used: dropped + used, framing })), request);
            }
            Err(fault) => return (Err(fault), request),
        }
    }
    (Ok(None), request)
}

/// What is promised of every request.
fn sound(limits: &Limits, request: &Request, used: usize) {
    // Empty lines in front don't count.
    assert!(used <= limits.head_max + 8, "{used}");
    assert!(request.target().len() <= limits.target_max);
    assert!(request.headers().len() <= limits.headers_max);
    assert!(request.target().bytes().all(|b| b.is_ascii_graphic() && b != b'#'));
    assert!(request.target().contains(request.path()));
    assert!(request.headers().all("host").count() <= 1);
    for (name, value) in request.headers().iter() {
        assert!(chars::is_token(name.as_bytes()), "{name:?}");
        assert!(chars::is_field_value(value), "{}", value.escape_ascii());
        assert_eq!(value, value.trim_ascii(), "{name}");
    }
}

/// A head that is taken here is taken by others as well, with the same parts.
fn compare(head: &[u8], request: &Request) {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut other = httparse::Request::new(&mut fields);
    match other.parse(head) {
        Ok(httparse::Status::Complete(len)) => assert_eq!(len, head.len()),
        // Minor versions beyond 1 act as 1.1 (RFC 9110 section 2.5); there not.
        Err(httparse::Error::Version) => return,
        other => panic!("{other:?}: {}", head.escape_ascii()),
    }
    assert_eq!(other.method, Some(request.method().as_str()));
    assert_eq!(other.path, Some(request.target()));
    let ours: Vec<_> = request.headers().iter().collect();
    let theirs: Vec<_> = other.headers.iter().map(|field| (field.name, field.value)).collect();
    assert_eq!(ours, theirs);
}
