//! The climb: what is measured, in which order, and within which time.
//!
//! ```text
//!   all levels at once    questions                            some seconds
//!   level by level        alone:      1, 10, 100 .. connections
//!                         in company: 1, 10, 100 .. connections, strangers among them
//! ```
//!
//! Each of these has a fresh process, so that none inherits the memory of another. The
//! time is shared out among the runs that are left, again before each: one that takes
//! too long takes it from all that follow, not from the last.

use crate::level::Level;
use crate::options::{Climb, demo};
use crate::page;
use crate::questions::{self, Answers};
use crate::server::{Server, Usage};
use crate::site;
use crate::strangers::{Slowloris, Strangers};
use crate::table;
use onepoll::bench::{ErrorKind, Plan, Progress, Report, Stop, run_with};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::error::Error;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// All that was measured of a level.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) level: &'static Level,
    pub(crate) answers: Answers,
    pub(crate) slowloris: Slowloris,
    pub(crate) cells: Vec<Cell>,
}

/// A level with so many connections.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) connections: usize,
    pub(crate) alone: Option<Measured>,
    pub(crate) company: Option<Measured>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    /// Successes a second.
    pub(crate) rate: f64,
    /// Of successes; `None`: there were none.
    pub p99: Option<Duration>,
    /// Connections that couldn't be made, and requests without a reply, as far as they
    /// are no more than the connections. Of a crowd: at least.
    pub(crate) unanswered: usize,
    pub(crate) usage: Usage,
}

/// The whole climb.
pub(crate) struct Ascent {
    pub(crate) rows: Vec<Row>,
    /// What was left out, and why.
    pub(crate) notes: Vec<String>,
    pub(crate) took: Duration,
}

/// The share of a run's time in which requests are begun; in the rest they may end.
const LOADED: f64 = 0.4;
const LOADED_MAX: Duration = Duration::from_millis(1200);
/// The share in which the connections of a crowd are made, one after the other, so that
/// it is the replies that are measured and not the queue at the door.
const RAMP: f64 = 0.2;
/// Who has no reply after this long has none.
const TIMEOUT: Duration = Duration::from_millis(1000);
/// With less time than this a run says nothing.
const RUN_MIN: Duration = Duration::from_millis(60);
/// How often threads and memory are looked at.
const SAMPLE: Duration = Duration::from_millis(20);
/// Descriptors of a process beside those of its clients.
const OTHERS: usize = 100;

/// Measures what is asked for and writes it down.
///
/// # Errors
/// No level could be started, or nothing be written.
pub(crate) fn climb(climb: &Climb) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    demo(&climb.out)?;
    let mut notes = Vec::new();
    let connections = affordable(&climb.connections, &mut notes);
    eprintln!("asking each level some questions");
    let answers = ask_all(climb)?;
    let mut rows = Vec::new();
    let weights: f64 = connections.iter().copied().map(weight).sum();
    let mut left = climb.levels.len() as f64 * weights * 2.0;
    let mut share = |connections| {
        let weight = weight(connections);
        let time = climb.time.saturating_sub(began.elapsed()).mul_f64((weight / left).min(1.0));
        left -= weight;
        time
    };
    print!("{}", table::head());
    for (level, answers) in climb.levels.iter().zip(answers) {
        println!("\n{}: {}", level.title(), level.breaks);
        rows.push(measure(level, answers, climb, &connections, &mut share)?);
        if let Some(row) = rows.last() {
            print!("{}", table::row(row));
        }
    }
    let ascent = Ascent { rows, notes, took: began.elapsed() };
    print!("{}", table::summary(&ascent));
    page::write(&ascent, &climb.out)?;
    println!("\ncharts: {}", climb.out.join("index.html").display());
    Ok(())
}

/// Raises the limit of open files, for this process and those that it starts, and
/// leaves out what is beyond it all the same.
fn affordable(connections: &[usize], notes: &mut Vec<String>) -> Vec<usize> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(OTHERS);
    let (fit, beyond): (Vec<usize>, Vec<usize>) = connections.iter().partition(|n| **n <= most);
    for count in beyond {
        notes.push(format!("{count} connections left out: more than open files allow (ulimit -n)"));
    }
    fit
}

/// All at once: they mostly wait.
fn ask_all(climb: &Climb) -> Result<Vec<Answers>, Box<dyn Error>> {
    let started = climb.levels.iter().map(|level| Server::start(level, &climb.out));
    let servers = started.collect::<Result<Vec<_>, _>>()?;
    let ask = |server: &Server| {
        let address = server.address;
        thread::spawn(move || questions::ask(address))
    };
    let asked: Vec<_> = servers.iter().map(ask).collect();
    Ok(asked.into_iter().map(|answers| answers.join().unwrap_or_default()).collect())
}

fn measure(
    level: &'static Level,
    answers: Answers,
    climb: &Climb,
    connections: &[usize],
    share: &mut impl FnMut(usize) -> Duration,
) -> Result<Row, Box<dyn Error>> {
    let server = Server::start(level, &climb.out)?;
    let alone: Vec<_> =
        connections.iter().map(|count| load(&server, *count, share(*count))).collect();
    drop(server);
    let server = Server::start(level, &climb.out)?;
    let strangers = Strangers::come(server.address)?;
    let company: Vec<_> =
        connections.iter().map(|count| load(&server, *count, share(*count))).collect();
    let slowloris = strangers.leave();
    let cells = connections.iter().zip(alone).zip(company);
    let cell =
        |((count, alone), company): ((&usize, _), _)| Cell { connections: *count, alone, company };
    Ok(Row { level, answers, slowloris, cells: cells.map(cell).collect() })
}

/// Crowds need time to come in.
fn weight(connections: usize) -> f64 {
    match connections {
        5_000.. => 3.0,
        500.. => 1.5,
        _ => 1.0,
    }
}

/// One load, which ends after `time`. `None`: there was no time for it.
fn load(server: &Server, connections: usize, time: Duration) -> Option<Measured> {
    let loaded = time.mul_f64(LOADED).min(LOADED_MAX);
    if loaded < RUN_MIN {
        return None;
    }
    // Those for whom the queue at the door has room come at once: then the first
    // request of each is counted, whether it is answered or not.
    let crowd = connections > site::QUEUE as usize;
    let ramp = if crowd { time.mul_f64(RAMP) } else { Duration::ZERO };
    let timeout = TIMEOUT.min(time.saturating_sub(loaded + ramp));
    let plan = Plan::new(&format!("http://{}/hello", server.address)).ok()?;
    // No warm-up: a client that gets no reply at all asks only once, at the beginning.
    let plan = plan.connections(connections).warm(Duration::ZERO).duration(loaded);
    let plan = plan.ramp(ramp).timeout(timeout).expect_status(200, 200).pid(server.pid());
    let (stop, (over, ended)) = (Stop::default(), channel::<()>());
    let (report, usage) = thread::scope(|scope| {
        let watch = scope.spawn(|| {
            // Moved in, so that its end is noticed here.
            let ended = ended;
            let (began, mut most) = (Instant::now(), Usage::default());
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(SAMPLE) {
                let now = server.usage();
                most.threads = most.threads.max(now.threads);
                most.memory = most.memory.max(now.memory);
                if began.elapsed() > time {
                    stop.stop(); // and at the second time without ceremony
                }
            }
            most
        });
        let report = run_with(&plan, &stop, |_: &Progress| {});
        drop(over);
        (report, watch.join().unwrap_or_default())
    });
    // A server that nobody can connect to has answered nobody.
    let refused = Measured { unanswered: connections, usage, ..Measured::default() };
    Some(report.map_or(refused, |report| measured(&report, connections, usage)))
}

fn measured(report: &Report, connections: usize, usage: Usage) -> Measured {
    let unread = report.unfinished + report.errors_of(ErrorKind::Timeout);
    let errors = usize::try_from(report.error_count().max(unread)).unwrap_or(usize::MAX);
    Measured {
        rate: report.rate,
        p99: (report.ok > 0).then(|| report.response.percentile(99.0)),
        unanswered: if report.ok == 0 { connections } else { errors.min(connections) },
        usage,
    }
}
