//! The small examples, each started as a reader would start it, and treated as
//! strangers would treat it.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use support::example::binary;
use support::{Client, Ending, PATIENCE, expect_pattern, pattern};

/// A server, which ends with the test.
struct Example {
    child: Child,
    address: SocketAddr,
}

impl Example {
    #[track_caller]
    fn start(name: &str, args: &[&str]) -> Example {
        let mut command = Command::new(binary(name));
        let mut child = command.args(args).stdout(Stdio::piped()).spawn().expect("it runs");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe was asked for");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let address = line.trim_end().rsplit([' ', '/']).next().and_then(|text| text.parse().ok());
        let address = address.unwrap_or_else(|| panic!("{name}: no address in {line:?}"));
        Example { child, address }
    }

    fn rss_kib(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).expect("a number")
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs an example to its end.
#[track_caller]
fn run(name: &str, args: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(binary(name));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("a pipe was asked for");
    let input = input.to_vec();
    // It may not want all of it.
    let writer = thread::spawn(move || stdin.write_all(&input).is_ok());
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic");
    output
}

#[track_caller]
fn expect_success(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {said}", output.status);
}

fn echo_of(address: SocketAddr, text: &[u8]) {
    let mut client = Client::connect(address);
    client.send(text);
    assert_eq!(client.take(text.len()), text);
}

#[test]
fn tcp_echo_says_everything_back() {
    let server = Example::start("tcp_echo", &["--port", "0"]);
    let mut client = Client::connect(server.address);
    for len in [1, 10, 16 * 1024, 16 * 1024 + 1, 100_000] {
        client.send(pattern(len));
        expect_pattern(&client.take(len), len);
    }
    // Half a connection is enough to be answered.
    client.send("the last word").half_close();
    assert_eq!(client.rest(), (b"the last word".to_vec(), Ending::Eof));
}

#[test]
fn tcp_echo_is_its_own_client() {
    let server = Example::start("tcp_echo", &["--port", "0"]);
    let address = server.address.to_string();
    for len in [0, 1, 5_000_000] {
        let output = run("tcp_echo", &["--client", &address], &pattern(len));
        expect_success(&output);
        expect_pattern(&output.stdout, len);
    }
    drop(server);
    assert!(!run("tcp_echo", &["--client", &address], b"anybody?").status.success());
}

#[test]
fn tcp_echo_stops_who_does_not_read() {
    let server = Example::start("tcp_echo", &["--port", "0"]);
    echo_of(server.address, b"warm");
    let before = server.rss_kib();
    let mut deaf = TcpStream::connect(server.address).expect("it listens");
    deaf.set_nonblocking(true).expect("a mode of the socket");
    let mut sent = 0;
    let piece = pattern(251 * 1000);
    // As long as there is room between here and there. When there is none, the others
    // are served all the same; and while they are, no room appears.
    let mut refused = 0;
    while refused < 3 {
        match deaf.write(&piece[sent % 251..]) {
            Ok(count) => (sent, refused) = (sent + count, 0),
            Err(_) => {
                refused += 1;
                echo_of(server.address, b"still there?");
            }
        }
        assert!(sent < 1 << 30, "it takes everything");
    }
    let grown = server.rss_kib().saturating_sub(before);
    assert!(grown < 4096, "{grown} KiB more for {sent} bytes that nobody reads");
    deaf.set_nonblocking(false).expect("a mode of the socket");
    deaf.set_read_timeout(Some(PATIENCE)).expect("an option of the socket");
    deaf.shutdown(Shutdown::Write).expect("half-closing");
    let mut back = Vec::new();
    deaf.read_to_end(&mut back).expect("everything, then the end");
    expect_pattern(&back, sent);
}

#[test]
fn tcp_echo_outlives_resets_and_silence() {
    let server = Example::start("tcp_echo", &["--port", "0", "--idle", "1"]);
    for _ in 0..50 {
        let mut client = Client::connect(server.address);
        client.send("never mind");
        client.reset();
    }
    // Says nothing, and is sent away.
    let mut silent = Client::connect(server.address);
    silent.expect_closed();
    echo_of(server.address, b"still there?");
}

fn udp(to: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.connect(to).expect("an address");
    socket.set_read_timeout(Some(PATIENCE)).expect("an option of the socket");
    socket
}

#[test]
fn udp_echo_sends_back_what_it_gets() {
    let server = Example::start("udp_echo", &["--port", "0"]);
    let (socket, mut buffer) = (udp(server.address), vec![0; 65_536]);
    // 65,507 bytes are the most that a datagram over IPv4 can hold.
    for len in [0, 1, 1400, 65_507] {
        socket.send(&pattern(len)).expect("room in a buffer");
        let got = socket.recv(&mut buffer).expect("an answer: nothing is lost on one machine");
        expect_pattern(&buffer[..got], len);
    }
    // Whose sender is gone before the answer comes is no trouble for others.
    for _ in 0..50 {
        udp(server.address).send(b"never mind").expect("room in a buffer");
    }
    socket.send(b"still there?").expect("room in a buffer");
    let got = socket.recv(&mut buffer).expect("an answer");
    assert_eq!(&buffer[..got], b"still there?");
}

#[test]
fn udp_echo_is_its_own_client() {
    let server = Example::start("udp_echo", &["--port", "0"]);
    let output = run("udp_echo", &["--client", &server.address.to_string()], b"one\n\nthree\n");
    expect_success(&output);
    assert_eq!(output.stdout, b"one\n\nthree\n");
}

#[test]
fn udp_echo_asks_again() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a port");
    server.set_read_timeout(Some(PATIENCE)).expect("an option of the socket");
    let address = server.local_addr().expect("it is bound").to_string();
    let forgetful = thread::spawn(move || {
        let (mut asked, mut buffer) = (Vec::new(), [0; 2000]);
        for number in 0..4 {
            let (len, from) = server.recv_from(&mut buffer).expect("it asks, and asks again");
            asked.push(buffer[..len].to_vec());
            // Every other one is lost, and who is answered is answered twice.
            if number % 2 == 1 {
                server.send_to(&buffer[..len], from).expect("room in a buffer");
                server.send_to(&buffer[..len], from).expect("room in a buffer");
            }
        }
        asked
    });
    let output = run("udp_echo", &["--client", &address], b"same\nsame\n");
    expect_success(&output);
    assert_eq!(output.stdout, b"same\nsame\n");
    let asked = forgetful.join().expect("no panic");
    assert!(asked[0] == asked[1] && asked[2] == asked[3] && asked[0] != asked[2], "{asked:?}");
}

#[test]
fn simple_server_serves_one_route() {
    let server = Example::start("simple_server", &["0", "localhost", "2"]);
    let mut client = Client::connect(server.address);
    let reply = client.ask("GET /", &[]).expect(200);
    assert!(reply.text().starts_with("Hello, World!"), "{:?}", reply.text());
    client.ask("GET /other", &[]).expect(404);
    client.ask("POST /", &["Content-Length: 0"]).expect(405);
    for (args, why) in [
        (&["x"][..], "`x` is no port"),
        (&["65536"], "`65536` is no port"),
        (&["0", "no such host"], "cannot listen on"),
        (&["0", "127.0.0.1", "none"], "`none` is no number of threads"),
        (&["0", "::1", "0"], "helpers_max"),
        (&["0", "::1", "1", "1"], "more than there is to say"),
    ] {
        let output = run("simple_server", args, b"");
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("usage") && said.contains(why), "{args:?}: {said}");
    }
}

/// A server that follows a script: for each connection, what it answers to each
/// request; then it closes.
fn scripted(connections: Vec<Vec<String>>) -> (String, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let server = thread::spawn(move || {
        for replies in connections {
            let (stream, _) = listener.accept().expect("the client connects");
            let mut reader = BufReader::new(stream.try_clone().expect("a descriptor"));
            for reply in replies {
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    assert_ne!(reader.read_line(&mut head).expect("a request"), 0, "{head:?}");
                }
                assert!(head.starts_with("GET /"), "{head:?}");
                // Byte by byte, as a network might.
                for byte in reply.as_bytes() {
                    if (&stream).write_all(&[*byte]).is_err() {
                        break;
                    }
                }
            }
        }
    });
    (format!("http://{address}"), server)
}

#[test]
fn http_client_keeps_connections_and_reads_every_framing() {
    let sized = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\none ";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        2;x=y\r\ntw\r\n00002\r\no \r\n0\r\nTrailer: a\r\n\r\n";
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    let closing = "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 6\r\n\r\nthree ";
    let until_close = "HTTP/1.0 200 OK\r\n\r\nfour";
    let first = [sized, chunked, interim, closing].map(str::to_owned).to_vec();
    // The second connection ends where it might have lived on: that is no failure.
    let (url, server) = scripted(vec![first, vec![sized.to_owned()], vec![until_close.to_owned()]]);
    let urls: Vec<_> = (0..6).map(|n| format!("{url}/{n}?q")).collect();
    let output = run("http_client", &urls.iter().map(String::as_str).collect::<Vec<_>>(), b"");
    expect_success(&output);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "one two three one four");
    server.join().expect("the script was followed");
}

#[test]
fn http_client_believes_nothing_that_is_wrong() {
    let table = [
        "",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfour",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 4\r\n\r\nfour",
        "HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nfour",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfourteen\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+4\r\nfour\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 OK\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    ];
    let endless_line = format!("HTTP/1.1 200 OK\r\nA: {}", "a".repeat(10_000));
    let endless_head = format!("HTTP/1.1 200 OK\r\n{}", "A: b\r\n".repeat(1000));
    let endless_interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
    let long = [endless_line, endless_head, endless_interim];
    for reply in table.iter().copied().map(str::to_owned).chain(long) {
        let (url, server) = scripted(vec![vec![reply.clone()]]);
        let output = run("http_client", &[&url], b"");
        let start = reply.get(..60).unwrap_or(&reply);
        assert_eq!(output.status.code(), Some(1), "{start:?}");
        assert!(output.stdout.is_empty(), "{start:?}");
        server.join().expect("the script was followed");
    }
    for url in ["ftp://a/", "http:///", "http://127.0.0.1:1/a b", "http://127.0.0.1:1/"] {
        assert_eq!(run("http_client", &[url], b"").status.code(), Some(1), "{url}");
    }
}

#[test]
fn http_client_asks_several_servers_and_waits_for_no_silent_one() {
    let server = Example::start("simple_server", &["0"]);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = silent.local_addr().map(|address| format!("http://{address}/")).expect("bound");
    let url = format!("http://{}/", server.address);
    let output = run("http_client", &["--idle", "1", &silent, &url, &url], b"");
    assert_eq!(output.status.code(), Some(1), "one of them could not be had");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.matches("Hello, World!").count(), 2, "{said}");
}
