//! STAND-IN for tests, to be replaced at merge: crude and line-based.
use super::{Fault, Framing, Length};
use crate::config::Limits;
use crate::http::{Method, Request, Span, Version, chars};

/// Stand-in.
#[derive(Debug, Default)]
pub struct Head {
    begun: bool,
}

impl Head {
    /// Stand-in.
    pub fn parse(
        &mut self,
        limits: &Limits,
        input: &[u8],
        request: &mut Request,
    ) -> Result<Option<(usize, Framing)>, Fault> {
        self.begun = !input.is_empty();
        let Some(end) = input.windows(4).position(|w| w == b"\r\n\r\n") else {
            return if input.len() > limits.head_max { Err(Fault::bad("long")) } else { Ok(None) };
        };
        let bad = || Fault::bad("stand-in");
        let head = std::str::from_utf8(&input[..end]).map_err(|_| bad())?;
        let mut lines = head.split("\r\n");
        let words: Vec<&str> = lines.next().unwrap_or("").split(' ').collect();
        let &[method, target, version] = &words[..] else { return Err(bad()) };
        request.method = Method::parse(method.as_bytes()).ok_or_else(bad)?;
        request.version = match version {
            "HTTP/1.0" => Version::Http10,
            "HTTP/1.1" => Version::Http11,
            _ => return Err(bad()),
        };
        for line in lines {
            let (name, value) = line.split_once(':').ok_or_else(bad)?;
            let value = chars::trim(value.as_bytes());
            request.headers.add(name, value).map_err(|_| bad())?;
        }
        let start = request.headers.bytes.len() as u16;
        request.headers.bytes.extend_from_slice(target.as_bytes());
        request.target = Span { start, len: target.len() as u16 };
        request.path = request.target;
        let has = |name: &str, value: &[u8]| {
            request.headers.get(name).is_some_and(|v| v.eq_ignore_ascii_case(value))
        };
        let body = match request.headers.text("content-length") {
            _ if has("transfer-encoding", b"chunked") => Length::Chunked,
            Some(text) => Length::Exact(text.parse().map_err(|_| bad())?),
            None => Length::None,
        };
        let framing = Framing {
            body,
            keep: match request.version {
                Version::Http11 => !has("connection", b"close"),
                Version::Http10 => has("connection", b"keep-alive"),
            },
            expect: has("expect", b"100-continue"),
            upgrade: has("connection", b"upgrade"),
        };
        Ok(Some((end + 4, framing)))
    }

    /// Stand-in.
    pub fn begun(&self) -> bool {
        self.begun
    }
}
