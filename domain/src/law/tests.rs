//! What ships is well formed; two people make law; nothing lies over anything; two times are kept apart.

use super::*;
use crate::calendar::{day_text, local_day, parse_day, start_of};
use crate::envelope::Actor;
use crate::event::Event;
use crate::ids::{LocalDay, PrincipalId};
use crate::messages::{Lang, message_id, message_text, refusal_code, refusal_text};
use crate::testing::{NOON, learn, shipped_book};
use crate::vocabulary::{DocumentKind, Guard, Message, RefusalCode, Role};
use std::sync::Arc;

fn day(text: &str) -> LocalDay {
    parse_day(text).unwrap()
}

fn at(text: &str) -> Micros {
    start_of(day(text))
}

fn edition(text: &str) -> Edition {
    shipped_book().edition(at(text), Known::Now)
}

#[test]
fn every_shipped_file_is_well_formed_and_its_own() {
    let mut digests = std::collections::HashSet::new();
    for (name, text) in FILES {
        let draft = parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(digests.insert(draft.digest().unwrap().0), "{name}");
        assert!(!draft.terms.basis.id.is_empty(), "{name}: no basis");
        assert!(name.starts_with(draft.kind().name()), "{name}");
    }
    for law in LawKind::ALL {
        assert_ne!(edition("2026-01-01").version(*law), 0, "{law:?}");
    }
}

#[test]
fn narrative_lists_grant_nothing_and_the_list_of_2024_has_nine_and_seven() {
    for (when, name, services) in [
        ("2022-08-17", "2022-08", 4),
        ("2022-12-24", "2022-12", 3),
        ("2023-06-21", "2023-06", 5),
    ] {
        let law = edition(when);
        let list = law.catalogue().unwrap();
        assert_eq!(list.name, name);
        let account = crate::testing::active_account();
        let answers = crate::entitlement::entitlements(&account, list, at(when));
        assert_eq!(
            answers.len(),
            services,
            "{name}: external services are none of ours"
        );
        assert!(answers.iter().all(|answer| !answer.granted), "{name}");
    }
    assert_eq!(edition("2022-08-16").catalogue(), None);
    let law = edition("2024-02-22");
    let list = law.catalogue().unwrap();
    assert_eq!((list.name.as_str(), list.services.len()), ("2024-03", 16));
}

#[test]
fn a_withdrawn_service_says_so() {
    use crate::entitlement::{EntitlementReason as Why, entitlements};
    let account = crate::testing::active_account();
    let why = |when: &str, id: &str| {
        let law = edition(when);
        let answers = entitlements(&account, law.catalogue().unwrap(), at(when));
        answers
            .into_iter()
            .find(|answer| answer.service == id)
            .map(|answer| answer.reason)
    };
    assert_eq!(
        why("2023-01-01", "epidemic_prevention"),
        Some(Why::NarrativeOnly)
    );
    assert_eq!(
        why("2023-06-21", "epidemic_prevention"),
        Some(Why::Withdrawn)
    );
    assert_eq!(why("2024-03-05", "epidemic_prevention"), None);
    // The last day counts; the day after does not.
    let law = edition("2024-03-05");
    let mut list = law.catalogue().unwrap().clone();
    list.services[0].effective_to = Some(day("2024-03-10"));
    let first = |when: &str| entitlements(&account, &list, at(when))[0].reason;
    assert_eq!(
        (first("2024-03-10"), first("2024-03-11")),
        (Why::Granted, Why::Withdrawn)
    );
}

#[test]
fn weekends_and_holidays_do_not_count() {
    let law = edition("2024-03-05");
    let calendar = law.calendar();
    for (from, count, to) in [
        ("2024-03-05", 1, "2024-03-06"),
        ("2024-03-08", 1, "2024-03-11"),
        ("2024-03-08", 0, "2024-03-08"),
        // Tết Giáp Thìn: 8 to 14 February 2024.
        ("2024-02-07", 1, "2024-02-15"),
        ("2024-02-07", 3, "2024-02-19"),
        // Hùng Kings' day, Thursday 18 April 2024.
        ("2024-04-17", 1, "2024-04-19"),
        ("2024-12-31", 7, "2025-01-10"),
    ] {
        assert_eq!(
            day_text(calendar.working_days_after(day(from), count)),
            to,
            "{from}"
        );
    }
    let none = Calendar {
        holidays: Vec::new(),
    };
    assert!(none.is_working_day(day("2024-02-08")) && !calendar.is_working_day(day("2024-02-08")));
    assert!(!none.is_working_day(day("2024-03-09")) && !none.is_working_day(day("2024-03-10")));
    // Far beyond any calendar: no panic.
    for extreme in [i32::MIN, i32::MAX] {
        let _ = calendar.working_days_after(LocalDay(extreme), 3);
    }
    for year in 2022..=2026 {
        for (month, date) in [(1, 1), (4, 30), (5, 1), (9, 2)] {
            let day = local_day(year, month, date).unwrap();
            let found = calendar
                .holidays
                .iter()
                .find(|holiday| holiday.day == day)
                .unwrap();
            assert_eq!(found.confidence, Confidence::Law, "{year}");
        }
    }
}

#[test]
fn sites_open_on_their_own_days() {
    let law = edition("2024-03-05");
    let sites = law.sites();
    let (one_stop, mobile, unlisted) = (3_029_801, 3_029_802, 7);
    for (site, when, with_card_issue, open) in [
        (unlisted, "2022-02-24", true, false),
        (unlisted, "2022-02-25", false, true),
        (one_stop, "2022-03-14", true, false),
        (one_stop, "2022-03-15", true, true),
        // Holders of a card: a month later (S002, 3b).
        (one_stop, "2022-03-15", false, false),
        (one_stop, "2022-04-15", false, true),
        (mobile, "2022-04-14", true, false),
        (mobile, "2022-04-15", false, true),
    ] {
        assert_eq!(
            sites.is_open(site, day(when), with_card_issue),
            open,
            "{site} {when}"
        );
    }
    let closed = IntakeSites {
        unlisted_from: None,
        sites: Vec::new(),
    };
    assert!(!closed.is_open(unlisted, day("2024-03-05"), true));
}

#[test]
fn the_sixty_three_codes_lie_in_thirty_four_units() {
    let before = edition("2025-06-30");
    let after = edition("2025-07-01");
    assert_eq!(before.provinces().codes.len(), 63);
    assert_eq!(before.provinces().find(30).unwrap().unit, "");
    let units: std::collections::HashSet<_> = after
        .provinces()
        .codes
        .iter()
        .map(|row| row.unit.as_str())
        .collect();
    assert_eq!((after.provinces().codes.len(), units.len()), (63, 34));
    assert_eq!(after.provinces().find(30).unwrap().unit, "Hải Phòng");
    assert_eq!(after.provinces().name(30), Some("Hải Dương"));
}

#[test]
fn document_kinds_have_days_of_their_own() {
    let law = edition("2024-03-05");
    for (kind, when, may) in [
        (DocumentKind::DrivingLicence, "2026-01-01", true),
        (DocumentKind::TaxCode, "2025-06-30", true),
        (DocumentKind::TaxCode, "2025-07-01", false),
    ] {
        assert_eq!(
            law.documents().may_link(kind, day(when)),
            may,
            "{kind:?} {when}"
        );
    }
}

#[test]
fn the_published_texts_are_the_programs_own() {
    let law = edition("2024-03-05");
    for lang in [Lang::Vi, Lang::En] {
        for message in Message::ALL {
            let published = law.messages().message(message_id(*message), lang);
            assert_eq!(published, Some(message_text(*message, lang)), "{message:?}");
        }
        for code in RefusalCode::ALL {
            let published = law.messages().refusal(refusal_code(*code), lang);
            assert_eq!(published, Some(refusal_text(*code, lang)), "{code:?}");
        }
    }
    let quote = law.message_text(Message::NotIdentified, Lang::Vi);
    assert_eq!(quote, "tài khoản của bạn chưa được định danh điện tử");
    let quote = law.message_text(Message::AlreadyActivated, Lang::Vi);
    assert_eq!(quote, "Tài khoản của bạn đã thực hiện kích hoạt");
    // Before anything is published the program's own hold.
    let none = Edition::default();
    assert_eq!(
        none.message_text(Message::OtpSent, Lang::En),
        message_text(Message::OtpSent, Lang::En)
    );
}

// ---- making law ------------------------------------------------------------------------------------

fn authority(number: u8) -> Actor {
    Actor {
        role: Role::EidAuthority,
        principal: PrincipalId([number; 16]),
        key: None,
    }
}

fn order(book: &LawBook, actor: Actor, order: &LawOrder) -> LawDecision {
    let context = LawContext {
        now: NOON,
        actor,
        book,
        founding: false,
        same_key_as: &|_| false,
    };
    decide_law(order, &context)
}

fn draft(from: Micros, to: Option<Micros>) -> LawDraft {
    let mut draft = parse(FILES[0].1).unwrap();
    draft.terms.name = "test".into();
    (draft.terms.effective_from, draft.terms.effective_to) = (from, to);
    draft
}

fn proposal(draft: &LawDraft) -> LawOrder {
    let digest = draft.digest().unwrap();
    LawOrder::Propose {
        draft: Arc::new(draft.clone()),
        digest,
    }
}

fn refused(decision: &LawDecision) -> Option<(Guard, RefusalCode)> {
    let refused = decision
        .receipt
        .refused
        .map(|refused| (refused.guard, refused.code));
    assert_eq!(
        refused.is_some(),
        matches!(decision.event, Event::CommandRejected(_))
    );
    refused
}

const LATER: Micros = NOON.plus(Micros::DAY);

#[test]
fn one_proposes_and_another_approves() {
    let mut book = shipped_book();
    let draft = draft(LATER, None);
    let digest = draft.digest().unwrap();
    let proposed = order(&book, authority(1), &proposal(&draft));
    assert_eq!(refused(&proposed), None);
    assert_eq!(
        proposed.receipt.passed,
        [
            Guard::RoleAllowed,
            Guard::LawForm,
            Guard::LegalBasis,
            Guard::NoOverlap
        ]
    );
    assert_eq!(proposed.version, 2);
    learn(&mut book, &proposed.event, NOON);
    // Proposed is not law.
    assert_eq!(book.edition(LATER, Known::Now).version(LawKind::Policy), 1);
    let (law, version) = (LawKind::Policy, 2);
    let approve = LawOrder::Approve {
        law,
        version,
        digest,
    };
    let own = order(&book, authority(1), &approve);
    assert_eq!(
        refused(&own),
        Some((Guard::FourEyes, RefusalCode::SamePersonApproves))
    );
    // Nor with another name and the same key.
    let context = LawContext {
        now: NOON,
        actor: authority(2),
        book: &book,
        founding: false,
        same_key_as: &|_| true,
    };
    let same_key = decide_law(&approve, &context);
    assert_eq!(
        refused(&same_key),
        Some((Guard::FourEyes, RefusalCode::SamePersonApproves))
    );
    let other = LawOrder::Approve {
        law,
        version,
        digest: Digest([9; 32]),
    };
    let differs = order(&book, authority(2), &other);
    assert_eq!(
        refused(&differs),
        Some((Guard::ProposalSame, RefusalCode::LawDiffers))
    );
    let approved = order(&book, authority(2), &approve);
    assert_eq!(refused(&approved), None);
    assert_eq!(approved.event.name(), "PolicyPublished");
    learn(&mut book, &approved.event, NOON);
    let turn = |at: Micros| book.edition(at, Known::Now).version(LawKind::Policy);
    assert_eq!((turn(LATER.plus(-1)), turn(LATER)), (1, 2));
    let again = order(&book, authority(2), &approve);
    assert_eq!(
        refused(&again),
        Some((Guard::ProposalOpen, RefusalCode::LawNotProposed))
    );
}

#[test]
fn only_the_authority_makes_law_and_nothing_unknown_is_approved() {
    let book = shipped_book();
    for role in Role::ALL.iter().filter(|role| **role != Role::EidAuthority) {
        let actor = Actor {
            role: *role,
            ..authority(1)
        };
        let decision = order(&book, actor, &proposal(&draft(LATER, None)));
        assert_eq!(
            refused(&decision),
            Some((Guard::RoleAllowed, RefusalCode::RoleNotAllowed))
        );
    }
    let (law, digest) = (LawKind::Sites, Digest([1; 32]));
    let unknown = LawOrder::Approve {
        law,
        version: 9,
        digest,
    };
    let decision = order(&book, authority(2), &unknown);
    assert_eq!(
        refused(&decision),
        Some((Guard::ProposalOpen, RefusalCode::LawNotProposed))
    );
}

#[test]
fn the_past_needs_a_basis_and_nothing_lies_over_another() {
    let book = shipped_book();
    let mut backdated = draft(NOON.plus(-1), None);
    assert_eq!(
        refused(&order(&book, authority(1), &proposal(&backdated))),
        None
    );
    backdated.terms.basis.id.clear();
    let decision = order(&book, authority(1), &proposal(&backdated));
    assert_eq!(
        refused(&decision),
        Some((Guard::LegalBasis, RefusalCode::BackdatedWithoutBasis))
    );
    // What begins later needs none.
    let mut later = draft(LATER, None);
    later.terms.basis.id.clear();
    assert_eq!(
        refused(&order(&book, authority(1), &proposal(&later))),
        None
    );
    let over = Some((Guard::NoOverlap, RefusalCode::LawOverlaps));
    let began = book
        .version(LawKind::Policy, 1)
        .unwrap()
        .draft
        .terms
        .effective_from;
    let same_day = draft(began, None);
    assert_eq!(
        refused(&order(&book, authority(1), &proposal(&same_day))),
        over
    );
    // Before it, and over its beginning; before it, and up to it.
    let earlier = draft(began.plus(-Micros::DAY), Some(began.plus(1)));
    assert_eq!(
        refused(&order(&book, authority(1), &proposal(&earlier))),
        over
    );
    let before = draft(began.plus(-Micros::DAY), Some(began));
    assert_eq!(
        refused(&order(&book, authority(1), &proposal(&before))),
        None
    );
    // A named period is not touched: the narrative list of 2023 ends on a day of its own.
    let mut list = parse(FILES[3].1).unwrap();
    list.terms.effective_from = at("2023-07-01");
    assert_eq!(refused(&order(&book, authority(1), &proposal(&list))), over);
}

#[test]
fn what_became_backdated_or_was_overtaken_is_refused_at_approval() {
    let mut book = shipped_book();
    let mut draft = draft(LATER, None);
    draft.terms.basis.id.clear();
    let digest = draft.digest().unwrap();
    for _ in 0..2 {
        let proposed = order(&book, authority(1), &proposal(&draft));
        assert_eq!(refused(&proposed), None);
        learn(&mut book, &proposed.event, NOON);
    }
    let approve = |version| LawOrder::Approve {
        law: LawKind::Policy,
        version,
        digest,
    };
    let late = LawContext {
        now: LATER.plus(1),
        actor: authority(2),
        book: &book,
        founding: false,
        same_key_as: &|_| false,
    };
    let decision = decide_law(&approve(2), &late);
    assert_eq!(
        refused(&decision),
        Some((Guard::LegalBasis, RefusalCode::BackdatedWithoutBasis))
    );
    let first = order(&book, authority(2), &approve(2));
    learn(&mut book, &first.event, NOON);
    let second = order(&book, authority(2), &approve(3));
    assert_eq!(
        refused(&second),
        Some((Guard::NoOverlap, RefusalCode::LawOverlaps))
    );
    let (law, version) = (LawKind::Policy, 3);
    let rejected = order(&book, authority(1), &LawOrder::Reject { law, version });
    assert_eq!(refused(&rejected), None);
    learn(&mut book, &rejected.event, NOON);
    assert_eq!(book.open(law, version), None);
    assert_eq!(book.next_version(law), 4, "a number is not used again");
}

#[test]
fn a_version_that_is_not_well_formed_or_not_what_was_signed_is_refused() {
    let book = shipped_book();
    let malformed = Some((Guard::LawForm, RefusalCode::LawMalformed));
    let good = draft(LATER, None);
    let mut bad = Vec::new();
    let mut change = |f: &dyn Fn(&mut LawDraft)| {
        let mut draft = good.clone();
        f(&mut draft);
        bad.push(draft);
    };
    change(&|draft| draft.terms.name = "Über".into());
    change(&|draft| draft.terms.name.clear());
    change(&|draft| draft.terms.jurisdiction = "x".repeat(200));
    change(&|draft| draft.terms.basis.text = "a\u{0}b".into());
    change(&|draft| draft.terms.basis.id = "34/QĐ-TTg".into());
    change(&|draft| draft.terms.effective_to = Some(LATER));
    change(&|draft| {
        if let LawContent::Policy(policy) = &mut draft.content {
            policy.otp_attempts_max = 0;
        }
    });
    change(&|draft| draft.content = LawContent::Provinces(ProvinceCodes { codes: Vec::new() }));
    for draft in bad {
        assert_eq!(
            refused(&order(&book, authority(1), &proposal(&draft))),
            malformed
        );
    }
    let digest = Digest([1; 32]);
    let other = LawOrder::Propose {
        draft: Arc::new(good),
        digest,
    };
    assert_eq!(refused(&order(&book, authority(1), &other)), malformed);
    // A narrative list that would grant (C-01).
    let mut list = parse(FILES[4].1).unwrap();
    list.terms.confidence = Confidence::Narrative;
    assert_eq!(list.check(), Err(LawFault::NarrativeGrants));
}

#[test]
fn valid_time_and_recorded_time_are_two() {
    let mut book = shipped_book();
    // Published on 5 March for 1 March: whoever asks what was known on 4 March is told the old one.
    let draft = draft(at("2024-03-01"), Some(at("2024-03-20")));
    crate::testing::publish(&mut book, draft, NOON);
    let policy = |when: &str, known: Known| book.edition(at(when), known).version(LawKind::Policy);
    assert_eq!(policy("2024-03-02", Known::Now), 2);
    assert_eq!(policy("2024-03-02", Known::Recorded(NOON.plus(-1))), 0);
    assert_eq!(policy("2024-02-29", Known::Now), 1);
    assert_eq!(
        policy("2024-03-20", Known::Now),
        1,
        "after its end the open one goes on"
    );
    let published = book
        .version(LawKind::Policy, 2)
        .unwrap()
        .by
        .position
        .unwrap();
    let before = crate::ids::Position(published.0 - 1);
    assert_eq!(policy("2024-03-02", Known::Position(before)), 1);
    assert_eq!(policy("2024-03-02", Known::Position(published)), 2);
    // An edition says for how long it holds.
    let now = book.edition(at("2024-03-02"), Known::Now);
    assert!(now.holds(at("2024-03-01")) && now.holds(at("2024-03-20").plus(-1)));
    assert!(!now.holds(at("2024-03-20")) && !now.holds(at("2024-03-01").plus(-1)));
}

#[test]
fn files_say_what_is_wrong_with_them() {
    let good = FILES[0].1;
    assert!(parse(good).is_ok());
    for (from, to) in [
        ("law = \"policy\"", "law = \"sites\""),
        ("law = \"policy\"", "law = \"other\""),
        ("2022-02-25\"\njur", "2022-02-30\"\njur"),
        ("[policy]", "[polity]"),
        ("minimum_age_years = 14", "minimum_age_years = 300"),
        ("minimum_age_years = 14", ""),
        ("document_link_level", "unknown = 1\ndocument_link_level"),
    ] {
        assert!(good.contains(from), "{from}");
        assert!(parse(&good.replacen(from, to, 1)).is_err(), "{from} → {to}");
    }
    assert!(parse("").is_err() && parse("\u{0}").is_err());
    // An instant instead of a day; the last day is whole.
    let instant = good.replacen("2022-02-25", "2024-05-01T12:00:00+07:00", 1);
    assert_eq!(
        parse(&instant).unwrap().terms.effective_from,
        at("2024-05-01").plus(43_200_000_000)
    );
    let provinces = parse(FILES[5].1).unwrap();
    assert_eq!(provinces.terms.effective_to, Some(at("2025-07-01")));
}
