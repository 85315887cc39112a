//! kill -9 at random moments under load: what was acknowledged is there, and everything verifies.
//!
//! `IDLEDGER_CRASH_ROUNDS` sets how often (a release: 200).

use crate::run::Place;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
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

#[test]
fn what_was_acknowledged_survives_kill_9_under_load() {
    let place = Place::new();
    place.good(&["init"]);
    let mut acknowledged = 0;
    for round in 0..rounds() {
        let mut command = place.command(&["bench", "--child", "append"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Acknowledgements as they come, then a moment more: the kill falls anywhere in the work.
        for _ in 0..=random(round, 4) {
            let line = lines.next().expect("the writer goes on").unwrap();
            let found: Value = serde_json::from_str(&line).unwrap();
            acknowledged = found["records"].as_u64().unwrap();
        }
        let until = Instant::now() + Duration::from_micros(random(round, 30_000));
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // Lines that were printed before the kill are acknowledgements too.
        for line in lines.map_while(Result::ok) {
            if let Ok(found) = serde_json::from_str::<Value>(&line) {
                acknowledged = found["records"].as_u64().unwrap();
            }
        }
        let verified = place.good(&["verify", "--signatures", "--resume", "--format", "json"]);
        let records = verified.json()["records"].as_u64().unwrap();
        assert!(
            records >= acknowledged,
            "round {round}: {records} of {acknowledged}"
        );
        let opened = place.good(&["bench", "--child", "open"]).json();
        assert!(
            opened["records"].as_u64() >= Some(acknowledged),
            "round {round}"
        );
    }
    place.good(&["verify", "--full"]);
}

#[test]
fn a_city_killed_in_the_middle_of_its_life_opens_and_verifies() {
    for round in 0..rounds().div_ceil(4) {
        let place = Place::new();
        let mut command = place.command(&["demo", "--once", "--people", "200"]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The staff is enrolled, people are on their way; then some milliseconds more.
        let settled = Instant::now() + Duration::from_secs(30);
        let segment = place.ledger().join("views");
        let started = || {
            place
                .run(&["log", "--kind", "AccountIssued", "-n", "1"])
                .stdout
                .len()
                > 1
        };
        while !started() {
            assert!(Instant::now() < settled, "the demo does not get going");
            assert!(!segment.exists(), "the demo was over before it was killed");
        }
        let until = Instant::now() + Duration::from_millis(random(round, 400));
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        place.good(&["verify", "--full"]);
        place.good(&["bench", "--child", "open"]);
        // Read models are built from what is there, twice to the same digests.
        let digest = ["projections", "digest", "--format", "jsonl"];
        let live = place.good(&digest).stdout;
        assert_eq!(
            place.good(&[&digest[..], &["--from-log"]].concat()).stdout,
            live
        );
    }
}
