//! The fuzz bodies, bounded: arbitrary bytes, and good inputs with something changed.

use crate::vectors;
use domain::event::Event;
use domain::ids::Position;
use domain::record::RecordRef;
use ed25519_dalek::SigningKey;
use idledger_tests::fuzz_bodies::{BODIES, Body, log};
use idledger_tests::sample::Draw;
use ledger::archive::{ArchiveWriter, ArchivedRecord, Sealed};
use ledger::bundle::{About, Want, make};
use ledger::disk::{Disk, RealDisk};
use ledger::segments::{SEGMENT_BYTES_MIN, Segments, segment_name};
use ledger::store::{EventStore, Expected, Labels, NewRecord, StoredRecord};
use ledger::testing::authority::{Authority, Recipe};
use ledger::transparency::proofs::{ConsistencyProof, EventProof, Proof};
use ledger::transparency::{self, FileLock, Sealing, TransparencyLog};
use std::path::Path;
use std::sync::Arc;

/// Changed inputs of one body: enough to be felt, few enough for every run.
const CHANGES: u64 = 3_000;

/// Changes of a body that writes files.
const FILE_CHANGES: u64 = 300;

fn archive() -> Vec<u8> {
    let mut writer = ArchiveWriter::new(Vec::new(), Position(0), Sealed::Kept).unwrap();
    for (position, (_, bytes)) in (0..).zip(vectors::stream(7)) {
        let record = RecordRef::parse(&bytes).unwrap();
        let (link, envelope) = (record.link(), record.open_envelope().unwrap());
        let record = StoredRecord {
            position: Position(position),
            stream: envelope.stream,
            revision: envelope.revision,
            bytes: bytes.into(),
        };
        writer
            .push(&ArchivedRecord {
                record,
                event_id: envelope.event_id,
                link,
            })
            .unwrap();
    }
    writer.finish().unwrap().0
}

/// A small segment file with a few records.
async fn segment() -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let options = ledger::segments::Options {
        segment_bytes: SEGMENT_BYTES_MIN * 4,
        ..ledger::segments::Options::default()
    };
    Segments::create(directory.path(), options).unwrap();
    let (store, _) = Segments::open(directory.path(), options).unwrap();
    let records = vectors::stream(7);
    let stream = {
        let record = RecordRef::parse(&records[0].1).unwrap();
        record.open_envelope().unwrap().stream
    };
    let records = records.into_iter().map(|(_, bytes)| {
        let record = RecordRef::parse(&bytes).unwrap();
        let (link, event_id) = (record.link(), record.open_envelope().unwrap().event_id);
        NewRecord {
            event_id,
            link,
            bytes: bytes.into(),
            labels: Labels::default(),
        }
    });
    store
        .append(stream, Expected::NoStream, records.collect())
        .await
        .unwrap();
    drop(store);
    std::fs::read(directory.path().join("log").join(segment_name(0))).unwrap()
}

fn good_inputs(name: &str, segment: &[u8], evidence: &[u8]) -> Vec<Vec<u8>> {
    match name {
        "record" => vectors::stream(7)
            .into_iter()
            .map(|(_, record)| record)
            .collect(),
        "facts" => Event::KINDS
            .iter()
            .map(|(kind, _, _)| {
                let facts = Draw::new(1).event(*kind).encode().unwrap();
                [&[u8::try_from(*kind).unwrap()], facts.as_slice()].concat()
            })
            .collect(),
        "archive" => vec![archive()],
        "segment" => vec![segment.to_vec()],
        "card_qr" => vec![
            "030199012345|123456789|Nguyễn Thị Hoa|31121999|Nữ|Phường 1, Hải Dương|01042021".into(),
            "030199012345||Nguyễn Thị Hoa|31121999|Nữ|Hải Dương|01042021\r\n".into(),
        ],
        "http_signature" => vec![signed_request()],
        "witness_request" => vec![witness_request()],
        "note" => {
            let (note, key) = (&log::SAMPLE.note, &log::SAMPLE.policy.log[0]);
            let texts = [note.to_text(), note.text().to_owned(), key.to_text()];
            texts.map(String::into_bytes).into()
        }
        "tile" => tiles(),
        "proof" => proofs(),
        "map_proof" => {
            let said = log::SAMPLE.said.iter();
            let said = said.map(|proof| serde_json::to_vec(proof).unwrap());
            said.chain([vec![5; 80]]).collect()
        }
        "evidence" => vec![evidence.to_vec()],
        "timestamp" => vec![timestamp()],
        other => panic!("no good input for {other}"),
    }
}

/// Names of tiles, and contents with their width in front.
fn tiles() -> Vec<Vec<u8>> {
    let mut bundle = vec![0, 2];
    for entry in [log::entry(1), log::entry(2)] {
        tlog::bundle::push(&mut bundle, &entry).unwrap();
    }
    let hashes = [&[0, 3][..], &[7; 96]].concat();
    let names = ["tile/0/x001/x234/067.p/5", "tile/entries/000"];
    names
        .map(|name| name.as_bytes().to_vec())
        .into_iter()
        .chain([bundle, hashes])
        .collect()
}

/// The sample's proof in both forms, and each is good.
fn proofs() -> Vec<Vec<u8>> {
    let sample = &*log::SAMPLE;
    let entry = log::entry(u8::try_from(sample.receipt.index).unwrap());
    assert!(sample.receipt.check(&entry, &sample.policy).is_ok());
    let event = Proof::Event(EventProof::new(&sample.receipt, entry));
    assert!(event.check(&sample.policy, Some(entry)).is_ok());
    let consistency = Proof::Consistency(ConsistencyProof {
        old_size: 7,
        old_root: sample
            .policy
            .check(&sample.note)
            .unwrap()
            .checkpoint
            .head
            .root
            .to_base64(),
        path: Vec::new(),
        checkpoint: sample.note.to_text(),
    });
    assert!(consistency.check(&sample.policy, None).is_ok());
    let json = [event, consistency].map(|proof| serde_json::to_vec(&proof).unwrap());
    json.into_iter()
        .chain([sample.receipt.to_text().into_bytes()])
        .collect()
}

/// A new ledger's own events as evidence, under the sample's key.
async fn evidence() -> Vec<u8> {
    let place = tempfile::tempdir().unwrap();
    let mut options = ledger::open::Options::new(place.path());
    let key = place.path().join("key");
    std::fs::write(&key, hex::encode(log::SECRET)).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    options.checkpoint_key = ledger::secrets::KeySource::File(key);
    let ledger = ledger::open::init(&options).await.unwrap();
    let key = SigningKey::from_bytes(&log::SECRET);
    let signer = transparency::signer(ledger.ring().ledger().unwrap(), key.clone()).unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let tree = place.path().join("tree");
    let shown = TransparencyLog::open(Arc::clone(&disk), &tree, signer.verifier().clone());
    let shown = Arc::new(shown.unwrap());
    let lock = place.path().join("checkpoint-lock");
    let sealing = Sealing {
        store: Arc::clone(ledger.store()),
        log: Arc::clone(&shown),
        lock: Box::new(move || Ok(Arc::new(FileLock::open(Arc::clone(&disk), &lock)?))),
        key,
        every: std::time::Duration::ZERO,
        cosigner: None,
        progress: None,
        gate: None,
    };
    sealing.once().await.unwrap();
    let want = Want {
        about: About::Range { from: 0, to: 1 },
        state: None,
        signer: None,
    };
    make(&shown, ledger.store().as_ref(), want).await.unwrap()
}

/// What an authority answers to the sample's checkpoint.
fn timestamp() -> Vec<u8> {
    let authority = Authority::new(Recipe::default());
    let data = log::SAMPLE.note.to_text();
    let query = ledger::timestamp::query(&ledger::timestamp::imprint(data.as_bytes()), [1; 8]);
    let answer = authority.answer(&query.unwrap());
    assert!(authority.is_taken(data.as_bytes(), &answer));
    answer
}

/// A first checkpoint of one entry, as its log sends it.
fn witness_request() -> Vec<u8> {
    let key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let signer = tlog::Signer::new("log.example", tlog::note::Algorithm::Ed25519, key).unwrap();
    let root = tlog::Hash::leaf(b"entry");
    let head = tlog::proof::Head { size: 1, root };
    let text = tlog::Checkpoint::new("log.example", head)
        .unwrap()
        .to_text();
    let line = signer.sign(&text).unwrap();
    let request = format!("old 0\n\n{text}\n{line}");
    let keys = [signer.verifier().clone()];
    let parsed = tlog::witness::AddCheckpoint::parse(&request).unwrap();
    assert!(tlog::witness::judge(&parsed, Some(&keys), None).is_ok());
    request.into_bytes()
}

/// Headers and body of a request whose signature is well formed (that it verifies needs a key).
fn signed_request() -> Vec<u8> {
    let digest = api::signature::content_digest(b"{}");
    let signature = format!("sig=:{}==:", "A".repeat(86));
    let input = "sig=(\"@method\" \"@path\" \"content-digest\" \"content-type\");created=1709600000;\
                 keyid=\"00112233445566778899aabbccddeeff\";nonce=\"AAAAAAAAAAAAAAAAAAAAAA\";\
                 alg=\"ed25519\"";
    format!(
        "signature-input: {input}\nsignature: {signature}\ncontent-digest: {digest}\n\
         content-type: application/json\n\n{{}}"
    )
    .into_bytes()
}

#[test]
fn the_good_request_is_presentable() {
    // Otherwise the body under test would never get past the headers.
    assert!(idledger_tests::fuzz_bodies::presentable(&signed_request()));
}

/// The same input with one thing changed: a bit, a byte, a run, a length, an end.
fn changed(good: &[u8], draw: &mut Draw) -> Vec<u8> {
    let mut bytes = good.to_vec();
    let length = bytes.len() as u32;
    let at = draw.below(length) as usize;
    match draw.below(6) {
        0 => bytes[at] ^= 1 << draw.below(8),
        1 => bytes[at] = draw.array::<1>()[0],
        2 => bytes.truncate(at),
        3 => bytes.extend(draw.array::<9>()),
        4 => {
            let end = (at + 8).min(bytes.len());
            bytes[at..end].fill(if draw.below(2) == 0 { 0 } else { 0xff });
        }
        _ => {
            let from = draw.below(length) as usize;
            let end = (from + 16).min(bytes.len());
            let piece = bytes[from..end].to_vec();
            bytes.splice(at..at, piece);
        }
    }
    bytes
}

fn run(name: &str, body: Body, good: &[Vec<u8>]) {
    for input in good {
        body(input);
    }
    let changes = if name == "segment" {
        FILE_CHANGES
    } else {
        CHANGES
    };
    for seed in 0..changes {
        let mut draw = Draw::new(seed);
        let noise: Vec<u8> = (0..draw.below(200)).map(|_| draw.array::<1>()[0]).collect();
        body(&noise);
        let base = &good[draw.below(good.len() as u32) as usize];
        let mut input = changed(base, &mut draw);
        body(&input);
        if !input.is_empty() {
            input = changed(&input, &mut draw);
            body(&input);
        }
    }
}

#[tokio::test]
async fn every_decoder_holds_under_changed_input() {
    let (segment, evidence) = (segment().await, evidence().await);
    for (name, body) in BODIES {
        run(name, body, &good_inputs(name, &segment, &evidence));
    }
}

#[test]
fn every_body_has_a_fuzz_target() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let manifest = std::fs::read_to_string(targets.join("../Cargo.toml")).unwrap();
    for (name, _) in BODIES {
        let target = std::fs::read_to_string(targets.join(format!("{name}.rs"))).unwrap();
        assert!(target.contains(&format!("fuzz_bodies::{name}(bytes)")));
        assert!(manifest.contains(&format!("name = \"{name}\"")));
    }
}
