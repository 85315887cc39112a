//! Scenarios as data: one file per procedure and per contradiction under `tests/scenarios`, run through
//! HTTP against the program, with its clock and its SMS simulated.
//!
//! ```toml
//! title = "P7: …"              # what it shows
//! source = "S003 step 6"       # where it comes from
//! start = "2024-03-05T01:00:00Z" # when it begins; this instant where it says nothing
//! given = { number = "…" }     # kept under these names; `{number}` in any text is what was kept
//! [[step]]
//! part = "app-account"         # the steps of `parts/app-account.toml`
//! [[step]]
//! law = "policy-2022-02.toml"  # a shipped law with `change`s, proposed by one and approved by another,
//! from = "2024-03-06"          # in force from that day on; `version` is kept
//! change = { "= \"reject\"" = "= \"transfer_with_step_up\"" }
//! [[step]]
//! by = "officer"               # nobody, a session as `session:{token}`, a device as `device:A`, or staff
//! post = "/v1/intakes"         # or `get`
//! body = { person = "@person" } # see `Stage::named` for what begins with @
//! secret = { otp = "@otp:{account}" }
//! status = 201                 # what must come back
//! events = ["…"]               # the kinds that the receipt lists, exactly
//! expect = { "/level" = 1 }    # by JSON pointer; `[name=value]` picks an element of a list
//! contains = ["…"]             # texts in the answer, and `lacks`: texts that must not be
//! keep = { account = "/account" }
//! eventually = true            # asked again until it is so: read models follow
//! advance_s = 600              # the clock, before the step; or `until`, an instant
//! ```

pub mod stage;
pub mod template;

use crate::cluster::Cluster;
use crate::run::Place;
use serde::Deserialize;
use serde_json::Value;
use stage::Stage;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use template::Template;

/// 2024-03-05T08:00:00+07:00, a Tuesday: the day of letter S004's figures.
const START: &str = "2024-03-05T01:00:00Z";
/// Servers at a time: most of what they do is wait for the disk.
const AT_ONCE: usize = 6;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    title: String,
    source: String,
    start: Option<String>,
    #[serde(default)]
    given: BTreeMap<String, String>,
    step: Vec<Step>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    part: Option<String>,
    law: Option<String>,
    from: Option<String>,
    #[serde(default)]
    change: BTreeMap<String, String>,
    #[serde(default)]
    set: BTreeMap<String, String>,
    by: Option<String>,
    get: Option<String>,
    post: Option<String>,
    body: Option<Value>,
    secret: Option<Value>,
    status: Option<u16>,
    events: Option<Vec<String>>,
    #[serde(default)]
    expect: BTreeMap<String, Value>,
    #[serde(default)]
    contains: Vec<String>,
    #[serde(default)]
    lacks: Vec<String>,
    #[serde(default)]
    keep: BTreeMap<String, String>,
    #[serde(default)]
    eventually: bool,
    advance_s: Option<i64>,
    until: Option<String>,
}

impl Step {
    /// What it does, for whoever reads that it failed.
    fn name(&self) -> &str {
        let asked = self.post.as_ref().or(self.get.as_ref());
        let does = asked.or(self.part.as_ref()).or(self.law.as_ref());
        does.map_or("the clock", String::as_str)
    }

    /// Whether anything that comes back could make it fail.
    fn checks(&self) -> bool {
        self.status.is_some()
            || self.events.is_some()
            || !(self.expect.is_empty() && self.contains.is_empty() && self.lacks.is_empty())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parts {
    pub step: Vec<Step>,
}

pub fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios")
}

pub fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap();
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files() -> Vec<PathBuf> {
    let toml = |path: &PathBuf| path.extension().is_some_and(|end| end == "toml");
    let all = std::fs::read_dir(dir()).unwrap();
    let mut files: Vec<PathBuf> = all
        .map(|entry| entry.unwrap().path())
        .filter(toml)
        .collect();
    files.sort();
    files
}

/// What a file is about: `p7` of `p07-activation.toml`.
fn subject(file: &Path) -> String {
    let name = file.file_name().unwrap().to_str().unwrap();
    name.split('-').next().unwrap().to_owned()
}

#[test]
fn every_procedure_and_every_contradiction_has_its_file() {
    let procedures = (1..=11).map(|number| format!("p{number:02}"));
    let contradictions = (1..=18).map(|number| format!("c{number:02}"));
    let wanted: BTreeSet<String> = procedures.chain(contradictions).collect();
    let there: Vec<String> = files().iter().map(|file| subject(file)).collect();
    let distinct: BTreeSet<String> = there.iter().cloned().collect();
    let missing: Vec<_> = wanted.difference(&distinct).collect();
    assert!(missing.is_empty(), "no scenario of {missing:?}");
}

#[test]
fn every_scenario_goes_as_it_says() {
    let only = std::env::var("IDLEDGER_SCENARIO").unwrap_or_default();
    let files: Vec<PathBuf> = files()
        .into_iter()
        .filter(|file| subject(file).starts_with(&only))
        .collect();
    let template = Template::new();
    play_all(&files, &template, &|_| None);
}

/// The same in memory.
#[test]
fn every_scenario_passes_in_memory() {
    let memory = |place: &Place| Some(format!("memory:{}", place.ledger().display()));
    play_all(&files(), &Template::new(), &memory);
}

/// The same on an event server: each scenario's ledger moved there by `copy`, under a name of its own.
#[test]
fn every_scenario_passes_on_an_event_server() {
    let cluster = Cluster::start();
    let moved = |place: &Place| Some(cluster.take_over(place));
    play_all(&files(), &Template::new(), &moved);
}

/// Where a place's ledger is played; `None`: in its directory.
type Engine<'e> = &'e (dyn Fn(&Place) -> Option<String> + Sync);

fn play_all(files: &[PathBuf], template: &Template, engine: Engine<'_>) {
    let (left, failed) = (Mutex::new(files.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|threads| {
        for _ in 0..AT_ONCE {
            threads.spawn(|| {
                loop {
                    let next = left.lock().unwrap().next();
                    let Some(file) = next else { return };
                    if let Err(at) = play(file, template, engine) {
                        failed.lock().unwrap().push(at);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

/// Plays one, or says where it failed; what failed stands on stderr above.
fn play(file: &Path, template: &Template, engine: Engine<'_>) -> Result<(), String> {
    let scenario: Scenario = read(file);
    assert!(!scenario.title.is_empty() && !scenario.source.is_empty());
    let start = stage::instant(scenario.start.as_deref().unwrap_or(START));
    let place = template.copy();
    let store = engine(&place);
    let mut stage = Stage::open(template, (place, store), start, scenario.given);
    for (number, step) in scenario.step.iter().enumerate() {
        let done = catch_unwind(AssertUnwindSafe(|| stage.run(step)));
        if done.is_err() {
            let (name, number) = (file.file_name().unwrap().display(), number + 1);
            return Err(format!(
                "{name}, step {number} ({}): {}",
                step.name(),
                scenario.title
            ));
        }
    }
    Ok(())
}
