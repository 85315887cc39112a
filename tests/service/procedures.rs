//! The procedures of the letters, over HTTP from one end to the other.

use super::world::{World, capture, device, key, person, public};
use serde_json::{Value, json};

pub const NUMBER: &str = "030184000001";
pub const PHONE: &str = "0912345678";

/// P1: an app account; its id and the session that the code opened.
pub async fn app_account(world: &World, number: &str, phone: &str) -> (String, String) {
    let asked = world
        .post("/v1/registrations", person(number, phone))
        .await
        .recorded();
    let account = asked.text("account");
    let body = json!({ "challenge": asked.text("challenge"), "otp": world.code_of(&account) });
    let confirmed = world
        .post(&format!("/v1/registrations/{account}/otp"), body)
        .await
        .recorded();
    let session = confirmed.json()["session"]["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let password = json!({ "password": "con mèo nằm trên mái" });
    let path = format!("/v1/accounts/{account}/password");
    world.post_as(&session, &path, password).await.recorded();
    (account, session)
}

/// P3 and P6: level 1, issued and notified.
pub async fn level_1(world: &World, account: &str, session: &str) {
    let body = json!({
        "chip": {
            "sod": "01".repeat(32), "data_groups": "02".repeat(32), "certificate": "03".repeat(32),
            "strength": "chip_active_auth", "verifier": 1,
        },
        "portrait": capture(),
    });
    let path = format!("/v1/accounts/{account}/level-1-applications");
    let applied = world.post_as(session, &path, body).await.recorded();
    decide(world, account, &applied.text("case"), &["portrait"]).await;
}

/// Registry answers, decision, notice.
pub async fn decide(world: &World, account: &str, case: &str, modalities: &[&str]) {
    let at = format!("/v1/accounts/{account}/cases/{case}");
    for modality in modalities {
        let body = json!({ "modality": modality, "database": "citizen_card", "result": "match" });
        let path = format!("{at}/registry-results");
        world
            .post_signed(&world.adapter, &path, body)
            .await
            .recorded();
    }
    let approve = json!({ "approve": true });
    world
        .post_signed(&world.authority, &format!("{at}/decision"), approve)
        .await
        .recorded();
    let notice = json!({ "channel": "sms", "received_at": "2024-03-05T00:53:20Z" });
    world
        .post_signed(&world.authority, &format!("{at}/notice"), notice)
        .await
        .recorded();
}

/// P7: activation on the device with this key.
pub async fn activate(world: &World, number: &str, phone: &str, device_key: u8) {
    let key = key(device_key);
    let body = json!({
        "personal_id": number, "phone": phone,
        "device": device(&key, &format!("device {device_key}")),
    });
    let asked = world
        .post_signed(&key, "/v1/activations", body)
        .await
        .recorded();
    let account = asked.text("account");
    let at = format!("/v1/activations/{account}");
    let body = json!({ "challenge": asked.text("challenge") });
    let otp = json!({ "otp": world.code_of(&account) });
    world
        .post_secret(&key, &format!("{at}/otp"), body, otp)
        .await
        .recorded();
    let passcode = json!({ "passcode": "482915" });
    world
        .post_secret(&key, &format!("{at}/passcode"), json!({}), passcode)
        .await
        .recorded();
    let questions = json!({ "questions": ["first_school", "favourite_dish"] });
    let answers = json!({ "answers": ["Trường A", "phở"] });
    let path = format!("{at}/security-questions");
    world
        .post_secret(&key, &path, questions, answers)
        .await
        .recorded();
}

/// An activated level-1 account on device `device_key`.
pub async fn activated(world: &World, number: &str, phone: &str, device_key: u8) -> String {
    let (account, session) = app_account(world, number, phone).await;
    level_1(world, &account, &session).await;
    activate(world, number, phone, device_key).await;
    world.settle().await;
    account
}

#[tokio::test]
async fn from_a_number_to_an_activated_account() {
    let world = World::new().await;
    let account = activated(&world, NUMBER, PHONE, 40).await;
    let body = world
        .get(&format!("/v1/accounts/{account}"))
        .await
        .ok()
        .json();
    assert_eq!(body["id"], account);
    assert_eq!(body["level"], 1);
    assert_eq!(body["activated"], true);
    assert_eq!(body["entitlements"]["granted"], 9);
    let trail = world
        .get(&format!(
            "/v1/accounts/{account}/events?order=asc&limit=500"
        ))
        .await;
    let trail = trail.ok().json();
    let kinds: Vec<&str> = trail["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["kind"].as_str().unwrap())
        .collect();
    for kind in [
        "AppAccountCreated",
        "Level1Applied",
        "AccountIssued",
        "AccountActivated",
    ] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
}

#[tokio::test]
async fn level_2_at_an_officers_desk() {
    let world = World::new().await;
    let body = json!({
        "person": person(NUMBER, PHONE), "site": 1, "person_present": true,
        "with_card_issue": false,
    });
    let opened = world
        .post_signed(&world.officer, "/v1/intakes", body)
        .await
        .recorded();
    let (account, case) = (opened.text("account"), opened.text("case"));
    let at = format!("/v1/accounts/{account}/cases/{case}");
    let steps = [
        (
            "biometrics",
            json!({ "portrait": capture(), "fingerprints": capture() }),
        ),
        ("consent", json!({ "given": true, "text_version": 1 })),
        ("submission", json!({})),
    ];
    for (step, body) in steps {
        world
            .post_signed(&world.officer, &format!("{at}/{step}"), body)
            .await
            .recorded();
    }
    decide(&world, &account, &case, &["portrait", "fingerprints"]).await;
    // No account before: the password is set on the way.
    let device_key = key(41);
    let body = json!({
        "personal_id": NUMBER, "phone": PHONE, "device": device(&device_key, "device 41"),
    });
    let asked = world
        .post_signed(&device_key, "/v1/activations", body)
        .await
        .recorded();
    let activation = format!("/v1/activations/{account}");
    let body = json!({ "challenge": asked.text("challenge") });
    let otp = json!({ "otp": world.code_of(&account) });
    let path = format!("{activation}/otp");
    world
        .post_secret(&device_key, &path, body, otp)
        .await
        .recorded();
    let password = json!({ "password": "con mèo nằm trên mái" });
    let path = format!("/v1/accounts/{account}/password");
    world
        .post_secret(&device_key, &path, json!({}), password)
        .await
        .recorded();
    let passcode = json!({ "passcode": "482915" });
    let path = format!("{activation}/passcode");
    world
        .post_secret(&device_key, &path, json!({}), passcode)
        .await
        .recorded();
    let path = format!("{activation}/security-questions");
    let questions = json!({ "questions": ["first_school", "first_job"] });
    let answers = json!({ "answers": ["A", "B"] });
    world
        .post_secret(&device_key, &path, questions, answers)
        .await
        .recorded();
    world.settle().await;
    let body = world
        .get(&format!("/v1/accounts/{account}"))
        .await
        .ok()
        .json();
    assert_eq!(
        (&body["level"], &body["activated"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(body["entitlements"]["granted"], 16);
}

#[tokio::test]
async fn the_letters_messages_are_told_word_for_word() {
    let world = World::new().await;
    app_account(&world, NUMBER, PHONE).await;
    let key = key(40);
    let body =
        json!({ "personal_id": NUMBER, "phone": PHONE, "device": device(&key, "device 40") });
    let refused = world
        .post_signed(&key, "/v1/activations", body.clone())
        .await;
    let refused = refused.problem("MSG_NOT_IDENTIFIED");
    assert_eq!(
        refused.text("detail"),
        "tài khoản của bạn chưa được định danh điện tử"
    );
    assert_eq!(refused.text("guard"), "level_check");
    assert!(
        refused.json()["position"].is_u64(),
        "a refusal is a recorded event"
    );
    let other = "030184000002";
    activated(&world, other, "0912345679", 42).await;
    let body = json!({
        "personal_id": other, "phone": "0912345679", "device": device(&key, "device 40"),
    });
    let refused = world.post_signed(&key, "/v1/activations", body).await;
    let refused = refused.problem("MSG_ALREADY_ACTIVATED");
    assert_eq!(
        refused.text("detail"),
        "Tài khoản của bạn đã thực hiện kích hoạt"
    );
}

#[tokio::test]
async fn a_login_tells_a_stranger_nothing_about_who_has_an_account() {
    let world = World::new().await;
    app_account(&world, NUMBER, PHONE).await;
    let log_in = async |number: &str, password: &str| {
        let body = json!({ "personal_id": number, "password": password });
        world.post("/v1/sessions", body).await
    };
    let known = log_in(NUMBER, "not the password")
        .await
        .problem("CREDENTIAL_WRONG");
    let unknown = log_in("030184999999", "not the password")
        .await
        .problem("CREDENTIAL_WRONG");
    let strip = |answer: &super::world::Answer| {
        let mut body = answer.json();
        body["request_id"] = Value::Null;
        (answer.status, body)
    };
    assert_eq!(strip(&known), strip(&unknown));
    let right = log_in(NUMBER, "con mèo nằm trên mái").await.recorded();
    assert!(right.json()["session"]["token"].is_string());
}

#[tokio::test]
async fn an_activated_account_logs_in_with_its_device_only() {
    let world = World::new().await;
    let account = activated(&world, NUMBER, PHONE, 40).await;
    let body = json!({ "personal_id": NUMBER, "password": "con mèo nằm trên mái" });
    world
        .post("/v1/sessions", body)
        .await
        .problem("DEVICE_NOT_BOUND");
    let body = json!({ "personal_id": NUMBER });
    let password = json!({ "password": "con mèo nằm trên mái" });
    let answer = world
        .post_secret(&key(40), "/v1/sessions", body.clone(), password.clone())
        .await;
    assert_eq!(answer.recorded().text("account"), account);
    world
        .post_secret(&key(49), "/v1/sessions", body, password)
        .await
        .problem("KEY_UNKNOWN");
}

#[tokio::test]
async fn documents_locks_phone_and_device() {
    let world = World::new().await;
    let account = activated(&world, NUMBER, PHONE, 40).await;
    let own = key(40);
    let at = format!("/v1/accounts/{account}");
    // Documents are for level 2 by policy: refused, and recorded as such.
    let body = json!({ "kind": "driving_licence", "number": "300123456789" });
    let refused = world
        .post_signed(&own, &format!("{at}/documents"), body)
        .await;
    refused.problem("LEVEL_TOO_LOW");
    let ground = json!({ "ground": "own_request" });
    world
        .post_signed(&own, &format!("{at}/locks"), ground.clone())
        .await
        .recorded();
    let body = json!({ "phone": "0987654321" });
    let path = format!("{at}/phone-changes");
    world
        .post_signed(&own, &path, body.clone())
        .await
        .problem("LOCKED");
    world
        .post_signed(&own, &format!("{at}/unlocks"), ground)
        .await
        .recorded();
    let asked = world.post_signed(&own, &path, body).await.recorded();
    let otp = json!({ "otp": world.code_of(&account) });
    let body = json!({ "challenge": asked.text("challenge") });
    world
        .post_secret(&own, &format!("{path}/confirmation"), body, otp)
        .await
        .recorded();
    // Another device, introduced by its own signature, confirmed with the code by the old one.
    let next = key(43);
    let path = format!("{at}/device-changes");
    let body = json!({ "device": device(&next, "device 43") });
    let asked = world.post_signed(&next, &path, body).await.recorded();
    let body = json!({ "method": "code_on_old_device", "challenge": asked.text("challenge") });
    let otp = json!({ "otp": world.code_of(&account) });
    let path = format!("{path}/confirmation");
    let by_new = world.post_secret(&next, &path, body.clone(), otp.clone());
    by_new.await.problem("STEP_UP_FAILED");
    let by_old = world.post_secret(&own, &path, body, otp);
    by_old.await.recorded();
    world.settle().await;
    let state = world.get(&at).await.ok().json();
    assert_eq!(state["state"]["device"]["key"], public(&next).to_string());
    // The old device is nobody's now.
    let ground = json!({ "ground": "own_request" });
    world
        .post_signed(&own, &format!("{at}/locks"), ground)
        .await
        .problem("KEY_UNKNOWN");
    world
        .post_signed(&next, &format!("{at}/device/unlink"), json!({}))
        .await
        .recorded();
}

#[tokio::test]
async fn a_window_that_ran_out_is_reopened_by_the_hotline() {
    let world = World::new().await;
    let (account, session) = app_account(&world, NUMBER, PHONE).await;
    level_1(&world, &account, &session).await;
    world.pass(9 * 86_400);
    let device_key = key(40);
    let body =
        json!({ "personal_id": NUMBER, "phone": PHONE, "device": device(&device_key, "d 40") });
    let answer = world
        .post_signed(&device_key, "/v1/activations", body)
        .await;
    answer.problem("MSG_ACTIVATION_WINDOW_ENDED");
    let path = format!("/v1/accounts/{account}/activation-assistance");
    let proof = json!({ "proof_given": true });
    world
        .post_signed(&world.hotline, &path, proof)
        .await
        .recorded();
    activate(&world, NUMBER, PHONE, 40).await;
}
