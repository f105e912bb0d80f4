//! One of several processes that serve the same site: what they must agree on lies
//! in Redis, so it does not matter which of them answers, or which of them dies.
//!
//! ```text
//!              .--> cluster ONE --.
//!   nginx -----+                  +----> Redis: sessions, quotas
//!              '--> cluster TWO --'
//! ```
//!
//! `examples/deploy/cluster/run.sh` starts all of it on one machine. By hand:
//!
//! ```text
//! cargo run --release --features redis --example cluster -- 8001 redis://127.0.0.1:6379 one
//! ```
//!
//! | Path | What it shows |
//! |---|---|
//! | `/` | visits, counted in the session, and who answered (`X-Served-By`, too) |
//! | `/login`, `/logout` | a new id for who comes in; ten tries a minute, counted together |
//! | `/livez`, `/readyz` | for whoever watches; not ready while Redis is gone |
//! | `/metrics` | this process's own numbers: ask each |
//!
//! A password is not what this is about: everybody's is `open sesame`.

use onepoll::app::html::escaped;
use onepoll::handlers::{Health, Metrics};
use onepoll::http::Networks;
use onepoll::kv::Redis;
use onepoll::middleware::{RateLimit, RedisRates};
use onepoll::session::{RedisStore, Sessions, check_csrf, session};
use onepoll::{App, Config, Handle, Method, Reject, Request, Response, Server, Status, redirect};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::process::ExitCode;
use std::time::Duration;

/// How long requests that are under way may take once the process is to end.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);
/// Tries to come in that each client has in a minute, whoever answers them.
const TRIES: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);
const PASSWORD: &str = "open sesame";
/// Characters of a name that are kept.
const NAME_MAX: usize = 40;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("cluster: {why}\nusage: cluster [PORT [REDIS [NAME]]]");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let port: u16 = args.next().map_or(Ok(8001), |port| port.parse())?;
    let redis = args.next().unwrap_or("redis://127.0.0.1:6379".to_owned());
    let name = args.next().unwrap_or("one".to_owned());
    simple_logger::SimpleLogger::new().with_level(log::LevelFilter::Warn).env().init()?;

    // The proxy is on this machine, and whoever it says the client is, is the client:
    // else all of them would have one quota together.
    let config = Config { trusted: Networks::parse(["127.0.0.1"])?, ..Config::default() };
    let server = Server::bind(("127.0.0.1", port))?.config(config);
    let address = server.local_addr()?;
    let running = server.start(app(&Redis::new(&redis)?, &name))?;
    watch_signals(running.handle())?;
    println!("{name} listens on http://{address}");
    Ok(running.run()?)
}

/// Ctrl-C and SIGTERM let requests finish; a second one does not.
fn watch_signals(handle: Handle) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let wait = move || {
        let mut asked = signals.forever();
        asked.next();
        handle.drain(DRAIN_LIMIT);
        asked.next();
        handle.stop();
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
    Ok(())
}

/// The application: all processes have the same, but for the name.
fn app(redis: &Redis, name: &str) -> App {
    let mut app = App::new();
    let (up, failures) = (redis.clone(), redis.clone());
    Metrics::new()
        .gauge("cluster_redis_up", "Whether Redis is asked.", move || f64::from(up.is_up()))
        .counter("cluster_redis_failures_total", "Calls of Redis that failed.", move || {
            failures.failures() as f64
        })
        .mount(&mut app, "/metrics");
    let store = redis.clone();
    Health::new()
        .check("redis", move || if store.is_up() { Ok(()) } else { Err("it is gone".into()) })
        .mount(&mut app);

    let served_by = name.to_owned();
    app.after(move |_, response| {
        // A name that can't be in a field is left out.
        let _ = response.set_header("X-Served-By", &served_by);
    });
    app.wrap(Sessions::new(RedisStore::new(redis.clone())));
    let name = name.to_owned();
    app.get("/", move |request: &mut Request| home(&name, request));
    app.post("/logout", |request: &mut Request| -> Result<Response, Reject> {
        check_csrf(request)?;
        session(request).destroy();
        Ok(redirect("/"))
    });
    let rates = RedisRates::new(redis.clone()).prefix("cluster:login:");
    app.scope("/login", |app| {
        let tries = RateLimit::sliding(TRIES, MINUTE).shared(rates);
        app.wrap(tries.key(|request, keys| {
            // Looking at a page is free.
            (*request.method() == Method::POST).then(|| keys.peer(request))
        }));
        app.post("", login);
    });
    app
}

/// Counts the visit and shows what is known of the visitor.
fn home(name: &str, request: &mut Request) -> Result<Response, Reject> {
    let session = session(request);
    let visits = session.parse("visits").unwrap_or(0u64).saturating_add(1);
    session.set("visits", visits.to_string())?;
    let token = session.csrf_token()?;
    let token = format!(r#"<input type="hidden" name="_csrf" value="{token}">"#);
    let form = match session.get("user") {
        Some(user) => format!(
            "<p>You are <b id=\"user\">{}</b>.</p>\n\
             <form method=\"post\" action=\"/logout\">{token}<button>Leave</button></form>",
            escaped(user)
        ),
        None => format!(
            "<form method=\"post\" action=\"/login\">{token}\n\
             <label>Name <input name=\"user\" required></label>\n\
             <label>Password <input name=\"password\" type=\"password\"></label>\n\
             <button>Come in</button></form>"
        ),
    };
    Ok(Response::default().html(format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Cluster</title>\n\
         <h1>Visit <span id=\"visits\">{visits}</span></h1>\n\
         <p>This was answered by <b>{}</b>.</p>\n{form}\n</html>\n",
        escaped(name)
    )))
}

/// Lets in who knows the word. The id is another one from then on, so that nobody who
/// planted the old one comes in with them.
fn login(request: &mut Request) -> Result<Response, Reject> {
    check_csrf(request)?;
    let form = request.form()?;
    let user: String = form.need("user")?.chars().take(NAME_MAX).collect();
    if form.need("password")? != PASSWORD {
        return Ok(Response::new(Status::FORBIDDEN).text("This is not the password.\n"));
    }
    let session = session(request);
    session.rotate();
    session.set("user", user)?;
    Ok(redirect("/"))
}
