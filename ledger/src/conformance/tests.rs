use super::*;
use crate::memory::Memory;
use crate::segments::{Options, Segments};
use tempfile::TempDir;

struct InMemory;

impl Fixture for InMemory {
    fn fresh(&mut self) -> Arc<dyn EventStore> {
        Arc::new(Memory::new())
    }

    fn reopen(&mut self, _: Arc<dyn EventStore>) -> Option<Arc<dyn EventStore>> {
        None
    }
}

/// Segments on a real disk, small enough that every test goes through several.
struct OnDisk {
    options: Options,
    dirs: Vec<TempDir>,
}

impl OnDisk {
    fn open(&self) -> Arc<dyn EventStore> {
        let dir = self.dirs.last().unwrap().path();
        Arc::new(Segments::open(dir, self.options).unwrap().0)
    }
}

impl Fixture for OnDisk {
    fn fresh(&mut self) -> Arc<dyn EventStore> {
        self.dirs.push(tempfile::tempdir().unwrap());
        Segments::create(self.dirs.last().unwrap().path(), self.options).unwrap();
        self.open()
    }

    fn reopen(&mut self, store: Arc<dyn EventStore>) -> Option<Arc<dyn EventStore>> {
        assert_eq!(Arc::strong_count(&store), 1);
        drop(store);
        Some(self.open())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_conforms() {
    all(&mut InMemory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn segments_conform() {
    let options = Options {
        segment_bytes: 256 * 1024,
        ..Options::default()
    };
    all(&mut OnDisk {
        options,
        dirs: Vec::new(),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn segments_without_an_index_on_disk_conform() {
    let options = Options {
        segment_bytes: 256 * 1024,
        spare_ahead: false,
        index_on_disk: false,
    };
    all(&mut OnDisk {
        options,
        dirs: Vec::new(),
    })
    .await;
}
