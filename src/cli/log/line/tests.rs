use super::*;
use std::time::Duration;

fn line(args: fmt::Arguments<'_>) -> Line {
    Line::new(&Record::builder().level(Level::Info).target("t").args(args).build())
}

#[test]
fn stamps_are_utc_with_milliseconds() {
    let table = [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_399_999, "2000-02-28T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_709_251_199_001, "2024-02-29T23:59:59.001Z"),
        (1_709_251_200_000, "2024-03-01T00:00:00.000Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
    ];
    for (ms, text) in table {
        assert_eq!(Stamp(UNIX_EPOCH + Duration::from_millis(ms)).to_string(), text);
    }
}

#[test]
fn a_peer_cannot_forge_a_line_or_drive_the_terminal() {
    let table = [
        ("a\nINFO forged", "a\\nINFO forged"),
        ("a\r\nb", "a\\r\\nb"),
        ("\x1b[2J\x07", "\\u{1b}[2J\\u{7}"),
        ("tab\there", "tab\\there"),
        ("\u{9b}31m\u{85}", "\\u{9b}31m\\u{85}"),
        ("\u{2028}\u{202e}gnp", "\\u{2028}\\u{202e}gnp"),
        ("del\x7f", "del\\u{7f}"),
        ("größe \\n \"x\"", "größe \\n \"x\""),
    ];
    for (text, shown) in table {
        assert_eq!(line(format_args!("{text}")).text, shown);
    }
}

#[test]
fn text_is_bounded() {
    let long = "\u{1}".repeat(TEXT_MAX);
    let line = line(format_args!("{long}"));
    assert!(line.len() < TEXT_MAX + ORIGIN_MAX + 32, "{}", line.len());
    assert!(line.text.ends_with(" [cut]"));
}

#[test]
fn key_values_follow_the_text() {
    let pairs: &[(&str, &str)] =
        &[("plain", "1"), ("spaced", "a b"), ("quoted", "a\"b"), ("none", ""), ("evil", "a\nb")];
    let text = format_args!("done");
    let record = Record::builder().args(text).key_values(&pairs).build();
    let shown = Line::new(&record).text;
    assert_eq!(shown, "done plain=1 spaced=\"a b\" quoted=\"a\\\"b\" none=\"\" evil=a\\nb");
}

#[test]
fn a_line_knows_its_thread() {
    let made = thread::Builder::new().name("weaver".to_owned());
    let made = made.spawn(|| line(format_args!("x"))).unwrap().join().unwrap();
    assert!(made.origin.ends_with("Z t@weaver"), "{}", made.origin);
}
