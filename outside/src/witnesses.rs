//! Getting checkpoints cosigned: all witnesses are asked at once, and enough of them must answer.
//!
//! Owns the policy: how many must cosign, how long a checkpoint waits for them, and what happens then.
//! Nothing a witness does stops the sealing: what does not verify does not count, and who does not
//! answer is asked again. What a witness says of sizes is believed as far as asking it goes.

mod asking;

use crate::http::PeerError;
use asking::OneWitness;
use domain::ids::Micros;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use ledger::gate::Gate;
use ledger::store::BoxFuture;
use ledger::transparency::{Cosigned, Cosigner, Missing, TransparencyLog};
use ledger::wiring::Clock;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tlog::Checkpoint;
use tlog::note::{Algorithm, Note, VerifierKey};
use tokio::time::Instant;

/// Between two rounds of asking while a checkpoint waits.
const AGAIN: Duration = Duration::from_millis(500);
/// Who answers so soon after there were enough is taken too.
const LATE_MAX: Duration = Duration::from_millis(100);
/// How often it is said again that cosignatures are missing.
const SAY_AGAIN: Duration = Duration::from_mins(1);
/// Most witnesses: a checkpoint has room for a hundred signatures.
const WITNESSES_MAX: usize = 64;

/// What happens to a checkpoint that has waited long enough without its cosignatures. They are asked
/// for on and on in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenMissing {
    /// It is published without them; readers who want them see that they are missing.
    Publish,
    /// It is not published; readers see the one before.
    Hold,
    /// It is not published, and no new events are taken until there are enough.
    Refuse,
}

/// One witness.
#[derive(Debug, Clone)]
pub struct WitnessSettings {
    /// Its submission prefix: `https://host[:port][/path]`; `http` for this machine only.
    pub url: String,
    /// What its cosignatures are checked with.
    pub key: VerifierKey,
}

/// Whom to ask, and what for.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whom.
    pub witnesses: Vec<WitnessSettings>,
    /// How many of them must cosign.
    pub quorum: usize,
    /// How long a checkpoint waits for them.
    pub patience: Duration,
    /// What then.
    pub when_missing: WhenMissing,
    /// Longest time for one question to one witness.
    pub time_max: Duration,
}

/// Why witnesses cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessesError {
    /// An address.
    #[error("{name}: {source}")]
    Address {
        /// Of which witness.
        name: String,
        /// What is wrong with it.
        source: PeerError,
    },
    /// A key that signs notes, not cosignatures.
    #[error("{name}: its key is not one for cosignatures")]
    Key {
        /// Of which witness.
        name: String,
    },
    /// A witness counted twice.
    #[error("{name}: its name or key is there twice")]
    Twice {
        /// Which.
        name: String,
    },
    /// Too many.
    #[error("more than {WITNESSES_MAX} witnesses")]
    TooMany,
    /// Nobody, or more than there are.
    #[error("a quorum of {quorum} of {witnesses} witnesses")]
    Quorum {
        /// How many must cosign.
        quorum: usize,
        /// Of how many.
        witnesses: usize,
    },
}

/// The witnesses of one log.
pub struct Witnesses {
    all: Vec<OneWitness>,
    settings: Settings,
    gate: Arc<Gate>,
    clock: Arc<dyn Clock>,
    standing: Mutex<Standing>,
}

/// Since when cosignatures are missing.
#[derive(Default)]
struct Standing {
    since: Option<Instant>,
    said: Option<Instant>,
}

impl Witnesses {
    /// Checks the settings. `gate`: shut under [`WhenMissing::Refuse`]; `clock`: what a cosignature's
    /// time is held against.
    pub fn new(
        settings: Settings,
        gate: Arc<Gate>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, WitnessesError> {
        settings.check()?;
        let witnesses = settings.witnesses.iter().map(|witness| {
            let made = OneWitness::new(&witness.url, witness.key.clone());
            made.map_err(|source| WitnessesError::Address {
                name: witness.key.name().to_owned(),
                source,
            })
        });
        Ok(Self {
            all: witnesses.collect::<Result<_, _>>()?,
            settings,
            gate,
            clock,
            standing: Mutex::default(),
        })
    }

    /// By witness: the name of its key; requests, failures, and the size it cosigned last.
    pub fn figures(&self) -> Vec<(String, (u64, u64, u64))> {
        let figures = self.all.iter();
        figures
            .map(|witness| (witness.key().name().to_owned(), witness.figures()))
            .collect()
    }

    /// The note without what stands there by a witness's key and is not its cosignature, and how many
    /// there are of those that are.
    fn sound(&self, note: &Note) -> (Note, usize) {
        let mut found = BTreeSet::new();
        let signatures = note.signatures().iter().filter(|signature| {
            let by = self.all.iter().map(OneWitness::key);
            let Some(key) = by.into_iter().find(|key| signature.is_by(key)) else {
                return true;
            };
            let alone = Note::new(note.text().to_owned(), vec![(*signature).clone()]);
            let good = alone.is_ok_and(|alone| alone.verify(core::slice::from_ref(key)).is_ok());
            good && found.insert(key.name().to_owned())
        });
        let signatures = signatures.cloned().collect();
        // Fewer signatures than before, so it is one.
        let sound = Note::new(note.text().to_owned(), signatures);
        (sound.unwrap_or_else(|_| note.clone()), found.len())
    }

    /// Asks everybody who has not cosigned yet, until there are enough.
    async fn round(&self, note: &mut Note, log: &TransparencyLog) {
        let now_s = u64::try_from(self.clock.now().0 / Micros::SECOND).unwrap_or(0);
        let asked = note.clone();
        let (asked, time_max) = (&asked, self.settings.time_max);
        let missing = self.all.iter().filter(|witness| {
            let mut signatures = asked.signatures().iter();
            !signatures.any(|signature| signature.is_by(witness.key()))
        });
        let mut answers: FuturesUnordered<_> = missing
            .map(|witness| witness.ask(asked, log, time_max, now_s))
            .collect();
        let mut found = self.sound(note).1;
        loop {
            let answer = if found < self.settings.quorum {
                answers.next().await
            } else {
                let late = tokio::time::timeout(LATE_MAX, answers.next()).await;
                late.unwrap_or(None)
            };
            let Some(answer) = answer else {
                return;
            };
            if let Ok(signature) = answer {
                let added = note.add(&signature.to_line());
                found += usize::from(added.is_ok());
            }
        }
    }

    /// How much longer a checkpoint may wait.
    fn left(&self) -> Duration {
        let since = *self.standing.lock().since.get_or_insert_with(Instant::now);
        self.settings.patience.saturating_sub(since.elapsed())
    }

    fn arrived(&self, found: usize) {
        let mut standing = self.standing.lock();
        if standing.said.is_some() {
            tracing::warn!(found, "there are enough cosignatures again");
        }
        *standing = Standing::default();
        self.gate.open();
    }

    fn give_up(&self, missing: Missing) {
        let refuses = missing.refuses;
        let mut standing = self.standing.lock();
        if standing.said.is_none_or(|said| said.elapsed() >= SAY_AGAIN) {
            let (found, wanted, size) = (missing.found, missing.wanted, missing.size);
            let published = missing.published;
            tracing::error!(
                found,
                wanted,
                size,
                published,
                refuses,
                "cosignatures are missing"
            );
            standing.said = Some(Instant::now());
        }
        drop(standing);
        if refuses {
            self.gate.shut();
        } else {
            // Whoever sealed before may have had it shut.
            self.gate.open();
        }
    }

    async fn collect(&self, note: Note, log: &TransparencyLog) -> Cosigned {
        let mut note = self.sound(&note).0;
        loop {
            self.round(&mut note, log).await;
            let (sound, found) = self.sound(&note);
            note = sound;
            let wanted = self.settings.quorum;
            if found >= wanted {
                self.arrived(found);
                let missing = None;
                return Cosigned { note, missing };
            }
            let left = self.left();
            if !left.is_zero() {
                tokio::time::sleep(left.min(AGAIN)).await;
                continue;
            }
            let size = Checkpoint::parse(note.text()).map_or(0, |checkpoint| checkpoint.head.size);
            let missing = Missing {
                size,
                found,
                wanted,
                published: self.settings.when_missing == WhenMissing::Publish,
                refuses: self.settings.when_missing == WhenMissing::Refuse,
            };
            self.give_up(missing);
            let missing = Some(missing);
            return Cosigned { note, missing };
        }
    }
}

impl Cosigner for Witnesses {
    fn cosign<'a>(&'a self, note: Note, log: &'a TransparencyLog) -> BoxFuture<'a, Cosigned> {
        Box::pin(self.collect(note, log))
    }

    fn is_content(&self, note: &Note) -> bool {
        self.sound(note).1 >= self.settings.quorum
    }
}

impl Settings {
    fn check(&self) -> Result<(), WitnessesError> {
        if self.witnesses.len() > WITNESSES_MAX {
            return Err(WitnessesError::TooMany);
        }
        let (quorum, witnesses) = (self.quorum, self.witnesses.len());
        if quorum == 0 || quorum > witnesses {
            return Err(WitnessesError::Quorum { quorum, witnesses });
        }
        let (mut names, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for witness in &self.witnesses {
            let name = witness.key.name().to_owned();
            if witness.key.algorithm() != Algorithm::Cosignature {
                return Err(WitnessesError::Key { name });
            }
            // One witness under two names would be a quorum of its own.
            let fresh = names.insert(name.clone()) & keys.insert(witness.key.key().to_bytes());
            if !fresh {
                return Err(WitnessesError::Twice { name });
            }
        }
        Ok(())
    }
}
