//! Session tokens of citizens before activation: what an `OtpVerified` event allows, until when,
//! under a MAC. Nothing is stored; whoever holds the token may act in that procedure of that
//! account, and every event of theirs names the `OtpVerified` event as its evidence.
//!
//! Bytes, then base64url without padding (99 characters):
//! `version u8 = 1 | purpose u8 | account 16 | expiry i64 | event 16 | BLAKE3 keyed MAC 32`.

use crate::secrets::Keys;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ids::{AccountId, EventId, Micros};
use domain::vocabulary::OtpPurpose;
use subtle::ConstantTimeEq;
use zeroize::{ZeroizeOnDrop, Zeroizing};

const VERSION: u8 = 1;
const BODY_BYTES: usize = 42;
/// Longest text that is looked at; a token has 99 characters.
const TEXT_MAX: usize = 128;

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The account it acts for.
    pub account: AccountId,
    /// The procedure it is good for.
    pub purpose: OtpPurpose,
    /// First instant at which it is no longer good.
    pub expires_at: Micros,
    /// The `OtpVerified` (or `ActivationOtpVerified`) event that opened it.
    pub verified_by: EventId,
}

/// Why a token is not accepted. Callers outside learn no more than "not accepted".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not the form of a token, or of another version.
    #[error("not a session token")]
    Malformed,
    /// The MAC is wrong.
    #[error("the session token is not authentic")]
    Forged,
    /// Too late.
    #[error("the session has expired")]
    Expired,
}

/// Makes and checks tokens.
#[derive(Clone, ZeroizeOnDrop)]
pub struct SessionTokens([u8; 32]);

impl core::fmt::Debug for SessionTokens {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SessionTokens(…)")
    }
}

impl SessionTokens {
    /// Tokens under the key for them.
    pub fn new(keys: &Keys) -> Self {
        Self(keys.session)
    }

    /// The token of a session.
    pub fn issue(&self, session: &Session) -> Zeroizing<String> {
        let mut token = vec![VERSION, session.purpose as u8];
        token.extend(session.account.0);
        token.extend(session.expires_at.0.to_le_bytes());
        token.extend(session.verified_by.0);
        let mac = blake3::keyed_hash(&self.0, &token);
        token.extend(mac.as_bytes());
        Zeroizing::new(URL_SAFE_NO_PAD.encode(token))
    }

    /// The session of a token that is authentic and not expired.
    pub fn check(&self, token: &str, now: Micros) -> Result<Session, TokenError> {
        if token.len() > TEXT_MAX {
            return Err(TokenError::Malformed);
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(token)
            .map_err(|_| TokenError::Malformed)?;
        let (body, mac) = bytes
            .split_at_checked(BODY_BYTES)
            .ok_or(TokenError::Malformed)?;
        let right = blake3::keyed_hash(&self.0, body);
        if !bool::from(right.as_bytes().ct_eq(mac)) {
            return Err(TokenError::Forged);
        }
        let session = parse(body).ok_or(TokenError::Malformed)?;
        if now >= session.expires_at {
            Err(TokenError::Expired)
        } else {
            Ok(session)
        }
    }
}

fn parse(body: &[u8]) -> Option<Session> {
    let ([version, purpose], rest) = body.split_first_chunk::<2>()?;
    let (account, rest) = rest.split_first_chunk::<16>()?;
    let (expires_at, rest) = rest.split_first_chunk::<8>()?;
    let verified_by = rest.first_chunk::<16>()?;
    (*version == VERSION).then_some(Session {
        account: AccountId(*account),
        purpose: *OtpPurpose::ALL.get(usize::from(*purpose))?,
        expires_at: Micros(i64::from_le_bytes(*expires_at)),
        verified_by: EventId(*verified_by),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::Secret32;

    fn tokens(byte: u8) -> SessionTokens {
        SessionTokens::new(&Keys::derive(&Secret32([byte; 32])))
    }

    fn session() -> Session {
        Session {
            account: AccountId([1; 16]),
            purpose: OtpPurpose::Activation,
            expires_at: Micros(1000),
            verified_by: EventId([2; 16]),
        }
    }

    #[test]
    fn a_token_says_what_it_was_issued_for_until_it_expires() {
        let token = tokens(1).issue(&session());
        assert_eq!(token.len(), 99);
        assert_eq!(tokens(1).check(&token, Micros(999)), Ok(session()));
        assert_eq!(
            tokens(1).check(&token, Micros(1000)),
            Err(TokenError::Expired)
        );
        assert_eq!(tokens(2).check(&token, Micros(0)), Err(TokenError::Forged));
    }

    #[test]
    fn no_changed_token_is_accepted() {
        let token = tokens(1).issue(&session());
        let bytes = URL_SAFE_NO_PAD.decode(token.as_bytes()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let text = URL_SAFE_NO_PAD.encode(changed);
            assert_eq!(tokens(1).check(&text, Micros(0)), Err(TokenError::Forged));
        }
        for length in 0..bytes.len() {
            let text = URL_SAFE_NO_PAD.encode(&bytes[..length]);
            assert!(tokens(1).check(&text, Micros(0)).is_err());
        }
        for text in [
            "",
            "=",
            "không",
            &"A".repeat(100_000),
            &format!("{}=", *token),
        ] {
            assert_eq!(tokens(1).check(text, Micros(0)), Err(TokenError::Malformed));
        }
    }
}
