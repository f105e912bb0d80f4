use super::*;
use crate::session::Data;
use crate::session::store::tests::{behaves, is_bounded, merges};
use std::os::unix::fs::PermissionsExt;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("onepoll-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("sessions.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const FAR: u64 = 1 << 40;

#[test]
fn it_behaves_and_is_bounded() {
    let folder = Folder::new("sqlite-behaves");
    behaves(&SqliteStore::open(folder.file()).unwrap());
    merges(&SqliteStore::open(folder.file()).unwrap());
    is_bounded(&SqliteStore::open(folder.file()).unwrap().max(2));
}

#[test]
fn it_is_opened_again_and_swept() {
    let folder = Folder::new("sqlite-again");
    let store = SqliteStore::open(folder.file()).unwrap();
    let data = Data::from([("a\0".to_owned(), "é'\"; DROP TABLE sessions".to_owned())]);
    let record = Record { data, created: 1, expires: FAR };
    let (kept, old) = (Key::from_bytes([1; 32]), Key::from_bytes([2; 32]));
    store.create(&kept, &record).unwrap();
    store.create(&old, &Record { expires: 5, ..record.clone() }).unwrap();
    assert_eq!(store.writer().rows, 2);
    drop(store);
    let store = SqliteStore::open(folder.file()).unwrap();
    assert_eq!(store.writer().rows, 1);
    assert_eq!(store.load(&kept, 0).unwrap(), Some(record));
    assert_eq!(store.load(&old, 0).unwrap(), None);
    let mode = std::fs::metadata(folder.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let settings = |name: &str| -> String {
        let ask = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
        store.writer().connection.query_row(&ask, [], |row| row.get(0)).unwrap()
    };
    assert_eq!((settings("journal_mode"), settings("synchronous")), ("wal".into(), "2".into()));
    assert!(store.reader.lock().unwrap().execute("DELETE FROM sessions", []).is_err());
}

#[test]
fn what_is_no_database_of_ours_is_refused() {
    let folder = Folder::new("sqlite-refused");
    assert!(SqliteStore::open(folder.0.join("none/sessions.db")).is_err());
    std::fs::write(folder.file(), "this is not a database, and long enough to show it").unwrap();
    let error = SqliteStore::open(folder.file()).unwrap_err().to_string();
    assert!(error.contains("sessions.db"), "{error}");
    let later = folder.0.join("later.db");
    drop(SqliteStore::open(&later).unwrap());
    Connection::open(&later).unwrap().execute_batch("PRAGMA user_version = 2").unwrap();
    let error = SqliteStore::open(&later).unwrap_err().to_string();
    assert!(error.contains("later version"), "{error}");
}

#[test]
fn damage_is_an_error_and_not_somebody_s_session() {
    let folder = Folder::new("sqlite-damage");
    let store = SqliteStore::open(folder.file()).unwrap();
    let key = Key::from_bytes([1; 32]);
    store.create(&key, &Record { expires: FAR, ..Record::default() }).unwrap();
    store.writer().connection.execute("UPDATE sessions SET data = x'ff'", []).unwrap();
    assert_eq!(store.load(&key, 0).unwrap_err().kind(), io::ErrorKind::InvalidData);
}

/// Another process that writes for a moment is waited for, and a reader is not held
/// up by it.
#[test]
fn writers_wait_for_each_other() {
    let folder = Folder::new("sqlite-writers");
    let store = SqliteStore::open(folder.file()).unwrap();
    let key = Key::from_bytes([1; 32]);
    let other = Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(store.load(&key, 0).unwrap(), None);
    std::thread::scope(|scope| {
        let record = Record { expires: FAR, ..Record::default() };
        let store = &store;
        let writer = scope.spawn(move || store.create(&key, &record));
        assert_eq!(store.load(&key, 0).unwrap(), None);
        other.execute_batch("COMMIT").unwrap();
        writer.join().unwrap().unwrap();
    });
    assert!(store.load(&key, 0).unwrap().is_some());
}
