//! New events as the server sends them by itself, so that an append's number is known about when its
//! answer is here.
//!
//! A hint and nothing else: whoever takes from it takes only what is plainly the next event, and reads
//! a page over anything else. Owns what was asked for; nobody is sent more than fits the connection's
//! window while nobody takes it.

use super::line::Line;
use super::names::Names;
use super::numbering::LogPlace;
use super::pages::{Found, PAGE_BYTES_MAX};
use super::wire::{Answer, Recorded, Request};
use futures_util::FutureExt as _;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tonic::Status;
use tonic::codec::Streaming;

/// What the server sends.
pub(super) struct Feed(Stage);

type Opening = dyn Future<Output = Option<Streaming<Answer>>> + Send;

enum Stage {
    Opening(Pin<Box<Opening>>),
    Open(Box<Streaming<Answer>>),
}

impl Feed {
    /// Everything of ours that comes after a place. Nothing is waited for yet.
    pub(super) fn after(
        line: &Line,
        names: &Names,
        place: Option<LogPlace>,
        timeout: Duration,
    ) -> Self {
        let prefixes = [names.prefix(), names.settings_prefix()].map(str::to_owned);
        let (line, request) = (line.clone(), Request::new(place, prefixes.into(), None));
        let opening = async move {
            let asked = tokio::time::timeout(timeout, line.read(request))
                .await
                .ok()?;
            let refused = |status: &Status| {
                tracing::debug!(code = ?status.code(), "the event server sends nothing by itself");
            };
            asked.inspect_err(refused).ok()
        };
        Self(Stage::Opening(Box::pin(opening)))
    }

    /// Waits for events and takes those that are there, at most `most`; `false`: no more will come.
    /// Nothing is lost when it is not waited for to its end.
    pub(super) async fn take(&mut self, events: &mut Vec<Found>, most: usize) -> bool {
        let answers = match &mut self.0 {
            Stage::Open(answers) => answers,
            Stage::Opening(opening) => {
                let Some(answers) = opening.await else {
                    return false;
                };
                self.0 = Stage::Open(Box::new(answers));
                return true;
            }
        };
        let (mut answer, mut bytes) = (answers.message().await, 0_usize);
        // From the first event on nothing is waited for.
        loop {
            match answer {
                Ok(Some(Answer { event: None })) => {}
                Ok(Some(Answer { event: Some(sent) })) => {
                    let Some(found) = sent.event.and_then(Recorded::found) else {
                        return false;
                    };
                    bytes = bytes.saturating_add(found.bytes.len());
                    events.push(found);
                }
                // It will be said again.
                Ok(None) | Err(_) => return !events.is_empty(),
            }
            if events.len() >= most || bytes > PAGE_BYTES_MAX {
                return true;
            }
            answer = match answers.message().now_or_never() {
                Some(answer) => answer,
                None => return true,
            };
        }
    }
}
