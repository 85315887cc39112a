//! What waits for registries that do not answer, and the asker that asks them again.

use super::holders::{self, enterprise, foreigner, level_2};
use super::people::guardian;
use super::world::{REPRESENTATIVES, World, capture, key, person};
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

#[tokio::test]
async fn foreigners_wait_for_the_immigration_database_and_go_on() {
    let world = World::new().await;
    let registrations = "/v1/foreigners/registrations";
    world.silence(true);
    // Before there is an account there is nothing that could wait.
    world
        .post(
            registrations,
            foreigner(holders::FOREIGNER, holders::PASSPORT),
        )
        .await
        .problem("REGISTRY_UNAVAILABLE");
    world.silence(false);
    let (account, session) = holders::app_account(&world).await;
    let at = format!("/v1/accounts/{account}");
    world.silence(true);
    let apply = json!({ "portrait": capture() });
    let applied = world
        .post_as(&session, &format!("{at}/level-1-applications"), apply)
        .await
        .recorded();
    // Somebody new at the desk: where they stay is not known yet.
    let mut intake = foreigner("NN0000054321", "98XY76543");
    intake["person"]["phone"] = json!("0912345699");
    intake["person_present"] = json!(true);
    let opened = world
        .post_signed(&world.immigration, "/v1/foreigners/intakes", intake)
        .await
        .recorded();
    let decision = format!("{at}/cases/{}/decision", applied.text("case"));
    let approve = json!({ "approve": true });
    world
        .post_signed(&world.authority, &decision, approve.clone())
        .await
        .problem("CHECKS_INCOMPLETE");
    world.settle().await;
    assert_eq!(
        asker(&world).round().await.unwrap(),
        round(0, 1),
        "one stands for both"
    );
    world.silence(false);
    // Another asker, as after a restart.
    assert_eq!(asker(&world).round().await.unwrap(), round(2, 0));
    let desk = opened.text("account");
    for account in [&account, &desk] {
        assert_eq!(state(&world, account).await["waiting"], json!([]));
    }
    let known = state(&world, &desk).await;
    assert_eq!(known["foreigner"]["biometrics_held"], true);
    assert_eq!(known["identification"]["area"], 30_288);
    world
        .post_signed(&world.authority, &decision, approve)
        .await
        .recorded();
}

#[tokio::test]
async fn an_organisation_waits_for_its_databases_and_whoever_they_name_must_agree() {
    let world = World::new().await;
    let [one, two] = REPRESENTATIVES;
    let first = level_2(&world, one, "0912345678", 40).await;
    let second = level_2(&world, two, "0912345679", 42).await;
    world.silence(true);
    let applied = world
        .post_signed(&key(40), "/v1/organisations", enterprise(&first))
        .await
        .recorded();
    let (account, case) = (applied.text("account"), applied.text("case"));
    let decision = format!("/v1/accounts/{account}/cases/{case}/decision");
    let approve = json!({ "approve": true });
    world
        .post_signed(&world.authority, &decision, approve.clone())
        .await
        .problem("CHECKS_INCOMPLETE");
    world.settle().await;
    assert_eq!(asker(&world).round().await.unwrap(), round(0, 1));
    world.silence(false);
    assert_eq!(asker(&world).round().await.unwrap(), round(1, 0));
    world.settle().await;
    world
        .post_signed(&world.authority, &decision, approve.clone())
        .await
        .problem("AGREEMENT_MISSING");
    let answers = format!("/v1/organisations/{account}/cases/{case}/answers");
    let agree = json!({ "representative": second, "agree": true });
    world
        .post_signed(&key(42), &answers, agree)
        .await
        .recorded();
    world
        .post_signed(&world.authority, &decision, approve)
        .await
        .recorded();
    world.settle().await;
    let month = world
        .get("/v1/reports/monthly?month=2024-03&area=0")
        .await
        .ok()
        .json();
    let of = &month["areas"][0];
    assert_eq!(of["accounts"]["organisations"], 1);
    assert_eq!(of["procedures"]["applied_organisation"], 1);
    assert_eq!(of["procedures"]["issued_organisation"], 1);
    assert_eq!(
        of["deadlines"]["decision_organisation"],
        json!({ "met": 1, "missed": 0 })
    );
}
