//! Reports over HTTP: exact figures of a small population, and the same bytes for the same events.

use super::procedures::{activated, app_account, level_1};
use super::world::{READER, World, capture, key, person};
use axum::http::StatusCode;
use serde_json::{Value, json};

const QUALITY: &str = "/v1/reports/quality";
const MONTHLY: &str = "/v1/reports/monthly";

fn number(n: u32) -> (String, String) {
    (format!("0301840001{n:02}"), format!("09123456{n:02}"))
}

/// Three people: an app account, one at level 1 that is not activated, one activated at level 2 with a
/// driving licence and a health-insurance card.
async fn population(world: &World) -> String {
    let (one, phone) = number(1);
    app_account(world, &one, &phone).await;
    let (two, phone) = number(2);
    let (account, session) = app_account(world, &two, &phone).await;
    level_1(world, &account, &session).await;
    let (three, phone) = number(3);
    let account = activated(world, &three, &phone, 43).await;
    level_2(world, &three, &phone).await;
    for (kind, number) in [
        ("driving_licence", "301234567890"),
        ("health_insurance_card", "DN4301234567890"),
    ] {
        let path = format!("/v1/accounts/{account}/documents");
        let body = json!({ "kind": kind, "number": number });
        let linked = world.post_signed(&key(43), &path, body).await;
        linked.recorded();
    }
    world.settle().await;
    account
}

/// P4, with both biometrics.
async fn level_2(world: &World, number: &str, phone: &str) {
    let body = json!({
        "person": person(number, phone), "site": 1, "person_present": true, "with_card_issue": false,
    });
    let opened = world.post_signed(&world.officer, "/v1/intakes", body).await;
    let opened = opened.recorded();
    let (account, case) = (opened.text("account"), opened.text("case"));
    let at = format!("/v1/accounts/{account}/cases/{case}");
    let both = json!({ "portrait": capture(), "fingerprints": capture() });
    for (step, body) in [
        ("biometrics", both),
        ("consent", json!({ "given": true, "text_version": 1 })),
        ("submission", json!({})),
    ] {
        let path = format!("{at}/{step}");
        world
            .post_signed(&world.officer, &path, body)
            .await
            .recorded();
    }
    super::procedures::decide(world, &account, &case, &["portrait", "fingerprints"]).await;
}

fn find<'a>(rows: &'a Value, area: u32, kind: Option<&str>) -> &'a Value {
    let mut rows = rows.as_array().unwrap().iter();
    let found = rows.find(|row| row["area"] == area && kind.is_none_or(|kind| row["kind"] == kind));
    found.unwrap()
}

#[tokio::test]
async fn a_small_populations_figures_are_exact() {
    let world = World::new().await;
    population(&world).await;
    let path = format!("{MONTHLY}?month=2024-03");
    let month = world.get(&path).await.ok().json();
    assert_eq!(month["schema"], "idledger.report_monthly/1");
    assert_eq!(
        (&month["from"], &month["to"]),
        (&json!("2024-03-01"), &json!("2024-03-31"))
    );
    assert_eq!(month["state"]["position"], world.length().await);
    // The country, the province and the district say the same: everybody lives there.
    for area in [0, 30_000, 30_288] {
        let of = find(&month["areas"], area, None);
        let accounts = json!({
            "accounts": 2, "level_1": 1, "level_2": 1, "activated": 1, "level_1_inactive": 1,
            "level_1_activated": 0, "level_2_inactive": 0, "level_2_activated": 1, "app_only": 1,
            "closed": 0, "organisations": 0,
        });
        assert_eq!(of["accounts"], accounts, "{area}");
        assert_eq!(of["change"], accounts, "all of it this month");
        assert_eq!(
            of["procedures"],
            json!({
                "applied_level_1": 2, "applied_level_2": 1, "issued_level_1": 2, "issued_level_2": 1,
                "refused": 0, "withdrawn": 0, "activated": 1, "closed": 0,
                "applied_organisation": 0, "issued_organisation": 0, "refused_organisation": 0,
                "withdrawn_organisation": 0,
            })
        );
        assert_eq!(
            of["deadlines"],
            json!({
                "decision_level_1": { "met": 2, "missed": 0 },
                "decision_level_2": { "met": 1, "missed": 0 },
                "decision_organisation": { "met": 0, "missed": 0 },
                "activation": { "met": 1, "missed": 0 },
                "lock_request": { "met": 0, "missed": 0 },
            })
        );
        let documents = of["documents"].as_array().unwrap();
        let verified = documents.iter().map(|of| of["verified"].as_i64().unwrap());
        assert_eq!(verified.sum::<i64>(), 2);
    }
    let quality = world
        .get(&format!("{QUALITY}?as_of=2024-03-31"))
        .await
        .ok()
        .json();
    assert_eq!(quality["stale_days"], 365);
    let licence = find(&quality["rows"], 30_288, Some("driving_licence"));
    assert_eq!(
        licence,
        &json!({
            "area": 30_288, "kind": "driving_licence", "registry": "driving_licence", "declared": 1,
            "verified": 1, "mismatch": 0, "not_found": 0, "unavailable": 0, "owner_mismatch": 0,
            "no_longer_valid": 0, "missing": 0, "stale": 0,
        })
    );
    let tax = find(&quality["rows"], 0, Some("tax_code"));
    assert_eq!((&tax["declared"], &tax["missing"]), (&json!(0), &json!(1)));
    // The registry's data are of 5 March 2024: a year and a day later they are old.
    for (day, stale) in [("2025-03-05", 0), ("2025-03-06", 1)] {
        let later = world
            .get(&format!("{QUALITY}?as_of={day}&area=0"))
            .await
            .ok()
            .json();
        let licence = find(&later["rows"], 0, Some("driving_licence"));
        assert_eq!(licence["stale"], stale, "{day}");
    }
    // The day before there was nobody.
    let before = world
        .get(&format!("{MONTHLY}?month=2024-03&as_of=2024-03-04"))
        .await;
    let before = before.ok().json();
    assert_eq!(find(&before["areas"], 0, None)["accounts"]["accounts"], 0);
}

#[tokio::test]
async fn deadlines_that_pass_are_counted_as_missed() {
    let world = World::new().await;
    let (number, phone) = number(4);
    let (account, session) = app_account(&world, &number, &phone).await;
    level_1(&world, &account, &session).await;
    let mut clock = outside::clock::Clock::new(world.ledger.clone(), world.views.clone());
    world.settle().await;
    world.pass(8 * 86_400);
    clock.round().await.unwrap();
    world.settle().await;
    let month = world
        .get(&format!("{MONTHLY}?month=2024-03&area=30288"))
        .await
        .ok()
        .json();
    let deadlines = &month["areas"][0]["deadlines"];
    assert_eq!(deadlines["activation"], json!({ "met": 0, "missed": 1 }));
    assert_eq!(
        deadlines["decision_level_1"],
        json!({ "met": 1, "missed": 0 })
    );
}

#[tokio::test]
async fn the_same_events_give_the_same_bytes_and_csv_is_csv() {
    let world = World::new().await;
    population(&world).await;
    let monthly = format!("{MONTHLY}?month=2024-03&format=csv");
    let quality = format!("{QUALITY}?as_of=2024-03-31&format=csv");
    let (month, first) = (
        world.get(&monthly).await.ok(),
        world.get(&quality).await.ok(),
    );
    for answer in [&month, &first] {
        assert_eq!(
            answer.headers["content-type"],
            "text/csv; charset=utf-8; header=present"
        );
        let text = std::str::from_utf8(&answer.bytes).unwrap();
        assert!(text.ends_with("\r\n") && !text.replace("\r\n", "").contains(['\r', '\n']));
        let widths: Vec<usize> = text.lines().map(|line| line.split(',').count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{widths:?}");
    }
    let header = String::from_utf8(first.bytes.clone()).unwrap();
    assert!(header.starts_with(
        "as_of,area,kind,registry,declared,verified,mismatch,not_found,unavailable,owner_mismatch,\
         no_longer_valid,missing,stale,stale_days,position,digest\r\n"
    ));
    // Read models built again from the log.
    let never = std::sync::atomic::AtomicBool::new(false);
    world.views.rebuild(&[], &|_| {}, &never).await.unwrap();
    assert_eq!(world.get(&monthly).await.ok().bytes, month.bytes);
    assert_eq!(world.get(&quality).await.ok().bytes, first.bytes);
    let (five, phone) = number(5);
    app_account(&world, &five, &phone).await;
    world.settle().await;
    assert_ne!(world.get(&monthly).await.ok().bytes, month.bytes);
}

#[tokio::test]
async fn a_report_that_cannot_be_told_is_a_problem() {
    let world = World::new().await;
    for query in [
        "",
        "?month=2024-13",
        "?month=2024",
        "?month=2024-03&as_of=2024-04-01",
        "?month=2024-03&as_of=soon",
        "?month=2024-03&format=xml",
        "?month=2024-03&unknown=1",
    ] {
        let answer = world.get(&format!("{MONTHLY}{query}")).await;
        answer.problem("QUERY_INVALID");
    }
    world
        .get(&format!("{QUALITY}?as_of=2024-02-30"))
        .await
        .problem("QUERY_INVALID");
    let open = world.get_open(&format!("{QUALITY}?as_of=2024-03-05")).await;
    assert_eq!(open.status, StatusCode::UNAUTHORIZED);
    let read = world
        .get_as(READER, &format!("{QUALITY}?as_of=2024-03-05"))
        .await;
    read.ok();
}
