//! `--inside`: the page of the loop at work.

use super::served::{Folder, Served};
use super::{onepoll, stderr};
use crate::support::{Client, until};
use rustix::process::Signal;
use std::fs;

fn status(served: &Served, path: &str) -> u16 {
    let mut client = Client::connect(served.addresses[0]);
    let host = served.addresses[0];
    client.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    client.reply().status
}

#[test]
fn the_page_is_there_when_it_is_asked_for() {
    let served = Served::start(Folder::new(), &[]);
    assert_eq!(status(&served, "/inside"), 404);
    let served = Served::start(Folder::new(), &["--inside"]);
    for path in ["/inside", "/inside/app.js", "/inside/style.css", "/a.txt"] {
        assert_eq!(status(&served, path), 200, "{path}");
    }
}

#[test]
fn others_are_not_let_near_it_unless_it_is_said() {
    let output = onepoll(&["serve", "--port", "0", "--inside", "-a", "127.0.0.1", "-a", "0.0.0.0"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let text = stderr(&output);
    assert!(text.contains("0.0.0.0") && text.contains("--inside-anywhere"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    let output = onepoll(&["serve", "--check", "--inside", "-a", "0.0.0.0"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let served = Served::start(Folder::new(), &["--inside-anywhere", "-a", "0.0.0.0"]);
    let port = served.addresses[0].port();
    let mut client = Client::connect(([127, 0, 0, 1], port).into());
    client.send("GET /inside HTTP/1.1\r\nHost: example.com\r\n\r\n");
    client.reply().expect(200);
}

#[test]
fn it_comes_and_goes_with_the_settings() {
    for reactors in ["1", "2"] {
        let folder = Folder::new();
        let file = folder.0.join("onepoll.toml");
        fs::write(&file, "inside = false\n").unwrap();
        let flags = ["--config", file.to_str().unwrap(), "--reactors", reactors];
        let mut served = Served::start(folder, &flags);
        assert_eq!(status(&served, "/inside"), 404);
        for (shown, expected) in [("true", 200), ("false", 404)] {
            fs::write(&file, format!("inside = {shown}\n")).unwrap();
            served.signal(Signal::HUP);
            served.log_with("changed: inside");
            until("it is in force", || status(&served, "/inside") == expected);
        }
        assert_eq!(served.end().0, Some(0));
    }
}
