//! Foreigners and organisations, over HTTP from one end to the other.

use super::law::{file, publish, second};
use super::procedures::{activate, activated, decide};
use super::world::{ENTERPRISE, REPRESENTATIVES, World, capture, key, person};
use outside::clock::Clock;
use serde_json::{Value, json};

pub const FOREIGNER: &str = "NN0000012345";
/// A passport that the database knows.
pub const PASSPORT: &str = "12AB34567";
pub const PHONE: &str = "0912345670";

pub fn foreigner(number: &str, passport: &str) -> Value {
    let mut who = person(number, PHONE);
    who["full_name"] = json!("JANE DOE");
    json!({
        "person": who,
        "travel_document": {
            "nationality": "FRA", "kind": "passport", "number": passport,
            "issued": "2020-01-31", "place": "Paris",
        },
    })
}

/// A foreigner's app account; its id and session.
pub async fn app_account(world: &World) -> (String, String) {
    let asked = world
        .post(
            "/v1/foreigners/registrations",
            foreigner(FOREIGNER, "12AB34567"),
        )
        .await
        .recorded();
    let account = asked.text("account");
    let body = json!({ "challenge": asked.text("challenge"), "otp": world.code_of(&account) });
    let confirmed = world
        .post(&format!("/v1/registrations/{account}/otp"), body)
        .await
        .recorded();
    let session = confirmed.json()["session"]["token"].clone();
    let session = session.as_str().unwrap().to_owned();
    let password = json!({ "password": "con mèo nằm trên mái" });
    let path = format!("/v1/accounts/{account}/password");
    world.post_as(&session, &path, password).await.recorded();
    (account, session)
}

#[tokio::test]
async fn a_foreigner_from_passport_to_level_2() {
    let world = World::new().await;
    let registrations = "/v1/foreigners/registrations";
    for (number, passport, code) in [
        ("1234", "12AB34567", "INVALID_VALUE"),
        (FOREIGNER, "x", "INVALID_VALUE"),
        (FOREIGNER, "12AB34404", "MSG_DATA_MISMATCH"),
    ] {
        let body = foreigner(number, passport);
        world.post(registrations, body).await.problem(code);
    }
    let (account, session) = app_account(&world).await;
    let at = format!("/v1/accounts/{account}");
    let apply = json!({ "portrait": capture() });
    let applied = world
        .post_as(&session, &format!("{at}/level-1-applications"), apply)
        .await
        .recorded();
    decide(&world, &account, &applied.text("case"), &["portrait"]).await;
    activate(&world, FOREIGNER, PHONE, 41).await;
    // Level 2: not at the police, but at the immigration authority.
    let mut intake = foreigner(FOREIGNER, "12AB34567");
    intake["person_present"] = json!(true);
    let path = "/v1/foreigners/intakes";
    world
        .post_signed(&world.officer, path, intake.clone())
        .await
        .problem("ACCESS_DENIED");
    let opened = world
        .post_signed(&world.immigration, path, intake)
        .await
        .recorded();
    let case = opened.text("case");
    let both = json!({ "portrait": capture(), "fingerprints": capture() });
    world
        .post_signed(
            &world.officer,
            &format!("{at}/cases/{case}/biometrics"),
            both.clone(),
        )
        .await
        .problem("WRONG_HOLDER_SORT");
    for (step, body) in [
        ("biometrics", both),
        ("consent", json!({ "given": true, "text_version": 1 })),
        ("submission", json!({})),
    ] {
        let path = format!("{at}/cases/{case}/{step}");
        world
            .post_signed(&world.immigration, &path, body)
            .await
            .recorded();
    }
    decide(&world, &account, &case, &["portrait", "fingerprints"]).await;
    world.settle().await;
    let state = world.get(&at).await.ok().json();
    assert_eq!(
        (&state["level"], &state["state"]["holder"]),
        (&json!(2), &json!("foreigner"))
    );
    assert_eq!(state["entitlements"]["granted"], 16);
    // Who they are is sealed: in no event, and opened for those who may see it.
    let events = world.get(&format!("{at}/events?limit=500")).await.ok();
    let text = String::from_utf8(events.bytes).unwrap();
    assert!(text.contains("ForeignerIntakeOpened"));
    for personal in ["12AB34567", FOREIGNER, "JANE", "Paris"] {
        assert!(!text.contains(personal), "{personal}");
    }
    let path = format!("{at}/personal");
    let personal = world.get_signed(&world.immigration, &path).await.ok();
    assert_eq!(personal.json()["travel_document"]["number"], "12AB34567");
}

#[tokio::test]
async fn passport_and_residence_lock_when_they_end_and_open_when_they_are_renewed() {
    let world = World::new().await;
    let (account, _) = app_account(&world).await;
    let at = format!("/v1/accounts/{account}");
    let mut clock = Clock::new(world.ledger.clone(), world.views.clone());
    let grounds = async |world: &World| -> Vec<String> {
        world.settle().await;
        let state = world.get(&at).await.ok().json();
        let locks = state["state"]["locks"].as_array().unwrap();
        let ground = |lock: &Value| lock["ground"].as_str().unwrap().to_owned();
        locks.iter().map(ground).collect()
    };
    world.settle().await;
    assert_eq!(clock.round().await.unwrap().passed, 0);
    // The passport is good until day 30, the residence card until day 60.
    world.pass(31 * 86_400);
    assert_eq!(clock.round().await.unwrap().passed, 1);
    assert_eq!(grounds(&world).await, ["travel_document_expired"]);
    world.pass(30 * 86_400);
    assert_eq!(clock.round().await.unwrap().passed, 1);
    assert_eq!(
        grounds(&world).await,
        ["travel_document_expired", "residence_ended"]
    );
    let report = |status: &str| json!({ "status": status, "until": "2034-01-31" });
    let path = format!("{at}/status-reports");
    world
        .post_signed(&world.adapter, &path, report("travel_document_issued"))
        .await
        .recorded();
    assert_eq!(grounds(&world).await, ["residence_ended"]);
    world
        .post_signed(&world.adapter, &path, report("residence_granted"))
        .await
        .recorded();
    assert!(grounds(&world).await.is_empty());
    world
        .post_signed(&world.adapter, &path, report("card_issued"))
        .await
        .problem("GROUND_NOT_LAWFUL");
}

#[tokio::test]
async fn under_decree_69_a_residence_card_is_needed_and_an_expired_card_locks() {
    let world = World::new().await;
    let citizen = activated(&world, "030184000001", "0912345678", 40).await;
    let report = json!({ "status": "card_issued", "until": "2024-03-10" });
    let path = format!("/v1/accounts/{citizen}/status-reports");
    world
        .post_signed(&world.adapter, &path, report)
        .await
        .recorded();
    let mut clock = Clock::new(world.ledger.clone(), world.views.clone());
    // Under Decree 59 an expired card is no ground, and nothing is asked.
    world.pass(120 * 86_400);
    world.settle().await;
    let before = world.length().await;
    assert_eq!(
        clock.round().await.unwrap(),
        outside::clock::Round::default()
    );
    assert_eq!(world.length().await, before);
    let other = second(&world).await;
    let text = file("policy-2024-07.toml", "2024-07-04", &[]);
    publish(&world, &other, "policy", &text).await;
    world.pass(3 * 86_400);
    world.settle().await;
    let without = foreigner("NN000001234R", "12AB34567");
    world
        .post("/v1/foreigners/registrations", without)
        .await
        .problem("RESIDENCE_MISSING");
    // The card that expired in March locks from the day on which that became a ground.
    assert_eq!(clock.round().await.unwrap().passed, 1);
    world.settle().await;
    let at = format!("/v1/accounts/{citizen}");
    let state = world.get(&at).await.ok().json();
    assert_eq!(state["state"]["locks"][0]["ground"], "card_expired");
    let events = world
        .get(&format!("{at}/events?order=desc&limit=1"))
        .await
        .ok();
    let locked = &events.json()["events"][0];
    assert_eq!(
        locked["occurred_at"].as_str().unwrap(),
        "2024-07-03T17:00:00Z"
    );
}

/// An activated level-2 account.
pub async fn level_2(world: &World, number: &str, phone: &str, device_key: u8) -> String {
    let account = activated(world, number, phone, device_key).await;
    let body = json!({
        "person": person(number, phone), "site": 1, "person_present": true,
        "with_card_issue": false,
    });
    let opened = world.post_signed(&world.officer, "/v1/intakes", body).await;
    let case = opened.recorded().text("case");
    let both = json!({ "portrait": capture(), "fingerprints": capture() });
    for (step, body) in [
        ("biometrics", both),
        ("consent", json!({ "given": true, "text_version": 1 })),
        ("submission", json!({})),
    ] {
        let path = format!("/v1/accounts/{account}/cases/{case}/{step}");
        world
            .post_signed(&world.officer, &path, body)
            .await
            .recorded();
    }
    decide(world, &account, &case, &["portrait", "fingerprints"]).await;
    world.settle().await;
    account
}

pub fn enterprise(representative: &str) -> Value {
    json!({
        "organisation": {
            "number": ENTERPRISE, "name": "Công ty TNHH Thanh Bình", "address": "Hải Dương",
            "phone": "0912345699",
        },
        "representative": representative,
    })
}

#[tokio::test]
async fn an_organisation_from_its_representatives_agreement_to_its_account() {
    let world = World::new().await;
    let [one, two] = REPRESENTATIVES;
    let first = level_2(&world, one, "0912345678", 40).await;
    let second = level_2(&world, two, "0912345679", 42).await;
    let (own, others) = (key(40), key(42));
    let asked = |key, body| world.post_signed(key, "/v1/organisations", body);
    let stranger = key(50);
    asked(&stranger, enterprise(&first))
        .await
        .problem("KEY_UNKNOWN");
    world
        .post("/v1/organisations", enterprise(&first))
        .await
        .problem("SIGNATURE_REQUIRED");
    let mut bad = enterprise(&first);
    bad["organisation"]["number"] = json!("0100109107");
    asked(&own, bad).await.problem("INVALID_VALUE");
    let applied = asked(&own, enterprise(&first)).await.recorded();
    let (account, case) = (applied.text("account"), applied.text("case"));
    let cases = format!("/v1/accounts/{account}/cases/{case}");
    let at = format!("/v1/organisations/{account}");
    let approve = json!({ "approve": true });
    let decision = format!("{cases}/decision");
    world
        .post_signed(&world.authority, &decision, approve.clone())
        .await
        .problem("AGREEMENT_MISSING");
    world.settle().await;
    let waiting = world.get_signed(&own, &at).await.ok().json();
    assert_eq!(
        (&waiting["issued"], &waiting["agreements_missing"]),
        (&json!(false), &json!(1))
    );
    // The other representative agrees with their own device, and nobody in their name.
    let answers = format!("{at}/cases/{case}/answers");
    let agree = json!({ "representative": second, "agree": true });
    world
        .post_signed(&own, &answers, agree.clone())
        .await
        .problem("KEY_UNKNOWN");
    world.post_signed(&others, &answers, agree).await.recorded();
    world
        .post_signed(&world.authority, &decision, approve)
        .await
        .recorded();
    let notice = json!({ "channel": "app", "received_at": "2024-03-05T00:53:20Z" });
    world
        .post_signed(&world.authority, &format!("{cases}/notice"), notice)
        .await
        .recorded();
    world.settle().await;
    let state = world
        .get(&format!("/v1/accounts/{account}"))
        .await
        .ok()
        .json();
    assert_eq!(
        (&state["level"], &state["entitlements"]["granted"]),
        (&Value::Null, &json!(0))
    );
    // Its representative reads it; another's device and another representative do not.
    let body = world.get_signed(&own, &at).await.ok().json();
    assert_eq!(body["organisation"]["name"], "Công ty TNHH Thanh Bình");
    assert_eq!(
        (&body["issued"], &body["representative"]),
        (&json!(true), &json!(first))
    );
    world.get_signed(&others, &at).await.problem("KEY_UNKNOWN");
    represented(&world, &account, (&first, &own), (&second, &others)).await;
    let day = "/v1/statistics?area=30288&as_of=2024-03-05";
    let statistics = world.get(day).await.ok().json();
    assert_eq!(statistics["counts"]["organisations"], 1);
    assert_eq!(statistics["accounts"], 2, "organisations have no levels");
}

/// Acts, locks and the change of who represents it.
async fn represented(
    world: &World,
    account: &str,
    (first, own): (&str, &ed25519_dalek::SigningKey),
    (second, others): (&str, &ed25519_dalek::SigningKey),
) {
    let at = format!("/v1/organisations/{account}");
    let act = json!({
        "relying_party": world.principal(&world.relying), "matter": "Kê khai thuế quý 1",
    });
    let acts = format!("{at}/acts");
    world.post_signed(own, &acts, act.clone()).await.recorded();
    let locks = format!("/v1/accounts/{account}/locks");
    let ground = json!({ "ground": "own_request" });
    world
        .post_signed(own, &locks, ground.clone())
        .await
        .recorded();
    world
        .post_signed(own, &acts, act.clone())
        .await
        .problem("LOCKED");
    let unlocks = format!("/v1/accounts/{account}/unlocks");
    world.post_signed(own, &unlocks, ground).await.recorded();
    let change = json!({ "representative": second });
    let path = format!("{at}/representative");
    world
        .post_signed(others, &path, change.clone())
        .await
        .recorded();
    world
        .post_signed(others, &path, change)
        .await
        .problem("REPRESENTATIVE_UNCHANGED");
    world.settle().await;
    world
        .post_signed(own, &acts, act.clone())
        .await
        .problem("KEY_UNKNOWN");
    world.post_signed(others, &acts, act).await.recorded();
    world.settle().await;
    // Every act names whose it was, and nothing of the matter.
    let path = format!("/v1/accounts/{account}/events?order=asc&limit=500");
    let events = world.get(&path).await.ok();
    let text = String::from_utf8(events.bytes.clone()).unwrap();
    assert!(!text.contains("thuế") && !text.contains(ENTERPRISE));
    let acted: Vec<Value> = events.json()["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"] == "RepresentativeActed")
        .map(|event| event["actor"]["principal"].clone())
        .collect();
    assert_eq!(acted, [json!(first), json!(second)]);
}

#[tokio::test]
async fn form_tk02_at_a_desk() {
    let world = World::new().await;
    let [one, _] = REPRESENTATIVES;
    let first = level_2(&world, one, "0912345678", 40).await;
    let mut body = enterprise(&first);
    body.as_object_mut().unwrap().remove("representative");
    // Not in the databases: fifteen days instead of working days.
    body["organisation"]["number"] = json!("0300588569");
    body["representative_personal_id"] = json!(one);
    body["site"] = json!(1);
    body["person_present"] = json!(true);
    let path = "/v1/organisations/intakes";
    world
        .post_signed(&world.officer, path, body.clone())
        .await
        .problem("AGREEMENT_MISSING");
    body["agreements"] = json!(0);
    let opened = world
        .post_signed(&world.officer, path, body.clone())
        .await
        .recorded();
    world
        .post_signed(&world.officer, path, body.clone())
        .await
        .problem("CASE_OPEN");
    body["representative_personal_id"] = json!("030199000009");
    world
        .post_signed(&world.officer, path, body)
        .await
        .problem("ACCOUNT_NOT_FOUND");
    world.settle().await;
    // 05/03/2024 and fifteen calendar days; the clock says when they are over.
    let account = opened.text("account");
    let mut clock = Clock::new(world.ledger.clone(), world.views.clone());
    world.pass(15 * 86_400);
    assert_eq!(clock.round().await.unwrap().passed, 0);
    world.pass(86_400);
    assert_eq!(clock.round().await.unwrap().passed, 1);
    world.settle().await;
    let state = world.get(&format!("/v1/accounts/{account}")).await.ok();
    let dossier = &state.json()["state"]["organisation"]["dossier"];
    assert_eq!(dossier["deadline_missed"], true);
}
