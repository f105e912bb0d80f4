//! The README states the true defaults.

use onepoll::Config;
use std::time::Duration;

const README: &str = include_str!("../README.md");

/// The second column of the row whose first column is this.
fn stated(field: &str) -> &'static str {
    let start = format!("| {field} |");
    let row = README.lines().find_map(|line| line.strip_prefix(start.as_str()));
    row.unwrap_or_else(|| panic!("no row for {field}")).split('|').next().unwrap().trim()
}

fn bytes(n: u64) -> String {
    match n {
        n if n % (1 << 20) == 0 => format!("{} MiB", n >> 20),
        n if n % (1 << 10) == 0 => format!("{} KiB", n >> 10),
        n => format!("{n} B"),
    }
}

fn time(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

fn number(limit: Option<u32>) -> String {
    limit.map_or("none".to_owned(), |limit| limit.to_string())
}

#[test]
fn the_table_of_defaults_is_the_config() {
    let config = Config::default();
    let limits = &config.limits;
    let table = [
        ("`limits.head_max`", bytes(limits.head_max as u64)),
        ("`limits.target_max`", bytes(limits.target_max as u64)),
        ("`limits.headers_max`", limits.headers_max.to_string()),
        ("`limits.chunk_ext_max`", bytes(limits.chunk_ext_max as u64)),
        ("`limits.trailers_max`", bytes(limits.trailers_max as u64)),
        ("`limits.body_max`", bytes(limits.body_max)),
        ("`limits.discard_max`", bytes(limits.discard_max)),
        ("`handshake_timeout`", time(config.handshake_timeout)),
        ("`first_timeout`", time(config.first_timeout)),
        ("`head_timeout`", time(config.head_timeout)),
        ("`idle_timeout`", time(config.idle_timeout)),
        ("`body_timeout`", time(config.body_timeout)),
        ("`body_rate`", format!("{} B/s", config.body_rate)),
        ("`work_timeout`", config.work_timeout.map_or("none".to_owned(), time)),
        ("`write_timeout`", time(config.write_timeout)),
        ("`write_rate`", format!("{} B/s", config.write_rate)),
        ("`linger_timeout`", time(config.linger_timeout)),
        ("`connections_max`", config.connections_max.to_string()),
        ("`per_address.connections_max`", number(config.per_address.connections_max)),
        ("`per_address.rate_max`", number(config.per_address.rate_max)),
        ("`buffers_max`", bytes(config.buffers_max as u64)),
        ("`requests_per_connection`", config.requests_per_connection.to_string()),
        ("`helpers_min`..`helpers_max`", format!("{}..{}", config.helpers_min, config.helpers_max)),
        ("`helper_queue`", config.helper_queue.to_string()),
        ("`join_limit`", time(config.join_limit)),
        ("`drain_idle`", time(config.drain_idle)),
    ];
    for (field, default) in table {
        assert_eq!(stated(field), default, "{field}");
    }
}

/// Whoever takes the licence must get its text.
#[test]
fn both_licences_are_there() {
    assert!(include_str!("../LICENSE-MIT").starts_with("MIT License"));
    assert!(include_str!("../LICENSE-APACHE").contains("Version 2.0, January 2004"));
}
