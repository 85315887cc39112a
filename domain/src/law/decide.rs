//! Who may make law, and when it is refused (spec A.8, `PublishPolicy` / `PublishCatalogue`): one
//! principal of the authority proposes, another approves.

use super::{LawBook, LawDraft};
use crate::envelope::{Actor, Receipt, Refused};
use crate::event::{
    CalendarPublished, CommandRejected, DocumentKindsPublished, Event, IntakeSitesPublished,
    LawProposed, LawRejected, MessageCataloguePublished, PolicyPublished, ProvinceCodesPublished,
    ServiceCataloguePublished,
};
use crate::ids::{Digest, EventId, Micros, PrincipalId};
use crate::vocabulary::{CommandKind, Guard, LawKind, RefusalCode, Role};
use std::sync::Arc;

/// What can be asked of a law's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LawOrder {
    /// A new version, with the digest its proposer signed.
    Propose {
        /// What it says.
        draft: Arc<LawDraft>,
        /// What was signed.
        digest: Digest,
    },
    /// It shall be law.
    Approve {
        /// Which law.
        law: LawKind,
        /// Which version.
        version: u32,
        /// What was signed.
        digest: Digest,
    },
    /// It shall not.
    Reject {
        /// Which law.
        law: LawKind,
        /// Which version.
        version: u32,
    },
}

impl LawOrder {
    /// Which law it is about.
    pub fn law(&self) -> LawKind {
        match self {
            Self::Propose { draft, .. } => draft.kind(),
            Self::Approve { law, .. } | Self::Reject { law, .. } => *law,
        }
    }

    /// Which command it is.
    pub fn kind(&self) -> CommandKind {
        match self {
            Self::Propose { .. } => CommandKind::ProposeLaw,
            Self::Approve {
                law: LawKind::Policy,
                ..
            } => CommandKind::PublishPolicy,
            Self::Approve {
                law: LawKind::Catalogue,
                ..
            } => CommandKind::PublishCatalogue,
            Self::Approve { .. } => CommandKind::PublishLaw,
            Self::Reject { .. } => CommandKind::RejectLaw,
        }
    }
}

/// What a decision depends on besides the law itself.
pub struct LawContext<'a> {
    /// When it is recorded.
    pub now: Micros,
    /// Who asks.
    pub actor: Actor,
    /// Every version so far.
    pub book: &'a LawBook,
    /// The ledger is being made and nobody is enrolled yet: whoever makes it lays down its first law.
    pub founding: bool,
    /// Whether the actor signs with the key of this principal.
    pub same_key_as: &'a dyn Fn(PrincipalId) -> bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LawDecision {
    /// Guards.
    pub receipt: Receipt,
    /// The event.
    pub event: Event,
    /// The version it is about; 0: none.
    pub version: u32,
}

type Verdict<T = ()> = Result<T, (Guard, RefusalCode)>;

/// Decides one order. A refusal is an event too.
pub fn decide_law(order: &LawOrder, context: &LawContext<'_>) -> LawDecision {
    let mut bench = Bench {
        context,
        passed: Vec::new(),
    };
    let verdict = match order {
        LawOrder::Propose { draft, digest } => bench.propose(draft, *digest),
        LawOrder::Approve {
            law,
            version,
            digest,
        } => bench.approve(*law, *version, *digest),
        LawOrder::Reject { law, version } => bench.reject(*law, *version),
    };
    let refused = verdict.as_ref().err().map(|(guard, code)| Refused {
        guard: *guard,
        code: *code,
        message: None,
    });
    let version = match order {
        LawOrder::Propose { .. } => context.book.next_version(order.law()),
        LawOrder::Approve { version, .. } | LawOrder::Reject { version, .. } => *version,
    };
    let event = verdict.unwrap_or_else(|(guard, code)| {
        let (command, message, challenge) = (order.kind(), None, None);
        CommandRejected {
            command,
            guard,
            code,
            message,
            challenge,
        }
        .into()
    });
    LawDecision {
        receipt: Receipt {
            command: order.kind(),
            passed: bench.passed,
            refused,
            law: Vec::new(),
            answers: Vec::new(),
        },
        event,
        version: if refused.is_some() { 0 } else { version },
    }
}

struct Bench<'a, 'b> {
    context: &'a LawContext<'b>,
    passed: Vec<Guard>,
}

impl Bench<'_, '_> {
    fn guard(&mut self, guard: Guard, holds: bool, code: RefusalCode) -> Verdict {
        if holds {
            self.passed.push(guard);
            Ok(())
        } else {
            Err((guard, code))
        }
    }

    fn propose(&mut self, draft: &LawDraft, digest: Digest) -> Verdict<Event> {
        self.role()?;
        let well = draft.check().is_ok() && draft.digest().is_ok_and(|made| made == digest);
        self.guard(Guard::LawForm, well, RefusalCode::LawMalformed)?;
        self.dates(draft)?;
        Ok(LawProposed {
            law: draft.kind(),
            version: self.context.book.next_version(draft.kind()),
            digest,
            proposer: self.context.actor.principal,
            draft: draft.clone(),
        }
        .into())
    }

    fn approve(&mut self, law: LawKind, version: u32, digest: Digest) -> Verdict<Event> {
        self.role()?;
        let book = self.context.book;
        let open = book.open(law, version);
        self.guard(
            Guard::ProposalOpen,
            open.is_some(),
            RefusalCode::LawNotProposed,
        )?;
        let Some(proposal) = open else {
            return Err((Guard::ProposalOpen, RefusalCode::LawNotProposed));
        };
        self.guard(
            Guard::ProposalSame,
            proposal.digest == digest,
            RefusalCode::LawDiffers,
        )?;
        if !self.context.founding {
            let proposer = proposal.proposer;
            let other =
                proposer != self.context.actor.principal && !(self.context.same_key_as)(proposer);
            self.guard(Guard::FourEyes, other, RefusalCode::SamePersonApproves)?;
        }
        // Time has passed and other versions may have come since it was proposed.
        self.dates(&proposal.draft)?;
        let approver = self.context.actor.principal;
        Ok(published(
            law,
            version,
            (proposal.by.event, digest),
            (proposal.proposer, approver),
        ))
    }

    fn reject(&mut self, law: LawKind, version: u32) -> Verdict<Event> {
        self.role()?;
        let open = self.context.book.open(law, version).is_some();
        self.guard(Guard::ProposalOpen, open, RefusalCode::LawNotProposed)?;
        let by = self.context.actor.principal;
        Ok(LawRejected { law, version, by }.into())
    }

    fn role(&mut self) -> Verdict {
        let may = match self.context.actor.role {
            Role::EidAuthority => true,
            Role::Operator => self.context.founding,
            _ => false,
        };
        self.guard(Guard::RoleAllowed, may, RefusalCode::RoleNotAllowed)
    }

    /// Not into the past without a ground that says so, and not over another version.
    fn dates(&mut self, draft: &LawDraft) -> Verdict {
        let terms = &draft.terms;
        let backdated = terms.effective_from < self.context.now;
        let based = !terms.basis.id.is_empty() && !terms.basis.text.trim().is_empty();
        let may = !backdated || based;
        self.guard(Guard::LegalBasis, may, RefusalCode::BackdatedWithoutBasis)?;
        let over = self
            .context
            .book
            .published()
            .any(|known| known.law == draft.kind() && overlap(draft, &known.draft));
        self.guard(Guard::NoOverlap, !over, RefusalCode::LawOverlaps)
    }
}

/// Whether a new version lies over a published one. An open one gives way to what begins later; what
/// began later, and a period that was named, is not touched.
fn overlap(new: &LawDraft, old: &LawDraft) -> bool {
    let (new, old) = (&new.terms, &old.terms);
    let reaches = new.effective_to.is_none_or(|to| to > old.effective_from);
    match old.effective_to {
        None => new.effective_from <= old.effective_from && reaches,
        Some(end) => new.effective_from < end && reaches,
    }
}

fn published(
    law: LawKind,
    version: u32,
    (proposal, digest): (EventId, Digest),
    (proposer, approver): (PrincipalId, PrincipalId),
) -> Event {
    macro_rules! event {
        ($name:ident) => {
            $name {
                version,
                proposal,
                digest,
                proposer,
                approver,
            }
            .into()
        };
    }
    match law {
        LawKind::Policy => event!(PolicyPublished),
        LawKind::Catalogue => event!(ServiceCataloguePublished),
        LawKind::Provinces => event!(ProvinceCodesPublished),
        LawKind::Messages => event!(MessageCataloguePublished),
        LawKind::Documents => event!(DocumentKindsPublished),
        LawKind::Calendar => event!(CalendarPublished),
        LawKind::Sites => event!(IntakeSitesPublished),
    }
}

impl Event {
    /// Which law, which version and who approved it, where this publishes one.
    pub const fn published_law(&self) -> Option<(LawKind, u32, PrincipalId)> {
        macro_rules! facts {
            ($kind:ident, $facts:expr) => {
                Some((LawKind::$kind, $facts.version, $facts.approver))
            };
        }
        match self {
            Self::PolicyPublished(facts) => facts!(Policy, facts),
            Self::ServiceCataloguePublished(facts) => facts!(Catalogue, facts),
            Self::ProvinceCodesPublished(facts) => facts!(Provinces, facts),
            Self::MessageCataloguePublished(facts) => facts!(Messages, facts),
            Self::DocumentKindsPublished(facts) => facts!(Documents, facts),
            Self::CalendarPublished(facts) => facts!(Calendar, facts),
            Self::IntakeSitesPublished(facts) => facts!(Sites, facts),
            _ => None,
        }
    }
}
