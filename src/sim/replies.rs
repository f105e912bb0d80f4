//! Reads a client's stream of replies, by rules of its own: nothing here is
//! shared with the code under test.

/// A reply, as far as it has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// `Connection: close`.
    pub(crate) closes: bool,
    /// Interim replies before it, by status.
    pub(crate) interim: Vec<u16>,
}

/// Takes bytes, gives replies.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    buffer: Vec<u8>,
    state: State,
    reply: Reply,
    to_head: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    #[default]
    Head,
    Length(usize),
    Size,
    Chunk(usize),
    ChunkEnd,
    Trailers,
    UntilClose,
}

impl Replies {
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Interim replies to the reply at hand.
    pub(crate) fn interim(&self) -> usize {
        self.reply.interim.len()
    }

    /// What is there of a reply that is not complete; `None` between two.
    pub(crate) fn partial(&self) -> Option<&Reply> {
        let between = self.state == State::Head && self.buffer.is_empty();
        (!between).then_some(&self.reply)
    }

    pub(crate) fn is_until_close(&self) -> bool {
        self.state == State::UntilClose
    }

    /// The next complete reply. `to_head`: it answers a HEAD request.
    pub(crate) fn next(&mut self, to_head: bool) -> Result<Option<Reply>, String> {
        self.to_head = to_head;
        loop {
            match self.state {
                State::Head => {
                    let Some(head) = self.cut_off(b"\r\n\r\n") else { return Ok(None) };
                    if self.head(&head)? {
                        return Ok(Some(std::mem::take(&mut self.reply)));
                    }
                }
                State::Length(left) => {
                    let left = self.content(left);
                    self.state = State::Length(left);
                    if left > 0 {
                        return Ok(None);
                    }
                    return Ok(Some(self.complete()));
                }
                State::Size => {
                    let Some(line) = self.cut_off(b"\r\n") else { return Ok(None) };
                    let digits = String::from_utf8_lossy(&line).into_owned();
                    let size = usize::from_str_radix(&digits, 16)
                        .map_err(|_| format!("a chunk of size {digits:?}"))?;
                    self.state = if size == 0 { State::Trailers } else { State::Chunk(size) };
                }
                State::Chunk(left) => {
                    let left = self.content(left);
                    self.state = State::Chunk(left);
                    if left > 0 {
                        return Ok(None);
                    }
                    self.state = State::ChunkEnd;
                }
                State::ChunkEnd => {
                    let Some(line) = self.cut_off(b"\r\n") else { return Ok(None) };
                    if !line.is_empty() {
                        return Err(format!("{} bytes too many in a chunk", line.len()));
                    }
                    self.state = State::Size;
                }
                State::Trailers => {
                    let Some(line) = self.cut_off(b"\r\n") else { return Ok(None) };
                    if line.is_empty() {
                        return Ok(Some(self.complete()));
                    }
                }
                State::UntilClose => {
                    self.content(usize::MAX);
                    return Ok(None);
                }
            }
        }
    }

    /// The stream has ended: a reply that ends with it is complete.
    pub(crate) fn end(&mut self) -> Option<Reply> {
        self.is_until_close().then(|| self.complete())
    }

    fn complete(&mut self) -> Reply {
        self.state = State::Head;
        std::mem::take(&mut self.reply)
    }

    /// Whether the reply is complete with its head.
    fn head(&mut self, head: &[u8]) -> Result<bool, String> {
        let text = String::from_utf8_lossy(head).into_owned();
        let mut lines = text.split("\r\n");
        let status = lines.next().unwrap_or("");
        let code = status.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let Some(code) = code else { return Err(format!("a status line {status:?}")) };
        if code < 200 && code != 101 {
            self.reply.interim.push(code);
            return Ok(false);
        }
        self.reply.status = code;
        let (mut length, mut chunked) = (None, false);
        for line in lines {
            let (name, value) = line.split_once(": ").ok_or(format!("a field line {line:?}"))?;
            match name.to_ascii_lowercase().as_str() {
                "content-length" if length.is_some() || chunked => return Err(format!("{text:?}")),
                "content-length" => length = value.parse().ok(),
                "transfer-encoding" if length.is_some() => return Err(format!("{text:?}")),
                "transfer-encoding" => chunked = true,
                "connection" => self.reply.closes = value == "close",
                _ => {}
            }
        }
        if self.to_head || matches!(code, 101 | 204 | 304) {
            return Ok(true);
        }
        self.state = match length {
            Some(length) => State::Length(length),
            None if chunked => State::Size,
            None => State::UntilClose,
        };
        Ok(false)
    }

    fn content(&mut self, left: usize) -> usize {
        let count = left.min(self.buffer.len());
        self.reply.body.extend(self.buffer.drain(..count));
        left - count
    }

    /// The bytes up to the mark, which is taken off as well.
    fn cut_off(&mut self, mark: &[u8]) -> Option<Vec<u8>> {
        let at = self.buffer.windows(mark.len()).position(|window| window == mark)?;
        let front = self.buffer.drain(..at + mark.len()).take(at).collect();
        Some(front)
    }
}
