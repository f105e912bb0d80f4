use super::*;
use proptest::prelude::*;

/// Times of requests: bursts, trickles and pauses, in the order in which they come.
fn times(window: u64) -> impl Strategy<Value = Vec<u64>> {
    let gap = prop_oneof![
        4 => Just(0),
        4 => 0..window / 50 + 2,
        2 => 0..window + 2,
        1 => 0..window * 3 + 2,
    ];
    prop::collection::vec(gap, 0..300).prop_map(|gaps| {
        let mut now = 0;
        gaps.into_iter()
            .map(|gap| {
                now += gap;
                now
            })
            .collect()
    })
}

/// Those of them that lie within the window that ends now.
fn within(log: &[u64], window: u64, now: u64) -> usize {
    log.iter().filter(|&&time| time + window > now).count()
}

fn sliding(limit: u32, window: u64) -> Sliding {
    let mut sliding = Sliding::new(limit, window);
    sliding.clear(0);
    sliding
}

proptest! {
    /// Up to 32 the rule is the definition: so many in any window.
    #[test]
    fn low_limits_are_exact(
        limit in 1..=32_u32,
        (window, times) in (1..5000_u64).prop_flat_map(|window| (Just(window), times(window))),
    ) {
        let mut sliding = sliding(limit, window);
        let mut log: Vec<u64> = Vec::new();
        for now in times {
            let used = within(&log, window, now);
            let taken = sliding.take(0, now);
            prop_assert_eq!(taken.is_ok(), used < limit as usize, "at {}", now);
            if taken.is_ok() {
                log.push(now);
            }
            let left = limit as usize - within(&log, window, now);
            let oldest = log.iter().find(|&&time| time + window > now);
            let more_in = oldest.map_or(0, |time| time + window - now);
            let quota = Quota { left: left as u32, more_in };
            let (Ok(got) | Err(got)) = taken;
            prop_assert_eq!(got, quota);
            prop_assert_eq!(sliding.look(0, now), quota);
        }
    }

    /// Above: never more than the limit in any window, and nobody is turned down
    /// for requests that are older than the window and a 30th.
    #[test]
    fn high_limits_are_safe_and_nearly_exact(
        limit in 33..120_u32,
        (window, times) in (1..5000_u64).prop_flat_map(|window| (Just(window), times(window))),
    ) {
        let mut sliding = sliding(limit, window);
        let grain = window.div_ceil(30);
        let mut log: Vec<u64> = Vec::new();
        for now in times {
            match sliding.take(0, now) {
                Ok(quota) => {
                    log.push(now);
                    let used = within(&log, window, now);
                    prop_assert!(used <= limit as usize, "{} at {}", used, now);
                    prop_assert!(quota.left as usize <= limit as usize - used);
                }
                Err(quota) => {
                    prop_assert!(within(&log, window + grain, now) >= limit as usize);
                    prop_assert_eq!(quota.left, 0);
                    prop_assert!(quota.more_in > 0);
                    // To come then is not too early, and a moment before is.
                    let mut then = sliding.clone();
                    prop_assert_eq!(then.look(0, now + quota.more_in - 1).left, 0);
                    prop_assert!(then.look(0, now + quota.more_in).left > 0);
                }
            }
        }
    }

    /// A bucket lets in what its definition does: over any span that ends now, no
    /// more than a full bucket and what dripped in meanwhile.
    #[test]
    fn buckets_are_exact(
        (burst, rate) in (1..40_u32, 1..40_u32),
        (period, times) in (1..5000_u64).prop_flat_map(|period| (Just(period), times(period))),
    ) {
        let mut bucket = Bucket::new(burst, rate, period);
        bucket.clear(0);
        let mut log: Vec<u64> = Vec::new();
        for now in times {
            let fits = (0..=log.len()).all(|from| {
                let since = log.get(from).copied().unwrap_or(now);
                let count = (log.len() - from + 1) as u128;
                let (burst, rate) = (u128::from(burst), u128::from(rate));
                let period = u128::from(period);
                count * period <= burst * period + rate * u128::from(now - since)
            });
            let taken = bucket.take(0, now);
            prop_assert_eq!(taken.is_ok(), fits, "at {}", now);
            match taken {
                Ok(_) => log.push(now),
                Err(quota) => {
                    let mut then = Bucket { levels: bucket.levels.clone(), ..bucket };
                    prop_assert_eq!(then.look(0, now + quota.more_in - 1).left, 0);
                    prop_assert!(then.look(0, now + quota.more_in).left > 0);
                }
            }
        }
    }
}

#[test]
fn extremes_neither_overflow_nor_divide_by_zero() {
    for (limit, window) in [(0, 0), (1, u64::MAX), (u32::MAX, u64::MAX), (u32::MAX, 1)] {
        let mut sliding = sliding(limit, window);
        let mut bucket = Bucket::new(limit, limit, window);
        bucket.clear(0);
        for now in [0, 1, u64::MAX - 1, u64::MAX, u64::MAX] {
            let _ = sliding.take(0, now);
            let _ = bucket.take(0, now);
        }
        assert!(sliding.look(0, u64::MAX).left <= limit.max(1));
        assert!(bucket.look(0, u64::MAX).left <= limit.max(1));
    }
}

#[test]
fn rows_are_apart_and_begin_anew() {
    for mut rule in [Rule::Sliding(Sliding::new(2, 100)), Rule::Bucket(Bucket::new(2, 1, 100))] {
        rule.clear(0);
        rule.clear(1);
        assert_eq!(rule.take(0, 5).map(|quota| quota.left), Ok(1));
        assert_eq!(rule.take(0, 6).map(|quota| quota.left), Ok(0));
        assert!(rule.take(0, 7).is_err());
        assert_eq!(rule.look(1, 7).left, 2);
        rule.clear(0);
        assert_eq!(rule.look(0, 7).left, 2);
    }
}
