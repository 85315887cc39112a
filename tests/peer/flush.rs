//! A disk for the peer: what is appended waits until as many bytes are on one, as on a real server.
//!
//! Whoever comes while others are written goes together with the next. What was written is never read.

use std::io::Write as _;
use std::sync::mpsc::{Sender, channel};
use tokio::sync::oneshot;

/// Appends on their way to a disk.
pub(super) struct Flush(Sender<(usize, oneshot::Sender<()>)>);

impl Flush {
    /// Starts the thread that writes; it ends with this value.
    pub(super) fn new() -> Self {
        let (sender, appends) = channel::<(usize, oneshot::Sender<()>)>();
        let mut file = tempfile::tempfile().unwrap();
        std::thread::spawn(move || {
            while let Ok(first) = appends.recv() {
                let batch: Vec<_> = std::iter::once(first).chain(appends.try_iter()).collect();
                let bytes = batch.iter().map(|(bytes, _)| bytes).sum();
                file.write_all(&vec![0x5a; bytes]).unwrap();
                file.sync_data().unwrap();
                for (_, done) in batch {
                    let _ = done.send(());
                }
            }
        });
        Self(sender)
    }

    /// Returns when so many bytes more are on the disk.
    pub(super) async fn write(&self, bytes: usize) {
        let (done, written) = oneshot::channel();
        if self.0.send((bytes, done)).is_ok() {
            let _ = written.await;
        }
    }
}
