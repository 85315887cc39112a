//! P10: who may share what, with whom, for how long, and once.

use super::*;
use crate::decide::{document_of, service_of};
use crate::event::Event;
use crate::ids::{PrincipalId, ShareId};
use crate::law::LawContent;
use crate::vocabulary::{
    DocumentKind, Guard as G, Level, LockGround, RefusalCode as C, ShareField as F, ShareMode as M,
};

/// The relying party of the scenarios.
const RELYING: PrincipalId = PrincipalId([Role::RelyingParty as u8 + 1; 16]);

fn share(mode: M, fields: &[F]) -> Command {
    Command::ShareData {
        mode,
        fields: fields.to_vec(),
        relying_party: RELYING,
    }
}

fn with_passcode(mut s: Scenario) -> Scenario {
    s.world.credential_right = Some(true);
    s
}

fn last(s: &Scenario) -> ShareId {
    s.account.shares.last().expect("a share").id
}

fn consume(s: &Scenario) -> Command {
    Command::ConsumeShare { share: last(s) }
}

#[test]
fn the_guards_stand_in_the_specification_s_order() {
    let names = [F::FullName, F::BirthDate];
    let mut s = with_passcode(level2());
    s.when(Role::Citizen, &share(M::IdentificationQr, &names))
        .refused(G::Activated, C::NotActivated, &[]);
    let mut s = with_passcode(activate(level2()));
    s.when(
        Role::Citizen,
        &Command::LockAccount {
            ground: LockGround::OwnRequest,
        },
    );
    s.when(Role::Citizen, &share(M::IdentificationQr, &names))
        .refused(G::Unlocked, C::Locked, &[]);
    let mut s = with_passcode(activate(level2()));
    s.when(Role::Citizen, &share(M::IdentificationQr, &names))
        .accepted(&["ShareGranted"])
        .passed(&[
            G::RoleAllowed,
            G::AccountOpen,
            G::Activated,
            G::Unlocked,
            G::LevelSufficient,
            G::NotThrottled,
            G::CredentialRight,
            G::FieldsEntitled,
            G::FieldsPresent,
            G::RelyingPartyKnown,
        ]);
    s.when(Role::RelyingParty, &consume(&s))
        .accepted(&["ShareConsumed"])
        .passed(&[
            G::RoleAllowed,
            G::AccountOpen,
            G::ShareOpen,
            G::ShareAddressed,
            G::ShareInTime,
            G::ShareUnused,
            G::Unlocked,
        ]);
}

#[test]
fn an_event_holds_the_names_of_the_fields_and_nothing_is_sealed() {
    let mut s = with_passcode(activate(level2()));
    let then = s.when(Role::Citizen, &share(M::InApp, &[F::FullName, F::Phone]));
    let new = &then.decision.events[0];
    assert!(new.sealed.is_empty());
    let Event::ShareGranted(facts) = &new.event else {
        panic!("{}", new.event.name());
    };
    assert_eq!(facts.fields, [F::FullName, F::Phone]);
    assert_eq!(facts.relying_party, RELYING);
    let text = format!("{:?}", new.event);
    assert!(
        !text.contains("Nguyễn") && !text.contains("912345678"),
        "{text}"
    );
}

#[test]
fn a_qr_lives_a_minute_and_is_good_once() {
    let mut s = with_passcode(activate(level2()));
    s.when(Role::Citizen, &share(M::IdentificationQr, &[F::FullName]));
    let granted = s.account.share(last(&s)).unwrap();
    assert_eq!(granted.expires_at, s.world.now.plus(60 * SECOND));
    s.later(60 * SECOND - 1);
    s.when(Role::RelyingParty, &consume(&s))
        .accepted(&["ShareConsumed"]);
    s.when(Role::RelyingParty, &consume(&s))
        .refused(G::ShareUnused, C::ShareAlreadyUsed, &[]);
    s.when(Role::Citizen, &share(M::IdentificationQr, &[F::FullName]));
    s.later(60 * SECOND);
    s.when(Role::RelyingParty, &consume(&s)).refused(
        G::ShareInTime,
        C::ShareExpired,
        &["ShareExpired"],
    );
    // That it lapsed is recorded once.
    s.when(Role::RelyingParty, &consume(&s))
        .refused(G::ShareInTime, C::ShareExpired, &[]);
    s.world.policy.share_identification_qr_s = 10;
    s.when(Role::Citizen, &share(M::IdentificationQr, &[F::FullName]));
    let granted = s.account.share(last(&s)).unwrap();
    assert_eq!(granted.expires_at, s.world.now.plus(10 * SECOND));
    s.when(Role::Citizen, &share(M::InApp, &[F::FullName]));
    let granted = s.account.share(last(&s)).unwrap();
    assert_eq!(granted.expires_at, s.world.now.plus(300 * SECOND));
}

#[test]
fn only_the_relying_party_it_was_granted_to_may_look() {
    let mut s = with_passcode(activate(level2()));
    let other = Command::ShareData {
        mode: M::InApp,
        fields: vec![F::FullName],
        relying_party: PrincipalId([77; 16]),
    };
    s.when(Role::Citizen, &other).accepted(&["ShareGranted"]);
    s.when(Role::RelyingParty, &consume(&s))
        .refused(G::ShareAddressed, C::ShareOfAnother, &[]);
    s.when(Role::EidAuthority, &consume(&s))
        .refused(G::RoleAllowed, C::RoleNotAllowed, &[]);
    let unknown = Command::ConsumeShare {
        share: ShareId([3; 16]),
    };
    s.when(Role::RelyingParty, &unknown)
        .refused(G::ShareOpen, C::ShareNotFound, &[]);
    s.world.relying_party_active = false;
    s.when(Role::Citizen, &other)
        .refused(G::RelyingPartyKnown, C::RelyingPartyUnknown, &[]);
}

#[test]
fn fields_follow_the_level_and_the_mode() {
    let mut one = with_passcode(activate(level1()));
    one.when(Role::Citizen, &share(M::InApp, &[F::FullName, F::Sex]))
        .accepted(&["ShareGranted"]);
    // What the card's QR shows anyway, at level 1 too; residence by itself is a level-2 service.
    one.when(
        Role::Citizen,
        &share(M::CardQr, &[F::Residence, F::OldId, F::CardIssued]),
    )
    .accepted(&["ShareGranted"]);
    for fields in [
        &[F::Residence][..],
        &[F::FullName, F::OldId],
        &[],
        &[F::FullName, F::FullName],
    ] {
        one.when(Role::Citizen, &share(M::InApp, fields)).refused(
            G::FieldsEntitled,
            C::FieldNotEntitled,
            &[],
        );
    }
    one.when(Role::Citizen, &share(M::CardQr, &[F::Phone]))
        .refused(G::FieldsEntitled, C::FieldNotEntitled, &[]);
    let mut two = with_passcode(activate(level2()));
    two.when(Role::Citizen, &share(M::InApp, &[F::Residence, F::OldId]))
        .accepted(&["ShareGranted"]);
    two.when(Role::Citizen, &share(M::InApp, &[F::DrivingLicence]))
        .refused(G::FieldsPresent, C::FieldNotAvailable, &[]);
    two.when(Role::Citizen, &share(M::InApp, &[F::Email]))
        .refused(G::FieldsPresent, C::FieldNotAvailable, &[]);
    let link = Command::LinkDocument {
        kind: DocumentKind::DrivingLicence,
        number: "030012345678".into(),
    };
    two.when(Role::Citizen, &link);
    two.when(Role::Citizen, &share(M::InApp, &[F::DrivingLicence]))
        .accepted(&["ShareGranted"]);
}

/// Every field in every mode needs a service of the list, at that service's level.
#[test]
fn every_field_has_a_service_of_the_list() {
    let law = Scenario::new().world.law;
    let list = law.catalogue().unwrap();
    for mode in M::ALL {
        for field in F::ALL {
            let Some(service) = service_of(*mode, *field) else {
                assert_eq!(*mode, M::CardQr, "{field:?}");
                continue;
            };
            let known = list.services.iter().find(|known| known.id == service);
            let level = known.expect("a service of the list").level;
            if document_of(*field).is_some() {
                assert_eq!(level, Level::Two);
            }
        }
    }
    let seven = F::ALL
        .iter()
        .filter(|field| service_of(M::CardQr, **field).is_some());
    assert_eq!(seven.count(), 7);
}

#[test]
fn a_service_that_is_not_in_force_shares_nothing() {
    let mut s = with_passcode(activate(level2()));
    let mut list = s.world.law.catalogue().unwrap().clone();
    list.services
        .retain(|service| service.id != "citizen_data_sharing");
    s.world.law = s.world.law.with(LawContent::Catalogue(list));
    s.when(Role::Citizen, &share(M::InApp, &[F::FullName]))
        .refused(G::LevelSufficient, C::LevelTooLow, &[]);
}

#[test]
fn wrong_passcodes_are_counted_and_a_right_one_ends_the_count() {
    let mut s = activate(level2());
    let command = share(M::InApp, &[F::FullName]);
    for given in [None, Some(false)] {
        s.world.credential_right = given;
        s.when(Role::Citizen, &command)
            .refused(G::CredentialRight, C::PasscodeWrong, &[]);
    }
    assert_eq!(s.account.credentials.wrong_passcodes, 2);
    s.world.credential_right = Some(true);
    s.when(Role::Citizen, &command).accepted(&["ShareGranted"]);
    assert_eq!(s.account.credentials.wrong_passcodes, 0);
    s.world.credential_right = Some(false);
    for _ in 0..10 {
        s.when(Role::Citizen, &command);
    }
    // Ten wrong ones: the right one no longer counts.
    s.world.credential_right = Some(true);
    s.when(Role::Citizen, &command)
        .refused(G::NotThrottled, C::Throttled, &[]);
}

#[test]
fn a_lock_in_between_holds_and_the_end_of_the_account_ends_its_shares() {
    let mut s = with_passcode(activate(level2()));
    s.when(Role::Citizen, &share(M::InApp, &[F::FullName]));
    s.when(
        Role::Citizen,
        &Command::LockAccount {
            ground: LockGround::OwnRequest,
        },
    );
    s.when(Role::RelyingParty, &consume(&s))
        .refused(G::Unlocked, C::Locked, &[]);
    let command = consume(&s);
    let reason = crate::vocabulary::CloseReason::Death;
    s.when(Role::RegistryAdapter, &Command::CloseAccount { reason });
    assert!(s.account.shares.is_empty());
    s.when(Role::RelyingParty, &command)
        .refused(G::AccountOpen, C::AccountClosed, &[]);
}

#[test]
fn what_is_over_makes_room_before_what_is_open() {
    let mut s = with_passcode(activate(level2()));
    let command = share(M::InApp, &[F::FullName]);
    s.when(Role::Citizen, &command);
    let first = last(&s);
    s.when(Role::Citizen, &command);
    let used = last(&s);
    s.when(Role::RelyingParty, &consume(&s));
    for _ in 0..3 {
        s.when(Role::Citizen, &command).accepted(&["ShareGranted"]);
    }
    assert!(s.account.share(used).is_none());
    assert!(s.account.share(first).is_some());
    assert_eq!(s.account.shares.len(), crate::account::SHARES_MAX);
}

#[test]
fn sharing_is_use_of_the_account() {
    let mut s = with_passcode(activate(level2()));
    s.later(900 * SECOND);
    s.when(Role::Citizen, &share(M::InApp, &[F::FullName]));
    assert_eq!(s.account.last_used_at, Some(s.world.now));
    s.later(30 * SECOND);
    s.when(Role::RelyingParty, &consume(&s));
    assert_eq!(s.account.last_used_at, Some(s.world.now));
}
