//! `onepoll bench`, as a user meets it.

use super::{Folder, Served, onepoll, stderr};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};

/// A server, and the URL of its file.
fn served() -> (Served, String) {
    let served = Served::start(Folder::new(), &["--log-format", "off"]);
    let url = format!("http://{}/a.txt", served.addresses[0]);
    (served, url)
}

#[test]
fn a_load_is_a_table() {
    let (served, url) = served();
    let pid = served.pid().to_string();
    let output = onepoll(&[
        "bench",
        "-n",
        "400",
        "-c",
        "4",
        "--expect",
        "body=0123456789",
        "--pid",
        &pid,
        &url,
    ]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), stderr_of(&output.stderr)), (Some(0), ""), "{text}");
    for part in
        [&*url, "closed loop, 4 connections, 1 thread", "99.99 %", "[200]", "us per request"]
    {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let row = text.lines().find(|line| line.contains("successes")).unwrap();
    assert_eq!(row.split_whitespace().nth(1), Some("400"), "{text}");
}

fn stderr_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn results_go_to_files_and_programs() {
    let (_served, url) = served();
    let folder = Folder::new();
    let (hdr, html) = (folder.0.join("a.hdr"), folder.0.join("a.html"));
    let (hdr_arg, html_arg) = (hdr.to_str().unwrap(), html.to_str().unwrap());
    let output = onepoll(&[
        "bench",
        "-d",
        "300ms",
        "--warm",
        "0",
        "-R",
        "500",
        "--arrivals",
        "poisson",
        "--json",
        "--hdr",
        hdr_arg,
        "--html",
        html_arg,
        &url,
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let ok = json["ok"].as_u64().unwrap();
    assert!(ok > 0 && json["error_count"] == 0 && json["statuses"]["200"] == ok, "{json}");
    assert!(json["response_us"]["p99.9"].as_f64().unwrap() > 0.0, "{json}");
    assert_eq!(counted(&fs::read(&hdr).unwrap()), ok);
    let page = fs::read_to_string(&html).unwrap();
    assert_eq!(page.matches("<svg").count(), 4);
    assert!(!page.contains("<script") && !page.contains("src=") && page.contains(&url));
}

/// The values in all histograms of a log, read by the library's own reader.
fn counted(log: &[u8]) -> u64 {
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    let decode = |text: &str| {
        use base64::Engine;
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
        let read: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
        read.len()
    };
    let entries = IntervalLogIterator::new(log).map(Result::unwrap);
    let count = |entry| match entry {
        LogEntry::Interval(interval) => decode(interval.encoded_histogram()),
        _ => 0,
    };
    entries.map(count).sum()
}

#[test]
fn what_cannot_be_loaded_is_one_line() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (refused, url) =
        (format!("cannot connect to {nobody}: connection refused"), format!("http://{nobody}/"));
    let table: [(&[&str], i32, &str); 7] = [
        (&[&url], 1, &refused),
        (&["compare", &url, &url], 1, &refused),
        (
            &["ftp://a"],
            2,
            "configuration: URL \"ftp://a\": expected http://.. or unix:/socket:/target",
        ),
        (&["-c", "0", &url], 2, "configuration: connections must be 1 to 1000000"),
        (&["-b", "@/no/such", &url], 1, "/no/such: no such file"),
        (&["--html", "/no/such/x", &url], 1, "/no/such/x: no such file"),
        (
            &["-d", "x", &url],
            2,
            "invalid value 'x' for '--duration <TIME>': expected a time like 500ms, 10s, 2m or 1h",
        ),
    ];
    for (args, code, line) in table {
        let output = onepoll(&[&["bench"], args].concat());
        assert_eq!(stderr(&output), format!("onepoll: {line}\n"), "{args:?}");
        assert_eq!(output.status.code(), Some(code), "{args:?}");
    }
}

/// A load of which nothing succeeded is a failure, with its table.
#[test]
fn nothing_but_errors_is_exit_code_1() {
    let (_served, url) = served();
    let output = onepoll(&["bench", "-n", "20", "--expect", "404", &url]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("warning: nothing succeeded") && text.contains("status"), "{text}");
}

#[test]
fn an_interrupt_ends_it_with_the_results_so_far() {
    let (served, url) = served();
    let mut command = Command::new(env!("CARGO_BIN_EXE_onepoll"));
    command.args(["bench", "-d", "1h", "--warm", "0", &url]).stdout(Stdio::piped());
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    served.until_busy();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("(ended early)") && text.contains("successes"), "{text}");
}

#[test]
fn two_servers_are_compared() {
    let (_served, url) = served();
    let output =
        onepoll(&["bench", "compare", "--rounds", "3", "-d", "50ms", "--warm", "0", &url, &url]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
    assert!(text.contains("3 rounds") && text.contains("95 % interval"), "{text}");
}

/// Flags that the documents name are there.
#[test]
fn the_readme_names_flags_that_exist() {
    let help = String::from_utf8_lossy(&onepoll(&["bench", "--help"]).stdout).into_owned();
    let compare = onepoll(&["bench", "compare", "--help"]).stdout;
    let help = help + &String::from_utf8_lossy(&compare);
    let (_, section) = include_str!("../../README.md").split_once("## Measure it").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let words = section.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let flags: Vec<&str> = words.filter(|word| word.starts_with('-') && *word != "-").collect();
    assert!(flags.len() > 12, "{flags:?}");
    for flag in flags {
        assert!(help.contains(&format!("{flag} ")) || help.contains(&format!("{flag},")), "{flag}");
    }
}
