//! Sessions outlive the server: a restart, and a kill right after the reply.

mod support;

use onepoll::app::Reject;
use onepoll::session::{Sessions, SqliteStore, session};
use onepoll::{App, Request, Server};
use std::path::{Path, PathBuf};
use support::child::{Process, role, tell, told};
use support::{Client, Reply};

/// What the child does: serves until it is told to end, or killed.
#[test]
fn child() {
    let Some((_, file)) = role() else { return };
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let server = server.spawn(move || {
        let mut app = App::new();
        app.wrap(Sessions::new(SqliteStore::open(file).expect("a database")));
        app.get("/count", |request: &mut Request| -> Result<String, Reject> {
            let session = session(request);
            let n = session.parse("n").unwrap_or(0) + 1;
            session.set("n", n.to_string())?;
            Ok(n.to_string())
        });
        app.get("/login", |request: &mut Request| session(request).rotate());
        app.get("/logout", |request: &mut Request| session(request).destroy());
        app
    });
    let server = server.expect("a server that starts");
    tell(&server.local_addr().to_string());
    while told().is_some() {}
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("onepoll-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Folder(path)
    }

    fn start(&self) -> (Process, Client) {
        let process = Process::spawn("child", "serve", &self.file());
        let client = Client::connect(process.address());
        (process, client)
    }

    fn file(&self) -> String {
        self.0.join("sessions.db").display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn cookie(reply: &Reply) -> String {
    let line = reply.get("set-cookie").expect("a cookie");
    format!("Cookie: {}", line.split(';').next().unwrap_or(line))
}

#[test]
fn what_a_reply_told_survives_a_kill() {
    let folder = Folder::new("session-kill");
    let (process, mut client) = folder.start();
    let mut mine = cookie(&client.ask("GET /count", &[]).expect(200));
    process.kill();
    for round in 2..12 {
        let (process, mut client) = folder.start();
        if round % 3 == 0 {
            let old = mine;
            mine = cookie(&client.ask("GET /login", &[&old]).expect(204));
            assert_ne!(mine, old);
            process.kill();
            let (process, mut client) = folder.start();
            assert_eq!(client.ask("GET /count", &[&old]).expect(200).text(), "1");
            drop((process, client));
            continue_from(&folder, &mine, round);
            continue;
        }
        let reply = client.ask("GET /count", &[&mine]).expect(200);
        process.kill();
        assert_eq!(reply.text(), round.to_string());
    }
    let (process, mut client) = folder.start();
    client.ask("GET /logout", &[&mine]).expect(204);
    process.kill();
    continue_from(&folder, &mine, 1);
}

/// The next count is this one; then the server is killed.
#[track_caller]
fn continue_from(folder: &Folder, mine: &str, count: u32) {
    let (process, mut client) = folder.start();
    assert_eq!(client.ask("GET /count", &[mine]).expect(200).text(), count.to_string());
    process.kill();
}

/// Seen from outside: the disk has it before the client is told.
#[test]
fn the_disk_is_waited_for_before_the_reply_leaves() {
    if !Path::new("/usr/bin/strace").exists() {
        eprintln!("SKIPPED: there is no strace");
        return;
    }
    let folder = Folder::new("session-strace");
    let trace = folder.0.join("trace");
    let calls = "fsync,fdatasync,write,writev,sendto,sendmsg,read,recvfrom,recvmsg";
    let prelude =
        format!("exec strace -f -s 64 -e trace={calls} -o {} \"$0\" \"$@\"", trace.display());
    let process = Process::spawn_after(&prelude, "child", "serve", &folder.file());
    let mut client = Client::connect(process.address());
    let mine = cookie(&client.ask("GET /count", &[]).expect(200));
    client.ask("GET /count", &[&mine]).expect(200);
    let lines = || {
        let text = std::fs::read_to_string(&trace).unwrap_or_default();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let replies =
        |lines: &[String]| lines.iter().filter(|line| line.contains("HTTP/1.1 200")).count();
    support::until("the trace", || replies(&lines()) >= 2);
    let mut synced = None;
    let mut seen = 0;
    for line in lines() {
        if line.contains("GET /count") {
            synced = Some(false);
        } else if line.contains("sync(") {
            synced = synced.map(|_| true);
        } else if line.contains("HTTP/1.1 200") {
            assert_eq!(synced.take(), Some(true), "a reply before the disk: {line}");
            seen += 1;
        }
    }
    assert_eq!(seen, 2);
}
