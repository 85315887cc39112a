//! `idledger notices`: what holders were told or are to be told, where each notice stands, and what
//! became of it on every channel. No address and no text of a code: neither is stored.

use super::{reading, views};
use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Out, Row};
use crate::times;
use crate::words::{self, Lang};
use clap::{Args, Subcommand};
use domain::ids::{AccountId, EventId, StreamId};
use domain::messages::{message_id, message_text};
use ledger::store::EventStore;
use projections::Views;
use projections::outbox::{Notice, NoticeState};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::Arc;

/// Accounts read at a time.
const PAGE: usize = 512;

/// `idledger notices`
#[derive(Args)]
pub struct NoticesArgs {
    #[command(subcommand)]
    command: Command,
    /// Fold the log anew, aside, instead of reading the projection
    #[arg(long, global = true)]
    from_log: bool,
}

#[derive(Subcommand)]
enum Command {
    /// The newest notices of every account, or of one
    List {
        /// Of this account only
        #[arg(long, value_name = "ID")]
        account: Option<AccountId>,
        /// In this state only
        #[arg(long, value_name = "STATE", value_enum)]
        state: Option<Wanted>,
    },
    /// One notice: where it stands, and its events
    Show {
        /// The notice's id, which is that of the event it tells of
        #[arg(value_name = "ID")]
        notice: EventId,
        /// Language of the texts
        #[arg(
            long,
            env = "LEDGER_LANG",
            hide_env_values = true,
            value_enum,
            default_value = "en"
        )]
        lang: Lang,
    },
}

/// A state, as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Wanted {
    /// To be sent
    Pending,
    /// Left; the receipt is awaited
    Sent,
    /// Received
    Received,
    /// Given up on every channel
    Failed,
    /// No longer worth telling
    Withdrawn,
}

impl Wanted {
    const fn is(self, state: NoticeState) -> bool {
        matches!(
            (self, state),
            (Self::Pending, NoticeState::Pending)
                | (Self::Sent, NoticeState::Sent { .. })
                | (Self::Received, NoticeState::Received { .. })
                | (Self::Failed, NoticeState::Failed)
                | (Self::Withdrawn, NoticeState::Withdrawn)
        )
    }
}

/// Runs it.
pub fn run(global: &Global, args: &NoticesArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let log = reading::open(&global.dir())?;
    let store: Arc<dyn EventStore> = log.clone();
    super::opening::runtime()?.block_on(async {
        let folded;
        let views = if args.from_log {
            folded = views::FromLog::fold(global, store).await?;
            folded.views.clone()
        } else {
            views::open(global, store).await?
        };
        match &args.command {
            Command::List { account, state } => list(&views, *account, *state, global, out)?,
            Command::Show { notice, lang } => {
                show(&views, log.as_ref(), *notice, (global, *lang), out).await?;
            }
        }
        views.close().await?;
        Ok(Exit::Ok)
    })
}

fn list(
    views: &Views,
    account: Option<AccountId>,
    state: Option<Wanted>,
    global: &Global,
    out: &mut Out,
) -> anyhow::Result<()> {
    let mut rows = out.rows("notices");
    let mut push = |account: AccountId, notices: &[Notice]| {
        let wanted = notices
            .iter()
            .filter(|notice| state.is_none_or(|state| state.is(notice.state)));
        for notice in wanted {
            rows.push(row(account, notice, global))?;
        }
        anyhow::Ok(())
    };
    if let Some(account) = account {
        push(account, &views.notices(account)?)?;
    } else {
        let mut after = None;
        loop {
            let page = views.noticed_accounts(after, PAGE)?;
            let Some((last, _)) = page.last() else {
                break;
            };
            after = Some(*last);
            for (account, notices) in &page {
                push(*account, notices)?;
            }
        }
    }
    rows.finish()
}

/// What a state is called, by which channel, and since when.
fn standing(state: NoticeState) -> (&'static str, Value, Option<domain::ids::Micros>) {
    match state {
        NoticeState::Pending => ("pending", Value::Null, None),
        NoticeState::Sent { channel, at } => ("sent", words::code(&channel).into(), Some(at)),
        NoticeState::Received { channel, at } => {
            ("received", words::code(&channel).into(), Some(at))
        }
        NoticeState::Failed => ("failed", Value::Null, None),
        NoticeState::Withdrawn => ("withdrawn", Value::Null, None),
    }
}

fn row(account: AccountId, notice: &Notice, global: &Global) -> Row {
    let (state, channel, since) = standing(notice.state);
    let time = |at| Value::from(times::show(at, global.zone()));
    vec![
        ("notice", notice.notice.to_string().into()),
        ("account", account.to_string().into()),
        ("at", time(notice.at)),
        ("message", message_id(notice.message).into()),
        ("state", state.into()),
        ("channel", channel),
        ("since", since.map_or(Value::Null, time)),
        ("attempts", notice.attempts.into()),
        ("given_up", notice.failures.len().into()),
    ]
}

/// Whose notice it is.
fn find(views: &Views, wanted: EventId) -> anyhow::Result<(AccountId, Notice)> {
    let mut after = None;
    loop {
        let page = views.noticed_accounts(after, PAGE)?;
        let Some((last, _)) = page.last() else {
            return Err(Stop::new(Exit::Failed, "there is no such notice")
                .hint("an account's 32 newest are kept; older ones are in `idledger log`")
                .into());
        };
        after = Some(*last);
        for (account, notices) in page {
            let known = notices.into_iter().find(|notice| notice.notice == wanted);
            if let Some(notice) = known {
                return Ok((account, notice));
            }
        }
    }
}

async fn show(
    views: &Views,
    log: &dyn EventStore,
    wanted: EventId,
    (global, lang): (&Global, Lang),
    out: &mut Out,
) -> anyhow::Result<()> {
    let (account, notice) = find(views, wanted)?;
    let events = reading::stream(log, StreamId::account(account)).await?;
    let own: Vec<_> = events
        .iter()
        .filter(|event| concerns(&event.event, &notice) || event.envelope.event_id == wanted)
        .collect();
    let (state, channel, since) = standing(notice.state);
    let value = json!({
        "notice": notice.notice,
        "account": account,
        "position": notice.position,
        "message": message_id(notice.message),
        "text": message_text(notice.message, lang.into()),
        "case": notice.case,
        "state": state,
        "channel": channel,
        "since": since.map(reading::instant),
        "attempts": notice.attempts,
        "given_up": notice.failures,
        "events": own.iter().map(|event| event.json()).collect::<Vec<_>>(),
    });
    out.report("notice", &value, |w| {
        writeln!(w, "notice       {}", notice.notice)?;
        writeln!(w, "account      {account}")?;
        writeln!(w, "message      {}", message_id(notice.message))?;
        writeln!(
            w,
            "says         {}",
            message_text(notice.message, lang.into())
        )?;
        let by = channel
            .as_str()
            .map_or(String::new(), |by| format!(" by {by}"));
        writeln!(w, "state        {state}{by}")?;
        writeln!(w, "attempts     {}", notice.attempts)?;
        for failure in &notice.failures {
            let (channel, fault) = (words::code(&failure.channel), words::code(&failure.fault));
            writeln!(
                w,
                "given up     {channel}: {fault} after {} attempts",
                failure.attempts
            )?;
        }
        for event in &own {
            let at = times::show(event.envelope.recorded_at, global.zone());
            let says = event.says(lang, global.zone());
            writeln!(w, "{at}  {:>8}  {says}", event.stored.position.0)?;
        }
        Ok(())
    })
}

/// Whether an event says what became of a notice.
fn concerns(event: &domain::event::Event, notice: &Notice) -> bool {
    use domain::event::Event;
    match event {
        Event::NoticeSent(facts) => facts.notice == notice.notice,
        Event::NoticeDelivered(facts) => facts.notice == notice.notice,
        Event::NoticeFailed(facts) => facts.notice == notice.notice,
        Event::ResultNotified(facts) => Some(facts.case) == notice.case,
        _ => false,
    }
}
