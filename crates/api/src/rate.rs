//! Rate limits, per process: by address before anything is looked up, by token once it is known to be valid.

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::options::{Limits, Rate};
use crate::problem::Problem;

/// How many checks pass between two sweeps of keys that are back at their full burst.
const SWEEP_EVERY: u32 = 4096;

/// All limiters.
#[derive(Debug)]
pub(crate) struct RateLimits {
    address: Keyed<IpAddr>,
    token: Keyed<String>,
    enrol_address: Keyed<IpAddr>,
    enrol_token: Keyed<String>,
}

impl RateLimits {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            address: Keyed::new(limits.per_address),
            token: Keyed::new(limits.per_token),
            enrol_address: Keyed::new(limits.enrolments),
            enrol_token: Keyed::new(limits.enrolments),
        }
    }

    /// Any request.
    pub(crate) fn address(&self, address: IpAddr) -> Result<(), Problem> {
        self.address.check(&crate::ip::network(address))
    }

    /// A request with a valid token.
    pub(crate) fn token(&self, actor: &str) -> Result<(), Problem> {
        self.token.check(&actor.to_owned())
    }

    /// An attempt to enrol, before its token is looked at.
    pub(crate) fn enrol_address(&self, address: IpAddr) -> Result<(), Problem> {
        self.enrol_address.check(&crate::ip::network(address))
    }

    /// An attempt to enrol with a valid token.
    pub(crate) fn enrol_token(&self, actor: &str) -> Result<(), Problem> {
        self.enrol_token.check(&actor.to_owned())
    }
}

struct Keyed<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
    checks: AtomicU32,
}

impl<K: Hash + Eq + Clone> Keyed<K> {
    fn new(rate: Rate) -> Self {
        let quota = Quota::with_period(rate.every)
            .unwrap_or_else(|| Quota::per_second(rate.burst))
            .allow_burst(rate.burst);
        Self { limiter: RateLimiter::keyed(quota), checks: AtomicU32::new(0) }
    }

    fn check(&self, key: &K) -> Result<(), Problem> {
        // Without a sweep the map would hold every address that ever called.
        if self.checks.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        self.limiter
            .check_key(key)
            .map_err(|until| Problem::rate_limited(until.wait_time_from(DefaultClock::default().now())))
    }
}

impl<K: Hash + Eq + Clone> std::fmt::Debug for Keyed<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyed { .. }")
    }
}
