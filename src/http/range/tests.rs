use super::*;
use proptest::prelude::*;

/// Whole is `None`; beyond is empty.
fn parts(value: &str, length: u64) -> Option<Vec<(u64, u64)>> {
    let pairs = |parts: &[Bytes]| parts.iter().map(|part| (part.offset, part.len)).collect();
    match wanted(value.as_bytes(), length) {
        Wanted::Whole => None,
        Wanted::Beyond => Some(Vec::new()),
        Wanted::One(bytes) => Some(pairs(&[bytes])),
        Wanted::Several(set) => {
            assert!(set.as_slice().len() > 1);
            assert!(set.total() <= length);
            Some(pairs(set.as_slice()))
        }
    }
}

#[test]
fn one_range() {
    let huge = "bytes=99999999999999999999999-";
    let max = u64::MAX;
    type Row<'a> = (&'a str, u64, Option<&'a [(u64, u64)]>);
    let table: &[Row<'_>] = &[
        ("bytes=0-0", 10, Some(&[(0, 1)])),
        ("bytes=0-9", 10, Some(&[(0, 10)])),
        ("bytes=0-10", 10, Some(&[(0, 10)])),
        ("bytes=9-", 10, Some(&[(9, 1)])),
        ("bytes=0-", 10, Some(&[(0, 10)])),
        ("bytes=007-0008", 10, Some(&[(7, 2)])),
        ("BYTES=2-3", 10, Some(&[(2, 2)])),
        ("bytes= 2-3 ", 10, Some(&[(2, 2)])),
        ("bytes=-3", 10, Some(&[(7, 3)])),
        ("bytes=-10", 10, Some(&[(0, 10)])),
        ("bytes=-30", 10, Some(&[(0, 10)])),
        ("bytes=-99999999999999999999999", 10, Some(&[(0, 10)])),
        ("bytes=3-99999999999999999999999", 10, Some(&[(3, 7)])),
        ("bytes=0-18446744073709551615", 10, Some(&[(0, 10)])),
        ("bytes=5000000000-5000000001", 6_000_000_000, Some(&[(5_000_000_000, 2)])),
        ("bytes=18446744073709551614-", max, Some(&[(max - 1, 1)])),
        ("bytes=0-", max, Some(&[(0, max)])),
        ("bytes=10-", 10, Some(&[])),
        ("bytes=10-20", 10, Some(&[])),
        (huge, 10, Some(&[])),
        (huge, max, Some(&[])),
        ("bytes=-0", 10, Some(&[])),
        ("bytes=0-", 0, Some(&[])),
        ("bytes=0-0", 0, Some(&[])),
        ("bytes=-1", 0, None),
        ("bytes=3-2", 10, None),
        ("bytes=30-20", 10, None),
        ("bytes=99999999999999999999999-99999999999999999999998", 10, None),
        ("bytes=99999999999999999999999-99999999999999999999999", 10, Some(&[])),
        ("bytes=", 10, None),
        ("bytes=,", 10, None),
        ("bytes= , ,", 10, None),
        ("bytes=-", 10, None),
        ("bytes=--", 10, None),
        ("bytes=5", 10, None),
        ("bytes=+1-2", 10, None),
        ("bytes=1--2", 10, None),
        ("bytes=1-2-3", 10, None),
        ("bytes=1 -2", 10, None),
        ("bytes=1- 2", 10, None),
        ("bytes=0x1-2", 10, None),
        ("bytes=a-b", 10, None),
        ("bytes=1-2;", 10, None),
        ("bytes 0-1", 10, None),
        ("bytes =0-1", 10, None),
        ("bytes", 10, None),
        ("lines=0-1", 10, None),
        ("none", 10, None),
        ("", 10, None),
        ("b", 10, None),
    ];
    for &(value, length, expected) in table {
        assert_eq!(parts(value, length).as_deref(), expected, "{value} of {length}");
    }
}

#[test]
fn several_ranges() {
    type Row<'a> = (&'a str, Option<&'a [(u64, u64)]>);
    let table: &[Row<'_>] = &[
        ("0-1,5-6", Some(&[(0, 2), (5, 2)])),
        ("5-6,0-1", Some(&[(5, 2), (0, 2)])),
        (" 0-1 ,\t5-6 ", Some(&[(0, 2), (5, 2)])),
        (",0-1,,5-6,", Some(&[(0, 2), (5, 2)])),
        ("0-1,50-", Some(&[(0, 2), (50, 50)])),
        ("0-1,-2", Some(&[(0, 2), (98, 2)])),
        // They overlap, touch, hold each other, are the same.
        ("0-5,3-9", Some(&[(0, 10)])),
        ("3-9,0-5", Some(&[(0, 10)])),
        ("0-1,2-3", Some(&[(0, 4)])),
        ("2-3,0-1", Some(&[(0, 4)])),
        ("0-1,3-4", Some(&[(0, 2), (3, 2)])),
        ("0-9,2-3", Some(&[(0, 10)])),
        ("2-3,0-9", Some(&[(0, 10)])),
        ("7-7,7-7,7-7", Some(&[(7, 1)])),
        ("0-,0-,0-,0-", Some(&[(0, 100)])),
        // One that closes a gap stands where the first of them stood.
        ("10-19,50-59,30-39,20-29", Some(&[(10, 30), (50, 10)])),
        ("50-59,10-19,30-39,70-79,20-29", Some(&[(50, 10), (10, 30), (70, 10)])),
        ("0-1,4-5,8-9,12-13,1-12", Some(&[(0, 14)])),
        // What lies beyond the end is left out, if there is anything else.
        ("0-1,100-", Some(&[(0, 2)])),
        ("200-300,100-,-0", Some(&[])),
        ("-0,5-5", Some(&[(5, 1)])),
        // One that is none spoils all, wherever it is.
        ("0-1,x", None),
        ("x,0-1", None),
        ("0-1,5-4", None),
        ("0-1;5-6", None),
        ("0-1 5-6", None),
        ("0-1,bytes=5-6", None),
    ];
    for &(list, expected) in table {
        let value = format!("bytes={list}");
        assert_eq!(parts(&value, 100).as_deref(), expected, "{value}");
    }
}

#[test]
fn at_most_so_many() {
    let every_other = |count: u64| -> String {
        let ranges: Vec<_> = (0..count).map(|n| format!("{0}-{0}", 2 * n)).collect();
        format!("bytes={}", ranges.join(","))
    };
    let most = RANGES_MAX as u64;
    assert_eq!(parts(&every_other(most), 1000).map(|p| p.len()), Some(RANGES_MAX));
    assert_eq!(parts(&every_other(most + 1), 1000), None);
    assert_eq!(parts(&every_other(10_000), u64::MAX), None);
    // Those that meet are one: they may be as many as fit into a head.
    let touching: Vec<_> = (0..5_000).map(|n| format!("{n}-{n}")).collect();
    let touching = format!("bytes={}", touching.join(","));
    assert_eq!(parts(&touching, 10_000), Some(vec![(0, 5_000)]));
    // A full set still takes what joins it.
    let joined = format!("{},0-30", every_other(most));
    assert_eq!(parts(&joined, 1000), Some(vec![(0, 31)]));
}

/// The same without any thought of cost: a flag for each byte.
fn naive(list: &str, length: u64) -> Option<Vec<(u64, u64)>> {
    let mut chosen = vec![false; length as usize];
    let mut mentions = Vec::new();
    let mut members = 0;
    for member in list.split(',').map(|m| m.trim_matches([' ', '\t'])).filter(|m| !m.is_empty()) {
        members += 1;
        let (first, last) = member.split_once('-')?;
        if !(first.to_owned() + last).bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let (from, to) = match (first.parse::<u128>(), last.parse::<u128>()) {
            (Ok(first), Ok(last)) if last < first => return None,
            (Ok(first), Ok(last)) => (first, last + 1),
            (Ok(first), Err(_)) => (first, u128::MAX),
            (Err(_), Ok(last)) if length == 0 && last > 0 => return None,
            (Err(_), Ok(last)) => (u128::from(length).saturating_sub(last), length.into()),
            (Err(_), Err(_)) => return None,
        };
        let inside = from as u64..u64::try_from(to).unwrap_or(length).min(length);
        if from >= u128::from(length) || inside.is_empty() {
            continue;
        }
        mentions.push(inside.start);
        chosen[inside.start as usize..inside.end as usize].fill(true);
        if runs(&chosen).len() > RANGES_MAX {
            return None;
        }
    }
    let mut all = runs(&chosen);
    let mention = |run: &(u64, u64)| {
        mentions.iter().position(|&at| (run.0..run.0 + run.1).contains(&at)).unwrap()
    };
    all.sort_by_key(mention);
    (members > 0).then_some(all)
}

fn runs(chosen: &[bool]) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for at in (0..chosen.len()).filter(|&at| chosen[at]) {
        match runs.last_mut() {
            Some((start, len)) if *start + *len == at as u64 => *len += 1,
            _ => runs.push((at as u64, 1)),
        }
    }
    runs
}

fn member() -> impl Strategy<Value = String> {
    let number = || prop_oneof![4 => 0..70u64, 1 => Just(u64::MAX)];
    prop_oneof![
        6 => (number(), number()).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        3 => (number(), 0..4u64).prop_map(|(a, n)| format!("{a}-{}", a.saturating_add(n))),
        1 => number().prop_map(|a| format!("{a}-")),
        1 => number().prop_map(|a| format!("-{a}")),
        1 => Just(String::new()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn sets_are_those_of_the_naive_model(
        list in prop::collection::vec(member(), 0..40),
        length in 0..64u64,
    ) {
        let list = list.join(",");
        prop_assert_eq!(parts(&format!("bytes={list}"), length), naive(&list, length));
    }

    #[test]
    fn any_text_means_what_the_naive_model_says(
        list in "[0-9,\\- \tx]{0,40}",
        length in 0..64u64,
    ) {
        prop_assert_eq!(parts(&format!("bytes={list}"), length), naive(&list, length));
    }

    #[test]
    fn any_bytes_at_all_are_survived(value: Vec<u8>, length: u64) {
        if let Wanted::Several(set) = wanted(&value, length) {
            prop_assert!(set.total() <= length);
        }
    }
}
