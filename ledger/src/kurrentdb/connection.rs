//! One client, kept usable.
//!
//! The client reconnects by itself while it can; when it once fails to find a node it closes for
//! good, and this file makes a new one. It bounds every call in time, because the client only tells
//! the server of a deadline and waits for ever if nobody answers; it runs every call as a task of its
//! own, because the client panics over answers that lack a field. It owns what the client's errors
//! mean. It must never show a credential: they go with each call and stand in no setting.

use super::address::Address;
use crate::remote::ServerFault;
use crate::store::StoreError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use kurrentdb::{Authentication, Client, ClientSettings, Error, GrpcConnectionError};
use parking_lot::Mutex;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tonic::metadata::{Ascii, MetadataValue};
use zeroize::Zeroizing;

/// Longest message taken over from the server, in characters.
const MESSAGE_CHARS_MAX: usize = 200;
/// Longest credentials, in bytes.
pub const CREDENTIALS_BYTES_MAX: usize = 1024;

/// Who we are to the server.
#[derive(Clone)]
pub struct Credentials(Zeroizing<String>);

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

impl Credentials {
    /// From `user:password`, as it stands in a file or the environment; one line break at the end
    /// does not count. `None`: not of this form.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        let (user, _) = text.split_once(':')?;
        let good = !user.is_empty()
            && text.len() <= CREDENTIALS_BYTES_MAX
            && !text.chars().any(char::is_control);
        good.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    fn authentication(&self) -> Authentication {
        let (user, password) = self.0.split_once(':').unwrap_or((&self.0, ""));
        kurrentdb::Credentials::new(user.to_owned(), password.to_owned()).into()
    }

    /// The same as a header, which no log shows.
    pub(super) fn header(&self) -> Option<MetadataValue<Ascii>> {
        let encoded = Zeroizing::new(BASE64.encode(self.0.as_bytes()));
        let text = Zeroizing::new(format!("Basic {}", *encoded));
        let mut header = MetadataValue::try_from(text.as_str()).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

/// What became of a call, when it did not succeed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The client's error.
    Client(Error),
    /// No answer in time.
    Slow,
    /// The client has panicked: over an answer that cannot be right.
    Panicked,
    /// No client can be made: a file of certificates is gone, for example.
    NoClient,
}

/// Ends a call's task when nobody waits for it any more.
pub(super) struct Ended<T>(pub(super) JoinHandle<T>);

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A client with one thread of its own. It leaves a task behind for ever, which ends with the thread.
/// And it lets the system hold small packets back (Nagle): with its tasks on several threads a
/// request's first bytes may leave alone and the rest wait 40 ms for a delayed acknowledgement; on
/// one thread all of a request is written in one go.
struct Own {
    client: Client,
    made: Instant,
    threads: Option<Runtime>,
}

impl Own {
    fn spawn<T, Fut>(&self, work: Fut) -> Result<JoinHandle<T>, Trouble>
    where
        T: Send + 'static,
        Fut: Future<Output = T> + Send + 'static,
    {
        let threads = self.threads.as_ref().ok_or(Trouble::NoClient)?;
        Ok(threads.spawn(work))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

/// A client that cannot connect is given up once it is this old, so that the cluster is asked for
/// its leader again; one that was answered by nobody in time, later.
const GIVE_UP_LOST: Duration = Duration::from_millis(200);
const GIVE_UP_SLOW: Duration = Duration::from_secs(10);

/// The connection to the server or cluster.
pub(super) struct Connection {
    settings: ClientSettings,
    credentials: Option<Credentials>,
    held: Mutex<Option<Arc<Own>>>,
}

impl Connection {
    /// Prepares a connection; nothing is sent yet.
    pub(super) fn new(
        address: &Address,
        credentials: Option<Credentials>,
    ) -> Result<Self, StoreError> {
        if credentials.is_some() && !address.tls() && !address.is_this_machine() {
            return Err(server(
                ServerFault::Address,
                "credentials would cross the network in plain text: use TLS",
            ));
        }
        // Whoever comes first chooses for the process; the client would take the other one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = address
            .for_client()
            .parse::<ClientSettings>()
            // Its error repeats the whole string.
            .map_err(|_| server(ServerFault::Address, "the client does not understand it"))?;
        Ok(Self {
            settings,
            credentials,
            held: Mutex::new(None),
        })
    }

    /// Who we are, for the options of a call.
    pub(super) fn authentication(&self) -> Option<Authentication> {
        self.credentials.as_ref().map(Credentials::authentication)
    }

    /// Calls the server, for at most `timeout`.
    pub(super) async fn call<T, F, Fut>(&self, timeout: Duration, work: F) -> Result<T, Trouble>
    where
        T: Send + 'static,
        F: FnOnce(Client) -> Fut,
        Fut: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let own = self.client()?;
        let task = own.spawn(work(own.client.clone()))?;
        self.outcome(&own, Instant::now() + timeout, task).await
    }

    /// Calls the server and works on what it sends, for at most `timeout` together. The work is done
    /// where the caller is: the client's one thread has enough to do with the network.
    pub(super) async fn call_then<S, T, Ask, Asked, Work, Worked>(
        &self,
        timeout: Duration,
        ask: Ask,
        work: Work,
    ) -> Result<T, Trouble>
    where
        S: Send + 'static,
        T: Send + 'static,
        Ask: FnOnce(Client) -> Asked,
        Asked: Future<Output = Result<S, Error>> + Send + 'static,
        Work: FnOnce(S) -> Worked,
        Worked: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let until = Instant::now() + timeout;
        let own = self.client()?;
        let task = own.spawn(ask(own.client.clone()))?;
        let sent = self.outcome(&own, until, task).await?;
        self.outcome(&own, until, tokio::spawn(work(sent))).await
    }

    /// What becomes of a call's task until a time.
    async fn outcome<T>(
        &self,
        own: &Arc<Own>,
        until: Instant,
        task: JoinHandle<Result<T, Error>>,
    ) -> Result<T, Trouble> {
        let mut task = Ended(task);
        match tokio::time::timeout_at(until, &mut task.0).await {
            Err(_) => {
                self.give_up(own, GIVE_UP_SLOW);
                Err(Trouble::Slow)
            }
            Ok(Err(_)) => Err(Trouble::Panicked),
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(error))) => {
                match error {
                    // It has closed, and never opens again.
                    Error::ConnectionClosed | Error::GrpcConnectionError(_) => {
                        self.give_up(own, Duration::ZERO);
                    }
                    // It would go on asking the same node, whatever became of it.
                    Error::ServerError(_) => self.give_up(own, GIVE_UP_LOST),
                    _ => {}
                }
                Err(Trouble::Client(error))
            }
        }
    }

    fn client(&self) -> Result<Arc<Own>, Trouble> {
        let mut held = self.held.lock();
        if let Some(own) = &*held {
            return Ok(Arc::clone(own));
        }
        let make = || {
            let threads = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("event-server")
                .enable_all()
                .build()
                .ok()?;
            let handle = threads.handle().clone();
            let client = Client::with_runtime_handle(handle, self.settings.clone()).ok()?;
            Some(Own {
                client,
                made: Instant::now(),
                threads: Some(threads),
            })
        };
        // The client panics over files it cannot read.
        let tried = catch_unwind(AssertUnwindSafe(make));
        let own = Arc::new(tried.ok().flatten().ok_or(Trouble::NoClient)?);
        *held = Some(Arc::clone(&own));
        Ok(own)
    }

    /// A client is no good any more, if it is at least so old.
    fn give_up(&self, own: &Arc<Own>, age: Duration) {
        let mut held = self.held.lock();
        if own.made.elapsed() >= age && held.as_ref().is_some_and(|held| Arc::ptr_eq(held, own)) {
            *held = None;
        }
    }
}

impl Trouble {
    /// Whether the request certainly did not change anything, although it failed.
    pub(super) fn is_before_any_write(&self) -> bool {
        match self {
            Self::NoClient => true,
            Self::Slow | Self::Panicked => false,
            Self::Client(error) => match error {
                // Said by a node that did not take it, or never sent at all.
                Error::NotLeaderException(_)
                | Error::ConnectionClosed
                | Error::GrpcConnectionError(_)
                | Error::AccessDenied
                | Error::ResourceNotFound
                | Error::ResourceDeleted
                | Error::UnsupportedFeature
                | Error::WrongExpectedVersion { .. }
                | Error::InitializationError(_) => true,
                Error::Grpc { code, .. } => is_rejection(*code as i32),
                Error::ServerError(text) => is_unsent(text),
                _ => false,
            },
        }
    }

    /// Whether trying again can help.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::Client(error) => match error {
                Error::AccessDenied
                | Error::UnsupportedFeature
                | Error::ResourceDeleted
                | Error::WrongExpectedVersion { .. } => false,
                Error::Grpc { code, .. } => !is_rejection(*code as i32),
                other => !matches!(fault_of(other).0, ServerFault::Tls),
            },
            Self::Slow | Self::Panicked | Self::NoClient => true,
        }
    }
}

/// No connection came about: nothing was sent on it.
fn is_unsent(text: &str) -> bool {
    text.to_ascii_lowercase().contains("client error (connect)")
}

/// `InvalidArgument`, `FailedPrecondition` and `OutOfRange`: refused before anything was done.
const fn is_rejection(code: i32) -> bool {
    matches!(code, 3 | 9 | 11)
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Slow => server(ServerFault::Slow, "a call"),
            Trouble::Panicked => server(ServerFault::Answer, "the client could not read it"),
            Trouble::NoClient => server(ServerFault::Tls, "certificates cannot be read"),
            Trouble::Client(error) => {
                let (fault, message) = fault_of(&error);
                server(fault, &message)
            }
        }
    }
}

/// A server fault as the store's error.
pub(super) fn server(fault: ServerFault, message: &str) -> StoreError {
    StoreError::Server {
        fault,
        message: message.to_owned(),
    }
}

fn fault_of(error: &Error) -> (ServerFault, String) {
    let plain = |fault, text: &str| (fault, shortened(text));
    match error {
        Error::ServerError(text) => (fault_in(text, ServerFault::Lost), shortened(text)),
        Error::GrpcConnectionError(GrpcConnectionError::Grpc(text)) => {
            (fault_in(text, ServerFault::Unreachable), shortened(text))
        }
        Error::GrpcConnectionError(GrpcConnectionError::MaxDiscoveryAttemptReached(_)) => {
            plain(ServerFault::NoLeader, "no node could be found")
        }
        Error::NotLeaderException(_) => {
            plain(ServerFault::NoLeader, "the node is not the leader any more")
        }
        Error::ConnectionClosed => plain(ServerFault::Lost, "the client had closed"),
        Error::AccessDenied => plain(ServerFault::Denied, "user, password or rights"),
        Error::DeadlineExceeded => plain(ServerFault::Slow, "its own deadline passed"),
        Error::UnsupportedFeature => plain(ServerFault::TooOld, "a call is not known there"),
        Error::Grpc { message, .. } if message.to_ascii_lowercase().contains("append size") => {
            plain(ServerFault::TooBig, message)
        }
        other => plain(ServerFault::Answer, &other.to_string()),
    }
}

/// What the text of an error speaks of; the client keeps nothing but the text.
fn fault_in(text: &str, otherwise: ServerFault) -> ServerFault {
    let text = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&[
        "certificate",
        "invalidcontenttype",
        "corrupt message",
        "handshake",
        "tls",
        "frame with invalid size",
        "invalid http version",
    ]) {
        ServerFault::Tls
    } else if is_unsent(&text)
        || has(&[
            "connection refused",
            "dns error",
            "tcp connect",
            "unreachable",
        ])
    {
        ServerFault::Unreachable
    } else if has(&["not ready", "leader"]) {
        ServerFault::NoLeader
    } else {
        otherwise
    }
}

/// The first words of a message, without what follows tonic's own, and without control characters.
fn shortened(text: &str) -> String {
    let text = text.split(", details:").next().unwrap_or_default();
    text.chars()
        .filter(|letter| !letter.is_control())
        .take(MESSAGE_CHARS_MAX)
        .collect()
}

/// What an attempt needs at least; with less, its own end would say nothing about the server.
const ATTEMPT: Duration = Duration::from_millis(100);

/// Waits longer each time, up to a limit.
pub(super) struct Backoff(Duration);

impl Backoff {
    /// Starts with a short wait.
    pub(super) const fn new() -> Self {
        Self(Duration::from_millis(10))
    }

    /// Waits before the next attempt; `false`: there is no time for one before `until`.
    pub(super) async fn wait(&mut self, until: Instant) -> bool {
        let next = Instant::now() + self.0;
        if next + ATTEMPT > until {
            return false;
        }
        tokio::time::sleep_until(next).await;
        self.0 = (self.0 * 2).min(Duration::from_millis(500));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_and_never_shown() {
        for (text, good) in [
            ("ops:changeit", true),
            ("ops:change:it\n", true),
            ("ops:", true),
            (":x", false),
            ("ops", false),
            ("", false),
            ("ops:a\nb", false),
        ] {
            let read = Credentials::parse(text);
            assert_eq!(read.is_some(), good, "{text}");
            assert!(!format!("{read:?}").contains("change"));
        }
        let read = Credentials::parse("ops:change:it\n").unwrap();
        let wanted = kurrentdb::Credentials::new("ops", "change:it");
        assert_eq!(read.authentication(), wanted.into());
        assert!(Credentials::parse(&format!("a:{}", "x".repeat(2000))).is_none());
    }

    #[test]
    fn plain_text_carries_no_credentials_over_a_network() {
        let connect = |address: &str| {
            let address = Address::parse(address).unwrap();
            let credentials = Credentials::parse("ops:changeit");
            Connection::new(&address, credentials).err()
        };
        assert_eq!(connect("esdb://localhost?tls=false"), None);
        assert_eq!(connect("esdb://node.example"), None);
        let refused = connect("esdb://node.example?tls=false");
        let fault = ServerFault::Address;
        assert!(matches!(refused, Some(StoreError::Server { fault: f, .. }) if f == fault));
    }

    #[test]
    fn every_error_of_the_client_has_a_meaning() {
        let text = |text: &str| Error::ServerError(text.to_owned());
        let cases = [
            (
                text("status: Unavailable, message: \"tcp connect error\", details: [secret]"),
                ServerFault::Unreachable,
            ),
            (
                text("invalid peer certificate: UnknownIssuer"),
                ServerFault::Tls,
            ),
            (
                text("received corrupt message of type InvalidContentType"),
                ServerFault::Tls,
            ),
            (text("Server Is Not Ready"), ServerFault::NoLeader),
            (text("h2 protocol error: stream closed"), ServerFault::Lost),
            (Error::AccessDenied, ServerFault::Denied),
            (Error::DeadlineExceeded, ServerFault::Slow),
            (Error::UnsupportedFeature, ServerFault::TooOld),
            (Error::ConnectionClosed, ServerFault::Lost),
            (
                Error::GrpcConnectionError(GrpcConnectionError::MaxDiscoveryAttemptReached(3)),
                ServerFault::NoLeader,
            ),
        ];
        for (error, wanted) in cases {
            let error = StoreError::from(Trouble::Client(error));
            let StoreError::Server { fault, message } = &error else {
                panic!("{error}");
            };
            assert_eq!(*fault, wanted, "{error}");
            assert!(!message.contains("secret"));
        }
        assert!(!Trouble::Slow.is_before_any_write());
        assert!(!Trouble::Client(text("x")).is_before_any_write());
        assert!(Trouble::Client(Error::AccessDenied).is_before_any_write());
    }
}
