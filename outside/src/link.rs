//! An HTTP service at an address: connections to it, kept and reused, and answers of a limited size.
//!
//! Never follows a redirection, never logs a body, and speaks plain HTTP to this machine only, unless what is read is
//! public.

use crate::http::{CallError, PeerError};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::http::response::Parts;
use hyper::{Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Where a service is. Cheap to clone: the clones share the connections.
#[derive(Clone)]
pub(crate) struct Link {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    path: String,
}

impl Link {
    /// `https://host[:port][/path]`; `http` for this machine only.
    pub fn new(address: &str) -> Result<Self, PeerError> {
        Self::with(address, is_this_machine)
    }

    /// The same for what is public and checked by whoever reads it: `http` to anywhere.
    pub fn public(address: &str) -> Result<Self, PeerError> {
        Self::with(address, |_| true)
    }

    fn with(address: &str, may_be_plain: impl Fn(&str) -> bool) -> Result<Self, PeerError> {
        let uri: Uri = address.parse().map_err(|_| PeerError::Url)?;
        let authority = uri.authority().ok_or(PeerError::Url)?.clone();
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if may_be_plain(authority.host()) => {}
            Some("http") => return Err(PeerError::Plain),
            _ => return Err(PeerError::Url),
        }
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(|_| PeerError::Url)?
            .https_or_http()
            .enable_http1()
            .build();
        let scheme = uri.scheme_str().unwrap_or("https");
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            base: format!("{scheme}://{authority}"),
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The path of something below the service's own path.
    pub fn target(&self, path: &str) -> String {
        format!("{}{path}", self.path)
    }

    /// The whole address of a target.
    pub fn uri(&self, target: &str) -> String {
        format!("{}{target}", self.base)
    }

    /// Sends a request and takes the answer in, up to so many bytes. Without a limit on time: that is
    /// for whoever asks.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
        bytes_max: usize,
    ) -> Result<(Parts, Bytes), CallError> {
        let response = self.client.request(request).await;
        let (parts, body) = response.map_err(|_| CallError::Unreachable)?.into_parts();
        let body = Limited::new(body, bytes_max).collect().await;
        let body = body.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                CallError::Malformed
            } else {
                CallError::Unreachable
            }
        })?;
        Ok((parts, body.to_bytes()))
    }
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address = host.parse::<core::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
