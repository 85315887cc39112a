//! The changes to an account's regions that events are made of.

use super::state::{
    ActivationPhase, Agreement, Case, CaseState, Challenge, Document, EventRef, HolderKind,
    LockRequest, LockRequestState, Match, OrganisationDossier, OrganisationState, RegistrationStep,
    Ruled, Share,
};
use super::{
    Account, CLOSED_CASES_MAX, DOCUMENTS_MAX, HOUR, LOCK_REQUESTS_MAX, MATCHES_MAX,
    REPRESENTATIVES_MAX, Recorded, SHARES_MAX,
};
use crate::event::{
    AccountIssued, BiometricMatchRecorded, CommandRejected, DocumentLinked, LockRequested,
    OtpChallengeIssued, ShareGranted,
};
use crate::ids::{
    AccountId, CaseId, ChallengeId, DeviceRef, LocalDay, LookupHash, Micros, RequestId, ShareId,
};
use crate::vocabulary::{
    CommandKind, Guard, Level, MatchResult, Modality, OtpPurpose, RefusalCode, ShareField,
};

/// What more than one event does.
impl Account {
    /// What sort of holder the account is of, while nobody has it: whoever begins again may be another.
    pub(super) fn begun_as(&mut self, holder: HolderKind) {
        if !self.exists() {
            self.holder = holder;
        }
    }

    /// An organisation's application; its account, if it has one, is as before.
    pub(super) fn organisation_begun(
        &mut self,
        representative: AccountId,
        dossier: OrganisationDossier,
    ) {
        self.begun_as(HolderKind::Organisation);
        let issued = self.organisation_issued();
        let organisation = OrganisationState {
            representative,
            dossier,
            issued,
        };
        self.organisation = Some(organisation);
    }

    pub(super) fn on_organisation_dossier(
        &mut self,
        id: CaseId,
        change: impl FnOnce(&mut OrganisationDossier),
    ) {
        if let Some(organisation) = &mut self.organisation
            && organisation.dossier.id == id
        {
            change(&mut organisation.dossier);
        }
    }

    pub(super) fn registration_step(&mut self, step: RegistrationStep) {
        if let Some(registration) = &mut self.registration {
            registration.step = step;
        }
    }

    /// A check at an officer's desk is no answer to a registration that is further on.
    pub(super) fn registry_answered(&mut self, step: RegistrationStep) {
        if let Some(registration) = &mut self.registration
            && registration.step == RegistrationStep::Submitted
        {
            registration.step = step;
        }
    }

    pub(super) fn challenge_issued(&mut self, facts: &OtpChallengeIssued) {
        self.drop_challenge(facts.purpose);
        self.challenges.push(Challenge {
            id: facts.challenge,
            purpose: facts.purpose,
            expires_at: facts.expires_at,
            resend_after: facts.resend_after,
            attempts_max: facts.attempts_max,
            wrong: 0,
            verified: false,
        });
    }

    pub(super) fn challenge_verified(&mut self, id: ChallengeId) {
        for challenge in self
            .challenges
            .iter_mut()
            .filter(|challenge| challenge.id == id)
        {
            challenge.verified = true;
        }
    }

    pub(super) fn drop_challenge(&mut self, purpose: OtpPurpose) {
        self.challenges
            .retain(|challenge| challenge.purpose != purpose);
    }

    pub(super) fn phase(&mut self, phase: ActivationPhase, recorded: &Recorded<'_>) {
        self.activation.phase = phase;
        self.activation.by = Some(recorded.as_ref());
    }

    /// Opens a dossier. One of the same id is begun again, so that no id stands twice.
    pub(super) fn case_opened(&mut self, case: Case) {
        self.cases.retain(|known| known.id != case.id);
        keep_last(&mut self.cases, CLOSED_CASES_MAX);
        self.cases.push(case);
    }

    pub(super) fn on_case(&mut self, id: CaseId, change: impl FnOnce(&mut Case)) {
        if let Some(case) = self.cases.iter_mut().find(|case| case.id == id) {
            change(case);
        }
    }

    pub(super) fn case_closed(&mut self, id: CaseId, state: CaseState) {
        self.on_case(id, |case| case.state = state);
    }

    /// Notes which decision it was, and under which policy.
    pub(super) fn case_ruled(&mut self, id: CaseId, recorded: &Recorded<'_>) {
        let (by, policy) = (recorded.as_ref(), recorded.policy);
        self.on_case(id, |case| case.ruled = Some(Ruled { by, policy }));
    }

    pub(super) fn issued(&mut self, facts: &AccountIssued, recorded: &Recorded<'_>) {
        self.case_closed(facts.case, CaseState::Approved);
        self.case_ruled(facts.case, recorded);
        let identification = &mut self.identification;
        identification.stage = identification.stage.max(facts.level.into());
        identification.area = Some(facts.area);
        match facts.level {
            Level::One => identification.level_1 = Some(recorded.as_ref()),
            Level::Two => identification.level_2 = Some(recorded.as_ref()),
        }
    }

    pub(super) fn unbound(&mut self, device: DeviceRef) {
        if self
            .device
            .as_ref()
            .is_some_and(|bound| bound.device == device)
        {
            self.device = None;
            // A code shown on a device that is gone can no longer be read.
            self.drop_challenge(OtpPurpose::DeviceChange);
        }
    }

    pub(super) fn linked(&mut self, facts: &DocumentLinked, recorded: &Recorded<'_>) {
        self.documents
            .retain(|document| document.id != facts.document);
        self.documents.push(Document {
            id: facts.document,
            kind: facts.kind,
            database: facts.database,
            data_as_of: facts.data_as_of,
            by: recorded.as_ref(),
        });
        keep_last(&mut self.documents, DOCUMENTS_MAX);
    }

    /// Keeps a share. What is over goes first, then the oldest.
    pub(super) fn shared(&mut self, facts: &ShareGranted, recorded: &Recorded<'_>) {
        self.shares.retain(|share| share.id != facts.share);
        let now = recorded.recorded_at;
        while self.shares.len() >= SHARES_MAX {
            let over = |share: &Share| share.used.is_some() || now >= share.expires_at;
            let oldest = self.shares.iter().position(over).unwrap_or(0);
            self.shares.remove(oldest);
        }
        self.shares.push(Share {
            id: facts.share,
            mode: facts.mode,
            fields: facts
                .fields
                .iter()
                .copied()
                .take(ShareField::ALL.len())
                .collect(),
            relying_party: facts.relying_party,
            expires_at: facts.expires_at,
            expired: false,
            used: None,
            by: recorded.as_ref(),
        });
    }

    pub(super) fn on_share(&mut self, id: ShareId, change: impl FnOnce(&mut Share)) {
        if let Some(share) = self.shares.iter_mut().find(|share| share.id == id) {
            change(share);
        }
    }

    /// Keeps a request. Answered ones make room first.
    pub(super) fn lock_requested(&mut self, facts: &LockRequested, by: EventRef) {
        self.lock_requests
            .retain(|request| request.id != facts.request);
        while self.lock_requests.len() >= LOCK_REQUESTS_MAX {
            let answered = |request: &LockRequest| !request.is_open();
            let oldest = self.lock_requests.iter().position(answered).unwrap_or(0);
            self.lock_requests.remove(oldest);
        }
        self.lock_requests.push(LockRequest {
            id: facts.request,
            requester: facts.requester,
            role: facts.role,
            ground: facts.ground,
            action: facts.action,
            decide_by: facts.decide_by,
            deadline_missed: false,
            state: LockRequestState::Open,
            by,
        });
    }

    pub(super) fn on_lock_request(&mut self, id: RequestId, change: impl FnOnce(&mut LockRequest)) {
        if let Some(request) = self.lock_requests.iter_mut().find(|known| known.id == id) {
            change(request);
        }
    }

    pub(super) fn rejected(&mut self, facts: &CommandRejected, at: Micros) {
        let hour = at.0.div_euclid(HOUR);
        if self.refusals.hour != hour {
            self.refusals.hour = hour;
            self.refusals.count = 0;
        }
        self.refusals.count = self.refusals.count.saturating_add(1);
        if facts.code == RefusalCode::OtpWrong {
            for challenge in self
                .challenges
                .iter_mut()
                .filter(|open| Some(open.id) == facts.challenge)
            {
                challenge.wrong = challenge.wrong.saturating_add(1);
            }
        }
        // A login's wrong password is counted by its own event, `LoginFailed`.
        if facts.guard == Guard::CredentialRight && facts.command != CommandKind::LogIn {
            let wrong = &mut self.credentials.wrong_passcodes;
            *wrong = wrong.saturating_add(1);
        }
    }
}

impl LockRequest {
    /// Whether nobody has answered yet.
    pub const fn is_open(&self) -> bool {
        matches!(self.state, LockRequestState::Open)
    }
}

impl OrganisationDossier {
    pub(super) const fn new(id: CaseId, others: Vec<Agreement>, known: bool, by: EventRef) -> Self {
        Self {
            id,
            state: CaseState::Draft,
            others,
            known,
            decide_by: None,
            deadline_missed: false,
            notified: false,
            by,
            on_paper: false,
            not_confirmed: None,
        }
    }

    /// The databases know it; these represent it as well. Whoever did not agree yet is asked, before
    /// anybody decides.
    pub(super) fn checked(&mut self, others: &[LookupHash]) {
        self.known = true;
        for person in others {
            let room = self.others.len() < REPRESENTATIVES_MAX;
            if room && !self.others.iter().any(|known| known.person == *person) {
                let (person, account) = (*person, None);
                self.others.push(Agreement { person, account });
            }
        }
        if self.state == CaseState::AwaitingDecision && !self.is_agreed() {
            self.state = CaseState::Draft;
            self.decide_by = None;
        }
    }

    /// Whether nobody's agreement is missing.
    pub fn is_agreed(&self) -> bool {
        self.others.iter().all(|other| other.account.is_some())
    }
}

impl Case {
    pub(super) fn new(id: CaseId, level: Level, by: EventRef) -> Self {
        Self {
            id,
            level,
            state: CaseState::Draft,
            by,
            with_card_issue: false,
            portrait: false,
            fingerprints: false,
            consent: false,
            decide_by: None,
            deadline_missed: false,
            notified: false,
            matches: Vec::new(),
            ruled: None,
            not_confirmed: None,
        }
    }

    pub(super) fn handed_in(&mut self, decide_by: LocalDay) {
        self.decide_by = Some(decide_by);
        if self.state.is_open() {
            self.state = CaseState::AwaitingBiometric;
            self.settle();
        }
    }

    /// Keeps the last answer of each database about each biometric.
    pub(super) fn answered(&mut self, facts: &BiometricMatchRecorded) {
        self.matches
            .retain(|known| (known.modality, known.database) != (facts.modality, facts.database));
        let (modality, database, result) = (facts.modality, facts.database, facts.result);
        self.matches.push(Match {
            modality,
            database,
            result,
        });
        keep_last(&mut self.matches, MATCHES_MAX);
        self.settle();
    }

    /// Every biometric that was taken has an answer: the authority's turn.
    pub(super) fn settle(&mut self) {
        let answered = |modality: Modality| {
            self.matches
                .iter()
                .any(|m| m.modality == modality && m.result != MatchResult::Unavailable)
        };
        let done = (!self.portrait || answered(Modality::Portrait))
            && (!self.fingerprints || answered(Modality::Fingerprints));
        if self.state == CaseState::AwaitingBiometric && done {
            self.state = CaseState::AwaitingDecision;
        }
    }

    /// Whether a registry found this biometric to be the same person's.
    pub fn is_matched(&self, modality: Modality) -> bool {
        self.matches
            .iter()
            .any(|m| m.modality == modality && m.result == MatchResult::Match)
    }

    /// Whether a registry found this biometric to be somebody else's.
    pub fn is_mismatched(&self, modality: Modality) -> bool {
        self.matches
            .iter()
            .any(|m| m.modality == modality && m.result == MatchResult::NoMatch)
    }
}

pub(super) fn keep_last<T>(list: &mut Vec<T>, max: usize) {
    let over = list.len().saturating_sub(max);
    list.drain(..over);
}
