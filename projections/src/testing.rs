//! Ledgers for the tests: random histories of signed events, and the same ledger handed over without
//! its sealed parts.

use bytes::Bytes;
use domain::envelope::{Actor, Commitment, Envelope, Evidence};
use domain::event::*;
use domain::ids::*;
use domain::record::{RecordRef, Signed, commit, sign};
use domain::vocabulary::*;
use ed25519_dalek::SigningKey;
use ledger::memory::Memory;
use ledger::store::{EventStore, Expected, Labels, NewRecord};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

/// 2024-03-01T00:00:00Z.
pub(crate) const START: i64 = 1_709_251_200_000_000;

/// What a test wants to have happened.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) stream: StreamId,
    pub(crate) event: Event,
    pub(crate) role: Role,
    pub(crate) principal: PrincipalId,
    /// Minutes between this recording and the last.
    pub(crate) later: i64,
    /// Minutes by which it happened before it was recorded.
    pub(crate) late: i64,
    pub(crate) sealed: usize,
}

/// Writes a ledger.
pub(crate) struct World {
    pub(crate) store: Arc<Memory>,
    key: SigningKey,
    heads: HashMap<StreamId, (Revision, Digest)>,
    now: i64,
    next: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            store: Arc::new(Memory::new()),
            key: SigningKey::from_bytes(&[7; 32]),
            heads: HashMap::new(),
            now: START,
            next: 0,
        }
    }

    pub(crate) fn event_id(n: u64) -> EventId {
        let mut id = [0xee; 16];
        id[8..].copy_from_slice(&n.to_be_bytes());
        EventId(id)
    }

    pub(crate) fn envelope(&mut self, step: &Step) -> (Envelope, Vec<Vec<u8>>) {
        self.now += step.later * 60_000_000;
        let (revision, link) = match self.heads.get(&step.stream) {
            Some((revision, link)) => (Revision(revision.0 + 1), *link),
            None => (Revision(0), Digest::ZERO),
        };
        let parts: Vec<Vec<u8>> = (0..step.sealed)
            .map(|n| vec![n as u8 + 1; 40 + self.next as usize % 7])
            .collect();
        let commitment = |part: &Vec<u8>| Commitment {
            subject: step.stream.id.0,
            class: RetentionClass::Permanent,
            digest: commit(part),
        };
        let envelope = Envelope {
            event_id: Self::event_id(self.next),
            stream: step.stream,
            revision,
            link,
            kind: step.event.kind(),
            schema: 1,
            recorded_at: Micros(self.now),
            occurred_at: Micros(self.now - step.late * 60_000_000),
            command: CommandId([1; 16]),
            causation: None,
            correlation: CorrelationId([2; 16]),
            actor: Actor {
                role: step.role,
                principal: step.principal,
                key: None,
            },
            evidence: Evidence::None,
            policy: 0,
            catalogue: 0,
            receipt: None,
            facts: step.event.encode().unwrap(),
            sealed: parts.iter().map(commitment).collect(),
            ledger_key: PublicKey(self.key.verifying_key().to_bytes()).id(),
        };
        self.next += 1;
        (envelope, parts)
    }

    pub(crate) async fn write(&mut self, step: &Step) -> Position {
        let (envelope, parts) = self.envelope(step);
        self.append(&envelope, &parts).await
    }

    pub(crate) async fn append(&mut self, envelope: &Envelope, parts: &[Vec<u8>]) -> Position {
        let Signed { record, link } = sign(envelope, parts, &self.key).unwrap();
        let record = NewRecord {
            event_id: envelope.event_id,
            link,
            bytes: Bytes::from(record),
            labels: Labels::default(),
        };
        let expected = match envelope.revision.0.checked_sub(1) {
            Some(last) => Expected::Revision(Revision(last)),
            None => Expected::NoStream,
        };
        let done = self
            .store
            .append(envelope.stream, expected, vec![record])
            .await
            .unwrap();
        self.heads
            .insert(envelope.stream, (envelope.revision, link));
        done.last
    }

    pub(crate) async fn write_all(&mut self, steps: &[Step]) {
        for step in steps {
            self.write(step).await;
        }
    }

    /// The same ledger, imported elsewhere without any sealed part.
    pub(crate) async fn redacted(&self) -> Arc<Memory> {
        let copy = Arc::new(Memory::new());
        for record in self.store.read_all(Position(0), 4096).await.unwrap() {
            let taken = RecordRef::parse(&record.bytes).unwrap();
            let envelope = taken.open_envelope().unwrap();
            let expected = match record.revision.0.checked_sub(1) {
                Some(last) => Expected::Revision(Revision(last)),
                None => Expected::NoStream,
            };
            let bytes = Bytes::from(taken.redacted());
            let new = NewRecord {
                event_id: envelope.event_id,
                link: taken.link(),
                bytes,
                labels: Labels::default(),
            };
            copy.append(record.stream, expected, vec![new])
                .await
                .unwrap();
        }
        copy
    }
}

pub(crate) fn account(n: u8) -> AccountId {
    AccountId([n + 1; 16])
}

pub(crate) fn officer(n: u8) -> PrincipalId {
    PrincipalId([0xa0 + n; 16])
}

fn case(n: u8) -> CaseId {
    CaseId([0xc0 + n; 16])
}

/// What happens in an account's stream, loosely: the fold is total, so order need not make sense.
#[expect(clippy::too_many_lines, reason = "one arm per kind")]
fn account_event(kind: u8, n: u8, minutes: i64) -> Event {
    let deadline = Micros(START + minutes * 60_000_000);
    let day = deadline.local_day();
    let area = AreaCode([30_288, 30_290, 1_005, 30_000][usize::from(n) % 4]);
    let level = if n.is_multiple_of(2) {
        Level::One
    } else {
        Level::Two
    };
    let device = DeviceRef([n % 3 + 1; 16]);
    let document = DocumentId([n % 2 + 1; 16]);
    match kind % 20 {
        0 => AppRegistrationSubmitted {
            method: RegistrationMethod::Manual,
        }
        .into(),
        1 => RegistryCheckSucceeded {
            request: RequestId([1; 16]),
            database: if n < 6 {
                Database::Population
            } else {
                Database::CitizenCard
            },
            area,
        }
        .into(),
        2 => AppAccountCreated {}.into(),
        3 => Level1Applied {
            case: case(n % 3),
            strength: EvidenceStrength::QrUnsigned,
            decide_by: day,
        }
        .into(),
        4 => Level2Applied {
            case: case(n % 3),
            decide_by: day,
        }
        .into(),
        5 | 6 => AccountIssued {
            case: case(n % 3),
            level,
            area,
        }
        .into(),
        7 => ApplicationRefused {
            case: case(n % 3),
            reason: RefusalReason::Other,
        }
        .into(),
        8 => ActivationWindowOpened { deadline }.into(),
        9 => ActivationWindowExpired { deadline }.into(),
        10 => ActivationReopened {
            agent: officer(0),
            deadline,
        }
        .into(),
        11 | 12 => AccountActivated { level }.into(),
        13 => DeviceBound {
            device,
            key: PublicKey([3; 32]),
        }
        .into(),
        14 => DeviceUnbound {
            device,
            reason: UnbindReason::ByHolder,
        }
        .into(),
        15 => DocumentLinkRequested {
            document,
            kind: DocumentKind::TaxCode,
        }
        .into(),
        16 => DocumentUnlinked { document }.into(),
        17 => SessionOpened { device: None }.into(),
        18 if n == 0 => AccountClosed {
            reason: CloseReason::Death,
        }
        .into(),
        _ => PhoneChanged {
            old: LookupHash([1; 16]),
            new: LookupHash([2; 16]),
        }
        .into(),
    }
}

pub(crate) fn claim_stream(n: u8) -> StreamId {
    let category = [
        Category::PersonalIdClaim,
        Category::PhoneClaim,
        Category::DeviceClaim,
    ][usize::from(n) % 3];
    StreamId::claim(category, LookupHash([n % 6 + 1; 16]))
}

/// A random history. Claims name events that come up to five later, or never.
pub(crate) fn history(length: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = (
        0u8..5,
        any::<u8>(),
        0u8..8,
        0u8..4,
        0i64..400,
        0i64..3000,
        0usize..3,
    );
    proptest::collection::vec(step, 1..length).prop_map(|steps| {
        let steps = steps.into_iter().enumerate();
        steps.map(|(at, raw)| step_of(at as u64, raw)).collect()
    })
}

fn step_of(at: u64, raw: (u8, u8, u8, u8, i64, i64, usize)) -> Step {
    let (sort, kind, n, who, later, late, sealed) = raw;
    let claimed = |ahead: u8| World::event_id(at + 1 + u64::from(ahead) % 5);
    let (stream, event): (StreamId, Event) = match (sort, kind % 5) {
        (0, 0 | 1) => (
            claim_stream(n),
            Claimed {
                account: account(who),
                confirmed_by: claimed(kind),
            }
            .into(),
        ),
        (0, 2) => (
            claim_stream(n),
            ClaimReleased {
                account: account(who),
                reason: ClaimEnd::Changed,
            }
            .into(),
        ),
        (0, 3) => (
            StreamId::account(account(who)),
            ClaimForfeited {
                claim: claim_stream(n),
                confirmed_by: claimed(kind),
            }
            .into(),
        ),
        (1, 0) => (
            StreamId::principal(officer(who)),
            PrincipalRevoked {
                principal: officer(who),
                from: Micros(START),
                reason: KeyEnd::Superseded,
            }
            .into(),
        ),
        _ => (
            StreamId::account(account(who)),
            account_event(kind, n, later * 10),
        ),
    };
    let (role, principal) = match n % 3 {
        0 => (Role::Citizen, PrincipalId(account(who).0)),
        1 => (Role::IntakeOfficer, officer(n)),
        _ => (Role::Ledger, PrincipalId::ZERO),
    };
    Step {
        stream,
        event,
        role,
        principal,
        later: later % 90,
        late,
        sealed,
    }
}
