//! One event, and its bytes (HTML, section 9.2.5: the event stream format).

use std::fmt::Write;
use std::time::Duration;

/// What is sent to those who listen: data, and if wanted a name, an id, and how
/// long browsers are to wait before they connect again.
///
/// Nothing in it can break out of its line: data is split at line ends, and from
/// names and ids they are left out.
///
/// ```
/// use onepoll::handlers::Event;
/// let event = Event::new("two\nlines").name("visit").id("7");
/// assert_eq!(event.encode(), "id: 7\nevent: visit\ndata: two\ndata: lines\n\n");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    data: String,
    name: String,
    id: Option<String>,
    retry: Option<Duration>,
}

impl Event {
    /// An event with this data; any text.
    pub fn new(data: impl Into<String>) -> Event {
        Event { data: data.into(), ..Event::default() }
    }

    /// With a name, by which pages listen for it; without it: `message`.
    #[must_use]
    pub fn name(mut self, name: &str) -> Event {
        self.name = one_line(name);
        self
    }

    /// With an id, which browsers bring back as `Last-Event-ID`. Without it the
    /// channel gives one. An empty one makes them forget the last.
    #[must_use]
    pub fn id(mut self, id: &str) -> Event {
        self.id = Some(one_line(id));
        self
    }

    /// With the time that browsers wait before they connect again, from now on.
    #[must_use]
    pub fn retry(mut self, time: Duration) -> Event {
        self.retry = Some(time);
        self
    }

    /// As it goes out.
    pub fn encode(&self) -> String {
        self.encode_as(self.id.as_deref())
    }

    /// The id that it was given.
    pub(super) fn own_id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// As it goes out, with this id.
    pub(super) fn encode_as(&self, id: Option<&str>) -> String {
        let mut out = String::with_capacity(self.data.len() + 64);
        // Writing into a String can't fail.
        if let Some(id) = id {
            let _ = writeln!(out, "id: {id}");
        }
        if !self.name.is_empty() {
            let _ = writeln!(out, "event: {}", self.name);
        }
        if let Some(time) = self.retry {
            let _ = writeln!(out, "retry: {}", time.as_millis());
        }
        // CR, LF and CRLF end a line alike.
        let mut rest = self.data.as_str();
        loop {
            let end = rest.find(['\r', '\n']);
            let _ = writeln!(out, "data: {}", rest.get(..end.unwrap_or(rest.len())).unwrap_or(""));
            let Some(end) = end else { break };
            let after = rest.get(end..).unwrap_or("");
            rest = after.strip_prefix("\r\n").or_else(|| after.get(1..)).unwrap_or("");
        }
        out.push('\n');
        out
    }
}

/// Without what ends a line, and without NUL, with which an id would be ignored.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\r' | '\n' | '\0')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a browser makes of a stream: name, id and data of each event.
    fn read(stream: &str) -> Vec<(String, String, String)> {
        let stream = stream.replace("\r\n", "\n").replace('\r', "\n");
        let (mut name, mut id, mut data) = (String::new(), String::new(), String::new());
        let mut events = Vec::new();
        for line in stream.split_terminator('\n') {
            if line.is_empty() {
                if !data.is_empty() {
                    data.pop();
                    events.push((name.clone(), id.clone(), std::mem::take(&mut data)));
                }
                name.clear();
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => name = value.to_owned(),
                "data" => data.extend([value, "\n"]),
                "id" if !value.contains('\0') => id = value.to_owned(),
                _ => {}
            }
        }
        events
    }

    #[test]
    fn data_is_split_at_any_line_end() {
        for (data, want) in [
            ("", "data: \n\n"),
            ("a", "data: a\n\n"),
            (" a", "data:  a\n\n"),
            ("a\nb", "data: a\ndata: b\n\n"),
            ("a\r\nb", "data: a\ndata: b\n\n"),
            ("a\rb", "data: a\ndata: b\n\n"),
            ("a\n\rb", "data: a\ndata: \ndata: b\n\n"),
            ("a\n", "data: a\ndata: \n\n"),
            ("a\n\nid: 9", "data: a\ndata: \ndata: id: 9\n\n"),
        ] {
            assert_eq!(Event::new(data).encode(), want, "{data:?}");
        }
        let retry = Event::new("x").retry(Duration::from_millis(1500)).id("");
        assert_eq!(retry.encode(), "id: \nretry: 1500\ndata: x\n\n");
    }

    proptest! {
        /// A browser reads what was meant, whatever it is made of.
        #[test]
        fn nothing_is_injected(
            name in "[a-c:\r\n\0 ]{0,8}",
            id in "[a-c:\r\n\0 ]{0,8}",
            data in "(id|data|event|retry|[:\r\n\0 x]){0,12}",
        ) {
            let stream = Event::new(data.clone()).name(&name).id(&id).encode();
            let lines = data.replace("\r\n", "\n").replace('\r', "\n");
            let wanted = (one_line(&name), one_line(&id), lines);
            prop_assert_eq!(read(&stream), vec![wanted], "{:?}", stream);
        }
    }
}
