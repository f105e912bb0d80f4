//! What holds for every store.

use super::*;
use crate::http::Refusal;
use crate::session::Data;

fn key(number: u8) -> Key {
    Key::from_bytes([number; 32])
}

fn record(value: &str, expires: u64) -> Record {
    Record { data: Data::from([("k".to_owned(), value.to_owned())]), created: 10, expires }
}

fn change(value: &str, expires: u64) -> Change {
    let keys = [("k".to_owned(), Some(value.to_owned()))].into();
    Change { keys, expires, ..Change::default() }
}

/// Shows that changes are applied to what is there now, not to what was loaded.
pub(in crate::session) fn merges(store: &dyn SessionStore) {
    let set = |pairs: &[(&str, Option<&str>)]| Change {
        keys: pairs.iter().map(|(k, v)| ((*k).to_owned(), v.map(str::to_owned))).collect(),
        expires: 100,
        ..Change::default()
    };
    let is = |number, pairs: &[(&str, &str)]| {
        let data: Data = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert_eq!(store.load(&key(number), 0).unwrap().unwrap().data, data);
    };
    store.create(&key(1), &record("a", 100)).unwrap();
    assert!(store.save(&key(1), &set(&[("x", Some("1")), ("k", None)])).unwrap());
    assert!(store.save(&key(1), &set(&[("y", Some("2"))])).unwrap());
    is(1, &[("x", "1"), ("y", "2")]);
    // Moved with what others have set, and a beginning of its own.
    let moved = Change { created: Some(50), ..set(&[("y", Some("3"))]) };
    assert!(store.rotate(&key(1), &key(2), &moved).unwrap());
    is(2, &[("x", "1"), ("y", "3")]);
    assert_eq!(store.load(&key(2), 0).unwrap().unwrap().created, 50);
    assert!(!store.save(&key(1), &set(&[("late", Some("1"))])).unwrap());
    assert!(store.save(&key(2), &Change { forget: true, ..set(&[("z", Some("4"))]) }).unwrap());
    is(2, &[("z", "4")]);
    // Too much together: as it was, and the client is told.
    let long = "x".repeat(3000);
    assert!(store.save(&key(2), &set(&[("a", Some(&long))])).unwrap());
    for new in [2, 3] {
        let error = store.rotate(&key(2), &key(new), &set(&[("b", Some(&long))])).unwrap_err();
        assert_eq!(Refusal::of(&error).status.code(), 413);
    }
    is(2, &[("a", &long), ("z", "4")]);
    store.delete(&key(2)).unwrap();
}

/// Shows that a store that is empty does what the trait says.
pub(in crate::session) fn behaves(store: &dyn SessionStore) {
    let value = |number: u8, now: u64| {
        let record = store.load(&key(number), now).unwrap();
        record.map(|record| (record.data["k"].clone(), record.created, record.expires))
    };
    let is = |value: &str, expires: u64| Some((value.to_owned(), 10, expires));
    assert_eq!(value(1, 0), None);
    assert!(!store.save(&key(1), &change("a", 100)).unwrap());
    assert!(!store.touch(&key(1), 100).unwrap());
    assert!(!store.rotate(&key(1), &key(2), &change("a", 100)).unwrap());
    store.delete(&key(1)).unwrap();
    assert_eq!((value(1, 0), value(2, 0)), (None, None));

    store.create(&key(1), &record("a", 100)).unwrap();
    assert_eq!((value(1, 0), value(1, 99), value(1, 100)), (is("a", 100), is("a", 100), None));
    assert!(store.save(&key(1), &change("b", 200)).unwrap());
    assert!(store.save(&key(1), &change("b", 200)).unwrap());
    assert_eq!(value(1, 199), is("b", 200));
    assert!(store.touch(&key(1), 300).unwrap());
    assert!(store.touch(&key(1), 300).unwrap());
    assert_eq!((value(1, 299), value(1, 300)), (is("b", 300), None));
    assert!(store.rotate(&key(1), &key(2), &change("c", 400)).unwrap());
    assert_eq!((value(1, 0), value(2, 0)), (None, is("c", 400)));
    assert!(!store.save(&key(1), &change("late", 500)).unwrap());

    for number in 3..10 {
        store.create(&key(number), &record("x", 100 * u64::from(number))).unwrap();
    }
    assert_eq!(store.sweep(399, 100).unwrap(), 1);
    assert_eq!((value(3, 0), value(2, 0)), (None, is("c", 400)));
    assert_eq!(store.sweep(900, 2).unwrap(), 2);
    assert_eq!((value(2, 0), value(4, 0), value(5, 0)), (None, None, is("x", 500)));
    assert!(store.touch(&key(9), 1000).unwrap());
    assert_eq!(store.sweep(900, 100).unwrap(), 4);
    assert_eq!(value(9, 0), is("x", 1000));
    store.delete(&key(9)).unwrap();
    assert_eq!((value(9, 0), store.sweep(u64::MAX, 9).unwrap()), (None, 0));
}

/// Shows that a store of two sessions drops the one that would expire first.
pub(in crate::session) fn is_bounded(store: &dyn SessionStore) {
    store.create(&key(1), &record("a", 100)).unwrap();
    store.create(&key(2), &record("b", 200)).unwrap();
    assert!(store.touch(&key(1), 300).unwrap());
    store.create(&key(3), &record("c", 250)).unwrap();
    let there = |number| store.load(&key(number), 0).unwrap().is_some();
    assert_eq!([1, 2, 3].map(there), [true, false, true]);
    assert!(store.rotate(&key(1), &key(4), &change("d", 220)).unwrap());
    store.create(&key(5), &record("e", 1)).unwrap();
    assert_eq!([1, 3, 4, 5].map(there), [false, true, false, true]);
}

#[test]
fn the_memory_store_behaves() {
    let store = crate::session::MemoryStore::new(100);
    behaves(&store);
    merges(&store);
    assert!(store.is_empty());
    let two = crate::session::MemoryStore::new(2);
    is_bounded(&two);
    assert_eq!(two.len(), 2);
}
