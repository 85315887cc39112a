//! Pages of events as the server has them, before anybody believes them.
//!
//! Owns how the server is asked: always at the leader, always with a deadline, never for more than
//! fits a page. What comes back is taken apart into [`Found`]; whether it is what it should be is
//! decided by whoever asked.

use super::connection::{Connection, Trouble};
use super::names::{Names, link_of};
use super::numbering::{LogPlace, Seen};
use bytes::Bytes;
use domain::ids::{Digest, EventId, Revision, StreamId};
use kurrentdb::{
    Client, Error, Position, ReadAllOptions, ReadStream, ReadStreamOptions, ResolvedEvent,
    StreamPosition, SubscriptionFilter,
};
use std::time::Duration;

/// Most bytes of records of one page; the event that goes over it is the page's last.
pub const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How much of its log the server searches at a time.
pub(super) const WINDOW: u32 = 1024;
/// Largest number of an event the server knows.
pub const REVISION_MAX: u64 = i64::MAX as u64;

/// One event as the server has it.
#[derive(Debug, Clone)]
pub struct Found {
    /// The name of its stream.
    pub name: Bytes,
    /// Its number there.
    pub revision: u64,
    /// Its id.
    pub id: EventId,
    /// Where it stands in the server's log.
    pub place: LogPlace,
    /// Its type.
    pub kind: String,
    /// The link in its metadata; `None`: this program did not write it.
    pub link: Option<Digest>,
    /// What it holds.
    pub bytes: Bytes,
}

/// A page, and whether there was more.
#[derive(Debug, Default)]
pub struct Page {
    /// The events, in the order asked for.
    pub events: Vec<Found>,
    /// The page ended because it was full.
    pub full: bool,
}

impl Found {
    /// As the digest sees it; `None`: it has no link.
    pub fn seen(&self, stream: StreamId) -> Option<Seen<'_>> {
        Some(Seen {
            stream,
            revision: Revision(self.revision),
            id: self.id,
            link: self.link?,
            bytes: &self.bytes,
        })
    }
}

/// Where to begin in the whole log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// At its beginning.
    Start,
    /// At this place, including the event that stands there.
    Place(LogPlace),
}

/// How much a page is likely to hold, whatever it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// A few events: the sooner they are here the better.
    Few,
    /// Many: another thread takes them apart.
    Many,
}

/// What of a stream to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// From a revision on.
    From(u64),
    /// The last event only.
    Last,
}

impl Connection {
    /// A page of the whole log: our streams' events and, if asked for, those of their settings.
    pub(super) async fn page_of_all(
        &self,
        names: &Names,
        settings_too: bool,
        from: Begin,
        (count, extent): (usize, Extent),
        timeout: Duration,
    ) -> Result<Page, Trouble> {
        let mut options = read_all(names, settings_too, from)
            .max_count(count)
            .deadline(timeout);
        if let Some(who) = self.authentication() {
            options = options.authenticated(who);
        }
        match extent {
            Extent::Few => {
                self.call(timeout, move |client: Client| async move {
                    drain(client.read_all(&options).await?, count).await
                })
                .await
            }
            Extent::Many => {
                let ask = move |client: Client| async move { client.read_all(&options).await };
                self.call_then(timeout, ask, move |sent| drain(sent, count))
                    .await
            }
        }
    }

    /// Where the whole log, other people's events included, ends right now.
    pub(super) async fn head_of_all(&self, timeout: Duration) -> Result<Option<LogPlace>, Trouble> {
        let mut options = ReadAllOptions::default()
            .position(StreamPosition::End)
            .backwards()
            .max_count(1)
            .requires_leader(true)
            .deadline(timeout);
        if let Some(who) = self.authentication() {
            options = options.authenticated(who);
        }
        let page = self
            .call(timeout, move |client: Client| async move {
                drain(client.read_all(&options).await?, 1).await
            })
            .await?;
        Ok(page.events.first().map(|event| event.place))
    }

    /// A page of one stream; `None`: the server knows no such stream.
    pub(super) async fn page_of_stream(
        &self,
        name: String,
        part: Part,
        count: usize,
        timeout: Duration,
    ) -> Result<Option<Page>, Trouble> {
        let options = match part {
            Part::From(revision) => ReadStreamOptions::default()
                .position(StreamPosition::Position(revision))
                .forwards(),
            Part::Last => ReadStreamOptions::default()
                .position(StreamPosition::End)
                .backwards(),
        };
        let count = if part == Part::Last { 1 } else { count };
        let mut options = options
            .max_count(count)
            .requires_leader(true)
            .deadline(timeout);
        if let Some(who) = self.authentication() {
            options = options.authenticated(who);
        }
        let read = self
            .call(timeout, move |client: Client| async move {
                drain(client.read_stream(name, &options).await?, count).await
            })
            .await;
        match read {
            Ok(page) => Ok(Some(page)),
            Err(Trouble::Client(Error::ResourceNotFound)) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }
}

fn read_all(names: &Names, settings_too: bool, from: Begin) -> ReadAllOptions {
    let mut filter = SubscriptionFilter::on_stream_name()
        .max(WINDOW)
        .add_prefix(names.prefix());
    if settings_too {
        filter = filter.add_prefix(names.settings_prefix());
    }
    let start = match from {
        Begin::Start => StreamPosition::Start,
        Begin::Place(place) => StreamPosition::Position(Position {
            commit: place.commit,
            prepare: place.prepare,
        }),
    };
    ReadAllOptions::default()
        .position(start)
        .forwards()
        .filter(filter)
        .requires_leader(true)
}

/// An event of the client's, taken apart.
fn found(resolved: ResolvedEvent) -> Result<Found, Error> {
    let Some(event) = resolved.event else {
        return Err(Error::InternalParsingError("an event without one".into()));
    };
    Ok(Found {
        name: Bytes::copy_from_slice(event.stream_id().as_bytes()),
        revision: event.revision,
        id: EventId(event.id.into_bytes()),
        place: LogPlace {
            commit: event.position.commit,
            prepare: event.position.prepare,
        },
        link: link_of(&event.custom_metadata),
        kind: event.event_type,
        bytes: event.data,
    })
}

async fn drain(mut stream: ReadStream, count: usize) -> Result<Page, Error> {
    let mut page = Page::default();
    let mut bytes = 0_usize;
    while let Some(resolved) = stream.next().await? {
        let found = found(resolved)?;
        bytes = bytes.saturating_add(found.bytes.len());
        page.events.push(found);
        if bytes > PAGE_BYTES_MAX {
            page.full = true;
            return Ok(page);
        }
        if page.events.len() >= count {
            page.full = true;
            // The server ends it here. Ending it ourselves would send a small packet, and the next
            // request would wait 40 ms for its acknowledgement.
            while stream.next_read_event().await?.is_some() {}
            break;
        }
    }
    Ok(page)
}
