//! How to load a server, and where to write what came of it.

use crate::cli::values;
use clap::ValueEnum;
use onepoll::Error;
use onepoll::bench::{Arrivals, Plan};
use std::path::PathBuf;
use std::time::Duration;

/// Everything that `onepoll bench` can be told.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    pub(crate) command: Option<BenchCommand>,

    /// http://host:port/target or unix:/path/of/socket:/target; several are chosen
    /// from, one with *3 behind it three times as often
    #[arg(value_name = "URL", required = true)]
    pub(crate) urls: Vec<String>,

    #[command(flatten)]
    pub(crate) limit: LimitArgs,

    #[command(flatten)]
    pub(crate) load: LoadArgs,

    /// Processes of the server on this machine: shows their CPU time and memory
    #[arg(long, value_name = "PID", value_delimiter = ',', help_heading = OUTPUT)]
    pub(crate) pid: Vec<u32>,

    #[command(flatten, next_help_heading = OUTPUT)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum BenchCommand {
    /// Compare two servers in rounds that take turns
    Compare(Box<CompareArgs>),
}

/// Everything that `onepoll bench compare` can be told.
#[derive(Debug, clap::Args)]
pub(crate) struct CompareArgs {
    /// The server to compare
    #[arg(value_name = "URL_A")]
    pub(crate) a: String,

    /// The server to compare it with
    #[arg(value_name = "URL_B")]
    pub(crate) b: String,

    /// Rounds; each measures both, in turns who is first
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u32).range(3..=10_000))]
    pub(crate) rounds: u32,

    /// How long each measurement of a round takes
    #[arg(short, long, value_name = "TIME", default_value = "1s")]
    #[arg(value_parser = values::timeout)]
    pub(crate) duration: Duration,

    #[command(flatten)]
    pub(crate) load: LoadArgs,

    /// Processes of A, for CPU time per request
    #[arg(long, value_name = "PID", value_delimiter = ',', help_heading = OUTPUT)]
    pub(crate) pid_a: Vec<u32>,

    /// Processes of B
    #[arg(long, value_name = "PID", value_delimiter = ',', help_heading = OUTPUT)]
    pub(crate) pid_b: Vec<u32>,

    /// Print JSON instead of a table
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) json: bool,
}

/// How long.
#[derive(Debug, clap::Args)]
pub(crate) struct LimitArgs {
    /// How long to measure [default: 10s]
    #[arg(short, long, value_name = "TIME", conflicts_with = "requests")]
    #[arg(value_parser = values::timeout, help_heading = LOAD)]
    duration: Option<Duration>,

    /// How many requests to measure, instead
    #[arg(short = 'n', long, value_name = "COUNT", help_heading = LOAD)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,
}

/// What is sent, how, and what is expected.
#[derive(Debug, clap::Args)]
pub(crate) struct LoadArgs {
    /// Connections
    #[arg(short, long, value_name = "COUNT", default_value_t = 50, help_heading = LOAD)]
    connections: usize,

    /// Threads; one is mostly enough
    #[arg(short, long, value_name = "COUNT", default_value_t = 1, help_heading = LOAD)]
    threads: usize,

    /// Requests under way on each connection
    #[arg(short, long, value_name = "COUNT", default_value_t = 1, help_heading = LOAD)]
    pipeline: usize,

    /// Start so many requests a second, whatever the server does (an open loop)
    #[arg(short = 'R', long, value_name = "PER_SECOND", help_heading = LOAD)]
    rate: Option<f64>,

    /// How the requests of --rate are spread
    #[arg(long, value_enum, value_name = "WAY", default_value_t = ArrivalsArg::Uniform)]
    #[arg(requires = "rate", help_heading = LOAD)]
    arrivals: ArrivalsArg,

    /// Load that is not measured, before [default: 500ms, none with -n]
    #[arg(long, value_name = "TIME", value_parser = values::duration, help_heading = LOAD)]
    warm: Option<Duration>,

    /// Open the connections one by one over this time
    #[arg(long, value_name = "TIME", value_parser = values::duration, help_heading = LOAD)]
    ramp: Option<Duration>,

    /// A reply, or a connection, that takes longer is an error
    #[arg(long, value_name = "TIME", default_value = "10s", help_heading = LOAD)]
    #[arg(value_parser = values::timeout)]
    timeout: Duration,

    /// A connection for each request
    #[arg(long, help_heading = LOAD)]
    connect_each: bool,

    /// Connections besides that do nothing
    #[arg(long, value_name = "COUNT", default_value_t = 0, help_heading = LOAD)]
    idle: usize,

    /// Connections besides that take 1024 bytes a second
    #[arg(long, value_name = "COUNT", default_value_t = 0, help_heading = LOAD)]
    slow_readers: usize,

    /// Connections besides that send a head without end, a byte a second
    #[arg(long, value_name = "COUNT", default_value_t = 0, help_heading = LOAD)]
    slowloris: usize,

    /// For what is drawn by lot
    #[arg(long, value_name = "NUMBER", default_value_t = 1, help_heading = LOAD)]
    seed: u64,

    /// The method [default: GET, or POST with a body]
    #[arg(short, long, help_heading = REQUEST)]
    method: Option<String>,

    /// A header field; may be repeated
    #[arg(short = 'H', long, value_name = "NAME: VALUE", help_heading = REQUEST)]
    #[arg(value_parser = field)]
    header: Vec<(String, String)>,

    /// The content; @FILE reads it from a file
    #[arg(short, long, value_name = "TEXT", help_heading = REQUEST)]
    body: Option<String>,

    /// Connect to this Unix socket, whatever the URL's host
    #[arg(long, value_name = "PATH", help_heading = REQUEST)]
    unix: Option<PathBuf>,

    /// What a reply must be: 200, 2xx, body=TEXT, body=@FILE or length=N; may be
    /// repeated [default: 2xx and 3xx]
    #[arg(long, value_name = "WHAT", value_parser = expectation, help_heading = REQUEST)]
    expect: Vec<Expectation>,
}

/// Where the results go.
#[derive(Debug, clap::Args)]
pub(crate) struct OutputArgs {
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,

    /// Write an HdrHistogram interval log
    #[arg(long, value_name = "FILE")]
    pub(crate) hdr: Option<PathBuf>,

    /// Write a page with charts
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// How requests of an open loop are spread. Without texts for the help, as elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ArrivalsArg {
    Uniform,
    Poisson,
}

/// Something that a reply must be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expectation {
    Status(u16, u16),
    Body(String),
    Length(u64),
}

impl LimitArgs {
    pub(crate) fn apply(&self, plan: Plan) -> Plan {
        match (self.requests, self.duration) {
            (Some(count), _) => plan.requests(count),
            (None, Some(time)) => plan.duration(time),
            (None, None) => plan,
        }
    }
}

impl LoadArgs {
    /// # Errors
    /// What is no URL, and files that can't be read.
    pub(crate) fn plan<'a>(&self, urls: impl IntoIterator<Item = &'a str>) -> Result<Plan, Error> {
        let mut plan: Option<Plan> = None;
        for url in urls {
            let url = self.url(url)?;
            plan = Some(match plan {
                None => Plan::new(&url)?,
                Some(plan) => plan.and(&url)?,
            });
        }
        let none = || Error::Config { field: "URL", why: "must be given".to_owned() };
        let mut plan = plan
            .ok_or_else(none)?
            .connections(self.connections)
            .threads(self.threads)
            .pipeline(self.pipeline)
            .ramp(self.ramp.unwrap_or_default())
            .timeout(self.timeout)
            .idle(self.idle)
            .slow_readers(self.slow_readers, 1024)
            .slowloris(self.slowloris)
            .seed(self.seed);
        if let Some(rate) = self.rate {
            let arrivals = match self.arrivals {
                ArrivalsArg::Uniform => Arrivals::Uniform,
                ArrivalsArg::Poisson => Arrivals::Poisson,
            };
            plan = plan.rate(rate, arrivals);
        }
        if let Some(warm) = self.warm {
            plan = plan.warm(warm);
        }
        if self.connect_each {
            plan = plan.connect_each();
        }
        self.requests(plan)
    }

    fn requests(&self, mut plan: Plan) -> Result<Plan, Error> {
        if let Some(method) = &self.method {
            plan = plan.method(method);
        }
        for (name, value) in &self.header {
            plan = plan.header(name, value);
        }
        if let Some(body) = &self.body {
            plan = plan.body(text_or_file(body)?);
        }
        for expectation in &self.expect {
            plan = match expectation {
                Expectation::Status(first, last) => plan.expect_status(*first, *last),
                Expectation::Body(text) => plan.expect_body(text_or_file(text)?),
                Expectation::Length(length) => plan.expect_length(*length),
            };
        }
        Ok(plan)
    }

    /// With `--unix`, the target of the URL at that socket.
    fn url(&self, url: &str) -> Result<String, Error> {
        let Some(path) = &self.unix else { return Ok(url.to_owned()) };
        let rest = url.strip_prefix("http://").unwrap_or(url);
        let target = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
        Ok(format!("unix:{}:{target}", path.display()))
    }
}

/// `@FILE` is what the file holds.
fn text_or_file(text: &str) -> Result<Vec<u8>, Error> {
    match text.strip_prefix('@') {
        None => Ok(text.as_bytes().to_vec()),
        Some(path) => {
            std::fs::read(path).map_err(|source| Error::File { path: path.into(), source })
        }
    }
}

fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected NAME: VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn expectation(text: &str) -> Result<Expectation, String> {
    let wrong = || "expected a status (200, 2xx), body=TEXT, body=@FILE or length=N".to_owned();
    if let Some(body) = text.strip_prefix("body=") {
        return Ok(Expectation::Body(body.to_owned()));
    }
    if let Some(length) = text.strip_prefix("length=") {
        return length.parse().map(Expectation::Length).map_err(|_| wrong());
    }
    if let Some(hundred @ ("1" | "2" | "3" | "4" | "5")) = text.strip_suffix("xx") {
        let first = hundred.parse::<u16>().map_err(|_| wrong())? * 100;
        return Ok(Expectation::Status(first, first + 99));
    }
    match text.parse() {
        Ok(status @ 100..=999) => Ok(Expectation::Status(status, status)),
        _ => Err(wrong()),
    }
}

const LOAD: &str = "Load";
const REQUEST: &str = "Requests and replies";
const OUTPUT: &str = "Results";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Args, Command};
    use clap::Parser;

    #[test]
    fn expectations_are_read() {
        assert_eq!(expectation("200"), Ok(Expectation::Status(200, 200)));
        assert_eq!(expectation("4xx"), Ok(Expectation::Status(400, 499)));
        assert_eq!(expectation("body=a=b"), Ok(Expectation::Body("a=b".to_owned())));
        assert_eq!(expectation("length=0"), Ok(Expectation::Length(0)));
        for wrong in ["", "2x", "9xx", "99", "1000", "length=", "length=-1", "ok"] {
            assert!(expectation(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_line_becomes_a_plan() {
        let line = "onepoll bench -c 9 -t 2 -p 3 -R 5 --arrivals poisson -d 2s --warm 0 -m PUT \
                    -H X:y -b abc --expect 2xx --pid 1,2 http://a/ http://a/b*2";
        let words = line.split_whitespace();
        let Command::Bench(args) = Args::try_parse_from(words).expect(line).command else {
            panic!("another command");
        };
        assert_eq!((args.urls.len(), args.pid.as_slice()), (2, &[1, 2][..]));
        let plan = args.load.plan(args.urls.iter().map(String::as_str)).expect(line);
        assert!(args.limit.apply(plan).check().is_ok());
    }

    #[test]
    fn nonsense_is_refused_by_the_parser() {
        for line in [
            "onepoll bench",
            "onepoll bench -d 1s -n 5 http://a",
            "onepoll bench -n 0 http://a",
            "onepoll bench --arrivals poisson http://a",
            "onepoll bench -H x http://a",
            "onepoll bench --expect x http://a",
            "onepoll bench compare http://a",
            "onepoll bench compare http://a http://b --rounds 2",
        ] {
            let error = Args::try_parse_from(line.split(' ')).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
