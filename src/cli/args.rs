//! The command line, as clap reads it.

use super::serve::{LogFormat, ServeOptions};
use super::values;
use clap::builder::styling::Styles;
use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use onepoll::{Config, Error, Limits, Overload};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// An HTTP/1.1 server in one poll loop.
#[derive(Debug, Parser)]
#[command(name = "onepoll", version, about, styles = Styles::plain())]
#[command(after_help = "RUST_LOG=LEVEL,TARGET=LEVEL.. filters the log further.")]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,

    /// Log more: -v for debug, -vv for trace
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,

    /// Log less: -q for warnings, -qq for errors, -qqq for nothing
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) quiet: u8,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve the files of a folder
    Serve(ServeArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// The folder to serve
    #[arg(value_name = "DIR", default_value = ".")]
    root: PathBuf,

    /// The TCP port to listen on; 0 for any that is free
    #[arg(short, long, default_value_t = 8080)]
    port: u16,

    /// The address or name to listen on; 0.0.0.0 or :: for every interface
    #[arg(short = 'a', long, default_value = "127.0.0.1", value_parser = values::host)]
    host: IpAddr,

    /// The file that stands for its folder
    #[arg(long, value_name = "NAME", default_value = "index.html", value_parser = values::index)]
    index: String,

    /// Threads for file work: always MIN, at most MAX [default: 0..4]
    #[arg(long, value_name = "MIN..MAX", value_parser = values::helpers)]
    helpers: Option<(usize, usize)>,

    /// Connections at once [default: 65536, or what the descriptor limit allows]
    #[arg(long, value_name = "COUNT")]
    max_conns: Option<usize>,

    /// The largest request content taken [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    max_body: Option<u64>,

    /// How long a request's head may take, and its first byte on a new connection [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    header_timeout: Option<Duration>,

    /// How long a request's content may stall [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    body_timeout: Option<Duration>,

    /// How long a client may stall when it is sent something [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    write_timeout: Option<Duration>,

    /// How long a connection may be idle between requests [default: 75s]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    keep_alive: Option<Duration>,

    /// What happens to clients beyond --max-conns
    #[arg(long, value_enum, default_value_t = OverloadArg::Refuse)]
    overload: OverloadArg,

    /// How requests are logged, on the standard output
    #[arg(long, value_enum, default_value_t = LogFormat::Combined)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OverloadArg {
    /// They are told 503 and closed
    #[value(name = "503")]
    Refuse,
    /// They wait in the kernel's queue
    Pause,
}

impl ServeArgs {
    /// The options that these arguments mean, checked.
    ///
    /// # Errors
    /// [`Error::Config`] if values don't make sense together.
    pub(super) fn options(self) -> Result<ServeOptions, Error> {
        let usual = Config::default();
        let (helpers_min, helpers_max) =
            self.helpers.unwrap_or((usual.helpers_min, usual.helpers_max));
        let config = Config {
            limits: Limits {
                body_max: self.max_body.unwrap_or(usual.limits.body_max),
                ..usual.limits
            },
            head_timeout: self.header_timeout.unwrap_or(usual.head_timeout),
            first_timeout: self.header_timeout.unwrap_or(usual.first_timeout),
            idle_timeout: self.keep_alive.unwrap_or(usual.idle_timeout),
            body_timeout: self.body_timeout.unwrap_or(usual.body_timeout),
            write_timeout: self.write_timeout.unwrap_or(usual.write_timeout),
            connections_max: self.max_conns.unwrap_or(usual.connections_max),
            overload: match self.overload {
                OverloadArg::Refuse => Overload::Refuse,
                OverloadArg::Pause => Overload::Pause,
            },
            helpers_min,
            helpers_max,
            ..usual
        };
        config.check()?;
        Ok(ServeOptions {
            root: self.root,
            index: self.index,
            address: SocketAddr::new(self.host, self.port),
            config,
            log_format: self.log_format,
        })
    }
}

#[cfg(test)]
mod tests;
