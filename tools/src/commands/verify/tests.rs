//! A registry's word in a record, and what an auditor finds wrong with it.

use super::check::{Checked, Depth, Keys, Known, check};
use super::report::Finding;
use super::walk::Walk;
use domain::envelope::{Actor, Envelope, Evidence, Receipt, RegistryWord, WordSource};
use domain::event::{BiometricMatchRecorded, Event, LedgerCreated, RegistryCheckSucceeded};
use domain::ids::{
    AccountId, AreaCode, CaseId, CommandId, CorrelationId, Digest, EventId, LedgerId, Micros,
    Position, PrincipalId, PublicKey, RequestId, Revision, Signature, StreamId,
};
use domain::record::{self, RecordRef};
use domain::vocabulary::{CommandKind, Database, MatchResult, Modality, Role};
use ed25519_dalek::{Signer as _, SigningKey};
use ledger::segments::ScannedRecord;
use ledger::store::StoredRecord;

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

/// What a registry signs for an answer.
fn base(of: &SigningKey) -> String {
    format!(
        "\"@status\": 200\n\"content-type\": application/json\n\"content-digest\": sha-256=:AA==:\n\
         \"content-digest\";req: sha-256=:AB==:\n\"idledger-nonce\": AAAAAAAAAAAAAAAAAAAAAA\n\
         \"@signature-params\": (\"@status\" \"content-type\" \"content-digest\" \
         \"content-digest\";req \"idledger-nonce\");created=1;keyid=\"{}\";alg=\"ed25519\"",
        public(of).id()
    )
}

fn word(database: Database, source: WordSource) -> RegistryWord {
    RegistryWord { database, source }
}

/// The population registry's signed word.
fn signed(alter: impl FnOnce(&mut String, &mut Signature, &mut PublicKey)) -> RegistryWord {
    let registry = key(2);
    let mut base = base(&registry);
    let mut signature = Signature(registry.sign(base.as_bytes()).to_bytes());
    let mut key = public(&registry);
    alter(&mut base, &mut signature, &mut key);
    let source = WordSource::Peer {
        base,
        signature,
        key,
    };
    word(Database::Population, source)
}

/// Events of one command on one account, the first with the receipt.
#[allow(clippy::needless_pass_by_value, reason = "said where it is made")]
fn command(kind: CommandKind, answers: Vec<RegistryWord>, events: &[Event]) -> Vec<ScannedRecord> {
    let (mut link, mut records) = (Digest::ZERO, Vec::new());
    for (number, event) in (0_u8..).zip(events) {
        let receipt = Receipt {
            command: kind,
            passed: Vec::new(),
            refused: None,
            law: Vec::new(),
            answers: answers.clone(),
        };
        let stream = StreamId::account(AccountId([3; 16]));
        let envelope = Envelope {
            event_id: EventId([number; 16]),
            stream,
            revision: Revision(u64::from(number)),
            link,
            kind: event.kind(),
            schema: 1,
            recorded_at: Micros(1),
            occurred_at: Micros(1),
            command: CommandId([4; 16]),
            causation: None,
            correlation: CorrelationId([4; 16]),
            actor: Actor {
                role: Role::Ledger,
                principal: PrincipalId::ZERO,
                key: None,
            },
            evidence: Evidence::None,
            policy: 1,
            catalogue: 1,
            receipt: (number == 0).then_some(receipt),
            facts: event.encode().unwrap(),
            sealed: Vec::new(),
            ledger_key: public(&key(1)).id(),
        };
        let bytes = record::sign(&envelope, &[], &key(1)).unwrap().record;
        link = RecordRef::parse(&bytes).unwrap().link();
        records.push(ScannedRecord {
            record: StoredRecord {
                position: Position(1 + u64::from(number)),
                stream,
                revision: envelope.revision,
                bytes: bytes.into(),
            },
            event_id: envelope.event_id,
            link,
            previous: None,
            segment: 0,
            offset: 0,
        });
    }
    records
}

/// Signatures verified, or the check that found something.
fn audit(records: &[ScannedRecord]) -> Result<u64, String> {
    let created = LedgerCreated {
        ledger: LedgerId([5; 16]),
        format: 1,
        key: public(&key(1)),
    };
    let mut known = Known::default();
    known.ring.learn(Position(0), &created.into()).unwrap();
    let mut walk = Walk::new();
    let found = |finding: Box<Finding>| finding.check;
    for record in records {
        let checked: Checked =
            check(record, &known, Depth::Full, &mut Keys::default()).map_err(found)?;
        walk.push(record.record.position.0, &checked)
            .map_err(found)?;
    }
    Ok(walk.signatures)
}

fn succeeded() -> Event {
    RegistryCheckSucceeded {
        request: RequestId([6; 16]),
        database: Database::Population,
        area: AreaCode(30_288),
    }
    .into()
}

fn asked(answers: Vec<RegistryWord>) -> Result<u64, String> {
    audit(&command(CommandKind::AskRegistry, answers, &[succeeded()]))
}

#[test]
fn a_registry_s_signature_is_checked_beside_the_ledger_s() {
    assert_eq!(asked(vec![signed(|_, _, _| {})]), Ok(2));
    let own = word(Database::Population, WordSource::Own);
    assert_eq!(asked(vec![own]), Ok(1));
}

#[test]
fn a_wrong_signature_of_a_registry_is_a_finding() {
    let wrong = Err("registry's signature".to_owned());
    for byte in 0..64 {
        let word = signed(|_, signature, _| signature.0[byte] ^= 1);
        assert_eq!(asked(vec![word]), wrong, "byte {byte}");
    }
    let length = base(&key(2)).len();
    for byte in 0..length {
        let word = signed(|base, _, _| {
            let altered = char::from(base.as_bytes()[byte] ^ 1);
            base.replace_range(byte..=byte, &altered.to_string());
        });
        assert_eq!(asked(vec![word]), wrong, "character {byte}");
    }
    let other = signed(|_, _, key| *key = public(&self::key(7)));
    assert_eq!(asked(vec![other]), wrong);
    // A good signature by another key than the one that is named, and one on something that is no answer.
    let another = signed(|base, signature, _| {
        *signature = Signature(self::key(7).sign(base.as_bytes()).to_bytes());
    });
    assert_eq!(asked(vec![another]), wrong);
    let request = signed(|base, signature, _| {
        *base = base.replacen("\"@status\": 200", "\"@method\": POST", 1);
        *signature = Signature(self::key(2).sign(base.as_bytes()).to_bytes());
    });
    assert_eq!(asked(vec![request]), wrong);
    // One good one does not make up for a bad one beside it.
    let bad = signed(|_, signature, _| signature.0[0] ^= 1);
    assert_eq!(asked(vec![signed(|_, _, _| {}), bad]), wrong);
}

#[test]
fn an_answer_that_is_nobody_s_word_is_a_finding() {
    let missing = Err("registry's word".to_owned());
    assert_eq!(asked(Vec::new()), missing);
    let own = |database| word(database, WordSource::Own);
    assert_eq!(asked(vec![own(Database::CitizenCard)]), missing);
    // Later events of a command lean on the receipt of its first.
    let matched: Event = BiometricMatchRecorded {
        case: CaseId([8; 16]),
        modality: Modality::Portrait,
        database: Database::CitizenCard,
        result: MatchResult::Match,
    }
    .into();
    let both = [succeeded(), matched.clone()];
    let audit_of = |kind, answers| audit(&command(kind, answers, &both));
    let one = vec![own(Database::Population)];
    assert_eq!(audit_of(CommandKind::AskRegistry, one), missing);
    let two = vec![own(Database::Population), own(Database::CitizenCard)];
    assert_eq!(audit_of(CommandKind::AskRegistry, two), Ok(2));
    // Whoever compared says so in a command of their own, under their own signature.
    let brought = command(CommandKind::RecordRegistryResult, Vec::new(), &[matched]);
    assert_eq!(audit(&brought), Ok(1));
}
