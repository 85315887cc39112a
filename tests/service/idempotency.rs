//! Same key, same receipt; same key and something else, a problem. Also after a restart.

use super::procedures::{NUMBER, PHONE, activated, app_account};
use super::world::{Answer, World, key, person};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

const KEY: &str = "3f2b8c1e-0d4a-4b6f-9a57-2d1c5e7f9a10";

async fn register(world: &World, body: &Value, key: &str) -> Answer {
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key),
    ];
    world
        .post_raw("/v1/registrations", &headers, body.to_string().as_bytes())
        .await
}

#[tokio::test]
async fn the_same_request_again_gets_the_first_receipt() {
    let mut world = World::new().await;
    let body = person(NUMBER, PHONE);
    let first = register(&world, &body, KEY).await.recorded().json();
    let length = world.length().await;
    for restarted in [false, true] {
        if restarted {
            world.restart().await;
        }
        let again = register(&world, &body, KEY).await;
        assert_eq!(again.status, StatusCode::OK);
        let again = again.json();
        assert_eq!(again["repeated"], true);
        for field in [
            "account",
            "position",
            "revision",
            "events",
            "link",
            "signature",
        ] {
            assert_eq!(again[field], first[field], "{field}");
        }
        assert_eq!(world.length().await, length, "nothing more is written");
    }
}

#[tokio::test]
async fn the_same_key_for_something_else_is_a_problem_also_after_a_restart() {
    let mut world = World::new().await;
    register(&world, &person(NUMBER, PHONE), KEY)
        .await
        .recorded();
    let length = world.length().await;
    for restarted in [false, true] {
        if restarted {
            world.restart().await;
        }
        let same_person = person(NUMBER, "0987654321");
        register(&world, &same_person, KEY)
            .await
            .problem("IDEMPOTENCY_KEY_REUSED");
        let another = person("030184000002", "0987654322");
        register(&world, &another, KEY)
            .await
            .problem("IDEMPOTENCY_KEY_REUSED");
        assert_eq!(world.length().await, length, "nothing is written");
    }
}

#[tokio::test]
async fn a_key_whose_request_was_malformed_is_free() {
    let world = World::new().await;
    let mut body = person(NUMBER, PHONE);
    body["birth_date"] = json!("1985-02-29");
    register(&world, &body, KEY).await.problem("INVALID_VALUE");
    register(&world, &person(NUMBER, PHONE), KEY)
        .await
        .recorded();
}

#[tokio::test]
async fn keys_of_different_callers_never_meet() {
    let world = World::new().await;
    let one = activated(&world, NUMBER, PHONE, 40).await;
    let two = activated(&world, "030184000002", "0987654322", 41).await;
    let ground = json!({ "ground": "own_request" });
    for (account, device) in [(one, 40), (two, 41)] {
        let path = format!("/v1/accounts/{account}/locks");
        let headers = [("idempotency-key", KEY)];
        let request = world.signed(&key(device), &Method::POST, &path, ground.clone(), &headers);
        world.send(request).await.recorded();
    }
}

#[tokio::test]
async fn a_repeated_receipt_opens_no_session() {
    let world = World::new().await;
    let asked = world
        .post("/v1/registrations", person(NUMBER, PHONE))
        .await
        .recorded();
    let account = asked.text("account");
    let body = json!({ "challenge": asked.text("challenge"), "otp": world.code_of(&account) });
    let path = format!("/v1/registrations/{account}/otp");
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", KEY),
    ];
    let body = body.to_string();
    let first = world
        .post_raw(&path, &headers, body.as_bytes())
        .await
        .recorded();
    assert!(first.json()["session"]["token"].is_string());
    let again = world.post_raw(&path, &headers, body.as_bytes()).await.ok();
    assert!(again.json()["session"].is_null());
}

#[tokio::test]
async fn an_expected_revision_is_kept_to() {
    let world = World::new().await;
    let (account, session) = app_account(&world, NUMBER, PHONE).await;
    world.settle().await;
    let tag = world
        .get(&format!("/v1/accounts/{account}"))
        .await
        .ok()
        .headers["etag"]
        .clone();
    let tag = tag.to_str().unwrap();
    let authorization = format!("Bearer {session}");
    let path = format!("/v1/accounts/{account}/locks");
    let lock = async |tag: &str| {
        let headers = [
            ("content-type", "application/json"),
            ("authorization", &*authorization),
            ("if-match", tag),
        ];
        world
            .post_raw(&path, &headers, br#"{"ground":"own_request"}"#)
            .await
    };
    let length = world.length().await;
    let stale = lock("\"0\"").await.problem("EXPECTED_REVISION");
    assert_eq!(format!("\"{}\"", stale.json()["current_revision"]), tag);
    assert_eq!(world.length().await, length, "nothing is written");
    lock(tag).await.recorded();
}
