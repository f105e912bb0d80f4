//! What a listing costs, against the number of entries: per entry it must be
//! flat, sorted (up to 10,000) or not.
//!
//! `cargo bench --bench listing [-- MOST]`: folders of 100 entries and up, ten
//! times as many each, to MOST (100,000 unless said). Each number is the best
//! of several rounds, from the request to the last byte over the loopback:
//! reading the folder, looking at each entry, writing its row, sending it.
//! Folders lie below `/dev/shm`, if there is one: the disk is another matter.

use onepoll::files::Files;
use onepoll::{App, Server};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Entries that are read in each measurement, in as many rounds as that takes.
const ENTRIES: usize = 200_000;

fn main() {
    let mut named = std::env::args().skip(1).filter_map(|word| word.parse().ok());
    let most: usize = named.next_back().unwrap_or(100_000);
    let shm = Path::new("/dev/shm");
    let base = if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() };
    let base = base.join(format!("onepoll-bench-{}", std::process::id()));
    println!("{:>9}{:>29}{:>29}", "entries", "HTML", "JSON");
    let mut count = 100;
    while count <= most {
        let folder = filled(&base.join(count.to_string()), count);
        let served = folder.clone();
        let server = Server::bind("127.0.0.1:0").expect("a free port").spawn(move || {
            let mut app = App::new();
            let files = Files::new(&served).expect("the folder is there").listing(true);
            app.get("/{*path}", files.handler());
            app
        });
        let server = server.expect("a server that starts");
        print!("{count:>9}");
        for accept in ["text/html", "application/json"] {
            let (mut best, mut size) = (f64::MAX, 0);
            for _ in 0..(ENTRIES / count).max(3) {
                let start = Instant::now();
                size = asked(server.local_addr(), accept) / count;
                best = best.min(start.elapsed().as_nanos() as f64 / count as f64);
            }
            print!("{best:>7.0} ns/entry{size:>6} B/entry");
        }
        println!();
        let _ = fs::remove_dir_all(&folder);
        count *= 10;
    }
    let _ = fs::remove_dir_all(&base);
}

/// Bytes of the reply, which is read to its end.
fn asked(address: SocketAddr, accept: &str) -> usize {
    let mut socket = TcpStream::connect(address).expect("connecting");
    let request =
        format!("GET / HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).expect("sending");
    let (mut piece, mut size, mut last) = (vec![0; 256 * 1024], 0, Vec::new());
    loop {
        let count = socket.read(&mut piece).expect("receiving");
        if count == 0 {
            break;
        }
        size += count;
        last.extend_from_slice(&piece[..count]);
        last.drain(..last.len().saturating_sub(32));
    }
    let end = if accept == "text/html" { "</html>\n" } else { "\"left_out\":0}\n" };
    let last = String::from_utf8_lossy(&last);
    let last = last.trim_end_matches("\r\n0\r\n\r\n");
    assert!(last.ends_with(end), "a listing that ends in {last:?}");
    size
}

/// A folder of so many names. They share their inodes, so that a million of
/// them are made in seconds.
fn filled(folder: &Path, count: usize) -> PathBuf {
    fs::create_dir_all(folder).expect("a folder");
    let mut file = folder.join("first");
    fs::write(&file, "content").expect("a file");
    for number in 1..count {
        let name = folder.join(format!("some name of usual length {number:07}.txt"));
        // A file system has a limit of names for one file.
        if fs::hard_link(&file, &name).is_err() {
            fs::write(&name, "content").expect("a file");
            file = name;
        }
    }
    folder.to_owned()
}
