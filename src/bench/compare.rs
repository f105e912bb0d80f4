//! Two servers side by side: rounds that take turns, ratios, and how sure they are.
//!
//! A machine's speed drifts over seconds, and more than most servers differ. So each
//! round measures both, one right after the other, in turns who is first, and only
//! the ratio within a round counts. The interval around the median of the ratios is
//! found by resampling (a percentile bootstrap): the rounds are drawn again with
//! replacement many times, and 95 % of the medians lie in it.

use super::plan::Plan;
use super::report::Report;
use super::rng::Rng;
use super::run::run_with;
use super::shared::Stop;
use crate::error::Error;
use serde_json::{Value, json};
use std::fmt;

/// Draws of the bootstrap: ends of the interval don't move with more.
const DRAWS: usize = 4000;

/// What a comparison has shown.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Comparison {
    /// The targets.
    pub urls: [String; 2],
    /// Ratios of what was measured.
    pub ratios: Vec<Ratio>,
    /// Errors of each, in all rounds.
    pub errors: [u64; 2],
    /// What makes the numbers doubtful.
    pub warnings: Vec<String>,
    rounds: usize,
}

/// A against B, in one respect.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Ratio {
    /// In which: `requests/s`, `p50`, `p99`, `CPU/request`.
    pub name: &'static str,
    /// Median of A's values, in the unit of the name: microseconds but for
    /// requests/s.
    pub a: f64,
    /// Median of B's.
    pub b: f64,
    /// Median of A's value divided by B's in the same round.
    pub ratio: f64,
    /// Where the true ratio is with 95 % confidence.
    pub low: f64,
    /// The upper end of that.
    pub high: f64,
}

/// Measures both plans in `rounds` rounds; `observe` is told each one's number.
///
/// # Errors
/// As [`run`](super::run).
pub fn compare(
    a: &Plan,
    b: &Plan,
    rounds: u32,
    stop: &Stop,
    mut observe: impl FnMut(u32),
) -> Result<Comparison, Error> {
    let mut pairs: Vec<(Report, Report)> = Vec::new();
    for round in 1..=rounds {
        observe(round);
        // Who is second finds a machine that the first has warmed, or tired.
        let pair = if round % 2 == 1 {
            let a = run_with(a, stop, |_| {})?;
            (a, run_with(b, stop, |_| {})?)
        } else {
            let b = run_with(b, stop, |_| {})?;
            (run_with(a, stop, |_| {})?, b)
        };
        if stop.is_stopped() {
            break; // a round that was cut is none
        }
        pairs.push(pair);
    }
    Ok(Comparison::of(a, b, &pairs))
}

impl Comparison {
    fn of(a: &Plan, b: &Plan, pairs: &[(Report, Report)]) -> Comparison {
        let us = |percent| {
            move |it: &Report| Some(it.response.percentile(percent).as_nanos() as f64 / 1e3)
        };
        type Value = Box<dyn Fn(&Report) -> Option<f64>>;
        let all: [(&'static str, Value); 5] = [
            ("requests/s", Box::new(|it| Some(it.rate))),
            ("p50", Box::new(us(50.0))),
            ("p99", Box::new(us(99.0))),
            ("p99.9", Box::new(us(99.9))),
            ("CPU/request", Box::new(Report::server_cpu_us)),
        ];
        let ratios = all.iter().filter_map(|(name, value)| {
            let values = pairs.iter().map(|(a, b)| Some((value(a)?, value(b)?)));
            let values: Vec<(f64, f64)> =
                values.flatten().filter(|(a, b)| *a > 0.0 && *b > 0.0).collect();
            Ratio::of(name, &values, a.seed)
        });
        let mut warnings: Vec<String> = Vec::new();
        let mut warn = |name: &str, report: &Report| {
            for warning in report.warnings() {
                // Numbers differ from round to round; one line of a kind is enough.
                let kind = warning.split(':').next().unwrap_or("").to_owned();
                let kind = kind.split(|c: char| c.is_ascii_digit()).next().unwrap_or("").to_owned();
                if !warnings.iter().any(|w| w.starts_with(&format!("{name}: {kind}"))) {
                    warnings.push(format!("{name}: {warning}"));
                }
            }
        };
        for (a, b) in pairs {
            warn("A", a);
            warn("B", b);
        }
        let name = |plan: &Plan| plan.urls.first().map(ToString::to_string).unwrap_or_default();
        Comparison {
            urls: [name(a), name(b)],
            ratios: ratios.collect(),
            errors: [
                pairs.iter().map(|(a, _)| a.error_count()).sum(),
                pairs.iter().map(|(_, b)| b.error_count()).sum(),
            ],
            warnings,
            rounds: pairs.len(),
        }
    }

    /// Rounds that were measured to their end.
    pub fn rounds(&self) -> usize {
        self.rounds
    }

    /// The ratio of that name.
    pub fn ratio(&self, name: &str) -> Option<&Ratio> {
        self.ratios.iter().find(|ratio| ratio.name == name)
    }

    /// All of it, as JSON on several lines.
    pub fn json(&self) -> String {
        let ratio = |ratio: &Ratio| {
            json!({
                "name": ratio.name, "a": ratio.a, "b": ratio.b,
                "ratio": ratio.ratio, "low": ratio.low, "high": ratio.high,
            })
        };
        let ratios: Vec<Value> = self.ratios.iter().map(ratio).collect();
        let value = json!({
            "a": self.urls.first(), "b": self.urls.last(), "rounds": self.rounds,
            "ratios": ratios, "errors": self.errors, "warnings": self.warnings,
        });
        format!("{value:#}\n")
    }
}

impl Ratio {
    /// Of pairs of values; `None` without any.
    fn of(name: &'static str, values: &[(f64, f64)], seed: u64) -> Option<Ratio> {
        let ratios: Vec<f64> = values.iter().map(|(a, b)| a / b).collect();
        let (low, high) = interval(&ratios, seed)?;
        Some(Ratio {
            name,
            a: median(values.iter().map(|(a, _)| *a).collect())?,
            b: median(values.iter().map(|(_, b)| *b).collect())?,
            ratio: median(ratios)?,
            low,
            high,
        })
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some((lower + upper) / 2.0)
}

/// Where the median lies with 95 % confidence.
fn interval(values: &[f64], seed: u64) -> Option<(f64, f64)> {
    if values.is_empty() {
        return None;
    }
    let mut rng = Rng::new(seed);
    let mut medians = Vec::with_capacity(DRAWS);
    for _ in 0..DRAWS {
        let draw = (0..values.len()).filter_map(|_| values.get(rng.below(values.len())).copied());
        medians.push(median(draw.collect())?);
    }
    medians.sort_by(f64::total_cmp);
    let at = |share: f64| medians.get(((DRAWS - 1) as f64 * share).round() as usize).copied();
    Some((at(0.025)?, at(0.975)?))
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b] = &self.urls;
        writeln!(f, "  A  {a}\n  B  {b}\n  {} rounds, medians\n", self.rounds)?;
        let heads = ["", "A", "B", "A / B", "95 % interval"];
        let [name, a, b, ratio, interval] = heads;
        writeln!(f, "  {name:<12} {a:>12} {b:>12} {ratio:>8}   {interval}")?;
        for Ratio { name, a, b, ratio, low, high } in &self.ratios {
            let unit = if *name == "requests/s" { "" } else { " us" };
            let value = |value: f64| format!("{}{unit}", super::text::number(value));
            let (a, b) = (value(*a), value(*b));
            // Nothing can be said while 1 is in it.
            let unsure = if (*low..=*high).contains(&1.0) { "  no difference shown" } else { "" };
            writeln!(
                f,
                "  {name:<12} {a:>12} {b:>12} {ratio:>8.3}   {low:.3} to {high:.3}{unsure}"
            )?;
        }
        let [a, b] = self.errors;
        if a + b > 0 {
            writeln!(f, "  {:<12} {a:>12} {b:>12}", "errors")?;
        }
        for warning in &self.warnings {
            writeln!(f, "\n  warning: {warning}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_their_intervals() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(interval(&[2.0], 1), Some((2.0, 2.0)));
        let values: Vec<f64> = (0..41).map(|i| 1.0 + f64::from(i - 20) / 100.0).collect();
        let (low, high) = interval(&values, 1).unwrap();
        // The order statistics 14 and 28 of 41 bound it.
        assert!((0.90..0.98).contains(&low) && (1.02..1.10).contains(&high), "{low} {high}");
        assert_eq!(interval(&values, 1), interval(&values, 1));
    }

    /// The interval covers the truth about as often as it says.
    #[test]
    fn intervals_cover_the_truth() {
        let mut rng = Rng::new(5);
        let mut covered = 0;
        for seed in 0..200 {
            let values: Vec<f64> = (0..15).map(|_| 0.5 + rng.unit()).collect();
            let (low, high) = interval(&values, seed).unwrap();
            covered += usize::from((low..=high).contains(&1.0));
        }
        assert!(covered > 175, "{covered} of 200");
    }

    #[test]
    fn a_ratio_is_that_of_the_same_round() {
        // The machine is twice as slow in every other round; A takes 1.5 times as long.
        let values: Vec<(f64, f64)> =
            (0..10).map(|i| f64::from(1 + i % 2)).map(|slow| (1.5 * slow, slow)).collect();
        let ratio = Ratio::of("p50", &values, 1).unwrap();
        assert_eq!((ratio.ratio, ratio.low, ratio.high), (1.5, 1.5, 1.5));
    }
}
