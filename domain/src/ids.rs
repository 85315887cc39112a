//! Identifiers and small values that stand in the open part of an event.
//!
//! None of them says who somebody is: ids are random, and what is looked up by a personal datum is
//! a keyed hash of it (INV-3).

use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wincode::{SchemaRead, SchemaWrite};

/// Makes a fixed-size byte string with hexadecimal text form.
macro_rules! byte_ids {
    ($( $(#[$doc:meta])* $name:ident($len:literal); )*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, SchemaRead, SchemaWrite)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// All zero: stands for "none" where the text says so.
            pub const ZERO: Self = Self([0; $len]);

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for byte in self.0 {
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl core::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let mut bytes = [0; $len];
                let plain: String = text.chars().filter(|c| *c != '-').collect();
                hex::decode_to_slice(&plain, &mut bytes).map_err(|_| IdError {
                    what: stringify!($name),
                    digits: $len * 2,
                })?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    use serde::ser::SerializeTuple;
                    let mut tuple = serializer.serialize_tuple($len)?;
                    for byte in &self.0 {
                        tuple.serialize_element(byte)?;
                    }
                    tuple.end()
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    deserializer.deserialize_tuple($len, Bytes([0; $len])).map(Self)
                }
            }
        }
    )* };
}

/// Reads as many bytes as an id has, from a binary form.
struct Bytes<const N: usize>([u8; N]);

impl<'de, const N: usize> serde::de::Visitor<'de> for Bytes<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{N} bytes")
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(mut self, mut seq: A) -> Result<[u8; N], A::Error> {
        for (at, byte) in self.0.iter_mut().enumerate() {
            let next = seq.next_element()?;
            *byte = next.ok_or_else(|| serde::de::Error::invalid_length(at, &"an id's bytes"))?;
        }
        Ok(self.0)
    }
}

/// Text that is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {digits} hexadecimal digits")]
pub struct IdError {
    what: &'static str,
    digits: usize,
}

byte_ids! {
    /// One account, and the stream of its events: random, so that nothing can be read from it.
    AccountId(16);
    /// One event: a UUIDv7 (RFC 9562 section 5.7).
    EventId(16);
    /// One command as it was asked for; a repetition carries the same id.
    CommandId(16);
    /// What belongs together across streams, usually one visit or one request.
    CorrelationId(16);
    /// Whoever acts without an account: an officer, a registry adapter, an operator, the clock.
    PrincipalId(16);
    /// One application for a level (a dossier).
    CaseId(16);
    /// One question put to a registry.
    RequestId(16);
    /// One one-time password challenge. The code itself is never stored.
    ChallengeId(16);
    /// One verifier (password, passcode or answers) in the credential store outside the log.
    VerifierId(16);
    /// One linked document.
    DocumentId(16);
    /// One share: data shown once to one relying party.
    ShareId(16);
    /// A device: the keyed hash of its identifier, which is also its claim stream's id.
    DeviceRef(16);
    /// A keyed hash of a personal datum, the id of its claim stream.
    LookupHash(16);
    /// The first 16 bytes of BLAKE3 over `"idledger-key/v1\0"` and an Ed25519 public key.
    KeyId(16);
    /// One ledger, random at `init`.
    LedgerId(16);
    /// An Ed25519 public key (RFC 8032).
    PublicKey(32);
    /// A BLAKE3 or SHA-256 digest; the text beside it says which.
    Digest(32);
    /// An Ed25519 signature (RFC 8032).
    Signature(64);
}

impl PublicKey {
    /// The key's id.
    pub fn id(&self) -> KeyId {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"idledger-key/v1\0");
        hasher.update(&self.0);
        let mut id = [0; 16];
        hasher.finalize_xof().fill(&mut id);
        KeyId(id)
    }
}

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    SchemaRead,
    SchemaWrite,
    Serialize,
    Deserialize,
)]
#[serde(transparent)]
pub struct Micros(pub i64);

impl Micros {
    /// One second.
    pub const SECOND: i64 = 1_000_000;
    /// One day of 24 hours.
    pub const DAY: i64 = 86_400 * Self::SECOND;

    /// Later by a number of microseconds, at most the end of time.
    #[must_use]
    pub const fn plus(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// The civil day in Asia/Ho_Chi_Minh (UTC+7 since 1975), as days since 1970-01-01. Legal
    /// clocks and statistics count these days (spec B.3).
    pub const fn local_day(self) -> LocalDay {
        LocalDay(
            self.0
                .saturating_add(7 * 3600 * Self::SECOND)
                .div_euclid(Self::DAY) as i32,
        )
    }
}

/// A civil day in Asia/Ho_Chi_Minh: days since 1970-01-01.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    SchemaRead,
    SchemaWrite,
    Serialize,
    Deserialize,
)]
#[serde(transparent)]
pub struct LocalDay(pub i32);

/// An administrative area: province code × 1000 + district code (0 for the whole province). Codes
/// of the 63-province table (spec C.1): Hải Dương is 30, its city 30 288.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    SchemaRead,
    SchemaWrite,
    Serialize,
    Deserialize,
)]
#[serde(transparent)]
pub struct AreaCode(pub u32);

impl AreaCode {
    /// The province's code.
    pub const fn province(self) -> u32 {
        self.0 / 1000
    }
}

/// The position of an event in the whole ledger: 0, 1, 2 … without gaps (INV-6), assigned when it
/// is committed.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    SchemaRead,
    SchemaWrite,
    Serialize,
    Deserialize,
)]
#[serde(transparent)]
pub struct Position(pub u64);

/// An event's number within its stream: 0, 1, 2 …
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    SchemaRead,
    SchemaWrite,
    Serialize,
    Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

/// What a stream is about.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    SchemaRead,
    SchemaWrite,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum Category {
    /// One account.
    Account,
    /// Who holds a personal identification number.
    PersonalIdClaim,
    /// Who holds a phone number.
    PhoneClaim,
    /// Which account a device is bound to.
    DeviceClaim,
    /// One principal: officer, adapter, operator, reader.
    Principal,
    /// Policy versions.
    Policy,
    /// Service catalogue versions.
    Catalogue,
    /// The ledger itself: its creation and its keys.
    Ledger,
    /// Province code versions.
    Provinces,
    /// Message catalogue versions.
    Messages,
    /// Document kind versions.
    DocumentKinds,
    /// Holiday calendar versions.
    Calendar,
    /// Intake site versions.
    IntakeSites,
    /// What the ledger states of its own state.
    StateSeals,
}

/// One event stream. Its text form is `category-hex`, which is also its name in KurrentDB.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    SchemaRead,
    SchemaWrite,
    Serialize,
    Deserialize,
)]
pub struct StreamId {
    /// What it is about.
    pub category: Category,
    /// Which one: random, a keyed hash, or zero where there is only one.
    pub id: Digest16,
}

byte_ids! {
    /// Sixteen bytes that name a stream within its category.
    Digest16(16);
}

impl StreamId {
    /// The stream of an account.
    pub const fn account(account: AccountId) -> Self {
        Self {
            category: Category::Account,
            id: Digest16(account.0),
        }
    }

    /// The account whose stream this is, if it is one.
    pub fn as_account(self) -> Option<AccountId> {
        (self.category == Category::Account).then_some(AccountId(self.id.0))
    }

    /// The stream of a principal.
    pub const fn principal(principal: PrincipalId) -> Self {
        Self {
            category: Category::Principal,
            id: Digest16(principal.0),
        }
    }

    /// A stream of which there is only one.
    pub const fn single(category: Category) -> Self {
        Self {
            category,
            id: Digest16::ZERO,
        }
    }

    /// A claim stream.
    pub const fn claim(category: Category, hash: LookupHash) -> Self {
        Self {
            category,
            id: Digest16(hash.0),
        }
    }

    /// Seventeen bytes: category and id, an order-preserving key.
    pub fn key(self) -> [u8; 17] {
        let mut key = [0; 17];
        key[0] = self.category as u8;
        key[1..].copy_from_slice(&self.id.0);
        key
    }
}

impl Category {
    /// Every category with its name.
    pub const ALL: [(Self, &'static str); 14] = [
        (Self::Account, "account"),
        (Self::PersonalIdClaim, "personal_id_claim"),
        (Self::PhoneClaim, "phone_claim"),
        (Self::DeviceClaim, "device_claim"),
        (Self::Principal, "principal"),
        (Self::Policy, "policy"),
        (Self::Catalogue, "catalogue"),
        (Self::Ledger, "ledger"),
        (Self::Provinces, "provinces"),
        (Self::Messages, "messages"),
        (Self::DocumentKinds, "document_kinds"),
        (Self::Calendar, "calendar"),
        (Self::IntakeSites, "intake_sites"),
        (Self::StateSeals, "state_seals"),
    ];

    /// Its name, the first part of a stream's text form.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(c, _)| *c == self)
            .map_or("", |(_, name)| name)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.category.name(), self.id)
    }
}

impl core::str::FromStr for StreamId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = IdError {
            what: "StreamId: a category, `-` and then",
            digits: 32,
        };
        let (name, id) = text.rsplit_once('-').ok_or_else(|| error.clone())?;
        let (category, _) = Category::ALL
            .into_iter()
            .find(|(_, known)| *known == name)
            .ok_or(error)?;
        Ok(Self {
            category,
            id: id.parse()?,
        })
    }
}
