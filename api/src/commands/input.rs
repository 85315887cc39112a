//! Bodies of commands: transport types, and their way into the domain's valid ones.
//!
//! Each field that is not valid is said with its JSON pointer and the domain's stable code; all of a
//! body's at once. Values are never said back.

use crate::problem::{Code, FieldError, Problem};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::identity::{
    BirthDate, CardQr, CivilDate, Email, ForeignerId, FullName, IdentityError, LoginName, OldId,
    OrganisationParts, PersonalId, Phone, Residence, Sex, TravelDocumentParts,
};
use domain::ids::{Category, DeviceRef, Digest, PublicKey};
use domain::personal::{Organisation, Person, TravelDocument};
use domain::vocabulary::{Capture, TravelDocumentKind};
use ledger::ledger::Ledger;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// Longest device identifier and model name, in characters.
pub const DEVICE_TEXT_CHARS_MAX: usize = 128;
/// Random bytes that a signed body must carry.
const SALT_BYTES_MIN: usize = 16;

/// Any command's body.
pub trait Body {
    /// Its salt, if it has one.
    fn salt(&self) -> Option<&str>;
}

/// Makes body types: every one may carry a `salt`, none takes a field it does not know.
macro_rules! bodies {
    ($( $(#[$doc:meta])* $name:ident { $( $(#[$fdoc:meta])* $field:ident : $ty:ty ),* $(,)? } )*) => { $(
        $(#[$doc])*
        #[derive(serde::Deserialize, utoipa::ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $( $(#[$fdoc])* pub $field: $ty, )*
            /// At least 16 random bytes, base64url without padding. Needed where the request is
            /// signed: its digest is kept for ever and must give nothing away.
            pub salt: Option<String>,
        }

        impl $crate::commands::input::Body for $name {
            fn salt(&self) -> Option<&str> {
                self.salt.as_deref()
            }
        }
    )* };
}
pub(crate) use bodies;

/// The salt of a signed body.
pub fn check_salt(salt: Option<&str>) -> Result<(), Problem> {
    let bytes = salt.and_then(|salt| BASE64_URL_SAFE_NO_PAD.decode(salt).ok());
    if bytes.is_some_and(|bytes| bytes.len() >= SALT_BYTES_MIN) {
        Ok(())
    } else {
        Err(Problem::field(
            Code::SaltMissing,
            "/salt",
            "at least 16 bytes as base64url",
        ))
    }
}

/// A secret somebody typed. Erased when dropped, printed nowhere.
#[derive(Clone, ToSchema)]
#[schema(value_type = String)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text, for the ledger alone.
    pub fn into_text(self) -> String {
        self.0.to_string()
    }
}

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Zeroizing::new(String::deserialize(deserializer)?)))
    }
}

/// A person as declared or entered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonBody {
    /// Personal identification number: twelve digits.
    pub personal_id: String,
    /// Legal name, Unicode NFC.
    pub full_name: String,
    /// `YYYY-MM-DD`, `YYYY-MM` or `YYYY`.
    pub birth_date: String,
    /// `Nam` or `Nữ`.
    pub sex: Option<String>,
    /// Permanent residence.
    pub residence: Option<String>,
    /// Mobile number.
    pub phone: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Old nine-digit number.
    pub old_id: Option<String>,
    /// When the card was issued, `YYYY-MM-DD`.
    pub card_issued: Option<String>,
}

/// What is wrong with a body, collected.
#[derive(Default)]
pub struct Faults(Vec<FieldError>);

impl Faults {
    /// Reads one field, or notes what is wrong with it.
    pub fn read<'t, T>(&mut self, pointer: &str, text: &'t str) -> Option<T>
    where
        T: TryFrom<&'t str, Error = IdentityError>,
    {
        T::try_from(text)
            .map_err(|error| self.note(pointer, error))
            .ok()
    }

    /// Reads a field that may be absent.
    pub fn read_given<'t, T>(&mut self, pointer: &str, text: Option<&'t str>) -> Option<T>
    where
        T: TryFrom<&'t str, Error = IdentityError>,
    {
        text.and_then(|text| self.read(pointer, text))
    }

    /// Notes a field that is wrong.
    pub fn note(&mut self, pointer: &str, error: IdentityError) {
        self.0.push(FieldError {
            pointer: pointer.to_owned(),
            code: error.code().to_ascii_uppercase(),
            detail: error.to_string(),
        });
    }

    /// The problem, if anything was wrong.
    pub fn check(self) -> Result<(), Problem> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut problem = Problem::new(Code::InvalidValue);
        problem.errors = self.0;
        Err(problem)
    }
}

impl PersonBody {
    /// The person in normal form. `at`: pointer of the body that holds these fields.
    pub fn person(&self, at: &str) -> Result<Person, Problem> {
        self.numbered(at, |faults, pointer, text| {
            let number = faults.read::<PersonalId>(pointer, text)?;
            Some(number.as_str().to_owned())
        })
    }

    /// A foreigner in normal form: their number has a form of its own.
    pub fn foreigner(&self, at: &str) -> Result<Person, Problem> {
        self.numbered(at, |faults, pointer, text| {
            let number = faults.read::<ForeignerId>(pointer, text)?;
            Some(number.as_str().to_owned())
        })
    }

    fn numbered(
        &self,
        at: &str,
        number: impl FnOnce(&mut Faults, &str, &str) -> Option<String>,
    ) -> Result<Person, Problem> {
        let mut faults = Faults::default();
        let place = |name: &str| format!("{at}/{name}");
        let residence = self.residence.as_deref().unwrap_or_default();
        let personal_id = number(&mut faults, &place("personal_id"), &self.personal_id);
        let full_name = faults.read::<FullName>(&place("full_name"), &self.full_name);
        let birth_date = faults.read::<BirthDate>(&place("birth_date"), &self.birth_date);
        let sex = faults.read_given::<Sex>(&place("sex"), self.sex.as_deref());
        let residence = faults.read::<Residence>(&place("residence"), residence);
        let phone = faults.read_given::<Phone>(&place("phone"), self.phone.as_deref());
        let email = faults.read_given::<Email>(&place("email"), self.email.as_deref());
        let old_id = faults.read_given::<OldId>(&place("old_id"), self.old_id.as_deref());
        let issued = self.card_issued.as_deref();
        let card_issued = faults.read_given::<CivilDate>(&place("card_issued"), issued);
        faults.check()?;
        let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
        Ok(Person {
            personal_id: personal_id.unwrap_or_default(),
            full_name: text(full_name.as_ref().map(FullName::as_str)),
            birth_date: birth_date
                .as_ref()
                .map(BirthDate::to_text)
                .unwrap_or_default(),
            sex: text(sex.map(Sex::as_str)),
            residence: text(residence.as_ref().map(Residence::as_str)),
            phone: text(phone.as_ref().map(Phone::as_str)),
            email: text(email.as_ref().map(Email::as_str)),
            old_id: text(old_id.as_ref().map(OldId::as_str)),
            card_issued: card_issued
                .as_ref()
                .map(CivilDate::to_text)
                .unwrap_or_default(),
        })
    }
}

/// The seven fields of a card's QR, where it was scanned.
pub fn card_qr(pointer: &str, text: Option<&str>) -> Result<Option<CardQr>, Problem> {
    let mut faults = Faults::default();
    let card = faults.read_given::<CardQr>(pointer, text);
    faults.check()?;
    Ok(card)
}

/// What an account is found by: a personal number, or a foreigner's.
pub fn personal_id(pointer: &str, text: &str) -> Result<String, Problem> {
    let mut faults = Faults::default();
    let number = faults.read::<LoginName>(pointer, text);
    faults.check()?;
    Ok(number
        .map(|number| number.as_str().to_owned())
        .unwrap_or_default())
}

/// A foreigner's passport or other travel document.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TravelDocumentBody {
    /// Three capital letters (ISO 3166-1 alpha-3).
    pub nationality: String,
    /// `passport`, `laissez_passer` or `other`.
    #[schema(value_type = String)]
    pub kind: TravelDocumentKind,
    /// Its number: capital letters and digits.
    pub number: String,
    /// Issue date, `YYYY-MM-DD`.
    pub issued: String,
    /// Place of issue.
    pub place: String,
}

impl TravelDocumentBody {
    /// The document in normal form. `at`: pointer of the body that holds these fields.
    pub fn document(&self, at: &str) -> Result<TravelDocument, Problem> {
        let document = TravelDocument {
            nationality: self.nationality.clone(),
            kind: self.kind,
            number: self.number.clone(),
            issued: self.issued.clone(),
            place: self.place.clone(),
        };
        let mut faults = Faults::default();
        for (field, error) in TravelDocumentParts::faults(&document) {
            faults.note(&format!("{at}/{field}"), error);
        }
        faults.check()?;
        Ok(document)
    }

    /// One that may be absent.
    pub fn given(body: Option<&Self>, at: &str) -> Result<Option<TravelDocument>, Problem> {
        body.map(|body| body.document(at)).transpose()
    }
}

/// An organisation as declared or entered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganisationFields {
    /// Its identification number; of an enterprise, its tax code.
    pub number: String,
    /// Its name, Unicode NFC.
    pub name: String,
    /// Its seat.
    pub address: Option<String>,
    /// Mobile number.
    pub phone: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
}

impl OrganisationFields {
    /// The organisation in normal form. `at`: pointer of the body that holds these fields.
    pub fn organisation(&self, at: &str) -> Result<Organisation, Problem> {
        let mut faults = Faults::default();
        let phone = faults.read_given::<Phone>(&format!("{at}/phone"), self.phone.as_deref());
        let given = |text: &Option<String>| text.clone().unwrap_or_default();
        let organisation = Organisation {
            number: self.number.trim().to_owned(),
            name: self.name.clone(),
            address: given(&self.address),
            phone: phone
                .map(|phone| phone.as_str().to_owned())
                .unwrap_or_default(),
            email: given(&self.email),
        };
        for (field, error) in OrganisationParts::faults(&organisation) {
            faults.note(&format!("{at}/{field}"), error);
        }
        faults.check()?;
        Ok(organisation)
    }
}

/// A phone number alone, in E.164.
pub fn phone(pointer: &str, text: &str) -> Result<String, Problem> {
    let mut faults = Faults::default();
    let number = faults.read::<Phone>(pointer, text);
    faults.check()?;
    Ok(number
        .map(|number| number.as_str().to_owned())
        .unwrap_or_default())
}

/// A device as it presents itself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceBody {
    /// As the device reports it.
    pub identifier: String,
    /// Model name.
    pub model: String,
    /// Ed25519 public key with which the device signs, 64 hexadecimal digits.
    #[schema(value_type = String)]
    pub public_key: PublicKey,
}

impl DeviceBody {
    /// The device as the domain takes it. Weak keys end here.
    pub fn info(&self, ledger: &Ledger) -> Result<domain::command::DeviceInfo, Problem> {
        let fits = |text: &str| {
            !text.trim().is_empty()
                && text.chars().count() <= DEVICE_TEXT_CHARS_MAX
                && !text.chars().any(char::is_control)
        };
        let fields = [
            ("/device/identifier", &self.identifier),
            ("/device/model", &self.model),
        ];
        for (pointer, text) in fields {
            if !fits(text) {
                let detail = "1 to 128 characters, no control characters";
                return Err(Problem::field(Code::InvalidValue, pointer, detail));
            }
        }
        if domain::record::verifying_key(&self.public_key).is_err() {
            let detail = "not a good Ed25519 key";
            return Err(Problem::field(Code::KeyWeak, "/device/public_key", detail));
        }
        Ok(domain::command::DeviceInfo {
            device: DeviceRef(ledger.lookup(Category::DeviceClaim, &self.identifier).0),
            key: self.public_key,
            identifier: self.identifier.clone(),
            model: self.model.clone(),
        })
    }
}

/// A captured image, kept elsewhere.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaptureBody {
    /// BLAKE3 of a 32-byte salt and the image, 64 hexadecimal digits.
    #[schema(value_type = String)]
    digest: Digest,
    /// Quality, 0–100.
    #[schema(maximum = 100)]
    quality: u8,
}

impl CaptureBody {
    /// As the domain takes it.
    pub fn capture(&self, pointer: &str) -> Result<Capture, Problem> {
        if self.quality > 100 {
            let pointer = format!("{pointer}/quality");
            return Err(Problem::field(Code::InvalidValue, pointer, "0 to 100"));
        }
        Ok(Capture {
            digest: self.digest,
            quality: self.quality,
        })
    }

    /// One that may be absent.
    pub fn given(capture: Option<&Self>, pointer: &str) -> Result<Option<Capture>, Problem> {
        capture.map(|capture| capture.capture(pointer)).transpose()
    }
}
