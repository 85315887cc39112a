//! Certificates and signed messages of other people's: strict DER, X.509, CMS.
//!
//! Owns what the reading of a card's chip and time-stamps have in common: taking signed objects apart as
//! they were signed, algorithms that are taken and nothing weaker, and chains to authorities that an
//! operator listed. It must never touch a file, a network or a clock, and believes no certificate that
//! came along.

pub(crate) mod algorithms;
pub(crate) mod certificate;
pub(crate) mod der;
pub(crate) mod signed;

pub use certificate::{TRUST_LIST_BYTES_MAX, TRUST_LIST_MAX, TrustList, TrustListError};
