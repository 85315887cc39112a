//! Where events lie, as it is written on the command line: `segments:DIR` or the address of an event
//! server. Owns the words; opens stores for commands that take two of them.

use crate::exit::{Exit, Stop};
use anyhow::Context;
use ledger::kurrentdb::{self, Address, Credentials, Kurrent};
use ledger::secrets::secret_text;
use ledger::segments::{LogReader, Options, Segments};
use ledger::store::{EventStore, StoreError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `user:password` for the event server itself; wins over any file.
const CREDENTIALS: &str = "LEDGER_STORE_CREDENTIALS";

/// Where events lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorePlace {
    /// Segment files in this directory.
    Segments(PathBuf),
    /// What is in segment files in this directory, read into memory: for trials.
    Memory(PathBuf),
    /// A KurrentDB cluster, by its connection string.
    Kurrent(Address),
}

impl core::str::FromStr for StorePlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(dir) = text.strip_prefix("segments:").filter(|dir| !dir.is_empty()) {
            return Ok(Self::Segments(PathBuf::from(dir)));
        }
        if let Some(dir) = text.strip_prefix("memory:").filter(|dir| !dir.is_empty()) {
            return Ok(Self::Memory(PathBuf::from(dir)));
        }
        if kurrentdb::is_address(text) {
            let address = Address::parse(text).map_err(|error| error.to_string())?;
            return Ok(Self::Kurrent(address));
        }
        Err("write `segments:DIR` or `esdb://HOST:PORT`".to_owned())
    }
}

/// The credentials of the event server, from the environment or a file.
pub fn credentials(file: Option<&Path>) -> anyhow::Result<Option<Credentials>> {
    let text = match (std::env::var(CREDENTIALS), file) {
        (Ok(value), _) if !value.is_empty() => value.into(),
        (_, Some(file)) => secret_text(file)?,
        _ => return Ok(None),
    };
    let credentials = Credentials::parse(&text).ok_or_else(|| {
        Stop::new(
            Exit::Key,
            "the event server's credentials are not `user:password`",
        )
    })?;
    Ok(Some(credentials))
}

/// A store to read from, for a while.
pub async fn source(
    place: &StorePlace,
    node: &Path,
    who: Option<Credentials>,
) -> anyhow::Result<Arc<dyn EventStore>> {
    Ok(match place {
        StorePlace::Memory(_) => return Err(forgotten()),
        StorePlace::Segments(dir) => Arc::new(LogReader::open(dir)?),
        StorePlace::Kurrent(address) => Arc::new(server(address, node, who).await?),
    })
}

/// A store to write to; made, if it is a directory without one.
pub async fn target(
    place: &StorePlace,
    node: &Path,
    who: Option<Credentials>,
) -> anyhow::Result<Arc<dyn EventStore>> {
    Ok(match place {
        StorePlace::Memory(_) => return Err(forgotten()),
        StorePlace::Segments(dir) => {
            std::fs::create_dir_all(dir).context("making the target's directory")?;
            // Finishes one whose making was cut short; one that is there already is opened.
            match Segments::create(dir, Options::default()) {
                Ok(()) | Err(StoreError::Unusable(_)) => {}
                Err(error) => return Err(error.into()),
            }
            Arc::new(Segments::open(dir, Options::default())?.0)
        }
        StorePlace::Kurrent(address) => Arc::new(server(address, node, who).await?),
    })
}

fn forgotten() -> anyhow::Error {
    let stop = Stop::new(
        Exit::Usage,
        "what is in memory only is forgotten at the end",
    );
    stop.hint("name the directory itself: `segments:DIR`")
        .into()
}

/// A connection to an event server, with what this node keeps of its log.
pub async fn server(
    address: &Address,
    node: &Path,
    who: Option<Credentials>,
) -> anyhow::Result<Kurrent> {
    let mut options = kurrentdb::Options::new(address.clone(), node);
    options.credentials = who;
    std::fs::create_dir_all(node).context("making the node's directory")?;
    Ok(Kurrent::open(options).await?.0)
}
