//! `export evidence`, `verify --bundle`, `verify --report`: what a stranger is given, and what they make of it.

use crate::run::{Place, Ran};
use crate::timestamps::Service;
use domain::envelope::Commitment;
use ledger::bundle::{About, Contents, Trust, open};
use ledger::pki::TrustList;
use ledger::testing::authority::{Authority, Recipe};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use tlog::note::{Note, VerifierKey};
use tlog::policy::Policy;

type Files = BTreeMap<String, Vec<u8>>;

/// A ledger that has stated its state and sealed it, an account of it, and the log's key.
struct Stated {
    place: Place,
    account: String,
    key: String,
}

fn stated() -> Stated {
    let place = Place::with_people(12);
    place.good(&["projections", "seal", "--quiet"]);
    place.good(&["tree", "seal", "--quiet"]);
    let key = key(&place);
    let rows = place.good(&["log", "--format", "jsonl"]).lines();
    let streams = rows.iter().filter_map(|row| row["stream"].as_str());
    let mut accounts: Vec<&str> = streams
        .filter_map(|stream| stream.strip_prefix("account-"))
        .collect();
    accounts.sort_unstable();
    // One with much to tell.
    let count = |account: &&str| accounts.iter().filter(|one| *one == account).count();
    let account = accounts.iter().max_by_key(|one| count(one)).unwrap();
    let account = (*account).to_owned();
    Stated {
        place,
        account,
        key,
    }
}

/// An account's evidence.
fn exported(place: &Place, account: &str) -> Vec<u8> {
    place.good(&["export", "evidence", "--account", account, "--out", "a.tar"]);
    fs::read(place.path("a.tar")).unwrap()
}

fn key(place: &Place) -> String {
    let rows = place.good(&["tree", "keys", "--format", "jsonl"]).lines();
    rows[0]["verifier_key"].as_str().unwrap().to_owned()
}

/// A key file of somebody's.
fn generate(place: &Place, name: &str) {
    place.good(&["keys", "generate", "--out", name, "--quiet"]);
}

/// Checks as a stranger: another home, no ledger anywhere.
fn check(stranger: &Place, bundle: &[u8], key: &str, more: &[&str]) -> Ran {
    fs::write(stranger.path("bundle"), bundle).unwrap();
    let arguments = [
        "verify", "--bundle", "bundle", "--key", key, "--format", "json",
    ];
    stranger.run(&[&arguments[..], more].concat())
}

fn refused(ran: &Ran, file: &str) {
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["verdict"], "bad");
    assert_eq!(report["finding"]["file"], file, "{}", report["finding"]);
}

/// The files in an archive, by names and lengths in its headers.
fn unpack(mut bytes: &[u8]) -> Files {
    let mut files = Files::new();
    while bytes[0] != 0 {
        let name = bytes[..100].split(|byte| *byte == 0).next().unwrap();
        let name = String::from_utf8(name.to_vec()).unwrap();
        let length = std::str::from_utf8(&bytes[124..135]).unwrap();
        let length = usize::from_str_radix(length, 8).unwrap();
        let name = name.strip_prefix("evidence/").unwrap().to_owned();
        files.insert(name, bytes[512..512 + length].to_vec());
        bytes = &bytes[512 + length.next_multiple_of(512)..];
    }
    files
}

fn pack(files: &Files) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in files {
        let mut header = vec![0; 512];
        let mut put = |at: usize, text: &str| {
            header[at..at + text.len()].copy_from_slice(text.as_bytes());
        };
        put(0, &format!("evidence/{name}"));
        put(100, "0000644\x000000000\x000000000\0");
        put(
            124,
            &format!("{:011o}\0{:011o}\0        0", content.len(), 0),
        );
        put(257, "ustar\x0000");
        put(329, "0000000\x000000000\0");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        bytes.extend(header);
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// Makes list and manifest anew over altered files, as anybody can who signs nothing.
fn forge(mut files: Files, origin: &str) -> Vec<u8> {
    files.remove("MANIFEST");
    files.remove("SHA256SUMS");
    let sum = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
    let lines = files
        .iter()
        .map(|(name, content)| [&sum(content), "  ", name, "\n"].concat());
    let sums: String = lines.collect();
    let manifest = format!(
        "idledger-evidence/1\nlog {origin}\nsums {}\nunsigned\n",
        sum(sums.as_bytes())
    );
    files.insert("SHA256SUMS".to_owned(), sums.into_bytes());
    files.insert("MANIFEST".to_owned(), manifest.into_bytes());
    pack(&files)
}

fn contents(files: &mut Files, change: impl FnOnce(&mut Contents)) {
    let mut contents = serde_json::from_slice(&files["contents.json"]).unwrap();
    change(&mut contents);
    files.insert("contents.json".to_owned(), written(&contents));
}

/// As the program writes it.
fn written(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap();
    bytes.push(b'\n');
    bytes
}

fn positions(files: &Files, list: &str) -> Vec<u64> {
    let value: Value = serde_json::from_slice(&files["contents.json"]).unwrap();
    serde_json::from_value(value[list].clone()).unwrap()
}

fn name(position: u64, ending: &str) -> String {
    format!("events/{position:020}.{ending}")
}

#[test]
fn a_stranger_checks_an_account_s_evidence_with_public_keys_alone() {
    let Stated {
        place,
        account,
        key,
    } = stated();
    generate(&place, "exporter.key");
    let export = |out: &str| {
        let signed = [
            "--sign-with",
            "exporter.key",
            "--sign-as",
            "exporter.example",
        ];
        let about = ["export", "evidence", "--account", &account, "--out", out];
        let ran = place.good(&[&about[..], &signed, &["--format", "json"]].concat());
        let exporter = ran.json()["manifest_key"].as_str().unwrap().to_owned();
        (fs::read(place.path(out)).unwrap(), exporter)
    };
    let (bundle, exporter) = export("one.tar");
    assert_eq!(bundle, export("two.tar").0, "the same bytes every time");

    let stranger = Place::new();
    let ran = check(&stranger, &bundle, &key, &["--manifest-key", &exporter]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let report = ran.json();
    let proved = report["proved"].to_string();
    for fact in ["each in the log", "none is left out", "states the map"] {
        assert!(proved.contains(fact), "{fact}: {proved}");
    }
    let files = unpack(&bundle);
    let records = files
        .keys()
        .filter(|name| name.ends_with(".record"))
        .count();
    assert_eq!(report["records"], records);
    assert!(
        report["signatures"].as_u64() > Some(records as u64),
        "{report}"
    );
    let other = "d".repeat(64);
    for (key, more, file) in [
        (&*key, ["--manifest-key", &*key], "MANIFEST"),
        (&*key, ["--ledger-key", &*other], &*name(0, "record")),
        (
            &*self::key(&Place::with_people(1)),
            ["--quorum", "0"],
            "MANIFEST",
        ),
    ] {
        refused(&check(&stranger, &bundle, key, &more), file);
    }
    public_tools(&stranger, &files, &key);
}

/// Unpacked, listed and proved by tools that know nothing of bundles.
fn public_tools(stranger: &Place, files: &Files, key: &str) {
    let run = |program: &str, arguments: &[&str], dir: &str| {
        let ran = Command::new(program)
            .args(arguments)
            .current_dir(stranger.path(dir))
            .output()
            .unwrap();
        assert!(ran.status.success(), "{program} {arguments:?}: {ran:?}");
        assert!(ran.stderr.is_empty(), "{program} {arguments:?}: {ran:?}");
        String::from_utf8(ran.stdout).unwrap()
    };
    run("tar", &["-xf", "bundle"], "");
    run("sha256sum", &["--strict", "-c", "SHA256SUMS"], "evidence");
    let script = "n=$(od -An -tu4 -N4 $0); tail -c +5 $0 | head -c $((n + 64)) | sha256sum";
    for position in positions(files, "selected").into_iter().take(3) {
        let proof = format!("evidence/{}", name(position, "proof"));
        let entry = run("sh", &["-c", script, &name(position, "record")], "evidence");
        let entry = entry.split(' ').next().unwrap();
        let ran = stranger.run(&["check-proof", &proof, "--key", key, "--entry", entry]);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    }
    let redactions: Value = serde_json::from_slice(&files["redactions.json"]).unwrap();
    let left_out = redactions["events"].as_array().unwrap();
    assert!(!left_out.is_empty(), "somebody's data are left out");
    assert!(
        left_out[0]["sealed"][0]["digest"].is_string(),
        "{redactions}"
    );
}

#[test]
fn no_byte_of_a_bundle_can_be_altered_and_no_file_left_out_swapped_or_put_in() {
    let service = Service::start();
    let Stated {
        place,
        account,
        key,
    } = stated();
    place.good(&["tree", "timestamp", "--outside", &service.settings(&place)]);
    let bundle = exported(&place, &account);
    let log = VerifierKey::parse(&key).unwrap();
    let trust = Trust {
        policy: Policy {
            origin: log.name().to_owned(),
            log: vec![log],
            witnesses: Vec::new(),
            quorum: 0,
        },
        ledger_key: None,
        manifest_key: None,
        authorities: TrustList::read(service.authority.list().as_bytes()).ok(),
    };
    let opened = open(&bundle, &trust).unwrap();
    let (_, stamped) = opened.stamped.unwrap();
    assert_eq!(stamped.authority, "CN=Test root");
    for step in 0..600 {
        let at = step * (bundle.len() - 1) / 599;
        let mut flipped = bundle.clone();
        flipped[at] ^= 1 << (step % 8);
        assert!(open(&flipped, &trust).is_err(), "byte {at}");
        let Err(flaw) = open(&bundle[..at], &trust) else {
            panic!("cut at {at}");
        };
        assert!(!flaw.file.is_empty() && !flaw.reason.is_empty());
    }
    let whole = unpack(&bundle);
    assert_eq!(pack(&whole), bundle);
    let names: Vec<&String> = whole.keys().collect();
    for (place, name) in names.iter().enumerate() {
        let refused = |altered: &Files, what: &str| {
            let flaw = open(&pack(altered), &trust).err();
            let flaw = flaw.unwrap_or_else(|| panic!("{what}: {name}"));
            assert!(
                &&flaw.file == name || flaw.file == "MANIFEST",
                "{what} {name}: {flaw}"
            );
        };
        let mut altered = whole.clone();
        altered.get_mut(*name).unwrap().push(b'\n');
        refused(&altered, "longer");
        let mut altered = whole.clone();
        altered.remove(*name);
        refused(&altered, "left out");
        let mut altered = whole.clone();
        let other = names[(place + 2) % names.len()];
        altered.insert((*name).clone(), whole[other].clone());
        altered.insert(other.clone(), whole[*name].clone());
        let flaw = open(&pack(&altered), &trust).err();
        assert!(flaw.is_some(), "{name} and {other} swapped");
    }
    let mut altered = whole.clone();
    altered.insert("events/more".to_owned(), b"x".to_vec());
    let flaw = open(&pack(&altered), &trust).err().unwrap();
    assert_eq!(flaw.file, "events/more");
    let twice = [&bundle[..bundle.len() - 1024], &bundle].concat();
    assert!(open(&twice, &trust).is_err(), "everything twice");
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of forgeries")]
fn what_is_altered_is_found_though_list_and_manifest_are_made_anew() {
    let Stated {
        place,
        account,
        key,
    } = stated();
    place.good(&[
        "export",
        "evidence",
        "--account",
        &account,
        "--out",
        "a.tar",
    ]);
    let whole = unpack(&fs::read(place.path("a.tar")).unwrap());
    let origin = key.split('+').next().unwrap();
    let selected = positions(&whole, "selected");
    let (first, second, last) = (selected[0], selected[1], *selected.last().unwrap());
    let law = *positions(&whole, "law").last().unwrap();
    let enrolled = *positions(&whole, "principals").last().unwrap();
    let mut cases: Vec<(&str, String, Files)> = Vec::new();
    let mut case = |what: &'static str, file: &str, change: &dyn Fn(&mut Files)| {
        let mut files = whole.clone();
        change(&mut files);
        assert_ne!(files, whole, "{what}");
        cases.push((what, file.to_owned(), files));
    };
    let swap = |files: &mut Files, one: String, other: String| {
        let (first, second) = (files[&one].clone(), files[&other].clone());
        files.insert(one, second);
        files.insert(other, first);
    };
    let drop_from = |files: &mut Files, list: &str, position: u64| {
        contents(files, |contents| {
            let positions = match list {
                "selected" => &mut contents.selected,
                "law" => &mut contents.law,
                "principals" => &mut contents.principals,
                _ => &mut contents.keys,
            };
            positions.retain(|at| *at != position);
        });
        files.remove(&name(position, "record"));
        files.remove(&name(position, "proof"));
        redact(files, position);
    };
    let flip = |files: &mut Files, name: &str, at: usize| {
        files.get_mut(name).unwrap()[at] ^= 1;
    };
    case("a fact", &name(first, "proof"), &|files| {
        let name = name(first, "record");
        let at = files[&name].len() - 90;
        flip(files, &name, at - 60);
    });
    case("a signature", &name(second, "proof"), &|files| {
        let name = name(second, "record");
        let length = u32::from_le_bytes(files[&name][..4].try_into().unwrap());
        flip(files, &name, length as usize + 4 + 10);
    });
    case("records swapped", &name(first, "proof"), &|files| {
        swap(files, name(first, "record"), name(second, "record"));
    });
    case("proofs swapped", &name(first, "proof"), &|files| {
        swap(files, name(first, "proof"), name(second, "proof"));
    });
    case("both swapped", &name(first, "proof"), &|files| {
        swap(files, name(first, "record"), name(second, "record"));
        swap(files, name(first, "proof"), name(second, "proof"));
    });
    case("the newest event left out", "state.json", &|files| {
        drop_from(files, "selected", last);
    });
    case("an event between left out", "contents.json", &|files| {
        drop_from(files, "selected", second);
    });
    case("a law left out", "contents.json", &|files| {
        drop_from(files, "law", law);
    });
    case("an enrolment left out", "contents.json", &|files| {
        drop_from(files, "principals", enrolled);
    });
    case("the beginning left out", "contents.json", &|files| {
        drop_from(files, "keys", 0);
    });
    case("another account", "contents.json", &|files| {
        let other = "ab".repeat(16).parse().unwrap();
        contents(files, |contents| contents.about = About::Account(other));
    });
    case("said to be a range", "contents.json", &|files| {
        let range = About::Range {
            from: first,
            to: last,
        };
        contents(files, |contents| contents.about = range);
    });
    case("redactions hidden", "redactions.json", &|files| {
        let none = "{\n  \"schema\": \"idledger.redactions/1\",\n  \"events\": []\n}\n";
        files.insert("redactions.json".to_owned(), none.into());
    });
    case("another key of the log", "keys", &|files| {
        files.get_mut("keys").unwrap().extend(key.bytes());
    });
    case("no signature", "checkpoint", &|files| {
        let note = files.get_mut("checkpoint").unwrap();
        let at = note.windows(2).rposition(|two| two == b"\n\n").unwrap();
        note.truncate(at + 1);
    });
    case("another size", "checkpoint", &|files| {
        let note = String::from_utf8(files["checkpoint"].clone()).unwrap();
        let size = note.lines().nth(1).unwrap();
        let note = note.replacen(size, "7", 1);
        files.insert("checkpoint".to_owned(), note.into());
    });
    case("a file more", "extra", &|files| {
        files.insert("extra".to_owned(), b"?".to_vec());
    });
    case("a state of another", "state.json", &|files| {
        let state = String::from_utf8(files["state.json"].clone()).unwrap();
        let state = state.replacen(&account, &"ab".repeat(16), 1);
        files.insert("state.json".to_owned(), state.into());
    });
    let stranger = Place::new();
    let good = check(&stranger, &forge(whole.clone(), origin), &key, &[]);
    assert_eq!(good.code, 0, "{}{}", good.stdout, good.stderr);
    assert_eq!(good.json()["manifest_key"], Value::Null);
    for (what, file, files) in cases {
        let ran = check(&stranger, &forge(files, origin), &key, &[]);
        assert_eq!(ran.code, 4, "{what}: {}{}", ran.stdout, ran.stderr);
        let report = ran.json();
        assert_eq!(
            report["finding"]["file"], *file,
            "{what}: {}",
            report["finding"]
        );
    }
    let unsigned = check(
        &stranger,
        &forge(whole, origin),
        &key,
        &["--manifest-key", &key],
    );
    refused(&unsigned, "MANIFEST");
}

#[derive(Serialize, Deserialize)]
struct Redactions {
    schema: String,
    events: Vec<Redaction>,
}

#[derive(Serialize, Deserialize)]
struct Redaction {
    position: u64,
    event_id: String,
    sealed: Vec<Commitment>,
}

/// Takes an event out of the redaction manifest too.
fn redact(files: &mut Files, position: u64) {
    let mut all: Redactions = serde_json::from_slice(&files["redactions.json"]).unwrap();
    all.events.retain(|event| event.position != position);
    files.insert("redactions.json".to_owned(), written(&all));
}

#[test]
fn ranges_keys_that_were_rotated_and_accounts_that_never_were() {
    let place = Place::with_people(5);
    let nobody = "ab".repeat(16);
    place.good(&["tree", "seal", "--quiet"]);
    let ran = place.run(&["export", "evidence", "--account", &nobody, "--out", "n.tar"]);
    assert_eq!(ran.code, 1, "nothing is stated yet: {}", ran.stdout);
    assert!(!place.path("n.tar").exists());
    place.good(&["keys", "rotate", "--purpose", "events"]);
    place.good(&["projections", "seal", "--quiet"]);
    let size = place.good(&["log", "--format", "jsonl"]).lines().len() as u64;
    let range = format!("{}..{}", size - 20, size - 1);
    let ran = place.run(&["export", "evidence", "--range", &range, "--out", "r.tar"]);
    assert_eq!(ran.code, 1, "not all of it is sealed: {}", ran.stdout);
    assert!(ran.stderr.contains("tree seal"), "{}", ran.stderr);
    place.good(&["tree", "seal", "--quiet"]);
    let key = key(&place);
    let stranger = Place::new();
    place.good(&["export", "evidence", "--range", &range, "--out", "r.tar"]);
    let bundle = fs::read(place.path("r.tar")).unwrap();
    let ran = check(&stranger, &bundle, &key, &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let files = unpack(&bundle);
    assert!(positions(&files, "keys").len() > 2, "the rotation is there");
    let stated: Value = serde_json::from_slice(&files["contents.json"]).unwrap();
    assert!(stated["stated"].is_u64(), "{stated}");
    place.good(&["export", "evidence", "--account", &nobody, "--out", "n.tar"]);
    let bundle = fs::read(place.path("n.tar")).unwrap();
    let ran = check(&stranger, &bundle, &key, &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("there was no account"),
        "{}",
        ran.stdout
    );
    for range in ["5", "7..3", "a..b", "1..2..3"] {
        let ran = place.run(&["export", "evidence", "--range", range, "--out", "x"]);
        assert_eq!(ran.code, 2, "{range}: {}", ran.stderr);
    }
}

#[test]
fn an_auditor_s_report_is_signed_whatever_it_says() {
    let place = Place::with_people(2);
    place.good(&["tree", "seal", "--quiet"]);
    generate(&place, "auditor.key");
    let seed = fs::read_to_string(place.path("auditor.key")).unwrap();
    let seed: [u8; 32] = hex::decode(seed.trim()).unwrap().try_into().unwrap();
    let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
    let algorithm = tlog::note::Algorithm::Ed25519;
    let auditor = VerifierKey::new("auditor.example", algorithm, public).unwrap();
    let signed = [
        "--report",
        "report",
        "--sign-with",
        "auditor.key",
        "--sign-as",
        "auditor.example",
    ];
    let read = || {
        let note = fs::read_to_string(place.path("report")).unwrap();
        let note = Note::parse(&note).unwrap();
        let known = [auditor.clone()];
        assert_eq!(note.verify(&known).unwrap().len(), 1);
        let report: Value = serde_json::from_str(note.text()).unwrap();
        assert_eq!(report["schema"], "idledger.audit/1");
        report
    };
    place.good(&[&["verify", "--no-memory"][..], &signed].concat());
    let report = read();
    assert_eq!(report["report"]["schema"], "idledger.verify/1");
    assert_eq!(report["report"]["verdict"], "good");
    fs::write(place.path("bundle"), b"no bundle").unwrap();
    let key = key(&place);
    let bundle = ["verify", "--bundle", "bundle", "--key", &key];
    let ran = place.run(&[&bundle[..], &signed].concat());
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    let report = read();
    assert_eq!(report["report"]["schema"], "idledger.verify_bundle/1");
    assert_eq!(report["report"]["finding"]["file"], "bundle");
    // Not without a place for it, not without the key.
    assert_eq!(place.run(&[&["verify"][..], &signed[2..]].concat()).code, 2);
    fs::remove_file(place.path("auditor.key")).unwrap();
    let ran = place.run(&[&["verify", "--no-memory"][..], &signed].concat());
    assert_eq!(ran.code, 12, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.is_empty(),
        "said before the work: {}",
        ran.stdout
    );
}

#[test]
fn a_stamp_in_a_bundle_is_an_authority_s_word_on_this_history_and_no_other() {
    let service = Service::start();
    let Stated { place, account, .. } = stated();
    place.good(&["tree", "timestamp", "--outside", &service.settings(&place)]);
    let stamped = fs::read(place.ledger().join("tree/checkpoint")).unwrap();
    // The ledger goes on: the stamp is of an earlier checkpoint than the bundle's, under an earlier key.
    place.good(&["keys", "rotate", "--purpose", "checkpoints", "--quiet"]);
    place.good(&["tree", "seal", "--quiet"]);
    let keys = place.good(&["tree", "keys", "--format", "jsonl"]).lines();
    assert_eq!(keys.len(), 2);
    let key = keys[1]["verifier_key"].as_str().unwrap().to_owned();
    let bundle = exported(&place, &account);
    let files = unpack(&bundle);
    assert_eq!(files["timestamp/checkpoint"], stamped);
    assert_ne!(files["checkpoint"], stamped);

    let stranger = Place::new();
    let put = |name: &str, list: &str| fs::write(stranger.path(name), list).unwrap();
    put("tsa.pem", &service.authority.list());
    put("other.pem", &Authority::new(Recipe::default()).list());
    let good = check(&stranger, &bundle, &key, &["--timestamp-ca", "tsa.pem"]);
    assert_eq!(good.code, 0, "{}", good.stdout);
    assert_eq!(good.json()["stamped"]["authority"], "CN=Test root");
    let other = check(&stranger, &bundle, &key, &["--timestamp-ca", "other.pem"]);
    refused(&other, "timestamp/answer.tsr");
    let nobody = check(&stranger, &bundle, &key, &[]);
    assert_eq!(nobody.code, 0, "{}", nobody.stdout);
    assert!(
        nobody.json()["proved"]
            .to_string()
            .contains("nobody was named")
    );

    forged_stamps(&stranger, &service.authority, &key, &files);
}

/// Made anew by somebody who holds no key of the log and none that the authority signed this with.
fn forged_stamps(stranger: &Place, authority: &Authority, key: &str, files: &Files) {
    let origin = VerifierKey::parse(key).unwrap().name().to_owned();
    let forged = |change: &dyn Fn(&mut Files), file: &str| {
        let mut files = files.clone();
        change(&mut files);
        let ran = check(
            stranger,
            &forge(files, &origin),
            key,
            &["--timestamp-ca", "tsa.pem"],
        );
        refused(&ran, file);
    };
    let set = |name: &'static str, bytes: Vec<u8>| {
        move |files: &mut Files| drop(files.insert(name.to_owned(), bytes.clone()))
    };
    let answer = |data: &[u8]| {
        let hash = ledger::timestamp::imprint(data);
        authority.answer(&ledger::timestamp::query(&hash, [2; 8]).unwrap())
    };
    forged(
        &set("timestamp/answer.tsr", answer(b"other")),
        "timestamp/answer.tsr",
    );
    forged(
        &set("timestamp/consistency", Vec::new()),
        "timestamp/consistency",
    );
    let newest = files["checkpoint"].clone();
    forged(
        &set("timestamp/checkpoint", newest),
        "timestamp/consistency",
    );
    forged(
        &|files| drop(files.remove("timestamp/answer.tsr")),
        "timestamp/answer.tsr",
    );
    let mut unsigned = files["timestamp/checkpoint"].clone();
    let last = unsigned.len() - 3;
    unsigned[last] ^= 1;
    forged(
        &set("timestamp/checkpoint", unsigned),
        "timestamp/checkpoint",
    );
}
