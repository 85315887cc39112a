//! The law: what is in force, what was, and who made it so.

use crate::time::rfc3339;
use domain::law::Published;
use serde::Serialize;
use utoipa::ToSchema;

/// A version of a law, named: the rule that answered, and the event that made it law.
#[derive(Serialize, ToSchema)]
pub struct LawRef {
    /// Which law.
    law: &'static str,
    /// Which version.
    version: u32,
    /// Its name.
    name: String,
    /// First instant at which it is in force.
    effective_from: String,
    /// First instant at which it no longer is, where one is named.
    effective_to: Option<String>,
    /// Its ground, normalised.
    basis: String,
    /// How sure it is.
    #[schema(value_type = String)]
    confidence: domain::law::Confidence,
    /// The event that published it.
    event: String,
    /// Where that stands.
    position: Option<u64>,
}

impl LawRef {
    /// Of a published version.
    pub fn of(version: &Published) -> Self {
        let terms = &version.draft.terms;
        Self {
            law: version.law.name(),
            version: version.version,
            name: terms.name.clone(),
            effective_from: rfc3339(terms.effective_from),
            effective_to: terms.effective_to.map(rfc3339),
            basis: terms.basis.id.clone(),
            confidence: terms.confidence,
            event: version.by.event.to_string(),
            position: version.by.position.map(|position| position.0),
        }
    }
}
