//! Why no connection came about: the client keeps the cause to itself, so the host is asked once more.
//!
//! Used after opening has failed, to tell an operator more; it decides nothing. Shakes hands, sends the
//! first bytes of HTTP/2 and nothing else.

use super::address::Address;
use crate::remote::ServerFault;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, ClientConnection, RootCertStore};
use std::io::{Read as _, Write as _};
use std::sync::Arc;
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
            let (address, host) = (address.clone(), host.clone());
            let shaken = tokio::task::spawn_blocking(move || {
                shake(&address, &host, stream.into_std().ok()?)
            });
            shaken.await.ok()?.map(|says| (ServerFault::Tls, says))
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

/// Shakes hands as the client does; what is wrong with that, if anything is. Blocks for a few steps.
fn shake(address: &Address, host: &str, mut tcp: std::net::TcpStream) -> Option<&'static str> {
    const UNUSABLE: &str = "the certificates or the key named for it cannot be read";
    tcp.set_nonblocking(false).ok()?;
    tcp.set_read_timeout(Some(STEP)).ok()?;
    tcp.set_write_timeout(Some(STEP)).ok()?;
    let Some(mut config) = settings(address) else {
        return Some(UNUSABLE);
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).ok()?;
    let mut connection = ClientConnection::new(Arc::new(config), name).ok()?;
    let mut shaken = rustls::Stream::new(&mut connection, &mut tcp);
    let mut first = [0; 1];
    // A server that misses a certificate of ours says so only after the handshake.
    let error = match shaken
        .write_all(PREFACE)
        .and_then(|()| shaken.read(&mut first))
    {
        Ok(1..) => return None,
        Ok(0) => return Some("a host answers, and hangs up on a secure connection"),
        Err(error) => error,
    };
    let inner = error.get_ref();
    let Some(inner) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return Some("a host answers, but not in TLS");
    };
    Some(match inner {
        rustls::Error::InvalidCertificate(error) => match error {
            // A namesake of the authority has signed, or nobody here knows of.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "a host answers, but no authority that is trusted here has signed its certificate"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "a host answers, but its certificate is for another name"
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => {
                "a host answers, but its certificate is not valid at this time"
            }
            _ => "a host answers, but its certificate cannot be used",
        },
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::UnknownCA
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied,
        ) => "a host answers, but wants to see a certificate of ours (`userCertFile`), or another",
        rustls::Error::InvalidMessage(_) => "a host answers, but not in TLS",
        _ => "a host answers, but no secure connection to it comes about",
    })
}

/// As the client is set, but for authorities that nobody named: the well-known ones.
fn settings(address: &Address) -> Option<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match address.said("tlsCaFile") {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            for certificate in CertificateDer::pem_file_iter(path).ok()? {
                roots.add(certificate.ok()?).ok()?;
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots);
    match (address.said("userCertFile"), address.said("userKeyFile")) {
        (Some(certificate), Some(key)) => {
            let chain = CertificateDer::pem_file_iter(certificate).ok()?;
            let chain = chain.collect::<Result<Vec<_>, _>>().ok()?;
            let key = PrivateKeyDer::from_pem_file(key).ok()?;
            config.with_client_auth_cert(chain, key).ok()
        }
        _ => Some(config.with_no_client_auth()),
    }
}
