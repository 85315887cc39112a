//! Rate limits (GCRA): per peer address before anything is looked at, per caller once it is known
//! who calls. A limited request is counted in the metrics and never becomes an event, so a flood
//! cannot fill the ledger (spec, decision 10).

use crate::config::{Config, Rate};
use core::net::IpAddr;
use domain::ids::PrincipalId;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::sync::atomic::{AtomicU32, Ordering};

/// Checks between two clean-ups of keys that have been quiet long enough to be forgotten.
const CLEAN_EVERY: u32 = 16_384;

/// Both limiters.
pub struct Limits {
    peers: Option<Keyed<u64>>,
    callers: Option<Keyed<[u8; 16]>>,
    clock: DefaultClock,
}

struct Keyed<K: core::hash::Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
    checks: AtomicU32,
}

impl Limits {
    /// As configured.
    pub fn new(config: &Config) -> Self {
        Self {
            peers: config.peer_rate.map(Keyed::new),
            callers: config.caller_rate.map(Keyed::new),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a request of a peer. `Err`: seconds to wait.
    pub fn peer(&self, address: IpAddr) -> Result<(), u32> {
        self.peers
            .as_ref()
            .map_or(Ok(()), |keyed| keyed.check(&peer_key(address), &self.clock))
    }

    /// Counts a request of a known caller. `Err`: seconds to wait.
    pub fn caller(&self, caller: PrincipalId) -> Result<(), u32> {
        self.callers
            .as_ref()
            .map_or(Ok(()), |keyed| keyed.check(&caller.0, &self.clock))
    }
}

impl<K: core::hash::Hash + Eq + Clone> Keyed<K> {
    fn new(rate: Rate) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        Self {
            limiter: RateLimiter::keyed(quota),
            checks: AtomicU32::new(0),
        }
    }

    fn check(&self, key: &K, clock: &DefaultClock) -> Result<(), u32> {
        // Bounds the table: one entry per key seen lately, not per key ever seen.
        if self.checks.fetch_add(1, Ordering::Relaxed) % CLEAN_EVERY == CLEAN_EVERY - 1 {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(key).map_err(|until| {
            u32::try_from(until.wait_time_from(clock.now()).as_secs())
                .unwrap_or(u32::MAX)
                .max(1)
        })
    }
}

/// The address as the key of a quota. One household or one server commands a whole IPv6 /64, so that
/// is what is counted.
fn peer_key(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        // The upper half of an IPv6 address; global ones start with 001, so none looks like an IPv4.
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(burst: u32) -> Limits {
        let rate = Some(Rate::new(1, burst));
        Limits::new(&Config {
            peer_rate: rate,
            caller_rate: rate,
            ..Config::default()
        })
    }

    #[test]
    fn a_burst_is_let_through_and_then_told_when_to_come_back() {
        let limits = limits(3);
        let peer = "192.0.2.1".parse().unwrap();
        for _ in 0..3 {
            assert_eq!(limits.peer(peer), Ok(()));
        }
        assert_eq!(limits.peer(peer), Err(1));
        // Others are not held up by it.
        assert_eq!(limits.peer("192.0.2.2".parse().unwrap()), Ok(()));
        assert_eq!(limits.caller(PrincipalId([1; 16])), Ok(()));
    }

    #[test]
    fn an_ipv6_network_is_one_peer_and_a_mapped_ipv4_address_is_that_address() {
        let limits = limits(1);
        assert_eq!(limits.peer("2001:db8:0:1::1".parse().unwrap()), Ok(()));
        assert!(
            limits
                .peer("2001:db8:0:1:ffff::2".parse().unwrap())
                .is_err()
        );
        assert_eq!(limits.peer("2001:db8:0:2::1".parse().unwrap()), Ok(()));
        assert_eq!(limits.peer("192.0.2.7".parse().unwrap()), Ok(()));
        assert!(limits.peer("::ffff:192.0.2.7".parse().unwrap()).is_err());
    }

    #[test]
    fn no_limit_where_none_is_set() {
        let config = Config {
            peer_rate: None,
            caller_rate: None,
            ..Config::default()
        };
        let limits = Limits::new(&config);
        assert!((0..10_000).all(|_| limits.peer(IpAddr::from([127, 0, 0, 1])).is_ok()));
    }
}
