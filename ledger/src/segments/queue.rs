//! Appends on their way to the writer's thread.
//!
//! Owns the hand-over and its bound: what waits is limited by bytes, and who comes later waits
//! asynchronously. A wake-up costs a system call only when the other side sleeps, and the answers of
//! a batch cost one: the first caller gets them all and passes them on inside its own runtime.

use crate::store::{AppendError, Appended, Expected, NewRecord, StoreError};
use domain::ids::StreamId;
use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// One append, waiting.
pub(crate) struct Request {
    pub stream: StreamId,
    pub expected: Expected,
    pub records: Vec<NewRecord>,
    pub reply: oneshot::Sender<Answer>,
    /// Its share of the bytes that may wait.
    pub _space: OwnedSemaphorePermit,
}

/// What an append comes to.
pub(crate) type Outcome = Result<Appended, AppendError>;

/// An answer, and the answers of the others of the batch.
pub(crate) struct Answer {
    pub outcome: Outcome,
    pub _others: Others,
}

/// Answers that are given when this is dropped, wherever that happens.
#[derive(Default)]
pub(crate) struct Others(Vec<(oneshot::Sender<Answer>, Outcome)>);

impl Drop for Others {
    fn drop(&mut self) {
        for (reply, outcome) in self.0.drain(..) {
            // Whoever asked may have gone; the append stands all the same.
            let _ = reply.send(Answer {
                outcome,
                _others: Self::default(),
            });
        }
    }
}

/// Answers everybody, through the first of them.
pub(crate) fn answer(mut all: Vec<(oneshot::Sender<Answer>, Outcome)>) {
    if let Some((reply, outcome)) = all.pop() {
        let _ = reply.send(Answer {
            outcome,
            _others: Others(all),
        });
    }
}

/// How the writer is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Finish what waits, leave the mark of a clean close.
    Clean,
    /// Drop everything where it is, as a crash would. For tests.
    Crash,
}

#[derive(Default)]
struct Waiting {
    requests: Vec<Request>,
    asleep: bool,
    ending: Option<Ending>,
    stopped: Option<String>,
}

/// The queue.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

impl Queue {
    /// Hands an append to the writer, unless the store has stopped.
    pub(crate) fn push(&self, request: Request) -> Result<(), StoreError> {
        let mut waiting = self.waiting.lock();
        if let Some(reason) = &waiting.stopped {
            return Err(StoreError::Stopped(reason.clone()));
        }
        waiting.requests.push(request);
        if waiting.asleep {
            waiting.asleep = false;
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Everything that waits; sleeps until there is something. The ending comes when nothing waits.
    pub(crate) fn take(&self, into: &mut Vec<Request>) -> Option<Ending> {
        let mut waiting = self.waiting.lock();
        loop {
            if waiting.ending == Some(Ending::Crash) || waiting.requests.is_empty() {
                if let Some(ending) = waiting.ending {
                    return Some(ending);
                }
            }
            if !waiting.requests.is_empty() {
                std::mem::swap(&mut waiting.requests, into);
                return None;
            }
            waiting.asleep = true;
            self.wake.wait(&mut waiting);
            waiting.asleep = false;
        }
    }

    /// Takes no more appends; those waiting are dropped, which their callers see.
    pub(crate) fn stop(&self, reason: &str) -> Vec<Request> {
        let mut waiting = self.waiting.lock();
        waiting.stopped.get_or_insert_with(|| reason.to_owned());
        std::mem::take(&mut waiting.requests)
    }

    /// Tells the writer to end.
    pub(crate) fn end(&self, ending: Ending) {
        let mut waiting = self.waiting.lock();
        waiting
            .stopped
            .get_or_insert_with(|| "it is closed".to_owned());
        waiting.ending.get_or_insert(ending);
        waiting.asleep = false;
        self.wake.notify_one();
    }
}
