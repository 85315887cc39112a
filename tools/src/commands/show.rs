//! `idledger show`: one event, by position, event id or link; in words, decoded, or as stored.

use super::reading::{self, Decoded};
use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::output::Out;
use crate::times;
use crate::words::{self, Lang};
use clap::Args;
use domain::ids::{Category, Digest, EventId, Position, StreamId};
use domain::record::RecordRef;
use ledger::evidence;
use ledger::keyring::KeyRing;
use ledger::segments::LogReader;
use ledger::store::{EventStore, StoredRecord};
use serde_json::{Value, json};
use std::io::{self, Write};

/// `idledger show`
#[derive(Args)]
pub struct ShowArgs {
    /// A position, an event id, or a record's link (64 hex digits)
    #[arg(value_name = "POS|EVENT-ID|LINK", value_parser = parse_which)]
    which: Which,
    /// The record's bytes as stored
    #[arg(long, group = "as")]
    raw: bool,
    /// The record's bytes in hexadecimal, part by part
    #[arg(long, group = "as")]
    hex: bool,
    /// Language of the sentence
    #[arg(
        long,
        env = "LEDGER_LANG",
        hide_env_values = true,
        value_enum,
        default_value = "en"
    )]
    lang: Lang,
}

#[derive(Clone, Copy)]
enum Which {
    Position(Position),
    Event(EventId),
    Link(Digest),
}

/// Runs it.
pub fn run(global: &Global, args: &ShowArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let log = reading::open(&global.dir())?;
    reading::runtime()?.block_on(async {
        let record = find(&log, args.which)
            .await?
            .ok_or_else(|| Stop::new(Exit::Failed, "there is no such event in this ledger"))?;
        if args.raw {
            out.raw(&record.bytes)?;
            return Ok(Exit::Ok);
        }
        if args.hex {
            out.raw(hex_parts(&record)?.as_bytes())?;
            return Ok(Exit::Ok);
        }
        let mut ring = KeyRing::default();
        for event in reading::stream(log.as_ref(), StreamId::single(Category::Ledger)).await? {
            ring.learn(event.stored.position, &event.event)?;
        }
        let next = log
            .read_stream(record.stream, next_revision(&record), 1)
            .await?;
        let next = next.first().map(|record| record.position.0);
        let decoded = Decoded::new(record)?;
        let shown = Shown::new(&decoded, &ring, next)?;
        let mut value = decoded.json();
        if let Value::Object(fields) = &mut value {
            fields.insert("says".into(), decoded.says(args.lang, global.zone()).into());
            fields.insert("link".into(), shown.link.to_string().into());
            fields.insert("next_in_stream".into(), json!(shown.next));
            fields.insert("checks".into(), shown.checks());
        }
        out.report("event", &value, |writer| {
            human(writer, &decoded, &shown, global, args.lang)
        })?;
        Ok(if shown.good() {
            Exit::Ok
        } else {
            Exit::Integrity
        })
    })
}

fn next_revision(record: &StoredRecord) -> domain::ids::Revision {
    domain::ids::Revision(record.revision.0.saturating_add(1))
}

async fn find(log: &LogReader, which: Which) -> anyhow::Result<Option<StoredRecord>> {
    if let Which::Position(position) = which {
        let page = log.read_all(position, 1).await?;
        return Ok(page.into_iter().find(|record| record.position == position));
    }
    let mut scanner = log.scan(Position(0))?;
    while let Some(scanned) = scanner.next_record()? {
        crate::interrupt::check()?;
        let found = match which {
            Which::Event(id) => scanned.event_id == id,
            Which::Link(link) => scanned.link == link,
            Which::Position(position) => scanned.record.position == position,
        };
        if found {
            return Ok(Some(scanned.record));
        }
    }
    Ok(None)
}

/// What was checked about the one record.
struct Shown {
    link: Digest,
    next: Option<u64>,
    signature: Result<(), String>,
    parts: Result<(), String>,
    actor: Result<bool, String>,
    registries: Result<u32, String>,
}

impl Shown {
    fn new(decoded: &Decoded, ring: &KeyRing, next: Option<u64>) -> anyhow::Result<Self> {
        let record = RecordRef::parse(&decoded.stored.bytes)?;
        let envelope = &decoded.envelope;
        let signature = match ring.key_at(envelope.ledger_key, decoded.stored.position) {
            Some(key) => record
                .verify_signature(key)
                .map_err(|error| error.to_string()),
            None => Err("no key of that id is valid at this position".to_owned()),
        };
        Ok(Self {
            link: record.link(),
            next,
            signature,
            parts: record
                .verify_parts(envelope)
                .map_err(|error| error.to_string()),
            actor: evidence::verify_stored(envelope).map_err(|error| error.to_string()),
            registries: evidence::verify_answers_with(envelope, domain::record::verify)
                .map_err(|error| error.to_string()),
        })
    }

    fn good(&self) -> bool {
        let own = self.signature.is_ok() && self.parts.is_ok();
        own && self.actor.is_ok() && self.registries.is_ok()
    }

    fn checks(&self) -> Value {
        let text = |result: &Result<(), String>| match result {
            Ok(()) => "good".to_owned(),
            Err(error) => error.clone(),
        };
        let mut checks = json!({
            "ledger_signature": text(&self.signature),
            "sealed_parts": text(&self.parts),
            "actor_signature": match &self.actor {
                Ok(true) => "good",
                Ok(false) => "none",
                Err(error) => error.as_str(),
            },
        });
        let registries = match &self.registries {
            Ok(0) => None,
            Ok(_) => Some("good"),
            Err(error) => Some(error.as_str()),
        };
        if let (Value::Object(checks), Some(verdict)) = (&mut checks, registries) {
            checks.insert("registry_signatures".to_owned(), json!(verdict));
        }
        checks
    }
}

fn human(
    w: &mut impl Write,
    decoded: &Decoded,
    shown: &Shown,
    global: &Global,
    lang: Lang,
) -> io::Result<()> {
    let envelope = &decoded.envelope;
    let zone = global.zone();
    writeln!(w, "{}", decoded.says(lang, zone))?;
    writeln!(w)?;
    writeln!(w, "position     {}", decoded.stored.position.0)?;
    writeln!(
        w,
        "kind         {} ({}, version {})",
        decoded.event.name(),
        envelope.kind,
        envelope.schema
    )?;
    writeln!(w, "event id     {}", envelope.event_id)?;
    writeln!(w, "stream       {}", envelope.stream)?;
    write!(w, "revision     {}", envelope.revision.0)?;
    match shown.next {
        Some(next) => writeln!(w, " (next in its stream: position {next})")?,
        None => writeln!(w, " (the last of its stream)")?,
    }
    writeln!(
        w,
        "occurred at  {}",
        times::show(envelope.occurred_at, zone)
    )?;
    writeln!(
        w,
        "recorded at  {}",
        times::show(envelope.recorded_at, zone)
    )?;
    writeln!(w, "actor        {}", words::actor(&envelope.actor, lang))?;
    if let Some(key) = envelope.actor.key {
        writeln!(w, "actor key    {key}")?;
    }
    writeln!(
        w,
        "command      {} (correlation {})",
        envelope.command, envelope.correlation
    )?;
    if let Some(causation) = envelope.causation {
        writeln!(w, "caused by    {causation}")?;
    }
    writeln!(
        w,
        "decided by   policy {}, catalogue {}",
        envelope.policy, envelope.catalogue
    )?;
    decided(w, decoded, lang)?;
    sealed_and_checked(w, decoded, shown)
}

/// The guards of its command.
fn decided(w: &mut impl Write, decoded: &Decoded, lang: Lang) -> io::Result<()> {
    let Some(receipt) = &decoded.envelope.receipt else {
        return Ok(());
    };
    let passed: Vec<String> = receipt.passed.iter().map(words::code).collect();
    writeln!(
        w,
        "guards       {}: {}",
        words::code(&receipt.command),
        passed.join(" → ")
    )?;
    match receipt.refused {
        Some(refused) => writeln!(w, "             {}", words::refusal(refused, lang)),
        None => Ok(()),
    }
}

/// Facts, commitments, links, and what was checked here.
fn sealed_and_checked(w: &mut impl Write, decoded: &Decoded, shown: &Shown) -> io::Result<()> {
    let envelope = &decoded.envelope;
    let facts = serde_json::to_string(&decoded.event).unwrap_or_default();
    writeln!(w, "facts        {facts}")?;
    for (part, commitment) in envelope.sealed.iter().enumerate() {
        let class = words::code(&commitment.class);
        writeln!(
            w,
            "sealed {part}     {class}, commitment {}",
            commitment.digest
        )?;
    }
    writeln!(w, "link         {}", shown.link)?;
    writeln!(w, "  continues  {}", envelope.link)?;
    writeln!(w, "ledger key   {}", envelope.ledger_key)?;
    if let Value::Object(checks) = shown.checks() {
        for (check, verdict) in checks {
            let verdict = crate::output::text(&verdict);
            writeln!(w, "check        {}: {verdict}", check.replace('_', " "))?;
        }
    }
    Ok(())
}

fn hex_parts(record: &StoredRecord) -> anyhow::Result<String> {
    use std::fmt::Write;
    let parsed = RecordRef::parse(&record.bytes)?;
    let mut text = String::new();
    let mut part = |name: &str, bytes: &[u8]| -> std::fmt::Result {
        writeln!(text, "{name} ({} bytes)", bytes.len())?;
        for (line, chunk) in bytes.chunks(32).enumerate() {
            writeln!(text, "  {:06x}  {}", line * 32, hex::encode(chunk))?;
        }
        Ok(())
    };
    part("envelope", parsed.envelope)?;
    part("signature", parsed.signature)?;
    for (number, bytes) in parsed.parts().enumerate() {
        part(&format!("sealed part {number}"), bytes)?;
    }
    Ok(text)
}

fn parse_which(text: &str) -> Result<Which, String> {
    if let Ok(position) = text.parse::<u64>() {
        return Ok(Which::Position(Position(position)));
    }
    if let Ok(link) = text.parse::<Digest>() {
        return Ok(Which::Link(link));
    }
    text.parse::<EventId>()
        .map(Which::Event)
        .map_err(|_| "not a position, an event id (32 hex digits) or a link (64)".to_owned())
}
