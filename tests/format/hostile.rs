//! Bytes that nobody signed: decoders neither panic nor accept a second form of anything.

use crate::vectors;
use domain::bytes;
use domain::envelope::{Envelope, Evidence};
use domain::event::Event;
use domain::personal::Personal;
use domain::record::{self, RecordRef};
use idledger_tests::sample::Draw;
use proptest::prelude::*;

fn canonical(kind: u16, facts: &[u8]) {
    if let Ok(event) = domain::upcast::decode(kind, 1, facts) {
        assert_eq!(
            event.encode().unwrap(),
            facts,
            "a second form of {}",
            event.name()
        );
    }
}

fn canonical_record(bytes: &[u8]) {
    let Ok(record) = RecordRef::parse(bytes) else {
        return;
    };
    if let Ok(envelope) = record.open_envelope() {
        assert_eq!(record::envelope_bytes(&envelope).unwrap(), record.envelope);
        let _ = record.verify_parts(&envelope);
        canonical(envelope.kind, &envelope.facts);
    }
    assert!(RecordRef::parse(&record.redacted()).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_are_refused_or_canonical(
        noise in proptest::collection::vec(any::<u8>(), 0..300),
        kind in 0..150_u16,
    ) {
        canonical(kind, &noise);
        canonical_record(&noise);
        for _ in 0..2 {
            if let Ok(personal) = bytes::decode::<Personal>(&noise) {
                prop_assert_eq!(bytes::encode(&personal).unwrap(), noise.clone());
            }
        }
    }

    #[test]
    fn changed_facts_are_refused_or_canonical(
        seed in any::<u64>(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        for (kind, name, _) in Event::KINDS {
            let facts = Draw::new(seed).event(*kind).encode().unwrap();
            let mut longer = facts.clone();
            longer.push(byte);
            prop_assert!(domain::upcast::decode(*kind, 1, &longer).is_err(), "{} trailing", name);
            if facts.is_empty() {
                continue;
            }
            let mut changed = facts.clone();
            changed[at.index(facts.len())] = byte;
            canonical(*kind, &changed);
            let short = &facts[..at.index(facts.len())];
            prop_assert!(domain::upcast::decode(*kind, 1, short).is_err(), "{} cut", name);
        }
    }
}

#[test]
fn lengths_that_nobody_could_have_written_are_refused_without_allocating() {
    let event = Draw::new(3).event(140);
    let mut facts = event.encode().unwrap();
    // After law, version, digest and proposer, a name: its length claims the whole address space.
    let name_length = 1 + 4 + 32 + 16;
    facts[name_length..name_length + 8].fill(0xff);
    assert!(domain::upcast::decode(140, 1, &facts).is_err());
    facts[name_length..name_length + 8].copy_from_slice(&(1_u64 << 31).to_le_bytes());
    assert!(domain::upcast::decode(140, 1, &facts).is_err());
}

#[test]
fn every_flipped_bit_of_a_record_is_noticed() {
    let key = vectors::ledger_key().verifying_key();
    let verified = |bytes: &[u8]| {
        let record = RecordRef::parse(bytes).ok()?;
        record.verify_signature(&key).ok()?;
        let envelope = record.open_envelope().ok()?;
        record.verify_parts(&envelope).ok()
    };
    for (sort, bytes) in vectors::stream(7) {
        assert!(verified(&bytes).is_some(), "{sort}");
        for bit in 0..bytes.len() * 8 {
            // Every bit of the framing and the parts, every eleventh under the signature.
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let framing = bit < 40 || bit / 8 >= bytes.len().saturating_sub(200);
            if framing || bit % 11 == 0 {
                assert!(verified(&flipped).is_none(), "{sort}: bit {bit}");
            }
        }
        for length in 0..bytes.len() {
            assert!(
                RecordRef::parse(&bytes[..length]).is_err(),
                "{sort}: {length} bytes"
            );
        }
    }
}

#[test]
fn an_event_cannot_pass_for_another_signed_thing() {
    let mut draw = Draw::new(5);
    let event = draw.event(9);
    let envelope: Envelope = draw.envelope(&event, Evidence::None);
    let signed = record::envelope_bytes(&envelope).unwrap();
    let framed = |envelope: &[u8]| {
        let mut record = u32::try_from(envelope.len())
            .unwrap()
            .to_le_bytes()
            .to_vec();
        record.extend(envelope);
        record.extend([0; 65]);
        record
    };
    let opens = |bytes: &[u8]| {
        RecordRef::parse(&framed(bytes))
            .unwrap()
            .open_envelope()
            .is_ok()
    };
    assert!(signed.starts_with(b"idledger-event/v1\0") && opens(&signed));
    assert!(!opens(&signed[1..]) && !opens(&signed[18..]));
    assert!(!opens(&[b"idledger-event/v2\0", &signed[18..]].concat()));
}
