use super::*;
use crate::app::{App, TestClient, TestResponse};
use crate::http::{Method, Now, Status};
use crate::session::{Change, Key, MemoryStore};
use std::sync::Mutex;
use std::time::Instant;

/// A store that notes what it is asked, and can fail.
struct Spy {
    inner: MemoryStore,
    blocks: bool,
    calls: Mutex<Vec<&'static str>>,
    broken: Mutex<Option<io::ErrorKind>>,
}

impl Spy {
    fn new(blocks: bool) -> Arc<Spy> {
        let (inner, calls, broken) = (MemoryStore::new(100), Mutex::default(), Mutex::default());
        Arc::new(Spy { inner, blocks, calls, broken })
    }

    fn note(&self, call: &'static str) -> io::Result<()> {
        self.calls.lock().unwrap().push(call);
        self.broken.lock().unwrap().map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

impl SessionStore for Spy {
    fn load(&self, key: &Key, now: u64) -> io::Result<Option<Record>> {
        self.note("load")?;
        self.inner.load(key, now)
    }

    fn create(&self, key: &Key, record: &Record) -> io::Result<()> {
        self.note("create")?;
        self.inner.create(key, record)
    }

    fn save(&self, key: &Key, change: &Change) -> io::Result<bool> {
        self.note("save")?;
        self.inner.save(key, change)
    }

    fn rotate(&self, old: &Key, new: &Key, change: &Change) -> io::Result<bool> {
        self.note("rotate")?;
        self.inner.rotate(old, new, change)
    }

    fn touch(&self, key: &Key, expires: u64) -> io::Result<bool> {
        self.note("touch")?;
        self.inner.touch(key, expires)
    }

    fn delete(&self, key: &Key) -> io::Result<()> {
        self.note("delete")?;
        self.inner.delete(key)
    }

    fn sweep(&self, now: u64, max: usize) -> io::Result<usize> {
        self.inner.sweep(now, max)
    }

    fn blocks(&self) -> bool {
        self.blocks
    }
}

/// When tests begin, in seconds since 1970.
const T0: u64 = 1_700_000_000;

/// An application around that store, its clock in `X-Now`.
fn app(spy: &Arc<Spy>) -> TestClient<App> {
    let mut app = App::new();
    app.before(|request| {
        let later = request.header("x-now").and_then(|now| now.parse().ok()).unwrap_or(0);
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(T0 + later);
        request.origin.now = Some(Now { instant: Instant::now(), wall });
        request.origin.secure = request.header("x-tls").is_some();
        Flow::Go
    });
    let sessions = Sessions::new(Arc::clone(spy));
    app.wrap(sessions.idle(Duration::from_secs(100)).absolute(Duration::from_secs(1000)));
    app.get("/plain", |_: &mut Request| "plain");
    app.get("/look", |request: &mut Request| {
        session(request).get("n").unwrap_or("none").to_owned()
    });
    app.get("/count", |request: &mut Request| -> Result<String, Reject> {
        let session = session(request);
        let n = session.parse("n").unwrap_or(0) + 1;
        session.set("n", n.to_string())?;
        Ok(n.to_string())
    });
    app.get("/login", |request: &mut Request| -> Result<(), Reject> {
        session(request).rotate();
        Ok(session(request).set("user", "ada")?)
    });
    app.get("/logout", |request: &mut Request| session(request).destroy());
    app.get("/fail", |request: &mut Request| -> Result<(), Reject> {
        session(request).set("n", "lost")?;
        Err(Status::INTERNAL_SERVER_ERROR.into())
    });
    TestClient::new(app)
}

fn ask(client: &mut TestClient<App>, path: &str, cookie: &str, now: u64) -> TestResponse {
    let request = client.request(Method::GET, path).header("X-Now", &now.to_string());
    if cookie.is_empty() { request.send() } else { request.header("Cookie", cookie).send() }
}

#[track_caller]
fn cookie(reply: &TestResponse) -> String {
    let line = reply.header("set-cookie").expect("a cookie");
    line.split(';').next().unwrap_or(line).to_owned()
}

#[test]
fn nothing_is_done_before_something_is_set() {
    for blocks in [false, true] {
        let spy = Spy::new(blocks);
        let mut client = app(&spy);
        for (path, sent) in [
            ("/plain", ""),
            ("/plain", "other=1"),
            ("/plain", "session=short"),
            ("/look", ""),
            ("/logout", ""),
            ("/none", ""),
            ("/fail", ""),
        ] {
            let reply = ask(&mut client, path, sent, 0);
            assert_eq!(reply.header("set-cookie"), None, "{path}");
            assert_eq!(spy.calls(), [""; 0], "{path}");
        }
        assert_eq!(ask(&mut client, "/plain", "", 0).header("vary"), None);
        let reply = ask(&mut client, "/look", "", 0);
        assert_eq!(reply.header("vary"), Some("Cookie"));
        assert_eq!(reply.header("cache-control"), Some("private"));
    }
}

#[test]
fn what_is_set_is_there_the_next_time() {
    for blocks in [false, true] {
        let spy = Spy::new(blocks);
        let mut client = app(&spy);
        let first = ask(&mut client, "/count", "", 0);
        assert_eq!(spy.calls(), ["create"]);
        let line = first.header("set-cookie").unwrap();
        let (pair, attributes) = line.split_once("; ").unwrap();
        assert_eq!(attributes, "HttpOnly; SameSite=Lax; Path=/; Max-Age=100");
        assert_eq!(pair.len(), "session=".len() + 40);
        assert_eq!(ask(&mut client, "/count", pair, 1).text(), "2");
        assert_eq!(spy.calls(), ["load", "save"]);
        // Others before it, or made up ones, don't hide it.
        let many = format!("session=x; a=b; {pair}");
        let reply = ask(&mut client, "/look", &many, 2);
        assert_eq!((reply.text(), reply.header("set-cookie")), ("2", None));
        assert_eq!(spy.calls(), ["load"]);
        // What failed is as if it had not been.
        assert_eq!(ask(&mut client, "/fail", pair, 3).status.code(), 500);
        assert_eq!(spy.calls(), ["load"]);
        assert_eq!(ask(&mut client, "/look", pair, 3).text(), "2");
    }
}

#[test]
fn under_tls_the_cookie_is_secure() {
    let spy = Spy::new(false);
    let reply = app(&spy).get("/count").header("X-TLS", "1").send();
    assert!(reply.header("set-cookie").unwrap().contains("; Secure;"));
    let mut always = App::new();
    always.wrap(Sessions::new(Arc::clone(&spy)).name("__Host-id").secure());
    always.get("/", |request: &mut Request| session(request).set("a", "1"));
    let reply = TestClient::new(always).get("/").send();
    let line = reply.header("set-cookie").unwrap();
    assert!(line.starts_with("__Host-id=") && line.contains("; Secure;"), "{line}");
}

#[test]
fn ids_that_clients_make_up_are_not_taken_over() {
    let spy = Spy::new(true);
    let mut client = app(&spy);
    let made_up = format!("session={}", "a".repeat(40));
    let reply = ask(&mut client, "/count", &made_up, 0);
    assert_eq!((spy.calls(), reply.text()), (vec!["load", "create"], "1"));
    assert_ne!(cookie(&reply), made_up);
    assert_eq!(ask(&mut client, "/look", &made_up, 0).text(), "none");
}

#[test]
fn a_login_changes_the_id_and_the_old_one_is_dead() {
    let spy = Spy::new(true);
    let mut client = app(&spy);
    let before = cookie(&ask(&mut client, "/count", "", 0));
    let after = cookie(&ask(&mut client, "/login", &before, 50));
    assert_ne!(before, after);
    assert_eq!(ask(&mut client, "/look", &after, 50).text(), "1");
    assert_eq!(ask(&mut client, "/look", &before, 50).text(), "none");
    let reply = ask(&mut client, "/logout", &after, 60);
    let line = reply.header("set-cookie").unwrap();
    assert_eq!(line, "session=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0");
    assert_eq!(ask(&mut client, "/look", &after, 60).text(), "none");
    assert!(spy.inner.is_empty());
}

#[test]
fn sessions_expire_when_idle_and_when_old() {
    let spy = Spy::new(false);
    let mut client = app(&spy);
    let mine = cookie(&ask(&mut client, "/count", "", 0));
    assert_eq!(ask(&mut client, "/look", &mine, 100).text(), "none");
    assert_eq!(ask(&mut client, "/look", &mine, 99).text(), "1");
    // Looking is enough: the 99 above moved its end.
    let mut now = 99;
    while now < 990 {
        spy.calls();
        let reply = ask(&mut client, "/plain", &mine, now + 60);
        now += 60;
        let left = 100.min(1000 - now);
        assert_eq!(spy.calls(), ["load", "touch"], "{now}");
        assert!(reply.header("set-cookie").unwrap().ends_with(&format!("Max-Age={left}")));
        if left < 100 {
            break;
        }
    }
    assert_eq!(ask(&mut client, "/look", &mine, 999).text(), "1");
    assert_eq!(ask(&mut client, "/look", &mine, 1000).text(), "none");
    // The next new session sweeps it away.
    ask(&mut client, "/count", "", 1000);
    assert_eq!(spy.inner.len(), 1);
}

#[test]
fn what_can_not_be_stored_is_not_promised() {
    for blocks in [false, true] {
        let spy = Spy::new(blocks);
        let mut client = app(&spy);
        let mine = cookie(&ask(&mut client, "/count", "", 0));
        let table = [(io::ErrorKind::StorageFull, 507), (io::ErrorKind::Other, 500)];
        for (kind, status) in table {
            *spy.broken.lock().unwrap() = Some(kind);
            let reply = ask(&mut client, "/count", "", 0);
            assert_eq!((reply.status.code(), reply.header("set-cookie")), (status, None));
            assert_eq!(ask(&mut client, "/look", &mine, 0).status.code(), 500);
            assert_eq!(ask(&mut client, "/plain", "", 0).status.code(), 200);
        }
        *spy.broken.lock().unwrap() = None;
        assert_eq!(ask(&mut client, "/count", &mine, 0).text(), "2");
    }
}

/// Sessions end while a request of theirs is answered.
#[test]
fn a_late_reply_does_not_bring_a_session_back() {
    let spy = Spy::new(false);
    let mut app = App::new();
    app.wrap(Sessions::new(Arc::clone(&spy)));
    app.get("/new", |request: &mut Request| session(request).set("a", "1"));
    let store = Arc::clone(&spy);
    app.get("/late", move |request: &mut Request| {
        // Meanwhile everything expires.
        store.inner.sweep(u64::MAX, usize::MAX).map(|_| ())?;
        session(request).set("a", "2").map_err(Reject::from)
    });
    let mut client = TestClient::new(app);
    let mine = cookie(&client.get("/new").send());
    let reply = client.get("/late").header("Cookie", &mine).send();
    assert_eq!((reply.status.code(), reply.header("set-cookie")), (204, None));
    assert!(spy.inner.is_empty());
}

#[test]
fn without_the_middleware_it_is_a_500() {
    let mut app = App::new();
    app.get("/", |request: &mut Request| session(request).set("a", "1"));
    assert_eq!(TestClient::new(app).get("/").send().status.code(), 500);
}
