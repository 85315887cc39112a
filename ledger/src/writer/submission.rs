//! What goes into the writer and what comes out.

use crate::evidence::Proven;
use domain::command::Command;
use domain::envelope::{Actor, Refused};
use domain::ids::{
    AccountId, CaseId, ChallengeId, CommandId, CorrelationId, Digest, EventId, Micros, Position,
    Revision, Signature, StreamId,
};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Which account a command is for.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// The person in the command; their account if they have one, else a new one.
    New,
    /// This account.
    Account(AccountId),
    /// Whoever has this number. With a phone, both must be right.
    Find {
        /// Twelve digits.
        personal_id: String,
        /// E.164; of an account that is reached by e-mail alone, that address.
        phone: Option<String>,
    },
}

/// Secrets that come with a command. Checked outside the rules, never stored in an event.
#[derive(Clone, Default, Zeroize, ZeroizeOnDrop)]
pub struct Secrets {
    /// A one-time code.
    pub otp: Option<String>,
    /// A password, new or to be checked.
    pub password: Option<String>,
    /// A passcode, new or to be checked.
    pub passcode: Option<String>,
    /// Answers to the security questions, in their order.
    pub answers: Vec<String>,
    /// What was read from a card's chip: personal, and proved before it counts.
    pub chip: Option<crate::chip::ChipRead>,
    /// Whether another second proof (chip read, in person) was checked and good.
    pub step_up: Option<bool>,
}

/// One command to carry out.
#[derive(Clone)]
pub struct Submission {
    /// What.
    pub command: Command,
    /// For whom.
    pub target: Target,
    /// The command's id: submitting it again answers instead of doing it again.
    pub command_id: CommandId,
    /// What it belongs to; the command itself if nothing.
    pub correlation: Option<CorrelationId>,
    /// Who asks.
    pub actor: Actor,
    /// Their proof.
    pub proven: Proven,
    /// The account's revision the caller saw.
    pub expected: Option<Revision>,
    /// When it happened, if not now.
    pub occurred_at: Option<Micros>,
    /// Secrets.
    pub secrets: Secrets,
}

/// One recorded event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Where.
    pub position: Position,
    /// Number in the stream.
    pub revision: Revision,
    /// Its id.
    pub event_id: EventId,
    /// Its kind.
    pub kind: u16,
}

/// What became of a command. Durable when it is returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The account, if there is one.
    pub account: Option<AccountId>,
    /// The stream that holds the events.
    pub stream: StreamId,
    /// Why it was refused, if it was. A refusal is recorded too.
    pub refused: Option<Refused>,
    /// The events, in order.
    pub events: Vec<RecordedEvent>,
    /// Position of the last one.
    pub position: Position,
    /// Revision of the last one.
    pub revision: Revision,
    /// Link of the last one.
    pub link: Digest,
    /// The ledger's signature on the last one.
    pub signature: Signature,
    /// This command id was carried out before; this is what became of it then.
    pub repeated: bool,
    /// A challenge that was opened.
    pub challenge: Option<ChallengeId>,
    /// The event that verified a one-time code: what a session is opened with.
    pub verified: Option<EventId>,
    /// The dossier the command was about or opened.
    pub case: Option<CaseId>,
    /// The document link the command was about or made.
    pub document: Option<domain::ids::DocumentId>,
    /// A share that was granted, and the instant from which it is no longer good.
    pub share: Option<(domain::ids::ShareId, Micros)>,
    /// A request to lock or unlock that was made.
    pub lock_request: Option<domain::ids::RequestId>,
    /// What a relying party is shown, the first time only.
    pub shared: Option<super::SharedValues>,
}
