//! Signed notes: a text and lines of signatures under it
//! ([signed-note](https://c2sp.org/signed-note)).
//!
//! ```text
//! text, ends with newline
//! (empty line)
//! — <key name> base64(key id: 4 bytes ‖ signature)
//! ```
//!
//! Key id = first 4 bytes of `SHA-256(name ‖ "\n" ‖ algorithm ‖ public key)`. A key as text is
//! `name+hex(key id)+base64(algorithm ‖ public key)`. Algorithm 1 is Ed25519 over the text, 4 is a
//! cosignature ([`crate::cosignature`]).

use crate::error::Error;
use crate::text::line;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// Largest note, in bytes.
pub const NOTE_BYTES_MAX: usize = 1 << 20;
/// Most signatures under a note.
pub const SIGNATURES_MAX: usize = 100;
/// Longest name of a key, in bytes.
pub const NAME_BYTES_MAX: usize = 255;
const MARK: &str = "\u{2014} ";

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// Ed25519 over the text of the note.
    Ed25519,
    /// A time and Ed25519 over it and the text.
    Cosignature,
}

impl Algorithm {
    /// The byte that stands for it.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Cosignature => 4,
        }
    }
}

/// A key that signatures are checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    algorithm: Algorithm,
    key: VerifyingKey,
}

impl VerifierKey {
    /// A key by its parts. The name has no spaces and no `+`.
    pub fn new(name: &str, algorithm: Algorithm, key: VerifyingKey) -> Result<Self, Error> {
        check_name(name)?;
        Ok(Self {
            name: name.to_owned(),
            algorithm,
            key,
        })
    }

    /// From text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let malformed = |why| Error::malformed("verifier key", why);
        // The key itself may contain `+`, as base64 does.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed("not name+id+key"));
        };
        let id: [u8; 4] = hex::decode(id)
            .ok()
            .filter(|_| !id.bytes().any(|byte| byte.is_ascii_uppercase()))
            .and_then(|id| id.try_into().ok())
            .ok_or(malformed("key id"))?;
        let key = STANDARD.decode(key).map_err(|_| malformed("not base64"))?;
        let (algorithm, key) = key.split_first().ok_or(malformed("empty"))?;
        let algorithm = match algorithm {
            1 => Algorithm::Ed25519,
            4 => Algorithm::Cosignature,
            _ => return Err(malformed("unknown algorithm")),
        };
        let key = <&[u8; 32]>::try_from(key).map_err(|_| malformed("key length"))?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| malformed("not a point"))?;
        let key = Self::new(name, algorithm, key)?;
        if key.id() != id {
            return Err(Error::KeyId);
        }
        Ok(key)
    }

    /// As text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut key = vec![self.algorithm.byte()];
        key.extend(self.key.as_bytes());
        let (id, key) = (hex::encode(self.id()), STANDARD.encode(key));
        format!("{}+{id}+{key}", self.name)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it signs.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public key.
    #[must_use]
    pub const fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let mut hasher = Sha256::new();
        hasher.update(&self.name);
        hasher.update([b'\n', self.algorithm.byte()]);
        hasher.update(self.key.as_bytes());
        let [a, b, c, d, ..] = <[u8; 32]>::from(hasher.finalize());
        [a, b, c, d]
    }

    /// Strict: no signature that only some implementations accept.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let wrong = || Error::WrongSignature {
            name: self.name.clone(),
        };
        let signature = <&[u8; 64]>::try_from(signature).map_err(|_| wrong())?;
        self.key
            .verify_strict(message, &Signature::from_bytes(signature))
            .map_err(|_| wrong())
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let malformed = |why| Error::malformed("key name", why);
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(malformed("its length"));
    }
    let refused = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    if name.chars().any(refused) {
        return Err(malformed("spaces, control characters and + are refused"));
    }
    Ok(())
}

/// A key that signs.
pub struct Signer {
    verifier: VerifierKey,
    key: SigningKey,
}

impl Signer {
    /// A key by its parts.
    pub fn new(name: &str, algorithm: Algorithm, key: SigningKey) -> Result<Self, Error> {
        let verifier = VerifierKey::new(name, algorithm, key.verifying_key())?;
        Ok(Self { verifier, key })
    }

    /// What others check its signatures with.
    #[must_use]
    pub const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    pub(crate) fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    /// Signs a text: the line to put under it.
    pub fn sign(&self, text: &str) -> Result<String, Error> {
        if self.verifier.algorithm != Algorithm::Ed25519 {
            return Err(Error::malformed("signer", "a cosigner signs with a time"));
        }
        check_text(text)?;
        Ok(signature_line(
            &self.verifier,
            &self.sign_bytes(text.as_bytes()),
        ))
    }
}

pub(crate) fn signature_line(key: &VerifierKey, signature: &[u8]) -> String {
    let mut bytes = key.id().to_vec();
    bytes.extend(signature);
    format!("{MARK}{} {}\n", key.name, STANDARD.encode(bytes))
}

fn check_text(text: &str) -> Result<(), Error> {
    let malformed = |why| Error::malformed("note", why);
    if !text.ends_with('\n') {
        return Err(malformed("the text does not end with a newline"));
    }
    if text.chars().any(|c| c < ' ' && c != '\n') {
        return Err(malformed("control characters"));
    }
    Ok(())
}

/// One signature under a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key.
    pub name: String,
    /// Id of the key.
    pub id: [u8; 4],
    /// What follows the id.
    pub signature: Vec<u8>,
}

impl NoteSignature {
    /// Whether the key made it, as far as its name and id say.
    #[must_use]
    pub fn is_by(&self, key: &VerifierKey) -> bool {
        self.name == key.name && self.id == key.id()
    }

    /// From a line without its newline.
    fn parse(line: &str) -> Result<Self, Error> {
        let malformed = |why| Error::malformed("note signature", why);
        let line = line.strip_prefix(MARK).ok_or(malformed("no dash"))?;
        let (name, signature) = line.split_once(' ').ok_or(malformed("no name"))?;
        check_name(name)?;
        let bytes = STANDARD
            .decode(signature)
            .map_err(|_| malformed("not base64"))?;
        let (id, signature) = bytes.split_first_chunk::<4>().ok_or(malformed("no id"))?;
        if signature.is_empty() {
            return Err(malformed("empty"));
        }
        Ok(Self {
            name: name.to_owned(),
            id: *id,
            signature: signature.to_vec(),
        })
    }

    /// As a line with its newline.
    #[must_use]
    pub fn to_line(&self) -> String {
        let mut bytes = self.id.to_vec();
        bytes.extend(&self.signature);
        format!("{MARK}{} {}\n", self.name, STANDARD.encode(bytes))
    }
}

/// A text with signatures, none of them checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// A text and signatures.
    pub fn new(text: String, signatures: Vec<NoteSignature>) -> Result<Self, Error> {
        check_text(&text)?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(Error::TooLarge {
                what: "signatures",
                found: signatures.len() as u64,
                limit: SIGNATURES_MAX as u64,
            });
        }
        Ok(Self { text, signatures })
    }

    /// Reads a note.
    pub fn parse(note: &str) -> Result<Self, Error> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(Error::TooLarge {
                what: "note",
                found: note.len() as u64,
                limit: NOTE_BYTES_MAX as u64,
            });
        }
        // The last empty line parts the text from the signatures.
        let at = note
            .rfind("\n\n")
            .ok_or(Error::malformed("note", "no signatures"))?;
        let (text, rest) = note.split_at(at + 1);
        let signatures = parse_lines(rest.strip_prefix('\n').unwrap_or(rest))?;
        if signatures.is_empty() {
            return Err(Error::malformed("note", "no signatures"));
        }
        Self::new(text.to_owned(), signatures)
    }

    /// The text, with its last newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, unchecked.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Puts further signatures under it: lines as they come from a witness.
    pub fn add(&mut self, lines: &str) -> Result<(), Error> {
        let mut all = self.signatures.clone();
        all.extend(parse_lines(lines)?);
        *self = Self::new(core::mem::take(&mut self.text), all)?;
        Ok(())
    }

    /// As text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let lines = self.signatures.iter().map(NoteSignature::to_line);
        format!("{}\n{}", self.text, lines.collect::<String>())
    }

    /// Checks the signatures by the known keys: all that are there must be right, none by a key
    /// twice. Those by unknown keys are passed over. The keys that signed.
    pub fn verify<'a>(&self, known: &'a [VerifierKey]) -> Result<Vec<Signed<'a>>, Error> {
        let mut signed = Vec::new();
        let mut seen = BTreeSet::new();
        for signature in &self.signatures {
            for key in known.iter().filter(|key| signature.is_by(key)) {
                if !seen.insert((key.name(), key.id())) {
                    return Err(Error::SignedTwice {
                        name: key.name.clone(),
                    });
                }
                let time = match key.algorithm {
                    Algorithm::Ed25519 => {
                        key.verify(self.text.as_bytes(), &signature.signature)?;
                        None
                    }
                    Algorithm::Cosignature => Some(crate::cosignature::verify(
                        key,
                        &self.text,
                        &signature.signature,
                    )?),
                };
                signed.push(Signed { key, time });
            }
        }
        Ok(signed)
    }
}

fn parse_lines(lines: &str) -> Result<Vec<NoteSignature>, Error> {
    let mut signatures = Vec::new();
    let mut rest = lines;
    while !rest.is_empty() {
        let (one, after) = line(rest, "note signature")?;
        signatures.push(NoteSignature::parse(one)?);
        if signatures.len() > SIGNATURES_MAX {
            return Err(Error::TooLarge {
                what: "signatures",
                found: signatures.len() as u64,
                limit: SIGNATURES_MAX as u64,
            });
        }
        rest = after;
    }
    Ok(signatures)
}

/// A signature that was found right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed<'a> {
    /// By which key.
    pub key: &'a VerifierKey,
    /// When, in POSIX seconds, if it is a cosignature.
    pub time: Option<u64>,
}
