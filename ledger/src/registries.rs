//! Registries as the writer asks them: a port. The embedded adapter is in `registry`.

use crate::store::BoxFuture;
use domain::command::{DocumentAnswer, RegistryAnswer};
use domain::ids::Micros;
use domain::personal::Person;
use domain::vocabulary::{DocumentKind, LinkOutcome, RegistryOutcome};

/// Source registries (spec A.1): what is declared is confirmed by its owner, or not.
pub trait Registries: Send + Sync + 'static {
    /// The population registry's answer to declared personal data (P1 step 3).
    fn confirm<'a>(&'a self, person: &'a Person) -> BoxFuture<'a, RegistryAnswer>;

    /// The owning registry's answer to a declared document.
    fn document<'a>(
        &'a self,
        person: &'a Person,
        kind: DocumentKind,
        number: &'a str,
        now: Micros,
    ) -> BoxFuture<'a, DocumentAnswer>;
}

/// No registry is connected: every question is answered *unavailable*, and that is recorded.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unconnected;

impl Registries for Unconnected {
    fn confirm<'a>(&'a self, _: &'a Person) -> BoxFuture<'a, RegistryAnswer> {
        Box::pin(async { RegistryAnswer::Not(RegistryOutcome::Unavailable) })
    }

    fn document<'a>(
        &'a self,
        _: &'a Person,
        _: DocumentKind,
        _: &'a str,
        _: Micros,
    ) -> BoxFuture<'a, DocumentAnswer> {
        Box::pin(async { DocumentAnswer::Not(LinkOutcome::RegistryUnavailable) })
    }
}
