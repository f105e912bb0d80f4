//! A certificate that nobody but its maker vouches for: for development.

use super::provider;
use super::settings::Tls;
use crate::error::Error;
use crate::http::date;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

impl Tls {
    /// With a certificate made now, for these names and addresses. Its key stays in
    /// memory, so that it is another one each time. Clients refuse it until they
    /// are told to trust it.
    ///
    /// ```
    /// use onepoll::{Server, net::tls::Tls};
    /// let tls = Tls::self_signed(["localhost", "127.0.0.1", "::1"])?;
    /// assert!(tls.is_for("::1") && !tls.is_for("example.com"));
    /// let server = Server::bind_tls("127.0.0.1:0", &tls)?;
    /// # Ok::<(), onepoll::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`] for what can't be a name.
    pub fn self_signed<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Result<Tls, Error> {
        let failed = |error: &dyn std::fmt::Display| {
            Error::io("making a certificate")(io::Error::other(error.to_string()))
        };
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let mut params = rcgen::CertificateParams::new(names).map_err(|error| failed(&error))?;
        // Clients that trust it still mind how long it is valid: two years are less
        // than the 825 days that some allow.
        let year = this_year();
        params.not_before = rcgen::date_time_ymd(year, 1, 1);
        params.not_after = rcgen::date_time_ymd(year + 2, 1, 1);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "onepoll self-signed");
        let key = rcgen::KeyPair::generate().map_err(|error| failed(&error))?;
        let cert = params.self_signed(&key).map_err(|error| failed(&error))?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let chain = vec![cert.der().clone()];
        let key =
            CertifiedKey::from_der(chain, der, &provider()).map_err(|error| failed(&error))?;
        Tls::of_keys(vec![key])
    }
}

fn this_year() -> i32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let text = date::rfc3339(now);
    let digits = text.get(..4).and_then(|year| std::str::from_utf8(year).ok());
    digits.and_then(|year| year.parse().ok()).unwrap_or(2000)
}
