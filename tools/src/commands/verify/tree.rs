//! The tree over the records as they are, beside everything that was said about it: the published
//! checkpoint, the tree's own files, what was remembered, and checkpoints from elsewhere.
//!
//! Owns the comparison. Every record's entry is taken in, in order; where a checkpoint speaks, the
//! root must be the one it names.

use super::claims::{Claim, Mirrored, Source, Witnesses, finding};
use super::report::Finding;
use super::stamps::{self, Authorities, StampReport};
use crate::commands::state;
use crate::exit::{Exit, Stop};
use crate::output::grouped;
use domain::ids::LedgerId;
use ledger::disk::RealDisk;
use ledger::keyring::KeyRing;
use ledger::transparency::{
    CHECKPOINT_FILE, ENTRY_BYTES, Levels, STAMPS_DIR, SealError, Stamp, Stamps,
};
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tlog::bundle;
use tlog::hash::Hash;
use tlog::note::{Note, VerifierKey};
use tlog::proof::Head;
use tlog::tile::{self, Kind, TileId, WIDTH};
use tlog::tree::{FullTile, Tiles, Tree};

/// What the report says of the log.
#[derive(Debug, Clone, Serialize)]
pub struct LogReport {
    /// The root of all records, base64.
    pub root: String,
    /// Size of the published checkpoint, if one is.
    pub published: Option<u64>,
    /// Sizes of all checkpoints that the records were held against.
    pub compared: Vec<u64>,
    /// What authorities said of some of them, where the auditor named whom to believe.
    pub stamped: Option<Vec<StampReport>>,
}

impl LogReport {
    /// As people read it.
    pub fn human(&self, w: &mut impl Write) -> io::Result<()> {
        writeln!(w, "root      {}", self.root)?;
        match self.published {
            Some(size) => writeln!(w, "sealed    {} of them", grouped(size))?,
            None => writeln!(w, "sealed    none: no checkpoint is published here")?,
        }
        stamps::human(self.stamped.as_deref(), w)
    }
}

/// Compares while the records go by.
pub struct TreeCheck {
    tree: Tree,
    /// Smallest first.
    claims: Vec<Claim>,
    next: usize,
    /// Claims that the records do not lead to, by number, and where they lead instead.
    parted: Vec<(usize, Hash)>,
    stored: Option<Arc<dyn Tiles + Send + Sync>>,
    /// How far the stored tree is compared.
    stored_size: u64,
    entries: Vec<u8>,
    /// What authorities said of those that are stamped.
    stamped: Vec<StampReport>,
}

impl TreeCheck {
    /// With nothing to compare with.
    pub fn alone() -> Self {
        Self {
            tree: Tree::new(),
            claims: Vec::new(),
            next: 0,
            parted: Vec::new(),
            stored: None,
            stored_size: 0,
            entries: Vec::new(),
            stamped: Vec::new(),
        }
    }

    /// With what is published in a ledger's directory, and the checkpoints in other files.
    pub fn of(
        dir: &Path,
        remembered: Option<&Path>,
        given: &[PathBuf],
        authorities: &Authorities,
    ) -> Result<Self, Box<Finding>> {
        let mut check = Self::alone();
        let tree = dir.join("tree");
        let published = Claim::read(&tree.join(CHECKPOINT_FILE), Source::Published)?;
        if let Some(published) = published {
            check.stored = Some(Arc::new(Levels::reading(Arc::new(RealDisk), &tree)));
            check.stored_size = published.checkpoint.head.size;
            check.claims.push(published);
        }
        let stamps = Stamps::of(Arc::new(RealDisk), &dir.join(STAMPS_DIR));
        let unreadable = |error| unreadable(&error);
        for size in stamps.sizes().map_err(unreadable)? {
            if let Some(stamp) = stamps.get(size).map_err(unreadable)? {
                check.add_stamp(&stamp, authorities)?;
            }
        }
        check.add(remembered, given)?;
        Ok(check)
    }

    /// A stamped checkpoint is a checkpoint too; its stamp is judged here and not held.
    pub fn add_stamp(
        &mut self,
        stamp: &Stamp,
        authorities: &Authorities,
    ) -> Result<(), Box<Finding>> {
        self.stamped.extend(authorities.judge(stamp)?);
        self.claims.push(Claim::stamped(stamp)?);
        Ok(())
    }

    /// What authorities said of the checkpoints; `None`: nobody is believed.
    pub fn judged(
        &mut self,
        authorities: &Authorities,
    ) -> Result<Option<Vec<StampReport>>, Box<Finding>> {
        let given = authorities.judge_given(&self.claims)?;
        let mut stamped = std::mem::take(&mut self.stamped);
        stamped.extend(given);
        stamped.sort_by_key(|stamped| stamped.size);
        Ok(authorities.is_some().then_some(stamped))
    }

    /// With what is remembered and the checkpoints in other files: an archive has no tree of its own.
    pub fn of_archive(remembered: Option<&Path>, given: &[PathBuf]) -> Result<Self, Box<Finding>> {
        let mut check = Self::alone();
        check.add(remembered, given)?;
        Ok(check)
    }

    fn add(&mut self, remembered: Option<&Path>, given: &[PathBuf]) -> Result<(), Box<Finding>> {
        if let Some(path) = remembered {
            self.claims.extend(Claim::read(path, Source::Remembered)?);
        }
        for path in given {
            let claim = Claim::read(path, Source::Given(path.clone()))?;
            let missing = || finding(0, &Source::Given(path.clone()), "a file", &"none");
            self.claims.push(claim.ok_or_else(missing)?);
        }
        self.sort();
        Ok(())
    }

    /// The next record.
    pub fn push(&mut self, entry: [u8; ENTRY_BYTES], leaf: Hash) -> Result<(), Box<Finding>> {
        let mut full = Vec::new();
        self.tree.push(leaf, &mut |tile: FullTile| full.push(tile));
        if let Some(stored) = self.stored.clone()
            && self.tree.size() <= self.stored_size
        {
            // An entry of 32 bytes always has room.
            let _ = bundle::push(&mut self.entries, &entry);
            for tile in &full {
                let id = TileId {
                    kind: Kind::Hashes(tile.level),
                    index: tile.index,
                    width: WIDTH,
                };
                compare(stored.as_ref(), &id, &tile::bytes(&tile.hashes))?;
            }
            let size = self.tree.size();
            if size.is_multiple_of(u64::from(WIDTH)) || size == self.stored_size {
                self.compare_bundle(size)?;
            }
            if size == self.stored_size {
                for (id, hashes) in self.tree.partial() {
                    compare(stored.as_ref(), &id, &tile::bytes(hashes))?;
                }
            }
        }
        self.compare_claims();
        Ok(())
    }

    fn compare_bundle(&mut self, size: u64) -> Result<(), Box<Finding>> {
        let bytes = std::mem::take(&mut self.entries);
        let index = (size - 1) / u64::from(WIDTH);
        let (Some(stored), Some(id)) = (&self.stored, TileId::at(Kind::Entries, index, size))
        else {
            return Ok(());
        };
        compare(stored.as_ref(), &id, &bytes)
    }

    fn compare_claims(&mut self) {
        while let Some(claim) = self.claims.get(self.next) {
            let Head { size, root } = claim.checkpoint.head;
            if size > self.tree.size() {
                return;
            }
            let found = self.tree.root();
            if size == self.tree.size() && found != root {
                self.parted.push((self.next, found));
            }
            self.next += 1;
        }
    }

    /// The first thing that is wrong with what was claimed: what nobody signed accuses nobody, so signatures
    /// come first.
    fn judge(
        &self,
        signed: impl Fn(&Claim) -> Result<(), Box<Finding>>,
    ) -> Result<(), Box<Finding>> {
        for claim in &self.claims {
            signed(claim)?;
        }
        self.parted()?;
        self.cut()
    }

    fn parted(&self) -> Result<(), Box<Finding>> {
        let parted = self.parted.first();
        let Some((claim, found)) =
            parted.and_then(|(number, found)| Some((self.claims.get(*number)?, found)))
        else {
            return Ok(());
        };
        let Head { size, root } = claim.checkpoint.head;
        let mut finding = finding(
            size.saturating_sub(1),
            &claim.source,
            &format!("root {root} of the first {size} events"),
            &format!("root {found}"),
        );
        finding.reason = Some(match claim.source {
            Source::Published => "events before this position are not those that were sealed, or \
                                  the checkpoint is another history's"
                .to_owned(),
            _ => {
                "history was rewritten: two signed histories, a fork. Keep both checkpoints: they \
                  are the proof"
                    .to_owned()
            }
        });
        Err(finding)
    }

    /// After the last record: nothing that was signed may lie beyond it, and who signed must have been
    /// allowed to.
    pub fn finish(&self, ring: &KeyRing, wanted: &Witnesses) -> Result<LogReport, Box<Finding>> {
        let records = self.tree.size();
        self.judge(|claim| claim.signed(ring, wanted, records))?;
        let published = self.published().map(|claim| claim.checkpoint.head.size);
        if published.is_none() && wanted.quorum > 0 {
            let source = Source::Published;
            return Err(finding(
                records,
                &source,
                "cosigned",
                &"nothing is published",
            ));
        }
        let sizes = self.claims.iter().map(|claim| claim.checkpoint.head.size);
        Ok(LogReport {
            root: self.tree.root().to_string(),
            published,
            compared: sizes.collect(),
            stamped: None,
        })
    }

    fn cut(&self) -> Result<(), Box<Finding>> {
        let records = self.tree.size();
        if let Some(claim) = self.claims.last()
            && claim.checkpoint.head.size > records
        {
            let size = claim.checkpoint.head.size;
            let mut cut = *finding(
                records,
                &claim.source,
                &format!("{size} events or more"),
                &format!("{records}"),
            );
            cut.reason = Some("history was cut: rolled back to an older copy?".to_owned());
            return Err(Box::new(cut));
        }
        Ok(())
    }

    /// Over a mirror's entries.
    pub fn of_mirror(
        mirrored: &Mirrored,
        tiles: Arc<dyn Tiles + Send + Sync>,
        remembered: Option<&Path>,
        given: &[PathBuf],
    ) -> Result<Self, Box<Finding>> {
        let mut check = Self::alone();
        check.stored = Some(tiles);
        check.stored_size = mirrored.size();
        check.claims.push(mirrored.claim.clone());
        check.add(remembered, given)?;
        Ok(check)
    }

    /// After the last stamp of a mirror.
    pub fn sort(&mut self) {
        self.claims.sort_by_key(|claim| claim.checkpoint.head.size);
    }

    /// The next entry of a mirror.
    pub fn push_entry(&mut self, entry: &[u8]) -> Result<(), Box<Finding>> {
        let at = self.tree.size();
        let entry = <[u8; ENTRY_BYTES]>::try_from(entry).map_err(|_| {
            finding(
                at,
                &Source::Published,
                "entries of 32 bytes",
                &"another length",
            )
        })?;
        self.push(entry, Hash::leaf(&entry))
    }

    /// After a mirror's last entry. Its own checkpoint was checked first; others must be the log's too.
    pub fn finish_mirror(&self, keys: &[VerifierKey]) -> Result<(), Box<Finding>> {
        let nobody = Witnesses::default();
        self.judge(|claim| match claim.source {
            Source::Published => Ok(()),
            _ => claim.by(keys.to_vec(), &nobody).map(drop),
        })
    }

    /// Size of the remembered checkpoint.
    pub fn remembered(&self) -> Option<u64> {
        let mut claims = self.claims.iter();
        let claim = claims.find(|claim| claim.source == Source::Remembered)?;
        Some(claim.checkpoint.head.size)
    }

    /// The longest of the published and the remembered one.
    pub fn longest(&self) -> Option<&Claim> {
        let ours = |claim: &&Claim| matches!(claim.source, Source::Published | Source::Remembered);
        self.claims.iter().rfind(ours)
    }

    fn published(&self) -> Option<&Claim> {
        let mut claims = self.claims.iter();
        claims.find(|claim| claim.source == Source::Published)
    }
}

#[allow(clippy::unnecessary_box_returns)] // as the pipeline's sinks take it
fn unreadable(error: &SealError) -> Box<Finding> {
    finding(0, &Source::Stamped(0), "files that can be read", error)
}

fn compare(stored: &dyn Tiles, id: &TileId, expected: &[u8]) -> Result<(), Box<Finding>> {
    let found = stored.tile(id);
    // In place of a partial tile the full one may be there.
    if found
        .as_ref()
        .is_ok_and(|found| found == expected || (!id.is_full() && found.starts_with(expected)))
    {
        return Ok(());
    }
    let error = match found {
        Ok(_) => tlog::Error::WrongTile(id.to_string()),
        Err(error) => error,
    };
    Err(bad_tile(id, &error))
}

/// A tile that is missing, damaged or altered.
#[allow(clippy::unnecessary_box_returns)] // as the pipeline's sinks take it
pub fn bad_tile(id: &TileId, error: &tlog::Error) -> Box<Finding> {
    let first = match id.kind {
        Kind::Hashes(level) => id.index << (8 * u32::from(level) + 8).min(63),
        Kind::Entries => id.index * u64::from(WIDTH),
    };
    Box::new(Finding {
        position: first,
        place: id.to_string(),
        check: "tile".to_owned(),
        expected: "the hashes of the entries".to_owned(),
        found: error.to_string(),
        reason: Some(
            "the tree's files are damaged or altered; what was signed is not. A ledger makes DIR/tree again \
             from its events when it is removed; take a mirror anew"
                .to_owned(),
        ),
    })
}

/// Where the last good checkpoint of a ledger is remembered, as it was signed.
pub fn memory(ledger: LedgerId) -> Result<PathBuf, Stop> {
    let dir = state::dir("verified");
    let dir = dir.ok_or_else(|| Stop::new(Exit::Failed, "there is no directory to remember in"))?;
    Ok(dir.join(format!("{ledger}.checkpoint")))
}

/// Remembers a checkpoint that was found good.
pub fn remember(path: &Path, note: &Note) -> anyhow::Result<()> {
    state::put(path, note.to_text().as_bytes())
}
