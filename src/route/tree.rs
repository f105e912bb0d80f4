//! The tree of segments: which pattern matches a path best.
//!
//! It is a radix tree whose digits are whole segments. Each node offers the
//! next segment four ways on, in the order of precedence:
//!
//! ```text
//!   1 edge     a literal     one probe of a hash table that all nodes share
//!   2 shaped   `v{n}`, `{id:\d+}`, `{name}.json`   a short sorted list
//!   3 plain    `{id}`        takes any segment that is not empty
//!   4 rest     `{*rest}`     takes all that is left, even nothing
//! ```
//!
//! The search goes down the first way that is open; where that leads nowhere
//! it comes back and tries the next one. **It enters no node twice**: a node
//! has one way in from the root, and each step on this way ends where its
//! segment ends, so there is only one place in the path at which a node can be
//! entered. A lookup thus costs at most what the tree's size allows, and in
//! depth no more than the patterns have segments; no path, however odd, makes
//! it exponential. In the usual case nothing is tried in vain and the cost is
//! one probe per segment, whatever the number of routes.

mod grow;

use super::decode::decode;
use super::pattern::{CAPTURES_MAX, Shape};
use super::regex::Regex;
use super::scan::{EXACT, Key, Path};

/// Patterns, merged where they begin alike. Each ends in a numbered leaf.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    /// A hash table of all literal edges, at most a quarter full.
    edges: Vec<Edge>,
    /// 64 less the logarithm of its size: the hash's upper bits count.
    shift: u32,
    edge_count: usize,
    /// What the edges say, one after the other.
    literals: String,
    leaves: u32,
}

/// A place between two segments. The last fields are the ways on, in order.
#[derive(Clone, Debug, Default)]
struct Node {
    /// The leaf of the pattern that ends here.
    end: Option<u32>,
    ways: Ways,
    has_edges: bool,
    shaped: Vec<Shaped>,
    plain: Option<u32>,
    /// The leaf of a pattern that ends in a wildcard here.
    rest: Option<u32>,
}

/// Whether there is a choice at a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ways {
    #[default]
    Edges,
    Plain(u32),
    Fork,
}

/// A literal segment that leads from one node to another.
#[derive(Clone, Copy, Debug)]
struct Edge {
    key: Key,
    /// The node it comes from and the length of its text.
    place: u64,
    /// Zero, the root, is nobody's child: then this slot is free.
    child: u32,
    /// Where its text starts among the literals.
    text: u32,
}

/// A capture that doesn't take every segment.
#[derive(Clone, Debug)]
struct Shaped {
    shape: Shape,
    regex: Option<Regex>,
    child: u32,
}

/// Where a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    /// What the leaf was accepted with.
    pub(crate) route: u32,
    /// How many captures were made.
    pub(crate) captures: usize,
    /// Whether the last of them is a wildcard's.
    pub(crate) wild: bool,
}

/// What the captures took: start and end in the path.
pub(crate) type Spans = [(u32, u32); CAPTURES_MAX];

/// A search on its way.
pub(crate) struct Search<'p, 's, A> {
    path: Path<'p>,
    pub(crate) spans: &'s mut Spans,
    /// Whether a capture may hold a `%`; if not, none does.
    pub(crate) escaped: bool,
    /// Which route the leaf has for us; if none, the search goes on.
    accept: A,
    #[cfg(test)]
    pub(crate) entered: usize,
}

impl<'p, 's, A: FnMut(u32) -> Option<u32>> Search<'p, 's, A> {
    /// `path` is shorter than 4 GiB.
    #[inline]
    pub(crate) fn new(path: &'p str, spans: &'s mut Spans, accept: A) -> Self {
        Search {
            path: Path::new(path),
            spans,
            escaped: false,
            accept,
            #[cfg(test)]
            entered: 0,
        }
    }

    #[inline]
    fn capture(&mut self, number: usize, start: u32, end: u32) {
        if let Some(span) = self.spans.get_mut(number) {
            *span = (start, end);
        }
    }

    /// Captures the segment at `at` and says where it ends. Not if it is empty,
    /// nor if it is no UTF-8 once decoded.
    #[inline]
    fn capture_segment(&mut self, number: usize, at: u32) -> Option<u32> {
        let (end, escaped) = self.path.end(at);
        if end == at || escaped && !self.is_valid(at, end) {
            return None;
        }
        self.capture(number, at, end);
        Some(end)
    }

    /// Captures all that is left.
    fn capture_rest(&mut self, number: usize, at: u32) -> Option<u32> {
        let end = self.path.len();
        if self.path.slice(at, end).contains('%') && !self.is_valid(at, end) {
            return None;
        }
        self.capture(number, at, end);
        Some(end)
    }

    /// Whether a part of the path is UTF-8 once decoded.
    #[cold]
    fn is_valid(&mut self, start: u32, end: u32) -> bool {
        self.escaped = true;
        decode(self.path.slice(start, end), |_| ())
    }
}

/// The smallest table of edges. A power of two, like all its sizes.
const EDGES_MIN: usize = 16;
/// A free slot; its place is nobody's.
const UNUSED: Edge = Edge { key: Key::EMPTY, place: u64::MAX, child: 0, text: 0 };
/// One slot of so many is taken at most: a second probe is then rare, and it
/// costs more than memory does, since no processor foresees it.
const FREE: usize = 4;

impl Tree {
    pub(crate) fn new() -> Tree {
        Tree {
            nodes: vec![Node::default()],
            edges: vec![UNUSED; EDGES_MIN],
            shift: u64::BITS - EDGES_MIN.trailing_zeros(),
            edge_count: 0,
            literals: String::new(),
            leaves: 0,
        }
    }

    /// The best leaf that is accepted, and what was captured on the way to it.
    #[inline]
    pub(crate) fn search<A>(&self, search: &mut Search<'_, '_, A>) -> Option<Hit>
    where
        A: FnMut(u32) -> Option<u32>,
    {
        if !search.path.text().starts_with('/') {
            return None;
        }
        self.descend(0, 1, 0, search)
    }

    /// Searches below node `id`, where the segment at `at` comes next. Only a
    /// fork recurses, and a pattern has at most `SEGMENTS_MAX` of them.
    fn descend<A>(
        &self,
        mut id: u32,
        mut at: u32,
        mut captures: usize,
        search: &mut Search<'_, '_, A>,
    ) -> Option<Hit>
    where
        A: FnMut(u32) -> Option<u32>,
    {
        loop {
            #[cfg(test)]
            {
                search.entered += 1;
            }
            let node = self.nodes.get(id as usize)?;
            let end;
            (id, end) = match node.ways {
                Ways::Edges => self.edge(id, at, &search.path)?,
                Ways::Plain(child) => {
                    let end = search.capture_segment(captures, at)?;
                    captures += 1;
                    (child, end)
                }
                Ways::Fork => return self.fork(id, node, at, captures, search),
            };
            if end == search.path.len() {
                return self.arrive(id, captures, search);
            }
            at = end + 1;
        }
    }

    /// Tries the ways on from a node that has several, the best one first.
    #[inline(never)] // the plain descent needs the registers
    fn fork<A>(
        &self,
        id: u32,
        node: &Node,
        at: u32,
        captures: usize,
        search: &mut Search<'_, '_, A>,
    ) -> Option<Hit>
    where
        A: FnMut(u32) -> Option<u32>,
    {
        if node.has_edges
            && let Some((child, end)) = self.edge(id, at, &search.path)
        {
            let hit = self.enter(child, end, captures, search);
            if hit.is_some() {
                return hit;
            }
        }
        for shaped in &node.shaped {
            let Some(end) = shaped.capture(captures, at, search) else { continue };
            let hit = self.enter(shaped.child, end, captures + 1, search);
            if hit.is_some() {
                return hit;
            }
        }
        if let Some(child) = node.plain
            && let Some(end) = search.capture_segment(captures, at)
        {
            let hit = self.enter(child, end, captures + 1, search);
            if hit.is_some() {
                return hit;
            }
        }
        let leaf = node.rest?;
        search.capture_rest(captures, at)?;
        let route = (search.accept)(leaf)?;
        Some(Hit { route, captures: captures + 1, wild: true })
    }

    fn enter<A>(
        &self,
        id: u32,
        end: u32,
        captures: usize,
        search: &mut Search<'_, '_, A>,
    ) -> Option<Hit>
    where
        A: FnMut(u32) -> Option<u32>,
    {
        if end == search.path.len() {
            return self.arrive(id, captures, search);
        }
        self.descend(id, end + 1, captures, search)
    }

    /// The path has ended at node `id`.
    #[inline]
    fn arrive<A>(&self, id: u32, captures: usize, search: &mut Search<'_, '_, A>) -> Option<Hit>
    where
        A: FnMut(u32) -> Option<u32>,
    {
        let leaf = self.nodes.get(id as usize)?.end?;
        let route = (search.accept)(leaf)?;
        Some(Hit { route, captures, wild: false })
    }

    /// The literal edge for the segment at `at`: where it leads, and where the
    /// segment ends.
    #[inline(always)] // the innermost step, with two callers
    fn edge(&self, id: u32, at: u32, path: &Path<'_>) -> Option<(u32, u32)> {
        let (end, key) = path.key(at);
        let place = place(id, end - at);
        let slot = self.slot(place, key);
        let edge = self.edges.get(slot)?;
        if edge.key == key && edge.place == place && end - at <= EXACT {
            return Some((edge.child, end));
        }
        if edge.child == 0 {
            return None;
        }
        Some((self.probe(slot, place, key, path.slice(at, end))?, end))
    }

    /// The same, from a slot where it isn't simply there.
    #[inline(never)] // rare, and its registers are needed
    fn probe(&self, mut slot: usize, place: u64, key: Key, text: &str) -> Option<u32> {
        loop {
            let edge = self.edges.get(slot)?;
            if edge.child == 0 {
                return None; // there is always a free slot, so the loop ends
            }
            if edge.key == key && edge.place == place {
                let (start, len) = (edge.text as usize, text.len());
                if len <= EXACT as usize || self.literals.get(start..start + len) == Some(text) {
                    return Some(edge.child);
                }
            }
            slot = (slot + 1) & (self.edges.len() - 1);
        }
    }

    #[inline]
    fn slot(&self, place: u64, key: Key) -> usize {
        (key.hash(place) >> self.shift) as usize
    }
}

/// Where a literal of this length starts.
#[inline]
fn place(id: u32, len: u32) -> u64 {
    u64::from(id) << 32 | u64::from(len)
}

impl Node {
    fn ways(&self) -> Ways {
        match self.plain {
            _ if !self.shaped.is_empty() || self.rest.is_some() => Ways::Fork,
            None => Ways::Edges,
            Some(_) if self.has_edges => Ways::Fork,
            Some(child) => Ways::Plain(child),
        }
    }
}

impl Shaped {
    /// Ways with more literal text come first, then those with a constraint.
    /// The rest of the key only makes the order the same for every order of
    /// registration.
    fn rank(&self) -> impl Ord + '_ {
        let Shape { prefix, suffix, constraint } = &self.shape;
        let literal = (usize::MAX - prefix.len(), usize::MAX - suffix.len());
        (literal, constraint.is_none(), constraint, prefix, suffix)
    }

    /// Captures its part of the segment at `at` and says where that ends.
    fn capture<A>(&self, number: usize, at: u32, search: &mut Search<'_, '_, A>) -> Option<u32>
    where
        A: FnMut(u32) -> Option<u32>,
    {
        let (end, escaped) = search.path.end(at);
        let Shape { prefix, suffix, .. } = &self.shape;
        let text = search.path.slice(at, end);
        let inner = text.strip_prefix(&**prefix)?.strip_suffix(&**suffix)?;
        let span = (at + prefix.len() as u32, end - suffix.len() as u32);
        if inner.is_empty() || escaped && !search.is_valid(span.0, span.1) {
            return None;
        }
        if let Some(regex) = &self.regex {
            let mut value = String::new();
            if escaped {
                decode(inner, |part| value.push_str(part));
            }
            if !regex.is_match(if escaped { &value } else { inner }) {
                return None;
            }
        }
        search.capture(number, span.0, span.1);
        Some(end)
    }
}

#[cfg(test)]
mod tests;
