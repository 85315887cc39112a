//! What the OpenAPI document says besides the routes.

use crate::commands::law::LawReceiptBody;
use crate::commands::receipt::ReceiptBody;
use crate::problem::ProblemBody;
use axum::body::Bytes;
use utoipa::OpenApi as _;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Info, OpenApi, OpenApiBuilder};

const ABOUT: &str = "The ledger of electronic-identification accounts. Commands are POSTs and answer \
with a receipt that the ledger signed; a command that a rule refuses is recorded too, and answered with a \
problem (RFC 9457) that names the record. Officers, authorities, registries and devices sign their \
requests (RFC 9421, Ed25519): `@method`, `@path`, `@query` where there is one, `content-type` and \
`content-digest` where there is a body, `idempotency-key` and `if-match` where present; parameters \
`created`, `nonce`, `keyid`, `alg`. A signed body carries a `salt`; secrets of a signed request stand in \
`Idledger-Secret` (base64url of JSON). `Idempotency-Key`: the same key and body give the same receipt. \
`If-Match`: the account's revision. `Prefer: wait=N`: the receipt carries the account once it is visible. \
`Accept-Language`: vi or en.";

/// Schemas that every operation refers to; the routes bring their own.
#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(ReceiptBody, LawReceiptBody, ProblemBody)))]
struct Shared;

/// Title, description and how callers prove who they are.
pub fn description() -> OpenApi {
    let mut info = Info::new("idledger", env!("CARGO_PKG_VERSION"));
    info.description = Some(ABOUT.to_owned());
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let mut components = Shared::openapi().components.unwrap_or_default();
    components.add_security_scheme("bearer", bearer);
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .build()
}

/// The document as it is served and kept: pretty, ending in a newline.
pub fn render(document: &OpenApi) -> Bytes {
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    Bytes::from(text)
}
