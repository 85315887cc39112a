//! Secrets of a request: codes, passwords, passcodes, answers. They come in the body of an unsigned
//! request or in the `Idledger-Secret` header of any, and go to the ledger's credential store alone.

use super::input::Secret;
use crate::call::{Call, single};
use crate::problem::{Code, Problem};
use axum::http::HeaderName;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ledger::writer::Secrets;
use serde::Deserialize;
use zeroize::Zeroizing;

/// `Idledger-Secret`: base64url of a JSON object with these fields. No signature covers it, because
/// what is covered is kept.
pub const SECRET: HeaderName = HeaderName::from_static("idledger-secret");

/// The secrets a request may hold.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretFields {
    /// One-time code.
    pub otp: Option<Secret>,
    /// Password.
    pub password: Option<Secret>,
    /// Passcode.
    pub passcode: Option<Secret>,
    /// Answers to the security questions, in their order.
    pub answers: Option<Vec<Secret>>,
}

/// Which secret a command cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// `otp`
    Otp,
    /// `password`
    Password,
    /// `passcode`
    Passcode,
    /// `answers`
    Answers,
}

impl SecretFields {
    /// Of a one-time code.
    pub fn otp(otp: Option<Secret>) -> Self {
        Self {
            otp,
            ..Self::default()
        }
    }

    /// Of a password.
    pub fn password(password: Option<Secret>) -> Self {
        Self {
            password,
            ..Self::default()
        }
    }

    fn is_empty(&self) -> bool {
        self.otp.is_none()
            && self.password.is_none()
            && self.passcode.is_none()
            && self.answers.is_none()
    }

    fn has(&self, need: Need) -> bool {
        match need {
            Need::Otp => self.otp.is_some(),
            Need::Password => self.password.is_some(),
            Need::Passcode => self.passcode.is_some(),
            Need::Answers => self.answers.is_some(),
        }
    }
}

/// The request's secrets: of its body, or of its header.
pub fn collect(
    call: &Call,
    signed: bool,
    body: SecretFields,
    need: Option<Need>,
) -> Result<Secrets, Problem> {
    if signed && !body.is_empty() {
        return Err(Problem::new(Code::SecretInSignedBody));
    }
    let fields = match single(&call.headers, &SECRET)? {
        None => body,
        Some(_) if !body.is_empty() => return Err(crate::call::header(&SECRET)),
        Some(text) => {
            let json = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
            crate::json::parse::<SecretFields>(&Zeroizing::new(json)).map_err(|_| invalid())?
        }
    };
    if let Some(need) = need.filter(|need| !fields.has(*need)) {
        let pointer = format!("/{}", format!("{need:?}").to_ascii_lowercase());
        return Err(Problem::field(
            Code::MissingField,
            pointer,
            "needed and not there",
        ));
    }
    Ok(Secrets {
        otp: fields.otp.map(Secret::into_text),
        password: fields.password.map(Secret::into_text),
        passcode: fields.passcode.map(Secret::into_text),
        answers: fields
            .answers
            .into_iter()
            .flatten()
            .map(Secret::into_text)
            .collect(),
        chip: None,
        step_up: None,
    })
}

fn invalid() -> Problem {
    crate::call::header(&SECRET)
}
