//! The command as a user meets it: exit codes and one-line errors.
#![cfg(feature = "cli")]

#[path = "cli/access.rs"]
mod access;
#[path = "cli/bench.rs"]
mod bench;
#[path = "cli/content.rs"]
mod content;
#[path = "cli/inside.rs"]
mod inside;
#[path = "cli/limits.rs"]
mod limits;
#[path = "cli/net.rs"]
mod net;
#[path = "cli/served.rs"]
mod served;
#[path = "cli/settings.rs"]
mod settings;
#[path = "cli/signals.rs"]
mod signals;
mod support;
#[path = "cli/takeover.rs"]
mod takeover;
#[cfg(feature = "tls-self-signed")]
#[path = "cli/tls.rs"]
mod tls;

use served::{Folder, Served};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

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
    let table: [(&[&str], &str); 3] = [
        // RFC 5737: an address that nobody has.
        (&["-a", "192.0.2.1"], "cannot listen on 192.0.2.1:0: this machine has no such address"),
        (&["-a", "none.invalid"], "cannot listen on none.invalid: "),
        (&["--auth-file", "/no/such/file"], "/no/such/file: no such file"),
    ];
    for (args, message) in table {
        let output = onepoll(&[&["serve", "--port", "0"], args].concat());
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let text = stderr(&output);
        assert!(text.starts_with(&format!("onepoll: {message}")), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

/// Else it would start, and answer 403 to everything.
#[test]
fn a_folder_that_is_not_ours_to_enter_is_told_at_the_start() {
    let folder = Folder::new();
    let (shut, binary) = (folder.0.join("shut"), folder.0.join("onepoll"));
    std::fs::create_dir(&shut).unwrap();
    std::fs::set_permissions(&shut, PermissionsExt::from_mode(0o000)).unwrap();
    // Where another user may run it.
    std::fs::copy(env!("CARGO_BIN_EXE_onepoll"), &binary).unwrap();
    let mut command = Command::new(&binary);
    command.arg("serve").arg(&shut).args(["--port", "0"]).env_remove("RUST_LOG");
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534); // to root every folder is open
    }
    command.stderr(Stdio::piped());
    // Another test that starts a process just now has the copy open for writing,
    // until that process is another program.
    let busy = std::io::ErrorKind::ExecutableFileBusy;
    let mut child = loop {
        match command.spawn() {
            Err(error) if error.kind() == busy => std::thread::yield_now(),
            child => break child.unwrap(),
        }
    };
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    if !line.starts_with("onepoll: ") {
        let _ = child.kill(); // it serves
    }
    assert_eq!(child.wait().unwrap().code(), Some(1), "{line}");
    assert!(line.starts_with(&format!("onepoll: {}: ", shut.display())), "{line}");
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
fn wrong_usage_is_one_line_and_exit_code_2() {
    let table: [(&[&str], &str); 8] = [
        (&["serve", "--nonsense"], "unexpected argument '--nonsense' found"),
        (&["sreve"], "unrecognized subcommand 'sreve'; a similar subcommand exists: 'serve'"),
        (
            &["serve", "--port", "http"],
            "invalid value 'http' for '--port <PORT>': expected a number from 0 to 65535",
        ),
        (
            &["serve", "--helpers", "9..1"],
            "invalid value '9..1' for '--helpers <MIN..MAX>': expected 0..1 to 1024 threads, \
             MIN not above MAX",
        ),
        (
            &["serve", "--max-conns", "0"],
            "invalid value '0' for '--max-conns <COUNT>': 0 is not in 1..=16000000",
        ),
        (
            &["serve", "--overload", "drop"],
            "invalid value 'drop' for '--overload <WAY>' [possible values: 503, pause]",
        ),
        (
            &["serve", "--auth", "anna:plain:x"],
            "configuration: --auth: everybody on this machine can see a command line: a plain \
             password belongs into --auth-file or ONEPOLL_AUTH",
        ),
        (
            &["serve", "--auth", "anna:x"],
            "configuration: auth user: the hash must be bcrypt's (`htpasswd -nB NAME` makes one) \
             or sha256:HEX",
        ),
    ];
    for (args, line) in table {
        let output = onepoll(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert_eq!(stderr(&output), format!("onepoll: {line}\n"), "{args:?}");
    }
    let output = onepoll(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("Usage: onepoll"), "{}", stderr(&output));
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

/// Flags that documents name are there.
#[test]
fn the_readme_names_flags_that_exist() {
    let help = String::from_utf8_lossy(&onepoll(&["serve", "--help"]).stdout).into_owned();
    let readme = include_str!("../README.md");
    let lines =
        readme.lines().filter(|line| line.starts_with("| `") || line.starts_with("onepoll serve"));
    let words = lines.flat_map(|line| line.split([' ', '`']));
    let flags: Vec<&str> = words.filter(|word| word.starts_with("--")).collect();
    assert!(flags.len() > 15, "{flags:?}");
    for flag in flags {
        assert!(help.contains(&format!("{flag} ")) || help.contains(&format!("{flag}[")), "{flag}");
    }
}

#[test]
fn a_port_that_is_taken_is_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let port = address.port().to_string();
    // Also if another address was free.
    for hosts in [&["-a", "127.0.0.1"][..], &["-a", "127.0.0.2", "-a", "127.0.0.1"]] {
        let output = onepoll(&[&["serve", ".", "--port", &port], hosts].concat());
        assert_eq!(output.status.code(), Some(1));
        let line = format!("cannot listen on {address}: the address is in use by another program");
        assert_eq!(stderr(&output), format!("onepoll: {line}\n"));
    }
}

#[test]
fn a_folder_is_served_until_a_signal() {
    let mut served = Served::start(Folder::new(), &[]);
    let reply = served.client().ask("GET /a.txt", &[]);
    assert_eq!((reply.status, reply.text()), (200, "0123456789"));
    let (code, requests) = served.end();
    assert_eq!(code, Some(0));
    assert!(requests.contains("\"GET /a.txt HTTP/1.1\" 200 "), "{requests}");
}

#[test]
fn every_address_is_in_the_start_line_and_is_served() {
    let hosts = ["-a", "127.0.0.1", "-a", "127.0.0.2", "-a", "localhost", "-a", "127.0.0.1"];
    let served = Served::start(Folder::new(), &hosts);
    assert_eq!(served.addresses.len(), 2, "each once: {:?}", served.addresses);
    for &address in &served.addresses {
        assert_eq!(support::Client::connect(address).ask("GET /a.txt", &[]).status, 200);
    }
}

#[test]
fn wildcards_name_the_addresses_of_the_machine() {
    let hosts: [&[&str]; 4] = [
        &["-a", "0.0.0.0"],
        &["-a", "::"],
        &["-a", "::", "-a", "0.0.0.0"],
        &["-a=0.0.0.0", "-a=::"],
    ];
    for hosts in hosts {
        if hosts.join("").contains("::") && TcpListener::bind("[::1]:0").is_err() {
            println!("skipped: no IPv6 here");
            continue;
        }
        let served = Served::start(Folder::new(), hosts);
        let first = served.addresses[0];
        assert!(first.ip().is_loopback() && first.is_ipv4(), "{first}");
        let v6 = served.addresses.iter().find(|address| address.is_ipv6());
        assert_eq!(v6.is_some(), hosts.join("").contains("::"), "{:?}", served.addresses);
        for &address in [Some(&first), v6].into_iter().flatten() {
            assert_eq!(address.port(), first.port());
            assert_eq!(support::Client::connect(address).ask("GET /a.txt", &[]).status, 200);
        }
    }
}

#[test]
fn the_log_can_be_turned_up_and_down() {
    let mut served = Served::start(Folder::new(), &["--log-format", "off", "-vv"]);
    served.client().ask("GET /a.txt", &[]);
    served.log_with(": connection ");
    assert_eq!(served.end(), (Some(0), String::new()));
    let mut served = Served::start(Folder::new(), &["--log-format", "json"]);
    served.client().ask("GET /a.txt", &["User-Agent: \"x\""]);
    let (_, requests) = served.end();
    assert!(requests.starts_with("{\"time\":") && requests.ends_with("}\n"), "{requests}");
    assert!(requests.contains("\"agent\":\"\\\"x\\\"\""), "{requests}");
}
