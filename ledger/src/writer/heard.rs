//! Whose word the registries' answers are that a command was decided on (INV-2). An answer goes on to the
//! rules as it is; the registry's signature on it goes into the receipt, question and answer beside it, to be
//! sealed. No answer is nobody's word.

use crate::evidence::SignedAnswer;
use crate::registry::{Answered, OrganisationReply};
use domain::command::{DocumentAnswer, ImmigrationAnswer, RegistryAnswer, RelationAnswer};
use domain::envelope::{RegistryWord, WordSource};
use domain::personal::Personal;
use domain::vocabulary::{Database, LinkOutcome, MatchResult, RegistryOutcome};

/// What was heard, in the order of asking: which registry, and its signature; `None`: the ledger's own word.
#[derive(Default)]
pub(super) struct Heard(Vec<(Database, Option<Box<SignedAnswer>>)>);

impl Heard {
    /// Takes an answer, and keeps whose word it is.
    pub fn take<T: Silence>(&mut self, database: Database, answered: Answered<T>) -> T {
        let Answered { answer, signed } = answered;
        if !answer.is_silence() {
            self.0.push((database, signed));
        }
        answer
    }

    /// What was asked and answered under a registry's signature, to be sealed.
    pub fn exchanges(&self) -> Vec<Personal> {
        let signed = self.0.iter().filter_map(|(_, signed)| signed.as_ref());
        signed.map(|signed| signed.exchange()).collect()
    }

    /// Whose word each answer was, for the receipt.
    pub fn words(&self) -> Vec<RegistryWord> {
        let all = self.0.iter().map(|(database, signed)| RegistryWord {
            database: *database,
            source: signed
                .as_ref()
                .map_or(WordSource::Own, |signed| signed.source()),
        });
        all.collect()
    }
}

/// Whether a registry said nothing.
pub(super) trait Silence {
    fn is_silence(&self) -> bool;
}

impl Silence for RegistryAnswer {
    fn is_silence(&self) -> bool {
        matches!(self, Self::Not(RegistryOutcome::Unavailable))
    }
}

impl Silence for ImmigrationAnswer {
    fn is_silence(&self) -> bool {
        matches!(self, Self::Not(RegistryOutcome::Unavailable))
    }
}

impl Silence for OrganisationReply {
    fn is_silence(&self) -> bool {
        matches!(self, Self::Not(RegistryOutcome::Unavailable))
    }
}

impl Silence for DocumentAnswer {
    fn is_silence(&self) -> bool {
        matches!(self, Self::Not(LinkOutcome::RegistryUnavailable))
    }
}

impl Silence for RelationAnswer {
    fn is_silence(&self) -> bool {
        matches!(self, Self::Unavailable)
    }
}

impl Silence for MatchResult {
    fn is_silence(&self) -> bool {
        matches!(self, Self::Unavailable)
    }
}
