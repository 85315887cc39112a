//! What the server sends by itself: numbered as far as it is plainly the next event of ours.
//!
//! Owns when the feed is asked for, believed and given up. It must never judge: over anything that does
//! not fit, and over silence where somebody was promised an event, it leaves the word to a page. An
//! event that the server left out of what it sends is found at the next event of its stream, by whoever
//! appended it, and by every reader, since readers compare pages with what is numbered.

use super::super::feed::Feed;
use super::super::names::Named;
use super::super::numbering::folded;
use super::super::pages::Found;
use super::settings::hazard_in;
use super::{Batch, Follower, PAGE_EVENTS};
use crate::store::StoreError;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// So often in a row somebody may wait for an event in vain, then the feed is no good.
const LATE_MAX: u32 = 3;
/// However busy the feed is, a page is looked at this often: it begins with the last event known.
const CHECK: Duration = Duration::from_secs(1);
/// Before a feed that ended is asked for again: this, then longer each time it is of no use.
const FEED_PAUSE: Duration = Duration::from_millis(250);
const FEED_PAUSE_MAX: Duration = Duration::from_secs(30);

/// What the server sends by itself, if it does.
pub(super) struct Sent {
    feed: Option<Feed>,
    /// How often in a row somebody waited in vain.
    late: u32,
    /// When it may be asked for again, and how long to wait the next time.
    again: Instant,
    pause: Duration,
}

impl Sent {
    pub(super) fn new() -> Self {
        Self {
            feed: None,
            late: 0,
            again: Instant::now(),
            pause: FEED_PAUSE,
        }
    }

    /// It was of no use: asked for again later.
    fn ended(&mut self) {
        self.feed = None;
        self.late = 0;
        self.again = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(FEED_PAUSE_MAX);
    }

    fn of_use(&mut self) {
        (self.late, self.pause) = (0, FEED_PAUSE);
    }
}

impl Follower {
    /// Nobody counts on what the server sends, until it is asked anew.
    pub(super) fn give_up_feed(&mut self) {
        self.shared.listening.store(false, Ordering::Relaxed);
        self.sent.ended();
    }

    /// Waits until a page should be looked at, and takes what the server sends meanwhile.
    pub(super) async fn listen(&mut self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        if self.sent.feed.is_none()
            && self.sent.again <= Instant::now()
            && let Some(line) = &shared.line
        {
            let place = self.from.or(self.last.map(|row| row.place));
            let feed = Feed::after(line, &shared.names, place, shared.call_timeout);
            self.sent.feed = Some(feed);
        }
        let Some(mut feed) = self.sent.feed.take() else {
            let _ = tokio::time::timeout(shared.poll, shared.wake.notified()).await;
            return Ok(());
        };
        let began = Instant::now();
        let check = began + CHECK;
        let (mut events, mut news) = (Vec::new(), began);
        let quiet = sleep_until((began + shared.poll).min(check));
        tokio::pin!(quiet);
        loop {
            tokio::select! {
                biased;
                more = feed.take(&mut events, PAGE_EVENTS) => {
                    let any = !events.is_empty();
                    if !more || !self.take_sent(&mut events).await? {
                        self.give_up_feed();
                        return Ok(());
                    }
                    if any {
                        news = Instant::now();
                        shared.listening.store(true, Ordering::Relaxed);
                        self.sent.of_use();
                    }
                    if news >= check {
                        break;
                    }
                }
                () = shared.wake.notified() => {
                    if shared.listening.load(Ordering::Relaxed) {
                        self.sent.late += 1;
                    }
                    if self.sent.late >= LATE_MAX {
                        self.give_up_feed();
                        return Ok(());
                    }
                    break;
                }
                () = &mut quiet => {
                    let until = (news + shared.poll).min(check);
                    if until <= Instant::now() {
                        break;
                    }
                    quiet.as_mut().reset(until);
                }
            }
        }
        self.sent.feed = Some(feed);
        Ok(())
    }

    /// Numbers what the server sent; `false`: not all of it is plainly the next event of ours, and a
    /// page must say what it is.
    async fn take_sent(&mut self, events: &mut Vec<Found>) -> Result<bool, StoreError> {
        let mut batch = Batch::default();
        let mut fits = true;
        for event in events.drain(..) {
            fits = if self.last.is_some_and(|last| event.place <= last.place) {
                self.is_known(&event)?
            } else {
                match self.shared.names.read(&event.name) {
                    Named::Other => true,
                    Named::SettingsOf(_) => hazard_in(&event.bytes).is_none(),
                    Named::Strange => false,
                    Named::Ours(stream) => self.number(stream, &event, &mut batch).is_ok(),
                }
            };
            if !fits {
                break;
            }
        }
        if !batch.heads.is_empty() {
            self.from = None;
            self.idle = 0;
        }
        self.keep(batch).await?;
        Ok(fits)
    }

    /// Whether an event that a page was faster with is the one that was numbered.
    fn is_known(&self, event: &Found) -> Result<bool, StoreError> {
        let numbering = &self.shared.numbering;
        let Some(position) = numbering.find(event.place, 0)? else {
            return Ok(!matches!(
                self.shared.names.read(&event.name),
                Named::Ours(_)
            ));
        };
        let row = numbering.get(position)?;
        Ok(row.is_some_and(|row| {
            row.id == folded(event.id) && u64::from(row.revision) == event.revision
        }))
    }
}
