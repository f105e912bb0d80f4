//! Who answers what, and what stands around it.

use crate::live::Herald;
use crate::site::{Site, with};
use crate::{api, assets, contact, errors, live, pages, uploads};
use onepoll::files::Files;
use onepoll::handlers::{Health, Metrics};
use onepoll::middleware::{AccessLog, Compress, Csp, HostGuard, RateLimit};
use onepoll::middleware::{RequestIds, SecurityHeaders};
use onepoll::session::Sessions;
use onepoll::{App, Error, Method, offload};
use std::sync::Arc;
use std::time::Duration;

/// The whole application.
pub fn app(site: &Arc<Site>, sessions: Sessions, hosts: HostGuard) -> Result<App, Error> {
    let mut app = App::new();
    // For machines: not logged, not limited, seen by everybody who can reach us.
    let log = AccessLog::stdout().map_err(|source| Error::Io { doing: "logging", source })?;
    let lines = log.handle();
    metrics(site).dropped_lines(move || lines.dropped()).mount(&mut app, "/metrics");
    health(site).mount(&mut app);

    // Around everything else, from the outside in.
    app.wrap(RequestIds::new());
    app.wrap(log);
    app.wrap(SecurityHeaders::new().csp(&Csp::strict()));
    app.wrap(hosts);
    app.wrap(Compress::new());
    app.wrap(site.templates.reload());
    app.errors(with_errors(site));

    // The same for everybody.
    app.get("/static/{file}", assets::file);
    app.get("/favicon.ico", assets::icon);
    let files = Files::new(site.shelf.path())?.attachment(["*"]);
    app.get("/uploads/{*path}", files.handler());

    // For programs.
    app.get("/api/messages", offload(with(site, api::messages)));
    app.scope("/upload", |app| {
        app.wrap(posts(RateLimit::token_bucket(60, 1, Duration::from_secs(1))));
        app.post("", offload(with(site, api::save))).body_max(api::DOCUMENT_MAX);
    });
    app.scope("/events", |app| {
        app.wrap(Herald::new(site));
        app.get("", with(site, live::events));
    });

    let (shelf, uploads) = (Arc::clone(site), uploads::settings(site)?);

    // For people, who are known again when they come back.
    app.scope("", |app| {
        app.wrap(sessions);
        app.get("/", with(site, pages::home));
        let profile = offload(with(site, pages::profile));
        app.get(r"/profile/{name:[A-Za-z][A-Za-z0-9_-]{0,31}}", profile);
        app.scope("/contact", |app| {
            app.wrap(posts(RateLimit::sliding(10, Duration::from_secs(60))));
            app.get("", with(site, contact::form));
            app.post("", with(site, contact::send)).body_max(contact::FORM_MAX);
            app.get("/thanks", with(site, contact::thanks));
        });
        app.scope("/uploads", |app| {
            app.wrap(posts(RateLimit::token_bucket(30, 1, Duration::from_secs(2))));
            app.before(uploads::only_if_room(site));
            app.get("", offload(with(site, uploads::list)));
            uploads.mount(app, "", move |request, form| uploads::save(&shelf, request, form));
        });
    });
    Ok(app)
}

/// Limits what changes something; looking is free.
fn posts(limit: RateLimit) -> RateLimit {
    limit.key(|request, keys| (*request.method() == Method::POST).then(|| keys.peer(request)))
}

fn with_errors(
    site: &Arc<Site>,
) -> impl Fn(&onepoll::Request, onepoll::Status, &str) -> onepoll::Response + 'static {
    let site = Arc::clone(site);
    move |request, status, message| errors::page(&site, request, status, message)
}

fn metrics(site: &Arc<Site>) -> Metrics {
    let (live, kept) = (Arc::clone(site), Arc::clone(site));
    Metrics::new()
        .gauge("portfolio_visitors", "Home pages that are open.", move || {
            live.visitors.count() as f64
        })
        .gauge("portfolio_messages", "Messages that are kept.", move || {
            kept.messages.count() as f64
        })
}

fn health(site: &Arc<Site>) -> Health {
    let (messages, shelf) = (Arc::clone(site), Arc::clone(site));
    Health::new()
        .check("messages", move || messages.messages.check().map_err(|why| why.to_string()))
        .check("uploads", move || shelf.shelf.check().map_err(|why| why.to_string()))
}
