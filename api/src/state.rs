//! What handlers share: the ledger, the read models, and this server's own tables. Cheap to clone.

use crate::cache::AccountCache;
use crate::config::Config;
use crate::idempotency::Remembered;
use crate::limits::Limits;
use crate::signature::Nonces;
use crate::telemetry::Metrics;
use axum::body::Bytes;
use domain::ids::Micros;
use ledger::ledger::Ledger;
use ledger::messenger::Mailbox;
use ledger::transparency::TransparencyLog;
use ledger::wiring::ManualClock;
use projections::Views;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

/// Everything a handler may use.
#[derive(Clone)]
pub struct Api {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    ledger: Ledger,
    views: Views,
    limits: Limits,
    nonces: Nonces,
    remembered: Remembered,
    metrics: Metrics,
    cache: AccountCache,
    in_work: Arc<Semaphore>,
    feeds: Arc<Semaphore>,
    mailbox: Option<Arc<Mailbox>>,
    simulated_clock: std::sync::OnceLock<Arc<ManualClock>>,
    draining: watch::Sender<bool>,
    log: std::sync::OnceLock<Arc<TransparencyLog>>,
    openapi: std::sync::OnceLock<Bytes>,
    request_prefix: [u8; 8],
}

impl Api {
    /// Puts the state together. `mailbox`: the simulated SMS channel, only where it is simulated.
    pub fn new(
        config: Config,
        ledger: Ledger,
        views: Views,
        mailbox: Option<Arc<Mailbox>>,
    ) -> Self {
        let request_prefix = ledger.assembler().ids().array();
        Self {
            inner: Arc::new(Inner {
                limits: Limits::new(&config),
                nonces: Nonces::default(),
                remembered: Remembered::default(),
                metrics: Metrics::new(),
                cache: AccountCache::default(),
                in_work: Arc::new(Semaphore::new(config.concurrent_requests_max)),
                feeds: Arc::new(Semaphore::new(config.feeds_max)),
                draining: watch::Sender::new(false),
                openapi: std::sync::OnceLock::new(),
                log: std::sync::OnceLock::new(),
                simulated_clock: std::sync::OnceLock::new(),
                request_prefix,
                mailbox,
                config,
                ledger,
                views,
            }),
        }
    }

    /// The transparency log, where the ledger is sealed.
    pub fn log(&self) -> Option<&Arc<TransparencyLog>> {
        self.inner.log.get()
    }

    /// Shows the transparency log. Once.
    pub fn show_log(&self, log: Arc<TransparencyLog>) {
        let _ = self.inner.log.set(log);
    }

    /// Settings.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }

    /// The read models.
    pub fn views(&self) -> &Views {
        &self.inner.views
    }

    /// Now, by the ledger's clock.
    pub fn now(&self) -> Micros {
        self.inner.ledger.now()
    }

    /// Rate limits.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Nonces in use.
    pub fn nonces(&self) -> &Nonces {
        &self.inner.nonces
    }

    /// Requests done and under way.
    pub fn remembered(&self) -> &Remembered {
        &self.inner.remembered
    }

    /// Figures.
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// Rendered accounts.
    pub fn cache(&self) -> &AccountCache {
        &self.inner.cache
    }

    /// Places for requests in work.
    pub fn in_work(&self) -> &Arc<Semaphore> {
        &self.inner.in_work
    }

    /// Places for event feeds.
    pub fn feeds(&self) -> &Arc<Semaphore> {
        &self.inner.feeds
    }

    /// The simulated SMS channel, if it is simulated.
    pub fn mailbox(&self) -> Option<&Arc<Mailbox>> {
        self.inner.mailbox.as_ref()
    }

    /// The ledger's clock, if it is simulated.
    pub fn simulated_clock(&self) -> Option<&Arc<ManualClock>> {
        self.inner.simulated_clock.get()
    }

    /// Lets callers move the clock, which is the ledger's. Once.
    pub fn simulate_clock(&self, clock: Arc<ManualClock>) {
        // A second clock would not be the ledger's.
        let _ = self.inner.simulated_clock.set(clock);
    }

    /// Begins to drain: feeds end, `/readyz` says no.
    pub fn drain(&self) {
        self.inner.draining.send_replace(true);
    }

    /// Whether the server is shutting down, and a way to wait for it.
    pub fn draining(&self) -> watch::Receiver<bool> {
        self.inner.draining.subscribe()
    }

    /// Keeps the OpenAPI document to be served.
    pub fn set_openapi(&self, document: Bytes) {
        // Set once, when the routes are put together; a second time would be the same bytes.
        let _ = self.inner.openapi.set(document);
    }

    /// The OpenAPI document.
    pub fn openapi(&self) -> Bytes {
        self.inner.openapi.get().cloned().unwrap_or_default()
    }

    /// Random bytes that tell this server's request ids from another's.
    pub fn request_prefix(&self) -> &[u8; 8] {
        &self.inner.request_prefix
    }
}
