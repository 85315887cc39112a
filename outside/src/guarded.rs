//! A peer behind a breaker: who keeps failing is left alone for a while, and everybody who asks
//! shares what is known of it.
//!
//! Owns the figures of a peer. Never tries again: when and how often is for whoever asks.

use crate::http::{CallError, Peer, Reply};
use crate::retry::{Breaker, Standing};
use core::sync::atomic::{AtomicU64, Ordering};
use hyper::Method;
use ledger::wiring::Ids;
use std::sync::Arc;
use std::time::Duration;

/// Failures in a row that open a breaker, unless said otherwise.
pub const FAILURES_MAX: u16 = 5;
/// How long it stays open, unless said otherwise.
pub const REST: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// It failed too often and is left alone: it was not asked.
    #[error("it is left alone for a while")]
    LeftAlone,
    /// It was asked.
    #[error(transparent)]
    Failed(#[from] CallError),
}

/// What a peer did since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// How its breaker stands.
    pub standing: Standing,
    /// Requests made.
    pub asked: u64,
    /// Those without a good answer.
    pub failed: u64,
    /// How often its breaker opened.
    pub opened: u64,
}

/// A peer and its breaker. Cheap to clone: the clones share the breaker.
#[derive(Clone)]
pub struct Guarded {
    inner: Arc<Inner>,
}

struct Inner {
    peer: Peer,
    breaker: Breaker,
    asked: AtomicU64,
    failed: AtomicU64,
    opened: AtomicU64,
}

impl Guarded {
    /// A peer that is left alone for `rest` after `failures_max` failures in a row.
    pub fn new(peer: Peer, failures_max: u16, rest: Duration) -> Self {
        let inner = Inner {
            peer,
            breaker: Breaker::new(failures_max, rest),
            asked: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            opened: AtomicU64::new(0),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The clock, ids and randomness of its requests.
    pub fn ids(&self) -> &Ids {
        self.inner.peer.ids()
    }

    /// What it did since the start, and how its breaker stands now.
    pub fn figures(&self) -> Figures {
        let inner = &self.inner;
        Figures {
            standing: inner.breaker.standing(self.ids().clock().now()),
            asked: inner.asked.load(Ordering::Relaxed),
            failed: inner.failed.load(Ordering::Relaxed),
            opened: inner.opened.load(Ordering::Relaxed),
        }
    }

    /// Asks once. `read` takes an answer apart; `answers` says of an error whether the peer is well
    /// nevertheless: a "no" to one question is no failure of whoever gives it.
    pub(crate) async fn call<T>(
        &self,
        (method, path): (&Method, &str),
        body: Vec<u8>,
        operation: &str,
        read: impl FnOnce(Reply) -> Option<T>,
        answers: impl Fn(&CallError) -> bool,
    ) -> Result<T, NoAnswer> {
        let inner = &self.inner;
        if !inner.breaker.allows(self.ids().clock().now()) {
            return Err(NoAnswer::LeftAlone);
        }
        inner.asked.fetch_add(1, Ordering::Relaxed);
        let answer = inner.peer.call(method, path, body, operation).await;
        let answer = answer.and_then(|reply| read(reply).ok_or(CallError::Malformed));
        match answer {
            Ok(answer) => {
                inner.breaker.succeeded();
                Ok(answer)
            }
            Err(error) if answers(&error) => {
                inner.breaker.succeeded();
                Err(error.into())
            }
            Err(error) => {
                let opened = inner.breaker.failed(self.ids().clock().now());
                inner.failed.fetch_add(1, Ordering::Relaxed);
                inner.opened.fetch_add(u64::from(opened), Ordering::Relaxed);
                tracing::warn!(%error, opened, "a peer did not answer");
                Err(error.into())
            }
        }
    }
}
