//! Digests are equal: live, rebuilt, replayed, and in a second directory made from an export.

use crate::run::Place;
use std::fs;

const DIGEST: [&str; 4] = ["projections", "digest", "--format", "jsonl"];

#[test]
fn digests_are_equal_wherever_the_events_are_folded() {
    let place = Place::with_people(12);
    let live = place.good(&DIGEST).stdout;
    assert_eq!(live.lines().count(), projections::Views::NAMES.len());
    let rebuilt = place
        .good(&["projections", "rebuild", "--format", "jsonl"])
        .lines();
    assert!(
        rebuilt.iter().all(|row| row["differed"] == "no"),
        "{rebuilt:?}"
    );
    assert_eq!(place.good(&DIGEST).stdout, live);
    assert_eq!(
        place.good(&[&DIGEST[..], &["--from-log"]].concat()).stdout,
        live
    );
    place.good(&["replay", "--compare", "live"]);

    for (name, redact) in [("whole", None), ("redacted", Some("--redact"))] {
        let archive = place.path(&format!("{name}.archive"));
        let mut arguments = vec![
            "export",
            "--as",
            "archive",
            "--out",
            archive.to_str().unwrap(),
        ];
        arguments.extend(redact);
        place.good(&arguments);
        let second = place.path(name);
        let dir = ["--dir", second.to_str().unwrap()];
        let mut arguments = vec!["import", archive.to_str().unwrap()];
        arguments.extend(dir);
        let ran = place.good(&arguments);
        assert!(ran.stdout.contains("verified  in full"), "{}", ran.stdout);
        assert_eq!(
            place.good(&[&DIGEST[..], &dir].concat()).stdout,
            live,
            "{name}"
        );
        place.good(&[&["verify", "--full"][..], &dir].concat());
    }
    // A redacted copy is smaller: what was sealed is not in it.
    let size = |name: &str| fs::metadata(place.path(name)).unwrap().len();
    assert!(size("redacted.archive") < size("whole.archive"));
}

#[test]
fn a_replay_stops_where_it_is_told() {
    let place = Place::with_people(8);
    let log = place.good(&["log", "--format", "jsonl"]).lines();
    let middle = log.len() as u64 / 2;
    let at = ["replay", "--to", &middle.to_string(), "--format", "jsonl"];
    let digests = place.good(&at).lines();
    assert!(digests.iter().all(|row| row["position"] == middle + 1));
    let into = place.path("past");
    let kept = [&at[..], &["--into", into.to_str().unwrap()]].concat();
    assert_eq!(place.good(&kept).lines(), digests);
    assert_eq!(
        place.run(&kept).code,
        1,
        "a target that is not empty is refused"
    );
    // Compared with digests of another position: no answer; with wrong digests: code 13.
    assert_eq!(
        place.run(&[&at[..], &["--compare", "live"]].concat()).code,
        1
    );
    let file = place.path("digests.jsonl");
    let text = place.good(&at).stdout;
    fs::write(&file, &text).unwrap();
    place.good(&[&at[..], &["--compare", file.to_str().unwrap()]].concat());
    let digest = digests[0]["digest"].as_str().unwrap();
    fs::write(&file, text.replace(digest, &"0".repeat(64))).unwrap();
    assert_eq!(
        place
            .run(&[&at[..], &["--compare", file.to_str().unwrap()]].concat())
            .code,
        13
    );
}

#[test]
fn exports_hold_every_event_and_a_damaged_archive_is_found() {
    let place = Place::with_people(6);
    let count = place
        .good(&["log", "--format", "jsonl"])
        .stdout
        .lines()
        .count();
    let jsonl = place.good(&["export"]).lines();
    assert_eq!(jsonl.len(), count);
    let redacted = place.good(&["export", "--redact"]).lines();
    for (whole, redacted) in jsonl.iter().zip(&redacted) {
        let length = |row: &serde_json::Value| row["record"].as_str().unwrap().len();
        assert!(length(redacted) <= length(whole));
        assert_eq!(redacted["sealed"], whole["sealed"], "commitments stay");
    }
    assert_eq!(
        place
            .good(&["export", "--as", "csv"])
            .stdout
            .lines()
            .count(),
        count + 1
    );
    let archive = place.path("archive");
    place.good(&[
        "export",
        "--as",
        "archive",
        "--out",
        archive.to_str().unwrap(),
    ]);
    let bytes = fs::read(&archive).unwrap();
    for (name, damaged) in [
        ("cut", bytes[..bytes.len() - 7].to_vec()),
        ("flipped", {
            let mut flipped = bytes.clone();
            flipped[bytes.len() / 2] ^= 4;
            flipped
        }),
    ] {
        let file = place.path(name);
        fs::write(&file, damaged).unwrap();
        let target = place.path(&format!("from-{name}"));
        let ran = place.run(&[
            "import",
            file.to_str().unwrap(),
            "--dir",
            target.to_str().unwrap(),
        ]);
        assert_eq!(ran.code, 4, "{name}: {}", ran.stderr);
    }
}

#[test]
fn an_archive_is_verified_as_it_lies_there() {
    let place = Place::with_people(8);
    place.good(&["tree", "seal", "--quiet"]);
    let directory = place.good(&["verify", "--format", "json"]).json();
    for (name, redact) in [("whole", None), ("redacted", Some("--redact"))] {
        let export = ["export", "--as", "archive", "--out", name];
        place.good(&[&export[..], redact.as_slice()].concat());
        let verify = ["verify", "--archive", name, "--format", "json"];
        let found = place.good(&verify).json();
        for what in ["head", "records", "signatures", "ledger", "remembered"] {
            assert!(!found[what].is_null(), "{what}");
            let same = what == "remembered" || found[what] == directory[what];
            assert!(same, "{name} {what}: {found} {directory}");
        }
        assert_eq!(found["log"]["root"], directory["log"]["root"]);
        // What was remembered of the directory is compared: it is one ledger.
        assert_eq!(found["log"]["compared"], directory["log"]["compared"]);
    }
    let whole = fs::read(place.path("whole")).unwrap();
    let refused = |bytes: &[u8], position: Option<u64>| {
        fs::write(place.path("spoilt"), bytes).unwrap();
        let ran = place.run(&["verify", "--archive", "spoilt", "--format", "json"]);
        assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
        let finding = &ran.json()["finding"];
        assert_eq!(finding["place"], "the archive", "{finding}");
        if let Some(position) = position {
            assert_eq!(finding["position"], position, "{finding}");
        }
    };
    refused(b"not an archive at all", Some(0));
    refused(&whole[..whole.len() - 1], directory["records"].as_u64());
    for step in 1..40 {
        let at = 24 + step * (whole.len() - 25) / 40;
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (step % 8);
        refused(&flipped, None);
        refused(&whole[..at], None);
    }
    // A part of it is whole in itself, and shorter than what was seen.
    place.good(&["export", "--as", "archive", "--to", "9", "--out", "early"]);
    let early = place.run(&["verify", "--archive", "early", "--format", "json"]);
    assert_eq!(early.code, 4, "{}", early.stderr);
    assert_eq!(early.json()["finding"]["check"], "history");
    place.good(&["verify", "--archive", "early", "--no-memory"]);
    let none = place.run(&["verify", "--archive", "nowhere"]);
    assert_eq!(none.code, 1, "{}", none.stderr);
}
