//! A server with peers: a card registry that is down and comes up, an SMS gateway. The program is
//! killed in between. Peers are real HTTP servers here that speak the protocol of `docs/peers.md`.

use crate::run::{Place, Server};
use api::signature::{Target, Unsigned, present, sign_request};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::envelope::WordSource;
use domain::ids::{Position, PublicKey};
use domain::record::RecordRef;
use domain::vocabulary::Database;
use ed25519_dalek::SigningKey;
use ledger::evidence::verify_answers_with;
use ledger::segments::LogReader;
use outside::http::sign_answer;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// 2090-03-07T08:00:00+07:00: officers are enrolled by the real clock, before anything happens.
const START_S: i64 = 3_792_531_600;
const OFFICER: u8 = 11;
const AUTHORITY: u8 = 12;
const IMMIGRATION: u8 = 13;
const OWN: u8 = 61;
const PEER: u8 = 62;

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

/// What a peer does, and what it was asked: path and body.
#[derive(Default)]
struct PeerState {
    down: bool,
    asked: Vec<(String, Value)>,
}

/// Every peer at one address.
struct Peers {
    address: String,
    state: Arc<Mutex<PeerState>>,
    _runtime: tokio::runtime::Runtime,
}

impl Peers {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let state = Arc::new(Mutex::new(PeerState::default()));
        let app = Router::new().fallback(answer).with_state(state.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0");
        let listener = runtime.block_on(listener).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            address,
            state,
            _runtime: runtime,
        }
    }

    fn down(&self, down: bool) {
        self.state.lock().down = down;
    }

    /// What was asked at a path since the last time.
    fn asked(&self, path: &str) -> Vec<Value> {
        let mut state = self.state.lock();
        let (taken, left) = std::mem::take(&mut state.asked)
            .into_iter()
            .partition::<Vec<_>, _>(|(asked, _)| asked == path);
        state.asked = left;
        taken.into_iter().map(|(_, body)| body).collect()
    }

    /// The settings file of a ledger.
    fn settings(&self, place: &Place) -> String {
        let (address, peer) = (&self.address, public(&key(PEER)));
        std::fs::write(place.path("outside.key"), hex::encode([OWN; 32])).unwrap();
        let registry = format!("url = \"http://{address}\"\npeer_key = \"{peer}\"\n");
        let settings = format!(
            "key_file = \"outside.key\"\n[citizen_card]\n{registry}compares = true\n\
             [immigration]\n{registry}[organisations]\n{registry}\
             [documents.driving_licence]\n{registry}[sms]\n{registry}accepted_counts = true\n"
        );
        let path = place.path("outside.toml");
        std::fs::write(&path, settings).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

async fn answer(
    State(state): State<Arc<Mutex<PeerState>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = Target {
        method: &method,
        path: uri.path(),
        query: None,
        authority: None,
    };
    // The server's time is simulated; the peer's goes with it.
    let input = headers["signature-input"].to_str().unwrap();
    let created = input.split(";created=").nth(1).unwrap();
    let now_s: i64 = created.split(';').next().unwrap().parse().unwrap();
    let signed = present(&target, &headers, &body, now_s).unwrap();
    signed.verify(&public(&key(OWN))).unwrap();
    let question: Value = serde_json::from_slice(&body).unwrap();
    let mut known = match uri.path() {
        "/v1/cards/confirm" => json!({
            "answer": "confirmed", "area": 30288, "has_chip_card": true,
            "birth_date": question["birth_date"],
        }),
        "/v1/cards/compare" => json!({ "answer": "match" }),
        "/v1/foreigners/confirm" => json!({
            "answer": "confirmed", "area": 30288, "birth_date": question["birth_date"],
            "document_until": "2095-05-31", "residence": "permanent", "biometrics_held": true,
        }),
        "/v1/documents/check" => json!({ "answer": "verified", "data_as_of": 1 }),
        "/v1/messages" => json!({ "status": "accepted" }),
        path => panic!("{path}"),
    };
    // A registry says the question's salt back.
    if uri.path() != "/v1/messages" {
        known["salt"] = question["salt"].clone();
    }
    let mut state = state.lock();
    state.asked.push((uri.path().to_owned(), question));
    if state.down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let known = known.to_string().into_bytes();
    let asked = (&body[..], signed.nonce.as_str());
    let added = sign_answer(200, &known, asked, &key(PEER), now_s);
    let mut response = (StatusCode::OK, known).into_response();
    for (name, value) in added {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

/// The program at work, and its time.
struct World {
    place: Place,
    server: Option<Server>,
    settings: String,
    now_s: i64,
    nonce: u64,
}

impl World {
    fn new(peers: &Peers) -> Self {
        let place = Place::new();
        place.good(&["init"]);
        let people = place.path("people.jsonl");
        let record = json!({
            "personal_id": "030184000001", "full_name": "Nguyễn Thị Đẹp",
            "birth_date": "1984-02-29", "sex": "Nữ", "area": 30288, "has_chip_card": true,
        });
        std::fs::write(&people, format!("{record}\n")).unwrap();
        place.good(&["registry", "import", people.to_str().unwrap()]);
        for (role, number, site) in [
            ("intake_officer", OFFICER, "1"),
            ("eid_authority", AUTHORITY, "1"),
            ("immigration_officer", IMMIGRATION, "30000"),
        ] {
            let key = public(&key(number)).to_string();
            let enrol = ["keys", "enrol", "--role", role, "--public-key", &key];
            place.good(&[&enrol[..], &["--site", site]].concat());
        }
        let settings = peers.settings(&place);
        let mut world = Self {
            place,
            server: None,
            settings,
            now_s: START_S,
            nonce: 0,
        };
        world.start();
        world
    }

    /// Kills the program if it is at work, and starts it.
    fn start(&mut self) {
        self.server = None;
        let now = self.now_s.to_string();
        let arguments = [
            "--open-reads",
            "--simulate-clock",
            &now,
            "--simulate-sms",
            "--outside",
            &self.settings,
        ];
        self.server = Some(self.place.serve(&arguments, &[]));
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    fn post(&mut self, by: u8, path: &str, mut body: Value) -> Value {
        self.nonce += 1;
        let mut nonce = [0x5a; 16];
        nonce[..8].copy_from_slice(&self.nonce.to_le_bytes());
        body["salt"] = json!(BASE64_URL_SAFE_NO_PAD.encode([7; 16]));
        let body = body.to_string();
        let unsigned = Unsigned {
            method: &Method::POST,
            path_and_query: path,
            headers: &HeaderMap::new(),
            body: body.as_bytes(),
        };
        let added = sign_request(&unsigned, &key(by), self.now_s, nonce).unwrap();
        let headers: Vec<_> = added
            .into_iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let (status, answer) = self.server().ask("POST", path, &body, &headers);
        assert_eq!(status, 201, "{path}: {answer}");
        serde_json::from_str(&answer).unwrap()
    }

    fn pass(&mut self, seconds: i64) {
        self.now_s += seconds;
        let body = json!({ "seconds": seconds }).to_string();
        let json = [("content-type".to_owned(), "application/json".to_owned())];
        let (status, answer) = self
            .server()
            .ask("POST", "/v1/simulation/clock", &body, &json);
        assert_eq!(status, 200, "{answer}");
    }

    /// Asks for an account until it is as wanted: the program works by itself.
    fn until(&self, account: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            // A read model may be a moment behind: the account is not there, or not so far.
            let path = format!("/v1/accounts/{account}");
            let (_, found) = self.server().ask("GET", &path, "", &[]);
            let found: Value = serde_json::from_str(&found).unwrap();
            if found["state"].is_object() && wanted(&found["state"]) {
                return found;
            }
            assert!(Instant::now() < end, "{found}");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

fn waiting(state: &Value) -> usize {
    state["waiting"].as_array().unwrap().len()
}

/// A dossier, handed in.
fn handed_in(world: &mut World) -> (String, String) {
    let person = json!({
        "personal_id": "030184000001", "full_name": "Nguyễn Thị Đẹp", "birth_date": "1984-02-29",
        "sex": "Nữ", "residence": "Hải Dương", "phone": "0912345671",
    });
    let body = json!({
        "person": person, "site": 1, "person_present": true, "with_card_issue": false,
    });
    let opened = world.post(OFFICER, "/v1/intakes", body);
    let text = |field: &str| opened[field].as_str().unwrap().to_owned();
    let (account, case) = (text("account"), text("case"));
    let at = format!("/v1/accounts/{account}/cases/{case}");
    let capture = |byte: &str| json!({ "digest": byte.repeat(32), "quality": 90 });
    let body = json!({ "portrait": capture("ab"), "fingerprints": capture("cd") });
    world.post(OFFICER, &format!("{at}/biometrics"), body);
    let body = json!({ "given": true, "text_version": 1 });
    world.post(OFFICER, &format!("{at}/consent"), body);
    world.post(OFFICER, &format!("{at}/submission"), json!({}));
    (account, at)
}

fn kinds(world: &World, account: &str) -> Vec<String> {
    let ran = world
        .place
        .good(&["log", "--account", account, "--format", "jsonl"]);
    let lines = ran.lines();
    let kinds = lines
        .iter()
        .map(|line| line["kind"].as_str().unwrap().to_owned());
    kinds.collect()
}

#[test]
#[allow(clippy::too_many_lines, reason = "a story reads best whole")]
fn a_dossier_waits_for_a_registry_that_is_down_through_a_restart_and_goes_on() {
    let peers = Peers::start();
    let mut world = World::new(&peers);
    peers.down(true);
    let (account, at) = handed_in(&mut world);
    let found = world.until(&account, |state| waiting(state) == 3);
    assert_eq!(found["state"]["cases"][0]["state"], "awaiting_biometric");
    let metrics = world.server().get("/metrics");
    let breaker = "idledger_peer_breaker{peer=\"citizen_card\"} 2";
    assert!(metrics.contains(breaker), "{metrics}");
    assert!(metrics.contains("idledger_peer_breaker{peer=\"documents.driving_licence\"} 0"));

    // Killed, and started while the registry is still down: nothing is forgotten, nothing written.
    world.start();
    let length = kinds(&world, &account).len();
    peers.asked("/v1/cards/confirm");
    world.pass(3600);
    let end = Instant::now() + Duration::from_secs(20);
    while peers.asked("/v1/cards/confirm").is_empty() {
        assert!(Instant::now() < end, "asked by itself");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    assert_eq!(kinds(&world, &account).len(), length);
    world.start();
    peers.asked("/v1/cards/compare");
    peers.down(false);
    world.pass(3600);
    let found = world.until(&account, |state| waiting(state) == 0);
    assert_eq!(found["state"]["cases"][0]["state"], "awaiting_decision");
    // A busy machine may be slow to answer, and the same is asked again.
    let compared = peers.asked("/v1/cards/compare");
    // A busy machine asks one of them again before it asks for the other.
    let asked_for = |capture: &str| compared.iter().any(|asked| asked["capture"] == capture);
    assert!(asked_for(&"ab".repeat(32)) && asked_for(&"cd".repeat(32)));
    let expected = [
        "RegistryCheckSucceeded",
        "RegistryWaitEnded",
        "BiometricMatchRecorded",
        "RegistryWaitEnded",
        "BiometricMatchRecorded",
        "RegistryWaitEnded",
    ];
    let kinds = kinds(&world, &account);
    assert_eq!(kinds[length..], expected, "{kinds:?}");
    world.post(
        AUTHORITY,
        &format!("{at}/decision"),
        json!({ "approve": true }),
    );
    let found = world.until(&account, |state| state["cases"][0]["notified"] == true);
    assert_eq!(found["level"], 2);

    // P6: the gateway was told once, and the seven days run.
    let told = peers.asked("/v1/messages");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["to"], "+84912345671");
    let (code, log) = world.server.take().unwrap().end();
    assert_eq!(code, 0, "{log}");
    let listed = world.place.good(&["notices", "list", "--format", "jsonl"]);
    let listed = listed.lines();
    assert_eq!(listed.len(), 1);
    let notice = &listed[0];
    assert_eq!(
        (&notice["state"], &notice["channel"]),
        (&json!("received"), &json!("sms"))
    );
    assert_eq!(
        (&notice["attempts"], &notice["message"]),
        (&json!(1), &json!("MSG_ISSUANCE_RESULT"))
    );
    assert_eq!(notice["notice"], told[0]["id"]);
    let none = world
        .place
        .good(&["notices", "list", "--state", "pending", "--format", "jsonl"]);
    assert_eq!(none.stdout, "");
    let id = notice["notice"].as_str().unwrap();
    let shown = world
        .place
        .good(&["notices", "show", id, "--format", "json", "--from-log"])
        .json();
    let events: Vec<_> = shown["events"].as_array().unwrap().iter().collect();
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "AccountIssued",
            "NoticeSent",
            "NoticeDelivered",
            "ResultNotified"
        ]
    );
    let unknown = world.place.run(&["notices", "show", &"0".repeat(32)]);
    assert_eq!(unknown.code, 1, "{}", unknown.stderr);
    assert_eq!(peers_words(&world), [Database::CitizenCard; 3]);
    world.place.good(&["verify"]);
}

/// The databases whose signed word is in the log; each signature is good without anything sealed.
fn peers_words(world: &World) -> Vec<Database> {
    let log = LogReader::open(&world.place.ledger()).unwrap();
    let (mut scanner, mut words) = (log.scan(Position(0)).unwrap(), Vec::new());
    while let Some(scanned) = scanner.next_record().unwrap() {
        let redacted = RecordRef::parse(&scanned.record.bytes).unwrap().redacted();
        let record = RecordRef::parse(&redacted).unwrap();
        let envelope = record.open_envelope().unwrap();
        let good = verify_answers_with(&envelope, domain::record::verify).unwrap();
        let before = words.len();
        for word in envelope.receipt.iter().flat_map(|receipt| &receipt.answers) {
            if let WordSource::Peer { base, key: by, .. } = &word.source {
                assert_eq!(*by, public(&key(PEER)));
                assert!(base.contains("\"content-digest\";req: sha-256=:"), "{base}");
                words.push(word.database);
            }
        }
        assert_eq!(words.len() - before, good as usize);
        if good > 0 {
            let position = scanned.record.position.0.to_string();
            let shown = world.place.good(&["show", &position, "--format", "json"]);
            let checked = "\"registry_signatures\":\"good\"";
            assert!(shown.json().to_string().contains(checked));
        }
    }
    words
}

#[test]
fn a_foreigners_dossier_waits_for_the_immigration_database_through_a_restart() {
    let peers = Peers::start();
    let mut world = World::new(&peers);
    peers.down(true);
    let person = json!({
        "personal_id": "NN0000012345", "full_name": "JANE DOE", "birth_date": "1984-02-29",
        "sex": "Nữ", "phone": "0912345671",
    });
    let document = json!({
        "nationality": "FRA", "kind": "passport", "number": "12AB34567", "issued": "2020-01-31",
        "place": "Paris",
    });
    let body = json!({ "person": person, "travel_document": document, "person_present": true });
    let opened = world.post(IMMIGRATION, "/v1/foreigners/intakes", body);
    let account = opened["account"].as_str().unwrap().to_owned();
    world.until(&account, |state| waiting(state) == 1);
    let length = kinds(&world, &account).len();
    world.start();
    peers.down(false);
    world.pass(3600);
    let found = world.until(&account, |state| waiting(state) == 0);
    assert_eq!(found["state"]["identification"]["area"], 30_288);
    let expected = [
        "RegistryCheckSucceeded",
        "ValidityRecorded",
        "ForeignerChecked",
        "RegistryWaitEnded",
    ];
    let kinds = kinds(&world, &account);
    assert_eq!(kinds[length..], expected, "{kinds:?}");
    let metrics = world.server().get("/metrics");
    for peer in ["organisations", "sms", "immigration"] {
        let breaker = format!("idledger_peer_breaker{{peer=\"{peer}\"}} 0");
        assert!(metrics.contains(&breaker), "{metrics}");
    }
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_code_goes_through_the_gateway_and_is_stored_nowhere() {
    let peers = Peers::start();
    let mut world = World::new(&peers);
    // With the real clock, and no simulated SMS.
    world.server = None;
    let arguments = ["--open-reads", "--outside", &world.settings];
    world.server = Some(world.place.serve(&arguments, &[]));
    let body = json!({
        "personal_id": "030184000001", "full_name": "Nguyễn Thị Đẹp", "birth_date": "1984-02-29",
        "sex": "Nữ", "residence": "Hải Dương", "phone": "0912345671",
    });
    let json = [("content-type".to_owned(), "application/json".to_owned())];
    let (status, asked) = world
        .server()
        .ask("POST", "/v1/registrations", &body.to_string(), &json);
    assert_eq!(status, 201, "{asked}");
    let asked: Value = serde_json::from_str(&asked).unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    let sent = loop {
        if let Some(sent) = peers.asked("/v1/messages").pop() {
            break sent;
        }
        assert!(Instant::now() < end, "the code leaves by itself");
        std::thread::park_timeout(Duration::from_millis(20));
    };
    let text = sent["text"].as_str().unwrap();
    let runs = text.split(|c: char| !c.is_ascii_digit());
    let code = runs.into_iter().find(|run| run.len() == 6).unwrap();
    let account = asked["account"].as_str().unwrap();
    let body = json!({ "challenge": asked["challenge"], "otp": code }).to_string();
    let path = format!("/v1/registrations/{account}/otp");
    let (status, confirmed) = world.server().ask("POST", &path, &body, &json);
    assert_eq!(status, 201, "{confirmed}");
    let (exit, log) = world.server.take().unwrap().end();
    assert_eq!(exit, 0, "{log}");
    assert!(!log.contains(code) && !log.contains("912345671"), "{log}");
    for file in files(&world.place.ledger()) {
        let bytes = std::fs::read(&file).unwrap();
        // Search in text is compiled with the standard library: a log is 64 MiB of mostly zeros.
        let content = String::from_utf8_lossy(&bytes);
        for hidden in [code, text, "912345671"] {
            let found = content.contains(hidden);
            assert!(!found, "{} holds it", file.display());
        }
    }
}
