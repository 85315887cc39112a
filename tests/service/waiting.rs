//! What waits for registries that do not answer, and the asker that asks them again.

use super::people::guardian;
use super::world::{World, key, person};
use core::time::Duration;
use outside::asking::{Asker, Round};
use outside::retry::Backoff;
use serde_json::{Value, json};

fn asker(world: &World) -> Asker {
    let backoff = Backoff {
        first: Duration::from_secs(10),
        most: Duration::from_mins(1),
    };
    Asker::new(world.ledger.clone(), world.views.clone(), backoff)
}

const fn round(answered: u64, silent: u64) -> Round {
    Round {
        answered,
        silent,
        refused: 0,
    }
}

/// A dossier of somebody new, opened at the desk.
async fn dossier(world: &World, number: &str, phone: &str) -> String {
    let body = json!({
        "person": person(number, phone), "site": 1, "person_present": true,
        "with_card_issue": false,
    });
    let opened = world.post_signed(&world.officer, "/v1/intakes", body).await;
    opened.recorded().text("account")
}

async fn state(world: &World, account: &str) -> Value {
    world.settle().await;
    let found = world.get(&format!("/v1/accounts/{account}")).await.ok();
    found.json()["state"].clone()
}

#[tokio::test]
async fn a_silent_registry_is_asked_about_one_thing_and_about_all_once_it_answers() {
    let world = World::new().await;
    let account = guardian(&world).await;
    world.silence(true);
    let first = dossier(&world, "030184000011", "0912345611").await;
    let second = dossier(&world, "030184000012", "0912345612").await;
    let path = format!("/v1/accounts/{account}/documents");
    let body = json!({ "kind": "driving_licence", "number": "300123456789" });
    let linked = world.post_signed(&key(40), &path, body.clone()).await;
    let document = linked.recorded().text("document");
    assert_eq!(
        state(&world, &account).await["waiting"][0]["database"],
        "driving_licence"
    );
    world
        .post_signed(&key(40), &path, body)
        .await
        .problem("DOCUMENT_ALREADY_LINKED");

    // One dossier stands for both, and neither leaves a trace.
    let length = world.length().await;
    let mut patient = asker(&world);
    assert_eq!(patient.round().await.unwrap(), round(0, 2));
    assert_eq!(
        patient.round().await.unwrap(),
        round(0, 1),
        "the other dossier"
    );
    assert_eq!(patient.round().await.unwrap(), round(0, 0), "they rest");
    world.pass(11);
    assert_eq!(patient.round().await.unwrap(), round(0, 2));
    assert_eq!(world.length().await, length);

    // Another server, started anew, finds the same to ask; and now they answer.
    world.silence(false);
    let mut anew = asker(&world);
    assert_eq!(anew.round().await.unwrap(), round(3, 0));
    world.pass(600);
    assert_eq!(
        patient.round().await.unwrap(),
        round(0, 0),
        "somebody was faster"
    );
    for account in [&first, &second, &account] {
        assert_eq!(state(&world, account).await["waiting"], json!([]));
    }
    let documents = state(&world, &account).await["documents"].clone();
    assert_eq!(documents[0]["id"], document.as_str());

    // The number of a document that waited is shown like any other's.
    let path = format!("/v1/accounts/{account}/shares");
    let body = json!({
        "mode": "in_app", "fields": ["driving_licence"],
        "relying_party": world.principal(&world.relying),
    });
    let passcode = json!({ "passcode": "482915" });
    let granted = world.post_secret(&key(40), &path, body, passcode).await;
    let look = format!("{path}/{}/consumption", granted.recorded().text("share"));
    let seen = world.post_signed(&world.relying, &look, json!({})).await;
    let shown = json!([{ "field": "driving_licence", "values": ["300123456789"] }]);
    assert_eq!(seen.recorded().json()["shared"], shown);
}

#[tokio::test]
async fn whoever_takes_a_waiting_document_back_is_asked_about_no_more() {
    let world = World::new().await;
    let account = guardian(&world).await;
    world.silence(true);
    let path = format!("/v1/accounts/{account}/documents");
    let body = json!({ "kind": "driving_licence", "number": "300123456789" });
    let linked = world.post_signed(&key(40), &path, body).await;
    let document = linked.recorded().text("document");
    let path = format!("{path}/{document}/unlink");
    world
        .post_signed(&key(40), &path, json!({}))
        .await
        .recorded();
    world.silence(false);
    assert_eq!(asker(&world).round().await.unwrap(), round(0, 0));
    let state = state(&world, &account).await;
    assert_eq!(
        (&state["waiting"], &state["documents"]),
        (&json!([]), &json!([]))
    );
}
