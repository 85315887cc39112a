use super::*;
use crate::conformance::{self, Fixture, record, stream};
use crate::memory::Memory;

/// A client that asks again when it is not told how an append went.
struct Persistent(Faulty);

impl EventStore for Persistent {
    fn append(
        &self,
        stream: StreamId,
        expected: Expected,
        records: Vec<NewRecord>,
    ) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            loop {
                match self.0.append(stream, expected, records.clone()).await {
                    Err(AppendError::Uncertain(_) | AppendError::Failed(StoreError::Io { .. })) => {
                    }
                    answer => return answer,
                }
            }
        })
    }

    fn stream_head(
        &self,
        stream: StreamId,
    ) -> BoxFuture<'_, Result<Option<StreamHead>, StoreError>> {
        self.0.stream_head(stream)
    }

    fn read_stream(
        &self,
        stream: StreamId,
        from: Revision,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>> {
        self.0.read_stream(stream, from, limit)
    }

    fn read_all(
        &self,
        from: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>> {
        self.0.read_all(from, limit)
    }

    fn length(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.0.length()
    }

    fn wait_beyond(&self, seen: u64) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.0.wait_beyond(seen)
    }
}

struct Seeds(u64);

impl Fixture for Seeds {
    fn fresh(&mut self) -> Arc<dyn EventStore> {
        self.0 += 1;
        let faults = Faults {
            fails: 100,
            uncertain_written: 100,
            uncertain_lost: 100,
            twice: 100,
            yields_max: 3,
        };
        Arc::new(Persistent(Faulty::new(
            Arc::new(Memory::new()),
            self.0,
            faults,
        )))
    }

    fn reopen(&mut self, _: Arc<dyn EventStore>) -> Option<Arc<dyn EventStore>> {
        None
    }
}

#[tokio::test]
async fn who_asks_again_does_not_notice_the_faults() {
    conformance::all(&mut Seeds(0)).await;
}

#[tokio::test]
async fn the_same_seed_makes_the_same_faults_and_each_is_what_it_says() {
    let chosen = Faults {
        fails: 200,
        uncertain_written: 200,
        uncertain_lost: 200,
        twice: 200,
        yields_max: 0,
    };
    let mut runs = Vec::new();
    for _ in 0..2 {
        let memory: Arc<dyn EventStore> = Arc::new(Memory::new());
        let faulty = Faulty::new(Arc::clone(&memory), 42, chosen);
        let mut outcomes = Vec::new();
        for n in 0..300 {
            let before = memory.length().await.unwrap();
            let outcome = faulty
                .append(stream(n), Expected::NoStream, vec![record(n, 9)])
                .await;
            let written = memory.length().await.unwrap() - before;
            match outcome {
                Ok(_) => assert_eq!(written, 1, "once, even when asked twice"),
                Err(AppendError::Failed(_)) => assert_eq!(written, 0),
                Err(AppendError::Uncertain(_)) => assert!(written <= 1),
                Err(ref error) => panic!("{error}"),
            }
            outcomes.push((outcome, written));
        }
        let unsure = |wanted| {
            let hit = |(outcome, written): &&(_, u64)| {
                matches!(outcome, Err(AppendError::Uncertain(_))) && *written == wanted
            };
            outcomes.iter().filter(hit).count()
        };
        assert!(unsure(0) > 20 && unsure(1) > 20, "both kinds happen");
        runs.push(outcomes);
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn after_a_crash_nothing_answers_until_a_restart() {
    for (when, kept) in [(CrashWhen::Before, 2), (CrashWhen::After, 3)] {
        let faulty = Faulty::new(Arc::new(Memory::new()), 1, Faults::default());
        faulty.crash_at(2, when);
        for n in 0..2 {
            faulty
                .append(stream(n), Expected::NoStream, vec![record(n, 9)])
                .await
                .unwrap();
        }
        let last = faulty
            .append(stream(2), Expected::NoStream, vec![record(2, 9)])
            .await;
        assert!(matches!(last, Err(AppendError::Uncertain(_))));
        assert!(faulty.crashed());
        let later = faulty
            .append(stream(3), Expected::NoStream, vec![record(3, 9)])
            .await;
        assert!(matches!(
            later,
            Err(AppendError::Failed(StoreError::Stopped(_)))
        ));
        assert!(faulty.length().await.is_err());
        assert_eq!(faulty.restart().length().await, Ok(kept));
    }
}
