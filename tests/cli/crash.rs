//! kill -9 at random moments under load: what was acknowledged is there, and everything verifies.
//!
//! Each with a system that goes on, and so keeps every write, and with every un-synced write lost.
//! `IDLEDGER_CRASH_ROUNDS` sets how often (a release: 200).

use crate::run::Place;
use serde_json::Value;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: u64 = 8;

fn rounds() -> u64 {
    let named = std::env::var("IDLEDGER_CRASH_ROUNDS").ok();
    named
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(ROUNDS)
}

/// A number below `end` for this round and this run.
fn random(round: u64, end: u64) -> u64 {
    let clock = Instant::now();
    let seed = format!("{round} {clock:?} {}", std::process::id());
    let hash = blake3::hash(seed.as_bytes());
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap()) % end
}

/// What the system keeps when the process is killed.
const KEEPS: [&[&str]; 2] = [&[], &["--drop-unsynced"]];

/// A process under load that says how many records were acknowledged.
struct Load {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    acknowledged: u64,
}

impl Load {
    fn start(place: &Place, task: &str, keep: &[&str]) -> Self {
        let mut command = place.command(&[&["bench", "--child", task], keep].concat());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            child,
            lines,
            acknowledged: 0,
        }
    }

    fn hear(&mut self) {
        let line = self.lines.next().expect("the load goes on").unwrap();
        self.note(&line);
    }

    fn note(&mut self, line: &str) {
        if let Ok(found) = serde_json::from_str::<Value>(line) {
            self.acknowledged = found["records"].as_u64().unwrap();
        }
    }

    /// Kills it a moment from now, anywhere in its work; how many records were acknowledged.
    fn kill_after(mut self, moment: Duration) -> u64 {
        let until = Instant::now() + moment;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // Lines that were printed before the kill are acknowledgements too.
        while let Some(Ok(line)) = self.lines.next() {
            self.note(&line);
        }
        self.acknowledged
    }
}

fn records(place: &Place, arguments: &[&str]) -> u64 {
    place.good(arguments).json()["records"].as_u64().unwrap()
}

#[test]
fn what_was_acknowledged_survives_kill_9_under_load() {
    for keep in KEEPS {
        let place = Place::new();
        place.good(&["init"]);
        let index = place.ledger().join("index");
        let earlier = place.path("earlier index");
        for round in 0..rounds() {
            let mut load = Load::start(&place, "append", keep);
            for _ in 0..=random(round, 4) {
                load.hear();
            }
            let acknowledged = load.kill_after(Duration::from_micros(random(round, 30_000)));
            let found = records(
                &place,
                &["verify", "--signatures", "--resume", "--format", "json"],
            );
            assert!(
                found >= acknowledged,
                "round {round} {keep:?}: {found} of {acknowledged}"
            );
            // What is derived is not synced at all; now and then an earlier one is what is left.
            match round % 3 {
                0 => copy_dir(&index, &earlier),
                1 if !keep.is_empty() => copy_dir(&earlier, &index),
                _ => {}
            }
            let opened = records(&place, &["bench", "--child", "open"]);
            assert!(opened >= acknowledged, "round {round} {keep:?}");
        }
        place.good(&["verify", "--full"]);
    }
}

#[test]
fn a_city_killed_in_the_middle_of_its_life_opens_and_verifies() {
    for keep in KEEPS {
        for round in 0..rounds().div_ceil(4) {
            let place = Place::new();
            let mut load = Load::start(&place, "city", keep);
            let settled = Instant::now() + Duration::from_mins(1);
            while load.acknowledged == 0 {
                load.hear();
                assert!(Instant::now() < settled, "the city does not get going");
            }
            let acknowledged = load.kill_after(Duration::from_millis(random(round, 1_500)));
            let found = records(&place, &["verify", "--full", "--format", "json"]);
            assert!(
                found >= acknowledged,
                "round {round} {keep:?}: {found} of {acknowledged}"
            );
            records(&place, &["bench", "--child", "open"]);
            // Read models are built from what is there, twice to the same digests.
            let digest = ["projections", "digest", "--format", "jsonl"];
            let live = place.good(&digest).stdout;
            assert_eq!(
                place.good(&[&digest[..], &["--from-log"]].concat()).stdout,
                live
            );
        }
    }
}

/// Makes `to` what `from` is.
fn copy_dir(from: &Path, to: &Path) {
    if to.exists() {
        std::fs::remove_dir_all(to).unwrap();
    }
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
