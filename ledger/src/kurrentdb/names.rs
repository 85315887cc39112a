//! What our streams and events are called on the server.
//!
//! A stream is `name.category-id`: the ledger's name, so that several ledgers share a server and
//! one filter by prefix keeps everything else away from us; then the stream's own name. Its
//! settings stand in `$$name.category-id`. The event's type is the kind's name, its id is ours, its
//! metadata is a JSON object with `$correlationId` and `$causationId`, which the server's own tools
//! know, and `link`, which the next record of the stream carries. Nothing here is personal.

use crate::store::NewRecord;
use bytes::Bytes;
use domain::ids::{CorrelationId, Digest, EventId, StreamId};
use kurrentdb::EventData;
use serde::{Deserialize, Serialize};

/// Type of an event whose kind nobody told.
const UNNAMED: &str = "Record";
/// Largest metadata read, in bytes.
const METADATA_BYTES_MAX: usize = 4096;
/// The type of the event that ends a stream for good.
pub const TOMBSTONE: &str = "$streamDeleted";

/// The names of one ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    prefix: String,
    settings: String,
}

/// What a stream's name on the server means to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// One of our streams.
    Ours(StreamId),
    /// The settings of one of our streams.
    SettingsOf(StreamId),
    /// Begins like ours and is not.
    Strange,
    /// Somebody else's.
    Other,
}

impl Names {
    /// The names of the ledger called `name`.
    pub fn new(name: &str) -> Self {
        Self {
            prefix: format!("{name}."),
            settings: format!("$${name}."),
        }
    }

    /// What the names of our streams begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What the names of our streams' settings begin with.
    pub fn settings_prefix(&self) -> &str {
        &self.settings
    }

    /// A stream's name.
    pub fn of(&self, stream: StreamId) -> String {
        format!("{}{stream}", self.prefix)
    }

    /// What a name means.
    pub fn read(&self, name: &[u8]) -> Named {
        let Ok(name) = std::str::from_utf8(name) else {
            return Named::Other;
        };
        let ours = |rest: &str| {
            let stream: StreamId = rest.parse().ok()?;
            // One stream, one name: no capitals, no dashes within the id.
            (stream.to_string() == rest).then_some(stream)
        };
        if let Some(rest) = name.strip_prefix(&self.settings) {
            ours(rest).map_or(Named::Other, Named::SettingsOf)
        } else if let Some(rest) = name.strip_prefix(&self.prefix) {
            ours(rest).map_or(Named::Strange, Named::Ours)
        } else {
            Named::Other
        }
    }
}

#[derive(Serialize)]
struct Metadata {
    #[serde(rename = "$correlationId", skip_serializing_if = "Option::is_none")]
    correlation: Option<CorrelationId>,
    #[serde(rename = "$causationId", skip_serializing_if = "Option::is_none")]
    causation: Option<EventId>,
    link: Digest,
}

#[derive(Deserialize)]
struct Linked {
    link: Digest,
}

/// The event that is sent for a record.
pub fn event_of(record: NewRecord) -> EventData {
    let metadata = Metadata {
        correlation: record.labels.correlation,
        causation: record.labels.causation,
        link: record.link,
    };
    // A structure of ids has no way to fail; an event without its link would be refused on reading.
    let metadata = serde_json::to_vec(&metadata).unwrap_or_default();
    EventData::binary(record.labels.kind.unwrap_or(UNNAMED), record.bytes)
        .id(uuid::Uuid::from_bytes(record.event_id.0))
        .metadata(Bytes::from(metadata))
}

/// The link in an event's metadata; `None`: this program did not write it.
pub fn link_of(metadata: &[u8]) -> Option<Digest> {
    if metadata.len() > METADATA_BYTES_MAX {
        return None;
    }
    let linked: Linked = serde_json::from_slice(metadata).ok()?;
    Some(linked.link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::stream;

    #[test]
    fn names_mean_one_stream_each() {
        let names = Names::new("vneid");
        for n in 0..13 {
            let name = names.of(stream(n));
            assert_eq!(names.read(name.as_bytes()), Named::Ours(stream(n)));
            let settings = format!("$${name}");
            assert_eq!(
                names.read(settings.as_bytes()),
                Named::SettingsOf(stream(n))
            );
            assert_eq!(Names::new("vneid2").read(name.as_bytes()), Named::Other);
            let capitals = name.replace(['a', 'e'], "A");
            assert_eq!(names.read(capitals.as_bytes()), Named::Other);
        }
        let strange = [
            "vneid.",
            "vneid.account",
            "vneid.account-07",
            "vneid.Account-00000000000000000000000000000000",
            "vneid.account-0000000000000000000000000000000A",
            "vneid.account-0000000000000000-0000000000000000",
            "vneid.other-00000000000000000000000000000000",
        ];
        for name in strange {
            assert_eq!(names.read(name.as_bytes()), Named::Strange, "{name}");
        }
        assert_eq!(names.read(b"$$vneid.else"), Named::Other);
        assert_eq!(names.read(b"$stats"), Named::Other);
        assert_eq!(names.read(b"vneid.\xff"), Named::Other);
    }

    #[test]
    fn links_come_back_and_nothing_else_passes_for_one() {
        let link = Digest([7; 32]);
        let text = format!("{{\"$correlationId\":\"x\",\"link\":\"{link}\"}}");
        assert_eq!(link_of(text.as_bytes()), Some(link));
        for bad in ["", "{}", "[]", "{\"link\":7}", "{\"link\":\"07\"}", "null"] {
            assert_eq!(link_of(bad.as_bytes()), None, "{bad}");
        }
        let long = format!("{{\"link\":\"{link}\",\"x\":\"{}\"}}", "y".repeat(5000));
        assert_eq!(link_of(long.as_bytes()), None);
    }
}
