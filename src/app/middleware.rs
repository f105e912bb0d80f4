//! The trait of what stands around handlers, and its three hooks.

use super::guard::guard;
use super::reject::Reject;
use super::run::Next;
use crate::http::{Exchange, Job, Now, Outcome, Refused, Request, Response};
use std::rc::Rc;
use std::time::Instant;

/// Something that looks at each request on its way in, at its response on the
/// way out, and at the end of it all.
///
/// All hooks run on the loop and must not block; [`Flow::offload`] and
/// [`After::offload`] are for what does. State of one request between the
/// hooks goes into the request's bag ([`Request::extend`]), state of the
/// middleware into a `Cell` or `RefCell`.
///
/// The rule of pairs: **a middleware is entered when its `before` is called**,
/// whatever comes of that call. Each one that was entered gets one `after`,
/// innermost first, wherever the response came from: the handler, another
/// middleware's [`Flow::Stop`] or its own, an error page, a panic. (Only an
/// exchange whose client is lost while it is away has no response, and so no
/// `after`.) And it gets exactly one `done`, always.
///
/// ```
/// use onepoll::app::{After, App, Flow, Middleware};
/// use onepoll::http::{Request, Response, Status};
/// /// Lets in who knows the word.
/// struct Word(&'static str);
/// impl Middleware for Word {
///     fn before(&self, request: &mut Request) -> Flow {
///         if request.header("x-word") == Some(self.0) {
///             return Flow::Go;
///         }
///         Flow::Stop(Response::new(Status::FORBIDDEN).text("say the word"))
///     }
///     fn after(&self, _: &mut Request, response: &mut Response) -> After {
///         let _ = response.add_header("Vary", "X-Word");
///         After::Go
///     }
/// }
/// App::new().wrap(Word("please"));
/// ```
pub trait Middleware {
    /// On the way in: the route is known, the content has not been read.
    fn before(&self, request: &mut Request) -> Flow {
        let _ = request;
        Flow::Go
    }

    /// On the way out: the response may be changed or replaced.
    fn after(&self, request: &mut Request, response: &mut Response) -> After {
        let _ = (request, response);
        After::Go
    }

    /// The end: the last byte is taken, or the client is lost.
    fn done(&self, done: &Done<'_>) {
        let _ = done;
    }

    /// The engine has answered by itself what never became a request, and so has
    /// none of the other hooks. For middleware around the whole app.
    fn refused(&self, refused: &Refused) {
        let _ = refused;
    }

    /// Once a turn of the loop: for buffers that are to be flushed now and
    /// then. The answer is when to call again at the latest.
    fn idle(&self, now: Now) -> Option<Instant> {
        let _ = now;
        None
    }
}

/// A middleware that is used in several places, or kept by its owner.
impl<M: Middleware + ?Sized> Middleware for Rc<M> {
    fn before(&self, request: &mut Request) -> Flow {
        (**self).before(request)
    }

    fn after(&self, request: &mut Request, response: &mut Response) -> After {
        (**self).after(request, response)
    }

    fn done(&self, done: &Done<'_>) {
        (**self).done(done);
    }

    fn refused(&self, refused: &Refused) {
        (**self).refused(refused);
    }

    fn idle(&self, now: Now) -> Option<Instant> {
        (**self).idle(now)
    }
}

/// A closure for the way in.
pub(super) struct Before<F>(pub(super) F);

impl<F: Fn(&mut Request) -> Flow> Middleware for Before<F> {
    fn before(&self, request: &mut Request) -> Flow {
        self.0(request)
    }
}

/// A closure for the way out.
pub(super) struct AfterHook<F>(pub(super) F);

impl<F: Fn(&mut Request, &mut Response)> Middleware for AfterHook<F> {
    fn after(&self, request: &mut Request, response: &mut Response) -> After {
        self.0(request, response);
        After::Go
    }
}

/// What [`Middleware::before`] says.
#[derive(Debug)]
pub enum Flow {
    /// On to the next, and to the handler.
    Go,
    /// This is the response; the handler is not called.
    Stop(Response),
    /// The same with the app's [error page](super::App::errors).
    Refuse(Reject),
    /// Wait for this job. If it leaves a response in the exchange (anything
    /// but an empty 200), that is a `Stop`, else it goes on.
    /// [`Flow::offload`] makes one that says what it means.
    Offload(Job),
}

impl Flow {
    /// Asks on a helper thread: what the closure returns counts as if
    /// `before` had returned it.
    pub fn offload(run: impl FnOnce(&mut Request) -> Flow + Send + 'static) -> Flow {
        Flow::Offload(Job::new(move |exchange: &mut Exchange| {
            let next = match guard(|| run(&mut exchange.request)) {
                Ok(flow) => Next::Flow(flow),
                Err(panicked) => Next::Panicked(panicked),
            };
            exchange.bookmark.note = Some(Box::new(next));
        }))
    }
}

/// What [`Middleware::after`] says.
#[derive(Debug)]
pub enum After {
    /// On outward.
    Go,
    /// Wait for this job, then on outward. It may change the response.
    Offload(Job),
}

impl After {
    /// Goes on when this has run on a helper thread.
    pub fn offload(run: impl FnOnce(&mut Request, &mut Response) + Send + 'static) -> After {
        After::Offload(Job::new(move |exchange: &mut Exchange| {
            run(&mut exchange.request, &mut exchange.response);
        }))
    }
}

/// What [`Middleware::done`] gets to see.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Done<'a> {
    /// What was asked.
    pub request: &'a Request,
    /// The response's status and fields; its content is gone.
    pub response: &'a Response,
    /// The pattern of the route that matched, such as `/users/{id}`.
    pub route: Option<&'a str>,
    /// How it ended, and when.
    pub outcome: &'a Outcome,
}
