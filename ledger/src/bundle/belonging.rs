//! That what is in a bundle belongs together: the events it says it has, the law and the principals they
//! name, what was left out, and what the ledger stated.
//!
//! Owns these comparisons. It is given events whose proofs hold, and must never look at a signature.

use super::check::{Events, Known, file, text, whole};
use super::make::{proposal_of, signer_of, used_law};
use super::{About, CONTENTS, Contents, Files, Flaw, REDACTED, REDACTIONS, Redaction, Redactions};
use super::{STATE, json, record_name};
use crate::state_seal::STREAM;
use crate::transparency::proofs::{PROOF_BYTES_MAX, Proof};
use crate::transparency::state_proof::StateProof;
use domain::event::Event;
use domain::ids::{Category, Digest, EventId, PrincipalId, StreamId};
use domain::vocabulary::LawKind;
use std::collections::BTreeSet;
use tlog::policy::Policy;

/// The events it is about are all there, in their stream or range.
pub fn selected(contents: &Contents, events: &Events, facts: &mut Vec<String>) -> Result<(), Flaw> {
    let (selected, size) = (&contents.selected, contents.size);
    match contents.about {
        About::Account(account) => {
            whole(
                selected,
                events,
                StreamId::account(account),
                "the account's stream",
            )?;
            if let Some(last) = selected.len().checked_sub(1) {
                facts.push(format!(
                    "account {account}: events 0 to {last}, each in the log of {size} events and linked to the one before"
                ));
            }
        }
        About::Range { from, to } => {
            if !selected.iter().copied().eq(from..=to) {
                return Err(Flaw::new(CONTENTS, "not every event of the range"));
            }
            facts.push(format!(
                "events {from} to {to}: none is left out, each is in the log of {size} events"
            ));
        }
    }
    Ok(())
}

/// The law that the decisions used is there, each publication with its proposal, and nothing else.
pub fn law(contents: &Contents, events: &Events) -> Result<(), Flaw> {
    let here = |list: &[u64]| -> Vec<&Known> {
        list.iter()
            .filter_map(|position| events.get(position))
            .collect()
    };
    let law = here(&contents.law);
    let mut published: BTreeSet<(LawKind, u32)> = BTreeSet::new();
    let ids: BTreeSet<EventId> = law.iter().map(|known| known.envelope.event_id).collect();
    for (position, known) in contents.law.iter().zip(&law) {
        let Some((kind, version, _)) = known.event.published_law() else {
            if matches!(known.event, Event::LawProposed(_)) {
                continue;
            }
            return Err(Flaw::new(CONTENTS, format!("event {position} is no law")));
        };
        let proposed = proposal_of(&known.event).is_some_and(|proposal| ids.contains(&proposal));
        if known.envelope.stream != kind.stream() || !proposed {
            return Err(Flaw::new(
                record_name(*position),
                "it publishes what is not here",
            ));
        }
        published.insert((kind, version));
    }
    for (position, known) in contents.selected.iter().zip(here(&contents.selected)) {
        let missing = |used: &(LawKind, u32)| !published.contains(used);
        if let Some((kind, version)) = used_law(&known.envelope).into_iter().find(missing) {
            let kind = kind.name();
            let why = format!("the law that event {position} used is not here: {kind} {version}");
            return Err(Flaw::new(CONTENTS, why));
        }
    }
    Ok(())
}

/// Whoever signed something is enrolled by an event that is there.
pub fn principals(contents: &Contents, events: &Events) -> Result<(), Flaw> {
    let mut enrolled: BTreeSet<PrincipalId> = BTreeSet::new();
    for position in &contents.principals {
        let event = events
            .get(position)
            .map(|known| (&known.event, &known.envelope));
        match event {
            Some((Event::PrincipalEnrolled(facts), _)) => {
                enrolled.insert(facts.principal);
            }
            Some((Event::PrincipalRevoked(_), _)) => {}
            _ => {
                return Err(Flaw::new(
                    CONTENTS,
                    format!("event {position} enrols nobody"),
                ));
            }
        }
        let stream = StreamId::single(Category::Principal);
        if event.is_some_and(|(_, envelope)| envelope.stream != stream) {
            return Err(Flaw::new(record_name(*position), "it is of another stream"));
        }
    }
    for (position, known) in events {
        if signer_of(&known.envelope).is_some_and(|signer| !enrolled.contains(&signer)) {
            let why = format!("the enrolment of who signed event {position} is not here");
            return Err(Flaw::new(CONTENTS, why));
        }
    }
    Ok(())
}

/// What is named as a statement is one.
pub fn stated(contents: &Contents, events: &Events) -> Result<(), Flaw> {
    let Some(position) = contents.stated else {
        return Ok(());
    };
    let known = events.get(&position);
    let good = known.is_some_and(|known| {
        matches!(known.event, Event::StateSealed(_)) && known.envelope.stream == STREAM
    });
    if good {
        Ok(())
    } else {
        Err(Flaw::new(
            CONTENTS,
            format!("event {position} states no state"),
        ))
    }
}

/// What is said to be left out is what the events commit to.
pub fn redactions(files: &Files, events: &Events) -> Result<(), Flaw> {
    let sealed = events
        .iter()
        .filter(|(_, known)| !known.envelope.sealed.is_empty());
    let redactions = Redactions {
        schema: REDACTIONS,
        events: sealed
            .map(|(position, known)| Redaction {
                position: *position,
                event_id: known.envelope.event_id,
                sealed: known.envelope.sealed.clone(),
            })
            .collect(),
    };
    if file(files, REDACTED)? == json(&redactions) {
        Ok(())
    } else {
        Err(Flaw::new(REDACTED, "not what the events commit to"))
    }
}

/// What the ledger stated of the account counts exactly these events.
pub fn state(
    files: &Files,
    contents: &Contents,
    events: &Events,
    policy: &Policy,
    note: &str,
    facts: &mut Vec<String>,
) -> Result<(), Flaw> {
    if !files.contains_key(STATE) {
        return match contents.about {
            About::Account(_) if contents.selected.is_empty() => Err(Flaw::new(
                STATE,
                "it is missing: nothing says that there is no such account",
            )),
            _ => Ok(()),
        };
    }
    let flaw = |why: &dyn ToString| Flaw::new(STATE, why.to_string());
    let written = text(files, STATE, PROOF_BYTES_MAX)?;
    let proof = Proof::parse(written).map_err(|error| flaw(&error))?;
    if json(&proof) != written.as_bytes() {
        return Err(flaw(&"not as it is written"));
    }
    let Proof::State(state) = &proof else {
        return Err(flaw(&"a proof of something else"));
    };
    let proved = proof.check(policy, None).map_err(|error| flaw(&error))?;
    if state.sealed.checkpoint != note || state.events.is_some() {
        return Err(flaw(&"it is of another checkpoint"));
    }
    facts.extend(proved.facts);
    complete(state, contents, events).map_err(|why| flaw(&why))?;
    facts.push(format!(
        "none is left out: these are all of the account's events among the first {}",
        state.state.position
    ));
    Ok(())
}

/// The events are those that the statement counts, up to where it speaks of.
fn complete(state: &StateProof, contents: &Contents, events: &Events) -> Result<(), &'static str> {
    if contents.about != About::Account(state.state.account) {
        return Err("it is of another account");
    }
    let leaf = state.state.check(&state.state.root);
    let leaf = leaf.map_err(|_| "it does not lead to its root")?;
    let counted = contents
        .selected
        .partition_point(|at| *at < state.state.position);
    let newest = counted
        .checked_sub(1)
        .and_then(|last| contents.selected.get(last));
    match (leaf, newest) {
        (None, None) => Ok(()),
        (Some(leaf), Some(position)) => {
            let entry = events.get(position).map(|known| Digest(known.entry));
            let same = leaf.length == counted as u64
                && leaf.position == *position
                && entry == Some(leaf.entry);
            same.then_some(())
                .ok_or("it counts other events than there are here")
        }
        _ => Err("it counts other events than there are here"),
    }
}
