//! The messages of the protocol that the peer speaks: field numbers and types as published, our own
//! names. Only what the peer needs; a field left out is skipped by the decoder.

use bytes::Bytes;
use prost::{Message, Oneof};
use std::collections::HashMap;

/// Nothing, where the protocol has an empty message.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Nothing {}

/// An event's id.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Id {
    /// Either form.
    #[prost(oneof = "IdForm", tags = "1, 2")]
    pub form: Option<IdForm>,
}

/// The two forms of an id.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum IdForm {
    /// Two halves.
    #[prost(message, tag = "1")]
    Halves(Halves),
    /// Text.
    #[prost(string, tag = "2")]
    Text(String),
}

/// An id as two signed halves.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Halves {
    /// High.
    #[prost(int64, tag = "1")]
    pub high: i64,
    /// Low.
    #[prost(int64, tag = "2")]
    pub low: i64,
}

impl Id {
    /// The bytes; `None`: there is no id.
    pub fn bytes(&self) -> Option<[u8; 16]> {
        match self.form.as_ref()? {
            IdForm::Text(text) => {
                let digits: String = text.chars().filter(|letter| *letter != '-').collect();
                let mut bytes = [0; 16];
                hex::decode_to_slice(digits, &mut bytes).ok()?;
                Some(bytes)
            }
            IdForm::Halves(halves) => {
                let high = u128::from(halves.high.cast_unsigned());
                let low = u128::from(halves.low.cast_unsigned());
                Some(((high << 64) | low).to_be_bytes())
            }
        }
    }

    /// An id in one of the forms.
    pub fn of(bytes: [u8; 16], as_text: bool) -> Self {
        let form = if as_text {
            let hex = hex::encode(bytes);
            let parts = [
                &hex[..8],
                &hex[8..12],
                &hex[12..16],
                &hex[16..20],
                &hex[20..],
            ];
            IdForm::Text(parts.join("-"))
        } else {
            let whole = u128::from_be_bytes(bytes);
            IdForm::Halves(Halves {
                high: ((whole >> 64) as u64).cast_signed(),
                low: (whole as u64).cast_signed(),
            })
        };
        Self { form: Some(form) }
    }
}

/// A stream's name.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Name {
    /// UTF-8.
    #[prost(bytes = "bytes", tag = "3")]
    pub name: Bytes,
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

/// What a stream must look like.
#[derive(Clone, Copy, PartialEq, Eq, Oneof)]
pub enum Expect {
    /// Its last event is this one.
    #[prost(uint64, tag = "2")]
    Revision(u64),
    /// There is none.
    #[prost(message, tag = "3")]
    NoStream(Nothing),
    /// Anything.
    #[prost(message, tag = "4")]
    Any(Nothing),
    /// There is one.
    #[prost(message, tag = "5")]
    Exists(Nothing),
}

/// Streams/Read.
#[derive(Clone, PartialEq, Message)]
pub struct ReadRequest {
    /// What to read.
    #[prost(message, optional, tag = "1")]
    pub options: Option<ReadOptions>,
}

/// What to read.
#[derive(Clone, PartialEq, Message)]
pub struct ReadOptions {
    /// Stream or everything.
    #[prost(oneof = "ReadWhat", tags = "1, 2")]
    pub what: Option<ReadWhat>,
    /// 1: backwards.
    #[prost(int32, tag = "3")]
    pub backwards: i32,
    /// So many, or for ever.
    #[prost(oneof = "ReadCount", tags = "5, 6")]
    pub count: Option<ReadCount>,
    /// Which events.
    #[prost(oneof = "ReadFilter", tags = "7, 8")]
    pub filter: Option<ReadFilter>,
    /// Which form ids come in.
    #[prost(message, optional, tag = "9")]
    pub id_form: Option<WantedIdForm>,
    /// Whether the newer kinds of answers are understood.
    #[prost(message, optional, tag = "10")]
    pub control: Option<Control>,
}

/// Which form ids come in.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct WantedIdForm {
    /// Text.
    #[prost(message, optional, tag = "2")]
    pub text: Option<Nothing>,
}

/// What the client understands.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Control {
    /// 1: first and last positions.
    #[prost(uint32, tag = "1")]
    pub compatibility: u32,
}

/// Stream or everything.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum ReadWhat {
    /// One stream.
    #[prost(message, tag = "1")]
    Stream(ReadStream),
    /// Everything.
    #[prost(message, tag = "2")]
    All(ReadAll),
}

/// One stream.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ReadStream {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub name: Option<Name>,
    /// From where.
    #[prost(oneof = "StreamFrom", tags = "2, 3, 4")]
    pub from: Option<StreamFrom>,
}

/// Where to begin in a stream.
#[derive(Clone, Copy, PartialEq, Eq, Oneof)]
pub enum StreamFrom {
    /// A revision.
    #[prost(uint64, tag = "2")]
    Revision(u64),
    /// The beginning.
    #[prost(message, tag = "3")]
    Start(Nothing),
    /// The end.
    #[prost(message, tag = "4")]
    End(Nothing),
}

/// Everything.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct ReadAll {
    /// From where.
    #[prost(oneof = "AllFrom", tags = "1, 2, 3")]
    pub from: Option<AllFrom>,
}

/// Where to begin in the log.
#[derive(Clone, Copy, PartialEq, Eq, Oneof)]
pub enum AllFrom {
    /// A place.
    #[prost(message, tag = "1")]
    Place(Place),
    /// The beginning.
    #[prost(message, tag = "2")]
    Start(Nothing),
    /// The end.
    #[prost(message, tag = "3")]
    End(Nothing),
}

/// So many, or for ever.
#[derive(Clone, Copy, PartialEq, Eq, Oneof)]
pub enum ReadCount {
    /// So many.
    #[prost(uint64, tag = "5")]
    Count(u64),
    /// A subscription.
    #[prost(message, tag = "6")]
    Forever(Nothing),
}

/// Which events.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum ReadFilter {
    /// Some.
    #[prost(message, tag = "7")]
    Some(Filter),
    /// All.
    #[prost(message, tag = "8")]
    None(Nothing),
}

/// A filter on the server.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Filter {
    /// What is looked at.
    #[prost(oneof = "FilterOn", tags = "1, 2")]
    pub on: Option<FilterOn>,
    /// How much is searched at a time.
    #[prost(oneof = "Window", tags = "3, 4")]
    pub window: Option<Window>,
    /// A checkpoint after so many windows.
    #[prost(uint32, tag = "5")]
    pub multiplier: u32,
}

/// What a filter looks at.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum FilterOn {
    /// The stream's name.
    #[prost(message, tag = "1")]
    Name(Expression),
    /// The event's type.
    #[prost(message, tag = "2")]
    Kind(Expression),
}

/// How much is searched at a time.
#[derive(Clone, Copy, PartialEq, Eq, Oneof)]
pub enum Window {
    /// At most so many.
    #[prost(uint32, tag = "3")]
    Max(u32),
    /// As many as are read.
    #[prost(message, tag = "4")]
    Count(Nothing),
}

/// What matches.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Expression {
    /// A regular expression, or nothing.
    #[prost(string, tag = "1")]
    pub regex: String,
    /// Beginnings.
    #[prost(string, repeated, tag = "2")]
    pub prefixes: Vec<String>,
}

/// One answer of a read.
#[derive(Clone, PartialEq, Message)]
pub struct ReadAnswer {
    /// Which.
    #[prost(oneof = "Answer", tags = "1, 2, 3, 4, 5, 6, 8")]
    pub answer: Option<Answer>,
}

/// The kinds of answers.
#[derive(Clone, PartialEq, Oneof)]
pub enum Answer {
    /// An event.
    #[prost(message, tag = "1")]
    Event(EventAnswer),
    /// The subscription stands.
    #[prost(message, tag = "2")]
    Confirmed(Confirmed),
    /// Everything up to here was looked at.
    #[prost(message, tag = "3")]
    Checkpoint(Place),
    /// There is no such stream.
    #[prost(message, tag = "4")]
    NotFound(NotFound),
    /// The stream's first revision.
    #[prost(uint64, tag = "5")]
    First(u64),
    /// The stream's last revision.
    #[prost(uint64, tag = "6")]
    Last(u64),
    /// The subscription is live.
    #[prost(message, tag = "8")]
    CaughtUp(CaughtUp),
}

/// The subscription is live.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct CaughtUp {
    /// The last revision, for a stream.
    #[prost(int64, optional, tag = "2")]
    pub revision: Option<i64>,
    /// The place, for everything.
    #[prost(message, optional, tag = "3")]
    pub place: Option<Place>,
}

/// An event, perhaps through a link.
#[derive(Clone, PartialEq, Message)]
pub struct EventAnswer {
    /// The event.
    #[prost(message, optional, tag = "1")]
    pub event: Option<Recorded>,
    /// Where it was committed.
    #[prost(uint64, optional, tag = "3")]
    pub commit: Option<u64>,
}

/// An event as it is stored.
#[derive(Clone, PartialEq, Message)]
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
    /// Type, content type, time.
    #[prost(map = "string, string", tag = "6")]
    pub system: HashMap<String, String>,
    /// The writer's metadata.
    #[prost(bytes = "bytes", tag = "7")]
    pub metadata: Bytes,
    /// What it holds.
    #[prost(bytes = "bytes", tag = "8")]
    pub data: Bytes,
}

/// The subscription's id.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Confirmed {
    /// Any text.
    #[prost(string, tag = "1")]
    pub subscription: String,
}

/// There is no such stream.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct NotFound {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub stream: Option<Name>,
}

/// Streams/Append: one of these first, then the events.
#[derive(Clone, PartialEq, Message)]
pub struct AppendRequest {
    /// Which.
    #[prost(oneof = "AppendPart", tags = "1, 2")]
    pub part: Option<AppendPart>,
}

/// The parts of an append.
#[derive(Clone, PartialEq, Oneof)]
pub enum AppendPart {
    /// Where to.
    #[prost(message, tag = "1")]
    Target(Target),
    /// An event.
    #[prost(message, tag = "2")]
    Event(Proposed),
}

/// A stream and what it must look like: of appends, deletes and tombstones.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Target {
    /// The stream.
    #[prost(message, optional, tag = "1")]
    pub stream: Option<Name>,
    /// What it must look like.
    #[prost(oneof = "Expect", tags = "2, 3, 4, 5")]
    pub expect: Option<Expect>,
}

/// An event to be written.
#[derive(Clone, PartialEq, Message)]
pub struct Proposed {
    /// Its id.
    #[prost(message, optional, tag = "1")]
    pub id: Option<Id>,
    /// Type and content type.
    #[prost(map = "string, string", tag = "2")]
    pub system: HashMap<String, String>,
    /// The writer's metadata.
    #[prost(bytes = "bytes", tag = "3")]
    pub metadata: Bytes,
    /// What it holds.
    #[prost(bytes = "bytes", tag = "4")]
    pub data: Bytes,
}

/// Streams/Append's answer.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct AppendAnswer {
    /// Which.
    #[prost(oneof = "Appended", tags = "1, 2")]
    pub result: Option<Appended>,
}

/// What became of an append.
#[derive(Clone, Copy, PartialEq, Eq, Oneof)]
pub enum Appended {
    /// It is written.
    #[prost(message, tag = "1")]
    Written(Written),
    /// The stream is elsewhere.
    #[prost(message, tag = "2")]
    Wrong(Wrong),
}

/// It is written.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Written {
    /// The stream's last revision.
    #[prost(uint64, optional, tag = "1")]
    pub revision: Option<u64>,
    /// Where the last event stands.
    #[prost(message, optional, tag = "3")]
    pub place: Option<Place>,
}

/// The stream is elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Wrong {
    /// Where it is.
    #[prost(oneof = "Current", tags = "6, 7")]
    pub current: Option<Current>,
    /// What was expected.
    #[prost(oneof = "Wanted", tags = "8, 9, 10, 11")]
    pub wanted: Option<Wanted>,
}

/// Where a stream is.
#[derive(Clone, Copy, PartialEq, Eq, Oneof)]
pub enum Current {
    /// There.
    #[prost(uint64, tag = "6")]
    Revision(u64),
    /// Nowhere.
    #[prost(message, tag = "7")]
    NoStream(Nothing),
}

/// What was expected of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Oneof)]
pub enum Wanted {
    /// A revision.
    #[prost(uint64, tag = "8")]
    Revision(u64),
    /// Anything.
    #[prost(message, tag = "9")]
    Any(Nothing),
    /// That it exists.
    #[prost(message, tag = "10")]
    Exists(Nothing),
    /// That it does not.
    #[prost(message, tag = "11")]
    NoStream(Nothing),
}

/// Streams/BatchAppend.
#[derive(Clone, PartialEq, Message)]
pub struct BatchRequest {
    /// Which append.
    #[prost(message, optional, tag = "1")]
    pub correlation: Option<Id>,
    /// Where to; the same shape as [`Target`].
    #[prost(message, optional, tag = "2")]
    pub target: Option<Target>,
    /// The events.
    #[prost(message, repeated, tag = "3")]
    pub events: Vec<Proposed>,
    /// Whether these were the last.
    #[prost(bool, tag = "4")]
    pub last: bool,
}

/// Streams/BatchAppend's answer to one append.
#[derive(Clone, PartialEq, Message)]
pub struct BatchAnswer {
    /// Which append.
    #[prost(message, optional, tag = "1")]
    pub correlation: Option<Id>,
    /// What became of it.
    #[prost(oneof = "BatchResult", tags = "2, 3")]
    pub result: Option<BatchResult>,
    /// The stream.
    #[prost(message, optional, tag = "4")]
    pub stream: Option<Name>,
}

/// What became of an append of a batch.
#[derive(Clone, PartialEq, Oneof)]
pub enum BatchResult {
    /// It failed.
    #[prost(message, tag = "2")]
    Error(BatchError),
    /// It is written.
    #[prost(message, tag = "3")]
    Written(Written),
}

/// Why an append of a batch failed.
#[derive(Clone, PartialEq, Message)]
pub struct BatchError {
    /// The gRPC code.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// In words.
    #[prost(string, tag = "2")]
    pub message: String,
    /// As a message.
    #[prost(message, optional, tag = "3")]
    pub details: Option<Packed>,
}

/// A message with its type.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Packed {
    /// The type's address.
    #[prost(string, tag = "1")]
    pub kind: String,
    /// The message.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

/// The stream is elsewhere, in a batch.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct BatchWrong {
    /// Where it is.
    #[prost(uint64, optional, tag = "1")]
    pub revision: Option<u64>,
    /// Nowhere.
    #[prost(message, optional, tag = "2")]
    pub no_stream: Option<Nothing>,
}

/// Streams/Delete and Streams/Tombstone.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct EndRequest {
    /// Which stream.
    #[prost(message, optional, tag = "1")]
    pub target: Option<Target>,
}

/// Their answer.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct EndAnswer {
    /// Where it is written.
    #[prost(message, optional, tag = "1")]
    pub place: Option<Place>,
}

/// ServerFeatures/GetSupportedMethods' answer.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Features {
    /// The methods.
    #[prost(message, repeated, tag = "1")]
    pub methods: Vec<Feature>,
    /// The server's version.
    #[prost(string, tag = "2")]
    pub version: String,
}

/// One method.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Feature {
    /// Its name, in small letters.
    #[prost(string, tag = "1")]
    pub method: String,
    /// Its service, in small letters.
    #[prost(string, tag = "2")]
    pub service: String,
    /// What it can do beyond.
    #[prost(string, repeated, tag = "3")]
    pub features: Vec<String>,
}

/// Gossip/Read's answer.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Gossip {
    /// The cluster's nodes.
    #[prost(message, repeated, tag = "1")]
    pub members: Vec<Member>,
}

/// A node of the cluster.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Member {
    /// Its id.
    #[prost(message, optional, tag = "1")]
    pub id: Option<Id>,
    /// When it was last heard of.
    #[prost(int64, tag = "2")]
    pub time: i64,
    /// 6: follower, 8: leader.
    #[prost(int32, tag = "3")]
    pub state: i32,
    /// Whether it answers.
    #[prost(bool, tag = "4")]
    pub alive: bool,
    /// Where.
    #[prost(message, optional, tag = "5")]
    pub end_point: Option<EndPoint>,
}

/// Host and port.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct EndPoint {
    /// Host.
    #[prost(string, tag = "1")]
    pub address: String,
    /// Port.
    #[prost(uint32, tag = "2")]
    pub port: u32,
}
