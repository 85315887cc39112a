//! What operators see: one id per request, metrics, and log lines. No personal datum, no secret, no
//! id from a path: routes are named by their pattern.
//!
//! Also where every answer is finished: [`observe`] is the outermost layer, so it is the one that
//! counts, limits, and writes problems out in the caller's language.

mod peers;
mod sealing;
mod witnesses;

pub use peers::{PeerFigures, PeerSource};
pub use witnesses::{WitnessFigures, WitnessSource};

use crate::problem::{self, Language, Problem};
use crate::state::Api;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use core::fmt::Write as _;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicU64, Ordering};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Instant;

/// `x-request-id`.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Paths that are answered whatever the load: what watches the server must not be turned away.
const UNLIMITED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    by: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CommandLabels {
    command: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProjectionLabels {
    projection: &'static str,
}

/// The server's figures.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    problems: Family<CodeLabels, Counter>,
    limited: Family<LimitLabels, Counter>,
    commands: Family<CommandLabels, Counter>,
    lag: Family<ProjectionLabels, Gauge>,
    in_work: Gauge,
    feeds: Gauge,
    nonces: Gauge,
    events: Gauge,
    peers: peers::Peers,
    witnesses: witnesses::Witnesses,
    sealing: sealing::Sealing,
    request_number: AtomicU64,
}

/// 0.25 ms to 4 s, doubling.
fn latency() -> Histogram {
    Histogram::new((0..15).map(|step| 0.000_25 * f64::from(1_u32 << step)))
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("idledger");
        let requests = Family::default();
        let seconds = Family::new_with_constructor(latency as fn() -> Histogram);
        let (problems, limited, commands) =
            (Family::default(), Family::default(), Family::default());
        let lag = Family::default();
        let (in_work, feeds) = (Gauge::default(), Gauge::default());
        let (nonces, events) = (Gauge::default(), Gauge::default());
        registry.register(
            "http_requests",
            "HTTP requests answered",
            Family::clone(&requests),
        );
        registry.register(
            "http_request_seconds",
            "Time to the response",
            Family::clone(&seconds),
        );
        registry.register(
            "http_problems",
            "Problems sent, by code",
            Family::clone(&problems),
        );
        registry.register(
            "http_limited",
            "Requests over a rate limit",
            Family::clone(&limited),
        );
        registry.register("commands", "Commands carried out", Family::clone(&commands));
        registry.register(
            "projection_lag",
            "Events not visible yet",
            Family::clone(&lag),
        );
        registry.register("http_in_work", "Requests in work", Gauge::clone(&in_work));
        registry.register("feeds", "Event feeds open", Gauge::clone(&feeds));
        registry.register(
            "nonces",
            "Signature nonces remembered",
            Gauge::clone(&nonces),
        );
        registry.register("events", "Events in the ledger", Gauge::clone(&events));
        let sealing = sealing::Sealing::register(&mut registry);
        let peers = peers::Peers::register(&mut registry);
        let witnesses = witnesses::Witnesses::register(&mut registry);
        Self {
            registry,
            peers,
            witnesses,
            sealing,
            requests,
            seconds,
            problems,
            limited,
            commands,
            lag,
            in_work,
            feeds,
            nonces,
            events,
            request_number: AtomicU64::new(0),
        }
    }

    /// A request was over a limit.
    pub fn limited(&self, by: &'static str) {
        self.limited.get_or_create(&LimitLabels { by }).inc();
    }

    /// A command was carried out.
    pub fn command(&self, command: domain::vocabulary::CommandKind, outcome: &'static str) {
        let command = format!("{command:?}");
        self.commands
            .get_or_create(&CommandLabels { command, outcome })
            .inc();
    }

    /// Where the figures of peers come from. Once.
    pub fn watch_peers(&self, source: PeerSource) {
        self.peers.watch(source);
    }

    /// Where the figures of witnesses come from. Once.
    pub fn watch_witnesses(&self, source: WitnessSource) {
        self.witnesses.watch(source);
    }

    /// Event feeds open.
    pub fn feeds(&self) -> &Gauge {
        &self.feeds
    }

    fn answered(&self, method: &Method, route: &str, status: u16, since: Instant) {
        let labels = RequestLabels {
            method: method_name(method),
            route: route.to_owned(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
        let route = RouteLabels {
            route: labels.route,
        };
        self.seconds
            .get_or_create(&route)
            .observe(since.elapsed().as_secs_f64());
    }

    /// The exposition (OpenMetrics text), with figures of the moment filled in.
    pub async fn expose(&self, api: &Api) -> Result<String, Problem> {
        let busy = api
            .config()
            .concurrent_requests_max
            .saturating_sub(api.in_work().available_permits());
        self.in_work.set(i64::try_from(busy).unwrap_or(i64::MAX));
        self.nonces
            .set(i64::try_from(api.nonces().len()).unwrap_or(i64::MAX));
        let length = api.ledger().store().length().await?;
        self.events.set(i64::try_from(length).unwrap_or(i64::MAX));
        for status in api.views().status().await? {
            let labels = ProjectionLabels {
                projection: status.name,
            };
            self.lag
                .get_or_create(&labels)
                .set(i64::try_from(status.lag).unwrap_or(i64::MAX));
        }
        if let Some(log) = api.log() {
            self.sealing.fill(log, length);
            let missing = log.missing();
            let missing = missing.map_or(0, |it| it.wanted.saturating_sub(it.found));
            self.witnesses.fill(missing);
        }
        self.peers.fill();
        let mut exposition = String::new();
        text::encode(&mut exposition, &self.registry)
            .map_err(|error| Problem::new(problem::Code::Internal).because(error))?;
        Ok(exposition)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Methods are a closed list here: a stranger's invention must not become a metric of its own.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The outermost layer: limits, counts, and finishes every answer.
pub async fn observe(State(api): State<Api>, request: Request, next: Next) -> Response {
    let since = Instant::now();
    let id = request_id(&api);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let language = language(request.headers());
    let lag = match method {
        Method::GET if path.starts_with("/v1/") => crate::lag::now(&api).await,
        _ => None,
    };
    let response = match admit(&api, &request) {
        Ok(_place) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let mut response = finish(&api, response, &id, &path, language);
    if let Some(lag) = lag {
        response.headers_mut().insert(crate::lag::LAG, lag);
    }
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    api.metrics()
        .answered(&method, route, response.status().as_u16(), since);
    tracing::debug!(
        request_id = %id,
        %method,
        route,
        status = response.status().as_u16(),
        micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX),
        "answered"
    );
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// A place to work in, unless there is none or the peer asks too often.
fn admit(
    api: &Api,
    request: &Request,
) -> Result<Option<tokio::sync::OwnedSemaphorePermit>, Problem> {
    if UNLIMITED.contains(&request.uri().path()) {
        return Ok(None);
    }
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
        api.limits().peer(peer.ip()).map_err(|seconds| {
            api.metrics().limited("peer");
            Problem::new(problem::Code::RateLimited).retry_after(seconds)
        })?;
    }
    let place = std::sync::Arc::clone(api.in_work()).try_acquire_owned();
    place
        .map(Some)
        .map_err(|_| Problem::new(problem::Code::Overloaded).retry_after(1))
}

/// Writes a problem out, whoever it came from: a handler, or a layer below that knows none.
fn finish(api: &Api, mut response: Response, id: &str, path: &str, language: Language) -> Response {
    let status = response.status();
    let carried = response.extensions_mut().remove::<Problem>();
    let problem = match carried {
        Some(problem) => problem,
        None if status.is_client_error() || status.is_server_error() => problem::of_bare(status),
        None => return response,
    };
    let code = problem.code.text();
    if let Some(internal) = &problem.internal {
        tracing::warn!(request_id = id, code, internal, "problem");
    }
    api.metrics()
        .problems
        .get_or_create(&CodeLabels { code })
        .inc();
    let mut rendered = problem.render(id, path, language, &api.ledger().law());
    problem::keep_allow(response.headers(), rendered.headers_mut());
    rendered
}

/// Sixteen digits of this server and sixteen of a count. What a client sends as its own id is not
/// taken over: it could hold anything, and it would stand in our logs.
fn request_id(api: &Api) -> String {
    let number = api.metrics().request_number.fetch_add(1, Ordering::Relaxed);
    let mut id = String::with_capacity(32);
    for byte in api.request_prefix() {
        let _ = write!(id, "{byte:02x}");
    }
    let _ = write!(id, "{number:016x}");
    id
}

/// The language that `Accept-Language` (RFC 9110 section 12.5.4) prefers of the two there are.
pub fn language(headers: &HeaderMap) -> Language {
    let text = headers
        .get(ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    let mut best = (0, Language::default());
    for choice in text.unwrap_or_default().split(',') {
        let (tag, quality) = choice.split_once(';').unwrap_or((choice, "q=1"));
        let language = match tag.trim().get(..2).map(str::to_ascii_lowercase).as_deref() {
            Some("vi") => Language::Vi,
            Some("en") => Language::En,
            _ => continue,
        };
        let quality = quality
            .trim()
            .strip_prefix("q=")
            .and_then(|q| q.parse::<f32>().ok());
        // In thousandths, as the header has them.
        #[allow(clippy::cast_sign_loss)] // clamped to 0..=1 in the same expression
        let quality = (quality.unwrap_or(0.0).clamp(0.0, 1.0) * 1000.0) as u32;
        if quality > best.0 {
            best = (quality, language);
        }
    }
    best.1
}

/// What a caught panic answers with; the panic itself is in the log.
pub fn panicked(_: Box<dyn core::any::Any + Send>) -> Response {
    Problem::new(problem::Code::Internal)
        .because("a handler panicked")
        .into_response()
}

/// Content type of the exposition.
pub const OPENMETRICS: (HeaderName, &str) = (
    CONTENT_TYPE,
    "application/openmetrics-text; version=1.0.0; charset=utf-8",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_language_of_the_two_is_taken() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(text));
            language(&headers)
        };
        assert_eq!(of("en"), Language::En);
        assert_eq!(of("vi-VN,vi;q=0.9,en;q=0.8"), Language::Vi);
        assert_eq!(of("en-GB;q=0.5, vi;q=0.4"), Language::En);
        assert_eq!(of("fr, en;q=0.1"), Language::En);
        assert_eq!(of("en;q=0, *"), Language::Vi);
        assert_eq!(of("*, ;;;, e, en;q=x"), Language::Vi);
        assert_eq!(language(&HeaderMap::new()), Language::Vi);
    }
}
