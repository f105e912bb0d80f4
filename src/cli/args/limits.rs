//! What clients may take up.

use crate::cli::values;
use clap::ValueEnum;
use onepoll::{Config, Limits, Overload};
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(crate) struct LimitArgs {
    /// Threads for file work: always MIN, at most MAX [default: 0..4]
    #[arg(long, value_name = "MIN..MAX", value_parser = values::helpers)]
    helpers: Option<(usize, usize)>,

    /// Connections at once [default: 65536, or what the descriptor limit allows]
    #[arg(long, value_name = "COUNT")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=16_000_000))]
    max_conns: Option<u32>,

    /// Clients beyond --max-conns are told 503, or pause in the kernel's queue
    #[arg(long, value_enum, value_name = "WAY", default_value_t = OverloadArg::Refuse)]
    overload: OverloadArg,

    /// Requests on one connection, the last reply closes it [default: 10000]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    max_requests: Option<u32>,

    /// The largest request content taken, but for uploads [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    max_body: Option<u64>,

    /// The largest request head taken, all its lines together [default: 32KiB]
    #[arg(long, value_name = "SIZE", value_parser = values::head)]
    max_header_bytes: Option<usize>,

    /// How long a request's head may take, and its first byte on a new connection [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = values::timeout)]
    header_timeout: Option<Duration>,

    /// How long a request's content may stall [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = values::timeout)]
    body_timeout: Option<Duration>,

    /// How long a client may stall when it is sent something [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = values::timeout)]
    write_timeout: Option<Duration>,

    /// How long a connection may be idle between requests [default: 75s]
    #[arg(long, value_name = "TIME", value_parser = values::timeout)]
    keep_alive: Option<Duration>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OverloadArg {
    // No texts here: they would stretch the help to twice its length.
    #[value(name = "503")]
    Refuse,
    Pause,
}

impl LimitArgs {
    /// The engine's settings that these arguments mean.
    pub(crate) fn config(&self) -> Config {
        let usual = Config::default();
        let (helpers_min, helpers_max) =
            self.helpers.unwrap_or((usual.helpers_min, usual.helpers_max));
        let head_max = self.max_header_bytes.unwrap_or(usual.limits.head_max);
        Config {
            limits: Limits {
                body_max: self.max_body.unwrap_or(usual.limits.body_max),
                head_max,
                // It is a part of the head.
                target_max: usual.limits.target_max.min(head_max),
                ..usual.limits
            },
            head_timeout: self.header_timeout.unwrap_or(usual.head_timeout),
            first_timeout: self.header_timeout.unwrap_or(usual.first_timeout),
            idle_timeout: self.keep_alive.unwrap_or(usual.idle_timeout),
            body_timeout: self.body_timeout.unwrap_or(usual.body_timeout),
            write_timeout: self.write_timeout.unwrap_or(usual.write_timeout),
            connections_max: self.max_conns.map_or(usual.connections_max, |count| count as usize),
            requests_per_connection: self.max_requests.unwrap_or(usual.requests_per_connection),
            overload: match self.overload {
                OverloadArg::Refuse => Overload::Refuse,
                OverloadArg::Pause => Overload::Pause,
            },
            helpers_min,
            helpers_max,
            ..usual
        }
    }
}
