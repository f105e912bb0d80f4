//! A report for other programs: JSON, and an HdrHistogram interval log.

use super::report::{Latency, Report};
use super::text::PERCENTILES;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, IntervalLogWriterError};
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

impl Report {
    /// All of it but the histograms, as JSON on several lines. Times are in
    /// microseconds, rates per second.
    pub fn json(&self) -> String {
        format!("{:#}\n", self.value())
    }

    pub(crate) fn value(&self) -> Value {
        let errors: Map<String, Value> =
            self.errors.iter().map(|(kind, n)| (kind.name().to_owned(), (*n).into())).collect();
        let statuses: Map<String, Value> =
            self.statuses.iter().map(|(status, n)| (status.to_string(), (*n).into())).collect();
        let began = self.began.duration_since(UNIX_EPOCH).unwrap_or_default();
        let cpu: Duration = self.generator_cpu.iter().sum();
        let server = self.server.map(|server| {
            json!({
                "user_s": server.user.as_secs_f64(),
                "system_s": server.system.as_secs_f64(),
                "cpu_us_per_request": self.server_cpu_us(),
                "rss_bytes": server.rss,
                "rss_peak_bytes": server.rss_peak,
            })
        });
        let guests = json!({
            "idle_open": self.guests.idle_open,
            "idle_cut": self.guests.idle_cut,
            "slow_readers_open": self.guests.slow_readers_open,
            "slow_readers_cut": self.guests.slow_readers_cut,
            "slow_bytes": self.guests.slow_bytes,
            "slowloris_open": self.guests.slowloris_open,
            "slowloris_cut": self.guests.slowloris_cut,
            "failed": self.guests.failed,
        });
        json!({
            "urls": self.urls,
            "began_unix_s": began.as_secs_f64(),
            "elapsed_s": self.elapsed.as_secs_f64(),
            "stopped": self.stopped,
            "connections": self.connections,
            "connections_open": self.connections_open,
            "threads": self.threads,
            "pipeline": self.pipeline,
            "rate_intended": self.rate_intended,
            "rate": self.rate,
            "ok": self.ok,
            "error_count": self.error_count(),
            "errors": errors,
            "statuses": statuses,
            "missed": self.missed,
            "unfinished": self.unfinished,
            "sent_bytes": self.sent_bytes,
            "received_bytes": self.received_bytes,
            "reconnects": self.reconnects,
            "connect_failures": self.connect_failures,
            "resent": self.resent,
            "response_us": latency(&self.response),
            "service_us": latency(&self.service),
            "connect_us": latency(&self.connect),
            "generator": { "cpu_s": cpu.as_secs_f64(), "busy": self.generator_busy() },
            "server": server,
            "guests": guests,
            "intervals": self.intervals.iter().map(interval).collect::<Vec<_>>(),
            "warnings": self.warnings(),
        })
    }

    /// Writes an HdrHistogram interval log of the response times, in nanoseconds:
    /// what HdrHistogram's own tools read.
    ///
    /// # Errors
    /// What writing gives.
    pub fn write_hdr(&self, mut to: impl Write) -> io::Result<()> {
        let mut serializer = V2DeflateSerializer::new();
        let mut builder = IntervalLogWriterBuilder::new();
        builder
            .add_comment("[onepoll bench: response times in nanoseconds, maxima in milliseconds]")
            .with_start_time(self.began)
            .with_base_time(self.began)
            .with_max_value_divisor(1e6);
        let mut log = builder.begin_log_with(&mut to, &mut serializer)?;
        for interval in self.intervals.iter().filter(|interval| interval.response.count() > 0) {
            let histogram = interval.response.histogram();
            let written = log.write_histogram(histogram, interval.from, interval.length, None);
            written.map_err(|error| match error {
                IntervalLogWriterError::IoError(error) => error,
                other => io::Error::other(other.to_string()),
            })?;
        }
        Ok(())
    }
}

fn us(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}

fn latency(latency: &Latency) -> Value {
    let percentiles = PERCENTILES.map(|percent| {
        let name = format!("p{percent}");
        (name, us(latency.percentile(percent)).into())
    });
    let mut map: Map<String, Value> = percentiles.into_iter().collect();
    for (name, value) in [
        ("min", latency.min()),
        ("max", latency.max()),
        ("mean", latency.mean()),
        ("deviation", latency.deviation()),
    ] {
        map.insert(name.to_owned(), us(value).into());
    }
    map.insert("count".to_owned(), latency.count().into());
    map.into()
}

fn interval(interval: &super::Interval) -> Value {
    json!({
        "from_s": interval.from.as_secs_f64(),
        "length_s": interval.length.as_secs_f64(),
        "ok": interval.ok,
        "errors": interval.errors,
        "received_bytes": interval.received_bytes,
        "p50_us": us(interval.response.percentile(50.0)),
        "p99_us": us(interval.response.percentile(99.0)),
        "max_us": us(interval.response.max()),
    })
}
