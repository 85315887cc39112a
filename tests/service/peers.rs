//! Peers of the ledger: an SMS gateway and a registry over real HTTP, with faults, and a real mail
//! server.

use super::world::{World, key, public};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use core::time::Duration;
use domain::ids::Micros;
use ledger::wiring::{Ids, ManualClock, SeededRandomness};
use outside::http::{Peer, PeerSettings, sign_answer};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::{Path as File, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// The key that signs requests to peers.
const OWN: u8 = 61;
/// The peers' key.
const PEER: u8 = 62;
/// A key of nobody.
const STRANGER: u8 = 63;

/// Ids on a clock that stands still.
pub fn ids() -> Arc<Ids> {
    let clock = Arc::new(ManualClock::new(super::world::START));
    Arc::new(Ids::new(clock, Arc::new(SeededRandomness::new(99))))
}

fn peer(base: String, ids: Arc<Ids>, time_max: Duration) -> Peer {
    let settings = PeerSettings {
        base,
        key: key(OWN),
        peer_key: public(&key(PEER)),
        time_max,
    };
    Peer::new(settings, ids).unwrap()
}

/// Checks a request as the protocol says, and returns its nonce.
fn checked(
    method: &str,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
    now_s: i64,
) -> Option<String> {
    let method = method.parse().unwrap();
    let target = api::signature::Target {
        method: &method,
        path,
        query: None,
        authority: None,
    };
    let presented = api::signature::present(&target, headers, body, now_s).ok()?;
    presented.verify(&public(&key(OWN))).ok()?;
    if !body.is_empty() {
        let body: Value = serde_json::from_slice(body).ok()?;
        assert!(body["salt"].as_str().unwrap().len() >= 22);
    }
    Some(presented.nonce)
}

fn answer(
    status: StatusCode,
    body: &[u8],
    asked: (&[u8], &str),
    signer: u8,
    now_s: i64,
) -> Response {
    let signed = sign_answer(status.as_u16(), body, asked, &key(signer), now_s);
    let mut response = (status, body.to_vec()).into_response();
    for (name, value) in signed {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}")
}

#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
struct GatewayState {
    messages: Vec<(String, String, String, bool)>,
    /// Ids as they came, also those that came before.
    came: Vec<String>,
    failing: bool,
    failing_once: bool,
    refusing: bool,
    delivered: bool,
}

/// An SMS gateway that takes each id once.
pub struct Gateway {
    base: String,
    state: Arc<Mutex<GatewayState>>,
    came: Arc<Notify>,
}

type GatewayShare = (Arc<Mutex<GatewayState>>, Arc<Notify>);

impl Gateway {
    pub async fn start() -> Self {
        let state = Arc::new(Mutex::new(GatewayState::default()));
        let came = Arc::new(Notify::new());
        let app = Router::new()
            .route("/v1/messages", post(take))
            .route("/v1/messages/{id}", get(tell))
            .with_state((state.clone(), came.clone()));
        let base = serve(app).await;
        Self { base, state, came }
    }

    pub fn peer(&self, world: &World) -> Peer {
        let ids = Ids::new(world.clock.clone(), Arc::new(SeededRandomness::new(97)));
        peer(self.base.clone(), Arc::new(ids), Duration::from_secs(5))
    }

    /// Ids as they came, also those that came before.
    pub fn came(&self) -> Vec<String> {
        self.state.lock().came.clone()
    }

    pub fn fail(&self, failing: bool) {
        self.state.lock().failing = failing;
    }

    pub fn fail_once(&self) {
        self.state.lock().failing_once = true;
    }

    pub fn refuse(&self, refusing: bool) {
        self.state.lock().refusing = refusing;
    }

    pub fn deliver(&self) {
        self.state.lock().delivered = true;
    }

    /// Numbers, and whether the text is one of the catalogue's.
    pub fn taken(&self) -> Vec<(String, bool)> {
        let state = self.state.lock();
        let messages = state.messages.iter();
        messages
            .map(|(_, to, text, _)| {
                (
                    to.clone(),
                    text.contains("tài khoản") || text.contains("Mã"),
                )
            })
            .collect()
    }

    /// The text of the first message, once it came.
    pub async fn next_text(&self) -> String {
        let came = self.came.notified();
        tokio::time::timeout(Duration::from_secs(20), came)
            .await
            .unwrap();
        self.state.lock().messages[0].2.clone()
    }
}

async fn take(
    State((state, came)): State<GatewayShare>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut state = state.lock();
    if state.failing || std::mem::take(&mut state.failing_once) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if state.refusing {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    // The world's clock is moved by hours; a gateway's own would not be.
    let Some((nonce, now_s)) = at_any_time(&headers, |now_s| {
        checked("POST", "/v1/messages", &headers, &body, now_s)
    }) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let told: Value = serde_json::from_slice(&body).unwrap();
    let text = |field: &str| told[field].as_str().unwrap().to_owned();
    let id = text("id");
    state.came.push(id.clone());
    if !state.messages.iter().any(|(known, ..)| *known == id) {
        let (to, text) = (text("to"), text("text"));
        state.messages.push((id, to, text, false));
    }
    came.notify_one();
    let accepted = json!({ "status": "accepted" }).to_string();
    let (accepted, asked) = (accepted.as_bytes(), (&body[..], nonce.as_str()));
    answer(StatusCode::ACCEPTED, accepted, asked, PEER, now_s)
}

async fn tell(
    State((state, _)): State<GatewayShare>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let state = state.lock();
    let path = format!("/v1/messages/{id}");
    let Some((nonce, now_s)) = at_any_time(&headers, |now_s| {
        checked("GET", &path, &headers, b"", now_s)
    }) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    if !state.messages.iter().any(|(known, ..)| *known == id) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let status = if state.delivered {
        "delivered"
    } else {
        "accepted"
    };
    let body = json!({ "status": status }).to_string();
    answer(StatusCode::OK, body.as_bytes(), (b"", &nonce), PEER, now_s)
}

/// Reads `created` off the request: the peer's clock goes with the test's.
fn at_any_time<T>(headers: &HeaderMap, check: impl Fn(i64) -> Option<T>) -> Option<(T, i64)> {
    let input = headers.get("signature-input")?.to_str().ok()?;
    let created = input.split(";created=").nth(1)?.split(';').next()?;
    let now_s = created.parse().ok()?;
    check(now_s).map(|found| (found, now_s))
}

/// What a registry does to its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    Slow,
    Broken,
    Garbage,
    Unsigned,
    OtherKey,
    OtherBody,
    OtherNonce,
    /// Signed for another question, or for none.
    OtherQuestion,
    NoQuestion,
    /// Without the question's salt, or with another.
    NoSalt,
    OtherSalt,
    Drops,
    Long,
}

#[derive(Clone)]
struct RegistryShare {
    fault: Arc<Mutex<Fault>>,
    asked: Arc<Mutex<u32>>,
}

/// A registry that knows everybody whose number does not end in 404.
pub struct Registry {
    base: String,
    share: RegistryShare,
    pub clock: Arc<ManualClock>,
    ids: Arc<Ids>,
}

impl Registry {
    pub async fn start() -> Self {
        let share = RegistryShare {
            fault: Arc::new(Mutex::new(Fault::None)),
            asked: Arc::default(),
        };
        let app = Router::new()
            .route("/npdb/v1/people/confirm", post(confirm))
            .route("/npdb/v1/people/relation", post(relation))
            .route("/npdb/v1/cards/confirm", post(card))
            .route("/npdb/v1/cards/compare", post(compare))
            .route("/npdb/v1/foreigners/confirm", post(foreigner))
            .route("/npdb/v1/foreigners/relation", post(foreign_relation))
            .route("/npdb/v1/organisations/confirm", post(organisation))
            .route("/npdb/v1/documents/check", post(document))
            .with_state(share.clone());
        let clock = Arc::new(ManualClock::new(super::world::START));
        let ids = Ids::new(clock.clone(), Arc::new(SeededRandomness::new(98)));
        let base = format!("{}/npdb", serve(app).await);
        Self {
            base,
            share,
            clock,
            ids: Arc::new(ids),
        }
    }

    pub fn peer(&self) -> Peer {
        peer(
            self.base.clone(),
            self.ids.clone(),
            Duration::from_millis(400),
        )
    }

    pub fn fault(&self, fault: Fault) {
        *self.share.fault.lock() = fault;
    }

    /// How often it was asked since the last time this was asked.
    pub fn asked(&self) -> u32 {
        std::mem::take(&mut *self.share.asked.lock())
    }

    pub fn pass(&self, seconds: i64) {
        self.clock.advance(seconds * Micros::SECOND);
    }
}

async fn confirm(State(share): State<RegistryShare>, headers: HeaderMap, body: Bytes) -> Response {
    let path = "/npdb/v1/people/confirm";
    registry(&share, path, &headers, &body, person).await
}

async fn card(State(share): State<RegistryShare>, headers: HeaderMap, body: Bytes) -> Response {
    let path = "/npdb/v1/cards/confirm";
    registry(&share, path, &headers, &body, person).await
}

fn person(question: &Value) -> Value {
    match question["personal_id"].as_str().unwrap() {
        number if number.ends_with("404") => json!({ "answer": "not_found" }),
        number if number.ends_with("409") => json!({ "answer": "mismatch" }),
        _ => json!({
            "answer": "confirmed", "area": 30288, "has_chip_card": true,
            "birth_date": question["birth_date"],
        }),
    }
}

async fn relation(State(share): State<RegistryShare>, headers: HeaderMap, body: Bytes) -> Response {
    let path = "/npdb/v1/people/relation";
    registry(&share, path, &headers, &body, related).await
}

async fn foreign_relation(
    State(share): State<RegistryShare>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = "/npdb/v1/foreigners/relation";
    registry(&share, path, &headers, &body, related).await
}

fn related(question: &Value) -> Value {
    assert_ne!(question["guardian"], question["dependant"]);
    match question["dependant"].as_str().unwrap() {
        number if number.ends_with("555") => json!({ "answer": "not_related", "ward": false }),
        number if number.ends_with("777") => {
            json!({ "answer": "confirmed", "relation": "guardian", "ward": true })
        }
        number if number.ends_with("999") => {
            json!({ "answer": "confirmed", "relation": "uncle", "ward": true })
        }
        _ => json!({ "answer": "confirmed", "relation": "parent", "ward": false }),
    }
}

async fn organisation(
    State(share): State<RegistryShare>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = "/npdb/v1/organisations/confirm";
    let know = |question: &Value| match question["number"].as_str().unwrap() {
        "0100109106" => json!({
            "answer": "confirmed", "area": 30288,
            "representatives": ["030184000001", "NN0000012345"],
        }),
        "NOBODYS" => json!({ "answer": "confirmed", "area": 30288, "representatives": ["x y"] }),
        "NOWHERE" => json!({ "answer": "confirmed", "area": 1_000_000, "representatives": [] }),
        "CROWD" => {
            let crowd = vec!["030184000001"; 17];
            json!({ "answer": "confirmed", "area": 30288, "representatives": crowd })
        }
        "OTHERNAME" => json!({ "answer": "mismatch" }),
        _ => json!({ "answer": "not_found" }),
    };
    registry(&share, path, &headers, &body, know).await
}

async fn compare(State(share): State<RegistryShare>, headers: HeaderMap, body: Bytes) -> Response {
    let path = "/npdb/v1/cards/compare";
    let know = |question: &Value| {
        assert_eq!(question["capture"].as_str().unwrap().len(), 64);
        match question["modality"].as_str().unwrap() {
            _ if question["personal_id"].as_str().unwrap().ends_with("404") => {
                json!({ "answer": "no_reference" })
            }
            "portrait" => json!({ "answer": "match" }),
            _ => json!({ "answer": "no_match" }),
        }
    };
    registry(&share, path, &headers, &body, know).await
}

async fn foreigner(
    State(share): State<RegistryShare>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = "/npdb/v1/foreigners/confirm";
    let know = |question: &Value| {
        assert_eq!(question["nationality"], "FRA");
        match question["document_number"].as_str().unwrap() {
            "12AB34567" => json!({
                "answer": "confirmed", "area": 30288, "birth_date": question["birth_date"],
                "document_until": "2030-05-31", "residence": "temporary",
                "residence_until": "2027-01-15", "biometrics_held": true,
            }),
            "NOLASTDAY" => json!({
                "answer": "confirmed", "area": 30288, "birth_date": "1985",
                "residence": "permanent", "biometrics_held": false,
            }),
            "NODAY" => json!({
                "answer": "confirmed", "area": 30288, "birth_date": "1985",
                "document_until": "2030-02-30", "residence": "none", "biometrics_held": false,
            }),
            "OTHER" => json!({ "answer": "mismatch" }),
            _ => json!({ "answer": "not_found" }),
        }
    };
    registry(&share, path, &headers, &body, know).await
}

async fn document(State(share): State<RegistryShare>, headers: HeaderMap, body: Bytes) -> Response {
    registry(
        &share,
        "/npdb/v1/documents/check",
        &headers,
        &body,
        |question| match question["number"].as_str().unwrap() {
            "030012345678" => {
                json!({ "answer": "verified", "data_as_of": 1_709_000_000_000_000_i64 })
            }
            "tomorrow" => json!({ "answer": "verified", "data_as_of": i64::MAX }),
            _ => json!({ "answer": "owner_mismatch" }),
        },
    )
    .await
}

async fn registry(
    share: &RegistryShare,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
    know: impl Fn(&Value) -> Value,
) -> Response {
    *share.asked.lock() += 1;
    let fault = *share.fault.lock();
    let signed = at_any_time(headers, |now_s| checked("POST", path, headers, body, now_s));
    let Some((nonce, now_s)) = signed else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let question: Value = serde_json::from_slice(body).unwrap();
    let mut known = know(&question);
    known["salt"] = question["salt"].clone();
    match fault {
        Fault::NoSalt => drop(known.as_object_mut().unwrap().remove("salt")),
        Fault::OtherSalt => known["salt"] = json!("AAAAAAAAAAAAAAAAAAAAAA"),
        _ => {}
    }
    let known = known.to_string();
    let known = known.as_bytes();
    let (ok, asked) = (StatusCode::OK, (body, nonce.as_str()));
    match fault {
        Fault::None | Fault::NoSalt | Fault::OtherSalt => answer(ok, known, asked, PEER, now_s),
        Fault::Slow => core::future::pending().await,
        Fault::Broken => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Fault::Garbage => answer(ok, b"{\"answer\":\"yes\"", asked, PEER, now_s),
        Fault::Unsigned => (ok, known.to_vec()).into_response(),
        Fault::OtherKey => answer(ok, known, asked, STRANGER, now_s),
        Fault::OtherBody => {
            let signed = answer(ok, b"{\"answer\":\"not_found\"}", asked, PEER, now_s);
            (signed.status(), signed.headers().clone(), known.to_vec()).into_response()
        }
        Fault::OtherQuestion => answer(ok, known, (b"{}", &nonce), PEER, now_s),
        Fault::NoQuestion => answer(ok, known, (b"", &nonce), PEER, now_s),
        Fault::OtherNonce => {
            let asked = (body, "AAAAAAAAAAAAAAAAAAAAAA");
            answer(ok, known, asked, PEER, now_s)
        }
        Fault::Drops => panic!("the connection breaks here, as it is meant to"),
        Fault::Long => answer(ok, &vec![b' '; 1 << 20], asked, PEER, now_s),
    }
}

/// A mail server in a process of its own, with a place of its own for what it is made of.
pub struct MailServer {
    child: Child,
    pub port: u16,
    mails: Arc<Mutex<Vec<Value>>>,
}

impl MailServer {
    pub fn start() -> Self {
        let script = File::new(env!("CARGO_MANIFEST_DIR")).join("python/mail_server.py");
        let mut child = Command::new(interpreter())
            .arg(script)
            .stdout(Stdio::piped())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().trim().parse().unwrap();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let into = mails.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                into.lock().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, port, mails }
    }

    /// What it has taken so far, at least one. The server writes a mail down before it says that it
    /// took it.
    pub fn received(&self) -> Vec<Value> {
        self.received_all(1)
    }

    /// The same, at least so many.
    pub fn received_all(&self, count: usize) -> Vec<Value> {
        for _ in 0..1000 {
            if self.mails.lock().len() >= count {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        self.mails.lock().clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Python with `aiosmtpd` in a place under the target directory, made once.
fn interpreter() -> PathBuf {
    let place = File::new(env!("CARGO_TARGET_TMPDIR")).join("python-aiosmtpd-1.4.6");
    let lock = std::fs::File::create(place.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let (python, ready) = (place.join("bin/python"), place.join("ready"));
    if !ready.exists() {
        let _ = std::fs::remove_dir_all(&place);
        let run =
            |command: &mut Command| assert!(command.status().unwrap().success(), "{command:?}");
        run(Command::new("python3").args(["-m", "venv"]).arg(&place));
        let arguments = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ];
        run(Command::new(&python).args(arguments).arg("aiosmtpd==1.4.6"));
        std::fs::write(ready, "").unwrap();
    }
    python
}
