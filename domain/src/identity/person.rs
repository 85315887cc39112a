//! A person put together from valid parts, and the way back.

use super::{
    BirthDate, CivilDate, Email, FullName, IdentityError, OldId, PersonalId, Phone, Residence, Sex,
};
use crate::personal::Person;

/// What a [`Person`] is made of. Public fields: each is valid by itself, and there is no rule
/// between them here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PersonParts {
    /// The number.
    pub personal_id: PersonalId,
    /// The name.
    pub full_name: FullName,
    /// The birth date.
    pub birth_date: BirthDate,
    /// As the card says it, where known.
    pub sex: Option<Sex>,
    /// Permanent residence.
    pub residence: Residence,
    /// Their own mobile number.
    pub phone: Option<Phone>,
    /// Their e-mail address.
    pub email: Option<Email>,
    /// The old card's number.
    pub old_id: Option<OldId>,
    /// When the card was issued.
    pub card_issued: Option<CivilDate>,
}

impl TryFrom<&Person> for PersonParts {
    type Error = IdentityError;

    /// Reads every text of a person as it came in; `PersonParts` → `Person` then gives the normal
    /// form (a phone number in E.164).
    fn try_from(person: &Person) -> Result<Self, IdentityError> {
        fn given<'a, T>(text: &'a str) -> Result<Option<T>, IdentityError>
        where
            T: TryFrom<&'a str, Error = IdentityError>,
        {
            if text.is_empty() {
                Ok(None)
            } else {
                T::try_from(text).map(Some)
            }
        }
        Ok(Self {
            personal_id: PersonalId::try_from(person.personal_id.as_str())?,
            full_name: FullName::try_from(person.full_name.as_str())?,
            birth_date: BirthDate::try_from(person.birth_date.as_str())?,
            sex: given(&person.sex)?,
            residence: Residence::try_from(person.residence.as_str())?,
            phone: given(&person.phone)?,
            email: given(&person.email)?,
            old_id: given(&person.old_id)?,
            card_issued: given(&person.card_issued)?,
        })
    }
}

impl From<&PersonParts> for Person {
    fn from(parts: &PersonParts) -> Self {
        fn text(part: Option<&str>) -> String {
            part.unwrap_or_default().to_owned()
        }
        Self {
            personal_id: parts.personal_id.as_str().to_owned(),
            full_name: parts.full_name.as_str().to_owned(),
            birth_date: parts.birth_date.to_text(),
            sex: text(parts.sex.map(Sex::as_str)),
            residence: parts.residence.as_str().to_owned(),
            phone: text(parts.phone.as_ref().map(Phone::as_str)),
            email: text(parts.email.as_ref().map(Email::as_str)),
            old_id: text(parts.old_id.as_ref().map(OldId::as_str)),
            card_issued: parts
                .card_issued
                .as_ref()
                .map(CivilDate::to_text)
                .unwrap_or_default(),
        }
    }
}
