//! TLS to the event server: whom the engine believes, what it shows of itself, and what it says when that is not enough.

use crate::engine::{fill, options};
use idledger_tests::peer::{Peer, Settings};
use ledger::conformance::read_everything;
use ledger::kurrentdb::Kurrent;
use ledger::remote::ServerFault;
use ledger::store::StoreError;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// A private authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
struct Paper {
    certificate: String,
    key: String,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn sign(&self, params: &CertificateParams) -> Paper {
        let key = KeyPair::generate().unwrap();
        Paper {
            certificate: params.signed_by(&key, &self.0).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    fn sign_for(&self, name: &str) -> Paper {
        self.sign(&params(name))
    }
}

/// A server with a certificate; `users`: whose users it lets in, if it wants to see any.
async fn server(paper: &Paper, users: Option<&Authority>) -> Peer {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match users {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.0.der().clone()).unwrap();
            let roots = Arc::new(roots);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = CertificateDer::pem_slice_iter(paper.certificate.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(paper.key.as_bytes()).unwrap();
    let chain = chain.collect::<Result<_, _>>().unwrap();
    let mut tls = builder.with_single_cert(chain, key).unwrap();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    Peer::start(Settings {
        tls: Some(Arc::new(tls)),
        ..Settings::default()
    })
    .await
}

/// What an operator is told when the store cannot be opened.
async fn told(url: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(url, dir.path());
    options.call_timeout = Duration::from_secs(5);
    match Kurrent::open(options).await.err() {
        Some(StoreError::Server {
            fault: ServerFault::Tls,
            message,
        }) => message,
        other => panic!("{url}: {other:?}"),
    }
}

/// Writes, loses every connection, writes again and reads all of it.
async fn works(peer: &Peer, url: &str) {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Kurrent::open(options(url, dir.path())).await.unwrap();
    fill(&store, 0..20).await;
    // What the server sends by itself is asked for as securely.
    peer.followed(1).await;
    peer.restart(0).await;
    fill(&store, 20..30).await;
    peer.followed(2).await;
    assert_eq!(read_everything(&store, 7).await.len(), 30);
    store.close().await;
}

fn put(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_believed_by_its_certificate_and_every_doubt_has_its_own_words() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, other) = (Authority::new("Ours"), Authority::new("Other"));
    let ca = put(dir.path(), "ca.pem", &ours.0.pem());
    let wrong = put(dir.path(), "wrong.pem", &other.0.pem());
    let namesake = put(dir.path(), "namesake.pem", &Authority::new("Ours").0.pem());

    let good = server(&ours.sign_for("127.0.0.1"), None).await;
    works(&good, &format!("{}&tlsCaFile={ca}", good.url())).await;
    let untrusted = "no authority that is trusted here";
    for url in [
        good.url(),
        format!("{}&tlsCaFile={wrong}", good.url()),
        format!("{}&tlsCaFile={namesake}", good.url()),
    ] {
        let says = told(&url).await;
        assert!(says.contains(untrusted), "{url}: {says}");
    }
    let garbled = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let garbled = put(dir.path(), "garbled.pem", garbled);
    let says = told(&format!("{}&tlsCaFile={garbled}", good.url())).await;
    assert!(says.contains("cannot be read"), "{says}");

    let elsewhere = server(&ours.sign_for("events.example"), None).await;
    let says = told(&format!("{}&tlsCaFile={ca}", elsewhere.url())).await;
    assert!(says.contains("for another name"), "{says}");

    let mut late = params("127.0.0.1");
    late.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let expired = server(&ours.sign(&late), None).await;
    let says = told(&format!("{}&tlsCaFile={ca}", expired.url())).await;
    assert!(says.contains("not valid at this time"), "{says}");

    let plain = Peer::single().await;
    let url = plain.url().replace("tls=false", "tls=true");
    let says = told(&format!("{url}&tlsCaFile={ca}")).await;
    assert!(says.contains("not in TLS"), "{says}");
    let url = good.url().replace("tls=true", "tls=false");
    let says = told(&url).await;
    assert!(says.contains("not in plain text"), "{says}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_wants_a_users_certificate_is_shown_one() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, users) = (Authority::new("Ours"), Authority::new("Users"));
    let ca = put(dir.path(), "ca.pem", &ours.0.pem());
    let guarded = server(&ours.sign_for("127.0.0.1"), Some(&users)).await;
    let as_user = |name: &str, paper: &Paper| {
        let certificate = put(dir.path(), &format!("{name}.pem"), &paper.certificate);
        let key = put(dir.path(), &format!("{name}.key"), &paper.key);
        format!(
            "{}&tlsCaFile={ca}&userCertFile={certificate}&userKeyFile={key}",
            guarded.url()
        )
    };
    works(&guarded, &as_user("idledger", &users.sign_for("idledger"))).await;
    let stranger = as_user("stranger", &ours.sign_for("idledger"));
    for url in [format!("{}&tlsCaFile={ca}", guarded.url()), stranger] {
        let says = told(&url).await;
        assert!(says.contains("a certificate of ours"), "{url}: {says}");
    }
    // A key that is not the certificate's.
    let mixed = Paper {
        key: ours.sign_for("idledger").key,
        ..users.sign_for("idledger")
    };
    let says = told(&as_user("mixed", &mixed)).await;
    assert!(says.contains("cannot be read"), "{says}");
}
