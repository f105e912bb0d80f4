use super::*;
use crate::disk::Entry;
use crate::http::target::percent_decode;
use proptest::prelude::*;

const FILE: Entry = Entry { kind: Kind::File, size: 1234, modified: 784_111_777 };
const FOLDER: Entry = Entry { kind: Kind::Folder, size: 4096, modified: 0 };

fn page(folder: &str, query: &str) -> Page {
    let (folder, host) = (folder.to_owned(), "example.org".to_owned());
    Page { folder, host, order: Order::of(query), uploads: false }
}

fn written(write: impl FnOnce(&mut String)) -> String {
    let mut out = String::new();
    write(&mut out);
    out
}

fn row_of(name: &str, entry: Entry) -> String {
    written(|out| page("", "").row(out, &Row { name, entry }))
}

/// What stands between the first two of these.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).unwrap().1.split_once(after).unwrap().0
}

/// The references that `escape` writes, read back.
fn unescaped(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[test]
fn names_are_shown_and_linked() {
    for (name, link, shown) in [
        ("plain.txt", "./plain.txt", "plain.txt"),
        ("a b", "./a%20b", "a b"),
        ("<b>\"'&", "./%3Cb%3E%22&#39;&amp;", "&lt;b&gt;&quot;&#39;&amp;"),
        ("a&copy", "./a&amp;copy", "a&amp;copy"),
        ("50%", "./50%25", "50%"),
        ("%2e%2e", "./%252e%252e", "%2e%2e"),
        ("a#b?c", "./a%23b%3Fc", "a#b?c"),
        ("new\nline\t", "./new%0Aline%09", "new␊line␉"),
        ("\u{1b}[31m\u{7f}", "./%1B%5B31m%7F", "␛[31m␡"),
        ("javascript:alert(1)", "./javascript:alert(1)", "javascript:alert(1)"),
        ("back\\slash", "./back%5Cslash", "back\\slash"),
        ("...", "./...", "..."),
        ("..a", "./..a", "..a"),
        ("+", "./+", "+"),
        ("é漢🦀", "./%C3%A9%E6%BC%A2%F0%9F%A6%80", "é漢🦀"),
        ("exe.\u{202e}gpj", "./exe.%E2%80%AEgpj", "exe.⟨U+202E⟩gpj"),
        ("\u{2067}a\u{feff}", "./%E2%81%A7a%EF%BB%BF", "⟨U+2067⟩a⟨U+FEFF⟩"),
        ("\u{85}", "./%C2%85", "⟨U+0085⟩"),
        // A family is one emoji out of three, joined.
        ("👩\u{200d}👧", "./%F0%9F%91%A9%E2%80%8D%F0%9F%91%A7", "👩\u{200d}👧"),
    ] {
        let file = row_of(name, FILE);
        let expected = format!("<th scope=\"row\"><a href=\"{link}\">{shown}</a></th>");
        assert!(file.contains(&expected), "{file}");
        let folder = row_of(name, FOLDER);
        let expected = format!("<th scope=\"row\"><a href=\"{link}/\">{shown}/</a></th>");
        assert!(folder.contains(&expected), "{folder}");
    }
}

#[test]
fn a_row_tells_size_and_time() {
    let file = row_of("a", FILE);
    assert!(file.contains("<data value=\"1234\" title=\"1,234 bytes\">1.2 KiB</data>"), "{file}");
    let time = "<time datetime=\"1994-11-06T08:49:37Z\">1994-11-06<span> 08:49</span></time>";
    assert!(file.contains(time), "{file}");
    let folder = row_of("a", FOLDER);
    assert!(folder.starts_with("<tr class=\"d\">") && folder.contains("<td></td>"), "{folder}");
}

#[test]
fn sizes_for_people() {
    for (bytes, expected) in [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1535, "1.4 KiB"),
        (1536, "1.5 KiB"),
        (102_399, "99.9 KiB"),
        (102_400, "100 KiB"),
        ((1 << 20) - 1, "1023 KiB"),
        (1 << 20, "1.0 MiB"),
        (5 << 30, "5.0 GiB"),
        (1 << 50, "1.0 PiB"),
        (u64::MAX, "15.9 EiB"),
    ] {
        assert_eq!(written(|out| human(out, bytes)), expected, "{bytes}");
    }
    for (number, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
        assert_eq!(written(|out| grouped(out, number)), expected);
    }
    assert!(written(|out| size(out, 1)).contains("title=\"1 byte\""));
}

#[test]
fn the_way_up_is_as_long_as_the_way_down() {
    for (folder, query, expected) in [
        ("a", "", "<li><a href=\"../\">example.org</a></li>"),
        (
            "a/<b>/c",
            "sort=size&order=desc",
            "<li><a href=\"../../../?sort=size&amp;order=desc\">example.org</a></li>\
             <li><a href=\"../../?sort=size&amp;order=desc\">a</a></li>\
             <li><a href=\"../?sort=size&amp;order=desc\">&lt;b&gt;</a></li>",
        ),
    ] {
        let nav = written(|out| page(folder, query).way_up(out));
        assert_eq!(between(&nav, "<ol>", "</ol>"), expected, "{folder}");
    }
    // At the top there is nothing above.
    let start = written(|out| page("", "").start(out));
    assert!(!start.contains("<nav") && start.contains("<h1>example.org</h1>"), "{start}");
    let start = written(|out| page("a/<b>", "").start(out));
    assert!(start.contains("<title>Index of /a/&lt;b&gt;/</title>"), "{start}");
    assert!(start.contains("<h1>&lt;b&gt;</h1>"), "{start}");
}

#[test]
fn the_head_of_the_table_says_what_is_sorted_and_how() {
    let head = |query, sorted| written(|out| page("", query).table(out, sorted));
    let usual = head("", Sorted::Yes);
    assert!(usual.contains(
        "<th scope=\"col\" aria-sort=\"ascending\">\
         <a href=\"?sort=name&amp;order=desc\">Name</a></th>\
         <th scope=\"col\"><a href=\"?sort=size&amp;order=desc\">Size</a></th>"
    ));
    let by_time = head("sort=time&order=desc", Sorted::Yes);
    assert!(by_time.contains(
        "<th scope=\"col\" aria-sort=\"descending\">\
         <a href=\"?sort=time&amp;order=asc\">Modified</a></th>"
    ));
    assert!(!usual.contains("role=\"status\""));
    let large = head("sort=time", Sorted::No);
    assert!(large.contains("role=\"status\"") && !large.contains("aria-sort"), "{large}");
    assert!(!large.contains("href"), "{large}");
}

#[test]
fn the_form_is_there_if_it_is_wanted() {
    let mut page = page("a", "");
    assert!(!written(|out| page.start(out)).contains("<form"));
    page.uploads = true;
    let start = written(|out| page.start(out));
    let form = between(&start, "<form", "</form>");
    for part in [
        "method=\"post\"",
        "action=\"./\"",
        "enctype=\"multipart/form-data\"",
        "type=\"file\" name=\"file\" multiple",
    ] {
        assert!(form.contains(part), "{form}");
    }
}

#[test]
fn the_end_counts() {
    let end = |tally| written(|out| page("", "").end(out, &tally));
    let empty = end(Tally::default());
    assert!(empty.contains("There is nothing here.") && empty.contains("0 folders, 0 files."));
    let some = end(Tally { folders: 1, files: 1_000, bytes: 2048, left_out: 1 });
    assert!(some.contains("<p>1 folder, 1,000 files of <data"), "{some}");
    assert!(some.contains("1 entry has a name that can’t be shown."), "{some}");
}

/// The policy lets the style in: else the page would be bare.
#[cfg(feature = "auth")]
#[test]
fn the_policy_names_the_style() {
    use base64::prelude::*;
    use sha2::{Digest, Sha256};
    let start = written(|out| page("", "").start(out));
    assert_eq!(between(&start, "<style>", "</style>"), STYLE);
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    assert_eq!(between(POLICY, "style-src '", "'"), format!("sha256-{hash}"));
}

/// Nothing in the page needs more than the policy allows.
#[test]
fn the_page_needs_nothing_else() {
    let parts = [
        written(|out| page("a/<script>", "").start(out)).replace(STYLE, ""),
        written(|out| page("", "").table(out, Sorted::Yes)),
        row_of("style=\"x\" onload='", FILE),
        written(|out| page("", "").end(out, &Tally::default())),
    ];
    let page = parts.concat();
    for banned in ["<script", "style=\"", "<img", "<link", "http", "src="] {
        assert!(!page.contains(banned), "{banned} in {page}");
    }
    for banned in ["url(", "@import", "</", "http"] {
        assert!(!STYLE.contains(banned), "{banned}");
    }
}

proptest! {
    /// The link of any name leads back to its bytes, from any page, and nothing
    /// in the row is markup but what we wrote.
    #[test]
    fn a_link_leads_back_to_the_name(name in "[^/\0]{1,40}") {
        prop_assume!(name != "." && name != "..");
        let row = row_of(&name, FILE);
        let link = unescaped(between(&row, "href=\"", "\""));
        let path = link.strip_prefix("./").unwrap();
        prop_assert!(!path.contains(['/', '?', '#', '\\', ' ', '<', '"']));
        prop_assert!(path.is_ascii());
        prop_assert_eq!(percent_decode(path).unwrap(), name.as_str());
        let shown = between(row.split_once("href=").unwrap().1, ">", "</a>");
        prop_assert!(!shown.contains(['<', '>', '"', '\'']));
        prop_assert!(!shown.chars().any(|c| c.is_control()));
        prop_assert_eq!(row.matches('<').count(), row_of("a", FILE).matches('<').count());
    }
}
