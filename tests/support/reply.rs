//! A reply, and what is true of every one.

/// A reply as it was read.
#[derive(Debug)]
pub struct Reply {
    /// The three digits.
    pub status: u16,
    /// Names in lower case, values trimmed.
    pub headers: Vec<(String, String)>,
    /// The content, without its framing.
    pub body: Vec<u8>,
    /// How the content is delimited.
    pub framing: Framing,
    /// Chunks that the content came in.
    pub chunks: usize,
}

/// How a reply's content is delimited (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    Nothing,
    /// By Content-Length.
    Length(usize),
    /// By chunks.
    Chunked,
    /// By the connection's end.
    UntilClose,
}

/// Fields that may be there once (RFC 9110 section 5.3: no list, no repetition).
const SINGLE: [&str; 12] = [
    "date",
    "server",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "location",
    "retry-after",
    "etag",
    "last-modified",
    "allow",
    "age",
];

impl Reply {
    /// The value of a field that is there at most once.
    pub fn get(&self, name: &str) -> Option<&str> {
        let name = name.to_ascii_lowercase();
        self.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
    }

    /// Whether it announces the connection's end.
    pub fn closes(&self) -> bool {
        let connection = self.get("connection").unwrap_or("");
        connection.split(',').any(|option| option.trim().eq_ignore_ascii_case("close"))
    }

    /// The content as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the content is text")
    }

    /// The methods of `Allow`, sorted.
    #[track_caller]
    pub fn allow(&self) -> Vec<&str> {
        let allow = self.get("allow").expect("an Allow field");
        let mut methods: Vec<&str> = allow.split(',').map(str::trim).collect();
        methods.sort_unstable();
        methods
    }

    /// Itself, if it has that status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Reply {
        assert_eq!(self.status, status, "{:?} {:?}", self.headers, self.body.escape_ascii());
        self
    }

    /// The names of its fields but for those that tell the time, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

/// Reads a head, blank line included, and checks all that holds for any reply.
#[track_caller]
pub fn parse_head(head: &[u8], method: &str) -> Reply {
    let shown = head.escape_ascii().to_string();
    let text = std::str::from_utf8(head).unwrap_or_else(|_| panic!("not text: {shown}"));
    let text = text.strip_suffix("\r\n\r\n").unwrap_or_else(|| panic!("no blank line: {shown}"));
    let mut lines = text.split("\r\n");
    let status = status_line(lines.next().unwrap_or(""));
    let headers: Vec<(String, String)> = lines.map(field_line).collect();
    let framing = framing(status, &headers, method, &shown);
    let reply = Reply { status, headers, body: Vec::new(), framing, chunks: 0 };
    for name in SINGLE {
        let count = reply.headers.iter().filter(|(n, _)| n == name).count();
        assert!(count <= 1, "{name} is there {count} times: {shown}");
    }
    if status >= 200 {
        // RFC 9110 section 6.6.1: whoever has a clock dates its replies.
        let date = reply.get("date").unwrap_or_else(|| panic!("no Date: {shown}"));
        let seconds = onepoll::http::date::parse(date.as_bytes(), 1_700_000_000);
        assert!(seconds.is_some_and(|s| s > 1_700_000_000), "no date of today: {date}");
    }
    if status == 405 {
        assert!(reply.get("allow").is_some(), "405 without Allow: {shown}");
    }
    reply
}

#[track_caller]
fn status_line(line: &str) -> u16 {
    // RFC 9112 section 4: the space before the reason is there without one too.
    let rest = line.strip_prefix("HTTP/1.1 ").unwrap_or_else(|| panic!("status line {line:?}"));
    let (code, _reason) = rest.split_once(' ').unwrap_or_else(|| panic!("status line {line:?}"));
    assert!(code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit()), "status {code:?}");
    code.parse().expect("three digits are a number")
}

#[track_caller]
fn field_line(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("field line {line:?}"));
    assert!(onepoll::http::chars::is_token(name.as_bytes()), "field name {name:?}");
    assert!(onepoll::http::chars::is_field_value(value.as_bytes()), "field value {value:?}");
    (name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned())
}

#[track_caller]
fn framing(status: u16, headers: &[(String, String)], method: &str, shown: &str) -> Framing {
    let get = |name| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let (length, coding) = (get("content-length"), get("transfer-encoding"));
    // RFC 9112 section 6.2: a sender must not send both.
    assert!(length.is_none() || coding.is_none(), "both framings: {shown}");
    if status < 200 || status == 204 {
        // RFC 9110 section 8.6, RFC 9112 section 6.1: not even announced.
        assert!(length.is_none() && coding.is_none(), "framing of nothing: {shown}");
        return Framing::Nothing;
    }
    if status == 304 || method == "HEAD" {
        return Framing::Nothing;
    }
    match (length, coding) {
        (Some(length), _) => {
            let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
            assert!(digits, "Content-Length {length:?}");
            Framing::Length(length.parse().expect("a length that fits"))
        }
        (_, Some(coding)) => {
            assert_eq!(coding, "chunked", "{shown}");
            Framing::Chunked
        }
        _ => {
            // RFC 9112 section 9.6: whoever ends a message by closing says so.
            let closes = get("connection").is_some_and(|c| c.eq_ignore_ascii_case("close"));
            assert!(closes, "content until the end, which is not announced: {shown}");
            Framing::UntilClose
        }
    }
}
