//! Given events, when a command, then events or a refusal; and random events, commands and
//! surroundings for properties. For tests only (feature `testing`).

#![allow(
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::missing_panics_doc,
    clippy::return_self_not_must_use,
    clippy::must_use_candidate,
    clippy::cast_possible_wrap,
    reason = "tests: a panic is how they fail"
)]

mod random;

pub use random::{any_command, any_event, any_surroundings, build_command};

use crate::account::{Account, Recorded};
use crate::command::{
    Command, Context, CredentialForm, Decision, DeviceInfo, DocumentAnswer, GuardianFacts, Holder,
    ImmigrationAnswer, OfficerFacts, OrganisationAnswer, RegistryAnswer, RelationAnswer,
    RepresentativeFacts,
};
use crate::decide::decide;
use crate::envelope::Actor;
use crate::event::Event;
use crate::ids::{
    AccountId, AreaCode, DeviceRef, EventId, KeyId, LocalDay, LookupHash, Micros, Position,
    PrincipalId, PublicKey,
};
use crate::law::{
    Edition, IntakeSites, Known, LawBook, LawContent, LawContext, LawDraft, LawOrder, decide_law,
    shipped,
};
use crate::personal::{Organisation, Person, TravelDocument};
use crate::policy::Policy;
use crate::vocabulary::{Guard, Level, MatchResult, Modality, RefusalCode, Role};
use std::sync::{Arc, LazyLock};

/// 2024-03-05 09:00 in Viet Nam, a Tuesday: the day of letter S004's figures.
pub const NOON: Micros = Micros(1_709_604_000_000_000);

/// The chip-card QR of [`person`].
pub const CARD_QR: &str =
    "030099000001|123456789|Nguyễn Thị An|01021990|Nữ|Thanh Bình, Hải Dương|01012022";

/// A synthetic person of Hải Dương.
pub fn person() -> Person {
    Person {
        personal_id: "030099000001".into(),
        full_name: "Nguyễn Thị An".into(),
        birth_date: "1990-02-01".into(),
        sex: "Nữ".into(),
        residence: "Thanh Bình, Hải Dương".into(),
        phone: "+84912345678".into(),
        email: String::new(),
        old_id: "123456789".into(),
        card_issued: "2022-01-01".into(),
    }
}

/// Keyed hash of the representative's personal number.
pub const REPRESENTATIVE: LookupHash = LookupHash([7; 16]);

/// A synthetic foreigner staying in Hải Dương.
pub fn foreigner() -> Person {
    Person {
        personal_id: "NN0000012345".into(),
        full_name: "JANE DOE".into(),
        birth_date: "1990-02-01".into(),
        sex: "Nữ".into(),
        residence: "Hải Dương".into(),
        phone: "+84912345678".into(),
        email: String::new(),
        old_id: String::new(),
        card_issued: String::new(),
    }
}

/// Her passport.
pub fn passport() -> TravelDocument {
    TravelDocument {
        nationality: "FRA".into(),
        kind: crate::vocabulary::TravelDocumentKind::Passport,
        number: "12AB34567".into(),
        issued: "2020-01-31".into(),
        place: "Paris".into(),
    }
}

/// A synthetic enterprise with a good tax code.
pub fn organisation() -> Organisation {
    Organisation {
        number: "0100109106".into(),
        name: "Công ty TNHH Thanh Bình".into(),
        address: "Thanh Bình, Hải Dương".into(),
        phone: "+84912345679".into(),
        email: "lienhe@thanhbinh.example".into(),
    }
}

/// A device by number.
pub fn device(number: u8) -> DeviceInfo {
    DeviceInfo {
        device: DeviceRef([number; 16]),
        key: PublicKey([number; 32]),
        identifier: format!("device {number}"),
        model: "model".into(),
    }
}

/// Everything a [`Context`] says, owned, with answers that let a command pass.
#[derive(Clone)]
pub struct Surroundings {
    /// When.
    pub now: Micros,
    /// By which values.
    pub policy: Policy,
    /// The key the actor signed with.
    pub key: Option<KeyId>,
    /// The holder's data.
    pub person: Option<Person>,
    /// The population registry's answer.
    pub registry: Option<RegistryAnswer>,
    /// The sector registry's answer.
    pub document: Option<DocumentAnswer>,
    /// The number of a document that waits.
    pub declared: Option<String>,
    /// What the card registry said of captures.
    pub biometrics: Vec<(Modality, MatchResult)>,
    /// Who holds the personal number.
    pub personal_id_holder: Holder,
    /// Who holds the phone number.
    pub phone_holder: Holder,
    /// Who holds the device.
    pub device_holder: Holder,
    /// The number of a pending change.
    pub new_phone: Option<String>,
    /// Whether the code is right.
    pub otp_right: Option<bool>,
    /// Whether password or passcode is right.
    pub credential_right: Option<bool>,
    /// The form of a chosen password or passcode.
    pub credential_form: Option<CredentialForm>,
    /// Whether the second proof succeeded.
    pub step_up: Option<bool>,
    /// The officer.
    pub officer: Option<OfficerFacts>,
    /// First day of every site; `None`: as published.
    pub site_open_from: Option<LocalDay>,
    /// The law but for the policy.
    pub law: Edition,
    /// Whether the relying party is enrolled.
    pub relying_party_active: bool,
    /// What the verifier says of a chip read.
    pub chip: Option<crate::command::ChipAnswer>,
    /// The registry's answer about a relation.
    pub relation: Option<RelationAnswer>,
    /// The guardian who acts.
    pub guardian: Option<GuardianFacts>,
    /// The immigration database's answer.
    pub immigration: Option<ImmigrationAnswer>,
    /// The answer of the databases of organisations.
    pub organisation: Option<OrganisationAnswer>,
    /// The legal representative who is named or acts.
    pub representative: Option<RepresentativeFacts>,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            now: NOON,
            policy: Policy::default(),
            key: None,
            person: Some(person()),
            registry: Some(RegistryAnswer::Confirmed {
                area: AreaCode(30_288),
                birth_date: "1990-02-01".into(),
                has_chip_card: true,
            }),
            document: Some(DocumentAnswer::Verified { data_as_of: NOON }),
            declared: Some("030012345678".into()),
            biometrics: Vec::new(),
            personal_id_holder: Holder::Free,
            phone_holder: Holder::Free,
            device_holder: Holder::Free,
            new_phone: Some("+84987654321".into()),
            otp_right: Some(true),
            credential_right: None,
            credential_form: Some(CredentialForm::Good),
            step_up: None,
            officer: Some(OfficerFacts {
                active: true,
                sites: vec![7],
            }),
            site_open_from: None,
            relying_party_active: true,
            chip: None,
            relation: Some(RelationAnswer::Confirmed {
                relation: crate::vocabulary::Relation::Parent,
                ward: false,
            }),
            guardian: Some(GuardianFacts {
                device: None,
                may_act: true,
                dependant: Some((crate::vocabulary::DependantKind::Ward, None)),
            }),
            immigration: Some(ImmigrationAnswer::Confirmed {
                area: AreaCode(30_288),
                birth_date: "1990-02-01".into(),
                document_until: Some(NOON.plus(3650 * Micros::DAY).local_day()),
                residence: crate::vocabulary::ResidenceStatus::Temporary,
                residence_until: Some(NOON.plus(365 * Micros::DAY).local_day()),
                biometrics_held: true,
            }),
            organisation: Some(OrganisationAnswer::Confirmed {
                area: AreaCode(30_288),
                representatives: vec![REPRESENTATIVE],
            }),
            representative: Some(RepresentativeFacts {
                // The representative of `decide_under`.
                account: AccountId([Role::Representative as u8 + 1; 16]),
                person: Some(REPRESENTATIVE),
                may_act: true,
            }),
            law: shipped_book().edition(NOON, Known::Now),
        }
    }
}

/// An account that is active at level 2.
pub fn active_account() -> Account {
    let mut account = Account::default();
    let (device, key, level) = (DeviceRef([1; 16]), PublicKey([1; 32]), Level::Two);
    let (case, area) = (crate::ids::CaseId([1; 16]), AreaCode(30_288));
    let events = [
        crate::event::AccountIssued { case, level, area }.into(),
        crate::event::DeviceBound { device, key }.into(),
        crate::event::AccountActivated { level }.into(),
    ];
    fold(&mut account, &events, NOON);
    account
}

/// A law book with everything that ships, as a new ledger has it.
pub fn shipped_book() -> LawBook {
    static BOOK: LazyLock<LawBook> = LazyLock::new(|| {
        let mut book = LawBook::default();
        let drafts = shipped().expect("the shipped law is well formed");
        for draft in drafts {
            publish(&mut book, draft, NOON);
        }
        book
    });
    BOOK.clone()
}

/// Proposes and publishes a version, whatever the rules say of it.
pub fn publish(book: &mut LawBook, draft: LawDraft, at: Micros) {
    let (law, version) = (draft.kind(), book.next_version(draft.kind()));
    let digest = draft.digest().expect("it has an encoding");
    let order = LawOrder::Propose {
        draft: Arc::new(draft),
        digest,
    };
    for order in [
        order,
        LawOrder::Approve {
            law,
            version,
            digest,
        },
    ] {
        let actor = Actor {
            role: Role::Operator,
            principal: PrincipalId::ZERO,
            key: None,
        };
        let context = LawContext {
            now: at,
            actor,
            book,
            founding: true,
            same_key_as: &|_| false,
        };
        let decided = decide_law(&order, &context);
        assert_eq!(decided.receipt.refused, None, "{law:?}");
        learn(book, &decided.event, at);
    }
}

/// Folds an event of a law's stream; positions count on.
pub fn learn(book: &mut LawBook, event: &Event, at: Micros) {
    let count = book.proposals().len() + book.published().count();
    let mut id = [0xaa; 16];
    id[..8].copy_from_slice(&(count as u64).to_be_bytes());
    book.learn(&Recorded {
        event,
        event_id: EventId(id),
        revision: crate::ids::Revision(count as u64),
        position: Some(Position(count as u64)),
        recorded_at: at,
        occurred_at: at,
        policy: 0,
    });
}

impl Surroundings {
    /// The law in force: the published one with this policy and these sites.
    pub fn edition(&self) -> Edition {
        let law = self
            .law
            .clone()
            .with(LawContent::Policy(self.policy.clone()));
        match self.site_open_from {
            None => law,
            Some(from) => law.with(LawContent::Sites(IntakeSites {
                unlisted_from: Some(from),
                sites: Vec::new(),
            })),
        }
    }
}

impl core::fmt::Debug for Surroundings {
    /// Nothing personal, though it is made up: the habit is what counts.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Surroundings")
            .field("now", &self.now)
            .field(
                "holders",
                &(
                    self.personal_id_holder,
                    self.phone_holder,
                    self.device_holder,
                ),
            )
            .field("otp_right", &self.otp_right)
            .field("step_up", &self.step_up)
            .finish_non_exhaustive()
    }
}

/// A decision under surroundings. `seed` makes the ids it asks for.
pub fn decide_under(
    account: &Account,
    role: Role,
    command: &Command,
    surroundings: &Surroundings,
    seed: &mut u64,
) -> Decision {
    let mut new_id = || {
        *seed += 1;
        let mut id = [0xee; 16];
        id[..8].copy_from_slice(&seed.to_be_bytes());
        id
    };
    let s = surroundings;
    let law = s.edition();
    let mut context = Context {
        now: s.now,
        occurred_at: s.now,
        law: &law,
        actor: Actor {
            role,
            principal: PrincipalId([role as u8 + 1; 16]),
            key: s.key,
        },
        new_id: &mut new_id,
        person: s.person.as_ref(),
        registry: s.registry.clone(),
        document: s.document,
        declared: s.declared.as_deref(),
        biometrics: &s.biometrics,
        personal_id_holder: s.personal_id_holder,
        phone_holder: s.phone_holder,
        device_holder: s.device_holder,
        phone_hash: Some(LookupHash([1; 16])),
        new_phone: s.new_phone.as_deref(),
        otp_right: s.otp_right,
        credential_right: s.credential_right,
        credential_form: s.credential_form,
        step_up: s.step_up,
        officer: s.officer.clone(),
        relying_party_active: s.relying_party_active,
        chip: s.chip.clone(),
        relation: s.relation,
        guardian: s.guardian,
        immigration: s.immigration.clone(),
        organisation: s.organisation.clone(),
        representative: s.representative,
    };
    decide(account, command, &mut context)
}

/// Folds events after those an account has, one microsecond apart.
pub fn fold(account: &mut Account, events: &[Event], at: Micros) {
    for event in events {
        let revision = account.next_revision();
        let mut id = [0; 16];
        id[8..].copy_from_slice(&revision.0.to_be_bytes());
        account.evolve(&Recorded {
            event,
            event_id: EventId(id),
            revision,
            position: Some(Position(revision.0)),
            recorded_at: at,
            occurred_at: at,
            policy: 1,
        });
    }
}

/// One account and what surrounds it. Commands change it as their decisions say.
#[derive(Clone, Default)]
pub struct Scenario {
    /// The account.
    pub account: Account,
    /// What surrounds the next command.
    pub world: Surroundings,
    /// Every event so far.
    pub history: Vec<Event>,
    seed: u64,
}

impl Scenario {
    /// Nothing has happened.
    pub fn new() -> Self {
        Self::default()
    }

    /// These events have happened.
    #[must_use]
    pub fn given(mut self, events: &[Event]) -> Self {
        self.happened(events);
        self
    }

    /// Records events.
    pub fn happened(&mut self, events: &[Event]) {
        fold(&mut self.account, events, self.world.now);
        self.history.extend_from_slice(events);
    }

    /// Somebody asks; what comes of it is folded in.
    pub fn when(&mut self, role: Role, command: &Command) -> Then {
        let decision = decide_under(&self.account, role, command, &self.world, &mut self.seed);
        let events: Vec<Event> = decision
            .events
            .iter()
            .map(|new| new.event.clone())
            .collect();
        self.happened(&events);
        Then { decision }
    }

    /// Time passes.
    pub fn later(&mut self, micros: i64) {
        self.world.now = self.world.now.plus(micros);
    }
}

/// What came of a command.
pub struct Then {
    /// The decision.
    pub decision: Decision,
}

impl Then {
    /// Names of the events.
    pub fn events(&self) -> Vec<&'static str> {
        self.decision
            .events
            .iter()
            .map(|new| new.event.name())
            .collect()
    }

    /// It was accepted, with exactly these events.
    #[track_caller]
    pub fn accepted(self, events: &[&str]) -> Self {
        assert_eq!(
            self.decision.refused(),
            None,
            "refused after {:?}",
            self.decision.receipt
        );
        assert_eq!(self.events(), events);
        self
    }

    /// It was refused by this guard; before `CommandRejected` came exactly these events.
    #[track_caller]
    pub fn refused(self, guard: Guard, code: RefusalCode, before: &[&str]) -> Self {
        let refused = self.decision.refused();
        assert_eq!(refused.map(|r| (r.guard, r.code)), Some((guard, code)));
        let mut expected = before.to_vec();
        expected.push("CommandRejected");
        assert_eq!(self.events(), expected);
        assert!(self.decision.claims.is_empty() && self.decision.send.is_empty());
        self
    }

    /// Exactly these guards passed, in this order.
    #[track_caller]
    pub fn passed(self, guards: &[Guard]) -> Self {
        assert_eq!(self.decision.receipt.passed, guards);
        self
    }
}
