//! The peer against clients that were written elsewhere, so that it is not only our own idea of the
//! protocol. They get their own places under the target directory, made once.

use idledger_tests::peer::{Peer, Settings};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

const PYTHON_CLIENT: &str = "kurrentdbclient==1.3.5";
const NODE_CLIENT: &str = "@kurrent/kurrentdb-client@1.3.1";

fn run(command: &mut Command) {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output();
    let output =
        output.unwrap_or_else(|error| panic!("`{program}` is needed for this test: {error}"));
    assert!(
        output.status.success(),
        "{program}: {}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A place that is made once, whoever comes first.
fn place(name: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let lock = File::create(place.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if !place.join("ready").exists() {
        let _ = std::fs::remove_dir_all(&place);
        make(&place);
        std::fs::write(place.join("ready"), "").unwrap();
    }
    place
}

fn python() -> PathBuf {
    let place = place("python-kurrentdbclient-1-3-5", |place| {
        run(Command::new("python3").args(["-m", "venv"]).arg(place));
        let arguments = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ];
        run(Command::new(place.join("bin/python"))
            .args(arguments)
            .arg(PYTHON_CLIENT));
    });
    place.join("bin/python")
}

fn node_modules() -> PathBuf {
    let place = place("node-kurrentdb-client-1-3-1", |place| {
        std::fs::create_dir_all(place).unwrap();
        std::fs::write(place.join("package.json"), "{\"private\":true}").unwrap();
        let arguments = ["install", "--silent", "--no-audit", "--no-fund"];
        run(Command::new("npm")
            .args(arguments)
            .arg(NODE_CLIENT)
            .current_dir(place));
    });
    place.join("node_modules")
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_python_client_gets_along_with_the_peer() {
    let peer = Peer::single().await;
    let cluster = Peer::start(Settings {
        nodes: 3,
        ..Settings::default()
    })
    .await;
    cluster.elect(Some(2));
    let urls = [peer.url(), cluster.url()].map(|url| url.replace("esdb://", "kdb://"));
    tokio::task::block_in_place(|| {
        let mut command = Command::new(python());
        run(command.arg(script("python/peer_client.py")).args(&urls));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_javascript_client_gets_along_with_the_peer() {
    let peer = Peer::single().await;
    tokio::task::block_in_place(|| {
        let mut command = Command::new("node");
        command.env("NODE_PATH", node_modules());
        run(command.arg(script("node/peer_client.js")).arg(peer.url()));
    });
}
