//! Witnesses: the protocol of one, to the letter; and a ledger's checkpoints before several, of which
//! some are dead and some lie.

use super::world::{World, key, person};
use api::witness::router;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use core::time::Duration;
use domain::event::LedgerKeyAdded;
use domain::ids::{Category, PublicKey};
use domain::vocabulary::{KeyPurpose, Role};
use ledger::disk::RealDisk;
use ledger::evidence::Proven;
use ledger::transparency::witness::{Witness, log_id};
use ledger::transparency::{Cosigner, FileLock, Sealing, TransparencyLog, signer};
use ledger::writer::LedgerError;
use outside::witnesses::{Settings, WhenMissing, WitnessSettings, Witnesses, WitnessesError};
use parking_lot::Mutex;
use std::sync::Arc;
use tlog::hash::Hash;
use tlog::note::{Algorithm, Note, NoteSignature, Signer, VerifierKey};
use tlog::policy::Policy;
use tlog::proof::Head;
use tlog::tree::Stored;
use tlog::witness::AddCheckpoint;
use tlog::{Checkpoint, cosignature};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::ServiceExt as _;

/// Signs the checkpoints.
const CHECKPOINTS: u8 = 71;

/// What a witness does.
#[derive(Clone, Copy)]
enum Mode {
    Good,
    /// Never answers.
    Silent,
    /// One of [`LIES`].
    Lying(usize),
}

/// A witness with a mood, at an address.
struct Remote {
    state: Arc<RemoteState>,
    url: String,
    _directory: tempfile::TempDir,
}

struct RemoteState {
    witness: Arc<Witness>,
    key: u8,
    mode: Mutex<Mode>,
    asked: Mutex<u64>,
}

fn cosigner(number: u8) -> Signer {
    let name = format!("witness.example/{number}");
    Signer::new(&name, Algorithm::Cosignature, key(number)).unwrap()
}

fn open(world: &World, directory: &std::path::Path, number: u8, log: VerifierKey) -> Arc<Witness> {
    let (disk, clock) = (Arc::new(RealDisk), world.clock.clone());
    Arc::new(Witness::open(disk, directory, cosigner(number), vec![log], clock).unwrap())
}

impl Remote {
    async fn start(world: &World, number: u8, mode: Mode, log: VerifierKey) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = Arc::new(RemoteState {
            witness: open(world, directory.path(), number, log),
            key: number,
            mode: Mutex::new(mode),
            asked: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(state.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            state,
            url,
            _directory: directory,
        }
    }

    fn be(&self, mode: Mode) {
        *self.state.mode.lock() = mode;
    }

    fn settings(&self) -> WitnessSettings {
        WitnessSettings {
            url: self.url.clone(),
            key: cosigner(self.state.key).verifier().clone(),
        }
    }
}

async fn answer(State(state): State<Arc<RemoteState>>, request: Request<Body>) -> Response {
    let mode = *state.mode.lock();
    match mode {
        Mode::Good => router(state.witness.clone())
            .oneshot(request)
            .await
            .unwrap(),
        Mode::Silent => core::future::pending().await,
        Mode::Lying(lie) => {
            let asked = {
                let mut asked = state.asked.lock();
                *asked += 1;
                *asked
            };
            let body = axum::body::to_bytes(request.into_body(), 1 << 20).await;
            LIES[lie](&state, asked, &body.unwrap())
        }
    }
}

type Lie = fn(&RemoteState, u64, &Bytes) -> Response;

/// Answers that must not count. `asked`: how many requests came so far.
const LIES: [Lie; 17] = [
    |_, _, _| String::new().into_response(),
    |_, _, _| "yes\n".into_response(),
    |_, _, _| vec![0xff, 0xfe, b'\n'].into_response(),
    |_, _, _| "x".repeat(1 << 20).into_response(),
    |_, _, _| StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    |_, _, _| StatusCode::UNPROCESSABLE_ENTITY.into_response(),
    |_, _, _| (StatusCode::FOUND, [("location", "/elsewhere")]).into_response(),
    // Another key of the same name.
    |state, _, body| {
        let other = Signer::new(
            cosigner(state.key).verifier().name(),
            Algorithm::Cosignature,
            key(99),
        );
        line(&other.unwrap(), &text_of(body), 1_709_600_000).into_response()
    },
    // A signature by another key that says it is by this one.
    |state, _, body| {
        let mut forged = line_of(&cosigner(99), &text_of(body), 1_709_600_000);
        cosigner(state.key)
            .verifier()
            .name()
            .clone_into(&mut forged.name);
        forged.id = cosigner(state.key).verifier().id();
        forged.to_line().into_response()
    },
    // Its own word on another checkpoint.
    |state, _, body| {
        let text = text_of(body).replace("idledger/", "another/");
        line(&cosigner(state.key), &text, 1_709_600_000).into_response()
    },
    // No time, and a time to come.
    |state, _, body| line(&cosigner(state.key), &text_of(body), 0).into_response(),
    |state, _, body| line(&cosigner(state.key), &text_of(body), 1_709_700_000).into_response(),
    // Its own word twice.
    |state, _, body| {
        let line = line(&cosigner(state.key), &text_of(body), 1_709_600_000);
        format!("{line}{line}").into_response()
    },
    // Sizes: not said as one, none, ever others, beyond everything.
    |_, _, _| (StatusCode::CONFLICT, "1\n").into_response(),
    |_, _, _| size("-1\n"),
    |_, asked, _| size(&format!("{}\n", 1 + asked % 5)),
    |_, _, _| size("99999999\n"),
];

fn size(text: &str) -> Response {
    let kind = [(CONTENT_TYPE, "text/x.tlog.size")];
    (StatusCode::CONFLICT, kind, text.to_owned()).into_response()
}

fn text_of(body: &Bytes) -> String {
    let request = AddCheckpoint::parse(core::str::from_utf8(body).unwrap()).unwrap();
    request.checkpoint.text().to_owned()
}

fn line(signer: &Signer, text: &str, time: u64) -> String {
    cosignature::sign(signer, text, time).unwrap()
}

fn line_of(signer: &Signer, text: &str, time: u64) -> NoteSignature {
    let note = Note::parse(&format!("{text}\n{}", line(signer, text, time))).unwrap();
    note.signatures()[0].clone()
}

/// A ledger whose events name the checkpoint key.
async fn world() -> World {
    let world = World::new().await;
    let added = LedgerKeyAdded {
        key: PublicKey(key(CHECKPOINTS).verifying_key().to_bytes()),
        purpose: KeyPurpose::Checkpoints,
    };
    let recorded =
        world
            .ledger
            .record_own(Category::Ledger, added.into(), None, Proven::operator());
    recorded.await.unwrap();
    world
}

fn log_key(world: &World) -> VerifierKey {
    let id = world.ledger.ring().ledger().unwrap();
    signer(id, key(CHECKPOINTS)).unwrap().verifier().clone()
}

fn sealing(world: &World, cosigner: Option<Arc<Witnesses>>) -> Sealing {
    let tree = world.directory.path().join("tree");
    let log = TransparencyLog::open(Arc::new(RealDisk), &tree, log_key(world)).unwrap();
    let lock = world.directory.path().join("checkpoint-lock");
    Sealing {
        store: world.ledger.store().clone(),
        log: Arc::new(log),
        lock: Box::new(move || Ok(Arc::new(FileLock::open(Arc::new(RealDisk), &lock)?))),
        key: key(CHECKPOINTS),
        every: Duration::from_millis(1),
        cosigner: cosigner.map(|cosigner| cosigner as Arc<dyn Cosigner>),
        progress: None,
        gate: None,
    }
}

fn settings(remotes: &[Remote], quorum: usize, when_missing: WhenMissing) -> Settings {
    Settings {
        witnesses: remotes.iter().map(Remote::settings).collect(),
        quorum,
        patience: Duration::ZERO,
        when_missing,
        time_max: Duration::from_secs(20),
    }
}

fn witnesses(world: &World, settings: Settings) -> Arc<Witnesses> {
    let gate = world.ledger.gate().clone();
    Arc::new(Witnesses::new(settings, gate, world.clock.clone()).unwrap())
}

fn policy(world: &World, remotes: &[Remote], quorum: usize) -> Policy {
    let log = log_key(world);
    Policy {
        origin: log.name().to_owned(),
        log: vec![log],
        witnesses: remotes.iter().map(|remote| remote.settings().key).collect(),
        quorum,
    }
}

/// Waits for something that will be so, however busy the machine is.
async fn until(mut so: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_mins(1), async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.expect("it came to be so");
}

/// A service with sealing at work, until it is dropped.
struct Sealed {
    log: Arc<TransparencyLog>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Sealed {
    fn start(world: &World, witnesses: Arc<Witnesses>) -> Self {
        let sealing = sealing(world, Some(witnesses));
        let log = sealing.log.clone();
        let (stop, _) = watch::channel(false);
        let task = tokio::spawn(sealing.run(stop.subscribe()));
        Self { log, stop, task }
    }

    async fn end(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }
}

async fn metric(world: &World, name: &str) -> String {
    let exposition = world.get_open("/metrics").await.ok();
    let exposition = String::from_utf8(exposition.bytes).unwrap();
    let mut lines = exposition
        .lines()
        .filter_map(|line| line.strip_prefix(name));
    lines.next().unwrap_or_default().trim().to_owned()
}

#[tokio::test]
async fn what_does_not_verify_does_not_count() {
    let world = world().await;
    let sealing = sealing(&world, None);
    let size = sealing.once().await.unwrap().unwrap();
    let note = sealing.log.published().unwrap().note.clone();
    let remotes = [Remote::start(&world, 81, Mode::Good, log_key(&world)).await];
    let witnesses = witnesses(&world, settings(&remotes, 1, WhenMissing::Publish));
    assert!(!witnesses.is_content(&note));
    for lie in 0..LIES.len() {
        remotes[0].be(Mode::Lying(lie));
        let cosigned = witnesses.cosign(note.clone(), &sealing.log).await;
        let missing = cosigned
            .missing
            .unwrap_or_else(|| panic!("lie {lie} counted"));
        assert_eq!((missing.size, missing.found, missing.wanted), (size, 0, 1));
        assert_eq!(cosigned.note, note, "lie {lie}");
        // Nothing of it stays: the truth is taken at once, also after a size beyond everything.
        remotes[0].be(Mode::Good);
        let mut cosigned = witnesses.cosign(note.clone(), &sealing.log).await;
        if cosigned.missing.is_some() {
            cosigned = witnesses.cosign(note.clone(), &sealing.log).await;
        }
        assert_eq!(cosigned.missing, None, "after lie {lie}");
        policy(&world, &remotes, 1).check(&cosigned.note).unwrap();
        assert!(witnesses.is_content(&cosigned.note));
        // What stands there by the key and does not verify is replaced.
        let text = note.text();
        let mut forged = line_of(&cosigner(99), text, 1_709_600_000);
        forged.name = remotes[0].settings().key.name().to_owned();
        forged.id = remotes[0].settings().key.id();
        let mut tampered = note.clone();
        tampered.add(&forged.to_line()).unwrap();
        let mended = witnesses.cosign(tampered, &sealing.log).await;
        policy(&world, &remotes, 1).check(&mended.note).unwrap();
    }
}

#[tokio::test]
async fn two_of_three_with_one_dead_and_one_that_lies() {
    let world = world().await;
    let log = log_key(&world);
    let remotes = [
        Remote::start(&world, 81, Mode::Good, log.clone()).await,
        Remote::start(&world, 82, Mode::Silent, log.clone()).await,
        Remote::start(&world, 83, Mode::Lying(8), log).await,
    ];
    let mut settings = settings(&remotes, 2, WhenMissing::Publish);
    settings.time_max = Duration::from_millis(500);
    let witnesses = witnesses(&world, settings);
    let sealed = Sealed::start(&world, witnesses);
    world.api.show_log(sealed.log.clone());
    let size = world.length().await;
    // Published without the second one, and said.
    let published = sealed.log.wait_for(size).await.unwrap();
    assert_eq!(
        policy(&world, &remotes, 1)
            .check(&published.note)
            .unwrap()
            .cosigned
            .len(),
        1
    );
    let missing = sealed.log.missing().unwrap();
    assert_eq!((missing.size, missing.found, missing.wanted), (size, 1, 2));
    assert!(missing.published);
    assert_eq!(
        metric(&world, "idledger_log_cosignatures_missing").await,
        "1"
    );
    let ready = String::from_utf8(world.get_open("/readyz").await.ok().bytes).unwrap();
    assert!(
        ready.starts_with("ready\n1 of 2 cosignatures on "),
        "{ready}"
    );
    world
        .post("/v1/registrations", person("030184000011", "0900000011"))
        .await
        .recorded();
    // It comes back: what was published is published again, with what it lacked.
    remotes[1].be(Mode::Good);
    let size = world.length().await;
    until(|| {
        let published = sealed.log.published().unwrap();
        published.head.size == size && policy(&world, &remotes, 2).check(&published.note).is_ok()
    })
    .await;
    until(|| sealed.log.missing().is_none()).await;
    assert_eq!(
        metric(&world, "idledger_log_cosignatures_missing").await,
        "0"
    );
    assert_eq!(world.get_open("/readyz").await.ok().bytes, b"ready\n");
    sealed.end().await;
}

#[tokio::test]
async fn a_checkpoint_is_held_back_until_there_are_enough() {
    let world = world().await;
    let log = log_key(&world);
    let remotes = [
        Remote::start(&world, 81, Mode::Good, log.clone()).await,
        Remote::start(&world, 82, Mode::Lying(4), log).await,
    ];
    let hold = || witnesses(&world, settings(&remotes, 2, WhenMissing::Hold));
    let sealed = Sealed::start(&world, hold());
    until(|| {
        sealed
            .log
            .missing()
            .is_some_and(|missing| missing.found == 1)
    })
    .await;
    assert_eq!(sealed.log.published(), None);
    assert!(
        !world.ledger.gate().is_shut(),
        "holding back is not refusing"
    );
    sealed.end().await;
    // A restart forgets nothing: the same checkpoint waits on.
    let sealed = Sealed::start(&world, hold());
    until(|| sealed.log.missing().is_some()).await;
    assert_eq!(sealed.log.published(), None);
    remotes[1].be(Mode::Good);
    let size = world.length().await;
    let published = sealed.log.wait_for(size).await.unwrap();
    policy(&world, &remotes, 2).check(&published.note).unwrap();
    sealed.end().await;
    // The next server knows nothing of what they have cosigned, and is told.
    world
        .post("/v1/registrations", person("030184000011", "0900000011"))
        .await
        .recorded();
    let sealed = Sealed::start(&world, hold());
    assert!(sealed.log.wait_for(size).await.unwrap().head.size >= size);
    let published = sealed.log.wait_for(world.length().await).await.unwrap();
    policy(&world, &remotes, 2).check(&published.note).unwrap();
    sealed.end().await;
}

#[tokio::test]
async fn nothing_new_is_taken_until_there_are_enough() {
    let world = world().await;
    let log = log_key(&world);
    let remotes = [Remote::start(&world, 81, Mode::Lying(4), log).await];
    let witnesses = witnesses(&world, settings(&remotes, 1, WhenMissing::Refuse));
    let sealed = Sealed::start(&world, witnesses);
    until(|| world.ledger.gate().is_shut()).await;
    let size = world.length().await;
    let body = person("030184000011", "0900000011");
    let key = [
        ("content-type", "application/json"),
        ("idempotency-key", "a-key-of-22-characters-1"),
    ];
    let refused = world
        .post_raw("/v1/registrations", &key, body.to_string().as_bytes())
        .await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers["retry-after"], "2");
    refused.problem("WITNESSES_MISSING");
    world.get_open("/readyz").await.problem("WITNESSES_MISSING");
    let enrolled = world.ledger.enrol(Role::Reader, None, None, vec![], None);
    assert_eq!(enrolled.await, Err(LedgerError::WitnessesMissing));
    assert_eq!(world.length().await, size, "recorded nowhere");
    assert_eq!(sealed.log.published(), None);
    // What can be read is read.
    world.get_open("/healthz").await.ok();
    remotes[0].be(Mode::Good);
    let published = sealed.log.wait_for(size).await.unwrap();
    policy(&world, &remotes, 1).check(&published.note).unwrap();
    assert!(!world.ledger.gate().is_shut());
    // The same request, with the same key, is carried out as if it were the first.
    let done = world
        .post_raw("/v1/registrations", &key, body.to_string().as_bytes())
        .await;
    done.recorded();
    sealed.end().await;
}

#[tokio::test]
async fn settings_that_cannot_be_meant() {
    let world = world().await;
    let of = |url: &str, number: u8| WitnessSettings {
        url: url.to_owned(),
        key: cosigner(number).verifier().clone(),
    };
    let local = "http://127.0.0.1:9";
    let try_with = |witnesses: Vec<WitnessSettings>, quorum| {
        let mut settings = settings(&[], quorum, WhenMissing::Hold);
        settings.witnesses = witnesses;
        Witnesses::new(settings, world.ledger.gate().clone(), world.clock.clone()).map(|_| ())
    };
    try_with(vec![of(local, 1), of("https://w.example/x", 2)], 2).unwrap();
    let quorum = |quorum, witnesses| Err(WitnessesError::Quorum { quorum, witnesses });
    assert_eq!(try_with(vec![of(local, 1)], 0), quorum(0, 1));
    assert_eq!(try_with(vec![of(local, 1)], 2), quorum(2, 1));
    assert_eq!(try_with(Vec::new(), 1), quorum(1, 0));
    let twice = try_with(vec![of(local, 1), of(local, 1)], 1);
    assert!(matches!(twice, Err(WitnessesError::Twice { .. })));
    // One key under two names is one witness.
    let mut renamed = of(local, 2);
    renamed.key = VerifierKey::new("b", Algorithm::Cosignature, key(1).verifying_key()).unwrap();
    let twice = try_with(vec![of(local, 1), renamed], 2);
    assert!(matches!(twice, Err(WitnessesError::Twice { .. })));
    let mut notes = of(local, 1);
    notes.key = VerifierKey::new("b", Algorithm::Ed25519, key(1).verifying_key()).unwrap();
    assert!(matches!(
        try_with(vec![notes], 1),
        Err(WitnessesError::Key { .. })
    ));
    for url in ["http://w.example", "ftp://127.0.0.1", "w.example", ""] {
        let wrong = try_with(vec![of(url, 1)], 1);
        assert!(
            matches!(wrong, Err(WitnessesError::Address { .. })),
            "{url}"
        );
    }
    let many = (1..=65).map(|number| of(local, number)).collect();
    assert_eq!(try_with(many, 1), Err(WitnessesError::TooMany));
}

/// A request over HTTP: status, content type, body.
async fn ask(
    app: &Router,
    method: &str,
    path: &str,
    body: impl Into<Body>,
) -> (u16, String, String) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(body.into());
    let response = app.clone().oneshot(request.unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1 << 22).await.unwrap();
    let kind = parts.headers.get(CONTENT_TYPE);
    let kind = kind.map_or_else(String::new, |kind| kind.to_str().unwrap().to_owned());
    let body = String::from_utf8(body.to_vec()).unwrap();
    (parts.status.as_u16(), kind, body)
}

#[tokio::test]
async fn a_witness_says_what_the_protocol_says() {
    let world = world().await;
    let sealing = sealing(&world, None);
    let size = sealing.once().await.unwrap().unwrap();
    assert!(size > 6);
    let log = log_key(&world);
    let directory = tempfile::tempdir().unwrap();
    let app = router(open(&world, directory.path(), 81, log.clone()));
    let post = |body: String| ask(&app, "POST", "/add-checkpoint", body);
    let levels = sealing.log.levels();
    let tree = |size| Stored::new(size, levels.as_ref()).unwrap();
    let head = |size| Head {
        size,
        root: tree(size).root().unwrap(),
    };
    let log_signer = |number| Signer::new(log.name(), Algorithm::Ed25519, key(number)).unwrap();
    let sign = |text: &str, number| {
        let line = log_signer(number).sign(text).unwrap();
        format!("{text}\n{line}")
    };
    let text = |head| Checkpoint::new(log.name(), head).unwrap().to_text();
    let signed = |size| sign(&text(head(size)), CHECKPOINTS);
    let proof = |old, new| -> String {
        let hashes = tree(new).consistency(old).unwrap();
        let lines: Vec<String> = hashes.iter().map(Hash::to_base64).collect();
        lines
            .iter()
            .flat_map(|line| [line.as_str(), "\n"])
            .collect()
    };

    let id = log_id(log.name());
    let there = format!("/{id}/checkpoint");
    assert_eq!(ask(&app, "GET", "/healthz", "").await.2, "ok\n");
    assert_eq!(ask(&app, "GET", &there, "").await.0, 404);
    assert_eq!(ask(&app, "GET", "/add-checkpoint", "").await.0, 405);

    // 400: not a request.
    let good = signed(3);
    let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    for wrong in [
        String::new(),
        "old 0\n".to_owned(),
        format!("old 0\n{good}"),
        format!("0\n\n{good}"),
        format!("old 00\n\n{good}"),
        format!("old -1\n\n{good}"),
        format!("old 0 \n\n{good}"),
        format!("old  0\n\n{good}"),
        format!("OLD 0\n\n{good}"),
        format!("old 0\r\n\r\n{good}"),
        format!("old 0\n\n{}", text(head(3))),
        format!("old 0\n\n{}", &good[..good.len() - 1]),
        format!("old 0\n{}\n{good}", zeros.repeat(64)),
        format!("old 0\nAAAA\n\n{good}"),
        format!("old 4\n\n{good}"),
        format!("old 281474976710657\n\n{good}"),
        // Signed by the log, and no checkpoint.
        format!(
            "old 0\n\n{}",
            sign(&format!("{}\n", log.name()), CHECKPOINTS)
        ),
        format!(
            "old 0\n\n{}",
            sign(
                &format!("{}\n03\n{}\n", log.name(), head(3).root),
                CHECKPOINTS
            )
        ),
    ] {
        assert_eq!(post(wrong.clone()).await.0, 400, "{wrong}");
    }
    let bytes = ask(&app, "POST", "/add-checkpoint", vec![0xff; 9]).await;
    assert_eq!(bytes.0, 400);
    assert_eq!(post("x".repeat(1 << 18)).await.0, 413);
    // 404: another log. 403: nobody's, or somebody else's word; a wrong one by the log's key beside a
    // good one as well.
    let other = good.replace("idledger/", "idledger2/");
    assert_eq!(post(format!("old 0\n\n{other}")).await.0, 404);
    let stranger = sign(&text(head(3)), 99);
    assert_eq!(post(format!("old 0\n\n{stranger}")).await.0, 403);
    let wrong = sign(&text(head(4)), CHECKPOINTS).replace(&text(head(4)), &text(head(3)));
    assert_eq!(post(format!("old 0\n\n{wrong}")).await.0, 403);
    let both = format!("{good}{}", wrong.split_once("\n\n").unwrap().1);
    assert_eq!(post(format!("old 0\n\n{both}")).await.0, 403);
    // 422: no entries and a root, a proof where none belongs.
    let nothing = format!("{}\n0\n{}\n", log.name(), head(3).root);
    assert_eq!(
        post(format!("old 0\n\n{}", sign(&nothing, CHECKPOINTS)))
            .await
            .0,
        422
    );
    assert_eq!(post(format!("old 0\n{zeros}\n{good}")).await.0, 422);
    // None of it was remembered, and the first one is taken; signatures of strangers are passed over.
    let empty = Head {
        size: 0,
        root: Hash::empty(),
    };
    let stranger = stranger.split_once("\n\n").unwrap().1;
    for note in [sign(&text(empty), CHECKPOINTS), format!("{good}{stranger}")] {
        let (status, kind, body) = post(format!("old 0\n\n{note}")).await;
        assert_eq!(
            (status, kind.as_str()),
            (200, "text/plain; charset=utf-8"),
            "{body}"
        );
        assert!(body.starts_with("\u{2014} witness.example/81 ") && body.ends_with('\n'));
        let (note_text, lines) = note.split_once("\n\n").unwrap();
        let full = Note::parse(&format!("{note_text}\n\n{lines}{body}")).unwrap();
        let key = [cosigner(81).verifier().clone()];
        let cosigned = full.verify(&key).unwrap();
        assert_eq!(cosigned[0].time, Some(1_709_600_000));
    }
    // 409, with the size. The proof does not matter then.
    let conflict = (409, "text/x.tlog.size".to_owned(), "3\n".to_owned());
    assert_eq!(post(format!("old 0\n\n{}", signed(6))).await, conflict);
    assert_eq!(
        post(format!("old 4\n{}\n{}", proof(4, 6), signed(6))).await,
        conflict
    );
    assert_eq!(post(format!("old 2\n\n{}", signed(2))).await, conflict);
    assert_eq!(
        post(format!("old 0\n\n{}", sign(&nothing, CHECKPOINTS))).await,
        conflict
    );
    // 422: proofs that do not lead there, another root of the same size, another history.
    for proof in [
        String::new(),
        zeros.to_owned(),
        proof(4, 6),
        proof(3, 5),
        format!("{}{zeros}", proof(3, 6)),
    ] {
        assert_eq!(
            post(format!("old 3\n{proof}\n{}", signed(6))).await.0,
            422,
            "{proof}"
        );
    }
    let forked = |size| Head {
        size,
        root: Hash::leaf(b"another history"),
    };
    let fork = sign(&text(forked(3)), CHECKPOINTS);
    assert_eq!(post(format!("old 3\n\n{fork}")).await.0, 422);
    let fork = sign(&text(forked(6)), CHECKPOINTS);
    assert_eq!(post(format!("old 3\n{}\n{fork}", proof(3, 6))).await.0, 422);
    // 200 once more, again, and as the last one for whoever asks.
    for old in [3, 6] {
        let body = format!("old {old}\n{}\n{}", proof(old, 6), signed(6));
        assert_eq!(post(body).await.0, 200);
    }
    let (status, _, shown) = ask(&app, "GET", &there, "").await;
    assert_eq!(status, 200);
    let keys = [log.clone(), cosigner(81).verifier().clone()];
    let shown = Note::parse(&shown).unwrap();
    assert_eq!(shown.verify(&keys).unwrap().len(), 2);
    assert_eq!(Checkpoint::parse(shown.text()).unwrap().head, head(6));
}
