//! The transparency log: checkpoint, tiles and entries as static files, and proofs. Hashes only, so anybody
//! may read it ([tlog-tiles](https://c2sp.org/tlog-tiles)).

use super::event::read;
use super::{ReadProblems, bad_parameter, json, query, reader};
use crate::auth::table::Read;
use crate::call::{self, Call};
use crate::problem::{Code, Problem};
use crate::state::Api;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Response};
use domain::ids::{AccountId, Position, StreamId};
use ledger::transparency::proofs::{
    Proof, ProveError, prove_consistency, prove_event, prove_stream,
};
use ledger::transparency::state_proof::prove_state;
use ledger::transparency::{ReadError, TransparencyLog, stamp_names};
use serde::Deserialize;
use std::sync::Arc;
use tlog::tile::{Kind, TileId};
use utoipa::IntoParams;

const TEXT: &str = "text/plain; charset=utf-8";
const REPLY: &str = "application/timestamp-reply";
const BYTES: &str = "application/octet-stream";
/// What is under a tile's name never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const NOW: &str = "no-cache";

fn log(api: &Api) -> Result<&Arc<TransparencyLog>, Problem> {
    api.log().ok_or(Problem::new(Code::NotSealed))
}

fn answer(body: impl Into<Body>, kind: &'static str, cache: &'static str) -> Response<Body> {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unpublished | ReadError::Beyond { .. } => {
                Self::new(Code::NotSealed).retry_after(1)
            }
            error => Self::new(Code::LogUnavailable).because(error),
        }
    }
}

impl From<ProveError> for Problem {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::Read(error) => error.into(),
            ProveError::Store(error) => error.into(),
            ProveError::Missing => Self::new(Code::EventNotFound),
            ProveError::TooLong => Self::new(Code::ProofTooLarge),
            error => Self::new(Code::LogUnavailable).because(error),
        }
    }
}

/// `GET /log/checkpoint`
pub async fn checkpoint(State(api): State<Api>) -> Result<Response<Body>, Problem> {
    let published = log(&api)?.published().ok_or(ReadError::Unpublished)?;
    Ok(answer(published.note.to_text(), TEXT, NOW))
}

/// `GET /log/keys`: the keys that checkpoints are checked with, oldest first, one a line. Whoever has no other
/// source for them believes this server.
pub async fn keys(State(api): State<Api>) -> Result<Response<Body>, Problem> {
    let ring = api.ledger().ring();
    let keys = ledger::transparency::verifier_keys(&ring);
    let keys = keys.map_err(|error| Problem::new(Code::Internal).because(error))?;
    let text: String = keys.iter().map(|key| key.to_text() + "\n").collect();
    Ok(answer(text, TEXT, NOW))
}

/// `GET /log/timestamps/…`: `index` is the sizes of the checkpoints that an authority stamped, one a line;
/// each stands there as it was stamped (`.checkpoint`), beside the answer of the authority (`.tsr`, RFC 3161).
pub async fn timestamps(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Response<Body>, Problem> {
    let stamps = log(&api)?.stamps();
    if name == "index" {
        // There may be many of them, and the directory is read from end to end.
        let sizes = tokio::task::spawn_blocking(move || stamps.sizes()).await;
        let sizes = sizes.map_err(|error| Problem::new(Code::Internal).because(error))?;
        let sizes = sizes.map_err(ReadError::from)?;
        let text: String = sizes.iter().map(|size| size.to_string() + "\n").collect();
        return Ok(answer(text, TEXT, NOW));
    }
    let not_found = || Problem::new(Code::NotFound);
    let size = name.split_once('.').and_then(|(size, _)| size.parse().ok());
    let size = size.ok_or_else(not_found)?;
    let [checkpoint, answered] = stamp_names(size);
    let stamp = stamps.get(size).map_err(ReadError::from)?;
    match stamp.ok_or_else(not_found)? {
        stamp if name == checkpoint => Ok(answer(stamp.checkpoint, TEXT, FOR_EVER)),
        stamp if name == answered => Ok(answer(stamp.answer, REPLY, FOR_EVER)),
        _ => Err(not_found()),
    }
}

/// `GET /log/tile/…`
pub async fn tile(
    State(api): State<Api>,
    Path(path): Path<String>,
) -> Result<Response<Body>, Problem> {
    let id: TileId = format!("tile/{path}")
        .parse()
        .map_err(|_| Problem::new(Code::NotFound))?;
    // A level that no tree reaches is not one.
    if matches!(id.kind, Kind::Hashes(level) if level > 7) {
        return Err(Problem::new(Code::NotFound));
    }
    match log(&api)?.tile(&id) {
        // Not there yet, or never: a mirror asks again when a checkpoint speaks of it.
        Err(ReadError::Beyond { .. }) => Err(Problem::new(Code::NotFound)),
        tile => Ok(answer(tile?, BYTES, FOR_EVER)),
    }
}

/// Waits as long as the caller lets us for a checkpoint of so many events.
async fn sealed(api: &Api, call: &Call, size: u64) -> Result<(), Problem> {
    let log = log(api)?;
    let reached = |size| log.published().is_some_and(|it| it.head.size >= size);
    if let (false, Some(wait)) = (reached(size), call.wait) {
        // Whether it came is asked below, by whoever needs it.
        let _ = tokio::time::timeout(wait, log.wait_for(size)).await;
    }
    Ok(())
}

fn wants_text(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.starts_with("text/plain"))
}

/// Proves that an event is in the log: JSON, or `tlog-proof` as text.
#[utoipa::path(
    get,
    path = "/v1/events/{position}/proof",
    tag = "proofs",
    params(("position" = u64, Path, description = "Position in the ledger")),
    responses(
        (status = 200, description = "The proof; with `Accept: text/plain` as c2sp.org/tlog-proof", body = Object),
        ReadProblems
    ),
)]
pub async fn event(
    State(api): State<Api>,
    Path(position): Path<String>,
    call: Call,
) -> Result<Response<Body>, Problem> {
    let position = call::position(&position)?;
    if read(&api, position).await?.is_none() {
        return Err(Problem::new(Code::EventNotFound));
    }
    sealed(&api, &call, position.0.saturating_add(1)).await?;
    if wants_text(&call.headers) {
        let receipt = log(&api)?.receipt(position.0)?;
        return Ok(answer(receipt.to_text(), TEXT, NOW));
    }
    let store = api.ledger().store().as_ref();
    let proof = prove_event(log(&api)?, store, position, false).await?;
    json(&Proof::Event(proof))
}

/// Proves that these are an account's events, each linked to the one before, the newest in the log.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/proof",
    tag = "proofs",
    params(("account" = String, Path, description = "The account: 32 hexadecimal digits")),
    responses((status = 200, description = "The proof", body = Object), ReadProblems),
)]
pub async fn account(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response<Body>, Problem> {
    let account: AccountId = call::id(&account)?;
    reader(&api, &call, Read::Account, Some(account)).await?;
    let (stream, store) = (StreamId::account(account), api.ledger().store().as_ref());
    let head = store.stream_head(stream).await?;
    let Position(newest) = head.ok_or_else(super::account::not_found)?.position;
    sealed(&api, &call, newest.saturating_add(1)).await?;
    let proof = prove_stream(log(&api)?, store, stream).await?;
    json(&Proof::Stream(proof))
}

/// Proves what the ledger last stated of an account: its state, that there was none, and that these are
/// all of its events.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/proof/state",
    tag = "proofs",
    params(("account" = String, Path, description = "The account: 32 hexadecimal digits")),
    responses((status = 200, description = "The proof", body = Object), ReadProblems),
)]
pub async fn state(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response<Body>, Problem> {
    let account: AccountId = call::id(&account)?;
    reader(&api, &call, Read::Account, Some(account)).await?;
    let state = api.views().state_proof(account)?;
    let state = state.ok_or(Problem::new(Code::NotSealed).retry_after(60))?;
    sealed(&api, &call, state.sealed_at.saturating_add(1)).await?;
    let store = api.ledger().store().as_ref();
    let proof = prove_state(log(&api)?, store, state, true).await?;
    json(&Proof::State(Box::new(proof)))
}

/// Which size is remembered.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConsistencyQuery {
    /// Events in the checkpoint that is remembered.
    old: u64,
}

/// Proves that the log of so many events is the beginning of today's.
#[utoipa::path(
    get,
    path = "/v1/log/consistency",
    tag = "proofs",
    params(ConsistencyQuery),
    responses((status = 200, description = "The proof", body = Object), ReadProblems),
)]
pub async fn consistency(State(api): State<Api>, call: Call) -> Result<Response<Body>, Problem> {
    let query: ConsistencyQuery = query(&call)?;
    let log = log(&api)?;
    let size = log.published().map_or(0, |published| published.head.size);
    if query.old > size {
        return Err(bad_parameter("old", "a size of this log"));
    }
    let proof = prove_consistency(log, query.old)?;
    json(&Proof::Consistency(proof))
}
