//! The peer's data: one log, the streams in it, and the rules a real server has about both.
//!
//! Strict where the real one is strict: expected revisions, idempotence by event id, the size of an
//! append, names, tombstones, settings that hide events. Places are sparse and other things stand
//! between the events, so that nobody comes to count on anything else.

use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;

/// The largest append, in bytes: the usual setting.
pub const APPEND_BYTES_MAX: usize = 1024 * 1024;
/// The number of a tombstone.
pub const TOMBSTONE_REVISION: u64 = i64::MAX as u64;
/// Every so many events the server writes something of its own.
const OWN_EVERY: usize = 7;

/// One event in the log.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The stream's name.
    pub stream: Arc<str>,
    /// Its number there.
    pub revision: u64,
    /// Its id.
    pub id: [u8; 16],
    /// Its type.
    pub kind: String,
    /// `application/json` or `application/octet-stream`.
    pub content: String,
    /// The writer's metadata.
    pub metadata: Bytes,
    /// What it holds.
    pub data: Bytes,
    /// Commit and prepare position.
    pub place: u64,
}

/// An event to be written.
#[derive(Debug, Clone)]
pub struct New {
    /// Its id.
    pub id: [u8; 16],
    /// Its type.
    pub kind: String,
    /// Content type.
    pub content: String,
    /// The writer's metadata.
    pub metadata: Bytes,
    /// What it holds.
    pub data: Bytes,
}

/// What a stream must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Its last event is this one.
    Revision(u64),
    /// There is none.
    NoStream,
    /// Anything.
    Any,
    /// There is one.
    Exists,
}

/// Why something is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The stream is elsewhere.
    Wrong {
        /// Its last revision.
        current: Option<u64>,
    },
    /// It was deleted for good.
    Tombstoned,
    /// Over the largest append.
    TooBig,
    /// Not a request.
    Bad(&'static str),
}

/// What was written, now or before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The last event's revision; `None`: nothing was.
    pub revision: Option<u64>,
    /// Where it stands; `None`: it was there before, and the server does not say where.
    pub place: Option<u64>,
}

#[derive(Default)]
struct Stream {
    entries: Vec<usize>,
    tombstoned: bool,
}

/// What of a stream may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// From this revision on, to this last one.
    Some {
        /// First that may be seen.
        first: u64,
        /// Last.
        last: u64,
    },
    /// No such stream, or deleted.
    None,
    /// Deleted for good.
    Tombstoned,
}

/// The log.
pub struct Log {
    entries: Vec<Entry>,
    streams: HashMap<Arc<str>, Stream>,
    place: u64,
    own: u64,
}

impl Default for Log {
    fn default() -> Self {
        let mut log = Self {
            entries: Vec::new(),
            streams: HashMap::new(),
            place: 1_803,
            own: 0,
        };
        log.write_own();
        log
    }
}

impl Log {
    /// All entries, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Changes an entry as an intruder on the server's disk could.
    pub fn tamper(&mut self, change: impl FnOnce(&mut Vec<Entry>)) {
        change(&mut self.entries);
    }

    /// Goes back to how it was with so many entries, as a server does that is restored from a backup.
    pub fn restore(&mut self, entries: usize) {
        if let Some(entry) = self.entries.get(entries) {
            self.place = entry.place;
        }
        self.entries.truncate(entries);
        for stream in self.streams.values_mut() {
            stream.entries.retain(|at| *at < entries);
        }
        self.streams.retain(|_, stream| !stream.entries.is_empty());
    }

    /// The entries of a stream from a revision on.
    pub fn of_stream(&self, name: &str) -> Vec<&Entry> {
        let at = |at: &usize| self.entries.get(*at);
        let stream = self.streams.get(name);
        stream.map_or_else(Vec::new, |stream| {
            stream.entries.iter().filter_map(at).collect()
        })
    }

    /// Index of the first entry at or behind a place.
    pub fn index_of(&self, place: u64) -> usize {
        self.entries.partition_point(|entry| entry.place < place)
    }

    /// What of a stream may be seen.
    pub fn sight(&self, name: &str) -> Sight {
        let Some(stream) = self.streams.get(name) else {
            return Sight::None;
        };
        if stream.tombstoned {
            return Sight::Tombstoned;
        }
        let Some(last) = self.last(name) else {
            return Sight::None;
        };
        let settings = self.settings(name);
        let number = |key: &str| settings.get(key).and_then(serde_json::Value::as_u64);
        let mut first = number("$tb").unwrap_or(0);
        if first == TOMBSTONE_REVISION {
            return Sight::None;
        }
        if let Some(count) = number("$maxCount") {
            first = first.max((last + 1).saturating_sub(count));
        }
        Sight::Some { first, last }
    }

    /// What a stream's settings are.
    pub fn settings(&self, name: &str) -> serde_json::Value {
        self.last_entry(&format!("$${name}"))
            .and_then(|entry| serde_json::from_slice(&entry.data).ok())
            .unwrap_or_default()
    }

    fn last(&self, name: &str) -> Option<u64> {
        Some(self.last_entry(name)?.revision)
    }

    fn last_entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(*self.streams.get(name)?.entries.last()?)
    }

    /// Appends, or recognises what was appended before.
    pub fn append(
        &mut self,
        name: &str,
        expected: Expected,
        events: Vec<New>,
    ) -> Result<Written, Refused> {
        if name.is_empty() || name == "$all" || name == "$$" {
            return Err(Refused::Bad("a stream needs a name"));
        }
        let bytes = |event: &New| event.data.len() + event.metadata.len() + event.kind.len();
        if events.iter().map(bytes).sum::<usize>() > APPEND_BYTES_MAX {
            return Err(Refused::TooBig);
        }
        let sight = self.sight(name);
        if sight == Sight::Tombstoned {
            return Err(Refused::Tombstoned);
        }
        let current = self.last(name);
        let deleted = sight == Sight::None && current.is_some();
        let first_expected = match expected {
            Expected::Revision(revision) if revision >= TOMBSTONE_REVISION => {
                return Err(Refused::Bad("that is not a revision"));
            }
            Expected::Revision(revision) => revision + 1,
            Expected::NoStream | Expected::Exists | Expected::Any => 0,
        };
        let met = match expected {
            Expected::Revision(revision) => current == Some(revision),
            Expected::NoStream => current.is_none() || deleted,
            Expected::Any => true,
            Expected::Exists => current.is_some() && !deleted,
        };
        let exact = matches!(expected, Expected::Revision(_) | Expected::NoStream);
        if exact && !met {
            return self.repeated(name, first_expected, &events, current);
        }
        if !met {
            return Err(Refused::Wrong { current });
        }
        if !exact && let Some(first) = events.first() {
            // Anything goes: what was written before is recognised by its first id.
            let before = self.of_stream(name);
            let place = before.iter().find(|entry| entry.id == first.id);
            if let Some(place) = place.map(|entry| entry.revision) {
                return self.repeated(name, place, &events, current);
            }
        }
        if events.is_empty() {
            return Ok(Written {
                revision: current,
                place: None,
            });
        }
        if deleted {
            // A deleted stream that is written again counts on from where it was.
            let from = current.unwrap_or(0) + 1;
            self.set(name, &format!("{{\"$tb\":{from}}}"));
        }
        let mut revision = current.map_or(0, |last| last + 1);
        for event in events {
            self.write(name, revision, event);
            revision += 1;
        }
        let written = Written {
            revision: revision.checked_sub(1),
            place: self.entries.last().map(|entry| entry.place),
        };
        if self.entries.len().is_multiple_of(OWN_EVERY) {
            self.write_own();
        }
        Ok(written)
    }

    /// The same events at their place are the same append.
    fn repeated(
        &self,
        name: &str,
        first: u64,
        events: &[New],
        current: Option<u64>,
    ) -> Result<Written, Refused> {
        let there = self.of_stream(name);
        let there = there.iter().filter(|entry| entry.revision >= first);
        let same = there
            .take(events.len())
            .map(|entry| entry.id)
            .eq(events.iter().map(|event| event.id));
        if events.is_empty() || !same {
            return Err(Refused::Wrong { current });
        }
        Ok(Written {
            revision: Some(first + events.len() as u64 - 1),
            place: None,
        })
    }

    /// Deletes a stream: softly by a setting, or for good.
    pub fn end(&mut self, name: &str, expected: Expected, good: bool) -> Result<u64, Refused> {
        let current = self.last(name);
        match (self.sight(name), expected) {
            (Sight::Tombstoned, _) => return Err(Refused::Tombstoned),
            (_, Expected::Revision(revision)) if current != Some(revision) => {
                return Err(Refused::Wrong { current });
            }
            (_, Expected::NoStream) if current.is_some() => {
                return Err(Refused::Wrong { current });
            }
            (Sight::None, Expected::Exists) => return Err(Refused::Wrong { current }),
            _ => {}
        }
        if good {
            let event = New {
                id: [0xde; 16],
                kind: "$streamDeleted".to_owned(),
                content: "application/octet-stream".to_owned(),
                metadata: Bytes::new(),
                data: Bytes::new(),
            };
            self.write(name, TOMBSTONE_REVISION, event);
            if let Some(stream) = self.streams.get_mut(name) {
                stream.tombstoned = true;
            }
        } else {
            self.set(name, &format!("{{\"$tb\":{TOMBSTONE_REVISION}}}"));
        }
        Ok(self.entries.last().map_or(0, |entry| entry.place))
    }

    fn set(&mut self, name: &str, settings: &str) {
        let name = format!("$${name}");
        let revision = self.last(&name).map_or(0, |last| last + 1);
        let mut id = [0x5e; 16];
        id[..8].copy_from_slice(&self.place.to_be_bytes());
        let event = New {
            id,
            kind: "$metadata".to_owned(),
            content: "application/json".to_owned(),
            metadata: Bytes::new(),
            data: Bytes::copy_from_slice(settings.as_bytes()),
        };
        self.write(&name, revision, event);
    }

    fn write(&mut self, name: &str, revision: u64, event: New) {
        let bytes = event.data.len() + event.metadata.len() + event.kind.len() + name.len();
        let name = match self.streams.get_key_value(name) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(name),
        };
        let place = self.place;
        self.place += 77 + bytes as u64;
        let at = self.entries.len();
        self.entries.push(Entry {
            stream: Arc::clone(&name),
            revision,
            id: event.id,
            kind: event.kind,
            content: event.content,
            metadata: event.metadata,
            data: event.data,
            place,
        });
        self.streams.entry(name).or_default().entries.push(at);
    }

    /// Something of the server's own.
    fn write_own(&mut self) {
        let mut id = [0xa5; 16];
        id[..8].copy_from_slice(&self.own.to_be_bytes());
        let event = New {
            id,
            kind: "$statsCollected".to_owned(),
            content: "application/json".to_owned(),
            metadata: Bytes::new(),
            data: Bytes::from_static(b"{\"proc-mem\":1}"),
        };
        let revision = self.own;
        self.own += 1;
        self.write("$stats-peer", revision, event);
    }
}
