//! The law: what is in force, what was, and who made it so.

use super::{ReadProblems, bad_parameter, json, query, reader};
use crate::auth::table::Read;
use crate::call::{Call, parse_canonical};
use crate::commands::law::{kind, number};
use crate::problem::{Code, Problem};
use crate::state::Api;
use crate::time::{parse_instant, rfc3339};
use axum::extract::{Path, State};
use axum::response::Response;
use domain::ids::{Micros, Position};
use domain::law::{Known, LawBook, LawDraft, Proposal, Published};
use domain::vocabulary::LawKind;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which two times are asked about.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LawQuery {
    /// What was known: a position of the ledger, or an instant (RFC 3339) by which it was recorded; otherwise
    /// everything.
    as_of: Option<String>,
    /// In force at this instant (RFC 3339); otherwise the instant of `as_of`, or now.
    valid_at: Option<String>,
}

impl LawQuery {
    fn times(&self, now: Micros) -> Result<(Micros, Known), Problem> {
        let known = match self.as_of.as_deref() {
            None => Known::Now,
            Some(text) => {
                let position = parse_canonical(text).map(|at| Known::Position(Position(at)));
                position
                    .or_else(|| parse_instant(text).map(Known::Recorded))
                    .ok_or_else(|| bad_parameter("as_of", "a position, or an RFC 3339 instant"))?
            }
        };
        let at = match (self.valid_at.as_deref(), known) {
            (Some(text), _) => parse_instant(text)
                .ok_or_else(|| bad_parameter("valid_at", "an RFC 3339 instant"))?,
            (None, Known::Recorded(at)) => at,
            (None, _) => now,
        };
        Ok((at, known))
    }
}

/// One version or proposal.
#[derive(Serialize, ToSchema)]
pub struct LawVersionBody {
    /// Which law.
    law: &'static str,
    /// Which version.
    version: u32,
    /// `proposed`, `published` or `rejected`.
    state: &'static str,
    /// Whether it is in force at the instant asked about, as known then.
    in_force: bool,
    /// BLAKE3 of the version: what both signed.
    digest: String,
    /// Who proposed it; zero: whoever made the ledger.
    proposer: String,
    /// Who approved it.
    approver: Option<String>,
    /// The proposal's event; it holds the proposer's evidence.
    proposal: String,
    /// The approval's event; it holds the approver's evidence.
    publication: Option<String>,
    /// Where the approval stands.
    position: Option<u64>,
    /// When it was published.
    published_at: Option<String>,
    /// Name, effective dates, legal basis, jurisdiction, confidence. Instants are microseconds since
    /// 1970-01-01T00:00:00Z.
    #[schema(value_type = Object)]
    terms: serde_json::Value,
    /// What it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    content: Option<serde_json::Value>,
}

/// Every version.
#[derive(Serialize, ToSchema)]
pub struct LawListBody {
    /// The instant the answer is for.
    at: String,
    /// By kind, in the order of their proposals.
    versions: Vec<LawVersionBody>,
}

/// Every version and proposal of every law, and which are in force.
#[utoipa::path(
    get,
    path = "/v1/law",
    tag = "law",
    params(LawQuery),
    responses((status = 200, body = LawListBody), ReadProblems),
)]
pub async fn list(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    reader(&api, &call, Read::Ledger, None).await?;
    let (at, known) = query::<LawQuery>(&call)?.times(api.now())?;
    let book = api.ledger().law_book();
    let mut versions = Vec::new();
    for law in LawKind::ALL {
        let in_force = book
            .in_force(*law, at, known)
            .map(|version| version.version);
        for proposal in book.proposals().iter().filter(|known| known.law == *law) {
            let published = book.version(*law, proposal.version);
            if published.is_some_and(|version| !version.known(known)) {
                continue;
            }
            let in_force = in_force == Some(proposal.version);
            versions.push(body(&book, proposal, in_force, false)?);
        }
    }
    let at = rfc3339(at);
    json(&LawListBody { at, versions })
}

/// The version in force.
#[utoipa::path(
    get,
    path = "/v1/law/{law}",
    tag = "law",
    params(
        ("law" = String, Path, description = "policy, catalogue, provinces, messages, documents, calendar or sites"),
        LawQuery,
    ),
    responses((status = 200, body = LawVersionBody), ReadProblems),
)]
pub async fn in_force(
    State(api): State<Api>,
    Path(law): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    reader(&api, &call, Read::Ledger, None).await?;
    let law = kind(&law)?;
    let (at, known) = query::<LawQuery>(&call)?.times(api.now())?;
    let book = api.ledger().law_book();
    let version = book.in_force(law, at, known).map(|version| version.version);
    let version = version.ok_or(Problem::new(Code::NotFound))?;
    json(&found(&book, law, version, true)?)
}

/// One version or proposal with its content.
#[utoipa::path(
    get,
    path = "/v1/law/{law}/versions/{version}",
    tag = "law",
    params(
        ("law" = String, Path, description = "policy, catalogue, provinces, messages, documents, calendar or sites"),
        ("version" = u32, Path, description = "The version"),
    ),
    responses((status = 200, body = LawVersionBody), ReadProblems),
)]
pub async fn version(
    State(api): State<Api>,
    Path((law, version)): Path<(String, String)>,
    call: Call,
) -> Result<Response, Problem> {
    reader(&api, &call, Read::Ledger, None).await?;
    let (law, version) = (kind(&law)?, number(&version)?);
    let book = api.ledger().law_book();
    let in_force = book.in_force(law, api.now(), Known::Now);
    let in_force = in_force.is_some_and(|known| known.version == version);
    json(&found(&book, law, version, in_force)?)
}

fn found(
    book: &LawBook,
    law: LawKind,
    version: u32,
    in_force: bool,
) -> Result<LawVersionBody, Problem> {
    let proposal = book
        .proposals()
        .iter()
        .find(|known| known.law == law && known.version == version)
        .ok_or(Problem::new(Code::NotFound))?;
    body(book, proposal, in_force, true)
}

fn body(
    book: &LawBook,
    proposal: &Proposal,
    in_force: bool,
    whole: bool,
) -> Result<LawVersionBody, Problem> {
    let published = book.version(proposal.law, proposal.version);
    let draft: &LawDraft = &proposal.draft;
    let value = |value: Result<serde_json::Value, serde_json::Error>| {
        value.map_err(|error| Problem::new(Code::Internal).because(error))
    };
    let content = whole.then(|| value(serde_json::to_value(&draft.content)));
    Ok(LawVersionBody {
        law: proposal.law.name(),
        version: proposal.version,
        state: match published {
            Some(_) => "published",
            None if proposal.settled => "rejected",
            None => "proposed",
        },
        in_force,
        digest: proposal.digest.to_string(),
        proposer: proposal.proposer.to_string(),
        approver: published.map(|version| version.approver.to_string()),
        proposal: proposal.by.event.to_string(),
        publication: published.map(|version| version.by.event.to_string()),
        position: published
            .and_then(|version| version.by.position)
            .map(|position| position.0),
        published_at: published.map(|version| rfc3339(version.recorded_at)),
        terms: value(serde_json::to_value(&draft.terms))?,
        content: content.transpose()?,
    })
}

/// A version of a law, named: the rule that answered, and the event that made it law.
#[derive(Serialize, ToSchema)]
pub struct LawRef {
    /// Which law.
    law: &'static str,
    /// Which version.
    version: u32,
    /// Its name.
    name: String,
    /// First instant at which it is in force.
    effective_from: String,
    /// First instant at which it no longer is, where one is named.
    effective_to: Option<String>,
    /// Its ground, normalised.
    basis: String,
    /// How sure it is.
    #[schema(value_type = String)]
    confidence: domain::law::Confidence,
    /// The event that published it.
    event: String,
    /// Where that stands.
    position: Option<u64>,
}

impl LawRef {
    /// Of a published version.
    pub fn of(version: &Published) -> Self {
        let terms = &version.draft.terms;
        Self {
            law: version.law.name(),
            version: version.version,
            name: terms.name.clone(),
            effective_from: rfc3339(terms.effective_from),
            effective_to: terms.effective_to.map(rfc3339),
            basis: terms.basis.id.clone(),
            confidence: terms.confidence,
            event: version.by.event.to_string(),
            position: version.by.position.map(|position| position.0),
        }
    }
}
