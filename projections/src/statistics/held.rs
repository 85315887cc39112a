//! What accounts stand for, as counters by area, kind and day.
//!
//! One small row per account holds where it stands. Each event takes the account's old contribution out
//! and puts the new one in, on the day on which it happened; in one account days do not go back, so an
//! event that is recorded out of order counts on the day of the one before it.

use super::freshness::{self, Fresh};
use super::standing::{Documents, Flows, Standing, counts};
use super::tally;
use super::{NAME, areas_of};
use crate::changes::Changes;
use crate::error::{ApplyError, ViewError};
use crate::projection::Decoded;
use crate::view::ViewStore;
use domain::ids::{AccountId, AreaCode, LocalDay};
use domain::vocabulary::DocumentKind;
use std::collections::BTreeMap;

const STANDING: u8 = b's';
const DOCUMENTS: u8 = b'k';
const FLOWS: u8 = b'w';

/// What a record changes in the counters; the account's own row is changed already.
pub(super) fn apply(changes: &mut Changes, record: &Decoded) -> Result<Held, ApplyError> {
    let mut held = Held::default();
    let Some(account) = record.account().filter(|_| counts(&record.event)) else {
        return Ok(held);
    };
    let key = account_key(account);
    let before: Standing = changes.read(NAME, &key)?.unwrap_or_default();
    let mut after = before.clone();
    let added = after.take(&record.event);
    let day = record.envelope.occurred_at.local_day();
    let day = before.day.map_or(day, |before| before.max(day));
    after.day = Some(day);
    if after == before && added.flows == Flows::default() && added.documents.is_empty() {
        return Ok(held);
    }
    changes.write(&key, &after)?;
    let mut documents: BTreeMap<(DocumentKind, AreaCode), Documents> = BTreeMap::new();
    for (standing, sign) in [(&before, -1), (&after, 1)] {
        for (kind, of) in standing.documents() {
            let signed: Vec<i64> = of.values().iter().map(|one| one * sign).collect();
            for area in areas_of(standing.area) {
                *documents.entry((kind, area)).or_default() += Documents::of(&signed);
            }
        }
        for fresh in standing.fresh() {
            for area in areas_of(standing.area) {
                *held.fresh.entry((fresh, area, day)).or_default() += sign;
            }
        }
    }
    // What is as it was is no change.
    held.fresh.retain(|_, by| *by != 0);
    for area in areas_of(after.area) {
        for (kind, of) in &added.documents {
            *documents.entry((*kind, area)).or_default() += *of;
        }
        held.count(flows_subject(area), day, added.flows.values());
    }
    for ((kind, area), of) in documents {
        held.count(documents_subject(kind, area), day, of.values());
    }
    Ok(held)
}

/// Changes of counters that are not in rows yet. A counter of the country changes with every account, so
/// its row is written once a window and not once an event.
#[derive(Debug, Default)]
pub(super) struct Held {
    counts: BTreeMap<(Vec<u8>, LocalDay), Vec<i64>>,
    fresh: BTreeMap<(Fresh, AreaCode, LocalDay), i64>,
}

impl Held {
    fn count(&mut self, subject: Vec<u8>, day: LocalDay, change: Vec<i64>) {
        if change.iter().any(|one| *one != 0) {
            self.counts.insert((subject, day), change);
        }
    }

    /// Takes another's changes in.
    pub fn merge(&mut self, other: Self) {
        for (key, change) in other.counts {
            let known = self
                .counts
                .entry(key)
                .or_insert_with(|| vec![0; change.len()]);
            for (count, change) in known.iter_mut().zip(change) {
                *count += change;
            }
        }
        for (key, by) in other.fresh {
            *self.fresh.entry(key).or_default() += by;
        }
    }

    /// Number of counters that changed.
    pub fn len(&self) -> usize {
        self.counts.len() + self.fresh.len()
    }

    /// Puts all of it into rows.
    pub fn flush(&mut self, changes: &mut Changes) -> Result<(), ApplyError> {
        for ((subject, day), change) in core::mem::take(&mut self.counts) {
            tally::add(changes, &subject, day, &change)?;
        }
        for ((fresh, area, day), by) in core::mem::take(&mut self.fresh) {
            freshness::add(changes, area, day, fresh, by)?;
        }
        Ok(())
    }
}

fn account_key(account: AccountId) -> Vec<u8> {
    let mut key = vec![STANDING];
    key.extend(account.0);
    key
}

fn flows_subject(area: AreaCode) -> Vec<u8> {
    let mut key = vec![FLOWS];
    key.extend(area.0.to_be_bytes());
    key
}

fn documents_subject(kind: DocumentKind, area: AreaCode) -> Vec<u8> {
    let mut key = vec![DOCUMENTS, kind as u8];
    key.extend(area.0.to_be_bytes());
    key
}

/// Procedures and deadlines of an area up to the end of a day.
pub(crate) fn flows(
    view: &dyn ViewStore,
    area: AreaCode,
    until: LocalDay,
) -> Result<Flows, ViewError> {
    let sum = tally::sum(view, &flows_subject(area), until)?;
    Ok(Flows::of(&sum))
}

/// Documents of a kind in an area at the end of a day.
pub(crate) fn documents(
    view: &dyn ViewStore,
    area: AreaCode,
    kind: DocumentKind,
    until: LocalDay,
) -> Result<Documents, ViewError> {
    let sum = tally::sum(view, &documents_subject(kind, area), until)?;
    Ok(Documents::of(&sum))
}
