//! The transparency log beside what others wrote: Go's `note` and `tlog` packages, `ct-merkle` and
//! `tlog_tiles`. Roots, tiles, proofs and notes must be theirs, byte for byte.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ed25519_dalek::SigningKey;
use sha2::Sha256;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tlog::hash::Hash;
use tlog::note::{Algorithm, Note, Signer, VerifierKey};
use tlog::proof::Head;
use tlog::tile::{Kind, TileId};
use tlog::tree::{FullTile, Stored, Tiles, Tree};
use tlog::{Checkpoint, bundle, tile};

const NAME: &str = "log.example/oracle";

fn entry(n: u64) -> [u8; 32] {
    *blake3::hash(&n.to_le_bytes()).as_bytes()
}

/// A log in a directory, as a web server would serve it.
struct Mirror {
    dir: tempfile::TempDir,
    size: u64,
    root: Hash,
    key: VerifierKey,
}

impl Mirror {
    fn new(size: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        let mut tree = Tree::new();
        for n in 0..size {
            tree.push(Hash::leaf(&entry(n)), &mut |full: FullTile| {
                let (kind, index) = (Kind::Hashes(full.level), full.index);
                let id = TileId {
                    kind,
                    index,
                    width: tile::WIDTH,
                };
                put(&id.to_string(), &tile::bytes(&full.hashes));
            });
        }
        for (id, hashes) in tree.partial() {
            put(&id.to_string(), &tile::bytes(hashes));
        }
        for index in 0..size.div_ceil(256) {
            let id = TileId::at(Kind::Entries, index, size).unwrap();
            let mut bytes = Vec::new();
            for n in index * 256..index * 256 + u64::from(id.width) {
                bundle::push(&mut bytes, &entry(n)).unwrap();
            }
            put(&id.to_string(), &bytes);
        }
        let root = tree.root();
        let key = SigningKey::from_bytes(&[3; 32]);
        let signer = Signer::new(NAME, Algorithm::Ed25519, key).unwrap();
        let text = Checkpoint::new(NAME, Head { size, root })
            .unwrap()
            .to_text();
        let note = format!("{text}\n{}", signer.sign(&text).unwrap());
        put("checkpoint", note.as_bytes());
        let key = signer.verifier().clone();
        Self {
            dir,
            size,
            root,
            key,
        }
    }
}

impl Tiles for Mirror {
    fn tile(&self, tile: &TileId) -> Result<Vec<u8>, tlog::Error> {
        let bytes = fs::read(self.dir.path().join(tile.to_string()));
        bytes.map_err(|_| tlog::Error::MissingTile(tile.to_string()))
    }
}

/// The program of `tests/go`, compiled once. Go and its packages come from the system's own packages.
fn go() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("go/check_log.go");
    let name = blake3::hash(&fs::read(&script).unwrap()).to_hex();
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("check_log-{}", &name[..16]));
    let lock = File::create(place.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if place.exists() {
        return place;
    }
    let packages = Path::new("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog");
    if !packages.exists() || Command::new("go").arg("version").output().is_err() {
        idledger_tests::system::install(&["golang-go", "golang-golang-x-mod-dev"]);
    }
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-cache");
    let aside = place.with_extension("new");
    let mut build = Command::new("go");
    build
        .env("GO111MODULE", "off")
        .env("GOPATH", "/usr/share/gocode")
        .env("GOCACHE", cache)
        .args(["build", "-o"])
        .arg(&aside)
        .arg(&script);
    let done = build.output().unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    fs::rename(&aside, &place).unwrap();
    place
}

fn run(program: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may say no before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn path(proof: &[Hash]) -> Vec<String> {
    proof.iter().map(Hash::to_base64).collect()
}

#[test]
fn go_accepts_checkpoints_tiles_and_proofs() {
    let go = go();
    for size in [1, 255, 256, 257, 300, 65_536, 70_000] {
        let mirror = Mirror::new(size);
        let stored = Stored::new(size, &mirror).unwrap();
        let mut proofs = Vec::new();
        for n in [0, 1, 127, 254, 255, 256, 299, 65_535, 69_999, size / 2] {
            if n < size {
                let proof = path(&stored.inclusion(n).unwrap());
                proofs.push(serde_json::json!({ "Index": n, "Path": proof }));
            }
            if (1..=size).contains(&n) {
                let proof = path(&stored.consistency(n).unwrap());
                proofs.push(serde_json::json!({ "Old": n, "Path": proof }));
            }
        }
        let proofs = serde_json::Value::Array(proofs).to_string();
        let (dir, key) = (mirror.dir.path().to_str().unwrap(), mirror.key.to_text());
        let ran = run(&go, &[dir, &key], &proofs);
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        let wrong = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(said, format!("{size} {}\n", mirror.root), "{wrong}");
        // It would have said so: a tile altered, a proof altered, another key.
        let level = fs::read(mirror.dir.path().join(name_of_first(size))).unwrap();
        let mut altered = level.clone();
        altered[7] ^= 1;
        fs::write(mirror.dir.path().join(name_of_first(size)), &altered).unwrap();
        assert!(!run(&go, &[dir, &key], &proofs).status.success());
        fs::write(mirror.dir.path().join(name_of_first(size)), &level).unwrap();
        let other = key.replacen("oracle", "another", 1);
        assert!(!run(&go, &[dir, &other], &proofs).status.success());
    }
}

fn name_of_first(size: u64) -> String {
    TileId::at(Kind::Hashes(0), 0, size).unwrap().to_string()
}

#[test]
fn what_go_signs_is_accepted_here() {
    use base64::Engine as _;
    let signer = SigningKey::from_bytes(&[11; 32]);
    let verifier = VerifierKey::new(NAME, Algorithm::Ed25519, signer.verifying_key()).unwrap();
    let secret = [&[1][..], &signer.to_bytes()].concat();
    let secret = base64::prelude::BASE64_STANDARD.encode(secret);
    let id = hex::encode(verifier.id());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    fs::write(&file, format!("PRIVATE+KEY+{NAME}+{id}+{secret}\n")).unwrap();
    let text = Checkpoint::new(
        NAME,
        Head {
            size: 7,
            root: Hash([9; 32]),
        },
    )
    .unwrap()
    .to_text();
    let ran = run(&go(), &["sign", file.to_str().unwrap()], &text);
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let note = Note::parse(core::str::from_utf8(&ran.stdout).unwrap()).unwrap();
    assert_eq!(note.text(), text);
    assert_eq!(note.verify(&[verifier]).unwrap().len(), 1);
    // Ed25519 is deterministic: the same note, byte for byte.
    let ours = Signer::new(NAME, Algorithm::Ed25519, signer).unwrap();
    let ours = format!("{text}\n{}", ours.sign(&text).unwrap());
    assert_eq!(ours.as_bytes(), ran.stdout);
}

/// Hashes of a tree in the order in which `tlog_tiles` keeps them.
struct Theirs(Vec<tlog_tiles::Hash>);

impl tlog_tiles::HashReader for Theirs {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes
            .iter()
            .map(|index| self.0[*index as usize])
            .collect())
    }
}

#[test]
fn roots_and_proofs_are_those_of_two_other_programs_at_every_size_to_600() {
    const LAST: u64 = 600;
    let mirror = Mirror::new(LAST);
    let mut whole = Tree::new();
    let mut merkle = MemoryBackedTree::<Sha256, [u8; 32]>::new();
    let mut theirs = Theirs(Vec::new());
    for size in 1..=LAST {
        let new = entry(size - 1);
        whole.push(Hash::leaf(&new), &mut |_| {});
        merkle.push(new);
        let hashes = tlog_tiles::stored_hashes(size - 1, &new, &theirs).unwrap();
        theirs.0.extend(hashes);
        let root = whole.root();
        assert_eq!(merkle.root().as_bytes()[..], root.0, "{size}");
        assert_eq!(
            tlog_tiles::tree_hash(size, &theirs).unwrap().0,
            root.0,
            "{size}"
        );
        let within = Within(&mirror);
        let stored = Stored::new(size, &within).unwrap();
        assert_eq!(stored.root().unwrap(), root, "{size}");
        // Every place of the small trees, some of the larger ones.
        let step = if size < 70 { 1 } else { 37 };
        for n in (0..size).step_by(step).chain([size - 1]) {
            let ours = stored.inclusion(n).unwrap();
            let bytes: Vec<u8> = ours.iter().flat_map(|hash| hash.0).collect();
            assert_eq!(
                merkle.prove_inclusion(n as usize).as_bytes(),
                bytes,
                "{n} of {size}"
            );
            let other = tlog_tiles::prove_record(size, n, &theirs).unwrap();
            assert!(
                other.iter().map(|hash| hash.0).eq(ours.iter().map(|h| h.0)),
                "{n} of {size}"
            );
            let old = n + 1;
            let ours = stored.consistency(old).unwrap();
            let other = tlog_tiles::prove_tree(size, old, &theirs).unwrap();
            assert!(
                other.iter().map(|hash| hash.0).eq(ours.iter().map(|h| h.0)),
                "{old} to {size}"
            );
            if old < size {
                let bytes: Vec<u8> = ours.iter().flat_map(|hash| hash.0).collect();
                let other = merkle.prove_consistency((size - old) as usize);
                assert_eq!(other.as_bytes(), bytes, "{old} to {size}");
            }
        }
    }
}

/// The tiles of a smaller tree, cut from those of a larger one: of a partial tile the beginning.
struct Within<'a>(&'a Mirror);

impl Tiles for Within<'_> {
    fn tile(&self, tile: &TileId) -> Result<Vec<u8>, tlog::Error> {
        let there = TileId::at(tile.kind, tile.index, self.0.size);
        let there = there.ok_or(tlog::Error::MissingTile(tile.to_string()))?;
        let mut bytes = self.0.tile(&there)?;
        bytes.truncate(usize::from(tile.width) * 32);
        Ok(bytes)
    }
}
