//! The home page, and profiles.

use crate::site::Site;
use onepoll::session::session;
use onepoll::templates::context;
use onepoll::{Method, Reject, Request, Response};
use std::sync::Arc;

/// The portfolio. The number of visits is in the session, which was loaded before
/// this is called, and is saved before the reply leaves.
pub fn home(site: &Arc<Site>, request: &mut Request) -> Result<Response, Reject> {
    // Who asks for the head alone has not looked at the page.
    let seen = u64::from(*request.method() == Method::GET);
    let session = session(request);
    let visit_count = session.parse("visits").unwrap_or(0_u64).saturating_add(seen);
    session.set("visits", visit_count.to_string())?;
    // The page that is being made is a visitor, too.
    let visitors = site.visitors.count().max(1);
    site.page("home.html", context! { here => "home", visit_count, visitors })
}

/// A page for whoever's name the route's pattern lets through.
pub fn profile(site: &Arc<Site>, request: &mut Request) -> Result<Response, Reject> {
    let name: String = request.param("name")?;
    let initial = name.chars().next().map(|letter| letter.to_ascii_uppercase().to_string());
    let messages = site.messages.by(&name)?;
    let owner = name.eq_ignore_ascii_case("mara");
    site.page("profile.html", context! { here => "profile", name, initial, messages, owner })
}
