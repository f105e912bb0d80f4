use super::*;

fn lit(text: &str) -> Segment {
    Segment::Literal(text.to_owned())
}

fn cap(name: &str) -> Segment {
    shaped("", name, None, "")
}

fn shaped(prefix: &str, name: &str, constraint: Option<&str>, suffix: &str) -> Segment {
    let shape = Shape {
        prefix: prefix.to_owned(),
        suffix: suffix.to_owned(),
        constraint: constraint.map(str::to_owned),
    };
    Segment::Capture { name: name.to_owned(), shape }
}

fn rest(name: &str) -> Segment {
    Segment::Rest { name: name.to_owned() }
}

#[test]
fn good_patterns() {
    for (text, expected) in [
        ("/", vec![lit("")]),
        ("//", vec![lit(""), lit("")]),
        ("/a", vec![lit("a")]),
        ("/a/", vec![lit("a"), lit("")]),
        ("/a/b", vec![lit("a"), lit("b")]),
        ("/{id}", vec![cap("id")]),
        ("/:id", vec![cap("id")]),
        ("/{_x9}/b", vec![cap("_x9"), lit("b")]),
        ("/:id/b", vec![cap("id"), lit("b")]),
        ("/:id.json", vec![shaped("", "id", None, ".json")]),
        ("/a/{*rest}", vec![lit("a"), rest("rest")]),
        ("/a/*rest", vec![lit("a"), rest("rest")]),
        ("/*rest", vec![rest("rest")]),
        ("/v{n}", vec![shaped("v", "n", None, "")]),
        ("/{name}.json", vec![shaped("", "name", None, ".json")]),
        ("/file.{ext}", vec![shaped("file.", "ext", None, "")]),
        ("/a{b}c/d", vec![shaped("a", "b", None, "c"), lit("d")]),
        (r"/{id:\d+}", vec![shaped("", "id", Some(r"\d+"), "")]),
        (r"/v{id:\d+}.x", vec![shaped("v", "id", Some(r"\d+"), ".x")]),
        ("/{y:[0-9]{4}}/b", vec![shaped("", "y", Some("[0-9]{4}"), ""), lit("b")]),
        (r"/{y:\}a/b\{}", vec![shaped("", "y", Some(r"\}a/b\{"), "")]),
        ("/{y:a:b}", vec![shaped("", "y", Some("a:b"), "")]),
        // Not at the start of a segment, both are plain characters.
        ("/a:b/c*d", vec![lit("a:b"), lit("c*d")]),
        // The backslash makes anything plain.
        (r"/\{a\}/\:b/\*c/\\", vec![lit("{a}"), lit(":b"), lit("*c"), lit("\\")]),
        // The normal form of literal text.
        ("/a b", vec![lit("a%20b")]),
        ("/café", vec![lit("caf%C3%A9")]),
        ("/caf%c3%a9", vec![lit("caf%C3%A9")]),
        ("/%61%2D%7e", vec![lit("a-~")]),
        ("/a%2fb", vec![lit("a%2Fb")]),
        (r"/100\%", vec![lit("100%25")]),
        ("/é{id}é", vec![shaped("%C3%A9", "id", None, "%C3%A9")]),
        ("/a@b!$&'()+,;=-._~", vec![lit("a@b!$&'()+,;=-._~")]),
    ] {
        assert_eq!(Pattern::parse(text), Ok(Pattern::Path(expected)), "{text}");
    }
    let regex = r"^/u/(?P<id>\d+)$";
    assert_eq!(Pattern::parse(regex), Ok(Pattern::Regex(regex.to_owned())));
}

#[test]
fn bad_patterns_say_why() {
    let long = format!("/{}", "x".repeat(PATTERN_MAX));
    let deep = "/a".repeat(SEGMENTS_MAX + 1);
    let many: String = (0..=CAPTURES_MAX).map(|i| format!("/{{p{i}}}")).collect();
    for (text, why) in [
        ("", "must start with `/`"),
        ("a", "must start with `/`"),
        ("{id}", "must start with `/`"),
        ("*", "must start with `/`"),
        ("/{id", "has no `}`"),
        ("/{id:[0-9]{4}", "has no `}`"),
        ("/id}", "has a `}` without `{`"),
        ("/{id}}", "has a `}` without `{`"),
        ("/{}", "without a name"),
        ("/:", "without a name"),
        ("/*", "without a name"),
        ("/{*}", "without a name"),
        (r"/{:\d+}", "without a name"),
        ("/{id:}", "empty constraint"),
        ("/{9a}", "not an identifier"),
        ("/{a b}", "not an identifier"),
        ("/{é}", "not an identifier"),
        ("/*a-b", "not an identifier"),
        ("/{{id}}", "not an identifier"),
        ("/{a}{b}", "more than one param in a segment"),
        ("/{a}-{b}", "more than one param in a segment"),
        ("/:a-{b}", "more than one param in a segment"),
        ("/x{*rest}", "not a whole segment"),
        ("/{*rest}.x", "not a whole segment"),
        ("/{*rest}/x", "goes on after the wildcard"),
        ("/*rest/x", "goes on after the wildcard"),
        ("/{*rest}/", "goes on after the wildcard"),
        ("/{a}/{a}", "two params `a`"),
        ("/{a}/*a", "two params `a`"),
        ("/a?b=c", "ends a path"),
        ("/a#b", "ends a path"),
        (r"/a\?", "percent-encoded only"),
        (r"/a\/b", "percent-encoded only"),
        (r"/a\", "ends with a `\\`"),
        ("/100%", "without two hex digits"),
        ("/%4", "without two hex digits"),
        ("/%zz", "without two hex digits"),
        ("/%+f", "without two hex digits"),
        ("/%é", "without two hex digits"),
        (&long, "is longer than"),
        (&deep, "more than 64 segments"),
        (&many, "more than 16 params"),
    ] {
        let error = Pattern::parse(text).expect_err(text);
        assert!(error.contains(why.trim_end_matches('\\')), "{text}: {error}");
    }
}

#[test]
fn no_text_panics() {
    let alphabet = ['/', '{', '}', ':', '*', '\\', '%', 'a', '4', 'é', '.', '^', '?'];
    let mut state = 0x2545_f491_4f6c_dd1du64;
    for _ in 0..50_000 {
        let mut text = String::from("/");
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let mut bits = state;
        for _ in 0..bits % 13 {
            text.push(alphabet[bits as usize % alphabet.len()]);
            bits = bits.rotate_right(5);
        }
        if let Ok(Pattern::Path(segments)) = Pattern::parse(&text) {
            assert!(!segments.is_empty(), "{text}");
        }
    }
}

#[test]
fn join_puts_prefixes_before_patterns() {
    for (prefix, pattern, expected) in [
        ("/api", "/users", Some("/api/users")),
        ("/api", "/", Some("/api/")),
        ("/api", "", Some("/api")),
        ("/", "/users", Some("/users")),
        ("/", "", Some("/")),
        ("/{tenant}", "/*rest", Some("/{tenant}/*rest")),
        ("/v{n}", "/a", Some("/v{n}/a")),
        ("", "/users", None),
        ("api", "/users", None),
        ("/api/", "/users", None),
        ("/api", "users", None),
        ("/{*rest}", "/users", None),
        ("/{", "/users", None),
        ("^/api", "/users", None),
        ("/api", "^/users$", None),
    ] {
        assert_eq!(join(prefix, pattern).ok().as_deref(), expected, "{prefix} + {pattern}");
    }
}
