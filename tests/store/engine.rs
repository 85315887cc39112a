//! The port's conformance suite on the engine, and what several nodes see of one server.

use domain::ids::Position;
use idledger_tests::peer::log::{Expected as On, New};
use idledger_tests::peer::{Peer, Settings};
use ledger::conformance::{self, Fixture, read_everything, record, stream};
use ledger::kurrentdb::{Address, Credentials, Kurrent, OpenReport, Options, PAGE_BYTES_MAX};
use ledger::store::{EventStore, Expected, StoreError};
use ledger::wiring::Ids;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Handle;

/// Options for a server on this machine: everything sooner than in earnest.
pub fn options(url: &str, dir: &Path) -> Options {
    let mut options = Options::new(Address::parse(url).unwrap(), dir);
    options.poll = Duration::from_millis(20);
    options.call_timeout = Duration::from_secs(10);
    options.deadline = Duration::from_mins(1);
    options
}

pub async fn open(peer: &Peer, dir: &TempDir) -> Kurrent {
    Kurrent::open(options(&peer.url(), dir.path()))
        .await
        .unwrap()
        .0
}

/// Ledgers side by side on one server.
struct OnServer {
    url: String,
    credentials: Option<Credentials>,
    run: String,
    dirs: Vec<TempDir>,
}

impl OnServer {
    fn new(url: String, credentials: Option<Credentials>) -> Self {
        Self {
            url,
            credentials,
            run: hex::encode(&Ids::system().id()[..10]),
            dirs: Vec::new(),
        }
    }

    fn open(&self) -> Arc<dyn EventStore> {
        let joint = if self.url.contains('?') { '&' } else { '?' };
        let number = self.dirs.len();
        let url = format!("{}{joint}streams=t{}x{number}", self.url, self.run);
        let mut options = options(&url, self.dirs.last().unwrap().path());
        options.credentials.clone_from(&self.credentials);
        // Both ways of keeping the stream index.
        options.index_on_disk = number.is_multiple_of(2);
        let open = Handle::current();
        let (store, _) = tokio::task::block_in_place(|| open.block_on(Kurrent::open(options)))
            .expect("the server can be used");
        Arc::new(store)
    }
}

impl Fixture for OnServer {
    fn fresh(&mut self) -> Arc<dyn EventStore> {
        self.dirs.push(tempfile::tempdir().unwrap());
        self.open()
    }

    fn reopen(&mut self, store: Arc<dyn EventStore>) -> Option<Arc<dyn EventStore>> {
        assert_eq!(Arc::strong_count(&store), 1);
        drop(store);
        Some(self.open())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_conforms() {
    let peer = Peer::single().await;
    conformance::all(&mut OnServer::new(peer.url(), None)).await;
}

/// `IDLEDGER_TEST_ESDB`: the address; `IDLEDGER_TEST_ESDB_CREDENTIALS`: `user:password`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_conforms_on_a_real_server_if_there_is_one() {
    let Ok(url) = std::env::var("IDLEDGER_TEST_ESDB") else {
        return;
    };
    let credentials = std::env::var("IDLEDGER_TEST_ESDB_CREDENTIALS");
    let credentials = credentials
        .ok()
        .map(|text| Credentials::parse(&text).unwrap());
    conformance::all(&mut OnServer::new(url, credentials)).await;
}

/// Fills some streams; the next revision of each is `next`.
pub async fn fill(store: &dyn EventStore, range: std::ops::Range<u64>) {
    for n in range {
        let name = stream(n % 5);
        let head = store.stream_head(name).await.unwrap();
        let expected = head.map_or(Expected::NoStream, |head| Expected::Revision(head.revision));
        store
            .append(name, expected, vec![record(n, 60)])
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_counts_the_same() {
    let peer = Peer::single().await;
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let (one, two) = (open(&peer, &dirs[0]).await, open(&peer, &dirs[1]).await);
    // Both write, to each other's streams, one after the other.
    for round in 0..10 {
        fill(&one, round * 10..round * 10 + 5).await;
        let length = one.length().await.unwrap();
        two.wait_beyond(length - 1).await.unwrap();
        fill(&two, round * 10 + 5..round * 10 + 10).await;
        let length = two.length().await.unwrap();
        one.wait_beyond(length - 1).await.unwrap();
    }
    let all = read_everything(&one, 7).await;
    assert_eq!(all.len(), 100);
    assert_eq!(read_everything(&two, 33).await, all);
    // One that comes later counts the same from the beginning.
    let later = open(&peer, &dirs[2]).await;
    assert_eq!(read_everything(&later, 4096).await, all);
    let files = dirs
        .each_ref()
        .map(|dir| std::fs::read(dir.path().join("numbering")).unwrap());
    assert!(files.iter().all(|file| *file == files[0]), "byte for byte");
    // Positions are dense, the server's are not.
    peer.with_log(|log| assert!(log.entries().len() > 110));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_goes_on_from_what_was_kept() {
    let peer = Peer::single().await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(&peer, &dir).await;
    fill(&store, 0..40).await;
    let all = read_everything(&store, 100).await;
    store.close().await;
    let reopen = || async { Kurrent::open(options(&peer.url(), dir.path())).await };
    let (store, report) = reopen().await.unwrap();
    let wanted = OpenReport {
        server: "24.10.4".to_owned(),
        events: 40,
        read: 0,
        cut: 0,
    };
    assert_eq!(report, wanted, "nothing is read again after a clean end");
    store.close().await;
    // The index is lost: it is built anew. The numbering is torn: the rest is counted again.
    std::fs::remove_dir_all(dir.path().join("streams")).unwrap();
    let numbering = dir.path().join("numbering");
    let mut bytes = std::fs::read(&numbering).unwrap();
    bytes.truncate(bytes.len() - 100);
    std::fs::write(&numbering, bytes).unwrap();
    let (store, report) = reopen().await.unwrap();
    assert_eq!((report.events, report.read, report.cut), (40, 40, 1));
    assert_eq!(read_everything(&store, 100).await, all);
    // Nobody else may use the directory meanwhile.
    let mut soon = options(&peer.url(), dir.path());
    soon.index_on_disk = false;
    assert_eq!(Kurrent::open(soon).await.err(), Some(StoreError::Locked));
    // Everything is lost: the same numbers come out.
    store.close().await;
    let fresh = tempfile::tempdir().unwrap();
    assert_eq!(read_everything(&open(&peer, &fresh).await, 100).await, all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_peoples_events_never_reach_us() {
    use idledger_tests::peer::log::{Expected as Any, New};
    let peer = Peer::single().await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(&peer, &dir).await;
    fill(&store, 0..3).await;
    peer.with_log(|log| {
        for n in 0..3000_u32 {
            let mut id = [9; 16];
            id[..4].copy_from_slice(&n.to_be_bytes());
            let event = New {
                id,
                kind: "Order".to_owned(),
                content: "application/json".to_owned(),
                metadata: bytes::Bytes::new(),
                data: bytes::Bytes::from_static(b"{}"),
            };
            // Names that begin almost like ours.
            let name = ["orders-1", "idledger", "idledge", "$$orders-1"][n as usize % 4];
            log.append(name, Any::Any, vec![event]).unwrap();
        }
    });
    fill(&store, 3..6).await;
    assert_eq!(store.length().await, Ok(6));
    assert_eq!(read_everything(&store, 100).await.len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_tools_are_shown_is_what_the_envelope_says() {
    let peer = Peer::single().await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(&peer, &dir).await;
    let mut labelled = record(1, 50);
    labelled.labels = ledger::store::Labels {
        kind: Some("AccountOpened"),
        correlation: Some(domain::ids::CorrelationId([3; 16])),
        causation: Some(domain::ids::EventId([4; 16])),
    };
    store
        .append(stream(0), Expected::NoStream, vec![labelled.clone()])
        .await
        .unwrap();
    peer.with_log(|log| {
        let name = format!("idledger.{}", stream(0));
        let entry = log.of_stream(&name)[0].clone();
        assert_eq!(
            (entry.kind.as_str(), entry.content.as_str()),
            ("AccountOpened", "application/octet-stream")
        );
        assert_eq!(
            (entry.id, &entry.data),
            (labelled.event_id.0, &labelled.bytes)
        );
        let metadata: serde_json::Value = serde_json::from_slice(&entry.metadata).unwrap();
        assert_eq!(
            metadata["$correlationId"],
            "03030303030303030303030303030303"
        );
        assert_eq!(metadata["$causationId"], "04040404040404040404040404040404");
        assert_eq!(metadata["link"], labelled.link.to_string());
        assert_eq!(metadata.as_object().unwrap().len(), 3);
    });
}

/// However long the log is and however large its events: what is held at once is bounded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_holds_no_more_than_so_many_bytes() {
    const BYTES: usize = 140_000;
    const EVENTS: u64 = 140;
    let peer = Peer::single().await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(&peer, &dir).await;
    for n in 0..EVENTS {
        let record = record(n, BYTES);
        let name = stream(n % 5);
        let expected = match (n / 5).checked_sub(1) {
            None => Expected::NoStream,
            Some(last) => Expected::Revision(domain::ids::Revision(last)),
        };
        store.append(name, expected, vec![record]).await.unwrap();
    }
    let mut next = 0;
    while next < EVENTS {
        let page = store.read_all(Position(next), 4096).await.unwrap();
        let bytes: usize = page.iter().map(|record| record.bytes.len()).sum();
        assert!(
            !page.is_empty() && bytes <= PAGE_BYTES_MAX + BYTES,
            "{bytes}"
        );
        for record in page {
            assert_eq!(record.position, Position(next));
            next += 1;
        }
    }
}

/// Of many events of other nodes some are known before a page was asked for. Not all need be: a busy
/// machine is late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_sent_without_being_asked_for() {
    let (peer, dirs) = (
        Peer::single().await,
        [(); 2].map(|()| TempDir::new().unwrap()),
    );
    let writer = open(&peer, &dirs[0]).await;
    let mut patient = options(&peer.url(), dirs[1].path());
    patient.poll = Duration::from_mins(10);
    let reader = Kurrent::open(patient).await.unwrap().0;
    peer.followed(2).await;
    drop(writer);
    let mut unasked = 0;
    for n in 0..200 {
        let before = peer.pages();
        put(&peer, n..n + 1);
        assert_eq!(reader.wait_beyond(n).await.unwrap(), n + 1);
        unasked += u32::from(peer.pages() == before);
    }
    assert!(unasked > 0, "each event took a page");
    assert_eq!(read_everything(&reader, 64).await.len(), 200);
}

/// The client would ask an ended subscription again for ever, on the thread that all calls need.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_ends_politely_costs_nothing() {
    let (peer, dir) = (Peer::single().await, TempDir::new().unwrap());
    let store = open(&peer, &dir).await;
    for n in 0..3 {
        // It is asked for anew.
        peer.followed(n + 1).await;
        peer.end_subscriptions();
        let appended = store.append(stream(n), Expected::NoStream, vec![record(n, 50)]);
        assert_eq!(appended.await.unwrap().last, Position(n));
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_is_asked_to_send_whichever_node_it_is() {
    let settings = Settings {
        nodes: 3,
        user: Some(("ops", "changeit")),
        ..Settings::default()
    };
    let (peer, dir) = (Peer::start(settings).await, TempDir::new().unwrap());
    peer.elect(Some(2));
    let mut options = options(&peer.url(), dir.path());
    options.credentials = Credentials::parse("ops:changeit");
    let (store, _) = Kurrent::open(options).await.unwrap();
    peer.followed(1).await;
    store.close().await;
}

/// Whoever reads page after page does not wait for each, and is shown the same as anybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_on_is_read_ahead_for() {
    const EVENTS: u64 = 3000;
    const LIMIT: usize = 100;
    let (peer, dir) = (Peer::single().await, TempDir::new().unwrap());
    put(&peer, 0..EVENTS);
    let mut patient = options(&peer.url(), dir.path());
    patient.poll = Duration::from_mins(10);
    let store = Kurrent::open(patient).await.unwrap().0;
    let before = peer.pages();
    let read = read_everything(&store, LIMIT).await;
    let asked = peer.pages() - before;
    assert_eq!(read.len() as u64, EVENTS);
    assert!(
        asked < EVENTS / LIMIT as u64 / 2,
        "{asked} pages were asked for"
    );
    // Three readers at once, more than are read ahead for, each at a place of its own; then one who
    // goes on, and one who goes back.
    let mut places = [0, 1000, 1500];
    while places[0] < 1000 {
        for place in &mut places {
            let page = store.read_all(Position(*place), LIMIT).await.unwrap();
            assert_eq!(page, read[*place as usize..][..LIMIT]);
            *place += LIMIT as u64;
        }
    }
    for place in [1000, 0] {
        let page = store.read_all(Position(place), LIMIT).await.unwrap();
        assert_eq!(page, read[place as usize..][..LIMIT]);
    }
    // What comes later is found behind what was there.
    put(&peer, EVENTS..EVENTS + 500);
    store.wait_beyond(EVENTS + 499).await.unwrap();
    let all = read_everything(&store, LIMIT).await;
    assert_eq!(all.len() as u64, EVENTS + 500);
    assert_eq!(all[..read.len()], read);
}

/// Events as nodes of ours write them, each in a stream of its own.
fn put(peer: &Peer, numbers: std::ops::Range<u64>) {
    for n in numbers {
        let record = record(n, 50);
        let name = format!("{}.{}", ledger::kurrentdb::LEDGER_NAME, stream(n));
        let event = New {
            id: record.event_id.0,
            kind: "Sent".to_owned(),
            content: "application/octet-stream".to_owned(),
            metadata: format!("{{\"link\":\"{}\"}}", record.link).into(),
            data: record.bytes,
        };
        peer.with_log(|log| log.append(&name, On::Any, vec![event]).unwrap());
    }
}
