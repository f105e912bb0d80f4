//! Handlers as the app keeps them, and what a route says about content.

use super::Reply;
use super::reply::{Kind, offload_now};
use crate::http::{Exchange, Lane, Request};
use std::sync::Arc;

/// A handler behind a pointer. A response it leaves in the exchange, where it
/// is to go: as a value it would be moved several times on its way there. Any
/// other reply comes back.
pub(super) type Handler = Box<dyn Fn(&mut Exchange) -> Option<Box<Reply>>>;

/// Any `Fn(&mut Request) -> impl Into<Reply>` as a [`Handler`].
pub(super) fn boxed<R: Into<Reply>>(handler: impl Fn(&mut Request) -> R + 'static) -> Handler {
    Box::new(move |exchange: &mut Exchange| {
        // First: dropping the old response while the new one is at hand would
        // have the compiler keep that in memory, and copy it once more.
        exchange.response.release();
        match handler(&mut exchange.request).into().0 {
            Kind::Respond(response) => {
                exchange.response.replace_fresh(response);
                None
            }
            kind => Some(Box::new(Reply(kind))),
        }
    })
}

/// What happens to a request's content before the handler is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyMode {
    /// It is left alone: the handler asks for it with
    /// [`receive`](super::receive), or the engine throws it away. So it is for
    /// routes of `get`, `delete`, `options` and for fallbacks.
    Ignore,
    /// It is taken whole, up to the scope's `body_max`, then 413. So it is for
    /// routes of `post`, `put`, `patch` and `any`.
    Buffer,
    /// It is taken whole, up to this many bytes, then 413.
    Max(u64),
}

/// What the app knows of one route.
pub(super) struct Entry {
    pub(super) handler: Handler,
    /// Which scope it belongs to, and so which middleware.
    pub(super) scope: usize,
    pub(super) body: BodyMode,
    /// For logs; none for a fallback.
    pub(super) pattern: Option<String>,
}

/// The route that was just registered, to say more about it.
#[derive(Debug)]
pub struct Route<'a> {
    /// `None` never happens: there is no `Route` before there is an entry.
    pub(super) body: Option<&'a mut BodyMode>,
}

impl Route<'_> {
    /// Takes content whole, up to `max` bytes, then answers 413.
    pub fn body_max(self, max: u64) -> Self {
        self.body(BodyMode::Max(max))
    }

    /// What happens to content.
    pub fn body(mut self, mode: BodyMode) -> Self {
        if let Some(body) = &mut self.body {
            **body = mode;
        }
        self
    }
}

/// Marks a whole handler to be run on a helper thread, where it may block.
///
/// ```
/// use onepoll::app::{App, Reject, offload};
/// use onepoll::http::Request;
/// fn save_note(request: &mut Request) -> Result<(), Reject> {
///     Ok(std::fs::write("note.txt", request.body())?)
/// }
/// App::new().post("/notes", offload(save_note));
/// ```
pub fn offload<R: Into<Reply>>(
    handler: impl Fn(&mut Request) -> R + Send + Sync + 'static,
) -> impl Fn(&mut Request) -> Reply + 'static {
    offload_in(Lane::Application, handler)
}

/// As [`offload`], in that lane: [`Lane::Serial`] runs one job at a time.
pub fn offload_in<R: Into<Reply>>(
    lane: Lane,
    handler: impl Fn(&mut Request) -> R + Send + Sync + 'static,
) -> impl Fn(&mut Request) -> Reply + 'static {
    let handler = Arc::new(handler);
    move |_: &mut Request| {
        let handler = Arc::clone(&handler);
        offload_now(move |request: &mut Request| handler(request)).lane(lane)
    }
}
