//! Figures of the services that this server asks: how often, with what success, and how the breaker
//! before each stands. Who keeps the figures is asked when they are exposed.

use core::sync::atomic::Ordering;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::OnceLock;

/// One peer's figures since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerFigures {
    /// Its name in the settings; nothing of what it is asked.
    pub peer: String,
    /// 0: closed, the peer is asked; 1: half open, one question finds out; 2: open, left alone.
    pub breaker: u8,
    /// Requests made.
    pub asked: u64,
    /// Those without a good answer.
    pub failed: u64,
    /// How often the breaker opened.
    pub opened: u64,
}

/// Says the figures of the moment.
pub type PeerSource = Box<dyn Fn() -> Vec<PeerFigures> + Send + Sync>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PeerLabels {
    peer: String,
}

/// The families they are exposed in.
#[derive(Default)]
pub(super) struct Peers {
    breaker: Family<PeerLabels, Gauge>,
    asked: Family<PeerLabels, Counter>,
    failed: Family<PeerLabels, Counter>,
    opened: Family<PeerLabels, Counter>,
    source: OnceLock<PeerSource>,
}

impl Peers {
    pub fn register(registry: &mut Registry) -> Self {
        let peers = Self::default();
        registry.register(
            "peer_breaker",
            "Breaker before a peer: 0 closed, 1 half open, 2 open",
            Family::clone(&peers.breaker),
        );
        registry.register(
            "peer_requests",
            "Requests to a peer",
            Family::clone(&peers.asked),
        );
        registry.register(
            "peer_failures",
            "Requests to a peer without a good answer",
            Family::clone(&peers.failed),
        );
        registry.register(
            "peer_breaker_openings",
            "How often the breaker before a peer opened",
            Family::clone(&peers.opened),
        );
        peers
    }

    /// Once; a second source would count the same peers twice.
    pub fn watch(&self, source: PeerSource) {
        let _ = self.source.set(source);
    }

    pub fn fill(&self) {
        let figures = self.source.get().map(|source| source());
        for figures in figures.into_iter().flatten() {
            let labels = PeerLabels { peer: figures.peer };
            self.breaker
                .get_or_create(&labels)
                .set(i64::from(figures.breaker));
            for (family, value) in [
                (&self.asked, figures.asked),
                (&self.failed, figures.failed),
                (&self.opened, figures.opened),
            ] {
                let counter = family.get_or_create(&labels);
                counter.inner().store(value, Ordering::Relaxed);
            }
        }
    }
}
