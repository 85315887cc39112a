//! Checking a bundle with public keys alone.
//!
//! Owns everything that is checked of its files and of how events belong together. What one record says of
//! itself (the ledger's signature at its position, the actor's, facts) is checked by whoever checks records.
//! It believes the caller's keys and nothing else: a manifest that was made anew over altered files changes
//! which check finds it.

use super::belonging::{law, principals, redactions, selected, state, stated};
use super::{BUNDLE_BYTES_MAX, Contents, EVENTS_MAX, Files, Flaw};
use super::{CHECKPOINT, CONTENTS, CONTINUED, KEYS, MANIFEST, README, REDACTED, SCHEMA, STAMP};
use super::{STAMPED, STATE, SUMS};
use super::{json, manifest, proof_name, record_name, stamp, tar};
use crate::keyring::KeyRing;
use crate::pki::TrustList;
use crate::timestamp::Stamped;
use crate::transparency::{entry, origin, verifier_keys};
use domain::envelope::Envelope;
use domain::event::Event;
use domain::ids::{Category, Digest, Position, PublicKey, StreamId};
use domain::record::{RECORD_BYTES_MAX, RecordRef, open_event};
use std::collections::{BTreeMap, BTreeSet};
use tlog::Hash;
use tlog::note::{NOTE_BYTES_MAX, Note, VerifierKey};
use tlog::policy::{Accepted, Policy};
use tlog::proof::{Head, check_inclusion};
use tlog::receipt::Receipt;

/// Files that are not of an event.
const OTHER_FILES: usize = 11;

/// Whom the reader believes.
pub struct Trust {
    /// The log and its witnesses.
    pub policy: Policy,
    /// The key of the ledger's first event, if the reader has it from elsewhere.
    pub ledger_key: Option<PublicKey>,
    /// Who must have signed the manifest; `None`: it is not asked.
    pub manifest_key: Option<VerifierKey>,
    /// Who is believed about time; `None`: nobody, and a time-stamp proves nothing.
    pub authorities: Option<TrustList>,
}

/// A bundle whose proofs hold.
pub struct Opened {
    /// Which event is in it for what.
    pub contents: Contents,
    /// Records by position, without sealed parts.
    pub records: BTreeMap<u64, Vec<u8>>,
    /// The ledger's keys and where they count.
    pub ring: KeyRing,
    /// The checkpoint, and who vouches for it.
    pub against: Accepted,
    /// Who signed the manifest; `None`: nobody.
    pub signed_by: Option<VerifierKey>,
    /// How many events existed when, as an authority says whom the reader believes; all it is about are
    /// among them.
    pub stamped: Option<(u64, Stamped)>,
    /// What was proved, one fact a line.
    pub facts: Vec<String>,
}

/// One event, taken apart.
pub(super) struct Known {
    pub envelope: Envelope,
    pub event: Event,
    pub entry: [u8; 32],
    pub link: Digest,
}

pub(super) type Events = BTreeMap<u64, Known>;

/// Checks everything but what single records say of themselves.
pub fn open(bytes: &[u8], trust: &Trust) -> Result<Opened, Flaw> {
    if bytes.len() > BUNDLE_BYTES_MAX {
        return Err(Flaw::new("bundle", "it is larger than a bundle may be"));
    }
    let files = tar::read(bytes, 2 * EVENTS_MAX + OTHER_FILES)?;
    let signed_by = manifest::check(&files, &trust.policy.origin, trust.manifest_key.as_ref())?;
    let (against, note) = checkpoint(&files, &trust.policy)?;
    let contents = contents(&files, &against)?;
    let (events, records) = events(&files, &contents, against.checkpoint.head, &note)?;
    let ring = keys(&files, &contents, &events, trust, &note)?;
    let mut facts = Vec::new();
    selected(&contents, &events, &mut facts)?;
    law(&contents, &events)?;
    principals(&contents, &events)?;
    stated(&contents, &events)?;
    redactions(&files, &events)?;
    state(&files, &contents, &events, &trust.policy, &note, &mut facts)?;
    let proved = (against.checkpoint.head, &ring);
    let stamped = stamp::check(&files, &contents, proved, trust, &mut facts)?;
    Ok(Opened {
        contents,
        records,
        ring,
        against,
        signed_by,
        stamped,
        facts,
    })
}

pub(super) fn file<'a>(files: &'a Files, name: &str) -> Result<&'a [u8], Flaw> {
    let found = files.get(name).map(Vec::as_slice);
    found.ok_or_else(|| Flaw::new(name, "it is missing"))
}

pub(super) fn text<'a>(files: &'a Files, name: &str, limit: usize) -> Result<&'a str, Flaw> {
    let bytes = file(files, name)?;
    if bytes.len() > limit {
        return Err(Flaw::new(name, "it is over its limit"));
    }
    core::str::from_utf8(bytes).map_err(|_| Flaw::new(name, "it is not text"))
}

fn checkpoint(files: &Files, policy: &Policy) -> Result<(Accepted, String), Flaw> {
    let flaw = |error: tlog::Error| Flaw::new(CHECKPOINT, error);
    let note = text(files, CHECKPOINT, NOTE_BYTES_MAX)?;
    let parsed = Note::parse(note).map_err(flaw)?;
    let against = policy.check(&parsed).map_err(flaw)?;
    Ok((against, note.to_owned()))
}

fn contents(files: &Files, against: &Accepted) -> Result<Contents, Flaw> {
    let flaw = |why: &str| Flaw::new(CONTENTS, why);
    let bytes = file(files, CONTENTS)?;
    let contents: Contents = serde_json::from_slice(bytes)
        .map_err(|error| Flaw::new(CONTENTS, format!("not as it is written: {error}")))?;
    if contents.schema != SCHEMA || json(&contents) != bytes {
        return Err(flaw("not as it is written"));
    }
    if origin(contents.ledger) != against.checkpoint.origin {
        return Err(flaw("it is of another ledger"));
    }
    if contents.size != against.checkpoint.head.size {
        return Err(flaw("it is of another checkpoint"));
    }
    for list in lists(&contents) {
        if !list.is_sorted_by(|before, after| before < after) {
            return Err(flaw("positions that are not in order"));
        }
    }
    Ok(contents)
}

fn lists(contents: &Contents) -> [&[u64]; 5] {
    let Contents {
        selected,
        keys,
        law,
        principals,
        stated,
        ..
    } = contents;
    [selected, keys, law, principals, stated.as_slice()]
}

/// Every event that the contents name is here, in the log, and nothing else is.
fn events(
    files: &Files,
    contents: &Contents,
    head: Head,
    note: &str,
) -> Result<(Events, BTreeMap<u64, Vec<u8>>), Flaw> {
    let positions: BTreeSet<u64> = lists(contents).concat().into_iter().collect();
    let mut expected: BTreeSet<String> = [
        MANIFEST, README, SUMS, CHECKPOINT, CONTENTS, KEYS, REDACTED, STATE, STAMPED, STAMP,
        CONTINUED,
    ]
    .map(str::to_owned)
    .into();
    for position in &positions {
        expected.extend([record_name(*position), proof_name(*position)]);
    }
    if let Some(name) = files.keys().find(|name| !expected.contains(*name)) {
        return Err(Flaw::new(name, "nothing says what it is here for"));
    }
    file(files, README)?;
    let (mut events, mut records) = (Events::new(), BTreeMap::new());
    for position in positions {
        let name = record_name(position);
        let bytes = file(files, &name)?;
        let known = known(bytes).map_err(|why| Flaw::new(name, why))?;
        let name = proof_name(position);
        let receipt = text(files, &name, NOTE_BYTES_MAX)?;
        in_log(receipt, position, &known.entry, head, note).map_err(|why| Flaw::new(name, why))?;
        events.insert(position, known);
        records.insert(position, bytes.to_vec());
    }
    linked(&events)?;
    Ok((events, records))
}

fn known(bytes: &[u8]) -> Result<Known, String> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err("it is over its limit".to_owned());
    }
    let said = |error: domain::record::RecordError| error.to_string();
    let record = RecordRef::parse(bytes).map_err(said)?;
    if record.parts().any(|part| !part.is_empty()) {
        return Err("it holds a sealed part".to_owned());
    }
    let envelope = record.open_envelope().map_err(said)?;
    Ok(Known {
        event: open_event(&envelope).map_err(said)?,
        entry: entry(&record),
        link: record.link(),
        envelope,
    })
}

fn in_log(text: &str, position: u64, entry: &[u8], head: Head, note: &str) -> Result<(), String> {
    let receipt = Receipt::parse(text).map_err(|error| error.to_string())?;
    if receipt.extra.is_some() || receipt.to_text() != text {
        return Err("not as it is written".to_owned());
    }
    if receipt.index != position {
        return Err("it is of another position".to_owned());
    }
    // The checkpoint's signatures are checked once, where it stands by itself.
    if receipt.checkpoint.to_text() != note {
        return Err("it is of another checkpoint".to_owned());
    }
    let leaf = Hash::leaf(entry);
    check_inclusion(leaf, position, &receipt.proof, &head).map_err(|error| error.to_string())
}

/// Neighbours in a stream are linked, wherever both are here; positions and numbers run the same way.
fn linked(events: &Events) -> Result<(), Flaw> {
    let mut heads: BTreeMap<StreamId, &Known> = BTreeMap::new();
    for (position, known) in events {
        let flaw = |why: &str| Flaw::new(record_name(*position), why);
        let envelope = &known.envelope;
        if let Some(before) = heads.insert(envelope.stream, known) {
            let (number, after) = (before.envelope.revision.0, envelope.revision.0);
            if after <= number {
                return Err(flaw("it stands after a later event of its stream"));
            }
            if after == number + 1 && envelope.link != before.link {
                return Err(flaw("it is not linked to the event before it"));
            }
        }
        if envelope.revision.0 == 0 && envelope.link != Digest::ZERO {
            return Err(flaw("the first event of a stream is linked to none"));
        }
    }
    Ok(())
}

/// The events of a stream from its first on, none left out between.
pub(super) fn whole(
    list: &[u64],
    events: &Events,
    stream: StreamId,
    what: &str,
) -> Result<(), Flaw> {
    for (number, position) in (0u64..).zip(list) {
        let envelope = events.get(position).map(|known| &known.envelope);
        let next =
            |envelope: &&Envelope| envelope.stream == stream && envelope.revision.0 == number;
        if !envelope.as_ref().is_some_and(next) {
            let why = format!("event {position} is not number {number} of {what}");
            return Err(Flaw::new(CONTENTS, why));
        }
    }
    Ok(())
}

fn keys(
    files: &Files,
    contents: &Contents,
    events: &Events,
    trust: &Trust,
    note: &str,
) -> Result<KeyRing, Flaw> {
    let flaw = |why: &dyn ToString| Flaw::new(KEYS, why.to_string());
    let stream = StreamId::single(Category::Ledger);
    whole(&contents.keys, events, stream, "the ledger's own stream")?;
    let mut ring = KeyRing::default();
    for position in &contents.keys {
        if let Some(known) = events.get(position) {
            let learnt = ring.learn(Position(*position), &known.event);
            learnt.map_err(|error| Flaw::new(record_name(*position), error))?;
        }
    }
    if contents.keys.first() != Some(&0) || ring.ledger() != Some(contents.ledger) {
        return Err(Flaw::new(
            CONTENTS,
            "the ledger's first event is not its creation",
        ));
    }
    let first = ring.keys().first().map(|key| key.public);
    if trust.ledger_key.is_some() && trust.ledger_key != first {
        return Err(Flaw::new(
            record_name(0),
            "another key than `--ledger-key` began this ledger",
        ));
    }
    let texts = verifier_keys(&ring).map_err(|error| flaw(&error))?;
    let texts: String = texts.iter().map(|key| key.to_text() + "\n").collect();
    if file(files, KEYS)? != texts.as_bytes() {
        return Err(flaw(&"not the keys that the ledger's own events name"));
    }
    let parsed = Note::parse(note).map_err(|error| Flaw::new(CHECKPOINT, error))?;
    let signed = parsed.verify(&trust.policy.log);
    let signed = signed.map_err(|error| Flaw::new(CHECKPOINT, error))?;
    let counts = signed.iter().any(|signed| {
        ring.signs_checkpoint(&PublicKey(signed.key.key().to_bytes()), contents.size)
    });
    if !counts {
        let why = "its key does not count at this size, as the ledger's own events have it";
        return Err(Flaw::new(CHECKPOINT, why));
    }
    Ok(ring)
}
