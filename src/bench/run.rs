//! A run from outside: threads are started, what they report is collected.

use super::cpu;
use super::job::Job;
use super::plan::{Load, Plan};
use super::report::{Interval, Latency, Report, ServerReport, ratio};
use super::shared::{Shared, Stop};
use super::tally::{ErrorKind, SLICE_NS, Slice, Tally, histogram};
use super::worker::{Done, Worker};
use crate::error::Error;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, SystemTime};

/// How it goes, while it goes.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Progress {
    /// Since the run began, connecting and warm-up included.
    pub elapsed: Duration,
    /// Successes so far.
    pub ok: u64,
    /// Errors so far.
    pub errors: u64,
    /// Successes a second, of the last second.
    pub rate: f64,
    /// Median response time of the last second.
    pub p50: Duration,
    /// 99th percentile of the last second.
    pub p99: Duration,
}

/// Runs a plan to its end.
///
/// # Errors
/// A plan that makes no sense ([`Error::Config`]), a server that no connection can be
/// made to ([`Error::Connect`]), a system that refuses what a loop needs.
pub fn run(plan: &Plan) -> Result<Report, Error> {
    run_with(plan, &Stop::default(), |_| {})
}

/// Runs a plan; `stop` ends it early, and `observe` is told some ten times a second
/// how it goes.
///
/// # Errors
/// As [`run`].
pub fn run_with(
    plan: &Plan,
    stop: &Stop,
    mut observe: impl FnMut(&Progress),
) -> Result<Report, Error> {
    let job = Job::new(plan)?;
    allow_descriptors(plan)?;
    if let Some(pid) = plan.pids.iter().find(|pid| !cpu::is_alive(**pid)) {
        return Err(Error::Config { field: "pid", why: format!("{pid}: no such process") });
    }
    let began = SystemTime::now();
    let shared = Shared::new(plan.threads, stop.clone());
    let (send, receive) = channel();
    let (job, shared) = (&job, &shared);
    let mut workers = Vec::new();
    for index in 0..plan.threads {
        workers.push(Worker::new(job, shared, index, send.clone())?);
    }
    drop(send);
    let (course, done) = thread::scope(|scope| {
        let mut threads = Vec::new();
        for worker in workers {
            let thread = thread::Builder::new().name("onepoll-bench".to_owned());
            let spawned = thread.spawn_scoped(scope, || worker.run());
            threads.push(spawned.map_err(Error::io("starting a thread"))?);
        }
        let course = collect(&receive, &mut observe);
        let mut done = Vec::new();
        for thread in threads {
            match thread.join() {
                Ok(result) => done.push(result?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok::<_, Error>((course, done))
    })?;
    let sum = done.iter().fold(Tally::new(), |mut sum, done| {
        sum.add(&done.tally);
        sum
    });
    if shared.start() == Some(super::shared::ABORTED)
        && let Some((origin, source)) = shared.take_failure()
    {
        let address = job.origins.get(origin).map_or("", |origin| &origin.name).to_owned();
        return Err(Error::Connect { address, source });
    }
    let mut report = report(plan, began, &sum, &done, course);
    report.stopped = stop.is_stopped();
    Ok(report)
}

/// The slices of all threads, put together.
struct Course {
    /// Slices in each, a power of two.
    width: u64,
    slices: BTreeMap<u64, Slice>,
}

/// More is more than a chart can show; beyond, two become one.
const INTERVALS_MAX: usize = 400;

fn collect(receive: &Receiver<Slice>, observe: &mut impl FnMut(&Progress)) -> Course {
    let mut course = Course { width: 1, slices: BTreeMap::new() };
    let mut recent: VecDeque<Slice> = VecDeque::new();
    let mut progress = Progress::default();
    for slice in receive {
        progress.ok += slice.ok;
        progress.errors += slice.errors;
        progress.elapsed = Duration::from_nanos((slice.index + 1) * SLICE_NS);
        course.add(&slice);
        recent.push_back(slice);
        let newest = recent.iter().map(|slice| slice.index).max().unwrap_or(0);
        recent.retain(|slice| slice.index + 10 > newest);
        let mut last_second = Slice::new(0);
        recent.iter().for_each(|slice| last_second.add(slice));
        let latency = Latency(last_second.response);
        let span = (newest + 1).min(10) * SLICE_NS;
        progress.rate = last_second.ok as f64 * 1e9 / span as f64;
        (progress.p50, progress.p99) = (latency.percentile(50.0), latency.percentile(99.0));
        observe(&progress);
    }
    course
}

impl Course {
    fn add(&mut self, slice: &Slice) {
        let at = slice.index / self.width;
        self.slices.entry(at).or_insert_with(|| Slice::new(at)).add(slice);
        if self.slices.len() > INTERVALS_MAX {
            self.width *= 2;
            for (at, slice) in std::mem::take(&mut self.slices) {
                let at = at / 2;
                self.slices.entry(at).or_insert_with(|| Slice::new(at)).add(&slice);
            }
        }
    }

    /// Those of the measurement, from and to in nanoseconds.
    fn intervals(self, (from, to): (u64, u64)) -> Vec<Interval> {
        let length = self.width * SLICE_NS;
        let within = |at: &u64| (at + 1) * length > from && at * length < to;
        let slices = self.slices.into_iter().filter(|(at, _)| within(at));
        let interval = |(at, slice): (u64, Slice)| Interval {
            from: Duration::from_nanos((at * length).saturating_sub(from)),
            length: Duration::from_nanos(length),
            ok: slice.ok,
            errors: slice.errors,
            received_bytes: slice.received_bytes,
            response: Latency(slice.response),
        };
        slices.map(interval).collect()
    }
}

fn report(plan: &Plan, began: SystemTime, sum: &Tally, done: &[Done], course: Course) -> Report {
    let from = done.iter().map(|done| done.window.0).min().unwrap_or(0);
    let to = done.iter().map(|done| done.window.1).max().unwrap_or(0).max(from);
    let elapsed = Duration::from_nanos(to - from);
    let kinds = ErrorKind::ALL.iter().copied().zip(sum.errors);
    let statuses = (0u16..).zip(sum.statuses.iter().copied());
    let server = done.iter().find_map(|done| done.server).map(|usage| ServerReport {
        user: usage.user,
        system: usage.system,
        rss: usage.rss,
        rss_peak: usage.rss_peak,
    });
    Report {
        urls: plan.urls.iter().map(ToString::to_string).collect(),
        began,
        elapsed,
        connections: plan.connections,
        connections_open: done.iter().map(|done| done.open).sum(),
        threads: plan.threads,
        pipeline: plan.pipeline,
        rate_intended: match plan.load {
            Load::Open { rate, .. } => Some(rate),
            Load::Closed => None,
        },
        rate: ratio(sum.in_window as f64, elapsed.as_secs_f64()),
        ok: sum.ok,
        errors: kinds.filter(|(_, count)| *count > 0).collect(),
        statuses: statuses.filter(|(_, count)| *count > 0).collect(),
        missed: done.iter().map(|done| done.missed).sum(),
        unfinished: done.iter().map(|done| done.unfinished).sum(),
        sent_bytes: sum.window_bytes.0,
        received_bytes: sum.window_bytes.1,
        reconnects: sum.reconnects,
        connect_failures: sum.connect_failures,
        resent: sum.resent,
        response: Latency(sum.response.clone()),
        service: Latency(sum.service.clone()),
        connect: Latency(sum.connect.clone()),
        intervals: course.intervals((from, to)),
        generator_cpu: done.iter().map(|done| done.cpu).collect(),
        server,
        guests: done.first().map(|done| done.guests).unwrap_or_default(),
        stopped: false,
    }
}

/// Descriptors besides the sockets: standard ones, polls, timers, files of `/proc`.
const OTHERS: u64 = 64;

/// Raises the limit of open files as far as it may be raised.
fn allow_descriptors(plan: &Plan) -> Result<(), Error> {
    let guests = &plan.guests;
    let sockets = plan.connections + guests.idle + guests.slow_readers + guests.slowloris;
    let needed = sockets as u64 + OTHERS + 4 * plan.threads as u64;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if let Some(most) = limit.maximum.filter(|most| *most < needed) {
        let why = format!("need {needed} open files, but only {most} are allowed (ulimit -n)");
        return Err(Error::Config { field: "connections", why });
    }
    limit.current = Some(needed);
    setrlimit(Resource::Nofile, limit).map_err(|error| Error::Io {
        doing: "raising the limit of open files",
        source: error.into(),
    })
}

/// An empty distribution, for those who make reports of their own.
impl Default for Latency {
    fn default() -> Latency {
        Latency(histogram(3))
    }
}
