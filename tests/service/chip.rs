//! A chip read that comes along is verified by the server: recorded as hashes and a verdict, its contents
//! nowhere.

use super::law::{file, publish, second};
use super::procedures::{NUMBER, PHONE, app_account, level_1};
use super::world::{World, capture};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ledger::chip::testing::{Recipe, dg1};
use ledger::chip::{PassiveAuthentication, TrustList};
use ledger::store::PAGE_RECORDS_MAX;
use serde_json::{Value, json};
use std::sync::Arc;

/// A world that trusts the authority of a recipe.
async fn trusting(recipe: &Recipe) -> World {
    let world = World::new().await;
    let list = TrustList::read(recipe.trust_list().as_bytes()).unwrap();
    let verifier = PassiveAuthentication::new(list);
    world.ledger.verify_chips_with(Arc::new(verifier));
    world
}

fn body(recipe: &Recipe) -> Value {
    let groups = recipe.groups.iter();
    let groups = groups.map(
        |(number, bytes)| json!({ "number": number, "content": BASE64_STANDARD.encode(bytes) }),
    );
    json!({
        "chip": {
            "sod": BASE64_STANDARD.encode(recipe.sod()),
            "data_groups": groups.collect::<Vec<_>>(),
        },
        "portrait": capture(),
    })
}

/// The proof in the account's last event of the kind.
async fn proof(world: &World, account: &str) -> Value {
    world.settle().await;
    let path = format!("/v1/accounts/{account}/events?order=desc&limit=100");
    let trail = world.get(&path).await.ok().json();
    let mut events = trail["events"].as_array().unwrap().iter();
    let event = events.find(|event| event["kind"] == "ChipVerified");
    event.unwrap()["facts"].clone()
}

/// Everything that is stored, as it is stored.
async fn stored(world: &World) -> Vec<u8> {
    let store = world.ledger.store();
    let (mut bytes, mut from) = (Vec::new(), domain::ids::Position(0));
    loop {
        let page = store.read_all(from, PAGE_RECORDS_MAX).await.unwrap();
        let Some(last) = page.last() else {
            return bytes;
        };
        from.0 = last.position.0 + 1;
        for record in &page {
            bytes.extend_from_slice(&record.bytes);
        }
    }
}

#[tokio::test]
async fn a_genuine_chip_gives_level_1_and_leaves_hashes() {
    let recipe = Recipe::of(NUMBER);
    let world = trusting(&recipe).await;
    let (account, session) = app_account(&world, NUMBER, PHONE).await;
    let path = format!("/v1/accounts/{account}/level-1-applications");
    let applied = world.post_as(&session, &path, body(&recipe)).await;
    applied.recorded();
    let facts = proof(&world, &account).await;
    assert_eq!(facts["proof"]["faults"], json!([]));
    assert_eq!(facts["proof"]["issuer"], "CN=Test CSCA 1,C=VN");
    assert_eq!(facts["proof"]["serial"], "00c0ffee01");
    assert_eq!(facts["proof"]["groups"], json!([1, 2]));
    let stored = stored(&world).await;
    let held = |what: &[u8]| stored.windows(what.len()).any(|window| window == what);
    assert!(held(b"CN=Test CSCA 1,C=VN"), "the verdict is there");
    for secret in [&recipe.sod()[..64], &dg1(NUMBER)[..40], NUMBER.as_bytes()] {
        assert!(!held(secret), "contents of the chip are stored");
    }
    let sod = BASE64_STANDARD.encode(recipe.sod());
    assert!(!held(&sod.as_bytes()[..64]));
    let account_events = format!("/v1/accounts/{account}/events?order=asc&limit=100");
    let trail = world.get(&account_events).await.ok().json();
    let applied = trail["events"].as_array().unwrap().iter();
    let applied = applied
        .clone()
        .find(|event| event["kind"] == "Level1Applied");
    assert_eq!(applied.unwrap()["facts"]["strength"], "chip_passive_auth");
}

#[tokio::test]
async fn a_chip_that_is_not_genuine_is_refused_and_the_reason_recorded() {
    let good = Recipe::of(NUMBER);
    let world = trusting(&good).await;
    let (account, session) = app_account(&world, NUMBER, PHONE).await;
    let path = format!("/v1/accounts/{account}/level-1-applications");
    let mut altered = body(&good);
    altered["chip"]["data_groups"][1]["content"] = json!("AAAA");
    let mut tampered = good.sod();
    *tampered.last_mut().unwrap() ^= 1;
    let mut forged = body(&good);
    forged["chip"]["sod"] = json!(BASE64_STANDARD.encode(tampered));
    let other = Recipe {
        authority: 2,
        ..good.clone()
    };
    let expired = Recipe {
        // The world's day is in 2024.
        signer_valid: (1_577_836_800, 1_609_459_200),
        ..good.clone()
    };
    let somebody = Recipe::of("030184000002");
    let mut unread = body(&good);
    unread["chip"]["data_groups"] =
        json!([{ "number": 2, "content": body(&good)["chip"]["data_groups"][1]["content"] }]);
    let mut noise = body(&good);
    noise["chip"]["sod"] = json!("AAAA");
    for (body, faults) in [
        (altered, json!(["data_group_altered"])),
        (forged, json!(["signature"])),
        (body(&other), json!(["issuer_unknown"])),
        (body(&expired), json!(["certificate_expired"])),
        (body(&somebody), json!(["holder_mismatch"])),
        (unread, json!(["holder_unknown"])),
        (noise, json!(["sod_malformed", "holder_unknown"])),
    ] {
        let answer = world.post_as(&session, &path, body).await;
        answer.problem("EVIDENCE_INVALID");
        let facts = proof(&world, &account).await;
        assert_eq!(facts["proof"]["faults"], faults);
        assert_eq!(facts["case"], Value::Null);
    }
    // Without a trust list nobody vouches for anybody.
    let bare = PassiveAuthentication::default();
    world.ledger.verify_chips_with(Arc::new(bare));
    let answer = world.post_as(&session, &path, body(&good)).await;
    answer.problem("EVIDENCE_INVALID");
    let facts = proof(&world, &account).await;
    assert_eq!(facts["proof"]["faults"], json!(["trust_list_missing"]));
    // What a device says stays what it was: a claim, taken under this policy.
    level_1(&world, &account, &session).await;
}

#[tokio::test]
async fn policy_can_ask_for_a_chip() {
    let recipe = Recipe::of(NUMBER);
    let world = trusting(&recipe).await;
    let other = second(&world).await;
    let changes = [(
        "level_1_evidence_min = \"qr_unsigned\"",
        "level_1_evidence_min = \"chip_passive_auth\"",
    )];
    let strict = file("policy-2022-02.toml", "2024-03-06", &changes);
    publish(&world, &other, "policy", &strict).await;
    world.pass(86_400);
    let (account, session) = app_account(&world, NUMBER, PHONE).await;
    let path = format!("/v1/accounts/{account}/level-1-applications");
    let claim = json!({
        "chip": {
            "sod": "01".repeat(32), "data_groups": "02".repeat(32), "certificate": "03".repeat(32),
            "strength": "chip_active_auth", "verifier": 1,
        },
        "portrait": capture(),
    });
    let answer = world.post_as(&session, &path, claim).await;
    answer.problem("EVIDENCE_TOO_WEAK");
    let answer = world.post_as(&session, &path, body(&recipe)).await;
    answer.recorded();
}

#[tokio::test]
async fn a_read_that_is_not_written_as_one_is_told_where() {
    let recipe = Recipe::of(NUMBER);
    let world = trusting(&recipe).await;
    let (account, session) = app_account(&world, NUMBER, PHONE).await;
    let path = format!("/v1/accounts/{account}/level-1-applications");
    let before = world.length().await;
    let with = |pointer: &str, value: Value| {
        let mut body = body(&recipe);
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let mut said = body(&recipe);
    said["chip"]["strength"] = json!("chip_active_auth");
    let mut both = body(&recipe);
    both["chip"]["data_groups"][0]["hash"] = json!("00".repeat(32));
    let mut claim = json!({ "sod": "01".repeat(32), "data_groups": "02".repeat(32) });
    let missing = json!({ "chip": claim, "portrait": capture() });
    claim["sod"] = json!("not a digest");
    let wrong = json!({ "chip": claim, "portrait": capture() });
    let group = json!({ "number": 1, "content": "AAAA" });
    for (body, code, pointer) in [
        (with("/chip/sod", json!("%")), "INVALID_VALUE", "/chip/sod"),
        (
            with("/chip/data_groups", json!([])),
            "INVALID_VALUE",
            "/chip",
        ),
        (
            with("/chip/data_groups", json!(7)),
            "WRONG_TYPE",
            "/chip/data_groups",
        ),
        (
            with("/chip/data_groups", json!([group, group])),
            "INVALID_VALUE",
            "/chip/data_groups/1/number",
        ),
        (
            with("/chip/data_groups/0/number", json!(17)),
            "INVALID_VALUE",
            "/chip/data_groups/0/number",
        ),
        (
            with("/chip/data_groups/1", json!({ "number": 2, "hash": "00" })),
            "INVALID_VALUE",
            "/chip/data_groups/1/hash",
        ),
        (both, "INVALID_VALUE", "/chip/data_groups/0"),
        (said, "UNKNOWN_FIELD", "/chip"),
        (missing, "MISSING_FIELD", "/chip/certificate"),
        (wrong, "WRONG_TYPE", "/chip/sod"),
    ] {
        let answer = world.post_as(&session, &path, body).await.problem(code);
        let error = answer.json()["errors"][0].clone();
        assert_eq!(error["pointer"], pointer, "{error}");
    }
    assert_eq!(world.length().await, before, "nothing was written");
}
