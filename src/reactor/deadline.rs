//! Until when a connection may stay as it is, and why.
//!
//! The deadline is a pure function of the connection's state. The wheel holds
//! one entry per connection that fires at that time or earlier; when it fires
//! the function is asked again. So moving a deadline later costs nothing, and
//! nothing can be forgotten: every slot has a deadline, or one of the named
//! reasons to have none, and debug builds check that after every turn.

use super::clock::Tick;
use super::connection::{Active, Connection, Life, Next, Phase, Pulling};
use crate::config::Config;

/// What a connection is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The end of a handshake.
    Handshake,
    /// The first byte of a fresh connection.
    First,
    /// The next request.
    Idle,
    /// The end of a head.
    Head,
    /// More content.
    Body,
    /// A helper's or a handler's work as a whole.
    Work,
    /// A helper to bring what is to be sent next into memory.
    Cold,
    /// A helper to come back from a pull.
    Stuck,
    /// The time a handler named.
    Sleep,
    /// The time a source named.
    Pull,
    /// The client to read.
    Write,
    /// The peer's end.
    Linger,
    /// The connection is over already and is freed at the end of the turn.
    Dead,
}

/// When to look at a connection again at the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// Then, for that reason.
    At(Tick, Why),
    /// Never by itself: something else is sure to come first.
    None(NoDeadline),
}

/// The reasons to have no deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoDeadline {
    /// A helper has the work, and no `work_timeout` is set: it will come home.
    Helper,
    /// A source waits for its own wake. It may have nothing to say for hours, and
    /// its client owes nothing: the peer's end will be announced, probes find one
    /// that is gone without a word, and a drain tells the source.
    Source,
}

impl<K> Connection<K> {
    /// The deadline of the present state. The box is passed apart, because it is
    /// taken out while the connection is driven.
    pub(crate) fn deadline(
        &self,
        active: Option<&Active>,
        config: &Config,
        draining: bool,
    ) -> Deadline {
        match self.life {
            Life::Dead => return Deadline::At(self.since, Why::Dead),
            Life::Linger(_) => {
                return Deadline::At(self.since + config.linger_timeout, Why::Linger);
            }
            Life::Handshake => {
                let time = config.handshake_timeout;
                let time = if draining { time.min(config.drain_idle) } else { time };
                return Deadline::At(self.since + time, Why::Handshake);
            }
            Life::Open => {}
        }
        let Some(active) = active else {
            return self.idle_deadline(config, draining);
        };
        // A helper's, and so without a limit unless there is one for work.
        let helper = |why| match config.work_timeout {
            Some(time) => Deadline::At(active.work_since() + time, why),
            None => Deadline::None(NoDeadline::Helper),
        };
        let write = match active.output.is_empty() {
            true => None,
            // The client waits for us, not we for the client.
            false if active.output.is_cold() => Some(helper(Why::Cold)),
            false => Some(Deadline::At(active.pace.since + config.write_timeout, Why::Write)),
        };
        match &active.phase {
            Phase::Head(_) => write.unwrap_or_else(|| {
                if active.input.is_empty() && !self.http.head_begun() {
                    self.idle_deadline(config, draining)
                } else {
                    Deadline::At(active.begun + config.head_timeout, Why::Head)
                }
            }),
            // Complete, or both chunks are full: the helper is waited for, not the client.
            Phase::Receive(receiving) if !receiving.has_room() => helper(Why::Work),
            Phase::Receive(_) | Phase::Discard(_) => {
                write.unwrap_or(Deadline::At(active.pace.since + config.body_timeout, Why::Body))
            }
            Phase::Away(_) => match active.work_limit {
                Some(time) => Deadline::At(active.work_since() + time, Why::Work),
                None => helper(Why::Work),
            },
            Phase::Sleep(_, until) => match active.work_limit.or(config.work_timeout) {
                Some(time) if active.work_since() + time < *until => {
                    Deadline::At(active.work_since() + time, Why::Work)
                }
                _ => Deadline::At(*until, Why::Sleep),
            },
            Phase::Reply(replying) => write.unwrap_or(match replying.next {
                _ if matches!(replying.pulling, Pulling::Away) => {
                    match replying.exchange.request.work_limit().or(config.work_timeout) {
                        Some(time) => Deadline::At(replying.pulled + time, Why::Stuck),
                        None => Deadline::None(NoDeadline::Helper),
                    }
                }
                Next::At(time) => Deadline::At(time, Why::Pull),
                _ => Deadline::None(NoDeadline::Source),
            }),
            Phase::Ending(_) | Phase::Moving => {
                write.unwrap_or(Deadline::At(active.pace.since + config.write_timeout, Why::Write))
            }
        }
    }

    fn idle_deadline(&self, config: &Config, draining: bool) -> Deadline {
        let (time, why) = match self.requests {
            0 => (config.first_timeout, Why::First),
            _ => (config.idle_timeout, Why::Idle),
        };
        let time = if draining { time.min(config.drain_idle) } else { time };
        Deadline::At(self.since + time, why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Exchange, FileSpan, Peer};
    use std::fs::File;
    use std::sync::Arc;
    use std::time::Duration;

    /// A 503 would come unasked, behind the file, and wait for the disk as well.
    #[test]
    fn a_disk_that_takes_too_long_is_told_from_work_that_does() {
        let limit = Duration::from_secs(3);
        let mut config = Config { work_timeout: Some(limit), ..Config::default() };
        let connection = Connection::new((), Peer::Unknown, Tick::ZERO);
        let mut active = Active::new(Box::<Exchange>::default(), Tick::ZERO);
        let file = Arc::new(File::open("/dev/null").unwrap().into());
        active.output.push_file(FileSpan { file, offset: 0, len: 1 });
        let why =
            |active: &Active, config: &Config| connection.deadline(Some(active), config, false);
        assert!(matches!(why(&active, &config), Deadline::At(_, Why::Write)));
        assert!(active.output.begin_warming().is_some());
        assert_eq!(why(&active, &config), Deadline::At(Tick::ZERO + limit, Why::Cold));
        config.work_timeout = None;
        assert_eq!(why(&active, &config), Deadline::None(NoDeadline::Helper));
    }
}
