//! The fault table: every call × what can go wrong, and many writers while things go wrong.

use crate::engine::{open, options};
use domain::ids::{Position, Revision};
use idledger_tests::peer::faults::{Call, Fault};
use idledger_tests::peer::{Peer, Settings};
use ledger::conformance::{read_everything, read_whole_stream, record, stream};
use ledger::kurrentdb::{Kurrent, Options};
use ledger::remote::ServerFault;
use ledger::store::{AppendError, EventStore, Expected, StoreError};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A call that is not answered is given up soon, an append is tried for long.
fn impatient(peer: &Peer, dir: &TempDir) -> Options {
    let mut options = options(&peer.url(), dir.path());
    options.call_timeout = Duration::from_millis(500);
    options.deadline = Duration::from_secs(30);
    options
}

async fn impatient_store(peer: &Peer, dir: &TempDir) -> Kurrent {
    Kurrent::open(impatient(peer, dir)).await.unwrap().0
}

/// How often an event stands in the server's log.
fn times_written(peer: &Peer, n: u64) -> usize {
    let id = record(n, 0).event_id.0;
    peer.with_log(|log| log.entries().iter().filter(|entry| entry.id == id).count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_is_done_once_whatever_goes_wrong() {
    let peer = Peer::single().await;
    let dir = tempfile::tempdir().unwrap();
    let store = impatient_store(&peer, &dir).await;
    let name = stream(1);
    let mut expected = Expected::NoStream;
    for (n, fault) in (0..).zip(Fault::ALL.into_iter().chain(Fault::ALL)) {
        // Once alone, once with the question after it going wrong too.
        peer.faults().next(Call::Append, fault);
        if n >= Fault::ALL.len() as u64 {
            peer.faults().next(Call::Append, fault);
            peer.faults().next(Call::ReadStream, fault);
            peer.faults().next(Call::ReadAll, fault);
        }
        let done = store.append(name, expected, vec![record(n, 50)]).await;
        let done = done.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(
            (done.last, done.revision),
            (Position(n), Revision(n)),
            "{fault:?}"
        );
        assert_eq!(times_written(&peer, n), 1, "{fault:?}");
        expected = Expected::Revision(done.revision);
    }
    assert!(peer.faults().happened() >= 3 * Fault::ALL.len() as u64);
    // Asking again for what is long done.
    let again = store
        .append(name, Expected::NoStream, vec![record(0, 50)])
        .await;
    assert_eq!(again.unwrap().last, Position(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_stays_a_conflict_whatever_goes_wrong() {
    let peer = Peer::single().await;
    let dir = tempfile::tempdir().unwrap();
    let store = impatient_store(&peer, &dir).await;
    let name = stream(2);
    store
        .append(name, Expected::NoStream, vec![record(0, 50)])
        .await
        .unwrap();
    for (n, fault) in (1..).zip(Fault::ALL) {
        peer.faults().next(Call::Append, fault);
        peer.faults().next(Call::ReadStream, fault);
        let refused = store
            .append(name, Expected::NoStream, vec![record(n, 50)])
            .await;
        let wanted = AppendError::Conflict {
            stream: name,
            expected: Expected::NoStream,
            current: Some(Revision(0)),
        };
        assert_eq!(refused, Err(wanted), "{fault:?}");
        assert_eq!(times_written(&peer, n), 0, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_answer_rightly_whatever_goes_wrong() {
    let peer = Peer::single().await;
    let dir = tempfile::tempdir().unwrap();
    let store = impatient_store(&peer, &dir).await;
    let name = stream(3);
    store
        .append(name, Expected::NoStream, vec![record(0, 50), record(1, 50)])
        .await
        .unwrap();
    let all = read_everything(&store, 10).await;
    for fault in Fault::ALL {
        peer.faults().next(Call::ReadStream, fault);
        let head = store.stream_head(name).await.unwrap();
        assert_eq!(
            head.map(|head| head.position),
            Some(Position(1)),
            "{fault:?}"
        );
        peer.faults().next(Call::ReadStream, fault);
        assert_eq!(read_whole_stream(&store, name, 10).await, all, "{fault:?}");
        peer.faults().next(Call::ReadAll, fault);
        assert_eq!(read_everything(&store, 10).await, all, "{fault:?}");
        peer.faults().next(Call::ReadStream, fault);
        assert_eq!(store.stream_head(stream(4)).await, Ok(None), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_answers_leaves_an_uncertain_append_that_can_be_asked_again() {
    let peer = Peer::single().await;
    let dir = tempfile::tempdir().unwrap();
    let mut options = impatient(&peer, &dir);
    options.deadline = Duration::from_millis(1200);
    let store = Kurrent::open(options).await.unwrap().0;
    for (n, fault, written) in [(0, Fault::SilentAfter, 1), (1, Fault::SilentBefore, 0)] {
        for _ in 0..8 {
            peer.faults().next(Call::Append, fault);
        }
        let name = stream(n);
        let asked = store
            .append(name, Expected::NoStream, vec![record(n, 50)])
            .await;
        let slow = |error: &StoreError| {
            matches!(
                error,
                StoreError::Server {
                    fault: ServerFault::Slow,
                    ..
                }
            )
        };
        assert!(
            matches!(&asked, Err(AppendError::Uncertain(error)) if slow(error)),
            "{asked:?}"
        );
        assert_eq!(times_written(&peer, n), written);
        let done =
            ledger::writer::append_surely(&store, name, Expected::NoStream, vec![record(n, 50)]);
        // What is left of the faults may make it uncertain again; not for ever.
        let mut done = done.await;
        while matches!(done, Err(AppendError::Uncertain(_))) {
            done = store
                .append(name, Expected::NoStream, vec![record(n, 50)])
                .await;
        }
        assert_eq!(done.unwrap().last, Position(n));
        assert_eq!(times_written(&peer, n), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_certainly_wrote_nothing_and_is_used_again_when_it_is_back() {
    let peer = Peer::single().await;
    let dir = tempfile::tempdir().unwrap();
    let mut options = impatient(&peer, &dir);
    options.deadline = Duration::from_millis(1500);
    let store = Arc::new(Kurrent::open(options).await.unwrap().0);
    store
        .append(stream(0), Expected::NoStream, vec![record(0, 50)])
        .await
        .unwrap();
    peer.stop(0).await;
    // The first call may still have been under way on the connection that was cut.
    let mut last = None;
    for _ in 0..3 {
        last = store
            .append(stream(1), Expected::NoStream, vec![record(1, 50)])
            .await
            .err();
    }
    let unreachable = |error: &StoreError| {
        matches!(
            error,
            StoreError::Server {
                fault: ServerFault::Unreachable | ServerFault::NoLeader | ServerFault::Lost,
                ..
            }
        )
    };
    assert!(
        matches!(&last, Some(AppendError::Failed(error)) if unreachable(error)),
        "{last:?}"
    );
    assert!(
        store
            .health()
            .trouble
            .is_some_and(|error| unreachable(&error))
    );
    assert!(store.stream_head(stream(0)).await.is_err());
    assert_eq!(store.length().await, Ok(1), "what is known stays known");
    peer.resume(0).await;
    let mut done = store
        .append(stream(1), Expected::NoStream, vec![record(1, 50)])
        .await;
    while done.is_err() {
        done = store
            .append(stream(1), Expected::NoStream, vec![record(1, 50)])
            .await;
    }
    assert_eq!(done.unwrap().last, Position(1));
    assert_eq!(times_written(&peer, 1), 1);
    assert_eq!(store.health().trouble, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_and_elections_are_got_over() {
    let settings = Settings {
        nodes: 3,
        ..Settings::default()
    };
    let peer = Peer::start(settings).await;
    let dir = tempfile::tempdir().unwrap();
    let store = impatient_store(&peer, &dir).await;
    for n in 0..12_u64 {
        match n % 4 {
            0 => peer.elect(Some((n as usize / 4 + 1) % 3)),
            1 => {
                let leader = (n as usize / 4 + 2) % 3;
                peer.elect(Some(leader));
                peer.stop((leader + 2) % 3).await;
            }
            2 => {
                for node in 0..3 {
                    peer.restart(node).await;
                }
            }
            _ => {}
        }
        let done = store
            .append(stream(n), Expected::NoStream, vec![record(n, 50)])
            .await;
        assert_eq!(
            done.unwrap_or_else(|error| panic!("{n}: {error}")).last,
            Position(n)
        );
        assert_eq!(times_written(&peer, n), 1);
    }
    assert_eq!(read_everything(&store, 5).await.len(), 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_appends_are_under_way_than_allowed() {
    let peer = Peer::single().await;
    let dir = tempfile::tempdir().unwrap();
    let mut options = impatient(&peer, &dir);
    options.in_flight = 2;
    let store = Arc::new(Kurrent::open(options).await.unwrap().0);
    for _ in 0..12 {
        peer.faults()
            .next(Call::Append, Fault::Late(Duration::from_millis(20)));
    }
    let tasks: Vec<_> = (0..12_u64)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                store
                    .append(stream(n), Expected::NoStream, vec![record(n, 9)])
                    .await
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(peer.faults().most_appends(), 2);
}

/// How long writers go on while things go wrong: `IDLEDGER_TEST_FAULT_SECONDS`.
fn duration() -> Duration {
    let seconds = std::env::var("IDLEDGER_TEST_FAULT_SECONDS");
    let seconds = seconds.ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

/// What a writer knows of its appends.
#[derive(Default)]
struct Known {
    done: Vec<(u64, Position)>,
    not: Vec<u64>,
}

/// Writes to its own stream, and tries for one that all want.
async fn write(store: Arc<Kurrent>, writer: u64, until: Instant) -> Known {
    let mut known = Known::default();
    let mut expected = Expected::NoStream;
    let mut n = writer * 1_000_000;
    while Instant::now() < until {
        n += 1;
        let (name, at) = if n.is_multiple_of(4) {
            let shared = stream(1000);
            let Ok(head) = store.stream_head(shared).await else {
                continue;
            };
            let at = head.map_or(Expected::NoStream, |head| Expected::Revision(head.revision));
            (shared, at)
        } else {
            (stream(writer), expected)
        };
        let mut outcome = store.append(name, at, vec![record(n, 120)]).await;
        while matches!(outcome, Err(AppendError::Uncertain(_))) {
            outcome = store.append(name, at, vec![record(n, 120)]).await;
        }
        match outcome {
            Ok(done) => {
                known.done.push((n, done.last));
                if name == stream(writer) {
                    expected = Expected::Revision(done.revision);
                }
            }
            Err(AppendError::Conflict { .. }) => {
                assert_eq!(name, stream(1000), "nobody else writes there");
                known.not.push(n);
            }
            Err(AppendError::Failed(_)) => known.not.push(n),
            Err(error) => panic!("{error}"),
        }
    }
    known
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_and_random_faults_lose_nothing_and_write_nothing_twice() {
    let seed = 20_261_122;
    let peer = Peer::single().await;
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    // Two nodes share the writers.
    let node = async |dir: &TempDir| {
        let mut options = impatient(&peer, dir);
        options.call_timeout = Duration::from_secs(1);
        Arc::new(Kurrent::open(options).await.unwrap().0)
    };
    let nodes = [node(&dirs[0]).await, node(&dirs[1]).await];
    peer.faults().now_and_then(seed, 20);
    let until = Instant::now() + duration();
    let tasks: Vec<_> = (0..64)
        .map(|writer| {
            tokio::spawn(write(
                Arc::clone(&nodes[writer as usize % 2]),
                writer,
                until,
            ))
        })
        .collect();
    let mut all = Known::default();
    for task in tasks {
        let known = task.await.unwrap();
        all.done.extend(known.done);
        all.not.extend(known.not);
    }
    let happened = peer.faults().happened();
    peer.faults().now_and_then(seed, 0);
    assert!(
        happened > 10 && all.done.len() > 100,
        "{happened} {}",
        all.done.len()
    );
    let mut times: HashMap<[u8; 16], usize> = HashMap::new();
    peer.with_log(|log| {
        let ours = log
            .entries()
            .iter()
            .filter(|entry| entry.stream.starts_with("idledger."));
        for entry in ours {
            *times.entry(entry.id).or_default() += 1;
        }
    });
    assert!(times.values().all(|times| *times == 1), "no event twice");
    for (n, _) in &all.done {
        assert!(times.contains_key(&record(*n, 0).event_id.0), "{n} is lost");
    }
    for n in &all.not {
        assert!(
            !times.contains_key(&record(*n, 0).event_id.0),
            "{n} was denied"
        );
    }
    let read = read_everything(&*nodes[0], 500).await;
    let positions: HashSet<u64> = all.done.iter().map(|(_, position)| position.0).collect();
    assert_eq!((positions.len(), read.len()), (all.done.len(), times.len()));
    assert_eq!(
        read.len(),
        all.done.len(),
        "nothing is there that nobody was told of"
    );
    let by_position: HashMap<u64, _> = read
        .iter()
        .map(|stored| (stored.position.0, &stored.bytes))
        .collect();
    for (n, position) in &all.done {
        assert_eq!(by_position[&position.0], &record(*n, 120).bytes, "{n}");
    }
    nodes[1].wait_beyond(read.len() as u64 - 1).await.unwrap();
    assert_eq!(read_everything(&*nodes[1], 500).await, read);
    println!("{} appends, {happened} faults", all.done.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_follower_is_told_when_the_store_goes() {
    let peer = Peer::single().await;
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&peer, &dir).await);
    let waiting = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.wait_beyond(0).await })
    };
    store
        .append(stream(0), Expected::NoStream, vec![record(0, 9)])
        .await
        .unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(1));
}
