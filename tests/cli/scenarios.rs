//! Scenarios as data: one file per procedure and per contradiction under `tests/scenarios`, run through
//! HTTP against the program, with its clock and its SMS simulated.
//!
//! ```toml
//! title = "P7: …"              # what it shows
//! source = "S003 step 6"       # where it comes from
//! [[step]]
//! part = "app-account"         # the steps of `parts/app-account.toml`, or:
//! by = "officer"               # nobody, a session as `session:{token}`, a device as `device:A`, or staff
//! post = "/v1/intakes"         # or `get`
//! body = { person = "@person" } # `@person`, `@device:A`, `@capture`, `@chip` stand for what they say
//! secret = { otp = "@otp:{account}" }
//! status = 201                 # what must come back
//! expect = { "/level" = 1 }    # by JSON pointer
//! keep = { account = "/account" }
//! eventually = true            # asked again until it is so: read models follow
//! advance_s = 600              # the clock, before the step
//! ```

use crate::run::{Place, Server};
use api::signature::{Unsigned, sign_request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// 2090-03-07T08:00:00+07:00, a Tuesday: officers are enrolled by the real clock, and must be before
/// anything happens.
const START_S: i64 = 3_792_531_600;
const STAFF: [(&str, &str, u8); 4] = [
    ("officer", "intake_officer", 11),
    ("authority", "eid_authority", 12),
    ("adapter", "registry_adapter", 13),
    ("hotline", "hotline_agent", 14),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    title: String,
    source: String,
    #[serde(default)]
    given: BTreeMap<String, String>,
    step: Vec<Step>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    part: Option<String>,
    #[serde(default)]
    set: BTreeMap<String, String>,
    by: Option<String>,
    get: Option<String>,
    post: Option<String>,
    body: Option<Value>,
    secret: Option<Value>,
    status: Option<u16>,
    #[serde(default)]
    expect: BTreeMap<String, Value>,
    #[serde(default)]
    keep: BTreeMap<String, String>,
    #[serde(default)]
    eventually: bool,
    advance_s: Option<i64>,
}

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios")
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap();
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn public(key: &SigningKey) -> String {
    hex::encode(key.verifying_key().to_bytes())
}

/// A server, what was kept, and the time.
struct World {
    server: Server,
    _place: Place,
    kept: BTreeMap<String, String>,
    now_s: i64,
    nonce: u64,
}

impl World {
    fn start() -> Self {
        let place = Place::new();
        place.good(&["init"]);
        let people = place.path("people.jsonl");
        std::fs::write(&people, registered()).unwrap();
        place.good(&["registry", "import", people.to_str().unwrap()]);
        for (_, role, number) in STAFF {
            let key = public(&key(number));
            place.good(&[
                "keys",
                "enrol",
                "--role",
                role,
                "--public-key",
                &key,
                "--site",
                "1",
            ]);
        }
        let start = START_S.to_string();
        let arguments = ["--open-reads", "--simulate-sms", "--simulate-clock", &start];
        let server = place.serve(&arguments, &[]);
        Self {
            server,
            _place: place,
            kept: BTreeMap::new(),
            now_s: START_S,
            nonce: 0,
        }
    }

    /// `{name}` in a text is what was kept under that name.
    fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.kept {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.named(&self.fill(text)),
            Value::Array(all) => all.iter().map(|value| self.value(value)).collect(),
            Value::Object(all) => {
                let all = all
                    .iter()
                    .map(|(name, value)| (name.clone(), self.value(value)));
                Value::Object(all.collect())
            }
            other => other.clone(),
        }
    }

    /// What `@something` stands for.
    fn named(&self, text: &str) -> Value {
        let Some(name) = text.strip_prefix('@') else {
            return Value::String(text.to_owned());
        };
        match name.split_once(':') {
            Some(("device", name)) => {
                let key = device_key(name);
                json!({ "identifier": format!("device {name}"), "model": "A", "public_key": public(&key) })
            }
            Some(("otp", account)) => Value::String(self.code_of(account)),
            None if name == "person" => person(&self.fill("{number}"), &self.fill("{phone}")),
            None if name == "capture" => json!({ "digest": "ab".repeat(32), "quality": 90 }),
            None if name == "blurred" => json!({ "digest": "ab".repeat(32), "quality": 10 }),
            None if name == "chip" => json!({
                "sod": "01".repeat(32), "data_groups": "02".repeat(32), "certificate": "03".repeat(32),
                "strength": "chip_active_auth", "verifier": 1,
            }),
            _ => panic!("@{name} stands for nothing"),
        }
    }

    /// The newest code that an account was sent.
    fn code_of(&self, account: &str) -> String {
        let (_, messages) = self.server.ask("GET", "/v1/simulation/messages", "", &[]);
        let messages: Vec<Value> = serde_json::from_str(&messages).unwrap();
        let sent = messages
            .iter()
            .find(|message| message["account"] == account && message["code"].is_string());
        sent.expect("a code was sent")["code"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    fn run(&mut self, step: &Step) {
        for (name, value) in &step.set {
            let value = self.fill(value);
            self.kept.insert(name.clone(), value);
        }
        if let Some(seconds) = step.advance_s {
            self.now_s += seconds;
            let body = json!({ "seconds": seconds }).to_string();
            let json = [("content-type".to_owned(), "application/json".to_owned())];
            let (status, answer) = self
                .server
                .ask("POST", "/v1/simulation/clock", &body, &json);
            assert_eq!(status, 200, "{answer}");
        }
        if let Some(part) = &step.part {
            let steps: Parts = read(&dir().join("parts").join(format!("{part}.toml")));
            for step in &steps.step {
                self.run(step);
            }
            return;
        }
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let (status, answer) = self.send(step);
            let answer: Value = serde_json::from_str(&answer).unwrap_or(Value::String(answer));
            match self.differs(step, status, &answer) {
                None => {
                    for (name, pointer) in &step.keep {
                        let value = answer.pointer(pointer).and_then(Value::as_str);
                        let value = value.unwrap_or_else(|| panic!("no {pointer} in {answer}"));
                        self.kept.insert(name.clone(), value.to_owned());
                    }
                    return;
                }
                Some(difference) => {
                    let again = step.eventually && Instant::now() < until;
                    assert!(again, "{difference}\n{answer}");
                }
            }
        }
    }

    fn differs(&self, step: &Step, status: u16, answer: &Value) -> Option<String> {
        if step.status.is_some_and(|wanted| wanted != status) {
            return Some(format!("status {status}, not {:?}", step.status));
        }
        step.expect.iter().find_map(|(pointer, wanted)| {
            let wanted = self.value(wanted);
            let found = answer.pointer(pointer).unwrap_or(&Value::Null);
            (*found != wanted).then(|| format!("{pointer} is {found}, not {wanted}"))
        })
    }

    fn send(&mut self, step: &Step) -> (u16, String) {
        let (method, path) = match (&step.get, &step.post) {
            (Some(path), None) => ("GET", self.fill(path)),
            (None, Some(path)) => ("POST", self.fill(path)),
            _ => panic!("a step asks for one thing"),
        };
        let mut body = step
            .body
            .as_ref()
            .map_or(Value::Null, |body| self.value(body));
        if method == "POST" && body.is_null() {
            body = json!({});
        }
        let by = self.fill(step.by.as_deref().unwrap_or("nobody"));
        let mut headers = vec![("accept-language".to_owned(), "vi".to_owned())];
        if let Some(secret) = &step.secret {
            let secret = BASE64_URL_SAFE_NO_PAD.encode(self.value(secret).to_string());
            headers.push(("idledger-secret".to_owned(), secret));
        }
        let signer = match by.split_once(':') {
            Some(("session", token)) => {
                headers.push(("authorization".to_owned(), format!("Bearer {token}")));
                None
            }
            Some(("device", name)) => Some(device_key(name)),
            _ => STAFF
                .iter()
                .find(|(name, _, _)| *name == by)
                .map(|(_, _, number)| key(*number)),
        };
        assert!(
            signer.is_some() || by == "nobody" || by.starts_with("session:"),
            "{by}"
        );
        let mut bytes = if method == "GET" {
            String::new()
        } else {
            body.to_string()
        };
        if let Some(signer) = signer {
            if method == "POST" {
                body["salt"] = json!(BASE64_URL_SAFE_NO_PAD.encode([7; 16]));
                bytes = body.to_string();
            }
            headers.extend(self.sign(&signer, method, &path, &bytes));
        } else {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        self.server.ask(method, &path, &bytes, &headers)
    }

    fn sign(
        &mut self,
        signer: &SigningKey,
        method: &str,
        path: &str,
        body: &str,
    ) -> Vec<(String, String)> {
        self.nonce += 1;
        let mut nonce = [0x5a; 16];
        nonce[..8].copy_from_slice(&self.nonce.to_le_bytes());
        let unsigned = Unsigned {
            method: &method.parse::<Method>().unwrap(),
            path_and_query: path,
            headers: &HeaderMap::new(),
            body: body.as_bytes(),
        };
        let added = sign_request(&unsigned, signer, self.now_s, nonce).unwrap();
        let text = |(name, value): (HeaderName, HeaderValue)| {
            (name.to_string(), value.to_str().unwrap().to_owned())
        };
        added.into_iter().map(text).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    step: Vec<Step>,
}

fn device_key(name: &str) -> SigningKey {
    SigningKey::from_bytes(blake3::hash(format!("device {name}").as_bytes()).as_bytes())
}

fn person(number: &str, phone: &str) -> Value {
    json!({
        "personal_id": number, "full_name": "Nguyễn Thị Đẹp", "birth_date": "1984-02-29",
        "sex": "Nữ", "residence": "Hải Dương", "phone": phone,
    })
}

/// Everybody the registry knows: nine people of one name.
fn registered() -> String {
    let one = |number: u32| {
        let record = json!({
            "personal_id": format!("03018400000{number}"), "full_name": "Nguyễn Thị Đẹp",
            "birth_date": "1984-02-29", "sex": "Nữ", "area": 30288, "residence": "Hải Dương",
            "card_issued": "2021-06-20", "has_chip_card": true,
            "documents": [{ "kind": "driving_licence", "number": format!("30012345678{number}") }],
        });
        format!("{record}\n")
    };
    (1..10).map(one).collect()
}

#[test]
fn every_scenario_goes_as_it_says() {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    assert!(files.len() > 5, "{files:?}");
    // Each has a server of its own, most of which wait for the disk.
    std::thread::scope(|threads| {
        for file in &files {
            threads.spawn(move || play(file));
        }
    });
}

fn play(file: &Path) {
    let scenario: Scenario = read(file);
    assert!(!scenario.title.is_empty() && !scenario.source.is_empty());
    let mut world = World::start();
    world.kept = scenario.given.clone();
    for (number, step) in scenario.step.iter().enumerate() {
        let asked = step.part.as_ref().or(step.post.as_ref());
        let asked = asked.or(step.get.as_ref());
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.run(step)));
        let (title, number) = (&scenario.title, number + 1);
        assert!(
            done.is_ok(),
            "{title}: failed at {}, step {number} ({asked:?})",
            file.display()
        );
    }
}
