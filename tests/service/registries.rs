//! Registries over HTTP: what they answer, how they fail, and that a case goes on afterwards.

use super::peers::{Fault, Registry};
use core::time::Duration;
use domain::command::{DocumentAnswer, ImmigrationAnswer, RegistryAnswer, RelationAnswer};
use domain::envelope::WordSource;
use domain::identity::CivilDate;
use domain::ids::{AreaCode, Digest, LocalDay, Micros};
use domain::personal::{Organisation, Person, Personal};
use domain::vocabulary::{
    Capture, DocumentKind, LinkOutcome, MatchResult, Modality, RegistryOutcome, Relation,
    ResidenceStatus,
};
use ledger::evidence::{EXCHANGE_BYTES_MAX, EvidenceError, SignedAnswer};
use ledger::registry::{
    CitizenCardRegistry, DocumentRegistry as _, Foreigner, ImmigrationRegistry,
    OrganisationRegistry as _, OrganisationReply, PopulationRegistry,
};
use outside::http::PeerError;
use outside::registry::{HttpCards, HttpRegistry, Settings};
use outside::retry::{Backoff, Standing};

fn adapter(registry: &Registry) -> HttpRegistry {
    let settings = Settings {
        tries_max: 2,
        backoff: Backoff {
            first: Duration::from_millis(1),
            most: Duration::from_millis(2),
        },
        failures_max: 4,
        rest: Duration::from_secs(30),
    };
    HttpRegistry::new(registry.peer(), settings)
}

fn person(number: &str) -> Person {
    Person {
        personal_id: number.to_owned(),
        full_name: "Nguyễn Thị Đẹp".to_owned(),
        birth_date: "1984-02-29".to_owned(),
        sex: "Nữ".to_owned(),
        residence: String::new(),
        phone: String::new(),
        email: String::new(),
        old_id: String::new(),
        card_issued: String::new(),
    }
}

/// Asks the population registry; the adapter speaks for others too.
async fn confirm(adapter: &HttpRegistry, number: &str) -> RegistryAnswer {
    PopulationRegistry::confirm(adapter, &person(number))
        .await
        .answer
}

fn day(text: &str) -> LocalDay {
    CivilDate::try_from(text).unwrap().local_day()
}

const CONFIRMED: fn(&RegistryAnswer) -> bool = |answer| {
    matches!(answer, RegistryAnswer::Confirmed { area, birth_date, has_chip_card: true }
        if *area == AreaCode(30288) && birth_date == "1984-02-29")
};
const UNAVAILABLE: RegistryAnswer = RegistryAnswer::Not(RegistryOutcome::Unavailable);

#[tokio::test]
async fn every_answer_of_the_protocol_is_understood() {
    let registry = Registry::start().await;
    let adapter = adapter(&registry);
    assert!(CONFIRMED(&confirm(&adapter, "030184000001").await));
    for (number, outcome) in [
        ("030184000404", RegistryOutcome::NotFound),
        ("030184000409", RegistryOutcome::Mismatch),
    ] {
        let answer = confirm(&adapter, number).await;
        assert!(answer == RegistryAnswer::Not(outcome), "{number}");
    }
    let licence = DocumentKind::DrivingLicence;
    let check = |number: &'static str| adapter.check("030184000001", licence, number);
    let verified = DocumentAnswer::Verified {
        data_as_of: Micros(1_709_000_000_000_000),
    };
    assert_eq!(check("030012345678").await.answer, verified);
    let other = DocumentAnswer::Not(LinkOutcome::OwnerMismatch);
    assert_eq!(check("030099999999").await.answer, other);
    let unavailable = DocumentAnswer::Not(LinkOutcome::RegistryUnavailable);
    assert_eq!(check("tomorrow").await.answer, unavailable);
}

#[tokio::test]
async fn a_registry_s_signature_is_about_one_question_and_one_answer() {
    let registry = Registry::start().await;
    let adapter = adapter(&registry);
    let ask = async |number| {
        let answered = PopulationRegistry::confirm(&adapter, &person(number)).await;
        *answered.signed.unwrap()
    };
    let (one, other) = (ask("030184000001").await, ask("030184000002").await);
    let parts = |signed: &SignedAnswer| match (signed.source(), &signed.exchange()) {
        (
            WordSource::Peer {
                base,
                signature,
                key,
            },
            Personal::RegistryExchange { question, answer },
        ) => (base, signature, key, question.clone(), answer.clone()),
        _ => panic!("a peer's"),
    };
    let (base, signature, key, question, answer) = parts(&one);
    let (.., question_2, answer_2) = parts(&other);
    assert_eq!(key, super::world::public(&super::world::key(62)));
    assert!(!base.contains("030184000001") && question != question_2);
    let made = |question: &[u8], answer: &[u8]| {
        let (question, answer) = (question.to_vec(), answer.to_vec());
        SignedAnswer::new(base.clone(), signature, key, question, answer)
    };
    assert_eq!(made(&question, &answer), Ok(one));
    let form = Err(EvidenceError::AnswerForm);
    assert_eq!(made(&question_2, &answer), form);
    assert_eq!(made(&question, &answer_2), form);
    let long = vec![b' '; EXCHANGE_BYTES_MAX];
    assert_eq!(made(&question, &long), form);
    let mut wrong = signature;
    wrong.0[9] ^= 1;
    let made = SignedAnswer::new(base.clone(), wrong, key, question, answer);
    assert_eq!(made, Err(EvidenceError::Answer));
    // The same answer to the same question is said in other bytes each time: its digest cannot be tried.
    assert_ne!(
        parts(&ask("030184000001").await).4,
        parts(&ask("030184000001").await).4
    );
}

#[tokio::test]
async fn who_is_whose_guardian_is_asked_of_the_registry() {
    let registry = Registry::start().await;
    let adapter = adapter(&registry);
    let ask =
        |dependant: &'static str| PopulationRegistry::relation(&adapter, dependant, "030184000001");
    let (parent, guardian) = (Relation::Parent, Relation::Guardian);
    let confirmed = |relation, ward| RelationAnswer::Confirmed { relation, ward };
    for (dependant, expected) in [
        ("030215000001", confirmed(parent, false)),
        ("030215000777", confirmed(guardian, true)),
        ("030215000555", RelationAnswer::NotRelated { ward: false }),
        ("030215000999", RelationAnswer::Unavailable),
    ] {
        assert_eq!(ask(dependant).await.answer, expected, "{dependant}");
    }
    registry.fault(Fault::Broken);
    assert_eq!(
        ask("030215000001").await.answer,
        RelationAnswer::Unavailable
    );
    registry.fault(Fault::OtherKey);
    assert_eq!(
        ask("030215000001").await.answer,
        RelationAnswer::Unavailable
    );
}

#[tokio::test]
async fn the_card_registry_confirms_and_compares() {
    let registry = Registry::start().await;
    let cards = |compares| HttpCards {
        registry: adapter(&registry),
        compares,
    };
    let capture = Capture {
        digest: Digest([7; 32]),
        quality: 90,
    };
    let asked = cards(true);
    assert!(CONFIRMED(
        &asked.confirm(&person("030184000001")).await.answer
    ));
    let not_found = RegistryAnswer::Not(RegistryOutcome::NotFound);
    assert!(asked.confirm(&person("030184000404")).await.answer == not_found);
    for (number, modality, expected) in [
        ("030184000001", Modality::Portrait, MatchResult::Match),
        ("030184000001", Modality::Fingerprints, MatchResult::NoMatch),
        ("030184000404", Modality::Portrait, MatchResult::NoReference),
    ] {
        let result = asked.compare(number, modality, capture).unwrap().await;
        assert_eq!(result.answer, expected, "{number} {modality:?}");
    }
    registry.fault(Fault::Broken);
    let result = asked.compare("030184000001", Modality::Portrait, capture);
    assert_eq!(result.unwrap().await.answer, MatchResult::Unavailable);
    let silent = cards(false);
    let none = silent.compare("030184000001", Modality::Portrait, capture);
    assert!(none.is_none(), "others bring the results");
}

#[tokio::test]
async fn foreigners_are_asked_of_the_immigration_database() {
    let registry = Registry::start().await;
    let adapter = adapter(&registry);
    let anne = person("030185999001");
    let ask = async |document_number| {
        let foreigner = Foreigner {
            person: &anne,
            nationality: "FRA",
            document_number,
        };
        ImmigrationRegistry::confirm(&adapter, foreigner)
            .await
            .answer
    };
    let known = ImmigrationAnswer::Confirmed {
        area: AreaCode(30288),
        birth_date: anne.birth_date.clone(),
        document_until: Some(day("2030-05-31")),
        residence: ResidenceStatus::Temporary,
        residence_until: Some(day("2027-01-15")),
        biometrics_held: true,
    };
    assert!(ask("12AB34567").await == known);
    let for_ever = ImmigrationAnswer::Confirmed {
        area: AreaCode(30288),
        birth_date: "1985".to_owned(),
        document_until: None,
        residence: ResidenceStatus::Permanent,
        residence_until: None,
        biometrics_held: false,
    };
    assert!(ask("NOLASTDAY").await == for_ever);
    for (document, outcome) in [
        ("NODAY", RegistryOutcome::Unavailable),
        ("OTHER", RegistryOutcome::Mismatch),
        ("UNKNOWN", RegistryOutcome::NotFound),
    ] {
        assert!(
            ask(document).await == ImmigrationAnswer::Not(outcome),
            "{document}"
        );
    }
}

#[tokio::test]
async fn whose_a_foreign_child_is_is_asked_of_the_immigration_database() {
    let registry = Registry::start().await;
    let adapter = adapter(&registry);
    let ask = async |dependant| {
        let answered = ImmigrationRegistry::relation(&adapter, dependant, "NN0000012345").await;
        assert_eq!(
            answered.signed.is_some(),
            answered.answer != RelationAnswer::Unavailable
        );
        answered.answer
    };
    let parent = RelationAnswer::Confirmed {
        relation: Relation::Parent,
        ward: false,
    };
    assert_eq!(ask("NN0000012346").await, parent);
    let other = RelationAnswer::NotRelated { ward: false };
    assert_eq!(ask("NN0000012555").await, other);
    registry.fault(Fault::Unsigned);
    assert_eq!(ask("NN0000012346").await, RelationAnswer::Unavailable);
}

#[tokio::test]
async fn organisations_are_asked_of_their_databases() {
    let registry = Registry::start().await;
    let fresh = || adapter(&registry);
    let ask = async |adapter: &HttpRegistry, number: &str| {
        let organisation = Organisation {
            number: number.to_owned(),
            name: "Công ty TNHH Thanh Bình".to_owned(),
            address: String::new(),
            phone: String::new(),
            email: String::new(),
        };
        adapter.confirm_organisation(&organisation).await.answer
    };
    let known = OrganisationReply::Confirmed {
        area: AreaCode(30288),
        representatives: vec!["030184000001".to_owned(), "NN0000012345".to_owned()],
    };
    assert!(ask(&fresh(), "0100109106").await == known);
    let unavailable = RegistryOutcome::Unavailable;
    for (number, outcome) in [
        ("0100109107", RegistryOutcome::NotFound),
        ("OTHERNAME", RegistryOutcome::Mismatch),
        ("NOBODYS", unavailable),
        ("NOWHERE", unavailable),
        ("CROWD", unavailable),
    ] {
        assert!(
            ask(&fresh(), number).await == OrganisationReply::Not(outcome),
            "{number}"
        );
    }
    let adapter = fresh();
    registry.fault(Fault::Broken);
    for _ in 0..2 {
        let answer = ask(&adapter, "0100109106").await;
        assert!(answer == OrganisationReply::Not(unavailable));
    }
    assert_eq!(adapter.figures().standing, Standing::Open);
    registry.fault(Fault::None);
    registry.pass(31);
    assert!(ask(&adapter, "0100109106").await == known);
}

#[tokio::test]
async fn whatever_is_not_an_answer_is_unavailable_and_the_next_one_counts() {
    for fault in [
        Fault::Slow,
        Fault::Broken,
        Fault::Garbage,
        Fault::Unsigned,
        Fault::OtherKey,
        Fault::OtherBody,
        Fault::OtherNonce,
        Fault::OtherQuestion,
        Fault::NoQuestion,
        Fault::NoSalt,
        Fault::OtherSalt,
        Fault::Drops,
        Fault::Long,
    ] {
        let registry = Registry::start().await;
        let adapter = adapter(&registry);
        registry.fault(fault);
        let answer = confirm(&adapter, "030184000001").await;
        assert!(answer == UNAVAILABLE, "{fault:?}");
        assert_eq!(registry.asked(), 2, "{fault:?} is tried once more");
        registry.fault(Fault::None);
        let answer = confirm(&adapter, "030184000001").await;
        assert!(CONFIRMED(&answer), "{fault:?}");
    }
}

#[tokio::test]
async fn a_registry_that_keeps_failing_is_left_alone_for_a_while() {
    let registry = Registry::start().await;
    let adapter = adapter(&registry);
    registry.fault(Fault::Broken);
    for asked in [2, 2, 0, 0] {
        let answer = confirm(&adapter, "030184000001").await;
        assert!(answer == UNAVAILABLE);
        assert_eq!(registry.asked(), asked);
    }
    let figures = adapter.figures();
    assert_eq!((figures.asked, figures.failed), (4, 4));
    assert_eq!((figures.opened, figures.standing), (1, Standing::Open));
    registry.pass(31);
    assert_eq!(adapter.figures().standing, Standing::HalfOpen);
    assert!(confirm(&adapter, "030184000001").await == UNAVAILABLE);
    assert_eq!(registry.asked(), 1, "one finds out");
    registry.fault(Fault::None);
    assert!(confirm(&adapter, "030184000001").await == UNAVAILABLE);
    assert_eq!(registry.asked(), 0);
    registry.pass(31);
    assert!(CONFIRMED(&confirm(&adapter, "030184000001").await));
    assert!(CONFIRMED(&confirm(&adapter, "030184000001").await));
    let figures = adapter.figures();
    assert_eq!((figures.asked, figures.failed), (7, 5));
    assert_eq!((figures.opened, figures.standing), (2, Standing::Closed));
}

#[tokio::test]
async fn a_registry_that_cannot_be_reached_is_unavailable() {
    let registry = Registry::start().await;
    let settings = outside::http::PeerSettings {
        base: "http://127.0.0.1:1".to_owned(),
        key: super::world::key(61),
        peer_key: super::world::public(&super::world::key(62)),
        time_max: Duration::from_secs(2),
    };
    let peer = |base: &str| {
        let settings = outside::http::PeerSettings {
            base: base.to_owned(),
            ..settings.clone()
        };
        outside::http::Peer::new(settings, super::peers::ids())
    };
    let adapter = HttpRegistry::new(peer("http://127.0.0.1:1").unwrap(), Settings::default());
    assert!(confirm(&adapter, "030184000001").await == UNAVAILABLE);
    assert_eq!(registry.asked(), 0);
    // Personal data do not leave this machine in the clear.
    for (base, error) in [
        ("http://npdb.example.vn", PeerError::Plain),
        ("http://192.0.2.1/npdb", PeerError::Plain),
        ("npdb.example.vn", PeerError::Url),
        ("ftp://127.0.0.1", PeerError::Url),
    ] {
        assert_eq!(peer(base).err(), Some(error), "{base}");
    }
    assert!(peer("https://npdb.example.vn/v2").is_ok());
    assert!(peer("http://[::1]:8080").is_ok());
}
