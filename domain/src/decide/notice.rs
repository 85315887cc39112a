//! What became of a notice: left, received, or given up (spec P6, E.4).

use super::judge::{Judge, Verdict};
use super::outcome::notified;
use crate::event::{NoticeDelivered, NoticeFailed, NoticeSent};
use crate::ids::{CaseId, EventId, Micros};
use crate::vocabulary::{Channel, Guard, Message, NoticeFault, RefusalCode, Role};

/// It left, by this channel.
#[allow(
    clippy::unnecessary_wraps,
    reason = "a rule like the others, to whoever routes"
)]
pub(super) fn sent(
    judge: &mut Judge<'_, '_>,
    notice: EventId,
    message: Message,
    (channel, attempts): (Channel, u16),
) -> Verdict {
    judge.record(NoticeSent {
        notice,
        message,
        channel,
        attempts,
    });
    Ok(())
}

/// It was received. Of a result, the first receipt starts the seven days.
pub(super) fn delivered(
    judge: &mut Judge<'_, '_>,
    notice: EventId,
    case: Option<CaseId>,
    channel: Channel,
    received_at: Micros,
) -> Verdict {
    // A citizen says of the app alone what they have seen.
    let own = judge.role() != Role::Citizen || channel == Channel::App;
    judge.guard(Guard::RoleAllowed, own, RefusalCode::RoleNotAllowed)?;
    let opened = judge.account.opened_at.unwrap_or(received_at);
    let received_at = received_at.max(opened).min(judge.context.now);
    judge.record(NoticeDelivered {
        notice,
        channel,
        received_at,
    });
    let account = judge.account;
    let dossier = case.and_then(|case| account.case(case));
    if let Some(dossier) = dossier.filter(|d| d.state.is_decided() && !d.notified) {
        notified(judge, dossier, channel, received_at);
    }
    Ok(())
}

/// A channel was given up. `last`: there is no other to try.
#[allow(
    clippy::unnecessary_wraps,
    reason = "a rule like the others, to whoever routes"
)]
pub(super) fn failed(
    judge: &mut Judge<'_, '_>,
    notice: EventId,
    channel: Channel,
    fault: NoticeFault,
    (attempts, last): (u16, bool),
) -> Verdict {
    judge.record(NoticeFailed {
        notice,
        channel,
        fault,
        attempts,
        last,
    });
    Ok(())
}
