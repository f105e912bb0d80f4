//! The test binary once more, as another process.
//!
//! A test that needs a process of its own (for its descriptors, its memory, its
//! CPU time) runs the same binary with one test selected, which finds a role in
//! the environment. Without a role that test has nothing to do.

use super::PATIENCE;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

const ROLE: &str = "ONEPOLL_TEST_ROLE";
const ARGUMENT: &str = "ONEPOLL_TEST_ARGUMENT";
/// Before each line for the parent: the test harness prints there as well.
const MARK: &str = "\u{1}child ";

/// Another process, which ends with this value.
pub struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

/// The role of this process, and its argument.
pub fn role() -> Option<(String, String)> {
    Some((std::env::var(ROLE).ok()?, std::env::var(ARGUMENT).unwrap_or_default()))
}

/// In a child: tells the parent a line.
pub fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    let told = writeln!(out, "\n{MARK}{line}").and_then(|()| out.flush());
    told.expect("the parent listens");
}

/// In a child: the parent's next line; `None` when it is gone.
pub fn told() -> Option<String> {
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(count) if count > 0 => Some(line.trim_end().to_owned()),
        _ => None,
    }
}

impl Process {
    /// Runs the test `entry` of this very binary with that role.
    pub fn spawn(entry: &str, role: &str, argument: &str) -> Process {
        Process::spawn_after("", entry, role, argument)
    }

    /// The same after a shell has done this: limits, signals to be ignored.
    pub fn spawn_after(prelude: &str, entry: &str, role: &str, argument: &str) -> Process {
        let program = std::env::current_exe().expect("a test knows its binary");
        let mut child = Command::new("sh")
            .args(["-c", &format!("{prelude}\nexec \"$0\" \"$@\"")])
            .arg(program)
            .args(["--exact", entry, "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(ARGUMENT, argument)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test binary runs");
        let output = child.stdout.take().expect("a pipe was asked for");
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(line) = line.strip_prefix(MARK) {
                    let _ = send.send(line.to_owned());
                }
            }
        });
        let input = child.stdin.take();
        Process { child, input, lines }
    }

    /// The child's next line.
    #[track_caller]
    pub fn line(&self) -> String {
        match self.lines.recv_timeout(PATIENCE * 3) {
            Ok(line) => line,
            Err(error) => panic!("the child says nothing: {error}"),
        }
    }

    /// The address that a server in the child tells first.
    #[track_caller]
    pub fn address(&self) -> SocketAddr {
        let line = self.line();
        line.parse().unwrap_or_else(|_| panic!("no address: {line}"))
    }

    /// Says a line to the child.
    #[track_caller]
    pub fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it is open until the end");
        writeln!(input, "{line}").expect("the child lives");
    }

    /// Its memory in RAM, in KiB.
    #[track_caller]
    pub fn rss_kib(&self) -> u64 {
        let status = read(&format!("/proc/{}/status", self.child.id()));
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.expect("a live process has a VmRSS")
    }

    /// Its CPU time so far, user and system, in clock ticks of 10 ms.
    #[track_caller]
    pub fn cpu_ticks(&self) -> u64 {
        let stat = read(&format!("/proc/{}/stat", self.child.id()));
        let (_, after_name) = stat.rsplit_once(')').expect("a stat line");
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        // Fields 14 and 15 of the line; the state, field 3, is the first here.
        let ticks = |at: usize| fields[at].parse::<u64>().expect("a number of ticks");
        ticks(11) + ticks(12)
    }

    /// Bytes of memory that it has written to and still has.
    #[track_caller]
    pub fn memory(&self) -> u64 {
        let status = read(&format!("/proc/{}/status", self.child.id()));
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse::<u64>().ok()).expect("a count of KiB") * 1024
    }

    /// Ends it at once, without a word.
    #[track_caller]
    pub fn kill(mut self) {
        self.child.kill().expect("a live process");
    }

    /// Its open descriptors.
    #[track_caller]
    pub fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(folder).expect("a live process").count()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.input = None; // its `told` says `None` now
        if std::thread::panicking() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

#[track_caller]
fn read(path: &str) -> String {
    let mut text = String::new();
    let file = std::fs::File::open(path);
    file.and_then(|mut file| file.read_to_string(&mut text)).expect("a live process");
    text
}
