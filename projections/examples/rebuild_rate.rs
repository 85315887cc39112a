//! Measures how fast all read models are built from a synthetic ledger of account-shaped streams:
//!
//! ```sh
//! cargo run --release -p idledger-projections --example rebuild_rate -- 1000000
//! ```
//!
//! The records are made while they are read (their cost is measured alone first), in three rounds
//! over all accounts, so that each account's row is cold each time. Signatures are not real: the
//! read models do not check them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_wrap,
    clippy::too_many_lines,
    reason = "a measurement: it may stop with a panic, and its table of events is one match"
)]

use bytes::Bytes;
use domain::envelope::{Actor, Commitment, Envelope, Evidence};
use domain::event::{
    AccountActivated, AccountIssued, ActivationCodeSent, ActivationOtpVerified,
    ActivationRequested, ActivationWindowOpened, AppAccountCreated, AppRegistrationSubmitted,
    BiometricMatchRecorded, Claimed, ConsentRecorded, DeviceBound, DeviceCheckPassed, Event,
    FingerprintsCaptured, Level2Applied, Level2IntakeOpened, OtpChallengeIssued, OtpVerified,
    PasscodeSet, PasswordSet, PortraitCaptured, RegistryCheckSucceeded, ResultNotified,
    SecurityQuestionsSet,
};
use domain::ids::{
    AccountId, AreaCode, CaseId, Category, ChallengeId, CommandId, CorrelationId, DeviceRef,
    Digest, EventId, KeyId, LocalDay, LookupHash, Micros, Position, PrincipalId, PublicKey,
    RequestId, Revision, StreamId, VerifierId,
};
use domain::record::{envelope_bytes, link};
use domain::vocabulary::{
    Capture, Channel, Database, Level, MatchResult, Modality, OtpPurpose, QuestionId,
    RegistrationMethod, RetentionClass, Role,
};
use ledger::store::{
    AppendError, Appended, BoxFuture, EventStore, Expected, NewRecord, StoreError, StoredRecord,
    StreamHead,
};
use projections::{Options, Views};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Events of one account in each round, claims included.
const ROUNDS: [u64; 3] = [8, 10, 9];

struct Synthetic {
    accounts: u64,
    /// Revision and link of each account's last event.
    heads: Mutex<Vec<(u64, Digest)>>,
}

impl Synthetic {
    fn length_now(&self) -> u64 {
        ROUNDS.iter().sum::<u64>() * self.accounts
    }

    fn record(&self, position: u64) -> StoredRecord {
        let (mut round, mut at) = (0, position);
        while at >= ROUNDS[round] * self.accounts {
            at -= ROUNDS[round] * self.accounts;
            round += 1;
        }
        let (index, step) = (at / ROUNDS[round], at % ROUNDS[round]);
        let id = hash16(b"account", index, 0);
        // The event that makes a claim good comes after the round's claims.
        let confirmed_by = EventId(hash16(b"event", position - step + claims(round), 0));
        let (stream, event) = event(round, step, index, id, confirmed_by);
        let mut heads = self.heads.lock().unwrap();
        let head = &mut heads[index as usize];
        let own = stream.category == Category::Account;
        if own && round == 0 && step == claims(0) {
            *head = (0, Digest::ZERO);
        }
        let envelope = envelope(
            position,
            stream,
            &event,
            if own { *head } else { (0, Digest::ZERO) },
        );
        let signed = envelope_bytes(&envelope).unwrap();
        let signature = [5; 64];
        if own {
            *head = (head.0 + 1, link(&signed, &signature));
        }
        let mut bytes = Vec::with_capacity(signed.len() + 80);
        bytes.extend((signed.len() as u32).to_le_bytes());
        bytes.extend(&signed);
        bytes.extend(signature);
        bytes.push(envelope.sealed.len() as u8);
        for _ in &envelope.sealed {
            bytes.extend(0u32.to_le_bytes());
        }
        StoredRecord {
            position: Position(position),
            stream,
            revision: envelope.revision,
            bytes: Bytes::from(bytes),
        }
    }
}

fn claims(round: usize) -> u64 {
    [2, 0, 1][round]
}

fn hash16(what: &[u8], index: u64, salt: u8) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(what)
        .update(&index.to_le_bytes())
        .update(&[salt]);
    let mut id = [0; 16];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    id
}

fn at(index: u64, round: usize) -> Micros {
    Micros(1_700_000_000_000_000 + index as i64 * 10_000_000 + round as i64 * 86_400_000_000)
}

fn event(
    round: usize,
    step: u64,
    index: u64,
    id: [u8; 16],
    confirmed_by: EventId,
) -> (StreamId, Event) {
    let account = AccountId(id);
    let claimed = |category, salt| {
        let hash = LookupHash(hash16(b"lookup", index, salt));
        let claimed = Claimed {
            account,
            confirmed_by,
        };
        (StreamId::claim(category, hash), claimed.into())
    };
    let case = CaseId(id);
    let area = AreaCode(30_288 + (index % 12) as u32);
    let capture = Capture {
        digest: Digest([9; 32]),
        quality: 90,
    };
    let (device, key) = (DeviceRef(hash16(b"device", index, 0)), PublicKey([4; 32]));
    let (challenge, verifier) = (ChallengeId(id), VerifierId(id));
    let level = Level::Two;
    let officer = PrincipalId(hash16(b"officer", index % 40, 0));
    let database = Database::Population;
    let result = MatchResult::Match;
    let own: Event = match (round, step) {
        (0, 0) => return claimed(Category::PersonalIdClaim, 0),
        (0, 1) => return claimed(Category::PhoneClaim, 1),
        (2, 0) => return claimed(Category::DeviceClaim, 2),
        (0, 2) => AppRegistrationSubmitted {
            method: RegistrationMethod::CardQr,
        }
        .into(),
        (0, 3) => RegistryCheckSucceeded {
            request: RequestId(id),
            database,
            area,
        }
        .into(),
        (0, 4) => OtpChallengeIssued {
            challenge,
            purpose: OtpPurpose::Registration,
            expires_at: Micros(0),
            resend_after: Micros(0),
            attempts_max: 5,
        }
        .into(),
        (0, 5) => OtpVerified {
            challenge,
            purpose: OtpPurpose::Registration,
        }
        .into(),
        (0, 6) => PasswordSet { verifier }.into(),
        (0, _) => AppAccountCreated {}.into(),
        (1, 0) => Level2IntakeOpened {
            case,
            officer,
            site: 1,
            with_card_issue: true,
        }
        .into(),
        (1, 1) => PortraitCaptured { case, capture }.into(),
        (1, 2) => FingerprintsCaptured { case, capture }.into(),
        (1, 3) => ConsentRecorded {
            case,
            text_version: 1,
            witness: officer,
        }
        .into(),
        (1, 4) => Level2Applied {
            case,
            decide_by: LocalDay(20_000),
        }
        .into(),
        (1, 5) => {
            let modality = Modality::Portrait;
            BiometricMatchRecorded {
                case,
                modality,
                database,
                result,
            }
            .into()
        }
        (1, 6) => {
            let modality = Modality::Fingerprints;
            BiometricMatchRecorded {
                case,
                modality,
                database,
                result,
            }
            .into()
        }
        (1, 7) => AccountIssued { case, level, area }.into(),
        (1, 8) => ResultNotified {
            case,
            channel: Channel::Sms,
            received_at: at(index, 1),
        }
        .into(),
        (1, _) => ActivationWindowOpened {
            deadline: at(index, 9),
        }
        .into(),
        (_, 1) => ActivationRequested { device, key }.into(),
        (_, 2) => DeviceCheckPassed { device }.into(),
        (_, 3) => ActivationCodeSent { challenge }.into(),
        (_, 4) => ActivationOtpVerified { challenge }.into(),
        (_, 5) => PasscodeSet { verifier }.into(),
        (_, 6) => SecurityQuestionsSet {
            first: QuestionId::FirstJob,
            second: QuestionId::FirstSchool,
            verifier,
        }
        .into(),
        (_, 7) => DeviceBound { device, key }.into(),
        (_, _) => AccountActivated { level }.into(),
    };
    (StreamId::account(account), own)
}

fn envelope(position: u64, stream: StreamId, event: &Event, head: (u64, Digest)) -> Envelope {
    let sealed = matches!(
        event,
        Event::AppRegistrationSubmitted(_) | Event::ActivationRequested(_)
    );
    let commitment = Commitment {
        subject: stream.id.0,
        class: RetentionClass::Permanent,
        digest: Digest([8; 32]),
    };
    let citizen = Actor {
        role: Role::Citizen,
        principal: PrincipalId(stream.id.0),
        key: None,
    };
    let actor = match event {
        Event::Level2IntakeOpened(facts) => Actor {
            role: Role::IntakeOfficer,
            principal: facts.officer,
            key: Some(KeyId([1; 16])),
        },
        Event::AccountIssued(_) | Event::Claimed(_) => Actor {
            role: Role::Ledger,
            principal: PrincipalId::ZERO,
            key: None,
        },
        _ => citizen,
    };
    let recorded_at = Micros(1_700_000_000_000_000 + position as i64 * 400_000);
    Envelope {
        event_id: EventId(hash16(b"event", position, 0)),
        stream,
        revision: Revision(head.0),
        link: head.1,
        kind: event.kind(),
        schema: 1,
        recorded_at,
        occurred_at: recorded_at,
        command: CommandId([1; 16]),
        causation: Some(EventId([2; 16])),
        correlation: CorrelationId([3; 16]),
        actor,
        evidence: Evidence::Carried(EventId([6; 16])),
        policy: 1,
        catalogue: 1,
        receipt: None,
        facts: event.encode().unwrap(),
        sealed: if sealed { vec![commitment] } else { Vec::new() },
        ledger_key: KeyId([7; 16]),
    }
}

impl EventStore for Synthetic {
    fn append(
        &self,
        _: StreamId,
        _: Expected,
        _: Vec<NewRecord>,
    ) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async { Err(AppendError::Failed(StoreError::Limit { what: "reading" })) })
    }

    fn stream_head(&self, _: StreamId) -> BoxFuture<'_, Result<Option<StreamHead>, StoreError>> {
        Box::pin(async { Ok(None) })
    }

    fn read_stream(
        &self,
        _: StreamId,
        _: Revision,
        _: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn read_all(
        &self,
        from: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>> {
        let to = self.length_now().min(from.0 + limit as u64);
        Box::pin(async move { Ok((from.0..to).map(|position| self.record(position)).collect()) })
    }

    fn length(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async { Ok(self.length_now()) })
    }

    fn wait_beyond(&self, _: u64) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(core::future::pending())
    }
}

/// Resident memory now and at its highest, in MB.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |name: &str| {
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default();
        let kb: u64 = line
            .split_whitespace()
            .nth(1)
            .and_then(|kb| kb.parse().ok())
            .unwrap_or(0);
        kb / 1024
    };
    format!(
        "{} MB resident, {} MB at its highest",
        line("VmRSS"),
        line("VmHWM")
    )
}

#[tokio::main]
async fn main() {
    let accounts: u64 = std::env::args()
        .nth(1)
        .map_or(100_000, |n| n.parse().unwrap());
    let heads = Mutex::new(vec![(0, Digest::ZERO); accounts as usize]);
    let store = Arc::new(Synthetic { accounts, heads });
    let length = store.length_now();

    let started = Instant::now();
    let sample = length.min(1_000_000);
    for from in (0..sample).step_by(4096) {
        store.read_all(Position(from), 4096).await.unwrap();
    }
    let made = started.elapsed().as_secs_f64() * 1e6 / sample as f64;
    println!("{accounts} accounts, {length} events; making one takes {made:.2} µs");

    let dir = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let last = Mutex::new(0);
    let progress = move |progress: projections::rebuild::Progress| {
        let mut last = last.lock().unwrap();
        if progress.done * 10 / progress.total != *last {
            *last = progress.done * 10 / progress.total;
            let rate = progress.done as f64 / started.elapsed().as_secs_f64();
            println!("{:>3} %  {rate:>9.0} events/s  {}", *last * 10, memory());
        }
    };
    let options = Options {
        follow: false,
        progress: Some(Arc::new(progress)),
        ..Options::default()
    };
    let views = Views::open(dir.path(), store, options.clone())
        .await
        .unwrap();
    let took = started.elapsed().as_secs_f64();
    println!(
        "built in {took:.1} s: {:.0} events/s; {}",
        length as f64 / took,
        memory()
    );
    let started = Instant::now();
    for day in 19_600..19_700 {
        views.statistics(AreaCode(30_288), LocalDay(day)).unwrap();
    }
    println!(
        "statistics as of a day: {:.0} µs",
        started.elapsed().as_secs_f64() * 1e4
    );
    let started = Instant::now();
    for index in 0..100_000 {
        let id = AccountId(hash16(b"account", index % accounts, 0));
        assert!(views.account(id).unwrap().is_some());
    }
    println!(
        "an account: {:.1} µs",
        started.elapsed().as_secs_f64() * 10.0
    );
    for digest in views.digests() {
        println!("{digest}");
    }
}
