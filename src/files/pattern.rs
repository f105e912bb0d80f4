//! Patterns of paths, and names that were made from a hash of their content.

/// `*` stands for any characters within a name, `**` for any at all, `**/` for
/// any folders or none, `?` for one character within a name. Everything else is
/// itself; case counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Token>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    /// One byte that is no slash.
    One,
    /// Bytes that are no slash.
    Name,
    /// Any bytes.
    Any,
    /// No folder, or what follows.
    Perhaps,
    /// Any bytes and a slash.
    Folders,
}

/// Tokens of a pattern: each is looked at once per byte of a path at worst.
const TOKENS_MAX: usize = 512;

impl Pattern {
    /// # Errors
    /// What is wrong with it, for a person.
    pub(super) fn new(text: &str) -> Result<Pattern, String> {
        let text = text.trim_start_matches('/');
        if text.is_empty() {
            return Err("needs a pattern of paths, such as \"assets/*\"".to_owned());
        }
        if text.len() > TOKENS_MAX {
            return Err(format!("takes patterns of {TOKENS_MAX} bytes at most"));
        }
        let mut tokens: Vec<Token> = Vec::new();
        for byte in text.bytes() {
            // Whether the last token is the first of a name.
            let before = tokens.len().checked_sub(2).and_then(|at| tokens.get(at));
            let begins = matches!(before, None | Some(Token::Byte(b'/') | Token::Folders));
            match (byte, tokens.last_mut()) {
                (b'*', Some(last @ (Token::Name | Token::Any))) => *last = Token::Any,
                (b'*', _) => tokens.push(Token::Name),
                (b'?', _) => tokens.push(Token::One),
                (b'/', Some(last @ Token::Any)) if begins => {
                    *last = Token::Perhaps;
                    tokens.push(Token::Folders);
                }
                _ => tokens.push(Token::Byte(byte)),
            }
        }
        Ok(Pattern(tokens))
    }

    /// Whether the whole path is of this kind.
    ///
    /// All places where the pattern can stand are followed at once, so the cost
    /// is the product of the two lengths at worst, whatever the pattern.
    pub(super) fn matches(&self, path: &str) -> bool {
        let tokens = &self.0;
        let mut places = vec![false; tokens.len() + 1];
        let mut next = places.clone();
        set(&mut places, 0);
        skip_stars(tokens, &mut places);
        for byte in path.bytes() {
            next.fill(false);
            for (at, token) in tokens.iter().enumerate() {
                if !places.get(at).is_some_and(|set| *set) {
                    continue;
                }
                match token {
                    Token::Byte(own) if *own == byte => set(&mut next, at + 1),
                    Token::One if byte != b'/' => set(&mut next, at + 1),
                    Token::Name if byte != b'/' => set(&mut next, at),
                    Token::Any => set(&mut next, at),
                    Token::Folders => {
                        set(&mut next, at);
                        if byte == b'/' {
                            set(&mut next, at + 1);
                        }
                    }
                    _ => {}
                }
            }
            skip_stars(tokens, &mut next);
            std::mem::swap(&mut places, &mut next);
        }
        places.last().is_some_and(|end| *end)
    }
}

/// Where a star can stand, what is behind it can, too.
fn skip_stars(tokens: &[Token], places: &mut [bool]) {
    for (at, token) in tokens.iter().enumerate() {
        if !places.get(at).is_some_and(|set| *set) {
            continue;
        }
        match token {
            Token::Name | Token::Any => set(places, at + 1),
            Token::Perhaps => {
                set(places, at + 1);
                set(places, at + 2);
            }
            _ => {}
        }
    }
}

fn set(places: &mut [bool], at: usize) {
    if let Some(place) = places.get_mut(at) {
        *place = true;
    }
}

/// Whether a file's name says that it was made from its content, as bundlers
/// write them: `app.5f3c9a1b.js`, `index-BfXa9d12.css`. Between the last dot or
/// hyphen and the extension stand 8 to 64 letters and digits, at least one of
/// each: so neither a date nor a word is taken for a hash.
pub(super) fn is_hashed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    // `app.5f3c9a1b.js.map` is as old as `app.5f3c9a1b.js`.
    let name = name.strip_suffix(".map").unwrap_or(name);
    let Some((stem, _)) = name.rsplit_once('.') else { return false };
    let Some((_, hash)) = stem.rsplit_once(['.', '-']) else { return false };
    let letters = hash.bytes().filter(u8::is_ascii_alphabetic).count();
    let digits = hash.bytes().filter(u8::is_ascii_digit).count();
    let only_these = hash.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (8..=64).contains(&hash.len()) && letters > 0 && digits > 0 && only_these
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let table = [
            ("*", "a.js", true),
            ("*", "a/b.js", false),
            ("**", "a/b/c.js", true),
            ("assets/*", "assets/a.js", true),
            ("/assets/*", "assets/a.js", true),
            ("assets/*", "assets/", true),
            ("assets/*", "assets/a/b.js", false),
            ("assets/**", "assets/a/b.js", true),
            ("**/*.js", "a.js", true),
            ("**/*.js", "a/b/c.js", true),
            ("**/*.js", "a/b/c.jsx", false),
            ("**/b.js", "ab.js", false),
            ("**/b.js", "a/b.js", true),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "a/xb", false),
            ("**/**/b", "b", true),
            ("a**/b", "axy/z/b", true),
            ("*.js", "a/b.js", false),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbY", false),
            ("index.html", "index.html", true),
            ("index.html", "indexxhtml", false),
        ];
        for (pattern, path, expected) in table {
            let got = Pattern::new(pattern).unwrap().matches(path);
            assert_eq!(got, expected, "{pattern} on {path}");
        }
        assert!(Pattern::new("").is_err() && Pattern::new("/").is_err());
        assert!(Pattern::new(&"a".repeat(TOKENS_MAX + 1)).is_err());
    }

    #[test]
    fn hashed_names() {
        let table = [
            ("app.5f3c9a1b.js", true),
            ("assets/index-BfXa9d12.css", true),
            ("app.5f3c9a1b.js.map", true),
            ("chunk-5CKXDSTV.js", true),
            ("report-20240131.pdf", false),
            ("jquery.slideshow.js", false),
            ("jquery-3.7.1.min.js", false),
            ("5f3c9a1b.js", false),
            ("app.5f3c9a1b", false),
            ("a", false),
        ];
        for (path, expected) in table {
            assert_eq!(is_hashed(path), expected, "{path}");
        }
    }
}
