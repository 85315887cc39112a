//! Where an account stands for the reports: its documents by what their registry said of them, and what is
//! due in it; and what an event adds to the figures of procedures, and to deadlines met and missed.

use super::freshness::Fresh;
use super::tally::counters;
use domain::account::DOCUMENTS_MAX;
use domain::event::Event;
use domain::ids::{AreaCode, CaseId, DocumentId, LocalDay, RequestId};
use domain::vocabulary::{Awaited, Database, DocumentKind, Level, LinkOutcome, WaitEnd};
use std::collections::BTreeMap;
use wincode::{SchemaRead, SchemaWrite};

/// Open dossiers and lock requests that are followed in one account; the rules allow fewer.
const OPEN_MAX: usize = 16;

counters! {
    /// Documents of one kind ("đúng, đủ, sạch, sống", A-15): how they stand, and what happened to them.
    Documents {
        /// Declared and not taken out again: the six that follow together.
        declared,
        /// Confirmed by the registry.
        verified,
        /// The registry's data differ.
        mismatch,
        /// The registry does not know it.
        not_found,
        /// The registry has not answered.
        unavailable,
        /// It is somebody else's.
        owner_mismatch,
        /// Expired or revoked since.
        no_longer_valid,
        /// Accounts at level 2 that have declared none. Not everybody has one of each kind.
        missing,
        /// So often linked, up to then.
        linked,
        /// So often not linked.
        failed,
        /// So often refreshed.
        refreshed,
        /// So often broken.
        broken,
    }

    /// Procedures and deadlines, counted up to a day.
    Flows {
        /// Applications for level 1.
        applied_1,
        /// Applications for level 2.
        applied_2,
        /// Level 1 issued.
        issued_1,
        /// Level 2 issued.
        issued_2,
        /// Applications refused.
        refused,
        /// Applications withdrawn.
        withdrawn,
        /// Accounts activated.
        activated,
        /// Accounts closed.
        closed,
        /// Level-1 applications decided in time.
        decision_1_met,
        /// Level-1 applications not decided in time.
        decision_1_missed,
        /// Level-2 applications decided in time.
        decision_2_met,
        /// Level-2 applications not decided in time.
        decision_2_missed,
        /// Activated within the window.
        activation_met,
        /// Windows that ended without activation.
        activation_missed,
        /// Requests to lock or unlock answered in time.
        lock_met,
        /// Requests not answered in time.
        lock_missed,
        /// Applications of organisations, in the app and on paper.
        applied_organisation,
        /// Accounts issued to organisations.
        issued_organisation,
        /// Applications of organisations refused.
        refused_organisation,
        /// Applications of organisations that ended before a decision.
        withdrawn_organisation,
        /// Applications of organisations decided in time.
        decision_organisation_met,
        /// Applications of organisations not decided in time.
        decision_organisation_missed,
    }
}

/// A linked document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite)]
struct Link {
    document: DocumentId,
    kind: DocumentKind,
    /// The day its data are of.
    data: LocalDay,
}

/// A declaration that did not, or not yet, come to a link: all that wait for a registry, and of a kind
/// the last one that does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite)]
struct Attempt {
    document: DocumentId,
    kind: DocumentKind,
    outcome: LinkOutcome,
    /// The question that is asked again until there is an answer.
    waits: Option<RequestId>,
}

/// A dossier handed in and in time so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite)]
struct Dossier {
    case: CaseId,
    /// None: an organisation's.
    level: Option<Level>,
}

/// Where an account stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, SchemaRead, SchemaWrite)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Standing {
    /// Day of the last change.
    pub day: Option<LocalDay>,
    pub area: Option<AreaCode>,
    level_2: bool,
    organisation: bool,
    closed: bool,
    links: Vec<Link>,
    attempts: Vec<Attempt>,
    dossiers: Vec<Dossier>,
    window_open: bool,
    requests: Vec<RequestId>,
}

/// What one event adds besides what the account stands for.
#[derive(Default)]
pub(super) struct Added {
    pub flows: Flows,
    pub documents: BTreeMap<DocumentKind, Documents>,
}

impl Standing {
    /// What it stands for, by kind of document.
    pub fn documents(&self) -> BTreeMap<DocumentKind, Documents> {
        let mut all = BTreeMap::new();
        if self.closed {
            return all;
        }
        for link in &self.links {
            let of: &mut Documents = all.entry(link.kind).or_default();
            of.declared += 1;
            of.verified += 1;
        }
        for attempt in &self.attempts {
            let of = all.entry(attempt.kind).or_default();
            of.declared += 1;
            *match attempt.outcome {
                LinkOutcome::Mismatch => &mut of.mismatch,
                LinkOutcome::NotFound => &mut of.not_found,
                LinkOutcome::RegistryUnavailable => &mut of.unavailable,
                LinkOutcome::OwnerMismatch => &mut of.owner_mismatch,
                LinkOutcome::NoLongerValid => &mut of.no_longer_valid,
            } += 1;
        }
        for kind in DocumentKind::ALL.iter().filter(|_| self.level_2) {
            let of = all.entry(*kind).or_default();
            of.missing = i64::from(of.declared == 0);
        }
        all
    }

    /// Of what days its linked data are.
    pub fn fresh(&self) -> Vec<Fresh> {
        let links = self.links.iter().filter(|_| !self.closed);
        links.map(|link| (link.kind, link.data)).collect()
    }

    fn attempted(&mut self, document: DocumentId, kind: DocumentKind, outcome: LinkOutcome) {
        self.settled(document, kind);
        if self.attempts.len() < DOCUMENTS_MAX {
            self.attempts.push(Attempt {
                document,
                kind,
                outcome,
                waits: None,
            });
        }
    }

    /// What was declared before under this id or, unless it waits, of this kind, no longer counts.
    fn settled(&mut self, document: DocumentId, kind: DocumentKind) {
        self.attempts.retain(|known| {
            known.document != document && (known.kind != kind || known.waits.is_some())
        });
    }

    pub fn take(&mut self, event: &Event) -> Added {
        let mut added = Added::default();
        let flows = &mut added.flows;
        match event {
            Event::RegistryCheckSucceeded(facts)
                if matches!(
                    facts.database,
                    Database::Population | Database::Immigration | Database::Organisations
                ) =>
            {
                self.area = self.area.or(Some(facts.area));
            }
            Event::Level1Applied(facts) => {
                flows.applied_1 += 1;
                self.handed_in(facts.case, Some(Level::One));
            }
            Event::Level2Applied(facts) => {
                flows.applied_2 += 1;
                self.handed_in(facts.case, Some(Level::Two));
            }
            Event::AccountIssued(facts) => {
                self.issued(facts.level, facts.area, flows);
                self.decided(facts.case, flows);
            }
            Event::AccountImported(facts) => {
                self.issued(facts.level, facts.area, flows);
                self.window_open = facts.activate_by.is_some();
            }
            Event::ApplicationRefused(facts) => {
                *if self.organisation {
                    &mut flows.refused_organisation
                } else {
                    &mut flows.refused
                } += 1;
                self.decided(facts.case, flows);
            }
            Event::Level2Withdrawn(facts) => {
                flows.withdrawn += 1;
                self.dossiers.retain(|known| known.case != facts.case);
            }
            Event::ProcessingDeadlineMissed(facts) => {
                let dossier = self.dossiers.iter().find(|known| known.case == facts.case);
                match dossier.map(|known| known.level) {
                    Some(Some(Level::One)) => flows.decision_1_missed += 1,
                    Some(Some(Level::Two)) => flows.decision_2_missed += 1,
                    Some(None) => flows.decision_organisation_missed += 1,
                    None => {}
                }
                self.dossiers.retain(|known| known.case != facts.case);
            }
            Event::AccountActivated(_) | Event::ActivationImported(_) => {
                flows.activated += 1;
                flows.activation_met += i64::from(self.window_open);
                self.window_open = false;
            }
            Event::AccountClosed(_) => {
                flows.closed += i64::from(!self.closed);
                self.closed = true;
                self.dossiers.clear();
                self.requests.clear();
                self.window_open = false;
            }
            _ => {
                self.take_organisation(event, &mut added.flows);
                self.take_other(event, &mut added);
            }
        }
        added
    }

    /// Applications of organisations. Their days begin when everybody agreed, and anew when somebody
    /// else turned out to represent them as well.
    fn take_organisation(&mut self, event: &Event, flows: &mut Flows) {
        match event {
            Event::OrganisationApplied(_) | Event::OrganisationIntakeRecorded(_) => {
                self.organisation = true;
                flows.applied_organisation += 1;
            }
            Event::OrganisationDossierCompleted(facts) => self.handed_in(facts.case, None),
            Event::OrganisationChecked(facts) if !facts.others.is_empty() => {
                self.dossiers.retain(|known| known.case != facts.case);
            }
            Event::OrganisationAccountIssued(facts) => {
                flows.issued_organisation += 1;
                self.area = Some(facts.area).filter(|area| area.0 != 0).or(self.area);
                self.decided(facts.case, flows);
            }
            Event::OrganisationApplicationEnded(facts) => {
                flows.withdrawn_organisation += 1;
                self.dossiers.retain(|known| known.case != facts.case);
            }
            _ => {}
        }
    }

    /// Windows, lock requests and documents.
    fn take_other(&mut self, event: &Event, added: &mut Added) {
        let flows = &mut added.flows;
        match event {
            Event::ActivationWindowOpened(_) | Event::ActivationReopened(_) => {
                self.window_open = true;
            }
            Event::ActivationWindowExpired(_) => {
                flows.activation_missed += i64::from(self.window_open);
                self.window_open = false;
            }
            Event::LockRequested(facts) if self.requests.len() < OPEN_MAX => {
                self.requests.push(facts.request);
            }
            Event::LockRequestGranted(facts) => {
                flows.lock_met += self.answered(facts.request);
            }
            Event::LockRequestRefused(facts) => {
                flows.lock_met += self.answered(facts.request);
            }
            Event::LockDeadlineMissed(facts) => {
                flows.lock_missed += self.answered(facts.request);
            }
            Event::DocumentLinkRequested(facts) => {
                let outcome = LinkOutcome::RegistryUnavailable;
                self.attempted(facts.document, facts.kind, outcome);
            }
            Event::DocumentLinkFailed(facts) => {
                self.attempted(facts.document, facts.kind, facts.outcome);
                added.documents.entry(facts.kind).or_default().failed += 1;
            }
            Event::DocumentLinked(facts) => {
                self.settled(facts.document, facts.kind);
                self.links.retain(|known| known.document != facts.document);
                if self.links.len() < DOCUMENTS_MAX {
                    self.links.push(Link {
                        document: facts.document,
                        kind: facts.kind,
                        data: facts.data_as_of.local_day(),
                    });
                }
                added.documents.entry(facts.kind).or_default().linked += 1;
            }
            Event::DocumentRefreshed(facts) => {
                let mut links = self.links.iter_mut();
                if let Some(link) = links.find(|known| known.document == facts.document) {
                    link.data = link.data.max(facts.data_as_of.local_day());
                    added.documents.entry(link.kind).or_default().refreshed += 1;
                }
            }
            Event::DocumentLinkBroken(facts) => {
                if let Some(link) = self.unlink(facts.document) {
                    self.attempted(facts.document, link.kind, facts.outcome);
                    added.documents.entry(link.kind).or_default().broken += 1;
                }
            }
            Event::DocumentUnlinked(facts) => drop(self.unlink(facts.document)),
            Event::RegistryAnswerAwaited(facts) => {
                if let Awaited::Document(document, _) = facts.what {
                    self.wait(document, facts.request);
                }
            }
            Event::RegistryWaitEnded(facts) => self.waited(facts.request, facts.end),
            _ => {}
        }
    }

    fn wait(&mut self, document: DocumentId, request: RequestId) {
        let mut attempts = self.attempts.iter_mut();
        if let Some(known) = attempts.find(|known| known.document == document) {
            known.waits = Some(request);
        }
    }

    /// An answer stands in its own event; what is not needed any more was taken out.
    fn waited(&mut self, request: RequestId, end: WaitEnd) {
        let of = |known: &Attempt| known.waits == Some(request);
        if end == WaitEnd::NotNeeded {
            self.attempts.retain(|known| !of(known));
        }
        for known in self.attempts.iter_mut().filter(|known| of(known)) {
            known.waits = None;
        }
    }

    fn issued(&mut self, level: Level, area: AreaCode, flows: &mut Flows) {
        match level {
            Level::One => flows.issued_1 += 1,
            Level::Two => flows.issued_2 += 1,
        }
        self.area = Some(area);
        self.level_2 |= level == Level::Two;
    }

    fn handed_in(&mut self, case: CaseId, level: Option<Level>) {
        self.dossiers.retain(|known| known.case != case);
        if self.dossiers.len() < OPEN_MAX {
            self.dossiers.push(Dossier { case, level });
        }
    }

    /// A decision is in time unless it was said before that it is not.
    fn decided(&mut self, case: CaseId, flows: &mut Flows) {
        let dossier = self.dossiers.iter().find(|known| known.case == case);
        match dossier.map(|known| known.level) {
            Some(Some(Level::One)) => flows.decision_1_met += 1,
            Some(Some(Level::Two)) => flows.decision_2_met += 1,
            Some(None) => flows.decision_organisation_met += 1,
            None => {}
        }
        self.dossiers.retain(|known| known.case != case);
    }

    fn answered(&mut self, request: RequestId) -> i64 {
        let before = self.requests.len();
        self.requests.retain(|known| *known != request);
        i64::from(self.requests.len() < before)
    }

    fn unlink(&mut self, document: DocumentId) -> Option<Link> {
        let at = self
            .links
            .iter()
            .position(|known| known.document == document)?;
        Some(self.links.remove(at))
    }
}

/// Whether a kind can change anything here: most cannot, and cost no row.
pub(super) fn counts(event: &Event) -> bool {
    matches!(
        event,
        Event::RegistryCheckSucceeded(_)
            | Event::Level1Applied(_)
            | Event::Level2Applied(_)
            | Event::AccountIssued(_)
            | Event::AccountImported(_)
            | Event::ActivationImported(_)
            | Event::ApplicationRefused(_)
            | Event::Level2Withdrawn(_)
            | Event::ProcessingDeadlineMissed(_)
            | Event::AccountActivated(_)
            | Event::AccountClosed(_)
            | Event::ActivationWindowOpened(_)
            | Event::ActivationReopened(_)
            | Event::ActivationWindowExpired(_)
            | Event::LockRequested(_)
            | Event::LockRequestGranted(_)
            | Event::LockRequestRefused(_)
            | Event::LockDeadlineMissed(_)
            | Event::DocumentLinkRequested(_)
            | Event::DocumentLinkFailed(_)
            | Event::DocumentLinked(_)
            | Event::DocumentRefreshed(_)
            | Event::DocumentLinkBroken(_)
            | Event::DocumentUnlinked(_)
            | Event::RegistryAnswerAwaited(_)
            | Event::RegistryWaitEnded(_)
            | Event::OrganisationApplied(_)
            | Event::OrganisationIntakeRecorded(_)
            | Event::OrganisationDossierCompleted(_)
            | Event::OrganisationChecked(_)
            | Event::OrganisationAccountIssued(_)
            | Event::OrganisationApplicationEnded(_)
    )
}
