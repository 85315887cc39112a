//! Making a ledger in a directory, and opening it: the one place where all parts meet.
//!
//! ```text
//! <dir>/ledger.json   format, ledger id, check value of the key-encryption key; written last
//! <dir>/lock          held by the one process that may write
//! <dir>/log/          the events: the log of record, unless an event server has them
//! <dir>/index/        derived: stream heads
//! <dir>/node/         derived: what this node keeps of an event server's log
//! <dir>/vault/        wrapped data keys and credential verifiers: as precious as the log (not there
//!                     where servers share a vault: see `vault::shared`)
//! <dir>/registry/     sealed records of people and of foreigners
//! <dir>/trust/        trust lists of chip reads, by digest: public, the events say which is in use
//! <dir>/views/        derived: read models
//! <dir>/tree/         derived: the transparency log, and the checkpoint published last
//! <dir>/secrets/      key-encryption key, signing key and checkpoint key, unless they are given from
//!                     elsewhere
//! ```

use crate::chip;
use crate::copy::{CopyError, copy};
use crate::credentials::{Concurrency, Cost, CredentialError, Credentials};
use crate::disk::{Disk, RealDisk};
use crate::evidence::Proven;
use crate::kurrentdb::{self, Address, Credentials as ServerCredentials, Kurrent};
use crate::ledger::{Ledger, Parts};
use crate::memory::Memory;
use crate::messenger::{Discard, Messenger};
use crate::registry::{
    BySector, CitizenCardRegistry, DocumentRegistry, Immigration, ImmigrationRegistry,
    OrganisationRegistry, Organisations, Population, PopulationRegistry, RegistryError,
};
use crate::secrets::{KeySource, Keys, SecretError};
use crate::segments::{self, LogReader, Segments};
use crate::store::{EventStore, StoreError};
use crate::vault::shared::SharedVault;
use crate::vault::{Vault, VaultError};
use crate::wiring::Ids;
use crate::writer::LedgerError;
use crate::writer::assemble::Assembler;
use domain::event::{LedgerCreated, LedgerKeyAdded};
use domain::ids::{Category, LedgerId, PublicKey};
use domain::law::{self, LawFileError};
use domain::vocabulary::{DocumentKind, KeyPurpose};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Version of the directory's layout and of every byte in it.
pub const FORMAT: u16 = 1;
const META: &str = "ledger.json";
/// Largest `ledger.json` read, in bytes.
const META_BYTES_MAX: u64 = 4096;

/// Why a ledger cannot be made or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is none. Exit code 10.
    #[error("there is no ledger in this directory")]
    NotInitialised,
    /// There is one already.
    #[error("there is a ledger in this directory already")]
    Exists,
    /// Its making was not finished.
    #[error("the making of this ledger was not finished")]
    HalfMade,
    /// A newer program made it.
    #[error("the ledger has format {found}, this program knows up to {FORMAT}")]
    NewerFormat {
        /// Its format.
        found: u16,
    },
    /// `ledger.json` is not what it should be.
    #[error("`ledger.json` cannot be read: {0}")]
    Meta(String),
    /// The key-encryption key or signing key is not this ledger's. Exit code 12.
    #[error("the {what} is not this ledger's")]
    WrongKey {
        /// Which.
        what: &'static str,
    },
    /// A key cannot be had. Exit code 12.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The directory belongs to no ledger yet, and the vault of the ledger on the server is not named.
    #[error("a node that joins a ledger needs the vault that its nodes share")]
    NoSharedVault,
    /// The events there are another ledger's.
    #[error("the events there are another ledger's than this directory's")]
    OtherLedger,
    /// The log cannot be read into memory.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// A shared vault was named, and the directory has one of its own.
    #[error("there is a vault in the directory, and another was named")]
    TwoVaults,
    /// The credential store.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// The embedded registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The law that ships cannot be read.
    #[error(transparent)]
    Law(#[from] LawFileError),
    /// The ledger's own streams.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Operating system error.
    #[error("{operation}: {message}")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// The system's message.
        message: String,
    },
}

/// Where events are.
#[derive(Clone, Default)]
pub enum StorePlace {
    /// In the directory.
    #[default]
    Directory,
    /// In memory, read from the directory's log, which stays as it is: for trials. What is recorded
    /// is forgotten with the process; keys that it makes stay in the vault.
    Memory,
    /// On an event server, which several nodes may share.
    Server {
        /// Where it is.
        address: Address,
        /// Who we are there.
        credentials: Option<ServerCredentials>,
    },
}

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenReport {
    /// In the directory's log.
    Directory(segments::OpenReport),
    /// In memory, with so many events of the directory's log.
    Memory(u64),
    /// On the event server.
    Server(kurrentdb::OpenReport),
}

/// Where a ledger is and what it is opened with.
#[derive(Clone)]
pub struct Options {
    /// The directory.
    pub dir: PathBuf,
    /// The key-encryption key: everything personal hangs on it.
    pub kek: KeySource,
    /// The seed of the key that signs events.
    pub signing_key: KeySource,
    /// The seed of the key that signs checkpoints. Opening a ledger does not need it.
    pub checkpoint_key: KeySource,
    /// Time, ids, randomness.
    pub ids: Arc<Ids>,
    /// Where notices go.
    pub messenger: Arc<dyn Messenger>,
    /// What hashing a credential costs.
    pub cost: Cost,
    /// Where events are.
    pub store: StorePlace,
    /// The segment engine's settings.
    pub segments: segments::Options,
    /// What the log and the vault are written to.
    pub disk: Arc<dyn Disk>,
    /// The vault that several servers share, instead of files in the directory.
    pub vault: Option<SharedVault>,
    /// Confirms people, instead of the embedded registry.
    pub people: Option<Arc<dyn PopulationRegistry>>,
    /// Confirms people at an officer's desk, instead of the embedded registry.
    pub cards: Option<Arc<dyn CitizenCardRegistry>>,
    /// Confirms foreigners, instead of the embedded database.
    pub immigration: Option<Arc<dyn ImmigrationRegistry>>,
    /// Confirms organisations, instead of the embedded databases.
    pub organisations: Option<Arc<dyn OrganisationRegistry>>,
    /// Confirm documents of their kind; every other kind stays with the embedded registry.
    pub documents: Vec<(DocumentKind, Arc<dyn DocumentRegistry>)>,
}

impl Options {
    /// The defaults for a directory: keys in its `secrets`, the machine's clock and randomness, no
    /// channel for notices.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        Self {
            kek: KeySource::File(dir.join("secrets").join("kek")),
            signing_key: KeySource::File(dir.join("secrets").join("signing.key")),
            checkpoint_key: KeySource::File(dir.join("secrets").join("checkpoint.key")),
            dir,
            ids: Arc::new(Ids::system()),
            messenger: Arc::new(Discard),
            cost: Cost::default(),
            store: StorePlace::default(),
            segments: segments::Options::default(),
            disk: Arc::new(RealDisk),
            vault: None,
            people: None,
            cards: None,
            immigration: None,
            organisations: None,
            documents: Vec::new(),
        }
    }
}

/// What every version of `ledger.json` says.
#[derive(Deserialize)]
struct Version {
    format: u16,
}

/// What `ledger.json` holds. Nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Layout and byte format.
    pub format: u16,
    /// The ledger's id.
    pub ledger: LedgerId,
    /// Check value of the key-encryption key, hexadecimal.
    pub key_check: String,
}

impl Meta {
    /// Reads it, without any key.
    pub fn read(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join(META);
        let text = match fs::metadata(&path) {
            Ok(meta) if meta.len() > META_BYTES_MAX => {
                return Err(OpenError::Meta("it is too long".into()));
            }
            Ok(_) => fs::read_to_string(&path).map_err(io("reading ledger.json"))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let begun = segments::log_dir(dir).exists();
                return Err(if begun {
                    OpenError::HalfMade
                } else {
                    OpenError::NotInitialised
                });
            }
            Err(error) => return Err(io("reading ledger.json")(error)),
        };
        // The format is looked at first: a newer one may have other fields.
        let version: Version =
            serde_json::from_str(&text).map_err(|error| OpenError::Meta(error.to_string()))?;
        if version.format > FORMAT {
            return Err(OpenError::NewerFormat {
                found: version.format,
            });
        }
        serde_json::from_str(&text).map_err(|error| OpenError::Meta(error.to_string()))
    }

    fn write(&self, dir: &Path) -> Result<(), OpenError> {
        let aside = dir.join("ledger.json.tmp");
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| OpenError::Meta(error.to_string()))?;
        let doing = "writing ledger.json";
        let mut file = fs::File::create(&aside).map_err(io(doing))?;
        file.write_all(text.as_bytes()).map_err(io(doing))?;
        file.sync_all().map_err(io(doing))?;
        fs::rename(&aside, dir.join(META)).map_err(io(doing))?;
        fs::File::open(dir)
            .and_then(|dir| dir.sync_all())
            .map_err(io(doing))
    }
}

fn io(operation: &'static str) -> impl Fn(std::io::Error) -> OpenError {
    move |error| OpenError::Io {
        operation,
        message: error.to_string(),
    }
}

/// Makes a ledger: keys (where they are to be files that do not exist), an empty log, and the first
/// events: the ledger itself and the law that ships ([`law::shipped`]). A making that was cut
/// short is finished by making it again.
pub async fn init(options: &Options) -> Result<Ledger, OpenError> {
    match Meta::read(&options.dir) {
        Ok(_) => return Err(OpenError::Exists),
        Err(OpenError::NotInitialised | OpenError::HalfMade) => {}
        Err(error) => return Err(error),
    }
    fs::create_dir_all(&options.dir).map_err(io("making the data directory"))?;
    let randomness = options.ids.randomness().as_ref();
    let keys = Keys::derive(&options.kek.load_or_generate(randomness)?);
    let key = SigningKey::from_bytes(&options.signing_key.load_or_generate(randomness)?.0);
    if let StorePlace::Directory = options.store {
        match Segments::create_on(&options.disk, &options.dir, options.segments) {
            // A log that was made before the crash is used if nothing but this ledger is in it.
            Ok(()) | Err(StoreError::Unusable(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let public = PublicKey(key.verifying_key().to_bytes());
    let (ledger, _) = assemble(options, keys.clone(), key).await?;
    let id = record_creation(&ledger, public, options).await?;
    record_checkpoint_key(&ledger, options).await?;
    ledger.found_law(law::shipped()?).await?;
    let meta = Meta {
        format: FORMAT,
        ledger: id,
        key_check: hex::encode(keys.check()),
    };
    meta.write(&options.dir)?;
    Ok(ledger)
}

/// The ledger's first event, unless a making that was cut short recorded it already.
async fn record_creation(
    ledger: &Ledger,
    public: PublicKey,
    options: &Options,
) -> Result<LedgerId, OpenError> {
    if let Some(id) = ledger.ring().ledger() {
        return made_before(ledger, public, id);
    }
    if ledger.store().length().await? > 0 {
        return made_meanwhile(ledger, public).await;
    }
    let id = LedgerId(options.ids.id());
    let created = LedgerCreated {
        ledger: id,
        format: FORMAT,
        key: public,
    };
    let recorded = ledger
        .record_own(Category::Ledger, created.into(), None, Proven::operator())
        .await;
    if let Err(LedgerError::Contended) = recorded {
        return made_meanwhile(ledger, public).await;
    }
    recorded?;
    Ok(id)
}

/// The key of the ledger's checkpoints, unless a making that was cut short recorded it already.
async fn record_checkpoint_key(ledger: &Ledger, options: &Options) -> Result<(), OpenError> {
    let randomness = options.ids.randomness().as_ref();
    let key = SigningKey::from_bytes(&options.checkpoint_key.load_or_generate(randomness)?.0);
    let public = PublicKey(key.verifying_key().to_bytes());
    let ring = ledger.ring();
    match ring.checkpoint_keys().first() {
        Some(known) if known.public == public => return Ok(()),
        Some(_) => {
            return Err(OpenError::WrongKey {
                what: "checkpoint key",
            });
        }
        None => {}
    }
    let added = LedgerKeyAdded {
        key: public,
        purpose: KeyPurpose::Checkpoints,
    };
    ledger
        .record_own(Category::Ledger, added.into(), None, Proven::operator())
        .await?;
    Ok(())
}

/// Somebody else made one on the same server at the same time.
async fn made_meanwhile(ledger: &Ledger, public: PublicKey) -> Result<LedgerId, OpenError> {
    if ledger.store().is_shared() {
        ledger.keep_in_step().await?;
    }
    let there = ledger.ring().ledger().ok_or(OpenError::Exists)?;
    made_before(ledger, public, there)
}

/// A ledger that is there already is this one if its key is.
fn made_before(ledger: &Ledger, public: PublicKey, id: LedgerId) -> Result<LedgerId, OpenError> {
    let ring = ledger.ring();
    if ring.keys().iter().any(|known| known.public == public) {
        Ok(id)
    } else {
        Err(OpenError::WrongKey {
            what: "signing key",
        })
    }
}

/// Opens a ledger for reading and writing, and says what its log looked like. A directory that
/// belongs to no ledger joins the one on the event server: it needs the ledger's keys and the vault
/// that its nodes share.
pub async fn open(options: &Options) -> Result<(Ledger, OpenReport), OpenError> {
    let on_server = matches!(options.store, StorePlace::Server { .. });
    let meta = match Meta::read(&options.dir) {
        Err(OpenError::NotInitialised) if on_server => None,
        meta => Some(meta?),
    };
    let keys = Keys::derive(&options.kek.load()?);
    let key_check = hex::encode(keys.check());
    match &meta {
        Some(meta) if meta.key_check != key_check => {
            return Err(OpenError::WrongKey {
                what: "key-encryption key",
            });
        }
        // That the key is this ledger's is then for the vault to say.
        None if options.vault.is_none() => return Err(OpenError::NoSharedVault),
        _ => {}
    }
    let key = SigningKey::from_bytes(&options.signing_key.load()?.0);
    let id = PublicKey(key.verifying_key().to_bytes()).id();
    let (ledger, report) = assemble(options, keys, key).await?;
    let id_here = ledger.ring().ledger();
    match (meta, id_here) {
        (Some(meta), Some(there)) if meta.ledger != there => return Err(OpenError::OtherLedger),
        (Some(_), _) => {}
        (None, None) => return Err(OpenError::NotInitialised),
        (None, Some(ledger)) => Meta {
            format: FORMAT,
            ledger,
            key_check,
        }
        .write(&options.dir)?,
    }
    chip::use_loaded(&ledger, &options.dir);
    let next = domain::ids::Position(ledger.store().length().await?);
    if ledger.ring().key_at(id, next).is_none() {
        return Err(OpenError::WrongKey {
            what: "signing key",
        });
    }
    Ok((ledger, report))
}

/// The events: in the directory, or on the event server.
async fn store(options: &Options) -> Result<(Arc<dyn EventStore>, OpenReport), OpenError> {
    match &options.store {
        StorePlace::Directory => {
            let disk = Arc::clone(&options.disk);
            let (store, report) = Segments::open_on(disk, &options.dir, options.segments)?;
            Ok((Arc::new(store), OpenReport::Directory(report)))
        }
        StorePlace::Memory => {
            let memory = Memory::new();
            let log = LogReader::open_on(Arc::clone(&options.disk), &options.dir)?;
            let copied = copy(&log, &memory, &mut |_| true).await?;
            Ok((Arc::new(memory), OpenReport::Memory(copied.records)))
        }
        StorePlace::Server {
            address,
            credentials,
        } => {
            let node = options.dir.join("node");
            fs::create_dir_all(&node).map_err(io("making the node's directory"))?;
            let mut server = kurrentdb::Options::new(address.clone(), node);
            server.credentials.clone_from(credentials);
            server.disk = Arc::clone(&options.disk);
            let (store, report) = Kurrent::open(server).await?;
            Ok((Arc::new(store), OpenReport::Server(report)))
        }
    }
}

/// Keys and verifiers: in the directory, or in the database that servers share.
async fn vault(options: &Options, keys: &Keys) -> Result<(Arc<Vault>, Credentials), OpenError> {
    let randomness = || Arc::clone(options.ids.randomness());
    let (cost, limits) = (options.cost, Concurrency::default());
    let dir = options.dir.join("vault");
    if let Some(place) = &options.vault {
        // Two vaults would each know half of the keys, and an erasure would reach one of them.
        if dir.exists() {
            return Err(OpenError::TwoVaults);
        }
        let vault = Vault::open_shared(place, keys, randomness()).await?;
        let credentials = Credentials::open_shared(place, keys, randomness(), cost, limits).await?;
        return Ok((Arc::new(vault), credentials));
    }
    let disk = &*options.disk;
    let vault = Vault::open(disk, &dir, keys, randomness())?;
    let credentials = Credentials::open(disk, &dir, keys, randomness(), cost, limits)?;
    Ok((Arc::new(vault), credentials))
}

async fn assemble(
    options: &Options,
    keys: Keys,
    key: SigningKey,
) -> Result<(Ledger, OpenReport), OpenError> {
    let (store, report) = store(options).await?;
    let randomness = options.ids.randomness();
    let (vault, credentials) = vault(options, &keys).await?;
    let registry = options.dir.join("registry");
    let foreigners = Immigration::open(&registry, &keys, Arc::clone(randomness))?;
    let organisations = Organisations::open(&registry, &keys, Arc::clone(randomness))?;
    let registry = Arc::new(Population::open(&registry, &keys, Arc::clone(randomness))?);
    let ledger = Ledger::start(Parts {
        store,
        vault: Arc::clone(&vault),
        credentials,
        keys,
        people: options.people.clone().unwrap_or_else(|| registry.clone()),
        cards: options.cards.clone().unwrap_or_else(|| registry.clone()),
        immigration: options
            .immigration
            .clone()
            .unwrap_or_else(|| Arc::new(foreigners)),
        documents: Arc::new(BySector {
            sectors: options.documents.clone(),
            others: registry,
        }),
        organisations: options
            .organisations
            .clone()
            .unwrap_or_else(|| Arc::new(organisations)),
        messenger: Arc::clone(&options.messenger),
        assembler: Assembler::new(key, vault, Arc::clone(&options.ids)),
    })
    .await?;
    Ok((ledger, report))
}
