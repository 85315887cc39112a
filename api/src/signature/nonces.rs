//! Nonces that were used, for as long as their signatures could still be accepted.
//!
//! Owns a bounded table in memory. What it forgets at a restart is read back from the ledger's own
//! evidence (see [`crate::warm`]); what falls between is harmless, because a signed request's
//! command id is derived from its key and nonce and the writer answers a repetition with the first
//! receipt.

use super::SIGNATURE_SKEW_S;
use domain::ids::KeyId;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};

/// Most nonces remembered at once; at 600 s of life that is 1,700 signed requests a second.
pub const NONCES_MAX: usize = 1 << 20;

/// What became of a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NonceUse {
    /// It was new and is now used up.
    Fresh,
    /// It was used before.
    Replayed,
    /// The table is full of nonces that still count.
    Full,
}

/// The table.
pub struct Nonces {
    inner: Mutex<Inner>,
    limit: usize,
}

#[derive(Default)]
struct Inner {
    used: HashMap<[u8; 32], i64>,
    // In the order of insertion, which is nearly the order of expiry.
    order: VecDeque<([u8; 32], i64)>,
}

impl Default for Nonces {
    fn default() -> Self {
        Self::with_limit(NONCES_MAX)
    }
}

impl Nonces {
    /// A table of at most `limit` nonces.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            inner: Mutex::default(),
            limit,
        }
    }

    /// Uses a nonce. `now_s`: seconds since 1970.
    pub fn consume(&self, key: KeyId, nonce: &str, now_s: i64) -> NonceUse {
        let id = entry(key, nonce);
        // `created` may be up to the skew in the future, and is good for the skew after that.
        let until = now_s.saturating_add(2 * SIGNATURE_SKEW_S + 1);
        let mut inner = self.inner.lock();
        inner.forget(now_s);
        if inner.used.contains_key(&id) {
            return NonceUse::Replayed;
        }
        if inner.used.len() >= self.limit {
            return NonceUse::Full;
        }
        inner.used.insert(id, until);
        inner.order.push_back((id, until));
        NonceUse::Fresh
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.inner.lock().used.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Inner {
    fn forget(&mut self, now_s: i64) {
        while let Some((id, _)) = self.order.front().filter(|(_, until)| *until < now_s) {
            self.used.remove(id);
            self.order.pop_front();
        }
    }
}

fn entry(key: KeyId, nonce: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&key.0);
    hasher.update(nonce.as_bytes());
    *hasher.finalize().as_bytes()
}
