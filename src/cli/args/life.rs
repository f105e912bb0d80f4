//! Where settings come from, how the server begins and how it ends.

use crate::cli::values;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(crate) struct LifeArgs {
    /// Read settings from a file in TOML: long-flag = value, one a line
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Check all settings and what they name, show each with its source, and end
    #[arg(long)]
    pub(crate) check: bool,

    /// How long what is under way may take after SIGTERM or SIGINT
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = values::duration)]
    pub(crate) drain_limit: Duration,

    /// How long to serve on after the signal, not ready, until balancers have noticed
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = values::duration)]
    pub(crate) shutdown_delay: Duration,

    /// Loops that serve, each on a thread of its own; several make sense up to the
    /// number of cores
    #[arg(long, value_name = "COUNT", default_value = "1")]
    #[arg(value_parser = values::reactors)]
    pub(crate) reactors: usize,

    /// Let other processes of this user listen on the same addresses, if they say so
    #[arg(long)]
    pub(crate) reuse_port: bool,

    /// Restart without a loss: take the listening sockets of the process that serves with
    /// the same PATH, if there is one, and hand them to the next. -a and -p count for
    /// the first one only
    #[arg(long, value_name = "PATH")]
    pub(crate) takeover: Option<PathBuf>,

    /// Answer /livez, /readyz and /healthz, unlogged and without a password
    #[arg(long)]
    pub(crate) health: bool,

    /// Show metrics for Prometheus at PATH, unlogged and without a password
    #[arg(long, value_name = "PATH", value_parser = values::path)]
    pub(crate) metrics: Option<String>,
}
