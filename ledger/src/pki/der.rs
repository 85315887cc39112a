//! DER taken apart element by element: strict, bounded, and with the bytes as they came.
//!
//! The structures that are read here are few and flat, and what was signed must be looked at as it
//! was signed; so nothing is decoded into owned structures here, and nothing is encoded again but a
//! header. Never recurses.

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged};

/// Not what it should be. What exactly does not matter to anybody: it is not a good object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl From<der::Error> for Malformed {
    fn from(_: der::Error) -> Self {
        Self
    }
}

/// `[number]`, constructed.
pub(crate) const fn context(number: u32) -> Tag {
    Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(number),
    }
}

/// `[APPLICATION number]`.
pub(crate) const fn application(number: u32, constructed: bool) -> Tag {
    Tag::Application {
        constructed,
        number: TagNumber(number),
    }
}

/// The one element that `bytes` are, all of them.
pub(crate) fn whole(bytes: &[u8]) -> Result<AnyRef<'_>, Malformed> {
    Ok(AnyRef::from_der(bytes)?)
}

/// The elements inside a constructed value: at least `least`, at most `most`.
pub(crate) fn inside(
    of: AnyRef<'_>,
    tag: Tag,
    least: usize,
    most: usize,
) -> Result<Vec<AnyRef<'_>>, Malformed> {
    let mut reader = SliceReader::new(value(of, tag)?)?;
    let mut elements = Vec::new();
    while !reader.is_finished() {
        if elements.len() == most {
            return Err(Malformed);
        }
        elements.push(AnyRef::decode(&mut reader)?);
    }
    if elements.len() < least {
        return Err(Malformed);
    }
    Ok(elements)
}

/// The one element inside an explicit tag.
pub(crate) fn only(of: AnyRef<'_>, tag: Tag) -> Result<AnyRef<'_>, Malformed> {
    let elements = inside(of, tag, 1, 1)?;
    elements.into_iter().next().ok_or(Malformed)
}

/// The contents of an element with this tag.
pub(crate) fn value(of: AnyRef<'_>, tag: Tag) -> Result<&[u8], Malformed> {
    if of.tag() == tag {
        Ok(of.value())
    } else {
        Err(Malformed)
    }
}

/// An object identifier.
pub(crate) fn oid(of: AnyRef<'_>) -> Result<ObjectIdentifier, Malformed> {
    Ok(of.decode_as()?)
}

/// A number from 0 to 255.
pub(crate) fn small(of: AnyRef<'_>) -> Result<u8, Malformed> {
    Ok(of.decode_as()?)
}

/// A non-negative integer without leading zeros.
pub(crate) fn unsigned(of: AnyRef<'_>) -> Result<&[u8], Malformed> {
    let bytes = value(of, Tag::Integer)?;
    match bytes {
        [] => Err(Malformed),
        [0] => Ok(bytes),
        [0, rest @ ..] if rest.first().is_some_and(|first| *first >= 0x80) => Ok(rest),
        [first, ..] if *first >= 0x80 || *first == 0 => Err(Malformed),
        _ => Ok(bytes),
    }
}

/// A non-negative integer that fits.
pub(crate) fn number(of: AnyRef<'_>) -> Result<u64, Malformed> {
    Ok(of.decode_as()?)
}

/// A bit string of whole bytes.
pub(crate) fn bits(of: AnyRef<'_>) -> Result<&[u8], Malformed> {
    match value(of, Tag::BitString)? {
        [0, bytes @ ..] => Ok(bytes),
        _ => Err(Malformed),
    }
}

/// An element's bytes, header and all, as they came: DER has one encoding only.
pub(crate) fn bytes(of: AnyRef<'_>) -> Result<Vec<u8>, Malformed> {
    Ok(of.to_der()?)
}

/// The same contents under another tag.
pub(crate) fn retagged(of: AnyRef<'_>, tag: Tag) -> Result<Vec<u8>, Malformed> {
    Ok(AnyRef::new(tag, of.value())?.to_der()?)
}
