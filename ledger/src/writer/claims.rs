//! "Only one account for this number, phone or device", by optimistic concurrency on claim streams.
//!
//! The port promises atomicity within one stream only, so a claim is made first and **confirmed** by
//! an event in the account's own stream, whose id the claim names. A claim whose event never came (a
//! crash in between) is settled by whoever meets it next:
//!
//! 1. read the claim; read the claimant's account;
//! 2. the confirming event is there and nothing after it gives the claim up → it is held;
//! 3. it is there but was given up since (a release lost in a crash) → append `ClaimReleased`;
//! 4. it is not there → append `ClaimForfeited` to the *claimant's* stream at the revision just
//!    read, then `ClaimReleased`. A late confirmation was decided on that same revision, so it
//!    conflicts, reads the forfeit, and starts again with a new claim: two accounts never both hold.
//!
//! Every step is one append to one stream; a crash after any of them leaves a state that these same
//! rules settle. Nothing here trusts memory.

use super::LedgerError;
use super::assemble::{Assembler, Draft};
use super::loaded::Loaded;
use crate::ledger::Ledger;
use crate::store::{AppendError, EventStore, Expected, PAGE_RECORDS_MAX, StoredRecord};
use crate::vault::DataKeys;
use domain::account::Lifecycle;
use domain::command::{Holder, NewEvent};
use domain::envelope::Envelope;
use domain::event::{ClaimForfeited, ClaimReleased, Claimed, Event};
use domain::ids::Category;
use domain::ids::{AccountId, EventId, Revision, StreamId};
use domain::record::{RecordRef, open_event};
use domain::vocabulary::{ClaimEnd, CloseReason};

/// What a claim stream says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClaimState {
    /// The last event of the stream.
    pub revision: Option<Revision>,
    /// The claim that is open: who, and the event that makes it good.
    pub open: Option<(AccountId, EventId)>,
}

impl ClaimState {
    /// What the next append to the stream must expect.
    pub fn expected(self) -> Expected {
        self.revision.map_or(Expected::NoStream, Expected::Revision)
    }

    /// Takes in one event of the claim's stream.
    pub fn learn(&mut self, revision: Revision, event: &Event) {
        self.revision = Some(revision);
        match event {
            Event::Claimed(facts) => self.open = Some((facts.account, facts.confirmed_by)),
            Event::ClaimReleased(_) => self.open = None,
            _ => {}
        }
    }
}

/// Reads a whole stream, decoded, page by page.
pub async fn read_decoded(
    store: &dyn EventStore,
    stream: StreamId,
) -> Result<Vec<(StoredRecord, Envelope, Event)>, LedgerError> {
    let mut decoded = Vec::new();
    let mut from = Revision(0);
    loop {
        let page = store.read_stream(stream, from, PAGE_RECORDS_MAX).await?;
        // A page may end early; only an empty one is the end.
        if page.is_empty() {
            return Ok(decoded);
        }
        for record in page {
            from = Revision(record.revision.0 + 1);
            let envelope = RecordRef::parse(&record.bytes)?.open_envelope()?;
            let event = open_event(&envelope)?;
            decoded.push((record, envelope, event));
        }
    }
}

/// Reads a claim stream.
pub async fn read_claim(
    store: &dyn EventStore,
    claim: StreamId,
) -> Result<ClaimState, LedgerError> {
    let mut state = ClaimState::default();
    for (record, _, event) in read_decoded(store, claim).await? {
        state.learn(record.revision, &event);
    }
    Ok(state)
}

/// What an account's stream says about a claim it made.
enum Standing {
    Held,
    GivenUp(ClaimEnd),
    NeverConfirmed(Option<Revision>),
}

async fn standing(
    ledger: &Ledger,
    account: AccountId,
    claim: StreamId,
    confirmed_by: EventId,
) -> Result<Standing, LedgerError> {
    let mut loaded = Loaded::default();
    loaded
        .catch_up(ledger.store().as_ref(), ledger.vault(), account)
        .await?;
    Ok(if !loaded.has_event(confirmed_by) {
        Standing::NeverConfirmed(loaded.head.map(|head| head.revision))
    } else if still_holds(ledger, &loaded, claim) {
        Standing::Held
    } else if loaded.account.is_closed() {
        Standing::GivenUp(ClaimEnd::AccountClosed)
    } else {
        Standing::GivenUp(ClaimEnd::Changed)
    })
}

/// Whether an account's own state still makes a confirmed claim good. What the state cannot say
/// (the number was erased) is held: nobody loses a claim to a doubt.
fn still_holds(ledger: &Ledger, loaded: &Loaded, claim: StreamId) -> bool {
    let account = &loaded.account;
    match claim.category {
        Category::DeviceClaim => account
            .device
            .as_ref()
            .is_some_and(|bound| bound.device.0 == claim.id.0),
        Category::PhoneClaim => {
            let begun =
                account.exists() || account.registration.is_some() || account.open_case().is_some();
            let same = loaded
                .registered_phone()
                .is_none_or(|phone| ledger.claim(Category::PhoneClaim, phone) == claim);
            begun && same && !account.is_closed()
        }
        // A number is never nobody's again but where the account was revoked (spec B.4).
        _ => !matches!(
            account.lifecycle,
            Lifecycle::Closed {
                reason: CloseReason::Revoked,
                ..
            }
        ),
    }
}

/// Who holds a claim, settling one that was left dangling. The state is the one to append at.
pub async fn holder(
    ledger: &Ledger,
    claim: StreamId,
    own: AccountId,
) -> Result<(Holder, ClaimState), LedgerError> {
    let (store, assembler) = (ledger.store().as_ref(), ledger.assembler());
    // Each round either answers or makes progress; contention is bounded by the other's progress.
    for _ in 0..super::ATTEMPTS_MAX {
        let state = read_claim(store, claim).await?;
        let Some((account, confirmed_by)) = state.open else {
            return Ok((Holder::Free, state));
        };
        if own == account {
            return Ok((Holder::Own, state));
        }
        let reason = match standing(ledger, account, claim, confirmed_by).await? {
            Standing::Held => return Ok((Holder::Other(account), state)),
            Standing::GivenUp(reason) => reason,
            Standing::NeverConfirmed(last) => {
                let forfeit = ClaimForfeited {
                    claim,
                    confirmed_by,
                };
                let expected = last.map_or(Expected::NoStream, Expected::Revision);
                let stream = StreamId::account(account);
                if !append_one(store, assembler, stream, expected, forfeit.into()).await? {
                    continue;
                }
                ClaimEnd::Forfeited
            }
        };
        let released = ClaimReleased { account, reason };
        // A conflict means that somebody else settled it: look again.
        append_one(store, assembler, claim, state.expected(), released.into()).await?;
    }
    Err(LedgerError::Contended)
}

/// Takes a claim that [`holder`] found free. `false`: somebody else was faster.
pub async fn take(
    ledger: &Ledger,
    claim: StreamId,
    state: ClaimState,
    account: AccountId,
    confirmed_by: EventId,
) -> Result<bool, LedgerError> {
    let (store, assembler) = (ledger.store().as_ref(), ledger.assembler());
    let claimed = Claimed {
        account,
        confirmed_by,
    };
    append_one(store, assembler, claim, state.expected(), claimed.into()).await
}

/// Releases a claim of this account, if it is still its own. Safe to repeat.
pub async fn release(
    ledger: &Ledger,
    claim: StreamId,
    account: AccountId,
    reason: ClaimEnd,
) -> Result<(), LedgerError> {
    let (store, assembler) = (ledger.store().as_ref(), ledger.assembler());
    let state = read_claim(store, claim).await?;
    if state.open.is_some_and(|(holder, _)| holder == account) {
        let released = ClaimReleased { account, reason };
        // A conflict means that it was settled meanwhile.
        append_one(store, assembler, claim, state.expected(), released.into()).await?;
    }
    Ok(())
}

/// Appends one event of the ledger's own. `false`: the stream had moved on.
async fn append_one(
    store: &dyn EventStore,
    assembler: &Assembler,
    stream: StreamId,
    expected: Expected,
    event: Event,
) -> Result<bool, LedgerError> {
    let link = match expected {
        Expected::NoStream => domain::ids::Digest::ZERO,
        Expected::Revision(revision) => match store.stream_head(stream).await? {
            Some(head) if head.revision == revision => head.link,
            _ => return Ok(false),
        },
    };
    let draft = Draft::of_ledger(assembler, stream);
    let event = NewEvent {
        event,
        sealed: Vec::new(),
        happened: None,
    };
    let keys = DataKeys::default();
    let signed = assembler.sign_all(&draft, expected, link, &keys, vec![event])?;
    match super::append_surely(store, stream, expected, signed.records).await {
        Ok(_) => Ok(true),
        Err(AppendError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
