//! The loop: slots, timers, inbox and turns.

mod idle;
mod slots;
mod wheel;

pub use slots::{ConnectionId, Slots};
pub use wheel::Wheel;
