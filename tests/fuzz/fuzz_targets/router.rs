//! Route tables: no pattern and no path panics, and what a lookup finds does
//! not depend on the order of registration or on what was looked up before.
//!
//! The input is lines: `METHOD pattern` (`*` for any method) up to an empty one,
//! then paths.

#![no_main]

use libfuzzer_sys::fuzz_target;
use onepoll::http::{Method, Params};
use onepoll::route::{Lookup, Table};

const METHODS: [Method; 5] =
    [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS, Method::DELETE];
/// Enough to make them meet; more would only be slow.
const ROUTES_MAX: usize = 24;

fuzz_target!(|text: &str| {
    let (routes, paths) = text.split_once("\n\n").unwrap_or((text, "/"));
    let routes: Vec<(Option<Method>, &str)> =
        routes.lines().take(ROUTES_MAX).filter_map(route).collect();
    // What conflicts is left out, so that the order can be turned round.
    let mut table = Table::new();
    let good: Vec<_> = routes
        .into_iter()
        .filter(|(method, pattern)| table.insert(method.clone(), pattern, *pattern).is_ok())
        .collect();
    let mut turned = Table::new();
    for (method, pattern) in good.iter().rev() {
        let again = turned.insert(method.clone(), pattern, *pattern);
        assert!(again.is_ok(), "{again:?} in another order");
    }
    assert_eq!(table.routes().count(), good.len());
    let mut warm = Params::new();
    for path in paths.lines() {
        for method in &METHODS {
            check(&table, &turned, method, path, &mut warm);
        }
    }
});

fn route(line: &str) -> Option<(Option<Method>, &str)> {
    let (method, pattern) = line.split_once(' ')?;
    let method = match method {
        "*" => None,
        name => Some(METHODS.iter().find(|known| known.as_str() == name)?.clone()),
    };
    Some((method, pattern))
}

type Routes<'a> = Table<&'a str>;

fn check(table: &Routes, turned: &Routes, method: &Method, path: &str, warm: &mut Params) {
    let (mut cold, mut other) = (Params::new(), Params::new());
    let found = table.lookup(method, path, &mut cold);
    assert_eq!(turned.lookup(method, path, &mut other), found);
    assert_eq!(table.lookup(method, path, warm), found);
    assert!(cold.iter().eq(other.iter()), "{cold:?} {other:?}");
    assert!(cold.iter().eq(warm.iter()), "{cold:?} {warm:?}");
    match found {
        Lookup::Found { value, pattern } => assert_eq!(*value, pattern),
        Lookup::Options(allow) | Lookup::MethodNotAllowed(allow) => {
            assert!(!allow.split(", ").any(|name| name == method.as_str() && name != "OPTIONS"));
            assert_eq!(cold.iter().count(), 0);
        }
        _ => assert_eq!(cold.iter().count(), 0),
    }
}
