//! What a load doesn't ask: four questions to each level, each to a fresh process.

use crate::options::SECRET;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// The answers; `None`: there was none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answers {
    /// How long a client waits for `/hello` while another waits for a slow file.
    pub(crate) neighbour: Option<Duration>,
    /// Bytes of a head without end that were taken, and whether it was refused.
    pub(crate) endless: Option<(usize, bool)>,
    /// Whether a path leads to the secret.
    pub(crate) leaks: Option<bool>,
    /// Whether a second visit is known as one.
    pub(crate) remembers: Option<bool>,
}

/// Longer is no answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// What the first client needs to be ahead of the second.
const AHEAD: Duration = Duration::from_millis(30);
/// Who keeps this much of a head keeps everything.
const ENDLESS: usize = 1 << 20;
const PIECE: usize = 4096;

/// A neighbour who waits for this long has been held up.
pub(crate) const HELD_UP: Duration = Duration::from_millis(100);

pub(crate) fn ask(address: SocketAddr) -> Answers {
    Answers {
        neighbour: neighbour(address).ok(),
        leaks: leaks(address).ok(),
        remembers: remembers(address).ok(),
        endless: endless(address).ok(),
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// One request, and all that comes.
fn get(address: SocketAddr, path: &str, fields: &str) -> io::Result<String> {
    let mut stream = connect(address)?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: ladder\r\n{fields}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

fn neighbour(address: SocketAddr) -> io::Result<Duration> {
    let slow = thread::spawn(move || get(address, "/files/slow.txt", ""));
    thread::sleep(AHEAD);
    let since = Instant::now();
    get(address, "/hello", "")?;
    let waited = since.elapsed();
    let _ = slow.join();
    Ok(waited)
}

fn leaks(address: SocketAddr) -> io::Result<bool> {
    for name in ["../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "./../secret.txt"] {
        if get(address, &format!("/files/{name}"), "")?.contains(SECRET.trim_end()) {
            return Ok(true);
        }
    }
    // An absolute name replaces the folder that it is joined to.
    Ok(get(address, "/files//etc/passwd", "")?.starts_with("HTTP/1.1 200"))
}

fn remembers(address: SocketAddr) -> io::Result<bool> {
    let first = get(address, "/visits", "")?;
    let cookie = first.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("set-cookie").then(|| value.split(';').next().unwrap_or(value))
    });
    let Some(cookie) = cookie else { return Ok(false) };
    Ok(get(address, "/visits", &format!("Cookie: {cookie}\r\n"))?.contains("visit 2"))
}

fn endless(address: SocketAddr) -> io::Result<(usize, bool)> {
    let mut stream = connect(address)?;
    stream.write_all(b"GET / HTTP/1.1\r\n")?;
    let piece = b"abc: de\r\n".repeat(PIECE / 9);
    let mut taken = 0;
    while taken < ENDLESS {
        // Refused, if the reply to it was read or not.
        if stream.write_all(&piece).is_err() {
            return Ok((taken, true));
        }
        taken += piece.len();
    }
    // It may have been refused already, and the news is on its way.
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    let refused = match stream.read(&mut [0; 64]) {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
    };
    Ok((taken, refused))
}
