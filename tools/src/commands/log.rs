//! `idledger log`: events in the order of the ledger, filtered.

use super::reading::{self, Decoded};
use crate::cli::Global;
use crate::exit::Exit;
use crate::interrupt;
use crate::output::{Out, Row, Rows};
use crate::times::{self, parse_since, parse_until};
use crate::words::{self, Lang};
use clap::Args;
use domain::event::{Event, kind_code};
use domain::ids::{AccountId, CorrelationId, Micros, Position, PrincipalId, StreamId};
use ledger::segments::LogReader;
use ledger::store::EventStore;
use std::io::Write;
use std::time::Duration;

/// Records of one page.
const PAGE: usize = 1024;
/// How often a follower looks whether it should stop.
const FOLLOW_POLL: Duration = Duration::from_millis(300);

/// Which events; shared with `export`.
#[derive(Args, Clone, Default)]
pub struct Filter {
    /// Events of this account
    #[arg(long, value_name = "ID")]
    pub account: Option<AccountId>,
    /// Events of this stream, `category-id`
    #[arg(long, value_name = "STREAM", conflicts_with = "account")]
    pub stream: Option<StreamId>,
    /// Events this principal (or citizen, by account id) caused
    #[arg(long, value_name = "ID")]
    pub actor: Option<PrincipalId>,
    /// Events of this kind (repeat for more), as `AccountIssued`
    #[arg(long = "kind", value_name = "KIND", value_parser = parse_kind)]
    pub kinds: Vec<u16>,
    /// Events of one visit or request
    #[arg(long, value_name = "ID")]
    pub correlation: Option<CorrelationId>,
    /// Refusals only
    #[arg(long)]
    pub refused: bool,
    /// Recorded at or after (2024-03-05 or RFC 3339)
    #[arg(long, value_name = "T", value_parser = parse_since)]
    pub since: Option<Micros>,
    /// Recorded at or before
    #[arg(long, value_name = "T", value_parser = parse_until)]
    pub until: Option<Micros>,
    /// `--since` and `--until` mean when it happened, not when it was recorded
    #[arg(long)]
    pub occurred: bool,
    /// First position
    #[arg(long, value_name = "POS")]
    pub from: Option<u64>,
    /// Last position
    #[arg(long, value_name = "POS")]
    pub to: Option<u64>,
}

/// `idledger log`
#[derive(Args)]
pub struct LogArgs {
    /// Which events
    #[command(flatten)]
    pub filter: Filter,
    /// At most so many
    #[arg(short = 'n', long = "number", value_name = "N")]
    pub number: Option<u64>,
    /// Newest first
    #[arg(long, conflicts_with = "follow")]
    pub reverse: bool,
    /// Go on with new events until Ctrl-C
    #[arg(long, short = 'f')]
    pub follow: bool,
    /// Language of the sentences
    #[arg(
        long,
        env = "LEDGER_LANG",
        hide_env_values = true,
        value_enum,
        default_value = "en"
    )]
    pub lang: Lang,
}

/// Runs it.
pub fn run(global: &Global, args: &LogArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let log = reading::open(&global.dir())?;
    let mut rows = out.rows("log");
    let mut listing = Listing {
        global,
        args,
        left: args.number.unwrap_or(u64::MAX),
    };
    reading::runtime()?.block_on(async {
        if args.reverse {
            listing.backward(&log, &mut rows).await
        } else {
            listing.forward(&log, &mut rows).await
        }
    })?;
    rows.finish()?;
    Ok(if interrupt::requested() && !args.follow {
        Exit::Interrupted
    } else {
        Exit::Ok
    })
}

struct Listing<'a> {
    global: &'a Global,
    args: &'a LogArgs,
    left: u64,
}

impl Listing<'_> {
    async fn forward<W: Write>(
        &mut self,
        log: &LogReader,
        rows: &mut Rows<'_, W>,
    ) -> anyhow::Result<()> {
        let filter = &self.args.filter;
        let last = filter.to.unwrap_or(u64::MAX);
        let mut next = filter.from.unwrap_or(0);
        while self.left > 0 && next <= last && !interrupt::requested() {
            let page = log.read_all(Position(next), PAGE).await?;
            let Some(end) = page.last().map(|record| record.position.0) else {
                if !self.args.follow {
                    break;
                }
                rows.flush()?;
                // A timeout only means: look whether somebody pressed Ctrl-C.
                let _ = tokio::time::timeout(FOLLOW_POLL, log.wait_beyond(next)).await;
                continue;
            };
            for record in page {
                if self.left > 0 && record.position.0 <= last {
                    self.one(record, rows)?;
                }
            }
            next = end + 1;
        }
        Ok(())
    }

    async fn backward<W: Write>(
        &mut self,
        log: &LogReader,
        rows: &mut Rows<'_, W>,
    ) -> anyhow::Result<()> {
        let filter = &self.args.filter;
        let first = filter.from.unwrap_or(0);
        let mut end = log
            .length()
            .await?
            .min(filter.to.map_or(u64::MAX, |to| to.saturating_add(1)));
        while self.left > 0 && end > first && !interrupt::requested() {
            let start = end.saturating_sub(PAGE as u64).max(first);
            // A page may hold fewer than were asked for.
            let mut page = Vec::new();
            while let Some(want) = (end - start)
                .checked_sub(page.len() as u64)
                .filter(|w| *w > 0)
            {
                let from = Position(start + page.len() as u64);
                let part = log.read_all(from, want as usize).await?;
                if part.is_empty() {
                    break;
                }
                page.extend(part);
            }
            for record in page.into_iter().rev() {
                if self.left > 0 {
                    self.one(record, rows)?;
                }
            }
            end = start;
        }
        Ok(())
    }

    fn one<W: Write>(
        &mut self,
        record: ledger::store::StoredRecord,
        rows: &mut Rows<'_, W>,
    ) -> anyhow::Result<()> {
        if !self.args.filter.stream_matches(record.stream) {
            return Ok(());
        }
        let decoded = Decoded::new(record)?;
        if self.args.filter.matches(&decoded) {
            self.left -= 1;
            rows.push(row(&decoded, self.global, self.args.lang))?;
        }
        Ok(())
    }
}

/// A line of the listing.
fn row(decoded: &Decoded, global: &Global, lang: Lang) -> Row {
    let envelope = &decoded.envelope;
    let time = |at| times::show(at, global.zone());
    let mut row: Row = vec![
        ("position", decoded.stored.position.0.into()),
        ("recorded_at", time(envelope.recorded_at).into()),
        ("occurred_at", time(envelope.occurred_at).into()),
        ("kind", decoded.event.name().into()),
        ("stream", envelope.stream.to_string().into()),
        ("revision", envelope.revision.0.into()),
        ("actor", words::actor(&envelope.actor, lang).into()),
        ("says", decoded.says(lang, global.zone()).into()),
    ];
    if global.format != crate::output::Format::Table {
        row.push(("event_id", envelope.event_id.to_string().into()));
        row.push(("correlation", envelope.correlation.to_string().into()));
        row.push((
            "facts",
            serde_json::to_value(&decoded.event).unwrap_or_default(),
        ));
    }
    row
}

impl Filter {
    /// What the frame alone can tell.
    pub fn stream_matches(&self, stream: StreamId) -> bool {
        self.account
            .is_none_or(|account| stream == StreamId::account(account))
            && self.stream.is_none_or(|wanted| stream == wanted)
    }

    /// The rest.
    pub fn matches(&self, decoded: &Decoded) -> bool {
        let envelope = &decoded.envelope;
        let at = if self.occurred {
            envelope.occurred_at
        } else {
            envelope.recorded_at
        };
        self.stream_matches(envelope.stream)
            && self
                .actor
                .is_none_or(|actor| envelope.actor.principal == actor)
            && (self.kinds.is_empty() || self.kinds.contains(&envelope.kind))
            && self
                .correlation
                .is_none_or(|wanted| envelope.correlation == wanted)
            && (!self.refused || matches!(decoded.event, Event::CommandRejected(_)))
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at <= until)
    }

    /// Whether it lets everything pass.
    pub fn is_empty(&self) -> bool {
        self.account.is_none()
            && self.stream.is_none()
            && self.actor.is_none()
            && self.kinds.is_empty()
            && self.correlation.is_none()
            && !self.refused
            && self.since.is_none()
            && self.until.is_none()
            && self.from.is_none()
            && self.to.is_none()
    }
}

fn parse_kind(text: &str) -> Result<u16, String> {
    if let Some(code) = kind_code(text) {
        return Ok(code);
    }
    let folded = |text: &str| text.replace('_', "").to_lowercase();
    let found = Event::KINDS
        .iter()
        .find(|(_, name, _)| folded(name) == folded(text));
    found.map(|(code, _, _)| *code).ok_or_else(|| {
        let wanted = folded(text);
        let near = Event::KINDS
            .iter()
            .filter(|(_, name, _)| wanted.len() > 2 && folded(name).contains(&wanted))
            .map(|(_, name, _)| *name)
            .collect::<Vec<_>>()
            .join(", ");
        if near.is_empty() {
            "no such kind of event; `idledger log -n 50` shows some".to_owned()
        } else {
            format!("no such kind of event; did you mean {near}?")
        }
    })
}
