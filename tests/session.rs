//! Sessions as clients meet them, over sockets.

mod support;

use onepoll::app::Reject;
use onepoll::server::Background;
use onepoll::session::{Change, Key, MemoryStore, Record, SessionStore};
use onepoll::session::{Sessions, check_csrf, session};
use onepoll::{App, Request, Response, Server};
use std::io;
use std::sync::{Arc, Barrier};
use support::{Client, Reply};

#[track_caller]
fn serve(store: impl SessionStore + 'static) -> Background {
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let server = server.spawn(move || {
        let mut app = App::new();
        app.wrap(Sessions::new(store));
        app.get("/count", |request: &mut Request| -> Result<String, Reject> {
            let session = session(request);
            let n = session.parse("n").unwrap_or(0) + 1;
            session.set("n", n.to_string())?;
            Ok(n.to_string())
        });
        app.get(
            "/later",
            onepoll::offload(|request: &mut Request| -> Result<String, Reject> {
                Ok(session(request).get("n").unwrap_or("none").to_owned())
            }),
        );
        app.get("/token", |request: &mut Request| session(request).csrf_token());
        app.post("/note", |request: &mut Request| -> Result<Response, Reject> {
            check_csrf(request)?;
            let note = request.form()?.need("note")?.into_owned();
            session(request).set("note", note)?;
            Ok(onepoll::redirect("/"))
        });
        app
    });
    server.expect("a server that starts")
}

/// The cookie of a client whose proxy says it came over TLS is for TLS alone.
#[test]
fn a_proxy_that_is_trusted_makes_the_cookie_secure_and_nobody_else() {
    let trusted = onepoll::http::Networks::parse(["127.0.0.2"]).expect("an address");
    let config = onepoll::Config { trusted, ..Default::default() };
    let server = Server::bind("127.0.0.1:0").expect("a free port").config(config);
    let server = server.spawn(|| {
        let mut app = App::new();
        app.wrap(Sessions::new(MemoryStore::new(100)));
        app.get("/", |request: &mut Request| session(request).set("seen", "yes"));
        app
    });
    let server = server.expect("a server that starts");
    let told = ["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https"];
    let plain = ["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: http"];
    for (from, fields, secure) in
        [("127.0.0.2", told, true), ("127.0.0.2", plain, false), ("127.0.0.1", told, false)]
    {
        let mut client = Client::connect_from(from, server.local_addr());
        for _ in 0..2 {
            let reply = client.ask("GET /", &fields);
            let cookie = reply.get("set-cookie").expect("a cookie");
            assert_eq!(cookie.contains("; Secure"), secure, "{from}, {fields:?}: {cookie}");
        }
    }
}

/// A store that is asked on helper threads.
struct Slow(MemoryStore);

impl SessionStore for Slow {
    fn load(&self, key: &Key, now: u64) -> io::Result<Option<Record>> {
        self.0.load(key, now)
    }
    fn create(&self, key: &Key, record: &Record) -> io::Result<()> {
        self.0.create(key, record)
    }
    fn save(&self, key: &Key, change: &Change) -> io::Result<bool> {
        self.0.save(key, change)
    }
    fn rotate(&self, old: &Key, new: &Key, change: &Change) -> io::Result<bool> {
        self.0.rotate(old, new, change)
    }
    fn touch(&self, key: &Key, expires: u64) -> io::Result<bool> {
        self.0.touch(key, expires)
    }
    fn delete(&self, key: &Key) -> io::Result<()> {
        self.0.delete(key)
    }
    fn sweep(&self, now: u64, max: usize) -> io::Result<usize> {
        self.0.sweep(now, max)
    }
}

/// The field line that gives a reply's cookie back.
#[track_caller]
fn cookie(reply: &Reply) -> String {
    let line = reply.get("set-cookie").expect("a cookie");
    format!("Cookie: {}", line.split(';').next().unwrap_or(line))
}

#[test]
fn each_client_has_its_own() {
    let on_helpers: Arc<dyn SessionStore> = Arc::new(Slow(MemoryStore::new(100)));
    for store in [Arc::new(MemoryStore::new(100)) as Arc<dyn SessionStore>, on_helpers] {
        let server = serve(store);
        let mut client = Client::connect(server.local_addr());
        let cookies: Vec<_> = (0..3)
            .map(|_| {
                let reply = client.ask("GET /count", &[]).expect(200);
                assert_eq!((reply.text(), reply.get("vary")), ("1", Some("Cookie")));
                cookie(&reply)
            })
            .collect();
        for round in 2..5 {
            for mine in &cookies {
                let reply = client.ask("GET /count", &[mine]).expect(200);
                assert_eq!((reply.text(), &cookie(&reply)), (&*round.to_string(), mine));
                assert_eq!(client.ask("GET /later", &[mine]).text(), round.to_string());
            }
        }
        // Pipelined requests come one after the other, so none is lost.
        let [mine, ..] = &cookies[..] else { panic!("three") };
        let one = format!("GET /count HTTP/1.1\r\nHost: x\r\n{mine}\r\n\r\n");
        client.send(one.repeat(20));
        let counts: Vec<_> = (0..20).map(|_| client.reply().text().to_owned()).collect();
        let wanted: Vec<_> = (5..25).map(|n| n.to_string()).collect();
        assert_eq!(counts, wanted);
        assert_eq!(client.ask("GET /later", &[]).text(), "none");
    }
}

/// Two requests of one session, both of which have loaded it before either is saved:
/// neither loses what the other has set, nor brings back what it took out.
#[track_caller]
fn interleaves(store: impl SessionStore + 'static) {
    let both = Arc::new(Barrier::new(2));
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let server = server.spawn(move || {
        let mut app = App::new();
        app.wrap(Sessions::new(store));
        app.get("/begin", |request: &mut Request| -> Result<(), Reject> {
            let session = session(request);
            session.set("kept", "1")?;
            session.set("gone", "1")?;
            Ok(session.set("shared", "1")?)
        });
        let change = move |request: &mut Request| -> Result<(), Reject> {
            let own: String = request.param("own")?;
            both.wait();
            let session = session(request);
            assert_eq!(session.get("shared"), Some("1"));
            session.set(&own, "1")?;
            session.set("shared", own)?;
            session.remove("gone");
            both.wait();
            Ok(())
        };
        app.get("/set/{own}", onepoll::offload(change));
        app.get("/all", |request: &mut Request| {
            session(request)
                .iter()
                .map(|(key, value)| format!("{key}={value} "))
                .collect::<String>()
        });
        app
    });
    let server = server.expect("a server that starts");
    let mut clients = [(); 2].map(|()| Client::connect(server.local_addr()));
    let mine = cookie(&clients[0].ask("GET /begin", &[]).expect(204));
    for (client, own) in clients.iter_mut().zip(["a", "b"]) {
        client.send(format!("GET /set/{own} HTTP/1.1\r\nHost: x\r\n{mine}\r\n\r\n"));
    }
    clients.iter_mut().for_each(|client| assert_eq!(client.reply().status, 204));
    let all = clients[0].ask("GET /all", &[&mine]).expect(200);
    let wanted = ["a=1 b=1 kept=1 shared=a ", "a=1 b=1 kept=1 shared=b "];
    assert!(wanted.contains(&all.text()), "{}", all.text());
}

#[test]
fn two_requests_of_one_session_lose_nothing() {
    interleaves(MemoryStore::new(10));
    interleaves(Slow(MemoryStore::new(10)));
}

#[cfg(feature = "sqlite")]
#[test]
fn two_requests_of_one_session_lose_nothing_in_sqlite() {
    let path = std::env::temp_dir().join(format!("onepoll-interleaved-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    interleaves(onepoll::session::SqliteStore::open(path.join("sessions.db")).unwrap());
    std::fs::remove_dir_all(&path).unwrap();
}

#[test]
fn a_form_is_taken_from_our_own_page_only() {
    let server = serve(Slow(MemoryStore::new(100)));
    let mut client = Client::connect(server.local_addr());
    let page = client.ask("GET /token", &[]).expect(200);
    let mine = cookie(&page);
    let post = |client: &mut Client, cookie: &str, form: &str| {
        let length = form.len();
        client.send(format!(
            "POST /note HTTP/1.1\r\nHost: x\r\n{cookie}\r\nContent-Length: {length}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}"
        ));
        client.reply_to("POST")
    };
    let token = page.text();
    post(&mut client, &mine, &format!("note=a+note&_csrf={token}")).expect(303);
    post(&mut client, &mine, "note=a+note").expect(403);
    post(&mut client, "X: y", &format!("note=a+note&_csrf={token}")).expect(403);
    let reply = post(&mut client, &mine, &format!("_csrf={token}")).expect(422);
    assert!(reply.text().contains("`note` is missing"), "{}", reply.text());
}
