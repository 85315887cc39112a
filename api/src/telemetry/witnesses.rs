//! Figures of the witnesses that cosign this ledger's checkpoints. Who keeps them is asked when they
//! are exposed.

use core::sync::atomic::Ordering;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::OnceLock;

/// One witness's figures since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessFigures {
    /// The name of its key.
    pub witness: String,
    /// Requests made.
    pub asked: u64,
    /// Those without a good answer.
    pub failed: u64,
    /// Events in the checkpoint it cosigned last, as far as is known here.
    pub size: u64,
}

/// Says the figures of the moment.
pub type WitnessSource = Box<dyn Fn() -> Vec<WitnessFigures> + Send + Sync>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WitnessLabels {
    witness: String,
}

/// The families they are exposed in.
#[derive(Default)]
pub(super) struct Witnesses {
    missing: Gauge,
    asked: Family<WitnessLabels, Counter>,
    failed: Family<WitnessLabels, Counter>,
    size: Family<WitnessLabels, Gauge>,
    source: OnceLock<WitnessSource>,
}

impl Witnesses {
    pub fn register(registry: &mut Registry) -> Self {
        let witnesses = Self::default();
        registry.register(
            "log_cosignatures_missing",
            "Cosignatures that the newest checkpoint lacks",
            Gauge::clone(&witnesses.missing),
        );
        registry.register(
            "witness_requests",
            "Requests to a witness",
            Family::clone(&witnesses.asked),
        );
        registry.register(
            "witness_failures",
            "Requests to a witness without a good answer",
            Family::clone(&witnesses.failed),
        );
        registry.register(
            "witness_size",
            "Events in the checkpoint a witness cosigned last",
            Family::clone(&witnesses.size),
        );
        witnesses
    }

    /// Once; a second source would count the same witnesses twice.
    pub fn watch(&self, source: WitnessSource) {
        let _ = self.source.set(source);
    }

    pub fn fill(&self, missing: usize) {
        self.missing.set(i64::try_from(missing).unwrap_or(i64::MAX));
        let figures = self.source.get().map(|source| source());
        for figures in figures.into_iter().flatten() {
            let witness = figures.witness;
            let labels = WitnessLabels { witness };
            let size = i64::try_from(figures.size).unwrap_or(i64::MAX);
            self.size.get_or_create(&labels).set(size);
            for (family, value) in [(&self.asked, figures.asked), (&self.failed, figures.failed)] {
                let counter = family.get_or_create(&labels);
                counter.inner().store(value, Ordering::Relaxed);
            }
        }
    }
}
