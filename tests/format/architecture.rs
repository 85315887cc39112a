//! What the code map says of dependencies, read from what cargo would build.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// A workspace member, and what of the workspace it may use outside tests.
const LAYERS: [(&str, &[&str]); 7] = [
    ("idledger-domain", &[]),
    ("idledger-tlog", &[]),
    ("idledger-ledger", &["idledger-domain", "idledger-tlog"]),
    (
        "idledger-projections",
        &["idledger-domain", "idledger-tlog", "idledger-ledger"],
    ),
    (
        "idledger-api",
        &[
            "idledger-domain",
            "idledger-tlog",
            "idledger-ledger",
            "idledger-projections",
        ],
    ),
    (
        "idledger-outside",
        &[
            "idledger-domain",
            "idledger-tlog",
            "idledger-ledger",
            "idledger-projections",
            "idledger-api",
        ],
    ),
    (
        "idledger",
        &[
            "idledger-domain",
            "idledger-tlog",
            "idledger-ledger",
            "idledger-projections",
            "idledger-api",
            "idledger-outside",
        ],
    ),
];

/// What a crate must not reach by any way, outside tests.
const FORBIDDEN: [(&str, &[&str]); 4] = [
    (
        "idledger-tlog",
        &["tokio", "axum", "sled", "idledger-domain"],
    ),
    (
        "idledger-domain",
        &["tokio", "axum", "sled", "hyper", "lettre"],
    ),
    ("idledger-ledger", &["axum", "hyper", "clap"]),
    ("idledger-projections", &["axum", "hyper", "clap"]),
];

/// The client of the event server, which is gRPC.
const CLIENT: &str = "kurrentdb";
/// The crates through which `ledger` reaches HTTP: that client, and what it stands on itself.
const GRPC: [&str; 2] = [CLIENT, "tonic"];

/// Normal dependencies by package id, and the packages' names.
struct Graph {
    names: BTreeMap<String, String>,
    edges: BTreeMap<String, BTreeSet<String>>,
    members: BTreeMap<String, String>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn graph() -> Graph {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    // Of this machine's kind only: what others would need was not fetched.
    let host = Command::new("rustc").arg("-vV").output().unwrap();
    let host = String::from_utf8(host.stdout).unwrap();
    let host = host.lines().find_map(|line| line.strip_prefix("host: "));
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", host.unwrap()])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeMap<_, _> = packages
        .iter()
        .map(|package| (text(&package["id"]), text(&package["name"])))
        .collect();
    let mut edges = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let normal = node["deps"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|dependency| {
                let kinds = dependency["dep_kinds"].as_array().unwrap();
                kinds.iter().any(|kind| kind["kind"].is_null())
            });
        let normal = normal.map(|dependency| text(&dependency["pkg"])).collect();
        edges.insert(text(&node["id"]), normal);
    }
    let members = metadata["workspace_members"].as_array().unwrap();
    let members = members
        .iter()
        .map(|id| (names[&text(id)].clone(), text(id)))
        .collect();
    Graph {
        names,
        edges,
        members,
    }
}

impl Graph {
    /// What is reached, not counting what is reached through `but` alone.
    fn reached(&self, from: &str, but: &[&str]) -> BTreeSet<&str> {
        let (mut seen, mut ahead) = (BTreeSet::new(), vec![from]);
        while let Some(id) = ahead.pop() {
            for next in &self.edges[id] {
                let through = but.contains(&self.names[next].as_str());
                if !through && seen.insert(next.as_str()) {
                    ahead.push(next);
                }
            }
        }
        seen.iter().map(|id| self.names[*id].as_str()).collect()
    }
}

#[test]
fn dependencies_point_one_way() {
    let graph = graph();
    for (name, allowed) in LAYERS {
        let id = &graph.members[name];
        for dependency in &graph.edges[id] {
            let dependency = graph.names[dependency].as_str();
            assert!(
                !graph.members.contains_key(dependency) || allowed.contains(&dependency),
                "{name} uses {dependency}"
            );
        }
    }
    for (name, forbidden) in FORBIDDEN {
        let reached = graph.reached(&graph.members[name], &GRPC);
        assert!(reached.len() > 5, "{reached:?}");
        for crate_name in forbidden {
            assert!(!reached.contains(crate_name), "{name} reaches {crate_name}");
        }
    }
}

#[test]
fn the_program_carries_nothing_that_only_tests_need() {
    let graph = graph();
    let reached = graph.reached(&graph.members["idledger"], &[]);
    for crate_name in ["bincode", "proptest", "insta"] {
        assert!(!reached.contains(crate_name), "{crate_name}");
    }
}

#[test]
fn only_the_ledger_talks_to_an_event_server() {
    let graph = graph();
    for (name, id) in &graph.members {
        let direct = &graph.edges[id];
        let uses = direct.iter().any(|id| graph.names[id] == CLIENT);
        assert_eq!(uses, name == "idledger-ledger", "{name}");
    }
}
