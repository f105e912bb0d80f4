//! The bounds, and who has to go.

use super::*;
use crate::files::resource::{Representation, Stamp};
use crate::http::ContentType;
use std::fs::File;

const FRESH: Duration = Duration::from_secs(1);

fn resource(path: &str, content: Content) -> Arc<Resource> {
    let metadata = File::open("Cargo.toml").unwrap().metadata().unwrap();
    let identity = Representation {
        coding: None,
        facts: crate::files::plan::Facts::of(&metadata),
        content_type: ContentType::TEXT,
        content,
        ready: None,
    };
    let stamp = Stamp::of(&metadata);
    Arc::new(Resource {
        path: path.into(),
        stamp,
        racy: false,
        identity,
        others: Default::default(),
    })
}

fn small(path: &str, len: usize) -> Arc<Resource> {
    resource(path, Content::Bytes(vec![0; len].into()))
}

fn large(path: &str) -> Arc<Resource> {
    resource(path, Content::File(Arc::new(File::open("Cargo.toml").unwrap().into())))
}

/// Counts what is there anew.
fn check(cache: &Cache) {
    let sums = cache.slots.iter().map(|(_, entry)| cost(&entry.path, &entry.resource));
    let (bytes, files) = sums.fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    assert_eq!((cache.bytes, cache.files), (bytes, files));
    assert!(bytes <= cache.bytes_max && files <= cache.files_max);
    assert_eq!(cache.index.len(), cache.slots.len());
}

#[test]
fn an_entry_is_fresh_for_a_while_and_then_a_candidate() {
    let now = Instant::now();
    let mut cache = Cache::new(1 << 20, 1, FRESH);
    cache.put("a", &small("a", 10), now);
    let just_before = now + FRESH - Duration::from_nanos(1);
    assert!(cache.fresh("a", now).is_some() && cache.fresh("a", just_before).is_some());
    assert!(cache.fresh("a", now + FRESH).is_none() && cache.stale("a").is_some());
    assert!(cache.fresh("b", now).is_none() && cache.stale("b").is_none());
    cache.renew("a", now + FRESH);
    assert!(cache.fresh("a", now + FRESH).is_some());
    // A clock that goes back makes nothing older.
    assert!(cache.fresh("a", now).is_some());
}

#[test]
fn bytes_and_files_are_bounded_whatever_is_asked_for() {
    let now = Instant::now();
    let mut cache = Cache::new(64 * 1024, 3, FRESH);
    for n in 0..10_000u32 {
        let path = format!("{}", n.wrapping_mul(2_654_435_761) % 5000);
        let is_large = n % 7 == 0;
        let resource = if is_large { large(&path) } else { small(&path, n as usize % 9000) };
        cache.put(&path, &resource, now);
        check(&cache);
        assert!(cache.fresh(&path, now).is_some(), "{n}");
    }
    assert!(cache.slots.capacity() < 256);
}

#[test]
fn what_is_larger_than_the_cache_is_not_kept() {
    let now = Instant::now();
    let mut cache = Cache::new(4096, 0, FRESH);
    cache.put("a", &small("a", 100), now);
    cache.put("b", &small("b", 5000), now);
    cache.put("c", &large("c"), now);
    assert!(cache.stale("a").is_some() && cache.stale("b").is_none() && cache.stale("c").is_none());
    // Nor is what was there before, under the same name.
    cache.put("a", &small("a", 5000), now);
    assert!(cache.stale("a").is_none());
    check(&cache);
    let mut none = Cache::new(0, 0, FRESH);
    none.put("a", &small("a", 0), now);
    assert!(none.stale("a").is_none());
}

#[test]
fn who_is_asked_for_stays() {
    let now = Instant::now();
    let mut cache = Cache::new(20 * 1100, 0, FRESH);
    cache.put("hot", &small("hot", 10), now);
    for n in 0..1000 {
        assert!(cache.fresh("hot", now).is_some(), "{n}");
        let path = format!("cold{n}");
        cache.put(&path, &small(&path, 10), now);
    }
    assert!(cache.fresh("hot", now).is_some());
    check(&cache);
}

#[test]
fn what_a_change_has_to_do_with_is_forgotten() {
    let now = Instant::now();
    for (changed, gone) in [
        ("a/index.html", &["a/index.html", "a/"][..]),
        ("index.html", &["index.html", ""]),
        ("a/b.css.gz", &["a/b.css.gz", "a/b.css", "a/"]),
    ] {
        let keys = ["", "index.html", "a/", "a/index.html", "a/b.css", "a/b.css.gz"];
        let mut cache = Cache::new(1 << 20, 1, FRESH);
        for key in keys {
            cache.put(key, &small(key, 1), now);
        }
        cache.forget(changed);
        for key in keys {
            assert_eq!(cache.stale(key).is_none(), gone.contains(&key), "{changed}: {key}");
        }
        check(&cache);
    }
}

#[test]
fn paths_are_spread_over_the_table() {
    for seed in (0..32u64).map(|n| Seed(n.wrapping_mul(SPREAD))) {
        let mut buckets = vec![0u32; 1024];
        let mut seen = std::collections::HashSet::new();
        for n in 0..10_240 {
            let hash = seed.hash_one(format!("assets/images/{n}.png").as_str());
            seen.insert(hash);
            buckets[hash as usize % 1024] += 1;
        }
        assert_eq!(seen.len(), 10_240);
        let most = buckets.iter().max().copied();
        assert!(most < Some(40), "{most:?} of 10 on average");
        assert_ne!(seed.hash_one("a"), seed.hash_one("a\0"));
    }
    assert_ne!(Seed::new().hash_one("a"), Seed::new().hash_one("a"));
}
