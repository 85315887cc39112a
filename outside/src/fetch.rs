//! Public files over HTTP: checkpoints and tiles of a log, from any web server.
//!
//! Nothing is signed and nothing is believed: whoever asks checks what comes. Limits on time and size.

use crate::http::{CallError, PeerError};
use crate::link::Link;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use std::time::Duration;

/// Longest that one file may take.
const TIME_MAX: Duration = Duration::from_secs(30);

/// Files below one address.
pub struct Files(Link);

impl Files {
    /// Below `base`, as `https://log.example/prefix/`.
    pub fn new(base: &str) -> Result<Self, PeerError> {
        Ok(Self(Link::public(base)?))
    }

    /// One file of at most `limit` bytes. Any status but 200 is [`CallError::Status`].
    pub async fn get(&self, name: &str, limit: usize) -> Result<Bytes, CallError> {
        let uri = self.0.uri(&self.0.target(&format!("/{name}")));
        let request = Request::get(uri).body(Full::default());
        let request = request.map_err(|_| CallError::Request)?;
        let sent = tokio::time::timeout(TIME_MAX, self.0.send(request, limit)).await;
        let (parts, body) = sent.unwrap_or(Err(CallError::TimedOut))?;
        match parts.status.as_u16() {
            200 => Ok(body),
            status => Err(CallError::Status(status)),
        }
    }
}
