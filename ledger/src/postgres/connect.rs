//! Connections to a database: where it is, who is believed, what it must promise.
//!
//! Owns no connection. Never repeats an address or a password in an error.

use super::BadAddress;
use super::tries::GIVE_UP_AFTER;
use core::time::Duration;
use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime,
};
use std::sync::Arc;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How a database is reached.
#[derive(Clone, Copy)]
pub(crate) struct Reach<'a> {
    /// `postgres://user@host:port/database`; several hosts may stand there, the one that takes writes
    /// is used.
    pub address: &'a str,
    /// Replaces the one in the address.
    pub password: Option<&'a str>,
    /// Who signed its certificates (PEM); otherwise the well-known ones are believed. Hosts that are
    /// not this machine are reached with TLS only.
    pub authority: Option<&'a [u8]>,
}

fn parse(address: &str) -> Result<Config, BadAddress> {
    // The parser's own words may repeat the address.
    let config: Config = address
        .parse()
        .map_err(|_| BadAddress("it is no PostgreSQL address"))?;
    if config.get_hosts().is_empty() {
        return Err(BadAddress("it names no host"));
    }
    Ok(config)
}

/// Whether two addresses name one database, as far as their words show: a server may have two names.
pub(crate) fn same_database(one: &str, other: &str) -> bool {
    let (Ok(one), Ok(other)) = (parse(one), parse(other)) else {
        return false;
    };
    let places = |config: &Config| {
        let ports = config.get_ports();
        let port = |at| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        let hosts = config.get_hosts().iter().enumerate();
        let named = hosts.map(|(at, host)| match host {
            host if !is_here(host) => format!("{host:?}:{}", port(at)).to_lowercase(),
            // All names of this machine are one, sockets in other directories are not.
            Host::Tcp(_) => format!("here:{}", port(at)),
            #[cfg(unix)]
            Host::Unix(dir) => format!("{}:{}", dir.display(), port(at)),
        });
        named.collect::<Vec<_>>()
    };
    // Without a name it is the user's.
    let name = |config: &Config| {
        let name = config.get_dbname().or(config.get_user());
        name.map(str::to_owned)
    };
    let others = places(&other);
    name(&one) == name(&other) && places(&one).iter().any(|place| others.contains(place))
}

/// Prepares at most so many connections; each waits for one commit at a time.
pub(crate) fn pool(reach: Reach<'_>, connections: usize) -> Result<Pool, BadAddress> {
    let Reach {
        address,
        password,
        authority,
    } = reach;
    let mut config = parse(address)?;
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
        .max_size(connections)
        .wait_timeout(Some(GIVE_UP_AFTER))
        .runtime(Runtime::Tokio1)
        .post_create(Hook::async_fn(|client, _| Box::pin(make_durable(client))))
        .build()
        .map_err(|_| BadAddress("no connections can be prepared"))
}

/// What is committed must be safe, whatever the database's settings say.
async fn make_durable(client: &ClientWrapper) -> Result<(), HookError> {
    let asked = "SELECT current_setting('fsync'), current_setting('full_page_writes'), \
                 current_setting('synchronous_commit')";
    let row = client.query_one(asked, &[]).await;
    let row = row.map_err(HookError::Backend)?;
    let setting = |column| row.try_get::<_, String>(column).unwrap_or_default();
    if setting(0) != "on" || setting(1) != "on" {
        let losing =
            "the database runs without fsync or full_page_writes: a crash loses what it answered";
        return Err(HookError::message(losing));
    }
    if ["off", "local", "remote_write"].contains(&setting(2).as_str()) {
        let on = client.batch_execute("SET synchronous_commit = on").await;
        on.map_err(HookError::Backend)?;
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

fn tls(authority: Option<&[u8]>) -> Result<rustls::ClientConfig, BadAddress> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    match authority {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| BadAddress("its authority is no PEM"))?;
                let added = roots.add(certificate);
                added.map_err(|_| BadAddress("its authority is no certificate"))?;
            }
        }
    }
    if roots.is_empty() {
        return Err(BadAddress("its authority is empty"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| BadAddress("TLS is not to be had"))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
