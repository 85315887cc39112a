//! The QR of the chip card of before 01/07/2024: seven fields (spec C.2, letter S001).
//!
//! It carries no signature. What it says is a claim, never a proof.

use super::{
    BirthDate, CivilDate, FullName, IdentityError, OldId, PersonParts, PersonalId, Residence, Sex,
};
use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, Zeroizing};

/// Longest QR text, in bytes.
pub const CARD_QR_BYTES_MAX: usize = 1024;

/// The seven fields, each valid.
#[derive(Clone, PartialEq, Eq)]
pub struct CardQr {
    personal_id: PersonalId,
    old_id: Option<OldId>,
    full_name: FullName,
    birth_date: CivilDate,
    sex: Sex,
    residence: Residence,
    issued: CivilDate,
}

impl TryFrom<&str> for CardQr {
    type Error = IdentityError;

    /// `number|old number|name|ddMMyyyy|Nam or Nữ|residence|ddMMyyyy`. Line ends that readers
    /// append and stray spaces are dropped; text becomes NFC.
    fn try_from(text: &str) -> Result<Self, IdentityError> {
        if text.len() > CARD_QR_BYTES_MAX {
            return Err(IdentityError::QrTooLong);
        }
        let text = text.trim_end_matches(['\r', '\n']);
        let found = text.split('|').count();
        let mut fields = text.split('|').map(str::trim);
        let mut field = || fields.next().ok_or(IdentityError::QrFieldCount { found });
        if found != 7 {
            return Err(IdentityError::QrFieldCount { found });
        }
        let personal_id = PersonalId::try_from(field()?)?;
        let old_id = Some(field()?)
            .filter(|old| !old.is_empty())
            .map(OldId::try_from)
            .transpose()?;
        let full_name = FullName::try_from(nfc(field()?).as_str())?;
        let birth_date = CivilDate::from_card(field()?)?;
        let sex = Sex::try_from(nfc(field()?).as_str())?;
        let residence = Residence::try_from(nfc(field()?).as_str())?;
        let issued = CivilDate::from_card(field()?)?;
        if issued < birth_date {
            return Err(IdentityError::QrDateOrder);
        }
        Ok(Self {
            personal_id,
            old_id,
            full_name,
            birth_date,
            sex,
            residence,
            issued,
        })
    }
}

impl CardQr {
    /// The number.
    pub const fn personal_id(&self) -> &PersonalId {
        &self.personal_id
    }

    /// The name.
    pub const fn full_name(&self) -> &FullName {
        &self.full_name
    }

    /// The birth date.
    pub fn birth_date(&self) -> BirthDate {
        BirthDate::from(&self.birth_date)
    }

    /// When the card was issued.
    pub const fn issued(&self) -> &CivilDate {
        &self.issued
    }

    /// What the registration form is filled with (P1 step 2): all but phone and e-mail.
    pub fn to_parts(&self) -> PersonParts {
        PersonParts {
            personal_id: self.personal_id.clone(),
            full_name: self.full_name.clone(),
            birth_date: self.birth_date(),
            sex: Some(self.sex),
            residence: self.residence.clone(),
            phone: None,
            email: None,
            old_id: self.old_id.clone(),
            card_issued: Some(self.issued.clone()),
        }
    }
}

impl core::fmt::Debug for CardQr {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("CardQr(personal)")
    }
}

/// The text in NFC, cleared on drop.
fn nfc(text: &str) -> Zeroizing<String> {
    let mut normal: String = text.nfc().collect();
    let copy = Zeroizing::new(normal.clone());
    normal.zeroize();
    copy
}
