//! Which services an account may use, and why (spec A.6, A.8).
//!
//! `entitled = activated ∧ unlocked ∧ open ∧ level ≥ the service's lowest level`. Owns the official
//! list 2024-03 (letter S004) with its names; which list is in force is an event's affair.

use crate::account::{Account, ActivationPhase, EventRef, Lifecycle};
use crate::ids::Micros;
use crate::vocabulary::Level;
use serde::{Deserialize, Serialize};
use wincode::{SchemaRead, SchemaWrite};

mod names;
#[cfg(test)]
mod tests;

pub use names::{Feature, ServiceNames};

/// One service of a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
pub struct CatalogueService {
    /// Stable id (spec A.6).
    pub id: String,
    /// Lowest level that may use it.
    pub level: Level,
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
    /// The nine and seven services of letter S004 (06/03/2024).
    pub fn v2024_03() -> Self {
        let services = names::V2024_03
            .iter()
            .map(|names| CatalogueService {
                id: names.id.to_owned(),
                level: names.level,
            })
            .collect();
        Self {
            name: "2024-03".to_owned(),
            services,
        }
    }

    /// Names and sub-features of a service, where it is one of the known ones.
    pub fn names(id: &str) -> Option<&'static ServiceNames> {
        names::V2024_03.iter().find(|names| names.id == id)
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

/// Every service of the catalogue with its answer, in the catalogue's order.
pub fn entitlements(account: &Account, catalogue: &Catalogue, now: Micros) -> Vec<Entitlement> {
    let barrier = barrier(account, now);
    let answer = |service: &CatalogueService| {
        let (reason, blocked_by) = match barrier {
            Some(barrier) => barrier,
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
    catalogue.services.iter().map(answer).collect()
}

/// What keeps an account from every service alike, the most final first.
fn barrier(account: &Account, now: Micros) -> Option<(EntitlementReason, Option<EventRef>)> {
    if let Lifecycle::Closed { by, .. } = account.lifecycle {
        return Some((EntitlementReason::Closed, Some(by)));
    }
    if let Some(lock) = account.locks.first() {
        return Some((EntitlementReason::Locked, Some(lock.by)));
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
