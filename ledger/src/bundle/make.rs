//! Putting a bundle together from the log and the published tree.

use super::{About, BUNDLE_BYTES_MAX, Contents, EVENTS_MAX, Files, Redaction, Redactions};
use super::{CHECKPOINT, CONTENTS, KEYS, README, REDACTED, REDACTIONS, SCHEMA, STATE};
use super::{json, manifest, proof_name, readme, record_name, stamp, tar};
use crate::keyring::KeyRing;
use crate::state_seal::STREAM;
use crate::store::{EventStore, PAGE_RECORDS_MAX, StoredRecord};
use crate::transparency::proofs::{Proof, ProveError};
use crate::transparency::state_proof::{AccountProof, prove_state};
use crate::transparency::{ReadError, TransparencyLog, verifier_keys};
use domain::envelope::Envelope;
use domain::event::Event;
use domain::ids::{Category, EventId, Position, PrincipalId, Revision, StreamId};
use domain::record::{RecordError, RecordRef, open_event};
use domain::vocabulary::{LawKind, Role};
use std::collections::{BTreeMap, BTreeSet};
use tlog::note::Signer;

/// What to put together.
pub struct Want<'a> {
    /// What it is about.
    pub about: About,
    /// What the read models prove of the account.
    pub state: Option<AccountProof>,
    /// Who signs the manifest.
    pub signer: Option<&'a Signer>,
}

/// Why there is no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MakeError {
    /// The log, the tree or the events.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// Notes and keys.
    #[error(transparent)]
    Log(#[from] tlog::Error),
    /// More than [`EVENTS_MAX`] events, or [`BUNDLE_BYTES_MAX`] bytes.
    #[error("more than {EVENTS_MAX} events, or {BUNDLE_BYTES_MAX} bytes: take a shorter range")]
    TooLarge,
    /// A range that runs backwards.
    #[error("the range runs backwards")]
    Backwards,
}

impl From<crate::store::StoreError> for MakeError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Prove(error.into())
    }
}

impl From<RecordError> for MakeError {
    fn from(error: RecordError) -> Self {
        Self::Prove(error.into())
    }
}

impl From<ReadError> for MakeError {
    fn from(error: ReadError) -> Self {
        Self::Prove(error.into())
    }
}

/// The bundle's bytes.
pub async fn make(
    log: &TransparencyLog,
    store: &dyn EventStore,
    want: Want<'_>,
) -> Result<Vec<u8>, MakeError> {
    let published = log.published().ok_or(ReadError::Unpublished)?;
    let size = published.head.size;
    let mut gathered = Gathered {
        store,
        size,
        records: BTreeMap::new(),
    };
    let contents = gathered.all(want.about, want.state.is_some()).await?;
    let mut files = Files::new();
    let mut redactions = Vec::new();
    for (position, taken) in &gathered.records {
        files.insert(record_name(*position), taken.bytes.clone());
        let proof = log.receipt(*position)?.to_text();
        files.insert(proof_name(*position), proof.into_bytes());
        if !taken.envelope.sealed.is_empty() {
            redactions.push(Redaction {
                position: *position,
                event_id: taken.envelope.event_id,
                sealed: taken.envelope.sealed.clone(),
            });
        }
    }
    let redactions = Redactions {
        schema: REDACTIONS,
        events: redactions,
    };
    files.insert(REDACTED.to_owned(), json(&redactions));
    if let Some(state) = want.state {
        let proof = prove_state(log, store, state, false).await?;
        let proof = Proof::State(Box::new(proof));
        files.insert(STATE.to_owned(), json(&proof));
    }
    stamp::put(log, &contents, &mut files)?;
    let checkpoint = published.note.to_text();
    files.insert(CHECKPOINT.to_owned(), checkpoint.into_bytes());
    let keys = verifier_keys(&gathered.ring()?)?;
    let keys: String = keys.iter().map(|key| key.to_text() + "\n").collect();
    files.insert(KEYS.to_owned(), keys.into_bytes());
    let readme = readme::readme(&contents, log.origin());
    files.insert(README.to_owned(), readme.into_bytes());
    files.insert(CONTENTS.to_owned(), json(&contents));
    manifest::close(&mut files, log.origin(), want.signer)?;
    let bytes = tar::write(&files);
    if bytes.len() > BUNDLE_BYTES_MAX {
        return Err(MakeError::TooLarge);
    }
    Ok(bytes)
}

/// A record on its way into the bundle.
struct Taken {
    /// Without its sealed parts.
    bytes: Vec<u8>,
    envelope: Envelope,
    event: Event,
}

struct Gathered<'a> {
    store: &'a dyn EventStore,
    size: u64,
    records: BTreeMap<u64, Taken>,
}

impl Gathered<'_> {
    async fn all(&mut self, about: About, stated: bool) -> Result<Contents, MakeError> {
        let selected = match about {
            About::Account(account) => {
                let selected = self.stream(StreamId::account(account), |_| true).await?;
                // That there is no such account is evidence too, if it was stated.
                if selected.is_empty() && !stated {
                    return Err(ProveError::Missing.into());
                }
                selected
            }
            About::Range { from, to } => self.range(from, to).await?,
        };
        let ledger = StreamId::single(Category::Ledger);
        let keys = self.stream(ledger, |_| true).await?;
        let law = self.law(&selected).await?;
        let principals = self.principals().await?;
        let stated = match about {
            About::Account(_) => None,
            About::Range { .. } => self.stated().await?,
        };
        Ok(Contents {
            schema: SCHEMA.to_owned(),
            ledger: self.ring()?.ledger().ok_or(ProveError::Missing)?,
            size: self.size,
            about,
            selected,
            keys,
            law,
            principals,
            stated,
        })
    }

    fn take(&mut self, record: &StoredRecord) -> Result<u64, MakeError> {
        let position = record.position.0;
        if self.records.contains_key(&position) {
            return Ok(position);
        }
        if self.records.len() == EVENTS_MAX {
            return Err(MakeError::TooLarge);
        }
        let parsed = RecordRef::parse(&record.bytes)?;
        let envelope = parsed.open_envelope()?;
        let event = open_event(&envelope)?;
        let bytes = parsed.redacted();
        let taken = Taken {
            bytes,
            envelope,
            event,
        };
        self.records.insert(position, taken);
        Ok(position)
    }

    /// Those events of a stream that are wanted, as far as it is in the log.
    async fn stream(
        &mut self,
        stream: StreamId,
        wanted: impl Fn(&(EventId, Event)) -> bool,
    ) -> Result<Vec<u64>, MakeError> {
        let (mut positions, mut next) = (Vec::new(), Revision(0));
        loop {
            let page = self
                .store
                .read_stream(stream, next, PAGE_RECORDS_MAX)
                .await?;
            if page.is_empty() {
                return Ok(positions);
            }
            for record in &page {
                if record.position.0 >= self.size {
                    return Ok(positions);
                }
                let envelope = RecordRef::parse(&record.bytes)?.open_envelope()?;
                let event = open_event(&envelope)?;
                if wanted(&(envelope.event_id, event)) {
                    positions.push(self.take(record)?);
                }
                next = Revision(record.revision.0 + 1);
            }
        }
    }

    async fn range(&mut self, from: u64, to: u64) -> Result<Vec<u64>, MakeError> {
        if from > to {
            return Err(MakeError::Backwards);
        }
        if to >= self.size {
            return Err(ReadError::Beyond { size: self.size }.into());
        }
        if to - from >= EVENTS_MAX as u64 {
            return Err(MakeError::TooLarge);
        }
        let mut positions = Vec::new();
        let mut next = from;
        while next <= to {
            let left = usize::try_from(to - next + 1).unwrap_or(usize::MAX);
            let limit = left.min(PAGE_RECORDS_MAX);
            let page = self.store.read_all(Position(next), limit).await?;
            if page.is_empty() {
                return Err(ProveError::Missing.into());
            }
            for record in page.iter().filter(|record| record.position.0 <= to) {
                positions.push(self.take(record)?);
                next = record.position.0 + 1;
            }
        }
        Ok(positions)
    }

    /// Publications of the versions that the decisions used, and the proposals with their content.
    async fn law(&mut self, selected: &[u64]) -> Result<Vec<u64>, MakeError> {
        let used: BTreeSet<(LawKind, u32)> = selected
            .iter()
            .filter_map(|position| self.records.get(position))
            .flat_map(|taken| used_law(&taken.envelope))
            .collect();
        let kinds: BTreeSet<LawKind> = used.iter().map(|(kind, _)| *kind).collect();
        let mut positions = BTreeSet::new();
        for kind in kinds {
            let published = |event: &Event| {
                let (law, version, _) = event.published_law()?;
                used.contains(&(law, version)).then_some(())
            };
            let taken = self
                .stream(kind.stream(), |(_, event)| published(event).is_some())
                .await?;
            let proposals: BTreeSet<EventId> = taken
                .iter()
                .filter_map(|position| self.records.get(position))
                .filter_map(|taken| proposal_of(&taken.event))
                .collect();
            positions.extend(taken);
            let proposed = self
                .stream(kind.stream(), |(id, _)| proposals.contains(id))
                .await?;
            positions.extend(proposed);
        }
        Ok(positions.into_iter().collect())
    }

    /// Enrolments and revocations of everybody who signed something that is here, theirs included.
    async fn principals(&mut self) -> Result<Vec<u64>, MakeError> {
        let stream = StreamId::single(Category::Principal);
        let mut known = BTreeSet::new();
        loop {
            let acted = self
                .records
                .values()
                .filter_map(|taken| signer_of(&taken.envelope));
            let acted: BTreeSet<PrincipalId> = acted.collect();
            let positions = self
                .stream(stream, |(_, event)| match event {
                    Event::PrincipalEnrolled(facts) => acted.contains(&facts.principal),
                    Event::PrincipalRevoked(facts) => acted.contains(&facts.principal),
                    _ => false,
                })
                .await?;
            if known == acted {
                return Ok(positions);
            }
            known = acted;
        }
    }

    /// The newest statement of the ledger's state that is in the log.
    async fn stated(&mut self) -> Result<Option<u64>, MakeError> {
        let Some(head) = self.store.stream_head(STREAM).await? else {
            return Ok(None);
        };
        let mut revision = head.revision;
        loop {
            let page = self.store.read_stream(STREAM, revision, 1).await?;
            let Some(record) = page.first() else {
                return Ok(None);
            };
            if record.position.0 < self.size {
                return self.take(record).map(Some);
            }
            let Some(before) = revision.0.checked_sub(1) else {
                return Ok(None);
            };
            revision = Revision(before);
        }
    }

    fn ring(&self) -> Result<KeyRing, MakeError> {
        let mut ring = KeyRing::default();
        for (position, taken) in &self.records {
            ring.learn(Position(*position), &taken.event)?;
        }
        Ok(ring)
    }
}

/// The versions of law that a decision used.
pub fn used_law(envelope: &Envelope) -> Vec<(LawKind, u32)> {
    let pins = envelope.receipt.iter().flat_map(|receipt| &receipt.law);
    let mut used: Vec<_> = pins.map(|pin| (pin.law, pin.version)).collect();
    used.push((LawKind::Policy, envelope.policy));
    used.push((LawKind::Catalogue, envelope.catalogue));
    // Version 0: none was in force, and the built-in values held.
    used.retain(|(_, version)| *version != 0);
    used
}

/// The proposal that holds terms and content of what an event publishes.
pub fn proposal_of(event: &Event) -> Option<EventId> {
    Some(match event {
        Event::PolicyPublished(facts) => facts.proposal,
        Event::ServiceCataloguePublished(facts) => facts.proposal,
        Event::ProvinceCodesPublished(facts) => facts.proposal,
        Event::MessageCataloguePublished(facts) => facts.proposal,
        Event::DocumentKindsPublished(facts) => facts.proposal,
        Event::CalendarPublished(facts) => facts.proposal,
        Event::IntakeSitesPublished(facts) => facts.proposal,
        _ => return None,
    })
}

/// The principal who signed, if one did: citizens are not enrolled.
pub fn signer_of(envelope: &Envelope) -> Option<PrincipalId> {
    let role = envelope.actor.role;
    let citizen = matches!(role, Role::Citizen | Role::Guardian | Role::Representative);
    (!citizen && envelope.actor.key.is_some()).then_some(envelope.actor.principal)
}
