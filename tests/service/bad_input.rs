//! Bad input, and what it gets: a problem with a stable code, nothing written, no panic.

use super::procedures::{NUMBER, PHONE, app_account};
use super::world::{READER, World, device, key, person};
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");

fn changed(field: &str, value: Value) -> Value {
    let mut body = person(NUMBER, PHONE);
    body[field] = value;
    body
}

#[tokio::test]
async fn a_body_that_is_not_what_it_must_be_is_told_where_and_why() {
    let world = World::new().await;
    let before = world.length().await;
    let qr = |fields: usize| {
        let all = [
            "030184000001",
            "",
            "Nguyễn Thị Đẹp",
            "29021984",
            "Nữ",
            "Hải Dương",
            "01012022",
            "x",
        ];
        all[..fields].join("|")
    };
    let cases: Vec<(Value, &str, &str, &str)> = vec![
        (
            changed("personal_id", json!("03018400001")),
            "INVALID_VALUE",
            "/personal_id",
            "PERSONAL_ID_FORMAT",
        ),
        (
            changed("personal_id", json!("0301840000011")),
            "INVALID_VALUE",
            "/personal_id",
            "PERSONAL_ID_FORMAT",
        ),
        (
            changed("personal_id", json!("03018400000a")),
            "INVALID_VALUE",
            "/personal_id",
            "PERSONAL_ID_FORMAT",
        ),
        (
            changed("phone", json!("12345")),
            "INVALID_VALUE",
            "/phone",
            "PHONE_FORMAT",
        ),
        (
            changed("full_name", json!("Nguye\u{302}\u{303}n")),
            "INVALID_VALUE",
            "/full_name",
            "NAME_NOT_NFC",
        ),
        (
            changed("full_name", json!("A\u{0}B")),
            "INVALID_VALUE",
            "/full_name",
            "NAME_CONTROL_CHARACTER",
        ),
        (
            changed("full_name", json!("")),
            "INVALID_VALUE",
            "/full_name",
            "NAME_FORMAT",
        ),
        (
            changed("birth_date", json!("1985-02-29")),
            "INVALID_VALUE",
            "/birth_date",
            "DATE_IMPOSSIBLE",
        ),
        (
            changed("birth_date", json!("29/02/1984")),
            "INVALID_VALUE",
            "/birth_date",
            "BIRTH_DATE_FORMAT",
        ),
        (
            changed("sex", json!("x")),
            "INVALID_VALUE",
            "/sex",
            "SEX_UNKNOWN",
        ),
        (
            changed("email", json!("nobody")),
            "INVALID_VALUE",
            "/email",
            "EMAIL_FORMAT",
        ),
        (
            changed("qr", json!(qr(6))),
            "INVALID_VALUE",
            "/qr",
            "QR_FIELD_COUNT",
        ),
        (
            changed("qr", json!(qr(8))),
            "INVALID_VALUE",
            "/qr",
            "QR_FIELD_COUNT",
        ),
        (
            changed("qr", json!("x".repeat(2000))),
            "INVALID_VALUE",
            "/qr",
            "QR_TOO_LONG",
        ),
        (
            changed("personal_id", json!(30_184_000_001_u64)),
            "WRONG_TYPE",
            "/personal_id",
            "WRONG_TYPE",
        ),
        (
            changed("phone", json!(["0912345678"])),
            "WRONG_TYPE",
            "/phone",
            "WRONG_TYPE",
        ),
        (
            changed("nationality", json!("VN")),
            "UNKNOWN_FIELD",
            "",
            "UNKNOWN_FIELD",
        ),
        (
            changed("full_name", Value::Null),
            "MISSING_FIELD",
            "/full_name",
            "MISSING_FIELD",
        ),
        (
            json!({ "phone": PHONE }),
            "MISSING_FIELD",
            "/personal_id",
            "MISSING_FIELD",
        ),
        (json!([1, 2]), "WRONG_TYPE", "", "WRONG_TYPE"),
    ];
    for (body, code, pointer, field_code) in cases {
        let answer = world
            .post("/v1/registrations", body.clone())
            .await
            .problem(code);
        let errors = &answer.json()["errors"][0];
        assert_eq!(errors["pointer"], pointer, "{body}");
        assert_eq!(errors["code"], field_code, "{body}");
        let text = String::from_utf8_lossy(&answer.bytes).into_owned();
        for personal in [NUMBER, PHONE, "Nguy", "1985-02-29", "0301840000011"] {
            assert!(!text.contains(personal), "{personal} is said back: {text}");
        }
    }
    assert_eq!(world.length().await, before, "nothing is written");
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once() {
    let world = World::new().await;
    let mut body = changed("personal_id", json!("1"));
    body["phone"] = json!("2");
    body["birth_date"] = json!("3");
    let answer = world
        .post("/v1/registrations", body)
        .await
        .problem("INVALID_VALUE");
    assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn what_is_not_json_or_not_sent_as_json_or_too_much() {
    let world = World::new().await;
    let before = world.length().await;
    let path = "/v1/registrations";
    let good = person(NUMBER, PHONE).to_string();
    let large = format!("{{\"personal_id\":\"{}\"}}", "0".repeat(70_000));
    let cases: [(&[(&str, &str)], &[u8], &str); 10] = [
        (&[JSON], b"", "BODY_MISSING"),
        (&[JSON], b"{", "MALFORMED_JSON"),
        (&[JSON], b"{\"personal_id\":\"\xff\"}", "INVALID_UTF8"),
        (&[JSON], large.as_bytes(), "BODY_TOO_LARGE"),
        (
            &[JSON, ("content-length", "99999999")],
            b"{}",
            "BODY_TOO_LARGE",
        ),
        (&[], good.as_bytes(), "UNSUPPORTED_MEDIA_TYPE"),
        (
            &[("content-type", "text/plain")],
            good.as_bytes(),
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (&[JSON, JSON], good.as_bytes(), "HEADER_INVALID"),
        (
            &[JSON, ("if-match", "*")],
            good.as_bytes(),
            "HEADER_INVALID",
        ),
        (
            &[JSON, ("idempotency-key", "0912345678")],
            good.as_bytes(),
            "IDEMPOTENCY_KEY_INVALID",
        ),
    ];
    for (headers, body, code) in cases {
        world.post_raw(path, headers, body).await.problem(code);
    }
    world
        .post("/v1/registrations?x=1", person(NUMBER, PHONE))
        .await
        .problem("QUERY_INVALID");
    assert_eq!(world.length().await, before, "nothing is written");
}

#[tokio::test]
async fn paths_methods_and_queries_that_are_not_there() {
    let world = World::new().await;
    world.get("/v1/nothing").await.problem("NOT_FOUND");
    world.get("/v1/accounts/xyz").await.problem("ID_INVALID");
    world
        .get(&format!("/v1/accounts/{}", "AB".repeat(16)))
        .await
        .problem("ID_INVALID");
    world
        .get(&format!("/v1/accounts/{}", "ab".repeat(16)))
        .await
        .problem("ACCOUNT_NOT_FOUND");
    world.get("/v1/events/007").await.problem("ID_INVALID");
    world
        .get("/v1/events/99999999")
        .await
        .problem("EVENT_NOT_FOUND");
    let queries = [
        "limit=0",
        "limit=501",
        "limit=x",
        "kind=Nothing",
        "order=up",
        "cursor=5",
        "cursor=px",
        "since=yesterday",
        "account=1",
        "colour=red",
        "from=-1",
        "min_position=x",
    ];
    for query in queries {
        let answer = world.get(&format!("/v1/events?{query}")).await;
        let code = answer.code();
        assert!(
            ["QUERY_INVALID", "CURSOR_INVALID"].contains(&&*code),
            "{query}: {code}"
        );
    }
    for query in ["as_of=2024-02-30", "area=-1", "area=x", "as_of="] {
        world
            .get(&format!("/v1/statistics?{query}"))
            .await
            .problem("QUERY_INVALID");
    }
    let request = Request::delete("/v1/events").body(Body::empty()).unwrap();
    let answer = world.send(request).await.problem("METHOD_NOT_ALLOWED");
    assert!(answer.headers.contains_key("allow"));
}

#[tokio::test]
async fn commands_without_the_right_proof_write_nothing() {
    let world = World::new().await;
    let (account, session) = app_account(&world, NUMBER, PHONE).await;
    let (other, _) = app_account(&world, "030184000002", "0912345679").await;
    let before = world.length().await;
    let decision = format!("/v1/accounts/{account}/cases/{account}/decision");
    let approve = json!({ "approve": true });
    world
        .post(&decision, approve.clone())
        .await
        .problem("SIGNATURE_REQUIRED");
    world
        .post_as(READER, &decision, approve.clone())
        .await
        .problem("ACCESS_DENIED");
    world
        .post_as(&session, &decision, approve.clone())
        .await
        .problem("ACCESS_DENIED");
    world
        .post_as("nonsense", &decision, approve.clone())
        .await
        .problem("TOKEN_INVALID");
    world
        .post_signed(&key(99), &decision, approve.clone())
        .await
        .problem("KEY_UNKNOWN");
    let lock = json!({ "ground": "own_request" });
    let path = format!("/v1/accounts/{other}/locks");
    world
        .post_as(&session, &path, lock)
        .await
        .problem("ACCESS_DENIED");
    let mut weak = device(&key(40), "device 40");
    weak["public_key"] = json!("00".repeat(32));
    let body = json!({ "personal_id": NUMBER, "phone": PHONE, "device": weak });
    world
        .post_signed(&key(40), "/v1/activations", body)
        .await
        .problem("KEY_WEAK");
    world.pass(31 * 60);
    let path = format!("/v1/accounts/{account}/locks");
    let lock = json!({ "ground": "own_request" });
    world
        .post_as(&session, &path, lock)
        .await
        .problem("SESSION_EXPIRED");
    assert_eq!(world.length().await, before, "nothing is written");
    // Somebody enrolled, in another role: the account is known and so are they, and that is on record.
    let refused = world.post_signed(&world.officer, &decision, approve).await;
    let refused = refused.problem("ACCESS_DENIED");
    assert_eq!(refused.text("guard"), "role_allowed");
    assert_eq!(refused.json()["position"], before);
    let event = world.get(&format!("/v1/events/{before}")).await.ok().json();
    assert_eq!(event["kind"], "CommandRejected");
    assert_eq!(event["facts"]["command"], "decide_application");
    assert_eq!(event["actor"]["principal"], world.principal(&world.officer));
    // Of an account that is not there they learn nothing.
    let nowhere = format!("/v1/accounts/{0}/cases/{0}/decision", "7".repeat(32));
    let refused = world.post_signed(&world.officer, &nowhere, json!({ "approve": true }));
    assert!(refused.await.problem("ACCESS_DENIED").json()["position"].is_null());
    assert_eq!(world.length().await, before + 1);
}

#[tokio::test]
async fn a_secret_in_a_signed_body_is_turned_away() {
    let world = World::new().await;
    let (account, _) = app_account(&world, NUMBER, PHONE).await;
    let before = world.length().await;
    let body = json!({ "personal_id": NUMBER, "password": "x" });
    // Whoever signs, the secret must not be under the signature.
    world
        .post_signed(&world.officer, "/v1/sessions", body)
        .await
        .problem("SECRET_IN_SIGNED_BODY");
    let body = json!({ "challenge": "ab".repeat(16) });
    let path = format!("/v1/registrations/{account}/otp");
    let missing = world.post(&path, body).await.problem("MISSING_FIELD");
    assert_eq!(missing.json()["errors"][0]["pointer"], "/otp");
    assert_eq!(world.length().await, before, "nothing is written");
}

/// Whatever is sent, there is an answer that is not a panic, and nothing is written.
#[test]
fn nothing_that_can_be_sent_makes_it_panic_or_write() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let world = runtime.block_on(World::new());
    let before = runtime.block_on(world.length());
    let paths = prop::sample::select(vec![
        "/v1/registrations",
        "/v1/sessions",
        "/v1/activations",
        "/v1/intakes",
        "/v1/lookups",
        "/v1/accounts/abababababababababababababababab/locks",
        "/v1/accounts/abababababababababababababababab/cases/x/decision",
        "/v1/events",
        "/v1/events/feed",
        "/v1/statistics",
        "/v1/%00/%ff",
    ]);
    let names = prop::sample::select(vec![
        "content-type",
        "content-length",
        "authorization",
        "signature",
        "signature-input",
        "content-digest",
        "idempotency-key",
        "if-match",
        "if-none-match",
        "prefer",
        "idledger-secret",
        "last-event-id",
        "accept-language",
        "x-request-id",
    ]);
    let values = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        "[ -~]{0,60}".prop_map(String::into_bytes),
        Just(b"application/json".to_vec()),
        Just(b"sig1=(\"@method\");created=1;keyid=\"a\"".to_vec()),
        Just(b"sig1=:AAAA:".to_vec()),
        Just(b"Bearer x".to_vec()),
    ];
    let bodies = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "\\PC{0,100}".prop_map(String::into_bytes),
        Just(b"{\"personal_id\":\"1\"}".to_vec()),
        Just(br#"{"personal_id":"030184000009","password":null}"#.to_vec()),
    ];
    let headers = prop::collection::vec((names, values), 0..5);
    let methods = prop::sample::select(vec![Method::GET, Method::POST, Method::PUT, Method::HEAD]);
    let mut runner = TestRunner::new(Config {
        cases: 400,
        failure_persistence: None,
        ..Config::default()
    });
    let all = (methods, paths, "[ -~]{0,20}", headers, bodies);
    runner
        .run(&all, |(method, path, query, headers, body)| {
            let uri = format!("{path}?{query}");
            let mut request = Request::builder().method(method).uri(&*uri);
            if request.uri_ref().is_none() {
                request = Request::post(path);
            }
            let mut request = request.body(Body::from(body)).unwrap();
            for (name, value) in headers {
                if let Ok(value) = HeaderValue::from_bytes(&value) {
                    request
                        .headers_mut()
                        .append(HeaderName::from_static(name), value);
                }
            }
            let answer = runtime.block_on(world.send(request));
            prop_assert!(
                answer.status.as_u16() < 500,
                "{} {}",
                answer.status,
                answer.code()
            );
            prop_assert!(answer.status.is_client_error(), "{}", answer.status);
            Ok(())
        })
        .unwrap();
    assert_eq!(
        runtime.block_on(world.length()),
        before,
        "nothing is written"
    );
}
