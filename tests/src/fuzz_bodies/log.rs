//! Bodies for what comes out of a transparency log: notes, tiles, proofs, bundles, time-stamps.
//!
//! One key has signed one thing, [`Sample`]; so whatever is accepted under that key must say the same.

use ed25519_dalek::SigningKey;
use ledger::bundle::{Trust, open};
use ledger::pki::TrustList;
use ledger::timestamp::{check, imprint_of};
use ledger::transparency::proofs::{EventProof, Proof};
use ledger::transparency::state_proof::StateLeaf;
use std::sync::LazyLock;
use tlog::checkpoint::Checkpoint;
use tlog::map::{self, Key, Leaf};
use tlog::note::{Algorithm, Note, Signer, VerifierKey};
use tlog::policy::Policy;
use tlog::proof::Head;
use tlog::receipt::Receipt;
use tlog::tile::{Kind, TileId};
use tlog::tree::{FullTile, Stored, Tiles, Tree};
use tlog::{Hash, bundle as entries_of};

/// Entries of the sample's log.
const ENTRIES: u8 = 7;
/// The proved one.
const PROVED: u8 = 4;
/// The secret key that has signed the sample and nothing else.
pub const SECRET: [u8; 32] = [3; 32];

/// A small log and what was signed and proved of it.
pub struct Sample {
    /// Believes its key.
    pub policy: Policy,
    /// The checkpoint.
    pub note: Note,
    /// That [`PROVED`] is in it.
    pub receipt: Receipt,
    /// The map's root.
    pub root: Hash,
    /// What it says of one key that is there and one that is not.
    pub said: [map::Proof; 2],
}

/// The only tile there is.
struct One(Vec<u8>);

impl Tiles for One {
    fn tile(&self, tile: &TileId) -> Result<Vec<u8>, tlog::Error> {
        if tile.kind == Kind::Hashes(0) {
            Ok(self.0.clone())
        } else {
            Err(tlog::Error::MissingTile(tile.to_string()))
        }
    }
}

/// The entry at an index.
#[must_use]
pub const fn entry(index: u8) -> [u8; 32] {
    [index; 32]
}

/// Keys in the sample's map, all in one bucket: there, and not there.
#[must_use]
pub fn keys() -> [Key; 2] {
    let mut absent = [9; 32];
    absent[31] = 8;
    [Key([9; 32]), Key(absent)]
}

const VALUE: &[u8] = b"a value";

/// It.
pub static SAMPLE: LazyLock<Sample> = LazyLock::new(|| made().expect("a sample can be made"));

fn made() -> Result<Sample, tlog::Error> {
    let signer = Signer::new(
        "log.example",
        Algorithm::Ed25519,
        SigningKey::from_bytes(&SECRET),
    )?;
    let mut tree = Tree::new();
    let leaves: Vec<Hash> = (0..ENTRIES)
        .map(|index| Hash::leaf(&entry(index)))
        .collect();
    for leaf in &leaves {
        tree.push(*leaf, &mut |_: FullTile| {});
    }
    let head = Head {
        size: ENTRIES.into(),
        root: tree.root(),
    };
    let text = Checkpoint::new("log.example", head)?.to_text();
    let note = Note::parse(&format!("{text}\n{}", signer.sign(&text)?))?;
    let tiles = One(tlog::tile::bytes(&leaves));
    let receipt = Receipt {
        extra: None,
        index: PROVED.into(),
        proof: Stored::new(head.size, &tiles)?.inclusion(PROVED.into())?,
        checkpoint: note.clone(),
    };
    let [there, absent] = keys();
    let leaves = [Leaf::of(Key([8; 32]), b"before"), Leaf::of(there, VALUE)];
    // Both keys of the bucket are told apart by more than their bucket.
    let bucket = map::Bucket::of(&leaves.map(|leaf| leaf.hash()));
    let mut buckets = vec![map::Bucket::empty().hash(); 1 << 16];
    let place = usize::from(there.bucket());
    if let Some(own) = buckets.get_mut(place) {
        *own = bucket.hash();
    }
    let path = map::path_of(&buckets, place);
    let proof = |key, value| map::Proof::of(key, value, &leaves, path.clone());
    Ok(Sample {
        policy: Policy {
            origin: "log.example".to_owned(),
            log: vec![signer.verifier().clone()],
            witnesses: Vec::new(),
            quorum: 0,
        },
        note,
        receipt,
        root: map::root_of(&buckets),
        said: [proof(there, Some(VALUE.to_vec())), proof(absent, None)],
    })
}

/// A signed note: refused, or written in exactly one way; believed only if it is the one that was signed.
///
/// # Panics
/// If a note has a second form, or another one is believed.
pub fn note(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_text(), text, "a key has one form");
    }
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_text(), text, "a checkpoint has one form");
        assert!(checkpoint.head.size <= tlog::SIZE_MAX);
    }
    let Ok(note) = Note::parse(text) else {
        return;
    };
    assert_eq!(note.to_text(), text, "a note has one form");
    let sample = &*SAMPLE;
    if sample.policy.check(&note).is_ok() {
        assert_eq!(note.text(), sample.note.text(), "nothing else was signed");
    }
}

/// A tile's name, or after two bytes of width the contents of a tile and an entry bundle: refused, or with
/// one form only.
///
/// # Panics
/// If something has a second form.
pub fn tile(bytes: &[u8]) {
    if let Ok(text) = core::str::from_utf8(bytes)
        && let Ok(id) = text.parse::<TileId>()
    {
        assert_eq!(id.to_string(), text, "a tile has one name");
    }
    let Some((width, contents)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let width = u16::from_be_bytes(*width);
    if let Ok(entries) = entries_of::entries(contents, width) {
        assert_eq!(entries.len(), usize::from(width));
        let mut again = Vec::new();
        for entry in entries {
            entries_of::push(&mut again, entry).expect("what was read can be written");
        }
        assert!(
            contents.starts_with(&again),
            "a bundle has one form; a fuller one begins the same"
        );
    }
    let id = TileId {
        kind: Kind::Hashes(0),
        index: 0,
        width,
    };
    if let Ok(hashes) = tlog::tile::hashes(&id, contents) {
        let again = tlog::tile::bytes(&hashes);
        assert!(
            contents.starts_with(&again),
            "a tile has one form; a fuller one begins the same"
        );
    }
}

/// A proof as text or JSON: refused, or the one that was made.
///
/// # Panics
/// If a proof has a second form, or something else is proved.
pub fn proof(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    let sample = &*SAMPLE;
    if let Ok(receipt) = Receipt::parse(text) {
        // What stands behind `extra` is anybody's, in any of its forms.
        assert!(receipt.extra.is_some() || receipt.to_text() == text);
        if receipt.check(&entry(PROVED), &sample.policy).is_ok() {
            assert_eq!(receipt.index, sample.receipt.index);
            assert_eq!(receipt.proof, sample.receipt.proof, "a proof has one path");
        }
    }
    let Ok(proof) = Proof::parse(text) else {
        return;
    };
    let proved = proof.check(&sample.policy, None).is_ok();
    if let (true, Proof::Event(proof)) = (proved, &proof) {
        let made = EventProof::new(&sample.receipt, entry(PROVED));
        // The sample has seven entries; each can be proved by who knows the others.
        assert!(proof.index != made.index || proof.entry == made.entry);
    }
}

/// What a map says of a key: refused, or what it says.
///
/// # Panics
/// If it says something else.
pub fn map_proof(bytes: &[u8]) {
    if let Some(leaf) = StateLeaf::from_bytes(bytes) {
        assert_eq!(leaf.to_bytes(), bytes, "a leaf has one form");
    }
    let Ok(proof) = serde_json::from_slice::<map::Proof>(bytes) else {
        return;
    };
    let sample = &*SAMPLE;
    let [there, absent] = keys();
    if let Ok(said) = proof.check(there, &sample.root) {
        assert_eq!(said, Some(VALUE));
    }
    if let Ok(said) = proof.check(absent, &sample.root) {
        assert_eq!(said, None);
    }
}

/// An evidence bundle of the log whose name it says and whose key is the sample's.
///
/// # Panics
/// If what it holds is accepted and proves nothing.
pub fn evidence(bytes: &[u8]) {
    // Its manifest stands first: "log <origin>".
    let named = bytes.windows(5).position(|window| window == b"\nlog ");
    let origin = named.and_then(|at| bytes.get(at + 5..));
    let origin = origin.and_then(|rest| rest.split(|byte| *byte == b'\n').next());
    let Some(origin) = origin.and_then(|origin| core::str::from_utf8(origin).ok()) else {
        return;
    };
    let key = SigningKey::from_bytes(&SECRET).verifying_key();
    let Ok(key) = VerifierKey::new(origin, Algorithm::Ed25519, key) else {
        return;
    };
    let trust = Trust {
        policy: Policy {
            origin: origin.to_owned(),
            log: vec![key],
            witnesses: Vec::new(),
            quorum: 0,
        },
        ledger_key: None,
        manifest_key: None,
        authorities: None,
    };
    if let Ok(opened) = open(bytes, &trust) {
        assert!(!opened.records.is_empty() && opened.ring.ledger().is_some());
    }
}

/// An authority's answer, against a list of nobody who could have given it.
///
/// # Panics
/// If it is believed.
pub fn timestamp(bytes: &[u8]) {
    let data = SAMPLE.note.to_text();
    let stamped = check(bytes, data.as_bytes(), None, &STRANGER);
    assert!(stamped.is_err(), "nobody on the list has signed anything");
    let _ = imprint_of(bytes);
}

/// A list with one authority that has signed nothing.
static STRANGER: LazyLock<TrustList> = LazyLock::new(|| {
    let list = ledger::chip::testing::Recipe::of("030184000001").trust_list();
    TrustList::read(list.as_bytes()).expect("a list of one")
});
