//! The connection string, checked before the client sees it.
//!
//! The client takes what it does not know for a remark in its log: a misspelt `tls=false` would
//! connect without TLS being what was meant, a short keep-alive would be ignored, a connection name
//! with a line break would end the process. So this file owns the grammar: every host, every
//! parameter and every value is known or refused, and what the client gets is written anew.
//! Nothing here ever shows a user name, a password or a whole connection string.
//!
//! ```text
//! scheme "://" host [":" port] *("," host [":" port]) ["/"] ["?" name "=" value *("&" …)]
//! scheme = ("esdb" | "kurrentdb" | "kurrent" | "kdb") ["+discover"]
//! ```

use crate::remote::ServerFault;
use crate::store::StoreError;
use std::fmt;
use std::fmt::Write as _;
use std::path::Path;

/// Longest connection string, in bytes.
pub const ADDRESS_BYTES_MAX: usize = 2048;
/// Most hosts.
pub const HOSTS_MAX: usize = 16;
/// Longest name of the ledger among others on one server, in bytes.
pub const LEDGER_NAME_BYTES_MAX: usize = 32;
/// Its default.
pub const LEDGER_NAME: &str = "idledger";
/// The server's usual port.
const PORT: u16 = 2113;
/// Keep-alive values below this are ignored by the client, in milliseconds.
const KEEP_ALIVE_MS_MIN: u64 = 10_000;
/// The client waits this long before every connection it makes, also the first: half a second would
/// be its own choice.
const DISCOVERY: &str = "discoveryInterval";
const DISCOVERY_MS: u32 = 50;
/// Longest connection name, in bytes.
const CONNECTION_NAME_BYTES_MAX: usize = 64;

const SCHEMES: [&str; 4] = ["esdb", "kurrentdb", "kurrent", "kdb"];
const PARAMETERS: [&str; 13] = [
    "tls",
    "tlsVerifyCert",
    "tlsCaFile",
    "userCertFile",
    "userKeyFile",
    "nodePreference",
    "maxDiscoverAttempts",
    "discoveryInterval",
    "gossipTimeout",
    "keepAliveInterval",
    "keepAliveTimeout",
    "connectionName",
    "streams",
];

/// Why a connection string is refused. Says which part, never what stood there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Longer than [`ADDRESS_BYTES_MAX`].
    #[error("it is longer than {ADDRESS_BYTES_MAX} bytes")]
    TooLong,
    /// Not one of the schemes.
    #[error("it does not begin with `esdb://`, `kurrentdb://` or one of these with `+discover`")]
    Scheme,
    /// A user name or password stands in it.
    #[error(
        "credentials stand in it, where process lists and histories show them; put `user:password` into a file or the environment"
    )]
    Credentials,
    /// A host or port cannot be read.
    #[error("host number {number} cannot be read")]
    Host {
        /// Which, from 1.
        number: usize,
    },
    /// More than [`HOSTS_MAX`].
    #[error("it names more than {HOSTS_MAX} hosts")]
    Hosts,
    /// `+discover` with several hosts.
    #[error("`+discover` takes one name")]
    Discover,
    /// Something between hosts and parameters.
    #[error("there is a path in it")]
    Path,
    /// A parameter that is not known.
    #[error("parameter {number} is not known{}", suggestion(*.meant))]
    Unknown {
        /// Which, from 1.
        number: usize,
        /// What was probably meant.
        meant: Option<&'static str>,
    },
    /// A parameter twice.
    #[error("`{0}` stands there twice")]
    Twice(&'static str),
    /// A value that cannot be used.
    #[error("`{name}`: {reason}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// Why.
        reason: &'static str,
    },
}

fn suggestion(meant: Option<&str>) -> String {
    meant.map_or_else(String::new, |name| format!(": `{name}`?"))
}

impl From<AddressError> for StoreError {
    fn from(error: AddressError) -> Self {
        Self::Server {
            fault: ServerFault::Address,
            message: error.to_string(),
        }
    }
}

/// A connection string that was understood. Its `Debug` shows nothing but the shape.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    hosts: Vec<(String, u16)>,
    discover: bool,
    tls: bool,
    name: String,
    /// Parameters for the client, in its spelling, values as they are.
    passed: Vec<(&'static str, String)>,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("hosts", &self.hosts.len())
            .field("discover", &self.discover)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// Whether a text looks like a connection string of this engine: to choose the engine by.
pub fn is_address(text: &str) -> bool {
    split_scheme(text).is_some()
}

/// Whether a host is this machine.
pub(super) fn is_this_machine(host: &str) -> bool {
    let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

/// Scheme without `+discover`, whether it was there, and the rest.
fn split_scheme(text: &str) -> Option<(bool, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let (scheme, discover) = match scheme.strip_suffix("+discover") {
        Some(scheme) => (scheme, true),
        None => (scheme.as_str(), false),
    };
    SCHEMES.contains(&scheme).then_some((discover, rest))
}

impl Address {
    /// Understands a connection string, or says which part it does not.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(AddressError::TooLong);
        }
        let (discover, rest) = split_scheme(text).ok_or(AddressError::Scheme)?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, path) = place.split_once('/').unwrap_or((place, ""));
        if place.contains('@') {
            return Err(AddressError::Credentials);
        }
        if !path.is_empty() {
            return Err(AddressError::Path);
        }
        let hosts = parse_hosts(hosts)?;
        if discover && hosts.len() > 1 {
            return Err(AddressError::Discover);
        }
        let mut address = Self {
            hosts,
            discover,
            tls: true,
            name: LEDGER_NAME.to_owned(),
            passed: Vec::new(),
        };
        let mut seen = Vec::new();
        let parameters = query.split('&').filter(|part| !part.is_empty());
        for (number, parameter) in (1..).zip(parameters) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let known = PARAMETERS
                .into_iter()
                .find(|known| known.eq_ignore_ascii_case(name))
                .ok_or_else(|| AddressError::Unknown {
                    number,
                    meant: nearest(name),
                })?;
            if seen.contains(&known) {
                return Err(AddressError::Twice(known));
            }
            seen.push(known);
            address.take(known, &decoded(known, value)?)?;
        }
        address.check_together(&seen)?;
        Ok(address)
    }

    /// Whether the connection is secured.
    pub const fn tls(&self) -> bool {
        self.tls
    }

    /// The ledger's name among others on the server: its streams are called `name.category-id`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hosts and ports.
    pub(super) fn hosts(&self) -> &[(String, u16)] {
        &self.hosts
    }

    /// What was said of a parameter that the client is given.
    pub(super) fn said(&self, name: &str) -> Option<&str> {
        let mut passed = self.passed.iter();
        let said = passed.find(|(passed, _)| *passed == name);
        said.map(|(_, value)| value.as_str())
    }

    /// Whether every host is this machine.
    pub fn is_this_machine(&self) -> bool {
        !self.discover && self.hosts.iter().all(|(host, _)| is_this_machine(host))
    }

    /// The string for the client: everything said, nothing secret.
    pub(super) fn for_client(&self) -> String {
        let mut text = String::from("esdb");
        if self.discover {
            text.push_str("+discover");
        }
        text.push_str("://");
        for (number, (host, port)) in self.hosts.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            let _ = write!(text, "{comma}{host}:{port}");
        }
        let _ = write!(text, "?tls={}&nodePreference=leader", self.tls);
        if !self.passed.iter().any(|(name, _)| *name == DISCOVERY) {
            let _ = write!(text, "&{DISCOVERY}={DISCOVERY_MS}");
        }
        for (name, value) in &self.passed {
            let _ = write!(text, "&{name}={}", encoded(value));
        }
        text
    }

    fn take(&mut self, name: &'static str, value: &str) -> Result<(), AddressError> {
        let wrong = |reason| Err(AddressError::Value { name, reason });
        match name {
            "tls" => {
                self.tls = truth(name, value)?;
                return Ok(());
            }
            "tlsVerifyCert" => {
                truth(name, value)?;
            }
            "tlsCaFile" | "userCertFile" | "userKeyFile" => check_pem(name, value)?,
            "nodePreference" => {
                return if value.eq_ignore_ascii_case("leader") {
                    Ok(())
                } else {
                    wrong(
                        "only `leader`: the other nodes answer late, and this ledger answers with what was written",
                    )
                };
            }
            "maxDiscoverAttempts" => within(name, value, 1, 100)?,
            "discoveryInterval" => within(name, value, 10, 60_000)?,
            "gossipTimeout" => within(name, value, 100, 60_000)?,
            "keepAliveInterval" | "keepAliveTimeout" => {
                if value != "-1" {
                    within(name, value, KEEP_ALIVE_MS_MIN, 3_600_000)?;
                }
            }
            "connectionName" => {
                let good = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
                if value.is_empty()
                    || value.len() > CONNECTION_NAME_BYTES_MAX
                    || !value.bytes().all(good)
                {
                    return wrong("1 to 64 visible ASCII characters");
                }
            }
            _ => {
                let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
                if value.is_empty()
                    || value.len() > LEDGER_NAME_BYTES_MAX
                    || !value.bytes().all(good)
                {
                    return wrong("1 to 32 small letters and digits");
                }
                value.clone_into(&mut self.name);
                return Ok(());
            }
        }
        self.passed.push((name, value.to_owned()));
        Ok(())
    }

    fn check_together(&self, seen: &[&'static str]) -> Result<(), AddressError> {
        let has = |name| seen.contains(&name);
        let wrong = |name, reason| Err(AddressError::Value { name, reason });
        if has("userCertFile") != has("userKeyFile") {
            return wrong(
                "userCertFile",
                "`userCertFile` and `userKeyFile` go together",
            );
        }
        for name in ["tlsCaFile", "tlsVerifyCert", "userCertFile"] {
            if !self.tls && has(name) {
                return wrong(name, "says nothing when `tls=false`");
            }
        }
        let unverified = self
            .passed
            .iter()
            .any(|(name, value)| *name == "tlsVerifyCert" && value == "false");
        if unverified && !self.is_this_machine() {
            return wrong(
                "tlsVerifyCert",
                "a certificate that nobody checks is for this machine only",
            );
        }
        Ok(())
    }
}

fn parse_hosts(text: &str) -> Result<Vec<(String, u16)>, AddressError> {
    let parts: Vec<&str> = text.split(',').collect();
    if parts.len() > HOSTS_MAX {
        return Err(AddressError::Hosts);
    }
    let several = parts.len() > 1;
    let mut hosts = Vec::with_capacity(parts.len());
    for (number, part) in (1..).zip(parts) {
        hosts.push(parse_host(part, several).ok_or(AddressError::Host { number })?);
    }
    Ok(hosts)
}

/// A name or address, and a port. IPv6 in brackets, alone only: the client cannot take several.
fn parse_host(part: &str, several: bool) -> Option<(String, u16)> {
    let (name, number) = if let Some(rest) = part.strip_prefix('[') {
        let (ip, after) = rest.split_once(']')?;
        ip.parse::<std::net::Ipv6Addr>().ok().filter(|_| !several)?;
        let number = match after {
            "" => None,
            after => Some(after.strip_prefix(':')?),
        };
        (format!("[{ip}]"), number)
    } else {
        let (name, number) = match part.split_once(':') {
            Some((name, number)) => (name, Some(number)),
            None => (part, None),
        };
        let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if name.is_empty() || name.len() > 253 || !name.bytes().all(good) {
            return None;
        }
        (name.to_ascii_lowercase(), number)
    };
    let number = match number {
        None => PORT,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
    };
    (number != 0).then_some((name, number))
}

fn truth(name: &'static str, value: &str) -> Result<bool, AddressError> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(AddressError::Value {
            name,
            reason: "`true` or `false`",
        }),
    }
}

fn within(name: &'static str, value: &str, min: u64, max: u64) -> Result<(), AddressError> {
    let reason = match name {
        "keepAliveInterval" | "keepAliveTimeout" => {
            "10000 to 3600000 milliseconds, or -1; the client ignores less"
        }
        "maxDiscoverAttempts" => "1 to 100",
        "discoveryInterval" => "10 to 60000 milliseconds",
        _ => "100 to 60000 milliseconds",
    };
    let good = value.bytes().all(|byte| byte.is_ascii_digit())
        && value
            .parse::<u64>()
            .is_ok_and(|value| (min..=max).contains(&value));
    if good {
        Ok(())
    } else {
        Err(AddressError::Value { name, reason })
    }
}

/// Largest file of certificates or keys, in bytes.
const PEM_BYTES_MAX: u64 = 1 << 20;

/// The client ends the process over a file that holds no certificate.
fn check_pem(name: &'static str, path: &str) -> Result<(), AddressError> {
    let wrong = |reason| AddressError::Value { name, reason };
    let size = std::fs::metadata(Path::new(path)).map_err(|_| wrong("there is no such file"))?;
    if !size.is_file() || size.len() > PEM_BYTES_MAX {
        return Err(wrong("not a file of certificates"));
    }
    let text = std::fs::read(Path::new(path)).map_err(|_| wrong("the file cannot be read"))?;
    let text = String::from_utf8_lossy(&text);
    let wanted = if name == "userKeyFile" {
        "PRIVATE KEY-----"
    } else {
        "-----BEGIN CERTIFICATE-----"
    };
    if text.contains("-----BEGIN ") && text.contains(wanted) {
        Ok(())
    } else {
        Err(wrong("there is none of the kind in that file (PEM)"))
    }
}

/// Percent-decoding; `+` stays what it is.
fn decoded(name: &'static str, value: &str) -> Result<String, AddressError> {
    let wrong = AddressError::Value {
        name,
        reason: "percent-encoding that cannot be read",
    };
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (pair, after) = rest.split_first_chunk::<2>().ok_or_else(|| wrong.clone())?;
        let mut one = [0];
        hex::decode_to_slice(pair, &mut one).map_err(|_| wrong.clone())?;
        bytes.extend(one);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| wrong)
}

fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/') {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// The parameter that differs least, if it differs by no more than three letters.
fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    PARAMETERS
        .into_iter()
        .map(|known| (distance(&known.to_ascii_lowercase(), &name), known))
        .filter(|(far, known)| *far <= 3 && *far < known.len())
        .min()
        .map(|(_, known)| known)
}

/// Letters to change, add or leave out.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, left) in one.bytes().enumerate() {
        let mut diagonal = at;
        let mut before = at + 1;
        let mut next = vec![before];
        for (right, above) in other.bytes().zip(row.iter().skip(1)) {
            let changed = diagonal + usize::from(left != right);
            before = changed.min(above + 1).min(before + 1);
            diagonal = *above;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
