//! Public files over HTTP: checkpoints and tiles of a log, from any web server.
//!
//! Nothing is signed and nothing is believed: whoever asks checks what comes. Limits on time and size;
//! never follows a redirection.

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Uri;
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;

/// Longest that one file may take.
const TIME_MAX: Duration = Duration::from_secs(30);

/// Why a file cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Not an `http` or `https` address.
    #[error("not an http or https address")]
    Address,
    /// No connection, or it broke.
    #[error("the server cannot be reached")]
    Unreachable,
    /// No answer in time.
    #[error("the server did not answer in time")]
    TimedOut,
    /// Any status but 200.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// Over the limit.
    #[error("the answer is too long")]
    TooLong,
}

/// Files below one address.
pub struct Files {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    base: String,
}

impl Files {
    /// Below `base`, as `https://log.example/prefix/`.
    pub fn new(base: &str) -> Result<Self, FetchError> {
        let uri: Uri = base.parse().map_err(|_| FetchError::Address)?;
        if uri.authority().is_none() || !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(FetchError::Address);
        }
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(|_| FetchError::Address)?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            base: base.trim_end_matches('/').to_owned(),
        })
    }

    /// One file of at most `limit` bytes.
    pub async fn get(&self, name: &str, limit: usize) -> Result<Vec<u8>, FetchError> {
        let uri: Uri = format!("{}/{name}", self.base)
            .parse()
            .map_err(|_| FetchError::Address)?;
        let fetched = tokio::time::timeout(TIME_MAX, self.fetch(uri, limit)).await;
        fetched.unwrap_or(Err(FetchError::TimedOut))
    }

    async fn fetch(&self, uri: Uri, limit: usize) -> Result<Vec<u8>, FetchError> {
        let response = self.client.get(uri).await;
        let (parts, body) = response.map_err(|_| FetchError::Unreachable)?.into_parts();
        if parts.status.as_u16() != 200 {
            return Err(FetchError::Status(parts.status.as_u16()));
        }
        let body = Limited::new(body, limit).collect().await;
        let body = body.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                FetchError::TooLong
            } else {
                FetchError::Unreachable
            }
        })?;
        Ok(body.to_bytes().to_vec())
    }
}
