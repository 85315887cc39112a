//! Counters by day: what changed on a day, for one subject (an area, or a kind of document in an area),
//! in rows of up to [`CHUNK_DAYS`] days. A total as of a day is a sum of small rows.

use super::{CHUNK_DAYS, CHUNKS_MAX, NAME};
use crate::changes::Changes;
use crate::error::{ApplyError, ViewError};
use crate::view::{Order, ViewStore};
use domain::bytes;
use domain::ids::LocalDay;
use wincode::{SchemaRead, SchemaWrite};

/// Makes a set of counters that are kept in the order of its fields.
macro_rules! counters {
    ($( $(#[$doc:meta])* $name:ident { $( $(#[$fdoc:meta])* $field:ident ),* $(,)? } )*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
        pub struct $name { $( $(#[$fdoc])* pub $field: i64 ),* }

        impl $name {
            /// Names of the counters, in order.
            pub const NAMES: &'static [&'static str] = &[ $( stringify!($field) ),* ];

            /// The counters in order.
            pub fn values(&self) -> Vec<i64> {
                vec![ $( self.$field ),* ]
            }

            /// From what is kept; counters that are not there are zero.
            pub(super) fn of(values: &[i64]) -> Self {
                let mut values = values.iter().copied();
                Self { $( $field: values.next().unwrap_or_default() ),* }
            }

            /// What came to it since.
            #[must_use]
            pub const fn since(&self, before: &Self) -> Self {
                Self { $( $field: self.$field - before.$field ),* }
            }
        }

        impl core::ops::AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                $( self.$field += other.$field; )*
            }
        }
    )* };
}
pub(super) use counters;

/// Changes of one subject on up to [`CHUNK_DAYS`] days, sorted; a day without changes is not there.
#[derive(Debug, Default, Clone, PartialEq, Eq, SchemaRead, SchemaWrite)]
struct Chunk {
    days: Vec<DayCounts>,
}

#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite)]
struct DayCounts {
    day: LocalDay,
    counts: Vec<i64>,
}

/// A chunk's number, moved into the unsigned range, so that bytes sort like days.
pub(super) fn chunk_of(day: LocalDay, days: i32) -> [u8; 4] {
    (day.0.div_euclid(days).cast_unsigned() ^ (1 << 31)).to_be_bytes()
}

/// Adds what changed on a day.
pub(super) fn add(
    changes: &mut Changes,
    subject: &[u8],
    day: LocalDay,
    change: &[i64],
) -> Result<(), ApplyError> {
    if change.iter().all(|one| *one == 0) {
        return Ok(());
    }
    let mut key = subject.to_vec();
    key.extend(chunk_of(day, CHUNK_DAYS));
    let mut chunk: Chunk = changes.read(NAME, &key)?.unwrap_or_default();
    let at = chunk.days.partition_point(|known| known.day < day);
    if chunk.days.get(at).is_none_or(|known| known.day != day) {
        let counts = vec![0; change.len()];
        chunk.days.insert(at, DayCounts { day, counts });
    }
    if let Some(known) = chunk.days.get_mut(at) {
        for (count, change) in known.counts.iter_mut().zip(change) {
            *count += change;
        }
    }
    chunk
        .days
        .retain(|known| known.counts.iter().any(|count| *count != 0));
    if chunk.days.is_empty() {
        Ok(changes.delete(&key)?)
    } else {
        changes.write(&key, &chunk)
    }
}

/// The counters at the end of a day.
pub(super) fn sum(
    view: &dyn ViewStore,
    subject: &[u8],
    until: LocalDay,
) -> Result<Vec<i64>, ViewError> {
    let mut end = subject.to_vec();
    end.extend(chunk_of(until, CHUNK_DAYS));
    end.push(0);
    let mut total: Vec<i64> = Vec::new();
    for (_, row) in view.scan(subject, &end, Order::Ascending, CHUNKS_MAX)? {
        let chunk: Chunk = bytes::decode(&row).map_err(|error| ViewError::damaged(NAME, &error))?;
        for known in chunk.days.iter().filter(|known| known.day <= until) {
            total.resize(total.len().max(known.counts.len()), 0);
            for (sum, count) in total.iter_mut().zip(&known.counts) {
                *sum += count;
            }
        }
    }
    Ok(total)
}
