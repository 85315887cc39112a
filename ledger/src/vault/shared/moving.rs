//! Moving a vault from a directory into the database that servers share.
//!
//! Owns the order: every slot of the directory is put into the database as it is, generation
//! included, since its content is bound to it; what an earlier run put there is compared. Nothing in
//! the directory is changed: whoever moves a ledger puts the old vault away afterwards. The ledger
//! must be closed, or what is made meanwhile would be missing.

use super::SharedVault;
use crate::credentials;
use crate::disk::{Disk, io_error};
use crate::postgres::Failure;
use crate::secrets::Keys;
use crate::store::StoreError;
use crate::vault::port::Slots as _;
use crate::vault::slots::SlotFile;
use crate::vault::{LAYOUT, Layout, VaultError};
use std::path::Path;

/// What was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Moved {
    /// Slots of both kinds in the directory, and in the database now.
    pub slots: u64,
    /// Of those, slots that an earlier run had put there.
    pub found: u64,
}

/// Why a vault cannot be moved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoveError {
    /// One of the two vaults.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The ledger is open, or its directory cannot be used.
    #[error(transparent)]
    Ledger(#[from] StoreError),
    /// There is no vault in the directory.
    #[error("there is no vault in the directory")]
    None,
    /// The database holds something else under the same id: it served a ledger since.
    #[error("the shared vault has changed since an earlier move: {slots} slots differ")]
    Differs {
        /// How many.
        slots: u64,
    },
    /// Stopped by whoever asked for it; what was put there is found by the next run.
    #[error("stopped after {slots} slots")]
    Stopped {
        /// Slots in the database by then.
        slots: u64,
    },
}

/// Puts everything of the vault in `<dir>/vault` into the database. `watch` is told the number of
/// slots done and of all, and says whether to go on.
pub async fn move_in(
    place: &SharedVault,
    disk: &dyn Disk,
    dir: &Path,
    keys: &Keys,
    watch: &mut (dyn FnMut(u64, u64) -> bool + Send),
) -> Result<Moved, MoveError> {
    let doing = "locking the ledger's directory";
    let lock = disk.lock(&dir.join("lock"));
    let _closed = lock
        .map_err(|error| io_error(doing, &error))?
        .ok_or(StoreError::Locked)?;
    let vault = dir.join("vault");
    let layouts = [LAYOUT, credentials::LAYOUT];
    if !layouts
        .iter()
        .all(|layout| vault.join(layout.file).exists())
    {
        return Err(MoveError::None);
    }
    let mut files = Vec::new();
    for layout in layouts {
        files.push((layout, SlotFile::open(disk, &vault, layout, keys.check())?));
    }
    let all: u64 = files.iter().map(|(_, file)| file.ids().len() as u64).sum();
    let (mut moved, mut differing) = (Moved { slots: 0, found: 0 }, 0);
    for (layout, file) in &files {
        let slots = place.slots(*layout, keys.check()).await?;
        for id in file.ids() {
            let Some(slot) = file.read(id).await? else {
                continue;
            };
            let payload = slot.payload.as_slice();
            match put(&slots, *layout, id, slot.generation, payload).await? {
                Put::New => {}
                Put::Same => moved.found += 1,
                Put::Other => differing += 1,
            }
            moved.slots += 1;
            if !watch(moved.slots, all) {
                let slots = moved.slots;
                return Err(MoveError::Stopped { slots });
            }
        }
    }
    if differing > 0 {
        return Err(MoveError::Differs { slots: differing });
    }
    Ok(moved)
}

enum Put {
    New,
    Same,
    Other,
}

/// Puts a slot there as it is; never over another.
async fn put(
    slots: &super::SharedSlots,
    layout: Layout,
    id: [u8; 16],
    generation: u32,
    payload: &[u8],
) -> Result<Put, VaultError> {
    let place = i32::try_from(generation).map_err(|_| VaultError::Unusable {
        file: layout.file,
        reason: "a slot was overwritten too often to be moved",
    })?;
    let mut tries = slots.tries("moving");
    loop {
        let outcome: Result<u64, Failure> = slots.try_place(&id, place, payload).await;
        match outcome {
            Ok(1) => return Ok(Put::New),
            Ok(_) => break,
            Err(failure) => tries.again(failure).await?,
        }
    }
    let same = slots.is_mine(id, generation, payload).await?;
    Ok(if same { Put::Same } else { Put::Other })
}
