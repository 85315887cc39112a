//! Appends on their way to the writer's thread.
//!
//! Owns the hand-over and its bound: what waits is limited by bytes, and who comes later waits
//! asynchronously. A wake-up costs a system call only when the other side sleeps, and the answers of
//! a batch cost one: a task inside the callers' runtime gets them all and passes them on.

use crate::store::{AppendError, Appended, Expected, NewRecord, StoreError};
use domain::ids::StreamId;
use parking_lot::{Condvar, Mutex};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

/// One append, waiting.
pub(crate) struct Request {
    pub stream: StreamId,
    pub expected: Expected,
    pub records: Vec<NewRecord>,
    pub reply: oneshot::Sender<Outcome>,
    /// Its share of the bytes that may wait.
    pub _space: OwnedSemaphorePermit,
}

/// What an append comes to.
pub(crate) type Outcome = Result<Appended, AppendError>;

/// Who waits for which outcome; everybody is told when this is dropped, wherever that happens.
#[derive(Default)]
pub(crate) struct Answers(pub Vec<(oneshot::Sender<Outcome>, Outcome)>);

impl Drop for Answers {
    fn drop(&mut self) {
        for (reply, outcome) in self.0.drain(..) {
            // Whoever asked may have gone; the append stands all the same.
            let _ = reply.send(outcome);
        }
    }
}

/// Passes answers on inside a runtime, where waking a task needs no system call.
async fn relay(mut answers: mpsc::UnboundedReceiver<Answers>) {
    while let Some(answers) = answers.recv().await {
        drop(answers);
    }
}

/// Starts a relay in the current runtime, if that one runs by itself: a runtime of one thread
/// stands still while nobody blocks on it, and others may be waiting too.
fn start_relay() -> Option<mpsc::UnboundedSender<Answers>> {
    let runtime = Handle::try_current().ok()?;
    if runtime.runtime_flavor() != RuntimeFlavor::MultiThread {
        return None;
    }
    let (sender, receiver) = mpsc::unbounded_channel();
    runtime.spawn(relay(receiver));
    Some(sender)
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
    relay: Option<mpsc::UnboundedSender<Answers>>,
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
        if waiting
            .relay
            .as_ref()
            .is_none_or(mpsc::UnboundedSender::is_closed)
        {
            waiting.relay = start_relay();
        }
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
            if let Some(ending) = waiting.ending
                && (ending == Ending::Crash || waiting.requests.is_empty())
            {
                return Some(ending);
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

    /// Tells everybody.
    pub(crate) fn answer(&self, answers: Answers) {
        let relay = self.waiting.lock().relay.clone();
        if let Some(relay) = relay.filter(|_| answers.0.len() > 1) {
            // A relay that has ended gives the answers back, and dropping them tells everybody.
            let _ = relay.send(answers);
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
