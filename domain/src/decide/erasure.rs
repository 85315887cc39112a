//! Erasure by retention class (spec B.5). Account data are kept for ever, usage for five years.

use super::judge::{Judge, Verdict};
use super::level2::staff_active;
use crate::event::{ErasureApproved, ErasureRefused, SubjectKeyDestroyed};
use crate::ids::Micros;
use crate::vocabulary::{Guard, Message, RefusalCode, RetentionClass};

/// Usage history is kept for five years from the time of use (Decree 59 art. 21): 5 × 365 days and
/// two leap days at most.
const USAGE_KEPT: i64 = (5 * 365 + 2) * Micros::DAY;

/// Approved and carried out in one, or refused with its basis. The writer destroys the key once
/// `SubjectKeyDestroyed` is durable.
pub(super) fn request(judge: &mut Judge<'_, '_>, class: RetentionClass) -> Verdict {
    staff_active(judge)?;
    let allowed = is_allowed(judge, class);
    if !allowed {
        judge.record(ErasureRefused {
            class,
            basis: Message::KeptByLaw,
        });
    }
    judge.guard(
        Guard::RetentionAllows,
        allowed,
        RefusalCode::RetentionForbids,
    )?;
    judge.record(ErasureApproved { class });
    judge.record(SubjectKeyDestroyed { class });
    Ok(())
}

fn is_allowed(judge: &Judge<'_, '_>, class: RetentionClass) -> bool {
    let account = judge.account;
    let kept = !account.erased.contains(&class);
    match class {
        RetentionClass::Permanent => false,
        // Sealed usage data are those of devices: nothing of a bound one is taken away.
        RetentionClass::Usage => {
            let last = account.last_used_at.or(account.opened_at);
            let over = last.is_some_and(|last| judge.context.now >= last.plus(USAGE_KEPT));
            kept && over && account.device.is_none()
        }
        // What a procedure under way still needs stays.
        RetentionClass::Short => {
            kept && account.phone_change.is_none()
                && account.device_change.is_none()
                && account.open_case().is_none()
        }
    }
}
