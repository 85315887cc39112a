//! Reports: read at one position, between two batches.

use super::Views;
use crate::digest::ProjectionDigest;
use crate::error::ViewError;
use crate::report::{self, Month, Monthly, Quality};
use crate::serving::{Order, Reading};
use crate::statistics;
use crate::view::ViewStore;
use domain::ids::{AreaCode, LocalDay};
use domain::law::LawBook;
use std::sync::Arc;
use tokio::sync::oneshot;

impl Views {
    /// How good the linked data of an area (`None`: of every area) are at the end of a day. `book`: the
    /// law, for the age at which data are stale.
    pub async fn quality(
        &self,
        area: Option<AreaCode>,
        as_of: LocalDay,
        book: LawBook,
    ) -> Result<Quality, ViewError> {
        self.at_rest(statistics::NAME, move |view, digest| {
            report::quality(view, digest, area, as_of, &book)
        })
        .await
    }

    /// A month of an area (`None`: of every area), up to a day of it.
    pub async fn monthly(
        &self,
        area: Option<AreaCode>,
        month: Month,
        as_of: Option<LocalDay>,
    ) -> Result<Monthly, ViewError> {
        self.at_rest(statistics::NAME, move |view, digest| {
            report::monthly(view, digest, area, month, as_of)
        })
        .await
    }

    /// Reads a projection's rows at one position.
    async fn at_rest<T: Send + 'static>(
        &self,
        name: &str,
        read: impl Fn(&dyn ViewStore, &ProjectionDigest) -> Result<T, ViewError> + Send + Sync + 'static,
    ) -> Result<T, ViewError> {
        let slot = self.slot(name)?;
        let read = Arc::new(read);
        let reading = |reply: oneshot::Sender<Result<T, ViewError>>| -> Reading {
            let read = Arc::clone(&read);
            // Whoever asked may have gone.
            Box::new(move |view, digest| drop(reply.send(read(view, digest))))
        };
        let (reply, mut answer) = oneshot::channel();
        if slot.inbox.order(Order::Read(reading(reply))) {
            return answer.await.map_err(|_| ViewError::Closed)?;
        }
        // Its thread has ended, or is about to: then it says so.
        slot.watermark.ended().await;
        let (reply, now) = oneshot::channel();
        answer = now;
        slot.read(reading(reply));
        answer.await.map_err(|_| ViewError::Closed)?
    }
}
