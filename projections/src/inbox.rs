//! A short queue between the feed, which is asynchronous, and a lane, which is a thread of its own.

use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use tokio::sync::Semaphore;

/// Batches that may wait for a slow lane; then the feed waits too.
const QUEUED_MAX: usize = 2;

/// A queue with one reader. Batches are bounded; orders are few and are not.
pub(crate) struct Inbox<B, O> {
    queue: Mutex<Queue<B, O>>,
    ready: Condvar,
    space: Semaphore,
}

/// What was taken from an inbox.
pub(crate) enum Message<B, O> {
    /// Something to fold.
    Batch(B),
    /// Something to do.
    Order(O),
}

struct Queue<B, O> {
    messages: VecDeque<Message<B, O>>,
    end: Option<End>,
}

/// How a queue ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// After what is in it.
    Drained,
    /// At once; what is in it is dropped.
    Stopped,
}

impl<B, O> Inbox<B, O> {
    pub(crate) fn new() -> Self {
        let queue = Queue {
            messages: VecDeque::new(),
            end: None,
        };
        Self {
            queue: Mutex::new(queue),
            ready: Condvar::new(),
            space: Semaphore::new(QUEUED_MAX),
        }
    }

    /// Waits for space and adds a batch; `false`: it has ended.
    pub(crate) async fn push(&self, batch: B) -> bool {
        let Ok(permit) = self.space.acquire().await else {
            return false;
        };
        permit.forget();
        self.add(Message::Batch(batch))
    }

    /// Adds an order; `false`: it has ended.
    pub(crate) fn order(&self, order: O) -> bool {
        self.add(Message::Order(order))
    }

    fn add(&self, message: Message<B, O>) -> bool {
        let mut queue = self.queue.lock();
        if queue.end.is_some() {
            return false;
        }
        queue.messages.push_back(message);
        self.ready.notify_one();
        true
    }

    /// Ends it. Stopping overrides draining.
    pub(crate) fn end(&self, end: End) {
        let mut queue = self.queue.lock();
        if end == End::Stopped {
            queue.messages.clear();
            queue.end = Some(end);
        } else {
            queue.end.get_or_insert(end);
        }
        self.space.close();
        self.ready.notify_one();
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&self) -> Option<End> {
        self.queue.lock().end
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.lock().messages.is_empty()
    }

    /// Blocks for the next message; `None`: it has ended.
    pub(crate) fn pop(&self) -> Option<Message<B, O>> {
        let mut queue = self.queue.lock();
        loop {
            if let Some(message) = queue.messages.pop_front() {
                if matches!(message, Message::Batch(_)) {
                    self.space.add_permits(1);
                }
                return Some(message);
            }
            if queue.end.is_some() {
                return None;
            }
            self.ready.wait(&mut queue);
        }
    }
}
