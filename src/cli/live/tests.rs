use super::*;
use crate::cli::args::{Args, Command};
use clap::Parser;
use onepoll::http::{End, Now};

fn site(flags: &[&str]) -> Site {
    let words = ["onepoll", "serve", "--log-format", "off"].iter().chain(flags);
    let Ok(Args { command: Command::Serve(args), .. }) = Args::try_parse_from(words) else {
        panic!("{flags:?}");
    };
    Site::new(&args, &onepoll::files::Uploads::new()).unwrap()
}

fn live() -> (Live, Next) {
    let next = Next::default();
    (Live::new(site(&[]), Kept::new(None, None, None), next.clone(), None), next)
}

fn renew(live: &mut Live, next: &Next, flags: &[&str]) {
    next.put(Renewal { site: site(flags), config: Config::default() });
    live.idle(Now::read());
}

/// The exchange, as far as it needs no helper.
fn begin(live: &mut Live) -> Box<Exchange> {
    match live.begin(Box::default()) {
        Step::Respond(exchange) | Step::Offload(exchange, _) => exchange,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_old_stays_until_its_last_request_has_ended() {
    let (mut live, next) = live();
    live.prepare(&Config::default()).unwrap();
    let (first, second) = (begin(&mut live), begin(&mut live));
    renew(&mut live, &next, &["--listing"]);
    let third = begin(&mut live);
    let generations = [&first, &second, &third].map(|exchange| exchange.bookmark.generation);
    assert_eq!(generations, [1, 1, 2]);
    // Nobody watches: that is the end of it.
    assert!(!live.observes(&first));
    live.idle(Now::read());
    assert_eq!((live.old.len(), live.era(1).unwrap().open.get()), (1, 1));
    assert!(matches!(live.resume(second), Step::Respond(_) | Step::Offload(..)));
    assert!(!live.observes(&first), "the other's turn");
    live.idle(Now::read());
    assert_eq!((live.old.len(), live.now.open.get()), (0, 1));
}

#[test]
fn who_is_watched_ends_with_the_finish() {
    let (mut live, next) = live();
    renew(&mut live, &next, &["--metrics=/m", "--cors", "*"]);
    let mut exchange = begin(&mut live);
    renew(&mut live, &next, &[]);
    // As the engine does: first whether, then when it is taken.
    assert!(live.observes(&exchange) && live.observes(&exchange));
    assert_eq!(live.old.len(), 1);
    let now = Now::read();
    let outcome =
        Outcome { status: Status::OK, bytes: 0, started: now.instant, ended: now, end: End::Sent };
    live.finish(&mut exchange, &outcome);
    live.idle(now);
    assert!(live.old.is_empty());
}

#[test]
fn what_never_began_belongs_to_nobody() {
    let (live, _) = live();
    assert!(!live.observes(&Exchange::default()));
    assert_eq!(live.now.open.get(), 0);
}

#[test]
fn there_are_so_many_old_ones_at_most() {
    let (mut live, next) = live();
    let mut held = Vec::new();
    for _ in 0..300 {
        held.push(begin(&mut live));
        renew(&mut live, &next, &[]);
        assert!(live.old.len() <= OLD_MAX);
        assert_ne!(live.now.number, 0);
    }
    // One that is too old is told so.
    let Step::Respond(exchange) = live.resume(held.swap_remove(40)) else { panic!("no reply") };
    assert_eq!(exchange.response.status(), Status::SERVICE_UNAVAILABLE);
    assert!(!live.observes(&exchange));
}
