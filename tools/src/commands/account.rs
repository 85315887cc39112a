//! `idledger account` and `idledger entitlements`: one account, folded from its own events.
//!
//! Nothing personal is shown: sealed parts stay sealed here. Who an account belongs to is answered
//! by the API to those who may ask, and recorded.

use super::reading::{self, AsOf, Decoded};
use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::output::Out;
use crate::times::{self, Moment, parse_moment, parse_until};
use crate::words::{self, Lang};
use clap::Args;
use domain::account::{Account, ActivationPhase, Lifecycle};
use domain::entitlement::entitlements as decide;
use domain::ids::{AccountId, Micros};
use domain::law::{Edition, LawBook};
use domain::vocabulary::LawKind;
use ledger::wiring::{Clock, SystemClock};
use serde_json::{Value, json};
use std::io::{self, Write};

/// `idledger account`
#[derive(Args)]
pub struct AccountArgs {
    /// The account's id
    #[arg(value_name = "ID")]
    id: AccountId,
    /// What the ledger knew then: a position, a day or a time
    #[arg(long, value_name = "T|POS", value_parser = parse_moment)]
    as_of: Option<Moment>,
    /// What had happened by then, as known today
    #[arg(long, value_name = "T", value_parser = parse_until, conflicts_with = "as_of")]
    valid_at: Option<Micros>,
    /// Its events as well
    #[arg(long)]
    history: bool,
    /// Language of the sentences
    #[arg(
        long,
        env = "LEDGER_LANG",
        hide_env_values = true,
        value_enum,
        default_value = "en"
    )]
    lang: Lang,
}

/// `idledger entitlements`
#[derive(Args)]
pub struct EntitlementsArgs {
    /// The account's id
    #[arg(value_name = "ID")]
    id: AccountId,
    /// As known then: a position, a day or a time
    #[arg(long, value_name = "T|POS", value_parser = parse_moment)]
    as_of: Option<Moment>,
    /// As it held then, as known today
    #[arg(long, value_name = "T", value_parser = parse_until, conflicts_with = "as_of")]
    valid_at: Option<Micros>,
    /// Language of the service names
    #[arg(
        long,
        env = "LEDGER_LANG",
        hide_env_values = true,
        value_enum,
        default_value = "en"
    )]
    lang: Lang,
}

fn as_of(moment: Option<Moment>, valid_at: Option<Micros>) -> AsOf {
    match (moment, valid_at) {
        (Some(Moment::At(position)), _) => AsOf::Position(position),
        (Some(Moment::Until(at)), _) => AsOf::Recorded(at),
        (None, Some(at)) => AsOf::Occurred(at),
        (None, None) => AsOf::Now,
    }
}

/// The instant a question is about, and the law in force then, as known then.
fn law_then(book: &LawBook, as_of: AsOf, last: &Decoded) -> (Micros, Edition) {
    let at = match as_of {
        AsOf::Recorded(at) | AsOf::Occurred(at) => at,
        AsOf::Position(_) => last.envelope.recorded_at,
        AsOf::Now => SystemClock.now(),
    };
    (at, book.edition(at, as_of.known()))
}

fn not_found(as_of: AsOf) -> Stop {
    let stop = Stop::new(Exit::Failed, "there is no such account");
    if as_of == AsOf::Now {
        stop
    } else {
        stop.hint("at that moment; without `--as-of` it may be there")
    }
}

/// Runs `account`.
pub fn run(global: &Global, args: &AccountArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let log = reading::open(&global.dir())?;
    let as_of = as_of(args.as_of, args.valid_at);
    let (account, events, book) = reading::runtime()?.block_on(async {
        let (account, events) = reading::account(log.as_ref(), args.id, as_of).await?;
        anyhow::Ok((account, events, reading::law_book(log.as_ref()).await?))
    })?;
    let Some(last) = events.last() else {
        return Err(not_found(as_of).into());
    };
    let (_, law) = law_then(&book, as_of, last);
    let rules: Vec<Value> = [LawKind::Policy, LawKind::Catalogue]
        .iter()
        .filter_map(|kind| law.get(*kind))
        .map(|version| super::law::rule(version))
        .collect();
    let history: Vec<Value> = if args.history {
        events.iter().map(Decoded::json).collect()
    } else {
        Vec::new()
    };
    let value = json!({
        "account": args.id,
        "events": events.len(),
        "state": &account,
        "law": &rules,
        "history": history,
    });
    out.report("account", &value, |w| {
        human(w, args.id, &account, global)?;
        for kind in [LawKind::Policy, LawKind::Catalogue] {
            if let Some(version) = law.get(kind) {
                let label = format!("{} in force", kind.name());
                writeln!(w, "{label:<20} {}", super::law::named(version))?;
            }
        }
        if args.history {
            writeln!(w)?;
            trail(w, &events, global, args.lang)?;
        }
        Ok(())
    })?;
    Ok(Exit::Ok)
}

/// Dependants, shares, requests to lock, last days.
fn people(w: &mut impl Write, account: &Account, global: &Global) -> io::Result<()> {
    let time = |at: Micros| times::show(at, global.zone());
    for dependant in &account.dependants {
        let day = dependant.majority_on.map_or(String::new(), |on| {
            format!(", fourteen on {}", domain::calendar::day_text(on))
        });
        let (kind, relation) = (
            words::code(&dependant.kind),
            words::code(&dependant.relation),
        );
        writeln!(
            w,
            "dependant    {} {kind} (holder: {relation}{day})",
            dependant.id
        )?;
    }
    if let Some(guardian) = &account.guardian {
        writeln!(w, "guardian     {}", guardian.account)?;
    }
    for share in &account.shares {
        let state = if share.used.is_some() {
            "used"
        } else {
            "not used"
        };
        writeln!(
            w,
            "share        {} {} to {}, {state}, good until {}",
            share.id,
            words::code(&share.mode),
            share.relying_party,
            time(share.expires_at)
        )?;
    }
    for request in &account.lock_requests {
        let (action, ground) = (words::code(&request.action), words::code(&request.ground));
        let day = domain::calendar::day_text(request.decide_by);
        let answered = if request.is_open() {
            "open"
        } else {
            "answered"
        };
        writeln!(w, "request      {action} ({ground}), {answered}, due {day}")?;
    }
    for known in &account.waiting {
        let database = words::code(&known.database);
        writeln!(
            w,
            "waits        for {database} (question {})",
            known.request
        )?;
    }
    for known in &account.validity {
        let day = domain::calendar::day_text(known.until);
        writeln!(w, "valid        {} until {day}", words::code(&known.of))?;
    }
    Ok(())
}

fn human(w: &mut impl Write, id: AccountId, account: &Account, global: &Global) -> io::Result<()> {
    let time = |at: Micros| times::show(at, global.zone());
    writeln!(w, "account      {id}")?;
    let stage = words::code(&account.identification.stage);
    writeln!(w, "stage        {stage}")?;
    if let Some(area) = account.identification.area {
        writeln!(w, "area         {}", area.0)?;
    }
    let activation = match account.activation.phase {
        ActivationPhase::NotNotified => "result not notified".to_owned(),
        ActivationPhase::WindowOpen { deadline } => format!("window open until {}", time(deadline)),
        ActivationPhase::Overdue { deadline } => format!("overdue since {}", time(deadline)),
        ActivationPhase::Activated { at } => format!("activated {}", time(at)),
    };
    writeln!(w, "activation   {activation}")?;
    let set = |is: bool| if is { "set" } else { "not set" };
    let credentials = &account.credentials;
    writeln!(
        w,
        "credentials  password {}, passcode {}, questions {}",
        set(credentials.password.is_some()),
        set(credentials.passcode.is_some()),
        set(credentials.questions.is_some())
    )?;
    match &account.device {
        Some(device) => writeln!(
            w,
            "device       {} (key {})",
            device.device,
            device.key.id()
        )?,
        None => writeln!(w, "device       none")?,
    }
    for document in &account.documents {
        writeln!(
            w,
            "document     {} ({}, as of {})",
            words::code(&document.kind),
            words::code(&document.database),
            time(document.data_as_of)
        )?;
    }
    people(w, account, global)?;
    for lock in &account.locks {
        writeln!(w, "locked       {}", words::code(&lock.ground))?;
    }
    for case in &account.cases {
        let under = case.ruled.as_ref().map_or_else(String::new, |ruled| {
            format!(" (decided under policy version {})", ruled.policy)
        });
        writeln!(
            w,
            "dossier      {} {}{under}",
            case.id,
            words::code(&case.state)
        )?;
    }
    match &account.lifecycle {
        Lifecycle::Open => {}
        Lifecycle::Closed { reason, .. } => writeln!(w, "closed       {}", words::code(reason))?,
    }
    if let Some(last) = account.last {
        let position = last.position.map_or(0, |position| position.0);
        writeln!(
            w,
            "last event   revision {} at position {position}",
            last.revision.0
        )?;
    }
    Ok(())
}

/// An account's events in words.
pub fn trail(
    w: &mut impl Write,
    events: &[Decoded],
    global: &Global,
    lang: Lang,
) -> io::Result<()> {
    for event in events {
        writeln!(
            w,
            "{}  {}  ({})",
            times::show(event.envelope.occurred_at, global.zone()),
            event.says(lang, global.zone()),
            words::actor(&event.envelope.actor, lang)
        )?;
    }
    Ok(())
}

/// Runs `entitlements`.
pub fn entitlements(
    global: &Global,
    args: &EntitlementsArgs,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    let log = reading::open(&global.dir())?;
    let as_of = as_of(args.as_of, args.valid_at);
    let (account, law, at) = reading::runtime()?.block_on(async {
        let (account, events) = reading::account(log.as_ref(), args.id, as_of).await?;
        let Some(last) = events.last() else {
            return Err(not_found(as_of).into());
        };
        let book = reading::law_book(log.as_ref()).await?;
        let (at, law) = law_then(&book, as_of, last);
        anyhow::Ok((account, law, at))
    })?;
    let mut rows = out.rows("entitlements");
    let Some((catalogue, version)) = law.catalogue().zip(law.get(LawKind::Catalogue)) else {
        if !global.quiet {
            eprintln!("note: no service catalogue is in force at that moment: nothing is granted");
        }
        rows.finish()?;
        return Ok(Exit::Ok);
    };
    for answer in decide(&account, catalogue, at) {
        let service = catalogue.find(&answer.service);
        let name = service.map_or("", |service| args.lang.pick(&service.vi, &service.en));
        let event = answer.granted_by.or(answer.blocked_by);
        rows.push(vec![
            ("service", answer.service.into()),
            ("level", words::code(&answer.level).into()),
            ("granted", if answer.granted { "yes" } else { "no" }.into()),
            ("reason", words::code(&answer.reason).into()),
            (
                "position",
                event
                    .and_then(|event| event.position)
                    .map_or(Value::Null, |p| p.0.into()),
            ),
            (
                "event",
                event.map_or(Value::Null, |event| event.event.to_string().into()),
            ),
            (
                "catalogue",
                format!("{} (version {})", catalogue.name, version.version).into(),
            ),
            (
                "catalogue_position",
                version.by.position.map_or(Value::Null, |p| p.0.into()),
            ),
            ("name", name.into()),
        ])?;
    }
    rows.finish()?;
    Ok(Exit::Ok)
}
