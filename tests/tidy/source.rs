//! Just enough of a Rust lexer to tell code from comments and texts.

/// A file, cut into tokens.
pub(crate) struct Source {
    /// Relative to the root: `src/http/mod.rs`.
    pub(crate) name: String,
    pub(crate) lines: Vec<String>,
    /// The comment on each line, from `//` or `/*` on.
    comments: Vec<String>,
    tokens: Vec<Token>,
    pub(crate) functions: Vec<Function>,
    /// First and last lines of items that exist for tests only.
    tests: Vec<(usize, usize)>,
}

/// A word, `::`, or another sign; comments and literals are none.
struct Token {
    text: String,
    line: usize,
}

pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) first: usize,
    pub(crate) last: usize,
}

impl Source {
    pub(crate) fn new(name: &str, text: &str) -> Source {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let (code, comments) = separate(text, lines.len());
        let mut source = Source {
            name: name.replace('\\', "/"),
            comments,
            tokens: tokens(&code),
            functions: Vec::new(),
            tests: Vec::new(),
            lines,
        };
        source.find_functions();
        source.find_tests();
        source
    }

    /// The first step below `src`.
    pub(crate) fn room(&self) -> &str {
        let path = self.name.strip_prefix("src/").unwrap_or(&self.name);
        path.split('/').next().unwrap_or(path).trim_end_matches(".rs")
    }

    /// The room that a path leads to, if it is one of this crate's.
    pub(crate) fn room_of<'a>(&self, path: &'a [String]) -> Option<&'a str> {
        let file = self.name.trim_start_matches("src/").trim_end_matches(".rs");
        let depth = file.split('/').filter(|step| *step != "mod").count();
        let supers = path.iter().take_while(|step| *step == "super").count();
        match path.first()?.as_str() {
            "crate" => path.get(1).map(String::as_str),
            // Within the room, unless it climbs out of the file's top module.
            "super" if supers >= depth => path.get(supers).map(String::as_str),
            _ => None,
        }
    }

    pub(crate) fn is_test(&self, line: usize) -> bool {
        let mut steps = self.name.split('/');
        steps.any(|step| step == "tests.rs" || step == "tests")
            || self.tests.iter().any(|(first, last)| (*first..=*last).contains(&line))
    }

    /// Whether that line, or the comment right above it, says `// ok:`.
    pub(crate) fn excused(&self, line: usize) -> bool {
        let ok = |line: usize| self.comments[line].starts_with("// ok:");
        let comment = |line: &usize| self.lines[*line].trim_start().starts_with("//");
        ok(line) || (0..line).rev().take_while(comment).any(ok)
    }

    fn token(&self, index: usize) -> &str {
        self.tokens.get(index).map_or("", |token| &token.text)
    }

    /// The lines where these tokens stand in a row.
    pub(crate) fn find(&self, wanted: &[&str]) -> Vec<usize> {
        let windows = self.tokens.windows(wanted.len());
        let hits = windows.filter(|it| it.iter().zip(wanted).all(|(a, b)| a.text == *b));
        hits.map(|window| window[0].line).collect()
    }

    /// Every path in the code, groups expanded: `use a::{b, c::d}` is `a::b` and
    /// `a::c::d`. A word by itself counts only in a `use`.
    pub(crate) fn paths(&self) -> Vec<(usize, Vec<String>)> {
        let mut paths = Vec::new();
        let mut index = 0;
        while index < self.tokens.len() {
            let after_use = index > 0 && self.token(index - 1) == "use";
            if is_word(self.token(index)) && (self.token(index + 1) == "::" || after_use) {
                index = self.path(index, &[], &mut paths);
            } else {
                index += 1;
            }
        }
        paths
    }

    /// Reads a path or a group at `index`; returns the index after it.
    fn path(
        &self,
        mut index: usize,
        start: &[String],
        paths: &mut Vec<(usize, Vec<String>)>,
    ) -> usize {
        let mut path = start.to_vec();
        while is_word(self.token(index)) {
            path.push(self.token(index).to_owned());
            index += 1;
            if self.token(index) == "as" {
                index += 2;
                break;
            }
            if self.token(index) != "::" {
                break;
            }
            index += 1;
            if self.token(index) == "{" {
                index += 1;
                while !matches!(self.token(index), "}" | "") {
                    let before = index;
                    index = self.path(index, &path, paths);
                    // A comma or a star is nothing of a path.
                    index += usize::from(index == before || self.token(index) == ",");
                }
                return index + 1;
            }
        }
        if path.len() > start.len() {
            paths.push((self.tokens[index - 1].line, path));
        }
        index
    }

    /// The index of the bracket that closes the one at `open`.
    fn close(&self, open: usize) -> usize {
        let mut depth = 0;
        for index in open..self.tokens.len() {
            match self.token(index) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return index;
            }
        }
        self.tokens.len() - 1
    }

    /// The index of the last token of the item that begins at `index`.
    fn item_end(&self, mut index: usize) -> usize {
        while index < self.tokens.len() {
            match self.token(index) {
                ";" | "}" => return index,
                "{" => return self.close(index),
                "(" | "[" => index = self.close(index) + 1,
                _ => index += 1,
            }
        }
        self.tokens.len() - 1
    }

    fn find_functions(&mut self) {
        for index in 0..self.tokens.len() {
            if self.token(index) == "fn" && is_word(self.token(index + 1)) {
                let name = self.token(index + 1).to_owned();
                let (first, last) = (self.tokens[index].line, self.item_end(index));
                self.functions.push(Function { name, first, last: self.tokens[last].line });
            }
        }
    }

    fn find_tests(&mut self) {
        for index in 0..self.tokens.len() {
            let attribute = ["#", "[", "cfg", "(", "test", ")", "]"];
            if (0..7).all(|step| self.token(index + step) == attribute[step]) {
                let last = self.item_end(index + 7);
                self.tests.push((self.tokens[index].line, self.tokens[last].line));
            }
        }
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (line, text) in code.lines().enumerate() {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = if rest.starts_with("::") { 2 } else { word.max(first.len_utf8()) };
            tokens.push(Token { text: rest[..length].to_owned(), line });
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

/// The code with blanks for comments, texts and characters; and the comments, by line.
fn separate(text: &str, lines: usize) -> (String, Vec<String>) {
    let mut comments = vec![String::new(); lines];
    let mut code = String::new();
    let mut rest = text;
    let mut line = 0;
    while let Some(first) = rest.chars().next() {
        let (length, comment) = skipped(rest, code.chars().next_back());
        if length == 0 {
            code.push(first);
            line += usize::from(first == '\n');
            rest = &rest[first.len_utf8()..];
            continue;
        }
        for piece in rest[..length].split_inclusive('\n') {
            if comment {
                comments[line].push_str(piece.trim_end());
            }
            code.push(if piece.ends_with('\n') { '\n' } else { ' ' });
            line += usize::from(piece.ends_with('\n'));
        }
        rest = &rest[length..];
    }
    (code, comments)
}

/// How many bytes at the start of `rest` are a comment or a literal, and whether
/// they are a comment. `before` is the last character of the code so far.
fn skipped(rest: &str, before: Option<char>) -> (usize, bool) {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let raw = rest.trim_start_matches(['b', 'c']).strip_prefix('r');
    let hashes = raw.map_or(0, |raw| raw.len() - raw.trim_start_matches('#').len());
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), true);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), true);
    }
    if let Some(raw) = raw.filter(|raw| !in_word && raw[hashes..].starts_with('"')) {
        let open = rest.len() - raw.len() + hashes + 1;
        let end = format!("\"{}", "#".repeat(hashes));
        let close = rest[open..].find(&end).map_or(rest.len(), |at| open + at + end.len());
        return (close, false);
    }
    if rest.starts_with('"') {
        return (quoted(rest, '"'), false);
    }
    // A lifetime has no quote behind its first character.
    let mut after = rest.chars().skip(1);
    if rest.starts_with('\'') && (after.next() == Some('\\') || after.next() == Some('\'')) {
        return (quoted(rest, '\''), false);
    }
    (0, false)
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if !escaped && c == quote {
            return at + 1;
        }
        escaped = !escaped && c == '\\';
    }
    rest.len()
}

fn block_comment(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let (mut at, mut depth) = (0, 0);
    while at < bytes.len() {
        match &bytes[at..bytes.len().min(at + 2)] {
            b"/*" => (at, depth) = (at + 2, depth + 1),
            b"*/" => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}
