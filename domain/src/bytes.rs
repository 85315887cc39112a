//! The one configuration under which anything becomes bytes.
//!
//! Fixed-width little-endian integers, `u64` lengths, `u32` enum tags: bincode's `legacy` layout,
//! written by `wincode`. Decoding is canonical: a bounded allocation, every byte consumed, and the
//! value must encode to the same bytes again. Nothing else in the workspace calls `wincode` on
//! bytes that are hashed or signed.

use wincode::config::DefaultConfig;
use wincode::{SchemaRead, SchemaWrite};

/// Largest encoded value accepted or produced, in bytes.
pub const ENCODED_BYTES_MAX: usize = 64 * 1024;

/// Why bytes are not a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BytesError {
    /// Longer than [`ENCODED_BYTES_MAX`].
    #[error("{bytes} bytes are over the limit of {ENCODED_BYTES_MAX}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Truncated, trailing bytes, an unknown tag, an impossible length or invalid UTF-8.
    #[error("not a canonical encoding: {0}")]
    Malformed(String),
    /// Decodes, but the value would be written differently.
    #[error("not a canonical encoding: the value encodes to other bytes")]
    NotCanonical,
}

/// Encodes a value.
pub fn encode<T>(value: &T) -> Result<Vec<u8>, BytesError>
where
    T: SchemaWrite<DefaultConfig, Src = T>,
{
    let bytes =
        wincode::serialize(value).map_err(|error| BytesError::Malformed(error.to_string()))?;
    if bytes.len() > ENCODED_BYTES_MAX {
        return Err(BytesError::TooLong { bytes: bytes.len() });
    }
    Ok(bytes)
}

/// Decodes a value that must take up all of `bytes` and encode to exactly them.
pub fn decode<T>(bytes: &[u8]) -> Result<T, BytesError>
where
    T: for<'de> SchemaRead<'de, DefaultConfig, Dst = T> + SchemaWrite<DefaultConfig, Src = T>,
{
    if bytes.len() > ENCODED_BYTES_MAX {
        return Err(BytesError::TooLong { bytes: bytes.len() });
    }
    let value: T = wincode::deserialize_exact(bytes)
        .map_err(|error| BytesError::Malformed(error.to_string()))?;
    if encode(&value)? != bytes {
        return Err(BytesError::NotCanonical);
    }
    Ok(value)
}
