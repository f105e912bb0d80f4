//! What other people's programs make of it. Each is skipped, with a word, where it
//! is not installed.

use super::fixture;
use super::support::tls::{Folder, shared};
use super::support::{Fixture, PATIENCE, expect_pattern};
use onepoll::Config;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        eprintln!("SKIPPED: no {program} here");
    }
    found
}

/// What curl wrote, and its exit code.
fn curl(args: &[&str]) -> (Vec<u8>, Option<i32>) {
    let seconds = PATIENCE.as_secs().to_string();
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--noproxy", "*", "--max-time", &seconds])
        .args(args)
        .output()
        .expect("curl runs");
    (output.stdout, output.status.code())
}

#[test]
fn curl_understands_it() {
    if !is_there("curl") {
        return;
    }
    let folder = Folder::new();
    folder.pair("x", &["localhost"]);
    let tls = folder.files("x").load().expect("good files");
    let fixture = Fixture::tls(Config::default(), &tls);
    let base = format!("https://localhost:{}", fixture.addr().port());
    let ca = folder.path("x.pem");
    let trust = ["--cacert", ca.to_str().expect("a path in ASCII"), "--ipv4"];
    for version in [
        &["--http1.1"][..],
        &["--http1.0"],
        &["--http2"], // offers both
        &["--tls-max", "1.2"],
        &["--tlsv1.3"],
    ] {
        let url = format!("{base}/bytes/2000000");
        let (body, code) = curl(&[&trust[..], version, &[&url]].concat());
        assert_eq!(code, Some(0), "{version:?}");
        expect_pattern(&body, 2_000_000);
    }
    // An upload, and several requests on one connection.
    let content = folder.path("content");
    std::fs::write(&content, super::pattern(3_000_000)).expect("writing");
    let data = format!("@{}", content.display());
    let url = format!("{base}/echo");
    let (body, code) = curl(&[&trust[..], &["--data-binary", &data, &url, &url]].concat());
    assert_eq!((code, body.len()), (Some(0), 6_000_000));
    // Not trusted: 60 is what curl says then. And the server sees why.
    assert_eq!(curl(&["--ipv4", &format!("{base}/hello")]).1, Some(60));
    super::until("the refusal is counted", || {
        super::failures(&fixture, onepoll::stats::HandshakeFailure::Refused) == 1
    });
    let plain = base.replace("https", "http");
    let (body, _) = curl(&["--ipv4", &plain]);
    assert!(String::from_utf8_lossy(&body).contains("https://"), "{body:?}");
}

#[test]
fn openssl_understands_it() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED: no openssl here");
        return;
    }
    let fixture = fixture();
    let to = fixture.addr().to_string();
    for version in ["-tls1_2", "-tls1_3"] {
        let mut child = Command::new("openssl")
            .args(["s_client", "-connect", &to, "-servername", "localhost", version])
            .args(["-alpn", "h2,http/1.1", "-msg", "-ign_eof"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl runs");
        let mut input = child.stdin.take().expect("a pipe was asked for");
        input
            .write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .expect("openssl reads");
        let mut text = String::new();
        let mut output = child.stdout.take().expect("a pipe was asked for");
        output.read_to_string(&mut text).expect("text");
        child.wait().expect("it was not waited for before");
        assert!(text.contains("Hello, World!"), "{version}: {text}");
        assert!(text.contains("ALPN protocol: http/1.1"), "{version}: {text}");
        assert!(text.contains("close_notify"), "{version}: {text}");
    }
    assert_eq!(fixture.stats().handshakes.value(), 2);
}

#[test]
fn openssl_resumes() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED: no openssl here");
        return;
    }
    // Five times again, within the program.
    for flags in [&["-tls1_2"][..], &["-tls1_2", "-no_ticket"]] {
        let fixture = Fixture::tls(Config::default(), shared());
        let output = Command::new("openssl")
            .args(["s_client", "-connect", &fixture.addr().to_string(), "-reconnect"])
            .args(flags)
            .stdin(Stdio::null())
            .output()
            .expect("openssl runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text.matches("Reused, TLSv1.2").count(), 5, "{text}");
        assert_eq!(fixture.stats().handshakes_resumed.value(), 5);
    }
}

#[test]
fn chromium_understands_it() {
    let Some(program) = super::support::browser::installed() else {
        eprintln!("SKIPPED: no Chromium here");
        return;
    };
    let (fixture, folder) = (fixture(), Folder::new());
    let mut child = Command::new(program)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-proxy-server"])
        .args(["--ignore-certificate-errors", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.path("profile").display()))
        .arg(format!("https://{}/hello", fixture.addr()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("Chromium runs");
    let mut output = child.stdout.take().expect("a pipe was asked for");
    let reader = std::thread::spawn(move || {
        let mut page = String::new();
        let _ = output.read_to_string(&mut page);
        page
    });
    let deadline = std::time::Instant::now() + PATIENCE * 3;
    while !reader.is_finished() && std::time::Instant::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
    let page = reader.join().expect("it only reads");
    assert!(page.contains("Hello, World!"), "{page}");
}
