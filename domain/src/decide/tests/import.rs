//! The past: what is brought in, when it happened, and how it goes on here.

use super::*;
use crate::decide::is_source;
use crate::event::Event;
use crate::ids::{AreaCode, Micros};
use crate::testing::NOON;
use crate::vocabulary::{Guard as G, Level, RefusalCode as C};

const ISSUED: Micros = NOON.plus(-500 * Micros::DAY);
const ACTIVATED: Micros = NOON.plus(-498 * Micros::DAY);

fn import(level: Level, issued_at: Micros, activated_at: Option<Micros>) -> Command {
    Command::ImportAccount {
        person: person(),
        level,
        issued_at,
        activated_at,
        area: AreaCode(30_288),
        site: 7,
        source: "520/CV-CQTT, tờ 12".into(),
    }
}

#[test]
fn each_event_happened_when_it_happened_and_names_its_source() {
    let mut s = Scenario::new();
    let then = s
        .when(Role::Importer, &import(Level::Two, ISSUED, Some(ACTIVATED)))
        .accepted(&["AccountImported", "ActivationImported"])
        .passed(&[
            G::RoleAllowed,
            G::AccountOpen,
            G::PersonalIdFormat,
            G::PhoneFormat,
            G::TimesInOrder,
            G::LawInForce,
            G::SourceNamed,
            G::PersonalIdFree,
            G::PhoneFree,
        ]);
    let [issued, activated] = &then.decision.events[..] else {
        panic!("not two events");
    };
    assert_eq!(issued.happened, Some(ISSUED));
    assert_eq!(activated.happened, Some(ACTIVATED));
    assert_eq!(issued.sealed.len(), 1);
    assert!(matches!(
        (&issued.event, &activated.event),
        (Event::AccountImported(a), Event::ActivationImported(b))
            if a.source == "520/CV-CQTT, tờ 12" && a.source == b.source && a.activate_by.is_none()
    ));
    assert_eq!(then.decision.claims.len(), 2);
    assert!(s.account.is_activated() && s.account.level() == Some(Level::Two));
    s.world.personal_id_holder = Holder::Own;
    s.when(Role::Importer, &import(Level::Two, ISSUED, None))
        .refused(G::PersonalIdFree, C::PersonalIdAlreadyRegistered, &[]);
}

#[test]
fn what_is_not_so_is_refused() {
    let refused = |command: Command, guard, code| {
        Scenario::new()
            .when(Role::Importer, &command)
            .refused(guard, code, &[]);
    };
    let early = ISSUED.plus(-1);
    refused(
        import(Level::One, ISSUED, Some(early)),
        G::TimesInOrder,
        C::TimesOutOfOrder,
    );
    let tomorrow = NOON.plus(Micros::DAY);
    refused(
        import(Level::One, tomorrow, None),
        G::TimesInOrder,
        C::TimesOutOfOrder,
    );
    let mut nameless = import(Level::One, ISSUED, None);
    if let Command::ImportAccount { source, .. } = &mut nameless {
        *source = " ".into();
    }
    refused(nameless, G::SourceNamed, C::SourceMissing);
    let mut s = Scenario::new();
    s.world.phone_holder = Holder::Other(crate::ids::AccountId([9; 16]));
    s.when(Role::Importer, &import(Level::One, ISSUED, None))
        .refused(G::PhoneFree, C::PhoneInUse, &[]);
    let mut s = Scenario::new();
    s.world.law = crate::law::LawBook::default().edition(NOON, crate::law::Known::Now);
    for role in [Role::Operator, Role::EidAuthority, Role::Citizen] {
        s.when(role, &import(Level::One, ISSUED, None)).refused(
            G::RoleAllowed,
            C::RoleNotAllowed,
            &[],
        );
    }
}

#[test]
fn a_source_is_named_and_gives_nobody_away() {
    for good in ["520/CV-CQTT", "sổ tiếp nhận 2022-04, tờ 12", "TK02/2023.15"] {
        assert!(is_source(good), "{good}");
    }
    let long = "a".repeat(121);
    for bad in ["", " x", "030099000001", "số 0912345678", "a\u{7}", &long] {
        assert!(!is_source(bad), "{bad}");
    }
}

#[test]
fn one_that_was_not_activated_is_overdue_and_the_hotline_helps() {
    let mut s = Scenario::new();
    s.when(Role::Importer, &import(Level::One, ISSUED, None))
        .accepted(&["AccountImported"]);
    s.world.personal_id_holder = Holder::Own;
    assert!(s.account.is_overdue(s.world.now) && !s.account.is_activated());
    s.when(Role::Citizen, &request_activation()).refused(
        G::WindowOpen,
        C::ActivationWindowEnded,
        &["ActivationWindowExpired"],
    );
    s.when(
        Role::HotlineAgent,
        &Command::AssistActivation { proof_given: true },
    )
    .accepted(&["ActivationReopened"]);
    let s = activate(s);
    assert!(s.account.is_activated());
}

/// Activated elsewhere, without a password or device here: activation is gone through once more, and it
/// does not count as another.
#[test]
fn one_that_was_activated_sets_its_credentials_here() {
    let mut s = Scenario::new();
    s.when(Role::Importer, &import(Level::Two, ISSUED, Some(ACTIVATED)));
    s.world.personal_id_holder = Holder::Own;
    assert!(s.account.awaits_credentials());
    let before = s.account.activation.phase;
    confirm_activation(&mut s);
    let verifier = verifier();
    s.when(Role::Citizen, &Command::SetPassword { verifier })
        .accepted(&["PasswordSet"]);
    s.when(Role::Citizen, &Command::SetPasscode { verifier })
        .accepted(&["PasscodeSet"]);
    s.when(Role::Citizen, &questions())
        .accepted(&["SecurityQuestionsSet", "DeviceBound"]);
    assert!(s.account.credentials.complete() && s.account.device.is_some());
    assert_eq!(s.account.activation.phase, before);
    assert!(
        !s.history
            .iter()
            .any(|event| event.name() == "AccountActivated")
    );
    s.when(Role::Citizen, &request_activation())
        .refused(G::NotActivated, C::AlreadyActivated, &[]);
}
