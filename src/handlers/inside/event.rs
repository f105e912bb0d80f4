//! An event: counters as they are, and a snapshot, in JSON on one line.
//!
//! The script counts differences: here are sums, the same as in `/metrics`. The map of
//! slots is letters with counts, as in `b120.3a`: 120 in the state `b`, the second of
//! [`State::ALL`], three free, one in `a`. An event has some 4 kB, and with 4,096 slots
//! that are all unlike their neighbours 10.

use crate::app::json::{Object, object_in};
use crate::stats::{Close, Helpers, Part, Snapshot, State, Stats, Times};
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

/// Appends it.
pub(super) fn write(out: &mut Vec<u8>, stats: &Stats, snapshot: &Snapshot) {
    let mut text = String::with_capacity(8 * 1024);
    text.push_str("data: ");
    object_in(&mut text, |event| {
        counters(event, stats);
        event.object("closes", |closes| {
            for why in Close::ALL {
                closes.set(why.name(), stats.closes.of(*why));
            }
        });
        event.object("parts", |parts| {
            for part in Part::ALL {
                parts.set(part.name(), stats.watch.parts.of(*part));
            }
        });
        event.array("bounds", |bounds| {
            for bound in Times::BOUNDS_US {
                bounds.push(bound);
            }
        });
        times(event, "turn_times", &stats.turn_times);
        times(event, "handler_times", &stats.watch.handler_times);
        event.object("helpers", |object| helpers(object, &stats.helpers));
        slots(event, snapshot);
        wheel(event, snapshot);
        routes(event, stats, snapshot);
    });
    text.push_str("\n\n");
    out.extend_from_slice(text.as_bytes());
}

fn counters(event: &mut Object<'_>, stats: &Stats) {
    for (name, counter) in [
        ("turns", &stats.turns),
        ("accepted", &stats.accepted),
        ("open", &stats.open),
        ("busy", &stats.busy),
        ("slots", &stats.slots),
        ("refused", &stats.refused),
        ("accept_errors", &stats.accept_errors),
        ("requests", &stats.requests),
        ("faults", &stats.faults),
        ("bytes_in", &stats.bytes_in),
        ("bytes_out", &stats.bytes_out),
        ("timeouts", &stats.timeouts),
        ("cuts", &stats.cuts),
        ("shed", &stats.shed),
        ("jobs_refused", &stats.jobs_refused),
        ("buffers", &stats.buffers),
        ("strays", &stats.strays),
        ("timers", &stats.timers),
        ("lag_us", &stats.lag_us),
        ("draining", &stats.draining),
        ("blames", &stats.watch.blames),
    ] {
        event.set(name, counter.value());
    }
}

fn times(event: &mut Object<'_>, name: &str, times: &Times) {
    event.object(name, |object| {
        object.array("counts", |counts| times.counts().for_each(|count| counts.push(count)));
        object.set("total_us", times.total_us());
    });
}

fn helpers(object: &mut Object<'_>, helpers: &Helpers) {
    for (name, value) in [
        ("queued", &helpers.queued),
        ("queue_max", &helpers.queue_max),
        ("running", &helpers.running),
        ("threads", &helpers.threads),
    ] {
        object.set(name, value.load(Relaxed) as u64);
    }
    for (name, value) in [
        ("started", &helpers.started),
        ("refused", &helpers.refused),
        ("panicked", &helpers.panicked),
        ("wait_total_us", &helpers.wait_total_us),
        ("wait_max_us", &helpers.wait_max_us),
    ] {
        object.set(name, value.load(Relaxed));
    }
}

fn slots(event: &mut Object<'_>, snapshot: &Snapshot) {
    event.set("number", snapshot.number);
    event.set("at_us", snapshot.at_us);
    event.object("states", |states| {
        for (state, count) in State::ALL.iter().zip(snapshot.states) {
            states.set(state.name(), count);
        }
    });
    event.set("map", &*map(&snapshot.map));
}

fn map(slots: &[Option<State>]) -> String {
    let mut text = String::new();
    for run in slots.chunk_by(|one, next| one == next) {
        let letter = match run.first() {
            Some(Some(state)) => char::from(b'a' + *state as u8),
            _ => '.',
        };
        text.push(letter);
        if run.len() > 1 {
            let _ = write!(text, "{}", run.len());
        }
    }
    text
}

fn wheel(event: &mut Object<'_>, snapshot: &Snapshot) {
    let wheel = &snapshot.wheel;
    event.object("wheel", |object| {
        for (name, sectors) in [("fine", &wheel.fine), ("coarse", &wheel.coarse)] {
            object.array(name, |list| sectors.iter().for_each(|count| list.push(*count)));
        }
        object.array("hands", |list| wheel.hands.iter().for_each(|hand| list.push(*hand as u64)));
    });
}

fn routes(event: &mut Object<'_>, stats: &Stats, snapshot: &Snapshot) {
    event.array("routes", |list| {
        for time in &snapshot.routes {
            list.object(|route| {
                route.set("route", &*time.route);
                route.set("count", time.count);
                route.set("mean_us", (time.total_ns / time.count.max(1)) as f64 / 1000.0);
                route.set("max_us", time.max_ns as f64 / 1000.0);
            });
        }
    });
    // Left out while the watchdog writes it: the page keeps what it has.
    let Some(blamed) = stats.watch.blamed() else { return };
    event.array("blamed", |list| {
        for blame in &blamed {
            list.object(|object| {
                object.set("route", &*blame.route);
                object.set("count", blame.count);
                object.set("longest_ms", blame.longest.as_millis() as u64);
                object.set("holds", blame.holds);
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_run_lengths() {
        assert_eq!(map(&[]), "");
        let mut slots = vec![Some(State::Idle); 120];
        slots.extend([None, None, None, Some(State::New), Some(State::Linger)]);
        assert_eq!(map(&slots), "b120.3ak");
    }

    #[test]
    fn an_event_is_one_line() {
        let mut out = Vec::new();
        write(&mut out, &Stats::default(), &Snapshot::default());
        let text = String::from_utf8(out).expect("it is text");
        assert!(text.starts_with("data: {\"turns\":0,") && text.ends_with("}\n\n"), "{text}");
        assert_eq!(text.matches('\n').count(), 2);
    }
}
