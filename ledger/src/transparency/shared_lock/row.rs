//! What stands in the row, and the statements that read and change it.

use super::super::SealError;
use super::super::lock::{Life, Locked};
use super::super::sealing::Missing;
use tlog::Checkpoint;
use tlog::note::Note;
use tokio_postgres::Row;

/// Version of the table.
pub(super) const FORMAT: i32 = 1;

pub(super) const TABLE: &str = "
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
pub(super) const IS_THERE: &str = "SELECT to_regclass('idledger_checkpoint_lock') IS NOT NULL";
/// The shared vault's table, in whatever schema.
pub(super) const IS_VAULT: &str =
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_tables WHERE tablename = 'idledger_slots')";
pub(super) const FIRST: &str = "INSERT INTO idledger_checkpoint_lock (log, format) VALUES ($1, $2) \
                     ON CONFLICT (log) DO NOTHING";
pub(super) const READ: &str = "SELECT format, epoch, holder, beat, checkpoint, note, missing \
                    FROM idledger_checkpoint_lock WHERE log = $1";
pub(super) const TAKE: &str = "UPDATE idledger_checkpoint_lock \
                    SET epoch = epoch + 1, holder = $2, beat = beat + 1 \
                    WHERE log = $1 AND epoch = $3 AND beat = $4 RETURNING epoch";
pub(super) const KEEP: &str = "UPDATE idledger_checkpoint_lock SET beat = beat + 1 \
                    WHERE log = $1 AND holder = $2 AND epoch = $3 RETURNING epoch";
pub(super) const SWAP: &str = "UPDATE idledger_checkpoint_lock \
                    SET size = $4, checkpoint = $5, beat = beat + 1 \
                    WHERE log = $1 AND holder = $2 AND epoch = $3 \
                    AND checkpoint IS NOT DISTINCT FROM $6 \
                    AND (checkpoint IS NULL OR size < $4 OR checkpoint = $5) RETURNING epoch";
pub(super) const SHOW: &str = "UPDATE idledger_checkpoint_lock \
                    SET note = coalesce($4, note), missing = $6, beat = beat + 1 \
                    WHERE log = $1 AND holder = $2 AND epoch = $3 \
                    AND ($4::text IS NULL OR checkpoint = $5) RETURNING epoch";
pub(super) const GIVE_UP: &str = "UPDATE idledger_checkpoint_lock SET holder = NULL, beat = beat + 1 \
                       WHERE log = $1 AND holder = $2 AND epoch = $3 RETURNING epoch";

/// What stands in the row.
pub(super) struct Entry {
    pub life: Life,
    pub holder: Option<Vec<u8>>,
    pub locked: Option<Locked>,
    pub published: Option<Note>,
    pub missing: Option<Missing>,
}

pub(super) fn damaged(why: &str) -> SealError {
    let why = format!("its row is no row of a checkpoint lock: {why}");
    SealError::Lock { why }
}

impl Entry {
    pub fn read(row: &Row) -> Result<Self, SealError> {
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

pub(super) fn figures_of(missing: &Missing) -> Vec<i64> {
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
pub(super) fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
