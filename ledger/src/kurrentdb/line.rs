//! A connection of our own to the leader, for long reads of everything: what is new, and what is read ahead.
//!
//! When a server ends a subscription politely, client 1.2.0 asks the ended stream again for ever, within
//! one poll: no abort, no timeout and no closed connection reaches it there. So new events are asked
//! for over this line; and so is what is read ahead, where the client would make a map and strings of
//! each event that nobody looks at. Everything that is judged alone (pages) and every write goes over
//! the client. It connects to the hosts of the address in turn and goes where a node says that the
//! leader is. Believes whom the client believes and shows the same credentials, never in plain text over
//! a network. Owns the connection: what is asked for ends when its answers are dropped.

use super::address::{Address, HOSTS_MAX, is_this_machine};
use super::connection::Credentials;
use super::wire::{Answer, READ, Request};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;
use tonic::Status;
use tonic::client::Grpc;
use tonic::codec::{ProstCodec, Streaming};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

/// Most nodes asked before it is given up: each of an address, and some detours to a leader.
const NODES_ASKED_MAX: usize = HOSTS_MAX + 4;
/// What the server may send ahead of being taken, in bytes: what is held for somebody who is slow.
const WINDOW_BYTES: u32 = 1024 * 1024;
/// Largest answer, in bytes; the server refuses larger events when they are written.
const ANSWER_BYTES_MAX: usize = 17 * 1024 * 1024;
/// A connection that says nothing is asked whether it still stands this often, and given up as long after.
const STILL_THERE: Duration = Duration::from_secs(10);

/// The way to the server.
#[derive(Clone)]
pub(super) struct Line {
    hosts: Vec<(String, u16)>,
    tls: Option<Files>,
    name: Option<String>,
    credentials: Option<Credentials>,
}

/// Whom to believe, and who we are.
#[derive(Clone)]
struct Files {
    authority: Option<PathBuf>,
    ours: Option<(PathBuf, PathBuf)>,
}

impl Files {
    /// Reads them. Blocks.
    fn read(&self) -> std::io::Result<ClientTlsConfig> {
        let mut config = ClientTlsConfig::new();
        config = match &self.authority {
            None => config.with_native_roots(),
            Some(path) => config.ca_certificate(Certificate::from_pem(std::fs::read(path)?)),
        };
        if let Some((certificate, key)) = &self.ours {
            let identity = Identity::from_pem(std::fs::read(certificate)?, std::fs::read(key)?);
            config = config.identity(identity);
        }
        Ok(config)
    }
}

impl Line {
    /// `None`: certificates are not to be looked at, which only the client does.
    pub(super) fn new(address: &Address, credentials: Option<Credentials>) -> Option<Self> {
        let path = |name| address.said(name).map(PathBuf::from);
        if address.said("tlsVerifyCert") == Some("false") {
            return None;
        }
        let tls = address.tls().then(|| Files {
            authority: path("tlsCaFile"),
            ours: path("userCertFile").zip(path("userKeyFile")),
        });
        Some(Self {
            hosts: address.hosts().to_vec(),
            tls,
            name: address.said("connectionName").map(str::to_owned),
            credentials,
        })
    }

    /// Asks the leader.
    pub(super) async fn read(&self, request: Request) -> Result<Streaming<Answer>, Status> {
        let mut ahead: VecDeque<_> = self.hosts.clone().into();
        let mut last = Status::unavailable("no host");
        for _ in 0..NODES_ASKED_MAX {
            let Some((host, port)) = ahead.pop_front() else {
                break;
            };
            match self.ask(&host, port, request.clone()).await {
                Ok(answers) => return Ok(answers),
                Err(status) => {
                    let leader = leader_in(status.metadata());
                    ahead.extend(leader.filter(|(host, _)| self.may_be_told(host)));
                    last = status;
                }
            }
        }
        Err(last)
    }

    /// Credentials cross no network in plain text, wherever a node says that the leader is.
    fn may_be_told(&self, host: &str) -> bool {
        self.credentials.is_none() || self.tls.is_some() || is_this_machine(host)
    }

    async fn ask(
        &self,
        host: &str,
        port: u16,
        request: Request,
    ) -> Result<Streaming<Answer>, Status> {
        let failed = |error: &dyn std::fmt::Display| Status::unavailable(error.to_string());
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let endpoint = Endpoint::from_shared(format!("{scheme}://{host}:{port}"))
            .map_err(|error| failed(&error))?
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .http2_keep_alive_interval(STILL_THERE)
            .keep_alive_timeout(STILL_THERE)
            .keep_alive_while_idle(true);
        let endpoint = match self.tls.clone() {
            None => endpoint,
            Some(files) => {
                // Reads files, the system's among them.
                let secured = tokio::task::spawn_blocking(move || {
                    let config = files.read().map_err(|error| error.to_string())?;
                    endpoint
                        .tls_config(config)
                        .map_err(|error| error.to_string())
                });
                let secured = secured.await.map_err(|error| failed(&error))?;
                secured.map_err(|error| failed(&error))?
            }
        };
        let channel = endpoint.connect().await.map_err(|error| failed(&error))?;
        let mut grpc = Grpc::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
        grpc.ready().await.map_err(|error| failed(&error))?;
        let mut request = tonic::Request::new(request);
        self.sign(request.metadata_mut());
        let codec = ProstCodec::<Request, Answer>::default();
        let answers = grpc.server_streaming(request, PathAndQuery::from_static(READ), codec);
        Ok(answers.await?.into_inner())
    }

    fn sign(&self, words: &mut MetadataMap) {
        words.insert("requires-leader", MetadataValue::from_static("true"));
        let credentials = self.credentials.as_ref();
        if let Some(header) = credentials.and_then(Credentials::header) {
            words.insert("authorization", header);
        }
        let name = self.name.as_ref();
        if let Some(Ok(name)) = name.map(|name| name.parse()) {
            words.insert("connection-name", name);
        }
    }
}

/// Where a node that is not the leader says that it is.
fn leader_in(words: &MetadataMap) -> Option<(String, u16)> {
    let word = |name: &str| words.get(name)?.to_str().ok();
    if word("exception") != Some("not-leader") {
        return None;
    }
    let port = word("leader-endpoint-port")?.parse().ok()?;
    Some((word("leader-endpoint-host")?.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(address: &str) -> Option<Line> {
        let address = Address::parse(address).unwrap();
        Line::new(&address, Credentials::parse("ops:changeit"))
    }

    #[test]
    fn the_leader_is_where_a_node_says() {
        let mut words = MetadataMap::new();
        for (name, value) in [
            ("leader-endpoint-host", "10.0.0.3"),
            ("leader-endpoint-port", "2113"),
        ] {
            words.insert(name, MetadataValue::from_static(value));
        }
        assert_eq!(leader_in(&words), None);
        words.insert("exception", MetadataValue::from_static("not-leader"));
        assert_eq!(leader_in(&words), Some(("10.0.0.3".to_owned(), 2113)));
        words.insert("leader-endpoint-port", MetadataValue::from_static("99999"));
        assert_eq!(leader_in(&words), None);
    }

    #[test]
    fn credentials_follow_no_hint_in_plain_text_over_a_network() {
        let plain = line("esdb://localhost?tls=false").unwrap();
        assert!(plain.may_be_told("127.0.0.1"));
        assert!(plain.may_be_told("localhost"));
        assert!(!plain.may_be_told("10.0.0.3"));
        let secured = line("esdb://node.example").unwrap();
        assert!(secured.may_be_told("10.0.0.3"));
    }

    #[test]
    fn certificates_that_nobody_looks_at_are_the_clients_business() {
        assert!(line("esdb://localhost?tlsVerifyCert=false").is_none());
        assert!(line("esdb://localhost?tlsVerifyCert=true").is_some());
    }

    #[test]
    fn a_request_says_who_asks() {
        let mut words = MetadataMap::new();
        let address = "esdb://localhost?tls=false&connectionName=node 1";
        line(address).unwrap().sign(&mut words);
        let word = |name: &str| words.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(word("requires-leader"), Some("true"));
        assert_eq!(word("authorization"), Some("Basic b3BzOmNoYW5nZWl0"));
        assert_eq!(word("connection-name"), Some("node 1"));
        assert!(!format!("{words:?}").contains("b3Bz"));
    }
}
