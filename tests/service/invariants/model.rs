//! What must always hold, written a second time and naively, from events in the order of the log.

use crate::world::{READER, World};
use domain::envelope::Envelope;
use domain::event::Event;
use domain::ids::{
    AccountId, CaseId, Category, DeviceRef, Digest, EventId, LookupHash, Micros, Position,
    Revision, StreamId,
};
use domain::record::{RecordRef, open_event};
use domain::vocabulary::{CloseReason, Level, LockGround, MatchResult, Modality};
use ledger::memory::Memory;
use ledger::store::{EventStore, Expected, Labels, NewRecord, StoredRecord};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// What happened to one account, as far as it matters here.
#[derive(Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "what was seen, each by itself"
)]
struct Seen {
    /// What happened, for whoever reads that it must not have.
    told: Vec<&'static str>,
    /// Its events.
    ids: HashSet<EventId>,
    exists: bool,
    closed: Option<CloseReason>,
    /// Opened by a guardian, with the guardian's number as contact.
    dependant: bool,
    applied: HashMap<CaseId, Level>,
    matches: HashMap<CaseId, Vec<(Modality, MatchResult)>>,
    issued: u8,
    deadline: Option<Micros>,
    asked: Option<DeviceRef>,
    code: bool,
    password: bool,
    passcode: bool,
    questions: bool,
    activated: bool,
    device: Option<DeviceRef>,
    locks: HashSet<LockGround>,
}

/// Who holds a number or a device, by the claim's stream.
struct Held {
    account: AccountId,
    confirmed_by: EventId,
}

#[derive(Default)]
pub struct Model {
    next: u64,
    heads: HashMap<StreamId, (u64, Digest)>,
    accounts: BTreeMap<AccountId, Seen>,
    held: HashMap<StreamId, Held>,
    bound: HashMap<DeviceRef, AccountId>,
    activations: u64,
}

fn number(level: Level) -> u8 {
    match level {
        Level::One => 1,
        Level::Two => 2,
    }
}

impl Model {
    /// Activations so far.
    pub fn activated(&self) -> u64 {
        self.activations
    }

    /// Takes in what was recorded since the last time.
    pub async fn read(&mut self, world: &World) {
        loop {
            let store = world.ledger.store();
            let page = store.read_all(Position(self.next), 256).await.unwrap();
            if page.is_empty() {
                return;
            }
            for stored in page {
                self.record(&stored);
            }
        }
    }

    /// The next record of the log.
    pub fn record(&mut self, stored: &StoredRecord) {
        assert_eq!(stored.position.0, self.next, "positions have no gaps");
        self.next += 1;
        let record = RecordRef::parse(&stored.bytes).unwrap();
        let envelope = record.open_envelope().unwrap();
        let (revision, link) = match self.heads.get(&stored.stream) {
            Some((last, link)) => (last + 1, *link),
            None => (0, Digest::ZERO),
        };
        assert_eq!(envelope.stream, stored.stream);
        assert_eq!(envelope.revision.0, revision, "revisions have no gaps");
        assert_eq!(envelope.link, link, "each event names the one before it");
        self.heads.insert(stored.stream, (revision, record.link()));
        self.take(&envelope, &open_event(&envelope).unwrap());
    }

    /// An event in its envelope, whose place in the log was looked at.
    pub fn take(&mut self, envelope: &Envelope, event: &Event) {
        if let Some(account) = envelope.stream.as_account() {
            self.happened(account, event, envelope.recorded_at);
            let seen = self.accounts.entry(account).or_default();
            seen.ids.insert(envelope.event_id);
        } else {
            self.claims(envelope.stream, event);
        }
    }

    /// An event in an account's stream.
    pub fn happened(&mut self, account: AccountId, event: &Event, at: Micros) {
        let seen = self.accounts.entry(account).or_default();
        seen.told.push(event.name());
        seen.take(event, at);
        self.devices(account, event);
    }

    /// One device, one account, at every moment.
    fn devices(&mut self, account: AccountId, event: &Event) {
        match event {
            Event::DeviceBound(facts) => {
                let before = self.bound.insert(facts.device, account);
                assert_eq!(before, None, "a device of two accounts");
            }
            Event::DeviceUnbound(facts) => {
                let before = self.bound.remove(&facts.device);
                assert_eq!(before, Some(account), "unbound and not bound");
            }
            Event::AccountActivated(_) => self.activations += 1,
            _ => {}
        }
    }

    /// A number that somebody made theirs is nobody else's until they gave it up.
    fn claims(&mut self, stream: StreamId, event: &Event) {
        match event {
            Event::Claimed(facts) => {
                if let Some(held) = self.held.get(&stream) {
                    let made_good = self.accounts[&held.account]
                        .ids
                        .contains(&held.confirmed_by);
                    assert!(!made_good, "{:?} claimed twice", stream.category);
                }
                let (account, confirmed_by) = (facts.account, facts.confirmed_by);
                self.held.insert(
                    stream,
                    Held {
                        account,
                        confirmed_by,
                    },
                );
            }
            Event::ClaimReleased(facts) => {
                let held = self.held.remove(&stream);
                assert_eq!(held.map(|held| held.account), Some(facts.account));
            }
            _ => {}
        }
    }

    fn holders(&self, category: Category) -> impl Iterator<Item = (&StreamId, AccountId)> {
        let good = |held: &Held| {
            let of = self.accounts.get(&held.account);
            of.is_some_and(|seen| seen.ids.contains(&held.confirmed_by))
        };
        let all = self
            .held
            .iter()
            .filter(move |(stream, held)| stream.category == category && good(held));
        all.map(|(stream, held)| (stream, held.account))
    }

    /// What holds between commands: each account holds its number and its device, and no other.
    pub fn check(&self) {
        let count = |category| {
            let mut count: HashMap<AccountId, usize> = HashMap::new();
            for (_, account) in self.holders(category) {
                *count.entry(account).or_default() += 1;
            }
            count
        };
        let numbers = count(Category::PersonalIdClaim);
        let devices = count(Category::DeviceClaim);
        for (account, seen) in &self.accounts {
            let of = |count: &HashMap<AccountId, usize>| count.get(account).copied().unwrap_or(0);
            if seen.exists && seen.closed != Some(CloseReason::Revoked) {
                assert_eq!(of(&numbers), 1, "numbers of one account");
            }
            let bound = usize::from(seen.device.is_some());
            assert_eq!(of(&devices), bound, "devices: {:?}", seen.told);
        }
        for (device, account) in &self.bound {
            let stream = StreamId::claim(Category::DeviceClaim, LookupHash(device.0));
            assert_eq!(self.held[&stream].account, *account);
        }
        assert_eq!(
            self.next,
            self.heads.values().map(|(last, _)| last + 1).sum::<u64>()
        );
    }

    fn open(&self, account: AccountId) -> bool {
        let seen = self.accounts.get(&account);
        seen.is_some_and(|seen| seen.exists && seen.closed.is_none())
    }

    /// One person, one account; and none any more after a death.
    pub fn compare_people(&self, people: &BTreeMap<AccountId, usize>) {
        let mut open: HashMap<usize, AccountId> = HashMap::new();
        for (account, who) in people {
            if self.open(*account) {
                let other = open.insert(*who, *account);
                assert_eq!(other, None, "two accounts of one number");
            }
        }
        for (account, who) in people {
            let seen = self.accounts.get(account);
            let ended = seen.and_then(|seen| seen.closed);
            if ended.is_some_and(|reason| reason != CloseReason::Revoked) {
                assert!(!open.contains_key(who), "an account of somebody who died");
            }
        }
    }

    /// One phone, one account, by what people said when they were let through; and it is claimed.
    pub fn compare_phones(&self, phones: impl Iterator<Item = (AccountId, StreamId)>) {
        let mut taken: HashMap<StreamId, AccountId> = HashMap::new();
        for (account, phone) in phones {
            let own = self
                .accounts
                .get(&account)
                .is_some_and(|seen| !seen.dependant);
            if own && self.open(account) {
                let other = taken.insert(phone, account);
                assert_eq!(other, None, "a phone of two accounts");
                let holder = self.held.get(&phone).map(|held| held.account);
                let told = &self.accounts[&account].told;
                assert_eq!(holder, Some(account), "a phone nobody claimed: {told:?}");
            }
        }
    }

    /// What the service says of every account is what the events say.
    pub async fn compare_answers(&self, world: &World) {
        world.settle().await;
        for account in self.accounts.keys() {
            let path = format!("/v1/accounts/{account}");
            let state = world.get_as(READER, &path).await.ok().json();
            let rights = world.get_as(READER, &format!("{path}/entitlements")).await;
            self.compare_answer(*account, &state, &rights.ok().json());
        }
    }

    /// One account's state and rights, as answered.
    pub fn compare_answer(&self, account: AccountId, state: &Value, rights: &Value) {
        let seen = &self.accounts[&account];
        let level = (seen.issued > 0).then_some(u64::from(seen.issued));
        assert_eq!(
            state["level"].as_u64(),
            level,
            "the level is what was issued"
        );
        assert_eq!(state["activated"].as_bool(), Some(seen.activated));
        assert_eq!(state["locked"].as_bool(), Some(!seen.locks.is_empty()));
        assert_eq!(state["closed"].as_bool(), Some(seen.closed.is_some()));
        let may = seen.activated && seen.locks.is_empty() && seen.closed.is_none();
        let services = match (may, seen.issued) {
            (true, 1) => 9,
            (true, 2) => 16,
            _ => 0,
        };
        assert_eq!(
            rights["granted"].as_u64(),
            Some(services),
            "services of {state}"
        );
        assert_eq!(state["entitlements"]["granted"].as_u64(), Some(services));
    }
}

impl Seen {
    fn take(&mut self, event: &Event, at: Micros) {
        self.after_the_end(event);
        self.while_locked(event);
        match event {
            Event::AppAccountCreated(_) => self.exists = true,
            Event::DependantAccountOpened(_) => self.dependant = true,
            Event::Level1Applied(facts) => drop(self.applied.insert(facts.case, Level::One)),
            Event::Level2Applied(facts) => drop(self.applied.insert(facts.case, Level::Two)),
            Event::BiometricMatchRecorded(facts) => {
                let all = self.matches.entry(facts.case).or_default();
                all.push((facts.modality, facts.result));
            }
            Event::AccountIssued(facts) => self.issue(facts.case, facts.level),
            Event::ActivationWindowOpened(facts) => self.deadline = Some(facts.deadline),
            Event::ActivationReopened(facts) => self.deadline = Some(facts.deadline),
            Event::ActivationWindowExpired(_) => {
                assert!(
                    self.deadline.is_some_and(|deadline| at >= deadline),
                    "expired early"
                );
                self.deadline = None;
            }
            Event::ActivationRequested(facts) => {
                assert!(
                    self.issued > 0,
                    "activation asked for before anything was issued"
                );
                (self.asked, self.code) = (Some(facts.device), false);
            }
            // The guardian's device stays the guardian's.
            Event::GuardianDeviceUsed(_) => self.asked = None,
            Event::ActivationOtpVerified(_) => self.code = true,
            Event::PasswordSet(_) => self.password = true,
            Event::PasscodeSet(_) => self.passcode = true,
            Event::SecurityQuestionsSet(_) => self.questions = true,
            Event::DeviceBound(facts) => {
                assert_eq!(
                    self.device.replace(facts.device),
                    None,
                    "two devices of one account"
                );
            }
            Event::DeviceUnbound(facts) => {
                assert_eq!(self.device.take(), Some(facts.device));
            }
            Event::AccountActivated(facts) => self.activate(facts.level, at),
            Event::AccountLocked(facts) => {
                assert!(self.locks.insert(facts.ground), "one ground twice");
            }
            Event::LockGroundRemoved(facts) => {
                assert!(
                    self.locks.remove(&facts.ground),
                    "a ground that was not there"
                );
                assert_ne!(facts.ground, LockGround::Death, "nobody lifts death");
            }
            Event::AccountUnlocked(_) => {
                assert!(self.locks.is_empty(), "unlocked with a ground left");
            }
            Event::AccountClosed(facts) => self.closed = Some(facts.reason),
            _ => {}
        }
    }

    /// A level is issued on an application for it, once, and never a lower one; the second on both biometrics.
    fn issue(&mut self, case: CaseId, level: Level) {
        assert_eq!(
            self.applied.remove(&case),
            Some(level),
            "issued what nobody applied for"
        );
        assert!(number(level) > self.issued, "issued again");
        let matched = |wanted| {
            let all = self.matches.get(&case);
            all.is_some_and(|all| all.contains(&(wanted, MatchResult::Match)))
        };
        if level == Level::Two {
            let both = matched(Modality::Portrait) && matched(Modality::Fingerprints);
            assert!(both, "level 2 without both biometrics");
        }
        (self.issued, self.exists) = (number(level), true);
    }

    fn activate(&mut self, level: Level, at: Micros) {
        assert!(!self.activated, "activated twice");
        assert_eq!(
            number(level),
            self.issued,
            "activated at a level that was not issued"
        );
        let in_time = self.deadline.is_some_and(|deadline| at < deadline);
        assert!(in_time, "activated outside the window");
        assert!(self.code && self.password && self.passcode && self.questions);
        assert_eq!(self.device, self.asked, "another device than was asked for");
        self.activated = true;
    }

    /// Nothing that is a use of the account happens while it is locked.
    fn while_locked(&self, event: &Event) {
        let use_of_it = matches!(
            event,
            Event::SessionOpened(_)
                | Event::ShareGranted(_)
                | Event::ShareConsumed(_)
                | Event::DocumentLinked(_)
                | Event::DependantLinked(_)
                | Event::GuardianConsentGiven(_)
                | Event::PhoneChanged(_)
                | Event::DeviceBound(_)
                | Event::AccountActivated(_)
                | Event::Level1Applied(_)
        );
        assert!(
            self.locks.is_empty() || !use_of_it,
            "{} while locked",
            event.name()
        );
        let needs_activation = matches!(
            event,
            Event::ShareGranted(_) | Event::ShareConsumed(_) | Event::DependantLinked(_)
        );
        assert!(
            self.activated || !needs_activation,
            "{} before activation",
            event.name()
        );
    }

    fn after_the_end(&self, event: &Event) {
        let said = matches!(event, Event::CommandRejected(_) | Event::ClaimForfeited(_));
        assert!(
            self.closed.is_none() || said,
            "{} after the end",
            event.name()
        );
    }
}

/// The same ledger without any sealed part, as a stranger may have it.
pub async fn redacted(world: &World) -> Arc<dyn EventStore> {
    redacted_until(world, u64::MAX).await
}

/// Its first records only.
pub async fn redacted_until(world: &World, length: u64) -> Arc<dyn EventStore> {
    let copy = Arc::new(Memory::new());
    let mut next = Position(0);
    loop {
        let page = world.ledger.store().read_all(next, 256).await.unwrap();
        let Some(last) = page.last() else { return copy };
        next = Position(last.position.0 + 1);
        for stored in page {
            if stored.position.0 >= length {
                return copy;
            }
            let record = RecordRef::parse(&stored.bytes).unwrap();
            let envelope = record.open_envelope().unwrap();
            let expected = match stored.revision.0.checked_sub(1) {
                Some(last) => Expected::Revision(Revision(last)),
                None => Expected::NoStream,
            };
            let new = NewRecord {
                event_id: envelope.event_id,
                link: record.link(),
                bytes: record.redacted().into(),
                labels: Labels::default(),
            };
            copy.append(stored.stream, expected, vec![new])
                .await
                .unwrap();
        }
    }
}
