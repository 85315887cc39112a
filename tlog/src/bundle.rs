//! Entry bundles: entries of up to 65,535 bytes, each after its length.
//!
//! ```text
//! bundle = { length: u16 big-endian ‖ entry } × 1 … 256
//! ```

use crate::error::Error;
use crate::tile::WIDTH;

/// Appends an entry to a bundle's bytes.
pub fn push(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), Error> {
    let length = u16::try_from(entry.len()).map_err(|_| Error::TooLarge {
        what: "entry",
        found: entry.len() as u64,
        limit: u64::from(u16::MAX),
    })?;
    bundle.extend(length.to_be_bytes());
    bundle.extend(entry);
    Ok(())
}

/// The first `width` entries of a bundle, which holds at least so many and nothing else.
pub fn entries(bundle: &[u8], width: u16) -> Result<Vec<&[u8]>, Error> {
    let malformed = |why| Error::malformed("entry bundle", why);
    let mut found = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<2>().ok_or(malformed("cut off"))?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) = after.split_at_checked(length).ok_or(malformed("cut off"))?;
        if found.len() == usize::from(WIDTH) {
            return Err(malformed("more than 256 entries"));
        }
        found.push(entry);
        rest = after;
    }
    if found.len() < usize::from(width) {
        return Err(malformed("too few entries"));
    }
    found.truncate(usize::from(width));
    Ok(found)
}
