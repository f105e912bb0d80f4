//! The part of `onepoll serve` that is about HTTPS: certificates, who reloads
//! them, and the way there from `http://`.

use super::args::ServeArgs;
use super::urls;
use onepoll::net::Listener;
#[cfg(feature = "tls")]
use onepoll::net::tls::{Tls, TlsWatch};
use onepoll::{App, Error, Server};
use std::net::SocketAddr;

#[cfg(feature = "tls")]
pub(super) use with_tls::{Redirect, Secrets};
#[cfg(not(feature = "tls"))]
pub(super) use without_tls::{Redirect, Secrets};

#[cfg(feature = "tls")]
mod with_tls {
    use super::*;
    use crate::cli::args::{ClientsArg, TlsArgs};
    use onepoll::middleware::HttpsRedirect;
    use onepoll::net::tls::{ClientCertificates, TlsFiles};
    use std::time::Duration;

    /// How often the files of certificates are looked at. A new one is in use after
    /// twice that at most.
    const LOOK_EVERY: Duration = Duration::from_secs(5);

    /// Certificates, if there are any.
    pub(in crate::cli) struct Secrets {
        tls: Option<Tls>,
        redirect: Option<u16>,
    }

    /// The same for the applications of all loops.
    #[derive(Clone)]
    pub(in crate::cli) struct Redirect {
        tls: Tls,
        port: u16,
    }

    impl Redirect {
        pub(in crate::cli) fn wrap(&self, app: &mut App) {
            let tls = self.tls.clone();
            app.wrap(HttpsRedirect::new(move |host| tls.is_for(host)).port(self.port));
        }
    }

    impl Secrets {
        pub(in crate::cli) fn new(args: &ServeArgs) -> Result<Secrets, Error> {
            let tls = match pairs(&args.tls)? {
                Some(files) => Some(files.load()?),
                None => self_signed(args)?,
            };
            let redirect = args.tls.tls_redirect;
            if redirect.is_some() && tls.is_none() {
                let why = "needs --tls-cert or --tls-self-signed".to_owned();
                return Err(Error::Config { field: "--tls-redirect", why });
            }
            Ok(Secrets { tls, redirect })
        }

        /// Reads the files again, on a thread that may wait for the disk. What makes
        /// no sense is logged, and the old certificates stay.
        pub(in crate::cli) fn reload(&self) {
            let Some(tls) = &self.tls else { return };
            let before = tls.generation();
            match tls.reload() {
                Ok(()) if tls.generation() == before => {} // there are no files
                Ok(()) => log::info!("certificates reloaded"),
                Err(error) => log::error!("{error}; the old certificates stay in use"),
            }
        }

        pub(in crate::cli) fn watch(&self) -> Result<Option<TlsWatch>, Error> {
            self.tls.as_ref().map(|tls| tls.watch(LOOK_EVERY)).transpose()
        }

        pub(in crate::cli) fn listen(
            &self,
            server: Server,
            to: SocketAddr,
        ) -> Result<Server, Error> {
            match &self.tls {
                None => server.and_bind(to),
                Some(tls) => server.and_bind_tls(to, tls),
            }
        }

        /// An inherited socket: with TLS as all others, unless it is a Unix socket.
        pub(in crate::cli) fn guard(&self, listener: Listener) -> Listener {
            match &self.tls {
                Some(tls) if listener.local_addr().is_ok() => listener.with_tls(tls),
                _ => listener,
            }
        }

        pub(in crate::cli) fn redirect_port(&self) -> Option<u16> {
            self.redirect
        }

        /// The way from `http://` to `https://`, if it was asked for.
        pub(in crate::cli) fn redirect(&self, server: &Server) -> Option<Redirect> {
            let (tls, to) = (self.tls.clone()?, server.tls_addrs().next()?);
            self.redirect.map(|_| Redirect { tls, port: to.port() })
        }

        pub(in crate::cli) fn urls(&self, server: &Server) -> String {
            if self.tls.is_none() {
                return urls::list("http", &server.local_addrs().collect::<Vec<_>>());
            }
            let secure: Vec<SocketAddr> = server.tls_addrs().collect();
            if self.redirect.is_some() {
                let plain = server.local_addrs().filter(|address| !secure.contains(address));
                log::info!("redirecting {}", urls::list("http", &plain.collect::<Vec<_>>()));
            }
            urls::list("https", &secure)
        }
    }

    fn pairs(args: &TlsArgs) -> Result<Option<TlsFiles>, Error> {
        if args.tls_cert.len() != args.tls_key.len() {
            let why = "must be given as often as --tls-cert".to_owned();
            return Err(Error::Config { field: "--tls-key", why });
        }
        let files = args.tls_cert.iter().zip(&args.tls_key).fold(None, |files, (cert, key)| {
            Some(match files {
                None => TlsFiles::new(cert, key),
                Some(files) => TlsFiles::and(files, cert, key),
            })
        });
        let which = match args.tls_clients {
            None | Some(ClientsArg::Required) => ClientCertificates::Required,
            Some(ClientsArg::Optional) => ClientCertificates::Optional,
        };
        Ok(match (files, &args.tls_client_ca) {
            (Some(files), Some(authorities)) => Some(files.clients(authorities, which)),
            (files, _) => files,
        })
    }

    #[cfg(not(feature = "tls-self-signed"))]
    fn self_signed(_: &ServeArgs) -> Result<Option<Tls>, Error> {
        Ok(None)
    }

    /// For this machine, and all that it listens on.
    #[cfg(feature = "tls-self-signed")]
    fn self_signed(args: &ServeArgs) -> Result<Option<Tls>, Error> {
        if !args.tls.tls_self_signed {
            return Ok(None);
        }
        let mut names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        let hosts = args.address.hosts(false);
        for host in hosts.iter().filter(|host| !host.starts_with("unix:")) {
            match host.parse::<std::net::IpAddr>() {
                Ok(ip) if ip.is_unspecified() => {
                    names.extend(urls::interfaces().iter().map(ToString::to_string));
                }
                _ => names.push(host.clone()),
            }
        }
        names.sort();
        names.dedup();
        log::warn!("a certificate of its own making: browsers warn of it, and have reason to");
        Tls::self_signed(names).map(Some)
    }
}

#[cfg(not(feature = "tls"))]
mod without_tls {
    use super::*;

    /// Nothing: this was built without TLS.
    pub(in crate::cli) struct Secrets;

    /// Nowhere.
    #[derive(Clone)]
    pub(in crate::cli) enum Redirect {}

    impl Redirect {
        pub(in crate::cli) fn wrap(&self, _: &mut App) {
            match *self {}
        }
    }

    impl Secrets {
        pub(in crate::cli) fn new(_: &ServeArgs) -> Result<Secrets, Error> {
            Ok(Secrets)
        }

        pub(in crate::cli) fn watch(&self) -> Result<(), Error> {
            Ok(())
        }

        pub(in crate::cli) fn listen(
            &self,
            server: Server,
            to: SocketAddr,
        ) -> Result<Server, Error> {
            server.and_bind(to)
        }

        pub(in crate::cli) fn guard(&self, listener: Listener) -> Listener {
            listener
        }

        pub(in crate::cli) fn redirect_port(&self) -> Option<u16> {
            None
        }

        pub(in crate::cli) fn reload(&self) {}

        pub(in crate::cli) fn redirect(&self, _: &Server) -> Option<Redirect> {
            None
        }

        pub(in crate::cli) fn urls(&self, server: &Server) -> String {
            urls::list("http", &server.local_addrs().collect::<Vec<_>>())
        }
    }
}
