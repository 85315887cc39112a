//! `idledger report` and `idledger evidence` as people run them.

use crate::run::Place;
use serde_json::{Value, json};

/// A security object, its authority and its data groups, as OpenSSL wrote them: valid from November 2026
/// to November 2037, the authority's until 2040.
macro_rules! made {
    ($name:literal) => {
        include_bytes!(concat!("../../ledger/src/chip/fixtures/", $name)).as_slice()
    };
}

const MONTH: [&str; 4] = ["report", "monthly", "--month", "2024-02"];

fn with<'a>(command: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [command, more].concat()
}

#[test]
fn the_same_prefix_of_a_log_gives_the_same_bytes() {
    let place = Place::with_people(60);
    let quality = ["report", "quality", "--as-of", "2024-03-05"];
    for command in [MONTH.as_slice(), quality.as_slice()] {
        for format in ["json", "csv", "text"] {
            let asked = with(command, &["--format", format]);
            let told = place.good(&asked).stdout;
            assert!(told.len() > 200, "{told}");
            assert_eq!(place.good(&asked).stdout, told);
            assert_eq!(place.good(&with(&asked, &["--from-log"])).stdout, told);
        }
    }
    let then = place.good(&with(&MONTH, &["--format", "json"]));
    let events = then.json()["state"]["position"]
        .as_u64()
        .unwrap()
        .to_string();
    let csv = place.good(&with(&MONTH, &["--format", "csv"])).stdout;
    place.good(&["keys", "token", "--name", "a reader"]);
    let now = place.good(&with(&MONTH, &["--format", "json"]));
    assert_ne!(
        now.stdout, then.stdout,
        "it says that there is one more event"
    );
    let prefix = ["--events", &*events, "--format"];
    let again = place.good(&with(&with(&MONTH, &prefix), &["json"]));
    assert_eq!(again.stdout, then.stdout);
    assert_eq!(
        place.good(&with(&with(&MONTH, &prefix), &["csv"])).stdout,
        csv
    );
    assert!(
        csv.ends_with("\r\n") && csv.starts_with("month,from,to,area,section,item,measure,value")
    );
    let beyond = place.run(&with(&MONTH, &["--events", "999999"]));
    assert_eq!(beyond.code, 1, "{}", beyond.stderr);
    assert_eq!(
        place.run(&["report", "monthly", "--month", "2024-13"]).code,
        2
    );
}

#[test]
fn a_reports_accounts_are_those_of_the_statistics() {
    let place = Place::with_people(120);
    let rows = place
        .good(&["stats", "--as-of", "2024-02-29", "--format", "jsonl"])
        .lines();
    let report = place.good(&with(&MONTH, &["--format", "json"])).json();
    let areas = report["areas"].as_array().unwrap();
    assert_eq!(areas.len(), rows.len());
    assert!(rows[0]["accounts"].as_i64().unwrap() > 50, "{}", rows[0]);
    for row in rows {
        let area = areas
            .iter()
            .find(|area| area["area"] == row["area"])
            .unwrap();
        for name in [
            "accounts",
            "level_1",
            "level_2",
            "activated",
            "app_only",
            "closed",
        ] {
            assert_eq!(
                area["accounts"][name], row[name],
                "{name} of {}",
                row["area"]
            );
        }
    }
    // What came to it in a month is what was not there before.
    let before = [
        "report", "monthly", "--month", "2024-01", "--format", "json",
    ];
    let before = place.good(&before).json();
    for area in areas {
        let mut then = before["areas"].as_array().unwrap().iter();
        let then = then.find(|then| then["area"] == area["area"]).unwrap();
        for name in ["accounts", "level_2", "activated", "app_only"] {
            let of = |report: &Value, section: &str| report[section][name].as_i64().unwrap();
            let grown = of(then, "accounts") + of(area, "change");
            assert_eq!(grown, of(area, "accounts"), "{name} of {}", area["area"]);
        }
    }
}

#[test]
#[allow(
    clippy::too_many_lines,
    reason = "one read and everything that can be wrong with it"
)]
fn a_chip_read_is_verified_offline() {
    let place = Place::new();
    let write = |name: &str, bytes: &[u8]| {
        let path = place.path(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let sod = write("sod.der", made!("sod-p384.der"));
    let csca = write("csca.pem", made!("csca-p384.pem"));
    let one = format!("1={}", write("dg1", made!("dg1.bin")));
    let two = format!("2={}", write("dg2", made!("dg2.bin")));
    let verify = [
        "evidence",
        "verify",
        "--sod",
        &*sod,
        "--csca",
        &*csca,
        "--at",
        "2030-03-05",
    ];
    let good = with(&verify, &["--dg", &*one, "--dg", &*two]);
    let told = place.good(&with(&good, &["--format", "json"]));
    let verdict = told.json();
    assert_eq!(verdict["schema"], "idledger.chip_evidence/1");
    assert_eq!(
        (&verdict["verdict"], &verdict["faults"]),
        (&json!("good"), &json!([]))
    );
    assert_eq!(verdict["strength"], "chip_passive_auth");
    assert_eq!(verdict["holder_number"], true);
    assert!(
        !told.stdout.contains("030184000001"),
        "whose card it is is not told"
    );
    let text = place.good(&good).stdout;
    assert!(text.starts_with("verdict      good\n"), "{text}");
    let swapped = format!("2={}", one.trim_start_matches("1="));
    let bad = place.run(&with(&verify, &["--dg", &*swapped, "--format", "json"]));
    assert_eq!(bad.code, 3, "{}", bad.stderr);
    assert_eq!(bad.json()["faults"], json!(["data_group_altered"]));
    assert_eq!(bad.json()["strength"], Value::Null);
    for (at, faults) in [
        (
            "2024-03-05",
            json!(["certificate_not_yet_valid", "issuer_out_of_time"]),
        ),
        ("2039-01-01", json!(["certificate_expired"])),
        (
            "2041-01-01",
            json!(["certificate_expired", "issuer_out_of_time"]),
        ),
    ] {
        let told = place.run(&with(&verify[..6], &["--at", at, "--format", "json"]));
        assert_eq!((told.code, &told.json()["faults"]), (3, &faults), "{at}");
    }
    let twice = place.run(&with(&verify, &["--dg", &*one, "--dg", &*one]));
    assert_eq!(twice.code, 1);
    for wrong in ["17=x", "x=y", "1", "1="] {
        assert_eq!(
            place.run(&with(&verify, &["--dg", wrong])).code,
            2,
            "{wrong}"
        );
    }
    let swapped = place.run(&["evidence", "verify", "--sod", &sod, "--csca", &sod]);
    assert_eq!(swapped.code, 1);
    assert!(
        swapped.stderr.contains("certificate 1 of the trust list"),
        "{}",
        swapped.stderr
    );
}

#[test]
fn a_trust_list_is_loaded_recorded_and_used_after_a_restart() {
    let place = Place::new();
    place.good(&["init"]);
    let csca = place.path("csca.pem");
    std::fs::write(&csca, made!("csca-p256.pem")).unwrap();
    let load = [
        "evidence",
        "trust",
        csca.to_str().unwrap(),
        "--format",
        "json",
    ];
    let loaded = place.good(&load).json();
    assert_eq!(
        (&loaded["authorities"], &loaded["unusable"]),
        (&json!(1), &json!(0))
    );
    assert!(loaded["position"].is_u64());
    assert_eq!(
        place.good(&load).json()["position"],
        Value::Null,
        "in use already"
    );
    let events = ["log", "--kind", "ChipTrustListLoaded", "--format", "jsonl"];
    let events = place.good(&events).lines();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["facts"]["digest"], loaded["digest"]);
    place.good(&["verify", "--full"]);
    // A file that was changed is not used, and the server says so and goes on.
    let digest = loaded["digest"].as_str().unwrap();
    let kept = place.ledger().join("trust").join(format!("{digest}.pem"));
    assert_eq!(std::fs::read(&kept).unwrap(), made!("csca-p256.pem"));
    std::fs::write(&kept, made!("csca-p384.pem")).unwrap();
    let (code, log) = place.serve(&[], &[("LEDGER_LOG", "error")]).end();
    assert_eq!(code, 0);
    assert!(log.contains("load it again"), "{log}");
    place.good(&load);
    let (code, log) = place.serve(&[], &[("LEDGER_LOG", "error")]).end();
    assert_eq!((code, log.contains("load it again")), (0, false), "{log}");
}
