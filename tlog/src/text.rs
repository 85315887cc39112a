//! Small pieces of text that several formats share.

use crate::SIZE_MAX;
use crate::error::Error;
use crate::hash::Hash;
use crate::proof::HASHES_MAX;

/// An ASCII decimal without leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (canonical && digits).then(|| text.parse().ok()).flatten()
}

/// A size of a tree, or an index in it.
pub(crate) fn size(text: &str, what: &'static str) -> Result<u64, Error> {
    let size = decimal(text).ok_or(Error::malformed(what, "not a canonical decimal"))?;
    if size > SIZE_MAX {
        return Err(Error::TooLarge {
            what,
            found: size,
            limit: SIZE_MAX,
        });
    }
    Ok(size)
}

/// One line: what stands before the first newline, and what follows it.
pub(crate) fn line<'a>(text: &'a str, what: &'static str) -> Result<(&'a str, &'a str), Error> {
    text.split_once('\n')
        .ok_or(Error::malformed(what, "cut off"))
}

/// Hashes, one a line, up to an empty line; and what follows that.
pub(crate) fn hashes<'a>(text: &'a str, what: &'static str) -> Result<(Vec<Hash>, &'a str), Error> {
    let (mut hashes, mut rest) = (Vec::new(), text);
    loop {
        let (hash, after) = line(rest, what)?;
        rest = after;
        if hash.is_empty() {
            return Ok((hashes, rest));
        }
        if hashes.len() == HASHES_MAX {
            return Err(Error::malformed(what, "too many hashes"));
        }
        hashes.push(Hash::from_base64(hash)?);
    }
}
