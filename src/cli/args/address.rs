//! Where to listen.

use crate::cli::values;

#[derive(Debug, clap::Args)]
pub(crate) struct AddressArgs {
    /// The TCP port to listen on; 0 for any that is free
    #[arg(short, long, default_value = "8080", value_parser = values::port)]
    pub(crate) port: u16,

    /// An address or name to listen on; may be repeated. 0.0.0.0 is every
    /// interface, :: the same for IPv6 and IPv4; unix:/path is a Unix socket,
    /// unix:@name one without a file [default: 127.0.0.1]
    #[arg(short = 'a', long, value_name = "ADDR", value_parser = values::host)]
    pub(crate) host: Vec<String>,
}

impl AddressArgs {
    /// Where to listen: where it was said, or, if there are no sockets yet, here.
    pub(crate) fn hosts(&self, has_sockets: bool) -> Vec<String> {
        match self.host.is_empty() && !has_sockets {
            true => vec!["127.0.0.1".to_owned()],
            false => self.host.clone(),
        }
    }
}
