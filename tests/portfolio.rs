//! `examples/portfolio`, as its visitors meet it: by sockets, and in a browser.
#![expect(unreachable_pub, reason = "what `site` offers is for its siblings")]

mod support;

#[path = "portfolio/api.rs"]
mod api;
#[path = "portfolio/browser.rs"]
mod browser;
#[path = "portfolio/contact.rs"]
mod contact;
#[path = "portfolio/curl.rs"]
mod curl;
#[path = "portfolio/errors.rs"]
mod errors;
#[path = "portfolio/files.rs"]
mod files;
#[path = "portfolio/live.rs"]
mod live;
#[path = "portfolio/pages.rs"]
mod pages;
#[path = "portfolio/site.rs"]
mod site;
#[path = "portfolio/start.rs"]
mod start;
