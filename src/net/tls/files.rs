//! Files of certificates and keys, as a server is given them.

use super::certificates::{Certificates, ClientCertificates, client_verifier, load};
use super::settings::{Loaded, Tls, configure};
use crate::error::Error;
use rustls::server::WebPkiClientVerifier;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which files a server's certificates are in: a list to be [loaded](TlsFiles::load).
///
/// ```no_run
/// use onepoll::net::tls::{ClientCertificates, TlsFiles};
/// let tls = TlsFiles::new("example.com.pem", "example.com.key")
///     .and("example.org.pem", "example.org.key")
///     .clients("staff.pem", ClientCertificates::Optional)
///     .load()?;
/// # Ok::<(), onepoll::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TlsFiles {
    pairs: Vec<(PathBuf, PathBuf)>,
    clients: Option<(PathBuf, ClientCertificates)>,
}

impl TlsFiles {
    /// A certificate, behind it those that lead to its authority, and its key:
    /// PEM files of 1 MiB at most, which may be the same one. The key is in any of
    /// the usual forms (PKCS #8, PKCS #1, SEC1) and not encrypted.
    pub fn new(cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> TlsFiles {
        TlsFiles { pairs: vec![(cert.into(), key.into())], clients: None }
    }

    /// One more, for other names. Clients that name none of all get the first.
    #[must_use]
    pub fn and(mut self, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> TlsFiles {
        self.pairs.push((cert.into(), key.into()));
        self
    }

    /// Clients are asked for a certificate of one of the authorities in this PEM
    /// file. What they have shown is
    /// [`Request::client_certificate`](crate::Request::client_certificate).
    #[must_use]
    pub fn clients(
        mut self,
        authorities: impl Into<PathBuf>,
        which: ClientCertificates,
    ) -> TlsFiles {
        self.clients = Some((authorities.into(), which));
        self
    }

    /// Reads them all. An expired certificate is a warning in the log.
    ///
    /// # Errors
    /// [`Error::File`] for one that can't be read, [`Error::Tls`] for one that
    /// makes no sense, both naming the file.
    pub fn load(self) -> Result<Tls, Error> {
        Tls::of_files(self)
    }

    pub(super) fn read(&self, last: Option<&Loaded>) -> Result<Loaded, Error> {
        let stamps = self.stamps();
        let provider = Arc::new(super::provider());
        let keys = self.pairs.iter().map(|(cert, key)| load(cert, key, &provider));
        let certificates = Arc::new(Certificates::new(keys.collect::<Result<_, _>>()?));
        let verifier = match &self.clients {
            Some((file, which)) => client_verifier(file, *which, &provider)?,
            None => WebPkiClientVerifier::no_client_auth(),
        };
        // Whoever resumes a session is not asked for a certificate again: with other
        // authorities the old sessions are over.
        let authorities = self.clients.as_ref().map(|(file, _)| std::fs::read(file).ok());
        let last = last.filter(|last| last.authorities == authorities);
        let config = configure(provider, verifier, Arc::clone(&certificates), last)?;
        Ok(Loaded { config, certificates: Some(certificates), authorities, stamps })
    }

    /// By which a change of any file is noticed.
    pub(super) fn stamps(&self) -> Vec<Option<Stamp>> {
        let pairs = self.pairs.iter().flat_map(|(cert, key)| [cert, key]);
        let clients = self.clients.iter().map(|(file, _)| file);
        pairs.chain(clients).map(|path| Stamp::of(path)).collect()
    }
}

/// What changes when a file does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    len: u64,
    seconds: i64,
    nanos: i64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Stamp> {
        let about = |data: Metadata| Stamp {
            inode: data.ino(),
            len: data.len(),
            seconds: data.mtime(),
            nanos: data.mtime_nsec(),
        };
        std::fs::metadata(path).ok().map(about)
    }
}
