//! Time-stamps as people use them: an authority over HTTP, a server that asks it, auditors who judge it with
//! this program and with `openssl`.

use crate::run::{Place, Ran};
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use ledger::testing::authority::{Authority, Recipe};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// An authority that answers over HTTP, and how often it did.
pub struct Service {
    /// The authority itself.
    pub authority: Arc<Authority>,
    address: String,
    asked: Arc<AtomicU64>,
    _runtime: tokio::runtime::Runtime,
}

impl Service {
    pub fn start() -> Self {
        let authority = Arc::new(Authority::new(Recipe::default()));
        let asked = Arc::new(AtomicU64::new(0));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = format!("http://{}/tsa", listener.local_addr().unwrap());
        let (own, count) = (Arc::clone(&authority), Arc::clone(&asked));
        let answer = move |query: Bytes| {
            let (own, count) = (Arc::clone(&own), Arc::clone(&count));
            async move {
                count.fetch_add(1, Ordering::SeqCst);
                let answer = tokio::task::spawn_blocking(move || own.answer(&query));
                let kind = [(CONTENT_TYPE, "application/timestamp-reply")];
                (kind, answer.await.unwrap())
            }
        };
        let app = axum::Router::new().route("/tsa", post(answer));
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await.unwrap();
        });
        Self {
            authority,
            address,
            asked,
            _runtime: runtime,
        }
    }

    /// Settings that name it; its list of authorities beside them.
    pub fn settings(&self, place: &Place) -> String {
        fs::write(place.path("tsa.pem"), self.authority.list()).unwrap();
        let text = format!(
            "[timestamps]\nurl = \"{}\"\nauthorities_file = \"tsa.pem\"\nevery_s = 1\n",
            self.address
        );
        let path = place.path("outside.toml");
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

fn log_key(place: &Place) -> String {
    let keys = place.good(&["tree", "keys", "--format", "jsonl"]).lines();
    keys[0]["verifier_key"].as_str().unwrap().to_owned()
}

#[track_caller]
fn refused(ran: &Ran, check: &str, found: &str) {
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    let finding = &ran.json()["finding"];
    assert_eq!(finding["check"], check, "{finding}");
    assert!(
        finding["found"].as_str().unwrap().contains(found),
        "{finding}"
    );
}

#[test]
fn a_server_has_its_checkpoints_stamped_and_strangers_judge_them() {
    let (place, service) = (Place::new(), Service::start());
    place.good(&["init"]);
    let key = log_key(&place);
    let settings = service.settings(&place);
    let server = place.serve(&["--outside", &settings], &[]);
    let end = Instant::now() + Duration::from_mins(1);
    let index = loop {
        let (status, index) = server.ask("GET", "/log/timestamps/index", "", &[]);
        if status == 200 && !index.is_empty() {
            break index;
        }
        assert!(Instant::now() < end, "{status}: {index}");
        std::thread::sleep(Duration::from_millis(20));
    };
    let size: u64 = index.lines().next().unwrap().parse().unwrap();
    let name = format!("/log/timestamps/{size:020}");
    let (status, checkpoint) = server.ask("GET", &format!("{name}.checkpoint"), "", &[]);
    assert_eq!(status, 200);
    for missing in ["nothing", "1.tsr", "x.tsr", &format!("{size:020}.pem")] {
        let path = format!("/log/timestamps/{missing}");
        assert_eq!(server.ask("GET", &path, "", &[]).0, 404, "{missing}");
    }
    let (_, metrics) = server.ask("GET", "/metrics", "", &[]);
    assert!(metrics.contains("{peer=\"timestamps\"}"), "{metrics}");

    // Over HTTP, by somebody who has keys and nothing else.
    let stranger = Place::new();
    fs::write(stranger.path("tsa.pem"), service.authority.list()).unwrap();
    let url = format!("http://{}/log", server.address());
    let judged = stranger.good(&[
        "verify",
        "--tiles",
        &url,
        "--key",
        &key,
        "--timestamp-ca",
        "tsa.pem",
        "--format",
        "json",
    ]);
    let stamped = &judged.json()["stamped"][0];
    assert_eq!(stamped["size"], size);
    assert_eq!(stamped["authority"], "CN=Test root");
    assert_eq!(server.end().0, 0);

    mirrored(&place, &stranger, &service, (&key, size, &checkpoint));
}

/// A mirror has them too, and openssl believes them; a verifier has one file from there.
fn mirrored(
    place: &Place,
    stranger: &Place,
    service: &Service,
    (key, size, checkpoint): (&str, u64, &str),
) {
    let dir = place.ledger().join("timestamps");
    let answer = fs::read(dir.join(format!("{size:020}.tsr"))).unwrap();
    assert!(service.authority.is_taken(checkpoint.as_bytes(), &answer));
    place.good(&["tree", "export", "--out", "mirror", "--quiet"]);
    let mirror = place.path("mirror/timestamps");
    let index = fs::read_to_string(mirror.join("index")).unwrap();
    assert!(index.starts_with(&format!("{size}\n")), "{index}");
    assert_eq!(
        fs::read(mirror.join(format!("{size:020}.tsr"))).unwrap(),
        answer
    );
    fs::write(stranger.path("old.checkpoint"), checkpoint).unwrap();
    fs::write(stranger.path("old.tsr"), &answer).unwrap();
    let mirror = place.path("mirror").display().to_string();
    let arguments = [
        "verify",
        "--tiles",
        &mirror,
        "--key",
        key,
        "--timestamp-ca",
        "tsa.pem",
        "--timestamp",
        "old.tsr",
        "--checkpoint",
        "old.checkpoint",
    ];
    let judged = stranger.good(&arguments).stdout;
    assert!(judged.contains("(CN=Test root)"), "{judged}");
    assert_eq!(
        judged.matches("stamped   ").count(),
        index.lines().count() + 1
    );
}

#[test]
fn a_stamp_that_is_not_good_is_a_finding() {
    let (place, service) = (Place::new(), Service::start());
    place.good(&["init"]);
    let settings = service.settings(&place);
    let early = place.run(&["tree", "timestamp", "--outside", &settings]);
    assert_eq!(early.code, 1, "{}", early.stderr);
    place.good(&["tree", "seal", "--quiet"]);
    let arguments = [
        "tree",
        "timestamp",
        "--outside",
        &settings,
        "--format",
        "json",
    ];
    let stamped = place.good(&arguments).json();
    let (size, time) = (stamped["size"].as_u64().unwrap(), &stamped["time"]);
    // What was stamped first counts: nobody is asked again.
    assert_eq!(&place.good(&arguments).json()["time"], time);
    assert_eq!(service.asked.load(Ordering::SeqCst), 1);

    let verify = [
        "verify",
        "--no-memory",
        "--timestamp-ca",
        "tsa.pem",
        "--format",
        "json",
    ];
    let good = place.good(&verify).json();
    assert_eq!(&good["log"]["stamped"][0]["time"], time);
    assert_eq!(good["log"]["compared"], serde_json::json!([size, size]));

    let stranger = Authority::new(Recipe::default());
    fs::write(place.path("other.pem"), stranger.list()).unwrap();
    let other = [
        "verify",
        "--no-memory",
        "--timestamp-ca",
        "other.pem",
        "--format",
        "json",
    ];
    refused(&place.run(&other), "timestamp", "no listed authority");

    let file = |suffix: &str| {
        let name = format!("timestamps/{size:020}.{suffix}");
        place.ledger().join(name)
    };
    let (checkpoint, answer) = (
        fs::read(file("checkpoint")).unwrap(),
        fs::read(file("tsr")).unwrap(),
    );
    // The last byte is the signature's.
    let mut spoilt = answer.clone();
    *spoilt.last_mut().unwrap() ^= 1;
    fs::write(file("tsr"), &spoilt).unwrap();
    refused(&place.run(&verify), "timestamp", "");
    fs::write(file("tsr"), &answer).unwrap();
    // Stamped is these bytes, not others that say the same.
    let cosigned = String::from_utf8(checkpoint.clone()).unwrap();
    let line = cosigned.lines().last().unwrap().to_owned();
    let another = line.replace("idledger/", "somebody/");
    fs::write(file("checkpoint"), format!("{cosigned}{another}\n")).unwrap();
    refused(&place.run(&verify), "timestamp", "something else");
    fs::write(file("checkpoint"), &checkpoint).unwrap();
    // A stamp of another log's checkpoint.
    let elsewhere = service.authority.answer(
        &ledger::timestamp::query(&ledger::timestamp::imprint(b"elsewhere"), [1; 8]).unwrap(),
    );
    fs::write(place.path("elsewhere.tsr"), elsewhere).unwrap();
    let given = [&verify[..], &["--timestamp", "elsewhere.tsr"]].concat();
    refused(&place.run(&given), "timestamp", "another checkpoint");
    // Without a list nobody is believed, and nothing is judged.
    place.good(&["verify", "--no-memory"]);
    let nobody = place.run(&["verify", "--timestamp", "elsewhere.tsr"]);
    assert_eq!(nobody.code, 2, "{}", nobody.stderr);
    place.good(&verify);
}

#[test]
fn an_authority_that_cannot_be_used_is_told_and_nothing_is_kept() {
    let place = Place::new();
    place.good(&["init"]);
    place.good(&["tree", "seal", "--quiet"]);
    let service = Service::start();
    let settings = service.settings(&place);
    // Somebody else vouches for it.
    fs::write(
        place.path("tsa.pem"),
        Authority::new(Recipe::default()).list(),
    )
    .unwrap();
    let ran = place.run(&["tree", "timestamp", "--outside", &settings]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("no listed authority"), "{}", ran.stderr);
    fs::write(place.path("tsa.pem"), "no certificate").unwrap();
    let ran = place.run(&["tree", "timestamp", "--outside", &settings]);
    assert_ne!(ran.code, 0);
    assert!(
        ran.stderr.contains("time-stamping authorities"),
        "{}",
        ran.stderr
    );
    fs::write(place.path("outside.toml"), "").unwrap();
    let ran = place.run(&["tree", "timestamp", "--outside", &settings]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("[timestamps]"), "{}", ran.stderr);
    assert!(!place.ledger().join("timestamps").exists());
}

#[test]
fn a_mirror_that_lists_nonsense_is_told_so() {
    let (place, service) = (Place::new(), Service::start());
    place.good(&["init"]);
    let key = log_key(&place);
    place.good(&["tree", "seal", "--quiet"]);
    let mirror = || place.good(&["tree", "export", "--out", "mirror", "--quiet"]);
    mirror();
    fs::write(place.path("tsa.pem"), service.authority.list()).unwrap();
    let verify = |more: &[&str]| {
        let arguments = [
            "verify",
            "--tiles",
            "mirror",
            "--key",
            &key,
            "--no-memory",
            "--format",
            "json",
        ];
        place.run(&[&arguments[..], more].concat())
    };
    let ca = ["--timestamp-ca", "tsa.pem"];
    // Nothing is stamped, and whoever asks is told that.
    assert_eq!(verify(&ca).json()["stamped"], serde_json::json!([]));
    assert_eq!(verify(&[]).json()["stamped"], serde_json::Value::Null);
    place.good(&["tree", "timestamp", "--outside", &service.settings(&place)]);
    mirror();
    let stamped = verify(&ca).json();
    let size = stamped["stamped"][0]["size"].as_u64().unwrap();
    let index = place.path("mirror/timestamps/index");
    let many: String = (0..100_001)
        .map(|size: u32| size.to_string() + "\n")
        .collect();
    for listed in [
        "x\n",
        "2\n1\n",
        "1\n1\n",
        "-1\n",
        "18446744073709551616\n",
        many.as_str(),
    ] {
        fs::write(&index, listed).unwrap();
        refused(&verify(&ca), "timestamp", "something else");
        // Whoever believes nobody does not look.
        assert_eq!(verify(&[]).code, 0);
    }
    // Under another size's name it is not the checkpoint of that size.
    let name =
        |size: u64, suffix: &str| place.path(&format!("mirror/timestamps/{size:020}.{suffix}"));
    for suffix in ["checkpoint", "tsr"] {
        fs::copy(name(size, suffix), name(size + 1, suffix)).unwrap();
    }
    fs::write(&index, format!("{}\n", size + 1)).unwrap();
    refused(&verify(&ca), "checkpoint", &size.to_string());
    // What is listed and not there proves nothing and accuses nobody.
    fs::write(&index, format!("{}\n", size + 2)).unwrap();
    assert_eq!(verify(&ca).json()["stamped"], serde_json::json!([]));
}
