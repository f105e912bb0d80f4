//! Quotas that several machines have in common.
//!
//! ```text
//!   before:  request --> the quota here --> none left: 429, nobody is asked
//!                              | some left
//!                              v
//!                        helper: RateStore::take --> none left: 429
//!                              |          '--------> can't be asked: go on, or 503
//!                              v
//!                        on to the handler
//! ```
//!
//! Each machine's own count is no higher than what all have in common, so who is over
//! it here is over it everywhere: a flood doesn't reach the store.

use super::rule::Quota;
use crate::app::{Flow, Reject};
use crate::http::{Request, Status};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts requests for several servers. Calls come on helper threads and may block, but
/// should have a limit of time.
pub trait RateStore: Send + Sync {
    /// Takes one request from the quota of that key, unless nothing is left: in one
    /// step, for all who ask at the same time.
    ///
    /// # Errors
    /// Whatever keeps it from knowing. The request is let in then, or not:
    /// [`RateLimit::fail_closed`](super::RateLimit::fail_closed).
    fn take(&self, key: u128, policy: Policy) -> io::Result<Taken>;
}

/// What is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// So many within any span of that length.
    Sliding {
        /// Requests, one at least.
        limit: u32,
        /// The span.
        window: Duration,
    },
    /// So many at once, and then so many per period.
    TokenBucket {
        /// Requests at once, one at least.
        burst: u32,
        /// Requests per period, one at least.
        rate: u32,
        /// The period.
        period: Duration,
    },
}

/// What a [`RateStore`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whether the request is let in.
    pub allowed: bool,
    /// Requests that would be let in now.
    pub left: u32,
    /// How long until there is more; zero if nothing is used.
    pub more_in: Duration,
}

/// What a request does while the store can't be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Without {
    GoOn,
    Refuse,
}

/// A limit's part that is asked elsewhere.
#[derive(Clone)]
pub(super) struct Shared {
    store: Arc<dyn RateStore>,
    policy: Policy,
    without: Without,
    failures: Arc<AtomicU64>,
}

/// In the bag of a request that was counted elsewhere.
#[derive(Clone, Copy)]
pub(super) struct Elsewhere(pub(super) Quota);

impl Shared {
    pub(super) fn new(store: Arc<dyn RateStore>, policy: Policy) -> Shared {
        Shared { store, policy, without: Without::GoOn, failures: Arc::default() }
    }

    pub(super) fn fail_closed(&mut self) {
        self.without = Without::Refuse;
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Asks the store, on a helper; `refuse` makes the 429.
    pub(super) fn ask(
        &self,
        key: u128,
        refuse: impl FnOnce(Quota) -> Reject + Send + 'static,
    ) -> Flow {
        let shared = self.clone();
        Flow::offload(move |request| match shared.store.take(key, shared.policy) {
            Ok(taken) => {
                let more_in = u64::try_from(taken.more_in.as_micros()).unwrap_or(u64::MAX);
                let quota = Quota { left: taken.left, more_in };
                request.extend(Elsewhere(quota));
                if taken.allowed { Flow::Go } else { Flow::Refuse(refuse(quota)) }
            }
            Err(error) => shared.failed(request, &error),
        })
    }

    fn failed(&self, request: &Request, error: &io::Error) -> Flow {
        self.failures.fetch_add(1, Ordering::Relaxed);
        log::debug!("{}: not counted elsewhere: {error}", request.path());
        match self.without {
            Without::GoOn => Flow::Go,
            Without::Refuse => {
                let message = "requests can't be counted at the moment";
                let reject = Reject::new(Status::SERVICE_UNAVAILABLE, message);
                Flow::Refuse(reject.header("Retry-After", "2"))
            }
        }
    }
}
