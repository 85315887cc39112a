//! Answers audit queries: by the account's stream, or by intersecting the bitmaps of blocks.

use super::block::{
    BLOCK_POSITIONS, Bits, Block, Overlap, SPAN_POSITIONS, SPAN_WORDS, Times, WORDS, place, set,
};
use super::{
    AUDIT_LIMIT_MAX, AuditPage, AuditQuery, NAME, actor_key, in_own_stream, kind_key, time_key,
};
use crate::error::ViewError;
use crate::projection::{Decoded, decode};
use crate::view::{Order, ViewStore};
use domain::ids::{AccountId, Position, PrincipalId, Revision, StreamId};
use ledger::store::{EventStore, PAGE_RECORDS_MAX};
use std::collections::BTreeMap;

/// Events of one actor in their own stream: block → offsets.
type Own = BTreeMap<u32, Vec<u16>>;

/// Positions that match, a page of them.
pub(crate) async fn run(
    view: &dyn ViewStore,
    store: &dyn EventStore,
    visible: u64,
    query: &AuditQuery,
) -> Result<AuditPage, ViewError> {
    if query.limit == 0 || query.limit > AUDIT_LIMIT_MAX {
        return Err(ViewError::BadQuery("the limit is 1 to 1000"));
    }
    let range = Range::of(query, visible);
    // One more than asked for says whether there is a next page.
    let mut positions = match query.account {
        Some(account) => by_stream(store, account, query, &range).await?,
        None => by_blocks(view, store, query, &range).await?,
    };
    let more = positions.len() > query.limit;
    positions.truncate(query.limit);
    let next = if more {
        positions.last().copied()
    } else {
        None
    };
    Ok(AuditPage {
        positions,
        next,
        visible,
    })
}

/// The positions that come into question, cursor taken in.
struct Range {
    from: u64,
    to: u64,
}

impl Range {
    fn of(query: &AuditQuery, visible: u64) -> Self {
        let mut from = query.from.map_or(0, |from| from.0);
        let mut to = query.to.map_or(visible, |to| to.0.min(visible));
        if let Some(cursor) = query.cursor {
            match query.order {
                Order::Ascending => from = from.max(cursor.0.saturating_add(1)),
                Order::Descending => to = to.min(cursor.0),
            }
        }
        Self { from, to }
    }

    fn contains(&self, position: Position) -> bool {
        (self.from..self.to).contains(&position.0)
    }
}

fn matches(query: &AuditQuery, record: &Decoded) -> bool {
    let envelope = &record.envelope;
    query
        .actor
        .is_none_or(|actor| actor == envelope.actor.principal)
        && (query.kinds.is_empty() || query.kinds.contains(&envelope.kind))
        && query
            .since
            .is_none_or(|since| envelope.recorded_at >= since)
        && query.until.is_none_or(|until| envelope.recorded_at < until)
}

/// The account's own stream, read through.
async fn by_stream(
    store: &dyn EventStore,
    account: AccountId,
    query: &AuditQuery,
    range: &Range,
) -> Result<Vec<Position>, ViewError> {
    let mut positions = Vec::new();
    read_stream(store, account, |record| {
        if range.contains(record.position) && matches(query, record) {
            positions.push(record.position);
        }
    })
    .await?;
    if query.order == Order::Descending {
        positions.reverse();
    }
    positions.truncate(query.limit + 1);
    Ok(positions)
}

async fn read_stream(
    store: &dyn EventStore,
    account: AccountId,
    mut each: impl FnMut(&Decoded),
) -> Result<(), ViewError> {
    let mut from = Revision(0);
    loop {
        let page = store
            .read_stream(StreamId::account(account), from, PAGE_RECORDS_MAX)
            .await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        from = Revision(last.revision.0 + 1);
        for record in &page {
            each(&read(record)?);
        }
    }
}

fn read(record: &ledger::store::StoredRecord) -> Result<Decoded, ViewError> {
    decode(record, None).map_err(|unreadable| ViewError::Halted {
        view: NAME.to_owned(),
        position: unreadable.position.0,
        reason: unreadable.reason,
    })
}

async fn by_blocks(
    view: &dyn ViewStore,
    store: &dyn EventStore,
    query: &AuditQuery,
    range: &Range,
) -> Result<Vec<Position>, ViewError> {
    let mut positions = Vec::new();
    if range.from >= range.to {
        return Ok(positions);
    }
    let last = range.to - 1;
    let (Some((first, _)), Some((last, _))) = (place(Position(range.from)), place(Position(last)))
    else {
        return Ok(positions);
    };
    let own = match query.actor {
        Some(actor) => own_events(store, actor).await?,
        None => Own::new(),
    };
    let blocks: Box<dyn Iterator<Item = u32> + Send> = match query.order {
        Order::Ascending => Box::new(first..=last),
        Order::Descending => Box::new((first..=last).rev()),
    };
    for block in blocks {
        let Some(mut bits) = candidates(view, query, block, &own)? else {
            continue;
        };
        cut(&mut bits, block, range);
        let doubtful = by_time(view, query, block, &mut bits)?;
        for span in doubtful {
            check_span(store, query, block, span, &mut bits).await?;
        }
        collect(&bits, block, query.order, query.limit + 1, &mut positions);
        if positions.len() > query.limit {
            break;
        }
    }
    Ok(positions)
}

/// A citizen's events on their own account; empty for any other principal.
async fn own_events(store: &dyn EventStore, actor: PrincipalId) -> Result<Own, ViewError> {
    let mut own = Own::new();
    read_stream(store, AccountId(actor.0), |record| {
        if let Some((block, offset)) = place(record.position)
            && in_own_stream(record)
        {
            own.entry(block).or_default().push(offset);
        }
    })
    .await?;
    Ok(own)
}

/// Positions of a block by actor and kind; `None`: there are none.
fn candidates(
    view: &dyn ViewStore,
    query: &AuditQuery,
    block: u32,
    own: &Own,
) -> Result<Option<Bits>, ViewError> {
    let mut bits: Option<Bits> = None;
    if let Some(actor) = query.actor {
        let row = view.get(&actor_key(actor, block))?;
        let mine = own.get(&block);
        if row.is_none() && mine.is_none() {
            return Ok(None);
        }
        let mut of_actor = Block::decode(row.as_deref().unwrap_or_default())?.bits();
        for offset in mine.into_iter().flatten() {
            set(&mut of_actor, *offset);
        }
        bits = Some(of_actor);
    }
    if !query.kinds.is_empty() {
        let mut of_kinds: Bits = Box::new([0; WORDS]);
        for kind in &query.kinds {
            if let Some(row) = view.get(&kind_key(*kind, block))? {
                let of_kind = Block::decode(&row)?.bits();
                of_kinds
                    .iter_mut()
                    .zip(of_kind.iter())
                    .for_each(|(word, more)| *word |= more);
            }
        }
        bits = Some(match bits {
            Some(mut bits) => {
                bits.iter_mut()
                    .zip(of_kinds.iter())
                    .for_each(|(word, mask)| *word &= mask);
                bits
            }
            None => of_kinds,
        });
    }
    Ok(Some(bits.unwrap_or_else(|| Box::new([u64::MAX; WORDS]))))
}

/// Clears what lies outside the range of positions.
fn cut(bits: &mut Bits, block: u32, range: &Range) {
    let start = u64::from(block) * BLOCK_POSITIONS;
    if range.from <= start && range.to >= start + BLOCK_POSITIONS {
        return;
    }
    for (index, word) in bits.iter_mut().enumerate() {
        for bit in 0..64 {
            if !(range.from..range.to).contains(&(start + index as u64 * 64 + bit)) {
                *word &= !(1 << bit);
            }
        }
    }
}

/// Clears spans outside the range of time; returns those that lie across its borders.
fn by_time(
    view: &dyn ViewStore,
    query: &AuditQuery,
    block: u32,
    bits: &mut Bits,
) -> Result<Vec<usize>, ViewError> {
    if query.since.is_none() && query.until.is_none() {
        return Ok(Vec::new());
    }
    let since = query.since.map_or(i64::MIN, |since| since.0);
    let until = query.until.map_or(i64::MAX, |until| until.0);
    let row = view.get(&time_key(block))?;
    let times = Times::decode(row.as_deref().unwrap_or_default())?;
    let mut doubtful = Vec::new();
    for (span, words) in bits.chunks_mut(SPAN_WORDS).enumerate() {
        match times.span(span, since, until) {
            Overlap::None => words.fill(0),
            Overlap::Some if words.iter().any(|word| *word != 0) => doubtful.push(span),
            Overlap::Some | Overlap::All => {}
        }
    }
    Ok(doubtful)
}

/// Looks at the events of a span themselves.
async fn check_span(
    store: &dyn EventStore,
    query: &AuditQuery,
    block: u32,
    span: usize,
    bits: &mut Bits,
) -> Result<(), ViewError> {
    let start = u64::from(block) * BLOCK_POSITIONS + (span * SPAN_POSITIONS) as u64;
    let page = store.read_all(Position(start), SPAN_POSITIONS).await?;
    for record in &page {
        let offset = record
            .position
            .0
            .wrapping_sub(u64::from(block) * BLOCK_POSITIONS) as usize;
        let wanted = bits
            .get(offset / 64)
            .is_some_and(|word| word >> (offset % 64) & 1 == 1);
        if wanted
            && !matches(query, &read(record)?)
            && let Some(word) = bits.get_mut(offset / 64)
        {
            *word &= !(1 << (offset % 64));
        }
    }
    Ok(())
}

fn collect(bits: &Bits, block: u32, order: Order, limit: usize, positions: &mut Vec<Position>) {
    let start = u64::from(block) * BLOCK_POSITIONS;
    let words: Box<dyn Iterator<Item = (usize, &u64)>> = match order {
        Order::Ascending => Box::new(bits.iter().enumerate()),
        Order::Descending => Box::new(bits.iter().enumerate().rev()),
    };
    for (index, word) in words {
        let mut word = *word;
        while word != 0 && positions.len() < limit {
            let bit = match order {
                Order::Ascending => word.trailing_zeros(),
                Order::Descending => word.ilog2(),
            };
            word &= !(1 << bit);
            positions.push(Position(start + index as u64 * 64 + u64::from(bit)));
        }
    }
}
