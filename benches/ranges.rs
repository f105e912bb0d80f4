//! What parts of files cost, and their compressed forms.
//!
//! `cargo bench --bench ranges`. Three tables: the reading of a `Range` field by
//! the number of its ranges, which is to grow in a line; whole requests over a
//! socket by the number of parts; gzip beside the library that it uses. Each
//! number is the best of many rounds.

use onepoll::codec::gzip::{Gzip, gzip};
use onepoll::files::Files;
use onepoll::http::range::{Wanted, wanted};
use onepoll::{App, Server};
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const ROUNDS: u32 = 30;
/// Requests of a round, over one connection.
const REQUESTS: u32 = 200;

fn main() {
    fields();
    replies();
    compression();
}

/// The best of all rounds.
fn best(rounds: u32, mut round: impl FnMut()) -> Duration {
    let mut least = Duration::MAX;
    for _ in 0..rounds {
        let start = Instant::now();
        round();
        least = least.min(start.elapsed());
    }
    least
}

/// A field of ranges that stay apart (as many as are allowed), or all meet.
fn field(count: u64, step: u64) -> String {
    let ranges: Vec<_> = (0..count).map(|n| format!("{0}-{0}", n * step)).collect();
    format!("bytes={}", ranges.join(","))
}

fn fields() {
    println!("{:<10}{:>10}{:>14}{:>14}", "ranges", "bytes", "ns", "ns a range");
    for count in [1, 2, 4, 8, 16, 100, 1_000, 10_000, 100_000] {
        let value = if count <= 16 { field(count, 2) } else { field(count, 1) };
        let times = (200_000 / count).max(1);
        let time = best(ROUNDS, || {
            for _ in 0..times {
                let got = wanted(black_box(value.as_bytes()), 1 << 20);
                assert_ne!(black_box(got), Wanted::Whole);
            }
        });
        let each = time.as_nanos() as f64 / times as f64;
        println!("{count:<10}{:>10}{each:>14.1}{:>14.1}", value.len(), each / count as f64);
    }
    println!();
}

fn replies() {
    let path = std::env::temp_dir().join(format!("onepoll-bench-ranges-{}", std::process::id()));
    std::fs::create_dir_all(&path).expect("a folder for the files");
    for (name, len) in [("cached", 60_000), ("open", 1 << 20)] {
        std::fs::write(path.join(name), vec![b'x'; len]).expect("a file");
    }
    let folder = path.clone();
    let server = Server::bind("127.0.0.1:0").and_then(|server| {
        server.spawn(move || {
            let mut app = App::new();
            Files::new(&folder).expect("the folder is there").mount(&mut app, "/");
            app
        })
    });
    let server = server.expect("a server");
    println!("{:<10}{:>12}{:>12}{:>14}{:>14}", "file", "parts", "each", "us", "bytes");
    for name in ["cached", "open"] {
        for (count, each) in [(1, 1), (1, 100), (2, 100), (4, 100), (8, 100), (16, 100), (16, 3000)]
        {
            let ranges: Vec<_> = (0..count)
                .map(|n| format!("{}-{}", n * (each + 100), n * (each + 100) + each - 1))
                .collect();
            let head = format!("Range: bytes={}\r\n", ranges.join(","));
            let (time, len) = requests(server.local_addr(), name, &head);
            let us = time.as_secs_f64() * 1e6;
            println!("{name:<10}{count:>12}{each:>12}{us:>14.1}{len:>14}");
        }
    }
    println!();
    drop(server);
    let _ = std::fs::remove_dir_all(&path);
}

/// The time of one request, and its reply's length.
fn requests(to: SocketAddr, name: &str, fields: &str) -> (Duration, usize) {
    let mut client = TcpStream::connect(to).expect("a connection");
    client.set_nodelay(true).expect("an option");
    let request = format!("GET /{name} HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
    let mut buffer = vec![0; 1 << 20];
    let mut ask = || {
        client.write_all(request.as_bytes()).expect("a request");
        let (mut have, mut wanted) = (0, usize::MAX);
        while have < wanted {
            have += client.read(&mut buffer[have..]).expect("a reply");
            if wanted == usize::MAX {
                let text = String::from_utf8_lossy(&buffer[..have]);
                let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
                let (_, rest) = head.split_once("Content-Length: ").expect("a length");
                let len: usize = rest.lines().next().and_then(|n| n.parse().ok()).expect("digits");
                wanted = head.len() + 4 + len;
            }
        }
        have
    };
    let len = ask();
    let time = best(ROUNDS, || {
        for _ in 0..REQUESTS {
            assert_eq!(ask(), len);
        }
    });
    (time / REQUESTS, len)
}

fn compression() {
    let source = include_str!("ranges.rs");
    let text: String = source.chars().chain("\n".chars()).cycle().take(40_000).collect();
    let words: String = (0..120_000u32)
        .map(|n| ["alpha ", "beta ", "gamma\n", "delta ", "{", "}"][(n * n % 31 % 6) as usize])
        .collect();
    let mut state = 1u64;
    let noise: String = (0..300_000u32)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b' ' + (state >> 58) as u8)
        })
        .collect();
    println!(
        "{:<8}{:>9}{:>7}{:>12}{:>12}{:>12}{:>12}{:>12}",
        "text", "bytes", "level", "gzip", "at once ms", "pieces ms", "flate2 ms", "MB/s"
    );
    let all = [("source", &text[..16_000]), ("words", &words), ("noise", &noise)];
    for (name, text) in all {
        for level in [1, 6, 9] {
            let bytes = text.as_bytes();
            let packed = gzip(bytes, level).expect("it is compressed");
            let theirs = || {
                let level = flate2::Compression::new(level);
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(bytes).expect("a Vec takes all");
                encoder.finish().expect("a Vec takes all")
            };
            // Blocks end where output was taken, so that a few bytes may differ.
            assert!(packed.len().abs_diff(theirs().len()) < 100, "the same work");
            let once = best(10, || drop(black_box(gzip(bytes, level))));
            let pieces = best(10, || {
                let (mut gzip, mut out) = (Gzip::new(level), Vec::new());
                for piece in bytes.chunks(4096) {
                    gzip.push(piece, &mut out).expect("it is compressed");
                    black_box(&out);
                    out.clear();
                }
                gzip.finish(&mut out).expect("it is compressed");
            });
            let peer = best(10, || drop(black_box(theirs())));
            let [once, pieces, peer] = [once, pieces, peer].map(|time| time.as_secs_f64() * 1e3);
            println!(
                "{name:<8}{:>9}{level:>7}{:>12}{once:>12.3}{pieces:>12.3}{peer:>12.3}{:>12.1}",
                bytes.len(),
                packed.len(),
                bytes.len() as f64 / once / 1e3,
            );
        }
    }
}
