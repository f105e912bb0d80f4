//! Who a request was proven to come from.

use std::sync::Arc;

/// The name that an authenticating middleware found to be true. It leaves one
/// in the request's bag for handlers and for the access log.
///
/// ```
/// use onepoll::middleware::User;
/// use onepoll::{App, Request};
/// let mut app = App::new();
/// app.get("/me", |request: &mut Request| {
///     request.extension::<User>().map(|user| format!("You are {}.\n", user.name()))
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User(Arc<str>);

impl User {
    /// That name.
    pub fn new(name: impl Into<Arc<str>>) -> User {
        User(name.into())
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }
}
