//! Where settings come from, and what the command says of itself.

use crate::served::{Folder, Served};
use crate::{onepoll, stderr};
use std::process::Output;

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_file_of_settings_is_served_by() {
    let folder = Folder::new().with("onepoll.toml", "header = [\"X-From: file\"]\nhealth = true\n");
    let file = folder.0.join("onepoll.toml").display().to_string();
    let variables = [("ONEPOLL_METRICS", "/numbers")];
    let mut served = Served::start_with(folder, &["--config", &file], &variables);
    let mut client = served.client();
    assert_eq!(client.ask("GET /a.txt", &[]).get("x-from"), Some("file"));
    assert!(client.ask("GET /numbers", &[]).text().contains("onepoll_requests_total"));
    let url = format!("http://{}/readyz", served.addresses[0]);
    let output = onepoll(&["health", &url]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
    let output = onepoll(&["health", &format!("http://{}/none", served.addresses[0])]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "onepoll: health: answered 404\n");
    assert_eq!(served.end().0, Some(0));
    let output = onepoll(&["health", &url]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    assert_eq!(onepoll(&["health", "ftp://a"]).status.code(), Some(2));
}

#[test]
fn check_shows_all_and_starts_nothing() {
    let folder = Folder::new().with("bad.toml", "\nprot = 1\n").with("good.toml", "port = 9\n");
    let path = |name: &str| folder.0.join(name).display().to_string();
    let (root, log) = (folder.0.display().to_string(), path("access.log"));
    let good = path("good.toml");
    let output = onepoll(&["serve", "--check", &root, "--config", &good, "--access-log", &log]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
    let shown = stdout(&output);
    let has = |value: &str, source: &str| {
        shown.lines().any(|line| line.starts_with(value) && line.ends_with(source))
    };
    assert!(has("port = \"9\" ", &format!("  # {good}:1")), "{shown}");
    assert!(has("root = ", "  # command line"), "{shown}");
    assert!(has("listing = false ", "  # default"), "{shown}");
    assert!(!folder.0.join("access.log").exists(), "nothing is made");
    let table: [(&[&str], i32, String); 5] = [
        (&["--config", &path("bad.toml")], 2, format!("{}:2: prot: ", path("bad.toml"))),
        (&["/no/such/place"], 1, "/no/such/place: no such folder".to_owned()),
        (&["--auth-file", "/no/such/file"], 1, "/no/such/file: no such file".to_owned()),
        (&["--access-log", "/no/such/file"], 1, "/no/such/file: no such file".to_owned()),
        (&["-a", "none.invalid"], 1, "cannot listen on none.invalid: ".to_owned()),
    ];
    for (args, code, line) in table {
        let output = onepoll(&[&["serve", "--check"], args].concat());
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        let told = stderr(&output);
        assert!(told.starts_with(&format!("onepoll: {line}")), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

#[test]
fn completions_and_manual_pages_name_the_flags() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = onepoll(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains("keep-alive"), "{shell}");
    }
    let first = stdout(&onepoll(&["man"]));
    assert!(first.starts_with(".ie") && first.contains(".TH onepoll 1"), "{first}");
    let page = stdout(&onepoll(&["man", "serve"]));
    assert!(page.contains(".TH onepoll-serve 1") && page.contains("keep\\-alive"), "{page}");
    let output = onepoll(&["man", "sreve"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).starts_with("onepoll: no command \"sreve\"; there are: serve, "));
}

/// The file that is meant to be copied says nothing that is not understood.
#[test]
fn the_example_file_is_right() {
    let folder = Folder::new();
    let (root, log) = (folder.0.display().to_string(), folder.0.join("log").display().to_string());
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/deploy/onepoll.toml");
    let output = onepoll(&["serve", "--check", &root, "--config", example, "--access-log", &log]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}

/// systemd's own look at the units; without it, it is skipped.
#[test]
fn the_units_are_right() {
    let folder = Folder::new();
    let name = |unit: &str| folder.0.join(unit).display().to_string();
    for unit in ["onepoll.service", "onepoll.socket"] {
        let path = format!("{}/examples/deploy/{unit}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let text = text.replace("/usr/bin/onepoll", env!("CARGO_BIN_EXE_onepoll"));
        std::fs::write(name(unit), text).unwrap();
    }
    let mut command = std::process::Command::new("systemd-analyze");
    command.args(["verify", &name("onepoll.service"), &name("onepoll.socket")]);
    let Ok(output) = command.output() else {
        println!("SKIPPED: there is no systemd-analyze here");
        return;
    };
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}
