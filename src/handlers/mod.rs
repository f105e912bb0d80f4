//! Handlers that most services need: health, metrics, live events, error pages.
//!
//! ```text
//!   Health  --mount--> /livez  /readyz  /healthz      what a balancer asks
//!   Metrics --mount--> /metrics, and a middleware     what Prometheus asks
//!   Inside  --mount--> /inside                       what its author looks at
//!   Channel --events-> text/event-stream              what a browser listens to
//!   pages   --errors-> HTML, JSON or text             what anybody gets instead
//! ```
//!
//! The first two stand apart from the app's middleware
//! ([`App::apart`](crate::App::apart)): they are not logged, not limited and not
//! behind a login, so don't let the world in by the same port if it is not to
//! see them.

mod events;
mod health;
mod inside;
mod metrics;
mod pages;

pub use events::{Channel, Event, events};
pub use health::Health;
pub use inside::Inside;
pub use metrics::{Metrics, SharedMetrics};
pub use pages::{pages, problem};
