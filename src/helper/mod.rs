//! Helper threads, for what would block the loop.
//!
//! The pool runs boxed closures and knows nothing of requests. A job brings its
//! result home by itself; the pool only says no when there is no room, and then
//! gives the job back.
//!
//! ```text
//!   loop --submit(lane, task)--> Engine      [][]        --.
//!                                Application [][][][][]  --+--> onepoll-helper-1
//!                                Serial      [][]        --'    onepoll-helper-2 ...
//!                                                                    |
//!   inbox <----------------- the task's own last act ----------------'
//! ```
//!
//! Three queues, the [`Lane`]s, share the threads. *A lane that is stuck doesn't
//! hold up the others*: a lane may always run one job, and more only as long as
//! a thread remains for each of the others. Among lanes that may run, turns are
//! taken. Threads come with the load and go when they have been idle.

mod job;
mod lanes;
mod pool;

pub use job::{Lane, Reason, Refused, Task};
pub use pool::{Pool, Settings, Stats};
