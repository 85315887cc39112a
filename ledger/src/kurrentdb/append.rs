//! An append, and what became of it.
//!
//! The server answers *written*, *the stream is elsewhere*, *no*, or not at all. Not at all means
//! maybe; then the same append is asked for again with the same event ids and the same expectation,
//! which the server answers as if it were the first time. Only when the deadline passes without any
//! answer is the outcome uncertain. A stream that is elsewhere may be there because of this very
//! append, now or days ago: the ids at its place tell. Owns that reasoning; must never say *failed*
//! after any attempt that may have been written.
//!
//! ```text
//! attempt ── written ─────────────────────────────▶ positions
//!    │  └─── elsewhere ─▶ same ids at the place? ─▶ positions │ conflict
//!    ├─ certainly not, and will not be ────────────▶ failed (uncertain after a maybe)
//!    └─ certainly not (other leader) │ maybe (timeout, lost) ─▶ again, until the deadline
//! ```

use super::Kurrent;
use super::connection::{Backoff, Trouble, server};
use super::names::event_of;
use super::numbering::{LogPlace, folded};
use super::pages::{Found, Part, REVISION_MAX};
use crate::memory::check_append;
use crate::remote::{ServerFault, StreamHazard};
use crate::store::{AppendError, Appended, Expected, NewRecord, StoreError};
use domain::ids::{EventId, Position, Revision, StreamId};
use kurrentdb::{AppendToStreamOptions, CurrentRevision, Error, StreamState, WriteResult};
use tokio::time::Instant;

/// An append under way.
struct Append {
    stream: StreamId,
    expected: Expected,
    records: Vec<NewRecord>,
    ids: Vec<EventId>,
    until: Instant,
    /// An attempt may have been written.
    maybe: bool,
}

impl Append {
    fn first(&self) -> u64 {
        self.expected.first_revision().0
    }

    fn last(&self) -> u64 {
        self.first().saturating_add(self.ids.len() as u64 - 1)
    }

    /// What an error means after what was tried so far.
    fn ends(&self, error: StoreError) -> AppendError {
        if self.maybe {
            AppendError::Uncertain(error)
        } else {
            AppendError::Failed(error)
        }
    }

    fn conflict(&self, current: Option<u64>) -> AppendError {
        AppendError::Conflict {
            stream: self.stream,
            expected: self.expected,
            current: current.map(Revision),
        }
    }
}

impl Kurrent {
    pub(super) async fn append_now(
        &self,
        stream: StreamId,
        expected: Expected,
        records: Vec<NewRecord>,
    ) -> Result<Appended, AppendError> {
        check_append(&records).map_err(AppendError::Failed)?;
        let until = Instant::now() + self.deadline;
        let mut append = Append {
            stream,
            expected,
            ids: records.iter().map(|record| record.event_id).collect(),
            records,
            until,
            maybe: false,
        };
        let Ok(Ok(_permit)) = tokio::time::timeout_at(until, self.in_flight.acquire()).await else {
            return Err(append.ends(server(ServerFault::Slow, "too many appends are under way")));
        };
        self.going().map_err(|error| append.ends(error))?;
        if append.last() > REVISION_MAX {
            // The server would read such a revision as a word of its own.
            return self.elsewhere(&append, None).await;
        }
        let mut backoff = Backoff::new();
        loop {
            let trouble = match self.attempt(&append).await {
                Ok(written) => return self.positions(&append, &written).await,
                Err(Trouble::Client(Error::WrongExpectedVersion { current, .. })) => {
                    return self.elsewhere(&append, Some(current)).await;
                }
                Err(trouble) => trouble,
            };
            append.maybe |= !trouble.is_before_any_write();
            let goes_on = trouble.passes();
            tracing::debug!(?trouble, append.maybe, "an append was not answered");
            if matches!(trouble, Trouble::Client(Error::ResourceDeleted)) {
                return Err(append.ends(StoreError::Unsafe {
                    stream,
                    hazard: StreamHazard::Tombstoned,
                }));
            }
            if !goes_on || !backoff.wait(until).await {
                return Err(append.ends(trouble.into()));
            }
            self.going().map_err(|error| append.ends(error))?;
        }
    }

    async fn attempt(&self, append: &Append) -> Result<WriteResult, Trouble> {
        let state = match append.expected {
            Expected::NoStream => StreamState::NoStream,
            Expected::Revision(revision) => StreamState::StreamRevision(revision.0),
        };
        let left = append.until.saturating_duration_since(Instant::now());
        let timeout = self.shared.call_timeout.min(left);
        let mut options = AppendToStreamOptions::default()
            .stream_state(state)
            .requires_leader(true)
            .deadline(timeout);
        if let Some(who) = self.shared.connection.authentication() {
            options = options.authenticated(who);
        }
        let name = self.shared.names.of(append.stream);
        let events: Vec<_> = append.records.iter().cloned().map(event_of).collect();
        self.shared
            .connection
            .call(timeout, move |client| async move {
                client.append_to_stream(name, &options, events).await
            })
            .await
    }

    /// The stream is not where it was expected to be: because of these very events, or of others.
    async fn elsewhere(
        &self,
        append: &Append,
        current: Option<CurrentRevision>,
    ) -> Result<Appended, AppendError> {
        // Nobody can say yet whether these events are what moved the stream on.
        let unsure = AppendError::Uncertain;
        if append.last() <= REVISION_MAX {
            let part = Part::From(append.first());
            let there = self
                .ask_stream(append.stream, part, append.ids.len(), append.until)
                .await
                .map_err(unsure)?
                .unwrap_or_default();
            let same = there
                .iter()
                .map(|event| event.id)
                .eq(append.ids.iter().copied());
            if let (true, Some(first), Some(last)) = (same, there.first(), there.last()) {
                return self.found(append, first, last).await.map_err(unsure);
            }
        }
        let current = match current {
            Some(CurrentRevision::Current(revision)) => Some(revision),
            Some(CurrentRevision::NoStream) => None,
            None => {
                let last = self.last_of(append.stream, append.until).await;
                last.map_err(unsure)?.map(|event| event.revision)
            }
        };
        if append.maybe && current.is_none_or(|current| current < append.first()) {
            // The place is still free: an attempt that was lost on the way may yet arrive.
            return Err(unsure(server(ServerFault::Slow, "the stream is behind")));
        }
        Err(append.conflict(current))
    }

    /// The dense positions of what the server says was written.
    async fn positions(
        &self,
        append: &Append,
        written: &WriteResult,
    ) -> Result<Appended, AppendError> {
        let unsure = AppendError::Uncertain;
        if written.next_expected_version != append.last() {
            // The stream had been cut: the server counts on from where it was.
            return Err(unsure(StoreError::Unsafe {
                stream: append.stream,
                hazard: StreamHazard::TruncateBefore,
            }));
        }
        let place = LogPlace {
            commit: written.position.commit,
            prepare: written.position.prepare,
        };
        // For a repetition the server may name any place: only a row that fits counts.
        if place.commit < u64::MAX / 2 {
            self.numbered_up_to(place, append.until)
                .await
                .map_err(unsure)?;
            if let Some(appended) = self.rows_of(append, place).map_err(unsure)? {
                return Ok(appended);
            }
        }
        let part = Part::From(append.first());
        let there = self
            .ask_stream(append.stream, part, append.ids.len(), append.until)
            .await
            .map_err(unsure)?
            .unwrap_or_default();
        match (there.first(), there.last()) {
            (Some(first), Some(last)) => self.found(append, first, last).await.map_err(unsure),
            _ => Err(unsure(server(
                ServerFault::Answer,
                "what was written cannot be read",
            ))),
        }
    }

    /// The rows of an append whose last event stands at a place, if they are there.
    fn rows_of(&self, append: &Append, place: LogPlace) -> Result<Option<Appended>, StoreError> {
        let numbering = &self.shared.numbering;
        let Some(last) = numbering.find(place, 0)? else {
            return Ok(None);
        };
        let Some(first) = last.checked_sub(append.ids.len() as u64 - 1) else {
            return Ok(None);
        };
        let rows = numbering.range(first, append.ids.len())?;
        let fits = rows.len() == append.ids.len()
            && (append.first()..)
                .zip(&rows)
                .zip(&append.ids)
                .all(|((revision, row), id)| {
                    u64::from(row.revision) == revision && row.id == folded(*id)
                });
        Ok(fits.then_some(Appended {
            first: Position(first),
            last: Position(last),
            revision: Revision(append.last()),
        }))
    }

    /// The same, of events that were read.
    async fn found(
        &self,
        append: &Append,
        first: &Found,
        last: &Found,
    ) -> Result<Appended, StoreError> {
        let first = self.check(append.stream, first, 0, append.until).await?;
        let last = self.check(append.stream, last, first, append.until).await?;
        Ok(Appended {
            first: Position(first),
            last: Position(last),
            revision: Revision(append.last()),
        })
    }
}
