//! Accounts as they were last written to somebody: the bytes of the answer, not the state.
//!
//! An answer is good as long as the read model has not moved past it; the position up to which the
//! read model is visible is compared, and that no other law has come into force meanwhile. Bounded, and safe to lose.

use axum::body::Bytes;
use domain::ids::{AccountId, Micros, Revision};
use parking_lot::RwLock;
use std::collections::HashMap;

/// Most answers kept. At about 1.5 KB each this is 50 MB.
pub const ANSWERS_MAX: usize = 32_768;
/// Shards, so that readers on different cores do not share one lock.
const SHARDS: usize = 16;

/// One account's answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What the read model showed when it was made.
    pub visible: u64,
    /// First instant at which other law is in force.
    pub until: Micros,
    /// The account's revision, its entity tag.
    pub revision: Revision,
    /// JSON.
    pub body: Bytes,
}

/// The answers.
pub struct AccountCache {
    shards: [RwLock<HashMap<AccountId, Answer>>; SHARDS],
}

impl Default for AccountCache {
    fn default() -> Self {
        Self {
            shards: core::array::from_fn(|_| RwLock::default()),
        }
    }
}

impl AccountCache {
    /// The answer, if the read model still shows what it showed then, and the law is the same.
    pub fn get(&self, account: AccountId, visible: u64, now: Micros) -> Option<Answer> {
        let shard = self.shard(account)?.read();
        shard
            .get(&account)
            .filter(|answer| answer.visible == visible && now < answer.until)
            .cloned()
    }

    /// Keeps an answer.
    pub fn put(&self, account: AccountId, answer: Answer) {
        let Some(shard) = self.shard(account) else {
            return;
        };
        let mut shard = shard.write();
        if shard.len() >= ANSWERS_MAX / SHARDS && !shard.contains_key(&account) {
            // All of the shard: no bookkeeping on the hot path, and what is in use comes back.
            shard.clear();
        }
        shard.insert(account, answer);
    }

    fn shard(&self, account: AccountId) -> Option<&RwLock<HashMap<AccountId, Answer>>> {
        let [.., last] = account.0;
        self.shards.get(usize::from(last) % SHARDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(visible: u64) -> Answer {
        Answer {
            until: Micros(100),
            visible,
            revision: Revision(1),
            body: Bytes::from_static(b"{}"),
        }
    }

    #[test]
    fn an_answer_is_good_until_the_read_model_moves() {
        let cache = AccountCache::default();
        cache.put(AccountId([1; 16]), answer(7));
        assert!(cache.get(AccountId([1; 16]), 7, Micros(99)).is_some());
        assert!(cache.get(AccountId([1; 16]), 8, Micros(99)).is_none());
        // Other law has come into force.
        assert!(cache.get(AccountId([1; 16]), 7, Micros(100)).is_none());
        assert!(cache.get(AccountId([2; 16]), 7, Micros(99)).is_none());
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = AccountCache::default();
        for n in 0..3 * ANSWERS_MAX as u64 {
            let mut id = [0; 16];
            id[8..].copy_from_slice(&n.to_be_bytes());
            cache.put(AccountId(id), answer(0));
        }
        let kept: usize = cache.shards.iter().map(|shard| shard.read().len()).sum();
        assert!(kept <= ANSWERS_MAX && kept > 0, "{kept}");
    }
}
