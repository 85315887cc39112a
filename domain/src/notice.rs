//! What a holder is told because of an event: message, dossier, and whose address it goes to.
//!
//! A list, nothing else: the read model of notices is folded from it, so that what is to be told
//! follows from the events alone. One-time codes are not in it: they are never stored, and go out
//! with the command that made them. Holds nothing personal.

use crate::event::Event;
use crate::ids::CaseId;
use crate::vocabulary::{LockGround, Message, UnbindReason};

/// What is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// What.
    pub message: Message,
    /// The dossier whose result it is; its receipt is recorded as `ResultNotified`.
    pub case: Option<CaseId>,
    /// To the address the holder had before the event, instead of the one they have.
    pub to_former: bool,
}

/// What an event makes the holder be told, if anything.
pub const fn told(event: &Event) -> Option<Told> {
    let (message, case) = match event {
        Event::AccountIssued(facts) => (Message::IssuanceResult, Some(facts.case)),
        Event::ApplicationRefused(facts) => (Message::IssuanceResult, Some(facts.case)),
        Event::ActivationWindowExpired(_) => (Message::ActivationWindowEnded, None),
        Event::PhoneChanged(_) => (Message::PhoneChanged, None),
        Event::DeviceUnbound(facts) => match facts.reason {
            UnbindReason::AccountClosed => return None,
            _ => (Message::DeviceChanged, None),
        },
        Event::AccountLocked(facts) => match facts.ground {
            LockGround::Death => return None,
            _ => (Message::LockChanged, None),
        },
        Event::LockGroundRemoved(_) => (Message::LockChanged, None),
        Event::LockRequestRefused(_) => (Message::LockRequestRefused, None),
        Event::ServiceNoticeGiven(facts) => (facts.message, None),
        _ => return None,
    };
    Some(Told {
        message,
        case,
        to_former: matches!(event, Event::PhoneChanged(_)),
    })
}
