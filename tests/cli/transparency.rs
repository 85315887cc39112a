//! What strangers can check: checkpoints, tiles, proofs; and what an operator who lies cannot hide.

use super::run::{Place, Ran};
use domain::ids::{Category, Position};
use domain::record::RecordRef;
use ed25519_dalek::SigningKey;
use ledger::disk::RealDisk;
use ledger::segments::{LogReader, Options, Segments};
use ledger::store::{EventStore, Expected, Labels, NewRecord, StoredRecord};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tlog::hash::Hash;
use tlog::note::{Algorithm, Signer};
use tlog::proof::Head;
use tlog::tile::{Kind, TileId};
use tlog::tree::{FullTile, Tree};
use tlog::{Checkpoint, bundle, tile};

/// A ledger with a few people, sealed.
fn sealed() -> Place {
    let place = Place::with_people(12);
    place.good(&["tree", "seal", "--quiet"]);
    place
}

fn key(place: &Place) -> String {
    let rows = place.good(&["tree", "keys", "--format", "jsonl"]).lines();
    rows[0]["verifier_key"].as_str().unwrap().to_owned()
}

fn bad(ran: &Ran, check: &str) {
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["finding"]["check"], check, "{report}");
}

#[test]
fn proofs_hold_with_the_key_alone_and_nothing_altered_does() {
    let place = sealed();
    let key = key(&place);
    let check = |file: &str, more: &[&str]| {
        let mut arguments = vec!["check-proof", file, "--key", &key, "--format", "json"];
        arguments.extend(more);
        place.run(&arguments)
    };
    let size = place.good(&["tree", "seal", "--format", "json"]).json()["size"]
        .as_u64()
        .unwrap();
    let last = (size - 1).to_string();
    for position in ["0", "7", &last] {
        let proof = place.good(&["prove", "event", position]).stdout;
        fs::write(place.path("proof"), &proof).unwrap();
        assert_eq!(check("proof", &[]).code, 0, "{position}");
        // Every digit, letter and sign of it counts.
        let entry = proof.find("\"entry\"").unwrap() + 12;
        let path = proof.find("\"path\"").unwrap() + 20;
        let root = proof.rfind("=\\n\\n").unwrap() - 9;
        let signature = proof.rfind("=\\n\"").unwrap() - 20;
        for at in [entry, path, root, signature] {
            let mut altered = proof.clone().into_bytes();
            altered[at] = if altered[at] == b'b' { b'c' } else { b'b' };
            fs::write(place.path("altered"), &altered).unwrap();
            let ran = check("altered", &[]);
            assert_eq!(ran.code, 4, "{at}: {}{}", ran.stdout, ran.stderr);
        }
        fs::write(place.path("altered"), &proof[..proof.len() / 2]).unwrap();
        assert_eq!(check("altered", &[]).code, 4);
    }
    let proof = place.good(&["prove", "event", "7"]).json();
    let entry = proof["entry"].as_str().unwrap();
    fs::write(
        place.path("text"),
        place.good(&["prove", "event", "7", "--text"]).stdout,
    )
    .unwrap();
    assert_eq!(check("text", &[]).code, 2, "of what?");
    assert_eq!(check("text", &["--entry", entry]).code, 0);
    assert_eq!(check("text", &["--entry", &"0".repeat(64)]).code, 4);
    // An account, from its first event to its newest.
    let rows = place.good(&["log", "--format", "jsonl"]).lines();
    let mut streams = rows.iter().map(|row| row["stream"].as_str().unwrap());
    let account = streams
        .find_map(|stream| stream.strip_prefix("account-"))
        .unwrap()
        .to_owned();
    let proof = place.good(&["prove", "account", &account]).stdout;
    fs::write(place.path("account"), &proof).unwrap();
    assert_eq!(check("account", &[]).code, 0);
    let mut gap: serde_json::Value = serde_json::from_str(&proof).unwrap();
    gap["records"].as_array_mut().unwrap().remove(1);
    fs::write(place.path("gap"), gap.to_string()).unwrap();
    assert_eq!(check("gap", &[]).code, 4, "an event is left out");
    let mut short: serde_json::Value = serde_json::from_str(&proof).unwrap();
    short["records"].as_array_mut().unwrap().pop();
    fs::write(place.path("short"), short.to_string()).unwrap();
    assert_eq!(check("short", &[]).code, 4, "the newest is left out");
    // Another log's key.
    let other = Place::new();
    other.good(&["init", "--quiet"]);
    let strange = self::key(&other);
    let ran = place.run(&["check-proof", "proof", "--key", &strange]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
}

#[test]
fn a_mirror_and_a_server_are_verified_without_any_event() {
    let place = sealed();
    let key = key(&place);
    place.good(&["tree", "export", "--out", "mirror", "--quiet"]);
    let verify =
        |at: &str| place.run(&["verify", "--tiles", at, "--key", &key, "--format", "json"]);
    let first = verify("mirror");
    assert_eq!(first.code, 0, "{}{}", first.stdout, first.stderr);
    let size = first.json()["size"].as_u64().unwrap();
    assert!(size > 300, "{size}");
    // The server says the same, and continues it after it recorded more.
    let server = place.serve(&[], &[]);
    let at = format!("http://{}/log", server.address());
    let live = verify(&at);
    assert_eq!(live.code, 0, "{}{}", live.stdout, live.stderr);
    assert_eq!(live.json()["remembered"].as_u64(), Some(size));
    drop(server);
    // Whatever is altered, cut, swapped or taken away is found.
    let files = all_files(&place.path("mirror/tile"));
    assert!(files.len() > 3);
    for file in &files {
        let true_bytes = fs::read(file).unwrap();
        let mut flipped = true_bytes.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        let mut swapped = true_bytes.clone();
        swapped.rotate_left(middle);
        let cut = true_bytes[..true_bytes.len() - 1].to_vec();
        for altered in [flipped, swapped, cut, Vec::new()] {
            fs::write(file, &altered).unwrap();
            let ran = verify("mirror");
            assert_eq!(
                ran.code,
                4,
                "{}: {}{}",
                file.display(),
                ran.stdout,
                ran.stderr
            );
        }
        fs::remove_file(file).unwrap();
        bad(&verify("mirror"), "tile");
        fs::write(file, &true_bytes).unwrap();
    }
    let checkpoint = place.path("mirror/checkpoint");
    let true_note = fs::read_to_string(&checkpoint).unwrap();
    let signature = true_note.trim_end().rfind('\n').unwrap() + 1;
    for altered in [
        true_note.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size - 1), 1),
        true_note.replacen(&format!("\n{size}\n"), &format!("\n0{size}\n"), 1),
        true_note.replacen('/', "/x", 1),
        true_note[..signature].to_owned(),
        format!("{true_note}{}", &true_note[signature..]),
        format!("{true_note}\n"),
    ] {
        assert_ne!(altered, true_note);
        fs::write(&checkpoint, &altered).unwrap();
        bad(&verify("mirror"), "checkpoint");
    }
    fs::write(&checkpoint, &true_note).unwrap();
    assert_eq!(verify("mirror").code, 0);
}

#[test]
fn the_ledgers_own_tree_is_compared_with_its_events() {
    let place = sealed();
    let verify = || place.run(&["verify", "--structure", "--no-memory", "--format", "json"]);
    let good = verify();
    assert_eq!(good.code, 0, "{}", good.stderr);
    let size = good.json()["log"]["published"].as_u64().unwrap();
    assert_eq!(good.json()["records"].as_u64(), Some(size));
    for (name, check) in [
        ("tree/level-0", "tile"),
        ("tree/level-1", "tile"),
        ("tree/entries", "tile"),
        ("tree/checkpoint", "checkpoint"),
    ] {
        let file = place.ledger().join(name);
        let true_bytes = fs::read(&file).unwrap();
        for at in [0, true_bytes.len() / 2, true_bytes.len() - 1] {
            let mut altered = true_bytes.clone();
            altered[at] ^= 4;
            fs::write(&file, &altered).unwrap();
            bad(&verify(), check);
        }
        fs::write(&file, &true_bytes[..true_bytes.len() - 1]).unwrap();
        bad(&verify(), check);
        fs::write(&file, &true_bytes).unwrap();
    }
    // The tree is made again from the events, and is the same.
    let before = all_files(&place.ledger().join("tree"))
        .iter()
        .map(|file| (file.clone(), fs::read(file).unwrap()))
        .collect::<Vec<_>>();
    fs::remove_dir_all(place.ledger().join("tree")).unwrap();
    place.good(&["tree", "seal", "--quiet"]);
    for (file, bytes) in before {
        assert_eq!(fs::read(&file).unwrap(), bytes, "{}", file.display());
    }
}

/// An operator with every key takes away an account's last event, and signs everything anew.
#[test]
fn an_event_taken_away_is_found_by_an_old_checkpoint() {
    let place = sealed();
    let old = place.good(&["tree", "checkpoint"]).stdout;
    fs::write(place.path("old.note"), &old).unwrap();
    place.good(&["verify", "--structure", "--quiet"]);
    let records = records(&place.ledger());
    let lost = records
        .iter()
        .rposition(|record| record.stream.category == Category::Account)
        .unwrap();
    let left = records.iter().enumerate().filter(|(at, _)| *at != lost);
    let left: Vec<&StoredRecord> = left.map(|(_, record)| record).collect();
    rewrite(&place.ledger(), &left);
    // With the lock it signs nothing.
    let ran = place.run(&["tree", "seal"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    // Without it, it does, and on its own the forgery is perfect.
    fs::remove_dir_all(place.ledger().join("tree")).unwrap();
    place.good(&[
        "tree",
        "seal",
        "--checkpoint-lock",
        "another-lock",
        "--quiet",
    ]);
    let ran = place.run(&["verify", "--full", "--no-memory", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    // Whoever has an old checkpoint finds it, and whoever verified before.
    let verify = |more: &[&str]| {
        let mut arguments = vec!["verify", "--structure", "--format", "json"];
        arguments.extend(more);
        place.run(&arguments)
    };
    let with_old = ["--no-memory", "--checkpoint", "old.note"];
    bad(&verify(&with_old), "checkpoint");
    assert_eq!(verify(&[]).code, 4);
    // Also once the forged history has grown beyond it: another root at that size.
    for _ in 0..2 {
        place.good(&["keys", "token", "--quiet"]);
    }
    bad(&verify(&with_old), "checkpoint");
}

/// Two histories from one beginning, under the same keys.
#[test]
fn a_fork_is_found_by_memory_and_by_comparing_two_checkpoints() {
    let place = sealed();
    let key = key(&place);
    copy(&place.ledger(), &place.path("other"));
    place.good(&["keys", "token", "--quiet"]);
    place.good(&["tree", "seal", "--quiet"]);
    let other = |arguments: &[&str]| {
        let mut all = arguments.to_vec();
        all.extend(["--dir", "other"]);
        place.run(&all)
    };
    assert_eq!(other(&["keys", "token", "--quiet"]).code, 0);
    // The same lock: it has signed another history of this size.
    assert_eq!(other(&["tree", "seal"]).code, 4);
    let lock = ["tree", "seal", "--quiet", "--checkpoint-lock", "lock-2"];
    assert_eq!(other(&lock).code, 0);
    let note = other(&["tree", "checkpoint"]).stdout;
    fs::write(place.path("other.note"), &note).unwrap();
    // One auditor's checkpoint against the other's copy.
    let ran = place.run(&[
        "verify",
        "--structure",
        "--no-memory",
        "--checkpoint",
        "other.note",
        "--format",
        "json",
    ]);
    bad(&ran, "checkpoint");
    // One verifier who sees first this, then that: the events, and the log alone.
    place.good(&["verify", "--structure", "--quiet"]);
    assert_eq!(other(&["verify", "--structure", "--quiet"]).code, 4);
    assert_eq!(other(&["tree", "export", "--out", "mirror-2"]).code, 0);
    let ran = place.run(&[
        "verify", "--tiles", "mirror-2", "--key", &key, "--format", "json",
    ]);
    bad(&ran, "checkpoint");
    // A shorter one.
    place.good(&["keys", "token", "--quiet"]);
    place.good(&["tree", "seal", "--quiet"]);
    place.good(&["tree", "export", "--out", "mirror", "--quiet"]);
    let tiles = [
        "verify", "--tiles", "mirror", "--key", &key, "--format", "json",
    ];
    place.good(&tiles);
    let shorter = place.path("other");
    fs::remove_dir_all(&shorter).unwrap();
    copy(&place.ledger(), &shorter);
    let all = records(&shorter);
    rewrite(&shorter, &all[..all.len() - 1].iter().collect::<Vec<_>>());
    fs::remove_dir_all(shorter.join("tree")).unwrap();
    assert_eq!(other(&["tree", "seal"]).code, 4, "behind its lock");
    assert_eq!(
        other(&["tree", "seal", "--quiet", "--checkpoint-lock", "lock-3"]).code,
        0
    );
    assert_eq!(other(&["tree", "export", "--out", "mirror-3"]).code, 0);
    let ran = place.run(&[
        "verify", "--tiles", "mirror-3", "--key", &key, "--format", "json",
    ]);
    bad(&ran, "checkpoint");
}

/// Every proof over HTTP, checked by a stranger; and what nobody should ask.
#[test]
fn a_server_proves_what_it_serves_and_answers_nonsense_plainly() {
    let place = sealed();
    place.good(&["projections", "seal", "--quiet"]);
    let key = key(&place);
    let rows = place.good(&["log", "--format", "jsonl"]).lines();
    let mut streams = rows.iter().map(|row| row["stream"].as_str().unwrap());
    let account = streams.find_map(|stream| stream.strip_prefix("account-"));
    let account = account.unwrap().to_owned();
    let server = place.serve(&["--open-reads"], &[]);
    let header = |name: &str, value: &str| [(name.to_owned(), value.to_owned())];
    let wait = header("Prefer", "wait=10");
    let check = |body: &str, more: &[&str]| {
        fs::write(place.path("proof"), body).unwrap();
        let check = ["check-proof", "proof", "--key", &key, "--format", "json"];
        place.good(&[&check[..], more].concat()).json()
    };
    for path in [
        "/v1/events/7/proof".to_owned(),
        format!("/v1/events/{}/proof", rows.len() - 1),
        format!("/v1/accounts/{account}/proof"),
        format!("/v1/accounts/{account}/proof/state"),
        "/v1/log/consistency?old=7".to_owned(),
        "/v1/log/consistency?old=0".to_owned(),
    ] {
        let (status, body) = server.ask("GET", &path, "", &wait);
        assert_eq!(status, 200, "{path}: {body}");
        let proved = check(&body, &[]);
        assert!(!proved["facts"].as_array().unwrap().is_empty(), "{path}");
    }
    let text = header("Accept", "text/plain");
    let (status, receipt) = server.ask("GET", "/v1/events/7/proof", "", &text);
    assert_eq!(status, 200);
    let (_, event) = server.ask("GET", "/v1/events/7/proof", "", &[]);
    let event: serde_json::Value = serde_json::from_str(&event).unwrap();
    check(&receipt, &["--entry", event["entry"].as_str().unwrap()]);
    for (path, wanted) in [
        ("/v1/events/99999999/proof", 404),
        ("/v1/events/18446744073709551615/proof", 404),
        ("/v1/events/-1/proof", 400),
        ("/v1/events/07/proof", 400),
        ("/v1/log/consistency", 400),
        ("/v1/log/consistency?old=-1", 400),
        ("/v1/log/consistency?old=99999999", 400),
        ("/v1/log/consistency?old=18446744073709551615", 400),
        ("/v1/log/consistency?old=1&new=2", 400),
        ("/v1/accounts/00000000000000000000000000000000/proof", 404),
        ("/v1/accounts/7/proof", 400),
        ("/log/tile/0/001", 404),
        ("/log/tile/0/000.p/0", 404),
        ("/log/tile/0/000.p/256", 404),
        ("/log/tile/0/0", 404),
        ("/log/tile/0/x000/000", 404),
        ("/log/tile/00/000", 404),
        ("/log/tile/8/000", 404),
        ("/log/tile/63/000", 404),
        ("/log/tile/64/000", 404),
        ("/log/tile/0/x999/x999/x999/x999/x999/x999/x999/999", 404),
        ("/log/tile/entries/../../ledger.json", 404),
        ("/log/tile/..%2f..%2fledger.json", 404),
        ("/log/tile/%00", 404),
        ("/log/tile/", 404),
        ("/log/", 404),
        ("/log/checkpoint.new", 404),
    ] {
        let (status, body) = server.ask("GET", path, "", &[]);
        assert_eq!(status, wanted, "{path}: {body}");
    }
}

/// A memory, or somebody's note, that nobody signed accuses nobody of a fork.
#[test]
fn a_damaged_memory_is_told_from_a_fork() {
    let place = sealed();
    let key = key(&place);
    place.good(&["tree", "export", "--out", "mirror", "--quiet"]);
    place.good(&["verify", "--structure", "--quiet"]);
    let memories = all_files(&place.path("state/idledger/verified"));
    let memory = memories
        .iter()
        .find(|file| file.extension().is_some_and(|of| of == "checkpoint"))
        .unwrap();
    let note = fs::read_to_string(memory).unwrap();
    let root = note.lines().nth(2).unwrap();
    let other = Hash([7; 32]).to_base64();
    let tiles = [
        "verify", "--tiles", "mirror", "--key", &key, "--format", "json",
    ];
    let events = ["verify", "--structure", "--format", "json"];
    for altered in [
        note.replacen(root, &other, 1),
        note.replacen('\n', "0\n", 1),
        note[..note.len() / 2].to_owned(),
        String::new(),
    ] {
        fs::write(memory, altered).unwrap();
        for arguments in [&tiles[..], &events[..]] {
            let ran = place.run(arguments);
            bad(&ran, "checkpoint");
            let reason = ran.json()["finding"]["reason"].as_str().unwrap().to_owned();
            assert!(reason.contains("remembers"), "{reason}");
        }
    }
    place.good(&["verify", "--structure", "--forget", "--quiet"]);
    place.good(&events);
    // A note that somebody made up.
    fs::write(place.path("made-up"), note.replacen(root, &other, 1)).unwrap();
    let ran = place.run(&[&events[..], &["--checkpoint", "made-up"]].concat());
    bad(&ran, "checkpoint");
    let found = ran.json()["finding"]["found"].as_str().unwrap().to_owned();
    assert!(found.contains("signature"), "{found}");
}

/// Entries of the log that is forged: the 301st is another one then.
fn entry(n: u64, forged: bool) -> [u8; 32] {
    let mut entry = [7; 32];
    entry[..8].copy_from_slice(&n.to_be_bytes());
    entry[31] = u8::from(forged && n == 300);
    entry
}

const SIZE: u64 = 70_000;

/// Root and tiles of that log.
fn tiles_of(forged: bool) -> (Hash, Vec<(TileId, Vec<u8>)>) {
    let (mut tree, mut tiles) = (Tree::new(), Vec::new());
    for n in 0..SIZE {
        tree.push(Hash::leaf(&entry(n, forged)), &mut |full: FullTile| {
            let (kind, index) = (Kind::Hashes(full.level), full.index);
            let id = TileId {
                kind,
                index,
                width: 256,
            };
            tiles.push((id, tile::bytes(&full.hashes)));
        });
    }
    let partial = tree.partial().map(|(id, hashes)| (id, tile::bytes(hashes)));
    tiles.extend(partial);
    (tree.root(), tiles)
}

/// Hash tiles rewritten so that they agree with each other, up to three levels; with the entries too.
#[test]
fn forged_tiles_are_found_however_many_levels_agree() {
    let place = Place::new();
    let name = "log.example/forged";
    let signer = Signer::new(name, Algorithm::Ed25519, SigningKey::from_bytes(&[9; 32])).unwrap();
    let (root, tiles) = tiles_of(false);
    let put = |id: &TileId, bytes: &[u8]| {
        let path = place.path("mirror").join(id.to_string());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let entries = |index: u64, forged: bool| {
        let id = TileId::at(Kind::Entries, index, SIZE).unwrap();
        let mut bytes = Vec::new();
        for n in index * 256..index * 256 + u64::from(id.width) {
            bundle::push(&mut bytes, &entry(n, forged)).unwrap();
        }
        (id, bytes)
    };
    for (id, bytes) in &tiles {
        put(id, bytes);
    }
    for index in 0..SIZE.div_ceil(256) {
        let (id, bytes) = entries(index, false);
        put(&id, &bytes);
    }
    let checkpoint = Checkpoint::new(name, Head { size: SIZE, root }).unwrap();
    let text = checkpoint.to_text();
    let note = format!("{text}\n{}", signer.sign(&text).unwrap());
    fs::write(place.path("mirror/checkpoint"), note).unwrap();
    let key = signer.verifier().to_text();
    let verify = || {
        let tiles = ["verify", "--tiles", "mirror", "--key", &key, "--no-memory"];
        place.run(&[&tiles[..], &["--format", "json"]].concat())
    };
    assert_eq!(verify().code, 0);
    let (_, forged) = tiles_of(true);
    let differing: Vec<_> = tiles.iter().zip(&forged).filter(|(a, b)| a != b).collect();
    let levels: Vec<_> = differing.iter().map(|((id, _), _)| id.kind).collect();
    assert_eq!(levels, [Kind::Hashes(0), Kind::Hashes(1), Kind::Hashes(2)]);
    for levels in 1..=3 {
        for (_, (id, bytes)) in &differing[..levels] {
            put(id, bytes);
        }
        bad(&verify(), "tile");
    }
    // With the entries as well, all tiles agree: only the signed root tells.
    let (id, bytes) = entries(1, true);
    put(&id, &bytes);
    bad(&verify(), "checkpoint");
}

fn all_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(all_files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in all_files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, &target).unwrap();
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn records(dir: &Path) -> Vec<StoredRecord> {
    let log = LogReader::open(dir).unwrap();
    runtime().block_on(async {
        let mut all: Vec<StoredRecord> = Vec::new();
        loop {
            let page = log.read_all(Position(all.len() as u64), 500).await.unwrap();
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    })
}

/// Another log in the place of a ledger's, of these records.
fn rewrite(dir: &Path, records: &[&StoredRecord]) {
    fs::remove_dir_all(dir.join("log")).unwrap();
    fs::remove_dir_all(dir.join("index")).unwrap();
    let disk: Arc<dyn ledger::disk::Disk> = Arc::new(RealDisk);
    Segments::create_on(&disk, dir, Options::default()).unwrap();
    let (store, _) = Segments::open_on(disk, dir, Options::default()).unwrap();
    runtime().block_on(async {
        for record in records {
            let taken = RecordRef::parse(&record.bytes).unwrap();
            let envelope = taken.open_envelope().unwrap();
            let expected = match record.revision.0.checked_sub(1) {
                Some(last) => Expected::Revision(domain::ids::Revision(last)),
                None => Expected::NoStream,
            };
            let new = NewRecord {
                event_id: envelope.event_id,
                link: taken.link(),
                bytes: record.bytes.clone(),
                labels: Labels::default(),
            };
            store
                .append(record.stream, expected, vec![new])
                .await
                .unwrap();
        }
    });
}

/// Each key in its turn; what an old one signs beyond its end is found.
#[test]
fn keys_are_rotated_and_count_only_in_their_interval() {
    let place = sealed();
    let first = key(&place);
    let old_checkpoint_key = fs::read(place.ledger().join("secrets/checkpoint.key")).unwrap();
    let old_signing_key = fs::read(place.ledger().join("secrets/signing.key")).unwrap();
    place.good(&["keys", "rotate", "--purpose", "checkpoints", "--quiet"]);
    let arguments = ["keys", "rotate", "--purpose", "events", "--reason", "lost"];
    place.good(&arguments);
    place.good(&["keys", "token", "--quiet"]);
    place.good(&["tree", "seal", "--quiet"]);
    let rows = place.good(&["tree", "keys", "--format", "jsonl"]).lines();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["verifier_key"], first);
    let second = rows[1]["verifier_key"].as_str().unwrap();
    place.good(&["verify", "--full", "--quiet"]);
    // Cut short before its last step, a rotation is finished by the same command.
    let (file, next) = (
        place.ledger().join("secrets/signing.key"),
        place.ledger().join("secrets/signing.key.next"),
    );
    fs::rename(&file, &next).unwrap();
    fs::write(&file, &old_signing_key).unwrap();
    private(&file);
    assert_eq!(
        place.run(&["keys", "token"]).code,
        12,
        "the old key has ended"
    );
    let before = records(&place.ledger()).len();
    place.good(&arguments);
    assert_eq!(
        records(&place.ledger()).len(),
        before,
        "it was all recorded"
    );
    place.good(&["keys", "token", "--quiet"]);
    // The old checkpoint key signs nothing more.
    let file = place.ledger().join("secrets/checkpoint.key");
    let new_checkpoint_key = fs::read(&file).unwrap();
    fs::write(&file, &old_checkpoint_key).unwrap();
    assert_eq!(place.run(&["tree", "seal"]).code, 12);
    fs::write(&file, new_checkpoint_key).unwrap();
    place.good(&["tree", "seal", "--quiet"]);
    place.good(&["verify", "--quiet"]);
    // Whoever kept it can sign a note, but not one that anybody believes.
    let note = place.good(&["tree", "checkpoint"]).stdout;
    let text = note.split_once("\n\n").unwrap().0.to_owned() + "\n";
    let seed = String::from_utf8(old_checkpoint_key).unwrap();
    let mut bytes = [0; 32];
    hex::decode_to_slice(seed.trim(), &mut bytes).unwrap();
    let name = first.split('+').next().unwrap();
    let old = Signer::new(name, Algorithm::Ed25519, SigningKey::from_bytes(&bytes)).unwrap();
    assert_eq!(old.verifier().to_text(), first);
    let forged = format!("{text}\n{}", old.sign(&text).unwrap());
    fs::write(place.ledger().join("tree/checkpoint"), forged).unwrap();
    let verify = ["verify", "--structure", "--no-memory", "--format", "json"];
    bad(&place.run(&verify), "checkpoint");
    fs::write(place.ledger().join("tree/checkpoint"), &note).unwrap();
    place.good(&verify);
    // A mirror's reader names both keys, or the one that counts now.
    place.good(&["tree", "export", "--out", "mirror", "--quiet"]);
    place.good(&["verify", "--tiles", "mirror", "--key", second, "--quiet"]);
    place.good(&[
        "verify", "--tiles", "mirror", "--key", &first, "--key", second,
    ]);
}

fn private(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// What was sealed under a subject's keys may go: the log, its root and every proof stay.
#[test]
fn a_copy_without_sealed_parts_has_the_same_root_and_the_same_proofs() {
    let place = sealed();
    let key = key(&place);
    let proof = place.good(&["prove", "event", "40"]).stdout;
    fs::write(place.path("proof"), proof).unwrap();
    fs::write(
        place.path("old.note"),
        place.good(&["tree", "checkpoint"]).stdout,
    )
    .unwrap();
    let all = records(&place.ledger());
    let redacted: Vec<StoredRecord> = all
        .iter()
        .map(|record| StoredRecord {
            bytes: RecordRef::parse(&record.bytes).unwrap().redacted().into(),
            ..record.clone()
        })
        .collect();
    assert!(all.iter().zip(&redacted).any(|(a, b)| a.bytes != b.bytes));
    rewrite(&place.ledger(), &redacted.iter().collect::<Vec<_>>());
    place.good(&["verify", "--full", "--checkpoint", "old.note", "--quiet"]);
    fs::remove_dir_all(place.ledger().join("tree")).unwrap();
    // The same lock: it is the same history.
    place.good(&["tree", "seal", "--quiet"]);
    let again = place.good(&["prove", "event", "40"]).json();
    let before: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(place.path("proof")).unwrap()).unwrap();
    assert_eq!(again["path"], before["path"]);
    assert_eq!(again["checkpoint"], before["checkpoint"]);
    place.good(&["check-proof", "proof", "--key", &key]);
}
