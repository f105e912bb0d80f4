//! The only file that knows whether the feature `regex` is built in.
//!
//! Without it a `Regex` can't be made, and everything else stays as it is.
//! The engine (`regex-lite`) takes time linear in the text for every regex,
//! so no path can make it run away.

pub(crate) use engine::Regex;

/// What a regex caught: the byte range of each group, empty if it took no part.
pub(crate) type Groups = Vec<(u32, u32)>;

#[cfg(feature = "regex")]
mod engine {
    use super::Groups;

    /// A regex that matches a whole text or not at all.
    #[derive(Clone, Debug)]
    pub(crate) struct Regex(regex_lite::Regex);

    impl Regex {
        pub(crate) fn new(text: &str) -> Result<Regex, String> {
            let wrong = |error| format!("has a regex that can't be read: {error}");
            // Alone first, so that `a)|(b` is not made whole by our group.
            regex_lite::Regex::new(text).map_err(wrong)?;
            regex_lite::Regex::new(&format!("^(?:{text})$")).map(Regex).map_err(wrong)
        }

        pub(crate) fn is_match(&self, text: &str) -> bool {
            self.0.is_match(text)
        }

        /// The groups of a match, without group 0.
        pub(crate) fn groups(&self, text: &str) -> Option<Groups> {
            let found = self.0.captures(text)?;
            let range = |m: regex_lite::Match<'_>| (m.start() as u32, m.end() as u32);
            Some(found.iter().skip(1).map(|group| group.map_or((0, 0), range)).collect())
        }

        /// What the groups are called: by name, else by number.
        pub(crate) fn names(&self) -> Vec<String> {
            let names = self.0.capture_names().enumerate().skip(1);
            names.map(|(i, name)| name.map_or_else(|| i.to_string(), str::to_owned)).collect()
        }
    }
}

#[cfg(not(feature = "regex"))]
mod engine {
    use super::Groups;

    /// There is none in this build.
    #[derive(Clone, Debug)]
    pub(crate) enum Regex {}

    impl Regex {
        pub(crate) fn new(_: &str) -> Result<Regex, String> {
            Err("needs the feature `regex`, which is not built in".to_owned())
        }

        pub(crate) fn is_match(&self, _: &str) -> bool {
            match *self {}
        }

        pub(crate) fn groups(&self, _: &str) -> Option<Groups> {
            match *self {}
        }

        pub(crate) fn names(&self) -> Vec<String> {
            match *self {}
        }
    }
}
