//! What the loop says about itself, as metrics.

use super::text::{Text, seconds};
use crate::stats::{AcceptError, Close, HandshakeFailure, Helpers, Stats, Times, TurnedAway};
use std::sync::atomic::Ordering::Relaxed;

pub(super) fn write(text: &mut Text, stats: &Stats) {
    connections(text, stats);
    handshakes(text, stats);
    traffic(text, stats);
    turns(text, stats);
    helpers(text, &stats.helpers);
}

fn connections(text: &mut Text, stats: &Stats) {
    let (open, busy) = (stats.open.value(), stats.busy.value());
    let name = "onepoll_connections";
    text.family(name, "gauge", "Connections that are open, as of the last turn of the loop.");
    text.sample(name, "", &[("state", "busy")], busy);
    text.sample(name, "", &[("state", "idle")], open.saturating_sub(busy));
    text.single("onepoll_slab_used", "gauge", "Slots of connections that are taken.", open);
    let help = "Slots of connections before memory grows.";
    text.single("onepoll_slab_capacity", "gauge", help, stats.slots.value());
    let name = "onepoll_connections_accepted_total";
    text.single(name, "counter", "Connections accepted.", stats.accepted.value());
    let help = "Connections refused for want of a slot.";
    text.single("onepoll_connections_refused_total", "counter", help, stats.refused.value());
    let name = "onepoll_connections_turned_away_total";
    text.family(name, "counter", "Clients turned away for a limit of their address, by which.");
    for why in TurnedAway::ALL {
        text.sample(name, "", &[("limit", why.name())], stats.turned_away.of(*why));
    }
    let name = "onepoll_connections_closed_total";
    text.family(name, "counter", "Connections that ended, by the reason.");
    for why in Close::ALL {
        text.sample(name, "", &[("reason", why.name())], stats.closes.of(*why));
    }
    let name = "onepoll_accept_errors_total";
    text.family(name, "counter", "Accepts that failed, by kind.");
    for kind in AcceptError::ALL {
        text.sample(name, "", &[("kind", kind.name())], stats.accept_errors_by.of(*kind));
    }
}

fn handshakes(text: &mut Text, stats: &Stats) {
    let (all, resumed) = (stats.handshakes.value(), stats.handshakes_resumed.value());
    let name = "onepoll_tls_handshakes_total";
    text.family(name, "counter", "TLS handshakes completed, by kind.");
    text.sample(name, "", &[("kind", "full")], all.saturating_sub(resumed));
    text.sample(name, "", &[("kind", "resumed")], resumed);
    let name = "onepoll_tls_handshake_failures_total";
    text.family(name, "counter", "TLS handshakes that failed, by the reason.");
    for why in HandshakeFailure::ALL {
        text.sample(name, "", &[("reason", why.name())], stats.handshake_failures.of(*why));
    }
}

fn traffic(text: &mut Text, stats: &Stats) {
    for (name, help, counter) in [
        ("onepoll_requests_total", "Requests begun.", &stats.requests),
        ("onepoll_faults_total", "Requests that broke the protocol or a limit.", &stats.faults),
        ("onepoll_timeouts_total", "Deadlines that ended something.", &stats.timeouts),
        ("onepoll_replies_cut_total", "Replies that were not sent whole.", &stats.cuts),
        ("onepoll_received_bytes_total", "Bytes read from clients.", &stats.bytes_in),
        ("onepoll_sent_bytes_total", "Bytes that sockets took.", &stats.bytes_out),
        ("onepoll_strays_total", "Jobs that ended after their client had.", &stats.strays),
    ] {
        text.single(name, "counter", help, counter.value());
    }
    let help = "Bytes lent to connections as buffers.";
    text.single("onepoll_buffers_lent_bytes", "gauge", help, stats.buffers.value());
}

fn turns(text: &mut Text, stats: &Stats) {
    let name = "onepoll_loop_turn_seconds";
    text.family(name, "histogram", "How long turns of the loop took, without the wait.");
    let micros = |micros: u64| seconds(u128::from(micros) * 1000);
    let bounds = Times::BOUNDS_US.map(micros);
    let sum = micros(stats.turn_times.total_us());
    text.histogram(name, &[], &bounds, stats.turn_times.counts(), sum);
    let help = "The longest turn of the last seconds: what was ready may have waited so long.";
    text.single("onepoll_loop_lag_seconds", "gauge", help, micros(stats.lag_us.value()));
    text.single("onepoll_timers", "gauge", "Deadlines that are running.", stats.timers.value());
    let help = "Whether the server is leaving.";
    text.single("onepoll_draining", "gauge", help, stats.draining.value());
}

fn helpers(text: &mut Text, helpers: &Helpers) {
    for (name, help, gauge) in [
        ("onepoll_helper_threads", "Helper threads.", &helpers.threads),
        ("onepoll_helper_running", "Jobs that run.", &helpers.running),
        ("onepoll_helper_queue_length", "Jobs that wait.", &helpers.queued),
        (
            "onepoll_helper_queue_capacity",
            "Jobs of the application that may wait.",
            &helpers.queue_max,
        ),
    ] {
        text.single(name, "gauge", help, gauge.load(Relaxed));
    }
    for (name, help, counter) in [
        ("onepoll_helper_jobs_total", "Jobs started.", &helpers.started),
        ("onepoll_helper_refused_total", "Jobs refused.", &helpers.refused),
        ("onepoll_helper_panics_total", "Jobs that panicked.", &helpers.panicked),
    ] {
        text.single(name, "counter", help, counter.load(Relaxed));
    }
    let micros = |micros: u64| seconds(u128::from(micros) * 1000);
    let waited = micros(helpers.wait_total_us.load(Relaxed));
    let help = "Time that started jobs spent in the queue.";
    text.single("onepoll_helper_wait_seconds_total", "counter", help, waited);
    let longest = micros(helpers.wait_max_us.load(Relaxed));
    let help = "The longest time that a job spent in the queue.";
    text.single("onepoll_helper_wait_max_seconds", "gauge", help, longest);
}
