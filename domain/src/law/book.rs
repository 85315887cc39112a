//! Which version is in force: folded from the law's streams.
//!
//! Two times are kept apart: when a version is in force (valid time), and when the ledger learnt of it
//! (recorded time). A decision uses what was known when it was taken; a question may ask for both.

use super::{
    Calendar, DocumentKinds, DocumentRule, IntakeSites, LawContent, LawDraft, MessageCatalogue,
    ProvinceCodes,
};
use crate::account::{EventRef, Recorded};
use crate::entitlement::Catalogue;
use crate::event::Event;
use crate::ids::{Digest, LocalDay, Micros, Position, PrincipalId};
use crate::messages::{Lang, message_id, message_text, refusal_code, refusal_text};
use crate::policy::Policy;
use crate::vocabulary::{DocumentKind, LawKind, Message, RefusalCode};
use std::sync::{Arc, LazyLock};

/// First issuance nationwide, 25/02/2022: no site takes dossiers before, whatever is published.
const FIRST_ISSUANCE: LocalDay = LocalDay(19_048);

/// A version that was proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Which law.
    pub law: LawKind,
    /// Its number.
    pub version: u32,
    /// What it says.
    pub draft: Arc<LawDraft>,
    /// Its digest.
    pub digest: Digest,
    /// Who proposed it; zero: whoever made the ledger.
    pub proposer: PrincipalId,
    /// The event.
    pub by: EventRef,
    /// When it was recorded.
    pub recorded_at: Micros,
    /// Published or turned down.
    pub settled: bool,
}

/// A version that was approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Which law.
    pub law: LawKind,
    /// Its number.
    pub version: u32,
    /// What it says.
    pub draft: Arc<LawDraft>,
    /// Its digest.
    pub digest: Digest,
    /// Who proposed it; zero: whoever made the ledger.
    pub proposer: PrincipalId,
    /// Who approved it; zero: whoever made the ledger.
    pub approver: PrincipalId,
    /// The proposal's event.
    pub proposal: EventRef,
    /// The approval's event.
    pub by: EventRef,
    /// When the approval was recorded: known from here on.
    pub recorded_at: Micros,
}

/// What may be taken as known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Known {
    /// Everything recorded.
    #[default]
    Now,
    /// What stood in the ledger up to this position.
    Position(Position),
    /// What was recorded by this instant.
    Recorded(Micros),
}

impl Published {
    /// Whether it was known.
    pub fn known(&self, known: Known) -> bool {
        match known {
            Known::Now => true,
            Known::Position(at) => self.by.position.is_some_and(|position| position <= at),
            Known::Recorded(at) => self.recorded_at <= at,
        }
    }
}

/// Every version of every law.
#[derive(Debug, Clone, Default)]
pub struct LawBook {
    proposals: Vec<Proposal>,
    published: Vec<Arc<Published>>,
}

impl LawBook {
    /// Takes in an event of a law's stream; others say nothing here.
    pub fn learn(&mut self, recorded: &Recorded<'_>) {
        match recorded.event {
            Event::LawProposed(facts) => self.proposals.push(Proposal {
                law: facts.law,
                version: facts.version,
                draft: Arc::new(facts.draft.clone()),
                digest: facts.digest,
                proposer: facts.proposer,
                by: recorded.as_ref(),
                recorded_at: recorded.recorded_at,
                settled: false,
            }),
            Event::LawRejected(facts) => {
                if let Some(proposal) = self.open_mut(facts.law, facts.version) {
                    proposal.settled = true;
                }
            }
            event => {
                if let Some((law, version, approver)) = event.published_law() {
                    self.publish(law, version, approver, recorded);
                }
            }
        }
    }

    fn publish(
        &mut self,
        law: LawKind,
        version: u32,
        approver: PrincipalId,
        recorded: &Recorded<'_>,
    ) {
        let Some(proposal) = self.open_mut(law, version) else {
            return;
        };
        proposal.settled = true;
        let published = Published {
            law,
            version,
            draft: Arc::clone(&proposal.draft),
            digest: proposal.digest,
            proposer: proposal.proposer,
            approver,
            proposal: proposal.by,
            by: recorded.as_ref(),
            recorded_at: recorded.recorded_at,
        };
        self.published.push(Arc::new(published));
    }

    fn open_mut(&mut self, law: LawKind, version: u32) -> Option<&mut Proposal> {
        self.proposals
            .iter_mut()
            .find(|known| known.law == law && known.version == version && !known.settled)
    }

    /// Every proposal in the order they were made.
    pub fn proposals(&self) -> &[Proposal] {
        &self.proposals
    }

    /// A proposal that nobody decided on yet.
    pub fn open(&self, law: LawKind, version: u32) -> Option<&Proposal> {
        self.proposals
            .iter()
            .find(|known| known.law == law && known.version == version && !known.settled)
    }

    /// Every published version in the order they were approved.
    pub fn published(&self) -> impl Iterator<Item = &Arc<Published>> {
        self.published.iter()
    }

    /// One published version.
    pub fn version(&self, law: LawKind, version: u32) -> Option<&Arc<Published>> {
        self.published
            .iter()
            .find(|known| known.law == law && known.version == version)
    }

    /// The number of the next version.
    pub fn next_version(&self, law: LawKind) -> u32 {
        let versions = self.proposals.iter().filter(|known| known.law == law);
        versions
            .map(|known| known.version)
            .max()
            .unwrap_or(0)
            .saturating_add(1)
    }

    /// The version in force at an instant, as known then: of those that cover it, the one that began last.
    pub fn in_force(&self, law: LawKind, at: Micros, known: Known) -> Option<&Arc<Published>> {
        self.published
            .iter()
            .filter(|version| version.law == law && version.known(known))
            .filter(|version| version.draft.terms.covers(at))
            .max_by_key(|version| (version.draft.terms.effective_from, version.version))
    }

    /// All that is in force at an instant, and for how long it stays so.
    pub fn edition(&self, at: Micros, known: Known) -> Edition {
        let mut edition = Edition::default();
        for law in LawKind::ALL {
            if let (Some(slot), Some(version)) = (
                edition.slots.get_mut(*law as usize),
                self.in_force(*law, at, known),
            ) {
                *slot = Some(Arc::clone(version));
            }
        }
        for version in self.published.iter().filter(|version| version.known(known)) {
            let terms = &version.draft.terms;
            for turn in [Some(terms.effective_from), terms.effective_to]
                .into_iter()
                .flatten()
            {
                if turn <= at {
                    edition.from = edition.from.max(turn);
                } else {
                    edition.until = edition.until.min(turn);
                }
            }
        }
        edition
    }
}

/// What is in force at an instant, of every kind. Where nothing is, the built-in values hold (version
/// 0): no service, no holiday, every document kind, sites since the first issuance.
#[derive(Debug, Clone)]
pub struct Edition {
    slots: [Option<Arc<Published>>; LawKind::ALL.len()],
    /// First instant of it.
    pub from: Micros,
    /// First instant at which something else is in force.
    pub until: Micros,
}

impl Default for Edition {
    fn default() -> Self {
        Self {
            slots: [const { None }; LawKind::ALL.len()],
            from: Micros(i64::MIN),
            until: Micros(i64::MAX),
        }
    }
}

static POLICY: LazyLock<Policy> = LazyLock::new(Policy::default);
static DOCUMENTS: LazyLock<DocumentKinds> = LazyLock::new(|| DocumentKinds {
    kinds: DocumentKind::ALL
        .iter()
        .map(|kind| DocumentRule {
            id: String::new(),
            links: Some(*kind),
            vi: String::new(),
            en: String::new(),
            effective_from: None,
            effective_to: None,
        })
        .collect(),
});
static CALENDAR: Calendar = Calendar {
    holidays: Vec::new(),
};
static PROVINCES: ProvinceCodes = ProvinceCodes { codes: Vec::new() };
static MESSAGES: MessageCatalogue = MessageCatalogue {
    messages: Vec::new(),
    refusals: Vec::new(),
};
static SITES: IntakeSites = IntakeSites {
    unlisted_from: Some(FIRST_ISSUANCE),
    sites: Vec::new(),
};

/// Makes the typed accessors.
macro_rules! slots {
    ($( $(#[$doc:meta])* $name:ident: $kind:ident -> $content:ty = $default:expr; )*) => {
        $(
            $(#[$doc])*
            pub fn $name(&self) -> &$content {
                match self.get(LawKind::$kind).map(|version| &version.draft.content) {
                    Some(LawContent::$kind(content)) => content,
                    _ => $default,
                }
            }
        )*
    };
}

impl Edition {
    /// The same with another content of its kind, as if it had been published.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn with(mut self, content: LawContent) -> Self {
        let (law, nothing) = (
            content.kind(),
            EventRef {
                event: crate::ids::EventId::ZERO,
                revision: crate::ids::Revision(0),
                position: None,
            },
        );
        let version = self.version(law).max(1);
        let terms = super::LawTerms {
            name: "test".to_owned(),
            effective_from: self.from,
            effective_to: None,
            basis: super::LegalBasis {
                text: String::new(),
                id: String::new(),
            },
            jurisdiction: "VN".to_owned(),
            confidence: super::Confidence::Law,
        };
        let published = Published {
            law,
            version,
            draft: Arc::new(LawDraft { terms, content }),
            digest: Digest::ZERO,
            proposer: PrincipalId::ZERO,
            approver: PrincipalId::ZERO,
            proposal: nothing,
            by: nothing,
            recorded_at: self.from,
        };
        if let Some(slot) = self.slots.get_mut(law as usize) {
            *slot = Some(Arc::new(published));
        }
        self
    }

    /// The version in force of a kind.
    pub fn get(&self, law: LawKind) -> Option<&Arc<Published>> {
        self.slots.get(law as usize).and_then(Option::as_ref)
    }

    /// Its number; 0: none.
    pub fn version(&self, law: LawKind) -> u32 {
        self.get(law).map_or(0, |version| version.version)
    }

    /// Whether it holds at an instant.
    pub fn holds(&self, at: Micros) -> bool {
        self.from <= at && at < self.until
    }

    /// The services; `None`: no catalogue is in force.
    pub fn catalogue(&self) -> Option<&Catalogue> {
        match self
            .get(LawKind::Catalogue)
            .map(|version| &version.draft.content)
        {
            Some(LawContent::Catalogue(content)) => Some(content),
            _ => None,
        }
    }

    /// A message's text: as published, or the program's own where the published catalogue lacks it.
    pub fn message_text(&self, message: Message, lang: Lang) -> &str {
        let published = self.messages().message(message_id(message), lang);
        published.unwrap_or_else(|| message_text(message, lang))
    }

    /// A refusal's text, likewise.
    pub fn refusal_text(&self, code: RefusalCode, lang: Lang) -> &str {
        let published = self.messages().refusal(refusal_code(code), lang);
        published.unwrap_or_else(|| refusal_text(code, lang))
    }

    slots! {
        /// Policy values.
        policy: Policy -> Policy = &POLICY;
        /// Province codes.
        provinces: Provinces -> ProvinceCodes = &PROVINCES;
        /// Texts.
        messages: Messages -> MessageCatalogue = &MESSAGES;
        /// Document kinds.
        documents: Documents -> DocumentKinds = &DOCUMENTS;
        /// Public holidays.
        calendar: Calendar -> Calendar = &CALENDAR;
        /// Intake sites.
        sites: Sites -> IntakeSites = &SITES;
    }
}
