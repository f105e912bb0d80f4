//! Signals, and what a supervisor is told.

use crate::served::{Folder, Served};
use crate::support::{Client, until};
use crate::{onepoll, stderr};
use rustix::process::Signal;
use std::fs;
use std::os::unix::net::UnixDatagram;

/// A socket as systemd has one.
fn supervisor(folder: &Folder) -> (UnixDatagram, String) {
    let path = folder.0.join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
    (socket, path.display().to_string())
}

#[track_caller]
fn told(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 1000];
    let read = socket.recv(&mut buffer).expect("a message");
    String::from_utf8_lossy(&buffer[..read]).into_owned()
}

#[test]
fn a_supervisor_is_told_of_start_reload_and_end() {
    let folder = Folder::new();
    let (socket, path) = supervisor(&folder);
    let mut served = Served::start_with(folder, &[], &[("NOTIFY_SOCKET", &path)]);
    let ready = told(&socket);
    assert!(ready.starts_with("READY=1\nSTATUS=serving "), "{ready}");
    served.signal(Signal::HUP);
    assert!(told(&socket).starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(told(&socket), "READY=1");
    served.signal(Signal::TERM);
    assert_eq!(told(&socket), "STOPPING=1");
    assert_eq!(served.wait().0, Some(0));
}

#[test]
fn the_watchdog_is_told_while_all_loops_turn() {
    let folder = Folder::new();
    let (socket, path) = supervisor(&folder);
    let variables = [("NOTIFY_SOCKET", path.as_str()), ("WATCHDOG_USEC", "40000")];
    let served = Served::start_with(folder, &["--reactors", "2"], &variables);
    let mut count = 0;
    while count < 5 {
        count += usize::from(told(&socket) == "WATCHDOG=1");
    }
    drop(served);
    // Meant for somebody else.
    let folder = Folder::new();
    let (socket, path) = supervisor(&folder);
    let variables =
        [("NOTIFY_SOCKET", path.as_str()), ("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")];
    let mut served = Served::start_with(folder, &[], &variables);
    assert!(told(&socket).starts_with("READY=1"));
    assert_eq!(served.client().ask("GET /a.txt", &[]).status, 200);
    served.signal(Signal::TERM);
    assert_eq!(told(&socket), "STOPPING=1");
    assert_eq!(served.wait().0, Some(0));
}

#[test]
fn usr1_writes_the_state_to_the_log() {
    let mut served = Served::start(Folder::new(), &[]);
    let mut idle = served.client();
    assert_eq!(idle.ask("GET /a.txt", &[]).status, 200);
    let mut slow = served.client();
    slow.send("GET /a.txt HTTP/1.1\r\nHo");
    until("its head has begun", || {
        served.signal(Signal::USR1);
        let line = served.log_with(" connections (");
        line.contains("state: 2") && line.contains("idle 1") && line.contains("head 1")
    });
    assert!(served.log_with("state: longest unchanged: connection ").contains("127.0.0.1:"));
    served.log_with("deadlines");
    served.log_with("helpers");
    assert!(served.log_with("so far 2 accepted").contains("1 requests"));
    drop((idle, slow));
    assert_eq!(served.end().0, Some(0));
}

#[test]
fn hup_reads_settings_again_and_opens_logs_anew() {
    for reactors in ["1", "2"] {
        let folder = Folder::new();
        let path = |name: &str| folder.0.join(name);
        let (file, log) = (path("onepoll.toml"), path("access.log"));
        fs::write(&file, "header = [\"X-Version: 1\"]\nkeep-alive = \"1h\"\n").unwrap();
        let flags = ["--config", file.to_str().unwrap(), "--access-log", log.to_str().unwrap()];
        let flags = [&flags[..], &["--reactors", reactors]].concat();
        let mut served = Served::start(folder, &flags);
        let mut kept = served.client();
        assert_eq!(kept.ask("GET /a.txt", &[]).get("x-version"), Some("1"));
        // In the middle of a request, which is of the old application.
        kept.send("GET /a.txt HTTP/1.1\r\nHost: a\r\n");
        let old = log.with_extension("old");
        fs::rename(&log, &old).unwrap();
        fs::write(&file, "header = [\"X-Version: 2\"]\nport = 1\nkeep-alive = \"1ms\"\n").unwrap();
        served.signal(Signal::HUP);
        served.log_with("changed: header");
        served.log_with("changed: keep-alive");
        served.log_with("settings were read again");
        until("it is in force", || {
            served.client().ask("GET /a.txt", &[]).get("x-version") == Some("2")
        });
        assert_eq!(kept.send("\r\n").reply().status, 200);
        // The new time is for those who were there as well.
        kept.expect_closed();
        until("the log is a new one", || log.exists() && fs::metadata(&log).unwrap().len() > 0);
        // What is wrong changes nothing.
        fs::write(&file, "header = [\"X-Version: 3\"]\nprot = 1\n").unwrap();
        served.signal(Signal::HUP);
        let line = served.log_with("the settings stay as they were");
        assert!(line.contains("onepoll.toml:2: prot: there is no such setting"), "{line}");
        assert_eq!(served.client().ask("GET /a.txt", &[]).get("x-version"), Some("2"));
        assert_eq!(served.end().0, Some(0));
        let lines = |path| fs::read_to_string(path).unwrap().lines().count();
        assert!(lines(&old) + lines(&log) >= 3);
    }
}

#[test]
fn what_cannot_be_changed_is_told() {
    let folder = Folder::new();
    let file = folder.0.join("onepoll.toml");
    fs::write(&file, "helpers = \"0..4\"\n").unwrap();
    let mut served = Served::start(folder, &["--config", file.to_str().unwrap()]);
    fs::write(&file, "helpers = \"0..5\"\nlog_format = \"json\"\n").unwrap();
    served.signal(Signal::HUP);
    served.log_with("helpers has changed: that is for the next start");
    served.log_with("log-format has changed: that is for the next start");
    assert_eq!(served.end().0, Some(0));
}

#[test]
fn readiness_goes_first_and_the_second_signal_is_at_once() {
    let flags = ["--health", "--shutdown-delay", "1h"];
    let mut served = Served::start(Folder::new(), &flags);
    let address = served.addresses[0];
    let url = format!("http://{address}/readyz");
    assert_eq!(onepoll(&["health", &url]).status.code(), Some(0));
    served.signal(Signal::TERM);
    served.log_with("not ready any more, serving on for 3600s");
    until("it is not ready", || Client::connect(address).ask("GET /readyz", &[]).status == 503);
    assert_eq!(stderr(&onepoll(&["health", &url])), "onepoll: health: answered 503\n");
    // It serves on, and keeps connections.
    let reply = Client::connect(address).ask("GET /a.txt", &[]);
    assert!(reply.status == 200 && !reply.closes());
    assert_eq!(Client::connect(address).ask("GET /livez", &[]).status, 200);
    served.signal(Signal::INT);
    assert_eq!(served.wait().0, Some(0));
    // With a short delay it is the first that ends it.
    let mut served = Served::start(Folder::new(), &["--shutdown-delay", "1ms"]);
    assert_eq!(served.end().0, Some(0));
}

#[test]
fn a_drain_has_an_end() {
    let mut served = Served::start(Folder::new(), &["--drain-limit", "1ms", "--reactors", "2"]);
    let mut stuck = served.client();
    stuck.send("GET /a.txt HTTP/1.1\r\n");
    until("it is open", || {
        served.signal(Signal::USR1);
        served.log_with(" connections (").contains("head 1")
    });
    served.signal(Signal::TERM);
    assert_eq!(served.wait().0, Some(0));
    stuck.expect_ended();
}

#[test]
fn two_processes_on_one_port() {
    let first = Served::start(Folder::new(), &["--reuse-port"]);
    let address = first.addresses[0];
    let port = address.port().to_string();
    let taken = onepoll(&["serve", "--port", &port]);
    assert_eq!(taken.status.code(), Some(1));
    assert!(stderr(&taken).contains("the address is in use by another program"));
    let folder = Folder::new().with("a.txt", "the other");
    let second = Served::start(folder, &["--reuse-port", "-p", &port]);
    until("both have served", || {
        let text = |_| Client::connect(address).ask("GET /a.txt", &[]).text().to_owned();
        let texts: Vec<String> = (0..20).map(text).collect();
        texts.iter().any(|text| text == "the other")
            && texts.iter().any(|text| text == "0123456789")
    });
    drop((first, second));
}
