//! The time-stamp in a bundle: since when what it is about existed at the latest.

use super::check::{file, text};
use super::{CONTENTS, CONTINUED, Contents, Files, Flaw, STAMP, STAMPED, Trust};
use crate::timestamp;
use crate::transparency::{ReadError, TransparencyLog};
use domain::ids::Micros;
use tlog::note::{NOTE_BYTES_MAX, Note};
use tlog::policy::Policy;
use tlog::proof::{Head, check_consistency};
use tlog::{Checkpoint, Hash};

/// Most hashes of a consistency proof: two a level, of at most 63.
const HASHES_MAX: usize = 128;

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

/// Checks what there is. The fact that it proves, if the reader believes an authority.
pub fn check(
    files: &Files,
    contents: &Contents,
    head: Head,
    trust: &Trust,
    facts: &mut Vec<String>,
) -> Result<(), Flaw> {
    if ![STAMPED, STAMP, CONTINUED]
        .iter()
        .any(|name| files.contains_key(*name))
    {
        return Ok(());
    }
    let flaw = |error: &dyn ToString| Flaw::new(STAMPED, error.to_string());
    let note = text(files, STAMPED, NOTE_BYTES_MAX)?;
    let parsed = Note::parse(note).map_err(|error| flaw(&error))?;
    // Witnesses vouch for the bundle's own checkpoint, which continues this one.
    let policy = Policy {
        quorum: 0,
        ..trust.policy.clone()
    };
    policy.check(&parsed).map_err(|error| flaw(&error))?;
    let stamped = Checkpoint::parse(parsed.text())
        .map_err(|error| flaw(&error))?
        .head;
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
    let proof = text(files, CONTINUED, HASHES_MAX * 45)?;
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
        return Ok(());
    };
    let said = timestamp::check(answer, note.as_bytes(), None, authorities);
    let said = said.map_err(|error| Flaw::new(STAMP, error))?;
    facts.push(format!(
        "all of it existed on {}, says {}",
        day_and_time(said.time),
        said.authority
    ));
    Ok(())
}

/// `YYYY-MM-DDThh:mm:ssZ`, a beginning second counted as over.
fn day_and_time(at: Micros) -> String {
    let seconds = at.0.div_euclid(Micros::SECOND) + i64::from(at.0.rem_euclid(Micros::SECOND) > 0);
    let duration = core::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    der::DateTime::from_unix_duration(duration)
        .map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
