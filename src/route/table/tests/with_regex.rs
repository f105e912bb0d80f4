//! Constrained params and whole-path regexes.

use super::*;

#[test]
fn constraints_are_for_the_whole_decoded_value() {
    for (pattern, path, expected) in [
        (r"/{id:\d+}", "/42", " id=42"),
        (r"/{id:\d+}", "/42x", "404"),
        (r"/{id:\d+}", "/x42", "404"),
        (r"/{id:\d*}", "/", "404"), // a param is never empty
        (r"/{y:[0-9]{4}}/{m:\d\d}", "/2024/07", " y=2024 m=07"),
        (r"/{y:[0-9]{4}}/{m:\d\d}", "/2024/7", "404"),
        ("/{x:a|b}", "/b", " x=b"),
        ("/{x:a|b}", "/bb", "404"),
        ("/{x:a b}", "/a%20b", " x=a b"),
        ("/{x:a/b}", "/a%2Fb", " x=a/b"),
        ("/{x:a/b}", "/a/b", "404"),
        ("/{x:é+}", "/%C3%A9%c3%a9", " x=éé"),
        ("/{x:.*}", "/%FF", "404"),
        (r"/v{n:\d+}.x", "/v1.x", " n=1"),
        (r"/v{n:\d+}.x", "/va.x", "404"),
    ] {
        let expected = match expected {
            "404" => "404".to_owned(),
            params => format!("{pattern}{params}"),
        };
        assert_eq!(ask(&table(&[pattern]), path), expected, "{pattern} {path}");
    }
}

#[test]
fn constrained_params_rank_between_literals_and_params() {
    permuted(
        &["/u/me", r"/u/{id:\d+}", "/u/{id:[a-z]+}", "/u/{name}", "/u/*rest", "/u/1{x}"],
        &[
            ("/u/me", "/u/me"),
            ("/u/23", r"/u/{id:\d+} id=23"),
            ("/u/12", "/u/1{x} x=2"), // more literal text
            ("/u/you", "/u/{id:[a-z]+} id=you"),
            ("/u/You", "/u/{name} name=You"),
            ("/u/", "/u/*rest rest="),
        ],
    );
    // Nothing tells which of two overlapping constraints is closer; but it is
    // the same one in every order.
    permuted(&["/{a:[a-m]+}", "/{b:[a-z]+}"], &[("/b", "/{a:[a-m]+} a=b")]);
}

#[test]
fn the_same_constraint_twice_is_a_conflict() {
    let mut table = table(&[r"/{a:\d+}"]);
    let error = table.insert(Some(Method::GET), r"/{b:\d+}", 1).expect_err("conflict").to_string();
    assert!(error.contains(r"`/{a:\d+}`") && error.contains(r"`/{b:\d+}`"), "{error}");
    table.insert(Some(Method::POST), r"/{b:\d+}", 1).expect("another method");
}

#[test]
fn a_regex_route_matches_whole_paths() {
    for (regex, path, expected) in [
        (r"^/u/(?P<id>\d+)$", "/u/42", " id=42"),
        (r"^/u/(?P<id>\d+)$", "/u/42/", "404"),
        (r"^/u/(?<id>\d+)", "/u/42/", "404"),
        (r"^/(\d+)/(?P<n>\w+)/(x)?$", "/1/a/", " 1=1 n=a 3="),
        ("^/a/(.*)$", "/a/b/c", " 1=b/c"),
        ("^/a/(.*)$", "/a/b%2Fc%20d", " 1=b/c d"),
        ("^/a/(.*)$", "/a/%FF", "404"),
        ("^/caf%C3%A9$", "/caf%c3%a9", ""),
        ("^/a|/b$", "/b", ""),
        ("^/a|/b$", "/ab", "404"),
        ("^/ab?$", "/a", ""),
        ("^/(?i)a$", "/A", ""),
    ] {
        let expected = match expected {
            "404" => "404".to_owned(),
            params => format!("{regex}{params}"),
        };
        assert_eq!(ask(&table(&[regex]), path), expected, "{regex} {path}");
    }
    let mut table = Table::new();
    table.insert_regex(Some(Method::GET), "/x/[0-9]", 0).expect("valid");
    assert_eq!(ask(&table, "/x/5"), "/x/[0-9]");
    assert_eq!(ask(&table, "/x/55"), "404");
}

#[test]
fn a_regex_route_ranks_between_patterns_and_wildcards() {
    permuted(
        &["/u/{name}", "/u/*rest", r"^/u/\d+(/\d+)?$", "^/u/.*$", "POST ^/u/[0-9/]+$", "/{x}/b"],
        &[
            ("/u/1", "/u/{name} name=1"),
            ("/u/1/2", r"^/u/\d+(/\d+)?$ 1=/2"), // longer than the other one
            ("/u/a/b", "^/u/.*$"),
            ("/u/b", "/u/{name} name=b"),
            ("/v/b", "/{x}/b x=v"),
            ("POST /u/1/2", "^/u/[0-9/]+$"),
            ("PUT /u/1/2", "405: GET, HEAD, OPTIONS, POST"),
            ("OPTIONS /u/1/2", "options: GET, HEAD, OPTIONS, POST"),
            ("OPTIONS /nowhere", "404"),
        ],
    );
    // A wildcard with the method is better than a regex without it.
    permuted(&["POST ^/a/b$", "GET /*r"], &[("GET /a/b", "/*r r=a/b"), ("POST /a/b", "^/a/b$")]);
}

#[test]
fn regex_routes_conflict_when_their_text_is_the_same() {
    let mut table = table(&["^/a$"]);
    let error = table.insert(Some(Method::GET), "^/a$", 1).expect_err("conflict").to_string();
    assert!(error.contains("`^/a$` and `^/a$` match the same paths, both for GET"), "{error}");
    table.insert(Some(Method::POST), "^/a$", 1).expect("another method");
    assert_eq!(ask(&table, "PUT /a"), "405: GET, HEAD, OPTIONS, POST");
}

#[test]
fn bad_regexes_are_refused() {
    let mut table = Table::new();
    for pattern in ["^(", "^a)|(b", "^/a{5,2}$", r"/{id:(}", r"/{id:a)|(b}", r"/{id:\p{Greek}}"] {
        let error = table.insert(None, pattern, 0).expect_err(pattern).to_string();
        assert!(error.contains("can't be read") && error.contains(pattern), "{error}");
    }
}
