//! Where to listen.

use crate::cli::values;

#[derive(Debug, clap::Args)]
pub(crate) struct AddressArgs {
    /// The TCP port to listen on; 0 for any that is free
    #[arg(short, long, default_value = "8080", value_parser = values::port)]
    pub(crate) port: u16,

    /// An address or name to listen on; may be repeated. 0.0.0.0 is every
    /// interface, :: the same for IPv6 and IPv4
    #[arg(short = 'a', long, value_name = "ADDR", default_value = "127.0.0.1")]
    #[arg(value_parser = values::host)]
    pub(crate) host: Vec<String>,
}
