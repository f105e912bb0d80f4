//! A page that shows the loop at work, four times a second.
//!
//! The page is three files of this crate and a stream of events. Each stream asks the
//! loop for a [`Snapshot`](crate::stats::Snapshot) when it is due, and sends it with
//! the counters that `/metrics` shows as well. With no stream nothing is asked for,
//! nothing is timed and nothing runs.
//!
//! ```text
//!   GET /inside          the page: may load the two below, and listen to the last
//!   GET /inside/style.css, /inside/app.js
//!   GET /inside/events   pull --ask--> (the turn ends) --> pull: an event, then 250 ms
//! ```
//!
//! It tells strangers how busy a server is and which routes are slow, so it is shown
//! to this machine only: not to other peers, not through a proxy, and not under
//! another host's name (a page of elsewhere can have its own name point here).

mod event;
mod stream;

use crate::app::{App, Reject};
use crate::http::{Body, ContentType, Peer, Request, Response, Status};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// The page, by the place where its parts are.
const PAGE: &str = include_str!("inside/page.html");
const STYLE: &str = include_str!("inside/style.css");
const SCRIPT: &str = include_str!("inside/app.js");
/// Where the page says where its parts are.
const HERE: &str = "{here}";

/// What the page may do (CSP level 3): its own style and script, and listen.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
    connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// The live page of the loop: its slots, turns, timers, helpers, and who is slow.
///
/// Of a server with several reactors it shows the one that answers, which is the
/// one that the kernel gave the page's connection to; `/metrics` has all of them.
///
/// With [`Config::blame`](crate::Config::blame) it also lists handlers that held the
/// loop for too long.
///
/// ```
/// use onepoll::app::{App, TestClient};
/// use onepoll::handlers::Inside;
/// let mut app = App::new();
/// Inside::new().anywhere().mount(&mut app, "/inside");
/// let page = TestClient::new(app).get("/inside").send();
/// assert!(page.text().contains("/inside/app.js"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Inside {
    shown_to: ShownTo,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ShownTo {
    #[default]
    ThisMachine,
    Everybody,
}

impl Inside {
    /// Shown to this machine only: others get 403.
    pub fn new() -> Inside {
        Inside::default()
    }

    /// Shown to everybody who can reach the server. Have something in front of it
    /// that asks for a password.
    #[must_use]
    pub fn anywhere(mut self) -> Inside {
        self.shown_to = ShownTo::Everybody;
        self
    }

    /// Puts the page at this path and its parts below, [apart](App::apart) from all
    /// middleware.
    pub fn mount(self, app: &mut App, path: &str) {
        let path = path.trim_end_matches('/');
        let shown_to = self.shown_to;
        let page = PAGE.replace(HERE, path);
        let html = ContentType::new("text/html; charset=utf-8").unwrap_or(ContentType::TEXT);
        let style = ContentType::new("text/css; charset=utf-8").unwrap_or(ContentType::TEXT);
        let script = ContentType::new("text/javascript; charset=utf-8");
        let script = script.unwrap_or(ContentType::TEXT);
        let here = if path.is_empty() { "/" } else { path };
        let watchers = Arc::<AtomicUsize>::default();
        app.apart(|app| {
            app.get(here, move |request: &mut Request| {
                shown_to.check(request)?;
                Ok::<_, Reject>(part(&html, Body::Owned(page.clone().into_bytes())))
            });
            for (name, kind, text) in [("style.css", style, STYLE), ("app.js", script, SCRIPT)] {
                app.get(&format!("{path}/{name}"), move |request: &mut Request| {
                    shown_to.check(request)?;
                    Ok::<_, Reject>(part(&kind, Body::Static(text.as_bytes())))
                });
            }
            app.get(&format!("{path}/events"), move |request: &mut Request| {
                shown_to.check(request)?;
                stream::answer(request, &watchers)
            });
        });
    }
}

fn part(kind: &ContentType, body: Body) -> Response {
    Response::default()
        .content(kind.clone(), body)
        .header("Cache-Control", "no-cache")
        .header("Content-Security-Policy", POLICY)
        .header("X-Content-Type-Options", "nosniff")
        .header("Referrer-Policy", "no-referrer")
        .header("Cross-Origin-Resource-Policy", "same-origin")
}

impl ShownTo {
    /// # Errors
    /// 403 for who is not on this machine, or may not be.
    fn check(self, request: &Request) -> Result<(), Reject> {
        if self == ShownTo::Everybody {
            return Ok(());
        }
        let near = |peer: Peer| peer.ip().is_some_and(is_loopback);
        let proxied = ["forwarded", "x-forwarded-for", "via"];
        let proxied = proxied.iter().any(|name| request.headers().get(name).is_some());
        let host = request.headers().text("host").unwrap_or("");
        if near(request.peer()) && near(request.via()) && !proxied && is_own_name(host) {
            return Ok(());
        }
        Err(Reject::new(Status::FORBIDDEN, "shown to this machine only"))
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// Whether that is a name of this machine for itself, with or without a port.
fn is_own_name(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').unwrap_or((rest, "?")),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let number = port.strip_prefix(':').map_or(port.is_empty(), |port| port.parse::<u16>().is_ok());
    let own = name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(is_loopback);
    number && own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        for own in ["localhost", "LocalHost:80", "127.0.0.1", "127.9.9.9:8000", "[::1]", "[::1]:1"]
        {
            assert!(is_own_name(own), "{own}");
        }
        for other in [
            "",
            ":80",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "localhost:x",
            "[::1",
            "[::2]",
            "[::1]x",
            "10.0.0.1",
            "localhost:",
        ] {
            assert!(!is_own_name(other), "{other}");
        }
    }
}
