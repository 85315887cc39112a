//! The vault that several servers share: slots in a PostgreSQL database.
//!
//! Owns two tables and the connections to them:
//!
//! ```text
//! idledger_vault   file text, format int, key_check bytea (16)              what the slots are for
//! idledger_slots   kind smallint, id bytea (16), generation int, payload bytea   one row a slot
//! ```
//!
//! A payload is what a slot of the file holds: wrapped keys or a sealed verifier, bound to its id and
//! generation by AES-GCM. The database never sees anything it could use, and a row put under another
//! id, or an older one put back, does not open or is noticed by its generation. Answers only what is
//! committed and safe: a server without `fsync` is refused, asynchronous commits are turned off.
//!
//! What a lost connection leaves open is asked again: an insertion that finds a row compares it with
//! its own. Destroying overwrites the row; old row versions go with PostgreSQL's vacuum, and its
//! write-ahead log and backups keep them (wrapped) as long as they are kept: see `docs/kurrentdb.md`.
//! Never prints the address, which may hold a password.

pub mod moving;

use super::error::VaultError;
use super::layout::Layout;
use super::port::{Found, Inserted, Slots};
use crate::postgres::{self, Away, BadAddress, Failure, Reach};
use crate::store::BoxFuture;
use deadpool_postgres::{Object, Pool};
use zeroize::Zeroizing;

/// Version of the tables.
const FORMAT: i32 = 1;
/// Held while the tables are made, so that two servers that start at once do not collide.
const MAKING_LOCK: i64 = 0x6964_6c65_6467_6572;
/// Connections of one server: each waits for one commit at a time.
const CONNECTIONS: usize = 16;

/// Small enough that an overwritten row finds room in its own page, so that no index entry is left.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS idledger_vault (
        file text PRIMARY KEY,
        format int NOT NULL,
        key_check bytea NOT NULL CHECK (octet_length(key_check) = 16));
    CREATE TABLE IF NOT EXISTS idledger_slots (
        kind smallint NOT NULL,
        id bytea NOT NULL CHECK (octet_length(id) = 16),
        generation int NOT NULL CHECK (generation > 0),
        payload bytea NOT NULL,
        PRIMARY KEY (kind, id)) WITH (fillfactor = 70);";

/// A database that servers share.
#[derive(Clone)]
pub struct SharedVault {
    pool: Pool,
}

impl core::fmt::Debug for SharedVault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SharedVault").finish_non_exhaustive()
    }
}

impl SharedVault {
    /// Prepares connections to `address` (`postgres://user@host:port/database`; several hosts may
    /// stand there, the one that takes writes is used). A password given apart replaces the one in
    /// the address. Hosts that are not this machine are reached with TLS only; `authority` (PEM) is
    /// who signed their certificates, otherwise the well-known ones are believed.
    pub fn new(
        address: &str,
        password: Option<&str>,
        authority: Option<&[u8]>,
    ) -> Result<Self, VaultError> {
        let reach = Reach {
            address,
            password,
            authority,
        };
        let pool = postgres::pool(reach, CONNECTIONS);
        let pool = pool.map_err(|BadAddress(reason)| VaultError::Address { reason })?;
        Ok(Self { pool })
    }

    /// The slots of one kind; makes the tables if they are not there. `check` is compared with the
    /// one they were made with.
    pub(crate) async fn slots(
        &self,
        layout: Layout,
        check: [u8; 16],
    ) -> Result<SharedSlots, VaultError> {
        let slots = SharedSlots {
            pool: self.pool.clone(),
            layout,
            kind: i16::try_from(layout.kind).unwrap_or(i16::MAX),
        };
        let mut tries = Tries::new(layout.file, "opening");
        loop {
            match slots.prepare(&check).await {
                Ok(found) if found == (FORMAT, check.to_vec()) => return Ok(slots),
                Ok((FORMAT, _)) => return Err(VaultError::WrongKey { file: layout.file }),
                Ok(_) => {
                    return Err(VaultError::Unusable {
                        file: layout.file,
                        reason: "its tables are of another version",
                    });
                }
                Err(failure) => tries.again(failure).await?,
            }
        }
    }
}

/// Tries of one call for slots of one kind.
struct Tries {
    file: &'static str,
    tries: postgres::Tries,
}

impl Tries {
    fn new(file: &'static str, operation: &'static str) -> Self {
        let tries = postgres::Tries::new("the shared vault", operation);
        Self { file, tries }
    }

    async fn again(&mut self, failure: Failure) -> Result<(), VaultError> {
        let away = |Away { operation, message }| VaultError::Remote {
            file: self.file,
            operation,
            message,
        };
        self.tries.again(failure).await.map_err(away)
    }
}

/// Slots of one kind in the database.
pub(crate) struct SharedSlots {
    pool: Pool,
    layout: Layout,
    kind: i16,
}

impl SharedSlots {
    async fn client(&self) -> Result<Object, Failure> {
        Ok(self.pool.get().await?)
    }

    fn tries(&self, operation: &'static str) -> Tries {
        Tries::new(self.layout.file, operation)
    }

    /// Makes the tables, and says what they are for: version and check value.
    async fn prepare(&self, check: &[u8; 16]) -> Result<(i32, Vec<u8>), Failure> {
        let mut client = self.client().await?;
        let making = client.transaction().await?;
        making
            .execute("SELECT pg_advisory_xact_lock($1)", &[&MAKING_LOCK])
            .await?;
        making.batch_execute(TABLES).await?;
        let (check, file) = (check.as_slice(), self.layout.file);
        let known = "INSERT INTO idledger_vault (file, format, key_check) VALUES ($1, $2, $3) \
                     ON CONFLICT (file) DO NOTHING";
        making.execute(known, &[&file, &FORMAT, &check]).await?;
        let asked = "SELECT format, key_check FROM idledger_vault WHERE file = $1";
        let row = making.query_one(asked, &[&file]).await?;
        let found = (row.try_get(0)?, row.try_get(1)?);
        making.commit().await?;
        Ok(found)
    }

    async fn try_read(&self, id: &[u8; 16]) -> Result<Option<Found>, Failure> {
        let client = self.client().await?;
        let asked = client
            .prepare_cached(
                "SELECT generation, payload FROM idledger_slots WHERE kind = $1 AND id = $2",
            )
            .await?;
        let row = client
            .query_opt(&asked, &[&self.kind, &id.as_slice()])
            .await?;
        let Some(row) = row else { return Ok(None) };
        let generation: i32 = row.try_get(0)?;
        let payload: &[u8] = row.try_get(1)?;
        Ok(Some(Found {
            generation: generation.unsigned_abs(),
            payload: Zeroizing::new(payload.to_vec()),
        }))
    }

    async fn try_insert(&self, id: &[u8; 16], payload: &[u8]) -> Result<bool, Failure> {
        Ok(self.try_place(id, 1, payload).await? == 1)
    }

    /// Makes a slot of a generation; 0: there is one.
    async fn try_place(
        &self,
        id: &[u8; 16],
        generation: i32,
        payload: &[u8],
    ) -> Result<u64, Failure> {
        let client = self.client().await?;
        let asked = client
            .prepare_cached(
                "INSERT INTO idledger_slots (kind, id, generation, payload) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (kind, id) DO NOTHING",
            )
            .await?;
        let rows = client
            .execute(&asked, &[&self.kind, &id.as_slice(), &generation, &payload])
            .await?;
        Ok(rows)
    }

    async fn try_overwrite(
        &self,
        id: &[u8; 16],
        generation: i32,
        payload: &[u8],
    ) -> Result<bool, Failure> {
        let client = self.client().await?;
        let asked = client
            .prepare_cached(
                "UPDATE idledger_slots SET generation = generation + 1, payload = $4 \
                 WHERE kind = $1 AND id = $2 AND generation = $3",
            )
            .await?;
        let rows = client
            .execute(&asked, &[&self.kind, &id.as_slice(), &generation, &payload])
            .await?;
        Ok(rows == 1)
    }

    async fn read_surely(&self, id: [u8; 16]) -> Result<Option<Found>, VaultError> {
        let mut tries = self.tries("reading");
        loop {
            match self.try_read(&id).await {
                Ok(found) => return Ok(found),
                Err(failure) => tries.again(failure).await?,
            }
        }
    }

    /// Whether a slot is what this process wrote: a try whose answer was lost may have succeeded.
    async fn is_mine(
        &self,
        id: [u8; 16],
        generation: u32,
        payload: &[u8],
    ) -> Result<bool, VaultError> {
        let found = self.read_surely(id).await?;
        Ok(found.is_some_and(|found| {
            found.generation == generation && found.payload.as_slice() == payload
        }))
    }
}

impl Slots for SharedSlots {
    fn read(&self, id: [u8; 16]) -> BoxFuture<'_, Result<Option<Found>, VaultError>> {
        Box::pin(self.read_surely(id))
    }

    fn insert(
        &self,
        id: [u8; 16],
        payload: Zeroizing<Vec<u8>>,
    ) -> BoxFuture<'_, Result<Inserted, VaultError>> {
        Box::pin(async move {
            let mut tries = self.tries("writing");
            let mut uncertain = false;
            loop {
                match self.try_insert(&id, &payload).await {
                    Ok(true) => return Ok(Inserted::New),
                    Ok(false) if uncertain && self.is_mine(id, 1, &payload).await? => {
                        return Ok(Inserted::New);
                    }
                    Ok(false) => return Ok(Inserted::Existing),
                    Err(failure) => {
                        uncertain |= failure.is_uncertain();
                        tries.again(failure).await?;
                    }
                }
            }
        })
    }

    fn overwrite(
        &self,
        id: [u8; 16],
        generation: u32,
        payload: Zeroizing<Vec<u8>>,
    ) -> BoxFuture<'_, Result<(), VaultError>> {
        Box::pin(async move {
            let mut tries = self.tries("overwriting");
            let mut uncertain = false;
            let expected = i32::try_from(generation).map_err(|_| VaultError::Contended)?;
            loop {
                match self.try_overwrite(&id, expected, &payload).await {
                    Ok(true) => return Ok(()),
                    Ok(false) => {
                        let next = generation.saturating_add(1);
                        let mine = uncertain && self.is_mine(id, next, &payload).await?;
                        return if mine {
                            Ok(())
                        } else {
                            Err(VaultError::Contended)
                        };
                    }
                    Err(failure) => {
                        uncertain |= failure.is_uncertain();
                        tries.again(failure).await?;
                    }
                }
            }
        })
    }

    fn count(&self) -> BoxFuture<'_, Result<u64, VaultError>> {
        Box::pin(async move {
            let mut tries = self.tries("counting");
            loop {
                let counted = async {
                    let client = self.client().await?;
                    let asked = "SELECT count(*) FROM idledger_slots WHERE kind = $1";
                    let row = client.query_one(asked, &[&self.kind]).await?;
                    Ok::<i64, Failure>(row.try_get(0)?)
                };
                match counted.await {
                    Ok(count) => return Ok(count.unsigned_abs()),
                    Err(failure) => tries.again(failure).await?,
                }
            }
        })
    }

    fn is_shared(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
