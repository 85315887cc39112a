//! Reads: state now and then, trails page by page, figures, personal data.

use super::procedures::{NUMBER, PHONE, activated, app_account};
use super::world::{World, key, open_config, person};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn an_account_as_it_was_at_a_position_and_at_an_instant() {
    let world = World::new().await;
    let account = activated(&world, NUMBER, PHONE, 40).await;
    let trail = world
        .get(&format!(
            "/v1/accounts/{account}/events?order=asc&limit=500"
        ))
        .await;
    let trail = trail.ok().json();
    let created = trail["events"].as_array().unwrap().iter();
    let created = created
        .clone()
        .find(|event| event["kind"] == "AppAccountCreated")
        .unwrap()
        .clone();
    let position = created["position"].as_u64().unwrap();
    let at = |query: String| format!("/v1/accounts/{account}?{query}");
    let then = world
        .get(&at(format!("as_of={position}")))
        .await
        .ok()
        .json();
    assert_eq!(
        (&then["level"], &then["activated"]),
        (&Value::Null, &json!(false))
    );
    assert_eq!(then["revision"], created["revision"]);
    let now = world
        .get(&at(format!("as_of={}", world.length().await)))
        .await
        .ok()
        .json();
    assert_eq!(now["activated"], true);
    world
        .get(&at("as_of=2024-03-05T00:00:00Z".into()))
        .await
        .problem("ACCOUNT_NOT_FOUND");
    let recorded = world
        .get(&at("as_of=2024-03-06T00:00:00Z".into()))
        .await
        .ok()
        .json();
    assert_eq!(recorded["activated"], true);
    let valid = world
        .get(&at("valid_at=2024-03-06T00:00:00Z".into()))
        .await
        .ok()
        .json();
    assert_eq!(valid["activated"], true);
    let both = at("as_of=1&valid_at=2024-03-06T00:00:00Z".into());
    world.get(&both).await.problem("QUERY_INVALID");
}

#[tokio::test]
async fn an_unchanged_account_is_not_sent_again_and_a_changed_one_is() {
    let world = World::new().await;
    let (account, session) = app_account(&world, NUMBER, PHONE).await;
    world.settle().await;
    let path = format!("/v1/accounts/{account}");
    let first = world.get(&path).await.ok();
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    let again = async |tag: &str| {
        let request = Request::get(&path)
            .header("authorization", format!("Bearer {session}"))
            .header("if-none-match", tag);
        world.send(request.body(Body::empty()).unwrap()).await
    };
    assert_eq!(again(&tag).await.status, StatusCode::NOT_MODIFIED);
    let ground = json!({ "ground": "own_request" });
    world
        .post_as(&session, &format!("{path}/locks"), ground)
        .await
        .recorded();
    world.settle().await;
    let changed = again(&tag).await.ok();
    assert_eq!(changed.json()["locked"], true);
    assert_ne!(changed.headers["etag"].to_str().unwrap(), tag);
}

#[tokio::test]
async fn a_receipt_carries_the_account_where_that_is_preferred() {
    let world = World::new().await;
    let (account, session) = app_account(&world, NUMBER, PHONE).await;
    let path = format!("/v1/accounts/{account}/locks");
    let authorization = format!("Bearer {session}");
    let headers = [
        ("content-type", "application/json"),
        ("authorization", &*authorization),
        ("prefer", "wait=5"),
    ];
    let answer = world
        .post_raw(&path, &headers, br#"{"ground":"own_request"}"#)
        .await
        .recorded();
    assert_eq!(answer.headers["preference-applied"], "wait=5");
    assert_eq!(answer.json()["account_state"]["locked"], true);
    // Read your own writes, by position.
    let position = answer.json()["position"].as_u64().unwrap();
    let path = format!("/v1/accounts/{account}?min_position={position}");
    assert_eq!(world.get(&path).await.ok().json()["locked"], true);
}

#[tokio::test]
async fn a_trail_is_read_page_by_page_without_gaps_or_repetitions() {
    let world = World::new().await;
    let account = activated(&world, NUMBER, PHONE, 40).await;
    let whole = world
        .get("/v1/events?limit=500&order=asc")
        .await
        .ok()
        .json();
    let whole: Vec<u64> = positions(&whole);
    assert_eq!(whole, (0..world.length().await).collect::<Vec<_>>());
    for order in ["asc", "desc"] {
        let mut paged = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/v1/events?limit=7&order={order}{cursor}");
            let page = world.get(&path).await.ok().json();
            paged.extend(positions(&page));
            let Some(next) = page["next"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        if order == "desc" {
            paged.reverse();
        }
        assert_eq!(paged, whole, "{order}");
    }
    let kinds = world
        .get("/v1/events?kind=AccountActivated,AccountIssued")
        .await
        .ok()
        .json();
    assert_eq!(positions(&kinds).len(), 2);
    let own = world
        .get(&format!("/v1/events?account={account}&limit=500"))
        .await
        .ok()
        .json();
    let trail = world
        .get(&format!("/v1/accounts/{account}/events?limit=500"))
        .await
        .ok()
        .json();
    assert_eq!(positions(&own), positions(&trail));
}

fn positions(page: &Value) -> Vec<u64> {
    let events = page["events"].as_array().unwrap().iter();
    events
        .map(|event| event["position"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn an_event_comes_with_a_record_that_verifies_without_its_sealed_parts() {
    use base64::Engine as _;
    let world = World::new().await;
    app_account(&world, NUMBER, PHONE).await;
    let keys = world.get_open("/v1/keys").await.ok().json();
    let public: domain::ids::PublicKey = keys["keys"][0]["public_key"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let public = domain::record::verifying_key(&public).unwrap();
    for position in 0..world.length().await {
        let event = world
            .get(&format!("/v1/events/{position}"))
            .await
            .ok()
            .json();
        let record = event["record"].as_str().unwrap();
        let record = base64::prelude::BASE64_STANDARD.decode(record).unwrap();
        let parsed = domain::record::RecordRef::parse(&record).unwrap();
        parsed.verify_signature(&public).unwrap();
        let envelope = parsed.open_envelope().unwrap();
        assert_eq!(envelope.event_id.to_string(), event["event_id"]);
        assert!(
            parsed.parts().all(<[u8]>::is_empty),
            "no sealed part leaves by this door"
        );
    }
}

#[tokio::test]
async fn entitlements_come_with_their_reasons() {
    let world = World::new().await;
    let (account, _) = app_account(&world, NUMBER, PHONE).await;
    world.settle().await;
    let body = world
        .get(&format!("/v1/accounts/{account}/entitlements"))
        .await
        .ok()
        .json();
    assert_eq!(
        (&body["catalogue"], &body["granted"]),
        (&json!("2024-03"), &json!(0))
    );
    assert_eq!(body["services"].as_array().unwrap().len(), 16);
    assert_eq!(body["services"][0]["reason"], "not_identified");
    assert!(
        body["services"][0]["name"]
            .as_str()
            .unwrap()
            .contains("thông tin")
    );
}

#[tokio::test]
async fn figures_by_area_and_day() {
    let world = World::new().await;
    activated(&world, NUMBER, PHONE, 40).await;
    let at = async |query: &str| {
        world
            .get(&format!("/v1/statistics?{query}"))
            .await
            .ok()
            .json()
    };
    for area in [0, 30000, 30288] {
        let body = at(&format!("area={area}&as_of=2024-03-05")).await;
        assert_eq!(
            (&body["accounts"], &body["level1"], &body["activated"]),
            (&json!(1), &json!(1), &json!(1))
        );
    }
    assert_eq!(at("area=30288&as_of=2024-03-04").await["accounts"], 0);
    assert_eq!(at("area=1000").await["accounts"], 0);
}

#[tokio::test]
async fn personal_data_are_for_those_who_may_see_them_and_never_in_other_answers() {
    let world = World::new().await;
    let account = activated(&world, NUMBER, PHONE, 40).await;
    let path = format!("/v1/accounts/{account}/personal");
    world
        .get_open(&path)
        .await
        .problem("AUTHENTICATION_REQUIRED");
    world.get(&path).await.problem("ACCESS_DENIED");
    world
        .get_signed(&world.adapter, &path)
        .await
        .problem("ACCESS_DENIED");
    for key in [&world.officer, &key(40)] {
        let answer = world.get_signed(key, &path).await.ok();
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.json()["person"]["personal_id"], NUMBER);
        assert_eq!(answer.json()["devices"][0]["model"], "Model A");
    }
    let open = [
        format!("/v1/accounts/{account}"),
        format!("/v1/accounts/{account}/entitlements"),
        format!("/v1/accounts/{account}/events?limit=500"),
        "/v1/events?limit=500".to_owned(),
        "/v1/projections".to_owned(),
        "/metrics".to_owned(),
    ];
    for path in open {
        let answer = world.get(&path).await.ok();
        let text = String::from_utf8(answer.bytes).unwrap();
        for personal in [NUMBER, "912345678", "Nguyễn", "device 40", "482915", "phở"] {
            assert!(!text.contains(personal), "{personal} in {path}");
        }
    }
}

#[tokio::test]
async fn a_personal_number_is_looked_up_in_a_body_and_by_signature_only() {
    let world = World::new().await;
    let (account, session) = app_account(&world, NUMBER, PHONE).await;
    let body = json!({ "personal_id": NUMBER });
    world
        .post("/v1/lookups", body.clone())
        .await
        .problem("AUTHENTICATION_REQUIRED");
    world
        .post_as(&session, "/v1/lookups", body.clone())
        .await
        .problem("ACCESS_DENIED");
    let found = world
        .post_signed(&world.officer, "/v1/lookups", body)
        .await
        .ok();
    assert_eq!(found.text("account"), account);
    let body = json!({ "personal_id": "030184999999" });
    world
        .post_signed(&world.officer, "/v1/lookups", body)
        .await
        .problem("ACCOUNT_NOT_FOUND");
}

#[tokio::test]
async fn reads_are_closed_unless_they_were_opened() {
    for open in [false, true] {
        let config = api::Config {
            open_reads: open,
            ..open_config()
        };
        let world = World::with(config).await;
        let (account, _) = app_account(&world, NUMBER, PHONE).await;
        world.settle().await;
        let paths = [
            format!("/v1/accounts/{account}"),
            "/v1/events".to_owned(),
            "/v1/statistics".to_owned(),
        ];
        for path in paths {
            let status = world.get_open(&path).await.status;
            assert_eq!(status == StatusCode::OK, open, "{path}");
        }
    }
}

#[tokio::test]
async fn operators_see_that_it_lives_is_ready_and_what_it_does() {
    let config = api::Config {
        peer_rate: None,
        ..api::Config::default()
    };
    let world = World::with(config).await;
    world
        .post("/v1/registrations", person("030184000404", PHONE))
        .await
        .problem("MSG_DATA_MISMATCH");
    world.settle().await;
    world.get_open("/healthz").await.ok();
    world.get_open("/readyz").await.ok();
    let metrics = String::from_utf8(world.get_open("/metrics").await.ok().bytes).unwrap();
    for line in [
        "idledger_http_problems_total{code=\"MSG_DATA_MISMATCH\"} 1",
        "idledger_commands_total{command=\"RegisterAppAccount\",outcome=\"refused\"} 1",
        "idledger_projection_lag{projection=\"accounts\"} 0",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    world.api.drain();
    world.get_open("/readyz").await.problem("DRAINING");
}

#[tokio::test]
async fn whoever_asks_too_often_is_counted_and_not_recorded() {
    let rate = Some(api::config::Rate::new(1, 3));
    let config = api::Config {
        caller_rate: rate,
        ..open_config()
    };
    let world = World::with(config).await;
    let length = world.length().await;
    for _ in 0..3 {
        world.get("/v1/projections").await.ok();
    }
    let answer = world.get("/v1/projections").await.problem("RATE_LIMITED");
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(world.length().await, length, "a flood is not recorded");
    let metrics = String::from_utf8(world.get_open("/metrics").await.ok().bytes).unwrap();
    assert!(
        metrics.contains("idledger_http_limited_total{by=\"caller\"} 1"),
        "{metrics}"
    );
}

#[tokio::test]
async fn problems_speak_the_callers_language() {
    let world = World::new().await;
    for (language, title) in [
        ("en", "There is nothing here"),
        ("vi", "Không có tài nguyên này"),
    ] {
        let request = Request::get("/v1/nothing").header("accept-language", language);
        let answer = world
            .send(request.body(Body::empty()).unwrap())
            .await
            .problem("NOT_FOUND");
        assert_eq!(answer.text("title"), title);
        assert_eq!(answer.headers["content-language"], language);
    }
}
