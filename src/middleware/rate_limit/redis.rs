//! Quotas in a Redis or Valkey server.
//!
//! Each rule is one script, which the server runs as a whole, by its own clock: the
//! machines' clocks may differ. A quota that is full again expires.
//!
//! **Sliding window**: a sorted set of the requests that were let in, at most as many
//! as the limit. **Token bucket**: one number, the time at which the bucket will be
//! full again (the generic cell rate algorithm of ATM, ITU-T I.371): each request moves
//! it by a token's time, and it may be so far ahead as the bucket is deep.

use super::shared::{Policy, RateStore, Taken};
use crate::kv::Redis;
use ::redis::Script;
use std::fmt;
use std::io;
use std::time::Duration;

/// Before the keys of quotas, unless [`RedisRates::prefix`] says otherwise.
const PREFIX: &str = "onepoll:rate:";

/// Counts requests in a server that several machines use, for
/// [`RateLimit::shared`](super::RateLimit::shared).
///
/// ```
/// use onepoll::kv::Redis;
/// use onepoll::middleware::{RateLimit, RedisRates};
/// use std::time::Duration;
/// let rates = RedisRates::new(Redis::new("redis://127.0.0.1")?);
/// let limit = RateLimit::sliding(100, Duration::from_secs(60)).shared(rates);
/// # Ok::<(), onepoll::Error>(())
/// ```
pub struct RedisRates {
    redis: Redis,
    prefix: String,
    sliding: Script,
    bucket: Script,
}

impl RedisRates {
    /// Quotas in that server.
    pub fn new(redis: Redis) -> RedisRates {
        RedisRates {
            redis,
            prefix: PREFIX.to_owned(),
            sliding: Script::new(SLIDING),
            bucket: Script::new(BUCKET),
        }
    }

    /// What stands before the keys: `onepoll:rate:`. Limits that count apart need one
    /// each.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> RedisRates {
        prefix.clone_into(&mut self.prefix);
        self
    }
}

impl RateStore for RedisRates {
    fn take(&self, key: u128, policy: Policy) -> io::Result<Taken> {
        let name = format!("{}{key:x}", self.prefix);
        let (script, first, second) = match policy {
            Policy::Sliding { limit, window } => (&self.sliding, limit, micros(window)),
            Policy::TokenBucket { burst, rate, period } => {
                // Nanoseconds per token: no less than one.
                let token = period.as_nanos() / u128::from(rate.max(1));
                let token = u64::try_from(token).unwrap_or(u64::MAX).clamp(1, NANOS_MAX);
                (&self.bucket, burst, token)
            }
        };
        let (allowed, left, more_in): (u8, u32, u64) = self.redis.call(|c| {
            let mut call = script.key(&name);
            call.arg(first.max(1)).arg(second).invoke(c)
        })?;
        Ok(Taken { allowed: allowed == 1, left, more_in: Duration::from_micros(more_in) })
    }
}

/// A token's time at most: a day, so that a script's numbers stay exact.
const NANOS_MAX: u64 = 86_400_000_000_000;

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}

impl fmt::Debug for RedisRates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisRates")
            .field("redis", &self.redis)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// Limit, window in microseconds -> let in, left, microseconds until there is more.
const SLIDING: &str = "
    local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]
    local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - window))
    local used = redis.call('ZCARD', KEYS[1])
    local allowed = 0
    if used < limit then
        -- Of requests in the same microsecond, the number tells them apart.
        redis.call('ZADD', KEYS[1], string.format('%.0f', now), string.format('%.0f-%d', now, used))
        redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil(window / 1000)))
        used = used + 1
        allowed = 1
    end
    local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
    return {allowed, limit - used, math.max(0, oldest[2] + window - now)}";

/// Burst, nanoseconds per token -> the same. Times in microseconds, with fractions.
const BUCKET: &str = "
    local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]
    local burst, token = tonumber(ARGV[1]), tonumber(ARGV[2]) / 1000
    local full = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
    local allowed = 0
    if full + token - now <= burst * token + 0.001 then
        full = full + token
        redis.call('SET', KEYS[1], string.format('%.3f', full), 'PX',
            string.format('%.0f', math.ceil((full - now) / 1000)))
        allowed = 1
    end
    local left = math.max(0, math.floor(burst - (full - now) / token + 0.001))
    local more = 0
    if full > now then more = math.ceil(full - now - (burst - left - 1) * token) end
    return {allowed, left, math.max(0, more)}";
