//! A server that a scenario is played on: what was kept, the time, and how a step is asked and judged.

use super::template::{STAFF, Template, key, public};
use super::{Parts, Step, dir, read};
use crate::run::{Place, Server};
use api::signature::{Unsigned, sign_request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::SigningKey;
use ledger::chip::testing::Recipe;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a read model may take to follow.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(20);

pub struct Stage<'t> {
    server: Arc<Server>,
    /// Where the server's directory is, if it is this stage's own.
    _place: Option<Place>,
    template: &'t Template,
    kept: BTreeMap<String, String>,
    now_s: i64,
    nonce: u64,
}

/// A place on a server: nonces of one signer are never used twice there.
pub struct Seat {
    pub server: Arc<Server>,
    pub first_nonce: u64,
}

/// Seconds since 1970 of an instant.
pub fn instant(text: &str) -> i64 {
    let micros = api::time::parse_instant(text).unwrap_or_else(|| panic!("`{text}` is no instant"));
    micros.0.div_euclid(1_000_000)
}

impl<'t> Stage<'t> {
    /// Serves a copy of the template; with a store, what that holds.
    pub fn open(
        template: &'t Template,
        (place, store): (Place, Option<String>),
        start_s: i64,
        given: BTreeMap<String, String>,
    ) -> Self {
        let start = start_s.to_string();
        let mut arguments = vec!["--open-reads", "--simulate-sms", "--simulate-clock", &start];
        if let Some(store) = &store {
            arguments.extend(["--store", store]);
        }
        let seat = Seat {
            server: Arc::new(place.serve(&arguments, &[])),
            first_nonce: 0,
        };
        Self {
            _place: Some(place),
            ..Self::on(template, seat, start_s, given)
        }
    }

    /// On a server that others are played on too.
    pub fn on(
        template: &'t Template,
        seat: Seat,
        start_s: i64,
        given: BTreeMap<String, String>,
    ) -> Self {
        Self {
            server: seat.server,
            _place: None,
            template,
            kept: given,
            now_s: start_s,
            nonce: seat.first_nonce,
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

    /// What `@something` stands for: `@person`, whom the registry knows under `{number}`, with `{phone}` and
    /// `{email}`; `@qr:NUMBER`, the card of one; `@device:A`; `@otp:ACCOUNT`, the newest code;
    /// `@capture` and `@blurred`; `@chip`, what somebody says of a read, and `@chip:NUMBER`, a read; `@now`; `@principal:NAME`; `@null`.
    fn named(&self, text: &str) -> Value {
        let Some(name) = text.strip_prefix('@') else {
            return Value::String(text.to_owned());
        };
        match name.split_once(':') {
            Some(("device", name)) => json!({
                "identifier": format!("device {name}"), "model": "A", "public_key": public(&device(name)),
            }),
            Some(("otp", account)) => Value::String(self.code_of(account)),
            Some(("chip", number)) => chip_read(number),
            Some(("qr", number)) => Value::String(card_qr(&known(number))),
            Some(("principal", name)) => Value::String(self.template.principals[name].clone()),
            None => match name {
                "person" => self.person(),
                "capture" => json!({ "digest": "ab".repeat(32), "quality": 90 }),
                "blurred" => json!({ "digest": "ab".repeat(32), "quality": 10 }),
                "chip" => json!({
                    "sod": "01".repeat(32), "data_groups": "02".repeat(32),
                    "certificate": "03".repeat(32), "strength": "chip_active_auth", "verifier": 1,
                }),
                "null" => Value::Null,
                "now" => {
                    let now = domain::ids::Micros(self.now_s * 1_000_000);
                    Value::String(api::time::rfc3339(now))
                }
                _ => panic!("@{name} stands for nothing"),
            },
            Some(_) => panic!("@{name} stands for nothing"),
        }
    }

    /// As declared: what the registry knows, with a phone and an address where they are kept.
    fn person(&self) -> Value {
        let known = known(&self.fill("{number}"));
        let mut person = json!({});
        for field in [
            "personal_id",
            "full_name",
            "birth_date",
            "sex",
            "residence",
            "old_id",
            "card_issued",
        ] {
            if let Some(value) = known.get(field) {
                person[field] = value.clone();
            }
        }
        for field in ["phone", "email"] {
            if let Some(value) = self.kept.get(field).filter(|value| !value.is_empty()) {
                person[field] = json!(value);
            }
        }
        person
    }

    /// The newest code that an account was sent.
    fn code_of(&self, account: &str) -> String {
        let (_, messages) = self.server.ask("GET", "/v1/simulation/messages", "", &[]);
        let messages: Vec<Value> = serde_json::from_str(&messages).unwrap();
        let sent = messages
            .iter()
            .find(|message| message["account"] == account && message["code"].is_string());
        let sent = sent.unwrap_or_else(|| panic!("no code was sent to {account}: {messages:?}"));
        sent["code"].as_str().unwrap().to_owned()
    }

    pub fn run(&mut self, step: &Step) {
        for (name, value) in &step.set {
            let value = self.fill(value);
            self.kept.insert(name.clone(), value);
        }
        if let Some(seconds) = step.advance_s {
            self.advance(seconds);
        }
        if let Some(until) = &step.until {
            self.advance(instant(until) - self.now_s);
        }
        if let Some(part) = &step.part {
            let steps: Parts = read(&dir().join("parts").join(format!("{part}.toml")));
            for step in &steps.step {
                self.run(step);
            }
        } else if let Some(file) = &step.law {
            self.publish(file, step);
        } else if step.get.is_some() || step.post.is_some() {
            assert!(step.checks(), "{}: nothing could fail", step.name());
            self.ask(step);
        }
    }

    fn advance(&mut self, seconds: i64) {
        self.now_s += seconds;
        let body = json!({ "seconds": seconds }).to_string();
        let json = [("content-type".to_owned(), "application/json".to_owned())];
        let (status, answer) = self
            .server
            .ask("POST", "/v1/simulation/clock", &body, &json);
        assert_eq!(status, 200, "{answer}");
    }

    fn ask(&mut self, step: &Step) {
        let until = Instant::now() + FOLLOWS_WITHIN;
        loop {
            let (status, answer) = self.send(step);
            let answer: Value = serde_json::from_str(&answer).unwrap_or(Value::String(answer));
            match self.differs(step, status, &answer) {
                None => {
                    for (name, pointer) in &step.keep {
                        let value = find(&answer, &self.fill(pointer)).and_then(Value::as_str);
                        let value = value.unwrap_or_else(|| panic!("no {pointer} in {answer}"));
                        self.kept.insert(name.clone(), value.to_owned());
                    }
                    return;
                }
                Some(difference) => {
                    let again = step.eventually && Instant::now() < until;
                    assert!(again, "{}: {difference}\n{answer}", step.name());
                    std::thread::yield_now();
                }
            }
        }
    }

    fn differs(&self, step: &Step, status: u16, answer: &Value) -> Option<String> {
        if step.status.is_some_and(|wanted| wanted != status) {
            return Some(format!("status {status}, not {:?}", step.status));
        }
        if let Some(wanted) = &step.events {
            let events = answer["events"].as_array().cloned().unwrap_or_default();
            let kinds = events.iter().filter_map(|event| event["kind"].as_str());
            let kinds: Vec<&str> = kinds.collect();
            if kinds != *wanted {
                return Some(format!("events {kinds:?}, not {wanted:?}"));
            }
        }
        let text = answer.to_string();
        let missing = step.contains.iter().map(|part| self.fill(part));
        if let Some(part) = missing.into_iter().find(|part| !text.contains(part)) {
            return Some(format!("`{part}` is not in it"));
        }
        let unwanted = step.lacks.iter().map(|part| self.fill(part));
        if let Some(part) = unwanted.into_iter().find(|part| text.contains(part)) {
            return Some(format!("`{part}` is in it"));
        }
        step.expect.iter().find_map(|(pointer, wanted)| {
            let wanted = self.value(wanted);
            let found = find(answer, &self.fill(pointer)).unwrap_or(&Value::Null);
            (*found != wanted).then(|| format!("{pointer} is {found}, not {wanted}"))
        })
    }

    /// A law file that ships, with changes, proposed by the authority and approved by another.
    fn publish(&mut self, file: &str, step: &Step) {
        let path = dir().join("../../law").join(file);
        let mut text = std::fs::read_to_string(path).unwrap();
        let from = step.from.as_deref().unwrap();
        let old = |name: &str, text: &str| {
            let line = text
                .lines()
                .find(|line| line.starts_with(&format!("{name} = ")));
            line.unwrap().to_owned()
        };
        for (name, new) in [("effective_from", from), ("name", from)] {
            text = text.replacen(&old(name, &text), &format!("{name} = \"{new}\""), 1);
        }
        for (old, new) in &step.change {
            assert!(text.contains(old.as_str()), "{file} does not say `{old}`");
            text = text.replacen(old.as_str(), new, 1);
        }
        let kind = old("law", &text);
        let kind = kind.trim_start_matches("law = ").trim_matches('"');
        let proposals = format!("/v1/law/{kind}/proposals");
        let asked = |answer: &(u16, String)| -> Value {
            assert!((200..300).contains(&answer.0), "{file}: {}", answer.1);
            serde_json::from_str(&answer.1).unwrap()
        };
        let proposed =
            asked(&self.request("authority", "POST", &proposals, json!({ "file": text })));
        let version = proposed["version"].as_u64().unwrap();
        let read = format!("/v1/law/{kind}/versions/{version}");
        let digest = asked(&self.request("nobody", "GET", &read, Value::Null))["digest"].clone();
        let approval = format!("{proposals}/{version}/approval");
        asked(&self.request("second", "POST", &approval, json!({ "digest": digest })));
        self.kept.insert("version".to_owned(), version.to_string());
    }

    fn send(&mut self, step: &Step) -> (u16, String) {
        let (method, path) = match (&step.get, &step.post) {
            (Some(path), None) => ("GET", self.fill(path)),
            (None, Some(path)) => ("POST", self.fill(path)),
            _ => panic!("a step asks for one thing"),
        };
        let body = step
            .body
            .as_ref()
            .map_or(Value::Null, |body| self.value(body));
        let by = self.fill(step.by.as_deref().unwrap_or("nobody"));
        let secret = step.secret.as_ref().map(|secret| self.value(secret));
        self.request_with(&by, method, &path, body, secret.as_ref())
    }

    fn request(&mut self, by: &str, method: &str, path: &str, body: Value) -> (u16, String) {
        self.request_with(by, method, path, body, None)
    }

    fn request_with(
        &mut self,
        by: &str,
        method: &str,
        path: &str,
        mut body: Value,
        secret: Option<&Value>,
    ) -> (u16, String) {
        if method == "POST" && body.is_null() {
            body = json!({});
        }
        let mut headers = vec![("accept-language".to_owned(), "vi".to_owned())];
        if let Some(secret) = secret {
            let secret = BASE64_URL_SAFE_NO_PAD.encode(secret.to_string());
            headers.push(("idledger-secret".to_owned(), secret));
        }
        let signer = match by.split_once(':') {
            Some(("session", token)) => {
                headers.push(("authorization".to_owned(), format!("Bearer {token}")));
                None
            }
            Some(("device", name)) => Some(device(name)),
            _ => {
                let staff = STAFF.iter().find(|(name, ..)| *name == by);
                staff.map(|(_, _, number, _)| key(*number))
            }
        };
        assert!(
            signer.is_some() || by == "nobody" || by.starts_with("session:"),
            "{by} is nobody's name"
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
            headers.extend(self.sign(&signer, method, path, &bytes));
        } else {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        self.server.ask(method, path, &bytes, &headers)
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

/// By JSON pointer, in which `[name=value]` is the element of a list that has that.
fn find<'v>(answer: &'v Value, pointer: &str) -> Option<&'v Value> {
    let mut at = answer;
    for part in pointer.split('/').skip(1) {
        let picked = part
            .strip_prefix('[')
            .and_then(|part| part.strip_suffix(']'));
        at = match picked.and_then(|part| part.split_once('=')) {
            Some((name, value)) => {
                let value = value.replace("~1", "/");
                let mut all = at.as_array()?.iter();
                all.find(|element| element[name].as_str() == Some(&value))?
            }
            None => match at {
                Value::Array(all) => all.get(part.parse::<usize>().ok()?)?,
                _ => at.get(part)?,
            },
        };
    }
    Some(at)
}

fn device(name: &str) -> SigningKey {
    SigningKey::from_bytes(blake3::hash(format!("device {name}").as_bytes()).as_bytes())
}

/// What the registry knows under a number; only the number where it knows nobody.
fn known(number: &str) -> Value {
    let text = std::fs::read_to_string(dir().join("people.jsonl")).unwrap();
    let rows = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let stranger = json!({
        "personal_id": number, "full_name": "Nguyễn Thị Đẹp", "birth_date": "1984-02-29", "sex": "Nữ",
        "residence": "Hải Dương", "card_issued": "2021-06-20",
    });
    rows.into_iter()
        .find(|row| row["personal_id"] == number)
        .unwrap_or(stranger)
}

/// What a device reads from a person's chip.
fn chip_read(number: &str) -> Value {
    let recipe = Recipe::of(number);
    let group = |(number, bytes): &(u8, Vec<u8>)| json!({ "number": number, "content": BASE64_STANDARD.encode(bytes) });
    let groups: Vec<Value> = recipe.groups.iter().map(group).collect();
    json!({ "sod": BASE64_STANDARD.encode(recipe.sod()), "data_groups": groups })
}

/// The seven fields of a card.
fn card_qr(person: &Value) -> String {
    let text = |name: &str| person[name].as_str().unwrap_or_default().to_owned();
    let day = |name: &str| {
        let day = text(name);
        let parts: Vec<&str> = day.split('-').collect();
        parts.into_iter().rev().collect::<String>()
    };
    [
        text("personal_id"),
        text("old_id"),
        text("full_name"),
        day("birth_date"),
        text("sex"),
        text("residence"),
        day("card_issued"),
    ]
    .join("|")
}
