//! What every decoder that meets bytes from outside must hold, as functions of any bytes. The
//! `cargo fuzz` targets under `tests/fuzz` run them without end; `tests/format/fuzz.rs` runs the same
//! bodies bounded, on stable, with every test run. A body panics when its property does not hold.

pub mod log;

pub use log::{evidence, map_proof, note, proof, tile, timestamp};

use api::signature::{Target, present};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use domain::identity::{CardQr, PersonParts};
use domain::ids::Position;
use domain::personal::Person;
use domain::record::{self, RecordRef};
use ledger::archive::ArchiveReader;
use ledger::segments::{LogReader, segment_name};
use tlog::note::{Algorithm, VerifierKey};
use tlog::witness::{AddCheckpoint, judge};

/// A body.
pub type Body = fn(&[u8]);

/// Every body with its name, which is its fuzz target's.
pub const BODIES: [(&str, Body); 13] = [
    ("record", record),
    ("facts", facts),
    ("archive", archive),
    ("segment", segment),
    ("card_qr", card_qr),
    ("http_signature", http_signature),
    ("witness_request", witness_request),
    ("note", note),
    ("tile", tile),
    ("proof", proof),
    ("map_proof", map_proof),
    ("evidence", evidence),
    ("timestamp", timestamp),
];

/// A record, its envelope and its facts: refused, or written in exactly one way.
///
/// # Panics
/// If a record has a second form.
pub fn record(bytes: &[u8]) {
    let Ok(record) = RecordRef::parse(bytes) else {
        return;
    };
    assert!(
        RecordRef::parse(&record.redacted()).is_ok(),
        "a redacted record is a record"
    );
    let Ok(envelope) = record.open_envelope() else {
        return;
    };
    let again = record::envelope_bytes(&envelope).expect("what decodes encodes");
    assert!(again == record.envelope, "an envelope has one form");
    let _ = record.verify_parts(&envelope);
    if let Ok(event) = record::open_event(&envelope) {
        let again = event.encode().expect("what decodes encodes");
        assert!(again == envelope.facts, "facts have one form");
    }
}

/// The facts of the kind that the first byte names.
///
/// # Panics
/// If facts have a second form.
pub fn facts(bytes: &[u8]) {
    let Some((kind, facts)) = bytes.split_first() else {
        return;
    };
    if let Ok(event) = domain::upcast::decode(u16::from(*kind), 1, facts) {
        let again = event.encode().expect("what decodes encodes");
        assert!(again == facts, "facts have one form");
    }
}

/// An archive: read to its end or to an error, never past either.
///
/// # Panics
/// If it yields more records than its bytes can hold.
pub fn archive(bytes: &[u8]) {
    let Ok(mut reader) = ArchiveReader::new(bytes) else {
        return;
    };
    let mut records = 0;
    while let Ok(Some(next)) = reader.next_record() {
        record(&next.record.bytes);
        records += 1;
        assert!(records <= bytes.len(), "every record takes bytes");
    }
}

/// A directory with one segment file of these bytes: opened and scanned, or refused.
///
/// # Panics
/// If the scan yields more records than the file can hold, or the directory cannot be made.
pub fn segment(bytes: &[u8]) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = directory.path().join("log");
    std::fs::create_dir(&log).expect("a log directory");
    std::fs::write(log.join(segment_name(0)), bytes).expect("a segment file");
    let Ok(reader) = LogReader::open(directory.path()) else {
        return;
    };
    let Ok(mut scan) = reader.scan(Position(0)) else {
        return;
    };
    let mut records = 0;
    while let Ok(Some(_)) = scan.next_record() {
        records += 1;
        assert!(records <= bytes.len(), "every record takes bytes");
    }
}

/// The text of a card's QR: refused, or the same again after writing its parts.
///
/// # Panics
/// If an accepted text gives a person that would be refused or written differently.
pub fn card_qr(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(card) = CardQr::try_from(text) {
        let person = Person::from(&card.to_parts());
        let again = PersonParts::try_from(&person);
        assert!(
            again.is_ok_and(|parts| Person::from(&parts) == person),
            "a person has one form"
        );
    }
}

/// What is sent to a witness: refused, or a request that is written in exactly one way; and cosigned
/// only if the log signed it.
///
/// # Panics
/// If a request has a second form, or is taken without the log's signature.
pub fn witness_request(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    let Ok(request) = AddCheckpoint::parse(text) else {
        return;
    };
    assert_eq!(request.to_text(), text, "a request has one form");
    let key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]).verifying_key();
    let Ok(key) = VerifierKey::new("log.example", Algorithm::Ed25519, key) else {
        return;
    };
    let keys = [key];
    if let Ok(checkpoint) = judge(&request, Some(&keys), None) {
        let signed = request.checkpoint.verify(&keys);
        assert!(
            signed.is_ok_and(|signed| signed.len() == 1),
            "only what the log signed"
        );
        assert_eq!(checkpoint.to_text(), request.checkpoint.text());
    }
}

/// Headers of a signed request, one a line, an empty line, then the body: refused, or a base that
/// names what it covers.
pub fn http_signature(bytes: &[u8]) {
    presentable(bytes);
}

/// Whether such a request gets as far as needing a key.
///
/// # Panics
/// If a base does not name what it covers.
pub fn presentable(bytes: &[u8]) -> bool {
    let end = bytes
        .windows(2)
        .position(|pair| pair == b"\n\n")
        .unwrap_or(bytes.len());
    let (head, body) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
    let body = body.strip_prefix(b"\n\n").unwrap_or(body);
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n').take(32) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            continue;
        };
        let value = HeaderValue::from_bytes(value.trim_ascii());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), value) {
            headers.append(name, value);
        }
    }
    let target = Target {
        method: &Method::POST,
        path: "/v1/commands",
        query: None,
        authority: None,
    };
    let Ok(presented) = present(&target, &headers, body, 1_709_600_000) else {
        return false;
    };
    let base = String::from_utf8_lossy(&presented.base);
    assert!(
        base.contains("\"@signature-params\": (\""),
        "a base names what it covers"
    );
    true
}
