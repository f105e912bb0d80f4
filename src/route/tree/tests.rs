use super::super::pattern::Pattern;
use super::*;

fn tree(patterns: &[&str]) -> Tree {
    let mut tree = Tree::new();
    for (i, pattern) in patterns.iter().enumerate() {
        let Ok(Pattern::Path(segments)) = Pattern::parse(pattern) else { panic!("{pattern}") };
        assert_eq!(tree.leaf(&segments), Ok(i as u32), "{pattern}");
    }
    tree
}

/// The pattern that is chosen, and how many nodes were entered.
fn search(tree: &Tree, path: &str, refuse: bool) -> (Option<u32>, usize) {
    let mut spans = [(0, 0); CAPTURES_MAX];
    let mut search = Search::new(path, &mut spans, |leaf| (!refuse).then_some(leaf));
    let hit = tree.search(&mut search);
    (hit.map(|hit| hit.route), search.entered)
}

#[test]
fn patterns_that_differ_in_names_only_share_a_leaf() {
    let mut tree = tree(&["/a/{x}", "/a/v{x}", "/a/{*x}", "/a/{x}/"]);
    let nodes = tree.nodes.len();
    for (pattern, leaf) in [("/a/:y", 0), ("/a/v{y}", 1), ("/a/*y", 2), ("/:x/", 4)] {
        let Ok(Pattern::Path(segments)) = Pattern::parse(pattern) else { panic!("{pattern}") };
        assert_eq!(tree.leaf(&segments), Ok(leaf), "{pattern}");
    }
    assert_eq!(tree.nodes.len(), nodes + 2, "only the last one was new");
}

#[test]
fn a_lookup_enters_one_node_per_segment_when_nothing_is_in_doubt() {
    let tree = tree(&["/repos/{a}/{b}/issues/{c}", "/repos/{a}/{b}/pulls", "/users/{a}"]);
    for (path, leaf, entered) in [
        ("/repos/a/b/issues/5", Some(0), 5),
        ("/repos/a/b/pulls", Some(1), 4),
        ("/users/x", Some(2), 2),
        ("/nobody/x/y/z", None, 1),
        ("/users/x/y/z/a/b/c/d/e", None, 3),
    ] {
        assert_eq!(search(&tree, path, false), (leaf, entered), "{path}");
    }
}

/// Every choice of `a` or `{x}` for ten segments: 1,024 patterns. A path of a's
/// fits all of them, so a search that finds none of them good tries them all;
/// each node once, although 2^10 ways lead through the tree.
#[test]
fn no_node_is_entered_twice() {
    let depth = 10;
    let patterns: Vec<String> = (0..1 << depth)
        .map(|bits: u32| {
            let part = |i| if bits >> i & 1 == 0 { "/a".into() } else { format!("/{{p{i}}}") };
            (0..depth).map(part).collect()
        })
        .collect();
    let tree = tree(&patterns.iter().map(String::as_str).collect::<Vec<_>>());
    let path = "/a".repeat(depth);
    let (none, entered) = search(&tree, &path, true);
    assert_eq!(none, None);
    // The nodes at which the path ends are reached, but no segment is read there.
    assert_eq!(entered, (1 << depth) - 1);
    assert!(entered < tree.nodes.len());
    // One segment more, and nothing fits: the last nodes are entered as well.
    let (none, entered) = search(&tree, &(path + "/a"), false);
    assert_eq!((none, entered), (None, tree.nodes.len()));
}

/// What makes a naive matcher exponential: params that fit, again and again,
/// before a last segment that doesn't. Here the cost stays below the tree's
/// size for paths of any length.
#[test]
fn odd_paths_cost_no_more_than_the_tree_is_large() {
    let mut patterns = Vec::new();
    for i in 0..20 {
        let deep = "/a".repeat(i);
        patterns.push(format!("/{{x}}{deep}/v{{y}}/end"));
        patterns.push(format!("{deep}/{{x}}.a/{{y}}/end"));
        patterns.push(format!("{deep}/{{x}}/{{y}}/never"));
        patterns.push(format!("{deep}/{{x}}/*rest"));
    }
    let tree = tree(&patterns.iter().map(String::as_str).collect::<Vec<_>>());
    for len in 0..200 {
        for part in ["/a", "/v1.a", "/", "/%61", "/%ff"] {
            let (_, entered) = search(&tree, &part.repeat(len), true);
            assert!(entered <= tree.nodes.len(), "{part} times {len}: {entered}");
        }
    }
}

#[test]
fn the_table_of_edges_keeps_them_all() {
    let mut names: Vec<String> = (0..3000).map(|i| format!("/s{i}")).collect();
    names.extend((0..300).map(|i| format!("/a-rather-long-literal-number-{i}")));
    names.extend((0..300).map(|i| format!("/{i}-in-front-of-a-long-literal")));
    names.extend(["/".into(), "/12345678".into(), "/1234567".into(), "/123456789".into()]);
    let tree = tree(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for (i, name) in names.iter().enumerate() {
        assert_eq!(search(&tree, name, false).0, Some(i as u32), "{name}");
        assert_eq!(search(&tree, &format!("{name}x"), false).0.filter(|&l| l == i as u32), None);
    }
    assert!(FREE * tree.edge_count <= tree.edges.len());
}
