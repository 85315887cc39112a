//! How far a projection is visible, and waiting for it: read-your-writes.

use crate::error::ViewError;
use domain::ids::Position;
use std::time::Duration;
use tokio::sync::watch;

/// What can be waited for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Mark {
    /// How many events are visible.
    pub(crate) visible: u64,
    /// Why there will be no more for now.
    pub(crate) halted: Option<(u64, String)>,
    /// Whether nobody moves it any more.
    pub(crate) closed: bool,
}

/// How far one projection is visible.
#[derive(Debug)]
pub(crate) struct Watermark {
    name: &'static str,
    mark: watch::Sender<Mark>,
}

impl Watermark {
    pub(crate) fn new(name: &'static str, visible: u64) -> Self {
        Self {
            name,
            mark: watch::Sender::new(Mark {
                visible,
                ..Mark::default()
            }),
        }
    }

    /// How many events are visible.
    pub(crate) fn visible(&self) -> u64 {
        self.mark.borrow().visible
    }

    /// Resolves when nobody moves it any more.
    pub(crate) async fn ended(&self) {
        // An error means that it is gone, which is an end as well.
        let _ = self.mark.subscribe().wait_for(|mark| mark.closed).await;
    }

    /// Moves it and wakes whoever waits.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Mark)) {
        self.mark.send_modify(change);
    }

    /// Resolves when the event at `position` is visible.
    pub(crate) async fn wait(
        &self,
        position: Position,
        timeout: Duration,
    ) -> Result<(), ViewError> {
        let mut marks = self.mark.subscribe();
        let reached =
            |mark: &Mark| mark.visible > position.0 || mark.halted.is_some() || mark.closed;
        let mark = match tokio::time::timeout(timeout, marks.wait_for(reached)).await {
            Ok(Ok(mark)) => mark.clone(),
            Ok(Err(_)) => return Err(ViewError::Closed),
            Err(_) => {
                return Err(ViewError::Timeout {
                    position: position.0,
                });
            }
        };
        if mark.visible > position.0 {
            return Ok(());
        }
        match mark.halted {
            Some((position, reason)) => Err(ViewError::Halted {
                view: self.name.to_owned(),
                position,
                reason,
            }),
            None => Err(ViewError::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn it_resolves_when_the_position_is_visible_and_not_before() {
        let watermark = Watermark::new("test", 3);
        assert_eq!(watermark.wait(Position(2), Duration::ZERO).await, Ok(()));
        let early = watermark.wait(Position(3), Duration::from_millis(5)).await;
        assert_eq!(early, Err(ViewError::Timeout { position: 3 }));
        let (waited, ()) = tokio::join!(watermark.wait(Position(3), LONG), async {
            watermark.set(|mark| mark.visible = 4);
        });
        assert_eq!(waited, Ok(()));
    }

    #[tokio::test]
    async fn a_halt_wakes_only_those_who_would_wait_in_vain() {
        let watermark = Watermark::new("test", 3);
        watermark.set(|mark| mark.halted = Some((3, "poison".to_owned())));
        assert_eq!(watermark.wait(Position(2), LONG).await, Ok(()));
        let halted = ViewError::Halted {
            view: "test".to_owned(),
            position: 3,
            reason: "poison".to_owned(),
        };
        assert_eq!(watermark.wait(Position(9), LONG).await, Err(halted));
        watermark.set(|mark| (mark.halted, mark.closed) = (None, true));
        assert_eq!(
            watermark.wait(Position(9), LONG).await,
            Err(ViewError::Closed)
        );
    }
}
