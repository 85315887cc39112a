//! Having checkpoints stamped by an authority for time (RFC 3161), now and then.
//!
//! Owns asking and when. An answer is judged before it is kept; one that is not good is said and asked for
//! again. Nothing waits for it: a stamp proves more about what is published already. What is sent is a hash
//! and a random number, so an authority may be asked over plain HTTP.

use crate::http::{CallError, PeerError};
use crate::link::Link;
use core::sync::atomic::{AtomicU64, Ordering};
use domain::ids::Micros;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::{Method, Request, StatusCode};
use ledger::pki::TrustList;
use ledger::timestamp::{
    ANSWER_BYTES_MAX, NONCE_BYTES, Stamped, TimestampError, check, imprint, query,
};
use ledger::transparency::{SealError, Stamp, TransparencyLog};
use ledger::wiring::Ids;
use std::sync::Arc;
use std::time::Duration;

const QUERY: &str = "application/timestamp-query";
const REPLY: &str = "application/timestamp-reply";
/// How long until an authority is asked again after a failure, at first and at most.
const AGAIN: Duration = Duration::from_secs(10);
const AGAIN_MAX: Duration = Duration::from_mins(30);
/// How far an authority's time may be from the clock here before it is said aloud, in microseconds.
const ODD: i64 = 300 * Micros::SECOND;

/// Whom to ask, and how often.
pub struct Settings {
    /// `http://` or `https://`.
    pub url: String,
    /// Authorities that may vouch for it.
    pub trust: TrustList,
    /// How often at most.
    pub every: Duration,
    /// Longest time for one question.
    pub time_max: Duration,
}

/// Why there is no stamp.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StampError {
    /// No answer.
    #[error("the time-stamping authority: {0}")]
    Call(#[from] CallError),
    /// An answer that is not good.
    #[error("the time-stamping authority's answer: {0}")]
    Answer(#[from] TimestampError),
    /// It cannot be kept.
    #[error(transparent)]
    Keep(#[from] SealError),
    /// No checkpoint was published yet.
    #[error("no checkpoint has been published yet")]
    Unpublished,
}

/// An authority.
pub struct Authority {
    link: Link,
    settings: Settings,
    ids: Arc<Ids>,
    asked: AtomicU64,
    failed: AtomicU64,
}

impl Authority {
    /// At its address. `ids`: where its nonces come from.
    pub fn new(settings: Settings, ids: Arc<Ids>) -> Result<Self, PeerError> {
        Ok(Self {
            link: Link::public(&settings.url)?,
            settings,
            ids,
            asked: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        })
    }

    /// Questions and failures since the start.
    pub fn figures(&self) -> (u64, u64) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&self.asked), of(&self.failed))
    }

    /// Has the published checkpoint stamped and keeps the stamp beside the tree. One that is stamped
    /// already is not asked for again: what was said first counts.
    pub async fn stamp(&self, log: &TransparencyLog) -> Result<(Stamp, Stamped), StampError> {
        let published = log.published().ok_or(StampError::Unpublished)?;
        let size = published.head.size;
        let stamps = log.stamps();
        if let Some(stamp) = stamps.get(size)? {
            let trust = &self.settings.trust;
            if let Ok(stamped) = check(&stamp.answer, &stamp.checkpoint, None, trust) {
                return Ok((stamp, stamped));
            }
        }
        let checkpoint = published.note.to_text().into_bytes();
        self.asked.fetch_add(1, Ordering::Relaxed);
        let asked = self.ask(&checkpoint).await;
        let (answer, stamped) = asked.inspect_err(|_| {
            self.failed.fetch_add(1, Ordering::Relaxed);
        })?;
        let stamp = Stamp {
            size,
            checkpoint,
            answer,
        };
        stamps.put(&stamp)?;
        let off = self.ids.clock().now().0.saturating_sub(stamped.time.0);
        if off.saturating_abs() > ODD {
            let seconds = off / Micros::SECOND;
            tracing::warn!(
                seconds,
                "the clock here is ahead of the time-stamping authority's by this"
            );
        }
        Ok((stamp, stamped))
    }

    async fn ask(&self, data: &[u8]) -> Result<(Vec<u8>, Stamped), StampError> {
        let question = query(&imprint(data), self.ids.array::<NONCE_BYTES>())?;
        let target = self.link.uri(&self.link.target(""));
        let request = Request::builder()
            .method(Method::POST)
            .uri(target)
            .header(CONTENT_TYPE, QUERY)
            .header(ACCEPT, REPLY)
            .body(Full::new(Bytes::from(question.clone())))
            .map_err(|_| CallError::Request)?;
        let sent = self.link.send(request, ANSWER_BYTES_MAX);
        let sent = tokio::time::timeout(self.settings.time_max, sent).await;
        let (parts, body) = sent.unwrap_or(Err(CallError::TimedOut))?;
        if parts.status != StatusCode::OK {
            return Err(CallError::Status(parts.status.as_u16()).into());
        }
        let stamped = check(&body, data, Some(&question), &self.settings.trust)?;
        Ok((body.to_vec(), stamped))
    }

    /// Asks again and again, whenever something new is published, until told to stop.
    pub async fn run(self: Arc<Self>, log: Arc<TransparencyLog>, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = stop => {}
            () = self.forever(&log) => {}
        }
    }

    async fn forever(&self, log: &TransparencyLog) {
        let mut wait = AGAIN;
        let mut size = 0;
        loop {
            if log.wait_for(size + 1).await.is_none() {
                return;
            }
            match self.stamp(log).await {
                Ok((stamp, _)) => {
                    (size, wait) = (stamp.size, AGAIN);
                    tokio::time::sleep(self.settings.every).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "a checkpoint was not stamped");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(AGAIN_MAX);
                }
            }
        }
    }
}
