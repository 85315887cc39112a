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

mod row;

use super::lock::{CheckpointLock, Life, Locked, Seen, TurnPace, Turns};
use super::sealing::Missing;
use super::{SealError, origin};
use crate::postgres::{self, Away, BadAddress, Failure, Reach, Tries};
use crate::store::BoxFuture;
use core::sync::atomic::{AtomicBool, Ordering};
use deadpool_postgres::{Object, Pool};
use domain::ids::LedgerId;
use parking_lot::Mutex;
use row::{
    Entry, FIRST, FORMAT, GIVE_UP, IS_THERE, IS_VAULT, KEEP, READ, SHOW, SWAP, TABLE, TAKE,
    damaged, figures_of, signed,
};
use std::time::Duration;
use tlog::note::Note;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Held while the table is made, so that two nodes that start at once do not collide.
const MAKING_LOCK: i64 = 0x6964_6c65_6463_6b70;
/// Sealing asks one thing at a time, and gives signs of life meanwhile.
const CONNECTIONS: usize = 3;
/// A connection that is silent for so long is given up, and what was asked is asked anew.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// For the log.
const WHOSE: &str = "the checkpoint lock";

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
