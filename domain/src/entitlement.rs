//! Which services an account may use, and why (spec A.6, A.8).
//!
//! `entitled = activated ∧ unlocked ∧ open ∧ level ≥ the service's lowest level`, of the catalogue in
//! force at the instant asked about ([`crate::law`]). Owns what a catalogue is; which services there are is
//! published law.

use crate::account::{Account, ActivationPhase, EventRef, HolderKind, Lifecycle};
use crate::ids::{LocalDay, Micros};
use crate::messages::Lang;
use crate::vocabulary::Level;
use serde::{Deserialize, Serialize};
use wincode::{SchemaRead, SchemaWrite};

#[cfg(test)]
mod tests;

/// What a row of a catalogue is worth.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, SchemaRead, SchemaWrite, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum Standing {
    /// It may be used from its level on.
    #[default]
    Entitlement,
    /// A letter tells of it; it grants nothing (C-01).
    Narrative,
    /// A service of others with a relying party of its own: never the ledger's to grant (C-02).
    External,
}

/// A part of a service (C-15).
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// Stable id.
    pub id: String,
    /// tiếng Việt
    pub vi: String,
    /// English
    pub en: String,
}

/// One service of a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
pub struct CatalogueService {
    /// Stable id (spec A.6).
    pub id: String,
    /// Lowest level that may use it.
    pub level: Level,
    /// What the row is worth.
    pub standing: Standing,
    /// Last day; `None`: open. A withdrawn service keeps its row (C-03).
    pub effective_to: Option<LocalDay>,
    /// As printed.
    pub vi: String,
    /// In English.
    pub en: String,
    /// Parts worth their own id. They do not count as services.
    pub features: Vec<Feature>,
    /// Organisations may use it, whose accounts have no levels.
    pub organisations: bool,
}

impl CatalogueService {
    /// Its name in one language.
    pub fn name(&self, lang: Lang) -> &str {
        lang.pick(&self.vi, &self.en)
    }
}

/// A list of services as published.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
pub struct Catalogue {
    /// Its name, `2024-03`.
    pub name: String,
    /// The services in their official order.
    pub services: Vec<CatalogueService>,
}

impl Catalogue {
    /// A service of it.
    pub fn find(&self, id: &str) -> Option<&CatalogueService> {
        self.services.iter().find(|service| service.id == id)
    }
}

/// Why a service may be used or not.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    SchemaRead,
    SchemaWrite,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum EntitlementReason {
    /// Granted.
    Granted,
    /// The account is closed.
    Closed,
    /// The account is locked.
    Locked,
    /// No level was issued.
    NotIdentified,
    /// Issued and not activated.
    NotActivated,
    /// Issued and not activated in time: the hotline helps.
    ActivationOverdue,
    /// Active at a lower level.
    LevelTooLow,
    /// The catalogue in force only tells of it.
    NarrativeOnly,
    /// It was withdrawn.
    Withdrawn,
    /// An organisation's account has no levels, and the catalogue does not name organisations.
    NotForOrganisations,
}

/// The answer for one service.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
pub struct Entitlement {
    /// The service's id.
    pub service: String,
    /// The lowest level that may use it.
    pub level: Level,
    /// Whether it may be used now.
    pub granted: bool,
    /// Why, or why not.
    pub reason: EntitlementReason,
    /// The event that granted it: the later of the activation and the issue of a sufficient level.
    pub granted_by: Option<EventRef>,
    /// The event that stands in the way, where one does (a lock, the closing).
    pub blocked_by: Option<EventRef>,
}

/// Every service of the catalogue with its answer, in the catalogue's order. Services of others are
/// none of the ledger's and have no answer.
pub fn entitlements(account: &Account, catalogue: &Catalogue, now: Micros) -> Vec<Entitlement> {
    let barrier = barrier(account, now);
    let organisation = account.holder == HolderKind::Organisation;
    let answer = |service: &CatalogueService| {
        let (reason, blocked_by) = match barrier {
            _ if service
                .effective_to
                .is_some_and(|last| last < now.local_day()) =>
            {
                (EntitlementReason::Withdrawn, None)
            }
            Some(barrier) => barrier,
            None if organisation && !service.organisations => {
                (EntitlementReason::NotForOrganisations, None)
            }
            None if organisation && service.standing == Standing::Entitlement => {
                (EntitlementReason::Granted, None)
            }
            None if service.standing == Standing::Narrative => {
                (EntitlementReason::NarrativeOnly, None)
            }
            None if account.level().is_some_and(|level| level >= service.level) => {
                (EntitlementReason::Granted, None)
            }
            None => (EntitlementReason::LevelTooLow, None),
        };
        let granted = reason == EntitlementReason::Granted;
        Entitlement {
            service: service.id.clone(),
            level: service.level,
            granted,
            reason,
            granted_by: granted.then(|| grant(account, service.level)).flatten(),
            blocked_by,
        }
    };
    let own = |service: &&CatalogueService| service.standing != Standing::External;
    catalogue.services.iter().filter(own).map(answer).collect()
}

/// What keeps an account from every service alike, the most final first.
fn barrier(account: &Account, now: Micros) -> Option<(EntitlementReason, Option<EventRef>)> {
    if let Lifecycle::Closed { by, .. } = account.lifecycle {
        return Some((EntitlementReason::Closed, Some(by)));
    }
    if let Some(lock) = account.locks.first() {
        return Some((EntitlementReason::Locked, Some(lock.by)));
    }
    if account.organisation_issued().is_some() {
        return None;
    }
    if account.level().is_none() {
        return Some((EntitlementReason::NotIdentified, None));
    }
    match account.activation.phase {
        ActivationPhase::Activated { .. } => None,
        _ if account.is_overdue(now) => {
            Some((EntitlementReason::ActivationOverdue, account.activation.by))
        }
        _ => Some((EntitlementReason::NotActivated, None)),
    }
}

/// The event from which on a level's services are granted.
fn grant(account: &Account, level: Level) -> Option<EventRef> {
    if let Some(issued) = account.organisation_issued() {
        return Some(issued);
    }
    let identification = &account.identification;
    let issued = match level {
        // Level 2 carries level 1's services, whichever was issued first.
        Level::One => earlier(identification.level_1, identification.level_2),
        Level::Two => identification.level_2,
    };
    later(issued, account.activation.by)
}

fn earlier(a: Option<EventRef>, b: Option<EventRef>) -> Option<EventRef> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if a.revision <= b.revision { a } else { b }),
        (one, other) => one.or(other),
    }
}

fn later(a: Option<EventRef>, b: Option<EventRef>) -> Option<EventRef> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if a.revision >= b.revision { a } else { b }),
        (one, other) => one.or(other),
    }
}
