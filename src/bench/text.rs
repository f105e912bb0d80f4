//! A report as a table, for people.

use super::report::{Latency, Report, ratio};
use std::fmt;
use std::time::Duration;

/// What is shown of a distribution.
pub(crate) const PERCENTILES: [f64; 7] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        self.counts(f)?;
        self.latencies(f)?;
        self.costs(f)?;
        for warning in self.warnings() {
            writeln!(f, "\n  warning: {warning}")?;
        }
        Ok(())
    }
}

impl Report {
    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for url in &self.urls {
            writeln!(f, "  {url}")?;
        }
        match self.rate_intended {
            Some(rate) => write!(f, "  open loop, {} requests/s intended", number(rate))?,
            None => f.write_str("  closed loop")?,
        }
        write!(f, ", {}", plural(self.connections as u64, "connection"))?;
        if self.pipeline > 1 {
            write!(f, ", {} requests pipelined", self.pipeline)?;
        }
        write!(f, ", {}", plural(self.threads as u64, "thread"))?;
        write!(f, ", {:.2} s", self.elapsed.as_secs_f64())?;
        writeln!(f, "{}\n", if self.stopped { " (ended early)" } else { "" })
    }

    fn counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, name: &str, count: String, rate: String| {
            writeln!(f, "  {name:<10} {count:>14} {rate:>16}")
        };
        row(f, "successes", grouped(self.ok), format!("{}/s", number(self.rate)))?;
        row(f, "errors", grouped(self.error_count()), String::new())?;
        for (kind, count) in &self.errors {
            row(f, &format!("  {}", kind.name()), grouped(*count), String::new())?;
        }
        for (status, count) in &self.statuses {
            row(f, &format!("  [{status}]"), grouped(*count), String::new())?;
        }
        if self.missed > 0 {
            row(f, "not begun", grouped(self.missed), String::new())?;
        }
        if self.unfinished > 0 {
            row(f, "unfinished", grouped(self.unfinished), String::new())?;
        }
        let seconds = self.elapsed.as_secs_f64();
        for (name, bytes_count) in [("received", self.received_bytes), ("sent", self.sent_bytes)] {
            let rate = format!("{}/s", bytes(ratio(bytes_count as f64, seconds)));
            row(f, name, bytes(bytes_count as f64), rate)?;
        }
        Ok(())
    }

    fn latencies(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n  {:<10} {:>14} {:>16}", "latency", "response", "service")?;
        let mut row = |name: &str, of: &dyn Fn(&Latency) -> Duration| {
            let (response, service) = (time(of(&self.response)), time(of(&self.service)));
            writeln!(f, "  {name:<10} {response:>14} {service:>16}")
        };
        row("least", &Latency::min)?;
        for percent in PERCENTILES {
            row(&format!("{percent} %"), &|latency| latency.percentile(percent))?;
        }
        row("most", &Latency::max)?;
        row("mean", &Latency::mean)?;
        row("deviation", &Latency::deviation)?;
        f.write_str("\n")
    }

    fn costs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connect = &self.connect;
        write!(f, "  connections  {} made", grouped(connect.count()))?;
        write!(f, ", in {} (99 %: {})", time(connect.mean()), time(connect.percentile(99.0)))?;
        writeln!(f, "; {} open at the end", grouped(self.connections_open as u64))?;
        if self.reconnects + self.resent > 0 {
            let (again, resent) = (grouped(self.reconnects), grouped(self.resent));
            writeln!(f, "               {again} ended by the server, {resent} requests resent")?;
        }
        let guests = &self.guests;
        let beside = [
            ("idle", guests.idle_open, guests.idle_cut),
            ("slow readers", guests.slow_readers_open, guests.slow_readers_cut),
            ("slow heads", guests.slowloris_open, guests.slowloris_cut),
        ];
        for (name, open, cut) in beside.iter().filter(|(_, open, cut)| open + cut > 0) {
            writeln!(f, "  beside       {open} {name} open at the end, cut {cut} times")?;
        }
        if guests.failed > 0 {
            writeln!(f, "  beside       {} attempts to connect failed", guests.failed)?;
        }
        let cpu: Duration = self.generator_cpu.iter().sum();
        write!(f, "  generator    {:.2} s CPU", cpu.as_secs_f64())?;
        writeln!(f, ", {:.0} % of a core", self.generator_busy() * 100.0)?;
        if let Some(server) = &self.server {
            let (user, system) = (server.user.as_secs_f64(), server.system.as_secs_f64());
            write!(f, "  server       {:.2} s CPU ({user:.2} user)", user + system)?;
            if let Some(each) = self.server_cpu_us() {
                write!(f, ", {each:.2} us per request")?;
            }
            let (rss, peak) = (bytes(server.rss as f64), bytes(server.rss_peak as f64));
            writeln!(f, "; memory {rss}, at most {peak}")?;
        }
        Ok(())
    }
}

/// `1,234,567`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn plural(count: u64, name: &str) -> String {
    format!("{} {name}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// With as many digits as are of interest.
pub(crate) fn number(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        value if value >= 100.0 => grouped(value.round() as u64),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// `12.3 us`, `4.56 ms`, `7.8 s`.
pub(crate) fn time(time: Duration) -> String {
    let ns = time.as_nanos() as f64;
    let (value, unit) = match ns {
        _ if ns < 1e3 => return format!("{ns} ns"),
        _ if ns < 1e6 => (ns / 1e3, "us"),
        _ if ns < 1e9 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    match value {
        value if value >= 100.0 => format!("{value:.0} {unit}"),
        value if value >= 10.0 => format!("{value:.1} {unit}"),
        value => format!("{value:.2} {unit}"),
    }
}

/// By powers of 1,000, as rates are stated.
pub(crate) fn bytes(count: f64) -> String {
    let (value, unit) = match count {
        _ if count < 1e3 => return format!("{count:.0} B"),
        _ if count < 1e6 => (count / 1e3, "kB"),
        _ if count < 1e9 => (count / 1e6, "MB"),
        _ => (count / 1e9, "GB"),
    };
    format!("{value:.2} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        let counts = [0, 999, 1000, 1_234_567];
        assert_eq!(counts.map(grouped), ["0", "999", "1,000", "1,234,567"]);
        let times = [0, 999, 1000, 12_345, 123_456, 1_234_567, 99_900_000, 61_000_000_000];
        assert_eq!(
            times.map(|ns| time(Duration::from_nanos(ns))),
            ["0 ns", "999 ns", "1.00 us", "12.3 us", "123 us", "1.23 ms", "99.9 ms", "61.0 s"]
        );
        assert_eq!([5.0, 1500.0, 2e9].map(bytes), ["5 B", "1.50 kB", "2.00 GB"]);
        assert_eq!([0.5, 12.34, 1234.5].map(number), ["0.50", "12.3", "1,235"]);
    }
}
