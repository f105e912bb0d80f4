//! The command as a user meets it: exit codes and one-line errors.
#![cfg(feature = "cli")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

fn onepoll(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onepoll"));
    command.args(args).env_remove("RUST_LOG").output().expect("the binary runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_cannot_be_served_is_one_line_and_exit_code_1() {
    let file = env!("CARGO_BIN_EXE_onepoll");
    let table = [
        ("/no/such/place".to_owned(), "onepoll: /no/such/place: no such folder\n".to_owned()),
        (file.to_owned(), format!("onepoll: {file}: not a folder\n")),
    ];
    for (folder, message) in table {
        let output = onepoll(&["serve", &folder, "--port", "0"]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(stderr(&output), message);
    }
}

#[test]
fn closed_outputs_do_no_harm() {
    let closed = || std::io::pipe().unwrap().1;
    let mut command = Command::new(env!("CARGO_BIN_EXE_onepoll"));
    command.args(["serve", "/no/such/place", "-vv"]).stdout(closed()).stderr(closed());
    // A panic would be 101.
    assert_eq!(command.status().unwrap().code(), Some(1));
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let table: [(&[&str], &str); 5] = [
        (&[], "Usage"),
        (&["serve", "--nonsense"], "--nonsense"),
        (&["serve", "--port", "http"], "--port"),
        (&["serve", "--helpers", "9..1"], "--helpers"),
        (&["serve", "--max-conns", "0"], "onepoll: configuration: connections_max"),
    ];
    for (args, named) in table {
        let output = onepoll(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(named), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn help_and_version_go_to_the_standard_output() {
    for flag in ["--help", "--version"] {
        let output = onepoll(&[flag]);
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&output.stdout).contains("onepoll"));
        assert!(output.stderr.is_empty());
    }
}

#[test]
fn a_port_that_is_taken_is_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let output = onepoll(&["serve", ".", "--port", &address.port().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        format!("onepoll: cannot listen on {address}: the address is in use by another program\n")
    );
}

/// A server in a process of its own, ended with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_folder_is_served_until_a_signal() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onepoll"));
    command.args(["serve", env!("CARGO_MANIFEST_DIR"), "--port", "0"]).env_remove("RUST_LOG");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = Server(command.spawn().unwrap());
    let mut log = BufReader::new(server.0.stderr.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    let (_, address) = line.trim_end().split_once(" on http://").expect(&line);

    let mut client = TcpStream::connect(address.trim_end_matches('/')).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request = "GET /LICENSE-MIT HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    client.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(response.ends_with(include_str!("../LICENSE-MIT")), "{response}");

    drop(client);

    let pid = rustix::process::Pid::from_child(&server.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
    let mut requests = String::new();
    server.0.stdout.take().unwrap().read_to_string(&mut requests).unwrap();
    assert!(requests.contains("\"GET /LICENSE-MIT HTTP/1.1\" 200 "), "{requests}");
}
