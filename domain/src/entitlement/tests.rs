use super::*;
use crate::event::{self as e, Event};
use crate::ids::{AreaCode, CaseId, DeviceRef, PublicKey};
use crate::law::Known;
use crate::testing::{NOON, fold, shipped_book};
use crate::vocabulary::{CloseReason, LockGround};
use std::collections::HashSet;
use unicode_normalization::is_nfc;

/// The list of letter S004 as it ships.
fn list() -> Catalogue {
    let law = shipped_book().edition(NOON, Known::Now);
    law.catalogue().expect("a catalogue is in force").clone()
}

fn issued(level: Level) -> Event {
    e::AccountIssued {
        case: CaseId([1; 16]),
        level,
        area: AreaCode(30_288),
    }
    .into()
}

fn active(level: Level) -> Account {
    let mut account = Account::default();
    let (device, key) = (DeviceRef([1; 16]), PublicKey([1; 32]));
    let events = [
        issued(level),
        e::DeviceBound { device, key }.into(),
        e::AccountActivated { level }.into(),
    ];
    fold(&mut account, &events, NOON);
    account
}

fn reasons(account: &Account) -> Vec<EntitlementReason> {
    let answers = entitlements(account, &list(), NOON);
    assert!(
        answers
            .iter()
            .all(|a| a.granted == (a.reason == EntitlementReason::Granted))
    );
    assert!(answers.iter().all(|a| a.granted == a.granted_by.is_some()));
    answers.iter().map(|answer| answer.reason).collect()
}

#[test]
fn nine_and_seven_services() {
    let catalogue = list();
    let at = |level| {
        catalogue
            .services
            .iter()
            .filter(|s| s.level == level)
            .count()
    };
    assert_eq!(
        (at(Level::One), at(Level::Two), catalogue.services.len()),
        (9, 7, 16)
    );
    let ids: HashSet<_> = catalogue
        .services
        .iter()
        .map(|service| &service.id)
        .collect();
    assert_eq!(ids.len(), 16);
    for service in &catalogue.services {
        for text in [&service.vi, &service.en] {
            assert!(
                is_nfc(text) && !text.is_empty() && !text.contains("  "),
                "{text}"
            );
        }
        let mut parts = service.features.iter();
        assert!(parts.all(|f| is_nfc(&f.vi) && !f.vi.contains("  ")));
    }
    let features = |id| catalogue.find(id).unwrap().features.len();
    assert_eq!(features("procedure_and_card_notifications"), 4);
    assert_eq!(features("citizen_data_sharing"), 3);
    assert_eq!(features("driving_licence_and_vehicle"), 2);
    let printed = &catalogue.find("online_phone_change").unwrap().vi;
    assert_eq!(printed, "Đổi số điện thoại trực tuyến");
}

#[test]
fn none_before_activation() {
    let mut account = Account::default();
    assert_eq!(reasons(&account), [EntitlementReason::NotIdentified; 16]);
    fold(&mut account, &[e::AppAccountCreated {}.into()], NOON);
    assert_eq!(reasons(&account), [EntitlementReason::NotIdentified; 16]);
    fold(&mut account, &[issued(Level::Two)], NOON);
    assert_eq!(reasons(&account), [EntitlementReason::NotActivated; 16]);
    fold(
        &mut account,
        &[e::ActivationWindowOpened { deadline: NOON }.into()],
        NOON,
    );
    assert_eq!(
        reasons(&account),
        [EntitlementReason::ActivationOverdue; 16]
    );
}

#[test]
fn nine_at_level_1_and_all_at_level_2_with_the_event_that_granted_them() {
    let mut account = active(Level::One);
    let one = reasons(&account);
    assert_eq!(one[..9], [EntitlementReason::Granted; 9]);
    assert_eq!(one[9..], [EntitlementReason::LevelTooLow; 7]);
    // The activation (revision 2) came after the issue.
    let answers = entitlements(&account, &list(), NOON);
    assert!(
        answers[..9]
            .iter()
            .all(|a| a.granted_by.unwrap().revision.0 == 2)
    );
    fold(&mut account, &[issued(Level::Two)], NOON);
    assert_eq!(reasons(&account), [EntitlementReason::Granted; 16]);
    let answers = entitlements(&account, &list(), NOON);
    let by: Vec<_> = answers
        .iter()
        .map(|a| a.granted_by.unwrap().revision.0)
        .collect();
    // Level 1's by the activation still, level 2's by the upgrade.
    assert_eq!((&by[..9], &by[9..]), ([2; 9].as_slice(), [3; 7].as_slice()));
}

#[test]
fn a_lock_and_the_end_name_their_event() {
    let mut account = active(Level::Two);
    fold(
        &mut account,
        &[e::AccountLocked {
            ground: LockGround::OwnRequest,
        }
        .into()],
        NOON,
    );
    assert_eq!(reasons(&account), [EntitlementReason::Locked; 16]);
    let blocked = |account: &Account| {
        entitlements(account, &list(), NOON)[0]
            .blocked_by
            .unwrap()
            .revision
            .0
    };
    assert_eq!(blocked(&account), 3);
    let mut free = account.clone();
    fold(
        &mut free,
        &[e::LockGroundRemoved {
            ground: LockGround::OwnRequest,
        }
        .into()],
        NOON,
    );
    assert_eq!(reasons(&free), [EntitlementReason::Granted; 16]);
    fold(
        &mut account,
        &[e::AccountClosed {
            reason: CloseReason::Death,
        }
        .into()],
        NOON,
    );
    assert_eq!(reasons(&account), [EntitlementReason::Closed; 16]);
    assert_eq!(blocked(&account), 4);
}
