//! A witness: cosigns what continues the checkpoint it cosigned last, for logs it was told of.
//!
//! Owns one file a log with that checkpoint, `<SHA-256 of the origin>.checkpoint`, and the rule that
//! it is durable before a cosignature leaves. It must never hand out cosignatures for two histories,
//! whatever crashes; so its directory must never come back from a backup, and one process has it.

use crate::disk::{Disk, DiskFile, Lock, io_error};
use crate::store::StoreError;
use crate::wiring::Clock;
use domain::ids::Micros;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tlog::note::{Algorithm, NOTE_BYTES_MAX, Note, Signer, VerifierKey};
use tlog::proof::Head;
use tlog::witness::{AddCheckpoint, Refusal, judge};
use tlog::{Checkpoint, cosignature};

/// Why a witness does not start, or cannot cosign now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// Its directory cannot be read or written, or another process has it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it remembers of a log is not what it wrote.
    #[error("what is remembered of the log {origin} is damaged: {why}")]
    Damaged {
        /// Which.
        origin: String,
        /// Why.
        why: String,
    },
    /// A log's key is not one that signs notes.
    #[error("the key of the log {origin} is not one that checkpoints are signed with")]
    LogKey {
        /// Which.
        origin: String,
    },
    /// Its own key is not one for cosignatures.
    #[error("the witness's key is not one for cosignatures")]
    OwnKey,
    /// The clock shows no time that a cosignature could say.
    #[error("the clock is wrong")]
    Clock,
    /// The cosignature cannot be made.
    #[error(transparent)]
    Log(#[from] tlog::Error),
}

/// Why there is no cosignature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCosigned {
    /// The witness says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It cannot say yes at present. Nothing was cosigned; asking again is safe.
    #[error(transparent)]
    Failed(#[from] WitnessError),
}

/// A witness at work.
pub struct Witness {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    signer: Signer,
    clock: Arc<dyn Clock>,
    /// By origin.
    logs: BTreeMap<String, Watched>,
    /// Held as long as the witness is open: one process a directory.
    _lock: Lock,
}

struct Watched {
    keys: Vec<VerifierKey>,
    id: String,
    /// Held from judging until the new one is durable, so that of two requests one sees the other.
    latest: Mutex<Option<Latest>>,
}

/// The checkpoint cosigned last, as it is stored: with the log's signatures and the cosignature.
struct Latest {
    head: Head,
    note: Note,
}

/// How a log is named in files and addresses: SHA-256 of its origin, hexadecimal.
pub fn log_id(origin: &str) -> String {
    hex::encode(Sha256::digest(origin.as_bytes()))
}

impl Witness {
    /// Opens the state directory, made if it is not there. `logs`: verifier keys of the logs to
    /// cosign for, each named by its log's origin; several of one name are keys of one log.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        signer: Signer,
        logs: Vec<VerifierKey>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, WitnessError> {
        if signer.verifier().algorithm() != Algorithm::Cosignature {
            return Err(WitnessError::OwnKey);
        }
        disk.create_dir(dir)
            .map_err(|error| io_error("make the witness's directory", &error))?;
        let lock = disk
            .lock(&dir.join("lock"))
            .map_err(|error| io_error("lock the witness's directory", &error))?
            .ok_or(StoreError::Locked)?;
        let mut witness = Self {
            disk,
            dir: dir.to_owned(),
            signer,
            clock,
            logs: BTreeMap::new(),
            _lock: lock,
        };
        for key in logs {
            let origin = key.name().to_owned();
            if key.algorithm() != Algorithm::Ed25519 {
                return Err(WitnessError::LogKey { origin });
            }
            if !witness.logs.contains_key(&origin) {
                let watched = witness.remembered(&origin)?;
                witness.logs.insert(origin.clone(), watched);
            }
            if let Some(watched) = witness.logs.get_mut(&origin) {
                watched.keys.push(key);
            }
        }
        Ok(witness)
    }

    /// What its cosignatures are checked with.
    pub const fn verifier(&self) -> &VerifierKey {
        self.signer.verifier()
    }

    /// Judges a request. The lines to put under the checkpoint, if the witness cosigns; what it
    /// remembers is durable by then.
    pub fn add(&self, request: &AddCheckpoint) -> Result<String, NotCosigned> {
        let watched = self.logs.get(request.origin());
        let keys = watched.map(|watched| watched.keys.as_slice());
        let mut latest = watched.map(|watched| watched.latest.lock());
        let head = latest.as_ref().and_then(|latest| latest.as_ref());
        let judged = judge(request, keys, head.map(|latest| &latest.head));
        if let Err(Refusal::NotConsistent(_)) = &judged {
            let (origin, size) = (request.origin(), head.map_or(0, |latest| latest.head.size));
            tracing::error!(origin, size, "a log contradicts what was cosigned for it");
        }
        let checkpoint = judged?;
        let (Some(watched), Some(latest)) = (watched, latest.as_mut()) else {
            return Err(Refusal::UnknownLog.into());
        };
        let line = cosignature::sign(&self.signer, request.checkpoint.text(), self.seconds()?)
            .map_err(WitnessError::from)?;
        // The same head once more: what is remembered says so already.
        if head_of(latest.as_ref()) != Some(checkpoint.head) {
            let note = kept(request, &watched.keys, &line).map_err(WitnessError::from)?;
            self.store(&watched.id, &note)?;
            **latest = Some(Latest {
                head: checkpoint.head,
                note,
            });
        }
        Ok(line)
    }

    /// The checkpoint cosigned last for a log by its [`log_id`], with the log's signatures and ours.
    pub fn cosigned(&self, id: &str) -> Option<Note> {
        let watched = self.logs.values().find(|watched| watched.id == id)?;
        let latest = watched.latest.lock();
        latest.as_ref().map(|latest| latest.note.clone())
    }

    /// Sizes cosigned last, by origin.
    pub fn sizes(&self) -> BTreeMap<String, u64> {
        let sizes = self.logs.iter().map(|(origin, watched)| {
            let size = head_of(watched.latest.lock().as_ref()).map_or(0, |head| head.size);
            (origin.clone(), size)
        });
        sizes.collect()
    }

    /// POSIX seconds; a cosignature never says 0.
    fn seconds(&self) -> Result<u64, WitnessError> {
        let seconds = u64::try_from(self.clock.now().0 / Micros::SECOND).unwrap_or(0);
        if seconds == 0 {
            return Err(WitnessError::Clock);
        }
        Ok(seconds)
    }

    fn file(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.checkpoint"))
    }

    fn remembered(&self, origin: &str) -> Result<Watched, WitnessError> {
        let id = log_id(origin);
        let failed = |error: &std::io::Error| io_error("read what was cosigned", error);
        let damaged = |why: String| WitnessError::Damaged {
            origin: origin.to_owned(),
            why,
        };
        let latest = match self.disk.open(&self.file(&id), false) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            file => {
                let text = text_of(file.map_err(|error| failed(&error))?.as_ref())
                    .map_err(|error| failed(&error))?;
                let text = text.ok_or_else(|| damaged("not a text of a note's length".into()))?;
                let latest = self
                    .read(&text)
                    .map_err(|error| damaged(error.to_string()))?;
                if latest.note.text().lines().next() != Some(origin) {
                    return Err(damaged("it is of another log".into()));
                }
                Some(latest)
            }
        };
        Ok(Watched {
            keys: Vec::new(),
            id,
            latest: Mutex::new(latest),
        })
    }

    /// Takes a stored checkpoint apart. The cosignature tells damage, except where the witness has had
    /// another key since.
    fn read(&self, text: &str) -> Result<Latest, tlog::Error> {
        let note = Note::parse(text)?;
        note.verify(core::slice::from_ref(self.verifier()))?;
        let head = Checkpoint::parse(note.text())?.head;
        Ok(Latest { head, note })
    }

    /// Aside, synced, renamed, and the name synced. Where any of it fails, what was there before
    /// still counts: nothing was handed out for the new one.
    fn store(&self, id: &str, note: &Note) -> Result<(), WitnessError> {
        let failed = |error: &std::io::Error| io_error("remember a checkpoint", error);
        let aside = self.dir.join(format!("{id}.new"));
        let file = self.disk.create(&aside).map_err(|error| failed(&error))?;
        file.write_at(note.to_text().as_bytes(), 0)
            .and_then(|()| file.sync())
            .and_then(|()| self.disk.rename(&aside, &self.file(id)))
            .and_then(|()| self.disk.sync_dir(&self.dir))
            .map_err(|error| failed(&error).into())
    }
}

fn head_of(latest: Option<&Latest>) -> Option<Head> {
    latest.map(|latest| latest.head)
}

/// What is kept of a request: the text, the signatures by the log's keys, and the cosignature.
fn kept(request: &AddCheckpoint, keys: &[VerifierKey], line: &str) -> Result<Note, tlog::Error> {
    let signatures = request.checkpoint.signatures().iter();
    let by_log = signatures.filter(|signature| keys.iter().any(|key| signature.is_by(key)));
    let text = request.checkpoint.text().to_owned();
    let mut note = Note::new(text, by_log.cloned().collect())?;
    note.add(line)?;
    Ok(note)
}

/// `None`: too long, or not text.
fn text_of(file: &dyn DiskFile) -> std::io::Result<Option<String>> {
    let length = file.length()?;
    let Some(length) = usize::try_from(length)
        .ok()
        .filter(|length| *length <= NOTE_BYTES_MAX)
    else {
        return Ok(None);
    };
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(String::from_utf8(bytes).ok())
}

#[cfg(test)]
mod tests;
