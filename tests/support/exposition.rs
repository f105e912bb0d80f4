//! A strict reader of Prometheus' text format, version 0.0.4: what is not as the
//! format has it fails the test.

use std::collections::{BTreeMap, BTreeSet};

/// A page that was read.
#[derive(Debug, Default)]
pub struct Page {
    /// By name: the type.
    pub families: BTreeMap<String, String>,
    /// By name and labels, as they were written.
    pub samples: BTreeMap<String, f64>,
}

type Labels = Vec<(String, String)>;

impl Page {
    /// Reads a page.
    #[track_caller]
    pub fn read(text: &str) -> Page {
        assert!(text.ends_with('\n'), "the last line has no end");
        let mut page = Page::default();
        let mut helped = BTreeSet::new();
        let mut family = String::new();
        // By family and labels without `le`: the buckets, in order.
        let mut buckets: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, _) = rest.split_once(' ').expect("a name and a text");
                assert!(helped.insert(name.to_owned()), "a second HELP: {line}");
                family = name.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a name and a type");
                assert_eq!(name, family, "TYPE without its HELP: {line}");
                assert!(matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                let old = page.families.insert(name.to_owned(), kind.to_owned());
                assert!(old.is_none(), "a second TYPE: {line}");
            } else {
                let (name, labels, value) = sample(line);
                let kind = page.families.get(&family).expect("a TYPE before samples");
                let suffix = name.strip_prefix(family.as_str());
                let suffix = suffix.unwrap_or_else(|| panic!("not of {family}: {line}"));
                match kind.as_str() {
                    "histogram" => bucket(&mut buckets, &family, suffix, labels, value, line),
                    _ => assert_eq!(suffix, "", "{line}"),
                }
                assert!(kind == "gauge" || value >= 0.0, "{line}");
                let series = line.rsplit_once(' ').expect("it was read").0.to_owned();
                assert!(page.samples.insert(series, value).is_none(), "twice: {line}");
            }
        }
        page.check(&buckets);
        page
    }

    /// The value of a sample, by name and labels as they are written.
    #[track_caller]
    pub fn value(&self, series: &str) -> f64 {
        let value = self.samples.get(series);
        *value.unwrap_or_else(|| panic!("no {series} in {:#?}", self.samples.keys()))
    }

    #[track_caller]
    fn check(&self, buckets: &BTreeMap<String, Vec<(f64, f64)>>) {
        for (series, list) in buckets {
            let (bounds, counts): (Vec<f64>, Vec<f64>) = list.iter().copied().unzip();
            assert!(bounds.windows(2).all(|two| two[0] < two[1]), "{series}: {bounds:?}");
            assert!(counts.windows(2).all(|two| two[0] <= two[1]), "{series}: {counts:?}");
            assert_eq!(bounds.last(), Some(&f64::INFINITY), "{series}");
            let (family, labels) = series.split_once('|').expect("made so");
            let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
            assert_eq!(
                counts.last().copied(),
                Some(self.value(&format!("{family}_count{braced}")))
            );
            self.value(&format!("{family}_sum{braced}"));
        }
    }
}

/// Keeps a bucket for the check of its histogram.
#[track_caller]
fn bucket(
    buckets: &mut BTreeMap<String, Vec<(f64, f64)>>,
    family: &str,
    suffix: &str,
    mut labels: Labels,
    value: f64,
    line: &str,
) {
    let le = labels.iter().position(|(name, _)| name == "le");
    match (suffix, le) {
        ("_sum" | "_count", None) => {}
        ("_bucket", Some(at)) => {
            let (_, bound) = labels.remove(at);
            let rest: Vec<String> = labels.iter().map(|(n, v)| format!("{n}=\"{v}\"")).collect();
            let series = format!("{family}|{}", rest.join(","));
            buckets.entry(series).or_default().push((number(&bound), value));
        }
        _ => panic!("not of a histogram: {line}"),
    }
}

/// Name, labels (values as they were written) and value.
#[track_caller]
fn sample(line: &str) -> (&str, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no sample: {line:?}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name, ":"), "{line}");
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("label: {line}"));
            assert!(is_name(label, "") && labels.iter().all(|(n, _)| n != label), "{line}");
            let end = closing(after).unwrap_or_else(|| panic!("quotes: {line}"));
            labels.push((label.to_owned(), after[..end].to_owned()));
            rest = &after[end + 1..];
            match rest.strip_prefix(',') {
                Some(next) => rest = next,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').unwrap_or_else(|| panic!("brace: {line}"));
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("value: {line}"));
    (name, labels, number(value))
}

/// Where the quoted value ends. Only three escapes are known.
fn closing(text: &str) -> Option<usize> {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some(at),
            '\\' => assert!(matches!(chars.next()?.1, '\\' | '"' | 'n'), "escape: {text}"),
            _ => {}
        }
    }
    None
}

fn is_name(name: &str, more: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || more.contains(c);
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}

#[track_caller]
fn number(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        _ => {
            assert!(text.bytes().all(|b| b.is_ascii_digit() || b"+-.e".contains(&b)), "{text:?}");
            text.parse().unwrap_or_else(|_| panic!("no number: {text:?}"))
        }
    }
}
