//! What the server can be told. Values arrive here checked; where they come from (arguments,
//! environment, file) is the binary's business.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::num::NonZeroU32;
use core::time::Duration;

/// A rate: so many a second, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Refilled per second.
    pub per_second: NonZeroU32,
    /// Most at once.
    pub burst: NonZeroU32,
}

impl Rate {
    /// So many a second and at once; at least one.
    pub const fn new(per_second: u32, burst: u32) -> Self {
        const fn at_least_one(value: u32) -> NonZeroU32 {
            match NonZeroU32::new(value) {
                Some(value) => value,
                None => NonZeroU32::MIN,
            }
        }
        Self {
            per_second: at_least_one(per_second),
            burst: at_least_one(burst),
        }
    }
}

/// The server's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to listen. Loopback unless told otherwise: TLS and the outside belong to a proxy.
    pub listen: SocketAddr,
    /// Whether account state, entitlements, events and statistics can be read without saying who one
    /// is. Personal data and lookups never can.
    pub open_reads: bool,
    /// Requests of one peer address (an IPv6 /64 counts as one). `None`: no limit.
    pub peer_rate: Option<Rate>,
    /// Requests of one principal, account or session. `None`: no limit.
    pub caller_rate: Option<Rate>,
    /// Largest request body, in bytes.
    pub body_bytes_max: usize,
    /// Longest time until a response starts.
    pub request_time_max: Duration,
    /// Most requests in work at once; more are turned away, not queued.
    pub concurrent_requests_max: usize,
    /// Most event feeds open at once.
    pub feeds_max: usize,
    /// How long a feed may keep the server waiting before it is disconnected.
    pub feed_stall_max: Duration,
    /// A comment line is sent on a quiet feed this often.
    pub feed_heartbeat: Duration,
    /// Longest wait for a read model (`Prefer: wait`, `min_position`).
    pub wait_max: Duration,
    /// Life of a session opened by a one-time code or a login.
    pub session_life: Duration,
    /// How long requests in work may take to end after shutdown began.
    pub drain_time_max: Duration,
    /// Positions a read model may lie behind for `/readyz` to say ready.
    pub ready_lag_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8030),
            open_reads: false,
            peer_rate: Some(Rate::new(200, 400)),
            caller_rate: Some(Rate::new(200, 400)),
            body_bytes_max: 64 * 1024,
            request_time_max: Duration::from_secs(10),
            concurrent_requests_max: 512,
            feeds_max: 64,
            feed_stall_max: Duration::from_secs(5),
            feed_heartbeat: Duration::from_secs(15),
            wait_max: Duration::from_secs(5),
            session_life: Duration::from_mins(30),
            drain_time_max: Duration::from_secs(10),
            ready_lag_max: 10_000,
        }
    }
}
