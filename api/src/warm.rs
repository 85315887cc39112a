//! What a restart must not forget: nonces that could still be replayed, and idempotency keys lately
//! used. Both stand in the newest events, so they are read back from there before serving.

use crate::problem::Problem;
use crate::signature::{SIGNATURE_SKEW_S, nonce_of_base};
use crate::state::Api;
use domain::envelope::Evidence;
use domain::ids::{Micros, Position};
use domain::record::RecordRef;
use ledger::store::PAGE_RECORDS_MAX;
use ledger::writer::LedgerError;

/// Newest events that are looked at: bounds the start to a fraction of a second.
pub const EVENTS_MAX: u64 = 131_072;

/// Reads them back.
pub async fn warm(api: &Api) -> Result<(), Problem> {
    let store = api.ledger().store();
    let length = store.length().await?;
    let now_s = api.now().0.div_euclid(Micros::SECOND);
    let mut next = length.saturating_sub(EVENTS_MAX);
    while next < length {
        let page = store.read_all(Position(next), PAGE_RECORDS_MAX).await?;
        let Some(last) = page.last() else { break };
        next = last.position.0 + 1;
        for record in &page {
            let parsed = RecordRef::parse(&record.bytes).map_err(LedgerError::from)?;
            let envelope = parsed.open_envelope().map_err(LedgerError::from)?;
            // Only the first event of a command carries its proof and receipt.
            if envelope.receipt.is_none() {
                continue;
            }
            api.remembered()
                .learn(envelope.command, envelope.correlation);
            let recorded_s = envelope.recorded_at.0.div_euclid(Micros::SECOND);
            if recorded_s + 2 * SIGNATURE_SKEW_S < now_s {
                continue;
            }
            if let Evidence::HttpRequest { base, .. } = &envelope.evidence
                && let Some((key, nonce)) = nonce_of_base(base)
            {
                api.nonces().consume(key, &nonce, now_s);
            }
        }
    }
    Ok(())
}
