//! `onepoll serve`: sockets of others, Unix sockets, proxies, crowds.

use crate::served::{Folder, Served};
use crate::support::Client;
use crate::{onepoll, stderr};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};

/// A process, ended with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `onepoll serve` with this socket as its standard input, after a shell has
/// done that; its last line before it serves, or ends.
fn start(socket: impl Into<OwnedFd>, prelude: &str, flags: &str) -> (Process, String) {
    let folder = Folder::new();
    let mut command = Command::new("sh");
    let script = format!("{prelude} exec \"$0\" serve --log-format off {flags} \"$1\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_onepoll")]).arg(&folder.0);
    command.env_remove("RUST_LOG").env_remove("ONEPOLL_AUTH");
    command.stdin(Stdio::from(socket.into())).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = Process(command.spawn().expect("the shell runs"));
    let errors = child.0.stderr.take().expect("a pipe was asked for");
    let mut last = String::new();
    for line in BufReader::new(errors).lines().map_while(Result::ok) {
        last = line;
        if last.contains("serving ") {
            break;
        }
    }
    std::mem::forget(folder); // the process may still look at it
    (child, last)
}

#[test]
fn inherited_sockets_are_served() {
    let table = [
        ("", "--fd 0"),
        ("exec 5<&0 </dev/null;", "--fd 5"),
        ("exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$;", ""),
    ];
    for (prelude, flags) in table {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let (_process, line) = start(socket, prelude, flags);
        assert!(line.ends_with(&format!(" on http://{address}/")), "{flags}: {line}");
        assert_eq!(Client::connect(address).ask("GET /a.txt", &[]).text(), "0123456789");
    }
    let path = std::env::temp_dir().join(format!("onepoll-{}-fd", std::process::id()));
    let (_process, line) =
        start(UnixListener::bind(&path).unwrap(), "", "--fd 0 -a 127.0.0.1 -p 0");
    assert!(line.contains(" on http://127.0.0.1:"), "and where it was said: {line}");
    assert!(line.ends_with(&format!(" and unix:{}", path.display())), "{line}");
    let mut client = Client::over_unix(UnixStream::connect(&path).unwrap());
    assert_eq!(client.ask("GET /a.txt", &[]).status, 200);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn bad_descriptors_are_one_line() {
    let none = || std::fs::File::open("/dev/null").unwrap();
    let open = "it is not open: whoever starts this program must pass it on";
    let table = [
        ("", "--fd 0", "onepoll: cannot listen on descriptor 0: it is no socket".to_owned()),
        ("", "--fd 77", format!("onepoll: cannot listen on descriptor 77: {open}")),
        (
            "",
            "--fd 1",
            "onepoll: cannot listen on descriptor 1: it is an output of this program".to_owned(),
        ),
        (
            "export LISTEN_FDS=x LISTEN_PID=$$;",
            "",
            "onepoll: configuration: LISTEN_FDS must be a number up to 64, not `x`".to_owned(),
        ),
        (
            "export LISTEN_FDS=1 LISTEN_PID=$$;",
            "",
            format!("onepoll: cannot listen on descriptor 3: {open}"),
        ),
    ];
    for (prelude, flags, expected) in table {
        let (mut process, line) = start(none(), prelude, flags);
        assert_eq!(line, expected);
        let code = if expected.contains("configuration") { 2 } else { 1 };
        assert_eq!(process.0.wait().unwrap().code(), Some(code), "{line}");
    }
    // It was for another process, which has passed its environment on.
    let (_process, line) = start(none(), "export LISTEN_FDS=1 LISTEN_PID=1;", "-p 0");
    assert!(line.contains(" on http://127.0.0.1:"), "{line}");
}

#[test]
fn a_unix_socket_comes_and_goes() {
    let path = std::env::temp_dir().join(format!("onepoll-{}-cli", std::process::id()));
    let host = format!("unix:{}", path.display());
    // One that a server left behind.
    drop(UnixListener::bind(&path).unwrap());
    let flags = ["-a", "127.0.0.1", "-a", &host, "--socket-mode", "600", "--trust", "unix"];
    let mut served = Served::start(Folder::new(), &flags);
    let mut client = Client::over_unix(UnixStream::connect(&path).unwrap());
    let told = ["X-Forwarded-For: 192.0.2.1", "Connection: close"];
    assert_eq!(client.ask("GET /a.txt", &told).status, 200);
    // A second one finds it in use.
    let folder = Folder::new();
    let output = onepoll(&["serve", "-a", &host, &folder.0.display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let line =
        format!("onepoll: cannot listen on {host}: the address is in use by another program\n");
    assert_eq!(stderr(&output), line);
    let (code, requests) = served.end();
    assert_eq!(code, Some(0));
    assert!(requests.starts_with("192.0.2.1 - - ["), "{requests}");
    assert!(!path.exists(), "it was removed in the end");
}

#[test]
fn proxies_and_crowds_have_flags() {
    let flags = ["--trust", "127.0.0.2", "--proxy-protocol", "--max-conns-per-address", "1"];
    let mut served = Served::start(Folder::new(), &flags);
    let from = |address: &str| {
        let mut client = Client::connect_from("127.0.0.2", served.addresses[0]);
        client.send(format!("PROXY TCP4 {address} 127.0.0.1 1 2\r\n"));
        client
    };
    let mut first = from("192.0.2.1");
    assert_eq!(first.ask("GET /a.txt", &[]).status, 200);
    assert_eq!(from("192.0.2.1").last_reply().status, 429);
    let line = served.log_with("turned away");
    assert!(line.contains("192.0.2.1:1: turned away: too many connections"), "{line}");
    let (_, requests) = served.end();
    assert!(requests.starts_with("192.0.2.1 - - ["), "{requests}");
}

#[test]
fn bad_networks_are_named() {
    let table: [(&[&str], &str); 4] = [
        (
            &["--trust", "10.0.0.0/33"],
            "invalid value '10.0.0.0/33' for '--trust <NETWORK>': an IPv4 network has 0 to 32 bits",
        ),
        (
            &["--exempt", "localhost"],
            "invalid value 'localhost' for '--exempt <NETWORK>': expected an address or a \
             network, like 192.0.2.1 or 10.0.0.0/8",
        ),
        (
            &["--socket-mode", "888"],
            "invalid value '888' for '--socket-mode <MODE>': expected permissions like 660 or 600",
        ),
        (&["--proxy-protocol"], "the following required arguments were not provided: --trust"),
    ];
    for (flags, message) in table {
        let output = onepoll(&[&["serve"], flags].concat());
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        let text = stderr(&output);
        assert!(text.starts_with(&format!("onepoll: {message}")), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
