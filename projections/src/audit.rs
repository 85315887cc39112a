//! The audit trail's index: which events are of a kind, by an actor, in a time.
//!
//! Not a row per event: positions are cut into blocks of 32,768, and per block and dimension there
//! is one small bitmap of them ([`block`]). A query intersects the bitmaps of its blocks ([`query`]).
//! By account there is no index at all: the account's own stream is the answer.
//!
//! `roaring` was the first choice and was left: its containers grow to 8 KB where a row may have 7,
//! and their form depends on how they came about, while digests need one form per set.

mod block;
pub(crate) mod query;

use crate::changes::Changes;
use crate::error::{ApplyError, ViewError};
use crate::projection::{Decoded, Projection};
use crate::view::Order;
use block::{Block, Times, place};
use domain::ids::{AccountId, Micros, Position, PrincipalId};
use domain::vocabulary::Role;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Its name.
pub const NAME: &str = "audit";
/// Version of its rows.
pub const VERSION: u32 = 1;
/// Most positions of a page.
pub const AUDIT_LIMIT_MAX: usize = 1_000;

/// Bitmaps that stay in memory after a commit, at most 4 KB each.
const HELD_SETS_MAX: usize = 250;

const KIND: u8 = b'k';
const ACTOR: u8 = b'a';
const TIME: u8 = b't';

/// What to look for. Conditions add up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// Events in this account's stream.
    pub account: Option<AccountId>,
    /// Events that this principal caused; a citizen is named by the account's id.
    pub actor: Option<PrincipalId>,
    /// Events of these kinds; empty: of any.
    pub kinds: Vec<u16>,
    /// Recorded at or after.
    pub since: Option<Micros>,
    /// Recorded before.
    pub until: Option<Micros>,
    /// At or after this position.
    pub from: Option<Position>,
    /// Before this position.
    pub to: Option<Position>,
    /// Most positions of the page, at most [`AUDIT_LIMIT_MAX`].
    pub limit: usize,
    /// Where the page before ended ([`AuditPage::next`]).
    pub cursor: Option<Position>,
    /// Oldest or newest first.
    pub order: Order,
}

impl Default for AuditQuery {
    /// The first hundred events.
    fn default() -> Self {
        Self {
            account: None,
            actor: None,
            kinds: Vec::new(),
            since: None,
            until: None,
            from: None,
            to: None,
            limit: 100,
            cursor: None,
            order: Order::Ascending,
        }
    }
}

/// A page of an audit trail.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AuditPage {
    /// Positions in the order asked for.
    pub positions: Vec<Position>,
    /// Cursor of the next page; `None`: this was the last.
    pub next: Option<Position>,
    /// Events at or after this position are not in the answer yet.
    pub visible: u64,
}

/// What a bitmap is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Dimension {
    Kind(u16),
    Actor(PrincipalId),
}

/// A row held in memory, and whether it was changed since it was last handed over.
#[derive(Debug)]
struct Held<T> {
    row: T,
    changed: bool,
}

/// Folds the index. The rows of the window are held taken apart, since every event changes the
/// same few of them; they are put into their encoding once per commit.
#[derive(Debug, Default)]
pub struct Audit {
    sets: HashMap<(u32, Dimension), Held<Block>>,
    times: HashMap<u32, Held<Times>>,
    /// The block of the last event.
    block: u32,
    /// How many of them were changed since the last commit.
    changed: usize,
}

impl Projection for Audit {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn start(&mut self, _: &mut Changes) -> Result<(), ViewError> {
        *self = Self::default();
        Ok(())
    }

    fn apply(&mut self, changes: &mut Changes, record: &Decoded) -> Result<(), ApplyError> {
        let (block, offset) = place(record.position)
            .ok_or_else(|| ApplyError::Poison("the position is beyond the index".to_owned()))?;
        let envelope = &record.envelope;
        let kind = Some(Dimension::Kind(envelope.kind));
        let actor = (!in_own_stream(record)).then_some(Dimension::Actor(envelope.actor.principal));
        // First everything that can fail, then the changes: a failed event leaves nothing behind.
        for dimension in [kind, actor].into_iter().flatten() {
            if let Entry::Vacant(vacant) = self.sets.entry((block, dimension)) {
                let row = changes.get(&set_key(dimension, block))?;
                let row = Block::decode(row.as_deref().unwrap_or_default())?;
                vacant.insert(Held {
                    row,
                    changed: false,
                });
            }
        }
        if let Entry::Vacant(vacant) = self.times.entry(block) {
            let row = changes.get(&time_key(block))?;
            let row = Times::decode(row.as_deref().unwrap_or_default())?;
            vacant.insert(Held {
                row,
                changed: false,
            });
        }
        for dimension in [kind, actor].into_iter().flatten() {
            if let Some(held) = self.sets.get_mut(&(block, dimension)) {
                held.row.insert(offset);
                self.changed += usize::from(!std::mem::replace(&mut held.changed, true));
            }
        }
        if let Some(held) = self.times.get_mut(&block) {
            held.row.note(offset, envelope.recorded_at);
            self.changed += usize::from(!std::mem::replace(&mut held.changed, true));
        }
        self.block = block;
        Ok(())
    }

    fn held_rows(&self) -> usize {
        self.changed
    }

    fn before_commit(&mut self, changes: &mut Changes) -> Result<(), ViewError> {
        for ((block, dimension), held) in self.sets.iter_mut().filter(|(_, held)| held.changed) {
            changes.put(&set_key(*dimension, *block), held.row.encode())?;
            held.changed = false;
        }
        for (block, held) in self.times.iter_mut().filter(|(_, held)| held.changed) {
            changes.put(&time_key(*block), held.row.encode())?;
            held.changed = false;
        }
        self.changed = 0;
        // Blocks that are over are not touched again; neither are most actors.
        let current = self.block;
        self.times.retain(|block, _| *block == current);
        if self.sets.len() > HELD_SETS_MAX {
            self.sets.clear();
        }
        self.sets.retain(|(block, _), _| *block == current);
        Ok(())
    }
}

/// A citizen's events on their own account are found by its stream; indexing them by actor too
/// would cost a row per account and block.
pub(crate) fn in_own_stream(record: &Decoded) -> bool {
    let actor = record.envelope.actor;
    actor.role == Role::Citizen
        && record
            .account()
            .is_some_and(|account| account.0 == actor.principal.0)
}

fn set_key(dimension: Dimension, block: u32) -> Vec<u8> {
    match dimension {
        Dimension::Kind(kind) => kind_key(kind, block),
        Dimension::Actor(actor) => actor_key(actor, block),
    }
}

fn kind_key(kind: u16, block: u32) -> Vec<u8> {
    let mut key = vec![KIND];
    key.extend(kind.to_be_bytes());
    key.extend(block.to_be_bytes());
    key
}

fn actor_key(actor: PrincipalId, block: u32) -> Vec<u8> {
    let mut key = vec![ACTOR];
    key.extend(actor.0);
    key.extend(block.to_be_bytes());
    key
}

fn time_key(block: u32) -> Vec<u8> {
    let mut key = vec![TIME];
    key.extend(block.to_be_bytes());
    key
}
