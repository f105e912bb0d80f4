//! Bodies as tables, each fed whole, byte by byte and at every split, with the
//! next request behind it.

use super::*;

/// A body that was read: its content, or why not, and how much input it took.
#[derive(Debug, PartialEq)]
struct Read {
    content: Vec<u8>,
    trailers: Vec<(String, Vec<u8>)>,
    used: usize,
}

/// Feeds the input in pieces that end at `cuts`, keeping what is not used.
fn feed(mut decoder: Decoder, input: &[u8], cuts: &[usize]) -> Result<Option<Read>, Fault> {
    let (limits, mut trailers) = (limits(), Headers::new());
    let (mut content, mut used) = (Vec::new(), 0);
    for &end in cuts.iter().chain([&input.len()]) {
        loop {
            let window = &input[used..end];
            let (taken, decoded) = decoder.decode(&limits, window, &mut trailers)?;
            used += taken;
            match decoded {
                Decoded::NeedMore => break,
                Decoded::Data(range) => {
                    assert!(!range.is_empty() && range.end == taken, "{range:?} of {taken}");
                    content.extend_from_slice(&window[range]);
                }
                Decoded::End => {
                    let trailers = trailers.iter().map(|(n, v)| (n.to_owned(), v.to_vec()));
                    return Ok(Some(Read { content, trailers: trailers.collect(), used }));
                }
            }
        }
    }
    Ok(None)
}

/// Small ones, so that the tables can pass them.
fn limits() -> Limits {
    Limits { chunk_ext_max: 40, trailers_max: 60, headers_max: 3, ..Limits::default() }
}

/// All ways of cutting must give the same; that is what comes back.
fn every_way(decoder: Decoder, input: &[u8]) -> Result<Option<Read>, Fault> {
    let whole = feed(decoder, input, &[]);
    let each: Vec<usize> = (1..input.len()).collect();
    assert_eq!(feed(decoder, input, &each), whole, "byte by byte: {}", input.escape_ascii());
    for cut in 0..input.len() {
        let halves = feed(decoder, input, &[cut]);
        assert_eq!(halves, whole, "cut at {cut}: {}", input.escape_ascii());
    }
    whole
}

const TAIL: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

/// With and without a tail: the content, and nothing of the tail is taken.
fn good(decoder: Decoder, input: &[u8]) -> Read {
    let alone = every_way(decoder, input).expect("no fault").expect("complete");
    assert_eq!(alone.used, input.len());
    let with_tail = every_way(decoder, &[input, TAIL].concat()).expect("no fault");
    assert_eq!(with_tail.as_ref(), Some(&alone));
    alone
}

#[test]
fn a_length_is_counted() {
    assert_eq!(good(Decoder::Length(5), b"hello").content, b"hello");
    assert_eq!(good(Decoder::Length(0), b"").content, b"");
    assert_eq!(every_way(Decoder::Length(6), b"hello"), Ok(None));
    assert_eq!(every_way(Decoder::Length(u64::MAX), b"hello"), Ok(None));
}

#[test]
fn chunked_bodies_are_joined() {
    let table: &[(&[u8], &[u8])] = &[
        (b"0\r\n\r\n", b""),
        (b"000\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n", b"hello world"),
        (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"0000000a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"00000000000000000000000000000001\r\nx\r\n0\r\n\r\n", b"x"),
        (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
        (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
        (b"1;a\r\nx\r\n0\r\n\r\n", b"x"),
        (b"1;a=b\r\nx\r\n0;c=d;e\r\n\r\n", b"x"),
        (b"1 ; a = b\t;\tc\r\nx\r\n0\r\n\r\n", b"x"),
        (b"1;a=\"b;c=\\\"\t \x80\\\\\"\r\nx\r\n0\r\n\r\n", b"x"),
        (b"1;a=\"\" ;b\r\nx\r\n0\r\n\r\n", b"x"),
    ];
    for (input, content) in table {
        let read = good(Decoder::chunked(), input);
        assert_eq!(read.content, *content, "{}", input.escape_ascii());
        assert!(read.trailers.is_empty());
    }
}

#[test]
fn broken_chunks_are_refused() {
    let table: &[(&[u8], &str)] = &[
        (b"\r\n", "chunk without a size"),
        (b";a\r\n", "chunk without a size"),
        (b" 1\r\n", "chunk without a size"),
        (b"g\r\n", "chunk size is not hexadecimal"),
        (b"0x1\r\n", "chunk size is not hexadecimal"),
        (b"+1\r\n", "chunk size is not hexadecimal"),
        (b"-1\r\n", "chunk size is not hexadecimal"),
        (b"1_0\r\n", "chunk size is not hexadecimal"),
        (b"1\n", "chunk size is not hexadecimal"),
        (b"1\rx", "bare CR in a chunk's size line"),
        (b"1\r\r\n", "bare CR in a chunk's size line"),
        (b"10000000000000000\r\n", "chunk size too large"),
        (b"fffffffffffffffff\r\n", "chunk size too large"),
        (b"000000000000000000000000000000001\r\n", "chunk size too large"),
        (b"1\r\nxy\r\n", "chunk data longer than its size"),
        (b"1\r\nx\n0\r\n", "chunk data longer than its size"),
        (b"1\r\nx\r0\r\n", "chunk data longer than its size"),
        (b"1\r\nx0\r\n\r\n", "chunk data longer than its size"),
        (b"1 \r\n", "malformed chunk extension"),
        (b"1 2\r\n", "malformed chunk extension"),
        (b"1;\r\n", "malformed chunk extension"),
        (b"1;;a\r\n", "malformed chunk extension"),
        (b"1;a \r\n", "malformed chunk extension"),
        (b"1;a=\r\n", "malformed chunk extension"),
        (b"1;a==b\r\n", "malformed chunk extension"),
        (b"1;a b\r\n", "malformed chunk extension"),
        (b"1;a\n", "malformed chunk extension"),
        (b"1;=b\r\n", "malformed chunk extension"),
        (b"1;a=b \r\n", "malformed chunk extension"),
        (b"1;a=b\"\r\n", "malformed chunk extension"),
        (b"1;a=\"b\r\n", "malformed chunk extension"),
        (b"1;a=\"b\n\"\r\n", "malformed chunk extension"),
        (b"1;a=\"b\\\r\n", "malformed chunk extension"),
        (b"1;a=\"b\"c\r\n", "malformed chunk extension"),
        (b"1;a=\"b\" \r\n", "malformed chunk extension"),
        (b"1;a\x80\r\n", "malformed chunk extension"),
    ];
    for (input, reason) in table {
        let fault =
            every_way(Decoder::chunked(), input).expect_err(&input.escape_ascii().to_string());
        assert_eq!(fault, Fault::bad(reason), "{}", input.escape_ascii());
    }
}

#[test]
fn the_largest_size_is_not_too_large() {
    let mut decoder = Decoder::chunked();
    let input = b"ffffffffffffffff\r\nabc";
    let (used, decoded) = decoder.decode(&limits(), input, &mut Headers::new()).unwrap();
    assert_eq!((used, decoded), (input.len(), Decoded::Data(18..21)));
    assert_eq!(decoder.left(), u64::MAX - 3);
}

#[test]
fn extensions_are_bounded_over_the_whole_body() {
    let one = format!("1;{}\r\nx\r\n", "a".repeat(19)); // 20 bytes counted, the line's CR apart
    let fits = format!("{}0\r\n\r\n", one.replace("aaa", "a").repeat(2));
    assert_eq!(good(Decoder::chunked(), fits.as_bytes()).content, b"xx");
    let over = format!("{}0\r\n\r\n", one.repeat(2));
    let fault = every_way(Decoder::chunked(), over.as_bytes()).unwrap_err();
    assert_eq!(fault, Fault::bad("chunk extensions too long"));
}

#[test]
fn trailers_and_extensions_are_bounded_apart() {
    let extension = "a".repeat(30);
    let trailer = format!("X: {}\r\n", "y".repeat(50));
    let body = format!("0;{extension}\r\n{trailer}\r\n");
    assert_eq!(good(Decoder::chunked(), body.as_bytes()).trailers.len(), 1);
}

#[test]
fn trailers_are_kept_apart() {
    let body = b"1\r\nx\r\n0\r\nContent-Digest: a=:b:\r\nX-A:\t 1 2 \t\r\nEmpty:\r\n\r\n";
    let read = good(Decoder::chunked(), body);
    let expected = [("Content-Digest", "a=:b:"), ("X-A", "1 2"), ("Empty", "")];
    let expected = expected.map(|(n, v)| (n.to_owned(), v.as_bytes().to_vec()));
    assert_eq!(read.trailers, expected);
}

#[test]
fn what_must_come_before_the_content_is_left_out() {
    for name in [
        "Content-Length",
        "content-type",
        "Transfer-Encoding",
        "HOST",
        "Authorization",
        "Cookie",
        "If-Match",
        "Range",
        "Trailer",
        "Expect",
        "X-Forwarded-For",
        "Proxy-Authorization",
    ] {
        let body = format!("0\r\n{name}: 5\r\nX: y\r\n\r\n");
        let read = good(Decoder::chunked(), body.as_bytes());
        assert_eq!(read.trailers, [("X".to_owned(), b"y".to_vec())], "{name}");
    }
}

#[test]
fn broken_trailers_are_refused() {
    let too_long = "trailer section too long";
    let long = format!("0\r\nx: {}", "y".repeat(58));
    let table: &[(&[u8], u16, &str)] = &[
        (b"0\r\n\n", 400, "bare LF in the trailer section"),
        (b"0\r\nx: y\n\r\n", 400, "bare LF in the trailer section"),
        (b"0\r\nx\r\n\r\n", 400, "trailer line without a colon"),
        (b"0\r\nx : y\r\n\r\n", 400, "malformed trailer field"),
        (b"0\r\n: y\r\n\r\n", 400, "malformed trailer field"),
        (b"0\r\nx: y\r\n z: w\r\n\r\n", 400, "malformed trailer field"),
        (b"0\r\nx: y\rz\r\n\r\n", 400, "malformed trailer field"),
        (b"0\r\nx: y\0\r\n\r\n", 400, "malformed trailer field"),
        (b"0\r\nx: y\r\r\n\r\n", 400, "malformed trailer field"),
        (b"0\r\na:1\r\nb:1\r\nc:1\r\nd:1\r\n\r\n", 431, "too many trailer fields"),
        (long.as_bytes(), 431, too_long),
    ];
    for (input, status, reason) in table {
        let fault =
            every_way(Decoder::chunked(), input).expect_err(&input.escape_ascii().to_string());
        assert_eq!(fault.status.map(Status::code), Some(*status), "{}", input.escape_ascii());
        assert_eq!(fault.reason, *reason, "{}", input.escape_ascii());
    }
}

#[test]
fn forbidden_trailers_count_as_well() {
    let body = format!("0\r\n{}\r\n", "Host: a\r\n".repeat(8));
    assert!(every_way(Decoder::chunked(), body.as_bytes()).is_err());
}

#[test]
fn an_incomplete_body_waits() {
    let body = b"5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n\r\n";
    for len in 0..body.len() {
        assert_eq!(feed(Decoder::chunked(), &body[..len], &[]), Ok(None), "{len}");
    }
}

#[test]
fn it_is_small() {
    assert!(size_of::<Decoder>() <= 16, "{}", size_of::<Decoder>());
}
