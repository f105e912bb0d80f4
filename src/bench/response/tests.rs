//! Replies as tables, each fed whole, byte by byte and at every split, with the
//! next reply behind it; and made-up ones in any pieces.

use super::*;
use proptest::prelude::*;

/// What was made of some bytes.
#[derive(Debug, PartialEq, Clone)]
struct Seen {
    status: u16,
    close: bool,
    content: Vec<u8>,
    /// Whether the end of the connection was needed.
    by_end: bool,
}

/// All replies in the input, fed in pieces that end at `cuts`.
fn feed(asked: Asked, input: &[u8], cuts: &[usize]) -> Result<Vec<Seen>, Fault> {
    let mut parser = Parser::new();
    let (mut seen, mut now, mut from) = (Vec::new(), None::<Seen>, 0);
    for &end in cuts.iter().chain([&input.len()]) {
        let mut rest = &input[from..end];
        from = end;
        loop {
            let (taken, event) = parser.take(rest, asked)?;
            let (these, behind) = rest.split_at(taken);
            rest = behind;
            match event {
                Event::More if rest.is_empty() => break,
                Event::More => {}
                Event::Head(Head { status, close }) => {
                    assert!(now.is_none(), "a head in a reply");
                    now = Some(Seen { status, close, content: Vec::new(), by_end: false });
                }
                Event::Content(len) => {
                    let content = &these[these.len() - len..];
                    now.as_mut().expect("after a head").content.extend_from_slice(content);
                }
                Event::End => {
                    assert!(parser.is_idle());
                    seen.push(now.take().expect("after a head"));
                }
            }
        }
    }
    let idle = parser.is_idle();
    match now.take() {
        Some(reply) if parser.end() => seen.push(Seen { by_end: true, ..reply }),
        Some(reply) => seen.push(Seen { status: 0, ..reply }),
        None if idle => {}
        None => seen.push(Seen { status: 0, close: false, content: Vec::new(), by_end: false }),
    }
    Ok(seen)
}

/// All ways of cutting must give the same; that is what comes back.
fn every_way(asked: Asked, input: &[u8]) -> Result<Vec<Seen>, Fault> {
    let whole = feed(asked, input, &[]);
    let each: Vec<usize> = (1..input.len()).collect();
    assert_eq!(feed(asked, input, &each), whole, "byte by byte: {}", input.escape_ascii());
    for cut in 0..input.len() {
        let halves = feed(asked, input, &[cut]);
        assert_eq!(halves, whole, "cut at {cut}: {}", input.escape_ascii());
    }
    whole
}

const NEXT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext";

/// One reply; if it ends by itself, so it does with another behind it.
#[track_caller]
fn one(asked: Asked, input: &str) -> Seen {
    let seen = every_way(asked, input.as_bytes()).expect(input);
    assert_eq!(seen.len(), 1, "{input}");
    if !seen[0].by_end && seen[0].status != 0 && asked == Asked::Other {
        let both = every_way(asked, format!("{input}{NEXT}").as_bytes()).expect(input);
        assert_eq!(both[0], seen[0], "{input}");
        assert_eq!(both[1].content, b"next", "{input}");
    }
    seen[0].clone()
}

/// The reply, its status, whether the connection ends, its content, whether the end of
/// the connection ends it.
const REPLIES: [(&str, u16, bool, &str, bool); 21] = [
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, false, "hello", false),
    ("HTTP/1.1 200\r\ncontent-length:5\r\n\r\nhello", 200, false, "hello", false),
    ("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", 200, false, "", false),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nab",
        200,
        false,
        "ab",
        false,
    ),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab", 200, true, "ab", false),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x, Close\r\n\r\nab",
        200,
        true,
        "ab",
        false,
    ),
    ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", 200, true, "ab", false),
    (
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nab",
        200,
        false,
        "ab",
        false,
    ),
    ("HTTP/1.1 204 No Content\r\n\r\n", 204, false, "", false),
    ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, false, "", false),
    ("HTTP/1.1 200 OK\r\n\r\nto the end", 200, true, "to the end", true),
    ("HTTP/1.1 200 OK\r\n\r\n", 200, true, "", true),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nzzz", 200, true, "zzz", true),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        200,
        false,
        "hello",
        false,
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n\
             3;a=\"b\"\r\nabc\r\n00A \r\n0123456789\r\n000\r\nX: y\r\nZ:\r\n\r\n",
        200,
        false,
        "abc0123456789",
        false,
    ),
    (
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
        200,
        false,
        "x",
        false,
    ),
    (
        "HTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 103 E\r\n\r\n\
 HTTP/1.1 404 N\r\nContent-Length: 1\r\n\r\nx",
        404,
        false,
        "x",
        false,
    ),
    ("HTTP/1.1 999 Odd\r\nContent-Length: 1\r\n\r\nx", 999, false, "x", false),
    // Short: status 0 stands for it.
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", 0, false, "hell", false),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        0,
        false,
        "hello",
        false,
    ),
    ("HTTP/1.1 200 OK\r\nContent-Le", 0, false, "", false),
];

#[test]
fn replies_end_where_they_should() {
    for (input, status, close, content, by_end) in REPLIES {
        let seen = one(Asked::Other, input);
        let content = content.as_bytes().to_vec();
        assert_eq!(seen, Seen { status, close, content, by_end }, "{input}");
    }
}

#[test]
fn what_was_asked_decides() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(one(Asked::Head, head).status, 200);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(one(Asked::Head, chunked).status, 200);
    let tunnel = one(Asked::Connect, head);
    assert!(tunnel.status == 200 && tunnel.close);
    let refused = "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno";
    assert_eq!(one(Asked::Connect, refused).content, b"no");
}

#[test]
fn what_is_no_reply_is_a_fault() {
    use Fault::{Chunk, Field, Framing, StatusLine, Switch};
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let table = [
        ("\r\nHTTP/1.1 200 OK\r\n\r\n".to_owned(), StatusLine),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), StatusLine),
        ("HTTP/2.0 200 OK\r\n\r\n".to_owned(), StatusLine),
        ("HTTP/1.1 099 OK\r\n\r\n".to_owned(), StatusLine),
        ("HTTP/1.1 2000 OK\r\n\r\n".to_owned(), StatusLine),
        ("HTTP/1.1  200 OK\r\n\r\n".to_owned(), StatusLine),
        ("HTTP/1.1 200 O\0K\r\n\r\n".to_owned(), StatusLine),
        ("http/1.1 200 OK\r\n\r\n".to_owned(), StatusLine),
        ("HTTP/1.1 200 OK\r\nA b: c\r\n\r\n".to_owned(), Field),
        ("HTTP/1.1 200 OK\r\n: c\r\n\r\n".to_owned(), Field),
        ("HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n".to_owned(), Field),
        ("HTTP/1.1 200 OK\r\nA: b\n\r\n".to_owned(), Field),
        ("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n".to_owned(), Field),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n".to_owned(), Field),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".to_owned(), Framing),
        ("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx".to_owned(), Framing),
        ("HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n".to_owned(), Framing),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n".to_owned(), Framing),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_owned(), Framing),
        ("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n".to_owned(), Framing),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            Framing,
        ),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), Framing),
        ("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n".to_owned(), Switch),
        (format!("{chunked}\r\n"), Chunk),
        (format!("{chunked}x\r\n"), Chunk),
        (format!("{chunked} 1\r\nx"), Chunk),
        (format!("{chunked}1\nx"), Chunk),
        (format!("{chunked}00000000000000001\r\nx"), Chunk),
        (format!("{chunked}1\r\nxy\r\n"), Chunk),
        (format!("{chunked}1;\0\r\nx\r\n"), Chunk),
        (format!("{chunked}0\r\nA: b\n\r\n"), Field),
        (format!("{chunked}0\r\nA: \rb\r\n\r\n"), Field),
    ];
    for (input, fault) in table {
        assert_eq!(every_way(Asked::Other, input.as_bytes()), Err(fault), "{input}");
    }
}

#[test]
fn nothing_is_without_a_bound() {
    let start = "HTTP/1.1 200 OK\r\n";
    let chunked = format!("{start}Transfer-Encoding: chunked\r\n\r\n");
    let table = [
        format!("{start}{}", "a: b\r\n".repeat(20_000)),
        format!("{start}a: {}", "b".repeat(100_000)),
        format!("{start}{}\r\n", "a: b\r\n".repeat(20_000)),
        "HTTP/1.1 100 Continue\r\n\r\n".repeat(100),
        format!("{chunked}1;{}", "x".repeat(10_000)),
        format!("{chunked}0\r\n{}", "a: b\r\n".repeat(10_000)),
    ];
    for input in table {
        let input = input.as_bytes();
        assert_eq!(feed(Asked::Other, input, &[]), Err(Fault::TooLong));
        let pieces: Vec<usize> = (1..input.len() / 1000).map(|i| i * 1000).collect();
        assert_eq!(feed(Asked::Other, input, &pieces), Err(Fault::TooLong));
    }
}

#[test]
fn a_parser_at_rest_holds_little() {
    let mut parser = Parser::new();
    let head = format!("HTTP/1.1 204 N\r\nA: {}\r\n\r\n", "x".repeat(30_000));
    for byte in head.as_bytes() {
        let _ = parser.take(std::slice::from_ref(byte), Asked::Other).unwrap();
    }
    assert!(parser.held() == 0, "{}", parser.held());
    assert_eq!(parser.take(&[], Asked::Other), Ok((0, Event::End)));
    assert!(std::mem::size_of::<Parser>() <= 72, "{}", std::mem::size_of::<Parser>());
}

/// Replies that are right, in the three framings.
fn reply() -> impl Strategy<Value = (String, Vec<u8>)> {
    let content = proptest::collection::vec(any::<u8>(), 0..60);
    (100u16..130, content, 0..2, 1usize..9).prop_map(|(len, content, kind, piece)| {
        let pad = "p".repeat(usize::from(len - 100));
        let head = format!("HTTP/1.1 200 OK\r\nPad: {pad}\r\n");
        let text: String = content.iter().map(|byte| char::from(b'a' + byte % 26)).collect();
        let content = text.clone().into_bytes();
        let reply = match kind {
            0 => format!("{head}Content-Length: {}\r\n\r\n{text}", text.len()),
            _ => {
                let chunks = content.chunks(piece);
                let chunks =
                    chunks.map(|c| format!("{:x}\r\n{}\r\n", c.len(), String::from_utf8_lossy(c)));
                format!(
                    "{head}Transfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
                    chunks.collect::<String>()
                )
            }
        };
        (reply, content)
    })
}

proptest! {
    #[test]
    fn replies_in_any_pieces(
        replies in proptest::collection::vec(reply(), 1..5),
        cuts in proptest::collection::btree_set(0usize..2000, 0..20),
    ) {
        let input: String = replies.iter().map(|(reply, _)| reply.as_str()).collect();
        let cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < input.len()).collect();
        let seen = feed(Asked::Other, input.as_bytes(), &cuts).unwrap();
        let contents: Vec<_> = seen.iter().map(|seen| seen.content.clone()).collect();
        let expected: Vec<_> = replies.iter().map(|(_, content)| content.clone()).collect();
        prop_assert_eq!(contents, expected);
    }

    /// Whatever comes, in whatever pieces: no panic, and the same replies before
    /// a fault as before it in one piece.
    #[test]
    fn nonsense_in_any_pieces(
        parts in proptest::collection::vec(0usize..14, 0..24),
        cuts in proptest::collection::btree_set(0usize..300, 0..12),
    ) {
        const PARTS: [&str; 14] = [
            "HTTP/1.1 200 OK\r\n", "HTTP/1.0 200 OK\r\n", "HTTP/1.1 204 N\r\n", "\r\n", "\n",
            "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n", "0\r\n",
            "abc", "\r", "A: b\r\n", "HTTP/1.1 100 C\r\n\r\n", "\0",
        ];
        let input: String = parts.iter().map(|part| PARTS[*part]).collect();
        let cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < input.len()).collect();
        let whole = feed(Asked::Other, input.as_bytes(), &[]);
        let pieces = feed(Asked::Other, input.as_bytes(), &cuts);
        if let (Ok(whole), Ok(pieces)) = (&whole, &pieces) {
            prop_assert_eq!(whole, pieces);
        }
        // A fault may be noticed later in pieces, when the head is whole; never earlier.
        prop_assert!(whole.is_err() || pieces.is_ok());
    }
}
