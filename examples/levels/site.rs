//! The small site that every level serves, and as much HTTP as it needs. This is not
//! what the ladder is about: read it once, then forget it.
//!
//! ```text
//! /             a page
//! /hello        Hello, World!
//! /files/NAME   a file of the folder; one whose name begins with "slow" lies on a
//!               disk that takes 200 ms
//! /visits       how often you were here (from level 09 on)
//! ```
//!
//! Within its limits it is correct HTTP/1.1: requests are GET and without content,
//! whatever else comes is refused and the connection closed; connections are kept,
//! and requests may be sent before the reply to the one before.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a level is told.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    /// The folder behind `/files/`.
    pub(crate) root: PathBuf,
    /// Connections at once, for the levels that have such a limit.
    pub(crate) clients_max: usize,
    /// Where level 09 keeps what it remembers.
    pub(crate) database: PathBuf,
}

impl Site {
    /// Says where the server listens. Whoever started it waits for the line; if the
    /// pipe is gone, so be it.
    ///
    /// And has the kernel keep more who knock at once than the 128 that std asks for:
    /// those beyond are not told, they try again a second later, and a crowd of
    /// thousands would show nothing else.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn announce(&self, address: SocketAddr, listener: impl AsFd) -> io::Result<()> {
        rustix::net::listen(listener, QUEUE)?;
        let mut out = io::stdout();
        let _ = writeln!(out, "listening on http://{address}").and_then(|()| out.flush());
        Ok(())
    }
}

/// What Linux allows unless it is told otherwise.
pub(crate) const QUEUE: i32 = 4096;

/// A request: what of it matters here.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    /// The value of the cookie `id`.
    pub(crate) id: Option<String>,
    /// Whether the client will send no other.
    pub(crate) last: bool,
}

/// What is to be done for a request.
#[derive(Debug)]
pub(crate) enum Page {
    Ready(Reply),
    Slow(Task),
}

/// Work that waits for a disk.
#[derive(Debug)]
pub(crate) enum Task {
    File(String),
    /// With the visitor's id, if it has one.
    Visits(Option<String>),
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) body: Vec<u8>,
    /// A new id for the visitor.
    pub(crate) id: Option<String>,
}

const HOME: &str = "<!DOCTYPE html><title>The ladder</title><h1>The ladder</h1>
<p><a href=\"/hello\">hello</a> <a href=\"/files/page.txt\">a file</a>
<a href=\"/files/slow.txt\">a file on a slow disk</a> <a href=\"/visits\">visits</a>\n";
/// What a disk takes that has to wake up, or one across a network.
const SLOW_DISK: Duration = Duration::from_millis(200);

/// Where the first request's head ends, its empty line included.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

/// Reads a whole head.
///
/// # Errors
/// The reply for what this site doesn't take; the connection is over then, as nobody
/// knows where the next request would begin.
pub(crate) fn parse(head: &[u8]) -> Result<Request, Reply> {
    let bad = |why| Reply::text("400 Bad Request", why);
    let head = std::str::from_utf8(head).map_err(|_| bad("not UTF-8\n"))?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let path = target.and_then(|target| target.split('?').next()).unwrap_or_default();
    let mut last = match version {
        Some("HTTP/1.1") => false,
        Some("HTTP/1.0") => true,
        _ => return Err(bad("not HTTP/1.1\n")),
    };
    if method != Some("GET") {
        return Err(Reply::text("501 Not Implemented", "only GET\n"));
    }
    if !path.starts_with('/') || words.next().is_some() {
        return Err(bad("no such target\n"));
    }
    let (mut id, mut hosts) = (None, 0);
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| bad("a field without a colon\n"))?;
        if name.is_empty() || name.contains([' ', '\t']) {
            return Err(bad("a name with a blank\n"));
        }
        match name.to_ascii_lowercase().as_str() {
            "host" => hosts += 1,
            "connection" => last |= value.to_ascii_lowercase().contains("close"),
            "cookie" => {
                let mut cookies = value.split(';').map(str::trim);
                id = cookies.find_map(|cookie| cookie.strip_prefix("id=")).map(str::to_owned);
            }
            // Who ignores content reads it as the next request: smuggling.
            "content-length" if value.trim() == "0" => {}
            "content-length" | "transfer-encoding" => return Err(bad("no content, please\n")),
            _ => {}
        }
    }
    // RFC 9112 section 3.2.
    if hosts > 1 || (hosts == 0 && version == Some("HTTP/1.1")) {
        return Err(bad("one Host, please\n"));
    }
    Ok(Request { path: path.to_owned(), id, last })
}

/// Which page it is.
pub(crate) fn page(request: Request) -> Page {
    match (request.path.as_str(), request.path.strip_prefix("/files/")) {
        ("/", _) => Page::Ready(Reply::new("200 OK", "text/html", HOME)),
        ("/hello", _) => Page::Ready(Reply::text("200 OK", "Hello, World!\n")),
        ("/visits", _) => Page::Slow(Task::Visits(request.id)),
        (_, Some(name)) => Page::Slow(Task::File(name.to_owned())),
        _ => Page::Ready(Reply::missing()),
    }
}

/// Does what waits for a disk, trustingly: this is what level 08 puts an end to.
pub(crate) fn perform(root: &Path, task: &Task) -> Reply {
    match task {
        Task::File(name) => {
            slow_disk(name);
            file(std::fs::read(root.join(name)))
        }
        Task::Visits(_) => Reply::text("404 Not Found", "level 09 counts visits\n"),
    }
}

/// The same, for a helper thread.
pub(crate) fn worker(site: &Site) -> impl Fn(&Task) -> Reply + Send + use<> {
    let root = site.root.clone();
    move |task| perform(&root, task)
}

/// The pretence of a slow disk.
pub(crate) fn slow_disk(name: &str) {
    if name.starts_with("slow") {
        std::thread::sleep(SLOW_DISK);
    }
}

/// The reply with a file's content, if there is such a file.
pub(crate) fn file(content: io::Result<Vec<u8>>) -> Reply {
    // Why it can't be read is nobody's business.
    content.map_or_else(|_| Reply::missing(), |content| Reply::new("200 OK", "text/plain", content))
}

impl Reply {
    pub(crate) fn new(status: &'static str, kind: &'static str, body: impl Into<Vec<u8>>) -> Reply {
        Reply { status, kind, body: body.into(), id: None }
    }

    pub(crate) fn text(status: &'static str, body: impl Into<Vec<u8>>) -> Reply {
        Reply::new(status, "text/plain; charset=utf-8", body)
    }

    pub(crate) fn missing() -> Reply {
        Reply::text("404 Not Found", "there is no such page\n")
    }

    /// As it goes over the wire; `last`: the connection is closed after it.
    pub(crate) fn bytes(&self, last: bool) -> Vec<u8> {
        let mut bytes = format!(
            "HTTP/1.1 {}\r\nDate: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n",
            self.status,
            date(SystemTime::now()),
            self.kind,
            self.body.len()
        )
        .into_bytes();
        if let Some(id) = &self.id {
            let field = format!("Set-Cookie: id={id}; Path=/; HttpOnly; SameSite=Lax\r\n");
            bytes.extend_from_slice(field.as_bytes());
        }
        bytes.extend_from_slice(if last { b"Connection: close\r\n\r\n" } else { b"\r\n" });
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`: who has a clock must say what it shows (RFC 9110
/// section 6.6.1).
fn date(now: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb"];
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March here, so that the leap day is the last of its year; and
    // days are counted from the 1st of March 1600, where a cycle of 400 years begins.
    let (cycle, day) = ((days + 135_080) / 146_097, (days + 135_080) % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Months have 31 and 30 days in turns of five months, which are 153 days.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = 1600 + 400 * cycle + year + u64::from(month >= 10);
    let name = |names: &[&'static str], at: u64| names.get(at as usize).copied().unwrap_or("");
    format!(
        "{}, {day:02} {} {year} {:02}:{:02}:{:02} GMT",
        name(&DAYS, days % 7),
        name(&MONTHS, month),
        time / 3600,
        time / 60 % 60,
        time % 60
    )
}
