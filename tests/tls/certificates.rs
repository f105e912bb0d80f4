//! Certificates: found by name, replaced, asked of clients, and wrong ones.

use super::support::tls::{Client as Settings, Folder, pem};
use super::support::{Client, Fixture, until};
use super::{connect, failures, usual};
use onepoll::Config;
use onepoll::net::tls::rustls::client::Resumption;
use onepoll::net::tls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use onepoll::net::tls::rustls::version::{TLS12, TLS13};
use onepoll::net::tls::rustls::{self, HandshakeKind};
use onepoll::net::tls::{ClientCertificates, TlsFiles};
use onepoll::stats::HandshakeFailure;
use std::sync::Arc;
use std::time::Duration;

#[track_caller]
fn certificate(fixture: &Fixture, name: &str) -> Vec<u8> {
    let mut client = Client::secure(connect(fixture), usual(), name).expect("a handshake");
    client.session().certificate()
}

#[test]
fn each_name_has_its_certificate() {
    let folder = Folder::new();
    let a = folder.pair("a", &["a.example", "www.a.example"]);
    let b = folder.pair("b", &["*.b.example", "b.example"]);
    let file = |name: &str| folder.path(name);
    let tls = TlsFiles::new(file("a.pem"), file("a.key")).and(file("b.pem"), file("b.key"));
    let fixture = Fixture::tls(Config::default(), &tls.load().expect("good files"));
    let table = [
        ("a.example", &a),
        ("WWW.A.example", &a),
        ("b.example", &b),
        ("x.B.example", &b),
        ("x.y.b.example", &a), // a star is one label
        ("unknown.example", &a),
        ("127.0.0.1", &a), // addresses are not asked for
    ];
    for (name, expected) in table {
        assert!(certificate(&fixture, name) == *expected, "{name}");
    }
}

#[test]
fn new_certificates_are_for_new_handshakes() {
    let folder = Folder::new();
    let old = folder.pair("x", &["x.example"]);
    let tls = folder.files("x").load().expect("good files");
    let fixture = Fixture::tls(Config::default(), &tls);
    for version in [&TLS12, &TLS13] {
        let settings = Settings {
            versions: vec![version],
            resumption: Resumption::in_memory_sessions(8),
            ..Settings::default()
        };
        let config = settings.config();
        let open = || Client::secure(connect(&fixture), &config, "x.example").expect("shaken");
        let mut before = open();
        assert_eq!(before.ask("GET /hello", &[]).status, 200);
        let new = folder.pair("x", &["x.example"]);
        assert!(certificate(&fixture, "x.example") != new);
        tls.reload().expect("good files");
        assert!(certificate(&fixture, "x.example") == new);
        // The connection that was open stays, and its session can be resumed.
        assert_eq!(before.ask("GET /hello", &[]).status, 200);
        let mut after = open();
        assert_eq!(after.session().inner.handshake_kind(), Some(HandshakeKind::Resumed));
        assert_eq!(after.ask("GET /hello", &[]).status, 200);
    }
    assert!(certificate(&fixture, "x.example") != old);
    assert_eq!(tls.generation(), 2);
}

#[test]
fn a_bad_new_certificate_is_told_and_not_used() {
    let folder = Folder::new();
    let good = folder.pair("x", &["x.example"]);
    let tls = folder.files("x").load().expect("good files");
    let fixture = Fixture::tls(Config::default(), &tls);
    folder.write("x.key", "nonsense\n");
    let error = tls.reload().expect_err("no key").to_string();
    assert!(error.starts_with(&folder.path("x.key").display().to_string()), "{error}");
    assert!(certificate(&fixture, "x.example") == good);
    assert_eq!(tls.generation(), 0);
}

#[test]
fn a_change_of_the_files_is_noticed() {
    let folder = Folder::new();
    let old = folder.pair("x", &["x.example"]);
    let tls = folder.files("x").load().expect("good files");
    let fixture = Fixture::tls(Config::default(), &tls);
    let watch = tls.watch(Duration::from_millis(5)).expect("a thread");
    let mut open = Client::secure(connect(&fixture), usual(), "x.example").expect("shaken");
    // The certificate alone does not fit the key.
    let key = std::fs::read_to_string(folder.path("x.key")).expect("reading");
    let new = folder.pair("x", &["x.example"]);
    let new_key = std::fs::read_to_string(folder.path("x.key")).expect("reading");
    folder.write("x.key", &key);
    assert!(certificate(&fixture, "x.example") == old || tls.generation() > 0);
    folder.write("x.key", &new_key);
    until("the new one is in use", || certificate(&fixture, "x.example") == new);
    assert_eq!(open.ask("GET /hello", &[]).status, 200);
    drop(watch);
}

/// An authority, and what it can issue.
struct Authority(rcgen::CertifiedIssuer<'static, rcgen::KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        Authority(rcgen::CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    fn pem(&self) -> String {
        pem("CERTIFICATE", self.0.der())
    }

    fn issue(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let params = rcgen::CertificateParams::new(vec!["client".to_owned()]).expect("a name");
        let key = rcgen::KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.0).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        (vec![cert.der().clone()], key)
    }
}

fn with_identity(
    identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    version: &'static rustls::SupportedProtocolVersion,
) -> Arc<rustls::ClientConfig> {
    let resumption = Resumption::in_memory_sessions(8);
    Settings { identity, resumption, versions: vec![version], ..Settings::default() }.config()
}

#[test]
fn clients_prove_who_they_are() {
    let folder = Folder::new();
    folder.pair("x", &["x.example"]);
    let (ours, theirs) = (Authority::new(), Authority::new());
    let ca = folder.write("ca.pem", &ours.pem());
    for which in [ClientCertificates::Required, ClientCertificates::Optional] {
        let tls = folder.files("x").clients(&ca, which).load().expect("good files");
        for version in [&TLS12, &TLS13] {
            let fixture = Fixture::tls(Config::default(), &tls);
            let ask = |config: &Arc<rustls::ClientConfig>| {
                // Under TLS 1.3 the client is done before the server has refused.
                let mut client = Client::secure(connect(&fixture), config, "x.example").ok()?;
                client.try_send("GET /secure HTTP/1.1\r\nHost: x\r\n\r\n").ok()?;
                client.try_secure_reply().map(|reply| reply.body)
            };
            let identity = ours.issue();
            let der = identity.0[0].to_vec();
            let known = with_identity(Some(identity), version);
            // The second one is resumed, and known all the same.
            assert_eq!(ask(&known).as_ref(), Some(&der));
            assert_eq!(ask(&known).as_ref(), Some(&der));
            assert_eq!(fixture.stats().handshakes_resumed.value(), 1);
            assert_eq!(ask(&with_identity(Some(theirs.issue()), version)), None);
            let nobody = ask(&with_identity(None, version));
            let (expected, refused) = match which {
                ClientCertificates::Optional => (Some(b"true\n".to_vec()), 1),
                _ => (None, 2),
            };
            assert_eq!(nobody, expected);
            until("failures are counted", || {
                failures(&fixture, HandshakeFailure::Certificate) == refused
            });
        }
    }
}

/// Who could get in by the old authorities alone must not by an old session.
#[test]
fn other_authorities_end_old_sessions() {
    let folder = Folder::new();
    folder.pair("x", &["x.example"]);
    let (old, new) = (Authority::new(), Authority::new());
    let ca = folder.write("ca.pem", &old.pem());
    let tls = folder.files("x").clients(&ca, ClientCertificates::Required).load().expect("good");
    let fixture = Fixture::tls(Config::default(), &tls);
    let config = with_identity(Some(old.issue()), &TLS13);
    let ask = || {
        let mut client = Client::secure(connect(&fixture), &config, "x.example").ok()?;
        client.try_send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").ok()?;
        client.try_secure_reply().map(|reply| reply.status)
    };
    assert_eq!(ask(), Some(200));
    folder.write("ca.pem", &new.pem());
    tls.reload().expect("good files");
    assert_eq!(ask(), None);
}

#[test]
fn files_that_make_no_sense_are_named_with_what_to_do() {
    let folder = Folder::new();
    folder.pair("x", &["x.example"]);
    folder.pair("y", &["y.example"]);
    folder.write("empty", "");
    folder.write("broken", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n");
    folder.write("wrong", &pem("CERTIFICATE", b"not a certificate"));
    folder.write("locked", &pem("ENCRYPTED PRIVATE KEY", b"secret"));
    folder.write("odd", &pem("PRIVATE KEY", b"not a key"));
    let table = [
        ("none", "x.key", "none: no such file"),
        ("x.pem", "none", "none: no such file"),
        (".", "x.key", ".: a folder, not a file"),
        ("empty", "x.key", "empty: no certificate in it; a PEM file with BEGIN CERTIFICATE is"),
        ("x.key", "x.key", "x.key: no certificate in it"),
        ("x.pem", "x.pem", "x.pem: no private key in it"),
        ("x.pem", "locked", "locked: the key is encrypted"),
        ("x.pem", "odd", "odd: a key that can't be used"),
        ("broken", "x.key", "broken: not in PEM form"),
        ("wrong", "x.key", "wrong: a broken certificate"),
        ("x.pem", "y.key", "y.key: the key does not belong to the first certificate in"),
    ];
    for (cert, key, expected) in table {
        let files = TlsFiles::new(folder.path(cert), folder.path(key));
        let error = files.load().expect_err(expected).to_string();
        let start = folder.path("").display().to_string();
        let text = error.strip_prefix(&start).unwrap_or(&error);
        assert!(text.starts_with(expected), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}
