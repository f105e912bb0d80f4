//! Random bytes and broken heads: no panic, and the same result however they are cut.

use super::*;

/// xorshift64*: enough for tests, the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

/// What heads, and what is nearly one, are made of.
const PIECES: [&[u8]; 30] = [
    b"GET ",
    b"/",
    b" HTTP/1.1\r\n",
    b"Host: h\r\n",
    b"\r\n",
    b"\r",
    b"\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"x",
    b"X: y\r\n",
    b"%41",
    b"?",
    b"%",
    b"http://a",
    b"\xff",
    b"Connection: close\r\n",
    b"*",
    b"CONNECT a:1",
    b"OPTIONS ",
    b"Expect: 100-continue\r\n",
    b"0123456789abcdef0123456789abcdef",
    b"#",
    b",",
    b"HTTP/1.0",
    b"\x7f",
];

#[test]
fn any_bytes_give_the_same_however_they_are_cut() {
    let valid = b"GET /a%20b?c HTTP/1.1\r\nHost: example.org:80\r\nAccept: text/html, */*\r\n\
        Connection: keep-alive\r\nContent-Length: 12\r\nX_y: \tz \t\r\n\r\n";
    let mut random = Random(0x0123_4567_89ab_cdef);
    let small = Limits { head_max: 120, target_max: 20, headers_max: 3, ..Limits::default() };
    let large = Limits::default();
    let mut heads = 0;
    for round in 0..20_000 {
        let mut input = Vec::new();
        if round % 2 == 0 {
            input.extend_from_slice(valid);
            for _ in 0..random.below(4) {
                if input.is_empty() {
                    break;
                }
                let at = random.below(input.len());
                match random.below(4) {
                    0 => input[at] = random.below(256) as u8,
                    1 => drop(input.remove(at)),
                    2 => input.truncate(at + 1),
                    _ => drop(input.splice(at..at, PIECES[random.below(30)].iter().copied())),
                }
            }
        } else {
            for _ in 0..random.below(14) {
                input.extend_from_slice(PIECES[random.below(30)]);
            }
        }
        let limits = if random.below(3) == 0 { &small } else { &large };
        let whole = feed(limits, &input, std::iter::empty());
        let mut cuts: Vec<usize> =
            (0..random.below(6)).map(|_| random.below(input.len() + 1)).collect();
        cuts.sort_unstable();
        let cut = feed(limits, &input, cuts.iter().copied());
        assert_eq!(cut, whole, "{cuts:?} {}", input.escape_ascii());
        assert_eq!(feed(limits, &input, 0..input.len()), whole, "{}", input.escape_ascii());
        heads += usize::from(matches!(whole, Seen::Head(_)));
    }
    assert!((1_000..15_000).contains(&heads), "the generator makes good and bad: {heads}");
}

/// One of these; the first, which is as it should be, more often than the rest.
fn pick(random: &mut Random, from: &[&'static str]) -> &'static str {
    match random.below(20) {
        0 => from[random.below(from.len())],
        _ => from[0],
    }
}

/// A head as clients send them, or with one or two things about it that are not.
fn likely(random: &mut Random) -> Vec<u8> {
    const METHODS: [&str; 7] = ["GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS"];
    const TARGETS: [&str; 7] =
        ["/", "/a/b", "/%41", "/plaintext/and/more/to/it", "/a?b=c&d='e!'", "/x/?%41?", "/a~/$&("];
    const NAMES: [&str; 7] =
        ["Connection", "Content-Length", "Transfer-Encoding", "Upgrade", "Expect", "HOST", "Te"];
    const VALUES: [&str; 14] = [
        "h",
        "h:80",
        "5",
        "close",
        "keep-alive",
        "100-continue",
        "text/html; and so on for a run",
        "chunked",
        "gzip, Chunked",
        "upgrade, close",
        "005,5",
        "+5",
        "18446744073709551616",
        "",
    ];
    let mut input = String::new();
    input += METHODS[random.below(7)];
    input += pick(random, &[" ", "  ", "X ", "\t"]);
    input += TARGETS[random.below(7)];
    input += pick(random, &["", "*", "%4", "#a", "?", "/a-longer-path-in-several-words?a"]);
    input += pick(random, &[" HTTP/1.1\r\n", " HTTP/1.0\r\n", " \r\n", " HTTP/1.1\n"]);
    input += pick(random, &["hoST: h\r\n", "", "Host: a:b\r\n", "Host: [::1]:1\r\n"]);
    for _ in 0..random.below(5) {
        let others = ["Accept", "Host", "Connection", "Content-Length", "Expect", "", "X(", "é"];
        let special = random.below(3) == 0;
        let name = if special { NAMES[random.below(7)] } else { pick(random, &others) };
        input += name;
        input += pick(random, &[": ", ":", ":  ", ":\t", " :", ""]);
        input += VALUES[random.below(14)];
        input += pick(random, &["", " ", "\t", ", more, and longer than a run is", "é", "\x7f"]);
        input += pick(random, &["\r\n", "\n", "\r", "\r\n "]);
    }
    input += "\r\n";
    let mut input = input.into_bytes();
    if random.below(4) == 0 {
        let at = random.below(input.len());
        input[at] = random.below(256) as u8;
    }
    input
}

#[test]
fn the_short_way_and_the_long_way_agree() {
    let mut random = Random(0xfedc_ba98_7654_3210);
    let small = Limits { head_max: 90, target_max: 12, headers_max: 2, ..Limits::default() };
    let large = Limits::default();
    let (mut short, mut faults) = (0, 0);
    let mut used = Request::default();
    for _ in 0..60_000 {
        let input = likely(&mut random);
        let limits = if random.below(4) == 0 { &small } else { &large };
        let mut request = Request::default();
        let long = Head::default().resume(limits, &input, &mut request);
        faults += usize::from(long.is_err());
        // With what the last head left in it.
        let Some((behind, framing)) = whole::read(limits, &input, &mut used) else { continue };
        let len = input.len() - behind.len();
        short += 1;
        let Ok(Some((wanted, same))) = long else {
            panic!("{long:?} {}", input.escape_ascii());
        };
        let wanted = summary(wanted, same, &request);
        assert_eq!(summary(len, framing, &used), wanted, "{}", input.escape_ascii());
        assert_eq!(used.headers.bytes, request.headers.bytes);
        assert_eq!(used.headers.fields, request.headers.fields);
    }
    assert!(short > 10_000 && faults > 10_000, "the generator makes both: {short}, {faults}");
}
