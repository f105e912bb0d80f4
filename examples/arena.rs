//! A server for load tools and comparisons: one route for each thing that is
//! worth measuring, nothing but the ordinary public interface.
//!
//! ```text
//! cargo run --release --example arena -- --port 8080 --root ./public
//!
//! GET  /plaintext              Hello, World!                     a constant
//! GET  /json                   {"message":"Hello, World!"}       serialised each time
//! GET  /users/{id}             {"id":"42"}                       a parameter, escaped
//! POST /echo                   the same bytes and media type     content in and out
//! GET, POST /baseline11?a=&b=  the sum of query and content      parsing
//! GET  /delay/{ms}             the time, when it is over         the timer wheel
//! GET  /static/{*path}         a file below --root               disk, helpers
//! GET  /events                 an event each 100 ms              a stream
//! ```

use onepoll::app::{Reject, Reply, after, json, stream};
use onepoll::files::Files;
use onepoll::http::form::query_pairs;
use onepoll::http::{Body, ContentType, Pull, Request, Response, Source};
use onepoll::{App, Config, Error, Limits, Server};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

/// Between two events of `/events`.
const EVENT_EVERY: Duration = Duration::from_millis(100);
/// The longest time that `/delay/{ms}` sleeps: an hour, in milliseconds.
const DELAY_MAX: u64 = 3_600_000;
/// Content that `/echo` takes unless `--body-max` says otherwise, in bytes.
const BODY_MAX: u64 = 64 << 20;

const USAGE: &str = "\
Usage: arena [OPTIONS]

  --port N             TCP port on 127.0.0.1; 0 for any that is free [default: 8080]
  --root DIR           the folder behind /static/ [default: no such route]
  --head-timeout S     seconds for a request's head, and for its first byte
  --body-timeout S     seconds that a request's content may stall
  --idle-timeout S     seconds that a connection may be idle between requests
  --write-timeout S    seconds that a client may stall when it is sent something
  --body-max BYTES     the largest request content taken [default: 67108864]
  --connections-max N  connections at once; beyond: 503
  --help               this text
";

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("arena: {why}");
            return ExitCode::from(2);
        }
    };
    match serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("arena: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(options: Options) -> Result<(), Error> {
    let app = app(&options)?;
    let server =
        Server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)))?.config(options.config);
    let address = server.local_addr()?;
    // Whoever started this waits for the line; if the pipe is gone, so be it.
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "listening on http://{address}").and_then(|()| stdout.flush());
    server.run(app)
}

fn app(options: &Options) -> Result<App, Error> {
    let mut app = App::new();
    app.body_max(options.config.limits.body_max);
    let plain_text = plain();
    app.get("/plaintext", move |_: &mut Request| {
        Response::default().content(plain_text.clone(), Body::Static(b"Hello, World!"))
    });
    app.get("/json", |_: &mut Request| {
        object("{\"message\":\"Hello, World!\"}".len(), "message", "Hello, World!")
    });
    app.get("/users/{id}", |request: &mut Request| {
        let id = request.params().get("id").unwrap_or("");
        object("{\"id\":\"\"}".len() + id.len(), "id", id)
    });
    app.post("/echo", echo);
    app.get("/baseline11", baseline11);
    app.post("/baseline11", baseline11);
    app.get("/delay/{ms}", delay);
    app.get("/events", |_: &mut Request| {
        stream(ContentType::EVENTS, Events { next: 0, last: false })
            .header("Cache-Control", "no-store")
    });
    if let Some(root) = &options.root {
        app.get("/static/{*path}", Files::new(root)?.handler());
    }
    Ok(app)
}

/// Exactly `text/plain`, as load tools expect it: the library's own
/// [`ContentType::TEXT`] names the charset as well.
fn plain() -> ContentType {
    ContentType::new("text/plain").unwrap_or(ContentType::TEXT)
}

/// An object of one member, written into a buffer of about the right size.
fn object(size: usize, name: &str, value: &str) -> Response {
    let mut text = String::with_capacity(size);
    json::object_in(&mut text, |object| object.set(name, value));
    Response::default().json(text)
}

fn echo(request: &mut Request) -> Result<Response, Reject> {
    let mut response = Response::default();
    if let Some(content_type) = request.headers().get("content-type") {
        let added = response.add_header("Content-Type", content_type);
        added.map_err(|error| Reject::bad(error.to_string()))?;
    }
    Ok(response.body(Body::Owned(request.take_body())))
}

/// Adds up what the query and the content hold; what is empty counts as zero.
fn baseline11(request: &mut Request) -> Result<Response, Reject> {
    let integer = |text: &str| match text.trim_ascii() {
        "" => Ok(0),
        text => i64::from_str(text).map_err(|_| Reject::bad("not an integer")),
    };
    let content = std::str::from_utf8(request.body()).map_err(|_| Reject::bad("not an integer"))?;
    let mut sum = integer(content)?;
    for (_, value) in query_pairs(request.query().unwrap_or("")) {
        let next = sum.checked_add(integer(&value)?);
        sum = next.ok_or_else(|| Reject::bad("the sum is too large"))?;
    }
    Ok(Response::default().content(plain(), Body::Owned(sum.to_string().into_bytes())))
}

fn delay(request: &mut Request) -> Result<Reply, Reject> {
    let ms: u64 = request.param("ms")?;
    if ms > DELAY_MAX {
        return Err(Reject::bad("the delay is longer than an hour"));
    }
    Ok(after(Duration::from_millis(ms), move || format!("{ms} ms\n")))
}

/// Server-sent events without end: a number each.
struct Events {
    next: u64,
    last: bool,
}

impl Source for Events {
    fn pull(&mut self, out: &mut Vec<u8>, _room: usize) -> std::io::Result<Pull> {
        write!(out, "id: {0}\ndata: event {0}\n\n", self.next)?;
        self.next += 1;
        Ok(if self.last { Pull::End } else { Pull::After(EVENT_EVERY) })
    }

    fn leave(&mut self) -> bool {
        self.last = true;
        true
    }
}

/// The command line.
struct Options {
    port: u16,
    root: Option<PathBuf>,
    config: Config,
}

impl Options {
    /// `None`: help was asked for.
    ///
    /// # Errors
    /// One line that says what is wrong.
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
        let mut options = Options {
            port: 8080,
            root: None,
            config: Config {
                limits: Limits { body_max: BODY_MAX, ..Limits::default() },
                // Load tools count a connection that closes as an error.
                requests_per_connection: u32::MAX,
                ..Config::default()
            },
        };
        while let Some(arg) = args.next() {
            let (flag, value) = match arg.split_once('=') {
                Some((flag, value)) => (flag, Some(value.to_owned())),
                None => (arg.as_str(), None),
            };
            if matches!(flag, "--help" | "-h") {
                return Ok(None);
            }
            let mut value = || {
                let value = value.clone().or_else(|| args.next());
                value.ok_or_else(|| format!("{flag} needs a value"))
            };
            options.set(flag, &mut value)?;
        }
        options.config.check().map_err(|error| error.to_string())?;
        Ok(Some(options))
    }

    fn set(
        &mut self,
        flag: &str,
        value: &mut dyn FnMut() -> Result<String, String>,
    ) -> Result<(), String> {
        let config = &mut self.config;
        match flag {
            "--port" => self.port = number(flag, &value()?)?,
            "--root" => self.root = Some(value()?.into()),
            "--head-timeout" => {
                config.head_timeout = seconds(flag, &value()?)?;
                config.first_timeout = config.head_timeout;
            }
            "--body-timeout" => config.body_timeout = seconds(flag, &value()?)?,
            "--idle-timeout" => config.idle_timeout = seconds(flag, &value()?)?,
            "--write-timeout" => config.write_timeout = seconds(flag, &value()?)?,
            "--body-max" => config.limits.body_max = number(flag, &value()?)?,
            "--connections-max" => config.connections_max = number(flag, &value()?)?,
            _ => return Err(format!("{flag:?} is no option; --help lists them")),
        }
        Ok(())
    }
}

fn number<T: FromStr>(flag: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{flag} {text:?}: not a number, or out of range"))
}

fn seconds(flag: &str, text: &str) -> Result<Duration, String> {
    let time = text.parse().ok().and_then(|n| Duration::try_from_secs_f64(n).ok());
    time.ok_or_else(|| format!("{flag} {text:?}: not a number of seconds"))
}
