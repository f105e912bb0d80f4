//! The request line: method, target, version (RFC 9112 section 3).

use super::{Head, Stage, span, stray};
use crate::config::Limits;
use crate::http::chars::{TARGET, is};
use crate::http::{Method, Request, Span, Status, Version, scan, target};
use crate::proto::fault::Fault;

impl Head {
    /// `method SP request-target SP HTTP-version CRLF`; whether it is complete.
    #[inline(always)]
    pub(super) fn request_line(
        &mut self,
        limits: &Limits,
        head: &[u8],
        request: &mut Request,
    ) -> Result<bool, Fault> {
        if self.stage == Stage::Method && !self.method(head, request)? {
            return Ok(false);
        }
        if self.stage == Stage::Target && !self.target(limits, head, request)? {
            return Ok(false);
        }
        self.version(head, request)
    }

    #[inline(always)]
    fn method(&mut self, head: &[u8], request: &mut Request) -> Result<bool, Fault> {
        if head.first_chunk() == Some(b"GET ") {
            if request.method != Method::GET {
                request.method = Method::GET; // most requests, and four bytes tell
            }
            self.next(Stage::Target, 4);
            return Ok(true);
        }
        let at = usize::from(self.at);
        let at = at + scan::token(head.get(at..).unwrap_or(&[]));
        if at > Method::LEN_MAX {
            // RFC 9112 section 3: longer than any that we implement.
            return Err(Fault::new(Status::NOT_IMPLEMENTED, "the method is too long"));
        }
        match head.get(at) {
            Some(b' ') if at > 0 => {}
            Some(&b) => return Err(stray(b, "the method is not a token")),
            None => {
                self.at = at as u16;
                return Ok(false);
            }
        }
        let method = head.get(..at).and_then(Method::parse);
        request.method = method.ok_or(Fault::bad("the method is not a token"))?;
        self.next(Stage::Target, at + 1);
        Ok(true)
    }

    #[inline(always)]
    fn target(
        &mut self,
        limits: &Limits,
        head: &[u8],
        request: &mut Request,
    ) -> Result<bool, Fault> {
        let start = usize::from(self.start);
        let mut at = usize::from(self.at);
        let stop = loop {
            let Some(rest) = head.get(at..) else { break None };
            at += scan::target(rest);
            match head.get(at) {
                Some(b'?') => {
                    request.query.get_or_insert(Span { start: at as u16 + 1, len: 0 });
                }
                Some(b'%') => self.percent = true,
                Some(&b) if is(b, TARGET) => {}
                stop => break stop,
            }
            at += 1;
        };
        if at - start > limits.target_max {
            return Err(Fault::new(Status::URI_TOO_LONG, "the target is too long"));
        }
        match stop {
            Some(b' ') if at > start => {}
            Some(b'\r' | b'\n') if at > start => return Err(Fault::bad("no version: HTTP/0.9")),
            Some(&b) => return Err(stray(b, "the target is empty or has a forbidden byte")),
            None => {
                self.at = at as u16;
                return Ok(false);
            }
        }
        let text = head.get(start..at).unwrap_or(&[]);
        request.target = span(start, at);
        self.take_apart(text, request)?;
        self.next(Stage::Version, at + 1);
        Ok(true)
    }

    /// Finds path, query and authority of the target, `text`.
    #[inline(always)]
    fn take_apart(&self, text: &[u8], request: &mut Request) -> Result<(), Fault> {
        let end = self.start + request.target.len;
        let mut path_end = end;
        if let Some(query) = &mut request.query {
            query.len = end - query.start;
            path_end = query.start - 1;
        }
        request.path = Span { start: self.start, len: path_end - self.start };
        if text.first() != Some(&b'/') || request.method == Method::CONNECT {
            self.other_form(text, request)?;
        }
        if self.percent {
            self.undo_percent(text, request)?;
        }
        Ok(())
    }

    #[cold]
    fn other_form(&self, text: &[u8], request: &mut Request) -> Result<(), Fault> {
        let path_end = usize::from(request.path.len);
        let parts = target::parse(text, path_end, &request.method).map_err(Fault::bad)?;
        let start = usize::from(self.start);
        let shifted = |range: std::ops::Range<usize>| span(start + range.start, start + range.end);
        request.path = shifted(parts.path);
        request.authority = shifted(parts.authority);
        if request.path.len == 0 && request.authority.len > 0 && request.method != Method::CONNECT {
            // `http://example.org` means the path `/` (RFC 9110 section 4.2.3).
            request.normal = Some("/".to_owned());
        }
        Ok(())
    }

    #[cold]
    fn undo_percent(&self, text: &[u8], request: &mut Request) -> Result<(), Fault> {
        if !target::are_triplets(text) {
            return Err(Fault::bad("the target has a % that is no triplet"));
        }
        let start = usize::from(request.path.start - self.start);
        let path = text.get(start..start + usize::from(request.path.len));
        let path = path.and_then(|path| std::str::from_utf8(path).ok()); // it is ASCII
        if let Some(normal) = path.and_then(target::normalise) {
            request.normal = Some(normal);
        }
        Ok(())
    }

    /// `HTTP-version CRLF`, where `HTTP-version = "HTTP/" DIGIT "." DIGIT` with
    /// regard to case (RFC 9112 section 2.3).
    #[inline(always)]
    fn version(&mut self, head: &[u8], request: &mut Request) -> Result<bool, Fault> {
        let start = usize::from(self.start);
        let Some(rest) = head.get(start..) else { return Ok(false) };
        if rest.first_chunk() == Some(b"HTTP/1.1\r\n") {
            request.version = Version::Http11;
        } else if !self.version_by_byte(rest, request)? {
            return Ok(false);
        }
        self.next(Stage::Fields, start + 10);
        Ok(true)
    }

    #[cold]
    fn version_by_byte(&mut self, rest: &[u8], request: &mut Request) -> Result<bool, Fault> {
        let done = usize::from(self.at - self.start);
        for (i, &wanted) in b"HTTP/d.d\r\n".iter().enumerate().skip(done) {
            let Some(&byte) = rest.get(i) else { return Ok(false) };
            self.at += 1;
            match wanted {
                b'd' if !byte.is_ascii_digit() => return Err(stray(byte, VERSION)),
                b'd' if i == 7 && rest.get(5) != Some(&b'1') => {
                    let status = Status::HTTP_VERSION_NOT_SUPPORTED;
                    return Err(Fault::new(status, "not HTTP/1"));
                }
                // A higher minor version is read as ours (RFC 9110 section 2.5).
                b'd' if i == 7 && byte == b'0' => request.version = Version::Http10,
                b'd' => request.version = Version::Http11,
                _ if byte != wanted => return Err(stray(byte, VERSION)),
                _ => {}
            }
        }
        Ok(true)
    }
}

const VERSION: &str = "the version is not HTTP/1.1 or the like";
