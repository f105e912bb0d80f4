//! The real binary with a folder to serve.

use crate::support::{Client, PATIENCE};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};

/// A folder that is gone when the test is over.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// One with a file in it, `a.txt`.
    pub(crate) fn new() -> Folder {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("onepoll-cli-{}-{number}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        fs::create_dir_all(&folder.0).expect("a temporary folder");
        folder.with("a.txt", "0123456789")
    }

    /// With one more file.
    pub(crate) fn with(self, path: &str, content: impl AsRef<[u8]>) -> Folder {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder in it");
        fs::write(path, content).expect("a file in the folder");
        self
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `onepoll serve` in a process of its own, ended with the test.
pub(crate) struct Served {
    child: Child,
    log: Receiver<String>,
    /// What it said before it was ready.
    pub(crate) before: Vec<String>,
    /// What the start line names.
    pub(crate) addresses: Vec<SocketAddr>,
    _folder: Folder,
}

impl Served {
    /// Serves the folder with these flags, on a port that is free.
    #[track_caller]
    pub(crate) fn start(folder: Folder, flags: &[&str]) -> Served {
        Served::start_with(folder, flags, &[])
    }

    /// The same with variables in its environment.
    #[track_caller]
    pub(crate) fn start_with(folder: Folder, flags: &[&str], variables: &[(&str, &str)]) -> Served {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onepoll"));
        command.arg("serve").args(flags).arg(&folder.0);
        if !flags.contains(&"-p") {
            command.args(["--port", "0"]);
        }
        command.env_remove("RUST_LOG").env_remove("ONEPOLL_AUTH").envs(variables.iter().copied());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let output = BufReader::new(child.stderr.take().expect("a pipe was asked for"));
        let (send, log) = channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| send.send(line).ok())
        });
        let mut served =
            Served { child, log, before: Vec::new(), addresses: Vec::new(), _folder: folder };
        loop {
            let line = served.line();
            if let Some((_, urls)) = line.split_once(" on http") {
                served.addresses = addresses(&format!("http{urls}"));
                return served;
            }
            served.before.push(line);
        }
    }

    #[track_caller]
    fn line(&self) -> String {
        match self.log.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => panic!("the server says nothing: {error}; before: {:?}", self.before),
        }
    }

    /// Waits for a line of the log with this in it.
    #[track_caller]
    pub(crate) fn log_with(&self, text: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(text) {
                return line;
            }
        }
    }

    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.addresses[0])
    }

    /// Lets it write files of so many bytes at most, as `ulimit -f` does.
    #[cfg(target_os = "linux")]
    #[track_caller]
    pub(crate) fn limit_files(&self, bytes: u64) {
        use rustix::process::{Resource, Rlimit, prlimit};
        let pid = rustix::process::Pid::from_child(&self.child);
        let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
        prlimit(Some(pid), Resource::Fsize, limit).expect("it lives");
    }

    /// The names of its threads.
    pub(crate) fn threads(&self) -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it lives");
        let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
        tasks.flatten().filter_map(name).map(|name| name.trim_end().to_owned()).collect()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has used CPU time for somebody.
    #[track_caller]
    pub(crate) fn until_busy(&self) {
        let ticks = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
            let stat = stat.expect("it lives");
            let (_, fields) = stat.rsplit_once(')').expect("a stat line");
            let fields: Vec<u64> = fields.split_whitespace().flat_map(str::parse).collect();
            fields[10] + fields[11] // without the state, which is a letter
        };
        let before = ticks();
        crate::support::until("it is busy", || ticks() > before + 5);
    }

    /// Sends it a signal.
    #[track_caller]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it lives");
    }

    /// Has it end in order: its exit code, and what it wrote of requests.
    #[track_caller]
    pub(crate) fn end(&mut self) -> (Option<i32>, String) {
        self.signal(rustix::process::Signal::TERM);
        self.wait()
    }

    /// Waits for its end: its exit code, and what it wrote of requests.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> (Option<i32>, String) {
        let code = self.child.wait().expect("it was not waited for before").code();
        let mut requests = String::new();
        let output = self.child.stdout.take();
        let read = output.map(|mut output| output.read_to_string(&mut requests));
        read.expect("called once").expect("text");
        (code, requests)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `http://127.0.0.1:80/, http://[::1]:80/ and http://127.0.0.2:80/`
#[track_caller]
fn addresses(urls: &str) -> Vec<SocketAddr> {
    let urls = urls.split([',', ' ']).filter(|word| word.contains("://"));
    let address = |url: &str| url.split_once("://")?.1.strip_suffix('/')?.parse().ok();
    urls.map(|url| address(url).unwrap_or_else(|| panic!("no URL: {url:?}"))).collect()
}
