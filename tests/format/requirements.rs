//! docs/requirements.md: every requirement has its line, every line names tests, and every test named is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Rows of A.3: documents and evidence.
const EVIDENCE: &[&str] = &[
    "chip_card",
    "pin_notice",
    "old_id",
    "birth_certificate",
    "driving_licence",
    "vehicle_registration",
    "health_insurance_card",
    "tax_code",
    "social_insurance_code",
    "health_record",
    "residence_book",
    "policy_beneficiary_68",
    "dependant_bail",
    "biometrics",
    "contact",
];

/// Rows of A.6: nine services of level 1, seven more of level 2, and the parts that have ids.
const SERVICES: &[&str] = &[
    "population_data_integration",
    "public_service_sso",
    "stay_notification",
    "security_feedback",
    "procedure_and_card_notifications",
    "crime_news_alerts",
    "citizen_data_sharing",
    "online_phone_change",
    "device_change_authentication",
    "residence_information",
    "id_card_current_and_history",
    "dependant_integration",
    "driving_licence_and_vehicle",
    "health_insurance_card",
    "social_insurance_history",
    "electronic_health_record",
    "parts",
];

/// Rows of A.7: messages.
const MESSAGES: &[&str] = &[
    "MSG_DATA_MISMATCH",
    "MSG_QR_FALLBACK",
    "MSG_OTP_SENT",
    "MSG_NOT_IDENTIFIED",
    "MSG_ALREADY_ACTIVATED",
    "MSG_CONFIRM_ACTIVATION",
    "MSG_USE_OTHER_DEVICE",
    "MSG_ACTIVATION_CODE",
    "MSG_ISSUANCE_RESULT",
    "MSG_CARD_EXPIRY",
    "MSG_BIRTHDAY",
    "MSG_LINKED_PROCEDURE",
    "MSG_ACTIVATION_WINDOW_ENDED",
    "MSG_REQUEST_NOT_ACCEPTED",
];

/// Rows of A.8: the regions of the state, the commands, and what is said of all of them.
const STATES: &[&str] = &[
    "identification",
    "cases",
    "activation",
    "credentials",
    "device",
    "lock",
    "lifecycle",
    "RegisterAppAccount",
    "ConfirmRegistrationOtp",
    "SetPassword",
    "LogIn",
    "ApplyLevel1",
    "OpenLevel2Intake",
    "RecordBiometrics",
    "RecordConsent",
    "SubmitLevel2",
    "RecordRegistryResult",
    "DecideApplication",
    "NotifyResult",
    "RequestActivation",
    "ConfirmActivationOtp",
    "SetPasscode",
    "SetSecurityQuestions",
    "automatic activation",
    "ExpireActivationWindow",
    "AssistActivation",
    "ChangeDevice",
    "UnlinkDevice",
    "ChangePhone",
    "LinkDocument",
    "RefreshDocument",
    "UnlinkDocument",
    "LinkDependant",
    "ShareData",
    "ConsumeShare",
    "LockAccount",
    "UnlockAccount",
    "CloseAccount",
    "PublishPolicy",
    "PublishCatalogue",
    "RequestErasure",
    "rejected commands",
    "entitlement",
    "invariants",
];

/// Rows of B.3: clocks.
const CLOCKS: &[&str] = &[
    "level 1",
    "level 2",
    "no card",
    "foreigner",
    "organisation",
    "activation",
    "after day 7",
    "lock, decree 59",
    "lock, decree 69",
    "calendar",
];

/// Rows of B.4: grounds of a lock.
const GROUNDS: &[&str] = &[
    "own_request",
    "terms_breached",
    "card_revoked",
    "death",
    "procedural_authority",
    "competent_authority",
    "card_expired",
    "travel_document_expired",
    "residence_ended",
    "organisation_dissolved",
    "relying_party",
];

/// Not built yet.
const NOT_YET: &[&str] = &[];

fn expected() -> BTreeSet<String> {
    let numbered = |prefix: &'static str, last: usize, width: usize| {
        (1..=last).map(move |number| format!("{prefix}{number:0width$}"))
    };
    let listed = |section: &'static str, rows: &'static [&'static str]| {
        rows.iter().map(move |row| format!("{section} {row}"))
    };
    numbered("A-", 16, 2)
        .chain(numbered("P", 11, 1))
        .chain(numbered("C-", 18, 2))
        .chain(numbered("D-", 12, 2))
        .chain(listed("A.3", EVIDENCE))
        .chain(listed("A.6", SERVICES))
        .chain(listed("A.7", MESSAGES))
        .chain(listed("A.8", STATES))
        .chain(listed("B.3", CLOCKS))
        .chain(listed("B.4", GROUNDS))
        .filter(|id| !NOT_YET.contains(&id.as_str()))
        .collect()
}

/// One line of the document.
struct Row {
    id: String,
    says: String,
    lives: Vec<String>,
    tests: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    let odd = |(at, part): (usize, &str)| (at % 2 == 1).then(|| part.to_owned());
    cell.split('`').enumerate().filter_map(odd).collect()
}

fn rows(document: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for line in document.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [id, says, lives, tests] = cells[..] else {
            panic!("four cells: {line}");
        };
        if id == "id" {
            continue;
        }
        rows.push(Row {
            id: id.to_owned(),
            says: says.to_owned(),
            lives: quoted(lives),
            tests: quoted(tests),
        });
    }
    rows
}

/// Names of the tests in a source: what follows a test attribute.
fn tests_in(source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut marked = false;
    for line in source.lines().map(str::trim) {
        let function = line
            .strip_prefix("async ")
            .unwrap_or(line)
            .strip_prefix("fn ");
        if line == "#[test]" || line.starts_with("#[tokio::test") {
            marked = true;
        } else if let (true, Some(rest)) = (marked, function) {
            let end = rest.find('(').unwrap_or(rest.len());
            names.insert(rest[..end].to_owned());
            marked = false;
        }
    }
    names
}

/// What is wrong with a reference to a test or a scenario, if anything.
fn fault(reference: &str, sources: &mut BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    if let Some(file) = reference.strip_prefix("tests/scenarios/") {
        let toml = Path::new(file).extension().is_some_and(|end| end == "toml");
        let there = root().join(reference).is_file() && !file.contains('/');
        return (!(toml && there)).then(|| format!("no scenario `{reference}`"));
    }
    let Some((path, test)) = reference.split_once("::") else {
        return Some(format!("`{reference}` names no test"));
    };
    let known = sources.entry(path.to_owned()).or_insert_with(|| {
        let source = std::fs::read_to_string(root().join(path));
        source.map(|source| tests_in(&source)).unwrap_or_default()
    });
    (!known.contains(test)).then(|| format!("no test `{reference}`"))
}

fn faults(document: &str) -> Vec<String> {
    let (rows, mut faults) = (rows(document), Vec::new());
    let mut sources = BTreeMap::new();
    let mut there = BTreeSet::new();
    for row in &rows {
        if !there.insert(row.id.clone()) {
            faults.push(format!("{}: twice", row.id));
        }
        if row.says.is_empty() {
            faults.push(format!("{}: says nothing", row.id));
        }
        if row.tests.is_empty() {
            faults.push(format!("{}: no test", row.id));
        }
        let tests = row.tests.iter();
        faults.extend(
            tests.filter_map(|test| Some(format!("{}: {}", row.id, fault(test, &mut sources)?))),
        );
        for path in &row.lives {
            if !root().join(path).exists() {
                faults.push(format!("{}: no `{path}`", row.id));
            }
        }
        if row.lives.is_empty() {
            faults.push(format!("{}: lives nowhere", row.id));
        }
    }
    let expected = expected();
    faults.extend(
        expected
            .difference(&there)
            .map(|id| format!("{id}: missing")),
    );
    faults.extend(
        there
            .difference(&expected)
            .map(|id| format!("{id}: not expected")),
    );
    faults
}

fn document() -> String {
    std::fs::read_to_string(root().join("docs/requirements.md")).unwrap()
}

#[test]
fn every_requirement_names_tests_that_are_there() {
    let faults = faults(&document());
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn what_is_missing_or_wrong_is_found() {
    let document = document();
    let line = document
        .lines()
        .find(|line| line.starts_with("| P1 |"))
        .unwrap();
    let reference = rows(line).remove(0).tests.remove(0);
    let without = document.replace(line, "");
    assert_eq!(faults(&without), ["P1: missing"]);
    let twice = format!("{document}\n{line}");
    assert_eq!(faults(&twice), ["P1: twice"]);
    let (told, _) = line.rsplit_once(" | ").unwrap();
    let untested = document.replace(line, &format!("{told} | nobody |"));
    assert_eq!(faults(&untested), ["P1: no test"]);
    let wrong = document.replace(
        line,
        &line.replace(&reference, "tests/scenarios/p99-none.toml"),
    );
    assert_eq!(
        faults(&wrong),
        ["P1: no scenario `tests/scenarios/p99-none.toml`"]
    );
    // A function that is no test is none.
    let helper = "tests/format/requirements.rs::faults";
    let wrong = document.replace(line, &line.replace(&reference, helper));
    assert_eq!(faults(&wrong), [format!("P1: no test `{helper}`")]);
}

/// The grounds and services are the program's own: a new one needs its line.
#[test]
fn the_lists_are_the_programs() {
    let text = |value| {
        serde_json::to_value(value)
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    };
    let grounds = domain::vocabulary::LockGround::ALL.iter();
    let grounds: BTreeSet<String> = grounds.map(text).collect();
    assert_eq!(
        grounds,
        GROUNDS.iter().map(|row| (*row).to_owned()).collect()
    );
    let list = domain::law::shipped()
        .unwrap()
        .into_iter()
        .find_map(|draft| {
            let domain::law::LawContent::Catalogue(list) = draft.content else {
                return None;
            };
            (list.name == "2024-03").then_some(list)
        });
    let services: Vec<String> = list.unwrap().services.into_iter().map(|of| of.id).collect();
    assert_eq!(services, SERVICES[..16]);
    for message in domain::vocabulary::Message::ALL {
        let id = domain::messages::message_id(*message);
        assert!(id.starts_with("MSG_"), "{id}");
    }
    for id in MESSAGES {
        let known = domain::vocabulary::Message::ALL
            .iter()
            .any(|message| domain::messages::message_id(*message) == *id);
        assert!(known, "{id}");
    }
}
