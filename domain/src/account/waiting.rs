//! Answers that registries owe: what waits for them, and since when.

use super::change::keep_last;
use super::state::Waiting;
use super::{Account, Recorded, WAITING_MAX};
use crate::event::{Event, RegistryCheckFailed};
use crate::ids::{CaseId, RequestId};
use crate::vocabulary::{Awaited, DocumentKind};

impl Account {
    /// Registries that did not answer.
    pub(super) fn evolve_waiting(&mut self, recorded: &Recorded<'_>) -> bool {
        match recorded.event {
            Event::RegistryAnswerAwaited(facts) => {
                let (request, what, database) = (facts.request, facts.what, facts.database);
                self.waiting
                    .retain(|known| known.request != request && known.what != what);
                self.waiting.push(Waiting {
                    request,
                    what,
                    database,
                    by: recorded.as_ref(),
                });
                keep_last(&mut self.waiting, WAITING_MAX);
            }
            Event::RegistryWaitEnded(facts) => {
                self.waiting.retain(|known| known.request != facts.request);
            }
            _ => return false,
        }
        true
    }

    /// A late answer that was not "Đạt" stays with its dossier: it cannot be approved.
    pub(super) fn not_confirmed(&mut self, facts: &RegistryCheckFailed) {
        if let Some(Awaited::Identity(case)) = self.awaited(facts.request).map(|known| known.what) {
            self.on_case(case, |case| case.not_confirmed = Some(facts.outcome));
            self.on_organisation_dossier(case, |dossier| {
                dossier.not_confirmed = Some(facts.outcome);
            });
        }
    }

    /// Whether a dossier, of a person or of an organisation, still waits for something.
    pub fn is_case_open(&self, case: CaseId) -> bool {
        let person = self.case(case).is_some_and(|known| known.state.is_open());
        let organisation = self
            .organisation
            .as_ref()
            .is_some_and(|known| known.dossier.id == case && known.dossier.state.is_open());
        person || organisation
    }

    /// An answer that is owed.
    pub fn awaited(&self, request: RequestId) -> Option<&Waiting> {
        self.waiting.iter().find(|known| known.request == request)
    }

    /// Answers that a dossier waits for.
    pub fn waits_of(&self, case: CaseId) -> impl Iterator<Item = &Waiting> {
        self.waiting
            .iter()
            .filter(move |known| known.what.case() == Some(case))
    }

    /// Whether a document of a kind waits for its registry.
    pub fn waits_for_document(&self, kind: DocumentKind) -> bool {
        let of_kind =
            |known: &Waiting| matches!(known.what, Awaited::Document(_, other) if other == kind);
        self.waiting.iter().any(of_kind)
    }
}
