//! Methods, and the answers when a path has routes but none for the method.

use super::allow::{Allow, Set};
use super::decode::decode;
use super::exact::Exact;
use super::pattern::{CAPTURES_MAX, Pattern, Segment};
use super::regex::{Groups, Regex};
use super::tree::{Search, Tree};
use crate::error::Error;
use crate::http::{Method, Params};
use std::fmt;
use std::sync::Arc;

/// Routes and what they lead to. The rules are those of [the module](super).
///
/// ```
/// use onepoll::http::{Method, Params};
/// use onepoll::route::{Lookup, Table};
///
/// let mut table = Table::new();
/// table.insert(Some(Method::GET), "/users/{id}", "show")?;
/// let mut params = Params::new();
/// match table.lookup(&Method::GET, "/users/7", &mut params) {
///     Lookup::Found { value, pattern } => assert_eq!((*value, pattern), ("show", "/users/{id}")),
///     other => panic!("{other:?}"),
/// }
/// assert_eq!(params.get("id"), Some("7"));
/// let lookup = table.lookup(&Method::PUT, "/users/7", &mut params);
/// assert_eq!(lookup, Lookup::MethodNotAllowed("GET, HEAD, OPTIONS"));
/// # Ok::<(), onepoll::Error>(())
/// ```
#[derive(Clone)]
pub struct Table<T> {
    tree: Tree,
    /// The leaves without captures, by the whole path.
    exact: Exact,
    /// One for each leaf of the tree.
    endpoints: Vec<Endpoint>,
    /// Routes that are a regex for the whole path, best first.
    regexes: Vec<Whole>,
    routes: Vec<Route<T>>,
    /// The names of all captures, route by route.
    names: Arc<Vec<Box<str>>>,
    allow: Allow,
    /// Whether a pattern holds a percent-encoded byte.
    escapes: bool,
}

/// What a [`Table`] knows about a method and a path.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lookup<'t, T> {
    /// A route serves it.
    Found {
        /// What the route leads to.
        value: &'t T,
        /// The route's pattern as it was given, for logs and metrics.
        pattern: &'t str,
    },
    /// `OPTIONS`, and no route for it: answer with this `Allow` field.
    Options(&'t str),
    /// The path has routes, none for the method: 405 with this `Allow` field.
    MethodNotAllowed(&'t str),
    /// No route matches the path: 404.
    NotFound,
}

#[derive(Clone)]
struct Route<T> {
    /// `None` for any.
    method: Option<Method>,
    pattern: Box<str>,
    /// Where its captures' names start.
    names: u32,
    value: T,
}

/// The routes of one pattern, by method.
#[derive(Clone, Debug, Default)]
struct Endpoint {
    /// Of a registered method, by its number; of an extension.
    registered: [Option<u32>; Method::REGISTERED],
    extensions: Vec<(Method, u32)>,
    any: Option<u32>,
    /// What the methods allow.
    allowed: Set,
}

/// A regex for the whole path, and its routes.
#[derive(Clone, Debug)]
struct Whole {
    text: Box<str>,
    /// What every path that matches starts with.
    prefix: Box<str>,
    regex: Regex,
    endpoint: Endpoint,
}

impl<T> Table<T> {
    /// A table without routes.
    pub fn new() -> Self {
        Table {
            tree: Tree::new(),
            exact: Exact::default(),
            endpoints: Vec::new(),
            regexes: Vec::new(),
            routes: Vec::new(),
            names: Arc::default(),
            allow: Allow::new(),
            escapes: false,
        }
    }

    /// Adds a route; `None` stands for any method. A pattern that starts with
    /// `^` is a regex, as for [`insert_regex`](Table::insert_regex).
    ///
    /// # Errors
    /// [`Error::Route`] if the pattern is none (it says why), or if the method
    /// has a route already whose pattern matches the same paths (it names
    /// both). The table is then as it was.
    pub fn insert(&mut self, method: Option<Method>, pattern: &str, value: T) -> Result<(), Error> {
        let wrong = |why| Error::Route(format!("`{pattern}` {why}"));
        let segments = match Pattern::parse(pattern).map_err(wrong)? {
            Pattern::Path(segments) => segments,
            Pattern::Regex(regex) => return self.insert_regex(method, &regex, value),
        };
        let leaf = self.tree.leaf(&segments).map_err(wrong)? as usize;
        if leaf == self.endpoints.len() {
            self.endpoints.push(Endpoint::default());
        }
        let mut endpoint = self.endpoints.get(leaf).cloned().unwrap_or_default();
        self.add(&mut endpoint, method.as_ref(), pattern)?;
        let get = endpoint.of(&Method::GET);
        if let Some(slot) = self.endpoints.get_mut(leaf) {
            *slot = endpoint;
        }
        self.escapes |= segments.iter().any(Segment::is_escaped);
        if let Some(path) = Segment::literal_path(&segments) {
            self.exact.insert(path.as_bytes(), leaf as u32, get);
        }
        let names = segments.iter().filter_map(Segment::name).map(Box::from).collect();
        self.keep(method, pattern, names, value);
        Ok(())
    }

    /// Adds a route for all paths that a regex matches as a whole (`^` and `$`
    /// go without saying). Groups are captured under their names, groups
    /// without a name under their numbers (`"1"`); one that took no part is
    /// captured empty.
    ///
    /// # Errors
    /// [`Error::Route`] as for [`insert`](Table::insert), and always if the
    /// feature `regex` is not built in.
    pub fn insert_regex(
        &mut self,
        method: Option<Method>,
        regex: &str,
        value: T,
    ) -> Result<(), Error> {
        let at = match self.regexes.iter().position(|whole| *whole.text == *regex) {
            Some(known) => known,
            None => {
                let wrong = |why| Error::Route(format!("`{regex}` {why}"));
                let whole = Whole::new(regex).map_err(wrong)?;
                let place = self.regexes.partition_point(|known| known.rank() <= whole.rank());
                self.regexes.insert(place, whole);
                place
            }
        };
        let Some(whole) = self.regexes.get(at) else { return Ok(()) };
        let names = whole.regex.names().into_iter().map(String::into_boxed_str).collect();
        let mut endpoint = whole.endpoint.clone();
        self.add(&mut endpoint, method.as_ref(), regex)?;
        if let Some(whole) = self.regexes.get_mut(at) {
            whole.endpoint = endpoint;
        }
        self.escapes |= regex.contains('%');
        self.keep(method, regex, names, value);
        Ok(())
    }

    /// Gives an endpoint the next route.
    fn add(
        &mut self,
        endpoint: &mut Endpoint,
        method: Option<&Method>,
        pattern: &str,
    ) -> Result<(), Error> {
        let number = self.routes.len() as u32;
        let slot = match method {
            Some(method) => endpoint.of(method),
            None => endpoint.any,
        };
        if let Some(known) = slot.and_then(|i| self.routes.get(i as usize)) {
            let method = method.map_or("any method", Method::as_str);
            let why = format!(
                "`{pattern}` and `{}` match the same paths, both for {method}",
                known.pattern
            );
            return Err(Error::Route(why));
        }
        match method {
            Some(method) => {
                let wrong = |why| Error::Route(format!("`{pattern}` {why}"));
                endpoint.allowed = self.allow.add(endpoint.allowed, method).map_err(wrong)?;
                match method.number().and_then(|at| endpoint.registered.get_mut(at)) {
                    Some(place) => *place = Some(number),
                    None => endpoint.extensions.push((method.clone(), number)),
                }
            }
            None => endpoint.any = Some(number),
        }
        Ok(())
    }

    fn keep(&mut self, method: Option<Method>, pattern: &str, names: Vec<Box<str>>, value: T) {
        let first = self.names.len() as u32;
        Arc::make_mut(&mut self.names).extend(names);
        self.routes.push(Route { method, pattern: pattern.into(), names: first, value });
    }

    /// Finds the route for a method and a path. If one is found, `params` is
    /// filled with what its pattern captured, else it is left empty.
    ///
    /// `path` is a [`Request::route_path`](crate::http::Request::route_path):
    /// percent-encoded unreserved characters are decoded already, all else is
    /// not; so `%2F` never splits a segment. Nothing is allocated once `params`
    /// is warm, except where a regex is asked, or where patterns hold encoded
    /// bytes and the path has some in lower case. A path longer than 65,535 bytes
    /// is not found.
    #[inline]
    pub fn lookup<'t>(&'t self, method: &Method, path: &str, params: &mut Params) -> Lookup<'t, T> {
        self.lookup_bytes(method, path.as_bytes(), params)
    }

    /// The same for a path that is known to be ASCII but not yet to the
    /// compiler: a literal route is found without looking at it twice.
    #[inline(always)] // so that only the tree's answer goes through memory
    pub(crate) fn lookup_bytes<'t>(
        &'t self,
        method: &Method,
        path: &[u8],
        params: &mut Params,
    ) -> Lookup<'t, T> {
        let literal = match self.exact.find(path) {
            Some((_, Some(get))) if *method == Method::GET => Some(get),
            Some((leaf, _)) => self.literal(leaf, method),
            None => None,
        };
        if let Some(route) = literal.and_then(|number| self.routes.get(number as usize)) {
            params.clear();
            return Lookup::Found { value: &route.value, pattern: &route.pattern };
        }
        self.lookup_tree(method, std::str::from_utf8(path).unwrap_or(""), params)
    }

    /// The route of a literal path's leaf for any method.
    #[inline(never)]
    fn literal(&self, leaf: u32, method: &Method) -> Option<u32> {
        self.endpoints.get(leaf as usize)?.route(method, &mut Set::default())
    }

    #[inline(never)]
    fn lookup_tree<'t>(
        &'t self,
        method: &Method,
        path: &str,
        params: &mut Params,
    ) -> Lookup<'t, T> {
        if self.escapes
            && let Some(path) = upper_case_escapes(path)
        {
            return self.find(method, &path, params);
        }
        self.find(method, path, params)
    }

    fn find<'t>(&'t self, method: &Method, path: &str, params: &mut Params) -> Lookup<'t, T> {
        params.clear();
        if path.len() > PATH_MAX {
            return Lookup::NotFound;
        }
        let mut spans = [(0, 0); CAPTURES_MAX];
        let mut allowed = Set::default();
        let mut search = Search::new(path, &mut spans, |leaf| {
            self.endpoints.get(leaf as usize)?.route(method, &mut allowed)
        });
        let hit = self.tree.search(&mut search);
        let escaped = search.escaped;
        if !self.regexes.is_empty()
            && hit.is_none_or(|hit| hit.wild)
            && let Some((number, groups)) = self.find_whole(method, path, &mut allowed)
        {
            return self.found(number, path, &groups, true, params);
        }
        match hit {
            Some(hit) => {
                let spans = spans.get(..hit.captures).unwrap_or(&[]);
                self.found(hit.route, path, spans, escaped, params)
            }
            None => self.refuse(method, allowed),
        }
    }

    #[inline(always)] // else its answer is copied once more
    fn found<'t>(
        &'t self,
        number: u32,
        path: &str,
        spans: &[(u32, u32)],
        escaped: bool,
        params: &mut Params,
    ) -> Lookup<'t, T> {
        let Some(route) = self.routes.get(number as usize) else { return Lookup::NotFound };
        if escaped {
            params.name(&self.names, route.names);
            push_decoded(path, spans, params);
        } else if !spans.is_empty() {
            params.name(&self.names, route.names);
            params.fill(path, spans);
        }
        Lookup::Found { value: &route.value, pattern: &route.pattern }
    }

    /// The best of the regex routes.
    #[cold]
    fn find_whole(&self, method: &Method, path: &str, allowed: &mut Set) -> Option<(u32, Groups)> {
        self.regexes.iter().find_map(|whole| {
            let groups = whole.groups(path)?;
            Some((whole.endpoint.route(method, allowed)?, groups))
        })
    }

    #[cold]
    fn refuse(&self, method: &Method, allowed: Set) -> Lookup<'_, T> {
        match self.allow.text(allowed) {
            Some(text) if *method == Method::OPTIONS => Lookup::Options(text),
            Some(text) => Lookup::MethodNotAllowed(text),
            None => Lookup::NotFound,
        }
    }

    /// Method (`None` for any) and pattern of all routes, in the order in which
    /// they were added: for a listing.
    pub fn routes(&self) -> impl Iterator<Item = (Option<&Method>, &str)> + '_ {
        self.routes.iter().map(|route| (route.method.as_ref(), &*route.pattern))
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table::new()
    }
}

impl<T> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |method: Option<&Method>| method.map_or("*", Method::as_str).to_owned();
        f.debug_list().entries(self.routes().map(|(m, p)| format!("{} {p}", name(m)))).finish()
    }
}

impl Endpoint {
    /// The route that was added for just this method.
    #[inline]
    fn of(&self, method: &Method) -> Option<u32> {
        match method.number() {
            Some(at) => *self.registered.get(at)?,
            None => self.extensions.iter().find(|(known, _)| known == method).map(|(_, n)| *n),
        }
    }

    /// The route for a method; if there is none, what would be allowed is added.
    #[inline]
    fn route(&self, method: &Method, allowed: &mut Set) -> Option<u32> {
        if let Some(number) = self.of(method) {
            return Some(number);
        }
        let get = if *method == Method::HEAD { self.of(&Method::GET) } else { None };
        let found = get.or(self.any);
        if found.is_none() {
            *allowed |= self.allowed;
        }
        found
    }
}

impl Whole {
    fn new(text: &str) -> Result<Whole, String> {
        let regex = Regex::new(text)?;
        let prefix = literal_prefix(text).into();
        Ok(Whole { text: text.into(), prefix, regex, endpoint: Endpoint::default() })
    }

    /// More literal text comes first, then longer regexes. The text itself only
    /// makes the order the same for every order of registration.
    fn rank(&self) -> impl Ord + '_ {
        (usize::MAX - self.prefix.len(), usize::MAX - self.text.len(), &self.text)
    }

    fn groups(&self, path: &str) -> Option<Groups> {
        if !path.starts_with(&*self.prefix) {
            return None;
        }
        let groups = self.regex.groups(path)?;
        let valid = groups.iter().all(|&span| decode(slice(path, span), |_| ()));
        valid.then_some(groups)
    }
}

#[inline]
fn slice(path: &str, (start, end): (u32, u32)) -> &str {
    path.get(start as usize..end as usize).unwrap_or("")
}

#[cold]
fn push_decoded(path: &str, spans: &[(u32, u32)], params: &mut Params) {
    for &span in spans {
        // It is valid; else it had not been captured.
        params.push(|text| {
            decode(slice(path, span), |part| text.push_str(part));
        });
    }
}

/// What all matches of a regex start with, as far as that is plain to see.
fn literal_prefix(regex: &str) -> &str {
    let text = regex.strip_prefix('^').unwrap_or(regex);
    if text.contains('|') {
        return ""; // an alternative may start otherwise
    }
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'%');
    let mut len = text.bytes().take_while(|b| plain(b)).count();
    if matches!(text.as_bytes().get(len), Some(b'?' | b'*' | b'+' | b'{')) {
        len = len.saturating_sub(1); // the last one is repeated, perhaps not at all
    }
    text.get(..len).unwrap_or("")
}

/// The path with the digits of `%c3` as `%C3`, as in patterns (RFC 3986 section
/// 6.2.2.1), if that changes it.
#[cold]
fn upper_case_escapes(path: &str) -> Option<String> {
    let is_lower = |b: &u8| matches!(b, b'a'..=b'f');
    let lower = |triplet: &[u8]| triplet.starts_with(b"%") && triplet.iter().any(is_lower);
    if !path.as_bytes().windows(3).any(lower) {
        return None;
    }
    let mut digits = 0;
    let upper = path.chars().map(|c| {
        digits = if c == '%' { 2 } else { i32::max(digits - 1, -1) };
        if c != '%' && digits >= 0 { c.to_ascii_uppercase() } else { c }
    });
    Some(upper.collect())
}

/// Longer paths have no route. The protocol refuses them long before, with 414.
const PATH_MAX: usize = 65_535;

#[cfg(test)]
mod tests;
