//! Stands between a client and a PostgreSQL server, and cuts connections: before a message arrives, or
//! before anybody hears of its answer.
#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "it is test code"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

/// How many messages may still pass, in either direction; below zero: all.
type Left = Arc<AtomicI64>;

/// A socket in a directory of its own.
pub struct Cutter {
    directory: tempfile::TempDir,
    left: Left,
}

impl Cutter {
    /// Before the server whose socket is in a directory. Cuts nothing until it is told to.
    pub fn before(server: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join(".s.PGSQL.5432")).unwrap();
        let left = Left::new(AtomicI64::new(-1));
        let (counted, server) = (Arc::clone(&left), server.join(".s.PGSQL.5432"));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&server).await.unwrap();
                tokio::spawn(carry(client, server, Arc::clone(&counted)));
            }
        });
        Self { directory, left }
    }

    /// Where its socket is.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Lets so many messages pass and cuts the connection of the next, once.
    pub fn cut_after(&self, messages: u32) {
        self.left.store(i64::from(messages), Ordering::SeqCst);
    }

    /// Whether what was asked for was done.
    pub fn has_cut(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }

    /// Cuts nothing more.
    pub fn rest(&self) {
        self.left.store(-1, Ordering::SeqCst);
    }
}

async fn carry(mut client: UnixStream, mut server: UnixStream, left: Left) {
    let is_last = || {
        let count = |left: i64| (left >= 0).then(|| left - 1);
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count) == Ok(0)
    };
    let (mut asked, mut answered) = ([0; 8192], [0; 8192]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read {
                Ok(length @ 1..) if !is_last() => server.write_all(&asked[..length]).await.unwrap(),
                _ => return,
            },
            read = server.read(&mut answered) => match read {
                Ok(length @ 1..) if !is_last() => {
                    // Who does not listen any more has hung up.
                    if client.write_all(&answered[..length]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}
