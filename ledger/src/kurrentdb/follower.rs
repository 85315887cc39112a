//! The task that counts: reads the server's log behind its head and gives every event its number.
//!
//! It asks by pages until it has caught up, then takes what the server sends by itself ([`super::feed`]),
//! as far as that is plainly the next event of ours; over anything else, and over silence, it asks for
//! a page, which alone decides. It begins each page with the last event it knows, so that every
//! look checks that the server still tells the same story; a hole, a re-ordering, another event at a
//! known place, a foreign event or a stream set to lose events stops it for good (INV-6). A server
//! that is away does not: it goes on when the server is back.

mod sent;
mod settings;

use super::ahead::Held;
use super::connection::{Backoff, Connection, Trouble};
use super::keeping::{Heads, Keeping};
use super::line::Line;
use super::names::{Named, Names, TOMBSTONE};
use super::numbering::{LogPlace, Numbering, Row, Running, folded};
use super::pages::{Begin, Extent, Found, Page};
use super::waiting::Waiting;
use crate::index::{Found as InIndex, Index};
use crate::remote::StreamHazard;
use crate::store::{StoreError, StreamHead};
use domain::ids::{Position, StreamId};
use domain::record::RECORD_BYTES_MAX;
use sent::Sent;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
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
    /// The way to long reads of everything, if there is one.
    pub line: Option<Line>,
    pub names: Names,
    pub numbering: Numbering,
    pub index: Index,
    /// What is on its way to being durable.
    pub keeping: Keeping,
    pub state: watch::Sender<State>,
    /// Somebody appended: look now.
    pub wake: Notify,
    /// Whether the server sends new events by itself: then whoever waits for one need not hurry.
    pub listening: AtomicBool,
    /// Grows with every look, and when it is over.
    pub looks: watch::Sender<u64>,
    /// Who waits for what.
    pub waiting: Waiting,
    /// What is read for whom.
    pub held: Held,
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
    sent: Sent,
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
            sent: Sent::new(),
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
                    self.shared.looks.send_modify(|looks| *looks += 1);
                    self.shared.held.tidy(tokio::time::Instant::now());
                    let end = matches!(look, Look::End);
                    self.shared.state.send_if_modified(|state| {
                        let first = end && !state.caught_up;
                        state.caught_up |= end;
                        state.trouble.take().is_some() || first
                    });
                    if end && let Err(error) = self.listen().await {
                        self.stop(error);
                        return;
                    }
                }
                Err(Failure::Passing(error)) => {
                    tracing::warn!(%error, "the event server cannot be read; trying again");
                    // Who answers next may be another server, or the same one from a backup: it must
                    // still have the last event known.
                    self.from = None;
                    self.give_up_feed();
                    self.shared
                        .state
                        .send_modify(|state| state.trouble = Some(error));
                    let until = tokio::time::Instant::now() + Duration::from_secs(1);
                    backoff.wait(until).await;
                }
                Err(Failure::Final(error)) => {
                    self.stop(error);
                    return;
                }
            }
        }
    }

    fn stop(&self, error: StoreError) {
        tracing::error!(%error, "the event server's log is not followed any further");
        self.shared.stop(error);
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

    async fn page_from(&mut self, start: Begin) -> Result<Page, Trouble> {
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
        if let Some(last) = self.last {
            self.shared.waiting.reached(last.place);
        }
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
