//! `onepoll health URL`: one request, one line if it is not well, and the exit code.
//!
//! For containers, which have no other client in them. It blocks, and so has a
//! thread of its own: whatever hangs, the look-up of a name too, the time limit
//! holds.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What is read of an answer at most, to find its status in: a line.
const LINE_MAX: u64 = 1024;

/// Whom to ask for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    place: Place,
    path: String,
    /// The field `Host`.
    host: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Tcp(String, u16),
    Unix(String),
}

/// Reads `http://HOST:PORT/PATH` and `unix:SOCKET:/PATH`.
pub(super) fn target(text: &str) -> Result<Target, String> {
    if text.contains(|c: char| c.is_control() || c == ' ') {
        return Err("expected no space in it".to_owned());
    }
    if let Some(rest) = text.strip_prefix("unix:") {
        let (socket, path) = rest.split_once(":/").unwrap_or((rest, ""));
        if socket.is_empty() {
            return Err("expected unix:SOCKET or unix:SOCKET:/PATH".to_owned());
        }
        let place = Place::Unix(socket.to_owned());
        return Ok(Target { place, path: format!("/{path}"), host: "localhost".to_owned() });
    }
    let Some(rest) = text.strip_prefix("http://") else {
        return Err("expected http://HOST:PORT/PATH or unix:SOCKET:/PATH".to_owned());
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = path.split('#').next().unwrap_or(path);
    // The colons of an IPv6 address are in brackets.
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let port = port.map_or(Ok(80), |port| port.parse::<u16>());
    match port {
        Ok(port) if !bare.is_empty() && !host.contains(['@', '?']) => Ok(Target {
            place: Place::Tcp(bare.to_owned(), port),
            path: format!("/{path}"),
            host: host.to_owned(),
        }),
        _ => Err("expected http://HOST:PORT/PATH".to_owned()),
    }
}

/// Asks, and waits for the status.
///
/// # Errors
/// Why it is not well, in a line.
pub(super) fn ask(target: &Target, limit: Duration) -> Result<(), String> {
    let (send, receive) = mpsc::channel();
    let theirs = target.clone();
    let run = move || {
        // Nobody may be waiting any more.
        let _ = send.send(status(&theirs, limit));
    };
    thread::Builder::new().spawn(run).map_err(|error| error.to_string())?;
    match receive.recv_timeout(limit) {
        Ok(Ok(200..=299)) => Ok(()),
        Ok(Ok(code)) => Err(format!("answered {code}")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {limit:?}")),
    }
}

fn status(target: &Target, limit: Duration) -> io::Result<u16> {
    match &target.place {
        Place::Unix(path) => exchange(target, UnixStream::connect(path)?),
        Place::Tcp(host, port) => {
            let mut last = io::ErrorKind::NotFound.into();
            for address in (host.as_str(), *port).to_socket_addrs()? {
                match TcpStream::connect_timeout(&address, limit) {
                    Ok(stream) => return exchange(target, stream),
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    }
}

fn exchange(target: &Target, mut stream: impl Read + Write) -> io::Result<u16> {
    let Target { path, host, .. } = target;
    let fields = format!("Host: {host}\r\nUser-Agent: onepoll-health\r\nConnection: close");
    stream.write_all(format!("GET {path} HTTP/1.1\r\n{fields}\r\n\r\n").as_bytes())?;
    let mut line = Vec::new();
    BufReader::new(stream.take(LINE_MAX)).read_until(b'\n', &mut line)?;
    let line = String::from_utf8_lossy(&line);
    let code = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    let code = code.and_then(|code| code.trim().parse().ok());
    code.ok_or_else(|| io::Error::other("the answer is not HTTP/1.1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn targets() {
        let tcp = |name: &str, port| Place::Tcp(name.to_owned(), port);
        let table = [
            ("http://a", Some((tcp("a", 80), "/", "a"))),
            ("http://a:8080/readyz?x=1#y", Some((tcp("a", 8080), "/readyz?x=1", "a:8080"))),
            ("http://[::1]:1/", Some((tcp("::1", 1), "/", "[::1]:1"))),
            ("http://[::1]", Some((tcp("::1", 80), "/", "[::1]"))),
            ("unix:/run/a", Some((Place::Unix("/run/a".to_owned()), "/", "localhost"))),
            ("unix:/a:/b/c", Some((Place::Unix("/a".to_owned()), "/b/c", "localhost"))),
            ("unix:", None),
            ("https://a/", None),
            ("http://", None),
            ("http://:80/", None),
            ("http://a:x/", None),
            ("http://a:65536/", None),
            ("http://b@a/", None),
            ("http://a/b c", None),
            ("http://a/\r\n", None),
            ("a:80", None),
        ];
        for (text, expected) in table {
            let found = target(text).ok().map(|target| (target.place, target.path, target.host));
            let expected = expected.map(|(place, path, host)| (place, path.into(), host.into()));
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn only_a_2xx_is_well() {
        let table = [
            ("HTTP/1.1 200 OK\r\n\r\n", Ok(())),
            ("HTTP/1.0 204\r\n\r\n", Ok(())),
            ("HTTP/1.1 503 No\r\n\r\n", Err("answered 503")),
            ("HTTP/1.1 302 Found\r\n\r\n", Err("answered 302")),
            ("SSH-2.0\r\n", Err("the answer is not HTTP/1.1")),
            ("", Err("the answer is not HTTP/1.1")),
        ];
        for (answer, expected) in table {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let target = target(&format!("http://{}/x", listener.local_addr().unwrap())).unwrap();
            let server = thread::spawn(move || {
                let (mut client, _) = listener.accept().unwrap();
                let mut head = BufReader::new(client.try_clone().unwrap()).lines();
                let first = head.next().unwrap().unwrap();
                assert!(head.any(|line| line.unwrap().is_empty()));
                client.write_all(answer.as_bytes()).unwrap();
                first
            });
            let told = ask(&target, Duration::from_secs(60));
            assert_eq!(server.join().unwrap(), "GET /x HTTP/1.1");
            assert_eq!(told, expected.map_err(str::to_owned), "{answer:?}");
        }
    }

    #[test]
    fn who_says_nothing_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = target(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let told = ask(&target, Duration::from_millis(1)).unwrap_err();
        assert_eq!(told, "no answer within 1ms");
    }
}
