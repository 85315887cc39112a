//! Why a text is not what it should be: which field and what, never the text itself.

/// One enum for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Not twelve digits.
    #[error("a personal identification number is twelve digits")]
    PersonalIdFormat,
    /// Not a mobile number of Viet Nam.
    #[error("a mobile number is 0, 84 or +84 and nine digits of a mobile prefix")]
    PhoneFormat,
    /// Not in Unicode NFC.
    #[error("the name is not in Unicode normalisation form C")]
    NameNotNfc,
    /// A control or invisible character.
    #[error("the name has a control or invisible character")]
    NameControlCharacter,
    /// Over the limit.
    #[error("the name is longer than {} characters", super::NAME_CHARS_MAX)]
    NameTooLong,
    /// Empty, without a letter, or with space around it.
    #[error("the name is empty, has no letter, or begins or ends with a space")]
    NameFormat,
    /// Too long, not NFC, or a control character.
    #[error("the residence is too long, not NFC, or has a control character")]
    ResidenceFormat,
    /// Not one of the three forms.
    #[error("a birth date is YYYY-MM-DD, YYYY-MM or YYYY")]
    BirthDateFormat,
    /// No such day, or out of range.
    #[error("there is no such date, or it is out of range")]
    DateImpossible,
    /// Not a calendar date.
    #[error("a date is YYYY-MM-DD")]
    DateFormat,
    /// Neither `Nam` nor `Nữ`.
    #[error("sex is Nam or Nữ")]
    SexUnknown,
    /// Not an address.
    #[error("this is not an e-mail address")]
    EmailFormat,
    /// Not nine or twelve digits.
    #[error("an old identity-card number is nine or twelve digits")]
    OldIdFormat,
    /// Not of its kind's form.
    #[error("the document number does not have the form of its kind")]
    DocumentFormat,
    /// The check digit is wrong.
    #[error("the tax code's check digit is wrong")]
    DocumentChecksum,
    /// Over the limit.
    #[error("the QR text is longer than {} bytes", super::CARD_QR_BYTES_MAX)]
    QrTooLong,
    /// Not seven fields.
    #[error("a chip card's QR has seven fields, this has {found}")]
    QrFieldCount {
        /// How many.
        found: usize,
    },
    /// Not six to twenty letters and digits.
    #[error(
        "a foreigner's identification number is twelve digits, or six to twenty capital letters and digits"
    )]
    ForeignerIdFormat,
    /// Not three capital letters.
    #[error("a nationality is three capital letters (ISO 3166-1 alpha-3)")]
    NationalityFormat,
    /// Not five to twelve letters and digits.
    #[error("a travel document's number is five to twelve capital letters and digits")]
    TravelDocumentFormat,
    /// Empty or too long.
    #[error("the place of issue is empty, too long, or has a control character")]
    PlaceFormat,
    /// Not an organisation's number.
    #[error("an organisation's number is a tax code or six to twenty capital letters and digits")]
    OrganisationNumberFormat,
    /// Empty or too long.
    #[error("the organisation's name is empty, too long, or has a control character")]
    OrganisationNameFormat,
    /// Issued before birth.
    #[error("the card's issue date is before the birth date")]
    QrDateOrder,
}

impl IdentityError {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::PersonalIdFormat => "personal_id_format",
            Self::PhoneFormat => "phone_format",
            Self::NameNotNfc => "name_not_nfc",
            Self::NameControlCharacter => "name_control_character",
            Self::NameTooLong => "name_too_long",
            Self::NameFormat => "name_format",
            Self::ResidenceFormat => "residence_format",
            Self::BirthDateFormat => "birth_date_format",
            Self::DateImpossible => "date_impossible",
            Self::DateFormat => "date_format",
            Self::SexUnknown => "sex_unknown",
            Self::EmailFormat => "email_format",
            Self::OldIdFormat => "old_id_format",
            Self::DocumentFormat => "document_format",
            Self::DocumentChecksum => "document_checksum",
            Self::QrTooLong => "qr_too_long",
            Self::QrFieldCount { .. } => "qr_field_count",
            Self::QrDateOrder => "qr_date_order",
            Self::ForeignerIdFormat => "foreigner_id_format",
            Self::NationalityFormat => "nationality_format",
            Self::TravelDocumentFormat => "travel_document_format",
            Self::PlaceFormat => "place_format",
            Self::OrganisationNumberFormat => "organisation_number_format",
            Self::OrganisationNameFormat => "organisation_name_format",
        }
    }
}
