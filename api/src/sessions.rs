//! Sessions of citizens without a device: tokens that the ledger authenticates and nobody stores.
//!
//! A one-time code opens one for its procedure; a login opens one for what an app account may do
//! (P2, P3). Every event made in a session names the event that opened it as its evidence.

use crate::problem::{Code, Problem};
use crate::state::Api;
use crate::time::rfc3339;
use domain::event::Event;
use domain::ids::{AccountId, EventId, Micros};
use domain::vocabulary::OtpPurpose;
use ledger::credentials::{Session, TokenError};
use ledger::writer::Outcome;
use serde::Serialize;
use utoipa::ToSchema;

/// A session as it is handed to the citizen's app, once.
#[derive(Serialize, ToSchema)]
pub struct SessionBody {
    /// Send it as `Authorization: Bearer …`.
    token: String,
    /// No longer good from this instant (RFC 3339).
    expires_at: String,
}

/// The session of a token.
pub fn check(api: &Api, token: &str) -> Result<Session, Problem> {
    api.ledger()
        .sessions()
        .check(token, api.now())
        .map_err(|error| match error {
            TokenError::Expired => Problem::new(Code::SessionExpired),
            TokenError::Malformed | TokenError::Forged => Problem::new(Code::TokenInvalid),
        })
}

/// The session that an outcome opens, if it opens one.
pub fn opened_by(api: &Api, outcome: &Outcome) -> Option<SessionBody> {
    // A repeated receipt opens nothing: who has the key of an old request need not be the citizen.
    if outcome.repeated || outcome.refused.is_some() {
        return None;
    }
    let account = outcome.account?;
    let (event, purpose) = outcome.events.iter().find_map(|event| {
        let purpose = purpose_of(event.kind)?;
        Some((event.event_id, purpose))
    })?;
    Some(open(api, account, event, purpose))
}

fn open(api: &Api, account: AccountId, verified_by: EventId, purpose: OtpPurpose) -> SessionBody {
    let life = i64::try_from(api.config().session_life.as_micros()).unwrap_or(Micros::DAY);
    let expires_at = api.now().plus(life);
    let session = Session {
        account,
        purpose,
        expires_at,
        verified_by,
    };
    SessionBody {
        token: api.ledger().sessions().issue(&session).to_string(),
        expires_at: rfc3339(expires_at),
    }
}

/// What an event of this kind opens a session for.
fn purpose_of(kind: u16) -> Option<OtpPurpose> {
    match domain::event::kind_name(kind)? {
        "OtpVerified" | "SessionOpened" => Some(OtpPurpose::Registration),
        "ActivationOtpVerified" => Some(OtpPurpose::Activation),
        _ => None,
    }
}

/// Kept honest by the compiler: the names above are kinds of events.
const _: fn(domain::event::OtpVerified) -> Event = Event::OtpVerified;
const _: fn(domain::event::SessionOpened) -> Event = Event::SessionOpened;
const _: fn(domain::event::ActivationOtpVerified) -> Event = Event::ActivationOtpVerified;
