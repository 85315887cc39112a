#![allow(clippy::too_many_lines, reason = "a scenario reads best whole")]

use super::*;
use crate::event as e;
use crate::ids::{AreaCode, DeviceRef, LookupHash, PublicKey, StreamId};
use crate::testing::{NOON, fold};
use crate::vocabulary::{
    Database, DocumentKind, Guard, LinkOutcome, Modality, RefusalCode, WithdrawReason,
};

fn folded(events: &[Event]) -> Account {
    let mut account = Account::default();
    fold(&mut account, events, NOON);
    account
}

fn id(number: u8) -> [u8; 16] {
    [number; 16]
}

/// The oddest history: every list full, everything under way.
fn full() -> Account {
    let mut events: Vec<Event> = Vec::new();
    for number in 0..20 {
        let case = CaseId(id(number));
        let (officer, site) = (crate::ids::PrincipalId(id(1)), 7);
        events.push(
            e::Level2IntakeOpened {
                case,
                officer,
                site,
                with_card_issue: true,
            }
            .into(),
        );
        for database in Database::ALL {
            for modality in Modality::ALL {
                let result = crate::vocabulary::MatchResult::NoMatch;
                let (modality, database) = (*modality, *database);
                events.push(
                    e::BiometricMatchRecorded {
                        case,
                        modality,
                        database,
                        result,
                    }
                    .into(),
                );
            }
        }
        events.push(
            e::Level2Withdrawn {
                case,
                reason: WithdrawReason::ByCitizen,
            }
            .into(),
        );
        let (document, kind) = (DocumentId(id(number)), DocumentKind::VehicleRegistration);
        let database = Database::VehicleRegistration;
        events.push(
            e::DocumentLinked {
                document,
                kind,
                database,
                data_as_of: NOON,
            }
            .into(),
        );
        let claim = StreamId::claim(crate::ids::Category::PhoneClaim, LookupHash(id(number)));
        events.push(
            e::ClaimForfeited {
                claim,
                confirmed_by: EventId(id(number)),
            }
            .into(),
        );
    }
    events.extend(
        LockGround::ALL
            .iter()
            .map(|g| Event::from(e::AccountLocked { ground: *g })),
    );
    for (number, purpose) in OtpPurpose::ALL.iter().enumerate() {
        let challenge = ChallengeId(id(number as u8));
        let (expires_at, resend_after) = (NOON, NOON);
        events.push(
            e::OtpChallengeIssued {
                challenge,
                purpose: *purpose,
                expires_at,
                resend_after,
                attempts_max: 5,
            }
            .into(),
        );
    }
    for number in 0..12 {
        let request = crate::ids::RequestId(id(number));
        let requester = crate::ids::PrincipalId(id(1));
        let decide_by = NOON.local_day();
        events.push(
            e::LockRequested {
                request,
                requester,
                role: crate::vocabulary::Role::CompetentAuthority,
                ground: LockGround::ProceduralAuthority,
                action: crate::vocabulary::LockAction::Lock,
                forward_by: Some(decide_by),
                decide_by,
            }
            .into(),
        );
        let reason = crate::vocabulary::LockRefusal::Other;
        events.push(e::LockRequestRefused { request, reason }.into());
        let share = crate::ids::ShareId(id(number));
        events.push(
            e::ShareGranted {
                share,
                mode: crate::vocabulary::ShareMode::InApp,
                fields: crate::vocabulary::ShareField::ALL.repeat(2),
                relying_party: requester,
                expires_at: NOON,
            }
            .into(),
        );
        let relying_party = requester;
        events.push(
            e::ShareConsumed {
                share,
                relying_party,
            }
            .into(),
        );
    }
    for of in crate::vocabulary::Validity::ALL {
        let (of, until) = (*of, NOON.local_day());
        events.push(e::ValidityRecorded { of, until }.into());
    }
    let (device, key) = (DeviceRef(id(1)), PublicKey([1; 32]));
    events.push(e::DeviceBound { device, key }.into());
    events.push(e::ActivationRequested { device, key }.into());
    events.push(e::DeviceChangeRequested { device, key }.into());
    events.push(
        e::PhoneChangeRequested {
            phone: LookupHash(id(1)),
        }
        .into(),
    );
    folded(&events)
}

#[test]
fn the_fullest_state_fits_a_view_s_value() {
    let account = full();
    assert_eq!(account.documents.len(), DOCUMENTS_MAX);
    assert_eq!(account.cases.len(), CLOSED_CASES_MAX + 1);
    assert!(
        account
            .cases
            .iter()
            .all(|case| case.matches.len() == MATCHES_MAX)
    );
    assert_eq!(account.forfeited.len(), FORFEITED_MAX);
    let bytes = crate::bytes::encode(&account).unwrap();
    assert!(bytes.len() < 5 * 1024, "{} bytes", bytes.len());
    assert_eq!(crate::bytes::decode::<Account>(&bytes).unwrap(), account);
    let json = serde_json::to_string(&account).unwrap();
    assert_eq!(serde_json::from_str::<Account>(&json).unwrap(), account);
}

#[test]
fn a_wrong_code_counts_for_its_own_challenge_only() {
    let rejected = |code, challenge| {
        Event::from(e::CommandRejected {
            command: crate::vocabulary::CommandKind::ConfirmRegistrationOtp,
            guard: Guard::OtpCode,
            code,
            message: None,
            challenge: Some(ChallengeId(id(challenge))),
        })
    };
    let mut account = full();
    let wrong = |account: &Account| -> Vec<u8> {
        account
            .challenges
            .iter()
            .map(|challenge| challenge.wrong)
            .collect()
    };
    fold(&mut account, &[rejected(RefusalCode::OtpWrong, 2)], NOON);
    // The binding ended the fourth, that of the device change.
    assert_eq!(wrong(&account), [0, 0, 1]);
    fold(&mut account, &[rejected(RefusalCode::OtpExpired, 2)], NOON);
    // The binding ended the fourth, that of the device change.
    assert_eq!(wrong(&account), [0, 0, 1]);
    assert_eq!(account.refusals.count, 2);
}

#[test]
fn an_unbound_device_is_the_bound_one_or_nothing() {
    let mut account = full();
    let unbound = |number| {
        let reason = crate::vocabulary::UnbindReason::Changed;
        Event::from(e::DeviceUnbound {
            device: DeviceRef(id(number)),
            reason,
        })
    };
    fold(&mut account, &[unbound(9)], NOON);
    assert!(account.device.is_some());
    fold(&mut account, &[unbound(1)], NOON);
    assert!(account.device.is_none());
}

#[test]
fn a_broken_link_is_gone_and_closing_ends_what_is_under_way() {
    let mut account = full();
    let document = account.documents[0].id;
    let outcome = LinkOutcome::NoLongerValid;
    fold(
        &mut account,
        &[e::DocumentLinkBroken { document, outcome }.into()],
        NOON,
    );
    assert!(account.document(document).is_none());
    let reason = crate::vocabulary::CloseReason::Death;
    fold(&mut account, &[e::AccountClosed { reason }.into()], NOON);
    assert!(account.is_closed() && account.challenges.is_empty());
    assert!(account.pending_device().is_none() && account.phone_change.is_none());
}

#[test]
fn a_level_is_never_taken_back() {
    let issued = |level| {
        let (case, area) = (CaseId(id(1)), AreaCode(30_288));
        Event::from(e::AccountIssued { case, level, area })
    };
    let account = folded(&[issued(Level::Two), issued(Level::One)]);
    assert_eq!(account.level(), Some(Level::Two));
    let account = folded(&[issued(Level::One), e::AppAccountCreated {}.into()]);
    assert_eq!(account.level(), Some(Level::One));
}

#[test]
fn the_desk_ends_a_registration_left_unfinished() {
    let submitted: Event = e::AppRegistrationSubmitted {
        method: crate::vocabulary::RegistrationMethod::Manual,
    }
    .into();
    let verified: Event = e::OtpVerified {
        challenge: ChallengeId(id(1)),
        purpose: OtpPurpose::Registration,
    }
    .into();
    let opened: Event = e::Level2IntakeOpened {
        case: CaseId(id(1)),
        officer: crate::ids::PrincipalId(id(1)),
        site: 7,
        with_card_issue: false,
    }
    .into();
    let account = folded(&[submitted.clone(), verified.clone()]);
    assert!(account.registration.is_some());
    assert!(
        folded(&[submitted, verified, opened])
            .registration
            .is_none()
    );
}
