//! Locks by stripe: one command at a time per account and per claim, in this process. They only
//! spare conflicts; correctness rests on expected revisions.

use domain::ids::StreamId;
use std::collections::BTreeSet;
use tokio::sync::{Mutex, MutexGuard};

const STRIPES: usize = 4096;

/// The stripes.
pub struct Stripes(Vec<Mutex<()>>);

impl Default for Stripes {
    fn default() -> Self {
        Self((0..STRIPES).map(|_| Mutex::new(())).collect())
    }
}

impl Stripes {
    /// Locks the stripes of all these streams, always in the same order, so that two commands never
    /// wait for each other in a circle.
    pub async fn lock(&self, streams: &[StreamId]) -> Vec<MutexGuard<'_, ()>> {
        let stripes: BTreeSet<usize> = streams.iter().map(|stream| stripe(*stream)).collect();
        let mut guards = Vec::with_capacity(stripes.len());
        for stripe in stripes {
            if let Some(mutex) = self.0.get(stripe) {
                guards.push(mutex.lock().await);
            }
        }
        guards
    }
}

/// Ids are random or keyed hashes: their first bytes spread evenly.
fn stripe(stream: StreamId) -> usize {
    let [a, b, ..] = stream.id.0;
    (usize::from(u16::from_le_bytes([a, b])) ^ (stream.category as usize) << 8) % STRIPES
}
