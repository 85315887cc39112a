//! Whose word a registry's answer is: what a receipt names, and what an event says was answered.

use domain::decide::database_of;
use domain::envelope::Receipt;
use domain::event::Event;
use domain::vocabulary::{Database, LinkOutcome, MatchResult, RegistryOutcome};

/// A set of registries: one bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Databases(u32);

impl Databases {
    /// Those that a receipt names.
    pub fn of(receipt: &Receipt) -> Self {
        let all = receipt.answers.iter();
        Self(all.fold(0, |set, word| set | Self::bit(word.database)))
    }

    const fn bit(database: Database) -> u32 {
        1 << database as u32
    }

    /// Whether it is one of them.
    pub const fn has(self, database: Database) -> bool {
        self.0 & Self::bit(database) != 0
    }
}

/// The registry whose answer an event records. That none came is nobody's word.
pub const fn told(event: &Event) -> Option<Database> {
    match event {
        Event::RegistryCheckSucceeded(facts) => Some(facts.database),
        Event::RegistryCheckFailed(facts) => match facts.outcome {
            RegistryOutcome::Unavailable => None,
            _ => Some(facts.database),
        },
        Event::BiometricMatchRecorded(facts) => match facts.result {
            MatchResult::Unavailable => None,
            _ => Some(facts.database),
        },
        Event::DocumentLinked(facts) => Some(facts.database),
        Event::DocumentLinkFailed(facts) => match facts.outcome {
            LinkOutcome::RegistryUnavailable => None,
            _ => Some(database_of(facts.kind)),
        },
        _ => None,
    }
}
