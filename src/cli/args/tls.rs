//! HTTPS.

use clap::ValueEnum;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct TlsArgs {
    /// Speak HTTPS, with the certificate in this PEM file, behind it those that lead
    /// to its authority. Repeated with --tls-key: for other names
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Vec<PathBuf>,

    /// The certificate's private key, in PEM, not encrypted
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Vec<PathBuf>,

    /// Speak HTTPS with a certificate made now, for development: browsers warn of it
    #[cfg(feature = "tls-self-signed")]
    #[arg(long, conflicts_with = "tls_cert")]
    pub(crate) tls_self_signed: bool,

    /// Ask clients for a certificate of one of the authorities in this PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_client_ca: Option<PathBuf>,

    /// Whether clients without one are let in [default: required]
    // Not clap's default: `--check` would show it as a value, which is wrong without
    // the other flag.
    #[arg(long, value_enum, value_name = "HOW", requires = "tls_client_ca")]
    pub(crate) tls_clients: Option<ClientsArg>,

    /// Answer http:// on this port with a redirection to https://, for the names and
    /// addresses of the certificates
    #[arg(long, value_name = "PORT", value_parser = crate::cli::values::port)]
    pub(crate) tls_redirect: Option<u16>,
}

/// Without texts for the help, as in `OverloadArg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClientsArg {
    Required,
    Optional,
}
