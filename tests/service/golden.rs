//! The contract as a document: compared with the kept one, or written anew when `UPDATE_GOLDEN` is set.

use super::world::World;
use std::path::Path;

#[tokio::test]
async fn the_openapi_document_is_the_one_that_is_kept() {
    let world = World::new().await;
    let served = world.get_open("/openapi.json").await.ok();
    let text = String::from_utf8(served.bytes).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/openapi.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    // Not assert_eq: two whole documents side by side help nobody.
    let difference = text
        .lines()
        .zip(kept.lines())
        .enumerate()
        .find(|(_, (new, old))| new != old);
    assert!(
        text == kept,
        "the contract has changed, first at {difference:?}; set UPDATE_GOLDEN=1 to take it over"
    );
}

#[tokio::test]
async fn every_route_of_the_contract_is_under_v1_and_says_what_its_problems_look_like() {
    let document = serde_json::to_value(api::app::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 40, "{}", paths.len());
    for (path, item) in paths {
        assert!(path.starts_with("/v1/"), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            let problem = &operation["responses"]["default"]["content"];
            assert!(
                problem["application/problem+json"].is_object(),
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn every_schema_that_is_referred_to_is_there() {
    fn refer(value: &serde_json::Value, to: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                if let Some(name) = fields.get("$ref").and_then(serde_json::Value::as_str) {
                    to.push(name.to_owned());
                }
                fields.values().for_each(|field| refer(field, to));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| refer(item, to)),
            _ => {}
        }
    }
    let document = serde_json::to_value(api::app::document()).unwrap();
    let mut referred = Vec::new();
    refer(&document, &mut referred);
    assert!(!referred.is_empty());
    for name in referred {
        let pointer = name.strip_prefix('#').unwrap();
        assert!(
            document.pointer(pointer).is_some(),
            "{name} is not in the document"
        );
    }
}
