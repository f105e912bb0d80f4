//! Every row, every joint rule, and a walk through all that can be reached.

use super::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const READS: [Read; 4] = [Read::Head, Read::Body, Read::Done, Read::Closed];
const WRITES: [Write; 5] = [Write::Idle, Write::Owed, Write::Body, Write::Done, Write::Closed];
const STEPS: [Step; 21] = [
    Step::Head,
    Step::HeadOfBody,
    Step::Data,
    Step::End,
    Step::Extra,
    Step::BadHead,
    Step::BadBody,
    Step::EofBetween,
    Step::EofInside,
    Step::EofBehind,
    Step::Interim,
    Step::Respond,
    Step::RespondBody,
    Step::Frame,
    Step::Finish,
    Step::Cut,
    Step::Fail,
    Step::NextCycle,
    Step::DrainEmpty,
    Step::Unkeep,
    Step::Switch,
];

/// `"Head/Idle+keep"` as a state.
fn state(text: &str) -> State {
    all_states().find(|s| s.to_string() == text).unwrap_or_else(|| panic!("no state {text}"))
}

fn all_states() -> impl Iterator<Item = State> {
    READS.into_iter().flat_map(|read| {
        WRITES.into_iter().flat_map(move |write| {
            [true, false].into_iter().map(move |keep| State { read, write, keep })
        })
    })
}

fn step(from: &str, step: Step) -> String {
    let mut s = state(from);
    match s.take(step) {
        Ok(()) => s.to_string(),
        Err(misuse) => {
            assert_eq!(s, state(from), "misuse changes nothing");
            format!("misuse: {}", misuse.call)
        }
    }
}

#[test]
fn each_row_of_the_table() {
    const CLOSED: &str = "Closed/Closed";
    let rows = [
        (1, "Head/Idle+keep", Step::Head, "Done/Owed+keep"),
        (1, "Done/Owed+keep", Step::Head, "misuse: receive"),
        (2, "Head/Idle+keep", Step::HeadOfBody, "Body/Owed+keep"),
        (2, "Head/Idle", Step::HeadOfBody, "Body/Owed"),
        (3, "Body/Owed+keep", Step::Data, "Body/Owed+keep"),
        (3, "Body/Body+keep", Step::Data, "Body/Body+keep"),
        (3, "Body/Done+keep", Step::Data, "Body/Done+keep"),
        (3, "Done/Owed+keep", Step::Data, "misuse: receive"),
        (4, "Body/Owed+keep", Step::End, "Done/Owed+keep"),
        (4, "Body/Body+keep", Step::End, "Done/Body+keep"),
        (4, "Body/Done+keep", Step::End, "Done/Done+keep"),
        (4, "Head/Idle+keep", Step::End, "misuse: receive"),
        (5, "Done/Owed+keep", Step::Extra, "Done/Owed+keep"),
        (5, "Done/Body", Step::Extra, "Done/Body"),
        (5, "Body/Owed", Step::Extra, "misuse: receive"),
        (6, "Head/Idle+keep", Step::BadHead, "Closed/Owed"),
        (6, "Done/Owed+keep", Step::BadHead, "misuse: receive"),
        (7, "Body/Owed+keep", Step::BadBody, "Closed/Owed"),
        (7, "Body/Body+keep", Step::BadBody, CLOSED),
        (7, "Body/Done+keep", Step::BadBody, CLOSED),
        (8, "Head/Idle+keep", Step::EofBetween, CLOSED),
        (8, "Body/Owed+keep", Step::EofBetween, "misuse: receive_eof"),
        (9, "Head/Idle+keep", Step::EofInside, CLOSED),
        (9, "Body/Owed+keep", Step::EofInside, CLOSED),
        (9, "Body/Body", Step::EofInside, CLOSED),
        (9, "Done/Owed+keep", Step::EofInside, "misuse: receive_eof"),
        (10, "Done/Owed+keep", Step::EofBehind, "Closed/Owed"),
        (10, "Done/Body+keep", Step::EofBehind, "Closed/Body"),
        (10, "Done/Done+keep", Step::EofBehind, CLOSED),
        (11, "Body/Owed+keep", Step::Interim, "Body/Owed+keep"),
        (11, "Done/Owed", Step::Interim, "Done/Owed"),
        (11, "Body/Body+keep", Step::Interim, "misuse: interim"),
        (12, "Done/Owed+keep", Step::Respond, "Done/Done+keep"),
        (12, "Body/Owed+keep", Step::Respond, "Body/Done+keep"),
        (12, "Closed/Owed", Step::Respond, CLOSED),
        (12, "Done/Done+keep", Step::Respond, "misuse: respond"),
        (12, "Head/Idle+keep", Step::Respond, "misuse: respond"),
        (13, "Done/Owed+keep", Step::RespondBody, "Done/Body+keep"),
        (13, "Body/Owed+keep", Step::RespondBody, "Body/Body+keep"),
        (13, "Closed/Owed", Step::RespondBody, "Closed/Body"),
        (13, "Done/Body+keep", Step::RespondBody, "misuse: respond"),
        (14, "Done/Body+keep", Step::Frame, "Done/Body+keep"),
        (14, "Done/Owed+keep", Step::Frame, "misuse: frame"),
        (15, "Done/Body+keep", Step::Finish, "Done/Done+keep"),
        (15, "Closed/Body", Step::Finish, CLOSED),
        (15, "Done/Done+keep", Step::Finish, "misuse: finish"),
        (16, "Done/Body+keep", Step::Cut, CLOSED),
        (16, "Head/Idle+keep", Step::Cut, CLOSED),
        (17, "Head/Idle+keep", Step::Fail, "Closed/Owed"),
        (17, "Body/Owed+keep", Step::Fail, "Closed/Owed"),
        (17, "Done/Owed+keep", Step::Fail, "Closed/Owed"),
        (17, "Done/Body+keep", Step::Fail, "misuse: refuse"),
    ];
    for (row, from, taken, to) in rows {
        assert_eq!(step(from, taken), to, "row {row}: {from} {taken:?}");
    }
}

#[test]
fn each_joint_rule() {
    let rules = [
        ("J1", "Done/Done+keep", Step::NextCycle, "Head/Idle+keep"),
        ("J1 asked for too early", "Body/Done+keep", Step::NextCycle, "misuse: next_cycle"),
        ("J1 asked for too early", "Done/Body+keep", Step::NextCycle, "misuse: next_cycle"),
        ("J2", "Done/Owed", Step::Respond, "Closed/Closed"),
        ("J2 after content", "Done/Body", Step::Finish, "Closed/Closed"),
        ("J2 by itself", "Done/Done+keep", Step::Unkeep, "Closed/Closed"),
        ("J3", "Body/Owed+keep", Step::Respond, "Body/Done+keep"),
        ("J3, then J1", "Body/Done+keep", Step::End, "Done/Done+keep"),
        ("J3 gives up", "Body/Done+keep", Step::Unkeep, "Closed/Closed"),
        ("J4", "Body/Owed", Step::Respond, "Closed/Closed"),
        ("J4 after content", "Body/Body", Step::Finish, "Closed/Closed"),
        ("J5", "Closed/Owed", Step::Respond, "Closed/Closed"),
        ("J6", "Head/Idle+keep", Step::DrainEmpty, "Closed/Closed"),
        ("J6 only when it is asked for", "Head/Idle+keep", Step::Unkeep, "Head/Idle"),
        ("J6 not with a request at work", "Done/Owed+keep", Step::DrainEmpty, "misuse: drain"),
        ("switch", "Done/Owed+keep", Step::Switch, "Closed/Closed"),
        ("switch not before the content", "Body/Owed+keep", Step::Switch, "misuse: respond"),
    ];
    for (rule, from, taken, to) in rules {
        assert_eq!(step(from, taken), to, "{rule}: {from} {taken:?}");
    }
}

/// All states that a connection can be in, each with the states one step away.
fn reachable() -> BTreeMap<String, BTreeSet<String>> {
    let mut seen = BTreeMap::new();
    let mut queue = VecDeque::from([State::NEW]);
    while let Some(from) = queue.pop_front() {
        if seen.contains_key(&from.to_string()) {
            continue;
        }
        let nexts = STEPS.into_iter().filter_map(|step| {
            let mut to = from;
            to.take(step).ok().map(|()| to)
        });
        let nexts: Vec<State> = nexts.collect();
        seen.insert(from.to_string(), nexts.iter().map(State::to_string).collect());
        queue.extend(nexts);
    }
    seen
}

#[test]
fn what_can_be_reached() {
    let reached: Vec<String> = reachable().into_keys().collect();
    let expected = [
        "Body/Body",
        "Body/Body+keep",
        "Body/Done+keep",
        "Body/Owed",
        "Body/Owed+keep",
        "Closed/Body",
        "Closed/Closed",
        "Closed/Owed",
        "Done/Body",
        "Done/Body+keep",
        "Done/Done+keep",
        "Done/Owed",
        "Done/Owed+keep",
        "Head/Idle",
        "Head/Idle+keep",
    ];
    assert_eq!(reached, expected);
}

/// Not by `Cut`, which leads there from anywhere: by the ordinary steps alone.
#[test]
fn each_state_has_an_orderly_way_to_closed() {
    const ORDERLY: [Step; 8] = [
        Step::Head,
        Step::End,
        Step::EofBetween,
        Step::EofBehind,
        Step::Respond,
        Step::Finish,
        Step::NextCycle,
        Step::Unkeep,
    ];
    for text in reachable().into_keys() {
        let mut todo = vec![state(&text)];
        let mut seen = Vec::new();
        let mut closed = false;
        while let Some(from) = todo.pop() {
            closed |= (from.read, from.write) == (Read::Closed, Write::Closed);
            if seen.contains(&from) {
                continue;
            }
            seen.push(from);
            for step in ORDERLY {
                let mut to = from;
                if to.take(step).is_ok() {
                    todo.push(to);
                }
            }
        }
        assert!(closed, "{text} is a dead end");
    }
}

#[test]
fn keep_never_comes_back_and_closed_stays_closed() {
    for from in all_states() {
        for step in STEPS {
            let mut to = from;
            if to.take(step).is_err() {
                continue;
            }
            assert!(from.keep || !to.keep, "{from} {step:?} {to}");
            assert!(from.read != Read::Closed || to.read == Read::Closed, "{from} {step:?} {to}");
            let wrote = from.write == Write::Closed && to.write != Write::Closed;
            assert!(!wrote, "{from} {step:?} {to}");
        }
    }
}

#[test]
fn joint_rules_are_at_their_fixed_point_in_every_reachable_state() {
    for text in reachable().into_keys() {
        assert_eq!(state(&text).joint().filter(|_| text != "Closed/Closed"), None, "{text}");
    }
}

#[test]
fn one_stride_is_the_steps_of_a_whole_reply() {
    let mut taken = 0;
    for from in all_states() {
        let mut at_once = from;
        if !at_once.take_whole() {
            assert_eq!(at_once, from, "nothing happens");
            continue;
        }
        taken += 1;
        let content = [Step::RespondBody, Step::Frame, Step::Finish, Step::NextCycle];
        for steps in [&content[..], &[Step::Respond, Step::NextCycle]] {
            let mut at = from;
            for step in steps {
                at.take(*step).unwrap();
            }
            assert_eq!(at, at_once, "{from} {steps:?}");
        }
    }
    assert_eq!(taken, 1);
}
