//! Reports: how good linked data are, and a month.

use super::{ReadProblems, bad_parameter, query, reader, wait_for};
use crate::auth::table::Read;
use crate::call::Call;
use crate::problem::Problem;
use crate::reports;
use crate::state::Api;
use crate::time::parse_day;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response as HttpResponse};
use axum::response::Response;
use domain::ids::{AreaCode, LocalDay};
use projections::report::Month;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportFormat {
    /// One JSON document.
    #[default]
    Json,
    /// RFC 4180, UTF-8.
    Csv,
}

/// Which data-quality report.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QualityQuery {
    /// `YYYY-MM-DD`, Asia/Ho_Chi_Minh; otherwise today.
    as_of: Option<String>,
    /// Area code; otherwise every area that anybody was counted in.
    area: Option<u32>,
    /// `json` or `csv`.
    #[param(inline)]
    format: Option<ReportFormat>,
    /// The read must show this position.
    min_position: Option<u64>,
}

/// Which month.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MonthlyQuery {
    /// `YYYY-MM`.
    month: String,
    /// A day of the month up to which it is told; otherwise its last.
    as_of: Option<String>,
    /// Area code; otherwise every area that anybody was counted in.
    area: Option<u32>,
    /// `json` or `csv`.
    #[param(inline)]
    format: Option<ReportFormat>,
    /// The read must show this position.
    min_position: Option<u64>,
}

/// Documents by kind, registry and area: declared, verified, mismatch, not found, unavailable, stale,
/// missing. The same events give the same bytes: `state` says which.
#[utoipa::path(
    get,
    path = "/v1/reports/quality",
    tag = "reads",
    params(QualityQuery),
    responses(
        (status = 200, content((Object = "application/json"), (String = "text/csv"))),
        ReadProblems
    ),
)]
pub async fn quality(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    let query: QualityQuery = query(&call)?;
    reader(&api, &call, Read::Ledger, None).await?;
    let as_of = as_of(query.as_of.as_deref())?.unwrap_or_else(|| api.now().local_day());
    wait_for(&api, &call, query.min_position).await?;
    let book = api.ledger().law_book();
    let area = query.area.map(AreaCode);
    let report = api.views().quality(area, as_of, book).await?;
    match query.format.unwrap_or_default() {
        ReportFormat::Json => json(&reports::quality_json(&report)),
        ReportFormat::Csv => Ok(csv(reports::quality_csv(&report))),
    }
}

/// A month by area: accounts, procedures, deadlines met and missed, documents. The same events give the
/// same bytes: `state` says which.
#[utoipa::path(
    get,
    path = "/v1/reports/monthly",
    tag = "reads",
    params(MonthlyQuery),
    responses(
        (status = 200, content((Object = "application/json"), (String = "text/csv"))),
        ReadProblems
    ),
)]
pub async fn monthly(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    let query: MonthlyQuery = query(&call)?;
    reader(&api, &call, Read::Ledger, None).await?;
    let month = Month::parse(&query.month).ok_or_else(|| bad_parameter("month", "YYYY-MM"))?;
    let as_of = as_of(query.as_of.as_deref())?;
    if as_of.is_some_and(|day| Month::of(day) != month) {
        return Err(bad_parameter("as_of", "a day of the month"));
    }
    wait_for(&api, &call, query.min_position).await?;
    let area = query.area.map(AreaCode);
    let report = api.views().monthly(area, month, as_of).await?;
    match query.format.unwrap_or_default() {
        ReportFormat::Json => json(&reports::monthly_json(&report)),
        ReportFormat::Csv => Ok(csv(reports::monthly_csv(&report))),
    }
}

fn as_of(text: Option<&str>) -> Result<Option<LocalDay>, Problem> {
    let read = |text| parse_day(text).ok_or_else(|| bad_parameter("as_of", "YYYY-MM-DD"));
    text.map(read).transpose()
}

fn json(report: &Value) -> Result<Response, Problem> {
    super::json(report)
}

fn csv(text: String) -> Response {
    let mut response = HttpResponse::new(Body::from(text));
    let kind = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
