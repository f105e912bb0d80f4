use super::*;

mod differential;
#[cfg(feature = "regex")]
mod with_regex;

fn table(routes: &[&str]) -> Table<usize> {
    let mut table = Table::new();
    for (i, route) in routes.iter().enumerate() {
        let (method, pattern) = split(route);
        table.insert(method, pattern, i).unwrap_or_else(|error| panic!("{error}"));
    }
    table
}

/// `GET /a`, `* /a` for any method; `/a` is short for `GET /a`.
fn split(route: &str) -> (Option<Method>, &str) {
    match route.split_once(' ').filter(|_| !route.starts_with(['/', '^'])) {
        Some(("*", pattern)) => (None, pattern),
        Some((method, pattern)) => (Method::parse(method.as_bytes()), pattern),
        None => (Some(Method::GET), route),
    }
}

/// What a request gets, as a line of text: pattern and params, or the refusal.
fn ask<T>(table: &Table<T>, request: &str) -> String {
    let (method, path) = split(request);
    let mut params = Params::new();
    params.push(|text| text.push_str("left over"));
    match table.lookup(&method.unwrap_or_default(), path, &mut params) {
        Lookup::Found { pattern, .. } => {
            let pair = |(name, value)| format!(" {name}={value}");
            pattern.to_owned() + &params.iter().map(pair).collect::<String>()
        }
        refused => {
            assert_eq!(params.iter().count(), 0);
            match refused {
                Lookup::Options(allow) => format!("options: {allow}"),
                Lookup::MethodNotAllowed(allow) => format!("405: {allow}"),
                _ => "404".to_owned(),
            }
        }
    }
}

fn permutations(of: &[&str]) -> Vec<Vec<String>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for i in 0..of.len() {
        let mut others = of.to_vec();
        let first = others.remove(i);
        for mut tail in permutations(&others) {
            tail.insert(0, first.to_owned());
            all.push(tail);
        }
    }
    all
}

/// Asks in every order of registration.
fn permuted(routes: &[&str], requests: &[(&str, &str)]) {
    for order in permutations(routes) {
        let table = table(&order.iter().map(String::as_str).collect::<Vec<_>>());
        for (request, expected) in requests {
            assert_eq!(ask(&table, request), *expected, "{request} after {order:?}");
        }
    }
}

#[test]
fn an_empty_table_knows_nothing() {
    let table = table(&[]);
    for path in ["", "/", "*", "/a", "a", "//", "example.com:80"] {
        assert_eq!(ask(&table, path), "404", "{path}");
    }
}

#[test]
fn what_patterns_match() {
    for (pattern, path, expected) in [
        ("/", "/", ""),
        ("/", "", "404"),
        ("/", "//", "404"),
        ("/a", "/a", ""),
        ("/a", "/a/", "404"),
        ("/a/", "/a", "404"),
        ("/a/", "/a/", ""),
        ("/a", "/A", "404"),
        ("/a", "a", "404"),
        ("//", "//", ""),
        ("/a//b", "/a//b", ""),
        ("/a//b", "/a/b", "404"),
        ("/{x}", "/a", " x=a"),
        ("/{x}", "/", "404"),
        ("/{x}", "/a/", "404"),
        ("/{x}/", "/a/", " x=a"),
        ("/{x}/b", "//b", "404"),
        ("/{x}/b", "/a/b", " x=a"),
        ("/:x/:y", "/a/b", " x=a y=b"),
        ("/{y}/{x}", "/a/b", " y=a x=b"),
        ("/*rest", "/", " rest="),
        ("/*rest", "/a", " rest=a"),
        ("/*rest", "/a/b/", " rest=a/b/"),
        ("/*rest", "", "404"),
        ("/s/*rest", "/s/", " rest="),
        ("/s/*rest", "/s", "404"),
        ("/s/*rest", "/s//", " rest=/"),
        ("/{x}/*rest", "/a/b/c", " x=a rest=b/c"),
        ("/{x}/*rest", "//b", "404"),
        ("/v{n}", "/v1", " n=1"),
        ("/v{n}", "/v", "404"),
        ("/v{n}", "/w1", "404"),
        ("/{name}.json", "/a.b.json", " name=a.b"),
        ("/{name}.json", "/.json", "404"),
        ("/file.{ext}", "/file.tar.gz", " ext=tar.gz"),
        ("/a{x}a", "/aa", "404"),
        ("/a{x}a", "/aaa", " x=a"),
        ("/a{x}b/c", "/a-b/c", " x=-"),
        // Segments around a word's length.
        ("/1234567", "/1234567", ""),
        ("/12345678", "/12345678", ""),
        ("/12345678", "/12345679", "404"),
        ("/123456789", "/123456789", ""),
        ("/123456789", "/12345678", "404"),
        ("/1234567812345678/x", "/1234567812345678/x", ""),
        ("/1234567812345678/x", "/1234567812345679/x", "404"),
    ] {
        let expected = match expected {
            "404" => "404".to_owned(),
            params => format!("{pattern}{params}"),
        };
        assert_eq!(ask(&table(&[pattern]), path), expected, "{pattern} {path}");
    }
}

#[test]
fn percent_encoded_values_are_decoded() {
    for (pattern, path, expected) in [
        ("/{x}", "/a%20b", " x=a b"),
        ("/{x}", "/a%2Fb", " x=a/b"),
        ("/{x}/{y}", "/a%2Fb/c", " x=a/b y=c"),
        ("/{x}", "/caf%c3%a9", " x=café"),
        ("/{x}", "/%25%32", " x=%2"),
        ("/{x}", "/%00", " x=\0"),
        ("/{x}", "/%FF", "404"),
        ("/{x}", "/%C3", "404"),
        ("/{x}", "/%zz", "404"),
        ("/{x}", "/%", "404"),
        ("/{x}/b", "/%FF/b", "404"),
        ("/{x}/b/*rest", "/%2B/b/%FF", "404"),
        ("/*rest", "/a%2Fb/c%20d", " rest=a/b/c d"),
        ("/*rest", "/%C0%AF", "404"),
        ("/v{n}.x", "/v%20.x", " n= "),
        ("/v{n}.x", "/v%ff.x", "404"),
        // Literals match whatever the case of the digits.
        ("/café", "/caf%C3%A9", ""),
        ("/café", "/caf%c3%a9", ""),
        ("/café", "/caf%c3%A9", ""),
        ("/caf%c3%a9", "/caf%C3%A9", ""),
        ("/a%2Fb", "/a%2fb", ""),
        ("/a%2Fb", "/a/b", "404"),
        ("/é{x}", "/%c3%a9%c3%a9aA", " x=éaA"),
        ("/a b", "/a%20b", ""),
    ] {
        let expected = match expected {
            "404" => "404".to_owned(),
            params => format!("{pattern}{params}"),
        };
        assert_eq!(ask(&table(&[pattern]), path), expected, "{pattern} {path}");
    }
    // A value that is no UTF-8 is left to patterns that don't need it.
    let table = table(&["/a/{x}", "/{y}/%FF", "/b/*rest"]);
    assert_eq!(ask(&table, "/a/%ff"), "/{y}/%FF y=a");
    assert_eq!(ask(&table, "/b/%ff"), "/{y}/%FF y=b");
    assert_eq!(ask(&table, "/c/%FE"), "404");
}

#[test]
fn the_more_specific_pattern_wins_in_any_order() {
    permuted(
        &["/a/b", "/a/{x}", "/{x}/b", "/{x}/{y}", "/a/*rest", "/*rest"],
        &[
            ("/a/b", "/a/b"),
            ("/a/c", "/a/{x} x=c"),
            ("/c/b", "/{x}/b x=c"),
            ("/c/d", "/{x}/{y} x=c y=d"),
            ("/a/", "/a/*rest rest="),
            ("/a/b/c", "/a/*rest rest=b/c"),
            ("/c/b/d", "/*rest rest=c/b/d"),
            ("/a", "/*rest rest=a"),
            ("/", "/*rest rest="),
        ],
    );
    permuted(
        &["/{x}", "/v{x}", "/ve{x}", "/{x}.js", "/{x}.min.js", "/very.js"],
        &[
            ("/very.js", "/very.js"),
            ("/vest.js", "/ve{x} x=st.js"),
            ("/vast.js", "/v{x} x=ast.js"),
            ("/a.min.js", "/{x}.min.js x=a"),
            ("/a.js", "/{x}.js x=a"),
            ("/.js", "/{x} x=.js"),
            ("/v", "/{x} x=v"),
            ("/ve", "/v{x} x=e"),
        ],
    );
}

#[test]
fn the_search_comes_back_from_dead_ends() {
    permuted(
        &["/a/b/c", "/a/{x}/d", "/{x}/b/e", "/{x}/{y}/{z}", "/a/b/*r"],
        &[
            ("/a/b/c", "/a/b/c"),
            ("/a/b/d", "/a/b/*r r=d"), // literal b before {x}
            ("/a/c/d", "/a/{x}/d x=c"),
            ("/a/c/e", "/{x}/{y}/{z} x=a y=c z=e"),
            ("/c/b/e", "/{x}/b/e x=c"),
            ("/c/b/f", "/{x}/{y}/{z} x=c y=b z=f"),
            ("/a/b/e/f", "/a/b/*r r=e/f"),
            ("/a/c/e/f", "404"),
        ],
    );
}

#[test]
fn a_less_specific_pattern_that_has_the_method_is_found() {
    permuted(
        &["GET /a/{x}", "POST /a/b", "PUT /*rest", "DELETE /{x}/b"],
        &[
            ("GET /a/b", "/a/{x} x=b"),
            ("HEAD /a/b", "/a/{x} x=b"),
            ("POST /a/b", "/a/b"),
            ("PUT /a/b", "/*rest rest=a/b"),
            ("DELETE /a/b", "/{x}/b x=a"),
            ("PATCH /a/b", "405: GET, HEAD, OPTIONS, DELETE, POST, PUT"),
            ("OPTIONS /a/b", "options: GET, HEAD, OPTIONS, DELETE, POST, PUT"),
            ("POST /a/c", "405: GET, HEAD, OPTIONS, PUT"),
            ("POST /c", "405: OPTIONS, PUT"),
        ],
    );
}

#[test]
fn methods_of_one_pattern() {
    permuted(
        &["GET /g", "POST /g", "PURGE /g", "HEAD /h", "GET /h", "HEAD /o"],
        &[
            ("GET /g", "/g"),
            ("HEAD /g", "/g"),
            ("PURGE /g", "/g"),
            ("get /g", "405: GET, HEAD, OPTIONS, POST, PURGE"),
            ("BREW /g", "405: GET, HEAD, OPTIONS, POST, PURGE"),
            ("OPTIONS /g", "options: GET, HEAD, OPTIONS, POST, PURGE"),
            ("OPTIONS /h", "options: GET, HEAD, OPTIONS"),
            ("GET /o", "405: HEAD, OPTIONS"),
            ("OPTIONS /x", "404"),
            ("OPTIONS *", "404"),
        ],
    );
}

/// The pattern is not enough here: the values tell which route it was.
#[test]
fn head_and_any_are_served_by_the_closest_route() {
    let routes = ["GET /a", "HEAD /a", "* /a", "GET /b", "* /b", "OPTIONS /c", "GET /c"];
    let table = table(&routes);
    let mut params = Params::new();
    for (method, path, route) in [
        (Method::GET, "/a", 0),
        (Method::HEAD, "/a", 1),
        (Method::PUT, "/a", 2),
        (Method::OPTIONS, "/a", 2),
        (Method::HEAD, "/b", 3),
        (Method::OPTIONS, "/b", 4),
        (Method::TRACE, "/b", 4),
        (Method::OPTIONS, "/c", 5),
        (Method::HEAD, "/c", 6),
    ] {
        let Lookup::Found { value, .. } = table.lookup(&method, path, &mut params) else {
            panic!("{method} {path}");
        };
        assert_eq!(*value, route, "{method} {path}");
    }
    // Only at one pattern: HEAD takes the more specific GET.
    permuted(&["GET /a/b", "HEAD /a/{x}"], &[("HEAD /a/b", "/a/b"), ("HEAD /a/c", "/a/{x} x=c")]);
    // A catch-all for any method answers OPTIONS, too: it is a route for it.
    permuted(
        &["GET /a", "* /*rest"],
        &[("OPTIONS /a", "/*rest rest=a"), ("POST /a", "/*rest rest=a"), ("GET /a", "/a")],
    );
}

#[test]
fn conflicts_name_both_routes() {
    for (one, other) in [
        ("/a", "/a"),
        ("/", "/"),
        ("/%61", "/a"),
        ("/é", "/%c3%a9"),
        ("/{a}", "/{b}"),
        ("/{a}", "/:b"),
        ("/a/{x}/c", "/a/{y}/c"),
        ("/a/*x", "/a/{*y}"),
        ("/v{n}.x", "/v{m}.x"),
        ("* /a", "* /a"),
        ("POST /{a}", "POST /{b}"),
        ("PURGE /{a}", "PURGE /{b}"),
    ] {
        for (one, other) in [(one, other), (other, one)] {
            let mut table = table(&[one]);
            let (method, pattern) = split(other);
            let error = table.insert(method, pattern, 1).expect_err(other).to_string();
            for route in [one, other] {
                assert!(error.contains(&format!("`{}`", split(route).1)), "{error}");
            }
            assert_eq!(table.routes().count(), 1);
        }
    }
}

#[test]
fn patterns_that_differ_are_no_conflict() {
    for pair in [
        ["/a", "/a/"],
        ["/a", "/A"],
        ["GET /{a}", "POST /{b}"],
        ["GET /{a}", "* /{b}"],
        ["/{a}", "/v{a}"],
        ["/{a}", "/*a"],
        ["/{a}/b", "/{b}/a"],
        ["/a%2Fb", "/a/b"],
    ] {
        assert_eq!(table(&pair).routes().count(), 2);
    }
    // The names belong to the route, not to the place.
    permuted(
        &["GET /{a}/x", "POST /{b}/x", "GET /{c}/y"],
        &[("GET /1/x", "/{a}/x a=1"), ("POST /1/x", "/{b}/x b=1"), ("GET /1/y", "/{c}/y c=1")],
    );
}

#[test]
fn a_refused_route_leaves_no_trace() {
    let mut table = table(&["GET /a/{x}", "GET /b"]);
    for bad in ["GET /a/{y}", "GET /c/{", "GET ^(", "GET /d/{x:(}", "GET nothing"] {
        let (method, pattern) = split(bad);
        assert!(table.insert(method, pattern, 9).is_err(), "{bad}");
    }
    assert_eq!(ask(&table, "/a/1"), "/a/{x} x=1");
    for gone in ["/c/1", "/d/1", "POST /c/1", "OPTIONS /d/1"] {
        assert_eq!(ask(&table, gone), "404", "{gone}");
    }
}

#[test]
fn params_outlive_the_table_and_are_told_apart_between_tables() {
    let (one, other) = (table(&["/{a}"]), table(&["/x", "/{b}/{c}"]));
    let mut params = Params::new();
    for _ in 0..2 {
        assert!(matches!(one.lookup(&Method::GET, "/1", &mut params), Lookup::Found { .. }));
        assert_eq!(params.iter().collect::<Vec<_>>(), [("a", "1")]);
        assert!(matches!(other.lookup(&Method::GET, "/1/2", &mut params), Lookup::Found { .. }));
        assert_eq!(params.iter().collect::<Vec<_>>(), [("b", "1"), ("c", "2")]);
        assert!(matches!(other.lookup(&Method::GET, "/x", &mut params), Lookup::Found { .. }));
        assert_eq!(params.iter().count(), 0);
    }
    assert!(matches!(other.lookup(&Method::GET, "/1/2", &mut params), Lookup::Found { .. }));
    drop(other);
    assert_eq!(params.get("c"), Some("2"));
}

#[test]
fn there_are_limits() {
    let mut table = table(&["/*rest"]);
    assert!(ask(&table, &"/a".repeat(PATH_MAX / 2)).starts_with("/*rest"));
    assert_eq!(ask(&table, &"/a".repeat(PATH_MAX)), "404");
    let method = |i: usize| Method::parse(format!("M{i}").as_bytes());
    for i in 0..61 {
        table.insert(method(i), "/a", 1).expect("64 methods, with GET, HEAD and OPTIONS");
    }
    let error = table.insert(method(61), "/b", 1).expect_err("too many");
    assert!(error.to_string().contains("there are 64 already"), "{error}");
    // Thirteen patterns for one method each: all their unions would be 8192.
    let mut table = Table::new();
    let error = (0..13).find_map(|i| table.insert(method(i), &format!("/{i}"), i).err());
    assert!(error.expect("too many").to_string().contains("4096 different sets"));
}

#[test]
fn a_listing_shows_the_routes() {
    let table = table(&["GET /a", "* /b/{x}"]);
    assert_eq!(format!("{table:?}"), r#"["GET /a", "* /b/{x}"]"#);
}

#[cfg(not(feature = "regex"))]
#[test]
fn without_the_feature_a_regex_is_refused() {
    let mut table = Table::new();
    for pattern in [r"/{id:\d+}", r"^/u/(?P<id>\d+)$"] {
        let error = table.insert(None, pattern, 0).expect_err(pattern).to_string();
        assert!(error.contains("needs the feature `regex`"), "{error}");
    }
    assert!(table.insert_regex(None, "/a", 0).is_err());
}
