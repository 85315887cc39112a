//! The state of one account, folded from its own events, and the questions asked of it.
//!
//! Owns the regions of spec A.8 and nothing personal: no number, name or phone, in no encoding. It
//! must never refuse an event: what is in the ledger has happened ([`Account::evolve`] is total).

mod change;
mod evolve;
mod state;
#[cfg(test)]
mod tests;
mod waiting;

pub(crate) use evolve::HOUR;
pub use state::{
    Activation, ActivationPhase, Agreement, Attempt, BoundDevice, Case, CaseState, Challenge,
    Credentials, Dependant, Document, EventRef, Foreigner, Forfeited, Guardian, HolderKind,
    Identification, Lifecycle, Lock, LockRequest, LockRequestState, Match, OrganisationDossier,
    OrganisationState, PendingDevice, PendingPhone, Refusals, Registration, RegistrationStep,
    Ruled, Share, Stage, ValidUntil, Waiting,
};

use crate::event::Event;
use crate::ids::{
    CaseId, ChallengeId, DeviceRef, DocumentId, EventId, LocalDay, LookupHash, Micros, Position,
    RequestId, Revision, ShareId,
};
use crate::vocabulary::{Level, LockGround, OtpPurpose, RetentionClass, Validity};
use serde::{Deserialize, Serialize};
use wincode::{SchemaRead, SchemaWrite};

/// Most documents an account links.
pub const DOCUMENTS_MAX: usize = 10;

/// Decided or withdrawn dossiers that stay in the state; older ones are in the events.
pub const CLOSED_CASES_MAX: usize = 4;

/// Biometric answers kept per dossier.
pub const MATCHES_MAX: usize = 8;

/// Forfeited claims kept.
pub const FORFEITED_MAX: usize = 4;

/// Shares kept: the open ones first, then the newest.
pub const SHARES_MAX: usize = 4;

/// Requests to lock or unlock kept: the open ones, and the newest answered.
pub const LOCK_REQUESTS_MAX: usize = 6;

/// Most dependants of an account.
pub const DEPENDANTS_MAX: usize = 8;

/// Answers that registries owe at once.
pub const WAITING_MAX: usize = 16;

/// Most other legal representatives of an organisation.
pub const REPRESENTATIVES_MAX: usize = 8;

/// One recorded event, as [`Account::evolve`] is given it.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    /// The open facts.
    pub event: &'a Event,
    /// Its id.
    pub event_id: EventId,
    /// Its number in the stream.
    pub revision: Revision,
    /// Its position in the ledger, where known.
    pub position: Option<Position>,
    /// When the ledger recorded it.
    pub recorded_at: Micros,
    /// When it happened.
    pub occurred_at: Micros,
    /// Policy version it was decided under.
    pub policy: u32,
}

impl Recorded<'_> {
    /// Its name.
    pub const fn as_ref(&self) -> EventRef {
        EventRef {
            event: self.event_id,
            revision: self.revision,
            position: self.position,
        }
    }
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Default, SchemaRead, SchemaWrite, Serialize, Deserialize)]
pub struct Account {
    /// The last event folded; `None` before the first.
    pub last: Option<EventRef>,
    /// When the first event was recorded.
    pub opened_at: Option<Micros>,
    /// Level and area.
    pub identification: Identification,
    /// P1 under way.
    pub registration: Option<Registration>,
    /// Dossiers: at most one open, and the last closed ones, oldest first.
    pub cases: Vec<Case>,
    /// Activation.
    pub activation: Activation,
    /// Password, passcode, questions.
    pub credentials: Credentials,
    /// One-time passwords, the last of each purpose.
    pub challenges: Vec<Challenge>,
    /// The bound device.
    pub device: Option<BoundDevice>,
    /// P9 under way.
    pub device_change: Option<PendingDevice>,
    /// P8 under way.
    pub phone_change: Option<PendingPhone>,
    /// Linked documents.
    pub documents: Vec<Document>,
    /// Grounds for a lock: locked while there is any.
    pub locks: Vec<Lock>,
    /// Open or closed.
    pub lifecycle: Lifecycle,
    /// Classes whose key is destroyed.
    pub erased: Vec<RetentionClass>,
    /// Claims that can no longer be confirmed.
    pub forfeited: Vec<Forfeited>,
    /// The last use of the account, from which the five years count (spec B.5).
    pub last_used_at: Option<Micros>,
    /// Refusals recorded in the running hour.
    pub refusals: Refusals,
    /// Last days of validity, one of each sort.
    pub validity: Vec<ValidUntil>,
    /// Requests to lock or unlock.
    pub lock_requests: Vec<LockRequest>,
    /// What was shared lately (P10).
    pub shares: Vec<Share>,
    /// Children and wards under this account.
    pub dependants: Vec<Dependant>,
    /// The guardian, of a dependant's own account.
    pub guardian: Option<Guardian>,
    /// Answers that registries owe.
    pub waiting: Vec<Waiting>,
    /// Citizen, foreigner or organisation.
    pub holder: HolderKind,
    /// Of a foreigner.
    pub foreigner: Option<Foreigner>,
    /// Of an organisation.
    pub organisation: Option<OrganisationState>,
    /// The event that brought the account in from elsewhere.
    pub imported: Option<EventRef>,
}

impl Account {
    /// Folds events in order, from nothing.
    pub fn replay<'a>(events: impl IntoIterator<Item = Recorded<'a>>) -> Self {
        let mut account = Self::default();
        for recorded in events {
            account.evolve(&recorded);
        }
        account
    }

    /// Number of the next event in the stream.
    pub fn next_revision(&self) -> Revision {
        Revision(
            self.last
                .map_or(0, |last| last.revision.0.saturating_add(1)),
        )
    }

    /// Whether nothing has happened yet.
    pub const fn is_new(&self) -> bool {
        self.last.is_none()
    }

    /// Whether somebody has an account here: an app account or an issued one. A registration or an
    /// intake under way is none yet.
    pub const fn exists(&self) -> bool {
        !matches!(self.identification.stage, Stage::None) || self.organisation_issued().is_some()
    }

    /// The event that issued an organisation's account: it has no levels.
    pub const fn organisation_issued(&self) -> Option<EventRef> {
        match &self.organisation {
            Some(organisation) => organisation.issued,
            None => None,
        }
    }

    /// Whether it was activated elsewhere and has no credentials here yet: activation is gone through
    /// once more to set them.
    pub const fn awaits_credentials(&self) -> bool {
        self.imported.is_some() && self.is_activated() && !self.credentials.complete()
    }

    /// The highest issued level.
    pub const fn level(&self) -> Option<Level> {
        self.identification.stage.level()
    }

    /// Whether it is activated.
    pub const fn is_activated(&self) -> bool {
        matches!(self.activation.phase, ActivationPhase::Activated { .. })
    }

    /// Whether any ground locks it.
    pub const fn is_locked(&self) -> bool {
        !self.locks.is_empty()
    }

    /// Whether this ground locks it.
    pub fn has_lock(&self, ground: LockGround) -> bool {
        self.locks.iter().any(|lock| lock.ground == ground)
    }

    /// Whether it is closed.
    pub const fn is_closed(&self) -> bool {
        matches!(self.lifecycle, Lifecycle::Closed { .. })
    }

    /// The dossier that is still open.
    pub fn open_case(&self) -> Option<&Case> {
        self.cases.iter().find(|case| case.state.is_open())
    }

    /// A dossier.
    pub fn case(&self, id: CaseId) -> Option<&Case> {
        self.cases.iter().find(|case| case.id == id)
    }

    /// The last one-time password of a purpose.
    pub fn challenge_for(&self, purpose: OtpPurpose) -> Option<&Challenge> {
        self.challenges
            .iter()
            .find(|challenge| challenge.purpose == purpose)
    }

    /// A one-time password that can still be answered.
    pub fn open_challenge(&self, id: ChallengeId, purpose: OtpPurpose) -> Option<&Challenge> {
        self.challenge_for(purpose)
            .filter(|challenge| challenge.id == id && !challenge.verified)
    }

    /// A linked document.
    pub fn document(&self, id: DocumentId) -> Option<&Document> {
        self.documents.iter().find(|document| document.id == id)
    }

    /// A child or ward under this account.
    pub fn dependant(&self, id: LookupHash) -> Option<&Dependant> {
        self.dependants.iter().find(|dependant| dependant.id == id)
    }

    /// The guardian, while the holder is a dependant: a child until the day of fourteen full years, a
    /// ward as long as nobody ends it.
    pub fn guardian_on(&self, day: LocalDay) -> Option<&Guardian> {
        let guardian = self.guardian.as_ref()?;
        let over = guardian.majority_on.is_some_and(|on| day >= on);
        (!over).then_some(guardian)
    }

    /// A share, as long as it is kept.
    pub fn share(&self, id: ShareId) -> Option<&Share> {
        self.shares.iter().find(|share| share.id == id)
    }

    /// A request to lock or unlock, as long as it is kept.
    pub fn lock_request(&self, id: RequestId) -> Option<&LockRequest> {
        self.lock_requests.iter().find(|request| request.id == id)
    }

    /// The last day of a card, passport or residence, where one is known.
    pub fn valid_until(&self, of: Validity) -> Option<LocalDay> {
        let known = self.validity.iter().find(|known| known.of == of);
        known.map(|known| known.until)
    }

    /// The device a running activation or device change would bind.
    pub fn pending_device(&self) -> Option<DeviceRef> {
        let attempt = self
            .activation
            .attempt
            .as_ref()
            .map(|attempt| attempt.device);
        attempt.or_else(|| self.device_change.as_ref().map(|pending| pending.device))
    }

    /// Whether the activation window is over at an instant, whether or not the clock said so yet.
    pub fn is_overdue(&self, now: Micros) -> bool {
        match self.activation.phase {
            ActivationPhase::Overdue { .. } => true,
            ActivationPhase::WindowOpen { deadline } => now >= deadline,
            ActivationPhase::NotNotified | ActivationPhase::Activated { .. } => false,
        }
    }
}
