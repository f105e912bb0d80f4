//! Where clients come from: sockets of others, proxies, and too many at once.

use crate::cli::values;
use clap::ValueEnum;
use onepoll::http::{Forwarded, Networks};
use onepoll::net::SocketOptions;
use onepoll::{Config, Error, PerAddress, TurnAway};
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(crate) struct SocketArgs {
    /// Take clients of a socket that this process was started with, as descriptor N, like
    /// 0; may be repeated. Those of LISTEN_FDS are taken unasked. Instead of -a, unless
    /// that is given, too
    #[arg(long, value_name = "N")]
    pub(crate) fd: Vec<u16>,

    /// Who may connect to Unix sockets, like 660 for the group [default: by the umask]
    #[arg(long, value_name = "MODE", value_parser = values::mode)]
    socket_mode: Option<u32>,

    /// Clients that may wait to be accepted [default: 4096, or what the system allows]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    backlog: Option<u32>,

    /// Give a client up that acknowledges nothing for so long [default: the system's way]
    #[arg(long, value_name = "TIME", value_parser = values::timeout)]
    user_timeout: Option<Duration>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ProxyArgs {
    /// Believe proxies of this address or network what they say of their clients, like
    /// 10.0.0.0/8; unix is whoever comes by a Unix socket; may be repeated
    #[arg(long, value_name = "NETWORK", value_parser = values::network)]
    trust: Vec<String>,

    /// Where they say it: X-Forwarded-For, -Proto and -Host, or Forwarded (RFC 7239)
    #[arg(long, value_enum, value_name = "FAMILY", default_value_t = Family::X)]
    forwarded: Family,

    /// Connections from those of --trust begin with a PROXY header, version 1 or 2
    #[arg(long, requires = "trust")]
    proxy_protocol: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CrowdArgs {
    /// Connections of one address at once [default: no limit]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    max_conns_per_address: Option<u32>,

    /// New connections of one address per second [default: no limit]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_conn_rate: Option<u32>,

    /// Clients beyond these two are told 429 or 503, or closed without a word
    #[arg(long, value_enum, value_name = "WAY", default_value_t = WayArg::TooMany)]
    turn_away: WayArg,

    /// Don't count this address or network; may be repeated. --trust has the same effect
    #[arg(long, value_name = "NETWORK", value_parser = values::network)]
    exempt: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Family {
    X,
    Rfc7239,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WayArg {
    #[value(name = "429")]
    TooMany,
    #[value(name = "503")]
    Unavailable,
    Close,
}

impl SocketArgs {
    /// The listening sockets' options.
    pub(crate) fn options(&self) -> SocketOptions {
        let usual = SocketOptions::default();
        SocketOptions {
            backlog: self.backlog.unwrap_or(usual.backlog),
            tcp_user_timeout: self.user_timeout,
            unix_mode: self.socket_mode,
            ..usual
        }
    }
}

/// The engine's settings with what these arguments mean.
///
/// # Errors
/// [`Error::Config`] for what is no network; each was looked at before.
pub(crate) fn config(
    usual: Config,
    proxies: &ProxyArgs,
    crowd: &CrowdArgs,
) -> Result<Config, Error> {
    let networks = |flag, texts: &[String]| {
        Networks::parse(texts)
            .map_err(|error| Error::Config { field: flag, why: error.to_string() })
    };
    let trusted = networks("--trust", &proxies.trust)?;
    Ok(Config {
        proxy_protocol: if proxies.proxy_protocol { trusted.clone() } else { Networks::none() },
        trusted,
        forwarded: match proxies.forwarded {
            Family::X => Forwarded::X,
            Family::Rfc7239 => Forwarded::Rfc7239,
        },
        per_address: PerAddress {
            connections_max: crowd.max_conns_per_address,
            rate_max: crowd.max_conn_rate,
            turn_away: match crowd.turn_away {
                WayArg::TooMany => TurnAway::TooManyRequests,
                WayArg::Unavailable => TurnAway::Unavailable,
                WayArg::Close => TurnAway::Close,
            },
            exempt: networks("--exempt", &crowd.exempt)?,
        },
        ..usual
    })
}
