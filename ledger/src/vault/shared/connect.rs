//! Connections to the shared vault's database: where it is, who is believed, what it must promise.
//!
//! Owns no connection. Never repeats an address or a password in an error.

use super::tries::{GIVE_UP_AFTER, words};
use crate::vault::VaultError;
use core::time::Duration;
use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime,
};
use std::sync::Arc;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Connections of one server: each waits for one commit at a time.
const CONNECTIONS: usize = 16;
/// Connections as [`super::SharedVault::new`] says.
pub(super) fn pool(
    address: &str,
    password: Option<&str>,
    authority: Option<&[u8]>,
) -> Result<Pool, VaultError> {
    // The parser's own words may repeat the address.
    let unusable = |reason| VaultError::Address { reason };
    let mut config: Config = address
        .parse()
        .map_err(|_| unusable("it is no PostgreSQL address"))?;
    if config.get_hosts().is_empty() {
        return Err(unusable("it names no host"));
    }
    if let Some(password) = password {
        config.password(password);
    }
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    config.application_name("idledger");
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(3));
    }
    let hosts = config.get_hosts();
    let named = authority.is_some() && hosts.iter().all(|host| matches!(host, Host::Tcp(_)));
    if named || !hosts.iter().all(is_here) {
        config.ssl_mode(SslMode::Require);
    }
    let tls = MakeRustlsConnect::new(tls(authority)?);
    let manager = Manager::from_config(
        config,
        tls,
        ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        },
    );
    Pool::builder(manager)
        .max_size(CONNECTIONS)
        .wait_timeout(Some(GIVE_UP_AFTER))
        .runtime(Runtime::Tokio1)
        .post_create(Hook::async_fn(|client, _| {
            Box::pin(async move { make_durable(client).await.map_err(HookError::message) })
        }))
        .build()
        .map_err(|_| unusable("no connections can be prepared"))
}

/// What is committed must be safe, whatever the database's settings say.
async fn make_durable(client: &ClientWrapper) -> Result<(), String> {
    let asked = "SELECT current_setting('fsync'), current_setting('full_page_writes'), \
                 current_setting('synchronous_commit')";
    let row = client.query_one(asked, &[]).await;
    let row = row.map_err(|error| words(&error))?;
    let setting = |column| row.try_get::<_, String>(column).unwrap_or_default();
    if setting(0) != "on" || setting(1) != "on" {
        let losing =
            "the database runs without fsync or full_page_writes: a crash loses what it answered";
        return Err(losing.into());
    }
    if setting(2) == "off" {
        let on = client.batch_execute("SET synchronous_commit = on").await;
        on.map_err(|error| words(&error))?;
    }
    Ok(())
}

/// A socket, or this machine's own addresses: nobody listens in between.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            let address: Result<core::net::IpAddr, _> = name.parse();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn tls(authority: Option<&[u8]>) -> Result<rustls::ClientConfig, VaultError> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    let unusable = |reason| VaultError::Address { reason };
    let mut roots = rustls::RootCertStore::empty();
    match authority {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| unusable("its authority is no PEM"))?;
                let added = roots.add(certificate);
                added.map_err(|_| unusable("its authority is no certificate"))?;
            }
        }
    }
    if roots.is_empty() {
        return Err(unusable("its authority is empty"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| unusable("TLS is not to be had"))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
