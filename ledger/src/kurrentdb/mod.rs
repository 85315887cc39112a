//! The engine for a KurrentDB (EventStoreDB) cluster.
//!
//! Owns nothing but an adapter: the events are the same signed bytes as everywhere, the server keeps
//! them, orders them and decides who comes first. This node keeps the numbering (dense positions) and
//! the stream index in `<dir>`, both derived from the server's log. It must never acknowledge what
//! the server did not, never take *maybe* for *no*, and never show anybody an event that is not the
//! one it numbered.
//!
//! ```text
//! address.rs     the connection string, checked by us
//! connection.rs  one client, kept usable; what its errors mean
//! pages.rs       asking for pages of events
//! names.rs       names of streams, types and metadata on the server
//! numbering.rs   dense positions, on disk
//! follower.rs    the task that counts
//! line.rs        a connection of our own, for long reads of everything
//! wire.rs        its messages
//! feed.rs        new events as the server sends them
//! waiting.rs     who waits for an event's number
//! keeping.rs     makes durable what was counted
//! append.rs      an append and what became of it
//! probe.rs       why no connection came about
//! reading.rs     the port's reads
//! counted.rs     whether an event is the one that was numbered
//! ahead.rs       what comes next, read before it is asked for
//! ```

mod address;
mod ahead;
mod append;
mod connection;
mod counted;
mod feed;
mod follower;
mod keeping;
mod line;
mod names;
pub mod numbering;
mod pages;
mod probe;
mod reading;
mod waiting;
mod wire;

pub use address::{Address, AddressError, LEDGER_NAME, is_address};
pub use connection::Credentials;
pub use pages::PAGE_BYTES_MAX;

use crate::disk::{Disk, RealDisk, io_error};
use crate::index::{Index, Opened};
use crate::store::{
    AppendError, Appended, BoxFuture, EventStore, Expected, NewRecord, StoreError, StoredRecord,
    StreamHead,
};
use ahead::Held;
use connection::{Connection, server};
use domain::ids::{Position, Revision, StreamId};
use follower::{Follower, Shared, State};
use keeping::Keeping;
use line::Line;
use names::Names;
use numbering::Numbering;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;
use waiting::Waiting;

use crate::remote::ServerFault;

/// Appends under way at the same time, at most, unless the options say otherwise.
pub const IN_FLIGHT_DEFAULT: usize = 64;
/// The oldest server this engine works with.
const OLDEST: (usize, usize) = (22, 10);
/// How long a directory that is being closed is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// What the engine is opened with.
#[derive(Clone)]
pub struct Options {
    /// Where the server or cluster is.
    pub address: Address,
    /// Who we are there.
    pub credentials: Option<Credentials>,
    /// This node's own directory: numbering and stream index.
    pub dir: PathBuf,
    /// What the numbering is written to.
    pub disk: Arc<dyn Disk>,
    /// Whether the stream index is kept on disk. Without it every start reads the whole log.
    pub index_on_disk: bool,
    /// Most appends under way at the same time; others wait.
    pub in_flight: usize,
    /// Longest that one call to the server may take.
    pub call_timeout: Duration,
    /// Longest that an append is tried for before its outcome is *uncertain* or *failed*.
    pub deadline: Duration,
    /// How often the server is looked at for what other nodes append.
    pub poll: Duration,
}

impl Options {
    /// The defaults for a server and a node's directory.
    pub fn new(address: Address, dir: impl Into<PathBuf>) -> Self {
        Self {
            address,
            credentials: None,
            dir: dir.into(),
            disk: Arc::new(RealDisk),
            index_on_disk: true,
            in_flight: IN_FLIGHT_DEFAULT,
            call_timeout: Duration::from_secs(5),
            deadline: Duration::from_secs(15),
            poll: Duration::from_millis(50),
        }
    }
}

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenReport {
    /// The server's version.
    pub server: String,
    /// Events numbered by now.
    pub events: u64,
    /// Of them, numbered or read again while opening.
    pub read: u64,
    /// Rows of the numbering that a crash had torn.
    pub cut: u64,
}

/// How this node stands to its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Events this node knows.
    pub events: u64,
    /// Why it stopped for good, if it did.
    pub stopped: Option<StoreError>,
    /// Why the server cannot be read right now, if it cannot.
    pub trouble: Option<StoreError>,
}

/// The engine.
pub struct Kurrent {
    shared: Arc<Shared>,
    in_flight: Semaphore,
    deadline: Duration,
    follower: JoinHandle<()>,
}

impl Drop for Kurrent {
    fn drop(&mut self) {
        self.follower.abort();
        self.shared.held.end();
        self.shared.keeping.close();
    }
}

impl Kurrent {
    /// Connects, and numbers everything that is there. Must be called within a tokio runtime.
    pub async fn open(options: Options) -> Result<(Self, OpenReport), StoreError> {
        let connection = Connection::new(&options.address, options.credentials.clone())?;
        let version = match check_server(&connection, options.call_timeout).await {
            Ok(version) => version,
            Err(error) => return Err(explained(error, &options.address).await),
        };
        let doing = "opening the node's directory";
        let disk = Arc::clone(&options.disk);
        disk.create_dir(&options.dir)
            .map_err(|error| io_error(doing, &error))?;
        let lock = lock(&options).await?;
        let names = Names::new(options.address.name());
        let (numbering, cut) = Numbering::open(&*disk, &options.dir, options.address.name())?;
        let known = numbering.length();
        let index = open_index(&options, known)?;
        let read_from = index.next().min(known);
        let shared = Arc::new(Shared {
            connection,
            names,
            numbering,
            index,
            keeping: Keeping::new(known),
            state: watch::Sender::new(State {
                length: known,
                ..State::default()
            }),
            wake: Notify::new(),
            line: Line::new(&options.address, options.credentials.clone()),
            listening: AtomicBool::new(false),
            looks: watch::Sender::new(0),
            waiting: Waiting::default(),
            held: Held::default(),
            call_timeout: options.call_timeout,
            poll: options.poll,
            _lock: Some(lock),
        });
        let follower = Follower::new(Arc::clone(&shared))?;
        tokio::spawn(Arc::clone(&shared).keep());
        let store = Self {
            follower: tokio::spawn(follower.run()),
            in_flight: Semaphore::new(options.in_flight.clamp(1, Semaphore::MAX_PERMITS)),
            deadline: options.deadline,
            shared,
        };
        let mut state = store.shared.state.subscribe();
        let state = state
            .wait_for(|state| state.caught_up || state.stopped.is_some() || state.trouble.is_some())
            .await
            .map_err(|_| StoreError::Stopped("the follower is gone".to_owned()))?
            .clone();
        if let Some(error) = state.stopped.or(state.trouble.filter(|_| !state.caught_up)) {
            store.close().await;
            return Err(error);
        }
        let report = OpenReport {
            server: version,
            events: state.length,
            read: state.length - read_from,
            cut,
        };
        Ok((store, report))
    }

    /// Closes the store: returns when the directory is free again. Dropping it does the same, later.
    pub async fn close(mut self) {
        self.follower.abort();
        let _ = (&mut self.follower).await;
        self.shared.keeping.close();
        let mut backoff = connection::Backoff::new();
        let until = tokio::time::Instant::now() + LOCK_WAIT;
        // What it was writing is finished by a thread of its own.
        while Arc::strong_count(&self.shared) > 1 && backoff.wait(until).await {}
    }

    /// How this node stands to its server.
    pub fn health(&self) -> Health {
        let state = self.shared.state.borrow();
        Health {
            events: state.length,
            stopped: state.stopped.clone(),
            trouble: state.trouble.clone(),
        }
    }

    /// Why nothing more can be had from this store, if it has stopped.
    fn going(&self) -> Result<(), StoreError> {
        self.shared
            .state
            .borrow()
            .stopped
            .clone()
            .map_or(Ok(()), Err)
    }
}

/// Whether there is a server, whether we may read it, and which version it is.
async fn check_server(connection: &Connection, timeout: Duration) -> Result<String, StoreError> {
    let asked = connection.call(timeout, |client| async move { client.server_info().await });
    let info = asked.await.map_err(StoreError::from)?;
    let version = info.version();
    if (version.major(), version.minor()) < OLDEST {
        return Err(server(
            ServerFault::TooOld,
            &format!("it says it is version {version}"),
        ));
    }
    connection.head_of_all(timeout).await?;
    Ok(version.to_string())
}

/// An error of the connection, after the hosts were asked once more.
async fn explained(error: StoreError, address: &Address) -> StoreError {
    let StoreError::Server { fault, .. } = &error else {
        return error;
    };
    if !matches!(
        fault,
        ServerFault::Unreachable | ServerFault::Lost | ServerFault::NoLeader | ServerFault::Slow
    ) {
        return error;
    }
    match probe::look(address).await {
        Some((ServerFault::Unreachable, _)) if *fault == ServerFault::NoLeader => error,
        Some((fault, message)) => server(fault, message),
        None => error,
    }
}

/// A store that was dropped a moment ago may still be closing.
async fn lock(options: &Options) -> Result<crate::disk::Lock, StoreError> {
    let until = tokio::time::Instant::now() + LOCK_WAIT;
    let mut backoff = connection::Backoff::new();
    loop {
        let lock = options.disk.lock(&options.dir.join("lock"));
        match lock.map_err(|error| io_error("locking the node's directory", &error))? {
            Some(lock) => return Ok(lock),
            None if backoff.wait(until).await => {}
            None => return Err(StoreError::Locked),
        }
    }
}

fn open_index(options: &Options, length: u64) -> Result<Index, StoreError> {
    if !options.index_on_disk {
        return Ok(Index::in_memory());
    }
    match Index::open(&options.dir.join("streams"), length, false)? {
        Opened::Ready(index, doubt) => {
            if let Some(doubt) = doubt
                && length > 0
            {
                tracing::warn!(%doubt, "the stream index is built anew from the server's log");
            }
            Ok(index)
        }
        Opened::AheadOfTorn(_) => Err(StoreError::Unusable(
            "the stream index is ahead of the numbering".to_owned(),
        )),
    }
}

impl EventStore for Kurrent {
    fn append(
        &self,
        stream: StreamId,
        expected: Expected,
        records: Vec<NewRecord>,
    ) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(self.append_now(stream, expected, records))
    }

    fn stream_head(
        &self,
        stream: StreamId,
    ) -> BoxFuture<'_, Result<Option<StreamHead>, StoreError>> {
        Box::pin(self.head_now(stream))
    }

    fn read_stream(
        &self,
        stream: StreamId,
        from: Revision,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>> {
        Box::pin(self.read_stream_now(stream, from, limit))
    }

    fn read_all(
        &self,
        from: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>> {
        Box::pin(self.read_all_now(from, limit))
    }

    fn length(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move { Ok(self.shared.numbering.length()) })
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn trouble(&self) -> Option<StoreError> {
        let health = self.health();
        health.stopped.or(health.trouble)
    }

    fn wait_beyond(&self, seen: u64) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let mut state = self.shared.state.subscribe();
            let reached = state
                .wait_for(|state| state.length > seen || state.stopped.is_some())
                .await
                .map_err(|_| StoreError::Stopped("dropped".to_owned()))?;
            match &reached.stopped {
                Some(error) if reached.length <= seen => Err(error.clone()),
                _ => Ok(reached.length),
            }
        })
    }
}
