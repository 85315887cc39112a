//! Damaged, shortened and rewritten logs: found, with the position, and never repaired in silence.

use crate::run::{Place, last_segment};
use std::fs;

/// Bytes of the segment file in use.
fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1
}

#[test]
fn a_flipped_bit_anywhere_is_found_with_its_position() {
    let place = Place::with_people(4);
    place.good(&["verify"]);
    let segment = last_segment(&place.ledger());
    let whole = fs::read(&segment).unwrap();
    let used = used(&whole);
    for step in 0..24_usize {
        let at = step * (used - 1) / 23;
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (step % 8);
        fs::write(&segment, &flipped).unwrap();
        let ran = place.run(&["verify", "--no-memory", "--format", "json"]);
        assert_eq!(ran.code, 4, "byte {at}: {}{}", ran.stdout, ran.stderr);
        let report = ran.json();
        assert_eq!(report["verdict"], "bad");
        assert!(report["finding"]["position"].is_u64(), "{report}");
        assert_eq!(
            fs::read(&segment).unwrap(),
            flipped,
            "verification changes nothing"
        );
    }
    fs::write(&segment, &whole).unwrap();
    place.good(&["verify"]);
}

#[test]
fn a_cut_log_is_found_by_whoever_saw_it_longer() {
    let place = Place::with_people(4);
    // An old copy: every signature in it is right.
    let archive = place.path("old.archive");
    place.good(&[
        "export",
        "--as",
        "archive",
        "--to",
        "20",
        "--out",
        archive.to_str().unwrap(),
    ]);
    place.good(&["verify"]);
    let old = place.path("old");
    let dir = ["--dir", old.to_str().unwrap()];
    place.good(&[&["import", archive.to_str().unwrap()][..], &dir].concat());
    let ran = place.run(&[&["verify", "--format", "json"][..], &dir].concat());
    assert_eq!(ran.code, 4, "{}", ran.stdout);
    assert_eq!(ran.json()["finding"]["check"], "history");
    place.good(&[&["verify", "--no-memory"][..], &dir].concat());
    place.good(&[&["verify", "--forget"][..], &dir].concat());
    // The longer one continues what was seen.
    place.good(&["verify"]);
    assert_eq!(place.run(&[&["verify"][..], &dir].concat()).code, 4);
}

#[test]
fn a_torn_tail_is_cut_at_a_record_and_reported() {
    let place = Place::new();
    place.good(&["init"]);
    let whole = place.good(&["log", "--format", "jsonl"]).lines().len();
    let segment = last_segment(&place.ledger());
    let closed = fs::read(&segment).unwrap();
    let used = used(&closed);
    // A crash within a write: from some byte on, nothing was written. The mark of the clean close
    // and the end of the last record are gone.
    let mut torn = closed.clone();
    torn[used - 120..].fill(0);
    fs::write(&segment, &torn).unwrap();
    fs::remove_dir_all(place.ledger().join("index")).unwrap();
    let before = place.run(&["verify", "--format", "json", "--no-memory"]);
    assert_eq!(before.code, 0, "{}{}", before.stdout, before.stderr);
    assert!(
        before.json()["torn_bytes"].as_u64() > Some(0),
        "{}",
        before.stdout
    );
    assert_eq!(before.json()["records"], whole - 1);
    assert_eq!(
        fs::read(&segment).unwrap(),
        torn,
        "verification cuts nothing"
    );
    // Opening for writing cuts it, and says so.
    let opened = place.run(&["keys", "token"]);
    assert_eq!(opened.code, 0, "{}", opened.stderr);
    assert!(
        opened
            .stderr
            .contains(&format!("never acknowledged, at position {}", whole - 1)),
        "{}",
        opened.stderr
    );
    place.good(&["verify", "--no-memory"]);
}

#[test]
fn verification_goes_on_where_it_was_and_takes_parts() {
    let place = Place::with_people(6);
    let verify = |more: &[&str]| {
        place
            .good(&[&["verify", "--format", "json"][..], more].concat())
            .json()
    };
    let first = verify(&[]);
    let resumed = verify(&["--resume"]);
    assert_eq!(resumed["head"], first["head"]);
    assert_eq!(resumed["signatures"], 0, "everything was verified before");
    let part = verify(&["--subset", "1/4"]);
    let signatures = |report: &serde_json::Value| report["signatures"].as_u64().unwrap();
    assert!(signatures(&part) > 0 && signatures(&part) < signatures(&first) / 2);
    let structure = verify(&["--structure"]);
    assert_eq!(
        (signatures(&structure), &structure["head"]),
        (0, &first["head"])
    );
    let only = verify(&["--signatures"]);
    assert_eq!(
        only["signatures"], only["records"],
        "one of the ledger's on every record"
    );
    assert_eq!(verify(&["--jobs", "1"])["head"], first["head"]);
}
