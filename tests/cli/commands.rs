//! The commands on a small ledger: what they say, in every format.

use crate::run::Place;
use serde_json::Value;

#[test]
fn help_names_every_command_and_every_exit_code() {
    let place = Place::new();
    insta::assert_snapshot!(place.good(&["--help"]).stdout);
    insta::assert_snapshot!("verify_help", place.good(&["verify", "--help"]).stdout);
}

#[test]
fn a_new_ledger_holds_its_own_beginning() {
    let place = Place::new();
    let made = place.good(&["init", "--format", "json"]).json();
    assert_eq!(made["schema"], "idledger.init/1");
    let rows = place.good(&["log", "--format", "jsonl"]).lines();
    let kinds: Vec<&str> = rows
        .iter()
        .map(|row| row["kind"].as_str().unwrap())
        .collect();
    // The ledger itself, then every law that ships: proposed and published by whoever makes it.
    assert_eq!(
        kinds[..3],
        ["LedgerCreated", "LedgerKeyAdded", "LawProposed"]
    );
    for kind in [
        "ServiceCataloguePublished",
        "ProvinceCodesPublished",
        "MessageCataloguePublished",
        "DocumentKindsPublished",
        "CalendarPublished",
        "IntakeSitesPublished",
    ] {
        assert!(kinds.contains(&kind), "{kind}");
    }
    let proposed = kinds.iter().filter(|kind| **kind == "LawProposed").count();
    assert_eq!(kinds.len(), 2 + 2 * proposed);
    let shown = place.good(&["show", "0", "--format", "json"]).json();
    assert_eq!(shown["facts"]["ledger"], made["ledger"]);
    assert_eq!(shown["checks"]["ledger_signature"], "good");
    // The same event by its id and by its link, and its bytes.
    for by in ["event_id", "link"] {
        let again = place
            .good(&["show", shown[by].as_str().unwrap(), "--format", "json"])
            .json();
        assert_eq!(again, shown);
    }
    let raw = place
        .command(&["show", "0", "--raw"])
        .output()
        .unwrap()
        .stdout;
    assert!(
        raw.windows(18)
            .any(|window| window == b"idledger-event/v1\0")
    );
    let keys = place.good(&["keys", "list", "--format", "jsonl"]).lines();
    assert_eq!(keys[0]["public_key"], made["public_key"]);
    let pinned = [
        "verify",
        "--ledger-key",
        made["public_key"].as_str().unwrap(),
    ];
    place.good(&pinned);
    let other = place.run(&["verify", "--ledger-key", &"22".repeat(32)]);
    assert_eq!(other.code, 4, "{}", other.stdout);
}

#[test]
fn principals_come_and_go() {
    let place = Place::new();
    place.good(&["init"]);
    let file = place.path("officer.key");
    let made = place.good(&[
        "keys",
        "generate",
        "--out",
        file.to_str().unwrap(),
        "--format",
        "json",
    ]);
    let key = made.json()["public_key"].as_str().unwrap().to_owned();
    let again = place.run(&["keys", "generate", "--out", file.to_str().unwrap()]);
    assert_eq!(again.code, 1, "a key is never overwritten");
    let enrol = [
        "keys",
        "enrol",
        "--role",
        "intake_officer",
        "--public-key",
        &key,
        "--site",
        "7",
    ];
    let mut arguments = enrol.to_vec();
    arguments.extend(["--name", "Nguyễn Thị Thử", "--format", "json"]);
    let enrolled = place.good(&arguments).json();
    let id = enrolled["principal"].as_str().unwrap();
    place.good(&["keys", "revoke", id]);
    let rows = place.good(&["keys", "list", "--format", "jsonl"]).lines();
    let row = rows.iter().find(|row| row["id"] == *id).unwrap();
    assert_eq!(
        (&row["role"], &row["sites"]),
        (&"intake_officer".into(), &"7".into())
    );
    assert!(row["valid"].as_str().unwrap().ends_with("revoked"));
    assert!(
        !place
            .good(&["log", "--format", "json"])
            .stdout
            .contains("Thử"),
        "names are sealed"
    );
    assert_eq!(place.run(&["keys", "revoke", &"0".repeat(32)]).code, 1);
    place.good(&["verify"]);
    place.good(&["doctor"]);
}

#[test]
fn an_account_is_seen_as_it_was() {
    let place = Place::with_people(8);
    let issued = place
        .good(&["log", "--kind", "AccountIssued", "--format", "jsonl"])
        .lines();
    let stream = issued[0]["stream"].as_str().unwrap();
    let account = stream.strip_prefix("account-").unwrap();
    let position = issued[0]["position"].as_u64().unwrap();
    let stage = |arguments: &[&str]| -> Value {
        let mut all = vec!["account", account, "--format", "json"];
        all.extend(arguments);
        place.good(&all).json()["state"]["identification"]["stage"].clone()
    };
    assert_eq!(stage(&["--as-of", &position.to_string()]), stage(&[]));
    let before = (position - 1).to_string();
    assert_eq!(stage(&["--as-of", &before]), "none");
    let at = issued[0]["recorded_at"].as_str().unwrap();
    assert_eq!(stage(&["--valid-at", at]), stage(&[]));
    let day_before = place.run(&["account", account, "--as-of", "2022-01-01"]);
    assert_eq!(day_before.code, 1, "{}", day_before.stdout);
    let rights = place
        .good(&["entitlements", account, "--format", "jsonl"])
        .lines();
    assert_eq!(rights.len(), 16);
    assert!(
        rights
            .iter()
            .all(|row| row["granted"] == "yes" || row["granted"] == "no")
    );
    let then = place.good(&[
        "entitlements",
        account,
        "--as-of",
        &before,
        "--format",
        "jsonl",
    ]);
    assert!(
        then.lines()
            .iter()
            .all(|row| row["reason"] == "not_identified")
    );
    let history = place
        .good(&["account", account, "--history", "--lang", "vi"])
        .stdout;
    assert!(
        history.contains("Cấp tài khoản định danh điện tử mức độ 2"),
        "{history}"
    );
}

#[test]
fn the_log_is_filtered_and_turned_round() {
    let place = Place::with_people(8);
    let all = place.good(&["log", "--format", "jsonl"]).lines();
    let positions = |rows: &[Value]| -> Vec<u64> {
        rows.iter()
            .map(|row| row["position"].as_u64().unwrap())
            .collect()
    };
    let whole = positions(&all);
    assert_eq!(
        whole,
        (0..whole.len() as u64).collect::<Vec<_>>(),
        "positions have no gaps"
    );
    let mut reversed = positions(
        &place
            .good(&["log", "--reverse", "--format", "jsonl"])
            .lines(),
    );
    reversed.reverse();
    assert_eq!(reversed, whole);
    let last = place
        .good(&["log", "--reverse", "-n", "3", "--format", "jsonl"])
        .lines();
    assert_eq!(
        positions(&last),
        whole.iter().rev().take(3).copied().collect::<Vec<_>>()
    );
    let some = place
        .good(&["log", "--from", "5", "--to", "9", "--format", "jsonl"])
        .lines();
    assert_eq!(positions(&some), [5, 6, 7, 8, 9]);
    let kinds = place.good(&[
        "log",
        "--kind",
        "AccountIssued",
        "--kind",
        "account_activated",
        "--format",
        "jsonl",
    ]);
    assert!(!kinds.stdout.is_empty());
    for row in kinds.lines() {
        assert!(["AccountIssued", "AccountActivated"].contains(&row["kind"].as_str().unwrap()));
    }
    let early = place
        .good(&["log", "--until", "2022-12-31", "--format", "jsonl"])
        .lines();
    let late = place
        .good(&["log", "--since", "2023-01-01", "--format", "jsonl"])
        .lines();
    assert_eq!(early.len() + late.len(), all.len());
    let actor = all
        .iter()
        .find(|row| row["kind"] == "ConsentRecorded")
        .unwrap();
    let officer = actor["facts"]["witness"].as_str().unwrap();
    let theirs = place
        .good(&["log", "--actor", officer, "--format", "csv"])
        .stdout;
    assert!(theirs.lines().count() > 1 && theirs.starts_with("position,recorded_at"));
}
