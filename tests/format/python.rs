//! Another program, in another language, written from FORMAT.md: it must accept what the ledger
//! exports and refuse it after any change. It gets its own virtual environment under the target
//! directory, made once.

use crate::vectors;
use domain::envelope::{Envelope, Evidence};
use domain::event::{Event, LedgerCreated};
use domain::ids::{LedgerId, Position, PublicKey, Signature};
use domain::record::{self, RecordRef};
use domain::vocabulary::Role;
use ed25519_dalek::SigningKey;
use idledger_tests::sample::Draw;
use ledger::archive::{ArchiveWriter, ArchivedRecord, Sealed};
use ledger::disk::{Disk, RealDisk};
use ledger::ledger::Ledger;
use ledger::store::StoredRecord;
use ledger::transparency::proofs::{Proof, prove_consistency, prove_event, prove_stream};
use ledger::transparency::{FileLock, Sealing, TransparencyLog, signer};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use tlog::tile::{self, Kind, TileId};

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

fn run(command: &mut Command) -> Output {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output();
    output.unwrap_or_else(|error| panic!("`{program}` is needed for this test: {error}"))
}

/// The interpreter of the virtual environment, which is made if it is not there.
fn python() -> PathBuf {
    let wanted = std::fs::read(scripts().join("requirements.txt")).unwrap();
    let name = format!("python-{}", &blake3::hash(&wanted).to_hex()[..16]);
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let lock = File::create(place.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let (interpreter, ready) = (place.join("bin/python"), place.join("ready"));
    if !ready.exists() {
        let _ = std::fs::remove_dir_all(&place);
        let made = run(Command::new("python3").args(["-m", "venv"]).arg(&place));
        assert!(
            made.status.success(),
            "python3 -m venv: {}",
            text(&made.stderr)
        );
        let mut pip = Command::new(&interpreter);
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
        ]);
        let installed = run(pip.arg(scripts().join("requirements.txt")));
        assert!(
            installed.status.success(),
            "pip: {}",
            text(&installed.stderr)
        );
        std::fs::write(ready, "").unwrap();
    }
    interpreter
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs the verifier; the lines it printed, or its complaint.
fn verify(archive: &[u8], keys: &[PublicKey]) -> Result<Vec<String>, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), archive).unwrap();
    let mut command = Command::new(python());
    command
        .arg(scripts().join("verify_event.py"))
        .arg(file.path());
    for key in keys {
        command.args(["--key", &key.to_string()]);
    }
    let output = run(&mut command);
    match output.status.code() {
        Some(0) => Ok(text(&output.stdout).lines().map(Into::into).collect()),
        Some(4) => Err(text(&output.stderr)),
        _ => panic!("the verifier broke down: {}", text(&output.stderr)),
    }
}

fn archive_of(records: &[Vec<u8>], first: u64, sealed: Sealed) -> Vec<u8> {
    let mut writer = ArchiveWriter::new(Vec::new(), Position(first), sealed).unwrap();
    for (position, bytes) in (first..).zip(records) {
        let record = RecordRef::parse(bytes).unwrap();
        let envelope = record.open_envelope().unwrap();
        let (event_id, link) = (envelope.event_id, record.link());
        let record = StoredRecord {
            position: Position(position),
            stream: envelope.stream,
            revision: envelope.revision,
            bytes: bytes.clone().into(),
        };
        writer
            .push(&ArchivedRecord {
                record,
                event_id,
                link,
            })
            .unwrap();
    }
    writer.finish().unwrap().0
}

fn public() -> PublicKey {
    PublicKey(vectors::ledger_key().verifying_key().to_bytes())
}

/// `LedgerCreated` and two streams with every sort of evidence.
fn history() -> Vec<Vec<u8>> {
    let event = Event::from(LedgerCreated {
        ledger: LedgerId([9; 16]),
        format: 1,
        key: public(),
    });
    let mut envelope = Draw::new(1).envelope(&event, Evidence::None);
    envelope.receipt = None;
    envelope.revision = domain::ids::Revision(0);
    envelope.link = domain::ids::Digest::ZERO;
    let records = [vec![resigned(&envelope, &[])]];
    let streams = [3, 7].map(|seed| vectors::stream(seed).into_iter().map(|(_, r)| r).collect());
    records
        .into_iter()
        .chain(streams)
        .collect::<Vec<Vec<_>>>()
        .concat()
}

fn resigned(envelope: &Envelope, parts: &[Vec<u8>]) -> Vec<u8> {
    let mut envelope = envelope.clone();
    envelope.ledger_key = public().id();
    record::sign(&envelope, parts, &vectors::ledger_key())
        .unwrap()
        .record
}

/// Changes one record's envelope, or its evidence, and signs it again with the ledger's own key.
fn forged(history: &[Vec<u8>], at: usize, change: impl FnOnce(&mut Envelope)) -> Vec<Vec<u8>> {
    let mut records = history.to_vec();
    let record = RecordRef::parse(&history[at]).unwrap();
    let mut envelope = record.open_envelope().unwrap();
    change(&mut envelope);
    let parts: Vec<Vec<u8>> = record.parts().map(<[u8]>::to_vec).collect();
    records[at] = resigned(&envelope, &parts);
    records
}

fn flipped(history: &[Vec<u8>], at: usize, byte: usize) -> Vec<Vec<u8>> {
    let mut records = history.to_vec();
    records[at][byte] ^= 4;
    records
}

// One table of changes; each line of it starts an interpreter.
#[allow(clippy::too_many_lines)]
#[test]
fn python_accepts_what_is_exported_and_refuses_every_change() {
    let history = history();
    let archive = |records: &[Vec<u8>]| archive_of(records, 0, Sealed::Kept);
    let lines = verify(&archive(&history), &[public()]).unwrap();
    assert_eq!(lines.len(), history.len());
    for evidence in 0..6 {
        assert!(
            lines
                .iter()
                .any(|line| line.contains(&format!("evidence={evidence}")))
        );
    }
    assert!(lines.iter().any(|line| line.ends_with("parts=2")));
    assert_eq!(
        verify(&archive(&history), &[]).unwrap(),
        lines,
        "trusting the first event's key"
    );

    let redacted = verify(&archive_of(&history, 0, Sealed::Redacted), &[public()]).unwrap();
    assert!(redacted.len() == lines.len() && redacted.iter().all(|line| line.ends_with("parts=0")));
    let tail = verify(&archive_of(&history[4..], 4, Sealed::Kept), &[public()]).unwrap();
    assert_eq!(tail, lines[4..]);

    let stranger = PublicKey(SigningKey::from_bytes(&[5; 32]).verifying_key().to_bytes());
    let of_evidence = |wanted: u8| {
        lines
            .iter()
            .position(|line| line.contains(&format!("evidence={wanted}")))
            .unwrap()
    };
    let (http, command) = (of_evidence(3), of_evidence(4));
    let with_parts = lines
        .iter()
        .position(|line| line.ends_with("parts=2"))
        .unwrap();
    let last = history[with_parts].len() - 1;
    let dropped = [&history[..2], &history[3..]].concat();
    let mut swapped = history.clone();
    swapped.swap(2, 3);
    let spoil = |signature: &mut Signature| signature.0[3] ^= 1;
    for (what, records, complaint) in [
        // Facts, actor or times: whatever is under the signature.
        (
            "a bit of an envelope",
            flipped(&history, 1, 4 + 18 + 70),
            "ledger's signature",
        ),
        (
            "a sealed part",
            flipped(&history, with_parts, last),
            "not the one committed to",
        ),
        ("a record left out", dropped, "the link to revision"),
        ("two records swapped", swapped, "the link to revision"),
        (
            "a request's evidence",
            forged(&history, http, |envelope| match &mut envelope.evidence {
                Evidence::HttpRequest { signature, .. } => spoil(signature),
                other => panic!("{other:?}"),
            }),
            "request signature",
        ),
        (
            "a command's evidence",
            forged(&history, command, |envelope| envelope.command.0[0] ^= 1),
            "command signature",
        ),
        (
            "another's link",
            forged(&history, 3, |e| e.link.0[0] ^= 1),
            "the link to revision",
        ),
    ] {
        let error = verify(&archive(&records), &[public()]).expect_err(what);
        assert!(error.contains(complaint), "{what}: {error}");
    }
    let error = verify(&archive(&history), &[stranger]).unwrap_err();
    assert!(error.contains("not trusted"), "{error}");
    let good = archive(&history);
    for at in [
        0,
        9,
        17,
        30,
        200,
        good.len() / 2,
        good.len() - 40,
        good.len() - 1,
    ] {
        let mut bytes = good.clone();
        bytes[at] ^= 0x20;
        assert!(
            verify(&bytes, &[public()]).is_err(),
            "byte {at} of the archive"
        );
    }
    assert!(verify(&good[..good.len() - 1], &[public()]).is_err());
}

#[tokio::test]
async fn python_verifies_a_ledger_made_by_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = ledger::open::init(&ledger::open::Options::new(directory.path()))
        .await
        .unwrap();
    let officer = PublicKey(SigningKey::from_bytes(&[6; 32]).verifying_key().to_bytes());
    let name = Some("Nguyễn Văn A".to_owned());
    ledger
        .enrol(Role::IntakeOfficer, Some(officer), None, vec![1, 2], name)
        .await
        .unwrap();
    let records = ledger.store().read_all(Position(0), 100).await.unwrap();
    let records: Vec<Vec<u8>> = records
        .into_iter()
        .map(|record| record.bytes.to_vec())
        .collect();
    let lines = verify(&archive_of(&records, 0, Sealed::Kept), &[]).unwrap();
    assert_eq!(lines.len(), records.len());
    assert!(lines[0].contains(" 120 ") && lines.last().unwrap().contains(" 110 "));
    assert!(
        lines.last().unwrap().ends_with("parts=1"),
        "the name is sealed"
    );
}

/// Runs the verifier of logs: what it printed, or its complaint.
fn verify_log(mirror: &Path, key: &str, proofs: &[PathBuf]) -> Result<String, String> {
    let mut command = Command::new(python());
    let script = scripts().join("verify_log.py");
    let output = run(command.arg(script).arg(mirror).arg(key).args(proofs));
    match output.status.code() {
        Some(0) => Ok(text(&output.stdout)),
        Some(4) => Err(text(&output.stderr)),
        _ => panic!("the verifier broke down: {}", text(&output.stderr)),
    }
}

/// A ledger of a little more than one tile, sealed.
async fn sealed(dir: &Path) -> (Ledger, Arc<TransparencyLog>) {
    let options = ledger::open::Options::new(dir);
    let ledger = ledger::open::init(&options).await.unwrap();
    for n in 0..300_u64 {
        let token = Some(domain::ids::Digest(
            *blake3::hash(&n.to_le_bytes()).as_bytes(),
        ));
        let role = Role::Reader;
        ledger
            .enrol(role, None, token, Vec::new(), None)
            .await
            .unwrap();
    }
    let key = SigningKey::from_bytes(&options.checkpoint_key.load().unwrap().0);
    let id = ledger.ring().ledger().unwrap();
    let verifier = signer(id, key.clone()).unwrap().verifier().clone();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let log = TransparencyLog::open(Arc::clone(&disk), &dir.join("tree"), verifier).unwrap();
    let log = Arc::new(log);
    let lock = dir.join("lock-of-checkpoints");
    let sealing = Sealing {
        store: Arc::clone(ledger.store()),
        log: Arc::clone(&log),
        lock: Box::new(move || Ok(Arc::new(FileLock::open(Arc::clone(&disk), &lock)?))),
        key,
        every: std::time::Duration::ZERO,
        cosigner: None,
        progress: None,
        gate: None,
    };
    assert!(sealing.once().await.unwrap().unwrap() > 300);
    (ledger, log)
}

/// The log as a web server would serve it.
fn mirror(log: &TransparencyLog, dir: &Path) {
    let published = log.published().unwrap();
    let size = published.head.size;
    let put = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    let bundles = (0..size.div_ceil(256)).map(|index| TileId::at(Kind::Entries, index, size));
    for id in tile::of_tree(size).chain(bundles.flatten()) {
        put(&id.to_string(), &log.tile(&id).unwrap());
    }
    put("checkpoint", published.note.to_text().as_bytes());
}

#[tokio::test]
async fn python_verifies_a_log_and_its_proofs() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, log) = sealed(directory.path()).await;
    let place = directory.path().join("mirror");
    mirror(&log, &place);
    let (store, size) = (ledger.store().as_ref(), log.published().unwrap().head.size);
    let principals = domain::ids::StreamId::single(domain::ids::Category::Principal);
    let mut proofs = vec![Proof::Stream(
        prove_stream(&log, store, principals).await.unwrap(),
    )];
    for at in [0, 255, 256, size - 1] {
        let proof = prove_event(&log, store, Position(at), true).await.unwrap();
        proofs.push(Proof::Event(proof));
        proofs.push(Proof::Consistency(prove_consistency(&log, at).unwrap()));
    }
    let mut files = Vec::new();
    for (n, proof) in proofs.iter().enumerate() {
        let file = directory.path().join(format!("proof-{n}"));
        std::fs::write(&file, serde_json::to_string(proof).unwrap()).unwrap();
        files.push(file);
    }
    let key = log.key().to_text();
    let said = verify_log(&place, &key, &files).unwrap();
    assert_eq!(said.lines().count(), 1 + files.len(), "{said}");
    assert!(said.contains("stream of 300"), "{said}");
    // And refuses what is altered.
    let stream = std::fs::read_to_string(&files[0]).unwrap();
    let mut gap: serde_json::Value = serde_json::from_str(&stream).unwrap();
    gap["records"].as_array_mut().unwrap().remove(7);
    std::fs::write(&files[0], gap.to_string()).unwrap();
    assert!(verify_log(&place, &key, &files[..1]).is_err());
    let event = std::fs::read_to_string(&files[3]).unwrap();
    let event = event.replacen("\"index\":255", "\"index\":254", 1);
    std::fs::write(&files[3], event).unwrap();
    assert!(verify_log(&place, &key, &files[3..4]).is_err());
    let tile = place.join("tile/0/000");
    let mut bytes = std::fs::read(&tile).unwrap();
    bytes[40] ^= 1;
    std::fs::write(&tile, bytes).unwrap();
    assert!(verify_log(&place, &key, &[]).is_err());
}
