//! What the loop says about itself, as metrics.

use super::text::{Label, Text, seconds};
use crate::stats::{
    AcceptError, Close, Counter, HandshakeFailure, Helpers, Stats, Times, TurnedAway,
};
use std::sync::atomic::Ordering::Relaxed;

/// Numbers of loops, each with its label if there are several.
struct Loops<'a>(Vec<(Option<String>, &'a Stats)>);

/// Writes what the loops say of themselves: those of one server, in order, or the
/// only one.
pub(super) fn write(text: &mut Text, stats: &Stats) {
    let siblings: Vec<_> = stats.siblings().collect();
    let numbered = siblings.iter().enumerate();
    let mut loops: Vec<_> =
        numbered.map(|(i, stats)| (Some(i.to_string()), stats.as_ref())).collect();
    if loops.is_empty() {
        loops.push((None, stats));
    }
    let loops = Loops(loops);
    loops.connections(text);
    loops.handshakes(text);
    loops.traffic(text);
    loops.turns(text);
    helpers(text, &stats.helpers);
}

impl Loops<'_> {
    /// A family, and in it what `samples` writes of each loop.
    fn family(
        &self,
        text: &mut Text,
        (name, kind, help): (&str, &str, &str),
        mut samples: impl FnMut(&mut Text, &[Label<'_>], &Stats),
    ) {
        text.family(name, kind, help);
        for (number, stats) in &self.0 {
            let label = number.as_deref().map(|number| ("reactor", number));
            samples(text, label.as_slice(), stats);
        }
    }

    /// One sample of each loop.
    fn single(&self, text: &mut Text, about: (&str, &str, &str), value: impl Fn(&Stats) -> u64) {
        self.family(text, about, |text, labels, stats| {
            text.sample(about.0, "", labels, value(stats));
        });
    }

    fn connections(&self, text: &mut Text) {
        let name = "onepoll_connections";
        let help = "Connections that are open, as of the last turn of the loop.";
        self.family(text, (name, "gauge", help), |text, labels, stats| {
            let (open, busy) = (stats.open.value(), stats.busy.value());
            text.sample(name, "", &with(labels, "state", "busy"), busy);
            text.sample(name, "", &with(labels, "state", "idle"), open.saturating_sub(busy));
        });
        let help = "Slots of connections that are taken.";
        self.single(text, ("onepoll_slab_used", "gauge", help), |stats| stats.open.value());
        let help = "Slots of connections before memory grows.";
        self.single(text, ("onepoll_slab_capacity", "gauge", help), |stats| stats.slots.value());
        let about = ("onepoll_connections_accepted_total", "counter", "Connections accepted.");
        self.single(text, about, |stats| stats.accepted.value());
        let help = "Connections refused for want of a slot.";
        let about = ("onepoll_connections_refused_total", "counter", help);
        self.single(text, about, |stats| stats.refused.value());
        let name = "onepoll_connections_turned_away_total";
        let help = "Clients turned away for a limit of their address, by which.";
        self.family(text, (name, "counter", help), |text, labels, stats| {
            for why in TurnedAway::ALL {
                let labels = with(labels, "limit", why.name());
                text.sample(name, "", &labels, stats.turned_away.of(*why));
            }
        });
        let name = "onepoll_connections_closed_total";
        let help = "Connections that ended, by the reason.";
        self.family(text, (name, "counter", help), |text, labels, stats| {
            for why in Close::ALL {
                let labels = with(labels, "reason", why.name());
                text.sample(name, "", &labels, stats.closes.of(*why));
            }
        });
        let name = "onepoll_accept_errors_total";
        let help = "Accepts that failed, by kind.";
        self.family(text, (name, "counter", help), |text, labels, stats| {
            for kind in AcceptError::ALL {
                let labels = with(labels, "kind", kind.name());
                text.sample(name, "", &labels, stats.accept_errors_by.of(*kind));
            }
        });
    }

    fn handshakes(&self, text: &mut Text) {
        let name = "onepoll_tls_handshakes_total";
        let help = "TLS handshakes completed, by kind.";
        self.family(text, (name, "counter", help), |text, labels, stats| {
            let (all, resumed) = (stats.handshakes.value(), stats.handshakes_resumed.value());
            text.sample(name, "", &with(labels, "kind", "full"), all.saturating_sub(resumed));
            text.sample(name, "", &with(labels, "kind", "resumed"), resumed);
        });
        let name = "onepoll_tls_handshake_failures_total";
        let help = "TLS handshakes that failed, by the reason.";
        self.family(text, (name, "counter", help), |text, labels, stats| {
            for why in HandshakeFailure::ALL {
                let labels = with(labels, "reason", why.name());
                text.sample(name, "", &labels, stats.handshake_failures.of(*why));
            }
        });
    }

    fn traffic(&self, text: &mut Text) {
        type Which = fn(&Stats) -> &Counter;
        let table: [(&str, &str, Which); 7] = [
            ("onepoll_requests_total", "Requests begun.", |s| &s.requests),
            ("onepoll_faults_total", "Requests that broke the protocol or a limit.", |s| &s.faults),
            ("onepoll_timeouts_total", "Deadlines that ended something.", |s| &s.timeouts),
            ("onepoll_replies_cut_total", "Replies that were not sent whole.", |s| &s.cuts),
            ("onepoll_received_bytes_total", "Bytes read from clients.", |s| &s.bytes_in),
            ("onepoll_sent_bytes_total", "Bytes that sockets took.", |s| &s.bytes_out),
            ("onepoll_strays_total", "Jobs that ended after their client had.", |s| &s.strays),
        ];
        for (name, help, counter) in table {
            self.single(text, (name, "counter", help), |stats| counter(stats).value());
        }
        let about =
            ("onepoll_buffers_lent_bytes", "gauge", "Bytes lent to connections as buffers.");
        self.single(text, about, |stats| stats.buffers.value());
    }

    fn turns(&self, text: &mut Text) {
        let name = "onepoll_loop_turn_seconds";
        let help = "How long turns of the loop took, without the wait.";
        let bounds = Times::BOUNDS_US.map(micros);
        self.family(text, (name, "histogram", help), |text, labels, stats| {
            let sum = micros(stats.turn_times.total_us());
            text.histogram(name, labels, &bounds, stats.turn_times.counts(), sum);
        });
        let name = "onepoll_loop_lag_seconds";
        let help = "The longest turn of the last seconds: what was ready may have waited so long.";
        self.family(text, (name, "gauge", help), |text, labels, stats| {
            text.sample(name, "", labels, micros(stats.lag_us.value()));
        });
        let help = "Handlers that held the loop for longer than they may.";
        let about = ("onepoll_blames_total", "counter", help);
        self.single(text, about, |stats| stats.watch.blames.value());
        let about = ("onepoll_timers", "gauge", "Deadlines that are running.");
        self.single(text, about, |stats| stats.timers.value());
        let about = ("onepoll_draining", "gauge", "Whether the server is leaving.");
        self.single(text, about, |stats| stats.draining.value());
    }
}

fn with<'a>(labels: &[Label<'a>], name: &'a str, value: &'a str) -> Vec<Label<'a>> {
    labels.iter().copied().chain([(name, value)]).collect()
}

fn micros(micros: u64) -> String {
    seconds(u128::from(micros) * 1000)
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
    let waited = micros(helpers.wait_total_us.load(Relaxed));
    let help = "Time that started jobs spent in the queue.";
    text.single("onepoll_helper_wait_seconds_total", "counter", help, waited);
    let longest = micros(helpers.wait_max_us.load(Relaxed));
    let help = "The longest time that a job spent in the queue.";
    text.single("onepoll_helper_wait_max_seconds", "gauge", help, longest);
}
