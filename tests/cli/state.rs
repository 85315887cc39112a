//! `projections seal` and `verify --projections`: what was stated is arrived at, or where it parts is named.

use crate::run::Place;
use domain::event::StateSealed;
use projections::{Options, Views};
use std::fs;

const VERIFY: [&str; 5] = ["verify", "--projections", "--no-memory", "--format", "json"];

#[test]
fn what_is_stated_is_arrived_at_without_the_read_models_and_without_sealed_parts() {
    let place = Place::with_people(5);
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
