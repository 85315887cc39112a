//! The settings file of what reaches outside: mail server, SMS gateway, registries, witnesses, a
//! time-stamping authority.
//!
//! ```toml
//! key_file = "outside.key"        # signs requests: an Ed25519 seed, 64 hexadecimal digits
//!
//! [mail]
//! host = "127.0.0.1"
//! port = 25
//! from = "VNeID <no-reply@example.vn>"
//! # user = "…"
//! # password_file = "mail.password"
//!
//! [sms]
//! url = "https://sms.example.vn"
//! peer_key = "…"                  # Ed25519 public key, 64 hexadecimal digits
//! accepted_counts = true          # what the gateway took counts as received
//!
//! [population]                    # instead of the embedded registry
//! url = "https://npdb.example.vn"
//! peer_key = "…"
//!
//! [citizen_card]                  # level 2 is authenticated there
//! url = "https://cccd.example.vn"
//! peer_key = "…"
//! compares = true                 # it compares portraits and fingerprints that the desk sent it
//!
//! [immigration]
//! url = "https://immigration.example.vn"
//! peer_key = "…"
//!
//! [organisations]                 # business registration and the like, as one
//! url = "https://organisations.example.vn"
//! peer_key = "…"
//!
//! [documents.driving_licence]     # one for each kind of document; others stay with the embedded one
//! url = "https://gplx.example.vn"
//! peer_key = "…"
//!
//! [witnesses]                     # of the transparency log
//! quorum = 2                      # how many must cosign; all, if it is left out
//! patience_s = 10                 # how long a checkpoint waits for them
//! when_missing = "publish"        # then: "publish" it without, "hold" it, or "refuse" new events too
//!
//! [[witnesses.witness]]
//! url = "https://witness.example.org"
//! key = "…"                       # verifier key, as its operator publishes it: name+id+key
//!
//! [timestamps]                    # of its checkpoints, by an authority (RFC 3161)
//! url = "http://tsa.example.org"
//! authorities_file = "tsa.pem"    # who may vouch for it: PEM certificates
//! every_s = 3600                  # how often at most
//! ```
//!
//! Owns the names in the file. Secrets stand in files of their own and are read once.

use crate::guarded::Guarded;
use crate::http::{Peer, PeerError, PeerSettings};
use crate::notices::mail::{Mail, MailError, MailSettings};
use crate::notices::sms::Gateway;
use crate::registry::{HttpCards, HttpRegistry, Settings as Patience};
use crate::timestamps;
use crate::witnesses::{self, WhenMissing, WitnessSettings};
use domain::ids::PublicKey;
use domain::vocabulary::DocumentKind;
use ed25519_dalek::SigningKey;
use ledger::pki::TrustList;
use ledger::wiring::Ids;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tlog::VerifierKey;
use zeroize::Zeroizing;

/// Longest time for one request to a peer, unless the file says otherwise, in milliseconds.
const TIME_MAX_MS: u64 = 3000;
/// How often a checkpoint is stamped at most, unless the file says otherwise, in seconds.
const STAMP_EVERY_S: u64 = 3600;
/// Longest time for one time-stamp, unless the file says otherwise, in milliseconds.
const STAMP_TIME_MAX_MS: u64 = 20_000;
/// How long a checkpoint waits for witnesses, unless the file says otherwise, in seconds.
const PATIENCE_S: u64 = 10;

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A file cannot be read.
    #[error("{what} cannot be read: {source}")]
    Read {
        /// Which.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// It does not say what it should.
    #[error("the settings are not good: {0}")]
    Parse(String),
    /// The signing key.
    #[error("the key file does not hold 64 hexadecimal digits")]
    Key,
    /// A peer.
    #[error("{what}: {source}")]
    Peer {
        /// Which.
        what: String,
        /// Why.
        source: PeerError,
    },
    /// The mail server.
    #[error("mail: {0}")]
    Mail(#[from] MailError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_field_names, reason = "the names in the file")]
struct File {
    key_file: Option<PathBuf>,
    mail: Option<MailPart>,
    sms: Option<SmsPart>,
    population: Option<PeerPart>,
    citizen_card: Option<CardsPart>,
    immigration: Option<PeerPart>,
    organisations: Option<PeerPart>,
    #[serde(default)]
    documents: BTreeMap<String, PeerPart>,
    witnesses: Option<WitnessesPart>,
    timestamps: Option<TimestampsPart>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TimestampsPart {
    url: String,
    authorities_file: PathBuf,
    every_s: Option<u64>,
    time_max_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WitnessesPart {
    quorum: Option<usize>,
    patience_s: Option<u64>,
    time_max_ms: Option<u64>,
    when_missing: Missing,
    witness: Vec<WitnessPart>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Missing {
    Publish,
    Hold,
    Refuse,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WitnessPart {
    url: String,
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MailPart {
    host: String,
    port: u16,
    from: String,
    user: Option<String>,
    password_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SmsPart {
    url: String,
    peer_key: PublicKey,
    time_max_ms: Option<u64>,
    accepted_counts: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerPart {
    url: String,
    peer_key: PublicKey,
    time_max_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CardsPart {
    url: String,
    peer_key: PublicKey,
    time_max_ms: Option<u64>,
    compares: bool,
}

/// What the file set up.
#[derive(Default)]
pub struct Outside {
    /// E-mail.
    pub mail: Option<Mail>,
    /// SMS.
    pub sms: Option<Gateway>,
    /// The population registry, instead of the embedded one.
    pub population: Option<HttpRegistry>,
    /// The card registry, instead of the embedded one.
    pub citizen_card: Option<HttpCards>,
    /// The immigration database, instead of the embedded one.
    pub immigration: Option<HttpRegistry>,
    /// The databases of organisations, instead of the embedded ones.
    pub organisations: Option<HttpRegistry>,
    /// Sector registries, by the kind of document they own.
    pub documents: Vec<(DocumentKind, HttpRegistry)>,
    /// Witnesses of the transparency log.
    pub witnesses: Option<witnesses::Settings>,
    /// Who stamps its checkpoints.
    pub timestamps: Option<timestamps::Authority>,
    /// Every peer by its name in the file, for figures.
    pub peers: Vec<(String, Guarded)>,
}

/// Reads a settings file; names of files in it are relative to it.
pub fn read(path: &Path, ids: &Arc<Ids>) -> Result<Outside, SettingsError> {
    let text = read_text("the settings file", path)?;
    let file: File =
        toml::from_str(&text).map_err(|error| SettingsError::Parse(error.message().to_owned()))?;
    let beside = path.parent().unwrap_or(Path::new("."));
    let key = file.key_file.as_ref();
    let key = key.map(|key| read_key(&beside.join(key))).transpose()?;
    let peer = |what: &str, part: PeerPart| {
        let key = key.clone().ok_or_else(|| {
            SettingsError::Parse("`key_file` is missing: requests are signed".to_owned())
        })?;
        let settings = PeerSettings {
            base: part.url,
            key,
            peer_key: part.peer_key,
            time_max: Duration::from_millis(part.time_max_ms.unwrap_or(TIME_MAX_MS)),
        };
        Peer::new(settings, Arc::clone(ids)).map_err(|source| SettingsError::Peer {
            what: what.to_owned(),
            source,
        })
    };
    let mut outside = Outside::default();
    let mut peers = Vec::new();
    if let Some(part) = file.mail {
        outside.mail = Some(mail(part, beside)?);
    }
    if let Some(part) = file.sms {
        let accepted_counts = part.accepted_counts;
        let part = PeerPart {
            url: part.url,
            peer_key: part.peer_key,
            time_max_ms: part.time_max_ms,
        };
        let gateway = Gateway::new(peer("sms", part)?, accepted_counts);
        peers.push(("sms".to_owned(), gateway.peer()));
        outside.sms = Some(gateway);
    }
    let mut registry = |name: String, part: PeerPart| {
        let registry = HttpRegistry::new(peer(&name, part)?, Patience::default());
        peers.push((name, registry.peer()));
        Ok::<_, SettingsError>(registry)
    };
    let mut optional = |name: &str, part: Option<PeerPart>| {
        part.map(|part| registry(name.to_owned(), part)).transpose()
    };
    outside.population = optional("population", file.population)?;
    outside.immigration = optional("immigration", file.immigration)?;
    outside.organisations = optional("organisations", file.organisations)?;
    if let Some(part) = file.citizen_card {
        let compares = part.compares;
        let part = PeerPart {
            url: part.url,
            peer_key: part.peer_key,
            time_max_ms: part.time_max_ms,
        };
        let registry = registry("citizen_card".to_owned(), part)?;
        outside.citizen_card = Some(HttpCards { registry, compares });
    }
    for (name, part) in file.documents {
        let kind = DocumentKind::deserialize(toml::Value::String(name.clone()))
            .map_err(|error| SettingsError::Parse(error.message().to_owned()))?;
        let registry = registry(format!("documents.{name}"), part)?;
        outside.documents.push((kind, registry));
    }
    outside.peers = peers;
    outside.witnesses = file.witnesses.map(witnesses_of).transpose()?;
    let timestamps = file.timestamps.map(|part| authority(part, beside, ids));
    outside.timestamps = timestamps.transpose()?;
    Ok(outside)
}

fn authority(
    part: TimestampsPart,
    beside: &Path,
    ids: &Arc<Ids>,
) -> Result<timestamps::Authority, SettingsError> {
    let list = read_text(
        "the list of time-stamping authorities",
        &beside.join(part.authorities_file),
    )?;
    let trust = TrustList::read(list.as_bytes())
        .map_err(|error| SettingsError::Parse(format!("time-stamping authorities: {error}")))?;
    let every = part.every_s.unwrap_or(STAMP_EVERY_S).max(1);
    let settings = timestamps::Settings {
        url: part.url,
        trust,
        every: Duration::from_secs(every),
        time_max: Duration::from_millis(part.time_max_ms.unwrap_or(STAMP_TIME_MAX_MS)),
    };
    timestamps::Authority::new(settings, Arc::clone(ids)).map_err(|source| SettingsError::Peer {
        what: "timestamps".to_owned(),
        source,
    })
}

fn witnesses_of(part: WitnessesPart) -> Result<witnesses::Settings, SettingsError> {
    let witness = |part: WitnessPart| {
        let key = VerifierKey::parse(&part.key);
        let key = key.map_err(|error| SettingsError::Parse(format!("a witness's key: {error}")))?;
        let url = part.url;
        Ok::<_, SettingsError>(WitnessSettings { url, key })
    };
    let witnesses: Vec<_> = part
        .witness
        .into_iter()
        .map(witness)
        .collect::<Result<_, _>>()?;
    Ok(witnesses::Settings {
        quorum: part.quorum.unwrap_or(witnesses.len()),
        witnesses,
        patience: Duration::from_secs(part.patience_s.unwrap_or(PATIENCE_S)),
        when_missing: match part.when_missing {
            Missing::Publish => WhenMissing::Publish,
            Missing::Hold => WhenMissing::Hold,
            Missing::Refuse => WhenMissing::Refuse,
        },
        time_max: Duration::from_millis(part.time_max_ms.unwrap_or(TIME_MAX_MS)),
    })
}

fn mail(part: MailPart, beside: &Path) -> Result<Mail, SettingsError> {
    let login = match (part.user, part.password_file) {
        (Some(user), Some(file)) => {
            let password = read_text("the mail password", &beside.join(file))?;
            Some((user, password.trim_end().to_owned()))
        }
        (None, None) => None,
        _ => {
            let reason = "`user` and `password_file` belong together";
            return Err(SettingsError::Parse(reason.to_owned()));
        }
    };
    Ok(Mail::new(MailSettings {
        host: part.host,
        port: part.port,
        from: part.from,
        login,
    })?)
}

fn read_text(what: &'static str, path: &Path) -> Result<Zeroizing<String>, SettingsError> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|source| SettingsError::Read { what, source })?;
    Ok(Zeroizing::new(text))
}

fn read_key(path: &Path) -> Result<SigningKey, SettingsError> {
    let text = read_text("the key file", path)?;
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), seed.as_mut_slice()).map_err(|_| SettingsError::Key)?;
    Ok(SigningKey::from_bytes(&seed))
}
