//! How old linked data are: for each day, how many more or fewer documents there were whose data are of
//! which day. So the number of stale ones can be told as of any day and for any age, whatever the policy
//! of that day says.

use super::tally::chunk_of;
use super::{CHUNKS_MAX, NAME};
use crate::changes::Changes;
use crate::error::{ApplyError, ViewError};
use crate::view::{Order, ViewStore};
use domain::bytes;
use domain::ids::{AreaCode, LocalDay};
use domain::vocabulary::DocumentKind;
use wincode::{SchemaRead, SchemaWrite};

const FRESHNESS: u8 = b'f';
/// Days of one row, both ways: 256 entries of 16 bytes at most.
const SQUARE_DAYS: i32 = 16;

/// A linked document: its kind and the day its data are of.
pub(super) type Fresh = (DocumentKind, LocalDay);

/// Changes on some days, of data of some days; sorted, none that is zero.
#[derive(Debug, Default, Clone, PartialEq, Eq, SchemaRead, SchemaWrite)]
struct Square {
    changes: Vec<Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite)]
struct Change {
    /// When the number changed.
    day: LocalDay,
    /// The day the data are of.
    data: LocalDay,
    /// By how much.
    by: i64,
}

fn subject(kind: DocumentKind, area: AreaCode) -> Vec<u8> {
    let mut key = vec![FRESHNESS, kind as u8];
    key.extend(area.0.to_be_bytes());
    key
}

/// One document more or fewer, from a day on.
pub(super) fn add(
    changes: &mut Changes,
    area: AreaCode,
    day: LocalDay,
    (kind, data): Fresh,
    by: i64,
) -> Result<(), ApplyError> {
    if by == 0 {
        return Ok(());
    }
    let mut key = subject(kind, area);
    key.extend(chunk_of(day, SQUARE_DAYS));
    key.extend(chunk_of(data, SQUARE_DAYS));
    let mut square: Square = changes.read(NAME, &key)?.unwrap_or_default();
    let place = square
        .changes
        .binary_search_by_key(&(day, data), |known| (known.day, known.data));
    match place {
        Ok(at) => {
            if let Some(known) = square.changes.get_mut(at) {
                known.by += by;
            }
        }
        Err(at) => square.changes.insert(at, Change { day, data, by }),
    }
    square.changes.retain(|known| known.by != 0);
    if square.changes.is_empty() {
        Ok(changes.delete(&key)?)
    } else {
        changes.write(&key, &square)
    }
}

/// Linked documents at the end of a day whose data are more than so many days old.
pub(crate) fn stale(
    view: &dyn ViewStore,
    area: AreaCode,
    kind: DocumentKind,
    at: LocalDay,
    days: u16,
) -> Result<i64, ViewError> {
    let mut start = subject(kind, area);
    let mut end = start.clone();
    end.extend(chunk_of(at, SQUARE_DAYS));
    end.extend([0xff; 5]);
    let oldest = LocalDay(at.0.saturating_sub(i32::from(days)));
    let mut stale = 0;
    loop {
        let page = view.scan(&start, &end, Order::Ascending, CHUNKS_MAX)?;
        let Some((last, _)) = page.last() else {
            return Ok(stale);
        };
        start.clone_from(last);
        start.push(0);
        for (_, row) in &page {
            let square: Square =
                bytes::decode(row).map_err(|error| ViewError::damaged(NAME, &error))?;
            let counted = square.changes.iter();
            let counted = counted.filter(|known| known.day <= at && known.data < oldest);
            stale += counted.map(|known| known.by).sum::<i64>();
        }
    }
}
