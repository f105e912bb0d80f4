//! A client in memory: requests go straight into a [`Service`].
//!
//! It plays the engine's part without its machinery: jobs run at once on the
//! calling thread, sleeps are skipped, content is fed to its intake in pieces,
//! streams are pulled to their end. So a test of an application needs no port,
//! no thread and no waiting, and a handler's mistakes show in its own test.

use crate::http::{
    Body, End, Exchange, FileSpan, Headers, Intake, Method, Outcome, Part, Pull, Refusal, Request,
    Service, Source, Span, Status, Step,
};
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// How content is cut up on its way to an [`Intake`], in bytes: small, so that
/// even a test's few words come in several pieces.
const PIECE: usize = 7;
/// What a stream is asked for at once, in bytes, and how often: an endless one
/// is given up after that.
const ROOM: usize = 16 * 1024;
const PULLS_MAX: usize = 4096;
/// Steps of one exchange: more is an application that turns in circles.
const STEPS_MAX: usize = 1000;

/// Sends requests to an application in memory; see [`App`](super::App) for an
/// example.
#[derive(Debug)]
pub struct TestClient<S> {
    service: S,
}

/// A request in the making.
#[derive(Debug)]
#[must_use]
pub struct TestRequest<'a, S> {
    client: &'a mut TestClient<S>,
    exchange: Box<Exchange>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
#[non_exhaustive]
pub struct TestResponse {
    /// The status.
    pub status: Status,
    /// The field lines, `Content-Type` among them; none of the engine's.
    pub headers: Headers,
    /// The content: streams pulled, files read; none for `HEAD`.
    pub body: Vec<u8>,
    /// Whether the content came to its end. A stream that waits for a wake, or
    /// fails, or has no end, does not.
    pub complete: bool,
    /// Whether the connection is to close.
    pub closes: bool,
    /// The sleeps that were skipped, added up.
    pub slept: Duration,
}

impl<S: Service> TestClient<S> {
    /// A client of that application.
    pub fn new(service: S) -> TestClient<S> {
        TestClient { service }
    }

    /// The application, for a look inside.
    pub fn service(&mut self) -> &mut S {
        &mut self.service
    }

    /// A `GET` request.
    pub fn get(&mut self, target: &str) -> TestRequest<'_, S> {
        self.request(Method::GET, target)
    }

    /// A `POST` request.
    pub fn post(&mut self, target: &str) -> TestRequest<'_, S> {
        self.request(Method::POST, target)
    }

    /// Any request.
    pub fn request(&mut self, method: Method, target: &str) -> TestRequest<'_, S> {
        let mut exchange = Box::<Exchange>::default();
        exchange.request = Request::new(method, target);
        if !target.starts_with('/') {
            exchange.request.path = Span::default();
        }
        TestRequest { client: self, exchange, body: Vec::new() }
    }
}

impl<S: Service> TestRequest<'_, S> {
    /// With one more field line.
    ///
    /// # Panics
    /// If it can't be one: this is for tests.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let request = &mut self.exchange.request;
        if let Err(error) = request.headers.add(name, value) {
            panic!("{name}: {error}");
        }
        if name.eq_ignore_ascii_case("host") {
            request.authority = request
                .headers
                .fields
                .last()
                .map_or(Span::default(), |&field| Request::value_span(field));
        }
        self
    }

    /// As if it came over TLS.
    pub fn secure(mut self) -> Self {
        self.exchange.request.origin.secure = true;
        self
    }

    /// With this content and its length declared.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.exchange.request.content_length = Some(self.body.len() as u64);
        self
    }

    /// With this content in chunks, its length not declared.
    pub fn chunked(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.exchange.request.chunked = true;
        self
    }

    /// Sends it and waits for the end.
    ///
    /// # Panics
    /// If the application does not come to an answer.
    pub fn send(self) -> TestResponse {
        let TestRequest { client, exchange, body } = self;
        let service = &mut client.service;
        let started = exchange.request.now().instant;
        let mut slept = Duration::ZERO;
        let mut step = service.begin(exchange);
        for _ in 0..STEPS_MAX {
            step = match step {
                Step::Respond(exchange) => return end(service, exchange, started, slept),
                Step::Receive(mut exchange, intake) => {
                    exchange.failed = feed(&mut exchange.request, &body, intake).err();
                    service.resume(exchange)
                }
                Step::Offload(mut exchange, job) => {
                    (job.run)(&mut exchange);
                    service.resume(exchange)
                }
                Step::Sleep(exchange, time) => {
                    slept += time;
                    service.resume(exchange)
                }
            };
        }
        panic!("no answer after {STEPS_MAX} steps");
    }
}

impl TestResponse {
    /// The content as text.
    ///
    /// # Panics
    /// If it is not UTF-8.
    pub fn text(&self) -> &str {
        match std::str::from_utf8(&self.body) {
            Ok(text) => text,
            Err(error) => panic!("the content is no text: {error}"),
        }
    }

    /// The first value of a field, if it is UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.text(name)
    }
}

fn end<S: Service>(
    service: &mut S,
    mut exchange: Box<Exchange>,
    started: Instant,
    slept: Duration,
) -> TestResponse {
    let mut headers = exchange.response.headers().clone();
    if let Some(content_type) = exchange.response.content_type() {
        let _ = headers.set("Content-Type", content_type.as_str());
    }
    let status = exchange.response.status();
    let content = exchange.response.take_body();
    let bare = *exchange.request.method() == Method::HEAD || status.is_bodiless();
    let (body, complete) = if bare { (Vec::new(), true) } else { read(content) };
    let outcome = Outcome {
        status,
        bytes: body.len() as u64,
        started,
        ended: exchange.request.now(),
        end: if complete { End::Sent } else { End::Cut },
    };
    service.finish(&mut exchange, &outcome);
    let closes = exchange.response.closes();
    TestResponse { status, headers, body, complete, closes, slept }
}

/// Brings the content in, as the engine would. An error is the status to fail with.
fn feed(request: &mut Request, body: &[u8], intake: Intake) -> Result<(), Status> {
    match intake {
        Intake::Buffer { max } if body.len() as u64 > max => Err(Status::CONTENT_TOO_LARGE),
        Intake::Buffer { .. } => {
            request.set_body(body);
            Ok(())
        }
        Intake::Inline { mut sink, max } | Intake::Blocking { mut sink, max } => {
            // What is too long is only found out when it is: the sink has seen the rest.
            let allowed = body.get(..max as usize).unwrap_or(body);
            let poured = allowed.chunks(PIECE).try_for_each(|piece| sink.write(piece));
            poured.map_err(|error| refused(request, &error))?;
            if allowed.len() < body.len() {
                return Err(Status::CONTENT_TOO_LARGE);
            }
            sink.finish(request).map_err(|error| refused(request, &error))
        }
    }
}

fn refused(request: &mut Request, error: &io::Error) -> Status {
    let refusal = Refusal::of(error);
    let status = refusal.status;
    request.extend(refusal);
    status
}

/// The content, and whether that is all of it.
fn read(body: Body) -> (Vec<u8>, bool) {
    match body {
        Body::File(span) => read_file(&span).map_or((Vec::new(), false), |bytes| (bytes, true)),
        Body::Pieces(parts) => {
            let read = |part: &Part| match part {
                Part::File(span) => read_file(span).ok(),
                other => other.bytes().map(<[u8]>::to_vec),
            };
            let read: Vec<_> = parts.iter().map_while(read).collect();
            let complete = read.len() == parts.len();
            (read.concat(), complete)
        }
        Body::Inline(mut source, len) | Body::Blocking(mut source, len) => {
            let (bytes, ended) = pull(source.as_mut());
            let whole = len.is_none_or(|len| len == bytes.len() as u64);
            (bytes, ended && whole)
        }
        other => (other.bytes().unwrap_or(&[]).to_vec(), true),
    }
}

fn read_file(span: &FileSpan) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; span.len as usize];
    span.file.file.read_exact_at(&mut bytes, span.offset)?;
    Ok(bytes)
}

fn pull(source: &mut dyn Source) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    for _ in 0..PULLS_MAX {
        match source.pull(&mut out, ROOM) {
            Ok(Pull::More | Pull::After(_)) => {}
            Ok(Pull::End) => return (out, true),
            Ok(Pull::Pending) | Err(_) => return (out, false),
        }
    }
    (out, false)
}
