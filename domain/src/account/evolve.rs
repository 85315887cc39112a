//! What each event does to the state. Total: any event in any order gives a state, never a panic.
//! Decides nothing: whether an event should have been recorded was `decide`'s affair.

use super::change::keep_last;
use super::state::{
    ActivationPhase, Agreement, Attempt, BoundDevice, Case, CaseState, Dependant, Foreigner,
    Forfeited, Guardian, HolderKind, Lifecycle, Lock, LockRequestState, OrganisationDossier,
    PendingDevice, PendingPhone, Registration, RegistrationStep, Stage, ValidUntil,
};
use super::{Account, DEPENDANTS_MAX, FORFEITED_MAX, REPRESENTATIVES_MAX, Recorded};
use crate::event::Event;
use crate::ids::{LookupHash, Micros};
use crate::vocabulary::{Level, LoginOutcome, OtpPurpose};

/// One hour in microseconds.
pub(crate) const HOUR: i64 = 3600 * Micros::SECOND;

impl Account {
    /// Folds one event in.
    pub fn evolve(&mut self, recorded: &Recorded<'_>) {
        if self.last.is_none() {
            self.opened_at = Some(recorded.recorded_at);
        }
        // The match is split by procedure so that each part fits on a screen.
        let known = self.evolve_registration(recorded)
            || self.evolve_application(recorded)
            || self.evolve_activation(recorded)
            || self.evolve_device_and_phone(recorded)
            || self.evolve_documents(recorded)
            || self.evolve_standing(recorded)
            || self.evolve_requests(recorded)
            || self.evolve_shares(recorded)
            || self.evolve_dependants(recorded)
            || self.evolve_waiting(recorded)
            || self.evolve_foreigner(recorded)
            || self.evolve_organisation(recorded)
            || self.evolve_import(recorded);
        // Events of other streams (claims, principals, the ledger's own) say nothing about an
        // account; in an account's stream they change nothing.
        let _ = known;
        self.last = Some(recorded.as_ref());
    }

    /// P1 and P2.
    fn evolve_registration(&mut self, recorded: &Recorded<'_>) -> bool {
        let by = recorded.as_ref();
        match recorded.event {
            Event::AppRegistrationSubmitted(_) => {
                self.begun_as(HolderKind::Citizen);
                self.registration = Some(Registration {
                    step: RegistrationStep::Submitted,
                    by,
                });
            }
            Event::RegistryCheckRequested(_) | Event::PhoneVerified(_) => {}
            Event::RegistryCheckSucceeded(facts) => {
                if self.level().is_none() {
                    self.identification.area = Some(facts.area);
                }
                self.registry_answered(RegistrationStep::Confirmed);
            }
            Event::RegistryCheckFailed(facts) => {
                self.not_confirmed(facts);
                self.registry_answered(RegistrationStep::Failed(facts.outcome));
            }
            Event::OtpChallengeIssued(facts) => self.challenge_issued(facts),
            Event::OtpVerified(facts) => {
                self.challenge_verified(facts.challenge);
                if facts.purpose == OtpPurpose::Registration {
                    self.registration_step(RegistrationStep::OtpVerified);
                }
            }
            Event::PasswordSet(_) => {
                self.credentials.password = Some(by);
                self.credentials.wrong_passwords = 0;
            }
            Event::AppAccountCreated(_) => {
                self.identification.stage = self.identification.stage.max(Stage::AppOnly);
                self.identification.app = Some(by);
                self.registration = None;
            }
            Event::SessionOpened(_) => {
                self.credentials.wrong_passwords = 0;
                self.last_used_at = Some(recorded.occurred_at);
            }
            Event::LoginFailed(facts) => {
                if facts.outcome == LoginOutcome::WrongPassword {
                    let wrong = &mut self.credentials.wrong_passwords;
                    *wrong = wrong.saturating_add(1);
                    self.credentials.last_wrong_password = Some(recorded.recorded_at);
                }
            }
            _ => return false,
        }
        true
    }

    /// P3 to P6.
    fn evolve_application(&mut self, recorded: &Recorded<'_>) -> bool {
        match recorded.event {
            Event::Level1Applied(facts) => {
                let mut case = Case::new(facts.case, Level::One, recorded.as_ref());
                case.decide_by = Some(facts.decide_by);
                case.state = CaseState::AwaitingDecision;
                // P3's last step, "Xác nhận thông tin đăng ký", is the citizen's own consent.
                case.consent = true;
                self.case_opened(case);
            }
            Event::ChipEvidenceRecorded(_)
            | Event::ChipVerified(_)
            | Event::QrEvidenceRecorded(_) => {}
            Event::PortraitCaptured(facts) => self.on_case(facts.case, |case| case.portrait = true),
            Event::Level2IntakeOpened(facts) => {
                if !self.exists() {
                    self.begun_as(HolderKind::Citizen);
                }
                let mut case = Case::new(facts.case, Level::Two, recorded.as_ref());
                case.with_card_issue = facts.with_card_issue;
                self.case_opened(case);
                if !self.exists() {
                    // The officer's data take the place of a registration left unfinished: whoever
                    // began it may have given another phone, and must not set the password.
                    self.registration = None;
                    self.drop_challenge(OtpPurpose::Registration);
                }
            }
            Event::FingerprintsCaptured(facts) => {
                self.on_case(facts.case, |case| case.fingerprints = true);
            }
            Event::ConsentRecorded(facts) => self.on_case(facts.case, |case| case.consent = true),
            Event::Level2Applied(facts) => {
                let decide_by = facts.decide_by;
                self.on_case(facts.case, |case| case.handed_in(decide_by));
            }
            Event::Level2Withdrawn(facts) => {
                self.case_closed(facts.case, CaseState::Withdrawn(facts.reason));
            }
            Event::BiometricMatchRecorded(facts) => {
                self.on_case(facts.case, |case| case.answered(facts));
            }
            Event::AccountIssued(facts) => self.issued(facts, recorded),
            Event::ApplicationRefused(facts) => {
                let state = CaseState::Refused(facts.reason);
                self.on_organisation_dossier(facts.case, |dossier| dossier.state = state);
                self.case_closed(facts.case, CaseState::Refused(facts.reason));
                self.case_ruled(facts.case, recorded);
            }
            Event::ProcessingDeadlineMissed(facts) => {
                self.on_organisation_dossier(facts.case, |dossier| dossier.deadline_missed = true);
                self.on_case(facts.case, |case| case.deadline_missed = true);
            }
            Event::ResultNotified(facts) => {
                self.on_organisation_dossier(facts.case, |dossier| dossier.notified = true);
                self.on_case(facts.case, |case| case.notified = true);
            }
            _ => return false,
        }
        true
    }

    /// P7.
    fn evolve_activation(&mut self, recorded: &Recorded<'_>) -> bool {
        let by = recorded.as_ref();
        match recorded.event {
            Event::ActivationWindowOpened(facts) => {
                self.phase(
                    ActivationPhase::WindowOpen {
                        deadline: facts.deadline,
                    },
                    recorded,
                );
            }
            Event::ActivationRequested(facts) => {
                self.activation.attempt = Some(Attempt {
                    device: facts.device,
                    key: facts.key,
                    step_up: false,
                    otp_verified: false,
                    by,
                    guardian: None,
                });
            }
            Event::GuardianDeviceUsed(facts) => {
                if let Some(attempt) = &mut self.activation.attempt {
                    attempt.guardian = Some(facts.guardian);
                }
            }
            Event::DeviceCheckPassed(_) | Event::ActivationCodeSent(_) => {}
            Event::ActivationOtpVerified(facts) => {
                self.challenge_verified(facts.challenge);
                if let Some(attempt) = &mut self.activation.attempt {
                    attempt.otp_verified = true;
                }
            }
            Event::PasscodeSet(_) => {
                self.credentials.passcode = Some(by);
                self.credentials.wrong_passcodes = 0;
            }
            Event::SecurityQuestionsSet(_) => self.credentials.questions = Some(by),
            Event::AccountActivated(_) => {
                self.phase(
                    ActivationPhase::Activated {
                        at: recorded.occurred_at,
                    },
                    recorded,
                );
                self.activation.attempt = None;
                self.last_used_at = Some(recorded.occurred_at);
            }
            Event::ActivationWindowExpired(facts) => {
                if !self.is_activated() {
                    self.phase(
                        ActivationPhase::Overdue {
                            deadline: facts.deadline,
                        },
                        recorded,
                    );
                    self.activation.attempt = None;
                    self.drop_challenge(OtpPurpose::Activation);
                }
            }
            Event::ActivationReopened(facts) => {
                if !self.is_activated() {
                    let deadline = facts.deadline;
                    self.phase(ActivationPhase::WindowOpen { deadline }, recorded);
                }
            }
            _ => return false,
        }
        true
    }

    /// P8 and P9.
    fn evolve_device_and_phone(&mut self, recorded: &Recorded<'_>) -> bool {
        let by = recorded.as_ref();
        match recorded.event {
            Event::DeviceBound(facts) => {
                self.device = Some(BoundDevice {
                    device: facts.device,
                    key: facts.key,
                    by,
                });
                self.device_change = None;
                self.drop_challenge(OtpPurpose::DeviceChange);
            }
            Event::DeviceUnbound(facts) => self.unbound(facts.device),
            Event::DeviceChangeRequested(facts) => {
                let (device, key) = (facts.device, facts.key);
                self.device_change = Some(PendingDevice { device, key, by });
            }
            Event::StepUpSatisfied(facts) => {
                // It belongs to whatever was asked for just before.
                if let Some(pending) = &mut self.phone_change
                    && self.last.is_some_and(|last| last == pending.by)
                {
                    pending.method = Some(facts.method);
                } else if let Some(attempt) = &mut self.activation.attempt
                    && self.last.is_some_and(|last| last == attempt.by)
                {
                    attempt.step_up = true;
                }
            }
            Event::PhoneChangeRequested(facts) => {
                self.phone_change = Some(PendingPhone {
                    phone: facts.phone,
                    method: None,
                    by,
                });
            }
            Event::PhoneChanged(_) => {
                self.phone_change = None;
                self.drop_challenge(OtpPurpose::PhoneChange);
            }
            _ => return false,
        }
        true
    }

    /// Documents.
    fn evolve_documents(&mut self, recorded: &Recorded<'_>) -> bool {
        match recorded.event {
            Event::DocumentLinkRequested(_) | Event::DocumentLinkFailed(_) => {}
            Event::DocumentLinked(facts) => self.linked(facts, recorded),
            Event::DocumentRefreshed(facts) => {
                if let Some(document) = self.documents.iter_mut().find(|d| d.id == facts.document) {
                    document.data_as_of = facts.data_as_of;
                }
            }
            Event::DocumentLinkBroken(facts) => {
                self.documents
                    .retain(|document| document.id != facts.document);
            }
            Event::DocumentUnlinked(facts) => {
                self.documents
                    .retain(|document| document.id != facts.document);
            }
            _ => return false,
        }
        true
    }

    /// Locks, the end, refusals, erasure, claims.
    fn evolve_standing(&mut self, recorded: &Recorded<'_>) -> bool {
        let by = recorded.as_ref();
        match recorded.event {
            Event::AccountLocked(facts) => {
                if !self.has_lock(facts.ground) {
                    self.locks.push(Lock {
                        ground: facts.ground,
                        by,
                    });
                }
            }
            Event::LockGroundRemoved(facts) => {
                self.locks.retain(|lock| lock.ground != facts.ground);
            }
            // The set is empty already: this event says so to readers.
            Event::AccountUnlocked(_) | Event::ErasureApproved(_) | Event::ErasureRefused(_) => {}
            Event::AccountClosed(facts) => {
                if !self.is_closed() {
                    self.lifecycle = Lifecycle::Closed {
                        reason: facts.reason,
                        by,
                    };
                }
                self.device_change = None;
                self.phone_change = None;
                self.registration = None;
                self.activation.attempt = None;
                self.challenges.clear();
                self.shares.clear();
                self.waiting.clear();
                self.lock_requests.retain(|request| !request.is_open());
            }
            Event::CommandRejected(facts) => self.rejected(facts, recorded.recorded_at),
            Event::SubjectKeyDestroyed(facts) => {
                if !self.erased.contains(&facts.class) {
                    self.erased.push(facts.class);
                }
            }
            Event::ClaimForfeited(facts) => {
                let (claim, confirmed_by) = (facts.claim, facts.confirmed_by);
                self.forfeited.push(Forfeited {
                    claim,
                    confirmed_by,
                });
                keep_last(&mut self.forfeited, FORFEITED_MAX);
            }
            _ => return false,
        }
        true
    }

    /// Last days, and requests to lock or unlock.
    fn evolve_requests(&mut self, recorded: &Recorded<'_>) -> bool {
        let by = recorded.as_ref();
        match recorded.event {
            Event::ValidityRecorded(facts) => {
                let (of, until) = (facts.of, facts.until);
                self.validity.retain(|known| known.of != of);
                self.validity.push(ValidUntil { of, until, by });
            }
            Event::LockRequested(facts) => self.lock_requested(facts, by),
            Event::LockRequestGranted(facts) => {
                let state = LockRequestState::Granted { by };
                self.on_lock_request(facts.request, |request| request.state = state);
            }
            Event::LockRequestRefused(facts) => {
                let reason = facts.reason;
                let state = LockRequestState::Refused { reason, by };
                self.on_lock_request(facts.request, |request| request.state = state);
            }
            Event::LockDeadlineMissed(facts) => {
                self.on_lock_request(facts.request, |request| request.deadline_missed = true);
            }
            _ => return false,
        }
        true
    }

    /// P10.
    fn evolve_shares(&mut self, recorded: &Recorded<'_>) -> bool {
        let by = recorded.as_ref();
        match recorded.event {
            Event::ShareGranted(facts) => {
                self.shared(facts, recorded);
                // The passcode was right.
                self.credentials.wrong_passcodes = 0;
                self.last_used_at = Some(recorded.occurred_at);
            }
            Event::ShareConsumed(facts) => {
                self.on_share(facts.share, |share| share.used = Some(by));
                self.last_used_at = Some(recorded.occurred_at);
            }
            Event::ShareExpired(facts) => {
                self.on_share(facts.share, |share| share.expired = true);
            }
            _ => return false,
        }
        true
    }

    /// Children and wards, and their guardians.
    fn evolve_dependants(&mut self, recorded: &Recorded<'_>) -> bool {
        let by = recorded.as_ref();
        match recorded.event {
            Event::DependantLinked(facts) => {
                let id = facts.dependant;
                self.dependants.retain(|known| known.id != id);
                self.dependants.push(Dependant {
                    id,
                    kind: facts.kind,
                    relation: facts.relation,
                    majority_on: facts.majority_on,
                    by,
                });
                keep_last(&mut self.dependants, DEPENDANTS_MAX);
            }
            Event::DependantUnlinked(facts) => {
                self.dependants.retain(|known| known.id != facts.dependant);
            }
            // The unlinking stands beside it.
            Event::DependantReachedMajority(_) => {}
            Event::DependantAccountOpened(facts) => {
                self.guardian = Some(Guardian {
                    account: facts.guardian,
                    dependant: facts.dependant,
                    kind: facts.kind,
                    majority_on: facts.majority_on,
                    consent_until: None,
                    by,
                });
            }
            Event::GuardianConsentGiven(facts) => {
                if let Some(guardian) = &mut self.guardian {
                    guardian.consent_until = Some(facts.until);
                }
            }
            _ => return false,
        }
        true
    }

    /// Foreigners.
    fn evolve_foreigner(&mut self, recorded: &Recorded<'_>) -> bool {
        let by = recorded.as_ref();
        match recorded.event {
            Event::ForeignerRegistrationSubmitted(_) => {
                self.begun_as(HolderKind::Foreigner);
                self.registration = Some(Registration {
                    step: RegistrationStep::Submitted,
                    by,
                });
            }
            Event::ForeignerIntakeOpened(facts) => {
                if !self.exists() {
                    self.begun_as(HolderKind::Foreigner);
                    // As at any desk: the officer's data take the place of what was left unfinished.
                    self.registration = None;
                    self.drop_challenge(OtpPurpose::Registration);
                }
                let biometrics_held = facts.biometrics_held;
                self.foreigner = Some(Foreigner {
                    biometrics_held,
                    by,
                });
                self.case_opened(Case::new(facts.case, Level::Two, by));
            }
            Event::ForeignerChecked(facts) => {
                let biometrics_held = facts.biometrics_held;
                self.foreigner = Some(Foreigner {
                    biometrics_held,
                    by,
                });
            }
            _ => return false,
        }
        true
    }

    /// Organisations.
    fn evolve_organisation(&mut self, recorded: &Recorded<'_>) -> bool {
        let by = recorded.as_ref();
        match recorded.event {
            Event::OrganisationApplied(facts) => {
                let agreement = |person: &LookupHash| Agreement {
                    person: *person,
                    account: None,
                };
                let others = facts.others.iter().take(REPRESENTATIVES_MAX);
                let others = others.map(agreement).collect();
                let dossier = OrganisationDossier::new(facts.case, others, facts.known, by);
                self.organisation_begun(facts.representative, dossier);
            }
            Event::OrganisationIntakeRecorded(facts) => {
                let mut dossier = OrganisationDossier::new(facts.case, Vec::new(), facts.known, by);
                dossier.on_paper = true;
                self.organisation_begun(facts.representative, dossier);
            }
            Event::OrganisationChecked(facts) => {
                self.on_organisation_dossier(facts.case, |dossier| dossier.checked(&facts.others));
            }
            Event::RepresentativeAnswered(facts) => {
                self.on_organisation_dossier(facts.case, |dossier| {
                    let same = |known: &&mut Agreement| known.person == facts.person;
                    for known in dossier.others.iter_mut().filter(same) {
                        known.account = facts.agreed.then_some(facts.representative);
                    }
                });
            }
            Event::OrganisationDossierCompleted(facts) => {
                self.on_organisation_dossier(facts.case, |dossier| {
                    dossier.state = CaseState::AwaitingDecision;
                    dossier.decide_by = Some(facts.decide_by);
                });
            }
            Event::OrganisationAccountIssued(facts) => {
                self.identification.area = Some(facts.area);
                self.on_organisation_dossier(facts.case, |dossier| {
                    dossier.state = CaseState::Approved;
                });
                if let Some(organisation) = &mut self.organisation {
                    organisation.issued = organisation.issued.or(Some(by));
                }
            }
            Event::OrganisationApplicationEnded(facts) => {
                let state = CaseState::Withdrawn(facts.reason);
                self.on_organisation_dossier(facts.case, |dossier| dossier.state = state);
            }
            Event::RepresentativeChanged(facts) => {
                if let Some(organisation) = &mut self.organisation {
                    organisation.representative = facts.new;
                }
            }
            Event::RepresentativeActed(_) => self.last_used_at = Some(recorded.occurred_at),
            _ => return false,
        }
        true
    }

    /// What was so before this ledger.
    fn evolve_import(&mut self, recorded: &Recorded<'_>) -> bool {
        let by = recorded.as_ref();
        match recorded.event {
            Event::AccountImported(facts) => {
                self.imported = Some(by);
                let identification = &mut self.identification;
                identification.stage = identification.stage.max(facts.level.into());
                identification.area = Some(facts.area);
                match facts.level {
                    Level::One => identification.level_1 = Some(by),
                    Level::Two => identification.level_2 = Some(by),
                }
                if let Some(deadline) = facts.activate_by {
                    self.phase(ActivationPhase::WindowOpen { deadline }, recorded);
                }
            }
            Event::ActivationImported(_) => {
                let at = recorded.occurred_at;
                self.phase(ActivationPhase::Activated { at }, recorded);
            }
            _ => return false,
        }
        true
    }
}
