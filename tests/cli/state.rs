//! `projections seal` and `verify --projections`: what was stated is arrived at, or where it parts is named.

use crate::run::Place;
use domain::event::StateSealed;
use projections::{Options, Views};
use std::fs;

const VERIFY: [&str; 5] = ["verify", "--projections", "--no-memory", "--format", "json"];

#[test]
fn what_is_stated_is_arrived_at_without_the_read_models_and_without_sealed_parts() {
    let place = Place::with_people(5);
    // Nothing was compared: that is not good.
    assert_eq!(place.good(&VERIFY).json()["verdict"], "nothing stated");
    let stated = place
        .good(&["projections", "seal", "--format", "json"])
        .json();
    let again = place
        .good(&["projections", "seal", "--format", "json"])
        .json();
    assert_eq!(stated, again, "nothing happened in between");
    let report = place.good(&VERIFY).json();
    assert_eq!(report["verdict"], "good");
    let lines = report["projections"].as_array().unwrap();
    assert_eq!(lines.len(), projections::Views::NAMES.len());
    for line in lines {
        assert_eq!(
            (&line["same"], &line["not_comparable"]),
            (&1.into(), &0.into()),
            "{line}"
        );
    }
    place.good(&["verify", "--full", "--no-memory"]);
    // Never from what lies in `views`.
    fs::remove_dir_all(place.ledger().join("views")).unwrap();
    assert_eq!(place.good(&VERIFY).json(), report);
    assert!(!place.ledger().join("views").exists());

    let archive = place.path("redacted.archive");
    let to = archive.to_str().unwrap();
    place.good(&["export", "--as", "archive", "--redact", "--out", to]);
    let second = place.path("second");
    let dir = ["--dir", second.to_str().unwrap()];
    place.good(&[&["import", to][..], &dir].concat());
    assert_eq!(place.good(&[&VERIFY[..], &dir].concat()).json(), report);
}

#[test]
fn a_stranger_checks_an_account_s_state_its_events_and_an_absence_with_public_keys_alone() {
    let place = Place::with_people(4);
    let early = place.run(&["prove", "state", &"ab".repeat(16)]);
    assert_eq!(early.code, 1, "nothing is stated yet: {}", early.stdout);
    place.good(&["projections", "seal"]);
    place.good(&["tree", "seal"]);
    let keys = place.good(&["tree", "keys", "--format", "jsonl"]).lines();
    let key = keys[0]["verifier_key"].as_str().unwrap();
    let check = |name: &str, proof: &serde_json::Value| {
        let file = place.path(name);
        fs::write(&file, proof.to_string()).unwrap();
        place.run(&["check-proof", file.to_str().unwrap(), "--key", key])
    };
    let events = place.good(&["log", "--format", "jsonl"]).lines();
    let streams = events.iter().filter_map(|event| event["stream"].as_str());
    let account = streams
        .into_iter()
        .find_map(|stream| stream.strip_prefix("account-"));
    let account = account.unwrap();
    let proof = place.good(&["prove", "state", account]).json();
    let ran = check("present.json", &proof);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("none is left out"), "{}", ran.stdout);
    let absent = place.good(&["prove", "state", &"ab".repeat(16)]).json();
    let ran = check("absent.json", &absent);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("there was no account"),
        "{}",
        ran.stdout
    );

    let mut cases = Vec::new();
    let mut with = |name: &'static str, change: &dyn Fn(&mut serde_json::Value)| {
        let mut altered = proof.clone();
        change(&mut altered);
        cases.push((name, altered));
    };
    with("last-event-left-out", &|proof| {
        let records = proof["events"]["records"].as_array_mut().unwrap();
        records.pop();
    });
    with("another-account", &|proof| {
        proof["state"]["account"] = "ab".repeat(16).into();
    });
    with("another-root", &|proof| {
        proof["state"]["root"] = "11".repeat(32).into();
    });
    with("another-position", &|proof| {
        proof["state"]["position"] = 3.into();
    });
    with("said-to-be-absent", &|proof| {
        proof["state"]["proof"] = absent["state"]["proof"].clone();
    });
    with("another-value", &|proof| {
        proof["state"]["proof"]["answer"]["present"]["value"] = "00".repeat(80).into();
    });
    with("another-event", &|proof| {
        proof["sealed"]["record"] = proof["events"]["records"][0].clone();
    });
    for (name, altered) in &cases {
        assert_ne!(altered, &proof, "{name}");
        assert_eq!(check(name, altered).code, 4, "{name}");
    }
}

/// Signs, with the ledger's own key, a statement that is not true.
fn lie(place: &Place, change: impl FnOnce(&mut StateSealed)) -> u64 {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let options = ledger::open::Options::new(place.ledger());
        let (ledger, _) = ledger::open::open(&options).await.unwrap();
        let last = ledger.last_state_seal().await.unwrap().unwrap();
        let store = std::sync::Arc::clone(ledger.store());
        let views = Views::open_in_memory(store, Options::default())
            .await
            .unwrap();
        let truth = views.state_to_seal(Some(last.position)).unwrap();
        let mut facts = truth.unwrap();
        change(&mut facts);
        let sealed = ledger.seal_state(Some(&last), facts).await.unwrap();
        views.close().await.unwrap();
        sealed.unwrap().0
    })
}

#[test]
fn a_statement_that_is_not_true_is_found_and_named_though_the_ledger_signed_it() {
    let place = Place::with_people(3);
    place.good(&["projections", "seal"]);
    let mut agreed = None;
    let at = lie(&place, |facts| {
        let digest = facts
            .digests
            .iter_mut()
            .find(|digest| digest.projection == "accounts");
        digest.unwrap().digest.0[3] ^= 4;
        agreed = Some(facts.position);
    });
    // Every signature and link is right.
    place.good(&["verify", "--full", "--no-memory"]);
    let ran = place.run(&VERIFY);
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    let report = ran.json();
    assert_eq!(report["verdict"], "bad");
    for line in report["projections"].as_array().unwrap() {
        if line["projection"] == "accounts" {
            assert_eq!(
                (&line["at"], &line["until"]),
                (&at.into(), &agreed.into()),
                "{line}"
            );
            assert_eq!(
                line["rows"],
                serde_json::json!([]),
                "the read models are right"
            );
        } else {
            assert!(line.get("at").is_none(), "{line}");
        }
    }
    assert_eq!(place.run(&["verify", "--projections"]).code, 4);

    let at = lie(&place, |facts| facts.root.0[0] ^= 1);
    let report = place.run(&VERIFY).json();
    let lines = report["projections"].as_array().unwrap();
    let map = lines
        .iter()
        .find(|line| line["projection"] == "state_map")
        .unwrap();
    assert_eq!(map["at"], at);
    assert!(
        map["what"].as_str().unwrap().contains("were stated"),
        "{map}"
    );
    let status = place.run(&["projections", "status", "--format", "jsonl"]);
    assert_eq!(
        status.code, 3,
        "the live map says so too: {}",
        status.stdout
    );
}
