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
use super::scan::{MIX, Path, WORD};

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
#[derive(Clone, Copy, Debug, Default)]
struct Edge {
    key: u64,
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

/// Spreads the bits of keys over the table; odd and without a pattern.
const SPREAD: u64 = 0xd6e8_feb8_6659_fd93;
/// The smallest table of edges. A power of two, like all its sizes.
const EDGES_MIN: usize = 16;
/// One slot of so many is taken at most: a second probe is then rare, and it
/// costs more than memory does, since no processor foresees it.
const FREE: usize = 4;

impl Tree {
    pub(crate) fn new() -> Tree {
        Tree {
            nodes: vec![Node::default()],
            edges: vec![Edge::default(); EDGES_MIN],
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
    #[inline]
    fn edge(&self, id: u32, at: u32, path: &Path<'_>) -> Option<(u32, u32)> {
        let (end, key) = path.key(at);
        let place = u64::from(id) << 32 | u64::from(end - at);
        let mut slot = self.slot(place, key);
        loop {
            let edge = self.edges.get(slot)?;
            if edge.key == key && edge.place == place && edge.child != 0 {
                if end - at <= WORD || self.literal(edge) == path.slice(at, end) {
                    return Some((edge.child, end));
                }
            }
            if edge.child == 0 {
                return None; // there is always a free slot, so the loop ends
            }
            slot = (slot + 1) & (self.edges.len() - 1);
        }
    }

    #[inline]
    fn slot(&self, place: u64, key: u64) -> usize {
        ((key.wrapping_mul(SPREAD) ^ place.wrapping_mul(MIX)) >> self.shift) as usize
    }

    fn literal(&self, edge: &Edge) -> &str {
        let (start, len) = (edge.text as usize, edge.place as u32 as usize);
        self.literals.get(start..start + len).unwrap_or("")
    }
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
            let parent = id;
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
            let ways = self.node(parent).ways();
            self.node(parent).ways = ways;
        }
        let new = self.leaves;
        let node = self.node(id);
        let slot = if wild { &mut node.rest } else { &mut node.end };
        let leaf = *slot.get_or_insert(new);
        node.ways = node.ways();
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
        if let Some((child, _)) = self.edge(id, 0, &path) {
            return child;
        }
        if FREE * (self.edge_count + 1) > self.edges.len() {
            let bigger = vec![Edge::default(); 2 * self.edges.len()];
            self.shift -= 1;
            for edge in std::mem::replace(&mut self.edges, bigger) {
                self.file(edge);
            }
        }
        let (len, key) = path.key(0);
        let place = u64::from(id) << 32 | u64::from(len);
        let child = self.nodes.len() as u32;
        let start = self.literals.len() as u32;
        self.literals.push_str(text);
        self.file(Edge { key, place, child, text: start });
        self.edge_count += 1;
        self.node(id).has_edges = true;
        self.ensure(child)
    }

    fn file(&mut self, edge: Edge) {
        if edge.child == 0 {
            return;
        }
        let mut slot = self.slot(edge.place, edge.key);
        while self.edges.get(slot).is_some_and(|taken| taken.child != 0) {
            slot = (slot + 1) & (self.edges.len() - 1);
        }
        if let Some(free) = self.edges.get_mut(slot) {
            *free = edge;
        }
    }
}

#[cfg(test)]
mod tests;
