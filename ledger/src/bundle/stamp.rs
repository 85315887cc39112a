//! The time-stamp in a bundle: since when what it is about existed at the latest.

use super::check::{file, text};
use super::{CONTENTS, CONTINUED, Contents, Files, Flaw, STAMP, STAMPED, Trust};
use crate::keyring::KeyRing;
use crate::timestamp::{self, Stamped};
use crate::transparency::{ReadError, TransparencyLog, verifier_keys};
use tlog::note::{NOTE_BYTES_MAX, Note};
use tlog::policy::Policy;
use tlog::proof::{HASHES_MAX, Head, check_consistency};
use tlog::{Checkpoint, Hash};

/// A hash in base64, and the end of its line.
const LINE_BYTES: usize = 45;

/// Puts the first stamp in that speaks of everything the bundle is about, if there is one.
pub fn put(log: &TransparencyLog, contents: &Contents, files: &mut Files) -> Result<(), ReadError> {
    let Some(last) = contents.selected.last() else {
        return Ok(());
    };
    let stamp = log.stamps().covering(*last)?;
    let Some(stamp) = stamp.filter(|stamp| stamp.size <= contents.size) else {
        return Ok(());
    };
    let proof = log.consistency(stamp.size, contents.size)?;
    let proof: String = proof.iter().map(|hash| hash.to_base64() + "\n").collect();
    files.insert(STAMPED.to_owned(), stamp.checkpoint);
    files.insert(STAMP.to_owned(), stamp.answer);
    files.insert(CONTINUED.to_owned(), proof.into_bytes());
    Ok(())
}

/// Checks what there is. What an authority said of how many events, if the reader believes one.
pub fn check(
    files: &Files,
    contents: &Contents,
    (head, ring): (Head, &KeyRing),
    trust: &Trust,
    facts: &mut Vec<String>,
) -> Result<Option<(u64, Stamped)>, Flaw> {
    if ![STAMPED, STAMP, CONTINUED]
        .iter()
        .any(|name| files.contains_key(*name))
    {
        return Ok(None);
    }
    let flaw = |error: &dyn ToString| Flaw::new(STAMPED, error.to_string());
    let note = text(files, STAMPED, NOTE_BYTES_MAX)?;
    let parsed = Note::parse(note).map_err(|error| flaw(&error))?;
    let stamped = Checkpoint::parse(parsed.text()).map_err(|error| flaw(&error))?;
    let stamped = stamped.head;
    // Its key may have been replaced since, by one that the reader knows; the ledger's own events say so.
    // Witnesses vouch for the bundle's own checkpoint, which continues this one.
    let keys = verifier_keys(ring).map_err(|error| flaw(&error))?;
    let keys = ring.checkpoint_keys().iter().zip(keys);
    let counting = keys.filter(|(key, _)| ring.signs_checkpoint(&key.public, stamped.size));
    let policy = Policy {
        origin: trust.policy.origin.clone(),
        log: counting.map(|(_, key)| key).collect(),
        witnesses: Vec::new(),
        quorum: 0,
    };
    policy.check(&parsed).map_err(|error| flaw(&error))?;
    if contents
        .selected
        .last()
        .is_none_or(|last| *last >= stamped.size)
    {
        return Err(Flaw::new(
            CONTENTS,
            "the stamped checkpoint is older than what this is about",
        ));
    }
    let proof = text(files, CONTINUED, HASHES_MAX * LINE_BYTES)?;
    let hashes: Result<Vec<Hash>, _> = proof.lines().map(Hash::from_base64).collect();
    let hashes = hashes.map_err(|error| Flaw::new(CONTINUED, error))?;
    let written: String = hashes.iter().map(|hash| hash.to_base64() + "\n").collect();
    if written != proof {
        return Err(Flaw::new(CONTINUED, "not as it is written"));
    }
    check_consistency(&stamped, &head, &hashes).map_err(|error| Flaw::new(CONTINUED, error))?;
    let answer = file(files, STAMP)?;
    let Some(authorities) = &trust.authorities else {
        facts.push("there is a time-stamp; nobody was named who is believed about time".to_owned());
        return Ok(None);
    };
    let said = timestamp::check(answer, note.as_bytes(), None, authorities);
    let said = said.map_err(|error| Flaw::new(STAMP, error))?;
    Ok(Some((stamped.size, said)))
}
