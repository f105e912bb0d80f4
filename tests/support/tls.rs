//! TLS for the raw client, and certificates of all kinds.
//!
//! With `ONEPOLL_TLS=1` every fixture speaks TLS, and every client to it: so the
//! tests that were written for plain HTTP are tests of TLS as well.

use onepoll::net::tls::rustls;
use onepoll::net::tls::{Tls, TlsFiles};
use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConnection, Resumption};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Whether every fixture is to speak TLS.
pub fn is_everywhere() -> bool {
    std::env::var_os("ONEPOLL_TLS").is_some_and(|value| value != "0")
}

/// A certificate that fixtures share.
pub fn shared() -> &'static Tls {
    static SHARED: OnceLock<Tls> = OnceLock::new();
    SHARED.get_or_init(|| Tls::self_signed(["localhost", "127.0.0.1"]).expect("a certificate"))
}

/// A client's side of a session.
#[derive(Debug)]
pub struct Session {
    pub inner: ClientConnection,
}

impl Session {
    /// Shakes hands.
    pub fn open(
        tcp: &mut TcpStream,
        config: &Arc<ClientConfig>,
        name: &str,
    ) -> io::Result<Session> {
        let mut session = Session::begin(config, name);
        while session.inner.is_handshaking() || session.inner.wants_write() {
            session.inner.complete_io(tcp)?;
        }
        Ok(session)
    }

    /// The same before its first byte.
    pub fn begin(config: &Arc<ClientConfig>, name: &str) -> Session {
        let name = ServerName::try_from(name.to_owned()).expect("a server's name");
        let inner = ClientConnection::new(Arc::clone(config), name).expect("a client's session");
        Session { inner }
    }

    pub fn write_all(&mut self, tcp: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(16 * 1024) {
            self.inner.writer().write_all(piece)?;
            self.flush(tcp)?;
        }
        Ok(())
    }

    pub fn read(&mut self, tcp: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.inner.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            self.flush(tcp)?;
            self.inner.read_tls(tcp)?;
            self.inner.process_new_packets().map_err(io::Error::other)?;
        }
    }

    /// Says that no more will come.
    pub fn close(&mut self, tcp: &mut TcpStream) -> io::Result<()> {
        self.inner.send_close_notify();
        self.flush(tcp)
    }

    pub fn flush(&mut self, tcp: &mut TcpStream) -> io::Result<()> {
        while self.inner.wants_write() {
            self.inner.write_tls(tcp)?;
        }
        Ok(())
    }

    /// The certificate that the server has shown.
    pub fn certificate(&self) -> Vec<u8> {
        self.inner.peer_certificates().expect("servers show one")[0].to_vec()
    }
}

/// A client's settings.
pub struct Client {
    pub versions: Vec<&'static SupportedProtocolVersion>,
    pub alpn: Vec<&'static str>,
    pub identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    pub resumption: Resumption,
}

impl Default for Client {
    fn default() -> Client {
        Client {
            versions: rustls::ALL_VERSIONS.to_vec(),
            alpn: vec!["http/1.1"],
            identity: None,
            resumption: Resumption::disabled(),
        }
    }
}

impl Client {
    /// Trusts whomever it meets: what is shown is compared in the tests.
    pub fn config(self) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(&self.versions).expect("versions");
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(Trusting));
        let mut config = match self.identity {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).expect("a pair"),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config.resumption = self.resumption;
        Arc::new(config)
    }
}

/// For clients without wishes.
pub fn usual() -> &'static Arc<ClientConfig> {
    static USUAL: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    USUAL.get_or_init(|| Client::default().config())
}

#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// A folder for certificates, gone when this is dropped.
pub struct Folder(PathBuf);

impl Folder {
    #[track_caller]
    pub fn new() -> Folder {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("onepoll-tls-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder for tests");
        Folder(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, as a whole, as tools for certificates do.
    #[track_caller]
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let (path, temporary) = (self.path(name), self.path(&format!("{name}.new")));
        std::fs::write(&temporary, text).expect("writing a file");
        std::fs::rename(&temporary, &path).expect("renaming a file");
        path
    }

    /// A certificate for these names, and its key: `NAME.pem` and `NAME.key`. Its
    /// DER comes back.
    #[track_caller]
    pub fn pair(&self, name: &str, hosts: &[&str]) -> Vec<u8> {
        let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(hosts).expect("a certificate");
        self.write(&format!("{name}.key"), &pem("PRIVATE KEY", &made.signing_key.serialize_der()));
        self.write(&format!("{name}.pem"), &pem("CERTIFICATE", made.cert.der()));
        made.cert.der().to_vec()
    }

    pub fn files(&self, name: &str) -> TlsFiles {
        TlsFiles::new(self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")))
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// DER as PEM.
pub fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut digits = String::new();
    for three in der.chunks(3) {
        let at = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            digits.push(if place > three.len() { '=' } else { digit as char });
        }
    }
    let lines: Vec<&str> =
        digits.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
