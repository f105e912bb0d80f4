use super::*;

#[test]
fn flags_set_the_level_for_everything() {
    let table = [
        (0, 0, LevelFilter::Info),
        (1, 0, LevelFilter::Debug),
        (2, 0, LevelFilter::Trace),
        (9, 0, LevelFilter::Trace),
        (0, 1, LevelFilter::Warn),
        (0, 2, LevelFilter::Error),
        (0, 3, LevelFilter::Off),
        (1, 1, LevelFilter::Info),
        (255, 0, LevelFilter::Trace),
        (0, 255, LevelFilter::Off),
    ];
    for (more, less, level) in table {
        let (filter, wrong) = Filter::new(more, less, "");
        assert_eq!(filter.max(), level, "-v {more} -q {less}");
        assert!(wrong.is_empty());
    }
}

#[test]
fn the_most_specific_target_counts() {
    let text = "warn, onepoll=debug,onepoll::reactor=trace,noisy=off,loud";
    let (filter, wrong) = Filter::new(0, 0, text);
    assert!(wrong.is_empty());
    let table = [
        ("other", Level::Warn, true),
        ("other", Level::Info, false),
        ("onepoll", Level::Debug, true),
        ("onepoll", Level::Trace, false),
        ("onepoll::server", Level::Debug, true),
        ("onepoll::reactor", Level::Trace, true),
        ("onepoll::reactor::turn", Level::Trace, true),
        ("onepoll::reactors", Level::Trace, false),
        ("onepollen", Level::Info, false),
        ("noisy::neighbour", Level::Error, false),
        ("loud", Level::Trace, true),
    ];
    for (target, level, wanted) in table {
        assert_eq!(filter.allows(target, level), wanted, "{target} {level}");
    }
    assert_eq!(filter.max(), LevelFilter::Trace);
}

#[test]
fn a_flag_is_stronger_than_the_environment() {
    let (filter, _) = Filter::new(1, 0, "error,other=trace");
    assert!(filter.allows("onepoll", Level::Debug));
    assert!(filter.allows("other", Level::Trace));
}

#[test]
fn what_makes_no_sense_is_told() {
    let (filter, wrong) = Filter::new(0, 0, "onepoll=loud,=warn,a b=info,,x=DEBUG,x=error");
    assert_eq!(wrong, ["onepoll=loud", "=warn", "a b=info"]);
    assert!(!filter.allows("x", Level::Warn));
    assert!(filter.allows("x", Level::Error));
    let many: String = (0..100).map(|i| format!("t{i}=warn,")).collect();
    assert_eq!(Filter::new(0, 0, &many).1.len(), 100 - TARGETS_MAX);
}
