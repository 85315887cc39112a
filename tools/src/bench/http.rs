//! Load over HTTP on loopback: keep-alive connections, one request at a time each.
//!
//! The client shares the machine with the server, for the service and for the bare handler alike.

use anyhow::{Context, bail};
use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use core::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Connections at once.
const CONNECTIONS: usize = 32;
/// Longest head of a response, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Responses a second for paths asked in turn.
pub async fn load(
    address: SocketAddr,
    paths: Arc<Vec<String>>,
    time: Duration,
) -> anyhow::Result<f64> {
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let paths = Arc::clone(&paths);
        tasks.spawn(async move {
            let mut client = Client::connect(address).await?;
            let mut done = 0_u64;
            for path in paths.iter().cycle().skip(connection * 7) {
                if started.elapsed() >= time {
                    break;
                }
                client.get(path).await?;
                done += 1;
            }
            anyhow::Ok(done)
        });
    }
    let mut done = 0;
    while let Some(result) = tasks.join_next().await {
        done += result.context("a client ended")??;
    }
    Ok(done as f64 / started.elapsed().as_secs_f64())
}

/// A handler that returns these bytes and does nothing else; where it listens.
pub async fn bare(body: Bytes, content_type: &'static str) -> anyhow::Result<SocketAddr> {
    let app = Router::new().route(
        "/{*any}",
        get(move || async move { ([(CONTENT_TYPE, content_type)], body) }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

/// One keep-alive connection.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("connecting")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(HEAD_BYTES_MAX),
        })
    }

    /// The body of a response with status 200.
    pub async fn get(&mut self, path: &str) -> anyhow::Result<Vec<u8>> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let head = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            if self.buffer.len() > HEAD_BYTES_MAX {
                bail!("the response's head is too long");
            }
            self.more().await?;
        };
        let text = String::from_utf8_lossy(self.buffer.get(..head).unwrap_or_default());
        if !text.starts_with("HTTP/1.1 200") {
            bail!("{}", text.lines().next().unwrap_or_default());
        }
        let length: usize = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, value)| value.trim().parse().ok())
            .context("no content-length")?;
        while self.buffer.len() < head + length {
            self.more().await?;
        }
        Ok(self
            .buffer
            .get(head..head + length)
            .unwrap_or_default()
            .to_vec())
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
