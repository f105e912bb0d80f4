//! A load generator: what `onepoll bench` runs, and what other tools may run.
//!
//! A [`Plan`] says what is to be done to a server, [`run`] does it, and a [`Report`]
//! says what happened. Each thread is a loop of its own over its share of the
//! connections: mio's poll, the server's timer wheel, one buffer for all, and a parser
//! that keeps nothing but counters; so one thread drives ten thousand connections.
//!
//! ```text
//!   Plan -> Job      requests written out, addresses found, shared by all threads
//!            |
//!        .---+----------------------------------------.
//!        | Worker                                     |      100 ms
//!        |   Pace --due--> Client --bytes--> Socket   |--Slice--> collector --> Progress
//!        |  (timerfd)        ^                 |      |               |
//!        |                   |   Parser <------'      |             Course
//!        |                   '-----'                  |               |
//!        '---+----------------------------------------'               |
//!            '--Tally (histograms, errors by kind)------> Report <----'
//! ```
//!
//! **Closed and open loops.** In a closed loop a connection's next request waits for
//! the reply to the one before: a server that stalls is asked less, and the stall is
//! one bad value per connection. In an open loop ([`Plan::rate`]) requests start when
//! it is time. Two latencies are kept of each request: *service time*, from its first
//! byte, and *response time*, from when it was meant to start. Where they differ,
//! requests have waited in the generator for a free connection: what a closed loop
//! hides ("coordinated omission").
//!
//! **What counts.** A request counts if it was meant to start while it was measured,
//! whenever its reply came; what is under way at the end is waited for, for as long as
//! [`Plan::timeout`]. It counts once: as a success, or as an error of one
//! [kind](ErrorKind). Replies with another status, content or length than expected are
//! errors, and so are short ones; latencies are those of successes. The rate is that
//! of the successes whose replies came while it was measured.
//!
//! ```no_run
//! use onepoll::bench::{Plan, run};
//!
//! # fn main() -> Result<(), onepoll::Error> {
//! let report = run(&Plan::new("http://127.0.0.1:8080/")?.connections(1000))?;
//! println!("{:.0} requests/s, p99 {:?}", report.rate, report.response.percentile(99.0));
//! # Ok(())
//! # }
//! ```

mod client;
mod compare;
mod cpu;
mod drive;
mod export;
mod guests;
mod html;
mod job;
mod pace;
mod plan;
mod report;
mod response;
mod rng;
mod run;
mod shared;
mod socket;
mod tally;
mod text;
mod timer;
mod url;
mod worker;

pub use compare::{Comparison, Ratio, compare};
pub use plan::{Arrivals, Plan};
pub use report::{GuestReport, Interval, Latency, Report, ServerReport};
pub use run::{Progress, run, run_with};
pub use shared::Stop;
pub use tally::ErrorKind;
