//! Certificates with their keys: read from files, checked, and found by name.
//!
//! A server with several names may have several certificates. The client says
//! which name it wants (SNI, RFC 6066 section 3), and gets the certificate that
//! is for it; without a name, or for one that no certificate is for, the first.
//! Where several are for the same name (one with an ECDSA key, one with RSA), it
//! is the first whose signatures the client understands.

use crate::error::Error;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use webpki::{EndEntityCert, KeyUsage};

/// Bytes of a file of certificates or keys that are read: the bundle of all that
/// browsers trust has a quarter of it.
const FILE_MAX: u64 = 1 << 20;

/// Whether clients must show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientCertificates {
    /// A client without one has no connection.
    Required,
    /// A client without one is served, too: the application decides what. One that
    /// is shown must be good.
    Optional,
}

/// All certificates of a server, by the names that they are for.
#[derive(Debug)]
pub(super) struct Certificates {
    all: Vec<Arc<CertifiedKey>>,
    /// Names in lower case; below `*.`, the rest of it.
    exact: HashMap<String, Vec<usize>>,
    wild: HashMap<String, Vec<usize>>,
}

impl Certificates {
    pub(super) fn new(keys: Vec<CertifiedKey>) -> Certificates {
        let all: Vec<_> = keys.into_iter().map(Arc::new).collect();
        let (mut exact, mut wild) = (HashMap::new(), HashMap::new());
        for (at, key) in all.iter().enumerate() {
            for name in names(key) {
                let (map, name): (&mut HashMap<_, Vec<usize>>, _) = match name.strip_prefix("*.") {
                    Some(rest) => (&mut wild, rest),
                    None => (&mut exact, name.as_str()),
                };
                map.entry(name.to_owned()).or_default().push(at);
            }
        }
        Certificates { all, exact, wild }
    }

    /// The names that they are for, `*.example.com` among them, and no addresses.
    pub(super) fn names(&self) -> Vec<String> {
        let wild = self.wild.keys().map(|rest| format!("*.{rest}"));
        let mut names: Vec<String> = self.exact.keys().cloned().chain(wild).collect();
        names.sort();
        names
    }

    /// Whether one of them is for that host: a name or an address.
    pub(super) fn is_for(&self, host: &str) -> bool {
        let Ok(name) = ServerName::try_from(host) else { return false };
        self.all.iter().any(|key| {
            end_entity(key).is_some_and(|it| it.verify_is_valid_for_subject_name(&name).is_ok())
        })
    }

    fn find(&self, name: Option<&str>, fits: impl Fn(&CertifiedKey) -> bool) -> Option<usize> {
        let name = name.map(str::to_ascii_lowercase);
        let name = name.as_deref().map(|name| name.strip_suffix('.').unwrap_or(name));
        let exact = name.and_then(|name| self.exact.get(name));
        // A star is for one label (RFC 9525 section 6.3).
        let rest = name.and_then(|name| name.split_once('.'));
        let wild = rest.and_then(|(_, rest)| self.wild.get(rest));
        let named = [exact, wild].into_iter().flatten().flatten().copied();
        let mut first = None;
        for at in named.chain(0..self.all.len()) {
            if self.all.get(at).is_some_and(|key| fits(key)) {
                return Some(at);
            }
            first = first.or(Some(at));
        }
        first
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let fits = |key: &CertifiedKey| key.key.choose_scheme(hello.signature_schemes()).is_some();
        self.find(hello.server_name(), fits).and_then(|at| self.all.get(at)).cloned()
    }
}

fn end_entity(key: &CertifiedKey) -> Option<EndEntityCert<'_>> {
    key.cert.first().and_then(|der| EndEntityCert::try_from(der).ok())
}

fn names(key: &CertifiedKey) -> Vec<String> {
    let names = end_entity(key)
        .into_iter()
        .flat_map(|cert| cert.valid_dns_names().map(str::to_ascii_lowercase).collect::<Vec<_>>());
    names.collect()
}

/// Reads a certificate, with those that lead to its authority, and its key.
///
/// # Errors
/// One line naming the file, and what to do.
pub(super) fn load(
    cert: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, Error> {
    let chain = chain(cert)?;
    let text = read(key)?;
    let private = PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let encrypted = text.windows(9).any(|part| part == b"ENCRYPTED");
        wrong(
            key,
            match error {
                pem::Error::NoItemsFound if encrypted => {
                    "the key is encrypted, and nobody is here to \
                be asked for its password; `openssl pkey` writes one without"
                        .to_owned()
                }
                pem::Error::NoItemsFound => NO_KEY.to_owned(),
                other => format!("not in PEM form: {other}"),
            },
        )
    })?;
    let key = CertifiedKey::from_der(chain, private, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => wrong(
            key,
            format!(
                "the key does not belong to the first certificate in {}; \
                 name the pair that was made together",
                cert.display()
            ),
        ),
        rustls::Error::InvalidCertificate(_) => {
            wrong(cert, format!("a broken certificate: {error}"))
        }
        other => {
            wrong(key, format!("a key that can't be used: {other}; RSA, ECDSA or Ed25519 can"))
        }
    })?;
    warn_of_dates(&key, cert);
    Ok(key)
}

/// Reads the authorities whose clients are let in.
///
/// # Errors
/// One line naming the file, and what to do.
pub(super) fn client_verifier(
    file: &Path,
    which: ClientCertificates,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let mut roots = RootCertStore::empty();
    for der in chain(file)? {
        roots.add(der).map_err(|error| wrong(file, format!("a broken certificate: {error}")))?;
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = match which {
        ClientCertificates::Required => builder,
        ClientCertificates::Optional => builder.allow_unauthenticated(),
    };
    builder.build().map_err(|error| wrong(file, error.to_string()))
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = read(file)?;
    let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    match chain {
        Ok(chain) if chain.is_empty() => Err(wrong(file, NO_CERTIFICATE.to_owned())),
        Ok(chain) => Ok(chain),
        Err(error) => Err(wrong(file, format!("not in PEM form: {error}"))),
    }
}

const NO_CERTIFICATE: &str = "no certificate in it; a PEM file with BEGIN CERTIFICATE is expected";
const NO_KEY: &str = "no private key in it; a PEM file with BEGIN PRIVATE KEY is expected";

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let mut text = Vec::new();
    File::open(path).and_then(|file| file.take(FILE_MAX).read_to_end(&mut text)).map_err(failed)?;
    Ok(text)
}

fn wrong(path: &Path, why: String) -> Error {
    Error::Tls { path: path.to_owned(), why }
}

/// An old certificate is served all the same: there may be clients that don't
/// mind, and no server at all helps nobody.
fn warn_of_dates(key: &CertifiedKey, path: &Path) {
    match end_entity(key).and_then(|cert| dated(&cert, UnixTime::now())) {
        Some(Dated::Expired) => {
            log::warn!("{}: the certificate has expired; clients will refuse it", path.display());
        }
        Some(Dated::Early) => {
            log::warn!("{}: the certificate is not valid yet", path.display());
        }
        None => {}
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dated {
    Expired,
    Early,
}

/// Whether its time is over, or to come. Dates are what a verification looks at
/// first, long before it misses an authority, and there is none here.
fn dated(cert: &EndEntityCert<'_>, now: UnixTime) -> Option<Dated> {
    match cert.verify_for_usage(&[], &[], &[], now, KeyUsage::server_auth(), None, None) {
        Err(webpki::Error::CertExpired { .. }) => Some(Dated::Expired),
        Err(webpki::Error::CertNotValidYet { .. }) => Some(Dated::Early),
        _ => None,
    }
}

#[cfg(all(test, feature = "tls-self-signed"))]
mod tests;
