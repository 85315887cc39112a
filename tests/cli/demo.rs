//! The demo: a city in small, with totals that come out exactly.

use crate::run::Place;

#[test]
fn the_totals_are_those_of_the_letter_in_proportion() {
    let place = Place::new();
    let ran = place.good(&["demo", "--once", "--people", "60", "--format", "jsonl"]);
    let days = ran.lines();
    let counted = &days[0];
    let totals: Vec<i64> = ["accounts", "level_1", "level_2", "activated"]
        .map(|field| counted[field].as_i64().unwrap())
        .to_vec();
    assert_eq!(totals, [60, 5, 55, 56]);
    assert_eq!(
        (&counted["as_of"], &counted["area"]),
        (&"2024-03-05".into(), &30_288.into())
    );
    assert!(
        days[1]["accounts"].as_i64() > counted["accounts"].as_i64(),
        "as-of matters"
    );
    for says in ["synthetic", "215,606", "520/CV-CQTT", "least cost"] {
        assert!(ran.stderr.contains(says), "{says}: {}", ran.stderr);
    }
    // The same from the log alone, and from the projection again.
    let again = [
        "stats",
        "--area",
        "30288",
        "--as-of",
        "2024-03-05",
        "--format",
        "jsonl",
    ];
    assert_eq!(
        &place.good(&[&again[..], &["--from-log"]].concat()).lines()[0],
        counted
    );
    assert_eq!(&place.good(&again).lines()[0], counted);
    place.good(&["verify", "--full"]);
    let refused = place
        .good(&["log", "--refused", "--format", "jsonl"])
        .lines();
    assert!(!refused.is_empty(), "some are refused, as in life");
    place.good(&["doctor"]);
}

#[test]
fn a_directory_that_no_demo_made_is_left_alone() {
    let place = Place::new();
    place.good(&["init"]);
    let ran = place.run(&["demo", "--once", "--people", "1"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    place.good(&["verify"]);
}

#[test]
fn the_population_is_the_seeds() {
    let place = Place::new();
    let print = |seed: &str| {
        place
            .good(&[
                "demo",
                "--print-population",
                "--people",
                "30",
                "--seed",
                seed,
            ])
            .stdout
    };
    assert_eq!(print("5"), print("5"));
    assert_ne!(print("5"), print("6"));
    // What is printed is what the registry takes.
    std::fs::write(place.path("people.jsonl"), print("5")).unwrap();
    place.good(&["init"]);
    let file = place.path("people.jsonl");
    let imported = place.good(&[
        "registry",
        "import",
        file.to_str().unwrap(),
        "--format",
        "json",
    ]);
    assert_eq!(imported.json()["refused"], 0);
    assert!(imported.json()["added"].as_u64() >= Some(30));
    let again = place.good(&[
        "registry",
        "import",
        file.to_str().unwrap(),
        "--format",
        "json",
    ]);
    assert_eq!(again.json()["unchanged"], imported.json()["added"]);
    std::fs::write(&file, "{\"personal_id\":\"1\"}\n").unwrap();
    assert_eq!(
        place
            .run(&["registry", "import", file.to_str().unwrap()])
            .code,
        3
    );
}
