//! The command as a user meets it: exit codes and one-line errors.
#![cfg(feature = "cli")]

use std::process::{Command, Output};

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
fn a_closed_output_does_no_harm() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_onepoll"));
    let output = command.args(["serve", "/no/such/place", "-vv"]).stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "onepoll: /no/such/place: no such folder\n");
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
