//! The page of the loop at work.

use crate::cli::values;
use onepoll::handlers::Inside;
use onepoll::{Config, Error};
use std::time::Duration;

/// Where it is.
pub(crate) const PATH: &str = "/inside";
/// What a handler may hold the loop for before it is blamed, where the page is shown.
const BLAME: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Args)]
pub(crate) struct InsideArgs {
    /// Show the loop at work on a live page, /inside, to this machine only; of several
    /// reactors it is the one that answers
    #[arg(long)]
    inside: bool,

    /// Show it to everybody who can reach this server
    #[arg(long)]
    inside_anywhere: bool,

    /// Log handlers that hold the loop longer than this, from the start on
    /// [default: never; 100ms with --inside]
    #[arg(long, value_name = "TIME", value_parser = values::timeout)]
    blame: Option<Duration>,
}

impl InsideArgs {
    fn is_shown(&self) -> bool {
        self.inside || self.inside_anywhere
    }

    /// The settings with these.
    pub(crate) fn config(&self, config: Config) -> Config {
        Config { blame: self.blame.or(self.is_shown().then_some(BLAME)), ..config }
    }

    /// The page, if it is to be shown by a server that listens there.
    ///
    /// # Errors
    /// [`Error::Config`] if others could come to a page that is for this machine.
    pub(crate) fn page(&self, hosts: &[String]) -> Result<Option<Inside>, Error> {
        if !self.is_shown() {
            return Ok(None);
        }
        let page = Inside::new();
        if self.inside_anywhere {
            return Ok(Some(page.anywhere()));
        }
        if let Some(host) = hosts.iter().find(|host| !is_near(host)) {
            let why = format!("is for this machine, {host} is not: see --inside-anywhere");
            return Err(Error::Config { field: "--inside", why });
        }
        Ok(Some(page))
    }
}

/// Whether only this machine can come to that address. What can't be told will be
/// seen: the page asks each peer.
fn is_near(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}
