//! `onepoll bench`: a load, its progress on the terminal, its results.

use super::args::{BenchArgs, BenchCommand, CompareArgs};
use super::signals::{self, Ask};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use onepoll::Error;
use onepoll::bench::{Comparison, Plan, Progress, Report, Stop, compare, run_with};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Loads a server, or compares two; whether anything succeeded.
///
/// # Errors
/// What kept it from starting, and files that can't be written.
pub(super) fn bench(args: &BenchArgs) -> Result<bool, Error> {
    if let Some(BenchCommand::Compare(args)) = &args.command {
        return two(args);
    }
    let mut plan = args.load.plan(args.urls.iter().map(String::as_str))?;
    plan = args.limit.apply(plan);
    for pid in &args.pid {
        plan = plan.pid(*pid);
    }
    plan.check()?;
    // Before the load: nobody wants to learn of it after an hour.
    let hdr = Output::create(args.output.hdr.as_deref())?;
    let html = Output::create(args.output.html.as_deref())?;
    let stop = Stop::default();
    let _watch = watch(&stop)?;
    let report = run(&plan, &stop)?;
    if let Some(mut hdr) = hdr {
        let written = report.write_hdr(&mut hdr.file);
        hdr.done(written)?;
    }
    if let Some(mut html) = html {
        let written = html.file.write_all(report.html().as_bytes());
        html.done(written)?;
    }
    print(&if args.output.json { report.json() } else { report.to_string() });
    Ok(report.ok > 0)
}

/// Compares two servers.
fn two(args: &CompareArgs) -> Result<bool, Error> {
    let plan = |url: &str, pids: &[u32]| -> Result<Plan, Error> {
        let plan = args.load.plan([url])?.duration(args.duration);
        Ok(pids.iter().fold(plan, |plan, pid| plan.pid(*pid)))
    };
    let (a, b) = (plan(&args.a, &args.pid_a)?, plan(&args.b, &args.pid_b)?);
    let stop = Stop::default();
    let _watch = watch(&stop)?;
    let bar = bar(Some(u64::from(args.rounds)));
    let comparison: Comparison = compare(&a, &b, args.rounds, &stop, |round| {
        bar.set_position(u64::from(round));
        bar.set_message(format!("round {round} of {}", args.rounds));
    })?;
    bar.finish_and_clear();
    print(&if args.json { comparison.json() } else { comparison.to_string() });
    Ok(comparison.rounds() > 0)
}

fn run(plan: &Plan, stop: &Stop) -> Result<Report, Error> {
    let bar = bar(None);
    let report = run_with(plan, stop, |progress: &Progress| {
        bar.set_message(line(progress));
        bar.tick();
    });
    bar.finish_and_clear();
    report
}

/// How it goes, on one line.
fn line(progress: &Progress) -> String {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    format!(
        "{:6.1} s  {:>9.0} requests/s  p50 {:.3} ms  p99 {:.3} ms  {} errors",
        progress.elapsed.as_secs_f64(),
        progress.rate,
        ms(progress.p50),
        ms(progress.p99),
        progress.errors
    )
}

/// A line on the standard error, if that is a terminal.
fn bar(length: Option<u64>) -> ProgressBar {
    let target = ProgressDrawTarget::stderr();
    let style = |template| ProgressStyle::with_template(template);
    let (bar, style) = match length {
        Some(length) => {
            let bar = ProgressBar::with_draw_target(Some(length), target);
            (bar, style("{bar:40} {msg}"))
        }
        None => (ProgressBar::with_draw_target(None, target), style("{spinner} {msg}")),
    };
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Ctrl-C ends the load, and what there is is shown.
fn watch(stop: &Stop) -> Result<signals::Watch, Error> {
    let stop = stop.clone();
    let watch = signals::watch(move |ask| match ask {
        Ask::Drain | Ask::Stop | Ask::Reload => stop.stop(),
        Ask::Report => {}
    });
    watch.map_err(|source| Error::Io { doing: "watching for signals", source })
}

/// To the standard output, if anybody reads it.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A file that results go to.
struct Output {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Output {
    fn create(path: Option<&Path>) -> Result<Option<Output>, Error> {
        let Some(path) = path else { return Ok(None) };
        let failed = |source| Error::File { path: path.to_owned(), source };
        let file = BufWriter::new(File::create(path).map_err(failed)?);
        Ok(Some(Output { path: path.to_owned(), file }))
    }

    fn done(mut self, written: io::Result<()>) -> Result<(), Error> {
        let flushed = written.and_then(|()| self.file.flush());
        flushed.map_err(|source| Error::File { path: self.path, source })
    }
}
