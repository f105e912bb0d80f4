//! The command line, as clap reads it: one struct for each heading of the help.

mod access;
mod address;
mod bench;
mod content;
pub(super) mod inside;
mod life;
mod limits;
pub(super) mod net;
#[cfg(feature = "tls")]
mod tls;

pub(super) use access::{AccessArgs, UploadArgs};
pub(super) use address::AddressArgs;
pub(super) use bench::{BenchArgs, BenchCommand, CompareArgs};
pub(super) use content::{CacheArgs, ContentArgs};
pub(super) use inside::InsideArgs;
pub(super) use life::LifeArgs;
pub(super) use limits::LimitArgs;
pub(super) use net::{CrowdArgs, ProxyArgs, SocketArgs};
#[cfg(feature = "tls")]
pub(super) use tls::{ClientsArg, TlsArgs};

use super::values;
use clap::builder::styling::Styles;
use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// An HTTP/1.1 server in one poll loop.
#[derive(Debug, Parser)]
#[command(name = "onepoll", version, about, styles = Styles::plain(), max_term_width = 100)]
#[command(after_help = "RUST_LOG=LEVEL,TARGET=LEVEL.. filters the log further.")]
#[command(disable_help_subcommand = true)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,

    /// Log more: -v for debug, -vv for trace
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = LOG)]
    pub(super) verbose: u8,

    /// Log less: -q for warnings, -qq for errors, -qqq for nothing
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = LOG)]
    pub(super) quiet: u8,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve the files of a folder
    #[command(after_help = EXAMPLES)]
    Serve(Box<ServeArgs>),
    /// Load a server and measure how it answers
    #[command(after_help = BENCH_EXAMPLES)]
    Bench(Box<BenchArgs>),
    /// Ask a server whether it is well: exit code 0 if the answer is 200 to 299, else 1
    Health(HealthArgs),
    /// Write the completions of a shell to the standard output
    Completions {
        /// For which one
        shell: clap_complete::Shell,
    },
    /// Write the manual page, in roff, to the standard output: `onepoll man | man -l -`
    Man {
        /// The page of this command instead of the first one
        command: Option<String>,
    },
}

/// What `onepoll health` can be told.
#[derive(Debug, clap::Args)]
pub(super) struct HealthArgs {
    /// What to ask for: http://HOST:PORT/PATH, or unix:SOCKET, unix:SOCKET:/PATH
    #[arg(value_parser = super::health::target)]
    pub(super) url: super::health::Target,

    /// How long the answer may take, all in all
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = values::timeout)]
    pub(super) timeout: Duration,
}

/// Everything that `onepoll serve` can be told.
#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// The folder to serve
    #[arg(value_name = "DIR", default_value = ".")]
    pub(super) root: PathBuf,

    #[command(flatten, next_help_heading = "Address")]
    pub(super) address: AddressArgs,

    #[command(flatten, next_help_heading = "Address")]
    pub(super) sockets: SocketArgs,

    #[command(flatten, next_help_heading = "Behind a proxy")]
    pub(super) proxies: ProxyArgs,

    #[cfg(feature = "tls")]
    #[command(flatten, next_help_heading = "HTTPS")]
    pub(super) tls: TlsArgs,

    #[command(flatten, next_help_heading = "What is served")]
    pub(super) content: ContentArgs,

    #[command(flatten, next_help_heading = "Caching and compression")]
    pub(super) cache: CacheArgs,

    #[command(flatten, next_help_heading = "Who may do what")]
    pub(super) access: AccessArgs,

    #[command(flatten, next_help_heading = "Uploads")]
    pub(super) uploads: UploadArgs,

    #[command(flatten, next_help_heading = "Limits")]
    pub(super) limits: LimitArgs,

    #[command(flatten, next_help_heading = "Limits")]
    pub(super) crowd: CrowdArgs,

    #[command(flatten, next_help_heading = "Life")]
    pub(super) life: LifeArgs,

    #[command(flatten, next_help_heading = LOG)]
    pub(super) inside: InsideArgs,

    /// How requests are logged
    #[arg(long, value_name = "FORMAT", default_value = "combined", help_heading = LOG)]
    pub(super) log_format: LogFormat,

    /// Log requests to FILE, opened anew on SIGHUP [default: the standard output]
    #[arg(long, value_name = "FILE", help_heading = LOG)]
    pub(super) access_log: Option<PathBuf>,
}

/// How requests are logged. Without texts for the help, as in `OverloadArg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    Combined,
    Json,
    Off,
}

const LOG: &str = "Log";

const EXAMPLES: &str = "\
Examples:
  onepoll serve                                  this folder, for this machine only
  onepoll serve -a :: -p 8000 --listing ~/share  for everybody who can reach it
  onepoll serve --spa --immutable dist           an application that routes in the browser
  onepoll serve -a unix:/run/one.sock --trust unix  behind a proxy on this machine
  onepoll serve --upload --auth-file users drop  a place to leave files, with passwords
  onepoll serve --tls-cert c.pem --tls-key k.pem --tls-redirect 8080 -p 8443  over HTTPS

TIME is 500ms, 10s, 2m or 1h. SIZE is 4096, 64k, 10M or 1G.
Every --long-flag is also a key of --config's file, long-flag = value, and a variable,
ONEPOLL_LONG_FLAG; the folder is root. A flag counts before a variable, that before the file.";

const BENCH_EXAMPLES: &str = "\
Examples:
  onepoll bench http://127.0.0.1:8080/                       50 connections for 10 seconds
  onepoll bench -c 1000 -R 20000 --html load.html URL        an open loop, and a page with charts
  onepoll bench -n 10000 -b @order.json --expect 201 URL     10,000 uploads, each checked
  onepoll bench compare --pid-a 71 --pid-b 72 URL_A URL_B    ratios, with confidence intervals

TIME is 500ms, 10s, 2m or 1h. Ctrl-C ends it early, with the results so far.";

#[cfg(test)]
mod tests;
