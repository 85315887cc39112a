//! Organisations' numbers and names (spec C.6): enterprises use their tax code, others a number whose form
//! is not published.

use super::foreigner::is_code;
use super::{DocumentNumber, Email, IdentityError, Phone, Residence, is_digits, is_hidden};
use crate::personal::Organisation;
use crate::vocabulary::DocumentKind;
use unicode_normalization::is_nfc;

/// Longest name, in characters.
pub const ORGANISATION_NAME_CHARS_MAX: usize = 200;

/// Checks the parts of an organisation; each field's error by its name.
#[derive(Debug, Clone, Copy)]
pub struct OrganisationParts;

impl OrganisationParts {
    /// Every field that is not valid. What looks like a tax code must be one.
    pub fn faults(organisation: &Organisation) -> Vec<(&'static str, IdentityError)> {
        let number = organisation.number.as_str();
        let tax_code = is_digits(number, 10) || is_digits(number, 13);
        let number = if tax_code {
            DocumentNumber::parse(DocumentKind::TaxCode, number).map(|_| ())
        } else if is_code(number, 6, 20) {
            Ok(())
        } else {
            Err(IdentityError::OrganisationNumberFormat)
        };
        let name = &organisation.name;
        let good_name = is_nfc(name)
            && name.trim() == name
            && name.chars().any(char::is_alphabetic)
            && name.chars().count() <= ORGANISATION_NAME_CHARS_MAX
            && !name.chars().any(is_hidden);
        let name = if good_name {
            Ok(())
        } else {
            Err(IdentityError::OrganisationNameFormat)
        };
        let given = |text: &str, check: fn(&str) -> Result<(), IdentityError>| {
            if text.is_empty() { Ok(()) } else { check(text) }
        };
        let checks = [
            ("number", number),
            ("name", name),
            (
                "address",
                Residence::try_from(organisation.address.as_str()).map(|_| ()),
            ),
            (
                "phone",
                given(&organisation.phone, |text| {
                    Phone::try_from(text).map(|_| ())
                }),
            ),
            (
                "email",
                given(&organisation.email, |text| {
                    Email::try_from(text).map(|_| ())
                }),
            ),
        ];
        checks
            .into_iter()
            .filter_map(|(field, checked)| Some((field, checked.err()?)))
            .collect()
    }

    /// The first of them.
    pub fn check(organisation: &Organisation) -> Result<(), IdentityError> {
        match Self::faults(organisation).first() {
            None => Ok(()),
            Some((_, error)) => Err(*error),
        }
    }
}
