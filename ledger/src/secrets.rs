//! The two secrets a ledger has, where they come from, and what is derived from them.
//!
//! * the **key-encryption key** (KEK): every other symmetric key is derived from it
//!   ([`Keys::derive`]), each for one use, so that no key ever does two jobs;
//! * the **signing key**: the seed of the ledger's Ed25519 key.
//!
//! Both are 32 bytes, kept apart from the data: in a file of their own (mode 0600) or handed in as
//! a value. Losing the KEK loses every sealed datum and lookup; losing the signing key loses the
//! right to append, nothing that was written. Neither is ever logged, printed or put in an error.

use crate::wiring::Randomness;
use base64::Engine;
use domain::ids::{Category, LookupHash};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Longest key file or value that is read, in bytes: hexadecimal, a line end and some room.
const SOURCE_BYTES_MAX: u64 = 256;

/// Thirty-two secret bytes. Erased when dropped; `Debug` shows nothing.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret32(pub [u8; 32]);

impl core::fmt::Debug for Secret32 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret32(…)")
    }
}

/// Why a secret cannot be had. All of them are exit code 12.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// There is no such file.
    #[error("the key file `{}` does not exist", .path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Others than its owner may read or change it.
    #[error("the key file `{}` is open to others (mode {mode:03o})", .path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not 32 bytes in hexadecimal or base64.
    #[error("{place} does not hold 32 bytes as hexadecimal or base64")]
    Malformed {
        /// The file, or what else the value came from.
        place: String,
    },
    /// A key is there already; it is never overwritten.
    #[error("the key file `{}` exists already", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Operating system error.
    #[error("{operation} the key file `{}`: {message}", .path.display())]
    Io {
        /// What was being done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's message.
        message: String,
    },
}

impl SecretError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Missing { path } => format!(
                "restore `{}` from where keys are kept apart from backups; a new key cannot \
                 open this ledger",
                path.display()
            ),
            Self::OpenToOthers { path, .. } => format!("chmod 600 {}", path.display()),
            Self::Malformed { .. } => "64 hexadecimal digits, or 44 characters of base64".into(),
            Self::Exists { .. } => "move it away, if it is certain that nothing needs it".into(),
            Self::Io { .. } => "check owner and permissions of the file and its directory".into(),
        }
    }
}

/// Where a 32-byte secret comes from.
#[derive(Clone)]
pub enum KeySource {
    /// A file that only its owner may read, with hexadecimal or base64 in it.
    File(PathBuf),
    /// Hexadecimal or base64 that was handed in, usually through the environment.
    Value(Zeroizing<String>),
    /// The bytes themselves.
    Bytes(Secret32),
}

impl core::fmt::Debug for KeySource {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Value(_) => f.write_str("Value(…)"),
            Self::Bytes(_) => f.write_str("Bytes(…)"),
        }
    }
}

impl KeySource {
    /// A value wins over a file named, a file named over the default file.
    pub fn choose(value: Option<String>, file: Option<PathBuf>, default: PathBuf) -> Self {
        match (value, file) {
            (Some(value), _) => Self::Value(Zeroizing::new(value)),
            (None, Some(file)) => Self::File(file),
            (None, None) => Self::File(default),
        }
    }

    /// The secret.
    pub fn load(&self) -> Result<Secret32, SecretError> {
        match self {
            Self::File(path) => load_file(path),
            Self::Value(text) => parse(text).ok_or_else(|| SecretError::Malformed {
                place: "the key handed in as a value".into(),
            }),
            Self::Bytes(secret) => Ok(secret.clone()),
        }
    }

    /// The secret, made now if it is to be in a file that does not exist. For `init` only: at any
    /// later time a missing file is an error.
    pub fn load_or_generate(&self, randomness: &dyn Randomness) -> Result<Secret32, SecretError> {
        match self {
            Self::File(path) if !path.exists() => generate_file(path, randomness),
            _ => self.load(),
        }
    }
}

/// Makes a new secret and writes it to a new file: mode 0600, safe on disk with its directory entry
/// before it is returned, for whatever it will encrypt is worth nothing without it.
pub fn generate_file(path: &Path, randomness: &dyn Randomness) -> Result<Secret32, SecretError> {
    let mut secret = Secret32([0; 32]);
    randomness.fill(&mut secret.0);
    write_file(path, &secret)?;
    Ok(secret)
}

/// Writes a secret to a new file, in a directory that is made if it is not there (mode 0700). It is
/// written aside and then linked to its name, so that a crash leaves the whole key or none, and a
/// key that is there is never replaced.
pub fn write_file(path: &Path, secret: &Secret32) -> Result<(), SecretError> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    make_private(directory).map_err(io(path, "making the directory of"))?;
    let aside = path.with_extension("new");
    // What a crash left is made anew, never written into: it may be open to others.
    match std::fs::remove_file(&aside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(io(path, "creating")(error));
        }
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&aside).map_err(io(path, "creating"))?;
    let mut text = Zeroizing::new(hex::encode(secret.0));
    text.push('\n');
    file.write_all(text.as_bytes())
        .map_err(io(path, "writing"))?;
    file.sync_all().map_err(io(path, "syncing"))?;
    let linked = std::fs::hard_link(&aside, path);
    std::fs::remove_file(&aside).map_err(io(path, "writing"))?;
    linked.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => SecretError::Exists { path: path.into() },
        _ => io(path, "creating")(error),
    })?;
    sync_directory(directory).map_err(io(path, "syncing"))
}

/// Makes a directory that only its owner may enter, if there is none.
fn make_private(directory: &Path) -> std::io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)?;
    directory.parent().map_or(Ok(()), sync_directory)
}

fn sync_directory(directory: &Path) -> std::io::Result<()> {
    let named = !directory.as_os_str().is_empty();
    File::open(if named { directory } else { Path::new(".") })?.sync_all()
}

fn load_file(path: &Path) -> Result<Secret32, SecretError> {
    parse(&secret_text(path)?).ok_or_else(|| malformed(path))
}

fn malformed(path: &Path) -> SecretError {
    SecretError::Malformed {
        place: format!("the key file `{}`", path.display()),
    }
}

/// The text of a file that only its owner may read: a key, or a password that others gave. At most
/// 256 bytes are read.
pub fn secret_text(path: &Path) -> Result<Zeroizing<String>, SecretError> {
    let file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => SecretError::Missing { path: path.into() },
        _ => io(path, "opening")(error),
    })?;
    #[cfg(unix)]
    {
        // Asked of the open file, not of the path: no other file can slip in between.
        let metadata = file.metadata().map_err(io(path, "reading"))?;
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            return Err(SecretError::OpenToOthers {
                path: path.into(),
                mode,
            });
        }
    }
    let mut text = Zeroizing::new(String::with_capacity(SOURCE_BYTES_MAX as usize));
    file.take(SOURCE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => malformed(path),
            _ => io(path, "reading")(error),
        })?;
    Ok(text)
}

fn parse(text: &str) -> Option<Secret32> {
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    let text = text.trim();
    let mut secret = Secret32([0; 32]);
    if hex::decode_to_slice(text, &mut secret.0).is_ok() {
        return Some(secret);
    }
    [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|engine| {
            let bytes = Zeroizing::new(engine.decode(text).ok()?);
            secret
                .0
                .copy_from_slice(bytes.get(..32).filter(|_| bytes.len() == 32)?);
            Some(secret.clone())
        })
}

fn io(path: &Path, operation: &'static str) -> impl Fn(std::io::Error) -> SecretError {
    move |error| SecretError::Io {
        operation,
        path: path.into(),
        message: error.to_string(),
    }
}

/// What is derived from the KEK: one key for each use. Erased when dropped.
///
/// Each is `BLAKE3 derive_key("idledger 2026 <use> v1", KEK)`.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Keys {
    /// Wraps the data keys (`vault`).
    pub(crate) wrapping: [u8; 32],
    /// Seals credential verifiers (`credentials`): the pepper that a copied file lacks.
    pub(crate) credentials: [u8; 32],
    /// Makes one-time codes.
    pub(crate) otp: [u8; 32],
    /// Authenticates session tokens.
    pub(crate) session: [u8; 32],
    /// Seals the population registry's records.
    pub(crate) registry: [u8; 32],
    /// Makes lookup hashes.
    lookup: [u8; 32],
    /// Tells a wrong KEK at once. It gives nothing away, so it stands in the clear on disk.
    check: [u8; 16],
}

impl core::fmt::Debug for Keys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl Keys {
    /// Derives them all.
    pub fn derive(kek: &Secret32) -> Self {
        let long = blake3::derive_key("idledger 2026 key check v1", &kek.0);
        let mut check = [0; 16];
        check.copy_from_slice(long.first_chunk::<16>().unwrap_or(&[0; 16]));
        Self {
            wrapping: blake3::derive_key("idledger 2026 data key wrapping v1", &kek.0),
            credentials: blake3::derive_key("idledger 2026 credential sealing v1", &kek.0),
            otp: blake3::derive_key("idledger 2026 one-time codes v1", &kek.0),
            session: blake3::derive_key("idledger 2026 session tokens v1", &kek.0),
            registry: blake3::derive_key("idledger 2026 registry sealing v1", &kek.0),
            lookup: blake3::derive_key("idledger 2026 lookup hashes v1", &kek.0),
            check,
        }
    }

    /// Sixteen bytes that are equal for equal KEKs; kept with the data to tell a wrong key.
    pub const fn check(&self) -> [u8; 16] {
        self.check
    }

    /// The keyed hash by which a personal datum is looked up, and the id of its claim stream:
    /// keyed BLAKE3 of the category's code and the text in [`normalised`] form, 16 bytes. Without
    /// the key nobody can try numbers against it, though there are only 10^12 of them.
    pub fn lookup(&self, category: Category, text: &str) -> LookupHash {
        let mut hasher = blake3::Hasher::new_keyed(&self.lookup);
        hasher.update(&[category as u8]);
        hasher.update(normalised(category, text).as_bytes());
        let mut hash = [0; 16];
        hasher.finalize_xof().fill(&mut hash);
        LookupHash(hash)
    }
}

/// The form in which a datum is looked up, so that each has one hash however it was typed: numbers
/// without separators, phone numbers in E.164 (`0…` is Vietnamese), anything else trimmed NFC.
pub fn normalised(category: Category, text: &str) -> Zeroizing<String> {
    let text = text.trim();
    Zeroizing::new(match category {
        Category::PersonalIdClaim => text.chars().filter(|c| !is_separator(*c)).collect(),
        Category::PhoneClaim => {
            let plain: String = text.chars().filter(|c| !is_separator(*c)).collect();
            match plain.strip_prefix('0') {
                Some(national) if !national.starts_with('0') => format!("+84{national}"),
                _ => plain,
            }
        }
        _ => text.nfc().collect(),
    })
}

const fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '.' | '-' | '(' | ')' | '\u{a0}')
}

#[cfg(test)]
mod tests;
