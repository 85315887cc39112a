//! The fuzz bodies, bounded: arbitrary bytes, and good inputs with something changed.

use crate::vectors;
use domain::event::Event;
use domain::ids::Position;
use domain::record::RecordRef;
use idledger_tests::fuzz_bodies::{BODIES, Body};
use idledger_tests::sample::Draw;
use ledger::archive::{ArchiveWriter, ArchivedRecord, Sealed};
use ledger::segments::{SEGMENT_BYTES_MIN, Segments, segment_name};
use ledger::store::{EventStore, Expected, Labels, NewRecord, StoredRecord};
use std::path::Path;

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

fn good_inputs(name: &str, segment: &[u8]) -> Vec<Vec<u8>> {
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
        other => panic!("no good input for {other}"),
    }
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
    let segment = segment().await;
    for (name, body) in BODIES {
        run(name, body, &good_inputs(name, &segment));
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
