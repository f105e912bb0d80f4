//! JSON, read strictly (RFC 8259): what a test has to say about a reply.

/// A value. Numbers are kept as they are written.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Json>),
    /// In order; a name that comes twice is an error.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a whole text.
    ///
    /// # Panics
    /// If it is not JSON to the last byte.
    #[track_caller]
    pub fn read(text: &str) -> Json {
        match Json::try_read(text) {
            Ok(value) => value,
            Err((at, why)) => {
                let rest: String = text.chars().skip(at.saturating_sub(40)).take(80).collect();
                panic!("{why} at character {at}: {rest:?}")
            }
        }
    }

    /// The same; else where and why not.
    pub fn try_read(text: &str) -> Result<Json, (usize, &'static str)> {
        let mut reader = Reader { chars: text.chars().collect(), at: 0 };
        let value = reader.value().and_then(|value| {
            reader.blank();
            if reader.at == reader.chars.len() { Ok(value) } else { Err("something behind") }
        });
        value.map_err(|why| (reader.at, why))
    }

    /// The member of that name.
    #[track_caller]
    pub fn get(&self, name: &str) -> &Json {
        self.find(name).unwrap_or_else(|| panic!("no {name:?} in {self:?}"))
    }

    /// The member of that name, if it is an object that has one.
    pub fn find(&self, name: &str) -> Option<&Json> {
        let Json::Object(members) = self else { return None };
        members.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    #[track_caller]
    pub fn text(&self) -> &str {
        let Json::Text(text) = self else { panic!("no text: {self:?}") };
        text
    }

    #[track_caller]
    pub fn number(&self) -> u64 {
        let Json::Number(digits) = self else { panic!("no number: {self:?}") };
        digits.parse().unwrap_or_else(|_| panic!("no such number: {digits}"))
    }

    #[track_caller]
    pub fn array(&self) -> &[Json] {
        let Json::Array(values) = self else { panic!("no array: {self:?}") };
        values
    }
}

struct Reader {
    chars: Vec<char>,
    at: usize,
}

type Read<T> = Result<T, &'static str>;

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self) -> Read<char> {
        let c = self.peek().ok_or("the end")?;
        self.at += 1;
        Ok(c)
    }

    fn takes(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Read<Json> {
        self.blank();
        match self.peek().ok_or("the end")? {
            '{' => self.object(),
            '[' => self.array(),
            '"' => Ok(Json::Text(self.text()?)),
            '-' | '0'..='9' => self.number(),
            _ => {
                for (word, value) in
                    [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))]
                {
                    let end = self.at + word.len();
                    if self
                        .chars
                        .get(self.at..end)
                        .is_some_and(|c| c.iter().copied().eq(word.chars()))
                    {
                        self.at = end;
                        return Ok(value);
                    }
                }
                Err("no value")
            }
        }
    }

    fn object(&mut self) -> Read<Json> {
        self.at += 1;
        let mut members: Vec<(String, Json)> = Vec::new();
        self.blank();
        if self.takes('}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.blank();
            let name = self.text()?;
            if members.iter().any(|(n, _)| *n == name) {
                return Err("a name that was there before");
            }
            self.blank();
            if !self.takes(':') {
                return Err("no colon");
            }
            members.push((name, self.value()?));
            self.blank();
            match self.take()? {
                ',' => {}
                '}' => return Ok(Json::Object(members)),
                _ => return Err("neither comma nor end of the object"),
            }
        }
    }

    fn array(&mut self) -> Read<Json> {
        self.at += 1;
        let mut values = Vec::new();
        self.blank();
        if self.takes(']') {
            return Ok(Json::Array(values));
        }
        loop {
            values.push(self.value()?);
            self.blank();
            match self.take()? {
                ',' => {}
                ']' => return Ok(Json::Array(values)),
                _ => return Err("neither comma nor end of the array"),
            }
        }
    }

    fn text(&mut self) -> Read<String> {
        if !self.takes('"') {
            return Err("no text");
        }
        // Code units of UTF-16: an escape may be half of a character.
        let mut units = Vec::new();
        loop {
            match self.take()? {
                '"' => return String::from_utf16(&units).map_err(|_| "half a character"),
                '\0'..' ' => return Err("a control character within a text"),
                '\\' => units.push(match self.take()? {
                    c @ ('"' | '\\' | '/') => c as u16,
                    'b' => 8,
                    'f' => 12,
                    'n' => 10,
                    'r' => 13,
                    't' => 9,
                    'u' => {
                        let mut unit = 0;
                        for _ in 0..4 {
                            let digit = self.take()?.to_digit(16).ok_or("no hexadecimal digit")?;
                            unit = unit << 4 | digit as u16;
                        }
                        unit
                    }
                    _ => return Err("an unknown escape"),
                }),
                c => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
            }
        }
    }

    fn number(&mut self) -> Read<Json> {
        let start = self.at;
        self.takes('-');
        if !self.takes('0') {
            self.digits()?;
        }
        if self.takes('.') {
            self.digits()?;
        }
        if self.takes('e') || self.takes('E') {
            let _ = self.takes('+') || self.takes('-');
            self.digits()?;
        }
        Ok(Json::Number(self.chars[start..self.at].iter().collect()))
    }

    fn digits(&mut self) -> Read<()> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err("no digit") }
    }
}
