//! How far the transparency log is.

use ledger::transparency::TransparencyLog;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The gauges.
#[derive(Default)]
pub(super) struct Sealing {
    sealed: Gauge,
    unsealed: Gauge,
    trouble: Gauge,
    standby: Gauge,
}

impl Sealing {
    pub fn register(registry: &mut Registry) -> Self {
        let sealing = Self::default();
        registry.register(
            "log_sealed",
            "Events in the published checkpoint",
            Gauge::clone(&sealing.sealed),
        );
        registry.register(
            "log_unsealed",
            "Events that no published checkpoint speaks of yet",
            Gauge::clone(&sealing.unsealed),
        );
        registry.register(
            "log_trouble",
            "1: nothing can be sealed at present",
            Gauge::clone(&sealing.trouble),
        );
        registry.register(
            "log_standby",
            "1: another server seals, and this one shows what it publishes",
            Gauge::clone(&sealing.standby),
        );
        sealing
    }

    /// `length`: events in the ledger.
    pub fn fill(&self, log: &TransparencyLog, length: u64) {
        let sealed = log.published().map_or(0, |published| published.head.size);
        let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.sealed.set(gauge(sealed));
        self.unsealed.set(gauge(length.saturating_sub(sealed)));
        self.trouble.set(i64::from(log.trouble().is_some()));
        self.standby.set(i64::from(log.is_standby()));
    }
}
