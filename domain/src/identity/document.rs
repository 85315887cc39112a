//! Numbers of documents, each by the form of its kind (spec C.5, C.6).

use super::{IdentityError, is_digits};
use crate::vocabulary::DocumentKind;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Longest input looked at, in bytes.
const INPUT_BYTES_MAX: usize = 40;

/// A document's number in its normal form: capital letters and digits only.
#[derive(Clone, PartialEq, Eq)]
pub struct DocumentNumber {
    kind: DocumentKind,
    text: Text,
}

/// Cleared on drop.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
struct Text(String);

impl DocumentNumber {
    /// Reads a number of a kind. Dots, spaces, hyphens and small letters are accepted.
    pub fn parse(kind: DocumentKind, input: &str) -> Result<Self, IdentityError> {
        if input.len() > INPUT_BYTES_MAX {
            return Err(IdentityError::DocumentFormat);
        }
        let plain = input.chars().filter(|c| !matches!(c, '.' | ' ' | '-'));
        let text = Text(plain.map(|c| c.to_ascii_uppercase()).collect());
        let number = text.0.as_str();
        let good = match kind {
            // Groups (province, sex, year, serial) are known from one worked example: soft.
            DocumentKind::DrivingLicence => is_digits(number, 12),
            DocumentKind::VehicleRegistration => is_plate(number),
            // The electronic health record is kept under the insurance number or the personal one.
            DocumentKind::HealthInsuranceCard | DocumentKind::HealthRecord => {
                is_health_insurance(number)
            }
            DocumentKind::TaxCode => return tax_code(text),
            DocumentKind::SocialInsuranceCode => is_digits(number, 10) || is_digits(number, 12),
        };
        if good {
            Ok(Self { kind, text })
        } else {
            Err(IdentityError::DocumentFormat)
        }
    }

    /// Its kind.
    pub const fn kind(&self) -> DocumentKind {
        self.kind
    }

    /// The normal form. Not for logs, errors, keys or names.
    pub fn as_str(&self) -> &str {
        &self.text.0
    }
}

impl core::fmt::Debug for DocumentNumber {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "DocumentNumber({:?}, personal)", self.kind)
    }
}

/// `DDL[L][D]DDDD[D]`, army `LLDDDD[D]`, diplomatic `DDDDD(NG|QT|NN)DD[D]`.
fn is_plate(number: &str) -> bool {
    // Runs of letters and digits, from the left.
    let bytes = number.as_bytes();
    let letters_from = bytes.iter().position(u8::is_ascii_uppercase);
    let Some((head, rest)) = letters_from.and_then(|at| number.split_at_checked(at)) else {
        return false;
    };
    let letters_to = rest
        .bytes()
        .position(|b| !b.is_ascii_uppercase())
        .unwrap_or(rest.len());
    let Some((letters, tail)) = rest.split_at_checked(letters_to) else {
        return false;
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(head) || !digits(tail) {
        return false;
    }
    match (head.len(), letters.len(), tail.len()) {
        // Ordinary: a series digit may stand before the four or five digits.
        (2, 1 | 2, 4..=6) | (0, 2, 4 | 5) => true,
        (5, 2, 2 | 3) => matches!(letters, "NG" | "QT" | "NN"),
        _ => false,
    }
}

/// Fifteen characters in four boxes, or the ten-digit code, or the personal number.
fn is_health_insurance(number: &str) -> bool {
    if is_digits(number, 10) || is_digits(number, 12) {
        return true;
    }
    let Some((group, rest)) = number.split_at_checked(2) else {
        return false;
    };
    group.bytes().all(|byte| byte.is_ascii_uppercase())
        && is_digits(rest, 13)
        && rest
            .bytes()
            .next()
            .is_some_and(|benefit| (b'1'..=b'5').contains(&benefit))
}

/// Ten digits with a check digit, three more for dependent units, or the personal number (since
/// 01/07/2025), which has none.
fn tax_code(text: Text) -> Result<DocumentNumber, IdentityError> {
    const WEIGHTS: [u32; 9] = [31, 29, 23, 19, 17, 13, 7, 5, 3];
    let number = text.0.as_str();
    let personal = is_digits(number, 12);
    if !(personal || is_digits(number, 10) || is_digits(number, 13)) {
        return Err(IdentityError::DocumentFormat);
    }
    if !personal {
        let part = |from: usize, to: usize| number.get(from..to).unwrap_or_default();
        if part(0, 2) == "00" || part(2, 9) == "0000000" || part(10, 13) == "000" {
            return Err(IdentityError::DocumentFormat);
        }
        let digits = || {
            number
                .bytes()
                .map(|byte| u32::from(byte.saturating_sub(b'0')))
        };
        let sum: u32 = digits()
            .zip(WEIGHTS)
            .map(|(digit, weight)| digit * weight)
            .sum();
        if digits().nth(9) != Some(10 - sum % 11) {
            return Err(IdentityError::DocumentChecksum);
        }
    }
    Ok(DocumentNumber {
        kind: DocumentKind::TaxCode,
        text,
    })
}
