//! What a client has proved about itself under TLS.

use super::Request;
use std::fmt;
use std::sync::Arc;

/// The certificates that a client has shown in its handshake, and that were
/// found good: its own first, then those that lead to the authority. Cheap to
/// clone.
///
/// They are given as DER; which library takes them apart is the application's
/// choice.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate(Arc<[Vec<u8>]>);

impl ClientCertificate {
    /// Of a chain in DER, the client's own certificate first; `None` without one.
    pub fn new(chain: Vec<Vec<u8>>) -> Option<ClientCertificate> {
        (!chain.is_empty()).then(|| ClientCertificate(chain.into()))
    }

    /// The client's own certificate, in DER.
    pub fn der(&self) -> &[u8] {
        self.0.first().map_or(&[], Vec::as_slice)
    }

    /// All that it has shown, each in DER, its own first.
    pub fn chain(&self) -> impl Iterator<Item = &[u8]> + '_ {
        self.0.iter().map(Vec::as_slice)
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCertificate({} bytes)", self.der().len())
    }
}

impl Request {
    /// The certificate with which the client has proved who it is, if one was
    /// asked for (`Tls`, feature `tls`) and it had one.
    ///
    /// ```
    /// # use onepoll::{Reject, Request, Status};
    /// fn whoami(request: &mut Request) -> Result<String, Reject> {
    ///     let shown = request.client_certificate().ok_or(Status::FORBIDDEN)?;
    ///     Ok(format!("a certificate of {} bytes\n", shown.der().len()))
    /// }
    /// ```
    pub fn client_certificate(&self) -> Option<&ClientCertificate> {
        self.extension::<ClientCertificate>()
    }
}
