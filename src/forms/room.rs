//! How much of the disk what is under way may take, all of it together.

use crate::http::{Refusal, Status};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What all forms of one [`UploadForm`](super::UploadForm) share.
#[derive(Clone, Debug)]
pub(super) struct Room {
    taken: Arc<AtomicU64>,
    max: u64,
}

/// What one file takes of it, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    room: Room,
    bytes: u64,
}

impl Room {
    pub(super) fn new(max: u64) -> Room {
        Room { taken: Arc::default(), max }
    }

    pub(super) fn share(&self) -> Share {
        Share { room: self.clone(), bytes: 0 }
    }
}

impl Share {
    /// Takes more, or nothing: what is refused is in nobody's way.
    ///
    /// # Errors
    /// 503 if there is no more: others will be done sooner or later.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), Refusal> {
        // Nothing else is told by this number, so no order with other memory is needed.
        let order = Ordering::Relaxed;
        let within = |sum: &u64| *sum <= self.room.max;
        let add = |taken: u64| taken.checked_add(bytes).filter(within);
        match self.room.taken.fetch_update(order, order, add) {
            Ok(_) => {
                self.bytes += bytes;
                Ok(())
            }
            Err(_) => Err(Refusal::new(Status::SERVICE_UNAVAILABLE, "too many uploads at once")),
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
