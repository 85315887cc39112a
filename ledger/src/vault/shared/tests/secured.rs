//! TLS to the shared vault's database, whose certificate a private authority has signed.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

async fn reach(address: &str, authority: Option<&str>) -> Result<SharedSlots, VaultError> {
    let place = SharedVault::new(address, None, authority.map(str::as_bytes))?;
    place.slots(LAYOUT, check(1)).await
}

/// Whether the connection is secured, by the database's own word.
async fn secured(slots: &SharedSlots) -> bool {
    let client = slots.pool.get().await.unwrap();
    let asked = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    client.query_one(asked, &[]).await.unwrap().get(0)
}

/// Why the database is not used.
fn refused(answer: Result<SharedSlots, VaultError>) -> String {
    match answer.err() {
        Some(VaultError::Remote { message, .. }) => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_is_believed_by_its_certificate() {
    let ours = authority("Ours");
    let key = KeyPair::generate().unwrap();
    let certificate = params("127.0.0.1").signed_by(&key, &ours).unwrap();
    let server = Postgres::start();
    let certificate = server.put("server.pem", &certificate.pem());
    let key = server.put("server.key", &key.serialize_pem());
    let port = free_port();
    let open = format!("-c listen_addresses=127.0.0.1 -c port={port}");
    server.crash();
    server.restart_with(&format!(
        "{open} -c ssl=on -c ssl_cert_file={} -c ssl_key_file={}",
        certificate.display(),
        key.display()
    ));
    let address = format!("postgres://idledger@127.0.0.1:{port}/idledger");
    let ca = ours.pem();
    assert!(secured(&reach(&address, Some(&ca)).await.unwrap()).await);
    // Well-known authorities, another, and another of the same name.
    let (other, namesake) = (authority("Other").pem(), authority("Ours").pem());
    for wrong in [None, Some(&other), Some(&namesake)] {
        let says = refused(reach(&address, wrong.map(String::as_str)).await);
        assert!(says.contains("invalid peer certificate"), "{says}");
    }
    let elsewhere = address.replace("127.0.0.1", "localhost");
    let says = refused(reach(&elsewhere, Some(&ca)).await);
    assert!(says.contains("invalid peer certificate"), "{says}");
    let garbled = reach(&address, Some("no certificate")).await.err();
    assert!(matches!(garbled, Some(VaultError::Address { .. })));

    // Whoever names an authority wants TLS, also on this machine.
    server.crash();
    server.restart_with(&open);
    let says = refused(reach(&address, Some(&ca)).await);
    assert!(says.contains("TLS"), "{says}");
    assert!(!secured(&reach(&address, None).await.unwrap()).await);
}
