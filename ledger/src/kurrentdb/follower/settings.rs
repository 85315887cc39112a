//! What a stream's settings on the server do to its events. Judges the settings, touches none.

use super::super::pages::{Found, Part};
use super::{Failure, Follower};
use crate::remote::StreamHazard;
use crate::store::StoreError;
use domain::ids::StreamId;

impl Follower {
    /// Settings that lose events stop everything while they stand; settings that were corrected
    /// since do not, for a loss would show itself as a hole.
    pub(super) async fn check_settings(
        &mut self,
        stream: StreamId,
        event: &Found,
    ) -> Result<(), Failure> {
        if hazard_in(&event.bytes).is_none() {
            return Ok(());
        }
        let name = format!("$${}", self.shared.names.of(stream));
        let now = self
            .shared
            .connection
            .page_of_stream(name, Part::Last, 1, self.shared.call_timeout)
            .await?;
        let settings = now.and_then(|page| page.events.into_iter().next());
        match settings.and_then(|event| hazard_in(&event.bytes)) {
            None => Ok(()),
            Some(hazard) => Err(StoreError::Unsafe { stream, hazard }.into()),
        }
    }
}

/// What in a stream's settings loses events.
pub(super) fn hazard_in(settings: &[u8]) -> Option<StreamHazard> {
    let settings: serde_json::Value = serde_json::from_slice(settings).ok()?;
    let set = |name: &str| settings.get(name).is_some_and(|value| !value.is_null());
    if set("$maxCount") {
        Some(StreamHazard::MaxCount)
    } else if set("$maxAge") {
        Some(StreamHazard::MaxAge)
    } else if set("$tb") && settings.get("$tb").and_then(serde_json::Value::as_u64) != Some(0) {
        Some(StreamHazard::TruncateBefore)
    } else {
        None
    }
}
