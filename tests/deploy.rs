//! Real proxies in front, configured as `examples/deploy` says.
//!
//! Each test is skipped, with a word about it, where its proxy is not installed; in
//! CI, where `ONEPOLL_PROXIES` is set, that is an error.

mod support;

use onepoll::http::Networks;
use onepoll::net::SocketOptions;
use onepoll::server::Background;
use onepoll::{App, Config, Request, Server};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use support::{Client, until};

const NGINX: &str = include_str!("../examples/deploy/nginx.conf");
const HAPROXY: &str = include_str!("../examples/deploy/haproxy.cfg");

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("onepoll-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A proxy's process, ended with the test.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        // nginx ends its workers at this signal, and would not at the other.
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

fn installed(program: &str) -> Option<PathBuf> {
    let found = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    let found = found.iter().map(|folder| PathBuf::from(folder).join(program));
    let found = found.into_iter().find(|path| path.is_file());
    if found.is_none() {
        assert!(std::env::var_os("ONEPOLL_PROXIES").is_none(), "{program} is not installed");
        eprintln!("SKIPPED: {program} is not installed");
    }
    found
}

/// A port that was free a moment ago.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port")
}

/// The text with each of these replaced, which must be there.
#[track_caller]
fn replaced(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the example has no `{from}` any more");
        text.replace(from, to)
    })
}

fn start(program: &PathBuf, args: &[&str], at: SocketAddr) -> Proxy {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
    let mut proxy = Proxy(command.spawn().expect("the proxy starts"));
    until("the proxy listens", || {
        assert!(proxy.0.try_wait().expect("a child").is_none(), "the proxy has ended");
        Client::try_connect(at).is_ok()
    });
    proxy
}

/// Tells who asks, and of which connection it is.
fn app() -> App {
    let mut app = App::new();
    app.get("/", |request: &mut Request| {
        let (peer, scheme) = (request.peer(), request.scheme());
        let id = request.header("x-request-id").map_or(0, str::len);
        format!("{peer} {scheme} {} {} {id}", request.authority(), request.connection())
    });
    app.post("/", |request: &mut Request| request.body().len().to_string());
    app
}

/// What a client may try, to be somebody else.
const LIES: [&str; 4] = [
    "X-Forwarded-For: 6.6.6.6",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: bank.example",
    "Forwarded: for=6.6.6.6;proto=https;host=bank.example",
];

/// Peer, scheme and host; then whether all came over one connection.
#[track_caller]
fn expect_told(at: SocketAddr, words: &str) {
    let mut connections = Vec::new();
    for _ in 0..3 {
        let mut client = Client::connect_from("127.0.0.5", at);
        for fields in [&[][..], &LIES] {
            let reply = client.ask("GET /", fields);
            assert_eq!(reply.status, 200);
            let text = reply.text().to_owned();
            let told: Vec<&str> = text.split(' ').collect();
            assert_eq!(told[..3].join(" "), words);
            connections.push(told[3].to_owned());
        }
        assert_eq!(client.ask("POST /", &["Content-Length: 0"]).status, 200);
    }
    connections.dedup();
    assert!(connections.len() < 6, "nothing is kept alive: {connections:?}");
}

fn server(server: Server, config: Config) -> Background {
    server.config(config).spawn(app).expect("a server that starts")
}

fn trusting(text: &str) -> Config {
    Config { trusted: Networks::parse([text]).unwrap(), ..Config::default() }
}

#[test]
fn nginx_as_in_the_example() {
    let Some(nginx) = installed("nginx") else { return };
    let (folder, at) = (Folder::new("nginx"), free());
    let socket = folder.path("http.sock");
    // nginx's workers are another user's.
    let options = SocketOptions { unix_mode: Some(0o666), ..SocketOptions::default() };
    let unix = Server::new().sockets(&options).unwrap().and_bind_unix(&socket).unwrap();
    let _server = server(unix, trusting("unix"));
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|it| format!("{it}_temp_path {};\n", folder.path(it))).concat();
    let config = replaced(
        NGINX,
        &[
            ("/run/onepoll/http.sock", &socket),
            ("listen 80;", &format!("listen {at};")),
            ("\nhttp {", &format!("\nhttp {{\naccess_log off;\n{temporary}")),
            ("worker_processes auto;", "worker_processes 1;"),
        ],
    );
    let file = folder.path("nginx.conf");
    let own = format!("daemon off;\npid {};\nerror_log stderr warn;\n", folder.path("pid"));
    fs::write(&file, own + &config).unwrap();
    let tested = Command::new(&nginx).args(["-t", "-q", "-e", "stderr", "-c", &file]).status();
    assert!(tested.expect("nginx runs").success());
    let _proxy = start(&nginx, &["-e", "stderr", "-c", &file], at);
    expect_told(at, "127.0.0.5 http x");
    let reply = Client::connect(at).ask("GET /", &[]);
    assert!(reply.text().ends_with(" 32"), "nginx's name of the request: {}", reply.text());
}

/// Its `http` front and its `raw` one, this with either version of the protocol.
#[test]
fn haproxy_as_in_the_example() {
    let Some(haproxy) = installed("haproxy") else { return };
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/deploy/haproxy.cfg");
    let checked = Command::new(&haproxy).args(["-c", "-q", "-f", file]).status();
    assert!(checked.expect("haproxy runs").success());
    for version in ["send-proxy-v2", "send-proxy"] {
        let (folder, http, raw) = (Folder::new(version), free(), free());
        let plain = server(Server::bind("127.0.0.1:0").unwrap(), trusting("127.0.0.1"));
        let config = Config {
            proxy_protocol: Networks::parse(["127.0.0.1"]).unwrap(),
            ..trusting("127.0.0.1")
        };
        let named = server(Server::bind("127.0.0.1:0").unwrap(), config);
        let config = replaced(
            HAPROXY,
            &[
                ("maxconn 4000", "maxconn 100"),
                ("bind :80\n", &format!("bind {http}\n")),
                ("bind :8443\n", &format!("bind {raw}\n")),
                ("127.0.0.1:8080 check", &format!("{} check inter 50ms", plain.local_addr())),
                ("127.0.0.1:8081 send-proxy-v2", &format!("{} {version}", named.local_addr())),
                ("check check-send-proxy", "check inter 50ms check-send-proxy"),
            ],
        );
        let file = folder.path("haproxy.cfg");
        fs::write(&file, config).unwrap();
        let _proxy = start(&haproxy, &["-db", "-f", &file], http);
        expect_told(http, "127.0.0.5 http x");
        // Nobody's word in fields counts here, as the peer is not the proxy.
        let mut client = Client::connect_from("127.0.0.5", raw);
        let own = client.local_addr();
        for fields in [&[][..], &LIES] {
            let text = client.ask("GET /", fields).text().to_owned();
            assert!(text.starts_with(&format!("{own} http x ")), "{text}");
        }
        // Its checks are taken for what they are.
        let stats = named.handle().stats();
        until("some checks", || stats.accepted.value() > 3);
        assert_eq!(stats.faults.value(), 0);
    }
}

/// There is no Caddy to be had everywhere: at least nothing is forgotten.
#[test]
fn all_examples_say_how_onepoll_is_started() {
    let caddy = include_str!("../examples/deploy/Caddyfile");
    for text in [NGINX, HAPROXY, caddy] {
        assert!(text.contains("onepoll serve ") && text.contains("--trust "));
        assert!(text.contains("Forwarded"), "the other family is dropped");
    }
}

const DOCKERFILE: &str = include_str!("../examples/deploy/Dockerfile");
const KUBERNETES: &str = include_str!("../examples/deploy/kubernetes.yaml");

/// The long flags that a text names.
fn flags(text: &str) -> Vec<&str> {
    let is_flag = |c: char| c.is_ascii_lowercase() || c == '-';
    let words = text.split(|c: char| !is_flag(c) && !c.is_ascii_digit());
    let is_flag = |word: &&str| word.strip_prefix("--").is_some_and(|rest| !rest.starts_with('-'));
    words.filter(|word| word.len() > 2).filter(is_flag).collect()
}

/// Of the line that begins so, what follows.
#[track_caller]
fn after<'a>(text: &'a str, start: &str) -> &'a str {
    let found = text.lines().find_map(|line| line.trim_start().strip_prefix(start));
    found.unwrap_or_else(|| panic!("no line begins with {start}"))
}

/// What is not built for this test can't be asked.
fn help(command: &str) -> Option<String> {
    let program = option_env!("CARGO_BIN_EXE_onepoll")?;
    let output = Command::new(program).args([command, "--help"]).output().expect("it runs");
    assert!(output.status.success(), "onepoll {command}");
    Some(String::from_utf8(output.stdout).expect("text"))
}

/// No container can be had everywhere: at least all of this is understood.
#[test]
fn containers_and_the_guide_use_flags_that_there_are() {
    let (Some(serve), Some(health)) = (help("serve"), help("health")) else { return };
    let entry = after(DOCKERFILE, "ENTRYPOINT ");
    let check = after(DOCKERFILE, "CMD [\"/onepoll\", \"health\"");
    let guide = include_str!("../src/guide/production.rs").replace("--release", "");
    let guide = guide.replace("docker stop --time", "").replace("--bench tls", "");
    let used: Vec<&str> = [entry, KUBERNETES, &guide].into_iter().flat_map(flags).collect();
    assert!(used.contains(&"--health") && used.contains(&"--drain-limit"), "{used:?}");
    for flag in used {
        assert!(
            serve.contains(&format!("{flag} ")) || serve.contains(&format!("{flag}\n")),
            "{flag}"
        );
    }
    assert_eq!(flags(check), ["--timeout"]);
    assert!(health.contains("--timeout <"));
}

#[test]
fn containers_agree_on_ports_users_and_times() {
    for (text, start, rest) in [
        (DOCKERFILE, "EXPOSE ", "8080"),
        (DOCKERFILE, "USER ", "65532:65532"),
        (KUBERNETES, "containerPort: ", "8080"),
        (KUBERNETES, "prometheus.io/port: ", "\"8080\""),
        (KUBERNETES, "targetPort: ", "http"),
        (KUBERNETES, "runAsUser: ", "65532"),
    ] {
        assert_eq!(after(text, start), rest, "{start}");
    }
    assert!(after(DOCKERFILE, "ENTRYPOINT ").contains("\"--port\", \"8080\""));
    assert!(after(DOCKERFILE, "CMD [\"/onepoll\", \"health\"").contains("127.0.0.1:8080/livez"));
    for probe in ["livenessProbe:\n", "startupProbe:\n"] {
        let (_, rest) = KUBERNETES.split_once(probe).expect("a probe");
        assert_eq!(after(rest, "httpGet: "), "{path: /livez, port: http}");
    }
    let seconds = |start: &str| -> u64 {
        after(KUBERNETES, start).trim_end_matches('s').parse().expect("seconds")
    };
    let leaves = seconds("- --shutdown-delay=") + seconds("- --drain-limit=");
    let joins = Config::default().join_limit.as_secs();
    assert!(seconds("terminationGracePeriodSeconds: ") > leaves + joins);
    let (_, ready) = KUBERNETES.split_once("readinessProbe:\n").expect("a probe");
    let period: u64 = after(ready, "periodSeconds: ").parse().expect("seconds");
    assert!(2 * period < seconds("- --shutdown-delay="), "it is noticed too late");
    // Buffers, and what is kept of files, fit.
    let memory = after(KUBERNETES, "limits: {memory: ").trim_end_matches("Mi}");
    let memory: usize = memory.parse().expect("MiB");
    assert!(memory << 20 > Config::default().buffers_max + (64 << 20));
    assert!(!KUBERNETES.contains('\t'), "YAML has no tabs");
}
