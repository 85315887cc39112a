//! A service over a ledger in memory, with a clock that is moved by hand, a registry that knows
//! everybody, and a channel that can be read.

use api::Config;
use api::app::app;
use api::signature::{Unsigned, sign_request};
use api::state::Api;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::command::{DocumentAnswer, ImmigrationAnswer, RegistryAnswer, RelationAnswer};
use domain::event::LedgerCreated;
use domain::ids::{AreaCode, Category, Digest, LedgerId, LocalDay, Micros, PublicKey};
use domain::personal::{Organisation, Person};
use domain::vocabulary::{DocumentKind, RegistryOutcome, Relation, ResidenceStatus, Role};
use ed25519_dalek::SigningKey;
use ledger::credentials::{Concurrency, Cost, Credentials};
use ledger::evidence::Proven;
use ledger::ledger::{Ledger, Parts};
use ledger::memory::Memory;
use ledger::messenger::Mailbox;
use ledger::registry::{
    Answered, CitizenCardRegistry, DocumentRegistry, Foreigner, ImmigrationRegistry,
    OrganisationRegistry, OrganisationReply, PopulationRegistry, Unreachable,
};
use ledger::secrets::{Keys, Secret32};
use ledger::store::{BoxFuture, EventStore};
use ledger::vault::Vault;
use ledger::wiring::{Ids, ManualClock, SeededRandomness};
use ledger::writer::assemble::Assembler;
use projections::{Options, Views};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tower::ServiceExt as _;

/// 2024-03-05T00:53:20Z.
pub const START: Micros = Micros(1_709_600_000_000_000);
/// The reader's bearer token.
pub const READER: &str = "reader-token-of-the-tests-0123456789";

/// Knows everybody, except numbers that end in 404; has no answer to those that end in 503, and none
/// at all at the desk, about documents, foreigners and organisations while there is a file of that name.
#[derive(Clone)]
struct Registry {
    silent: std::path::PathBuf,
}

impl Registry {
    fn is_silent(&self) -> bool {
        self.silent.exists()
    }
}

impl PopulationRegistry for Registry {
    fn confirm<'a>(&'a self, person: &'a Person) -> BoxFuture<'a, Answered<RegistryAnswer>> {
        Box::pin(async move {
            if person.personal_id.ends_with("404") {
                return RegistryAnswer::Not(RegistryOutcome::Mismatch).into();
            }
            if person.personal_id.ends_with("503") {
                return RegistryAnswer::Not(RegistryOutcome::Unavailable).into();
            }
            RegistryAnswer::Confirmed {
                area: AreaCode(30288),
                birth_date: person.birth_date.clone(),
                has_chip_card: true,
            }
            .into()
        })
    }

    /// Everybody is everybody's parent, but of numbers that end in 555; those that end in 777 are
    /// wards.
    fn relation<'a>(
        &'a self,
        dependant: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Answered<RelationAnswer>> {
        Box::pin(async move {
            let ward = dependant.ends_with("777");
            if dependant.ends_with("555") {
                return RelationAnswer::NotRelated { ward }.into();
            }
            let relation = Relation::Parent;
            RelationAnswer::Confirmed { relation, ward }.into()
        })
    }
}

impl CitizenCardRegistry for Registry {
    fn confirm<'a>(&'a self, person: &'a Person) -> BoxFuture<'a, Answered<RegistryAnswer>> {
        if self.is_silent() {
            return CitizenCardRegistry::confirm(&Unreachable, person);
        }
        PopulationRegistry::confirm(self, person)
    }
}

impl DocumentRegistry for Registry {
    fn check<'a>(
        &'a self,
        personal_id: &'a str,
        kind: DocumentKind,
        number: &'a str,
    ) -> BoxFuture<'a, Answered<DocumentAnswer>> {
        if self.is_silent() {
            return Unreachable.check(personal_id, kind, number);
        }
        Box::pin(async move { DocumentAnswer::Verified { data_as_of: START }.into() })
    }
}

/// Foreigners whose number ends in `R` have no residence card, and a document without a last day;
/// everybody's biometrics are held.
impl ImmigrationRegistry for Registry {
    fn confirm<'a>(
        &'a self,
        foreigner: Foreigner<'a>,
    ) -> BoxFuture<'a, Answered<ImmigrationAnswer>> {
        Box::pin(async move {
            let person = foreigner.person;
            if self.is_silent() {
                return ImmigrationRegistry::confirm(&Unreachable, foreigner).await;
            }
            if foreigner.document_number.ends_with("404") {
                return ImmigrationAnswer::Not(RegistryOutcome::Mismatch).into();
            }
            let day = START.local_day().0;
            let stays = !person.personal_id.ends_with('R');
            ImmigrationAnswer::Confirmed {
                area: AreaCode(30288),
                birth_date: person.birth_date.clone(),
                document_until: stays.then_some(LocalDay(day + 30)),
                residence: if stays {
                    ResidenceStatus::Temporary
                } else {
                    ResidenceStatus::None
                },
                residence_until: stays.then_some(LocalDay(day + 60)),
                biometrics_held: true,
            }
            .into()
        })
    }

    fn relation<'a>(
        &'a self,
        dependant: &'a str,
        guardian: &'a str,
    ) -> BoxFuture<'a, Answered<RelationAnswer>> {
        PopulationRegistry::relation(self, dependant, guardian)
    }
}

/// Knows one enterprise and its two legal representatives.
impl OrganisationRegistry for Registry {
    fn confirm_organisation<'a>(
        &'a self,
        organisation: &'a Organisation,
    ) -> BoxFuture<'a, Answered<OrganisationReply>> {
        Box::pin(async move {
            if self.is_silent() {
                return Unreachable.confirm_organisation(organisation).await;
            }
            if organisation.number != ENTERPRISE {
                return OrganisationReply::Not(RegistryOutcome::NotFound).into();
            }
            OrganisationReply::Confirmed {
                area: AreaCode(30288),
                representatives: REPRESENTATIVES.map(str::to_owned).to_vec(),
            }
            .into()
        })
    }
}

/// The enterprise that the databases know.
pub const ENTERPRISE: &str = "0100109106";
/// Its legal representatives.
pub const REPRESENTATIVES: [&str; 2] = ["030184000001", "030184000002"];

/// Somebody with a key.
pub fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

pub fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

/// The service and everything around it.
pub struct World {
    pub api: Api,
    pub app: Router,
    pub ledger: Ledger,
    pub views: Views,
    pub clock: Arc<ManualClock>,
    pub mailbox: Arc<Mailbox>,
    pub officer: SigningKey,
    pub authority: SigningKey,
    pub adapter: SigningKey,
    pub hotline: SigningKey,
    pub competent: SigningKey,
    pub relying: SigningKey,
    pub immigration: SigningKey,
    nonce: AtomicU64,
    pub directory: tempfile::TempDir,
}

/// An answer.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// The text at a field.
    pub fn text(&self, field: &str) -> String {
        self.json()[field].as_str().unwrap_or_default().to_owned()
    }

    pub fn code(&self) -> String {
        self.text("code")
    }

    #[track_caller]
    pub fn recorded(self) -> Self {
        let body = String::from_utf8_lossy(&self.bytes);
        assert_eq!(self.status, StatusCode::CREATED, "{body}");
        self
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        let body = String::from_utf8_lossy(&self.bytes);
        assert_eq!(self.status, StatusCode::OK, "{body}");
        self
    }

    /// A well-formed problem with this code; the status is the one in the document.
    #[track_caller]
    pub fn problem(self, code: &str) -> Self {
        let body = self.json();
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], self.status.as_u16(), "{body}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(
            self.headers["x-request-id"].to_str().unwrap(),
            body["request_id"]
        );
        for field in ["type", "title", "instance"] {
            assert!(
                body[field].as_str().is_some_and(|text| !text.is_empty()),
                "{body}"
            );
        }
        self
    }
}

pub fn open_config() -> Config {
    Config {
        peer_rate: None,
        caller_rate: None,
        ..Config::default()
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with(open_config()).await
    }

    pub async fn with(config: Config) -> Self {
        Self::over(config, Arc::new(Memory::new())).await
    }

    pub async fn over(config: Config, store: Arc<dyn EventStore>) -> Self {
        // What a failing test needs to be understood: the internal messages of problems.
        let log = tracing_subscriber::fmt().with_test_writer();
        let _ = log
            .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
            .try_init();
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(START));
        let mailbox = Arc::new(Mailbox::default());
        let ledger = ledger(directory.path(), store, clock.clone(), mailbox.clone()).await;
        let (officer, authority, adapter, hotline) = (key(11), key(12), key(13), key(14));
        let (competent, relying, immigration) = (key(25), key(26), key(27));
        for (role, key, sites) in [
            (Role::IntakeOfficer, &officer, vec![1]),
            (Role::EidAuthority, &authority, vec![]),
            (Role::RegistryAdapter, &adapter, vec![]),
            (Role::HotlineAgent, &hotline, vec![]),
            (Role::CompetentAuthority, &competent, vec![]),
            (Role::ImmigrationOfficer, &immigration, vec![30_000]),
        ] {
            ledger
                .enrol(role, Some(public(key)), None, sites, None)
                .await
                .unwrap();
        }
        let bank = Some("Ngân hàng A".to_owned());
        ledger
            .enrol(
                Role::RelyingParty,
                Some(public(&relying)),
                None,
                vec![],
                bank,
            )
            .await
            .unwrap();
        let token = Digest(*blake3::hash(READER.as_bytes()).as_bytes());
        ledger
            .enrol(Role::Reader, None, Some(token), vec![], None)
            .await
            .unwrap();
        let views = Views::open_in_memory(ledger.store().clone(), Options::default())
            .await
            .unwrap();
        let api = Api::new(config, ledger.clone(), views.clone(), Some(mailbox.clone()));
        Self {
            app: app(&api),
            api,
            ledger,
            views,
            clock,
            mailbox,
            officer,
            authority,
            adapter,
            hotline,
            competent,
            relying,
            immigration,
            nonce: AtomicU64::new(0),
            directory,
        }
    }

    /// The same ledger behind a service that was started anew.
    pub async fn restart(&mut self) {
        self.api = Api::new(
            self.api.config().clone(),
            self.ledger.clone(),
            self.views.clone(),
            Some(self.mailbox.clone()),
        );
        api::warm::warm(&self.api).await.unwrap();
        self.app = app(&self.api);
    }

    pub async fn length(&self) -> u64 {
        self.ledger.store().length().await.unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX)
            .await
            .unwrap()
            .to_vec();
        Answer {
            status: parts.status,
            headers: parts.headers,
            bytes,
        }
    }

    /// POST of any bytes with any headers.
    pub async fn post_raw(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.to_vec())).unwrap())
            .await
    }

    /// POST of JSON by nobody in particular.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.post_raw(path, &headers, body.to_string().as_bytes())
            .await
    }

    /// POST of JSON in a session.
    pub async fn post_as(&self, token: &str, path: &str, body: Value) -> Answer {
        let authorization = format!("Bearer {token}");
        let headers = [
            ("content-type", "application/json"),
            ("authorization", &*authorization),
        ];
        self.post_raw(path, &headers, body.to_string().as_bytes())
            .await
    }

    pub async fn get_as(&self, token: &str, path: &str) -> Answer {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// GET with the reader's token.
    pub async fn get(&self, path: &str) -> Answer {
        self.get_as(READER, path).await
    }

    pub async fn get_open(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    pub fn fresh_nonce(&self) -> [u8; 16] {
        let number = self.nonce.fetch_add(1, Ordering::Relaxed);
        let mut nonce = [0x5a; 16];
        nonce[..8].copy_from_slice(&number.to_le_bytes());
        nonce
    }

    pub fn now_s(&self) -> i64 {
        self.ledger.now().0 / Micros::SECOND
    }

    /// A signed request, ready to send.
    pub fn signed(
        &self,
        key: &SigningKey,
        method: &Method,
        path: &str,
        mut body: Value,
        headers: &[(&'static str, &str)],
    ) -> Request<Body> {
        let bytes = if body.is_null() {
            Vec::new()
        } else {
            body["salt"] = json!(BASE64_URL_SAFE_NO_PAD.encode([7; 16]));
            body.to_string().into_bytes()
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        let unsigned = Unsigned {
            method,
            path_and_query: path,
            headers: &map,
            body: &bytes,
        };
        let added = sign_request(&unsigned, key, self.now_s(), self.fresh_nonce()).unwrap();
        let mut request = Request::builder().method(method).uri(path);
        let all = request.headers_mut().unwrap();
        all.extend(map);
        all.extend(added);
        request.body(Body::from(bytes)).unwrap()
    }

    /// POST signed with a key.
    pub async fn post_signed(&self, key: &SigningKey, path: &str, body: Value) -> Answer {
        self.send(self.signed(key, &Method::POST, path, body, &[]))
            .await
    }

    /// POST signed with a key, with a secret beside it.
    pub async fn post_secret(
        &self,
        key: &SigningKey,
        path: &str,
        body: Value,
        secret: Value,
    ) -> Answer {
        let secret = BASE64_URL_SAFE_NO_PAD.encode(secret.to_string());
        let mut request = self.signed(key, &Method::POST, path, body, &[]);
        request
            .headers_mut()
            .insert("idledger-secret", HeaderValue::from_str(&secret).unwrap());
        self.send(request).await
    }

    pub async fn get_signed(&self, key: &SigningKey, path: &str) -> Answer {
        self.send(self.signed(key, &Method::GET, path, Value::Null, &[]))
            .await
    }

    /// The newest code sent to an account.
    #[track_caller]
    pub fn code_of(&self, account: &str) -> String {
        let message = self.mailbox.take_code(account.parse().unwrap());
        message
            .and_then(|message| message.code)
            .expect("a code was sent")
    }

    /// Waits until all that is recorded is visible.
    pub async fn settle(&self) {
        let last = self.length().await - 1;
        let wait = core::time::Duration::from_secs(10);
        self.views
            .wait(domain::ids::Position(last), wait)
            .await
            .unwrap();
    }

    /// The principal that signs with a key.
    pub fn principal(&self, key: &SigningKey) -> String {
        let principals = self.ledger.principals();
        let known = principals.by_key(public(key).id());
        known.expect("enrolled").id.to_string()
    }

    /// Whether the registries at the desk, of documents, foreigners and organisations answer.
    pub fn silence(&self, silent: bool) {
        let path = self.directory.path().join("silent");
        if silent {
            std::fs::write(path, "").unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
        }
    }

    /// Days of standing still.
    pub fn pass(&self, seconds: i64) {
        self.clock.advance(seconds * Micros::SECOND);
    }
}

/// A ledger over a store that has its first events already, or will have.
pub async fn start(
    directory: &std::path::Path,
    store: Arc<dyn EventStore>,
    clock: Arc<ManualClock>,
    mailbox: Arc<Mailbox>,
) -> Ledger {
    let ids = Arc::new(Ids::new(clock, Arc::new(SeededRandomness::new(7))));
    let keys = Keys::derive(&Secret32([1; 32]));
    let vault = Arc::new(
        Vault::open(
            &ledger::disk::RealDisk,
            directory,
            &keys,
            ids.randomness().clone(),
        )
        .unwrap(),
    );
    let credentials = Credentials::open(
        &ledger::disk::RealDisk,
        directory,
        &keys,
        ids.randomness().clone(),
        Cost::minimum_for_simulation(),
        Concurrency::default(),
    )
    .unwrap();
    let signing = key(1);
    let registry = Arc::new(Registry {
        silent: directory.join("silent"),
    });
    Ledger::start(Parts {
        store,
        vault: vault.clone(),
        credentials,
        keys,
        people: registry.clone(),
        cards: registry.clone(),
        immigration: registry.clone(),
        documents: registry.clone(),
        organisations: registry,
        messenger: mailbox,
        assembler: Assembler::new(signing, vault, ids),
    })
    .await
    .unwrap()
}

/// A new ledger with its first events.
async fn ledger(
    directory: &std::path::Path,
    store: Arc<dyn EventStore>,
    clock: Arc<ManualClock>,
    mailbox: Arc<Mailbox>,
) -> Ledger {
    let ledger = start(directory, store, clock, mailbox).await;
    let public = public(&key(1));
    let proven = Proven::operator();
    let created = LedgerCreated {
        ledger: LedgerId([9; 16]),
        format: 1,
        key: public,
    };
    ledger
        .record_own(Category::Ledger, created.into(), None, proven)
        .await
        .unwrap();
    ledger
        .found_law(domain::law::shipped().unwrap())
        .await
        .unwrap();
    ledger
}

/// A person's fields.
pub fn person(number: &str, phone: &str) -> Value {
    json!({
        "personal_id": number,
        "full_name": "Nguyễn Thị Đẹp",
        "birth_date": "1984-02-29",
        "sex": "Nữ",
        "residence": "Hải Dương",
        "phone": phone,
    })
}

/// A device's fields.
pub fn device(key: &SigningKey, identifier: &str) -> Value {
    json!({ "identifier": identifier, "model": "Model A", "public_key": public(key).to_string() })
}

pub fn capture() -> Value {
    json!({ "digest": "ab".repeat(32), "quality": 90 })
}
