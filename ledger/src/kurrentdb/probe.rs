//! Why no connection came about: the client keeps the cause to itself, so the host is asked once more.
//!
//! Used after opening has failed, to tell an operator more; it decides nothing. Sends the first bytes
//! of HTTP/2 and nothing else.

use super::address::Address;
use crate::remote::ServerFault;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long each step may take.
const STEP: Duration = Duration::from_secs(1);
/// What every HTTP/2 client begins with, and settings of nothing.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// What seems to be wrong with the hosts; `None`: nothing more is known.
pub(super) async fn look(address: &Address) -> Option<(ServerFault, &'static str)> {
    let mut answer = None;
    for (host, port) in address.hosts() {
        let place = format!("{host}:{port}");
        let Ok(Ok(stream)) = timeout(STEP, TcpStream::connect(place)).await else {
            answer.get_or_insert((ServerFault::Unreachable, "no host can be connected to"));
            continue;
        };
        return if address.tls() {
            Some((
                ServerFault::Tls,
                "a host answers, but not with a certificate that is trusted for its name",
            ))
        } else {
            greet(stream).await
        };
    }
    answer
}

async fn greet(mut stream: TcpStream) -> Option<(ServerFault, &'static str)> {
    timeout(STEP, stream.write_all(PREFACE)).await.ok()?.ok()?;
    let mut first = [0; 5];
    let read = timeout(STEP, stream.read(&mut first)).await.ok()?;
    match (read, first) {
        // A TLS alert, or the end: it wants to be greeted in another way.
        (Ok(0) | Err(_), _) | (Ok(_), [0x15, 0x03, ..]) => {
            Some((ServerFault::Tls, "a host answers, but not in plain text"))
        }
        (Ok(_), [b'H', b'T', b'T', b'P', ..]) => Some((
            ServerFault::TooOld,
            "a host answers in HTTP/1: that is no event server's port",
        )),
        _ => None,
    }
}
