//! What all handlers share, and how they come by it.

use crate::live::Visitors;
use crate::shelf::Shelf;
use crate::store::Messages;
use onepoll::templates::Templates;
use onepoll::{Reject, Request, Response};
use serde::Serialize;
use std::sync::Arc;

/// Everything that outlives a request. It is shared by the loop and its helpers, so
/// all of it may be used from any thread.
pub struct Site {
    pub templates: Templates,
    pub messages: Messages,
    pub shelf: Shelf,
    pub visitors: Visitors,
}

impl Site {
    pub fn new(templates: Templates, messages: Messages, shelf: Shelf) -> Arc<Site> {
        Arc::new(Site { templates, messages, shelf, visitors: Visitors::default() })
    }

    /// A page that is made for one visitor: nobody else may keep it, and before it is
    /// shown again it is asked for again.
    pub fn page(&self, name: &str, context: impl Serialize) -> Result<Response, Reject> {
        Ok(self.templates.render(name, context)?.header("Cache-Control", "private, no-cache"))
    }

    /// A page with a form, and so with a secret: the token that only our own forms
    /// have. It is kept nowhere, and not compressed: beside text that a visitor sent,
    /// its compressed length would tell how much the two have in common (BREACH).
    pub fn form(&self, name: &str, context: impl Serialize) -> Result<Response, Reject> {
        let page = self.templates.render(name, context)?;
        Ok(page.header("Cache-Control", "no-store, no-transform"))
    }
}

/// Makes a handler of a function that wants the site as well.
pub fn with<R>(
    site: &Arc<Site>,
    handler: fn(&Arc<Site>, &mut Request) -> R,
) -> impl Fn(&mut Request) -> R + Send + Sync + use<R> {
    let site = Arc::clone(site);
    move |request: &mut Request| handler(&site, request)
}
