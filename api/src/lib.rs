//! The HTTP service: commands in, receipts out; reads from the read models; the contract as OpenAPI.
//!
//! Owns everything that is about HTTP and nothing else: no rule of the domain, no byte of an event.
//! One command, each file once: [`app`] (route, limits) → [`call`] (request taken in) → [`commands`]
//! (body into a command) → [`auth`] (who asks) → [`idempotency`] → the ledger's writer → receipt or
//! [`problem`].

pub mod app;
pub mod auth;
pub mod cache;
pub mod call;
pub mod commands;
pub mod config;
pub mod idempotency;
pub mod json;
pub mod lag;
pub mod limits;
pub mod openapi;
pub mod problem;
pub mod queries;
pub mod reports;
pub mod sessions;
pub mod signature;
pub mod state;
pub mod telemetry;
pub mod time;
pub mod warm;
pub mod witness;
pub mod words;

pub use config::Config;

use core::future::Future;
use core::net::SocketAddr;
use ledger::ledger::Ledger;
use ledger::messenger::Mailbox;
use ledger::transparency::TransparencyLog;
use ledger::wiring::ManualClock;
use projections::Views;
use state::Api;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Why the service did not start or did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The newest events could not be read back.
    #[error("the newest events could not be read: {0}")]
    Warm(String),
    /// The listener failed.
    #[error("serving: {0}")]
    Serve(#[from] std::io::Error),
    /// Requests were still in work when the time to drain was over.
    #[error("requests were still in work when the time to drain was over")]
    DrainTimedOut,
}

/// A service that listens.
pub struct Server {
    api: Api,
    listener: TcpListener,
}

impl Server {
    /// Reads back what must not be forgotten, and listens. `mailbox`: the simulated SMS channel.
    pub async fn bind(
        config: Config,
        ledger: Ledger,
        views: Views,
        mailbox: Option<Arc<Mailbox>>,
    ) -> Result<Self, ServeError> {
        let address = config.listen;
        let api = Api::new(config, ledger, views, mailbox);
        let warmed = warm::warm(&api).await;
        warmed.map_err(|problem| ServeError::Warm(problem.internal.unwrap_or_default()))?;
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| ServeError::Listen { address, source })?;
        Ok(Self { api, listener })
    }

    /// Lets callers move the clock under `/v1/simulation`: for trials. It must be the ledger's.
    pub fn simulate_clock(&self, clock: Arc<ManualClock>) {
        self.api.simulate_clock(clock);
    }

    /// The ledger it serves.
    pub fn ledger(&self) -> &Ledger {
        self.api.ledger()
    }

    /// Shows the transparency log.
    pub fn show_log(&self, log: Arc<TransparencyLog>) {
        self.api.show_log(log);
    }

    /// Where the figures of the services that are asked come from.
    pub fn watch_peers(&self, source: telemetry::PeerSource) {
        self.api.metrics().watch_peers(source);
    }

    /// Where the figures of witnesses come from.
    pub fn watch_witnesses(&self, source: telemetry::WitnessSource) {
        self.api.metrics().watch_witnesses(source);
    }

    /// Where it listens, with the port that was given.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` resolves; then accepts nothing more, ends the feeds, and lets requests
    /// in work finish within the time to drain.
    pub async fn run(
        self,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        let app = app::app(&self.api).into_make_service_with_connect_info::<SocketAddr>();
        let (api, mut draining) = (self.api.clone(), self.api.draining());
        let begin = async move {
            shutdown.await;
            api.drain();
        };
        let serving = axum::serve(self.listener, app).with_graceful_shutdown(begin);
        let too_late = async {
            // An error means the sender is gone, which is the end as well.
            let _ = draining.wait_for(|draining| *draining).await;
            tokio::time::sleep(self.api.config().drain_time_max).await;
        };
        tokio::select! {
            served = serving => Ok(served?),
            () = too_late => Err(ServeError::DrainTimedOut),
        }
    }
}

/// Listens and serves: [`Server::bind`] and [`Server::run`].
pub async fn serve(
    config: Config,
    ledger: Ledger,
    views: Views,
    mailbox: Option<Arc<Mailbox>>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    Server::bind(config, ledger, views, mailbox)
        .await?
        .run(shutdown)
        .await
}
