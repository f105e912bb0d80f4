//! One session during one request: its data, and what is to be done with them.

use super::change::{Change, full};
use super::data::{self, Data, Record};
use super::id::{Id, Key};
use crate::http::Refusal;
use std::fmt;
use std::str::FromStr;

/// What is remembered of a client; from [`session`](super::session).
///
/// Keys and values are texts, 4 KiB in all. Nothing is stored before the handler has
/// answered.
pub struct Session {
    data: Data,
    /// How they came to differ from what is stored.
    change: Change,
    stored: Stored,
    intent: Intent,
}

/// Whether the store has it.
enum Stored {
    Absent,
    Present { id: Id, created: u64, expires: u64 },
}

/// What is to be done when the handler has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intent {
    Keep,
    Save,
    Rotate,
    Destroy,
}

/// How long sessions live, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lives {
    /// Without a request.
    pub(super) idle: u64,
    /// From their beginning.
    pub(super) absolute: u64,
}

/// What the store is to do.
#[derive(Debug)]
pub(super) enum Plan {
    Nothing,
    Create(Record),
    Save(Id, Change),
    Rotate(Key, Change),
    Touch(Id, u64),
    Delete(Key),
}

impl Lives {
    pub(super) fn expiry(self, created: u64, now: u64) -> u64 {
        now.saturating_add(self.idle).min(created.saturating_add(self.absolute))
    }
}

impl Session {
    /// One that nobody knows yet.
    pub(super) fn absent() -> Session {
        Session::new(Data::new(), Stored::Absent)
    }

    /// One from the store.
    pub(super) fn present(id: Id, record: Record) -> Session {
        let Record { data, created, expires } = record;
        Session::new(data, Stored::Present { id, created, expires })
    }

    fn new(data: Data, stored: Stored) -> Session {
        Session { data, change: Change::default(), stored, intent: Intent::Keep }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.data.get(key).map(String::as_str)
    }

    /// The value of a key as a `T`; `None` also if it is no `T`.
    pub fn parse<T: FromStr>(&self, key: &str) -> Option<T> {
        self.get(key)?.parse().ok()
    }

    /// Keys and values, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.data.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether the client came with no session that is known.
    pub fn is_new(&self) -> bool {
        matches!(self.stored, Stored::Absent)
    }

    /// Sets a key. Keys that begin with `_` are the library's.
    ///
    /// # Errors
    /// A [`Refusal`], 413, if all keys and values would be more than 4 KiB, with 8
    /// bytes added for each pair; the old value is still there then.
    pub fn set(&mut self, key: &str, value: impl Into<String>) -> Result<(), Refusal> {
        let value = value.into();
        let old = self.get(key);
        if old == Some(&*value) {
            return Ok(());
        }
        let freed = old.map_or(0, |old| data::pair_size(key, old));
        if data::size(&self.data) - freed + data::pair_size(key, &value) > data::MAX {
            return Err(full());
        }
        self.data.insert(key.to_owned(), value.clone());
        self.changed(key, Some(value));
        Ok(())
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        let value = self.data.remove(key)?;
        self.changed(key, None);
        Some(value)
    }

    /// Gives the session another id, and its absolute expiry another beginning; the
    /// old id is worth nothing from then on. To be called when somebody logs in, or
    /// gets other rights: whoever knew the id before does not know it after.
    ///
    /// The token against forged requests is another one, too.
    pub fn rotate(&mut self) {
        self.data.remove(CSRF);
        self.change.keys.insert(CSRF.to_owned(), None);
        self.intent = Intent::Rotate;
    }

    /// Ends the session: when somebody logs out. What is set afterwards is in a new
    /// one.
    pub fn destroy(&mut self) {
        self.data.clear();
        self.change = Change { forget: true, ..Change::default() };
        self.intent = Intent::Destroy;
    }

    fn changed(&mut self, key: &str, value: Option<String>) {
        self.change.keys.insert(key.to_owned(), value);
        self.intent = match self.intent {
            Intent::Keep | Intent::Save => Intent::Save,
            Intent::Rotate | Intent::Destroy => Intent::Rotate,
        };
    }

    /// What is to be done; `failed` is whether the reply is a 500 or more.
    pub(super) fn plan(self, lives: Lives, now: u64, failed: bool) -> Plan {
        let Session { data, change, stored, intent } = self;
        let anew = lives.expiry(now, now);
        match (stored, intent) {
            (Stored::Present { id, .. }, Intent::Destroy) => Plan::Delete(id.key()),
            _ if failed => Plan::Nothing,
            (Stored::Absent, Intent::Save | Intent::Rotate) if !data.is_empty() => {
                Plan::Create(Record { data, created: now, expires: anew })
            }
            (Stored::Absent, _) => Plan::Nothing,
            (Stored::Present { id, .. }, Intent::Rotate) => {
                Plan::Rotate(id.key(), Change { created: Some(now), expires: anew, ..change })
            }
            (Stored::Present { id, created, .. }, Intent::Save) => {
                Plan::Save(id, Change { expires: lives.expiry(created, now), ..change })
            }
            (Stored::Present { id, created, expires }, Intent::Keep) => {
                let later = lives.expiry(created, now);
                // A write for each request that only reads would be too many.
                let due = later.saturating_sub(expires) > lives.idle / TOUCHES;
                if due { Plan::Touch(id, later) } else { Plan::Nothing }
            }
        }
    }
}

impl fmt::Debug for Session {
    /// Without the values: they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("keys", &self.data.keys())
            .field("is_new", &self.is_new())
            .field("intent", &self.intent)
            .finish_non_exhaustive()
    }
}

/// A session that is only read is touched so often, at most, in the time that it
/// may be idle. So it may expire a tenth of that time early.
const TOUCHES: u64 = 10;

/// Where the token against forged requests is.
pub(super) const CSRF: &str = "_csrf";

#[cfg(test)]
mod tests {
    use super::*;

    const LIVES: Lives = Lives { idle: 100, absolute: 1000 };

    fn known() -> Session {
        let data = Data::from([("user".to_owned(), "ada".to_owned())]);
        Session::present(Id::fresh().unwrap(), Record { data, created: 1000, expires: 1100 })
    }

    /// The plan in short: what, and when it expires.
    fn plan(session: Session, now: u64, failed: bool) -> (&'static str, u64) {
        match session.plan(LIVES, now, failed) {
            Plan::Nothing => ("nothing", 0),
            Plan::Create(record) => ("create", record.expires),
            Plan::Save(_, change) => ("save", change.expires),
            Plan::Rotate(_, change) => ("rotate", change.expires),
            Plan::Touch(_, expires) => ("touch", expires),
            Plan::Delete(_) => ("delete", 0),
        }
    }

    type Act = fn(&mut Session);

    #[test]
    fn what_is_done_follows_from_what_was_asked() {
        let set: Act = |session| session.set("a", "1").unwrap();
        let nothing: Act = |_| {};
        let same: Act = |session| session.set("user", "ada").unwrap();
        let remove: Act = |session| assert_eq!(session.remove("user").as_deref(), Some("ada"));
        let set_and_remove: Act = |session| {
            session.set("a", "1").unwrap();
            session.remove("a");
        };
        let login: Act = |session| {
            session.rotate();
            session.set("a", "1").unwrap();
        };
        let again: Act = |session| {
            session.destroy();
            session.set("a", "1").unwrap();
        };
        let table: [(bool, Act, u64, (&str, u64)); 17] = [
            (false, nothing, 1050, ("nothing", 0)),
            (false, set, 1050, ("create", 1150)),
            (false, set_and_remove, 1050, ("nothing", 0)),
            (false, login, 1050, ("create", 1150)),
            (false, Session::rotate, 1050, ("nothing", 0)),
            (false, Session::destroy, 1050, ("nothing", 0)),
            (false, again, 1050, ("create", 1150)),
            (true, nothing, 1010, ("nothing", 0)),
            (true, nothing, 1011, ("touch", 1111)),
            (true, same, 1005, ("nothing", 0)),
            (true, set, 1005, ("save", 1105)),
            (true, set, 1990, ("save", 2000)),
            (true, remove, 1005, ("save", 1105)),
            (true, login, 1990, ("rotate", 2090)),
            (true, Session::rotate, 1990, ("rotate", 2090)),
            (true, Session::destroy, 1050, ("delete", 0)),
            (true, again, 1050, ("rotate", 1150)),
        ];
        for (row, (is_known, act, now, wanted)) in table.into_iter().enumerate() {
            let make = || if is_known { known() } else { Session::absent() };
            let mut session = make();
            act(&mut session);
            assert_eq!(plan(session, now, false), wanted, "row {row}");
            let mut session = make();
            act(&mut session);
            let failed = if wanted.0 == "delete" { wanted } else { ("nothing", 0) };
            assert_eq!(plan(session, now, true), failed, "row {row}, failed");
        }
    }

    #[test]
    fn a_session_is_full_at_4_kib() {
        let mut session = Session::absent();
        session.set("a", "x".repeat(data::MAX - 9)).unwrap();
        assert_eq!(session.set("b", "").unwrap_err().status.code(), 413);
        session.set("a", "y".repeat(data::MAX - 9)).unwrap();
        assert!(session.set("a", "z".repeat(data::MAX - 8)).is_err());
        assert!(session.get("a").unwrap().starts_with('y'));
        session.remove("a");
        session.set("b", "").unwrap();
    }

    #[test]
    fn values_are_not_in_debug_texts() {
        let text = format!("{:?}", known());
        assert!(text.contains("user") && !text.contains("ada"), "{text}");
    }
}
