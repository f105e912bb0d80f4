use super::*;
use std::time::Duration;

fn provider() -> CryptoProvider {
    super::super::provider()
}

fn key(names: &[&str], year: i32) -> CertifiedKey {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(year, 1, 1);
    params.not_after = rcgen::date_time_ymd(year + 1, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let chain = vec![params.self_signed(&key).unwrap().der().clone()];
    let der = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    CertifiedKey::from_der(chain, der, &provider()).unwrap()
}

#[test]
fn names_lead_to_certificates() {
    let all = Certificates::new(vec![
        key(&["a.example", "192.0.2.1"], 2020),
        key(&["*.B.example", "b.example"], 2020),
        key(&["special.b.example", "2001:db8::1"], 2020),
    ]);
    let table = [
        (None, 0),
        (Some("a.example"), 0),
        (Some("A.Example."), 0),
        (Some("b.example"), 1),
        (Some("x.b.example"), 1),
        (Some("X.B.EXAMPLE"), 1),
        (Some("special.b.example"), 2), // the exact one before the star
        (Some("x.y.b.example"), 0),
        (Some(".b.example"), 1), // no name of a host: whoever asks so gets what he gets
        (Some("example"), 0),
        (Some(""), 0),
    ];
    for (name, expected) in table {
        assert_eq!(all.find(name, |_| true), Some(expected), "{name:?}");
    }
    let names = ["*.b.example", "a.example", "b.example", "special.b.example"];
    assert_eq!(all.names(), names);
    for host in ["a.example", "x.b.example", "192.0.2.1", "2001:db8::1"] {
        assert!(all.is_for(host), "{host}");
    }
    for host in ["x.a.example", "y.x.b.example", "192.0.2.2", "::1", "", "a.example:80", "[::1]"] {
        assert!(!all.is_for(host), "{host}");
    }
}

#[test]
fn of_several_for_a_name_it_is_the_first_that_fits() {
    let all = Certificates::new(vec![
        key(&["other.example"], 2020),
        key(&["a.example"], 2020),
        key(&["a.example"], 2020),
    ]);
    let is = |at: usize| {
        let all = &all;
        move |key: &CertifiedKey| std::ptr::eq(key, &*all.all[at])
    };
    assert_eq!(all.find(Some("a.example"), is(2)), Some(2));
    assert_eq!(all.find(Some("a.example"), |_| true), Some(1));
    // None of them: then another, for what it is worth; and if none at all fits,
    // the one by name, so that the handshake can say what is wrong.
    assert_eq!(all.find(Some("a.example"), is(0)), Some(0));
    assert_eq!(all.find(Some("a.example"), |_| false), Some(1));
}

#[test]
fn dates_are_seen() {
    let key = key(&["a.example"], 2020);
    let cert = end_entity(&key).unwrap();
    let at = |year: u64| {
        UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_556_952 + 1_000_000))
    };
    assert_eq!(dated(&cert, at(2018)), Some(Dated::Early));
    assert_eq!(dated(&cert, at(2020)), None);
    assert_eq!(dated(&cert, at(2022)), Some(Dated::Expired));
}
