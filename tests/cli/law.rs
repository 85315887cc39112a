//! `idledger law`: two keys make law; the past keeps its own; what was counted stays counted.

use crate::run::{Place, Ran};
use std::path::PathBuf;

/// The policy that ships, with other values, from a day on.
fn policy(place: &Place, from: &str, changes: &[(&str, &str)]) -> PathBuf {
    let text = include_str!("../../law/policy-2022-02.toml");
    let mut text = text.replace(
        "effective_from = \"2022-02-25\"",
        &format!("effective_from = \"{from}\""),
    );
    text = text.replace("name = \"2022-02\"", "name = \"other\"");
    for (old, new) in changes {
        assert!(text.contains(old), "{old}");
        text = text.replacen(old, new, 1);
    }
    let path = place.path(&format!("policy-{from}.toml"));
    std::fs::write(&path, text).unwrap();
    path
}

/// Somebody of the authority: the file of their key.
fn authority(place: &Place, name: &str) -> String {
    let file = place.path(name).to_str().unwrap().to_owned();
    let made = place.good(&["keys", "generate", "--out", &file, "--format", "json"]);
    let key = made.json()["public_key"].as_str().unwrap().to_owned();
    place.good(&[
        "keys",
        "enrol",
        "--role",
        "eid_authority",
        "--public-key",
        &key,
    ]);
    file
}

fn policies(place: &Place, more: &[&str]) -> Vec<(u64, String)> {
    let mut arguments = vec!["law", "list", "--kind", "policy", "--format", "jsonl"];
    arguments.extend(more);
    let rows = place.good(&arguments).lines();
    let row = |row: &serde_json::Value| {
        (
            row["version"].as_u64().unwrap(),
            row["state"].as_str().unwrap().to_owned(),
        )
    };
    rows.iter().map(row).collect()
}

#[test]
fn one_proposes_and_another_approves() {
    let place = Place::new();
    place.good(&["init"]);
    let (one, two) = (authority(&place, "one.key"), authority(&place, "two.key"));
    let file = policy(
        &place,
        "2099-01-01",
        &[("minimum_age_years = 14", "minimum_age_years = 16")],
    );
    let file = file.to_str().unwrap();
    let proposed = place.good(&["law", "propose", file, "--key", &one, "--format", "json"]);
    assert_eq!(proposed.json()["version"], 2);
    let own = place.run(&["law", "approve", "policy", "2", "--key", &one]);
    assert!(
        own.code == 1 && own.stderr.contains("SAME_PERSON_APPROVES"),
        "{}",
        own.stderr
    );
    assert_eq!(
        policies(&place, &[]),
        [(1, "in force".into()), (2, "proposed".into())]
    );
    place.good(&["law", "approve", "policy", "2", "--key", &two]);
    assert_eq!(
        policies(&place, &[]),
        [(1, "in force".into()), (2, "published".into())]
    );
    let then = policies(&place, &["--valid-at", "2099-01-01"]);
    assert_eq!(then, [(1, "published".into()), (2, "in force".into())]);
    // Nobody knew of it before it was made.
    assert_eq!(policies(&place, &["--as-of", "2022-01-01"]), []);
    let age = |arguments: &[&str]| {
        let mut all = vec!["law", "show", "policy", "--format", "json"];
        all.extend(arguments);
        place.good(&all).json()["content"]["policy"]["minimum_age_years"].clone()
    };
    assert_eq!(
        (age(&[]), age(&["2"]), age(&["--valid-at", "2099-06-01"])),
        (14.into(), 16.into(), 16.into())
    );
    let refused = place
        .good(&["log", "--refused", "--format", "jsonl"])
        .lines();
    assert_eq!(refused.len(), 1, "the refusal stands in the log");
    place.good(&["verify", "--full"]);
    // The same day again lies over it; a later one does not, and may be turned down.
    assert_eq!(place.run(&["law", "propose", file, "--key", &one]).code, 1);
    let later = policy(&place, "2099-06-01", &[]);
    place.good(&["law", "propose", later.to_str().unwrap(), "--key", &one]);
    place.good(&["law", "reject", "policy", "3", "--key", &two]);
    assert_eq!(policies(&place, &[])[2], (3, "rejected".into()));
    let unknown = place.run(&["law", "approve", "sites", "9", "--key", &two]);
    assert!(
        unknown.stderr.contains("LAW_NOT_PROPOSED"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn files_are_loaded_with_both_keys_and_checked_without_any() {
    let place = Place::new();
    place.good(&["init"]);
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../law/catalogue-2024-03.toml");
    let checked = place.good(&["law", "load", "--check", shipped, "--format", "jsonl"]);
    assert_eq!(checked.lines()[0]["law"], "catalogue");
    // Before anybody is enrolled what ships is there already, and nothing is added twice.
    let before = place.good(&["log", "--format", "jsonl"]).lines().len();
    place.good(&["law", "load", shipped]);
    assert_eq!(
        place.good(&["log", "--format", "jsonl"]).lines().len(),
        before
    );
    let (one, two) = (authority(&place, "one.key"), authority(&place, "two.key"));
    let file = policy(&place, "2099-01-01", &[]);
    let file = file.to_str().unwrap();
    assert_eq!(
        place.run(&["law", "load", file]).code,
        2,
        "a version takes two"
    );
    let load = |file: &str, approver: &str| -> Ran {
        let keys = ["--proposer-key", &one, "--approver-key", approver];
        place.run(&[&["law", "load", file], &keys[..]].concat())
    };
    assert!(load(file, &one).stderr.contains("SAME_PERSON_APPROVES"));
    let good = load(file, &two);
    assert_eq!(good.code, 0, "{}", good.stderr);
    let no_basis = policy(
        &place,
        "2024-01-01",
        &[("id = \"nd-59-2022-nd-cp\"", "id = \"\"")],
    );
    let ran = load(no_basis.to_str().unwrap(), &two);
    assert!(
        ran.stderr.contains("BACKDATED_WITHOUT_BASIS"),
        "{}",
        ran.stderr
    );
    let broken = policy(&place, "2099-02-30", &[]);
    assert!(
        load(broken.to_str().unwrap(), &two)
            .stderr
            .contains("effective_from")
    );
    let stranger = place.path("stranger.key");
    std::fs::write(&stranger, "11".repeat(32)).unwrap();
    let ran = place.run(&["law", "propose", file, "--key", stranger.to_str().unwrap()]);
    assert_eq!(ran.code, 12, "{}", ran.stderr);
}

#[test]
fn the_totals_of_the_letter_hold_after_a_policy_change() {
    let place = Place::with_people(60);
    let totals = || {
        let day = [
            "stats",
            "--area",
            "30288",
            "--as-of",
            "2024-03-05",
            "--format",
            "jsonl",
        ];
        let row = &place.good(&day).lines()[0];
        ["accounts", "level_1", "level_2", "activated"].map(|name| row[name].as_i64().unwrap())
    };
    assert_eq!(totals(), [60, 5, 55, 56]);
    let (one, two) = (authority(&place, "one.key"), authority(&place, "two.key"));
    // Backdated, with its ground: before the counted day.
    let changes = [
        ("= \"portrait_and_fingerprints\"", "= \"any\""),
        ("minimum_age_years = 14", "minimum_age_years = 18"),
    ];
    let file = policy(&place, "2023-01-01", &changes);
    let keys = ["--proposer-key", &one, "--approver-key", &two];
    place.good(&[&["law", "load", file.to_str().unwrap()], &keys[..]].concat());
    assert_eq!(
        policies(&place, &[]),
        [(1, "published".into()), (2, "in force".into())]
    );
    assert_eq!(totals(), [60, 5, 55, 56]);
    place.good(&["projections", "rebuild"]);
    assert_eq!(totals(), [60, 5, 55, 56]);
    // What was decided says what it was decided under.
    let issued = place
        .good(&["log", "--kind", "AccountIssued", "--format", "jsonl"])
        .lines();
    assert!(!issued.is_empty());
    let position = issued[0]["position"].to_string();
    let shown = place.good(&["show", &position, "--format", "json"]).json();
    assert_eq!(shown["policy"], 1, "{shown}");
    place.good(&["verify", "--full"]);
}
