//! What files cost: by how many there are, and what a cold disk does to others.
//!
//! `cargo bench --bench files`, or `.. -- 1000000` for more files. Everything is below the folder for temporary
//! files, or below `ONEPOLL_BENCH_DIR`, which should be on a disk: for the second
//! part, what lies in memory can't be made cold.
//!
//! 1. A thousand bytes each of 10 to 100,000 files (or as many as were named), asked for at random, 16 at
//!    once: with the cache, without it, and what a request costs beside 10 files.
//! 2. The time of `/plaintext` by itself, beside downloads of a file that is in
//!    memory, and of one that is thrown out of it before each download. The
//!    second against the third is what a disk adds.
//!
//! All variants take turns within each round; what counts is the medians.

use onepoll::files::Files;
use onepoll::http::Request;
use onepoll::server::Background;
use onepoll::{App, Config, Server};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

/// Files, unless another number is named.
const MOST: usize = 100_000;
const FILE_LEN: usize = 1_000;
/// Requests that are sent at once, and how many batches make a round.
const DEPTH: usize = 16;
const BATCHES: usize = 250;
const ROUNDS: usize = 9;
/// What each file ends with, to count replies by.
const MARK: u8 = b'$';
/// Far more than the cache holds.
const LARGE: u64 = 128 << 20;
const WATCH: Duration = Duration::from_millis(700);

fn main() -> Result<(), Failure> {
    let parent = std::env::var_os("ONEPOLL_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let folder = Folder(parent.join(format!("onepoll-bench-{}", std::process::id())));
    fs::create_dir_all(&folder.0)?;
    let mut named = std::env::args().skip(1).filter_map(|word| word.parse().ok());
    by_number(&folder.0, named.next_back().unwrap_or(MOST))?;
    cold(&folder.0)
}

/// Gone when the bench is over.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn serve(files: Files) -> Result<Background, Failure> {
    let config = Config { requests_per_connection: u32::MAX, ..Config::default() };
    Ok(Server::bind("127.0.0.1:0")?.config(config).spawn(move || {
        let mut app = App::new();
        app.get("/plaintext", |_: &mut Request| "Hello, World!");
        files.mount(&mut app, "/files/");
        app
    })?)
}

fn by_number(folder: &Path, most: usize) -> Result<(), Failure> {
    let mut content = vec![b'x'; FILE_LEN - 1];
    content.push(MARK);
    let mut made = 0;
    while made < most {
        let part = folder.join((made / 1000).to_string());
        fs::create_dir_all(&part)?;
        for n in made..(made + 1000).min(most) {
            fs::write(part.join(n.to_string()), &content)?;
        }
        made += 1000;
    }
    let counts: Vec<usize> = std::iter::successors(Some(10), |count| Some(count * 10))
        .take_while(|c| *c <= most)
        .collect();
    let cached = serve(Files::new(folder)?)?;
    let bare = serve(Files::new(folder)?.cache_bytes(0))?;
    let mut clients = [Batches::new(cached.local_addr())?, Batches::new(bare.local_addr())?];
    let mut times = vec![[Vec::new(), Vec::new()]; counts.len()];
    for round in 0..=ROUNDS {
        for (count, times) in counts.iter().zip(&mut times) {
            for (client, times) in clients.iter_mut().zip(times) {
                let time = client.round(*count)?;
                // The first one only warms up.
                if round > 0 {
                    times.push(time);
                }
            }
        }
    }
    println!("{:<12}{:>12}{:>8}{:>14}{:>8}", "files", "cached", "ratio", "no cache", "ratio");
    for (count, both) in counts.iter().zip(&times) {
        let [cached, bare] = [0, 1].map(|at| median(both[at].iter().copied()));
        let ratio = |at: usize| median(both[at].iter().zip(&times[0][at]).map(|(a, b)| a / b));
        let (a, b) = (ratio(0), ratio(1));
        let bar = |us: f64| "#".repeat((us * 4.0).round() as usize);
        println!("{count:<12}{cached:>9.2} us{a:>8.2}{bare:>11.2} us{b:>8.2}");
        println!("  cached    {}\n  no cache  {}", bar(cached), bar(bare));
    }
    Ok(())
}

/// A connection that asks for files at random.
struct Batches {
    socket: TcpStream,
    seed: u64,
    replies: Vec<u8>,
}

impl Batches {
    fn new(to: SocketAddr) -> io::Result<Batches> {
        let socket = TcpStream::connect(to)?;
        socket.set_nodelay(true)?;
        Ok(Batches { socket, seed: 0x9e37_79b9_7f4a_7c15, replies: vec![0; 64 * 1024] })
    }

    fn next(&mut self, below: usize) -> usize {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed % below as u64) as usize
    }

    /// Microseconds for a request, of one round over that many files.
    fn round(&mut self, count: usize) -> io::Result<f64> {
        let batches: Vec<Vec<u8>> = (0..BATCHES).map(|_| self.batch(count)).collect();
        let start = Instant::now();
        for batch in &batches {
            self.socket.write_all(batch)?;
            let mut marks = 0;
            while marks < DEPTH {
                let count = self.socket.read(&mut self.replies)?;
                if count == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                marks += memchr::memchr_iter(MARK, &self.replies[..count]).count();
            }
        }
        Ok(start.elapsed().as_secs_f64() * 1e6 / (BATCHES * DEPTH) as f64)
    }

    fn batch(&mut self, count: usize) -> Vec<u8> {
        let mut batch = Vec::new();
        for _ in 0..DEPTH {
            let n = self.next(count);
            let target = format!("/files/{}/{n}", n / 1000);
            batch.extend_from_slice(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        }
        batch
    }
}

/// What happens beside `/plaintext`.
#[derive(Clone, Copy, PartialEq)]
enum Beside {
    Nothing,
    Warm,
    Cold,
}

fn cold(folder: &Path) -> Result<(), Failure> {
    let path = folder.join("large");
    let mut file = File::create(&path)?;
    for _ in 0..LARGE >> 20 {
        file.write_all(&[7; 1 << 20])?;
    }
    // What isn't written yet can't be thrown out.
    file.sync_all()?;
    let file = File::open(&path)?;
    throw_out(&file);
    if is_resident(&file) {
        println!("no cold part: files below {} stay in memory", folder.display());
        return Ok(());
    }
    let server = serve(Files::new(folder)?)?;
    let to = server.local_addr();
    let kinds = [
        ("by itself", Beside::Nothing),
        ("beside a download", Beside::Warm),
        ("beside a cold one", Beside::Cold),
    ];
    let mut rows = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for ((_, beside), row) in kinds.iter().zip(&mut rows) {
            row.push(watch(to, &file, *beside)?);
        }
    }
    println!();
    let names = ["/plaintext", "p50", "p99", "max", "p99 ratio", "downloaded"];
    println!(
        "{:<20}{:>10}{:>10}{:>10}{:>12}{:>14}",
        names[0], names[1], names[2], names[3], names[4], names[5]
    );
    for ((name, _), row) in kinds.iter().zip(&rows) {
        let [p50, p99, max, rate] = [0, 1, 2, 3].map(|at| median(row.iter().map(|r| r[at])));
        let ratio = median(row.iter().zip(&rows[1]).map(|(own, warm)| own[1] / warm[1]));
        println!("{name:<20}{p50:>7.0} us{p99:>7.0} us{max:>7.0} us{ratio:>12.2}{rate:>9.0} MB/s");
    }
    Ok(())
}

/// The median, the 99th percentile and the longest time of `/plaintext` in
/// microseconds, and what was downloaded meanwhile in MB/s.
fn watch(to: SocketAddr, file: &File, beside: Beside) -> Result<[f64; 4], Failure> {
    let (over, bytes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let download = {
        let (over, bytes, file) = (Arc::clone(&over), Arc::clone(&bytes), file.try_clone()?);
        move || -> io::Result<()> {
            let mut buffer = vec![0; 256 * 1024];
            while !over.load(Ordering::Relaxed) {
                if beside == Beside::Cold {
                    throw_out(&file);
                }
                let mut socket = TcpStream::connect(to)?;
                socket.write_all(
                    b"GET /files/large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                )?;
                loop {
                    let count = socket.read(&mut buffer)?;
                    if count == 0 || over.load(Ordering::Relaxed) {
                        break;
                    }
                    bytes.fetch_add(count as u64, Ordering::Relaxed);
                }
            }
            Ok(())
        }
    };
    let download = (beside != Beside::Nothing).then(|| std::thread::spawn(download));
    let mut socket = TcpStream::connect(to)?;
    socket.set_nodelay(true)?;
    let (mut times, mut buffer, start) = (Vec::new(), [0; 1024], Instant::now());
    while start.elapsed() < WATCH {
        let asked = Instant::now();
        socket.write_all(b"GET /plaintext HTTP/1.1\r\nHost: x\r\n\r\n")?;
        if socket.read(&mut buffer)? == 0 {
            return Err("the server closed".into());
        }
        times.push(asked.elapsed().as_secs_f64() * 1e6);
    }
    let rate = bytes.load(Ordering::Relaxed) as f64 / 1e6 / start.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    if let Some(download) = download {
        download.join().map_err(|_| "the download panicked")??;
    }
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    Ok([at(0.5), at(0.99), at(1.0), rate])
}

fn throw_out(file: &File) {
    // Failing, it leaves the file where it is, which is found out below.
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

fn is_resident(file: &File) -> bool {
    let (mut byte, nowait) = ([0], rustix::io::ReadWriteFlags::NOWAIT);
    let mut vector = [io::IoSliceMut::new(&mut byte)];
    rustix::io::preadv2(file, &mut vector, LARGE / 2, nowait).is_ok()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
