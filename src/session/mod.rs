//! Sessions: what is remembered of a client from one request to the next.
//!
//! The client holds an id of 160 random bits in a cookie, and nothing else; what is
//! remembered lies in a [`SessionStore`] under a hash of that id. So a client can't
//! change its data, and who reads the store can't make himself a cookie of it.
//!
//! ```text
//!  before   cookie? --no----------------------------------> nothing is done
//!             | yes, and it looks like one of ours
//!             '--> store.load, by a helper if it blocks --> the session, if it is known
//!  handler  session(request).set(..) .rotate() .destroy()   marks what is to be done
//!  after    nothing marked --> the reply goes (now and then: store.touch)
//!             | marked
//!             '--> store.create, save, rotate, delete: Lane::Serial if it blocks
//!                    | done               | failed
//!                    v                    v
//!                  Set-Cookie, reply    500, or 507 for a full disk; no cookie
//! ```
//!
//! The reply leaves after the store has said that it is done: what a client was told
//! is kept. A session comes to be when something is set in it, under an id that was
//! drawn here: ids that clients make up are never used. A reply of 500 or more saves
//! nothing, as nobody knows how far its handler came; only an end is an end.
//!
//! Two requests of one session at the same time each have a copy. What is saved is what
//! each has changed, key by key ([`Change`]): of a key that both have set, what is saved
//! last stays. What is saved after the session was ended or rotated is dropped: a late
//! reply can't bring a session back.
//!
//! ```
//! use onepoll::app::{App, Reject, TestClient};
//! use onepoll::http::Request;
//! use onepoll::session::{MemoryStore, Sessions, session};
//! let mut app = App::new();
//! app.wrap(Sessions::new(MemoryStore::new(10_000)));
//! app.get("/", |request: &mut Request| -> Result<String, Reject> {
//!     let session = session(request);
//!     let visits = session.parse("visits").unwrap_or(0_u64) + 1;
//!     session.set("visits", visits.to_string())?;
//!     Ok(format!("visit {visits}"))
//! });
//! let mut client = TestClient::new(app);
//! let first = client.get("/").send();
//! let cookie = first.header("Set-Cookie").and_then(|it| it.split(';').next()).unwrap();
//! assert_eq!(client.get("/").header("Cookie", cookie).send().text(), "visit 2");
//! ```

mod change;
mod csrf;
mod data;
mod id;
mod memory;
mod middle;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sqlite")]
mod sqlite;
mod state;
mod store;

pub use change::Change;
pub use csrf::check_csrf;
pub use data::{Data, Record};
pub use id::Key;
pub use memory::MemoryStore;
pub use middle::{Sessions, session};
#[cfg(feature = "redis")]
pub use redis::RedisStore;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
pub use state::Session;
pub use store::SessionStore;
