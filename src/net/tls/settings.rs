//! What handshakes go by, and how that is replaced while they go on.

use super::certificates::Certificates;
use super::files::{Stamp, TlsFiles};
use super::{SESSIONS, provider};
use crate::error::Error;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ProducesTickets, ResolvesServerCert, ServerSessionMemoryCache};
use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A server's certificates and all else that its TLS is about. Cheap to clone:
/// all clones are the same one, so that one kept aside can
/// [reload](Tls::reload) it while the server runs.
///
/// ```no_run
/// use onepoll::{App, Server};
/// use onepoll::net::tls::TlsFiles;
/// let tls = TlsFiles::new("cert.pem", "key.pem").load()?;
/// let _watch = tls.watch(std::time::Duration::from_secs(5))?;
/// Server::bind_tls("[::]:443", &tls)?.run(App::new())?;
/// # Ok::<(), onepoll::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tls(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Where it came from; `None`: it stays as it is.
    files: Option<TlsFiles>,
    loaded: Mutex<Loaded>,
    /// Counts replacements, so that loops see one without a lock.
    generation: AtomicU64,
}

/// What was loaded last.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    pub(super) certificates: Option<Arc<Certificates>>,
    /// The file of clients' authorities, as it was.
    pub(super) authorities: Option<Option<Vec<u8>>>,
    pub(super) stamps: Vec<Option<Stamp>>,
}

impl Tls {
    /// With a configuration of one's own: it is taken as it is, and can't be
    /// reloaded. Whoever makes one sees to `alpn_protocols` (`http/1.1`), bounds
    /// of the session cache and `max_early_data_size` (0: early data is not read).
    pub fn of(config: Arc<ServerConfig>) -> Tls {
        let (certificates, authorities, stamps) = (None, None, Vec::new());
        Tls::new(None, Loaded { config, certificates, authorities, stamps })
    }

    pub(super) fn of_files(files: TlsFiles) -> Result<Tls, Error> {
        let loaded = files.read(None)?;
        Ok(Tls::new(Some(files), loaded))
    }

    /// With these certificates and no files.
    #[cfg(feature = "tls-self-signed")]
    pub(super) fn of_keys(keys: Vec<rustls::sign::CertifiedKey>) -> Result<Tls, Error> {
        let certificates = Arc::new(Certificates::new(keys));
        let verifier = rustls::server::WebPkiClientVerifier::no_client_auth();
        let resolver = Arc::clone(&certificates);
        let config = configure(Arc::new(provider()), verifier, resolver, None)?;
        let (certificates, authorities) = (Some(certificates), None);
        Ok(Tls::new(None, Loaded { config, certificates, authorities, stamps: Vec::new() }))
    }

    fn new(files: Option<TlsFiles>, loaded: Loaded) -> Tls {
        let generation = AtomicU64::new(0);
        Tls(Arc::new(Shared { files, loaded: Mutex::new(loaded), generation }))
    }

    /// Reads the files again. New handshakes go by what is in them; connections
    /// that are open stay, and so do sessions that may be resumed, unless the
    /// clients' authorities have changed. Without files nothing happens.
    ///
    /// It waits for the disk: call it from a thread that may.
    ///
    /// # Errors
    /// As [`TlsFiles::load`]; then everything stays as it was.
    pub fn reload(&self) -> Result<(), Error> {
        let Some(files) = &self.0.files else { return Ok(()) };
        // Not under the lock: a loop may look.
        let last = {
            let loaded = self.lock();
            Loaded {
                config: Arc::clone(&loaded.config),
                certificates: None,
                authorities: loaded.authorities.clone(),
                stamps: Vec::new(),
            }
        };
        let loaded = files.read(Some(&last))?;
        *self.lock() = loaded;
        self.0.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// How often it was reloaded.
    pub fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    /// The names that the certificates are for, `*.example.com` among them, in
    /// order. None of a configuration of one's own.
    pub fn names(&self) -> Vec<String> {
        self.lock().certificates.as_ref().map(|them| them.names()).unwrap_or_default()
    }

    /// Whether there is a certificate for that host, a name or an IP address
    /// without brackets. Of a configuration of one's own it is not known: no.
    pub fn is_for(&self, host: &str) -> bool {
        self.lock().certificates.as_ref().is_some_and(|them| them.is_for(host))
    }

    pub(super) fn files(&self) -> Option<&TlsFiles> {
        self.0.files.as_ref()
    }

    pub(super) fn stamps(&self) -> Vec<Option<Stamp>> {
        self.lock().stamps.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Loaded> {
        self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a listener gives to new connections: looked at without a lock, as long
/// as nothing is reloaded.
#[derive(Debug)]
pub(in crate::net) struct Current {
    tls: Tls,
    /// Of that generation.
    config: RefCell<(u64, Arc<ServerConfig>)>,
}

impl Current {
    pub(in crate::net) fn new(tls: &Tls) -> Current {
        let config = (tls.generation(), Arc::clone(&tls.lock().config));
        Current { tls: tls.clone(), config: RefCell::new(config) }
    }

    /// One more, for another listener.
    pub(in crate::net) fn another(&self) -> Current {
        Current::new(&self.tls)
    }

    pub(in crate::net) fn config(&self) -> Arc<ServerConfig> {
        let mut config = self.config.borrow_mut(); // no call in here comes back to it
        let generation = self.tls.generation();
        // Held while a pointer is replaced, if at all: else the next client sees it.
        if generation != config.0
            && let Ok(loaded) = self.tls.0.loaded.try_lock()
        {
            *config = (generation, Arc::clone(&loaded.config));
        }
        Arc::clone(&config.1)
    }
}

/// TLS 1.3 and 1.2, HTTP/1.1, sessions that can be resumed (those of the last
/// configuration, too), no early data.
pub(super) fn configure(
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ClientCertVerifier>,
    certificates: Arc<Certificates>,
    last: Option<&Loaded>,
) -> Result<Arc<ServerConfig>, Error> {
    let failed = |error: rustls::Error| Error::io("setting up TLS")(io::Error::other(error));
    let resolver: Arc<dyn ResolvesServerCert> = certificates;
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_protocol_versions(rustls::ALL_VERSIONS).map_err(failed)?;
    let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"http/1.0".to_vec()];
    if let Some(last) = last {
        config.session_storage = Arc::clone(&last.config.session_storage);
        config.ticketer = Arc::clone(&last.config.ticketer);
    } else {
        config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        config.ticketer = ticketer().map_err(failed)?;
    }
    Ok(Arc::new(config))
}

fn ticketer() -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
    #[cfg(feature = "tls-aws-lc")]
    return rustls::crypto::aws_lc_rs::Ticketer::new();
    #[cfg(not(feature = "tls-aws-lc"))]
    return rustls::crypto::ring::Ticketer::new();
}
