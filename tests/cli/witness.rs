//! Witnesses as people run them: two processes beside a server, and whoever checks a proof offline.

use crate::run::{Place, Ran, Server};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// A witness's directory and its verifier key.
struct Own {
    state: String,
    key: String,
}

impl Own {
    fn new(place: &Place, name: &str) -> Self {
        let state = place.path(name).display().to_string();
        let named = format!("{name}.example/1");
        let made = place.good(&[
            "witness", "--state", &state, "--init", "--name", &named, "--format", "json",
        ]);
        let key = made.json()["verifier_key"].as_str().unwrap().to_owned();
        assert!(key.starts_with(&named), "{key}");
        Self { state, key }
    }

    fn start(&self, place: &Place, listen: &str, log: &str) -> Server {
        place.witness(listen, &["--state", &self.state, "--log", log])
    }
}

fn log_key(place: &Place) -> String {
    let keys = place.good(&["tree", "keys", "--format", "jsonl"]).lines();
    keys[0]["verifier_key"].as_str().unwrap().to_owned()
}

/// The settings that name witnesses, at their addresses.
fn settings(place: &Place, when_missing: &str, witnesses: &[(&str, &Own)]) -> String {
    let mut text = format!("[witnesses]\npatience_s = 1\nwhen_missing = \"{when_missing}\"\n");
    for (address, own) in witnesses {
        let key = &own.key;
        text.extend(["[[witnesses.witness]]\nurl = \"http://", address]);
        text.extend(["\"\nkey = \"", key, "\"\n"]);
    }
    let path = place.path("outside.toml");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// Waits for a checkpoint with so many signatures: the log's own and the witnesses'.
fn published(server: &Server, signatures: usize) -> String {
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        let (status, note) = server.ask("GET", "/log/checkpoint", "", &[]);
        let lines = note.lines().filter(|line| line.starts_with('\u{2014}'));
        if status == 200 && lines.count() == signatures {
            return note;
        }
        assert!(Instant::now() < end, "{status}: {note}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_proof_with_two_witnesses_holds_offline() {
    let place = Place::new();
    place.good(&["init"]);
    let log = log_key(&place);
    let (one, two) = (Own::new(&place, "one"), Own::new(&place, "two"));
    let first = one.start(&place, "127.0.0.1:0", &log);
    let second = two.start(&place, "127.0.0.1:0", &log);
    let of = [(first.address(), &one), (second.address(), &two)];
    let settings = settings(&place, "refuse", &of);
    let server = place.serve(&["--outside", &settings], &[]);
    published(&server, 3);
    let (_, metrics) = server.ask("GET", "/metrics", "", &[]);
    for line in [
        "idledger_log_cosignatures_missing 0".to_owned(),
        "idledger_witness_failures_total{witness=\"one.example/1\"} 0".to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }
    let proof = place.good(&["prove", "event", "0"]).stdout;
    assert_eq!(server.end().0, 0);

    holds_offline(&place, &log, &proof, (&one, &two));

    // They end when they are asked to, and remember.
    for witness in [first, second] {
        let (code, log) = witness.end();
        assert_eq!(code, 0, "{log}");
    }
    let size = cosigned_size(&one.state);
    assert!(size > 0);
    let again = one.start(&place, "127.0.0.1:0", &log);
    let body = format!(
        "old 0\n\n{}",
        std::fs::read_to_string(place.ledger().join("tree/checkpoint")).unwrap()
    );
    let (status, said) = again.ask("POST", "/add-checkpoint", &body, &[]);
    assert_eq!((status, said), (409, format!("{size}\n")));
    assert_eq!(again.ask("GET", "/healthz", "", &[]).0, 200);
    let twice = place.run(&[
        "witness",
        "--listen",
        "127.0.0.1:0",
        "--state",
        &one.state,
        "--log",
        &log,
    ]);
    assert_eq!(twice.code, 11, "{}", twice.stderr);
}

/// A proof with two cosignatures, and what is left of it when one of them is spoilt.
fn holds_offline(place: &Place, log: &str, proof: &str, (one, two): (&Own, &Own)) {
    let check = |proof: &str, more: &[&str]| -> Ran {
        std::fs::write(place.path("proof.json"), proof).unwrap();
        let parts = [
            "check-proof",
            "proof.json",
            "--format",
            "json",
            "--key",
            log,
        ];
        place.run(&[&parts[..], more].concat())
    };
    let both = ["--witness", &one.key, "--witness", &two.key];
    let held = check(proof, &both);
    assert_eq!(held.code, 0, "{}", held.stderr);
    let cosigned = held.json()["cosigned"].clone();
    let cosigned = cosigned.as_object().map(serde_json::Map::len);
    assert_eq!(cosigned, Some(2), "{}", held.stdout);
    // Altered: wrong for whoever knows the witness. Left out: too few, unless fewer are enough.
    let (altered, cut) = spoilt(proof, "two.example/1");
    assert_eq!(check(&altered, &both).code, 4);
    assert_eq!(check(&altered, &both[..2]).code, 0, "not asked after");
    let missing = check(&cut, &both);
    assert_eq!(missing.code, 4);
    let said = "1 of 2 cosignatures";
    assert!(missing.stderr.contains(said), "{}", missing.stderr);
    let fewer = [&both[..], &["--quorum", "1"]].concat();
    assert_eq!(check(&cut, &fewer).code, 0);
    let stranger = Own::new(place, "three");
    assert_eq!(check(proof, &["--witness", &stranger.key]).code, 4);
}

/// The proof with one character of a witness's cosignature changed, and without the cosignature.
fn spoilt(proof: &str, name: &str) -> (String, String) {
    let mut value: Value = serde_json::from_str(proof).unwrap();
    let checkpoint = value["checkpoint"].as_str().unwrap().to_owned();
    let line = checkpoint.lines().find(|line| line.contains(name)).unwrap();
    let at = line.len() - 20;
    let other = if &line[at..=at] == "A" { "B" } else { "A" };
    let wrong = format!("{}{other}{}", &line[..at], &line[at + 1..]);
    value["checkpoint"] = checkpoint.replace(line, &wrong).into();
    let altered = value.to_string();
    value["checkpoint"] = checkpoint.replace(&format!("{line}\n"), "").into();
    (altered, value.to_string())
}

/// The size in the one checkpoint that a witness remembers.
fn cosigned_size(state: &str) -> u64 {
    let files = std::fs::read_dir(state)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut kept = files.filter(|path| path.extension().is_some_and(|it| it == "checkpoint"));
    let text = std::fs::read_to_string(kept.next().unwrap()).unwrap();
    text.lines().nth(1).unwrap().parse().unwrap()
}

/// Copies a directory.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn two_histories_from_one_prefix_do_not_both_get_cosigned() {
    let place = Place::new();
    place.good(&["init"]);
    let log = log_key(&place);
    let one = Own::new(&place, "one");
    let witness = one.start(&place, "127.0.0.1:0", &log);
    let settings = settings(&place, "hold", &[(witness.address(), &one)]);
    let seal = |dir: &str, lock: &str| {
        place.run(&[
            "tree",
            "seal",
            "--outside",
            &settings,
            "--dir",
            dir,
            "--checkpoint-lock",
            lock,
        ])
    };
    let (ledger, fork) = (place.ledger(), place.path("fork"));
    let (ledger, fork) = (ledger.to_str().unwrap(), fork.to_str().unwrap());
    assert_eq!(seal(ledger, "lock").code, 0);
    // The operator copies everything, the lock too, and goes on twice with the same keys.
    copy(Path::new(ledger), Path::new(fork));
    copy(&place.path("lock"), &place.path("fork-lock"));
    place.good(&["keys", "token", "--name", "a reader", "--dir", ledger]);
    place.good(&["keys", "token", "--name", "another reader", "--dir", fork]);
    let before = cosigned_size(&one.state);
    let sealed = seal(ledger, "lock");
    assert_eq!(sealed.code, 0, "{}", sealed.stderr);
    let size = cosigned_size(&one.state);
    assert!(size > before);
    let forked = seal(fork, "fork-lock");
    assert_eq!(forked.code, 1, "{}", forked.stderr);
    assert!(
        forked.stderr.contains("0 of 1 cosignatures"),
        "{}",
        forked.stderr
    );
    // Longer does not help.
    place.good(&["keys", "token", "--name", "one more", "--dir", fork]);
    assert_eq!(seal(fork, "fork-lock").code, 1);
    assert_eq!(cosigned_size(&one.state), size);
    let checkpoint =
        |dir: &str| std::fs::read_to_string(Path::new(dir).join("tree/checkpoint")).unwrap();
    assert!(
        checkpoint(fork).lines().nth(1) == Some(&*before.to_string()),
        "held back"
    );
    // The true one goes on.
    place.good(&["keys", "token", "--name", "a third", "--dir", ledger]);
    assert_eq!(seal(ledger, "lock").code, 0);
    let (code, log) = witness.end();
    assert_eq!(code, 0);
    assert!(log.contains("contradicts what was cosigned"), "{log}");
}

#[test]
fn settings_that_cannot_be_meant_are_named() {
    let place = Place::new();
    place.good(&["init"]);
    let own = Own::new(&place, "one");
    let good = settings(&place, "hold", &[("127.0.0.1:9", &own)]);
    let text = std::fs::read_to_string(&good).unwrap();
    for (from, to) in [
        ("\"hold\"", "\"wait\""),
        ("patience_s", "quorum = 2\npatience_s"),
        ("patience_s", "quorum = 0\npatience_s"),
        ("http://127.0.0.1", "http://witness.example"),
        (own.key.as_str(), "one.example/1"),
        (own.key.as_str(), log_key(&place).as_str()),
    ] {
        std::fs::write(&good, text.replace(from, to)).unwrap();
        let ran = place.run(&["tree", "seal", "--outside", &good]);
        assert!(ran.code == 1 || ran.code == 2, "{to}: {}", ran.stderr);
        assert!(!place.ledger().join("tree/checkpoint").exists(), "{to}");
    }
}

#[test]
fn a_witness_that_cannot_start_says_why() {
    let place = Place::new();
    place.good(&["init"]);
    let log = log_key(&place);
    let own = Own::new(&place, "one");
    let start = |state: &str, more: &[&str]| {
        place.run(
            &[
                &["witness", "--listen", "127.0.0.1:0", "--state", state][..],
                more,
            ]
            .concat(),
        )
    };
    let state = own.state.as_str();
    assert_eq!(start(state, &[]).code, 2, "no log");
    assert_eq!(start(state, &["--log", "x+y"]).code, 2);
    assert_eq!(
        start(state, &["--log", &own.key]).code,
        2,
        "a witness's key is no log's"
    );
    assert_eq!(start("nowhere", &["--log", &log]).code, 12);
    assert_eq!(start(state, &["--init"]).code, 2, "no name");
    assert_eq!(start(state, &["--init", "--name", "a b"]).code, 2);
    // A key that is there is never replaced.
    assert_eq!(
        start(state, &["--init", "--name", "again.example"]).code,
        12
    );
    let id = place.path("one").join("witness.key");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&id).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    std::fs::write(
        place.path("one/verifier.key"),
        own.key.replace("one", "two"),
    )
    .unwrap();
    assert_eq!(start(state, &["--log", &log]).code, 12);
}
