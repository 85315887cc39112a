//! The signature base of RFC 9421 section 2.5: which bytes a request's signature covers.
//!
//! Pure text work: no keys, no clock. A covered field that is missing or stands there twice is an
//! error, so that sender and receiver can never mean different values.

use super::SignatureError;
use axum::http::{HeaderMap, Method};
use sfv::{BareItem, FieldType as _, InnerList};
use std::fmt::Write as _;

/// Longest signature base, in bytes. It is kept in the event for ever, so it is kept small.
pub const BASE_BYTES_MAX: usize = 4096;

/// The parts of a request's target that derived components name.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// `@method`.
    pub method: &'a Method,
    /// `@path`, as sent, never decoded.
    pub path: &'a str,
    /// `@query` without its question mark; `None` where the target has none.
    pub query: Option<&'a str>,
    /// `@authority` in lower case, where it is known.
    pub authority: Option<&'a str>,
}

/// Puts the base together: one line per covered component, then `@signature-params`.
pub fn signature_base(
    target: &Target<'_>,
    headers: &HeaderMap,
    covered: &InnerList,
) -> Result<String, SignatureError> {
    let mut base = String::with_capacity(512);
    for name in component_names(covered)? {
        let value = component(target, headers, name)?;
        // Writing to a `String` cannot fail.
        let _ = writeln!(base, "\"{name}\": {value}");
    }
    let _ = write!(base, "\"@signature-params\": {}", inner_list(covered)?);
    if base.len() > BASE_BYTES_MAX {
        return Err(SignatureError::Malformed("the signature base is too long"));
    }
    Ok(base)
}

/// The covered components' names. Component parameters (`;sf`, `;req`, …) are not taken, and none may
/// be named twice (RFC 9421 section 2.5).
pub(super) fn component_names(covered: &InnerList) -> Result<Vec<&str>, SignatureError> {
    let mut names: Vec<&str> = Vec::with_capacity(covered.items.len());
    for item in &covered.items {
        let BareItem::String(name) = &item.bare_item else {
            return Err(SignatureError::Malformed(
                "a covered component is not a string",
            ));
        };
        if !item.params.is_empty() {
            return Err(SignatureError::Malformed(
                "component parameters are not supported",
            ));
        }
        if names.contains(&name.as_str()) {
            return Err(SignatureError::Malformed("a component is covered twice"));
        }
        names.push(name.as_str());
    }
    Ok(names)
}

/// The strict serialisation (RFC 9651 section 4.1.1.1) of an inner list with its parameters.
fn inner_list(covered: &InnerList) -> Result<String, SignatureError> {
    vec![sfv::ListEntry::InnerList(covered.clone())]
        .serialize()
        .ok_or(SignatureError::Malformed(
            "the covered components are empty",
        ))
}

fn component(
    target: &Target<'_>,
    headers: &HeaderMap,
    name: &str,
) -> Result<String, SignatureError> {
    Ok(match name {
        "@method" => target.method.as_str().to_owned(),
        "@path" if target.path.is_empty() => "/".to_owned(),
        "@path" => target.path.to_owned(),
        "@query" => format!("?{}", target.query.unwrap_or_default()),
        "@authority" => target
            .authority
            .ok_or(SignatureError::Incomplete("@authority"))?
            .to_ascii_lowercase(),
        _ if name.starts_with('@') => {
            return Err(SignatureError::Malformed(
                "a derived component is not supported",
            ));
        }
        _ => single_field(headers, name)?.to_owned(),
    })
}

/// The value of a field that must be there exactly once, in visible ASCII, without outer blanks.
pub(super) fn single_field<'h>(
    headers: &'h HeaderMap,
    name: &str,
) -> Result<&'h str, SignatureError> {
    let mut values = headers.get_all(name).iter();
    let value = values
        .next()
        .ok_or(SignatureError::Malformed("a covered field is missing"))?;
    if values.next().is_some() {
        return Err(SignatureError::Malformed("a field stands there twice"));
    }
    let value = value
        .to_str()
        .map_err(|_| SignatureError::Malformed("a field is not ASCII"))?;
    Ok(value.trim_matches([' ', '\t']))
}
