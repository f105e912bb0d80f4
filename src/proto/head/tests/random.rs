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

#[test]
fn any_bytes_give_the_same_however_they_are_cut() {
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
