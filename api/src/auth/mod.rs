//! Who is asking: a request to a [`Caller`], and a caller to the ledger's actor and proof.
//!
//! Four ways to prove it. Principals (officers, authorities, adapters, agents) and devices sign their
//! requests; a citizen without a device acts in a session that a one-time code or a login opened;
//! readers have a bearer token, of which the ledger keeps a digest; and some commands carry their own
//! proof (a code, a password). What each may do stands in [`table`].
//!
//! Must never read a body's meaning, and never decide a rule of the domain.

pub mod table;
#[cfg(test)]
mod tests;

use crate::call::{Call, single};
use crate::problem::{Code, Problem};
use crate::signature::{self, Presented};
use crate::state::Api;
use axum::http::header::AUTHORIZATION;
use domain::envelope::Actor;
use domain::ids::{AccountId, Digest, EventId, KeyId, Micros, PrincipalId, PublicKey};
use domain::vocabulary::{CommandKind, Role};
use ledger::evidence::Proven;
use projections::as_of::AsOf;
use table::{Read, Sort};

/// Whoever asks, once it is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nobody in particular.
    Anyone,
    /// A reader with a token.
    Token {
        /// Who.
        principal: PrincipalId,
        /// As what.
        role: Role,
    },
    /// A citizen in a session.
    Session {
        /// Whose.
        account: AccountId,
        /// The event that opened it.
        verified_by: EventId,
    },
    /// The account's bound device.
    Device {
        /// Whose.
        account: AccountId,
        /// Its signature.
        signed: Box<Signed>,
    },
    /// A device that is being introduced.
    NewDevice {
        /// To which account, where that is known yet.
        account: Option<AccountId>,
        /// Its signature.
        signed: Box<Signed>,
    },
    /// The guardian of a dependant.
    Guardian {
        /// The guardian's own account.
        guardian: AccountId,
        /// The signature of the device bound to it.
        signed: Box<Signed>,
    },
    /// The legal representative of an organisation.
    Representative {
        /// The representative's own account.
        representative: AccountId,
        /// The organisation's account, where it is theirs.
        organisation: Option<AccountId>,
        /// The signature of the device bound to their own account.
        signed: Box<Signed>,
    },
    /// A principal.
    Principal {
        /// Who.
        principal: PrincipalId,
        /// As what.
        role: Role,
        /// Its signature.
        signed: Box<Signed>,
    },
}

/// A signature that verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The key.
    pub key: PublicKey,
    /// What was presented.
    pub presented: Presented,
}

/// What the handler knows that may help to say who asks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hints {
    /// The account the request is about.
    pub account: Option<AccountId>,
    /// A key that the body introduces.
    pub introduced: Option<PublicKey>,
}

impl Caller {
    /// As what sort the table lists them.
    fn is(&self, sort: Sort) -> bool {
        match (self, sort) {
            (Self::Anyone, Sort::Anyone)
            | (Self::Session { .. }, Sort::Session)
            | (Self::Device { .. }, Sort::Device)
            | (Self::Guardian { .. }, Sort::Guardian)
            | (Self::Representative { .. }, Sort::Representative)
            | (Self::NewDevice { .. }, Sort::NewDevice) => true,
            (Self::Principal { role, .. }, Sort::Signed(wanted)) => *role == wanted,
            _ => false,
        }
    }

    /// The holder of an account, by its device, in the role of a guardian.
    #[must_use]
    pub fn as_guardian(self) -> Self {
        match self {
            Self::Device { account, signed } => Self::Guardian {
                guardian: account,
                signed,
            },
            other => other,
        }
    }

    /// The holder of an account, by its device, in the role of a legal representative.
    #[must_use]
    pub fn as_representative(self) -> Self {
        match self {
            Self::Device { account, signed } => Self::Representative {
                representative: account,
                organisation: None,
                signed,
            },
            other => other,
        }
    }

    /// The account whose holder is asking, if one is.
    pub fn holder(&self) -> Option<AccountId> {
        match self {
            Self::Session { account, .. } | Self::Device { account, .. } => Some(*account),
            Self::NewDevice { account, .. } => *account,
            _ => None,
        }
    }

    /// The signature, if they signed.
    pub fn signed(&self) -> Option<&Signed> {
        match self {
            Self::Device { signed, .. }
            | Self::NewDevice { signed, .. }
            | Self::Guardian { signed, .. }
            | Self::Representative { signed, .. }
            | Self::Principal { signed, .. } => Some(signed),
            _ => None,
        }
    }

    /// The role they act in.
    pub fn role(&self) -> Role {
        match self {
            Self::Token { role, .. } | Self::Principal { role, .. } => *role,
            Self::Guardian { .. } => Role::Guardian,
            Self::Representative { .. } => Role::Representative,
            _ => Role::Citizen,
        }
    }

    /// Who, as quotas and idempotency keys count them.
    pub fn id(&self) -> Option<PrincipalId> {
        match self {
            Self::Token { principal, .. } | Self::Principal { principal, .. } => Some(*principal),
            Self::Session { account, .. } | Self::Device { account, .. } => {
                Some(PrincipalId(account.0))
            }
            Self::Guardian { guardian, .. } => Some(PrincipalId(guardian.0)),
            Self::Representative { representative, .. } => Some(PrincipalId(representative.0)),
            Self::NewDevice { signed, .. } => Some(PrincipalId(signed.key.id().0)),
            Self::Anyone => None,
        }
    }

    /// The actor as the event will name them.
    pub fn actor(&self) -> Actor {
        let principal = match self {
            Self::Token { principal, .. } | Self::Principal { principal, .. } => *principal,
            Self::Guardian { guardian, .. } => PrincipalId(guardian.0),
            Self::Representative { representative, .. } => PrincipalId(representative.0),
            _ => self
                .holder()
                .map_or(PrincipalId::ZERO, |account| PrincipalId(account.0)),
        };
        let key = self.signed().map(|signed| signed.key.id());
        Actor {
            role: self.role(),
            principal,
            key,
        }
    }

    /// The proof as the event will keep it; `body` is kept with a signature over it.
    pub fn proven(&self, body: &[u8]) -> Result<Proven, Problem> {
        if let Some(Signed { key, presented }) = self.signed() {
            let (base, signature) = (presented.base.clone(), presented.signature);
            return Ok(Proven::http(base, signature, *key, body.to_vec())?);
        }
        Ok(match self {
            Self::Session { verified_by, .. } => Proven::session(*verified_by, None),
            _ => Proven::none(),
        })
    }

    /// 401 or 403 unless the table lets them ask for this command.
    pub fn may_ask(&self, command: CommandKind) -> Result<(), Problem> {
        let sorts = table::callers(command);
        if sorts.iter().any(|sort| self.is(*sort)) {
            return Ok(());
        }
        let signing = |sort: &Sort| !matches!(sort, Sort::Anyone | Sort::Session);
        Err(Problem::new(match self {
            Self::Anyone if sorts.iter().all(signing) => Code::SignatureRequired,
            Self::Anyone => Code::AuthenticationRequired,
            _ => Code::AccessDenied,
        }))
    }

    /// Whether they are enrolled in a role to which the rules give no such command.
    pub fn is_of_another_role(&self, command: CommandKind) -> bool {
        matches!(self, Self::Principal { role, .. } if !domain::decide::roles(command).contains(role))
    }

    /// 401 or 403 unless they may read this, of this account.
    pub fn may_read(
        &self,
        read: Read,
        account: Option<AccountId>,
        open_reads: bool,
    ) -> Result<(), Problem> {
        let granted = match self {
            Self::Anyone => open_reads && table::token_suffices(read),
            Self::Token { role, .. } => {
                table::token_suffices(read) && table::readers(read).contains(role)
            }
            Self::Principal { role, .. } => table::readers(read).contains(role),
            Self::Session { account: own, .. } | Self::Device { account: own, .. } => {
                matches!(read, Read::Account | Read::Personal | Read::LockRequests)
                    && account == Some(*own)
            }
            Self::Representative { organisation, .. } => {
                matches!(read, Read::Account | Read::Personal | Read::LockRequests)
                    && organisation.is_some()
                    && account == *organisation
            }
            Self::NewDevice { .. } | Self::Guardian { .. } => false,
        };
        match self {
            _ if granted => Ok(()),
            Self::Anyone => Err(Problem::new(Code::AuthenticationRequired)),
            _ => Err(Problem::new(Code::AccessDenied)),
        }
    }
}

/// Finds out who asks. A signature that verifies uses up its nonce.
pub async fn caller(api: &Api, call: &Call, hints: Hints) -> Result<Caller, Problem> {
    let authorization = single(&call.headers, &AUTHORIZATION)?;
    let caller = match (signature::is_signed(&call.headers), authorization) {
        (false, None) => return Ok(Caller::Anyone),
        (false, Some(authorization)) => by_token(api, authorization)?,
        (true, None) => by_signature(api, call, hints).await?,
        // Two proofs of two callers: which one is meant is not for us to guess.
        (true, Some(_)) => return Err(crate::call::header(&AUTHORIZATION)),
    };
    if let Some(id) = caller.id() {
        api.limits().caller(id).map_err(|seconds| {
            api.metrics().limited("caller");
            Problem::new(Code::RateLimited).retry_after(seconds)
        })?;
    }
    Ok(caller)
}

fn by_token(api: &Api, authorization: &str) -> Result<Caller, Problem> {
    let invalid = || Problem::new(Code::TokenInvalid);
    let (scheme, token) = authorization.split_once(' ').ok_or_else(invalid)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(invalid());
    }
    // Found by its digest: what is compared is not the token, so timing tells nothing of it.
    let digest = Digest(*blake3::hash(token.as_bytes()).as_bytes());
    if let Some(principal) = api.ledger().principals().by_token(digest) {
        if !principal.active(api.now()) {
            return Err(invalid());
        }
        return Ok(Caller::Token {
            principal: principal.id,
            role: principal.role,
        });
    }
    let session = crate::sessions::check(api, token)?;
    Ok(Caller::Session {
        account: session.account,
        verified_by: session.verified_by,
    })
}

async fn by_signature(api: &Api, call: &Call, hints: Hints) -> Result<Caller, Problem> {
    let now = api.now();
    let seconds = now.0.div_euclid(Micros::SECOND);
    let presented = signature::present(&call.target(), &call.headers, &call.body, seconds)?;
    let owner = owner(api, presented.key_id, hints).await?;
    let key = match &owner {
        Owner::Principal(_, _, key)
        | Owner::Device(_, key)
        | Owner::NewDevice(_, key)
        | Owner::Guardian(_, key)
        | Owner::Representative(_, _, key) => *key,
    };
    presented.verify(&key)?;
    presented.consume(api.nonces(), seconds)?;
    let signed = Box::new(Signed { key, presented });
    Ok(match owner {
        Owner::Principal(principal, role, _) => Caller::Principal {
            principal,
            role,
            signed,
        },
        Owner::Device(account, _) => Caller::Device { account, signed },
        Owner::NewDevice(account, _) => Caller::NewDevice { account, signed },
        Owner::Guardian(guardian, _) => Caller::Guardian { guardian, signed },
        Owner::Representative(representative, organisation, _) => Caller::Representative {
            representative,
            organisation: Some(organisation),
            signed,
        },
    })
}

/// Whose key it is.
enum Owner {
    Principal(PrincipalId, Role, PublicKey),
    Device(AccountId, PublicKey),
    NewDevice(Option<AccountId>, PublicKey),
    Guardian(AccountId, PublicKey),
    Representative(AccountId, AccountId, PublicKey),
}

async fn owner(api: &Api, key_id: KeyId, hints: Hints) -> Result<Owner, Problem> {
    if let Some(principal) = api.ledger().principals().by_key(key_id) {
        let key = principal.key.filter(|_| principal.active(api.now()));
        return key
            .map(|key| Owner::Principal(principal.id, principal.role, key))
            .ok_or(Problem::new(Code::KeyUnknown));
    }
    if let Some(account) = hints.account
        && let Some(owner) = owner_in_account(api, account, key_id).await?
    {
        return Ok(owner);
    }
    if let Some(account) = hints.account
        && let Some(owner) = guardian_of(api, account, key_id).await?
    {
        return Ok(owner);
    }
    if let Some(account) = hints.account
        && let Some(owner) = representative_of(api, account, key_id).await?
    {
        return Ok(owner);
    }
    match hints.introduced {
        Some(key) if key.id() == key_id => Ok(Owner::NewDevice(hints.account, key)),
        _ => Err(Problem::new(Code::KeyUnknown)),
    }
}

/// A key of an account: of its device, or of one that is about to become it. The read model is asked
/// first; it may be a moment behind, so a key it does not know is looked for in the stream itself.
async fn owner_in_account(
    api: &Api,
    account: AccountId,
    key_id: KeyId,
) -> Result<Option<Owner>, Problem> {
    if let Some(view) = api.views().account(account)?
        && let Some(owner) = owner_in_state(account, &view.account, key_id)
    {
        return Ok(Some(owner));
    }
    let head = api.ledger().store().length().await?;
    let Some(last) = head.checked_sub(1) else {
        return Ok(None);
    };
    let at = AsOf::Position(domain::ids::Position(last));
    let view = api.views().account_as_of(account, at).await?;
    Ok(view.and_then(|view| owner_in_state(account, &view.account, key_id)))
}

/// The key of the device bound to the account of a dependant's guardian.
async fn guardian_of(
    api: &Api,
    account: AccountId,
    key_id: KeyId,
) -> Result<Option<Owner>, Problem> {
    let view = api.views().account(account)?;
    let guardian = view.and_then(|view| view.account.guardian.map(|known| known.account));
    let Some(guardian) = guardian else {
        return Ok(None);
    };
    Ok(match owner_in_account(api, guardian, key_id).await? {
        Some(Owner::Device(_, key)) => Some(Owner::Guardian(guardian, key)),
        _ => None,
    })
}

/// The key of the device bound to the account of an organisation's legal representative.
async fn representative_of(
    api: &Api,
    account: AccountId,
    key_id: KeyId,
) -> Result<Option<Owner>, Problem> {
    let view = api.views().account(account)?;
    let organisation = view.and_then(|view| view.account.organisation);
    let Some(representative) = organisation.map(|known| known.representative) else {
        return Ok(None);
    };
    Ok(match owner_in_account(api, representative, key_id).await? {
        Some(Owner::Device(_, key)) => Some(Owner::Representative(representative, account, key)),
        _ => None,
    })
}

fn owner_in_state(
    id: AccountId,
    account: &domain::account::Account,
    key_id: KeyId,
) -> Option<Owner> {
    let has = |key: &PublicKey| key.id() == key_id;
    if let Some(device) = account.device.as_ref().filter(|device| has(&device.key)) {
        return Some(Owner::Device(id, device.key));
    }
    let attempt = account
        .activation
        .attempt
        .as_ref()
        .map(|attempt| attempt.key);
    let change = account.device_change.as_ref().map(|change| change.key);
    let key = attempt.into_iter().chain(change).find(has)?;
    Some(Owner::NewDevice(Some(id), key))
}
