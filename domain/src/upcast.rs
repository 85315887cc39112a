//! Old bytes → today's events: one function per retired version. None is retired yet.

use crate::event::Event;
use crate::record::RecordError;

/// Decodes the facts of a kind and schema version, whatever its age. An unknown one is an error.
pub fn decode(kind: u16, schema: u16, facts: &[u8]) -> Result<Event, RecordError> {
    let unknown = RecordError::UnknownKind { kind, schema };
    match schema {
        1 => Ok(Event::decode_current(kind, facts).ok_or(unknown)??),
        _ => Err(unknown),
    }
}
