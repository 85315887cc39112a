//! `StateSealed` events: what the ledger states of its own state.
//!
//! Owns their stream and that each follows the one its writer knew: of two servers that state the same
//! thing, one appends and the other is told so. What is stated comes from the read models; nothing here
//! looks at them.

use crate::ledger::Ledger;
use crate::store::{AppendError, Expected};
use crate::writer::assemble::Draft;
use crate::writer::{self, LedgerError};
use domain::command::NewEvent;
use domain::event::{Event, StateSealed};
use domain::ids::{Category, Digest, Micros, Position, Revision, StreamId};
use domain::record::{RecordRef, open_event};

/// The stream of all `StateSealed` events.
pub const STREAM: StreamId = StreamId::single(Category::StateSeals);

/// A `StateSealed` event as it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateSeal {
    /// Where.
    pub position: Position,
    /// When it was recorded.
    pub recorded_at: Micros,
    /// What it states.
    pub facts: StateSealed,
    revision: Revision,
    link: Digest,
}

impl Ledger {
    /// The newest `StateSealed` event, if there is any.
    pub async fn last_state_seal(&self) -> Result<Option<StateSeal>, LedgerError> {
        let Some(head) = self.store().stream_head(STREAM).await? else {
            return Ok(None);
        };
        let page = self.store().read_stream(STREAM, head.revision, 1).await?;
        let Some(record) = page.first() else {
            return Ok(None);
        };
        let taken = RecordRef::parse(&record.bytes)?;
        let envelope = taken.open_envelope()?;
        let Event::StateSealed(facts) = open_event(&envelope)? else {
            return Ok(None);
        };
        Ok(Some(StateSeal {
            position: record.position,
            recorded_at: envelope.recorded_at,
            facts,
            revision: record.revision,
            link: taken.link(),
        }))
    }

    /// States something after the `StateSealed` event that is known to be the newest. Where it stands;
    /// `None`: somebody else has stated something meanwhile.
    pub async fn seal_state(
        &self,
        after: Option<&StateSeal>,
        facts: StateSealed,
    ) -> Result<Option<Position>, LedgerError> {
        self.gate().pass()?;
        let draft = Draft::of_ledger(self.assembler(), STREAM);
        let events = vec![NewEvent {
            event: facts.into(),
            sealed: Vec::new(),
            happened: None,
        }];
        let expected = after.map_or(Expected::NoStream, |after| {
            Expected::Revision(after.revision)
        });
        let link = after.map_or(Digest::ZERO, |after| after.link);
        let keys = self.assembler().prepare_keys(&draft, &events).await?;
        let signed = self
            .assembler()
            .sign_all(&draft, expected, link, &keys, events)?;
        let store = self.store().as_ref();
        match writer::append_surely(store, STREAM, expected, signed.records).await {
            Ok(appended) => Ok(Some(appended.last)),
            Err(AppendError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
