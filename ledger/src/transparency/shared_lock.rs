//! The lock that several nodes share: one row in a PostgreSQL database of its own.
//!
//! ```text
//! idledger_checkpoint_lock
//!   log text, format int              whose row it is
//!   epoch bigint, holder bytea (16)   how many turns were taken, and who has it (null: nobody)
//!   beat bigint                       grows with every sign of life
//!   size bigint, checkpoint text      what was, or may have been, signed
//!   note text                         what was published: signed, with its cosignatures
//!   missing bigint[]                  what the newest lacks: size, found, wanted, published, refuses
//! ```
//!
//! Every change is one statement that names the epoch and the holder it is made under, so it does
//! nothing once somebody else has the turn, however late it arrives; what is locked moves only from
//! what it was, and only forward. An answer that was lost is settled by looking at the row. The
//! database is never the vault's: a backup of that one which is restored must not take the lock back
//! with it. Must never print the address, which may hold a password.

use super::lock::{CheckpointLock, Life, Locked, Seen, TurnPace, Turns};
use super::sealing::Missing;
use super::{SealError, origin};
use crate::postgres::{self, Away, BadAddress, Failure, Reach, Tries};
use crate::store::BoxFuture;
use core::sync::atomic::{AtomicBool, Ordering};
use deadpool_postgres::{Object, Pool};
use domain::ids::LedgerId;
use parking_lot::Mutex;
use std::time::Duration;
use tlog::Checkpoint;
use tlog::note::Note;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Version of the table.
const FORMAT: i32 = 1;
/// Held while the table is made, so that two nodes that start at once do not collide.
const MAKING_LOCK: i64 = 0x6964_6c65_6463_6b70;
/// Sealing asks one thing at a time, and gives signs of life meanwhile.
const CONNECTIONS: usize = 3;
/// A connection that is silent for so long is given up, and what was asked is asked anew.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// For the log.
const WHOSE: &str = "the checkpoint lock";

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS idledger_checkpoint_lock (
        log text PRIMARY KEY,
        format int NOT NULL,
        epoch bigint NOT NULL DEFAULT 0,
        holder bytea CHECK (octet_length(holder) = 16),
        beat bigint NOT NULL DEFAULT 0,
        size bigint NOT NULL DEFAULT 0,
        checkpoint text,
        note text,
        missing bigint[] CHECK (array_length(missing, 1) = 5))";
const IS_THERE: &str = "SELECT to_regclass('idledger_checkpoint_lock') IS NOT NULL";
/// The shared vault's table, in whatever schema.
const IS_VAULT: &str =
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_tables WHERE tablename = 'idledger_slots')";
const FIRST: &str = "INSERT INTO idledger_checkpoint_lock (log, format) VALUES ($1, $2) \
                     ON CONFLICT (log) DO NOTHING";
const READ: &str = "SELECT format, epoch, holder, beat, checkpoint, note, missing \
                    FROM idledger_checkpoint_lock WHERE log = $1";
const TAKE: &str = "UPDATE idledger_checkpoint_lock \
                    SET epoch = epoch + 1, holder = $2, beat = beat + 1 \
                    WHERE log = $1 AND epoch = $3 AND beat = $4 RETURNING epoch";
const KEEP: &str = "UPDATE idledger_checkpoint_lock SET beat = beat + 1 \
                    WHERE log = $1 AND holder = $2 AND epoch = $3 RETURNING epoch";
const SWAP: &str = "UPDATE idledger_checkpoint_lock \
                    SET size = $4, checkpoint = $5, beat = beat + 1 \
                    WHERE log = $1 AND holder = $2 AND epoch = $3 \
                    AND checkpoint IS NOT DISTINCT FROM $6 \
                    AND (checkpoint IS NULL OR size < $4 OR checkpoint = $5) RETURNING epoch";
const SHOW: &str = "UPDATE idledger_checkpoint_lock \
                    SET note = coalesce($4, note), missing = $6, beat = beat + 1 \
                    WHERE log = $1 AND holder = $2 AND epoch = $3 \
                    AND ($4::text IS NULL OR checkpoint = $5) RETURNING epoch";
const GIVE_UP: &str = "UPDATE idledger_checkpoint_lock SET holder = NULL, beat = beat + 1 \
                       WHERE log = $1 AND holder = $2 AND epoch = $3 RETURNING epoch";

/// A database where nodes share the lock.
#[derive(Clone)]
pub struct LockDatabase {
    pool: Pool,
}

impl core::fmt::Debug for LockDatabase {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("LockDatabase").finish_non_exhaustive()
    }
}

impl LockDatabase {
    /// Prepares connections, as [`SharedVault::new`] does; nothing is asked yet.
    ///
    /// [`SharedVault::new`]: crate::vault::shared::SharedVault::new
    pub fn new(
        address: &str,
        password: Option<&str>,
        authority: Option<&[u8]>,
    ) -> Result<Self, SealError> {
        let reach = Reach {
            address,
            password,
            authority,
        };
        let pool = postgres::pool(reach, CONNECTIONS);
        let pool = pool.map_err(|BadAddress(reason)| SealError::Address { reason })?;
        Ok(Self { pool })
    }

    /// Whether it is the address of a database, not a directory.
    pub fn is_address(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// Whether two addresses name one database, as far as their words show.
    pub fn is_same(one: &str, other: &str) -> bool {
        postgres::same_database(one, other)
    }

    /// The row of a ledger. `holder`: who this node is, another one each time it is opened.
    pub fn lock(&self, ledger: LedgerId, holder: [u8; 16], pace: TurnPace) -> SharedLock {
        SharedLock {
            pool: self.pool.clone(),
            log: origin(ledger),
            holder,
            pace,
            epoch: Mutex::new(None),
            ready: AtomicBool::new(false),
        }
    }
}

/// One ledger's row.
pub struct SharedLock {
    pool: Pool,
    log: String,
    holder: [u8; 16],
    pace: TurnPace,
    /// Of this node's turn, if it has, or had, one.
    epoch: Mutex<Option<i64>>,
    /// Whether the table is known to be there.
    ready: AtomicBool,
}

/// What stands in the row.
struct Entry {
    life: Life,
    holder: Option<Vec<u8>>,
    locked: Option<Locked>,
    published: Option<Note>,
    missing: Option<Missing>,
}

fn damaged(why: &str) -> SealError {
    let why = format!("its row is no row of a checkpoint lock: {why}");
    SealError::Lock { why }
}

impl Entry {
    fn read(row: &Row) -> Result<Self, SealError> {
        let column = |_| damaged("another table");
        let format: i32 = row.try_get(0).map_err(column)?;
        if format != FORMAT {
            return Err(damaged("it is of another version"));
        }
        let checkpoint: Option<&str> = row.try_get(4).map_err(column)?;
        let note: Option<&str> = row.try_get(5).map_err(column)?;
        let missing: Option<Vec<i64>> = row.try_get(6).map_err(column)?;
        let parsed = |text: &str| {
            let checkpoint = Checkpoint::parse(text);
            checkpoint.map(|checkpoint| Locked { checkpoint })
        };
        let text = |error: tlog::Error| damaged(&error.to_string());
        Ok(Self {
            life: Life {
                epoch: row.try_get(1).map_err(column)?,
                beat: row.try_get(3).map_err(column)?,
            },
            holder: row.try_get(2).map_err(column)?,
            locked: checkpoint.map(parsed).transpose().map_err(text)?,
            published: note.map(Note::parse).transpose().map_err(text)?,
            missing: missing.as_deref().map(missing_of).transpose()?,
        })
    }
}

fn missing_of(figures: &[i64]) -> Result<Missing, SealError> {
    let bad = || damaged("figures of cosignatures");
    let [size, found, wanted, published, refuses] = figures else {
        return Err(bad());
    };
    let count = |figure: &i64| usize::try_from(*figure).map_err(|_| bad());
    Ok(Missing {
        size: u64::try_from(*size).map_err(|_| bad())?,
        found: count(found)?,
        wanted: count(wanted)?,
        published: *published == 1,
        refuses: *refuses == 1,
    })
}

fn figures_of(missing: &Missing) -> Vec<i64> {
    let figure = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    vec![
        signed(missing.size),
        figure(missing.found),
        figure(missing.wanted),
        i64::from(missing.published),
        i64::from(missing.refuses),
    ]
}

/// Sizes of logs are below 2^48.
fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// What a statement came to.
struct Asked {
    row: Option<Row>,
    /// Whether an earlier try may have been carried out, its answer lost.
    uncertain: bool,
}

impl SharedLock {
    /// Asks one thing once.
    async fn try_ask(
        &self,
        statement: &str,
        parameters: Parameters<'_>,
    ) -> Result<Option<Row>, Failure> {
        let client = self.pool.get().await?;
        let answer = async {
            let prepared = client.prepare_cached(statement).await?;
            client.query_opt(&prepared, parameters).await
        };
        let Ok(answer) = tokio::time::timeout(ANSWER_MAX, answer).await else {
            // It may still be carried out; nobody else may wait behind it.
            drop(Object::take(client));
            return Err(Failure::Silent);
        };
        Ok(answer?)
    }

    async fn ask(
        &self,
        operation: &'static str,
        statement: &str,
        parameters: Parameters<'_>,
    ) -> Result<Asked, SealError> {
        let (mut tries, mut uncertain) = (Tries::new(WHOSE, operation), false);
        loop {
            match self.try_ask(statement, parameters).await {
                Ok(row) => return Ok(Asked { row, uncertain }),
                Err(failure) => {
                    uncertain |= failure.is_uncertain();
                    tries.again(failure).await.map_err(away)?;
                }
            }
        }
    }

    /// Makes the table and the row where they are missing; not in the shared vault's database.
    async fn prepare(&self) -> Result<(), SealError> {
        if self.ready.load(Ordering::SeqCst) {
            return Ok(());
        }
        let vault = self.ask("opening", IS_VAULT, &[]).await?.row;
        if vault.is_none_or(|row| row.try_get(0).unwrap_or(true)) {
            return Err(SealError::VaultDatabase);
        }
        let mut tries = Tries::new(WHOSE, "opening");
        while let Err(failure) = self.try_prepare().await {
            tries.again(failure).await.map_err(away)?;
        }
        self.ready.store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn try_prepare(&self) -> Result<(), Failure> {
        // Who may not make tables may use one.
        let there = self.try_ask(IS_THERE, &[]).await?;
        if !there.is_some_and(|row| row.try_get(0).unwrap_or(false)) {
            let mut client = self.pool.get().await?;
            let making = client.transaction().await?;
            making
                .execute("SELECT pg_advisory_xact_lock($1)", &[&MAKING_LOCK])
                .await?;
            making.batch_execute(TABLE).await?;
            making.commit().await?;
        }
        self.try_ask(FIRST, &[&self.log, &FORMAT]).await.map(drop)
    }

    async fn entry(&self) -> Result<Entry, SealError> {
        self.prepare().await?;
        let row = self.ask("reading", READ, &[&self.log]).await?.row;
        let Some(row) = row else {
            // Somebody removed it: the next call makes it again.
            self.ready.store(false, Ordering::SeqCst);
            return Err(damaged("it is gone"));
        };
        Entry::read(&row)
    }

    /// The turn that this node took last.
    fn turn(&self) -> Result<i64, SealError> {
        self.epoch.lock().ok_or(SealError::LockMoved)
    }

    fn is_mine(&self, entry: &Entry, epoch: i64) -> bool {
        entry.life.epoch == epoch && entry.holder.as_deref() == Some(&self.holder[..])
    }
}

fn away(Away { operation, message }: Away) -> SealError {
    SealError::Remote { operation, message }
}

impl CheckpointLock for SharedLock {
    fn load(&self) -> BoxFuture<'_, Result<Option<Locked>, SealError>> {
        Box::pin(async { Ok(self.entry().await?.locked) })
    }

    fn swap<'a>(
        &'a self,
        old: Option<&'a Locked>,
        new: &'a Locked,
    ) -> BoxFuture<'a, Result<(), SealError>> {
        Box::pin(async move {
            let epoch = self.turn()?;
            let (holder, size) = (&self.holder[..], signed(new.checkpoint.head.size));
            if !old.is_none_or(|old| old.may_become(new)) {
                return Err(SealError::LockMoved);
            }
            let (text, old) = (new.checkpoint.to_text(), old);
            let old = old.map(|old| old.checkpoint.to_text());
            let parameters: Parameters<'_> = &[&self.log, &holder, &epoch, &size, &text, &old];
            let Asked { row, uncertain } = self.ask("moving", SWAP, parameters).await?;
            if row.is_some() {
                return Ok(());
            }
            if uncertain {
                let entry = self.entry().await?;
                if self.is_mine(&entry, epoch) && entry.locked.as_ref() == Some(new) {
                    return Ok(());
                }
            }
            Err(SealError::LockMoved)
        })
    }

    fn turns(&self) -> Option<&dyn Turns> {
        Some(self)
    }
}

impl Turns for SharedLock {
    fn look(&self) -> BoxFuture<'_, Result<Seen, SealError>> {
        Box::pin(async {
            let entry = self.entry().await?;
            Ok(Seen {
                life: entry.life,
                held: entry.holder.is_some(),
                published: entry.published,
                missing: entry.missing,
            })
        })
    }

    fn take<'a>(&'a self, seen: &'a Seen) -> BoxFuture<'a, Result<bool, SealError>> {
        Box::pin(async move {
            let (holder, Life { epoch, beat }) = (&self.holder[..], seen.life);
            let parameters: Parameters<'_> = &[&self.log, &holder, &epoch, &beat];
            let Asked { row, uncertain } = self.ask("taking", TAKE, parameters).await?;
            let epoch = epoch.saturating_add(1);
            let mine = match row {
                Some(_) => true,
                None => uncertain && self.is_mine(&self.entry().await?, epoch),
            };
            if mine {
                *self.epoch.lock() = Some(epoch);
            }
            Ok(mine)
        })
    }

    fn keep(&self) -> BoxFuture<'_, Result<(), SealError>> {
        Box::pin(async {
            let (holder, epoch) = (&self.holder[..], self.turn()?);
            let parameters: Parameters<'_> = &[&self.log, &holder, &epoch];
            let asked = self.ask("keeping", KEEP, parameters).await?;
            asked.row.map(drop).ok_or(SealError::LockMoved)
        })
    }

    fn show<'a>(
        &'a self,
        note: Option<&'a Note>,
        missing: Option<Missing>,
    ) -> BoxFuture<'a, Result<(), SealError>> {
        Box::pin(async move {
            let (holder, epoch) = (&self.holder[..], self.turn()?);
            let (shown, text) = (note.map(Note::to_text), note.map(Note::text));
            let missing = missing.as_ref().map(figures_of);
            let parameters: Parameters<'_> = &[&self.log, &holder, &epoch, &shown, &text, &missing];
            // Done twice it comes to the same.
            let asked = self.ask("publishing", SHOW, parameters).await?;
            asked.row.map(drop).ok_or(SealError::LockMoved)
        })
    }

    fn give_up(&self) -> BoxFuture<'_, Result<(), SealError>> {
        Box::pin(async {
            let Some(epoch) = self.epoch.lock().take() else {
                return Ok(());
            };
            let holder = &self.holder[..];
            let parameters: Parameters<'_> = &[&self.log, &holder, &epoch];
            self.ask("giving up", GIVE_UP, parameters).await.map(drop)
        })
    }

    fn pace(&self) -> TurnPace {
        self.pace
    }
}

#[cfg(test)]
mod tests;
