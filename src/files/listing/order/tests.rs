use super::*;
use crate::disk::Entry;
use proptest::prelude::*;

fn row(name: &str, kind: Kind, size: u64, modified: u64) -> Row<'_> {
    Row { name, entry: Entry { kind, size, modified } }
}

#[test]
fn queries() {
    for (query, key, way) in [
        ("", Key::Name, Way::Ascending),
        ("sort=name", Key::Name, Way::Ascending),
        ("order=desc", Key::Name, Way::Descending),
        ("sort=size&order=desc", Key::Size, Way::Descending),
        ("order=asc&sort=time", Key::Time, Way::Ascending),
        ("x=1&sort=ti%6De&y", Key::Time, Way::Ascending),
        ("sort=size&sort=time", Key::Size, Way::Ascending),
        ("sort=colour&order=up", Key::Name, Way::Ascending),
        ("sort&order", Key::Name, Way::Ascending),
        ("sort=SIZE", Key::Name, Way::Ascending),
    ] {
        assert_eq!(Order::of(query), Order { key, way }, "{query}");
    }
}

#[test]
fn a_link_says_the_order_that_it_leads_to() {
    for key in [Key::Name, Key::Size, Key::Time] {
        for way in [Way::Ascending, Way::Descending] {
            let order = Order { key, way };
            let query = order.query().replace("&amp;", "&");
            assert_eq!(Order::of(query.strip_prefix('?').unwrap()), order);
            // There and back again.
            assert_eq!(order.turned(key).turned(key), order);
            assert_ne!(order.turned(key), order);
        }
    }
    let usual = Order::default();
    assert_eq!(usual.turned(Key::Size), Order { key: Key::Size, way: Way::Descending });
    assert_eq!(usual.turned(Key::Size).turned(Key::Name), usual);
}

#[test]
fn names_are_in_the_order_of_people() {
    let ordered = [
        "",
        " ",
        "-",
        "0",
        "00",
        "01",
        "1",
        "1a",
        "2",
        "9",
        "10",
        "10.5",
        "100",
        "99999999999999999999999999",
        "100000000000000000000000000",
        "A",
        "a",
        "a01",
        "a1",
        "a02b",
        "a2b",
        "a10",
        "aa",
        "B",
        "b",
        "file",
        "file 2.txt",
        "file 10.txt",
        "Ä",
        "ä",
        "漢",
        "🦀",
    ];
    for (i, a) in ordered.iter().enumerate() {
        for (j, b) in ordered.iter().enumerate() {
            assert_eq!(natural(a, b), i.cmp(&j), "{a:?} {b:?}");
        }
    }
}

#[test]
fn folders_come_first_and_equals_by_name() {
    let rows = [
        row("b", Kind::File, 5, 10),
        row("z", Kind::Folder, 0, 30),
        row("a10", Kind::File, 5, 20),
        row("a9", Kind::File, 7, 10),
        row("y", Kind::Folder, 9, 20),
    ];
    for (query, expected) in [
        ("", "y z a9 a10 b"),
        ("order=desc", "z y b a10 a9"),
        ("sort=size", "y z a10 b a9"),
        ("sort=size&order=desc", "y z a9 a10 b"),
        ("sort=time", "y z a9 b a10"),
        ("sort=time&order=desc", "z y a10 a9 b"),
    ] {
        let mut rows = rows;
        let order = Order::of(query);
        rows.sort_by(|a, b| order.compare(a, b));
        let names: Vec<&str> = rows.iter().map(|row| row.name).collect();
        assert_eq!(names.join(" "), expected, "{query}");
    }
}

proptest! {
    /// Sorting relies on it: any two names have one order, and it is transitive.
    #[test]
    fn the_order_is_total([a, b, c] in std::array::from_fn::<_, 3, _>(|_| "[0-2aAbß.é]{0,6}")) {
        prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
        prop_assert_eq!(natural(&a, &b) == Ordering::Equal, a == b);
        if natural(&a, &b) != Ordering::Greater && natural(&b, &c) != Ordering::Greater {
            prop_assert!(natural(&a, &c) != Ordering::Greater, "{:?} {:?} {:?}", a, b, c);
        }
    }

    #[test]
    fn the_order_is_total_for_any_names(a in any::<String>(), b in any::<String>()) {
        prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
        prop_assert_eq!(natural(&a, &b) == Ordering::Equal, a == b);
    }
}
