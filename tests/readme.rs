//! The README and the guide state the true defaults; the guide knows all metrics.

mod support;

use onepoll::Config;
use std::collections::BTreeSet;
use std::time::Duration;

const README: &str = include_str!("../README.md");
const GUIDE: &str = include_str!("../src/guide/production.rs");

/// The second column of the row whose first column is this.
#[track_caller]
fn stated(document: &'static str, field: &str) -> &'static str {
    let start = format!("| {field} |");
    let lines = document.lines().map(|line| line.strip_prefix("//! ").unwrap_or(line));
    let row = lines.into_iter().find_map(|line| line.strip_prefix(start.as_str()));
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
    for (field, default) in table(&config) {
        assert_eq!(stated(README, field), default, "{field}");
    }
}

#[test]
fn the_guide_names_the_defaults_of_all_fields() {
    let config = Config::default();
    let both = "`helpers_min`..`helpers_max`";
    for (field, default) in table(&config).into_iter().filter(|(field, _)| *field != both) {
        assert_eq!(stated(GUIDE, field), default, "{field}");
    }
    let nobody = |networks: &onepoll::http::Networks| {
        assert_eq!(*networks, onepoll::http::Networks::none());
        "nobody".to_owned()
    };
    for (field, default) in [
        ("`helpers_min`", config.helpers_min.to_string()),
        ("`helpers_max`", config.helpers_max.to_string()),
        ("`overload`", format!("{:?}", config.overload)),
        ("`per_address.turn_away`", format!("{:?}", config.per_address.turn_away)),
        ("`trusted`", nobody(&config.trusted)),
        ("`proxy_protocol`", nobody(&config.proxy_protocol)),
        ("`forwarded`", format!("{:?}", config.forwarded)),
        ("`server_name`", config.server_name.clone().unwrap_or_default()),
    ] {
        assert_eq!(stated(GUIDE, field), default, "{field}");
    }
    // What is new in the configuration is new in the guide.
    let shown = format!("{config:#?}");
    let (mut seen, mut within) = (0, "");
    for line in shown.lines() {
        let Some((name, value)) = line.trim_start().split_once(": ") else { continue };
        let path = match line.len() - line.trim_start().len() {
            4 if ["limits", "per_address"].contains(&name) => {
                within = name;
                continue;
            }
            4 => {
                within = "";
                format!("`{name}`")
            }
            8 if !within.is_empty() => format!("`{within}.{name}`"),
            _ => continue,
        };
        assert!(GUIDE.contains(&path), "{path} {value} is not in the guide");
        seen += 1;
    }
    assert!(seen > 30, "fields were found: {seen}");
}

/// Those that the page has, and no others.
#[test]
fn the_guide_knows_all_metrics() {
    let server = onepoll::Server::bind("127.0.0.1:0").expect("a free port");
    let server = server.spawn(|| {
        let mut app = onepoll::App::new();
        onepoll::handlers::Metrics::new().mount(&mut app, "/metrics");
        app.get("/", |_: &mut onepoll::Request| "hello");
        app
    });
    let mut client = support::Client::connect(server.as_ref().expect("it starts").local_addr());
    client.ask("GET /", &[]).expect(200);
    let page = client.ask("GET /metrics", &[]).expect(200).text().to_owned();
    let shown = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let shown: BTreeSet<_> = shown.collect();
    let rows = GUIDE.lines().filter_map(|line| line.strip_prefix("//! | `")?.split('`').next());
    let named: BTreeSet<_> =
        rows.filter(|name| name.starts_with("onepoll_") || name.starts_with("http_")).collect();
    assert_eq!(named, shown);
}

/// Each field's name, and its default in words.
fn table(config: &Config) -> Vec<(&'static str, String)> {
    let limits = &config.limits;
    vec![
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
        ("`blame`", config.blame.map_or("none".to_owned(), time)),
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
    ]
}

/// Whoever takes the licence must get its text.
#[test]
fn both_licences_are_there() {
    assert!(include_str!("../LICENSE-MIT").starts_with("MIT License"));
    assert!(include_str!("../LICENSE-APACHE").contains("Version 2.0, January 2004"));
}
