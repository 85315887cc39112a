//! The law over HTTP: made by two, in force from its day on, and asked about as of another time.

use super::procedures::{NUMBER, PHONE, activated};
use super::world::{World, capture, key, person, public};
use axum::http::StatusCode;
use domain::ids::{Micros, Position};
use domain::law::{FILES, LATER, shipped};
use domain::record::RecordRef;
use domain::vocabulary::Role;
use ed25519_dalek::SigningKey;
use ledger::evidence::verify_stored;
use serde_json::{Value, json};

const DAY_S: i64 = 86_400;

/// A shipped file with other terms and whatever else is replaced.
pub fn file(name: &str, from: &str, changes: &[(&str, &str)]) -> String {
    let (_, text) = FILES
        .iter()
        .chain(LATER)
        .find(|(known, _)| *known == name)
        .unwrap();
    let start = text.find("effective_from = ").unwrap();
    let end = start + text[start..].find('\n').unwrap();
    let mut text = text.to_string();
    text.replace_range(start..end, &format!("effective_from = \"{from}\""));
    for (old, new) in changes {
        assert!(text.contains(old), "{old}");
        text = text.replacen(old, new, 1);
    }
    text
}

/// A second person of the authority.
pub async fn second(world: &World) -> SigningKey {
    let other = key(15);
    let enrolled = world
        .ledger
        .enrol(Role::EidAuthority, Some(public(&other)), None, vec![], None);
    enrolled.await.unwrap();
    other
}

/// Proposed by the authority, approved by the other; the version.
pub async fn publish(world: &World, other: &SigningKey, law: &str, file: &str) -> u64 {
    let path = format!("/v1/law/{law}/proposals");
    let body = json!({ "file": file });
    let proposed = world.post_signed(&world.authority, &path, body).await;
    let version = proposed.recorded().json()["version"].as_u64().unwrap();
    let read = world
        .get(&format!("/v1/law/{law}/versions/{version}"))
        .await;
    let digest = read.ok().text("digest");
    let path = format!("/v1/law/{law}/proposals/{version}/approval");
    let approved = world
        .post_signed(other, &path, json!({ "digest": digest }))
        .await;
    assert_eq!(approved.recorded().json()["version"], version);
    version
}

/// A level-2 dossier of which only the portrait matches; account and dossier.
async fn half_matched(world: &World, number: &str, phone: &str) -> (String, String) {
    let body = json!({
        "person": person(number, phone), "site": 1, "person_present": true, "with_card_issue": false,
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
    for (modality, result) in [("portrait", "match"), ("fingerprints", "no_match")] {
        let body = json!({ "modality": modality, "database": "citizen_card", "result": result });
        let path = format!("{at}/registry-results");
        world
            .post_signed(&world.adapter, &path, body)
            .await
            .recorded();
    }
    (account, case)
}

fn rule<'a>(body: &'a Value, law: &str) -> &'a Value {
    let rules = body["law"].as_array().unwrap();
    rules.iter().find(|rule| rule["law"] == law).unwrap()
}

#[tokio::test]
async fn a_case_decided_under_the_old_policy_shows_the_old_answer_as_of_then_and_the_new_one_today()
{
    let world = World::new().await;
    let other = second(&world).await;
    // Policy 1 asks for both biometrics (C-07, S000): one does not match.
    let (account, case) = half_matched(&world, NUMBER, PHONE).await;
    let decision = |case: &str| format!("/v1/accounts/{account}/cases/{case}/decision");
    world
        .post_signed(
            &world.authority,
            &decision(&case),
            json!({ "approve": true }),
        )
        .await
        .problem("CHECKS_INCOMPLETE");
    let refuse = json!({ "approve": false, "reason": "biometric_mismatch" });
    world
        .post_signed(&world.authority, &decision(&case), refuse)
        .await
        .recorded();
    world.settle().await;
    let then = "2024-03-05T12:00:00Z";
    // Policy 2 takes either (S002), from 7 March on; made on the 6th.
    world.pass(DAY_S);
    let text = file(
        "policy-2022-02.toml",
        "2024-03-07",
        &[
            ("= \"portrait_and_fingerprints\"", "= \"any\""),
            ("\"2022-02\"", "\"2024-03\""),
        ],
    );
    let version = publish(&world, &other, "policy", &text).await;
    assert_eq!(version, 2);
    world.pass(3 * DAY_S);
    let (again, second_case) = half_matched(&world, NUMBER, PHONE).await;
    assert_eq!(again, account);
    world
        .post_signed(
            &world.authority,
            &decision(&second_case),
            json!({ "approve": true }),
        )
        .await
        .recorded();
    world.settle().await;
    let path = format!("/v1/accounts/{account}");
    let old = world.get(&format!("{path}?as_of={then}")).await.ok().json();
    let new = world.get(&path).await.ok().json();
    // The old answer, and which rule and which event gave it.
    assert_eq!(old["level"], Value::Null);
    assert_eq!(old["state"]["cases"][0]["ruled"]["policy"], 1);
    assert_eq!(rule(&old, "policy")["version"], 1);
    let published = rule(&old, "policy")["position"].as_u64().unwrap();
    let event = world
        .get(&format!("/v1/events/{published}"))
        .await
        .ok()
        .json();
    assert_eq!(event["kind"], "PolicyPublished");
    // The new one; what was decided before keeps the policy it was decided under.
    assert_eq!(new["level"], 2);
    assert_eq!(rule(&new, "policy")["version"], 2);
    let ruled: Vec<&Value> = new["state"]["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["ruled"]["policy"])
        .collect();
    assert_eq!(ruled, [1, 2]);
    // The policy itself, on both times.
    let biometric = async |query: &str| {
        let body = world
            .get(&format!("/v1/law/policy{query}"))
            .await
            .ok()
            .json();
        body["content"]["policy"]["biometric_rule"].clone()
    };
    assert_eq!(biometric("").await, "any");
    assert_eq!(
        biometric(&format!("?as_of={then}")).await,
        "portrait_and_fingerprints"
    );
    assert_eq!(
        biometric(&format!("?valid_at={then}")).await,
        "portrait_and_fingerprints"
    );
    assert_eq!(
        biometric(&format!("?valid_at=2024-03-08T00:00:00Z&as_of={then}")).await,
        "portrait_and_fingerprints",
        "before anybody proposed it, nothing was known of it"
    );
}

#[tokio::test]
async fn entitlements_are_those_of_the_catalogue_in_force_then_and_name_it() {
    let world = World::new().await;
    let other = second(&world).await;
    let account = activated(&world, NUMBER, PHONE, 40).await;
    let level_2 = (
        "id = \"stay_notification\"\nlevel = 1",
        "id = \"stay_notification\"\nlevel = 2",
    );
    let text = file(
        "catalogue-2024-03.toml",
        "2024-03-07",
        &[level_2, ("\"2024-03\"", "\"2024-04\"")],
    );
    let version = publish(&world, &other, "catalogue", &text).await;
    world.pass(3 * DAY_S);
    let path = format!("/v1/accounts/{account}/entitlements");
    let stay = |body: &Value| {
        let services = body["services"].as_array().unwrap();
        services
            .iter()
            .find(|s| s["service"] == "stay_notification")
            .unwrap()["reason"]
            .clone()
    };
    let today = world.get(&path).await.ok().json();
    assert_eq!(
        (stay(&today), &today["granted"]),
        (json!("level_too_low"), &json!(8))
    );
    assert_eq!(rule(&today, "catalogue")["version"], version);
    assert_eq!(today["catalogue"], "2024-04");
    for time in ["as_of", "valid_at"] {
        let query = format!("{path}?{time}=2024-03-06T00:00:00Z");
        let then = world.get(&query).await.ok().json();
        assert_eq!(
            (stay(&then), &then["granted"]),
            (json!("granted"), &json!(9)),
            "{time}"
        );
        assert_eq!(rule(&then, "catalogue")["version"], version - 1, "{time}");
        assert_eq!(rule(&then, "catalogue")["basis"], "520-cv-cqtt-2024");
    }
    // The short answer of the account follows, though no event of the account came in between.
    let short = world
        .get(&format!("/v1/accounts/{account}"))
        .await
        .ok()
        .json();
    assert_eq!(short["entitlements"]["granted"], 8);
    let parts = today["services"][4]["features"].as_array().unwrap();
    assert_eq!(parts.len(), 4, "parts have ids and do not count");
}

#[tokio::test]
async fn a_version_takes_two_and_each_refusal_is_recorded() {
    let world = World::new().await;
    let other = second(&world).await;
    let proposals = "/v1/law/policy/proposals";
    let body = |from: &str| json!({ "file": file("policy-2022-02.toml", from, &[]) });
    let mut unsigned = body("2024-04-01");
    unsigned["salt"] = json!("AAAAAAAAAAAAAAAAAAAAAA");
    world
        .post(proposals, unsigned)
        .await
        .problem("SIGNATURE_REQUIRED");
    world
        .post_signed(&world.officer, proposals, body("2024-04-01"))
        .await
        .problem("ACCESS_DENIED");
    let proposed = world
        .post_signed(&world.authority, proposals, body("2024-04-01"))
        .await;
    let proposed = proposed.recorded().json();
    let path = format!("{proposals}/2/approval");
    let digest = world
        .get("/v1/law/policy/versions/2")
        .await
        .ok()
        .text("digest");
    let length = world.length().await;
    let own = world
        .post_signed(&world.authority, &path, json!({ "digest": digest }))
        .await
        .problem("SAME_PERSON_APPROVES");
    assert_eq!(
        (own.status, own.json()["position"].as_u64()),
        (StatusCode::FORBIDDEN, Some(length))
    );
    let another = json!({ "digest": "ab".repeat(32) });
    world
        .post_signed(&other, &path, another)
        .await
        .problem("LAW_DIFFERS");
    let unknown = format!("{proposals}/9/approval");
    world
        .post_signed(&other, &unknown, json!({ "digest": digest }))
        .await
        .problem("LAW_NOT_PROPOSED");
    let no_basis = [("id = \"nd-59-2022-nd-cp\"", "id = \"\"")];
    let backdated = json!({ "file": file("policy-2022-02.toml", "2024-03-01", &no_basis) });
    world
        .post_signed(&other, proposals, backdated)
        .await
        .problem("BACKDATED_WITHOUT_BASIS");
    world
        .post_signed(&other, proposals, body("2022-02-25"))
        .await
        .problem("LAW_OVERLAPS");
    world
        .post_signed(&other, proposals, json!({ "file": "law = 1" }))
        .await
        .problem("INVALID_VALUE");
    let wrong_path = "/v1/law/sites/proposals";
    world
        .post_signed(&other, wrong_path, body("2024-04-01"))
        .await
        .problem("INVALID_VALUE");
    // Still the old one; then the second signature makes it law, once.
    assert_eq!(world.get("/v1/law/policy").await.ok().json()["version"], 1);
    let approved = world
        .post_signed(&other, &path, json!({ "digest": digest }))
        .await;
    let approved = approved.recorded().json();
    world
        .post_signed(&other, &path, json!({ "digest": digest }))
        .await
        .problem("LAW_NOT_PROPOSED");
    // Both signatures stand in signed events.
    for (receipt, signer) in [(&proposed, &world.authority), (&approved, &other)] {
        let position = Position(receipt["position"].as_u64().unwrap());
        let page = world.ledger.store().read_all(position, 1).await.unwrap();
        let record = RecordRef::parse(&page[0].bytes).unwrap();
        let envelope = record.open_envelope().unwrap();
        assert_eq!(envelope.actor.key, Some(public(signer).id()));
        assert_eq!(verify_stored(&envelope), Ok(true));
    }
    let taken_back = world
        .post_signed(&world.authority, proposals, body("2024-05-01"))
        .await;
    taken_back.recorded();
    let path = format!("{proposals}/3/rejection");
    world
        .post_signed(&world.authority, &path, json!({}))
        .await
        .recorded();
    let all = world.get("/v1/law").await.ok().json();
    let states: Vec<&str> = all["versions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|version| version["law"] == "policy")
        .map(|version| version["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["published", "published", "rejected"]);
    world.get("/v1/law/customs").await.problem("NOT_FOUND");
    assert_eq!(
        all["versions"].as_array().unwrap().len(),
        shipped().unwrap().len() + 2
    );
}

#[tokio::test]
async fn a_site_takes_dossiers_from_its_first_day_on() {
    let world = World::new().await;
    let other = second(&world).await;
    let text = "law = \"sites\"\nname = \"2024\"\neffective_from = \"2024-03-06\"\n\
        jurisdiction = \"VN-30\"\nconfidence = \"circular_letter\"\n\
        [basis]\nid = \"test\"\ntext = \"test\"\n\
        [sites]\nunlisted_from = \"2022-02-25\"\n\
        [[sites.sites]]\nid = 1\nname = \"Một cửa\"\narea = 30298\nopens = \"2024-03-08\"\n\
        days = \"working_days\"\n";
    let version = publish(&world, &other, "sites", text).await;
    let open = async |phone: &str, number: &str| {
        let body = json!({
            "person": person(number, phone), "site": 1, "person_present": true,
            "with_card_issue": true,
        });
        world.post_signed(&world.officer, "/v1/intakes", body).await
    };
    // 5 March: the sites published before hold still.
    open("0912345670", "030184000010").await.recorded();
    world.pass(2 * DAY_S);
    open("0912345671", "030184000011")
        .await
        .problem("SITE_NOT_OPEN");
    world.pass(DAY_S);
    let opened = open("0912345672", "030184000012").await.recorded();
    let first = opened.json()["events"][0]["position"].as_u64().unwrap();
    let event = world.get(&format!("/v1/events/{first}")).await.ok().json();
    let pins = event["receipt"]["law"].as_array().unwrap();
    let pinned = |law: &str| {
        pins.iter()
            .find(|pin| pin["law"] == law)
            .map(|pin| &pin["version"])
    };
    assert_eq!(pinned("sites"), Some(&json!(version)));
    assert_eq!(pinned("calendar"), Some(&json!(1)));
    // 9 March 2024 is a Saturday.
    world.pass(DAY_S);
    open("0912345673", "030184000013")
        .await
        .problem("SITE_NOT_OPEN");
}

#[tokio::test]
async fn texts_are_those_of_the_catalogue_in_force() {
    let world = World::new().await;
    let other = second(&world).await;
    let text = "law = \"messages\"\nname = \"2\"\neffective_from = \"2024-03-06\"\n\
        jurisdiction = \"VN\"\nconfidence = \"law\"\n[basis]\nid = \"test\"\ntext = \"test\"\n\
        [messages]\n\
        messages = [{ id = \"MSG_OTP_SENT\", vi = \"Mã: {code}\", en = \"Code: {code}\" }]\n\
        refusals = [{ id = \"ACCOUNT_NOT_FOUND\", vi = \"Không thấy\", en = \"Not there\" }]\n";
    publish(&world, &other, "messages", text).await;
    let nobody = format!("/v1/accounts/{}", "7".repeat(32));
    let title = async || {
        world
            .get(&nobody)
            .await
            .problem("ACCOUNT_NOT_FOUND")
            .text("title")
    };
    let before = title().await;
    world.pass(2 * DAY_S);
    assert_ne!(title().await, before);
    assert!(["Không thấy", "Not there"].contains(&title().await.as_str()));
    // A message that the new catalogue leaves out keeps the program's own text.
    let law = world.ledger.law_at(Micros(world.ledger.now().0));
    let message = domain::vocabulary::Message::AlreadyActivated;
    let text = law.message_text(message, domain::messages::Lang::Vi);
    assert_eq!(text, "Tài khoản của bạn đã thực hiện kích hoạt");
}
