//! How the tree grows: patterns are added, and share what they begin alike.

use super::super::pattern::{Segment, Shape};
use super::super::regex::Regex;
use super::super::scan::Path;
use super::{Edge, FREE, Node, Shaped, Tree, UNUSED, place};

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
        let shaped = Shaped { shape: shape.clone(), regex, child: new };
        let place = list.partition_point(|known| known.rank() <= shaped.rank());
        list.insert(place, shaped);
        self.ensure(new)
    }

    fn grow_edge(&mut self, id: u32, text: &str) -> u32 {
        let path = Path::new(text);
        if let Some((child, _)) = self.edge(id, 0, &path) {
            return child;
        }
        if FREE * (self.edge_count + 1) > self.edges.len() {
            let bigger = vec![UNUSED; 2 * self.edges.len()];
            self.shift -= 1;
            for edge in std::mem::replace(&mut self.edges, bigger) {
                self.file(edge);
            }
        }
        let (len, key) = path.key(0);
        let place = place(id, len);
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
