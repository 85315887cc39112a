//! Public files over HTTP: checkpoints and tiles of a log, from any web server.
//!
//! Nothing is signed and nothing is believed: whoever asks checks what comes. Limits on time and size. A
//! server that says it is asked too often is asked again when it says.

use crate::http::{CallError, PeerError};
use crate::link::Link;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, RETRY_AFTER};
use std::time::Duration;

/// Longest that one answer may take.
const TIME_MAX: Duration = Duration::from_secs(30);
/// How often a file is asked for while the server is too busy.
const TRIES_MAX: u32 = 10;
/// Longest wait between two tries, in seconds, whatever the server says.
const WAIT_S_MAX: u64 = 30;

/// Files below one address.
pub struct Files(Link);

impl Files {
    /// Below `base`, as `https://log.example/prefix/`.
    pub fn new(base: &str) -> Result<Self, PeerError> {
        Ok(Self(Link::public(base)?))
    }

    /// One file of at most `limit` bytes. Any status but 200 is [`CallError::Status`].
    pub async fn get(&self, name: &str, limit: usize) -> Result<Bytes, CallError> {
        let mut tries = 1;
        loop {
            let (status, headers, body) = self.ask(name, limit).await?;
            match status {
                200 => return Ok(body),
                429 | 503 if tries < TRIES_MAX => {
                    tokio::time::sleep(wait(&headers)).await;
                    tries += 1;
                }
                status => return Err(CallError::Status(status)),
            }
        }
    }

    async fn ask(&self, name: &str, limit: usize) -> Result<(u16, HeaderMap, Bytes), CallError> {
        let uri = self.0.uri(&self.0.target(&format!("/{name}")));
        let request = Request::get(uri).body(Full::default());
        let request = request.map_err(|_| CallError::Request)?;
        let sent = tokio::time::timeout(TIME_MAX, self.0.send(request, limit)).await;
        let (parts, body) = sent.unwrap_or(Err(CallError::TimedOut))?;
        Ok((parts.status.as_u16(), parts.headers, body))
    }
}

/// `Retry-After` in seconds (RFC 9110, 10.2.3), a second where it says nothing that is understood.
fn wait(headers: &HeaderMap) -> Duration {
    let said = headers.get(RETRY_AFTER).and_then(|said| said.to_str().ok());
    let seconds = said.and_then(|said| said.parse().ok()).unwrap_or(1);
    Duration::from_secs(u64::min(seconds, WAIT_S_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    /// Answers one request after the other with these, and hangs up after each.
    fn server(answers: Vec<&'static str>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/log", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = [0; 1024];
                let length = stream.read(&mut asked).unwrap();
                assert!(asked[..length].starts_with(b"GET /log/tile/0/000 "));
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        address
    }

    const BUSY: &str = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    const GONE: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn a_busy_server_is_asked_again_and_no_other() {
        let get = |answers| async move {
            let files = Files::new(&server(answers)).unwrap();
            files.get("tile/0/000", 10).await
        };
        assert_eq!(get(vec![BUSY, BUSY, GOOD]).await.unwrap(), "ok");
        assert_eq!(get(vec![GONE]).await, Err(CallError::Status(404)));
        let always = vec![BUSY; TRIES_MAX as usize];
        assert_eq!(get(always).await, Err(CallError::Status(429)));
        let files = Files::new(&server(vec![GOOD])).unwrap();
        assert_eq!(files.get("tile/0/000", 1).await, Err(CallError::Malformed));
    }

    #[test]
    fn no_server_makes_us_wait_for_ever() {
        let mut headers = HeaderMap::new();
        assert_eq!(wait(&headers), Duration::from_secs(1));
        for (said, seconds) in [("3", 3), ("99999999", 30), ("-1", 1), ("soon", 1)] {
            headers.insert(RETRY_AFTER, said.parse().unwrap());
            assert_eq!(wait(&headers), Duration::from_secs(seconds), "{said}");
        }
    }
}
