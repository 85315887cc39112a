//! The ports: what a registry is to the ledger. Beside each embedded adapter stands one over HTTP in
//! the crate `outside`. "No answer" is an answer like any other and is recorded.

use crate::evidence::SignedAnswer;
use crate::store::BoxFuture;
use domain::command::{DocumentAnswer, ImmigrationAnswer, RegistryAnswer, RelationAnswer};
use domain::personal::Person;
use domain::vocabulary::{
    Capture, DocumentKind, LinkOutcome, MatchResult, Modality, RegistryOutcome,
};
use std::sync::Arc;

/// What was answered, and whose word it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered<T> {
    /// The answer.
    pub answer: T,
    /// The registry's signature on it; `None`: the ledger's own word, from records that lie here.
    pub signed: Option<Box<SignedAnswer>>,
}

/// An answer of the ledger's own.
impl<T> From<T> for Answered<T> {
    fn from(answer: T) -> Self {
        Self {
            answer,
            signed: None,
        }
    }
}

/// Says whether a person is who they declare to be (CSDL quốc gia về dân cư, CSDL căn cước).
pub trait PopulationRegistry: Send + Sync + 'static {
    /// Compares the declared data with the registry's.
    fn confirm<'a>(&'a self, person: &'a Person) -> BoxFuture<'a, Answered<RegistryAnswer>>;

    /// Whether a person's parent or guardian is that person, both by personal number. A registry that
    /// knows no relations has no answer.
    fn relation<'a>(
        &'a self,
        dependant: &'a str,
        guardian: &'a str,
    ) -> BoxFuture<'a, Answered<RelationAnswer>> {
        let _ = (dependant, guardian);
        Box::pin(async { RelationAnswer::Unavailable.into() })
    }
}

/// Says whether a person is who they declare to be at an officer's desk, where level 2 is
/// authenticated (P4: CSDL căn cước công dân), and whether what was captured there is theirs.
pub trait CitizenCardRegistry: Send + Sync + 'static {
    /// Compares the declared data with those of the person's card.
    fn confirm<'a>(&'a self, person: &'a Person) -> BoxFuture<'a, Answered<RegistryAnswer>>;

    /// Compares a capture, which the desk has sent there, with what was captured for the card.
    /// `None`: this adapter is not asked; whoever compares gives a signed command of their own.
    fn compare<'a>(
        &'a self,
        personal_id: &'a str,
        modality: Modality,
        capture: Capture,
    ) -> Option<BoxFuture<'a, Answered<MatchResult>>> {
        let _ = (personal_id, modality, capture);
        None
    }
}

/// What a foreigner declares.
#[derive(Clone, Copy)]
pub struct Foreigner<'a> {
    /// Name, birth date, sex and, where they were given one, their number in Viet Nam.
    pub person: &'a Person,
    /// ISO 3166-1 alpha-3.
    pub nationality: &'a str,
    /// Number of the passport or travel document.
    pub document_number: &'a str,
}

/// Says whether a foreigner is who they declare to be (CSDL xuất nhập cảnh), how they stay and until
/// when.
pub trait ImmigrationRegistry: Send + Sync + 'static {
    /// Compares the declared data with the database's.
    fn confirm<'a>(
        &'a self,
        foreigner: Foreigner<'a>,
    ) -> BoxFuture<'a, Answered<ImmigrationAnswer>>;

    /// Whether a foreign child's or ward's parent or guardian is that person, both by personal number:
    /// whom they entered and stay with. A database that knows no relations has no answer.
    fn relation<'a>(
        &'a self,
        dependant: &'a str,
        guardian: &'a str,
    ) -> BoxFuture<'a, Answered<RelationAnswer>> {
        let _ = (dependant, guardian);
        Box::pin(async { RelationAnswer::Unavailable.into() })
    }
}

/// Says whether a document is a person's.
pub trait DocumentRegistry: Send + Sync + 'static {
    /// Looks the document up.
    fn check<'a>(
        &'a self,
        personal_id: &'a str,
        kind: DocumentKind,
        number: &'a str,
    ) -> BoxFuture<'a, Answered<DocumentAnswer>>;
}

/// Several sector registries as one: each kind of document is asked of the registry that owns it.
/// A kind that nobody here owns goes to `others`.
pub struct BySector {
    /// Kinds and their registries.
    pub sectors: Vec<(DocumentKind, Arc<dyn DocumentRegistry>)>,
    /// Every other kind.
    pub others: Arc<dyn DocumentRegistry>,
}

impl DocumentRegistry for BySector {
    fn check<'a>(
        &'a self,
        personal_id: &'a str,
        kind: DocumentKind,
        number: &'a str,
    ) -> BoxFuture<'a, Answered<DocumentAnswer>> {
        let own = self.sectors.iter().find(|(known, _)| *known == kind);
        let registry = own.map_or(&self.others, |(_, registry)| registry);
        registry.check(personal_id, kind, number)
    }
}

/// A registry that cannot be reached: every question gets "no answer".
#[derive(Debug, Default, Clone, Copy)]
pub struct Unreachable;

impl PopulationRegistry for Unreachable {
    fn confirm<'a>(&'a self, _: &'a Person) -> BoxFuture<'a, Answered<RegistryAnswer>> {
        Box::pin(async { RegistryAnswer::Not(RegistryOutcome::Unavailable).into() })
    }
}

impl DocumentRegistry for Unreachable {
    fn check<'a>(
        &'a self,
        _: &'a str,
        _: DocumentKind,
        _: &'a str,
    ) -> BoxFuture<'a, Answered<DocumentAnswer>> {
        Box::pin(async { DocumentAnswer::Not(LinkOutcome::RegistryUnavailable).into() })
    }
}

impl CitizenCardRegistry for Unreachable {
    fn confirm<'a>(&'a self, _: &'a Person) -> BoxFuture<'a, Answered<RegistryAnswer>> {
        Box::pin(async { RegistryAnswer::Not(RegistryOutcome::Unavailable).into() })
    }
}

impl ImmigrationRegistry for Unreachable {
    fn confirm<'a>(&'a self, _: Foreigner<'a>) -> BoxFuture<'a, Answered<ImmigrationAnswer>> {
        Box::pin(async { ImmigrationAnswer::Not(RegistryOutcome::Unavailable).into() })
    }
}
