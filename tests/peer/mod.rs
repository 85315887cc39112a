//! A protocol peer: a small server that speaks KurrentDB's published gRPC protocol, for tests.
//!
//! No such server can be installed where these tests run. Owns a log in memory and as many nodes in
//! front of it as asked for; can be told to fail in the ways a real one fails. Two clients written
//! elsewhere are run against it, so that it is not only our own idea of the protocol. It keeps
//! nothing on disk and knows nothing of identities.
#![allow(
    clippy::missing_panics_doc,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::result_large_err,
    clippy::unused_async,
    reason = "it is test code"
)]

mod calls;
pub mod faults;
mod flush;
pub mod log;
mod net;
mod reading;
pub mod wire;

use axum::extract::State;
use faults::Faults;
use flush::Flush;
use log::Log;
use net::listen;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::rustls::ServerConfig;
use tonic::{Code, Status};

/// No node is the leader.
const NOBODY: usize = usize::MAX;

/// What all nodes share.
pub struct World {
    log: Mutex<Log>,
    /// Grows with the log.
    news: watch::Sender<usize>,
    leader: AtomicUsize,
    nodes: Mutex<Vec<(SocketAddr, bool)>>,
    /// The faults to come.
    pub faults: Faults,
    /// `Basic …`, if anybody is asked who they are.
    authorization: Option<String>,
    version: &'static str,
    tls: Option<Arc<ServerConfig>>,
    disk: Option<Flush>,
    /// Subscriptions to everything that began.
    followers: watch::Sender<u64>,
    /// Grows when all of them are to end as if nothing were wrong.
    endings: watch::Sender<u64>,
    /// Pages of everything that were asked for.
    pages: AtomicU64,
    /// The stream that subscriptions to everything leave out.
    hidden: Mutex<Option<String>>,
}

/// What a cluster is started with.
#[derive(Clone)]
pub struct Settings {
    /// How many nodes; the first is the leader.
    pub nodes: usize,
    /// User and password that every call must have.
    pub user: Option<(&'static str, &'static str)>,
    /// What the server says it is.
    pub version: &'static str,
    /// The certificate it shows, and whose it wants to see.
    pub tls: Option<Arc<ServerConfig>>,
    /// Whether an append waits until as many bytes are on this machine's disk.
    pub durable: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            nodes: 1,
            user: None,
            version: "24.10.4",
            tls: None,
            durable: false,
        }
    }
}

/// A running cluster.
pub struct Peer {
    world: Arc<World>,
    running: Mutex<Vec<Option<Running>>>,
}

struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Node {
    world: Arc<World>,
    index: usize,
    /// Cuts every connection of this node.
    cut: watch::Sender<u64>,
}

impl Peer {
    /// Starts a cluster on this machine.
    pub async fn start(settings: Settings) -> Self {
        let authorization = settings.user.map(|(user, password)| {
            use base64::Engine as _;
            let text = format!("{user}:{password}");
            let text = base64::engine::general_purpose::STANDARD.encode(text);
            format!("Basic {text}")
        });
        let world = Arc::new(World {
            log: Mutex::new(Log::default()),
            news: watch::Sender::new(0),
            leader: AtomicUsize::new(0),
            nodes: Mutex::new(Vec::new()),
            faults: Faults::default(),
            authorization,
            version: settings.version,
            tls: settings.tls,
            disk: settings.durable.then(Flush::new),
            followers: watch::Sender::new(0),
            endings: watch::Sender::new(0),
            pages: AtomicU64::new(0),
            hidden: Mutex::default(),
        });
        let peer = Self {
            world,
            running: Mutex::new(Vec::new()),
        };
        for index in 0..settings.nodes {
            let address = SocketAddr::from(([127, 0, 0, 1], 0));
            let listener = listen(address).await;
            let address = listener.local_addr().unwrap();
            peer.world.nodes.lock().push((address, true));
            let running = peer.serve(index, listener);
            peer.running.lock().push(Some(running));
        }
        peer
    }

    /// One node.
    pub async fn single() -> Self {
        Self::start(Settings::default()).await
    }

    /// The connection string of all nodes.
    pub fn url(&self) -> String {
        let nodes = self.world.nodes.lock();
        let hosts: Vec<_> = nodes
            .iter()
            .map(|(address, _)| address.to_string())
            .collect();
        let tls = self.world.tls.is_some();
        format!("esdb://{}?tls={tls}", hosts.join(","))
    }

    /// A node's address.
    pub fn address(&self, index: usize) -> SocketAddr {
        self.world.nodes.lock()[index].0
    }

    /// The faults to come.
    pub fn faults(&self) -> &Faults {
        &self.world.faults
    }

    /// Looks at the log.
    pub fn with_log<T>(&self, look: impl FnOnce(&mut Log) -> T) -> T {
        let mut log = self.world.log.lock();
        let answer = look(&mut log);
        let length = log.entries().len();
        drop(log);
        self.world.news.send_replace(length);
        answer
    }

    /// Waits until so many subscriptions to everything have begun.
    pub async fn followed(&self, times: u64) {
        let mut followers = self.world.followers.subscribe();
        followers.wait_for(|begun| *begun >= times).await.unwrap();
    }

    /// Ends every subscription to everything as if nothing were wrong.
    pub fn end_subscriptions(&self) {
        self.world.endings.send_modify(|endings| *endings += 1);
    }

    /// Leaves a stream's events out of every subscription to everything, as no server should.
    pub fn hide(&self, stream: Option<String>) {
        *self.world.hidden.lock() = stream;
    }

    /// How many pages of everything were asked for so far.
    pub fn pages(&self) -> u64 {
        self.world.pages.load(Ordering::SeqCst)
    }

    /// Another node is the leader from now on; `None`: none is.
    pub fn elect(&self, leader: Option<usize>) {
        self.world
            .leader
            .store(leader.unwrap_or(NOBODY), Ordering::SeqCst);
    }

    /// Stops a node: nobody listens there any more, connections are cut.
    pub async fn stop(&self, index: usize) {
        let running = self.running.lock()[index].take();
        if let Some(running) = running {
            running.stop.send_replace(true);
            let _ = running.task.await;
        }
        self.world.nodes.lock()[index].1 = false;
    }

    /// Starts a stopped node again, at the same address, over the same log.
    pub async fn resume(&self, index: usize) {
        let address = self.address(index);
        let listener = listen(address).await;
        let running = self.serve(index, listener);
        self.running.lock()[index] = Some(running);
        self.world.nodes.lock()[index].1 = true;
    }

    /// Stops and starts a node.
    pub async fn restart(&self, index: usize) {
        self.stop(index).await;
        self.resume(index).await;
    }

    fn serve(&self, index: usize, listener: TcpListener) -> Running {
        let node = Node {
            world: Arc::clone(&self.world),
            index,
            cut: watch::Sender::new(0),
        };
        let cut = node.cut.clone();
        let app = axum::Router::new()
            .fallback(|State(node): State<Node>, request| async move {
                calls::answer(node, request).await
            })
            .with_state(node);
        net::serve(app, listener, self.world.tls.clone(), cut)
    }
}

/// A refusal with the words that clients look for.
fn status(code: Code, message: &str, words: &[(&'static str, &str)]) -> Status {
    let mut status = Status::new(code, message);
    for (name, value) in words {
        status.metadata_mut().insert(*name, value.parse().unwrap());
    }
    status
}
