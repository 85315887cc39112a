//! Which services an account may use, and why.

use crate::vocabulary::Level;
use serde::{Deserialize, Serialize};
use wincode::{SchemaRead, SchemaWrite};

/// One service of a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
pub struct CatalogueService {
    /// Stable id (spec A.6).
    pub id: String,
    /// Lowest level that may use it.
    pub level: Level,
}
