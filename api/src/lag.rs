//! What a read says of its own age.
//!
//! A server of several may lie behind the others, and one whose event server is away cannot know how far.
//! `/readyz` takes it out of service; whoever reads from it all the same is told in a header. It must
//! never hold a read up.

use crate::state::Api;
use axum::http::{HeaderName, HeaderValue};

/// How many events the answer may lack, or `unknown` while the event server cannot be read. Not sent by
/// a server that is up to date, as `/readyz` understands it.
pub const LAG: HeaderName = HeaderName::from_static("idledger-lag");

/// What to say of a read that begins now, if anything.
pub async fn now(api: &Api) -> Option<HeaderValue> {
    let store = api.ledger().store();
    if store.trouble().is_some() {
        return Some(HeaderValue::from_static("unknown"));
    }
    let length = store.length().await.ok()?;
    let names = projections::Views::NAMES.into_iter();
    let visible = names.filter_map(|name| api.views().visible(name).ok());
    let lag = length.saturating_sub(visible.min()?);
    (lag > api.config().ready_lag_max).then(|| HeaderValue::from(lag))
}
