//! The fixture: a server with one route for each thing that tests need.

use super::streams::{
    Checked, Checker, Failing, Guest, Pattern, Sleeper, Stuck, Ticks, Zeros, wake_when_open,
};
use super::{Client, PATIENCE, pattern, until};
use onepoll::app::{
    BodyMode, Done, Middleware, Reject, Reply, after, after_with, offload_now, ok, receive,
    redirect, stream,
};
use onepoll::http::{
    Body, ContentType, End, FileSpan, Intake, Method, OpenFile, Request, Response, Sink, Status,
};
use onepoll::server::Background;
use onepoll::stats::Stats;
use onepoll::{App, Config, Server};
use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// A running server and what its handlers have seen.
pub struct Fixture {
    pub server: Background,
    pub seen: Arc<Seen>,
    pub gate: Gate,
}

/// What happened inside of the server.
#[derive(Debug, Default)]
pub struct Seen {
    /// How exchanges ended: path and end, in that order.
    pub ends: Mutex<Vec<(String, End)>>,
    /// How far the farthest source has come, in bytes.
    pub pulled: AtomicU64,
    /// How far the latest sink has come.
    pub sunk: AtomicU64,
    pub sources_dropped: AtomicUsize,
    pub sinks_dropped: AtomicUsize,
    pub sinks_finished: AtomicUsize,
    /// Handlers that ran on the loop.
    pub handled: AtomicUsize,
}

impl Seen {
    /// How often an exchange of that path has ended in that way.
    pub fn ended(&self, path: &str, end: End) -> usize {
        let ends = self.ends.lock().expect("no test panics with it");
        ends.iter().filter(|(p, e)| p == path && *e == end).count()
    }
}

/// Holds threads back until a test lets them go.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<(Mutex<GateState>, Condvar)>);

#[derive(Debug, Default)]
struct GateState {
    entered: usize,
    open: bool,
}

impl Gate {
    /// Waits until it is open; not for ever, so that a failed test ends.
    pub fn wait(&self) {
        let (state, bell) = &*self.0;
        let mut state = state.lock().expect("no panic with the lock held");
        state.entered += 1;
        bell.notify_all();
        let open = bell.wait_timeout_while(state, PATIENCE, |state| !state.open);
        drop(open.expect("no panic with the lock held"));
    }

    pub fn open(&self) {
        let (state, bell) = &*self.0;
        state.lock().expect("no panic with the lock held").open = true;
        bell.notify_all();
    }

    pub fn is_open(&self) -> bool {
        self.0.0.lock().expect("no panic with the lock held").open
    }

    /// How many threads have come to it.
    pub fn entered(&self) -> usize {
        self.0.0.lock().expect("no panic with the lock held").entered
    }

    /// Waits until so many threads have come to it.
    #[track_caller]
    pub fn expect_entered(&self, count: usize) {
        until("threads at the gate", || self.entered() >= count);
    }
}

impl Fixture {
    pub fn new() -> Fixture {
        Fixture::with(Config::default())
    }

    #[track_caller]
    pub fn with(config: Config) -> Fixture {
        #[cfg(feature = "tls-self-signed")]
        if super::tls::is_everywhere() {
            return Fixture::tls(config, super::tls::shared());
        }
        Fixture::over(Server::bind("127.0.0.1:0").expect("a free port").config(config))
    }

    /// Over TLS.
    #[cfg(feature = "tls-self-signed")]
    #[track_caller]
    pub fn tls(config: Config, tls: &onepoll::net::tls::Tls) -> Fixture {
        let server = Server::bind_tls("127.0.0.1:0", tls).expect("a free port");
        Fixture::over(server.config(config))
    }

    /// With listeners of one's own.
    #[track_caller]
    pub fn over(server: Server) -> Fixture {
        let (seen, gate) = (Arc::<Seen>::default(), Gate::default());
        let (s, g) = (Arc::clone(&seen), gate.clone());
        let server = server.spawn(move || app(&s, &g)).expect("a server that starts");
        Fixture { server, seen, gate }
    }

    pub fn addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(self.addr())
    }

    pub fn stats(&self) -> &Stats {
        self.server.handle().stats()
    }

    /// Waits until the server has so many connections.
    #[track_caller]
    pub fn expect_open(&self, count: u64) {
        until(&format!("{count} open connections"), || self.stats().open.value() == count);
    }

    /// Waits until so many exchanges of that path have ended in that way.
    #[track_caller]
    pub fn expect_end(&self, path: &str, end: End, count: usize) {
        until(&format!("{path} {end:?}"), || self.seen.ended(path, end) == count);
    }
}

impl Default for Fixture {
    fn default() -> Fixture {
        Fixture::new()
    }
}

/// Writes down how exchanges end.
struct Witness(Arc<Seen>);

impl Middleware for Witness {
    fn done(&self, done: &Done<'_>) {
        let mut ends = self.0.ends.lock().expect("no test panics with it");
        ends.push((done.request.path().to_owned(), done.outcome.end));
    }
}

/// Larger than what sockets buffer by default, and not copied anywhere.
pub static LARGE: [u8; 16 << 20] = [b'x'; 16 << 20];

/// The application under test.
pub fn app(seen: &Arc<Seen>, gate: &Gate) -> App {
    let mut app = App::new();
    app.wrap(Witness(Arc::clone(seen)));
    plain(&mut app, seen);
    later(&mut app, gate);
    streams(&mut app, seen, gate);
    sinks(&mut app, seen, gate);
    app
}

/// Routes that answer at once.
fn plain(app: &mut App, seen: &Arc<Seen>) {
    let s = Arc::clone(seen);
    app.get("/hello", move |_: &mut Request| {
        s.handled.fetch_add(1, Ordering::Relaxed);
        "Hello, World!"
    });
    app.get("/number/{n}", |request: &mut Request| -> Result<String, Reject> {
        Ok(request.param::<u64>("n")?.to_string())
    });
    app.get("/bytes/{n}", |request: &mut Request| -> Result<Response, Reject> {
        let len = request.param::<usize>("n")?.min(64 << 20);
        Ok(ok(pattern(len)))
    });
    app.get("/large", |_: &mut Request| Body::Static(&LARGE));
    app.get("/file/{n}", |request: &mut Request| -> Result<Response, Reject> {
        let len = request.param::<usize>("n")?.min(64 << 20);
        Ok(ok(Body::File(FileSpan { file: temporary(len)?, offset: 0, len: len as u64 })))
    });
    // The file ends before the span does.
    app.get("/short-file/{n}", |request: &mut Request| -> Result<Response, Reject> {
        let len = request.param::<usize>("n")?.min(64 << 20);
        Ok(ok(Body::File(FileSpan { file: temporary(len)?, offset: 0, len: len as u64 + 1 })))
    });
    app.get("/204", |_: &mut Request| ());
    app.get("/304", |_: &mut Request| Response::new(Status::NOT_MODIFIED).header("ETag", "\"v1\""));
    app.get("/redirect", |_: &mut Request| redirect("/hello"));
    app.get("/panic", |_: &mut Request| -> &'static str { panic!("a handler that panics") });
    app.post("/hello", |_: &mut Request| "posted");
    app.post("/echo", |request: &mut Request| {
        let media = request.header("content-type").unwrap_or("text/plain").to_owned();
        Response::new(Status::OK)
            .header("Content-Type", media)
            .body(Body::Owned(request.take_body()))
    })
    .body_max(64 << 20);
    app.post("/small", |request: &mut Request| request.take_body()).body_max(10);
    // Answers without ever looking at the content.
    app.post("/early", |_: &mut Request| "early").body(BodyMode::Ignore);
    app.post("/trailers", |request: &mut Request| {
        let mut text = format!("{}\n", request.body().len());
        for (name, value) in request.trailers().iter() {
            text += &format!("{}: {}\n", name.to_ascii_lowercase(), value.escape_ascii());
        }
        text
    });
    app.get("/secure", |request: &mut Request| match request.client_certificate() {
        Some(shown) => Body::Owned(shown.der().to_vec()),
        None => Body::Owned(format!("{}\n", request.is_secure()).into_bytes()),
    });
    app.any("/mirror", mirror);
    app.any("/mirror/{*rest}", mirror);
}

/// What was understood of a request.
fn mirror(request: &mut Request) -> String {
    let mut text = format!(
        "{} {} {} {} {}\n",
        request.method().as_str(),
        request.path(),
        request.query().unwrap_or("-"),
        request.authority(),
        request.body().escape_ascii(),
    );
    for (name, value) in request.headers().iter() {
        text += &format!("{}: {}\n", name.to_ascii_lowercase(), value.escape_ascii());
    }
    text
}

/// Routes that answer later.
fn later(app: &mut App, gate: &Gate) {
    app.get("/after/{ms}", |request: &mut Request| -> Result<Reply, Reject> {
        let ms = request.param("ms")?;
        Ok(after(Duration::from_millis(ms), move || format!("after {ms}")))
    });
    app.post("/after-body/{ms}", |request: &mut Request| -> Result<Reply, Reject> {
        let time = Duration::from_millis(request.param("ms")?);
        Ok(after_with(time, |request: &mut Request| request.take_body()))
    });
    app.get("/job/{n}", |request: &mut Request| -> Result<Reply, Reject> {
        let n: u32 = request.param("n")?;
        Ok(offload_now(move |_: &mut Request| format!("job {n}")))
    });
    app.get("/panicking-job", |_: &mut Request| {
        offload_now(|_: &mut Request| -> &'static str { panic!("a job that panics") })
    });
    let g = gate.clone();
    app.get("/gate", move |_: &mut Request| {
        let gate = g.clone();
        offload_now(move |_: &mut Request| {
            gate.wait();
            "through the gate"
        })
    });
    app.route(Method::HEAD, "/gate", |_: &mut Request| ());
}

/// Routes whose content is pulled.
fn streams(app: &mut App, seen: &Arc<Seen>, gate: &Gate) {
    let s = Arc::clone(seen);
    app.get("/stream/{n}", move |request: &mut Request| -> Result<Response, Reject> {
        let source = Pattern { at: 0, len: request.param("n")?, seen: Arc::clone(&s) };
        Ok(stream(ContentType::BYTES, source))
    });
    let s = Arc::clone(seen);
    app.get("/sized/{n}", move |request: &mut Request| -> Result<Response, Reject> {
        let len = request.param("n")?;
        let source = Pattern { at: 0, len, seen: Arc::clone(&s) };
        Ok(ok(Body::Inline(Box::new(source), Some(len))))
    });
    let s = Arc::clone(seen);
    app.get("/blocking/{n}", move |request: &mut Request| -> Result<Response, Reject> {
        let source = Pattern { at: 0, len: request.param("n")?, seen: Arc::clone(&s) };
        Ok(ok(Body::Blocking(Box::new(source), None)))
    });
    app.get("/zeros/{n}", |request: &mut Request| -> Result<Response, Reject> {
        Ok(stream(ContentType::BYTES, Zeros { left: request.param("n")? }))
    });
    // Says more, or less, than comes.
    app.get("/liar/{said}", move |request: &mut Request| -> Result<Response, Reject> {
        let said = Some(request.param("said")?);
        Ok(ok(Body::Inline(Box::new(Zeros { left: 1000 }), said)))
    });
    app.get("/failing", |_: &mut Request| stream(ContentType::TEXT, Failing { begun: false }));
    app.get("/blocking-failing", |_: &mut Request| {
        Body::Blocking(Box::new(Failing { begun: false }), None)
    });
    let s = Arc::clone(seen);
    app.get("/ticks/{ms}", move |request: &mut Request| -> Result<Response, Reject> {
        let pause = Duration::from_millis(request.param("ms")?);
        Ok(stream(ContentType::EVENTS, Ticks { pause, seen: Arc::clone(&s) }))
    });
    let (s, g) = (Arc::clone(seen), gate.clone());
    app.get("/sleeper", move |request: &mut Request| {
        if let Some(wake) = request.waker() {
            wake_when_open(g.clone(), wake);
        }
        let source = Sleeper { begun: false, gate: g.clone(), seen: Arc::clone(&s) };
        stream(ContentType::TEXT, source)
    });
    let g = gate.clone();
    app.get("/stuck", move |_: &mut Request| {
        Body::Blocking(Box::new(Stuck { begun: false, gate: g.clone() }), None)
    });
    let guest = |polite| Box::new(Guest { begun: false, left: false, polite });
    app.get("/guest", move |_: &mut Request| Body::Inline(guest(true), None));
    app.get("/guest-blocking", move |_: &mut Request| Body::Blocking(guest(true), None));
    app.get("/guest-rude", move |_: &mut Request| Body::Inline(guest(false), None));
}

/// Routes that take content as it comes.
fn sinks(app: &mut App, seen: &Arc<Seen>, gate: &Gate) {
    const MAX: u64 = 8 << 30;
    fn checked(request: &mut Request) -> String {
        let checked = request.remove_extension::<Checked>();
        checked.map_or("none".into(), |c| format!("{} {}", c.count, c.whole))
    }
    let s = Arc::clone(seen);
    let inline = move |_: &mut Request| {
        let sink: Box<dyn Sink> = Box::new(Checker::new(&s));
        receive(Intake::Inline { sink, max: MAX }, checked)
    };
    app.post("/inline", inline).body(BodyMode::Ignore);
    let s = Arc::clone(seen);
    let blocking = move |_: &mut Request| {
        let sink: Box<dyn Sink> = Box::new(Checker::new(&s));
        receive(Intake::Blocking { sink, max: MAX }, checked)
    };
    app.post("/blocking", blocking).body(BodyMode::Ignore);
    let (s, g) = (Arc::clone(seen), gate.clone());
    let gated = move |_: &mut Request| {
        let mut sink = Checker::new(&s);
        sink.gate = Some(g.clone());
        receive(Intake::Blocking { sink: Box::new(sink), max: MAX }, checked)
    };
    app.post("/gated", gated).body(BodyMode::Ignore);
    for (path, kind, blocks) in [
        ("/full-disk", io::ErrorKind::StorageFull, true),
        ("/broken-disk", io::ErrorKind::BrokenPipe, false),
    ] {
        let s = Arc::clone(seen);
        let failing = move |_: &mut Request| {
            let mut sink = Checker::new(&s);
            sink.fails = Some(kind);
            let sink: Box<dyn Sink> = Box::new(sink);
            let intake = if blocks {
                Intake::Blocking { sink, max: MAX }
            } else {
                Intake::Inline { sink, max: MAX }
            };
            receive(intake, checked)
        };
        app.post(path, failing).body(BodyMode::Ignore);
    }
}

/// A file of the pattern without a name.
fn temporary(len: usize) -> io::Result<Arc<OpenFile>> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("onepoll-test-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    File::create(&path)?.write_all(&pattern(len))?;
    let file = File::open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(Arc::new(file.into()))
}
