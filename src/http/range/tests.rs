use super::*;

fn bytes(offset: u64, len: u64) -> Part {
    Part::Bytes { offset, len }
}

#[test]
fn ranges() {
    let huge = "bytes=99999999999999999999999-";
    let table: &[(&str, u64, Part)] = &[
        ("bytes=0-0", 10, bytes(0, 1)),
        ("bytes=0-9", 10, bytes(0, 10)),
        ("bytes=0-10", 10, bytes(0, 10)),
        ("bytes=9-", 10, bytes(9, 1)),
        ("BYTES=2-3", 10, bytes(2, 2)),
        ("bytes= 2-3 ", 10, bytes(2, 2)),
        ("bytes=-3", 10, bytes(7, 3)),
        ("bytes=-30", 10, bytes(0, 10)),
        ("bytes=3-99999999999999999999999", 10, bytes(3, 7)),
        ("bytes=0-18446744073709551615", 10, bytes(0, 10)),
        ("bytes=10-", 10, Part::Beyond),
        ("bytes=10-20", 10, Part::Beyond),
        (huge, 10, Part::Beyond),
        (huge, u64::MAX, Part::Beyond),
        ("bytes=-0", 10, Part::Beyond),
        ("bytes=0-", 0, Part::Beyond),
        ("bytes=-1", 0, Part::Whole),
        ("bytes=3-2", 10, Part::Whole),
        ("bytes=0-1,4-5", 10, Part::Whole),
        ("bytes=", 10, Part::Whole),
        ("bytes=-", 10, Part::Whole),
        ("bytes=5", 10, Part::Whole),
        ("bytes=+1-2", 10, Part::Whole),
        ("bytes=1--2", 10, Part::Whole),
        ("bytes=a-b", 10, Part::Whole),
        ("bytes 0-1", 10, Part::Whole),
        ("lines=0-1", 10, Part::Whole),
        ("", 10, Part::Whole),
        ("b", 10, Part::Whole),
    ];
    for &(value, length, expected) in table {
        assert_eq!(part(value.as_bytes(), length), expected, "{value} of {length}");
    }
}

#[test]
fn a_part_is_never_empty_and_always_within() {
    for length in 0..12u64 {
        for first in 0..14u64 {
            for last in 0..14u64 {
                for text in [
                    format!("bytes={first}-{last}"),
                    format!("bytes=-{last}"),
                    format!("bytes={first}-"),
                ] {
                    if let Part::Bytes { offset, len } = part(text.as_bytes(), length) {
                        assert!(len > 0 && offset + len <= length, "{text} of {length}");
                    }
                }
            }
        }
    }
}
