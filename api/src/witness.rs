//! A witness over HTTP, for other people's logs ([tlog-witness](https://c2sp.org/tlog-witness)).
//!
//! Owns the protocol: bodies, statuses, content types, limits. What is cosigned is the witness's own
//! affair ([`ledger::transparency::witness`]). It knows no ledger and shares nothing with the service.
//!
//! | | |
//! |---|---|
//! | `POST /add-checkpoint` | judges a checkpoint: 200 and cosignatures, or 400, 403, 404, 409, 422 |
//! | `GET /<SHA-256 of the origin>/checkpoint` | the checkpoint cosigned last for a log |
//! | `GET /healthz` | the process answers |

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use core::future::Future;
use core::time::Duration;
use ledger::transparency::witness::{NotCosigned, Witness};
use std::sync::Arc;
use tlog::witness::{AddCheckpoint, Refusal};
use tokio::net::TcpListener;
use tower::limit::ConcurrencyLimitLayer;
use tower_http::timeout::TimeoutLayer;

/// Largest request, in bytes: a proof and a note with many signatures, post-quantum ones too.
const BODY_BYTES_MAX: usize = 128 * 1024;
/// Longest time for one request, its body included.
const TIME_MAX: Duration = Duration::from_secs(15);
/// Most requests judged at once; others wait.
const AT_ONCE_MAX: usize = 64;
/// How long requests in work have when the witness stops.
const DRAIN_MAX: Duration = Duration::from_secs(10);
/// What an answer with a size is.
const SIZE_TYPE: &str = "text/x.tlog.size";
const TEXT_TYPE: &str = "text/plain; charset=utf-8";

/// The witness's routes.
pub fn router(witness: Arc<Witness>) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{id}/checkpoint", get(cosigned))
        .layer(ConcurrencyLimitLayer::new(AT_ONCE_MAX))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            TIME_MAX,
        ))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .route("/healthz", get(|| async { "ok\n" }))
        .with_state(witness)
}

/// Serves until `shutdown` resolves; then lets requests in work finish.
pub async fn serve(
    listener: TcpListener,
    witness: Arc<Witness>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (told, mut draining) = tokio::sync::watch::channel(false);
    let begin = async move {
        shutdown.await;
        told.send_replace(true);
    };
    let serving = axum::serve(listener, router(witness)).with_graceful_shutdown(begin);
    let too_late = async {
        // An error means that serving has ended.
        let _ = draining.wait_for(|draining| *draining).await;
        tokio::time::sleep(DRAIN_MAX).await;
    };
    tokio::select! {
        served = serving => served,
        // What is cosigned is durable; who waits for an answer asks again.
        () = too_late => Ok(()),
    }
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    let parsed = core::str::from_utf8(&body)
        .map_err(|_| "not text".to_owned())
        .and_then(|text| AddCheckpoint::parse(text).map_err(|error| error.to_string()));
    let request = match parsed {
        Ok(request) => request,
        Err(why) => return text(StatusCode::BAD_REQUEST, &why),
    };
    // It waits for the disk.
    let judged = tokio::task::spawn_blocking(move || witness.add(&request)).await;
    match judged {
        Ok(Ok(lines)) => ([(CONTENT_TYPE, TEXT_TYPE)], lines).into_response(),
        Ok(Err(NotCosigned::Refused(refusal))) => refused(&refusal),
        Ok(Err(NotCosigned::Failed(error))) => {
            tracing::error!(%error, "a checkpoint could not be cosigned");
            text(StatusCode::SERVICE_UNAVAILABLE, "it cannot be cosigned now")
        }
        Err(error) => {
            tracing::error!(%error, "judging a checkpoint broke down");
            text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "something went wrong inside",
            )
        }
    }
}

fn refused(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    match refusal {
        Refusal::OtherOld { latest } => {
            (status, [(CONTENT_TYPE, SIZE_TYPE)], format!("{latest}\n")).into_response()
        }
        refusal => text(status, &refusal.to_string()),
    }
}

async fn cosigned(State(witness): State<Arc<Witness>>, Path(id): Path<String>) -> Response {
    match witness.cosigned(&id) {
        Some(note) => {
            let headers = [(CONTENT_TYPE, TEXT_TYPE), (CACHE_CONTROL, "no-cache")];
            (headers, note.to_text()).into_response()
        }
        None => text(StatusCode::NOT_FOUND, "nothing was cosigned for such a log"),
    }
}

fn text(status: StatusCode, why: &str) -> Response {
    (status, [(CONTENT_TYPE, TEXT_TYPE)], format!("{why}\n")).into_response()
}
