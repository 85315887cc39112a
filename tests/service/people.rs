//! Sharing (P10) and the locks that others ask for (B.4), over HTTP.

use super::law::{file, publish, second};
use super::procedures::{NUMBER, PHONE, activated, decide};
use super::world::{START, World, capture, device, key, person};
use axum::http::{Method, StatusCode};
use domain::command::RelationAnswer;
use domain::vocabulary::Relation;
use ledger::registry::{Format, Population, PopulationRegistry as _};
use ledger::secrets::{Keys, Secret32};
use ledger::wiring::SeededRandomness;
use outside::clock::Clock;
use serde_json::{Value, json};
use std::sync::Arc;

#[tokio::test]
async fn a_relying_party_sees_what_was_shared_once_and_the_holder_sees_who_looked() {
    let world = World::new().await;
    let account = activated(&world, NUMBER, PHONE, 40).await;
    let own = key(40);
    let path = format!("/v1/accounts/{account}/shares");
    let bank = world.principal(&world.relying);
    let body = json!({
        "mode": "identification_qr", "fields": ["full_name", "phone", "sex"], "relying_party": bank,
    });
    let wrong = json!({ "passcode": "111222" });
    world
        .post_secret(&own, &path, body.clone(), wrong)
        .await
        .problem("PASSCODE_WRONG");
    world
        .post_signed(&own, &path, body.clone())
        .await
        .problem("MISSING_FIELD");
    let right = json!({ "passcode": "482915" });
    let too_much = json!({ "mode": "in_app", "fields": ["residence"], "relying_party": bank });
    world
        .post_secret(&own, &path, too_much, right.clone())
        .await
        .problem("FIELD_NOT_ENTITLED");
    let nobody = json!({
        "mode": "in_app", "fields": ["sex"], "relying_party": world.principal(&world.officer),
    });
    world
        .post_secret(&own, &path, nobody, right.clone())
        .await
        .problem("RELYING_PARTY_UNKNOWN");
    let granted = world
        .post_secret(&own, &path, body.clone(), right.clone())
        .await
        .recorded();
    assert_eq!(granted.text("share_expires_at"), "2024-03-05T00:54:20Z");
    let look = format!("{path}/{}/consumption", granted.text("share"));
    // Nobody but the relying party it is for, and nobody without a signature.
    world
        .post_signed(&world.authority, &look, json!({}))
        .await
        .problem("ACCESS_DENIED");
    world
        .post(&look, json!({}))
        .await
        .problem("SIGNATURE_REQUIRED");
    let idempotency = [("idempotency-key", "a-key-of-the-relying-party-1")];
    let request = || {
        world.signed(
            &world.relying,
            &Method::POST,
            &look,
            json!({}),
            &idempotency,
        )
    };
    let seen = world.send(request()).await.recorded();
    assert_eq!(seen.headers["cache-control"], "no-store");
    assert_eq!(
        seen.json()["shared"],
        json!([
            { "field": "full_name", "values": ["Nguyễn Thị Đẹp"] },
            { "field": "phone", "values": ["+84912345678"] },
            { "field": "sex", "values": ["Nữ"] },
        ])
    );
    // The same request again is answered with its receipt, and shows nothing.
    let repeated = world.send(request()).await.ok();
    assert_eq!(repeated.json()["repeated"], true);
    assert!(repeated.json()["shared"].is_null());
    world
        .post_signed(&world.relying, &look, json!({}))
        .await
        .problem("SHARE_ALREADY_USED");
    // A minute later a fresh one is too old.
    let granted = world.post_secret(&own, &path, body, right).await.recorded();
    world.pass(60);
    let late = format!("{path}/{}/consumption", granted.text("share"));
    world
        .post_signed(&world.relying, &late, json!({}))
        .await
        .problem("SHARE_EXPIRED");
    world.settle().await;
    let trail = world.get_signed(&own, &path).await.ok().json();
    let what: Vec<_> = trail["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["what"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(what, ["expired", "granted", "consumed", "granted"]);
    let consumed = &trail["entries"][2];
    assert_eq!(consumed["relying_party"], bank);
    assert_eq!(consumed["relying_party_name"], "Ngân hàng A");
    let page = world
        .get_signed(&own, &format!("{path}?limit=1"))
        .await
        .ok()
        .json();
    assert_eq!(page["entries"].as_array().unwrap().len(), 1);
    assert!(page["next"].is_string());
    // A reader with a token sees open facts only; and no value stands anywhere in the trail.
    let open = world.get(&path).await.ok().json();
    assert!(open["entries"][2]["relying_party_name"].is_null());
    let events = world
        .get(&format!("/v1/accounts/{account}/events?limit=500"))
        .await
        .ok();
    let text = String::from_utf8(events.bytes).unwrap();
    assert!(text.contains("ShareConsumed") && !text.contains("Nguyễn"));
}

#[tokio::test]
async fn an_authority_asks_for_a_lock_and_reads_the_answer_in_writing() {
    let world = World::new().await;
    let account = activated(&world, NUMBER, PHONE, 40).await;
    let at = format!("/v1/accounts/{account}");
    let path = format!("{at}/lock-requests");
    let ask = json!({
        "ground": "procedural_authority", "action": "lock", "reasons": "quyết định số 12",
    });
    let direct = json!({ "ground": "procedural_authority" });
    world
        .post_signed(&world.competent, &format!("{at}/locks"), direct)
        .await
        .problem("ACCESS_DENIED");
    let without = json!({
        "ground": "procedural_authority", "action": "lock", "reasons": " ",
    });
    world
        .post_signed(&world.competent, &path, without)
        .await
        .problem("REASON_MISSING");
    let asked = world
        .post_signed(&world.competent, &path, ask.clone())
        .await
        .recorded();
    let decision = format!("{path}/{}/decision", asked.text("lock_request"));
    let refuse = json!({ "refuse": "not_founded", "reasons": "chưa có quyết định" });
    world
        .post_signed(&world.competent, &decision, refuse.clone())
        .await
        .problem("ACCESS_DENIED");
    world
        .post_signed(&world.authority, &decision, refuse)
        .await
        .recorded();
    let asked = world
        .post_signed(&world.competent, &path, ask)
        .await
        .recorded();
    let decision = format!("{path}/{}/decision", asked.text("lock_request"));
    world
        .post_signed(&world.authority, &decision, json!({}))
        .await
        .recorded();
    // The holder was told at once.
    world.settle().await;
    let told = world.views.notices(account.parse().unwrap()).unwrap();
    let changed = domain::vocabulary::Message::LockChanged;
    assert!(told.iter().any(|notice| notice.message == changed));
    assert_eq!(world.get(&at).await.ok().json()["locked"], true);
    let read = world.get_signed(&world.competent, &path).await.ok().json();
    let requests = read["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0]["state"], "refused");
    assert_eq!(requests[0]["refusal"], "not_founded");
    assert_eq!(requests[0]["refusal_reasons"], "chưa có quyết định");
    assert_eq!(requests[0]["decide_by"], "2024-03-07");
    assert_eq!(requests[1]["state"], "granted");
    assert_eq!(requests[1]["reasons"], "quyết định số 12");
    // Another requester sees none of it; a token opens nothing sealed.
    let other = world.get_signed(&world.relying, &path).await.ok().json();
    assert_eq!(other["requests"], json!([]));
    assert_eq!(world.get(&path).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_the_card_registry_reports_locks_and_unlocks() {
    let world = World::new().await;
    let account = activated(&world, NUMBER, PHONE, 40).await;
    let at = format!("/v1/accounts/{account}");
    let path = format!("{at}/status-reports");
    let report = |status: &str| json!({ "status": status });
    world
        .post_signed(&world.authority, &path, report("card_held"))
        .await
        .problem("ACCESS_DENIED");
    world
        .post_signed(&world.adapter, &path, report("card_held"))
        .await
        .recorded();
    world.settle().await;
    assert_eq!(world.get(&at).await.ok().json()["locked"], true);
    world
        .post_signed(&world.adapter, &path, report("card_issued"))
        .await
        .problem("VALIDITY_UNKNOWN");
    let body = json!({ "status": "card_issued", "until": "31/12/2039" });
    world
        .post_signed(&world.adapter, &path, body)
        .await
        .problem("INVALID_VALUE");
    let body = json!({ "status": "card_issued", "until": "2039-12-31" });
    world
        .post_signed(&world.adapter, &path, body)
        .await
        .recorded();
    world.settle().await;
    let state = world.get(&at).await.ok().json();
    assert_eq!(state["locked"], false);
    assert_eq!(state["state"]["validity"][0]["of"], "card");
}

/// An activated level-2 account on device 40.
pub async fn guardian(world: &World) -> String {
    let account = activated(world, NUMBER, PHONE, 40).await;
    let body = json!({
        "person": person(NUMBER, PHONE), "site": 1, "person_present": true,
        "with_card_issue": false,
    });
    let opened = world.post_signed(&world.officer, "/v1/intakes", body).await;
    let case = opened.recorded().text("case");
    let at = format!("/v1/accounts/{account}/cases/{case}");
    let both = json!({ "portrait": capture(), "fingerprints": capture() });
    for (step, body) in [
        ("biometrics", both),
        ("consent", json!({ "given": true, "text_version": 1 })),
        ("submission", json!({})),
    ] {
        let path = format!("{at}/{step}");
        world
            .post_signed(&world.officer, &path, body)
            .await
            .recorded();
    }
    decide(world, &account, &case, &["portrait", "fingerprints"]).await;
    world.settle().await;
    account
}

fn child(number: &str, birth_date: &str, consent: bool) -> Value {
    let mut who = person(number, PHONE);
    who["birth_date"] = json!(birth_date);
    json!({ "person": who, "consent": consent, "text_version": 1 })
}

#[tokio::test]
async fn a_guardian_registers_children_until_they_are_fourteen() {
    let world = World::new().await;
    let account = guardian(&world).await;
    let own = key(40);
    let path = format!("/v1/accounts/{account}/dependants");
    for (number, birth_date, consent, code) in [
        ("030217000001", "2017-01-15", false, "CONSENT_REFUSED"),
        ("030217000555", "2017-01-15", true, "NOT_GUARDIAN"),
        ("030201000001", "2001-01-15", true, "NOT_DEPENDANT"),
        ("030217000404", "2017-01-15", true, "MSG_DATA_MISMATCH"),
    ] {
        let body = child(number, birth_date, consent);
        world.post_signed(&own, &path, body).await.problem(code);
    }
    let body = child("030210000002", "2010-03-10", true);
    world
        .post_signed(&own, &path, body.clone())
        .await
        .recorded();
    world
        .post_signed(&own, &path, body)
        .await
        .problem("DEPENDANT_ALREADY_LINKED");
    let ward = child("030150000777", "1950-01-15", true);
    world.post_signed(&own, &path, ward).await.recorded();
    world.settle().await;
    let at = format!("/v1/accounts/{account}");
    let state = world.get(&at).await.ok().json();
    let dependants = state["state"]["dependants"].as_array().unwrap().clone();
    assert_eq!(dependants[0]["kind"], "child");
    // 10/03/2024, days since 1970-01-01.
    assert_eq!(dependants[0]["majority_on"], 19_792);
    assert_eq!(dependants[1]["kind"], "ward");
    let events = world.get(&format!("{at}/events?limit=500")).await.ok();
    let text = String::from_utf8(events.bytes).unwrap();
    assert!(text.contains("DependantLinked") && !text.contains("030210000002"));
    // The clock, on the day itself.
    world.pass(5 * 86_400);
    world.settle().await;
    let mut clock = Clock::new(world.ledger.clone(), world.views.clone());
    assert_eq!(clock.round().await.unwrap().passed, 1);
    world.settle().await;
    let state = world.get(&at).await.ok().json();
    let left = state["state"]["dependants"].as_array().unwrap();
    assert_eq!(left.len(), 1);
    let unlink = format!("{path}/{}/unlink", left[0]["id"].as_str().unwrap());
    world.post_signed(&own, &unlink, json!({})).await.recorded();
    world
        .post_signed(&own, &unlink, json!({}))
        .await
        .problem("DEPENDANT_NOT_LINKED");
}

#[tokio::test]
async fn a_child_has_an_account_of_their_own_where_policy_lets_them() {
    let world = World::new().await;
    let account = guardian(&world).await;
    let own = key(40);
    let path = format!("/v1/accounts/{account}/dependants");
    let body = child("030217000001", "2017-01-15", true);
    let who = json!({ "person": body["person"] });
    world.post_signed(&own, &path, body).await.recorded();
    world
        .post_signed(&own, &format!("{path}/account"), who.clone())
        .await
        .problem("OWN_ACCOUNT_NOT_ALLOWED");
    let other = second(&world).await;
    let changes = [
        ("= \"under_guardian\"", "= \"own_on_demand\""),
        ("\"2022-02\"", "\"2024-03\""),
    ];
    let text = file("policy-2022-02.toml", "2024-03-07", &changes);
    publish(&world, &other, "policy", &text).await;
    world.pass(3 * 86_400);
    let stranger = key(44);
    world
        .post_signed(&stranger, &format!("{path}/account"), who.clone())
        .await
        .problem("KEY_UNKNOWN");
    let opened = world
        .post_signed(&own, &format!("{path}/account"), who.clone())
        .await
        .recorded();
    let theirs = opened.text("account");
    assert_ne!(theirs, account);
    world
        .post_signed(&own, &format!("{path}/account"), who)
        .await
        .problem("PIN_ALREADY_REGISTERED");
    world.settle().await;
    // The guardian's device signs for the child, and for nobody else's account.
    let apply = json!({
        "qr": "030217000001||Nguyễn Thị Đẹp|15012017|Nữ|Hải Dương|01012024",
        "portrait": capture(),
    });
    let at = format!("/v1/accounts/{theirs}");
    let applied = world
        .post_signed(&own, &format!("{at}/level-1-applications"), apply)
        .await
        .recorded();
    assert!(!applied.text("case").is_empty());
    world
        .post_signed(&own, &format!("{at}/guardian-consents"), json!({}))
        .await
        .recorded();
    world
        .post_signed(
            &own,
            &format!("/v1/accounts/{account}/guardian-consents"),
            json!({}),
        )
        .await
        .problem("ACCESS_DENIED");
    world.settle().await;
    let state = world.get(&at).await.ok().json();
    assert_eq!(state["state"]["guardian"]["account"], account);
    // Taken out of the guardian's account, the child is no longer theirs to act for.
    let state = world.get(&format!("/v1/accounts/{account}")).await.ok();
    let state = state.json();
    let child = state["state"]["dependants"][0]["id"].as_str().unwrap();
    let unlink = format!("{path}/{child}/unlink");
    world.post_signed(&own, &unlink, json!({})).await.recorded();
    world
        .post_signed(&own, &format!("{at}/guardian-consents"), json!({}))
        .await
        .problem("NOT_GUARDIAN");
}

/// Decree 69 art. 10: the guardian's own account, own number and own device.
#[tokio::test]
async fn a_guardian_activates_a_childs_account_on_the_device_of_their_own() {
    let world = World::new().await;
    let account = guardian(&world).await;
    let own = key(40);
    let path = format!("/v1/accounts/{account}/dependants");
    let body = child("030217000001", "2017-01-15", true);
    let who = json!({ "person": body["person"] });
    world.post_signed(&own, &path, body).await.recorded();
    let other = second(&world).await;
    let changes = [
        ("= \"under_guardian\"", "= \"own_on_demand\""),
        ("\"2022-02\"", "\"2024-03\""),
    ];
    let text = file("policy-2022-02.toml", "2024-03-07", &changes);
    publish(&world, &other, "policy", &text).await;
    world.pass(3 * 86_400);
    let opened = world
        .post_signed(&own, &format!("{path}/account"), who)
        .await
        .recorded();
    let theirs = opened.text("account");
    world.settle().await;
    let at = format!("/v1/accounts/{theirs}");
    let apply = json!({
        "chip": {
            "sod": "01".repeat(32), "data_groups": "02".repeat(32), "certificate": "03".repeat(32),
            "strength": "chip_active_auth", "verifier": 1,
        },
        "portrait": capture(),
    });
    let applied = world
        .post_signed(&own, &format!("{at}/level-1-applications"), apply)
        .await
        .recorded();
    decide(&world, &theirs, &applied.text("case"), &["portrait"]).await;
    // A stranger who says that the device is theirs is told to take another one.
    let request = |key: &ed25519_dalek::SigningKey| {
        json!({
            "personal_id": "030217000001", "phone": PHONE, "device": device(key, "device 40"),
        })
    };
    let stranger = key(44);
    world
        .post_signed(&stranger, "/v1/activations", request(&stranger))
        .await
        .problem("MSG_USE_OTHER_DEVICE");
    let asked = world
        .post_signed(&own, "/v1/activations", request(&own))
        .await
        .recorded();
    assert_eq!(asked.text("account"), theirs);
    world.settle().await;
    let steps = format!("/v1/activations/{theirs}");
    let code = json!({ "challenge": asked.text("challenge") });
    let otp = json!({ "otp": world.code_of(&theirs) });
    world
        .post_secret(&own, &format!("{steps}/otp"), code, otp)
        .await
        .recorded();
    let password = json!({ "password": "con mèo nằm trên mái" });
    world
        .post_secret(&own, &format!("{at}/password"), json!({}), password)
        .await
        .recorded();
    let passcode = json!({ "passcode": "482915" });
    world
        .post_secret(&own, &format!("{steps}/passcode"), json!({}), passcode)
        .await
        .recorded();
    let questions = json!({ "questions": ["first_school", "favourite_dish"] });
    let answers = json!({ "answers": ["Trường A", "phở"] });
    let path = format!("{steps}/security-questions");
    world
        .post_secret(&own, &path, questions, answers)
        .await
        .recorded();
    world.settle().await;
    let state = world.get(&at).await.ok().json();
    assert_eq!(
        (&state["level"], &state["activated"]),
        (&json!(1), &json!(true))
    );
    assert!(state["state"]["device"].is_null());
    let mine = world.get(&format!("/v1/accounts/{account}")).await.ok();
    assert!(
        mine.json()["state"]["device"].is_object(),
        "still the guardian's"
    );
    // Every step names the guardian.
    let events = world
        .get(&format!("{at}/events?limit=500"))
        .await
        .ok()
        .json();
    let events = events["events"].as_array().unwrap();
    for kind in [
        "ActivationRequested",
        "GuardianDeviceUsed",
        "ActivationOtpVerified",
        "PasscodeSet",
        "AccountActivated",
    ] {
        let event = events.iter().find(|event| event["kind"] == kind).unwrap();
        assert_eq!(event["actor"]["role"], "guardian", "{event}");
        assert_eq!(event["actor"]["principal"], account, "{event}");
    }
    assert!(events.iter().all(|event| event["kind"] != "DeviceBound"));
}

/// The embedded registry: relations by import, in both forms.
#[tokio::test]
async fn the_embedded_registry_knows_guardians() {
    let directory = tempfile::tempdir().unwrap();
    let keys = Keys::derive(&Secret32([1; 32]));
    let randomness = Arc::new(SeededRandomness::new(7));
    let registry = Population::open(directory.path(), &keys, randomness).unwrap();
    let csv = "personal_id,full_name,birth_date,area,guardians,ward\n\
        030217000001,An,2017-01-15,30288,parent:030184000001;guardian:030184000002,\n\
        030217000003,An,2017-01-15,30288,cousin:030184000001,\n\
        030217000004,An,2017-01-15,30288,parent:1,\n";
    let report = registry.import(Format::Csv, csv.as_bytes(), START).unwrap();
    assert_eq!((report.added, report.refused), (1, 2));
    let line = r#"{"personal_id":"030150000777","full_name":"An","birth_date":"1950","area":30288,
        "guardians":[{"relation":"guardian","personal_id":"030184000001"}],"ward":true}"#;
    let line = line.replace('\n', " ");
    let report = registry
        .import(Format::JsonLines, line.as_bytes(), START)
        .unwrap();
    assert_eq!(report.added, 1);
    let confirmed = |relation, ward| RelationAnswer::Confirmed { relation, ward };
    for (dependant, guardian, answer) in [
        (
            "030217000001",
            "030184000001",
            confirmed(Relation::Parent, false),
        ),
        (
            "030217000001",
            "030184000002",
            confirmed(Relation::Guardian, false),
        ),
        (
            "030150000777",
            "030184000001",
            confirmed(Relation::Guardian, true),
        ),
        (
            "030150000777",
            "030184000002",
            RelationAnswer::NotRelated { ward: true },
        ),
        (
            "030299999999",
            "030184000001",
            RelationAnswer::NotRelated { ward: false },
        ),
    ] {
        let answered = registry.relation(dependant, guardian).await;
        assert_eq!((answered.answer, answered.signed), (answer, None));
    }
}
