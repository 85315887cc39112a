//! The messages of the calls that this program makes without the client: reads of everything.
//!
//! Field numbers and types as the server's protocol states them, our own names; only what is used, the
//! decoder skips the rest. Decides nothing about what it says.

use super::names::link_of;
use super::numbering::LogPlace;
use super::pages::{Found, WINDOW};
use bytes::Bytes;
use domain::ids::EventId;
use prost::{Message, Oneof};

/// The call.
pub const READ: &str = "/event_store.client.streams.Streams/Read";

/// Nothing, where the protocol has an empty message.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Nothing {}

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Request {
    /// All of it.
    #[prost(message, optional, tag = "1")]
    pub options: Option<Wanted>,
}

/// Events of everything: so many, or those to come too.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Wanted {
    /// From where in everything.
    #[prost(message, optional, tag = "2")]
    pub all: Option<All>,
    /// 0: forwards.
    #[prost(int32, tag = "3")]
    pub direction: i32,
    /// So many, from the place on.
    #[prost(uint64, optional, tag = "5")]
    pub count: Option<u64>,
    /// Set: all behind the place, and those to come.
    #[prost(message, optional, tag = "6")]
    pub forever: Option<Nothing>,
    /// Which of them.
    #[prost(message, optional, tag = "7")]
    pub filter: Option<Filter>,
    /// How ids are written.
    #[prost(message, optional, tag = "9")]
    pub ids: Option<Ids>,
}

/// From where in everything.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct All {
    /// One of both.
    #[prost(oneof = "From", tags = "1, 2")]
    pub from: Option<From>,
}

/// From where.
#[derive(Clone, Copy, PartialEq, Eq, Oneof)]
pub enum From {
    /// From a place on, or behind it.
    #[prost(message, tag = "1")]
    Place(Place),
    /// From the beginning.
    #[prost(message, tag = "2")]
    Start(Nothing),
}

/// A place in the log.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Place {
    /// Commit position.
    #[prost(uint64, tag = "1")]
    pub commit: u64,
    /// Prepare position.
    #[prost(uint64, tag = "2")]
    pub prepare: u64,
}

/// How ids are written.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Ids {
    /// As text.
    #[prost(message, optional, tag = "2")]
    pub text: Option<Nothing>,
}

/// Events by the names of their streams.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Filter {
    /// Of which streams.
    #[prost(message, optional, tag = "1")]
    pub streams: Option<Streams>,
    /// How much of the log is searched at a time.
    #[prost(uint32, optional, tag = "3")]
    pub window: Option<u32>,
    /// After how many times that the server says how far it is.
    #[prost(uint32, tag = "5")]
    pub checkpoints: u32,
}

/// Streams by their names.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Streams {
    /// What the names begin with: one of these.
    #[prost(string, repeated, tag = "2")]
    pub prefixes: Vec<String>,
}

/// One answer; what is no event is left out.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Answer {
    /// An event.
    #[prost(message, optional, tag = "1")]
    pub event: Option<Sent>,
}

/// An event that is sent.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Sent {
    /// Itself.
    #[prost(message, optional, tag = "1")]
    pub event: Option<Recorded>,
}

/// An event as the server keeps it.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Recorded {
    /// Its id.
    #[prost(message, optional, tag = "1")]
    pub id: Option<Id>,
    /// Its stream.
    #[prost(message, optional, tag = "2")]
    pub stream: Option<Name>,
    /// Its number there.
    #[prost(uint64, tag = "3")]
    pub revision: u64,
    /// Prepare position.
    #[prost(uint64, tag = "4")]
    pub prepare: u64,
    /// Commit position.
    #[prost(uint64, tag = "5")]
    pub commit: u64,
    /// The server's own words about it.
    #[prost(message, repeated, tag = "6")]
    pub words: Vec<Word>,
    /// The writer's metadata.
    #[prost(bytes = "bytes", tag = "7")]
    pub metadata: Bytes,
    /// What it holds.
    #[prost(bytes = "bytes", tag = "8")]
    pub data: Bytes,
}

/// A word about an event.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Word {
    /// Of what.
    #[prost(bytes = "bytes", tag = "1")]
    pub name: Bytes,
    /// What.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

/// An event's id.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Id {
    /// As text, with dashes.
    #[prost(bytes = "bytes", tag = "2")]
    pub text: Bytes,
}

/// A stream's name.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Name {
    /// UTF-8.
    #[prost(bytes = "bytes", tag = "3")]
    pub name: Bytes,
}

impl Request {
    /// Events of the streams whose names begin in these ways. `count`: so many from a place on; `None`:
    /// all behind it and those to come.
    pub fn new(place: Option<LogPlace>, prefixes: Vec<String>, count: Option<u64>) -> Self {
        let from = place.map_or(From::Start(Nothing {}), |place| {
            From::Place(Place {
                commit: place.commit,
                prepare: place.prepare,
            })
        });
        Self {
            options: Some(Wanted {
                all: Some(All { from: Some(from) }),
                direction: 0,
                count,
                forever: count.is_none().then_some(Nothing {}),
                filter: Some(Filter {
                    streams: Some(Streams { prefixes }),
                    window: Some(WINDOW),
                    checkpoints: 1,
                }),
                ids: Some(Ids {
                    text: Some(Nothing {}),
                }),
            }),
        }
    }
}

impl Recorded {
    /// As it is judged; `None`: something every event has is missing.
    pub fn found(self) -> Option<Found> {
        let id = uuid::Uuid::try_parse_ascii(&self.id?.text).ok()?;
        let kind = self.words.iter().find(|word| *word.name == *b"type")?;
        Some(Found {
            name: self.stream?.name,
            revision: self.revision,
            id: EventId(id.into_bytes()),
            place: LogPlace {
                commit: self.commit,
                prepare: self.prepare,
            },
            link: link_of(&self.metadata),
            kind: std::str::from_utf8(&kind.value).ok()?.to_owned(),
            bytes: self.data,
        })
    }
}

#[cfg(test)]
mod tests;
