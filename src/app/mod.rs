//! The application: routes, scopes, middleware, and what a handler may answer.
//!
//! An [`App`] is a [`Service`](crate::http::Service): the engine hands it an
//! exchange and it says what is to happen next. It never waits. Where a
//! handler or a middleware wants a helper thread, some time, or the request's
//! content, the exchange goes back to the engine with a note of where it is,
//! and comes in again through `resume`:
//!
//! ```text
//!  begin --> route --> before hooks, --> content --> handler --> reply
//!                      outermost first   (413 here    |            |
//!                        |    |           if it is    |            |  Offload, After,
//!                        |    |           too long)   |            '- Receive: back here
//!                    Stop|    |Offload                | panic: 500   with the next reply
//!                        v    v                       v            v
//!  Respond <-- after hooks, exactly those that were entered, innermost first
//!     |
//!  finish --> done hooks of the same, when the last byte is taken or the client is lost
//! ```
//!
//! Handlers and middleware run on the loop's thread and need no `Send`: shared
//! state is an `Rc<RefCell<_>>`. What goes to a helper thread is marked by the
//! functions that take it there: [`offload`], [`offload_now`], [`Flow::offload`].
//!
//! ```
//! use onepoll::app::{App, Reject, TestClient, ok};
//! use onepoll::http::{Request, Response};
//! let mut app = App::new();
//! app.get("/", |_: &mut Request| "Hello, World!");
//! app.get("/users/{id}", |request: &mut Request| -> Result<Response, Reject> {
//!     Ok(ok(format!("user {}", request.param::<u64>("id")?)))
//! });
//! let mut client = TestClient::new(app);
//! assert_eq!(client.get("/").send().text(), "Hello, World!");
//! assert_eq!(client.get("/users/7").send().text(), "user 7");
//! assert_eq!(client.get("/users/x").send().status.code(), 400);
//! ```

#[expect(clippy::module_inception, reason = "the module is named for its main type")]
mod app;
mod guard;
mod handler;
mod middleware;
mod pages;
mod pattern;
mod reject;
mod reply;
mod run;
mod store;
mod test_client;

pub mod html;
pub mod json;

#[cfg(test)]
mod tests;

pub use app::App;
pub use handler::{BodyMode, Route, offload, offload_in};
pub use middleware::{After, Done, Flow, Middleware};
pub use reject::Reject;
pub use reply::{
    Reply, after, after_with, created, found, offload_now, ok, permanent, receive, redirect,
    stream, temporary,
};
pub(crate) use store::{Store, explain, take};
pub use test_client::{TestClient, TestRequest, TestResponse};
