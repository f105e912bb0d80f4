use super::*;
use crate::disk::Kind;

const FILE: Entry = Entry { kind: Kind::File, size: 1, modified: 2 };

fn budget(bytes: usize) -> &'static Budget {
    Box::leak(Box::new(Budget::new(bytes)))
}

#[test]
fn what_is_gathered_is_sorted_and_given_back() {
    let mut gathered = Gathered::new(budget(1 << 20));
    for number in (0..500).rev() {
        assert!(gathered.add(&format!("file {number}"), FILE));
    }
    gathered.sort(Order::default());
    assert_eq!(gathered.len(), 500);
    for number in 0..500 {
        let name = format!("file {number}");
        assert_eq!(gathered.get(number), Some(Row { name: &name, entry: FILE }));
    }
    assert_eq!(gathered.get(500), None);
}

#[test]
fn the_number_is_bounded() {
    let mut gathered = Gathered::new(budget(usize::MAX));
    for _ in 0..SORTED_MAX {
        assert!(gathered.add("x", FILE));
    }
    assert!(!gathered.add("x", FILE));
    assert_eq!(gathered.len(), SORTED_MAX);
}

/// The budget is for all together, is never overdrawn, and comes back whole.
#[test]
fn the_bytes_are_bounded() {
    let shared = budget(100_000);
    let name = "n".repeat(255);
    let mut all = Vec::new();
    loop {
        let mut gathered = Gathered::new(shared);
        while gathered.len() < 100 && gathered.add(&name, FILE) {}
        let full = gathered.len() < 100;
        all.push(gathered);
        let held: usize = all.iter().map(Gathered::held).sum();
        assert_eq!(held + shared.left(), 100_000);
        if full {
            break;
        }
    }
    assert!(all.len() > 1);
    // One that was refused is as it was.
    let last = all.last().unwrap();
    assert!((0..last.len()).all(|at| last.get(at).is_some_and(|row| row.name == name)));
    all.pop().unwrap().clear();
    drop(all);
    assert_eq!(shared.left(), 100_000);
}
