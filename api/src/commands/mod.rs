//! Commands: one POST each. A body becomes valid domain values and a [`Command`], the caller an actor
//! with a proof, and both go to the ledger's writer; what comes back is a receipt, or a refusal that
//! the ledger has recorded. No rule of the domain stands here.

pub mod activation;
pub mod chip;
pub mod dependant;
pub mod desk;
pub mod device;
pub mod document;
pub mod foreigner;
pub mod input;
pub mod law;
pub mod level;
pub mod lock;
pub mod lock_request;
pub mod notice;
pub mod organisation;
pub mod phone;
pub mod receipt;
pub mod registration;
pub mod secrets;
pub mod share;

use crate::auth::{self, Caller, Hints};
use crate::call::Call;
use crate::idempotency::{self, Scope, Source};
use crate::problem::{Code, Problem, RefusalRecord};
use crate::state::Api;
use axum::response::Response;
use domain::command::Command;
use domain::ids::{AccountId, CommandId, CorrelationId, PublicKey};
use domain::record::RecordRef;
use domain::vocabulary::RefusalCode;
use ledger::writer::{LedgerError, Outcome, RecordedEvent, Secrets, Submission, Target};
use secrets::{Need, SecretFields};

/// What a handler knows of a command before it knows who asks.
pub struct Order<'a> {
    /// For whom.
    pub target: Target,
    /// The account that the caller's key or session must belong to, where it is known.
    pub account: Option<AccountId>,
    /// A key that the body introduces.
    pub introduced: Option<PublicKey>,
    /// The body's salt.
    pub salt: Option<&'a str>,
    /// The body's secrets.
    pub secrets: SecretFields,
    /// A secret it cannot do without.
    pub need: Option<Need>,
    /// What strangers are told, whether there is such an account or not.
    pub neutral: Option<RefusalCode>,
    /// The holder asks as somebody's guardian.
    pub as_guardian: bool,
    /// The holder asks as an organisation's legal representative.
    pub as_representative: bool,
    /// A signed body is sealed beside the event; not where it holds what is kept as hashes only.
    pub keep_body: bool,
}

impl<'a> Order<'a> {
    /// For an account in the path.
    pub fn for_account(account: AccountId, salt: Option<&'a str>) -> Self {
        Self {
            target: Target::Account(account),
            account: Some(account),
            introduced: None,
            salt,
            secrets: SecretFields::default(),
            need: None,
            neutral: None,
            as_guardian: false,
            as_representative: false,
            keep_body: true,
        }
    }

    /// For whoever the target says.
    pub fn for_target(target: Target, salt: Option<&'a str>) -> Self {
        Self {
            target,
            account: None,
            introduced: None,
            salt,
            secrets: SecretFields::default(),
            need: None,
            neutral: None,
            as_guardian: false,
            as_representative: false,
            keep_body: true,
        }
    }

    /// With a secret it needs.
    #[must_use]
    pub fn with(mut self, secrets: SecretFields, need: Need) -> Self {
        self.secrets = secrets;
        self.need = Some(need);
        self
    }

    /// Introducing a key.
    #[must_use]
    pub fn introducing(mut self, key: PublicKey) -> Self {
        self.introduced = Some(key);
        self
    }
}

/// Carries a command out: who asks, may they, was it asked before, submit, answer.
pub async fn carry_out(
    api: &Api,
    call: &Call,
    order: Order<'_>,
    command: impl FnOnce(&Caller, &mut Secrets) -> Result<Command, Problem>,
) -> Result<Response, Problem> {
    let hints = Hints {
        account: order.account,
        introduced: order.introduced,
    };
    let mut caller = auth::caller(api, call, hints).await?;
    if order.as_guardian {
        caller = caller.as_guardian();
    }
    if order.as_representative {
        caller = caller.as_representative();
    }
    let signed = caller.signed().is_some();
    if signed {
        input::check_salt(order.salt)?;
    }
    let mut secrets = secrets::collect(call, signed, order.secrets, order.need)?;
    let command = command(&caller, &mut secrets)?;
    let kind = command.kind();
    let allowed = caller.may_ask(kind);
    // Somebody enrolled who asks of an account what is no business of their role is turned down by the rules as
    // well, and so on record (spec, decision 10). Everybody else is turned away here.
    let on_record = matches!(order.target, Target::Account(_)) && caller.is_of_another_role(kind);
    if !on_record {
        allowed.clone()?;
    }
    check_session(&caller, order.account)?;
    let ids = Ids::of(api, call, &caller);
    let submission = Submission {
        command,
        target: order.target,
        command_id: ids.command,
        correlation: Some(ids.fingerprint),
        actor: caller.actor(),
        proven: caller.proven(&call.body)?.kept(order.keep_body),
        expected: call.expected,
        occurred_at: None,
        secrets,
    };
    let outcome = submit(api, &ids, submission).await.map_err(|problem| {
        api.metrics().command(kind, "failed");
        // Whoever may not ask is not told what else stands in the way.
        allowed
            .clone()
            .err()
            .unwrap_or_else(|| neutral_if_unknown(problem, order.neutral))
    })?;
    api.metrics().command(kind, receipt::outcome_name(&outcome));
    match outcome.refused {
        Some(refused) if allowed.is_err() => Err(Problem {
            code: Code::AccessDenied,
            ..refusal(&outcome, refused, None)
        }),
        Some(refused) => Err(refusal(&outcome, refused, order.neutral)),
        None => receipt::respond(api, call, &outcome).await,
    }
}

/// A session acts for its own account.
fn check_session(caller: &Caller, account: Option<AccountId>) -> Result<(), Problem> {
    match (caller, account) {
        (Caller::Session { account: own, .. }, Some(wanted)) if *own != wanted => {
            Err(Problem::new(Code::AccessDenied))
        }
        _ => Ok(()),
    }
}

/// The ids of one request.
struct Ids {
    command: CommandId,
    fingerprint: CorrelationId,
    repeatable: bool,
}

impl Ids {
    fn of(api: &Api, call: &Call, caller: &Caller) -> Self {
        let keyed = |category, text: &str| api.ledger().lookup(category, text).0;
        let scope = match caller {
            Caller::NewDevice { signed, .. } => Scope::Key(signed.key.id()),
            _ => caller.id().map_or(Scope::Anyone, Scope::Known),
        };
        let source = match (&call.idempotency_key, caller.signed()) {
            (Some(key), _) => Some(Source::Key(key)),
            (None, Some(signed)) => Some(Source::Nonce(&signed.presented.nonce)),
            (None, None) => None,
        };
        let command = match source {
            Some(source) => idempotency::command_id(&keyed, scope, source),
            None => CommandId(api.ledger().assembler().ids().id()),
        };
        let path = call.uri.path();
        let fingerprint = idempotency::fingerprint(&keyed, call.method.as_str(), path, &call.body);
        Self {
            command,
            fingerprint,
            repeatable: source.is_some(),
        }
    }
}

/// Submits it, once per key at a time, and sees to it that a repeated key asked for the same.
async fn submit(api: &Api, ids: &Ids, submission: Submission) -> Result<Outcome, Problem> {
    if !ids.repeatable {
        return Ok(api.ledger().submit(submission).await?);
    }
    let mut under_way = api.remembered().begin(ids.command, ids.fingerprint)?;
    let outcome = match api.ledger().submit(submission).await {
        Ok(outcome) => outcome,
        Err(error) => {
            if matches!(error, LedgerError::Uncertain(_)) {
                under_way.keep();
            }
            return Err(error.into());
        }
    };
    if outcome.repeated && recorded_fingerprint(api, &outcome).await? != Some(ids.fingerprint) {
        return Err(Problem::new(Code::IdempotencyKeyReused));
    }
    under_way.keep();
    Ok(outcome)
}

/// What the recorded command was asked as.
async fn recorded_fingerprint(
    api: &Api,
    outcome: &Outcome,
) -> Result<Option<CorrelationId>, Problem> {
    let Some(first) = outcome.events.first() else {
        return Ok(None);
    };
    let records = api
        .ledger()
        .store()
        .read_stream(outcome.stream, first.revision, 1)
        .await?;
    let Some(record) = records.first() else {
        return Ok(None);
    };
    let parsed = RecordRef::parse(&record.bytes).map_err(LedgerError::from)?;
    let envelope = parsed.open_envelope().map_err(LedgerError::from)?;
    Ok(Some(envelope.correlation))
}

/// The problem of a refusal. Where strangers ask with a guessed number, it is the same as if there
/// were no such account: no record, no guard, and one code for all that would tell.
fn refusal(
    outcome: &Outcome,
    refused: domain::envelope::Refused,
    neutral: Option<RefusalCode>,
) -> Problem {
    if let Some(code) = neutral.filter(|_| tells_of_existence(refused.code)) {
        return neutral_problem(code);
    }
    refusal_of(refused, outcome.events.last())
}

/// The problem of a refusal that is recorded.
fn refusal_of(refused: domain::envelope::Refused, event: Option<&RecordedEvent>) -> Problem {
    let mut problem = Problem::new(Code::Refused(refused.code));
    problem.refused = Some((refused.guard, refused.message));
    problem.record = event.map(|event| RefusalRecord {
        position: event.position,
        event_id: event.event_id,
    });
    problem
}

fn neutral_problem(code: RefusalCode) -> Problem {
    Problem::new(Code::Refused(code))
}

fn neutral_if_unknown(problem: Problem, neutral: Option<RefusalCode>) -> Problem {
    match neutral {
        Some(code) if problem.code == Code::Refused(RefusalCode::AccountNotFound) => {
            neutral_problem(code)
        }
        _ => problem,
    }
}

/// Refusals that would tell a stranger whether a number has an account.
const fn tells_of_existence(code: RefusalCode) -> bool {
    matches!(
        code,
        RefusalCode::CredentialWrong
            | RefusalCode::RequestNotAccepted
            | RefusalCode::AccountNotFound
    )
}
