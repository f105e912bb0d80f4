//! The values of `Allow` fields (RFC 9110 section 10.2.1), made in advance.
//!
//! Several patterns may match one path, and `Allow` tells the methods of all of
//! them. Which ones come together is known only at lookup, but every union of
//! the sets in use is known before. There are few: a table has few different
//! sets of methods, and they overlap.

use crate::http::Method;

/// A set of methods, one bit for each. Empty: there is no route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Set(u64);

impl std::ops::BitOrAssign for Set {
    #[inline]
    fn bitor_assign(&mut self, other: Set) {
        self.0 |= other.0;
    }
}

/// All sets of methods that a lookup can come to, as texts.
#[derive(Clone, Debug)]
pub(crate) struct Allow {
    /// The methods; their places are the bits of sets.
    methods: Vec<Method>,
    /// In the order of their sets.
    texts: Vec<(Set, Box<str>)>,
}

/// The most methods of a table: a set has that many bits.
const METHODS_MAX: usize = u64::BITS as usize;
/// The most sets. The six usual methods make 32 at most; WebDAV's are many, but
/// its resources have few different sets of them.
const SETS_MAX: usize = 4096;

const HEAD: u64 = 2;
const OPTIONS: u64 = 4;

impl Allow {
    pub(crate) fn new() -> Allow {
        let methods = vec![Method::GET, Method::HEAD, Method::OPTIONS];
        Allow { methods, texts: Vec::new() }
    }

    /// The set and one method more: with GET goes HEAD, with all of them OPTIONS.
    pub(crate) fn add(&mut self, Set(set): Set, method: &Method) -> Result<Set, String> {
        let place = match self.methods.iter().position(|known| known == method) {
            Some(place) => place,
            None if self.methods.len() == METHODS_MAX => {
                return Err(format!("has the method {method}; there are {METHODS_MAX} already"));
            }
            None => {
                self.methods.push(method.clone());
                self.methods.len() - 1
            }
        };
        let head = if place == 0 { HEAD } else { 0 };
        let set = Set(set | 1 << place | head | OPTIONS);
        self.close(set)?;
        Ok(set)
    }

    /// Makes the texts of this set and of its unions with those before.
    fn close(&mut self, set: Set) -> Result<(), String> {
        let unions = self.texts.iter().map(|(known, _)| Set(known.0 | set.0));
        for set in unions.chain([set]).collect::<Vec<Set>>() {
            let Err(place) = self.place(set) else { continue };
            if self.texts.len() == SETS_MAX {
                return Err(format!("makes more than {SETS_MAX} different sets of methods"));
            }
            self.texts.insert(place, (set, self.render(set)));
        }
        Ok(())
    }

    /// Where the set's text is, or belongs.
    fn place(&self, set: Set) -> Result<usize, usize> {
        self.texts.binary_search_by_key(&set, |(known, _)| *known)
    }

    /// GET, HEAD, OPTIONS, then the others in alphabetical order.
    fn render(&self, Set(set): Set) -> Box<str> {
        let has = |bit: &usize| set >> bit & 1 == 1;
        let name = |bit| self.methods.get(bit).map_or("", Method::as_str);
        let mut names: Vec<&str> = (0..3).filter(has).map(name).collect();
        let first = names.len();
        for name in (3..METHODS_MAX).filter(has).map(name) {
            // One by one: the library's sort is 10 KB of code for these few names.
            let others = names.iter().skip(first);
            let place = first + others.take_while(|other| **other < name).count();
            names.insert(place, name);
        }
        names.join(", ").into()
    }

    /// The text of a set; `None` for the empty one.
    pub(crate) fn text(&self, set: Set) -> Option<&str> {
        let place = self.place(set).ok()?;
        self.texts.get(place).map(|(_, text)| &**text)
    }
}
