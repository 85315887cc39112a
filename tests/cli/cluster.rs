//! Ledgers on an event server: moving there and back, and several servers of one ledger at once. The server
//! is the protocol peer; the database of the shared vault is a real PostgreSQL.

mod nodes;
mod sealers;

use crate::run::{Place, Ran};
use idledger_tests::peer::Peer;
use serde_json::Value;
use std::fs;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;

/// A running event server.
pub struct Cluster {
    pub peer: Peer,
    /// Drives the peer.
    runtime: Runtime,
    ledgers: AtomicUsize,
}

impl Cluster {
    pub fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        Self {
            peer: runtime.block_on(Peer::single()),
            runtime,
            ledgers: AtomicUsize::new(0),
        }
    }

    /// The address of a ledger of its own there.
    pub fn fresh(&self) -> String {
        let number = self.ledgers.fetch_add(1, Ordering::SeqCst);
        format!("{}&streams=ledger{number}", self.peer.url())
    }

    /// Nobody listens there any more.
    fn stop(&self) {
        self.runtime.block_on(self.peer.stop(0));
    }

    /// The same server again, with what it had.
    fn resume(&self) {
        self.runtime.block_on(self.peer.resume(0));
    }

    /// Moves a place's ledger there; nothing of its log stays behind. The address it has now.
    pub fn take_over(&self, place: &Place) -> String {
        let (from, to) = (segments(place), self.fresh());
        place.good(&["copy", "--from", &from, "--to", &to]);
        for part in ["log", "index"] {
            fs::remove_dir_all(place.ledger().join(part)).unwrap();
        }
        to
    }
}

fn segments(place: &Place) -> String {
    format!("segments:{}", place.ledger().display())
}

fn copied(ran: &Ran) -> (u64, u64, String) {
    let value: Value = ran.json();
    let number = |name: &str| value[name].as_u64().unwrap();
    let digest = value["digest"].as_str().unwrap().to_owned();
    (number("records"), number("found"), digest)
}

/// Kill -9 on the way, again and again: what arrived is found, and nothing is there twice.
#[test]
fn a_copy_that_is_killed_twenty_times_ends_with_equal_digests_there_and_back() {
    const KILLS: u32 = 20;
    let cluster = Cluster::start();
    let place = Place::with_people(60);
    let (home, there) = (segments(&place), cluster.fresh());
    let back = format!("segments:{}", place.path("back").display());
    let mut digests = Vec::new();
    for (from, to) in [(&home, &there), (&there, &back)] {
        let copy = ["copy", "--from", from, "--to", to, "--format", "json"];
        let mut killed = 0;
        let mut patience = Duration::from_millis(40);
        let done = loop {
            let mut child = place.command(&copy);
            let mut child = child
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            if killed < KILLS {
                std::thread::sleep(patience);
                // A little longer each time, so that every stage of a run is met.
                patience += Duration::from_millis(15);
                if child.try_wait().unwrap().is_none() {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    killed += 1;
                    continue;
                }
            }
            let ran = Ran::of(child.wait_with_output().unwrap());
            assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
            let (records, found, digest) = copied(&ran);
            if killed == KILLS {
                break (records, digest);
            }
            // It was quicker than the kill: the next ones find everything, and are killed sooner at that.
            assert!(found <= records);
            patience = Duration::from_millis(5);
        };
        digests.push(done);
    }
    assert_eq!(digests[0], digests[1]);
    let ledger = place.path("back");
    let ledger = ledger.to_str().unwrap();
    place.good(&["verify", "--full", "--dir", ledger]);
}

#[test]
fn a_copy_says_what_is_wrong() {
    let cluster = Cluster::start();
    let (place, other) = (Place::with_people(5), Place::with_people(6));
    let (from, to) = (segments(&place), cluster.fresh());
    place.good(&["copy", "--from", &from, "--to", &to]);
    let says = |arguments: &[&str], code: i32, text: &str| {
        let ran = place.run(arguments);
        assert_eq!(ran.code, code, "{}", ran.stderr);
        assert!(ran.stderr.contains(text), "{}", ran.stderr);
    };
    let another = segments(&other);
    says(
        &["copy", "--from", &another, "--to", &to],
        4,
        "differ from position",
    );
    says(&["copy", "--from", &from, "--to", &from], 2, "one store");
    let memory = format!("memory:{}", place.ledger().display());
    says(&["copy", "--from", &memory, "--to", &to], 2, "forgotten");
    says(
        &["copy", "--from", "nowhere", "--to", &to],
        2,
        "segments:DIR",
    );
    let none = format!("segments:{}", place.path("none").display());
    says(&["copy", "--from", &none, "--to", &to], 10, "the source");
    says(
        &[
            "copy",
            "--from",
            &from,
            "--to",
            "esdb://127.0.0.1:1?tls=false",
        ],
        1,
        "nobody answers",
    );
    says(
        &["copy", "--from", &from, "--to", "esdb://h:1?tsl=false"],
        2,
        "not known",
    );
}

/// Whoever comes second is told; nothing of theirs is in the ledger.
#[test]
fn two_that_make_a_ledger_on_one_server_at_once_make_one() {
    let cluster = Cluster::start();
    for _ in 0..6 {
        let (store, places) = (cluster.fresh(), [Place::new(), Place::new()]);
        let started = places.each_ref().map(|place| {
            let mut making = place.command(&["init", "--store", &store, "--format", "json"]);
            making.stdout(Stdio::piped()).stderr(Stdio::piped());
            making.spawn().unwrap()
        });
        let ended = started.map(|child| Ran::of(child.wait_with_output().unwrap()));
        let codes = ended.each_ref().map(|ran| ran.code);
        let won = codes.iter().position(|code| *code == 0);
        let won = won.unwrap_or_else(|| panic!("{}{}", ended[0].stderr, ended[1].stderr));
        let lost = &ended[1 - won];
        assert_eq!(lost.code, 12, "{}{}", lost.stdout, lost.stderr);
        assert!(lost.stderr.contains("signing key"), "{}", lost.stderr);
        let prefix = store.split("streams=").nth(1).unwrap();
        let ledger = ended[won].json()["ledger"].as_str().unwrap().to_owned();
        let made = cluster.peer.with_log(|log| {
            let entries = log.entries().iter();
            let ours = entries.filter(|entry| entry.stream.starts_with(&format!("{prefix}.")));
            ours.filter(|entry| entry.kind == "LedgerCreated").count()
        });
        assert_eq!(made, 1, "{ledger}");
        // The one that was made is whole.
        let home = format!("segments:{}", places[won].path("home").display());
        places[won].good(&["copy", "--from", &store, "--to", &home]);
        let home = places[won].path("home");
        places[won].good(&["verify", "--full", "--dir", home.to_str().unwrap()]);
    }
}

#[test]
fn a_server_says_when_its_event_server_is_away_and_goes_on_when_it_is_back() {
    let (cluster, place) = (Cluster::start(), Place::with_people(3));
    let store = cluster.take_over(&place);
    let doctor = ["doctor", "--store", &store, "--format", "json"];
    let checked = place.run(&doctor);
    let row = |ran: &Ran| -> Option<Value> {
        let rows = ran.json()["rows"].as_array().cloned().unwrap_or_default();
        rows.into_iter().find(|row| row["check"] == "event server")
    };
    assert_eq!(
        row(&checked).unwrap()["state"],
        "good",
        "{}",
        checked.stdout
    );
    let server = place.serve(&["--open-reads", "--store", &store], &[]);
    let until = |wanted: u16, text: &str| {
        let end = std::time::Instant::now() + Duration::from_mins(1);
        loop {
            let (status, body) = server.ask("GET", "/readyz", "", &[]);
            if status == wanted && body.contains(text) {
                return;
            }
            assert!(std::time::Instant::now() < end, "{status} {body}");
            std::thread::yield_now();
        }
    };
    let lag = || {
        let head = server.get("/v1/projections").to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let mut lines = head.lines();
        lines
            .find_map(|line| line.strip_prefix("idledger-lag: "))
            .map(str::to_owned)
    };
    until(200, "ready");
    assert_eq!(lag(), None);
    cluster.stop();
    until(503, "");
    // What it has folded is still served, and says that it may be old.
    assert_eq!(lag().as_deref(), Some("unknown"));
    cluster.resume();
    until(200, "ready");
    assert_eq!(lag(), None);
    drop(server);
    cluster.stop();
    let checked = place.run(&doctor);
    let row = row(&checked).unwrap();
    assert_eq!((checked.code, &row["state"]), (3, &"bad".into()), "{row}");
    assert!(row["says"].to_string().contains("nobody answers"), "{row}");
}
