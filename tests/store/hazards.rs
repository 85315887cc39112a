//! What administrators, intruders and wrong settings do, and what the engine says to it.

use crate::engine::{fill, open, options};
use domain::ids::{Position, Revision};
use idledger_tests::peer::log::{Expected as On, New};
use idledger_tests::peer::{Peer, Settings};
use ledger::conformance::{read_everything, record, stream};
use ledger::kurrentdb::{Credentials, Kurrent};
use ledger::remote::{ServerFault, StreamHazard};
use ledger::store::{AppendError, EventStore, Expected, StoreError};
use std::time::Duration;
use tempfile::TempDir;

fn name(n: u64) -> String {
    format!("idledger.{}", stream(n))
}

fn new(byte: u8, kind: &str, data: &str) -> New {
    New {
        id: [byte; 16],
        kind: kind.to_owned(),
        content: "application/json".to_owned(),
        metadata: bytes::Bytes::new(),
        data: bytes::Bytes::copy_from_slice(data.as_bytes()),
    }
}

fn set(peer: &Peer, n: u64, byte: u8, settings: &str) {
    let stream = format!("$${}", name(n));
    let event = new(byte, "$metadata", settings);
    peer.with_log(|log| log.append(&stream, On::Any, vec![event]).unwrap());
}

/// Why a store cannot be opened, if it cannot.
async fn open_error(peer: &Peer, dir: &TempDir) -> Option<StoreError> {
    match Kurrent::open(options(&peer.url(), dir.path())).await {
        Ok((store, _)) => {
            store.close().await;
            None
        }
        Err(error) => Some(error),
    }
}

/// Waits until the store has stopped, and why.
async fn stopped(store: &Kurrent) -> StoreError {
    store.wait_beyond(u64::MAX - 1).await.unwrap_err()
}

async fn filled() -> (Peer, TempDir, Kurrent) {
    let peer = Peer::single().await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(&peer, &dir).await;
    fill(&store, 0..20).await;
    (peer, dir, store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_would_lose_events_stop_the_store_until_they_are_corrected() {
    let cases = [
        ("{\"$maxCount\":2}", StreamHazard::MaxCount),
        ("{\"$maxAge\":60,\"$acl\":{}}", StreamHazard::MaxAge),
        ("{\"$tb\":3}", StreamHazard::TruncateBefore),
    ];
    for (settings, hazard) in cases {
        let (peer, dir, store) = filled().await;
        set(
            &peer,
            1,
            1,
            "{\"$acl\":{\"$r\":\"ops\"},\"$tb\":0,\"$maxAge\":null}",
        );
        fill(&store, 20..25).await;
        set(&peer, 1, 2, settings);
        let wanted = StoreError::Unsafe {
            stream: stream(1),
            hazard,
        };
        assert_eq!(stopped(&store).await, wanted);
        assert!(hazard.hint().contains("find out who"));
        // Nothing is written any more, and nothing is said to be missing.
        let refused = store
            .append(stream(7), Expected::NoStream, vec![record(90, 9)])
            .await;
        assert_eq!(refused, Err(AppendError::Failed(wanted.clone())));
        assert_eq!(store.stream_head(stream(1)).await, Err(wanted.clone()));
        assert_eq!(store.length().await, Ok(25));
        store.close().await;
        let again = Kurrent::open(options(&peer.url(), dir.path())).await;
        assert_eq!(again.err(), Some(wanted), "a restart does not help");
        set(&peer, 1, 3, "{}");
        let store = open(&peer, &dir).await;
        fill(&store, 25..30).await;
        assert_eq!(read_everything(&store, 100).await.len(), 30);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_streams_are_not_empty_streams() {
    for good in [false, true] {
        let (peer, dir, store) = filled().await;
        let hazard = if good {
            StreamHazard::Tombstoned
        } else {
            StreamHazard::TruncateBefore
        };
        peer.with_log(|log| log.end(&name(2), On::Any, good).unwrap());
        let wanted = StoreError::Unsafe {
            stream: stream(2),
            hazard,
        };
        // Before the follower has seen it, and after.
        let answer = store.stream_head(stream(2)).await;
        assert_eq!(answer, Err(wanted.clone()));
        let answer = store.read_stream(stream(2), Revision(0), 5).await;
        assert_eq!(answer, Err(wanted.clone()));
        assert_eq!(stopped(&store).await, wanted);
        store.close().await;
        let again = Kurrent::open(options(&peer.url(), dir.path())).await;
        assert_eq!(again.err(), Some(wanted));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_events_among_ours_stop_the_store() {
    let foreign: [(&str, &str); 3] = [
        ("idledger.account-07000000000000000000000000000000", "Order"),
        ("idledger.orders-1", "Order"),
        ("idledger.", "Order"),
    ];
    for (number, (stream, kind)) in foreign.into_iter().enumerate() {
        let (peer, _dir, store) = filled().await;
        let event = new(number as u8 + 1, kind, "{}");
        peer.with_log(|log| log.append(stream, On::Any, vec![event]).unwrap());
        let why = stopped(&store).await;
        assert!(matches!(why, StoreError::Foreign { .. }), "{stream}: {why}");
        assert_eq!(
            read_everything(&store, 7).await.len(),
            20,
            "what was before stays readable"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_altered_on_the_server_is_found() {
    type Change = fn(&mut idledger_tests::peer::log::Entry);
    let changes: [(&str, Change); 4] = [
        ("a byte", |entry| {
            entry.data = [b"x", &entry.data[1..]].concat().into();
        }),
        ("its id", |entry| entry.id[0] ^= 1),
        ("its link", |entry| {
            let text = String::from_utf8(entry.metadata.to_vec()).unwrap();
            entry.metadata = text.replacen('0', "1", 1).into();
        }),
        ("its metadata", |entry| entry.metadata = bytes::Bytes::new()),
    ];
    for (what, change) in changes {
        let (peer, dir, store) = filled().await;
        peer.with_log(|log| {
            log.tamper(|entries| {
                let ours = entries
                    .iter_mut()
                    .filter(|entry| entry.stream.starts_with("idledger."));
                change(ours.collect::<Vec<_>>()[11]);
            });
        });
        let corrupt =
            |error: &StoreError| matches!(error, StoreError::Corrupt { position: 11, .. });
        let read = store.read_all(Position(5), 10).await.unwrap_err();
        assert!(corrupt(&read), "{what}: {read}");
        let stream = store
            .read_stream(stream(1), Revision(0), 10)
            .await
            .unwrap_err();
        assert!(corrupt(&stream), "{what}: {stream}");
        // Elsewhere nothing is wrong.
        assert_eq!(store.read_all(Position(12), 10).await.unwrap().len(), 8);
        store.close().await;
        // A node that has lost its index reads all of it again, and so does one that has lost all.
        std::fs::remove_dir_all(dir.path().join("streams")).unwrap();
        let again = Kurrent::open(options(&peer.url(), dir.path())).await.err();
        let found = matches!(
            again,
            Some(StoreError::Corrupt { .. } | StoreError::Foreign { .. })
        );
        assert!(found, "{what}: {again:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holes_and_other_orders_stop_the_reader() {
    type Change = fn(&mut Vec<idledger_tests::peer::log::Entry>);
    let changes: [(&str, Change); 3] = [
        ("a hole", |entries| {
            let at = entries
                .iter()
                .position(|entry| entry.stream.starts_with("idledger.") && entry.revision == 2);
            entries.remove(at.unwrap());
        }),
        ("another order", |entries| {
            let at: Vec<_> = (0..entries.len())
                .filter(|at| entries[*at].stream.starts_with("idledger."))
                .collect();
            let (one, other) = (at[10], at[11]);
            let places = (entries[one].place, entries[other].place);
            entries.swap(one, other);
            (entries[one].place, entries[other].place) = places;
        }),
        ("a shorter log", |entries| entries.truncate(12)),
    ];
    for (what, change) in changes {
        let (peer, dir, store) = filled().await;
        store.close().await;
        peer.with_log(|log| log.tamper(change));
        // With the index as it was, the end of the log is compared; without, all of it.
        for lose_index in [false, true] {
            if lose_index {
                std::fs::remove_dir_all(dir.path().join("streams")).unwrap();
            }
            let error = open_error(&peer, &dir).await;
            if lose_index || what == "a shorter log" {
                assert!(
                    matches!(error, Some(StoreError::Corrupt { .. })),
                    "{what}: {error:?}"
                );
            } else {
                assert_eq!(error, None, "{what}");
            }
        }
        // A node that never saw the log before notices what can be noticed: a hole.
        let fresh = tempfile::tempdir().unwrap();
        let error = open_error(&peer, &fresh).await;
        let hole = matches!(error, Some(StoreError::Corrupt { .. }));
        assert_eq!(hole, what == "a hole", "{what}: {error:?}");
    }
}

/// The server comes back from a backup that lacks what nodes know. Meanwhile nothing may have happened there, or
/// other people's events may have brought the log beyond where it was, or somebody's in streams like ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_restored_to_an_older_state_stops_every_running_node() {
    for since in ["nothing", "others", "ours"] {
        let (peer, _dir, one) = filled().await;
        let dir = tempfile::tempdir().unwrap();
        let two = open(&peer, &dir).await;
        let backup = peer.with_log(|log| log.entries().len());
        fill(&one, 20..41).await;
        // Looks begin behind the last event of ours.
        set(&peer, 1, 1, "{\"$acl\":{}}");
        two.wait_beyond(40).await.unwrap();
        peer.stop(0).await;
        let away = |node: &Kurrent| node.health().trouble.is_some();
        while !away(&one) || !away(&two) {
            tokio::task::yield_now().await;
        }
        peer.with_log(|log| {
            log.restore(backup);
            for n in 0..60 {
                let (name, kind) = match since {
                    "others" => ("orders-1".to_owned(), "Order"),
                    "ours" => (name(90 + n), "Order"),
                    _ => break,
                };
                let event = new(100 + n as u8, kind, &"x".repeat(300));
                log.append(&name, On::Any, vec![event]).unwrap();
            }
        });
        peer.resume(0).await;
        for (number, node) in (0..).zip([&one, &two]) {
            // Asked before it may have noticed: in a stream that lost its end, and in a new one.
            for (stream, expected) in [
                (stream(1), Expected::Revision(Revision(3))),
                (stream(50 + number), Expected::NoStream),
            ] {
                let answer = node.append(stream, expected, vec![record(200, 9)]).await;
                assert!(answer.is_err(), "{since}: {answer:?}");
            }
            let why = stopped(node).await;
            let older = matches!(&why, StoreError::Corrupt { reason, .. } if reason.contains("last event known"));
            assert!(older, "{since}: {why}");
            let answer = node
                .append(stream(70), Expected::NoStream, vec![record(201, 9)])
                .await;
            assert_eq!(answer, Err(AppendError::Failed(why)), "{since}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wrong_setting_has_its_own_error() {
    async fn fault(url: &str, credentials: Option<&str>) -> (ServerFault, String) {
        let dir = tempfile::tempdir().unwrap();
        let mut options = options(url, dir.path());
        options.call_timeout = Duration::from_secs(3);
        options.credentials = credentials.map(|text| Credentials::parse(text).unwrap());
        match Kurrent::open(options).await.err() {
            Some(StoreError::Server { fault, message }) => (fault, message),
            other => panic!("{url}: {other:?}"),
        }
    }
    let old = Peer::start(Settings {
        version: "21.6.0",
        ..Settings::default()
    })
    .await;
    assert_eq!(fault(&old.url(), None).await.0, ServerFault::TooOld);
    let guarded = Peer::start(Settings {
        user: Some(("ops", "changeit")),
        ..Settings::default()
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    for wrong in [None, Some("ops:wrong"), Some("other:changeit")] {
        let (fault, message) = fault(&guarded.url(), wrong).await;
        assert_eq!(fault, ServerFault::Denied, "{message}");
        assert!(!message.contains("changeit") && !message.contains("wrong"));
    }
    let mut good = options(&guarded.url(), dir.path());
    good.credentials = Credentials::parse("ops:changeit");
    let (store, _) = Kurrent::open(good).await.unwrap();
    fill(&store, 0..3).await;
    // Plain text against TLS, and TLS against plain text.
    let secured = guarded.url().replace("tls=false", "tls=true");
    let (plain, message) = fault(&secured, None).await;
    assert_eq!(plain, ServerFault::Tls, "{message}");
    // Nobody there.
    let gone = Peer::single().await;
    gone.stop(0).await;
    let (nobody, message) = fault(&gone.url(), None).await;
    assert!(
        matches!(nobody, ServerFault::Unreachable | ServerFault::NoLeader),
        "{nobody} {message}"
    );
    // A cluster without a leader.
    let headless = Peer::start(Settings {
        nodes: 3,
        ..Settings::default()
    })
    .await;
    headless.elect(None);
    let (none, message) = fault(&headless.url(), None).await;
    assert_eq!(none, ServerFault::NoLeader, "{message}");
    for fault in ServerFault::ALL {
        assert!(!fault.hint().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_over_the_servers_limit_is_refused_and_written_nowhere() {
    let (peer, _dir, store) = filled().await;
    let big = (100..110).map(|n| record(n, 150_000)).collect();
    let refused = store.append(stream(9), Expected::NoStream, big).await;
    let too_big = |error: &StoreError| {
        matches!(
            error,
            StoreError::Server {
                fault: ServerFault::TooBig,
                ..
            }
        )
    };
    assert!(
        matches!(&refused, Err(AppendError::Failed(error)) if too_big(error)),
        "{refused:?}"
    );
    peer.with_log(|log| assert!(log.of_stream(&name(9)).is_empty()));
    fill(&store, 20..21).await;
}

/// An event of ours as a node of ours writes it.
fn ours(n: u64) -> New {
    let record = record(n, 50);
    New {
        id: record.event_id.0,
        kind: "Record".to_owned(),
        content: "application/octet-stream".to_owned(),
        metadata: format!("{{\"link\":\"{}\"}}", record.link).into(),
        data: record.bytes,
    }
}

/// A node that has numbered events without one that stands among them, because the server left it out
/// of what it sends; the stream of that one, and the position that it should have.
async fn with_a_hole(peer: &Peer, dir: &TempDir) -> (Kurrent, u64, u64) {
    let mut patient = options(&peer.url(), dir.path());
    patient.poll = Duration::from_mins(10);
    let store = Kurrent::open(patient).await.unwrap().0;
    peer.followed(1).await;
    let mut length = store.length().await.unwrap();
    for n in (100..).step_by(2) {
        peer.hide(Some(name(n)));
        peer.with_log(|log| {
            for n in [n, n + 1] {
                log.append(&name(n), On::NoStream, vec![ours(n)]).unwrap();
            }
        });
        let now = store.wait_beyond(length).await.unwrap();
        if now == length + 1 {
            peer.hide(None);
            return (store, n, length);
        }
        // A page was quicker, and has found both.
        assert_eq!(now, length + 2);
        length = now;
    }
    unreachable!("one of so many is sent before it is asked for")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_left_out_of_what_is_sent_is_found_before_it_matters() {
    for way in 0..3 {
        let (peer, dir) = (Peer::single().await, tempfile::tempdir().unwrap());
        peer.with_log(|log| {
            for n in 0..5 {
                log.append(&name(n), On::NoStream, vec![ours(n)]).unwrap();
            }
        });
        let (store, n, position) = with_a_hole(&peer, &dir).await;
        match way {
            // No reader is handed the event that was numbered in its place.
            0 => {
                for from in [position, position - 1, 0] {
                    let read = store.read_all(Position(from), 4096).await;
                    let at = match &read {
                        Err(StoreError::Corrupt { position, .. }) => Some(*position),
                        _ => None,
                    };
                    assert_eq!(at, Some(position), "from {from}: {read:?}");
                }
            }
            // Whoever wrote it is told no number.
            1 => {
                let written = store.append(stream(n), Expected::NoStream, vec![record(n, 50)]);
                let written = written.await;
                let unsure = matches!(
                    written,
                    Err(AppendError::Uncertain(StoreError::Corrupt { .. }))
                );
                assert!(unsure, "{written:?}");
            }
            // The next event of its stream does not follow.
            _ => {
                let next = ours(n + 1000);
                peer.with_log(|log| log.append(&name(n), On::Any, vec![next]).unwrap());
            }
        }
        let why = stopped(&store).await;
        assert!(matches!(why, StoreError::Corrupt { .. }), "{why}");
    }
}
