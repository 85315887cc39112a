//! Collects what a decision is made of: guards passed, events, claims, notices.

use super::{REFUSALS_RECORDED_PER_HOUR, message_of};
use crate::account::{Account, Challenge};
use crate::command::{Claim, ClaimChange, Command, Context, Decision, Holder, NewEvent, Notice};
use crate::entitlement::Catalogue;
use crate::envelope::{Receipt, Refused};
use crate::event::{CommandRejected, Event, OtpChallengeIssued, StepUpSatisfied};
use crate::ids::{AccountId, ChallengeId, LocalDay, Micros};
use crate::law::{Edition, LawPin, Opening};
use crate::personal::{Person, Personal};
use crate::policy::{ContactRequired, Policy};
use crate::vocabulary::{
    CommandKind, DocumentKind, Guard, LawKind, Message, OtpPurpose, RefusalCode, RetentionClass,
    Role, StepUpMethod,
};
use std::collections::BTreeSet;

/// A guard said no. The attempt it used up, if any, is known to the judge.
pub(super) struct No(Refused);

/// Go on, or not.
pub(super) type Verdict = Result<(), No>;

/// One decision in the making.
pub(super) struct Judge<'d, 'c> {
    /// The account before the command.
    pub account: &'d Account,
    /// What the outside said.
    pub context: &'d mut Context<'c>,
    command: CommandKind,
    passed: Vec<Guard>,
    events: Vec<NewEvent>,
    claims: Vec<ClaimChange>,
    send: Vec<Notice>,
    first: Vec<(AccountId, Command)>,
    attempt: Option<ChallengeId>,
    read: BTreeSet<LawKind>,
}

impl<'d, 'c> Judge<'d, 'c> {
    pub fn new(account: &'d Account, command: CommandKind, context: &'d mut Context<'c>) -> Self {
        Self {
            account,
            context,
            command,
            passed: Vec::new(),
            events: Vec::new(),
            claims: Vec::new(),
            send: Vec::new(),
            first: Vec::new(),
            attempt: None,
            read: BTreeSet::new(),
        }
    }

    /// The decision. What was recorded before a refusal stays (a failed registry check); claims,
    /// notices and other accounts' commands of a refused command do not.
    pub fn finish(mut self, verdict: Verdict) -> Decision {
        let refused = verdict.err().map(|No(refused)| refused);
        if let Some(refused) = refused {
            if self.is_flood(refused.guard) {
                self.events.clear();
            } else {
                self.record(CommandRejected {
                    command: self.command,
                    guard: refused.guard,
                    code: refused.code,
                    message: refused.message,
                    challenge: self.attempt,
                });
            }
            self.claims.clear();
            self.send.clear();
            self.first.clear();
        }
        Decision {
            receipt: Receipt {
                command: self.command,
                passed: self.passed,
                refused,
                law: pins(self.context.law, &self.read),
                answers: Vec::new(),
            },
            events: self.events,
            claims: self.claims,
            first: self.first,
            send: self.send,
        }
    }

    /// Wrong codes and credentials are counted by their events, so they are always recorded.
    fn is_flood(&self, guard: Guard) -> bool {
        let counts_an_attempt = matches!(guard, Guard::OtpCode | Guard::CredentialRight);
        let hour = self.context.now.0.div_euclid(crate::account::HOUR);
        let refusals = self.account.refusals;
        !counts_an_attempt && refusals.hour == hour && refusals.count >= REFUSALS_RECORDED_PER_HOUR
    }

    // ---- guards ----------------------------------------------------------------------------------

    /// Passes or refuses.
    pub fn guard(&mut self, guard: Guard, holds: bool, code: RefusalCode) -> Verdict {
        if holds {
            self.passed.push(guard);
            Ok(())
        } else {
            self.refuse(guard, code)
        }
    }

    /// Refuses.
    #[allow(clippy::unused_self, reason = "reads as the other guards do")]
    pub fn refuse(&self, guard: Guard, code: RefusalCode) -> Verdict {
        Err(No(Refused {
            guard,
            code,
            message: message_of(code),
        }))
    }

    /// Passes, with a value.
    pub fn require<T>(
        &mut self,
        guard: Guard,
        value: Option<T>,
        code: RefusalCode,
    ) -> Result<T, No> {
        match value {
            Some(value) => {
                self.passed.push(guard);
                Ok(value)
            }
            None => Err(No(Refused {
                guard,
                code,
                message: message_of(code),
            })),
        }
    }

    /// No ground locks the account.
    pub fn unlocked(&mut self) -> Verdict {
        self.guard(
            Guard::Unlocked,
            !self.account.is_locked(),
            RefusalCode::Locked,
        )
    }

    /// The four guards of a one-time password (spec A.8): open, in time, attempts left, right.
    pub fn otp(&mut self, id: ChallengeId, purpose: OtpPurpose) -> Verdict {
        let account = self.account;
        let open = account.open_challenge(id, purpose);
        let challenge = self.require(Guard::OtpOpen, open, RefusalCode::OtpNotOpen)?;
        let in_time = self.context.now < challenge.expires_at;
        self.guard(Guard::OtpInTime, in_time, RefusalCode::OtpExpired)?;
        let left = challenge.wrong < challenge.attempts_max;
        self.guard(Guard::OtpAttempts, left, RefusalCode::OtpAttemptsExhausted)?;
        let right = self.context.otp_right == Some(true);
        if !right {
            self.attempt = Some(id);
        }
        self.guard(Guard::OtpCode, right, RefusalCode::OtpWrong)
    }

    /// A new code is not sent too soon after the last one of its purpose.
    pub fn may_resend(&mut self, last: Option<&Challenge>) -> Verdict {
        let now = self.context.now;
        let soon = last.is_some_and(|last| !last.verified && now < last.resend_after);
        self.guard(Guard::OtpResend, !soon, RefusalCode::OtpResendTooSoon)
    }

    /// The right password or passcode, if one was given at all, and not after too many wrong ones.
    pub fn passcode_if_given(&mut self) -> Verdict {
        let Some(right) = self.context.credential_right else {
            return Ok(());
        };
        let left = self.account.credentials.wrong_passcodes < self.policy().passcode_attempts_max;
        self.guard(Guard::NotThrottled, left, RefusalCode::Throttled)?;
        self.guard(Guard::CredentialRight, right, RefusalCode::CredentialWrong)
    }

    /// Somebody can be reached as policy asks (C-06).
    pub fn contact(&mut self, person: &Person) -> Verdict {
        let known = match self.policy().contact_required {
            ContactRequired::OwnMobile => !person.phone.is_empty(),
            ContactRequired::PhoneOrEmail => !person.phone.is_empty() || !person.email.is_empty(),
        };
        self.guard(Guard::ChannelKnown, known, RefusalCode::NoChannel)
    }

    // ---- what comes of it ------------------------------------------------------------------------

    /// An event without sealed parts.
    pub fn record(&mut self, event: impl Into<Event>) {
        self.events.push(NewEvent {
            event: event.into(),
            sealed: Vec::new(),
            happened: None,
        });
    }

    /// An event of another time than the command's.
    pub fn record_at(&mut self, happened: Micros, event: impl Into<Event>) {
        self.events.push(NewEvent {
            event: event.into(),
            sealed: Vec::new(),
            happened: Some(happened),
        });
    }

    /// An event with one sealed part.
    pub fn record_with(&mut self, event: impl Into<Event>, class: RetentionClass, part: Personal) {
        self.events.push(NewEvent {
            event: event.into(),
            sealed: vec![(class, part)],
            happened: None,
        });
    }

    /// One more sealed part for the last event.
    pub fn seal(&mut self, class: RetentionClass, part: Personal) {
        if let Some(last) = self.events.last_mut() {
            last.sealed.push((class, part));
        }
    }

    /// Takes a claim, unless the account has it.
    pub fn take(&mut self, claim: Claim, holder: Holder) {
        if holder != Holder::Own {
            self.claims.push(ClaimChange { claim, take: true });
        }
    }

    /// Releases a claim.
    pub fn release(&mut self, claim: Claim) {
        self.claims.push(ClaimChange { claim, take: false });
    }

    /// The ledger carries this out on another account first.
    pub fn first(&mut self, account: AccountId, command: Command) {
        self.first.push((account, command));
    }

    /// A notice to the registered number.
    pub fn notify(&mut self, message: Message) {
        self.send.push(Notice {
            message,
            challenge: None,
            to_new_phone: false,
        });
    }

    /// A new code: the event and the notice that carries it.
    pub fn send_code(
        &mut self,
        purpose: OtpPurpose,
        message: Message,
        to_new_phone: bool,
    ) -> ChallengeId {
        let challenge = ChallengeId(self.new_id());
        let now = self.context.now;
        let policy = self.policy();
        let event = OtpChallengeIssued {
            challenge,
            purpose,
            expires_at: now.plus(i64::from(policy.otp_life_s) * Micros::SECOND),
            resend_after: now.plus(i64::from(policy.otp_resend_s) * Micros::SECOND),
            attempts_max: policy.otp_attempts_max,
        };
        self.record(event);
        self.send.push(Notice {
            message,
            challenge: Some(challenge),
            to_new_phone,
        });
        challenge
    }

    /// A second proof was accepted.
    pub fn step_up_satisfied(&mut self, method: StepUpMethod) {
        self.record(StepUpSatisfied { method });
    }

    // ---- short forms -----------------------------------------------------------------------------

    pub fn policy(&self) -> &'c Policy {
        self.context.law.policy()
    }

    /// `count` working days after a day, by the calendar in force; pinned.
    pub fn working_days_after(&mut self, from: LocalDay, count: u8) -> LocalDay {
        self.read.insert(LawKind::Calendar);
        self.context.law.calendar().working_days_after(from, count)
    }

    /// Whether dossiers are taken at a site on a day; pinned. `with_card_issue`: P5.
    pub fn site_is_open(&mut self, site: u32, day: LocalDay, with_card_issue: bool) -> bool {
        self.read.insert(LawKind::Sites);
        let (law, sites) = (self.context.law, self.context.law.sites());
        let weekdays = sites.find(site).map(|site| site.days);
        if weekdays == Some(Opening::WorkingDays) {
            self.read.insert(LawKind::Calendar);
            if !law.calendar().is_working_day(day) {
                return false;
            }
        }
        sites.is_open(site, day, with_card_issue)
    }

    /// Whether a kind of document can be linked today; pinned.
    pub fn may_link(&mut self, kind: DocumentKind) -> bool {
        self.read.insert(LawKind::Documents);
        let day = self.context.occurred_at.local_day();
        self.context.law.documents().may_link(kind, day)
    }

    /// The service catalogue in force, if one is; pinned.
    pub fn catalogue(&mut self) -> Option<&'c Catalogue> {
        self.read.insert(LawKind::Catalogue);
        self.context.law.catalogue()
    }

    pub fn role(&self) -> Role {
        self.context.actor.role
    }

    pub fn new_id(&mut self) -> [u8; 16] {
        (self.context.new_id)()
    }

    /// The local day on which it happens.
    pub fn today(&self) -> LocalDay {
        self.context.now.local_day()
    }
}

/// The versions that were read.
fn pins(law: &Edition, read: &BTreeSet<LawKind>) -> Vec<LawPin> {
    let pin = |kind: &LawKind| LawPin {
        law: *kind,
        version: law.version(*kind),
    };
    read.iter().map(pin).collect()
}
