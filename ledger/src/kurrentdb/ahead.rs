//! What comes next, read before it is asked for: somebody who reads everything goes on where they ended.
//!
//! One read of the server's log is kept open from call to call, and the events are on their way while
//! the ones before are worked on. Owns how much is held (a few pages for each of a few readers) and for
//! how long. Never judges: what it has is compared with the numbering like any page, and over whatever
//! does not fit, or fails, whoever reads asks anew.

use super::connection::Ended;
use super::line::Line;
use super::names::Names;
use super::numbering::LogPlace;
use super::pages::Found;
use super::wire::{Answer, Recorded, Request};
use parking_lot::Mutex;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::consume_budget;
use tokio::time::Instant;
use tonic::codec::Streaming;

/// Most readers that something is held for.
const READERS_MAX: usize = 2;
/// Most events of a page, and the bytes of records after which it ends.
const PAGE_EVENTS: usize = 256;
const PAGE_BYTES: usize = 2 * 1024 * 1024;
/// Most pages that wait for a reader.
const PAGES_MAX: usize = 2;
/// A reader that does not come for so long has no more held for them.
const IDLE: Duration = Duration::from_secs(1);
/// Longest that one read of the server's log is kept open.
const OPEN_MAX: Duration = Duration::from_mins(1);

/// What somebody will come for.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    /// The position of the first event.
    pub next: u64,
    /// Where it stands on the server.
    pub first: LogPlace,
    /// Where the one before it stands: it is read too, so that nothing can hide between.
    pub before: Option<LogPlace>,
    /// How many.
    pub count: u64,
}

/// What is held for one reader.
pub(super) struct Ahead {
    /// The position of the next event, if it is the one that is numbered there.
    next: u64,
    before: Option<LogPlace>,
    taken: std::vec::IntoIter<Found>,
    pages: mpsc::Receiver<Vec<Found>>,
    left: Instant,
    _task: Ended<()>,
}

impl Ahead {
    /// Begins to read.
    pub(super) fn start(line: &Line, names: &Names, wanted: Wanted) -> Self {
        let count = u64::from(wanted.before.is_some()).saturating_add(wanted.count);
        let from = wanted.before.unwrap_or(wanted.first);
        let request = Request::new(Some(from), vec![names.prefix().to_owned()], Some(count));
        let (line, (sender, pages)) = (line.clone(), mpsc::channel(PAGES_MAX));
        let task = tokio::spawn(async move {
            // Whoever reads asks anew over a failure, and hears of it then.
            let reading = async {
                if let Ok(answers) = line.read(request).await {
                    read_on(answers, sender).await;
                }
            };
            let _ = tokio::time::timeout(OPEN_MAX, reading).await;
        });
        Self {
            next: wanted.next,
            before: wanted.before,
            taken: Vec::new().into_iter(),
            pages,
            left: Instant::now(),
            _task: Ended(task),
        }
    }

    /// The next event, waited for until a time; `None`: it must be asked for.
    pub(super) async fn next(&mut self, until: Instant) -> Option<Found> {
        loop {
            if let Some(event) = self.taken.next() {
                if self.before.take() == Some(event.place) {
                    continue;
                }
                self.next = self.next.saturating_add(1);
                return Some(event);
            }
            let page = tokio::time::timeout_at(until, self.pages.recv()).await;
            self.taken = page.ok()??.into_iter();
        }
    }
}

/// Reads until the end, a failure, or until nobody comes any more.
async fn read_on(mut answers: Streaming<Answer>, pages: mpsc::Sender<Vec<Found>>) {
    loop {
        let (mut page, mut bytes, mut end) = (Vec::new(), 0_usize, false);
        while page.len() < PAGE_EVENTS && bytes < PAGE_BYTES {
            // Others go over the same thread.
            consume_budget().await;
            let event = match answers.message().await {
                Ok(Some(Answer { event: Some(sent) })) => sent.event.and_then(Recorded::found),
                Ok(Some(Answer { event: None })) => continue,
                Ok(None) | Err(_) => None,
            };
            let Some(event) = event else {
                end = true;
                break;
            };
            bytes = bytes.saturating_add(event.bytes.len());
            page.push(event);
        }
        let sent = page.is_empty() || pages.send_timeout(page, IDLE).await.is_ok();
        if end || !sent {
            return;
        }
    }
}

/// Who may come again.
#[derive(Default)]
pub(super) struct Held(Mutex<Vec<Ahead>>);

impl Held {
    /// What is held for somebody who reads on from a position.
    pub(super) fn take(&self, next: u64) -> Option<Ahead> {
        self.tidy(Instant::now());
        let mut held = self.0.lock();
        let at = held.iter().position(|ahead| ahead.next == next)?;
        Some(held.swap_remove(at))
    }

    /// Holds on to it.
    pub(super) fn put(&self, mut ahead: Ahead) {
        ahead.left = Instant::now();
        let mut held = self.0.lock();
        if held.len() >= READERS_MAX {
            held.remove(0);
        }
        held.push(ahead);
    }

    /// Lets go of what nobody came for.
    pub(super) fn tidy(&self, now: Instant) {
        let mut held = self.0.lock();
        held.retain(|ahead| now.saturating_duration_since(ahead.left) < IDLE);
    }

    /// Lets go of everything.
    pub(super) fn end(&self) {
        self.0.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ids::EventId;

    fn event(commit: u64) -> Found {
        Found {
            name: bytes::Bytes::new(),
            revision: 0,
            id: EventId([0; 16]),
            place: LogPlace {
                commit,
                prepare: commit,
            },
            kind: String::new(),
            link: None,
            bytes: bytes::Bytes::new(),
        }
    }

    fn ahead(next: u64, before: Option<u64>, pages: mpsc::Receiver<Vec<Found>>) -> Ahead {
        Ahead {
            next,
            before: before.map(|commit| event(commit).place),
            taken: Vec::new().into_iter(),
            pages,
            left: Instant::now(),
            _task: Ended(tokio::spawn(async {})),
        }
    }

    #[tokio::test]
    async fn what_is_held_is_held_for_who_comes_at_its_place_and_in_time() {
        let held = Held::default();
        for next in [10, 20, 30] {
            held.put(ahead(next, None, mpsc::channel(1).1));
        }
        assert!(held.take(10).is_none(), "the oldest made room");
        assert!(held.take(21).is_none());
        assert!(held.take(20).is_some());
        assert!(held.take(20).is_none());
        let soon = Instant::now();
        held.tidy(soon);
        assert_eq!(held.0.lock().len(), 1);
        held.tidy(soon + IDLE);
        assert_eq!(held.0.lock().len(), 0);
    }

    #[tokio::test]
    async fn the_event_before_is_left_out_once_and_nothing_else_is() {
        let until = Instant::now() + Duration::from_mins(1);
        for (first, wanted) in [(5, [6, 7]), (6, [6, 7])] {
            let (sender, pages) = mpsc::channel(2);
            let mut ahead = ahead(3, Some(5), pages);
            let page = (first..8).map(event).collect();
            sender.try_send(page).unwrap();
            drop(sender);
            for place in wanted {
                assert_eq!(ahead.next(until).await.unwrap().place, event(place).place);
            }
            assert_eq!(ahead.next, 5);
            assert!(ahead.next(until).await.is_none());
        }
    }
}
