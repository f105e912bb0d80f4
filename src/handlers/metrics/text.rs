//! Prometheus' text format, version 0.0.4, written so that it can't be wrong:
//! names are the program's, label values and help are escaped.

use std::fmt::{Display, Write};

/// A page that is being written.
#[derive(Debug, Default)]
pub(super) struct Text {
    out: String,
}

/// A label's name and value.
pub(super) type Label<'a> = (&'a str, &'a str);

impl Text {
    /// Begins a family; its samples follow.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        let out = &mut self.out;
        out.push_str("# HELP ");
        out.push_str(name);
        out.push(' ');
        escape(out, help, false);
        // Writing into a String can't fail, here and below.
        let _ = write!(out, "\n# TYPE {name} {kind}\n");
    }

    /// A line: name and suffix, labels, value.
    pub(super) fn sample(
        &mut self,
        name: &str,
        suffix: &str,
        labels: &[Label<'_>],
        value: impl Display,
    ) {
        let out = &mut self.out;
        out.push_str(name);
        out.push_str(suffix);
        for (i, (label, value)) in labels.iter().enumerate() {
            out.push(if i == 0 { '{' } else { ',' });
            out.push_str(label);
            out.push_str("=\"");
            escape(out, value, true);
            out.push('"');
        }
        out.push_str(if labels.is_empty() { " " } else { "} " });
        let _ = writeln!(out, "{value}");
    }

    /// A family of one sample without labels.
    pub(super) fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, "", &[], value);
    }

    /// The lines of a histogram. `counts` has one more than `bounds`: those beyond.
    pub(super) fn histogram(
        &mut self,
        name: &str,
        labels: &[Label<'_>],
        bounds: &[String],
        counts: impl Iterator<Item = u64>,
        sum: impl Display,
    ) {
        let mut with: Vec<Label<'_>> = labels.to_vec();
        with.push(("le", ""));
        let last = with.len() - 1;
        let mut total = 0_u64;
        let bounds = bounds.iter().map(String::as_str).chain(["+Inf"]);
        for (bound, count) in bounds.zip(counts) {
            total += count;
            if let Some(label) = with.get_mut(last) {
                label.1 = bound;
            }
            self.sample(name, "_bucket", &with, total);
        }
        self.sample(name, "_sum", labels, sum);
        self.sample(name, "_count", labels, total);
    }

    pub(super) fn finish(self) -> String {
        self.out
    }
}

/// Whether it can be a metric's name.
pub(super) fn is_name(name: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    name.starts_with(is_first) && name.chars().all(|c| is_first(c) || c.is_ascii_digit())
}

/// A number as the format has it, which knows the three that are none.
pub(super) fn float(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    value.to_string() // `NaN` is written so
}

/// Nanoseconds as seconds, without needless zeros.
pub(super) fn seconds(nanos: u128) -> String {
    let text = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escape(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_a_line_is_escaped() {
        let mut text = Text::default();
        text.family("a_b", "gauge", "one\\\n\"two\"");
        text.sample("a_b", "", &[("x", "/\\d\"\n"), ("y", "ä")], 1.5);
        let want = "# HELP a_b one\\\\\\n\"two\"\n# TYPE a_b gauge\n\
                    a_b{x=\"/\\\\d\\\"\\n\",y=\"ä\"} 1.5\n";
        assert_eq!(text.finish(), want);
    }

    #[test]
    fn seconds_are_short_and_exact() {
        for (nanos, want) in [
            (0, "0"),
            (5_000_000, "0.005"),
            (1_000_000_000, "1"),
            (2_500_000_000, "2.5"),
            (10_000_000_000, "10"),
            (1, "0.000000001"),
        ] {
            assert_eq!(seconds(nanos), want);
        }
    }

    #[test]
    fn names() {
        for (name, is) in [("a:b_9", true), ("_", true), ("9a", false), ("", false), ("ä", false)]
        {
            assert_eq!(is_name(name), is, "{name}");
        }
    }
}
