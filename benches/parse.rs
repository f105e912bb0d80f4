//! How long a request head takes to parse, beside `httparse` in the same run.
//!
//! `cargo bench --bench parse`. Each number is the best of many rounds, since
//! whatever else the machine does only ever adds. What is compared is not quite
//! the same work: `httparse` finds the pieces; onepoll also checks `Host`, decides
//! the framing, copies the head and leaves a finished `Request`.
//!
//! `cargo bench --bench parse -- head 0 1000000` parses one head (0 small, 1 browser)
//! with one parser (`head` or `httparse`) that often and prints nothing: for
//! counting instructions.

use onepoll::Limits;
use onepoll::http::Request;
use onepoll::proto::Head;
use std::hint::black_box;
use std::time::Instant;

const SMALL: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\n\r\n";
const BROWSER: &[u8] = b"\
    GET /wp-content/uploads/2010/03/hello-kitty-darth-vader-pink.jpg HTTP/1.1\r\n\
    Host: www.kittyhell.com\r\n\
    User-Agent: Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10.6; ja-JP-mac; rv:1.9.2.3) \
    Gecko/20100401 Firefox/3.6.3 Pathtraq/0.9\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: ja,en-us;q=0.7,en;q=0.3\r\n\
    Accept-Encoding: gzip,deflate\r\n\
    Accept-Charset: Shift_JIS,utf-8;q=0.7,*;q=0.7\r\n\
    Keep-Alive: 115\r\n\
    Connection: keep-alive\r\n\
    Cookie: wp_ozh_wsa_visits=2; wp_ozh_wsa_visit_lasttime=xxxxxxxxxx; \
    __utma=xxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.x; \
    __utmz=xxxxxxxxx.xxxxxxxxxx.x.x.utmccn=(referral)|utmcsr=reader.livedoor.com|\
    utmcct=/reader/|utmcmd=referral\r\n\r\n";

/// One round is long against the clock's grain, and short enough that many
/// are not interrupted.
const PER_ROUND: u32 = 2_000;
const ROUNDS: u32 = 500;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [which, head, times] = args.as_slice() {
        let input = if head == "1" { BROWSER } else { SMALL };
        let times = times.parse().expect("how often");
        return if which == "httparse" { theirs(input, times) } else { ours(input, times) };
    }
    println!("{:<10}{:>7}{:>12}{:>12}{:>8}", "head", "bytes", "onepoll", "httparse", "ratio");
    for (name, input) in [("small", SMALL), ("browser", BROWSER)] {
        let (mut best, mut peer) = (f64::MAX, f64::MAX);
        for _ in 0..ROUNDS {
            best = best.min(nanoseconds(|| ours(input, PER_ROUND)));
            peer = peer.min(nanoseconds(|| theirs(input, PER_ROUND)));
        }
        let ratio = best / peer;
        println!("{name:<10}{:>7}{best:>9.1} ns{peer:>9.1} ns{ratio:>8.2}", input.len());
    }
}

fn nanoseconds(round: impl FnOnce()) -> f64 {
    let start = Instant::now();
    round();
    start.elapsed().as_nanos() as f64 / f64::from(PER_ROUND)
}

fn ours(input: &[u8], times: u32) {
    let limits = Limits::default();
    let (mut head, mut request) = (Head::default(), Request::default());
    for _ in 0..times {
        let parsed = head.parse(&limits, black_box(input), &mut request);
        assert!(black_box(parsed).is_ok_and(|done| done.is_some()));
        black_box(&mut request);
    }
}

fn theirs(input: &[u8], times: u32) {
    for _ in 0..times {
        let mut fields = [const { std::mem::MaybeUninit::uninit() }; 100];
        let mut request = httparse::Request::new(&mut []);
        let parsed = request.parse_with_uninit_headers(black_box(input), &mut fields);
        assert!(black_box(parsed).is_ok_and(|done| done.is_complete()));
        black_box(&mut request);
    }
}
