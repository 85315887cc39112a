//! The task that counts: reads the server's log behind its head and gives every event its number.
//!
//! It asks by pages rather than subscribing: the client's subscription spins for ever when a server
//! ends it politely, and a page can be bounded in time and bytes. Own appends wake it at once, other
//! nodes' are seen at the next look. It begins each page with the last event it knows, so that every
//! look checks that the server still tells the same story; a hole, a re-ordering, another event at a
//! known place, a foreign event or a stream set to lose events stops it for good (INV-6). A server
//! that is away does not: it goes on when the server is back.

use super::connection::{Backoff, Connection, Trouble};
use super::keeping::{Heads, Keeping};
use super::names::{Named, Names, TOMBSTONE};
use super::numbering::{LogPlace, Numbering, Row, Running, folded};
use super::pages::{Begin, Extent, Found, Page, Part};
use crate::index::{Found as InIndex, Index};
use crate::remote::StreamHazard;
use crate::store::{StoreError, StreamHead};
use domain::ids::{Position, StreamId};
use domain::record::RECORD_BYTES_MAX;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Most events of one look.
pub(super) const PAGE_EVENTS: usize = 1024;
/// So many rows are written at once without another thread's help: less than a page of the file.
const FEW_ROWS: usize = 64;
/// Looks without anything new after which the place looked from is moved up to the log's head.
const IDLE_LOOKS: u32 = 100;

/// How far the follower is.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// Events numbered.
    pub length: u64,
    /// Whether the server's end was reached once.
    pub caught_up: bool,
    /// Why it stopped for good.
    pub stopped: Option<StoreError>,
    /// What keeps it from going on right now.
    pub trouble: Option<StoreError>,
}

/// What the follower shares with whoever appends and reads.
pub(super) struct Shared {
    pub connection: Connection,
    pub names: Names,
    pub numbering: Numbering,
    pub index: Index,
    /// What is on its way to being durable.
    pub keeping: Keeping,
    pub state: watch::Sender<State>,
    /// Somebody appended: look now.
    pub wake: Notify,
    pub call_timeout: Duration,
    pub poll: Duration,
    /// Held as long as anybody uses the directory.
    pub _lock: Option<crate::disk::Lock>,
}

/// The follower's own place.
pub(super) struct Follower {
    shared: Arc<Shared>,
    /// The next position to handle: below the numbering's length while the index catches up.
    next: u64,
    /// Digest before `next`.
    digest: Running,
    /// The last event of ours that was handled.
    last: Option<Row>,
    /// Where the next look begins, if that is not at `last`.
    from: Option<LogPlace>,
    idle: u32,
    /// What the next look will probably find.
    extent: Extent,
}

/// What one look found.
enum Look {
    More,
    End,
}

/// Why a look failed.
enum Failure {
    Passing(StoreError),
    Final(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Final(error)
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Passing(trouble.into())
    }
}

impl Follower {
    /// Goes on from what the index covers; what is numbered beyond is read again and compared.
    pub(super) fn new(shared: Arc<Shared>) -> Result<Self, StoreError> {
        let next = shared.index.next().min(shared.numbering.length());
        let last = match next.checked_sub(1) {
            None => None,
            Some(last) => shared.numbering.get(last)?,
        };
        let digest = shared.numbering.digest_before(next)?;
        Ok(Self {
            shared,
            next,
            digest,
            last,
            from: None,
            idle: 0,
            extent: Extent::Many,
        })
    }

    /// Follows until it must stop.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new();
        // Whoever keeps what is counted may have stopped everything.
        while self.shared.state.borrow().stopped.is_none() {
            match self.look().await {
                Ok(look) => {
                    backoff = Backoff::new();
                    let end = matches!(look, Look::End);
                    self.shared.state.send_if_modified(|state| {
                        let first = end && !state.caught_up;
                        state.caught_up |= end;
                        state.trouble.take().is_some() || first
                    });
                    if matches!(look, Look::End) {
                        let _ = tokio::time::timeout(self.shared.poll, self.shared.wake.notified())
                            .await;
                    }
                }
                Err(Failure::Passing(error)) => {
                    tracing::warn!(%error, "the event server cannot be read; trying again");
                    // Who answers next may be another server, or the same one from a backup: it must
                    // still have the last event known.
                    self.from = None;
                    self.shared
                        .state
                        .send_modify(|state| state.trouble = Some(error));
                    let until = tokio::time::Instant::now() + Duration::from_secs(1);
                    backoff.wait(until).await;
                }
                Err(Failure::Final(error)) => {
                    tracing::error!(%error, "the event server's log is not followed any further");
                    self.shared
                        .state
                        .send_modify(|state| _ = state.stopped.get_or_insert(error));
                    return;
                }
            }
        }
    }

    async fn look(&mut self) -> Result<Look, Failure> {
        let shared = Arc::clone(&self.shared);
        let from = self.from.or(self.last.map(|row| row.place));
        let start = from.map_or(Begin::Start, Begin::Place);
        let page = self.page_from(start).await?;
        let end = !page.full;
        self.extent = if end { Extent::Few } else { Extent::Many };
        let before = self.next;
        self.take(page).await?;
        if end && self.next < shared.numbering.length() {
            return Err(self
                .corrupt("the server's log ends before what is known")
                .into());
        }
        if self.next > before {
            self.idle = 0;
        } else if end {
            self.idle += 1;
            if self.idle >= IDLE_LOOKS {
                self.idle = 0;
                self.move_up().await?;
            }
        }
        Ok(if end { Look::End } else { Look::More })
    }

    async fn page_from(&self, start: Begin) -> Result<Page, Trouble> {
        let (shared, page) = (&self.shared, (PAGE_EVENTS, self.extent));
        let (names, timeout) = (&shared.names, shared.call_timeout);
        let connection = &shared.connection;
        connection
            .page_of_all(names, true, start, page, timeout)
            .await
    }

    /// Much of other people's may stand behind our last event: looks begin at the log's head of a
    /// moment ago, after one more look from the last event has found nothing before it.
    async fn move_up(&mut self) -> Result<(), Failure> {
        let shared = Arc::clone(&self.shared);
        let head = shared.connection.head_of_all(shared.call_timeout).await?;
        let Some(last) = self.last else {
            return Ok(());
        };
        let start = Begin::Place(last.place);
        let page = self.page_from(start).await?;
        let known = self.next;
        self.from = None;
        self.take(page).await?;
        if self.next == known {
            self.from = head;
        }
        Ok(())
    }

    /// Numbers the events of a page.
    async fn take(&mut self, page: Page) -> Result<(), Failure> {
        let mut events = page.events.into_iter().peekable();
        if self.from.is_none()
            && let Some(last) = self.last
        {
            // The page begins with the last event known, or the server has another log.
            let same = events.next_if(|event| {
                event.place == last.place
                    && folded(event.id) == last.id
                    && event.revision == u64::from(last.revision)
            });
            let event =
                same.ok_or_else(|| self.corrupt("the last event known is not where it was"))?;
            let before = self
                .shared
                .numbering
                .digest_before(self.next.saturating_sub(1))?;
            let digest = match self.shared.names.read(&event.name) {
                Named::Ours(stream) => event.seen(stream).map(|seen| seen.digest_after(before)),
                _ => None,
            };
            if digest != Some(last.digest) {
                return Err(self.corrupt("the last event known was altered").into());
            }
        }
        let mut batch = Batch::default();
        let mut looked = None;
        for event in events {
            looked = Some(event.place);
            match self.shared.names.read(&event.name) {
                Named::Other => {}
                Named::SettingsOf(stream) => self.check_settings(stream, &event).await?,
                Named::Strange => return Err(foreign(&event).into()),
                Named::Ours(stream) => self.number(stream, &event, &mut batch)?,
            }
        }
        self.keep(batch).await?;
        let ours = self.last.map(|row| row.place);
        if let Some(place) = looked {
            // Only settings since our last event: begin there, or a page full of them is for ever.
            self.from = (ours != Some(place)).then_some(place);
        }
        Ok(())
    }

    fn number(
        &mut self,
        stream: StreamId,
        event: &Found,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        if self.last.is_some_and(|last| event.place <= last.place) {
            return if self.from.is_some() {
                Ok(())
            } else {
                Err(self.corrupt("the server's log does not go forward"))
            };
        }
        if event.kind == TOMBSTONE {
            return Err(StoreError::Unsafe {
                stream,
                hazard: StreamHazard::Tombstoned,
            });
        }
        let seen = event.seen(stream).ok_or_else(|| foreign(event))?;
        if event.bytes.len() > RECORD_BYTES_MAX {
            return Err(foreign(event));
        }
        let revision = u32::try_from(event.revision).map_err(|_| StoreError::Limit {
            what: "number of events of a stream",
        })?;
        if self.next_revision(stream, batch)? != event.revision {
            return Err(self.corrupt(&format!(
                "revision {revision} of stream {stream} is not the next one"
            )));
        }
        let row = Row {
            place: event.place,
            revision,
            id: folded(event.id),
            digest: seen.digest_after(self.digest),
        };
        match self.shared.numbering.get(self.next)? {
            Some(known) if known == row => {}
            Some(_) => return Err(self.corrupt("another event stood there before")),
            None => batch.rows.push(row),
        }
        let head = StreamHead {
            revision: seen.revision,
            position: Position(self.next),
            link: seen.link,
        };
        batch.heads.insert(stream, head);
        self.next += 1;
        self.digest = row.digest;
        self.last = Some(row);
        Ok(())
    }

    fn next_revision(&self, stream: StreamId, batch: &Batch) -> Result<u64, StoreError> {
        if let Some(head) = batch.heads.get(&stream) {
            return Ok(head.revision.0 + 1);
        }
        Ok(match self.shared.find(stream)? {
            InIndex::Head(head) => head.revision.0 + 1,
            InIndex::Nothing => 0,
            InIndex::At(position) => match self.shared.numbering.get(position.0)? {
                Some(row) => u64::from(row.revision) + 1,
                None => return Err(self.shared.index.damaged("a row is beyond the numbering")),
            },
        })
    }

    /// Settings that lose events stop everything while they stand; settings that were corrected
    /// since do not, for a loss would show itself as a hole.
    async fn check_settings(&self, stream: StreamId, event: &Found) -> Result<(), Failure> {
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

    /// Writes the rows, tells, and leaves it to the keeper to make them durable.
    async fn keep(&mut self, batch: Batch) -> Result<(), StoreError> {
        if batch.heads.is_empty() {
            return Ok(());
        }
        let (shared, next) = (Arc::clone(&self.shared), self.next);
        let length = if batch.rows.len() <= FEW_ROWS {
            // Appends wait for it, and another thread takes longer to begin than this takes to end.
            shared.count(&batch.rows, batch.heads, next)?
        } else {
            let counted =
                tokio::task::spawn_blocking(move || shared.count(&batch.rows, batch.heads, next));
            counted
                .await
                .map_err(|_| StoreError::Stopped("writing the numbering has panicked".into()))??
        };
        self.shared.state.send_if_modified(|state| {
            let grown = length > state.length;
            state.length = length;
            state.trouble.take().is_some() || grown
        });
        self.shared.keeping.has_room(next).await;
        Ok(())
    }

    fn corrupt(&self, reason: &str) -> StoreError {
        StoreError::Corrupt {
            position: self.next,
            place: "the event server's log".to_owned(),
            reason: reason.to_owned(),
        }
    }
}

/// What a page adds.
#[derive(Default)]
struct Batch {
    rows: Vec<Row>,
    heads: Heads,
}

fn foreign(event: &Found) -> StoreError {
    StoreError::Foreign {
        place: format!("commit position {}", event.place.commit),
    }
}

/// What in a stream's settings loses events.
fn hazard_in(settings: &[u8]) -> Option<StreamHazard> {
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
