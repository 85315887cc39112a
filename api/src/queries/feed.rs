//! The event feed: server-sent events whose id is the position, so that a client that comes back with
//! `Last-Event-ID` goes on exactly where it stopped.
//!
//! One task per feed reads the ledger and fills a bounded channel; whoever does not read for
//! [`crate::config::Config::feed_stall_max`] is disconnected and comes back when they can. Nothing is
//! buffered per feed beyond that channel, whatever the client does.

use super::event::event_body;
use super::{ReadProblems, query, reader};
use crate::auth::table::Read;
use crate::call::{Call, parse_canonical, single};
use crate::problem::{Code, Language, Problem};
use crate::state::Api;
use axum::extract::State;
use axum::http::HeaderName;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use core::convert::Infallible;
use domain::ids::Position;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use utoipa::IntoParams;

/// `Last-Event-ID`.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Events waiting for a client.
const QUEUE: usize = 256;
/// Records read at a time.
const PAGE: usize = 256;

/// Where to begin.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FeedQuery {
    /// First position to send; otherwise only what is recorded from now on. `Last-Event-ID` goes
    /// before it.
    from: Option<u64>,
}

/// Events as they are recorded.
#[utoipa::path(
    get,
    path = "/v1/events/feed",
    tag = "events",
    params(
        FeedQuery,
        ("Last-Event-ID" = Option<u64>, Header, description = "Position of the last event received"),
    ),
    responses(
        (status = 200, content_type = "text/event-stream", body = String,
            description = "`id`: position · `event`: kind · `data`: the event as JSON"),
        ReadProblems,
    ),
)]
pub async fn feed(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    let query: FeedQuery = query(&call)?;
    reader(&api, &call, Read::Ledger, None).await?;
    let place = std::sync::Arc::clone(api.feeds())
        .try_acquire_owned()
        .map_err(|_| Problem::new(Code::TooManySubscribers).retry_after(5))?;
    let from = match single(&call.headers, &LAST_EVENT_ID)? {
        Some(text) => {
            let last: u64 =
                parse_canonical(text).ok_or_else(|| crate::call::header(&LAST_EVENT_ID))?;
            last.saturating_add(1)
        }
        None => match query.from {
            Some(from) => from,
            None => api.ledger().store().length().await?,
        },
    };
    let language = crate::telemetry::language(&call.headers);
    let (sender, receiver) = mpsc::channel(QUEUE);
    let heartbeat = api.config().feed_heartbeat;
    tokio::spawn(follow(api, from, language, sender, place));
    let events = stream::unfold(receiver, |mut receiver| async move {
        let event = receiver.recv().await?;
        Some((Ok::<_, Infallible>(event), receiver))
    });
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::new().interval(heartbeat))
        .into_response())
}

/// Sends until the client is gone or does not read, the server drains, or the store stops.
async fn follow(
    api: Api,
    mut next: u64,
    language: Language,
    sender: mpsc::Sender<Event>,
    place: OwnedSemaphorePermit,
) {
    let mut draining = api.draining();
    api.metrics().feeds().inc();
    let sending = async {
        loop {
            let Ok(page) = api.ledger().store().read_all(Position(next), PAGE).await else {
                return;
            };
            if page.is_empty() {
                // `next` is the length seen: woken when there is more.
                tokio::select! {
                    more = api.ledger().store().wait_beyond(next) => if more.is_err() { return },
                    () = sender.closed() => return,
                }
            }
            for record in page {
                next = record.position.0 + 1;
                let Ok(body) = event_body(&record, language) else {
                    return;
                };
                let Ok(event) = Event::default()
                    .id(record.position.0.to_string())
                    .event(body.kind())
                    .json_data(&body)
                else {
                    return;
                };
                if sender
                    .send_timeout(event, api.config().feed_stall_max)
                    .await
                    .is_err()
                {
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = sending => {}
        _ = draining.wait_for(|draining| *draining) => {}
    }
    api.metrics().feeds().dec();
    drop(place);
}
