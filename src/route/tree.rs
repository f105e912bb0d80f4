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

use super::decode::decode;
use super::pattern::{CAPTURES_MAX, Segment, Shape};
use super::regex::Regex;
use super::scan::{self, Path, WORD};

/// Patterns, merged where they begin alike. Each ends in a numbered leaf.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    /// A hash table of all literal edges, at most half full.
    edges: Vec<Edge>,
    edge_count: usize,
    /// What the edges say, one after the other.
    literals: String,
    leaves: u32,
}

/// A place between two segments. The fields are the ways on, in order.
#[derive(Clone, Debug, Default)]
struct Node {
    has_edges: bool,
    shaped: Vec<Shaped>,
    plain: Option<u32>,
    /// The leaf of a pattern that ends in a wildcard here.
    rest: Option<u32>,
    /// The leaf of the pattern that ends here.
    end: Option<u32>,
}

/// A literal segment that leads from one node to another.
#[derive(Clone, Copy, Debug, Default)]
struct Edge {
    key: u64,
    parent: u32,
    /// Zero, the root, is nobody's child: then this place is free.
    child: u32,
    /// Where its text starts among the literals.
    text: u32,
    len: u32,
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
    fn capture(&mut self, number: usize, start: usize, end: usize) {
        if let Some(span) = self.spans.get_mut(number) {
            *span = (start as u32, end as u32);
        }
    }

    /// Captures a whole segment. Not if it is empty, nor if it is no UTF-8
    /// once decoded.
    #[inline]
    fn capture_segment(&mut self, number: usize, at: usize, segment: scan::Segment) -> bool {
        if segment.escaped {
            self.escaped = true;
            if !decode(self.path.slice(at, segment.end), |_| ()) {
                return false;
            }
        }
        self.capture(number, at, segment.end);
        segment.end > at
    }

    /// Captures all that is left.
    fn capture_rest(&mut self, number: usize, at: usize) -> bool {
        let end = self.path.len();
        let rest = self.path.slice(at, end);
        self.escaped |= rest.contains('%');
        self.capture(number, at, end);
        !self.escaped || decode(rest, |_| ())
    }
}

/// Spreads the bits of keys over the table; odd and without a pattern.
const SPREAD: u64 = 0xd6e8_feb8_6659_fd93;
/// The smallest table of edges. A power of two, like all its sizes.
const EDGES_MIN: usize = 16;

impl Tree {
    pub(crate) fn new() -> Tree {
        Tree {
            nodes: vec![Node::default()],
            edges: vec![Edge::default(); EDGES_MIN],
            edge_count: 0,
            literals: String::new(),
            leaves: 0,
        }
    }

    /// The best leaf that is accepted, and what was captured on the way to it.
    #[inline]
    pub(crate) fn search<A: FnMut(u32) -> Option<u32>>(
        &self,
        search: &mut Search<'_, '_, A>,
    ) -> Option<Hit> {
        if !search.path.text().starts_with('/') {
            return None;
        }
        self.descend(0, 1, 0, search)
    }

    /// Searches below node `id`, where the segment at `at` comes next. Only a
    /// fork recurses, and a pattern has at most `SEGMENTS_MAX` of them.
    fn descend<A: FnMut(u32) -> Option<u32>>(
        &self,
        mut id: u32,
        mut at: usize,
        mut captures: usize,
        search: &mut Search<'_, '_, A>,
    ) -> Option<Hit> {
        loop {
            #[cfg(test)]
            {
                search.entered += 1;
            }
            let node = self.nodes.get(id as usize)?;
            let segment = search.path.segment(at);
            let edge = if node.has_edges { self.edge(id, at, segment, &search.path) } else { None };
            let next = match (edge, node.plain) {
                (Some(child), _) if node.only_edges() => child,
                (None, Some(child)) if node.only_plain() => {
                    if !search.capture_segment(captures, at, segment) {
                        return None;
                    }
                    captures += 1;
                    child
                }
                _ => return self.fork(node, edge, at, segment, captures, search),
            };
            if segment.end == search.path.len() {
                return self.arrive(next, captures, search);
            }
            (id, at) = (next, segment.end + 1);
        }
    }

    /// Tries the ways on from a node that has several, the best one first.
    fn fork<A: FnMut(u32) -> Option<u32>>(
        &self,
        node: &Node,
        edge: Option<u32>,
        at: usize,
        segment: scan::Segment,
        captures: usize,
        search: &mut Search<'_, '_, A>,
    ) -> Option<Hit> {
        if let Some(child) = edge {
            let hit = self.enter(child, segment.end, captures, search);
            if hit.is_some() {
                return hit;
            }
        }
        for shaped in &node.shaped {
            let Some((start, end)) = shaped.matches(at, segment, &search.path) else { continue };
            search.capture(captures, start, end);
            search.escaped |= segment.escaped;
            let hit = self.enter(shaped.child, segment.end, captures + 1, search);
            if hit.is_some() {
                return hit;
            }
        }
        if let Some(child) = node.plain
            && search.capture_segment(captures, at, segment)
        {
            let hit = self.enter(child, segment.end, captures + 1, search);
            if hit.is_some() {
                return hit;
            }
        }
        let leaf = node.rest?;
        if !search.capture_rest(captures, at) {
            return None;
        }
        let route = (search.accept)(leaf)?;
        Some(Hit { route, captures: captures + 1, wild: true })
    }

    fn enter<A: FnMut(u32) -> Option<u32>>(
        &self,
        id: u32,
        end: usize,
        captures: usize,
        search: &mut Search<'_, '_, A>,
    ) -> Option<Hit> {
        if end == search.path.len() {
            return self.arrive(id, captures, search);
        }
        self.descend(id, end + 1, captures, search)
    }

    /// The path has ended at node `id`.
    #[inline]
    fn arrive<A: FnMut(u32) -> Option<u32>>(
        &self,
        id: u32,
        captures: usize,
        search: &mut Search<'_, '_, A>,
    ) -> Option<Hit> {
        let leaf = self.nodes.get(id as usize)?.end?;
        let route = (search.accept)(leaf)?;
        Some(Hit { route, captures, wild: false })
    }

    /// Where the literal edge for this segment leads.
    #[inline]
    fn edge(&self, id: u32, at: usize, segment: scan::Segment, path: &Path<'_>) -> Option<u32> {
        let len = segment.end - at;
        let mut slot = self.slot(id, segment.key);
        loop {
            // Never full, so a free place ends the loop.
            let edge = self.edges.get(slot)?;
            if edge.child == 0 {
                return None;
            }
            if edge.key == segment.key && edge.parent == id && edge.len as usize == len {
                let literal = || self.literals.get(edge.text as usize..)?.get(..len);
                if len <= WORD || literal() == Some(path.slice(at, segment.end)) {
                    return Some(edge.child);
                }
            }
            slot = (slot + 1) & (self.edges.len() - 1);
        }
    }

    #[inline]
    fn slot(&self, id: u32, key: u64) -> usize {
        let spread = (key ^ u64::from(id) << 32).wrapping_mul(SPREAD);
        let spread = (spread ^ spread >> 32).wrapping_mul(SPREAD);
        (spread >> 32) as usize & (self.edges.len() - 1)
    }
}

impl Node {
    #[inline]
    fn only_edges(&self) -> bool {
        self.shaped.is_empty() && self.plain.is_none() && self.rest.is_none()
    }

    #[inline]
    fn only_plain(&self) -> bool {
        self.shaped.is_empty() && self.rest.is_none()
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

    /// What it captures of the segment.
    fn matches(
        &self,
        at: usize,
        segment: scan::Segment,
        path: &Path<'_>,
    ) -> Option<(usize, usize)> {
        let text = path.slice(at, segment.end);
        let inner = text.strip_prefix(&*self.shape.prefix)?.strip_suffix(&*self.shape.suffix)?;
        if inner.is_empty() {
            return None;
        }
        match &self.regex {
            Some(regex) if segment.escaped => {
                let mut value = String::with_capacity(inner.len());
                let valid = decode(inner, |part| value.push_str(part));
                (valid && regex.is_match(&value)).then_some(())?;
            }
            Some(regex) => regex.is_match(inner).then_some(())?,
            None => (!segment.escaped || decode(inner, |_| ())).then_some(())?,
        }
        let start = at + self.shape.prefix.len();
        Some((start, start + inner.len()))
    }
}

/// Growing.
impl Tree {
    /// The leaf of a pattern: a new one if no other pattern is the same.
    pub(crate) fn leaf(&mut self, segments: &[Segment]) -> Result<u32, String> {
        // Regexes first: a pattern that is refused must leave no trace.
        let mut regexes = Vec::new();
        for segment in segments {
            if let Segment::Capture { shape: Shape { constraint: Some(text), .. }, .. } = segment {
                regexes.push(Regex::new(text)?);
            }
        }
        let mut regexes = regexes.into_iter();
        let mut id = 0;
        let mut wild = false;
        for segment in segments {
            id = match segment {
                Segment::Literal(text) => self.grow_edge(id, text),
                Segment::Capture { shape, .. } if *shape == Shape::default() => {
                    let new = self.nodes.len() as u32;
                    let child = *self.node(id).plain.get_or_insert(new);
                    self.ensure(child)
                }
                Segment::Capture { shape, .. } => {
                    let regex = if shape.constraint.is_some() { regexes.next() } else { None };
                    self.grow_shaped(id, shape, regex)
                }
                Segment::Rest { .. } => {
                    wild = true;
                    id
                }
            };
        }
        let new = self.leaves;
        let node = self.node(id);
        let slot = if wild { &mut node.rest } else { &mut node.end };
        let leaf = *slot.get_or_insert(new);
        self.leaves = self.leaves.max(leaf + 1);
        Ok(leaf)
    }

    fn node(&mut self, id: u32) -> &mut Node {
        &mut self.nodes[id as usize] // ids come from this tree
    }

    /// Makes the node with this number if it is the next one.
    fn ensure(&mut self, id: u32) -> u32 {
        if id as usize == self.nodes.len() {
            self.nodes.push(Node::default());
        }
        id
    }

    fn grow_shaped(&mut self, id: u32, shape: &Shape, regex: Option<Regex>) -> u32 {
        let new = self.nodes.len() as u32;
        let list = &mut self.node(id).shaped;
        if let Some(known) = list.iter().find(|known| known.shape == *shape) {
            return known.child;
        }
        list.push(Shaped { shape: shape.clone(), regex, child: new });
        list.sort_by(|a, b| a.rank().cmp(&b.rank()));
        self.ensure(new)
    }

    fn grow_edge(&mut self, id: u32, text: &str) -> u32 {
        let path = Path::new(text);
        let segment = path.segment(0);
        if let Some(child) = self.edge(id, 0, segment, &path) {
            return child;
        }
        if 2 * (self.edge_count + 1) > self.edges.len() {
            let bigger = vec![Edge::default(); 2 * self.edges.len()];
            for edge in std::mem::replace(&mut self.edges, bigger) {
                self.file(edge);
            }
        }
        let child = self.nodes.len() as u32;
        let start = self.literals.len() as u32;
        self.literals.push_str(text);
        self.file(Edge {
            key: segment.key,
            parent: id,
            child,
            text: start,
            len: text.len() as u32,
        });
        self.edge_count += 1;
        self.node(id).has_edges = true;
        self.ensure(child)
    }

    fn file(&mut self, edge: Edge) {
        if edge.child == 0 {
            return;
        }
        let mask = self.edges.len() - 1;
        let mut slot = self.slot(edge.parent, edge.key);
        while self.edges.get(slot).is_some_and(|taken| taken.child != 0) {
            slot = (slot + 1) & mask;
        }
        if let Some(free) = self.edges.get_mut(slot) {
            *free = edge;
        }
    }
}

#[cfg(test)]
mod tests;
