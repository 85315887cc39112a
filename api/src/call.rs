//! One request taken in: its headers read strictly, its body whole and bounded. The first thing of
//! every handler; nothing here knows who is asking.

use crate::problem::{Code, Problem};
use crate::signature::Target;
use crate::state::Api;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, Method, Uri};
use core::str::FromStr;
use core::time::Duration;
use domain::ids::{Position, Revision};
use serde::de::DeserializeOwned;

/// `Idempotency-Key`.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// `Prefer`.
pub const PREFER: HeaderName = HeaderName::from_static("prefer");
/// Characters of an idempotency key. It is long enough not to be a phone or personal number, since
/// a signed one stands in the clear in the event; a UUID fits.
pub const IDEMPOTENCY_KEY_CHARS: core::ops::RangeInclusive<usize> = 22..=64;

/// A request.
pub struct Call {
    /// Method.
    pub method: Method,
    /// Target as sent.
    pub uri: Uri,
    /// Headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// `Idempotency-Key`, checked.
    pub idempotency_key: Option<String>,
    /// `If-Match`, a stream revision.
    pub expected: Option<Revision>,
    /// `Prefer: wait=…`, cut to what is allowed.
    pub wait: Option<Duration>,
}

impl FromRequest<Api> for Call {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let limit = api.config().body_bytes_max;
        let body = read_body(&parts.headers, body, limit).await?;
        let headers = parts.headers;
        Ok(Self {
            idempotency_key: idempotency_key(&headers)?,
            expected: entity_tag(&headers, &IF_MATCH)?,
            wait: wait(&headers)?.map(|wait| wait.min(api.config().wait_max)),
            method: parts.method,
            uri: parts.uri,
            headers,
            body,
        })
    }
}

impl Call {
    /// The body as strict JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let kind = single(&self.headers, &CONTENT_TYPE)?
            .ok_or(Problem::new(Code::UnsupportedMediaType))?;
        if !is_json(kind) {
            return Err(Problem::new(Code::UnsupportedMediaType));
        }
        if self.uri.query().is_some() {
            // What is asked stands in the body alone; a query would be one more place for numbers.
            return Err(Problem::new(Code::QueryInvalid));
        }
        crate::json::parse(&self.body)
    }

    /// The target as signatures name it.
    pub fn target(&self) -> Target<'_> {
        let host = self.headers.get(HOST).and_then(|host| host.to_str().ok());
        Target {
            method: &self.method,
            path: self.uri.path(),
            query: self.uri.query(),
            authority: self
                .uri
                .authority()
                .map(axum::http::uri::Authority::as_str)
                .or(host),
        }
    }

    /// Whether `If-None-Match` names this revision.
    pub fn has_seen(&self, revision: Revision) -> Result<bool, Problem> {
        Ok(entity_tag(&self.headers, &IF_NONE_MATCH)? == Some(revision))
    }
}

/// `application/json`, with no parameter but `charset=utf-8`.
fn is_json(value: &str) -> bool {
    let (kind, parameter) = value.split_once(';').unwrap_or((value, "charset=utf-8"));
    kind.trim().eq_ignore_ascii_case("application/json")
        && parameter.trim().eq_ignore_ascii_case("charset=utf-8")
}

async fn read_body(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Problem> {
    if let Some(stated) = single(headers, &CONTENT_LENGTH)? {
        let stated: usize = stated.parse().map_err(|_| header(&CONTENT_LENGTH))?;
        if stated > limit {
            return Err(Problem::new(Code::BodyTooLarge));
        }
    }
    // Either over the limit or the sender went away, who will not read the answer.
    axum::body::to_bytes(body, limit)
        .await
        .map_err(|_| Problem::new(Code::BodyTooLarge))
}

/// A header that may stand there once.
pub fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(header(name));
    }
    value.to_str().map(Some).map_err(|_| header(name))
}

/// The problem of a header.
pub fn header(name: &HeaderName) -> Problem {
    Problem::field(Code::HeaderInvalid, "", format!("`{name}` is not valid"))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let invalid = || Problem::new(Code::IdempotencyKeyInvalid);
    let Some(text) = single(headers, &IDEMPOTENCY_KEY).map_err(|_| invalid())? else {
        return Ok(None);
    };
    // The draft standard writes it as a quoted string; most clients send it bare.
    let key = text
        .strip_prefix('"')
        .and_then(|key| key.strip_suffix('"'))
        .unwrap_or(text);
    let allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    if IDEMPOTENCY_KEY_CHARS.contains(&key.len()) && key.bytes().all(allowed) {
        Ok(Some(key.to_owned()))
    } else {
        Err(invalid())
    }
}

/// A strong entity tag that is a revision: `"17"`.
fn entity_tag(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Revision>, Problem> {
    let Some(text) = single(headers, name)? else {
        return Ok(None);
    };
    let digits = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    match digits.and_then(parse_canonical) {
        Some(revision) => Ok(Some(Revision(revision))),
        None => Err(header(name)),
    }
}

/// `Prefer: wait=N`, seconds (RFC 7240). Other preferences may be ignored, and are.
fn wait(headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    for value in headers.get_all(&PREFER) {
        let text = value.to_str().map_err(|_| header(&PREFER))?;
        for preference in text.split(',') {
            if let Some(seconds) = preference.trim().strip_prefix("wait=") {
                let seconds: u16 = parse_canonical(seconds).ok_or_else(|| header(&PREFER))?;
                return Ok(Some(Duration::from_secs(u64::from(seconds))));
            }
        }
    }
    Ok(None)
}

/// A number in its one decimal form: no sign, no leading zeros.
pub fn parse_canonical<T: FromStr + ToString>(text: &str) -> Option<T> {
    text.parse::<T>()
        .ok()
        .filter(|number| number.to_string() == text)
}

/// An id in the path: lower-case hexadecimal.
pub fn id<T: FromStr + ToString>(text: &str) -> Result<T, Problem> {
    parse_canonical(text).ok_or(Problem::new(Code::IdInvalid))
}

/// A position in the path.
pub fn position(text: &str) -> Result<Position, Problem> {
    parse_canonical(text)
        .map(Position)
        .ok_or(Problem::new(Code::IdInvalid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(name: &'static str, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn idempotency_keys_are_long_plain_and_single() {
        let good = "3f2b8c1e-0d4a-4b6f-9a57-2d1c5e7f9a10";
        let taken = idempotency_key(&headers("idempotency-key", &[good])).unwrap();
        assert_eq!(taken.as_deref(), Some(good));
        let quoted = "\"3f2b8c1e-0d4a-4b6f-9a57-2d1c5e7f9a10\"";
        let taken = idempotency_key(&headers("idempotency-key", &[quoted])).unwrap();
        assert_eq!(taken.as_deref(), Some(good));
        let too_long = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        for bad in [
            "",
            "short",
            "0912345678",
            "has a blank in it, indeed",
            too_long,
        ] {
            assert!(
                idempotency_key(&headers("idempotency-key", &[bad])).is_err(),
                "{bad}"
            );
        }
        assert!(idempotency_key(&headers("idempotency-key", &[good, good])).is_err());
    }

    #[test]
    fn entity_tags_are_quoted_revisions() {
        let read = |text| entity_tag(&headers("if-match", &[text]), &IF_MATCH);
        assert_eq!(read("\"17\"").unwrap(), Some(Revision(17)));
        for bad in [
            "17",
            "\"017\"",
            "W/\"17\"",
            "*",
            "\"\"",
            "\"-1\"",
            "\"18446744073709551616\"",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn json_is_declared_as_such() {
        for good in ["application/json", "Application/JSON; charset=UTF-8"] {
            assert!(is_json(good), "{good}");
        }
        for bad in [
            "text/plain",
            "application/json; charset=latin1",
            "application/jsonx",
            "",
        ] {
            assert!(!is_json(bad), "{bad}");
        }
    }

    #[test]
    fn a_preference_to_wait_is_found_among_others() {
        let read = |text| wait(&headers("prefer", &[text]));
        assert_eq!(
            read("respond-async, wait=3").unwrap(),
            Some(Duration::from_secs(3))
        );
        assert_eq!(read("return=minimal").unwrap(), None);
        assert!(read("wait=soon").is_err());
        assert!(read("wait=99999999999").is_err());
    }
}
