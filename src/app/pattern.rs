//! What a line of the table matches, and the same below a prefix.

/// What a line matches.
#[derive(Clone)]
pub(super) enum Pattern {
    Path(String),
    Regex(String),
}

impl Pattern {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Pattern::Path(text) | Pattern::Regex(text) => text,
        }
    }

    /// The same below a prefix.
    pub(super) fn below(&self, prefix: &str) -> Pattern {
        match self {
            Pattern::Path(text) => Pattern::Path(format!("{prefix}{text}")),
            Pattern::Regex(text) if prefix.is_empty() => Pattern::Regex(text.clone()),
            Pattern::Regex(text) => Pattern::Regex(format!("{}(?:{text})", literal(prefix))),
        }
    }
}

/// The text as a regex that matches nothing else.
fn literal(text: &str) -> String {
    let mut regex = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            regex.push('\\');
        }
        regex.push(c);
    }
    regex
}
