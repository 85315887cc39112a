//! Who waits for a place in the server's log to be numbered.
//!
//! A channel that tells everybody of everything would wake every append for each other's events. Owns
//! the list of who waits for what; decides nothing: whoever is woken looks for themselves.

use super::numbering::LogPlace;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// With so many places on the list, those whom nobody waits for any more are struck off.
const TIDY_FROM: usize = 1024;

/// The list.
#[derive(Default)]
pub(super) struct Waiting(Mutex<BTreeMap<LogPlace, Vec<oneshot::Sender<()>>>>);

impl Waiting {
    /// To be woken when a place is reached, or when nothing goes on any more.
    pub(super) fn enter(&self, place: LogPlace) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.0.lock();
        if waiting.len() >= TIDY_FROM {
            waiting.retain(|_, senders| {
                senders.retain(|sender| !sender.is_closed());
                !senders.is_empty()
            });
        }
        waiting.entry(place).or_default().push(sender);
        receiver
    }

    /// Wakes those who wait for a place up to this one.
    pub(super) fn reached(&self, place: LogPlace) {
        let mut waiting = self.0.lock();
        while let Some(entry) = waiting.first_entry()
            && *entry.key() <= place
        {
            for sender in entry.remove() {
                let _ = sender.send(());
            }
        }
    }

    /// Wakes everybody.
    pub(super) fn end(&self) {
        self.0.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(commit: u64) -> LogPlace {
        LogPlace {
            commit,
            prepare: commit,
        }
    }

    #[test]
    fn those_up_to_a_place_are_woken_and_no_others() {
        let waiting = Waiting::default();
        let mut at: Vec<_> = [1, 2, 2, 3].map(|at| waiting.enter(place(at))).into();
        waiting.reached(place(2));
        let woken: Vec<_> = at.iter_mut().map(oneshot::Receiver::try_recv).collect();
        let none = Err(oneshot::error::TryRecvError::Empty);
        assert_eq!(woken, [Ok(()), Ok(()), Ok(()), none]);
        waiting.end();
        let closed = Err(oneshot::error::TryRecvError::Closed);
        assert_eq!(at.pop().map(|mut at| at.try_recv()), Some(closed));
    }

    #[test]
    fn who_gave_up_is_struck_off() {
        let waiting = Waiting::default();
        let kept = waiting.enter(place(u64::MAX));
        for at in 0..10 * TIDY_FROM as u64 {
            drop(waiting.enter(place(at)));
        }
        assert!(waiting.0.lock().len() <= TIDY_FROM);
        drop(kept);
    }
}
