//! Golden bytes: the facts of every kind and version, whole records with every sort of evidence, and
//! sealed parts. They are made once and then read for ever: a program that no longer reads one of
//! them has broken the format. `IDLEDGER_OVERWRITE_VECTORS=1` adds what is missing (a new kind)
//! and, only while a format is unreleased, replaces what can no longer be read; all else stays, so
//! that a list that grows changes no vector.

use domain::envelope::{Commitment, Envelope, Evidence, RegistryWord, WordSource};
use domain::event::Event;
use domain::ids::{Digest, EventId, PublicKey, Revision, Signature};
use domain::personal::Personal;
use domain::record::{self, RecordRef};
use domain::seal::{self, DataKey, PartPlace};
use domain::vocabulary::{Database, RetentionClass};
use ed25519_dalek::{Signer, SigningKey};
use idledger_tests::sample::Draw;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Seed of the key that signs the vectors' records, and of the actor's.
pub const LEDGER_SEED: [u8; 32] = [0x11; 32];
pub const ACTOR_SEED: [u8; 32] = [0x22; 32];

pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors.json")
}

fn overwrite() -> bool {
    std::env::var_os("IDLEDGER_OVERWRITE_VECTORS").is_some_and(|value| value == "1")
}

pub fn ledger_key() -> SigningKey {
    SigningKey::from_bytes(&LEDGER_SEED)
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

fn unhex(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

/// One of each sort of evidence, signed by the actor where it is a signature.
fn evidences(draw: &mut Draw, envelope: &Envelope) -> Vec<(&'static str, Evidence)> {
    let actor = SigningKey::from_bytes(&ACTOR_SEED);
    let base = b"\"@method\": POST\n\"@path\": /v1/accounts\n\"@signature-params\": ()".to_vec();
    let digest = Digest(draw.array());
    let mut message = b"idledger-command/v1\0".to_vec();
    message.extend(envelope.command.0);
    message.extend(digest.0);
    vec![
        ("none", Evidence::None),
        ("carried", Evidence::Carried(EventId(draw.array()))),
        ("session", Evidence::Session(EventId(draw.array()))),
        (
            "http_request",
            Evidence::HttpRequest {
                signature: Signature(actor.sign(&base).to_bytes()),
                base,
                key: public(&actor),
            },
        ),
        (
            "command",
            Evidence::Command {
                digest,
                signature: Signature(actor.sign(&message).to_bytes()),
                key: public(&actor),
            },
        ),
        ("operator", Evidence::Operator),
    ]
}

/// A stream of records, each with another sort of evidence, the later ones with sealed parts.
pub fn stream(seed: u64) -> Vec<(&'static str, Vec<u8>)> {
    let mut draw = Draw::new(seed);
    let key = ledger_key();
    let kinds = Event::KINDS
        .iter()
        .cycle()
        .skip((seed % 50) as usize)
        .step_by(3);
    let first = {
        let event = draw.event(1);
        draw.envelope(&event, Evidence::None)
    };
    let mut link = Digest::ZERO;
    let mut records = Vec::new();
    let kinds_and_sorts = kinds.zip(evidences(&mut draw, &first));
    for (revision, ((kind, _, _), (sort, evidence))) in (0..).zip(kinds_and_sorts) {
        let event = draw.event(*kind);
        let mut envelope = draw.envelope(&event, evidence);
        envelope.stream = first.stream;
        envelope.command = first.command;
        envelope.revision = Revision(revision);
        envelope.link = link;
        envelope.ledger_key = public(&key).id();
        if let Some(receipt) = &mut envelope.receipt {
            receipt.answers = words();
        }
        let mut parts = Vec::new();
        for index in 0..(revision % 3) as u8 {
            let (part, commitment) = sealed_part(&mut draw, envelope.event_id, index);
            parts.push(part);
            envelope.sealed.push(commitment);
        }
        let signed = record::sign(&envelope, &parts, &key).unwrap();
        link = signed.link;
        records.push((sort, signed.record));
    }
    records
}

/// A registry's word of each sort, signed where it is signed.
fn words() -> Vec<RegistryWord> {
    let registry = SigningKey::from_bytes(&ACTOR_SEED);
    let key = public(&registry);
    let base = format!(
        "\"@status\": 200\n\"content-type\": application/json\n\"content-digest\": sha-256=:AA==:\n\
         \"content-digest\";req: sha-256=:AB==:\n\"idledger-nonce\": AAAAAAAAAAAAAAAAAAAAAA\n\
         \"@signature-params\": (\"@status\" \"content-type\" \"content-digest\" \
         \"content-digest\";req \"idledger-nonce\");created=1;keyid=\"{}\";alg=\"ed25519\"",
        key.id()
    );
    let signature = Signature(registry.sign(base.as_bytes()).to_bytes());
    let peer = WordSource::Peer {
        base,
        signature,
        key,
    };
    let word = |database, source| RegistryWord { database, source };
    vec![
        word(Database::CitizenCard, peer),
        word(Database::Population, WordSource::Own),
    ]
}

fn sealed_part(draw: &mut Draw, event: EventId, index: u8) -> (Vec<u8>, Commitment) {
    let personal: Personal = draw.value();
    let place = PartPlace {
        event,
        index,
        subject: draw.array(),
        class: draw.value(),
    };
    seal::seal(&personal, place, &DataKey(draw.array()), draw.array()).unwrap()
}

fn sealed_vector(draw: &mut Draw, number: u8) -> Value {
    let class = RetentionClass::ALL[usize::from(number) % RetentionClass::ALL.len()];
    let personal: Personal = draw.value();
    let place = PartPlace {
        event: EventId(draw.array()),
        index: number,
        subject: draw.array(),
        class,
    };
    let (key, nonce) = (DataKey(draw.array()), draw.array());
    let (part, commitment) = seal::seal(&personal, place, &key, nonce).unwrap();
    json!({
        "key": hex::encode(key.0),
        "event": place.event,
        "index": place.index,
        "subject": hex::encode(place.subject),
        "class": place.class as u8,
        "plain": hex::encode(domain::bytes::encode(&personal).unwrap()),
        "json": personal,
        "part": hex::encode(&part),
        "commitment": commitment.digest,
    })
}

fn kind_vector(kind: u16, name: &str, schema: u16) -> Value {
    let event = Draw::new(u64::from(kind)).event(kind);
    json!({
        "kind": kind,
        "name": name,
        "schema": schema,
        "facts": hex::encode(event.encode().unwrap()),
        "json": event,
    })
}

fn made() -> Value {
    let mut draw = Draw::new(1);
    let kinds: Vec<Value> = Event::KINDS
        .iter()
        .map(|(kind, name, schema)| kind_vector(*kind, name, *schema))
        .collect();
    let records: Vec<Value> = stream(7)
        .into_iter()
        .map(|(sort, bytes)| {
            let record = RecordRef::parse(&bytes).unwrap();
            json!({
                "evidence": sort,
                "record": hex::encode(&bytes),
                "link": record.link(),
                "redacted": hex::encode(record.redacted()),
            })
        })
        .collect();
    let sealed: Vec<Value> = (0..9)
        .map(|number| sealed_vector(&mut draw, number))
        .collect();
    json!({
        "format": 1,
        "ledger_seed": hex::encode(LEDGER_SEED),
        "ledger_key": public(&ledger_key()),
        "ledger_key_id": public(&ledger_key()).id(),
        "actor_seed": hex::encode(ACTOR_SEED),
        "kinds": kinds,
        "records": records,
        "sealed": sealed,
    })
}

/// What was made now, but for what is stored and still reads and encodes as it did.
fn completed(stored: &Value) -> Value {
    let mut made = made();
    let of = |vectors: &Value, wanted: &Value| {
        let same =
            |known: &&Value| known["kind"] == wanted["kind"] && known["schema"] == wanted["schema"];
        let known = vectors.as_array().and_then(|all| all.iter().find(same));
        known.cloned()
    };
    for vector in made["kinds"].as_array_mut().unwrap() {
        let known = of(&stored["kinds"], vector);
        let good = |known: &Value| {
            let kind = known["kind"]
                .as_u64()
                .and_then(|kind| u16::try_from(kind).ok());
            let event = kind.and_then(|kind| Event::deserialize(kind, known["json"].clone()));
            event.is_some_and(|event| {
                event.is_ok_and(|event| event.encode().unwrap() == unhex(&known["facts"]))
            })
        };
        if let Some(known) = known.filter(good) {
            *vector = known;
        }
    }
    let records = stored["records"].as_array();
    let readable = |vector: &Value| {
        let bytes = unhex(&vector["record"]);
        let record = RecordRef::parse(&bytes);
        let envelope = record.and_then(|record| record.open_envelope());
        envelope.is_ok_and(|envelope| record::open_event(&envelope).is_ok())
    };
    if records.is_some_and(|records| records.iter().all(readable)) {
        made["records"] = stored["records"].clone();
    }
    let sealed = stored["sealed"].as_array();
    let same = |vector: &Value| {
        let personal = serde_json::from_value::<Personal>(vector["json"].clone());
        let plain = personal.map(|personal| domain::bytes::encode(&personal).unwrap());
        plain.is_ok_and(|plain| plain == unhex(&vector["plain"]))
    };
    if sealed.is_some_and(|sealed| sealed.iter().all(same)) {
        made["sealed"] = stored["sealed"].clone();
    }
    made
}

/// The stored vectors; made or completed first where that was asked for.
pub fn golden() -> Value {
    let stored = std::fs::read_to_string(path()).ok();
    let stored: Option<Value> = stored.map(|text| serde_json::from_str(&text).unwrap());
    if overwrite() {
        let made = stored.as_ref().map_or_else(made, completed);
        if stored.as_ref() != Some(&made) {
            let text = serde_json::to_string_pretty(&made).unwrap();
            // Aside and renamed: other tests may be reading it.
            let aside = path().with_extension(format!("{}.new", std::process::id()));
            std::fs::write(&aside, text + "\n").unwrap();
            std::fs::rename(aside, path()).unwrap();
        }
        return made;
    }
    stored.expect("tests/fixtures/vectors.json is there")
}

#[test]
fn facts_of_every_kind_read_as_they_always_did() {
    let golden = golden();
    let vectors = golden["kinds"].as_array().unwrap();
    for vector in vectors {
        let number = |field: &str| u16::try_from(vector[field].as_u64().unwrap()).unwrap();
        let (kind, schema, facts) = (number("kind"), number("schema"), unhex(&vector["facts"]));
        let event = domain::upcast::decode(kind, schema, &facts).unwrap();
        assert_eq!(event.name(), vector["name"]);
        assert_eq!(
            serde_json::to_value(&event).unwrap(),
            vector["json"],
            "{}",
            event.name()
        );
        if Event::KINDS.contains(&(kind, event.name(), schema)) {
            assert_eq!(event.encode().unwrap(), facts, "{}", event.name());
        }
    }
    for (kind, name, schema) in Event::KINDS {
        let known = |vector: &&Value| vector["kind"] == *kind && vector["schema"] == *schema;
        assert!(
            vectors.iter().any(|vector| known(&vector)),
            "{name} version {schema} has no vector; IDLEDGER_OVERWRITE_VECTORS=1 adds it"
        );
    }
}

#[test]
fn records_verify_as_they_always_did() {
    let golden = golden();
    let key = record::verifying_key(&public(&ledger_key())).unwrap();
    assert_eq!(golden["ledger_key"], json!(public(&ledger_key())));
    assert_eq!(golden["ledger_key_id"], json!(public(&ledger_key()).id()));
    let mut link = Digest::ZERO;
    let mut parts = 0;
    for vector in golden["records"].as_array().unwrap() {
        let bytes = unhex(&vector["record"]);
        let record = RecordRef::parse(&bytes).unwrap();
        record.verify_signature(&key).unwrap();
        let envelope = record.open_envelope().unwrap();
        assert_eq!(envelope.link, link);
        record.verify_parts(&envelope).unwrap();
        record::open_event(&envelope).unwrap();
        link = record.link();
        assert_eq!(json!(link), vector["link"]);
        assert_eq!(hex::encode(record.redacted()), vector["redacted"]);
        let redacted = record.redacted();
        let redacted = RecordRef::parse(&redacted).unwrap();
        redacted.verify_signature(&key).unwrap();
        redacted.verify_parts(&envelope).unwrap();
        assert_eq!(redacted.link(), link, "redaction changes no link");
        parts += envelope.sealed.len();
    }
    assert!(parts > 3, "some have parts");
}

#[test]
fn sealed_parts_open_as_they_always_did() {
    let golden = golden();
    for vector in golden["sealed"].as_array().unwrap() {
        let array = |field: &str| <[u8; 16]>::try_from(unhex(&vector[field])).unwrap();
        let class = usize::try_from(vector["class"].as_u64().unwrap()).unwrap();
        let place = PartPlace {
            event: EventId(array("event")),
            index: u8::try_from(vector["index"].as_u64().unwrap()).unwrap(),
            subject: array("subject"),
            class: RetentionClass::ALL[class],
        };
        let key = DataKey(unhex(&vector["key"]).try_into().unwrap());
        let part = unhex(&vector["part"]);
        let personal = seal::open(&part, place, &key).unwrap();
        assert_eq!(serde_json::to_value(&personal).unwrap(), vector["json"]);
        assert_eq!(
            hex::encode(domain::bytes::encode(&personal).unwrap()),
            vector["plain"]
        );
        assert_eq!(json!(record::commit(&part)), vector["commitment"]);
        let elsewhere = PartPlace {
            index: place.index + 1,
            ..place
        };
        assert!(seal::open(&part, elsewhere, &key).is_err());
    }
}

/// Made vectors and stored ones agree: what is written has not changed either. Kinds whose latest
/// version is newer than a stored vector are read above, not written here.
#[test]
fn what_is_written_today_is_what_was_written_then() {
    let golden = golden();
    for vector in golden["kinds"].as_array().unwrap() {
        let kind = u16::try_from(vector["kind"].as_u64().unwrap()).unwrap();
        let facts = Event::deserialize(kind, vector["json"].clone());
        if let Some(Ok(event)) = facts {
            assert_eq!(
                hex::encode(event.encode().unwrap()),
                vector["facts"],
                "{}",
                event.name()
            );
        }
    }
}
