//! Signed requests, and attacks on them, against the running service.

use super::procedures::{NUMBER, PHONE, activated, app_account};
use super::world::{World, key, person};
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request};
use domain::envelope::Evidence;
use domain::ids::Position;
use domain::record::RecordRef;
use ledger::evidence::verify_stored;
use serde_json::json;

fn intake() -> serde_json::Value {
    json!({
        "person": person(NUMBER, PHONE), "site": 1, "person_present": true,
        "with_card_issue": false,
    })
}

/// The same request a second time.
async fn twice(request: Request<Body>) -> (Request<Body>, Request<Body>) {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let again = Request::from_parts(parts.clone(), Body::from(bytes.clone()));
    (Request::from_parts(parts, Body::from(bytes)), again)
}

#[tokio::test]
async fn what_an_officer_signed_is_kept_and_checks_years_later_without_the_server() {
    let world = World::new().await;
    let answer = world
        .post_signed(&world.officer, "/v1/intakes", intake())
        .await
        .recorded();
    let first = answer.json()["events"][0]["position"].as_u64().unwrap();
    let records = world
        .ledger
        .store()
        .read_all(Position(first), 1)
        .await
        .unwrap();
    let parsed = RecordRef::parse(&records[0].bytes).unwrap();
    let envelope = parsed.open_envelope().unwrap();
    assert!(verify_stored(&envelope).unwrap());
    let Evidence::HttpRequest { base, .. } = &envelope.evidence else {
        panic!("signed over HTTP")
    };
    let base = String::from_utf8(base.clone()).unwrap();
    for personal in [NUMBER, PHONE, "Nguy"] {
        assert!(!base.contains(personal), "{base}");
    }
}

#[tokio::test]
async fn a_replayed_request_is_turned_away_also_by_a_server_that_was_started_anew() {
    let mut world = World::new().await;
    let request = world.signed(&world.officer, &Method::POST, "/v1/intakes", intake(), &[]);
    let (first, again) = twice(request).await;
    world.send(first).await.recorded();
    let length = world.length().await;
    let (again, once_more) = twice(again).await;
    world.send(again).await.problem("NONCE_REPLAYED");
    world.restart().await;
    world.send(once_more).await.problem("NONCE_REPLAYED");
    assert_eq!(world.length().await, length, "nothing is written");
}

#[tokio::test]
async fn an_altered_request_is_turned_away_and_does_not_use_up_the_nonce() {
    let world = World::new().await;
    let length = world.length().await;
    let request = world.signed(&world.officer, &Method::POST, "/v1/intakes", intake(), &[]);
    let (mut altered, good) = twice(request).await;
    let (good, other_body) = twice(good).await;
    let forged = HeaderValue::from_str(&format!("sig1=:{}:", "A".repeat(86) + "==")).unwrap();
    altered.headers_mut().insert("signature", forged);
    world.send(altered).await.problem("SIGNATURE_INVALID");
    let (parts, _) = other_body.into_parts();
    let mut body = intake();
    body["site"] = json!(2);
    let other_body = Request::from_parts(parts, Body::from(body.to_string()));
    world.send(other_body).await.problem("DIGEST_MISMATCH");
    assert_eq!(world.length().await, length, "nothing is written");
    world.send(good).await.recorded();
}

#[tokio::test]
async fn an_old_signature_and_two_proofs_at_once_are_turned_away() {
    let world = World::new().await;
    let request = world.signed(&world.officer, &Method::POST, "/v1/intakes", intake(), &[]);
    let (first, mut again) = twice(request).await;
    again
        .headers_mut()
        .insert("authorization", HeaderValue::from_static("Bearer x"));
    world.send(again).await.problem("HEADER_INVALID");
    world.pass(301);
    world.send(first).await.problem("SIGNATURE_SKEWED");
}

#[tokio::test]
async fn a_signed_body_without_salt_is_turned_away() {
    let world = World::new().await;
    let length = world.length().await;
    let body = intake().to_string();
    let unsigned = api::signature::Unsigned {
        method: &Method::POST,
        path_and_query: "/v1/intakes",
        headers: &axum::http::HeaderMap::new(),
        body: body.as_bytes(),
    };
    let nonce = world.fresh_nonce();
    let added =
        api::signature::sign_request(&unsigned, &world.officer, world.now_s(), nonce).unwrap();
    let mut request = Request::post("/v1/intakes").body(Body::from(body)).unwrap();
    request.headers_mut().extend(added);
    world.send(request).await.problem("SALT_MISSING");
    assert_eq!(world.length().await, length, "nothing is written");
}

#[tokio::test]
async fn a_device_signs_for_its_own_account_only() {
    let world = World::new().await;
    activated(&world, NUMBER, PHONE, 40).await;
    let (other, _) = app_account(&world, "030184000002", "0987654322").await;
    let length = world.length().await;
    let path = format!("/v1/accounts/{other}/locks");
    let ground = json!({ "ground": "own_request" });
    world
        .post_signed(&key(40), &path, ground)
        .await
        .problem("KEY_UNKNOWN");
    world
        .get_signed(&key(40), &format!("/v1/accounts/{other}"))
        .await
        .problem("KEY_UNKNOWN");
    assert_eq!(world.length().await, length, "nothing is written");
}

#[tokio::test]
async fn a_revoked_officer_signs_in_vain() {
    let world = World::new().await;
    let officer = super::world::public(&world.officer).id();
    let principal = world.ledger.principals().by_key(officer).unwrap().id;
    world
        .ledger
        .revoke(principal, domain::vocabulary::KeyEnd::Superseded)
        .await
        .unwrap();
    world
        .post_signed(&world.officer, "/v1/intakes", intake())
        .await
        .problem("KEY_UNKNOWN");
}
