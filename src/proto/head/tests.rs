use super::*;
use crate::http::chars::TOKEN;
use crate::proto::framing::Length;

mod framing;
mod random;

/// What came out: all that a handler can see, or the fault.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    More,
    Fault(u16, &'static str),
    Head(Box<Summary>),
}

#[derive(Clone, Debug, PartialEq)]
struct Summary {
    used: usize,
    framing: Framing,
    line: [String; 6],
    query: Option<String>,
    fields: Vec<(String, Vec<u8>)>,
    length: Option<u64>,
    chunked: bool,
}

/// Feeds growing prefixes of `input` that end at `cuts`, then the whole.
fn feed(limits: &Limits, input: &[u8], cuts: impl Iterator<Item = usize>) -> Seen {
    let (mut head, mut request) = (Head::default(), Request::default());
    for end in cuts.chain([input.len()]) {
        match head.parse(limits, &input[..end], &mut request) {
            Ok(None) => {}
            Ok(Some((used, framing))) => {
                assert!(!head.begun(), "the parser is ready for the next head");
                return Seen::Head(Box::new(summary(used, framing, &request)));
            }
            Err(fault) => {
                assert!(request.headers().is_empty() && request.target().is_empty());
                return Seen::Fault(fault.status.unwrap().code(), fault.reason);
            }
        }
        assert!(request.headers.fields.len() <= limits.headers_max, "bounded memory");
    }
    Seen::More
}

fn summary(used: usize, framing: Framing, request: &Request) -> Summary {
    let line = [
        request.method().as_str(),
        request.target(),
        request.version().as_str(),
        request.path(),
        request.route_path(),
        request.authority(),
    ];
    let fields = request.headers().iter().map(|(name, value)| (name.to_owned(), value.to_vec()));
    Summary {
        used,
        framing,
        line: line.map(str::to_owned),
        query: request.query().map(str::to_owned),
        fields: fields.collect(),
        length: request.content_length(),
        chunked: request.chunked,
    }
}

/// Whole, byte by byte, at every split and with a tail: the same each time.
fn all_ways(limits: &Limits, input: &[u8]) -> Seen {
    let whole = feed(limits, input, std::iter::empty());
    assert_eq!(feed(limits, input, 0..input.len()), whole, "{}", input.escape_ascii());
    for cut in 0..input.len() {
        let split = feed(limits, input, std::iter::once(cut));
        assert_eq!(split, whole, "cut at {cut}: {}", input.escape_ascii());
    }
    if whole != Seen::More {
        for tail in [&b"\r\n"[..], b"x", b"GET / HTTP/1.1\r\n\r\n", &[0; 70]] {
            let longer = [input, tail].concat();
            assert_eq!(feed(limits, &longer, std::iter::empty()), whole);
        }
    }
    whole
}

fn accept(input: impl AsRef<[u8]>) -> Summary {
    let input = input.as_ref();
    match all_ways(&Limits::default(), input) {
        Seen::Head(summary) => {
            assert_eq!(summary.used, input.len(), "{}", input.escape_ascii());
            *summary
        }
        other => panic!("{other:?}: {}", input.escape_ascii()),
    }
}

fn refuse(status: u16, input: impl AsRef<[u8]>) {
    refuse_within(&Limits::default(), status, input);
}

fn refuse_within(limits: &Limits, status: u16, input: impl AsRef<[u8]>) {
    match all_ways(limits, input.as_ref()) {
        Seen::Fault(found, _) if found == status => {}
        other => panic!("{other:?}, wanted {status}: {}", input.as_ref().escape_ascii()),
    }
}

/// A head with these field lines besides `Host`.
fn with(fields: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

#[test]
fn a_head_is_small() {
    assert!(size_of::<Head>() <= 16);
}

#[test]
fn a_browser_head_is_taken_apart() {
    let head = accept(
        "GET /a/b?c=d&e HTTP/1.1\r\nHost: www.example.org:8080\r\nAccept: */*\r\n\
         User-Agent:\tMozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0 \t\r\n\
         X_odd!name:\r\nCookie: a=b; c=\"d\"\t eé\r\nX-Two:  a  b  \r\n\r\n",
    );
    let line = ["GET", "/a/b?c=d&e", "HTTP/1.1", "/a/b", "/a/b", "www.example.org:8080"];
    assert_eq!(head.line, line.map(str::to_owned));
    assert_eq!(head.query.as_deref(), Some("c=d&e"));
    let names: Vec<_> = head.fields.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["Host", "Accept", "User-Agent", "X_odd!name", "Cookie", "X-Two"]);
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    assert_eq!(head.fields[2].1, agent.as_bytes());
    assert_eq!(head.fields[3].1, b"");
    assert_eq!(head.fields[4].1, "a=b; c=\"d\"\t eé".as_bytes());
    assert_eq!(head.fields[5].1, b"a  b");
    let framing = Framing { body: Length::None, keep: true, expect: false, upgrade: false };
    assert_eq!(head.framing, framing);
}

#[test]
fn values_of_every_length_are_found_whole() {
    for len in 0..100 {
        let value = "v".repeat(len);
        let name = "N".repeat(len.max(1));
        let head = accept(format!("GET / HTTP/1.0\r\n{name}: {value}\r\n\r\n"));
        assert_eq!(head.fields, [(name, value.into_bytes())]);
    }
}

#[test]
fn methods() {
    for method in ["GET", "HEAD", "PATCH", "get", "PURGE", "M-SEARCH", "A!#$%&'*+-.^_`|~9"] {
        assert_eq!(accept(format!("{method} / HTTP/1.0\r\n\r\n")).line[0], method);
    }
    accept(format!("{} / HTTP/1.0\r\n\r\n", "M".repeat(32)));
    refuse(501, format!("{} / HTTP/1.0\r\n\r\n", "M".repeat(33)));
    refuse(501, "M".repeat(33)); // known before the line ends
    for bad in [" GET", "", "G(T", "GE\tT", "GET,", "\"GET\"", "G\0T", "GET\r", "G\nT", "G\u{e9}T"]
    {
        refuse(400, format!("{bad} / HTTP/1.0\r\n\r\n"));
    }
}

#[test]
fn empty_lines_before_a_head_are_passed() {
    for lines in 0..=4 {
        accept(format!("{}GET / HTTP/1.0\r\n\r\n", "\r\n".repeat(lines)));
    }
    refuse(400, format!("{}GET / HTTP/1.0\r\n\r\n", "\r\n".repeat(5)));
    for bad in ["\n", "\r\r\n", "\r\n\n", "\rG", " \r\n", "\0"] {
        refuse(400, format!("{bad}GET / HTTP/1.0\r\n\r\n"));
    }
}

#[test]
fn empty_lines_are_no_activity_and_may_be_dropped() {
    let limits = Limits::default();
    let (mut head, mut request) = (Head::default(), Request::default());
    let mut input = b"\r\n\r".to_vec();
    assert!(head.parse(&limits, &input, &mut request).unwrap().is_none());
    assert!(!head.begun());
    assert_eq!(head.drop_blank(), 2);
    input.drain(..2);
    assert_eq!(head.drop_blank(), 0);
    input.extend_from_slice(b"\nG");
    assert!(head.parse(&limits, &input, &mut request).unwrap().is_none());
    assert!(head.begun());
    assert_eq!(head.drop_blank(), 0);
    input.extend_from_slice(b"ET /x HTTP/1.0\r\n\r\n");
    let (used, _) = head.parse(&limits, &input, &mut request).unwrap().unwrap();
    assert_eq!((used, request.path()), (input.len(), "/x"));

    // Dropping does not reset the count.
    for _ in 0..4 {
        assert!(head.parse(&limits, b"\r\n", &mut request).unwrap().is_none());
        assert_eq!(head.drop_blank(), 2);
    }
    assert!(head.parse(&limits, b"\r\n", &mut request).is_err());
}

#[test]
fn versions() {
    assert_eq!(accept("GET / HTTP/1.0\r\n\r\n").line[2], "HTTP/1.0");
    for minor in 1..=9 {
        let head = accept(format!("GET / HTTP/1.{minor}\r\nHost: h\r\n\r\n"));
        assert_eq!(head.line[2], "HTTP/1.1");
    }
    for other in ["HTTP/0.9", "HTTP/2.0", "HTTP/3.1", "HTTP/9.9"] {
        refuse(505, format!("GET / {other}\r\nHost: h\r\n\r\n"));
    }
    for bad in [
        "http/1.1",
        "HTTP/1.10",
        "HTTP/1.",
        "HTTP/1",
        "HTTP/.1",
        "HTTP/11",
        "HTTP/2",
        "HTTP 1.1",
        "HTTP/1.1 ",
        " HTTP/1.1",
        "HTTP/1.1\t",
        "HTTPS/1.1",
        "HTTP/1.x",
        "HTTP/x.1",
        "HTTP/1,1",
        "HTTP/01.1",
        "HTTP/1.1\r",
        "HTTP\0/1.1",
        "",
        "x",
    ] {
        refuse(400, format!("GET / {bad}\r\nHost: h\r\n\r\n"));
    }
    for simple in ["GET /\r\n", "GET /\n", "GET / \r\n", "GET\r\n", "GET \r\n"] {
        refuse(400, simple);
    }
}

#[test]
fn targets_hold_visible_ascii_only() {
    let limits = Limits::default();
    for byte in 0..=255u8 {
        let head = [b"GET /a", &[byte][..], b"b HTTP/1.0\r\n\r\n"].concat();
        let whole = all_ways(&limits, &head);
        let visible = byte > b' ' && byte < 0x7f && byte != b'#' && byte != b'%';
        assert_eq!(matches!(whole, Seen::Head(_)), visible, "{byte}");
        if !visible {
            assert!(matches!(whole, Seen::Fault(400, _)), "{byte}");
        }
    }
    for bad in ["GET  / HTTP/1.0", "GET\t/ HTTP/1.0", "GET /  HTTP/1.0", "GET / x HTTP/1.0"] {
        refuse(400, format!("{bad}\r\n\r\n"));
    }
}

#[test]
fn forms_of_targets() {
    // target, then path, route path, query, authority
    let table = [
        ("GET /", "/", "/", None, "h"),
        ("GET /?", "/", "/", Some(""), "h"),
        ("GET /a?b?c=/d", "/a", "/a", Some("b?c=/d"), "h"),
        ("GET //a/../b", "//a/../b", "//a/../b", None, "h"),
        ("GET /%7ea%2fb?%7e", "/%7ea%2fb", "/~a%2Fb", Some("%7e"), "h"),
        ("GET /%2Fx", "/%2Fx", "/%2Fx", None, "h"),
        ("GET http://a.example:81/x?y", "/x", "/x", Some("y"), "a.example:81"),
        ("GET HTTPS://a", "", "/", None, "a"),
        ("GET http://a?q=http://b/", "", "/", Some("q=http://b/"), "a"),
        ("GET http://[::1]:8080/%61", "/%61", "/a", None, "[::1]:8080"),
        ("OPTIONS *", "", "", None, "h"),
        ("OPTIONS /x", "/x", "/x", None, "h"),
        ("CONNECT a.example:443", "", "", None, "a.example:443"),
        ("CONNECT [2001:db8::1]:443", "", "", None, "[2001:db8::1]:443"),
    ];
    for (line, path, route, query, authority) in table {
        let head = accept(format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!(head.line[3..], [path, route, authority], "{line}");
        assert_eq!(head.query.as_deref(), query, "{line}");
    }
    for bad in [
        "GET a",
        "GET ?a",
        "GET *",
        "GET **",
        "OPTIONS *?",
        "OPTIONS **",
        "GET a.example:80",
        "CONNECT /",
        "CONNECT *",
        "CONNECT a.example",
        "CONNECT a:",
        "CONNECT :1",
        "CONNECT a:b",
        "CONNECT a:70000",
        "CONNECT http://a:1/",
        "CONNECT u@a:1",
        "CONNECT a:1/",
        "GET ftp://a/",
        "GET http:/a",
        "GET http://",
        "GET http:///a",
        "GET http://:80/",
        "GET http://u:p@a/",
        "GET http://[::1/",
        "GET http://a:x/",
        "GET http://?q",
        "GET /%",
        "GET /%4",
        "GET /%4g",
        "GET /?%zz",
        "GET /%%41",
        "GET http//a/",
    ] {
        refuse(400, format!("{bad} HTTP/1.1\r\nHost: h\r\n\r\n"));
    }
}

#[test]
fn hosts() {
    for good in [
        "",
        "a",
        "A.example.",
        "localhost:8080",
        "127.0.0.1",
        "999.1.1.1:0",
        "a:",
        "a:65535",
        "a:00080",
        "[::1]",
        "[::ffff:1.2.3.4]:1",
        "[v1.a:b]",
        "a_b",
        "a%20b",
        "!$&'()*+,;=~",
    ] {
        let head = accept(format!("GET / HTTP/1.1\r\nHoSt: {good} \r\n\r\n"));
        assert_eq!(head.line[5], good);
    }
    for bad in [
        ":80",
        "a:65536",
        "a:99999999999",
        "a:b",
        "a:8 0",
        "a b",
        "a/b",
        "a@b",
        "u:p@b",
        "a#",
        "a?b",
        "[::1",
        "::1",
        "[::1]a",
        "[]",
        "[1]",
        "[v.a]",
        "[v1]",
        "[v1.]",
        "[fe80::1%25e]",
        "a%2",
        "a%zz",
        "<a>",
        "a\"b",
        "a\\b",
        "a,b/",
        "\u{e9}",
        "a\tb",
        "a:1:2",
    ] {
        refuse(400, format!("GET / HTTP/1.1\r\nHost: {bad}\r\n\r\n"));
        refuse(400, format!("GET / HTTP/1.0\r\nHost: {bad}\r\n\r\n"));
        refuse(400, format!("GET http://x/ HTTP/1.1\r\nHost: {bad}\r\n\r\n"));
    }
    refuse(400, "GET / HTTP/1.1\r\n\r\n");
    refuse(400, "GET http://a/ HTTP/1.1\r\n\r\n");
    refuse(400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
    refuse(400, "GET / HTTP/1.0\r\nHost: a\r\nX: y\r\nhOST: a\r\n\r\n");
    refuse(400, "GET / HTTP/1.1\r\nHost:\r\nHost:\r\n\r\n");
    assert_eq!(accept("GET / HTTP/1.0\r\n\r\n").line[5], "");
    assert_eq!(accept("GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n").line[5], "a");
}

#[test]
fn field_lines_are_strict() {
    for bad in [
        " Folded: first\r\n",
        "\tX: y\r\n",
        "X: y\r\n folded\r\n",
        "X: y\r\n\tfolded\r\n",
        "X : y\r\n",
        "X\t: y\r\n",
        ": y\r\n",
        "X\r\n",
        "X y\r\n",
        "X(: y\r\n",
        "X\u{e9}: y\r\n",
        "X\0: y\r\n",
        "X: y\n",
        "X: y\r",
        "X: a\rb\r\n",
        "X: a\0b\r\n",
        "X: a\x0bb\r\n",
        "X: a\x7fb\r\n",
        "X: y\r\r\n",
        "X\n: y\r\n",
        "\n",
        "\rX: y\r\n",
        "X:\n",
        "X: y\r\n\n",
        "X: \x01\r\n",
        "\"X\": y\r\n",
    ] {
        refuse(400, format!("GET / HTTP/1.1\r\n{bad}Host: h\r\n\r\n"));
        refuse(400, format!("GET / HTTP/1.1\r\nHost: h\r\n{bad}\r\n"));
    }
    for byte in 0..=255u8 {
        let limits = Limits::default();
        let (open, close) = (b"GET / HTTP/1.0\r\nX", b"\r\n\r\n");
        let name = [open, &[byte][..], b"Y: value", close].concat();
        let valid = is(byte, TOKEN) || byte == b':';
        assert_eq!(matches!(all_ways(&limits, &name), Seen::Head(_)), valid, "{byte}");
        let value = [open, &b": a long val"[..], &[byte], b"ue", close].concat();
        let valid = chars::is_field_value(&[byte]);
        assert_eq!(matches!(all_ways(&limits, &value), Seen::Head(_)), valid, "{byte}");
    }
}

#[test]
fn limits_are_faults_as_soon_as_they_are_passed() {
    let limits = Limits { head_max: 64, target_max: 8, headers_max: 2, ..Limits::default() };
    let fits = |input: &str| matches!(all_ways(&limits, input.as_bytes()), Seen::Head(_));
    assert!(fits("GET /2345678 HTTP/1.0\r\n\r\n"));
    refuse_within(&limits, 414, "GET /23456789 HTTP/1.0\r\n\r\n");
    refuse_within(&limits, 414, "GET /23456789");
    refuse_within(&limits, 414, "GET /23456?89");
    refuse_within(&limits, 414, "GET /23456789\0");
    refuse_within(&limits, 400, "GET /234567\0");
    assert!(fits("GET / HTTP/1.0\r\nA:\r\nB:\r\n\r\n"));
    refuse_within(&limits, 431, "GET / HTTP/1.0\r\nA:\r\nB:\r\nC:\r\n\r\n");
    refuse_within(&limits, 431, "GET / HTTP/1.0\r\nA:\r\nB:\r\nC");
    let filled = |len: usize| format!("GET / HTTP/1.0\r\nX: {}\r\n\r\n", "x".repeat(len - 23));
    assert!(fits(&filled(64)));
    assert!(fits(&format!("\r\n\r\n{}", filled(64))), "empty lines do not count");
    refuse_within(&limits, 431, filled(65));
    refuse_within(&limits, 431, &filled(99)[..64]);
    assert_eq!(all_ways(&limits, &filled(99).as_bytes()[..63]), Seen::More);
}

#[test]
fn the_largest_head_fits_its_offsets() {
    let limits = Limits { head_max: 1 << 20, target_max: 1 << 20, ..Limits::default() };
    let value = "v".repeat(65_535 - 23);
    let input = format!("\r\n\r\nGET / HTTP/1.0\r\nX: {value}\r\n\r\n");
    let Seen::Head(head) = feed(&limits, input.as_bytes(), [9, 40_000].into_iter()) else {
        panic!("refused");
    };
    assert_eq!(head.fields[0].1.len(), value.len());
    let input = input.replace("X:", "XY:");
    let seen = feed(&limits, input.as_bytes(), std::iter::empty());
    assert!(matches!(seen, Seen::Fault(431, _)), "{seen:?}");
    let target = format!("GET /?{} HTTP/1.0\r\n\r\n", "%41".repeat(30_000));
    let seen = feed(&limits, target.as_bytes(), std::iter::empty());
    assert!(matches!(seen, Seen::Fault(431, _)), "{seen:?}");
}

#[test]
fn faults_come_in_the_order_of_the_bytes() {
    let table = [
        (400, "GET foo HTTP/2.0\r\nX : y\r\n\r\n"),
        (505, "GET / HTTP/2.0\r\nX : y\r\n\r\n"),
        (417, "GET / HTTP/1.1\r\nExpect: x\r\nX : y\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nX : y\r\nExpect: x\r\n\r\n"),
        (417, "GET / HTTP/1.1\r\nExpect: x\r\n\r\n"), // before: no Host
    ];
    for (status, input) in table {
        refuse(status, input);
    }
}

#[test]
fn a_request_is_used_again_without_traces() {
    let limits = Limits::default();
    let (mut head, mut request) = (Head::default(), Request::default());
    let first = b"PURGE http://a/%41?q HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\n";
    head.parse(&limits, first, &mut request).unwrap().unwrap();
    assert_eq!((request.route_path(), request.query()), ("/A", Some("q")));
    let second = b"GET /b HTTP/1.0\r\n\r\n";
    let (used, framing) = head.parse(&limits, second, &mut request).unwrap().unwrap();
    let reused = summary(used, framing, &request);
    let Seen::Head(fresh) = feed(&limits, second, std::iter::empty()) else { panic!() };
    assert_eq!(reused, *fresh);
}
