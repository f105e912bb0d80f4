//! Catching panics: a bug in one handler must not end everyone's server.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs user code. A panic comes back as its message.
///
/// Unwind safety is asserted, not proven: what a panic can leave half-done is
/// the handler's own state behind its `Rc<RefCell<_>>`, as in any thread pool
/// with shared state. The exchange is answered with 500 and its connection
/// closed, so nothing half-made is sent.
#[inline]
pub(super) fn guard<T>(run: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(run)).map_err(Panicked::new)
}

/// What a panic said.
#[derive(Debug)]
pub(super) struct Panicked(pub(super) String);

impl Panicked {
    #[cold]
    #[expect(clippy::needless_pass_by_value, reason = "the payload is to be dropped here")]
    fn new(payload: Box<dyn Any + Send>) -> Panicked {
        let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(text), _) => (*text).to_owned(),
            (_, Some(text)) => text.clone(),
            _ => "(no message)".to_owned(),
        };
        Panicked(text)
    }
}
