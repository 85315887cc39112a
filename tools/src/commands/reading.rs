//! Reading the log offline: no lock, no server, no key. Shared by the commands that list and show.

use crate::words::{self, Lang};
use anyhow::Context;
use domain::account::{Account, Recorded};
use domain::envelope::Envelope;
use domain::event::Event;
use domain::ids::{AccountId, Micros, Position, Revision, StreamId};
use domain::law::{Known, LawBook};
use domain::record::{RecordRef, open_event};
use domain::vocabulary::LawKind;
use ledger::segments::LogReader;
use ledger::store::{EventStore, PAGE_RECORDS_MAX, StoreError, StoredRecord};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// Opens the log for reading.
pub fn open(dir: &Path) -> Result<Arc<LogReader>, StoreError> {
    Ok(Arc::new(LogReader::open(dir)?))
}

/// A small runtime for commands that mostly wait for the disk.
pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")
}

/// A record taken apart.
pub struct Decoded {
    /// As stored.
    pub stored: StoredRecord,
    /// Its envelope.
    pub envelope: Envelope,
    /// Its facts.
    pub event: Event,
}

impl Decoded {
    /// Takes a record apart; damage is an integrity violation.
    pub fn new(stored: StoredRecord) -> anyhow::Result<Self> {
        let opened = RecordRef::parse(&stored.bytes).and_then(|record| {
            let envelope = record.open_envelope()?;
            let event = open_event(&envelope)?;
            Ok((envelope, event))
        });
        match opened {
            Ok((envelope, event)) => Ok(Self {
                stored,
                envelope,
                event,
            }),
            Err(error) => Err(StoreError::Corrupt {
                position: stored.position.0,
                place: stored.stream.to_string(),
                reason: error.to_string(),
            }
            .into()),
        }
    }

    /// As `evolve` takes it.
    pub fn recorded(&self) -> Recorded<'_> {
        Recorded {
            event: &self.event,
            event_id: self.envelope.event_id,
            revision: self.stored.revision,
            position: Some(self.stored.position),
            recorded_at: self.envelope.recorded_at,
            occurred_at: self.envelope.occurred_at,
            policy: self.envelope.policy,
        }
    }

    /// Everything open about it as JSON. Nothing personal stands in an envelope.
    pub fn json(&self) -> Value {
        let envelope = &self.envelope;
        json!({
            "position": self.stored.position,
            "event_id": envelope.event_id,
            "stream": envelope.stream.to_string(),
            "revision": envelope.revision,
            "kind": self.event.name(),
            "kind_code": envelope.kind,
            "schema_version": envelope.schema,
            "recorded_at": instant(envelope.recorded_at),
            "occurred_at": instant(envelope.occurred_at),
            "command_id": envelope.command,
            "causation": envelope.causation,
            "correlation": envelope.correlation,
            "actor": envelope.actor,
            "evidence": evidence(&envelope.evidence),
            "policy": envelope.policy,
            "catalogue": envelope.catalogue,
            "receipt": envelope.receipt,
            "facts": &self.event,
            "sealed": envelope.sealed,
            "previous_link": envelope.link,
            "ledger_key": envelope.ledger_key,
        })
    }

    /// What happened, in words.
    pub fn says(&self, lang: Lang, zone: crate::times::Zone) -> String {
        words::sentence(&self.event, lang, zone)
    }
}

/// An instant in JSON: RFC 3339 to the microsecond.
pub fn instant(at: Micros) -> Value {
    match jiff::Timestamp::from_microsecond(at.0) {
        Ok(timestamp) => format!("{timestamp:.6}").into(),
        Err(_) => at.0.into(),
    }
}

/// Evidence in JSON: the signed base of a request as text, as it was signed.
fn evidence(evidence: &domain::envelope::Evidence) -> Value {
    use domain::envelope::Evidence;
    match evidence {
        Evidence::HttpRequest {
            base,
            signature,
            key,
        } => json!({
            "http_request": {
                "base": String::from_utf8_lossy(base),
                "signature": signature,
                "key": key,
            }
        }),
        other => serde_json::to_value(other).unwrap_or(Value::Null),
    }
}

/// Every event of a stream, oldest first.
pub async fn stream(log: &dyn EventStore, stream: StreamId) -> anyhow::Result<Vec<Decoded>> {
    let mut events = Vec::new();
    loop {
        let from = Revision(events.len() as u64);
        let page = log.read_stream(stream, from, PAGE_RECORDS_MAX).await?;
        if page.is_empty() {
            return Ok(events);
        }
        for record in page {
            events.push(Decoded::new(record)?);
        }
    }
}

/// A moment of an account's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// Everything.
    Now,
    /// After the event at this position.
    Position(Position),
    /// What the ledger had recorded by then.
    Recorded(Micros),
    /// What had happened by then, as known today.
    Occurred(Micros),
}

impl AsOf {
    /// Whether an event counts.
    pub fn includes(self, event: &Decoded) -> bool {
        match self {
            Self::Now => true,
            Self::Position(position) => event.stored.position <= position,
            Self::Recorded(at) => event.envelope.recorded_at <= at,
            Self::Occurred(at) => event.envelope.occurred_at <= at,
        }
    }
}

/// An account folded from its own events, and those events.
pub async fn account(
    log: &dyn EventStore,
    account: AccountId,
    as_of: AsOf,
) -> anyhow::Result<(Account, Vec<Decoded>)> {
    let mut events = stream(log, StreamId::account(account)).await?;
    events.retain(|event| as_of.includes(event));
    let state = Account::replay(events.iter().map(Decoded::recorded));
    Ok((state, events))
}

/// Every version of every law.
pub async fn law_book(log: &dyn EventStore) -> anyhow::Result<LawBook> {
    let mut book = LawBook::default();
    for law in LawKind::ALL {
        for event in stream(log, law.stream()).await? {
            book.learn(&event.recorded());
        }
    }
    Ok(book)
}

impl AsOf {
    /// What was known of the law.
    pub const fn known(self) -> Known {
        match self {
            Self::Now | Self::Occurred(_) => Known::Now,
            Self::Position(position) => Known::Position(position),
            Self::Recorded(at) => Known::Recorded(at),
        }
    }
}
