//! Moving house: a whole ledger's events from one store into another, verified on the way.
//!
//! Owns the order of it: what the target holds already is compared byte by byte, the rest is
//! verified (canonical form, place, link, the ledger's signature under the key that counts there) and
//! appended in the source's order, and at the end the target is read back. Every record keeps its
//! position, so read models and proofs of the source hold for the target. Can be stopped and run
//! again at any point. Never writes to the source and never changes a record; knows no engine.
//!
//! The digest of both sides: BLAKE3 over `"idledger-log/v1\0"`, then for each record, in order of
//! position: stream 17, revision u64, length u32, the record. Integers are little-endian.

use crate::keyring::KeyRing;
use crate::store::{
    APPEND_EVENTS_MAX, AppendError, Appended, BoxFuture, EventStore, Expected, Labels, NewRecord,
    PAGE_RECORDS_MAX, StoreError, StoredRecord,
};
use crate::writer::append_surely;
use core::future::poll_fn;
use core::task::Poll;
use domain::ids::{Category, Digest, EventId, Position, Revision, StreamId};
use domain::record::{RecordRef, open_event};
use std::collections::{HashMap, VecDeque};
use tokio::task::unconstrained;

const DIGEST_PREFIX: &[u8] = b"idledger-log/v1\0";
/// Appends under way at once, where a store keeps their order.
const WINDOW: usize = 256;
/// Streams whose last link is remembered; of others the target is asked.
const LINKS_MAX: usize = if cfg!(test) { 4 } else { 500_000 };
/// Events read at a time.
const PAGE: usize = if cfg!(test) { 16 } else { PAGE_RECORDS_MAX };

/// Why a copy ended early. What was copied stays and is found by the next run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The source cannot be read.
    #[error("reading the source: {0}")]
    Source(StoreError),
    /// The target cannot be read.
    #[error("reading the target: {0}")]
    Target(StoreError),
    /// A record of the source does not verify; neither it nor anything after it was copied.
    #[error("position {position} of the source does not verify: {reason}")]
    Invalid {
        /// Its position.
        position: u64,
        /// What is wrong.
        reason: String,
    },
    /// The target holds something else at a position: it is another ledger, or was changed.
    #[error("source and target differ from position {position} on")]
    Differ {
        /// The first such position.
        position: u64,
    },
    /// The target holds more than the source.
    #[error(
        "the target holds {target} events and the source {source_length}: is it the other way round?"
    )]
    Longer {
        /// Events in the target.
        target: u64,
        /// Events in the source.
        source_length: u64,
    },
    /// An append did not succeed.
    #[error("copying position {position}: {error}")]
    Append {
        /// The position.
        position: u64,
        /// Why.
        error: AppendError,
    },
    /// A record got another position than it had.
    #[error("position {position} became {became}: somebody else writes to the target")]
    Moved {
        /// Position in the source.
        position: u64,
        /// Position in the target.
        became: u64,
    },
    /// Stopped by whoever asked for it.
    #[error("stopped after {records} events")]
    Stopped {
        /// Events in the target.
        records: u64,
    },
}

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Copied {
    /// Events on both sides now.
    pub records: u64,
    /// Of those, events that the target held before.
    pub found: u64,
    /// The digest of both sides, each computed from what it holds.
    pub digest: Digest,
}

/// What a copy is doing, for whoever watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// This many events are compared or copied, of so many.
    Copied(u64, u64),
    /// This many events of the target are read back, of so many.
    ReadBack(u64, u64),
}

/// Copies what `from` holds now. `watch` is told after every page, and says whether to go on.
pub async fn copy(
    from: &dyn EventStore,
    to: &dyn EventStore,
    watch: &mut (dyn FnMut(Step) -> bool + Send),
) -> Result<Copied, CopyError> {
    let length = from.length().await.map_err(CopyError::Source)?;
    let found = to.length().await.map_err(CopyError::Target)?;
    if found > length {
        return Err(CopyError::Longer {
            target: found,
            source_length: length,
        });
    }
    let mut source = Source {
        store: from,
        ring: KeyRing::default(),
        links: HashMap::new(),
        forgot: false,
        digest: digest(),
    };
    let mut target = Target {
        store: to,
        under_way: VecDeque::new(),
    };
    let mut next = 0;
    while next < length {
        if source.links.len() >= LINKS_MAX {
            target.settle(0).await?;
            source.forget();
        }
        let page = source.page(next, length).await?;
        if next < found {
            let known = target
                .page(next, found.min(next + page.len() as u64))
                .await?;
            for (record, known) in page.iter().zip(&known) {
                if record != known {
                    let position = record.position.0;
                    return Err(CopyError::Differ { position });
                }
            }
            for record in page.iter().take(known.len()) {
                source.take(record, &target).await?;
            }
            next += known.len() as u64;
        } else {
            next += page.len() as u64;
            let mut new = VecDeque::with_capacity(page.len());
            for record in page {
                let (event_id, link) = source.take(&record, &target).await?;
                new.push_back((record, event_id, link));
            }
            target.append(new).await?;
        }
        if !watch(Step::Copied(next, length)) {
            target.settle(0).await?;
            return Err(CopyError::Stopped { records: next });
        }
    }
    target.settle(0).await?;
    let copied = Digest(*source.digest.finalize().as_bytes());
    let held = target.read_back(length, watch).await?;
    if held != copied {
        return Err(CopyError::Differ { position: 0 });
    }
    Ok(Copied {
        records: length,
        found,
        digest: copied,
    })
}

fn digest() -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    hasher.update(DIGEST_PREFIX);
    hasher
}

fn hash(hasher: &mut blake3::Hasher, record: &StoredRecord) {
    hasher.update(&record.stream.key());
    hasher.update(&record.revision.0.to_le_bytes());
    hasher.update(&(record.bytes.len() as u32).to_le_bytes());
    hasher.update(&record.bytes);
}

/// Where the events come from, and what they have said so far.
struct Source<'a> {
    store: &'a dyn EventStore,
    ring: KeyRing,
    /// The link the next record of a stream must carry.
    links: HashMap<StreamId, (Revision, Digest)>,
    /// Links were dropped; what is not in `links` may be in the target.
    forgot: bool,
    digest: blake3::Hasher,
}

impl Source<'_> {
    /// The events from a position on: at least one, and none from `end` on.
    async fn page(&self, next: u64, end: u64) -> Result<Vec<StoredRecord>, CopyError> {
        read_page(self.store, next, end)
            .await
            .map_err(CopyError::Source)
    }

    /// Drops the links: everything so far must be in the target.
    fn forget(&mut self) {
        self.links.clear();
        self.forgot = true;
    }

    /// Verifies the next record; gives its event id and link.
    async fn take(
        &mut self,
        record: &StoredRecord,
        target: &Target<'_>,
    ) -> Result<(EventId, Digest), CopyError> {
        let position = record.position.0;
        let invalid = |reason: String| CopyError::Invalid { position, reason };
        let parsed = RecordRef::parse(&record.bytes).map_err(|error| invalid(error.to_string()))?;
        let envelope = parsed
            .open_envelope()
            .map_err(|error| invalid(error.to_string()))?;
        if (envelope.stream, envelope.revision) != (record.stream, record.revision) {
            return Err(invalid(
                "it stands in another place than it was signed for".into(),
            ));
        }
        let before = self.before(record, target).await?;
        if before != Some(envelope.link) {
            return Err(invalid("it is not linked to the record before it".into()));
        }
        if record.stream.category == Category::Ledger {
            let event = open_event(&envelope).map_err(|error| invalid(error.to_string()))?;
            let learnt = self.ring.learn(record.position, &event);
            learnt.map_err(|error| invalid(error.to_string()))?;
        }
        let Some(key) = self.ring.key_at(envelope.ledger_key, record.position) else {
            return Err(invalid(
                "it is signed by a key that does not count there".into(),
            ));
        };
        let signed = parsed.verify_signature(key);
        signed.map_err(|error| invalid(error.to_string()))?;
        let parts = parsed.verify_parts(&envelope);
        parts.map_err(|error| invalid(error.to_string()))?;
        let link = parsed.link();
        self.links.insert(record.stream, (record.revision, link));
        hash(&mut self.digest, record);
        Ok((envelope.event_id, link))
    }

    /// The link of the record before this one; `None`: that is another than the one before.
    async fn before(
        &self,
        record: &StoredRecord,
        target: &Target<'_>,
    ) -> Result<Option<Digest>, CopyError> {
        let Some(last) = record.revision.0.checked_sub(1) else {
            return Ok(Some(Digest::ZERO));
        };
        if let Some((revision, link)) = self.links.get(&record.stream) {
            return Ok((revision.0 == last).then_some(*link));
        }
        if !self.forgot {
            return Ok(None);
        }
        let page = target.store.read_stream(record.stream, Revision(last), 1);
        let page = page.await.map_err(CopyError::Target)?;
        let found = page.first().filter(|found| found.revision.0 == last);
        let link = found.and_then(|found| Some(RecordRef::parse(&found.bytes).ok()?.link()));
        Ok(link)
    }
}

type Append<'a> = BoxFuture<'a, Result<Appended, AppendError>>;

/// Where the events go.
struct Target<'a> {
    store: &'a dyn EventStore,
    /// Appends that were asked for, oldest first, with the position they must get.
    under_way: VecDeque<(u64, Append<'a>)>,
}

impl Target<'_> {
    /// Appends records in their order: runs of one stream together.
    async fn append(
        &mut self,
        mut new: VecDeque<(StoredRecord, EventId, Digest)>,
    ) -> Result<(), CopyError> {
        while let Some((first, event_id, link)) = new.pop_front() {
            let (stream, position) = (first.stream, first.position.0);
            let expected = match first.revision.0.checked_sub(1) {
                None => Expected::NoStream,
                Some(last) => Expected::Revision(Revision(last)),
            };
            let mut records = vec![NewRecord {
                event_id,
                link,
                labels: Labels::of_record(&first.bytes),
                bytes: first.bytes,
            }];
            while records.len() < APPEND_EVENTS_MAX
                && let Some((next, ..)) = new.front()
                && next.stream == stream
                && let Some((next, event_id, link)) = new.pop_front()
            {
                records.push(NewRecord {
                    event_id,
                    link,
                    labels: Labels::of_record(&next.bytes),
                    bytes: next.bytes,
                });
            }
            let store = self.store;
            // Polled once, it stands in the engine's queue; so appends keep their order and share
            // their syncs. The runtime's budget would make some polls do nothing.
            let append = async move { append_surely(store, stream, expected, records).await };
            let mut append: Append<'_> = Box::pin(unconstrained(append));
            match poll_fn(|context| Poll::Ready(append.as_mut().poll(context))).await {
                Poll::Ready(done) => settled(position, done)?,
                Poll::Pending => self.under_way.push_back((position, append)),
            }
            let window = if store.is_shared() { 1 } else { WINDOW };
            self.settle(window - 1).await?;
        }
        Ok(())
    }

    /// Waits until no more than so many appends are under way.
    async fn settle(&mut self, most: usize) -> Result<(), CopyError> {
        while self.under_way.len() > most
            && let Some((position, append)) = self.under_way.pop_front()
        {
            settled(position, append.await)?;
        }
        Ok(())
    }

    async fn page(&self, next: u64, end: u64) -> Result<Vec<StoredRecord>, CopyError> {
        read_page(self.store, next, end)
            .await
            .map_err(CopyError::Target)
    }

    /// The digest of what the target holds.
    async fn read_back(
        &self,
        length: u64,
        watch: &mut (dyn FnMut(Step) -> bool + Send),
    ) -> Result<Digest, CopyError> {
        let (mut hasher, mut next) = (digest(), 0);
        while next < length {
            let page = self.page(next, length).await?;
            next += page.len() as u64;
            for record in &page {
                hash(&mut hasher, record);
            }
            if !watch(Step::ReadBack(next, length)) {
                return Err(CopyError::Stopped { records: length });
            }
        }
        Ok(Digest(*hasher.finalize().as_bytes()))
    }
}

fn settled(position: u64, outcome: Result<Appended, AppendError>) -> Result<(), CopyError> {
    match outcome {
        Ok(done) if done.first.0 == position => Ok(()),
        Ok(done) => Err(CopyError::Moved {
            position,
            became: done.first.0,
        }),
        Err(error) => Err(CopyError::Append { position, error }),
    }
}

/// A page that starts at `next`, is not empty and ends before `end`.
async fn read_page(
    store: &dyn EventStore,
    next: u64,
    end: u64,
) -> Result<Vec<StoredRecord>, StoreError> {
    let limit = usize::try_from(end - next).unwrap_or(usize::MAX);
    let page = store.read_all(Position(next), limit.min(PAGE)).await?;
    let gapless = (next..)
        .zip(&page)
        .all(|(at, record)| record.position.0 == at);
    if page.is_empty() || !gapless {
        return Err(StoreError::Corrupt {
            position: next,
            place: "the order of all events".into(),
            reason: "positions are not contiguous".into(),
        });
    }
    Ok(page)
}

#[cfg(test)]
mod tests;
