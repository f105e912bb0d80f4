//! The levels of the ladder, each served and asked; and a short climb.

mod support;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use support::{Client, Reply};

/// `cargo test` builds the examples beside the tests.
#[track_caller]
fn binary() -> PathBuf {
    let this = std::env::current_exe().expect("a test knows its binary");
    let folder = this.ancestors().nth(2).expect("target/debug/deps/this");
    let path = folder.join("examples/ladder");
    assert!(path.is_file(), "{}: `cargo build --examples` makes it", path.display());
    path
}

/// An empty folder for one test.
#[track_caller]
fn folder(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ladder-{test}"));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(path.join("files")).expect("a folder");
    std::fs::write(path.join("files/page.txt"), "a file\n").expect("a file");
    std::fs::write(path.join("files/slow.txt"), "slow\n").expect("a file");
    std::fs::write(path.join("secret.txt"), "the secret\n").expect("a file");
    let link = path.join("files/link.txt");
    std::os::unix::fs::symlink("../secret.txt", link).expect("a link");
    path
}

/// A level, which ends with the test.
struct Level {
    child: Child,
    address: SocketAddr,
}

impl Level {
    #[track_caller]
    fn start(number: usize, test: &str) -> Level {
        let folder = folder(&format!("{test}-{number}"));
        let mut child = Command::new(binary())
            .args([&number.to_string(), "--port", "0", "--clients", "8", "--root"])
            .arg(folder.join("files"))
            .arg("--database")
            .arg(folder.join("visits.db"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe was asked for");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let address = line.trim_end().rsplit('/').next().and_then(|text| text.parse().ok());
        let address = address.unwrap_or_else(|| panic!("{number}: no address in {line:?}"));
        Level { child, address }
    }

    /// One request on a connection of its own.
    #[track_caller]
    fn get(&self, path: &str, fields: &[&str]) -> Reply {
        Client::connect(self.address).ask(&format!("GET {path}"), fields)
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn each_level_serves_the_site() {
    for number in 1..=10 {
        let level = Level::start(number, "site");
        let home = level.get("/", &[]).expect(200);
        assert!(home.text().contains("<h1>The ladder</h1>"), "{number}: {}", home.text());
        assert_eq!(level.get("/files/page.txt", &[]).expect(200).text(), "a file\n");
        assert_eq!(level.get("/files/slow.txt", &[]).expect(200).text(), "slow\n");
        level.get("/files/none.txt", &[]).expect(404);
        level.get("/none", &[]).expect(404);
        // One connection: two requests at once, one in pieces, and the last.
        let mut client = Client::connect(level.address);
        let hello = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
        client.send(format!("{hello}{hello}"));
        assert_eq!(client.reply().expect(200).text(), "Hello, World!\n");
        assert_eq!(client.reply().expect(200).text(), "Hello, World!\n");
        client.send_in_pieces(hello, 7);
        assert_eq!(client.reply().expect(200).text(), "Hello, World!\n");
        client.ask("GET /files/page.txt", &["Connection: close"]).expect(200);
        client.expect_closed();
    }
}

#[test]
fn what_is_no_request_is_refused_by_each_level() {
    for number in 1..=10 {
        let level = Level::start(number, "bad");
        for bad in
            ["\u{1}\r\n\r\n", "GET hello HTTP/1.1\r\n\r\n", "GET /hello HTTP/1.1\r\nx\r\n\r\n"]
        {
            let mut client = Client::connect(level.address);
            client.send(bad);
            client.reply().expect(400);
            client.expect_ended();
        }
        // And it goes on.
        level.get("/hello", &[]).expect(200);
    }
}

#[test]
fn from_level_five_on_a_slow_disk_holds_nobody_up() {
    for number in 5..=10 {
        let level = Level::start(number, "disk");
        let mut slow = Client::connect(level.address);
        let mut other = Client::connect(level.address);
        other.ask("GET /hello", &[]).expect(200);
        slow.send("GET /files/slow.txt HTTP/1.1\r\nHost: x\r\n\r\n");
        other.ask("GET /hello", &[]).expect(200);
        assert!(slow.is_silent(), "{number}: the slow file came first");
        slow.reply().expect(200);
    }
}

#[test]
fn from_level_six_on_a_slowloris_is_cut() {
    let levels: Vec<Level> = (5..=10).map(|number| Level::start(number, "loris")).collect();
    let mut clients: Vec<Client> =
        levels.iter().map(|level| Client::connect(level.address)).collect();
    for client in &mut clients {
        client.send("GET / HT");
    }
    let mut clients = clients.into_iter();
    let mut patient = clients.next().expect("level 5");
    clients.for_each(|mut client| drop(client.expect_ended()));
    // All others have lost their patience, level 5 has not.
    assert!(patient.is_silent());
    patient.send("TP/1.1\r\nHost: x\r\n\r\n").reply().expect(200);
}

#[test]
fn from_level_seven_on_there_are_limits() {
    for number in 7..=10 {
        let level = Level::start(number, "limits");
        let mut endless = Client::connect(level.address);
        // More than a head may have, and less than what the kernel keeps.
        let sent = endless.try_send(format!("GET / HTTP/1.1\r\na: {}", "a".repeat(9000)));
        let end = String::from_utf8_lossy(&endless.expect_ended()).into_owned();
        assert!(end.is_empty() || end.starts_with("HTTP/1.1 431"), "{number}: {sent:?} {end}");
        if number == 10 {
            continue; // it would let idle ones go for those that come
        }
        let mut clients: Vec<Client> = (0..8).map(|_| Client::connect(level.address)).collect();
        for client in &mut clients {
            client.ask("GET /hello", &[]).expect(200);
        }
        let beyond = Client::connect(level.address).expect_ended();
        assert!(beyond.starts_with(b"HTTP/1.1 503"), "{number}: {}", beyond.escape_ascii());
        // Those who are in are served as before.
        clients.iter_mut().for_each(|client| drop(client.ask("GET /hello", &[]).expect(200)));
    }
}

#[test]
fn from_level_eight_on_no_path_leads_out() {
    let leak = Level::start(7, "jail").get("/files/../secret.txt", &[]);
    assert_eq!(leak.text(), "the secret\n", "the level before is to show the break");
    for number in 8..=10 {
        let level = Level::start(number, "jail");
        for name in [
            "../secret.txt",
            "%2e%2e/secret.txt",
            "..%2fsecret.txt",
            "%2e%2e%2fsecret.txt",
            "./../secret.txt",
            "a/../../secret.txt",
            "/etc/passwd",
            "%2fetc/passwd",
            "link.txt",
            "..",
            "%00",
            "%",
            "%2",
            "%zz",
            "",
        ] {
            let reply = level.get(&format!("/files/{name}"), &[]);
            assert!(reply.status >= 300, "{number}: {name}: {} {}", reply.status, reply.text());
            assert!(!reply.text().contains("secret\n"), "{number}: {name}");
        }
        assert_eq!(level.get("/files/%70age.txt", &[]).expect(200).text(), "a file\n");
    }
}

#[test]
fn from_level_nine_on_visitors_are_known() {
    for number in 9..=10 {
        let level = Level::start(number, "visits");
        let first = level.get("/visits", &[]).expect(200);
        assert_eq!(first.text(), "visit 1\n");
        let cookie = first.get("set-cookie").and_then(|it| it.split(';').next());
        let cookie = format!("Cookie: a=b; {}", cookie.expect("a new visitor gets a number"));
        for visit in 2..5 {
            let reply = level.get("/visits", &[&cookie]).expect(200);
            assert_eq!(reply.text(), format!("visit {visit}\n"));
        }
        // Who makes up a number is a new visitor with another number.
        for made_up in ["Cookie: id=please", "Cookie: id=' OR 1=1 --"] {
            let reply = level.get("/visits", &[made_up]).expect(200);
            assert_eq!(reply.text(), "visit 1\n");
            assert!(!reply.get("set-cookie").unwrap_or_default().contains("please"));
        }
        level.get("/hello", &[]).expect(200);
    }
}

#[test]
fn a_short_climb_writes_its_files() {
    let out = folder("climb");
    let mut child = Command::new(binary())
        .args(["--levels", "1,5,10", "--connections", "1,20", "--seconds", "8", "--out"])
        .arg(&out)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let mut table = String::new();
    let mut stdout = child.stdout.take().expect("a pipe was asked for");
    stdout.read_to_string(&mut table).expect("text");
    assert!(child.wait().expect("it ends").success(), "{table}");
    for expected in ["01 blocking", "05 helpers", "10 onepoll", "in company", "slowloris", "stays"]
    {
        assert!(table.contains(expected), "no {expected:?} in\n{table}");
    }
    assert!(table.contains("yes: 0 req/s in company"), "{table}");
    let page = std::fs::read_to_string(out.join("index.html")).expect("a page");
    assert!(page.contains("10 onepoll") && page.trim_end().ends_with("</html>"));
    assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("NaN"));
    for name in ["throughput", "p99", "memory", "threads"] {
        let svg = std::fs::read_to_string(out.join(format!("{name}.svg"))).expect("a chart");
        assert!(svg.starts_with("<svg xmlns") && svg.trim_end().ends_with("</svg>"), "{name}");
        assert!(!svg.contains("NaN") && svg.matches("class=\"company\"").count() == 3, "{name}");
        assert!(page.contains(&svg), "{name} is on the page");
    }
}

#[test]
fn wrong_options_are_named() {
    for (args, expected) in [
        (&["11"][..], "\"11\" is neither"),
        (&["--port"], "--port needs a value"),
        (&["4", "--port", "x"], "--port \"x\""),
        (&["--levels", "1,x"], "\"x\" is no level"),
        (&["--connections", "0"], "\"0\" is no number"),
    ] {
        let output = Command::new(binary()).args(args).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(expected), "{args:?}: {said}");
    }
}
