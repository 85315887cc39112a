//! Every route and every layer, on one screen.

use crate::commands::{
    activation, dependant, desk, device, document, foreigner, law as making, level, lock,
    lock_request, notice, organisation, phone, registration, share,
};
use crate::openapi;
use crate::queries::{
    account, event, feed, law, ledger, log, notices, operations, organisation as organisation_read,
    personal, report, sharing,
};
use crate::state::Api;
use crate::telemetry;
use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of the contract, in the document's order.
fn contract() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(openapi::description())
        // P1, P2
        .routes(routes!(registration::register))
        .routes(routes!(registration::confirm))
        .routes(routes!(registration::resend))
        .routes(routes!(registration::set_password))
        .routes(routes!(registration::log_in))
        // P3
        .routes(routes!(level::apply))
        // P4 to P6
        .routes(routes!(desk::open))
        .routes(routes!(desk::biometrics))
        .routes(routes!(desk::consent))
        .routes(routes!(desk::submit))
        .routes(routes!(desk::registry_result))
        .routes(routes!(desk::decide))
        .routes(routes!(desk::notify))
        .routes(routes!(level::withdraw))
        // P7
        .routes(routes!(activation::request))
        .routes(routes!(activation::confirm))
        .routes(routes!(activation::passcode))
        .routes(routes!(activation::questions))
        .routes(routes!(activation::assist))
        // P8, P9
        .routes(routes!(device::request))
        .routes(routes!(device::confirm))
        .routes(routes!(device::unlink))
        .routes(routes!(phone::request))
        .routes(routes!(phone::confirm))
        // Documents, locks, the end
        .routes(routes!(document::link))
        .routes(routes!(document::refresh))
        .routes(routes!(document::unlink))
        .routes(routes!(lock::lock))
        .routes(routes!(lock::unlock))
        .routes(routes!(lock::close))
        .routes(routes!(lock::erase))
        .routes(routes!(lock_request::request, sharing::lock_requests))
        .routes(routes!(lock_request::decide))
        .routes(routes!(lock_request::report))
        // P10
        .routes(routes!(share::grant, sharing::shares))
        .routes(routes!(share::consume))
        // Children and wards
        .routes(routes!(dependant::link))
        .routes(routes!(dependant::unlink))
        .routes(routes!(dependant::open))
        .routes(routes!(dependant::consent))
        // Foreigners, organisations
        .routes(routes!(foreigner::register))
        .routes(routes!(foreigner::open))
        .routes(routes!(organisation::register))
        .routes(routes!(organisation::open))
        .routes(routes!(organisation::answer))
        .routes(routes!(organisation::change))
        .routes(routes!(organisation::act))
        // Law
        .routes(routes!(making::propose))
        .routes(routes!(making::approve))
        .routes(routes!(making::reject))
        // Notices
        .routes(routes!(notices::list))
        .routes(routes!(notice::receipt))
        // Reads
        .routes(routes!(law::list))
        .routes(routes!(law::in_force))
        .routes(routes!(law::version))
        .routes(routes!(account::get))
        .routes(routes!(account::entitlements))
        .routes(routes!(personal::get))
        .routes(routes!(organisation_read::get))
        .routes(routes!(event::of_account))
        .routes(routes!(event::list))
        .routes(routes!(feed::feed))
        .routes(routes!(event::get))
        .merge(proofs())
        .merge(figures())
        .routes(routes!(ledger::projections))
        .routes(routes!(ledger::lookup))
        .routes(routes!(ledger::keys))
}

/// Statistics and reports.
fn figures() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(ledger::statistics))
        .routes(routes!(report::quality))
        .routes(routes!(report::monthly))
}

/// Proofs for strangers.
fn proofs() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(log::event))
        .routes(routes!(log::account))
        .routes(routes!(log::state))
        .routes(routes!(log::consistency))
}

/// The contract as a document.
pub fn document() -> utoipa::openapi::OpenApi {
    contract().into_openapi()
}

/// The whole service.
pub fn app(api: &Api) -> Router {
    let (contract, document) = contract().split_for_parts();
    api.set_openapi(openapi::render(&document));
    let mut routes = contract
        .route("/openapi.json", get(operations::openapi))
        .route("/healthz", get(operations::healthz))
        .route("/readyz", get(operations::readyz))
        .route("/metrics", get(operations::metrics))
        .route("/log/checkpoint", get(log::checkpoint))
        .route("/log/keys", get(log::keys))
        .route("/log/timestamps/{name}", get(log::timestamps))
        .route("/log/tile/{*path}", get(log::tile));
    if api.mailbox().is_some() {
        routes = routes
            .route("/v1/simulation/messages", get(operations::messages))
            .route("/v1/simulation/clock", post(operations::move_clock));
    }
    let time = api.config().request_time_max;
    routes
        .fallback(|| async { StatusCode::NOT_FOUND })
        .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
        // From the inside out. The body limit is kept where the body is read (`call`).
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            time,
        ))
        .layer(CatchPanicLayer::custom(telemetry::panicked))
        .layer(from_fn_with_state(api.clone(), telemetry::observe))
        .with_state(api.clone())
}
