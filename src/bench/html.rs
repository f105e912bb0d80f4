//! A report as a page: one file, no script, nothing from elsewhere.

mod chart;

use super::report::{Latency, Report};
use super::text::{PERCENTILES, bytes, grouped, number, time};
use crate::app::html::escaped as escape;
use chart::{Chart, Scale};
use std::fmt::Write;
use std::time::Duration;

const STYLE: &str = include_str!("html/page.css");
/// Bars of the histogram.
const BINS: usize = 60;

impl Report {
    /// A self-contained page with charts: latency by percentile, over time, and its
    /// distribution.
    pub fn html(&self) -> String {
        let title = self.urls.iter().map(|url| escape(url)).collect::<Vec<_>>().join(", ");
        let mut page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>Load on {title}</title>\n<style>\n{STYLE}</style>\n<h1>{title}</h1>\n"
        );
        page += &self.sub_title();
        page += &self.tiles();
        for warning in self.warnings() {
            page += &format!("<section class=\"warn\">{}</section>\n", escape(&warning));
        }
        if self.ok > 0 {
            page += &section(
                "Latency by percentile",
                &[
                    ("a", "response time, from the intended start"),
                    ("b", "service time, from the send"),
                ],
                &self.by_percentile(),
            );
            page += &section(
                "Response time over time",
                &[("a", "median"), ("b", "99 %"), ("c", "most")],
                &self.over_time(),
            );
        }
        page +=
            &section("Successes a second", &[("a", "successes"), ("bad", "errors")], &self.rates());
        if self.ok > 0 {
            let chart = self.distribution();
            page += &section("Distribution of response times", &[("soft", "requests")], &chart);
        }
        page += &self.tables();
        page += "</html>\n";
        page
    }

    fn sub_title(&self) -> String {
        let load = match self.rate_intended {
            Some(rate) => format!("open loop, {} requests/s intended", number(rate)),
            None => "closed loop".to_owned(),
        };
        format!(
            "<p class=\"dim\">{load} · {} connections · pipeline {} · {} thread(s) · {:.2} s</p>\n",
            grouped(self.connections as u64),
            self.pipeline,
            self.threads,
            self.elapsed.as_secs_f64()
        )
    }

    fn tiles(&self) -> String {
        let response = |percent| time(self.response.percentile(percent));
        let tiles = [
            ("successes a second", number(self.rate)),
            ("successes", grouped(self.ok)),
            ("errors", grouped(self.error_count())),
            ("median response", response(50.0)),
            ("99 %", response(99.0)),
            ("99.9 %", response(99.9)),
        ];
        let tile = |(name, value): &(&str, String)| {
            format!("<div class=\"tile\"><b>{value}</b><small>{name}</small></div>\n")
        };
        format!("<div class=\"tiles\">\n{}</div>\n", tiles.iter().map(tile).collect::<String>())
    }

    /// The axis stretches towards 100 %: each nine takes as much room.
    fn by_percentile(&self) -> String {
        let count = self.response.count().max(10) as f64;
        let nines = |percent: f64| 1.0 / (1.0 - percent / 100.0).max(1.0 / count);
        let marks = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999];
        let shown = marks.into_iter().filter(|mark| 1.0 / (1.0 - mark / 100.0) <= count);
        let ticks = shown.map(|mark| (nines(mark), format!("{mark} %"))).collect();
        let steps = 160;
        let most = count.ln();
        let points = |latency: &Latency| {
            let point = |step: i32| {
                let x = (most * f64::from(step) / f64::from(steps)).exp();
                (x, ns(latency.percentile(100.0 - 100.0 / x)))
            };
            (0..=steps).map(point).collect::<Vec<_>>()
        };
        let (response, service) = (points(&self.response), points(&self.service));
        let low = ns(self.response.min().min(self.service.min()));
        let y = Scale::log(low, ns(self.response.max().max(self.service.max())));
        let x = Scale::Log { min: 1.0, max: count };
        let mut chart = Chart::new("latency by percentile", (x, ticks), (y, &label));
        chart.line("a", response);
        chart.line("b", service);
        chart.end()
    }

    fn time_axis(&self) -> (Scale, Vec<(f64, String)>) {
        let end = self.elapsed.as_secs_f64().max(0.001);
        let scale = Scale::Linear { min: 0.0, max: end };
        let ticks = scale.ticks().into_iter();
        let ticks = ticks.map(|at| (at, format!("{} s", (at * 100.0).round() / 100.0))).collect();
        (scale, ticks)
    }

    fn over_time(&self) -> String {
        let with: Vec<_> = self.intervals.iter().filter(|it| it.response.count() > 0).collect();
        let low = with.iter().map(|it| ns(it.response.percentile(50.0))).fold(f64::MAX, f64::min);
        let high = with.iter().map(|it| ns(it.response.max())).fold(0.0, f64::max);
        let y = Scale::log(low, high);
        let mut chart = Chart::new("response time over time", self.time_axis(), (y, &label));
        type Value<'a> = &'a dyn Fn(&Latency) -> Duration;
        let lines: [(&str, Value<'_>); 3] = [
            ("c", &Latency::max),
            ("b", &|latency| latency.percentile(99.0)),
            ("a", &|latency| latency.percentile(50.0)),
        ];
        for (class, value) in lines {
            let point = |it: &&super::Interval| {
                let middle = it.from + it.length / 2;
                (middle.as_secs_f64(), ns(value(&it.response)))
            };
            chart.line(class, with.iter().map(point));
        }
        chart.end()
    }

    fn rates(&self) -> String {
        let rate = |count: u64, it: &super::Interval| count as f64 / it.length.as_secs_f64();
        // The first and the last are cut by the begin and the end.
        let whole = match self.intervals.as_slice() {
            [_, inner @ .., _] if !inner.is_empty() => inner,
            all => all,
        };
        let most = whole.iter().map(|it| rate(it.ok.max(it.errors), it)).fold(1.0, f64::max);
        let y = Scale::from_zero(most);
        let mut chart = Chart::new("successes a second", self.time_axis(), (y, &|v| number(v)));
        for it in self.intervals.iter().filter(|it| it.errors > 0) {
            let (from, to) = (it.from.as_secs_f64(), (it.from + it.length).as_secs_f64());
            let hint = format!("{} errors", it.errors);
            chart.bar("bad", (from, to), rate(it.errors, it), &hint);
        }
        let middle = |it: &super::Interval| (it.from + it.length / 2).as_secs_f64();
        chart.line("a", whole.iter().map(|it| (middle(it), rate(it.ok, it))));
        chart.end()
    }

    fn distribution(&self) -> String {
        let (low, high) = (ns(self.response.min()), ns(self.response.max()));
        let x = Scale::log(low, high);
        let Scale::Log { min, max } = x else { return String::new() };
        let edge = |at: usize| min * (max / min).powf(at as f64 / BINS as f64);
        let histogram = self.response.histogram();
        let mut counts = vec![0u64; BINS];
        for value in histogram.iter_recorded() {
            let place = (value.value_iterated_to() as f64 / min).ln() / (max / min).ln();
            let at = ((place * BINS as f64) as usize).min(BINS - 1);
            if let Some(count) = counts.get_mut(at) {
                *count += value.count_since_last_iteration();
            }
        }
        let most = counts.iter().max().copied().unwrap_or(1) as f64;
        let ticks = x.ticks().into_iter().map(|at| (at, label(at))).collect();
        let y = Scale::from_zero(most);
        let mut chart = Chart::new("distribution", (x, ticks), (y, &|v| grouped(v as u64)));
        for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let (from, to) = (edge(at), edge(at + 1));
            let hint = format!("{} to {}: {}", label_exact(from), label_exact(to), grouped(*count));
            chart.bar("soft", (from, to), *count as f64, &hint);
        }
        chart.end()
    }

    fn tables(&self) -> String {
        let mut latency = String::from("<table><tr><th>latency<th>response<th>service\n");
        let mut row = |name: &str, of: &dyn Fn(&Latency) -> Duration| {
            let (response, service) = (time(of(&self.response)), time(of(&self.service)));
            let _ = writeln!(latency, "<tr><td>{name}<td>{response}<td>{service}");
        };
        row("least", &Latency::min);
        for percent in PERCENTILES {
            row(&format!("{percent} %"), &|latency| latency.percentile(percent));
        }
        row("most", &Latency::max);
        row("mean", &Latency::mean);
        let mut rows: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, value: String| rows.push((name.to_owned(), value));
        for (status, count) in &self.statuses {
            add(&format!("status {status}"), grouped(*count));
        }
        for (kind, count) in &self.errors {
            add(&format!("errors: {}", kind.name()), grouped(*count));
        }
        add("not begun", grouped(self.missed));
        add("received", bytes(self.received_bytes as f64));
        add("received a second", bytes(self.received_rate()));
        add("generator, of a core", format!("{:.0} %", self.generator_busy() * 100.0));
        if let Some(server) = &self.server {
            add("server, CPU", format!("{:.2} s", (server.user + server.system).as_secs_f64()));
            if let Some(each) = self.server_cpu_us() {
                add("server, CPU per request", format!("{each:.2} us"));
            }
            add("server, memory", bytes(server.rss as f64));
        }
        let rows = rows.iter().map(|(name, value)| format!("<tr><td>{name}<td>{value}\n"));
        let rows: String = rows.collect();
        format!(
            "<div class=\"pair\"><section><h2>Latencies</h2>{latency}</table></section>\n\
             <section><h2>Counts and costs</h2><table>{rows}</table></section></div>\n"
        )
    }
}

fn section(title: &str, key: &[(&str, &str)], chart: &str) -> String {
    let entry = |(class, text): &(&str, &str)| {
        let colour = if *class == "soft" { "a" } else { class };
        format!("<i style=\"background:var(--{colour})\"></i>{text}")
    };
    let key: String = key.iter().map(entry).collect();
    format!("<section><h2>{title}</h2><p class=\"key\">{key}</p>\n{chart}</section>\n")
}

fn ns(time: Duration) -> f64 {
    time.as_nanos() as f64
}

/// Of a tick: a round number.
fn label(ns: f64) -> String {
    let (value, unit) = match ns {
        _ if ns < 1e3 => (ns, "ns"),
        _ if ns < 1e6 => (ns / 1e3, "µs"),
        _ if ns < 1e9 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    format!("{} {unit}", (value * 10.0).round() / 10.0)
}

fn label_exact(ns: f64) -> String {
    time(Duration::from_nanos(ns as u64))
}
