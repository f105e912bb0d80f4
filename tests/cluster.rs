//! `examples/deploy/cluster` for real: two processes, one Redis, nginx in front, and
//! clients that never stop while the processes are killed.
//!
//! Skipped, with a word about it, where nginx or Redis is not installed; in CI, where
//! `ONEPOLL_PROXIES` is set, that is an error.

mod support;

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, channel};
use support::example::binary;
use support::{Client, PATIENCE, Reply, until};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/deploy/cluster/run.sh");
const NAMES: [&str; 2] = ["one", "two"];
/// Clients that are never silent.
const CLIENTS: usize = 6;
/// Requests that must go well before the next blow, and replies to each request of a
/// connection before the client takes another one.
const STEADY: u64 = 300;
const PER_CONNECTION: usize = 40;

/// All of it, ended with the test.
struct Cluster {
    script: Child,
    lines: Receiver<String>,
    /// Whom to kill: by the numbers that the script told, or ours.
    nodes: [Node; 2],
    redis: u32,
    front: SocketAddr,
    ports: [u16; 4],
}

enum Node {
    Script(u32),
    Ours(Child),
    Gone,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            if let Node::Ours(child) = node {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        signal(self.script.id(), "-TERM");
        let _ = self.script.wait();
    }
}

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([name, &pid.to_string()]).stderr(Stdio::null()).status();
    assert!(sent.is_ok(), "there is `kill`");
}

/// Whether it is over, also if its parent has not noticed yet.
fn is_gone(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.map_or(true, |stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")))
}

fn installed(programs: &[&str]) -> bool {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin";
    let found =
        |name: &&str| path.split(':').any(|folder| PathBuf::from(folder).join(name).is_file());
    if programs.iter().any(found) {
        return true;
    }
    assert!(std::env::var_os("ONEPOLL_PROXIES").is_none(), "{programs:?}: not installed");
    eprintln!("SKIPPED: {programs:?}: not installed");
    false
}

impl Cluster {
    /// `None`, and a message, where it can't be.
    #[track_caller]
    fn start() -> Option<Cluster> {
        if !installed(&["nginx"]) || !installed(&["redis-server", "valkey-server"]) {
            return None;
        }
        // All four at once, so that no two are the same.
        let listeners = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let ports = listeners.map(|it| it.local_addr().expect("it is bound").port());
        let mut script = Command::new(SCRIPT)
            .args(ports.map(|port| port.to_string()))
            .env("CLUSTER", binary("cluster"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the script runs");
        let output = script.stdout.take().expect("a pipe was asked for");
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let nodes = [Node::Gone, Node::Gone];
        let front = ([127, 0, 0, 1], ports[0]).into();
        let mut cluster = Cluster { script, lines, nodes, redis: 0, front, ports };
        cluster.redis = cluster.told("redis");
        cluster.nodes = NAMES.map(|name| Node::Script(cluster.told(name)));
        cluster.told("nginx");
        while !cluster.line().starts_with("ready: ") {}
        Some(cluster)
    }

    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("the script says how far it is")
    }

    /// The process of that name.
    #[track_caller]
    fn told(&self, name: &str) -> u32 {
        let line = self.line();
        let number = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(": process "));
        let number = number.and_then(|rest| rest.split(',').next()?.parse().ok());
        number.unwrap_or_else(|| panic!("expected {name}'s process: {line:?}"))
    }

    /// Ends one of the two by that signal, and waits until it is over.
    #[track_caller]
    fn end(&mut self, which: usize, name: &str) {
        match std::mem::replace(&mut self.nodes[which], Node::Gone) {
            Node::Script(pid) => {
                signal(pid, name);
                until("the process has ended", || is_gone(pid));
            }
            Node::Ours(mut child) => {
                signal(child.id(), name);
                child.wait().expect("a child");
            }
            Node::Gone => panic!("{which} is gone already"),
        }
    }

    /// Starts one of the two again, as the script says how.
    #[track_caller]
    fn again(&mut self, which: usize) {
        let child = Command::new(binary("cluster"))
            .args([
                self.ports[which + 1].to_string(),
                format!("redis://127.0.0.1:{}", self.ports[3]),
            ])
            .arg(NAMES[which])
            .stdout(Stdio::null())
            .spawn();
        self.nodes[which] = Node::Ours(child.expect("the example runs"));
        let at = self.node(which);
        until("it listens again", || Client::try_connect(at).is_ok());
    }

    /// Where one of them listens itself.
    fn node(&self, which: usize) -> SocketAddr {
        ([127, 0, 0, 1], self.ports[which + 1]).into()
    }
}

/// Somebody with a cookie.
struct Visitor {
    at: SocketAddr,
    cookie: String,
    client: Client,
    asked: usize,
}

impl Visitor {
    fn new(at: SocketAddr) -> Visitor {
        Visitor { at, cookie: "Cookie: none=1".to_owned(), client: Client::connect(at), asked: 0 }
    }

    /// Any reply at all; none is this test's failure.
    #[track_caller]
    fn ask(&mut self, line: &str, fields: &[&str], content: &str) -> Reply {
        self.asked += 1;
        if self.asked.is_multiple_of(PER_CONNECTION) {
            self.client = Client::connect(self.at);
        }
        let fields = fields.iter().map(|field| format!("{field}\r\n")).collect::<String>();
        let (cookie, length) = (&self.cookie, content.len());
        let head = format!("{line} HTTP/1.1\r\nHost: cluster\r\n{cookie}\r\n{fields}");
        let length =
            if length > 0 { format!("Content-Length: {length}\r\n") } else { String::new() };
        self.client.send(format!("{head}{length}\r\n{content}"));
        let reply = self.client.reply();
        if let Some(set) = reply.get("set-cookie") {
            self.cookie = format!("Cookie: {}", set.split(';').next().unwrap_or(set));
        }
        reply
    }

    #[track_caller]
    fn post(&mut self, path: &str, form: &str) -> Reply {
        let page = self.ask("GET /", &[], "").expect(200);
        let token = between(page.text(), "name=\"_csrf\" value=\"", "\"").expect("a token");
        let form = format!("{form}&_csrf={token}");
        let kind = "Content-Type: application/x-www-form-urlencoded";
        self.ask(&format!("POST {path}"), &[kind], &form)
    }

    #[track_caller]
    fn login(&mut self, user: &str) {
        let before = self.cookie.clone();
        self.post("/login", &format!("user={user}&password=open+sesame")).expect(303);
        assert_ne!(self.cookie, before, "a new id");
    }

    /// Which visit it is, by whom it was answered.
    #[track_caller]
    fn visit(&mut self, user: &str) -> (u64, String) {
        let reply = self.ask("GET /", &[], "").expect(200);
        assert_eq!(between(reply.text(), "<b id=\"user\">", "<"), Some(user), "{}", reply.text());
        let visits = between(reply.text(), "id=\"visits\">", "<").and_then(|it| it.parse().ok());
        let name = reply.get("x-served-by").expect("who it was").to_owned();
        (visits.expect("a number"), name)
    }
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    text.split_once(from)?.1.split(to).next()
}

/// What came of the load, so far: by each process.
#[derive(Default)]
struct Served([AtomicU64; 2]);

impl Served {
    fn of(&self, which: usize) -> u64 {
        self.0[which].load(SeqCst)
    }

    /// Waits until so many more have been answered by that one.
    #[track_caller]
    fn more(&self, which: usize, count: u64, over: &AtomicBool) {
        let wanted = self.of(which) + count;
        until("the load goes on", || {
            assert!(!over.load(SeqCst), "a client has failed");
            self.of(which) >= wanted
        });
    }
}

/// Says so when its thread ends before its time.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// One client: each visit must be there, and be a later one than the last.
fn load(at: SocketAddr, user: &str, served: &Served, over: &AtomicBool) {
    let _over = Over(over);
    let mut visitor = Visitor::new(at);
    visitor.login(user);
    let mut last = 0;
    while !over.load(SeqCst) {
        let (visits, name) = visitor.visit(user);
        assert!(visits > last, "{user}: visit {visits} after {last}");
        last = visits;
        let which = NAMES.iter().position(|it| *it == name).expect("one of the two");
        served.0[which].fetch_add(1, SeqCst);
    }
}

#[test]
fn killing_either_process_loses_no_session_and_no_request() {
    let Some(mut cluster) = Cluster::start() else { return };
    let (served, over) = (Served::default(), AtomicBool::new(false));
    let front = cluster.front;
    std::thread::scope(|scope| {
        let _over = Over(&over);
        for number in 0..CLIENTS {
            let (served, over) = (&served, &over);
            scope.spawn(move || load(front, &format!("user{number}"), served, over));
        }
        // Each is killed in the middle of its work, then asked to leave.
        for (dead, name) in [(0, "-KILL"), (1, "-KILL"), (0, "-TERM"), (1, "-TERM")] {
            served.more(dead, STEADY, &over);
            cluster.end(dead, name);
            served.more(1 - dead, STEADY, &over);
            cluster.again(dead);
            // nginx has it back, so that the other one can go.
            served.more(dead, 1, &over);
        }
        // Both at once lose requests, but no session.
    });
    let mut visitor = Visitor::new(front);
    visitor.login("last");
    let (visits, _) = visitor.visit("last");
    for which in [0, 1] {
        cluster.end(which, "-KILL");
        cluster.again(which);
    }
    for which in [0, 1] {
        let mut direct = Visitor::new(cluster.node(which));
        direct.cookie.clone_from(&visitor.cookie);
        assert_eq!(direct.visit("last").0, visits + 1 + which as u64);
    }
}

#[test]
fn the_cluster_counts_together_and_says_how_it_is() {
    let Some(cluster) = Cluster::start() else { return };
    let nodes = [cluster.node(0), cluster.node(1)];
    // Ten tries, wherever: each process has seen five.
    for number in 0..11 {
        let mut visitor = Visitor::new(nodes[number % 2]);
        let reply = visitor.post("/login", "user=x&password=wrong");
        assert_eq!(reply.status, if number < 10 { 403 } else { 429 }, "try {number}");
    }
    // Who is behind the proxy is somebody else: the proxy is believed.
    let from = "X-Forwarded-For: 192.0.2.7";
    let mut other = Client::connect(nodes[0]);
    assert_eq!(other.ask("POST /login", &[from, "Content-Length: 0"]).status, 403);

    for at in nodes {
        let page = Client::connect(at).ask("GET /metrics", &[]).expect(200);
        assert!(page.text().contains("cluster_redis_up 1\n"), "{}", page.text());
        Client::connect(at).ask("GET /readyz", &[]).expect(200);
    }
    for path in ["/metrics", "/livez", "/readyz"] {
        let reply = Client::connect(cluster.front).ask(&format!("GET {path}"), &[]);
        assert_eq!(reply.status, 404, "{path} is nobody's business out there");
    }
    // Without Redis nobody is ready, once a request has found out; and all live.
    signal(cluster.redis, "-KILL");
    for at in nodes {
        until("it is not ready", || {
            Client::connect(at).ask("GET /", &["Cookie: session=1"]);
            Client::connect(at).ask("GET /readyz", &[]).status == 503
        });
        Client::connect(at).ask("GET /livez", &[]).expect(200);
    }
}
