//! Registries over HTTP: what they answer, how they fail, and that a case goes on afterwards.

use super::peers::{Fault, Registry};
use core::time::Duration;
use domain::command::{DocumentAnswer, RegistryAnswer};
use domain::ids::{AreaCode, Micros};
use domain::personal::Person;
use domain::vocabulary::{DocumentKind, LinkOutcome, RegistryOutcome};
use ledger::registry::{DocumentRegistry as _, PopulationRegistry as _};
use outside::http::PeerError;
use outside::registry::{HttpRegistry, Settings};
use outside::retry::Backoff;

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

const CONFIRMED: fn(&RegistryAnswer) -> bool = |answer| {
    matches!(answer, RegistryAnswer::Confirmed { area, birth_date, has_chip_card: true }
        if *area == AreaCode(30288) && birth_date == "1984-02-29")
};
const UNAVAILABLE: RegistryAnswer = RegistryAnswer::Not(RegistryOutcome::Unavailable);

#[tokio::test]
async fn every_answer_of_the_protocol_is_understood() {
    let registry = Registry::start().await;
    let adapter = adapter(&registry);
    assert!(CONFIRMED(&adapter.confirm(&person("030184000001")).await));
    for (number, outcome) in [
        ("030184000404", RegistryOutcome::NotFound),
        ("030184000409", RegistryOutcome::Mismatch),
    ] {
        let answer = adapter.confirm(&person(number)).await;
        assert!(answer == RegistryAnswer::Not(outcome), "{number}");
    }
    let licence = DocumentKind::DrivingLicence;
    let check = |number: &'static str| adapter.check("030184000001", licence, number);
    let verified = DocumentAnswer::Verified {
        data_as_of: Micros(1_709_000_000_000_000),
    };
    assert_eq!(check("030012345678").await, verified);
    let other = DocumentAnswer::Not(LinkOutcome::OwnerMismatch);
    assert_eq!(check("030099999999").await, other);
    let unavailable = DocumentAnswer::Not(LinkOutcome::RegistryUnavailable);
    assert_eq!(check("tomorrow").await, unavailable);
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
        Fault::Drops,
        Fault::Long,
    ] {
        let registry = Registry::start().await;
        let adapter = adapter(&registry);
        registry.fault(fault);
        let answer = adapter.confirm(&person("030184000001")).await;
        assert!(answer == UNAVAILABLE, "{fault:?}");
        assert_eq!(registry.asked(), 2, "{fault:?} is tried once more");
        registry.fault(Fault::None);
        let answer = adapter.confirm(&person("030184000001")).await;
        assert!(CONFIRMED(&answer), "{fault:?}");
    }
}

#[tokio::test]
async fn a_registry_that_keeps_failing_is_left_alone_for_a_while() {
    let registry = Registry::start().await;
    let adapter = adapter(&registry);
    registry.fault(Fault::Broken);
    for asked in [2, 2, 0, 0] {
        let answer = adapter.confirm(&person("030184000001")).await;
        assert!(answer == UNAVAILABLE);
        assert_eq!(registry.asked(), asked);
    }
    registry.pass(31);
    assert!(adapter.confirm(&person("030184000001")).await == UNAVAILABLE);
    assert_eq!(registry.asked(), 1, "one finds out");
    registry.fault(Fault::None);
    assert!(adapter.confirm(&person("030184000001")).await == UNAVAILABLE);
    assert_eq!(registry.asked(), 0);
    registry.pass(31);
    assert!(CONFIRMED(&adapter.confirm(&person("030184000001")).await));
    assert!(CONFIRMED(&adapter.confirm(&person("030184000001")).await));
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
    assert!(adapter.confirm(&person("030184000001")).await == UNAVAILABLE);
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
