//! Sharing (P10) and the locks that others ask for (B.4), over HTTP.

use super::procedures::{NUMBER, PHONE, activated};
use super::world::{World, key};
use axum::http::{Method, StatusCode};
use serde_json::json;

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
    let told = world.mailbox.newest(50);
    let changed = domain::vocabulary::Message::LockChanged;
    assert!(told.iter().any(|message| message.message == changed));
    world.settle().await;
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
