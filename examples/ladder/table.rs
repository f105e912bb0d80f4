//! What was measured, as text; and whether each level broke where its text says.

use crate::questions::HELD_UP;
use crate::run::{Ascent, Cell, Measured, Row};
use std::fmt::Write;
use std::time::Duration;

pub(crate) fn head() -> String {
    let side = format!("{:>9} {:>8} {:>8}", "req/s", "p99", "no reply");
    format!(
        "{:>11}   {:^27}   {:^27}\n{:>11}   {side}   {side} {:>8} {:>9}\n",
        "", "alone", "in company", "connections", "threads", "memory"
    )
}

/// A level, in a line for each number of connections.
pub(crate) fn row(row: &Row) -> String {
    let mut text = String::new();
    for cell in &row.cells {
        let usage = cell.company.map_or([const { String::new() }; 2], |it| {
            [count(it.usage.threads as f64), bytes(it.usage.memory as f64)]
        });
        let [threads, memory] = usage;
        let (alone, company) = (side(cell.alone), side(cell.company));
        let connections = count(cell.connections as f64);
        let _ = writeln!(text, "{connections:>11}   {alone}   {company} {threads:>8} {memory:>9}");
    }
    text
}

fn side(measured: Option<Measured>) -> String {
    let Some(it) = measured else { return format!("{:>9} {:>8} {:>8}", "no time", "", "") };
    let p99 = it.p99.map_or("never".into(), time);
    let unanswered = if it.unanswered == 0 { "-".into() } else { count(it.unanswered as f64) };
    format!("{:>9} {p99:>8} {unanswered:>8}", count(it.rate))
}

/// The questions, what was seen of each level, and what was left out.
pub(crate) fn summary(ascent: &Ascent) -> String {
    let mut text = format!("\n{:<20}", "");
    for (name, _) in QUESTIONS {
        let _ = write!(text, " {name:>13}");
    }
    text += "   as its text says?\n";
    for row in &ascent.rows {
        let _ = write!(text, "{:<20}", row.level.title());
        for (_, answer) in QUESTIONS {
            let _ = write!(text, " {:>13}", answer(row).1);
        }
        let (as_said, what) = seen(row);
        let _ = writeln!(text, "   {}: {what}", if as_said { "yes" } else { "NO" });
    }
    for note in &ascent.notes {
        let _ = writeln!(text, "\n{note}");
    }
    let _ = writeln!(text, "\n{} s", ascent.took.as_secs());
    text
}

type Answer = fn(&Row) -> (bool, String);

/// What is asked, and how a level did: well or not, and in a word.
pub(crate) const QUESTIONS: [(&str, Answer); 5] = [
    ("neighbour", |row| match row.answers.neighbour {
        Some(waited) => (waited < HELD_UP, time(waited)),
        None => (false, "no reply".into()),
    }),
    ("slowloris", |row| match row.slowloris {
        it if it.cuts > 0 => (true, format!("{:.1} s", it.after.as_secs_f64())),
        _ => (false, "stays".into()),
    }),
    ("endless head", |row| match row.answers.endless {
        Some((_, true)) => (true, "refused".into()),
        Some((taken, false)) => (false, bytes(taken as f64)),
        None => (false, "?".into()),
    }),
    ("../secret", |row| match row.answers.leaks {
        Some(false) => (true, "refused".into()),
        Some(true) => (false, "leaks".into()),
        None => (false, "?".into()),
    }),
    ("visits", |row| match row.answers.remembers {
        Some(true) => (true, "remembered".into()),
        _ => (false, "no".into()),
    }),
];

/// Whether the ladder shows of a level what its text says, and what it shows.
pub(crate) fn seen(row: &Row) -> (bool, String) {
    let company = |cell: &Cell| Some((cell.connections, cell.company?));
    let cells: Vec<_> = row.cells.iter().filter_map(company).collect();
    let good = |at: usize| QUESTIONS.get(at).is_some_and(|(_, answer)| answer(row).0);
    match row.level.number {
        1 => {
            let most = cells.iter().map(|(_, it)| it.rate).fold(0.0, f64::max);
            (most == 0.0, format!("{} req/s in company", count(most)))
        }
        2 => {
            let most = cells.iter().map(|(_, it)| it.usage);
            let most = most.max_by_key(|usage| usage.threads).unwrap_or_default();
            let words = (count(most.threads as f64), bytes(most.memory as f64));
            // Of a crowd, many may be waiting for their threads when it is over.
            let mut few = cells.iter().filter(|(count, _)| *count <= 1000);
            let as_said = few.all(|(count, it)| it.usage.threads as usize > *count);
            (as_said, format!("{} threads, {}", words.0, words.1))
        }
        3 => match cells.iter().find(|(count, _)| *count > 16) {
            Some((all, it)) => {
                (it.unanswered > 0, format!("{} of {all} without a reply", it.unanswered))
            }
            None => (false, "not tried with more than 16".into()),
        },
        4 => {
            let both = |cell: &Cell| Some((cell.alone?.rate, cell.company?.rate));
            let (alone, company) = row.cells.first().and_then(both).unwrap_or_default();
            let words = (count(alone), count(company));
            (
                !good(0) && company < alone / 2.0,
                format!("{} req/s alone, {} in company", words.0, words.1),
            )
        }
        5 => (good(0) && !good(1), format!("there for {:.0} s", row.slowloris.there.as_secs_f64())),
        6 => (good(1) && !good(2), "cut a slowloris, took the endless head".into()),
        7 => (good(2) && !good(3), "refused the endless head, leaked the secret".into()),
        8 => (good(3) && !good(4), "kept the secret, remembered nobody".into()),
        _ => {
            let all = (0..QUESTIONS.len()).all(good);
            let unanswered: usize = cells.iter().map(|(_, it)| it.unanswered).sum();
            (all && unanswered == 0, format!("{unanswered} without a reply"))
        }
    }
}

/// `12,345`
pub(crate) fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(crate) fn time(time: Duration) -> String {
    match time.as_secs_f64() * 1e6 {
        us if us < 1e3 => format!("{us:.0} us"),
        us if us < 1e4 => format!("{:.1} ms", us / 1e3),
        us if us < 1e6 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.1} s", us / 1e6),
    }
}

pub(crate) fn bytes(value: f64) -> String {
    match value / 1024.0 {
        kib if kib < 1024.0 => format!("{kib:.0} KiB"),
        kib if kib < 10.0 * 1024.0 => format!("{:.1} MiB", kib / 1024.0),
        kib => format!("{:.0} MiB", kib / 1024.0),
    }
}
