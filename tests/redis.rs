//! Sessions and rate limits that several servers have in common, in a real
//! `redis-server`: where it works, where it is gone, and where it says nothing.

mod support;

use onepoll::app::{Reject, TestClient};
use onepoll::kv::Redis;
use onepoll::middleware::{RateLimit, RedisRates};
use onepoll::server::Background;
use onepoll::session::{RedisStore, Sessions, session};
use onepoll::{App, Request, Server};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use support::{Client, Reply, until};

/// A server of our own, which writes each change to the disk before it answers.
struct Valkey {
    port: u16,
    folder: PathBuf,
    process: Option<Child>,
}

impl Valkey {
    /// `None`, and a message, where none is installed.
    fn start(test: &str) -> Option<Valkey> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = std::env::temp_dir().join(format!("onepoll-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut valkey = Valkey { port, folder, process: None };
        if valkey.run() {
            return Some(valkey);
        }
        assert!(std::env::var_os("ONEPOLL_PROXIES").is_none(), "no `redis-server` is installed");
        println!("skipped: no `redis-server` is installed");
        None
    }

    fn run(&mut self) -> bool {
        let started = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "always"])
            .arg("--dir")
            .arg(&self.folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(process) = started else { return false };
        self.process = Some(process);
        let port = self.port;
        until("redis-server to listen", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        true
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Stops it, as if its machine had no time for it, or lets it go on.
    fn signal(&self, signal: &str) {
        let pid = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    fn redis(&self) -> Redis {
        Redis::new(&format!("redis://127.0.0.1:{}", self.port)).unwrap()
    }
}

impl Drop for Valkey {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// One of several machines.
fn machine(sessions: impl FnOnce() -> Sessions + Send + 'static) -> Background {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let server = server.spawn(move || {
        let mut app = App::new();
        app.get("/plaintext", |_: &mut Request| "Hello, World!");
        app.scope("/s", |app| {
            app.wrap(sessions());
            app.get("/count/{key}", |request: &mut Request| -> Result<String, Reject> {
                let key = request.param::<String>("key")?;
                let session = session(request);
                let n = session.parse(&key).unwrap_or(0) + 1;
                session.set(&key, n.to_string())?;
                Ok(n.to_string())
            });
            app.get("/login", |request: &mut Request| session(request).rotate());
            app.get("/logout", |request: &mut Request| session(request).destroy());
        });
        app
    });
    server.unwrap()
}

fn cookie(reply: &Reply) -> String {
    let line = reply.get("set-cookie").expect("a cookie");
    format!("Cookie: {}", line.split(';').next().unwrap_or(line))
}

fn ask(server: &Background, path: &str, cookie: &str) -> Reply {
    let fields: &[&str] = if cookie.is_empty() { &[] } else { &[cookie] };
    Client::connect(server.local_addr()).ask(&format!("GET {path}"), fields)
}

#[test]
fn a_session_is_the_same_on_all_machines() {
    let Some(valkey) = Valkey::start("redis-same") else { return };
    let (one, two) = (valkey.redis(), valkey.redis());
    let one = machine(|| Sessions::new(RedisStore::new(one)));
    let two = machine(|| Sessions::new(RedisStore::new(two)));
    let first = ask(&one, "/s/count/a", "").expect(200);
    let mine = cookie(&first);
    assert_eq!(ask(&two, "/s/count/a", &mine).expect(200).text(), "2");
    assert_eq!(ask(&one, "/s/count/b", &mine).expect(200).text(), "1");
    let new = cookie(&ask(&two, "/s/login", &mine).expect(204));
    assert_eq!(ask(&one, "/s/count/a", &mine).expect(200).text(), "1", "the old id is nobody's");
    assert_eq!(ask(&one, "/s/count/a", &new).expect(200).text(), "3");
    ask(&two, "/s/logout", &new).expect(204);
    assert_eq!(ask(&one, "/s/count/a", &new).expect(200).text(), "1");
}

#[test]
fn what_machines_change_at_the_same_time_is_merged() {
    let Some(valkey) = Valkey::start("redis-merge") else { return };
    let (one, two) = (valkey.redis(), valkey.redis());
    let one = machine(|| Sessions::new(RedisStore::new(one)));
    let two = machine(|| Sessions::new(RedisStore::new(two)));
    let mine = cookie(&ask(&one, "/s/count/zero", "").expect(200));
    let threads = [(&one, "a"), (&two, "b"), (&one, "c"), (&two, "d")];
    std::thread::scope(|scope| {
        for (machine, key) in threads {
            let mine = &mine;
            scope.spawn(move || {
                for n in 1..=25 {
                    let reply = ask(machine, &format!("/s/count/{key}"), mine).expect(200);
                    assert_eq!(reply.text(), n.to_string(), "{key}");
                }
            });
        }
    });
    for (machine, key) in threads {
        assert_eq!(ask(machine, &format!("/s/count/{key}"), &mine).expect(200).text(), "26");
    }
}

#[test]
fn a_server_that_is_gone_is_missed_by_sessions_only_and_found_again() {
    let Some(mut valkey) = Valkey::start("redis-gone") else { return };
    let (strict, lax) = (valkey.redis(), valkey.redis());
    let strict = machine(|| Sessions::new(RedisStore::new(strict)));
    let lax = machine(|| Sessions::new(RedisStore::new(lax)).optional());
    let mine = cookie(&ask(&strict, "/s/count/a", "").expect(200));
    valkey.kill();
    for _ in 0..3 {
        let refused = ask(&strict, "/s/count/a", &mine).expect(503);
        assert!(refused.get("retry-after").is_some());
        // As somebody new; but nobody is told to forget who they are.
        let reply = ask(&lax, "/s/count/a", &mine).expect(200);
        assert_eq!((reply.text(), reply.get("set-cookie")), ("1", None));
        ask(&strict, "/plaintext", &mine).expect(200);
    }
    ask(&strict, "/s/count/a", "").expect(503);
    assert_eq!(ask(&lax, "/s/count/a", "").expect(200).get("set-cookie"), None);
    assert!(valkey.run());
    for (machine, n) in [(&strict, "2"), (&lax, "3")] {
        let mut text = String::new();
        until("the session to be there again", || {
            let reply = ask(machine, "/s/count/a", &mine);
            text = reply.text().to_owned();
            reply.status == 200 && text != "1"
        });
        assert_eq!(text, n);
    }
}

#[test]
fn a_server_that_says_nothing_does_not_hold_anybody_up() {
    let Some(valkey) = Valkey::start("redis-silent") else { return };
    let redis = valkey.redis().timeout(Duration::from_millis(50));
    let watched = redis.clone();
    let machine = machine(|| Sessions::new(RedisStore::new(redis)));
    let mine = cookie(&ask(&machine, "/s/count/a", "").expect(200));
    valkey.signal("-STOP");
    ask(&machine, "/s/count/a", &mine).expect(503);
    assert!(!watched.is_up());
    let mut clients: Vec<Client> = (0..50).map(|_| Client::connect(machine.local_addr())).collect();
    for client in &mut clients {
        client.send(format!("GET /s/count/a HTTP/1.1\r\nHost: x\r\n{mine}\r\n\r\n"));
    }
    ask(&machine, "/plaintext", "").expect(200);
    for client in &mut clients {
        client.reply().expect(503);
    }
    valkey.signal("-CONT");
    until("sessions to be there again", || ask(&machine, "/s/count/a", &mine).status == 200);
}

/// Two machines, each with an own connection to the same quotas.
fn limited(valkey: &Valkey, make: impl Fn(RedisRates) -> RateLimit) -> [TestClient<App>; 2] {
    [0, 1].map(|_| {
        let mut app = App::new();
        app.wrap(make(RedisRates::new(valkey.redis()).prefix("t:")));
        app.get("/", |_: &mut Request| "in");
        TestClient::new(app)
    })
}

#[test]
fn machines_count_together() {
    let Some(valkey) = Valkey::start("redis-rates") else { return };
    let hour = Duration::from_secs(3600);
    let rules: [&dyn Fn() -> RateLimit; 2] =
        [&|| RateLimit::sliding(7, hour), &|| RateLimit::token_bucket(7, 1, hour)];
    for (number, rule) in rules.into_iter().enumerate() {
        let key = move |_: &Request, keys: &onepoll::middleware::Keys| Some(keys.of(number));
        let mut machines = limited(&valkey, |rates| rule().key(key).shared(rates));
        let mut left = Vec::new();
        for n in 0..7 {
            let reply = machines[n % 2].get("/").send();
            assert_eq!(reply.status.code(), 200);
            let field = reply.header("RateLimit").unwrap();
            left.push(field.split(';').nth(1).unwrap().to_owned());
        }
        assert_eq!(left, ["r=6", "r=5", "r=4", "r=3", "r=2", "r=1", "r=0"]);
        for machine in &mut machines {
            let reply = machine.get("/").send();
            assert_eq!(reply.status.code(), 429);
            let wait: u64 = reply.header("Retry-After").unwrap().parse().unwrap();
            assert!((3500..=3600).contains(&wait), "{wait}");
        }
    }
}

/// What was used comes back, by the server's clock.
#[test]
fn quotas_are_filled_again() {
    let Some(valkey) = Valkey::start("redis-refill") else { return };
    let span = Duration::from_millis(100);
    for (number, limit) in
        [RateLimit::sliding(2, span), RateLimit::token_bucket(2, 2, span)].into_iter().enumerate()
    {
        // Here there is always more: only the count in common refuses.
        let rates = RedisRates::new(valkey.redis()).prefix(&format!("refill{number}:"));
        let mut app = App::new();
        app.wrap(limit.shared(rates));
        app.get("/", |_: &mut Request| "in");
        let mut client = TestClient::new(app);
        let mut statuses = Vec::new();
        until("a request that is let in again", || {
            statuses.push(client.get("/").send().status.code());
            statuses.windows(2).any(|two| two == [429, 200])
        });
        assert_eq!(statuses[..2], [200, 200]);
    }
}

#[test]
fn without_a_server_the_count_here_is_what_counts() {
    let Some(mut valkey) = Valkey::start("redis-rates-gone") else { return };
    let hour = Duration::from_secs(3600);
    let [mut open, _] = limited(&valkey, |rates| RateLimit::sliding(2, hour).shared(rates));
    let [mut closed, _] =
        limited(&valkey, |rates| RateLimit::sliding(2, hour).shared(rates).fail_closed());
    valkey.kill();
    let statuses =
        |client: &mut TestClient<App>| [0; 3].map(|_| client.get("/").send().status.code());
    assert_eq!(statuses(&mut open), [200, 200, 429]);
    assert_eq!(statuses(&mut closed), [503, 503, 429]);
}
