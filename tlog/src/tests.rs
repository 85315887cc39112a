//! The tree against RFC 6962's own words, and every decoder against what hurts it.
#![allow(
    clippy::similar_names,
    clippy::too_many_lines,
    reason = "tables and pairs"
)]

use crate::error::Error;
use crate::hash::Hash;
use crate::note::{Algorithm, Note, Signer, VerifierKey};
use crate::policy::Policy;
use crate::proof::{Head, check_consistency, check_inclusion};
use crate::receipt::Receipt;
use crate::tile::{self, Kind, TileId};
use crate::tree::{FullTile, Stored, Tiles, Tree};
use crate::witness::{AddCheckpoint, Refusal, judge};
use crate::{Checkpoint, bundle, cosignature};
use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::BTreeMap;

const ORIGIN: &str = "ledger.example/1";

fn entry(n: u64) -> [u8; 32] {
    let mut entry = [7; 32];
    entry[..8].copy_from_slice(&n.to_be_bytes());
    entry
}

/// RFC 6962 section 2.1, word for word.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::empty(),
        [leaf] => *leaf,
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            Hash::node(&mth(&leaves[..k]), &mth(&leaves[k..]))
        }
    }
}

/// RFC 6962 section 2.1.1.
fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let mut k = 1;
    while k * 2 < leaves.len() {
        k *= 2;
    }
    if m < k {
        let mut proof = path(m, &leaves[..k]);
        proof.push(mth(&leaves[k..]));
        proof
    } else {
        let mut proof = path(m - k, &leaves[k..]);
        proof.push(mth(&leaves[..k]));
        proof
    }
}

/// RFC 6962 section 2.1.2.
fn subproof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![mth(leaves)] };
    }
    let mut k = 1;
    while k * 2 < leaves.len() {
        k *= 2;
    }
    if m <= k {
        let mut proof = subproof(m, &leaves[..k], whole);
        proof.push(mth(&leaves[k..]));
        proof
    } else {
        let mut proof = subproof(m - k, &leaves[k..], false);
        proof.push(mth(&leaves[..k]));
        proof
    }
}

#[derive(Default)]
struct Shelf(RefCell<BTreeMap<TileId, Vec<u8>>>);

impl Tiles for Shelf {
    fn tile(&self, tile: &TileId) -> Result<Vec<u8>, Error> {
        let shelf = self.0.borrow();
        let full = TileId {
            width: tile::WIDTH,
            ..*tile
        };
        shelf
            .get(tile)
            .or_else(|| shelf.get(&full))
            .cloned()
            .ok_or_else(|| Error::MissingTile(tile.to_string()))
    }
}

/// A tree of so many entries and all its tiles.
fn grown(size: u64) -> (Tree, Shelf) {
    let shelf = Shelf::default();
    let mut tree = Tree::new();
    for n in 0..size {
        tree.push(Hash::leaf(&entry(n)), &mut |full: FullTile| {
            let id = TileId {
                kind: Kind::Hashes(full.level),
                index: full.index,
                width: tile::WIDTH,
            };
            shelf.0.borrow_mut().insert(id, tile::bytes(&full.hashes));
        });
    }
    for (id, hashes) in tree.partial() {
        shelf.0.borrow_mut().insert(id, tile::bytes(hashes));
    }
    (tree, shelf)
}

#[test]
fn roots_and_proofs_are_those_of_the_rfc_at_every_size() {
    let leaves: Vec<Hash> = (0..600).map(|n| Hash::leaf(&entry(n))).collect();
    for size in (0..=70).chain([127, 128, 255, 256, 257, 300, 511, 512, 513, 600]) {
        let all = &leaves[..size];
        let (tree, shelf) = grown(size as u64);
        let stored = Stored::new(size as u64, &shelf).unwrap();
        let head = Head {
            size: size as u64,
            root: mth(all),
        };
        assert_eq!(tree.root(), head.root);
        assert_eq!(stored.root().unwrap(), head.root);
        assert_eq!(Tree::restore(size as u64, &shelf).unwrap(), tree);
        for n in 0..size {
            let proof = stored.inclusion(n as u64).unwrap();
            assert_eq!(proof, path(n, all));
            check_inclusion(all[n], n as u64, &proof, &head).unwrap();
        }
        for old in 0..=size {
            let proof = stored.consistency(old as u64).unwrap();
            if old > 0 {
                assert_eq!(proof, subproof(old, all, true));
            }
            let from = Head {
                size: old as u64,
                root: mth(&all[..old]),
            };
            check_consistency(&from, &head, &proof).unwrap();
        }
    }
}

#[test]
fn the_tiles_of_a_tree_of_70000() {
    let (_, shelf) = grown(70_000);
    let tiles: Vec<TileId> = tile::of_tree(70_000).collect();
    let count = |level, full: bool| {
        let of = |tile: &&TileId| tile.kind == Kind::Hashes(level) && tile.is_full() == full;
        tiles.iter().filter(of).count()
    };
    assert_eq!((count(0, true), count(0, false)), (273, 1));
    assert_eq!((count(1, true), count(1, false)), (1, 1));
    assert_eq!((count(2, true), count(2, false)), (0, 1));
    let widths: Vec<u16> = tiles
        .iter()
        .filter(|tile| !tile.is_full())
        .map(|tile| tile.width)
        .collect();
    assert_eq!(widths, [112, 17, 1]);
    // Exactly these were made.
    let made: Vec<TileId> = shelf.0.borrow().keys().copied().collect();
    let mut wanted = tiles;
    wanted.sort();
    assert_eq!(made, wanted);
}

#[test]
fn names_of_tiles() {
    for (name, kind, index, width) in [
        ("tile/0/000", Kind::Hashes(0), 0, 256),
        ("tile/1/x001/x234/067", Kind::Hashes(1), 1_234_067, 256),
        ("tile/63/999.p/1", Kind::Hashes(63), 999, 1),
        ("tile/entries/x001/000.p/255", Kind::Entries, 1_000, 255),
    ] {
        let id = TileId { kind, index, width };
        assert_eq!(id.to_string(), name);
        assert_eq!(name.parse::<TileId>().unwrap(), id);
    }
    for name in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/001/000",
        "tile/0/x000/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p/5/",
        "tile/0/+01",
        "tile/0/../../etc",
        "tile/data/000",
        "/tile/0/000",
        "tile/0/000\n",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert!(name.parse::<TileId>().is_err(), "{name}");
    }
}

#[test]
fn bundles() {
    let mut bytes = Vec::new();
    for n in 0..300u64 {
        bundle::push(&mut bytes, &entry(n)).unwrap();
    }
    assert!(bundle::entries(&bytes, 1).is_err(), "more than 256");
    bytes.truncate(256 * 34);
    assert_eq!(bundle::entries(&bytes, 256).unwrap()[255], entry(255));
    assert_eq!(bundle::entries(&bytes, 3).unwrap().len(), 3);
    assert!(bundle::entries(&bytes[..33], 1).is_err());
    assert!(bundle::entries(&[], 1).is_err());
    assert!(bundle::push(&mut bytes, &vec![0; 65_536]).is_err());
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn log_signer() -> Signer {
    Signer::new(ORIGIN, Algorithm::Ed25519, key(1)).unwrap()
}

fn witness(n: u8) -> Signer {
    Signer::new(
        &format!("witness.example/{n}"),
        Algorithm::Cosignature,
        key(10 + n),
    )
    .unwrap()
}

fn signed(head: Head) -> Note {
    let text = Checkpoint::new(ORIGIN, head).unwrap().to_text();
    let line = log_signer().sign(&text).unwrap();
    Note::parse(&format!("{text}\n{line}")).unwrap()
}

fn policy(witnesses: u8, quorum: usize) -> Policy {
    Policy {
        origin: ORIGIN.to_owned(),
        log: vec![log_signer().verifier().clone()],
        witnesses: (0..witnesses)
            .map(|n| witness(n).verifier().clone())
            .collect(),
        quorum,
    }
}

/// The example of the signed-note specification.
#[test]
fn a_note_and_a_key_made_elsewhere() {
    let text = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    let key = VerifierKey::parse(text).unwrap();
    assert_eq!(key.to_text(), text);
    let note = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    let parsed = Note::parse(note).unwrap();
    assert_eq!(parsed.to_text(), note);
    assert_eq!(parsed.verify(&[key]).unwrap().len(), 1);
}

#[test]
fn keys_that_are_refused() {
    let good = log_signer().verifier().to_text();
    assert!(VerifierKey::parse(&good).is_ok());
    let (name, rest) = good.split_once('+').unwrap();
    let (id, key) = rest.split_once('+').unwrap();
    assert_eq!(
        VerifierKey::parse(&format!("{name}x+{id}+{key}")),
        Err(Error::KeyId)
    );
    assert_eq!(
        VerifierKey::parse(&format!("{name}+00000000+{key}")),
        Err(Error::KeyId)
    );
    for text in [
        String::new(),
        name.to_owned(),
        format!("{name}+{id}"),
        format!("+{id}+{key}"),
        format!("a b+{id}+{key}"),
        format!("{name}+{}+{key}", id.to_uppercase() + "0"),
        format!("{name}+{id}+AA=="),
        format!("{name}+{id}+{key}A"),
    ] {
        assert!(VerifierKey::parse(&text).is_err(), "{text}");
    }
}

#[test]
fn checkpoints_cosignatures_and_the_quorum() {
    let (tree, _) = grown(300);
    let head = Head {
        size: 300,
        root: tree.root(),
    };
    let mut note = signed(head);
    assert_eq!(
        policy(2, 1).check(&note),
        Err(Error::TooFewCosignatures {
            found: 0,
            wanted: 1
        })
    );
    for n in [0, 1] {
        let line =
            cosignature::sign(&witness(n), note.text(), 1_700_000_000 + u64::from(n)).unwrap();
        note.add(&line).unwrap();
    }
    let read = Note::parse(&note.to_text()).unwrap();
    let accepted = policy(2, 2).check(&read).unwrap();
    assert_eq!(accepted.checkpoint.head, head);
    assert_eq!(
        accepted.cosigned.values().copied().collect::<Vec<_>>(),
        [1_700_000_000, 1_700_000_001]
    );
    // A witness nobody knows counts for nothing.
    assert!(matches!(
        policy(1, 2).check(&read),
        Err(Error::TooFewCosignatures { found: 1, .. })
    ));
    // The time is signed.
    let altered = note.to_text();
    let line = altered.lines().last().unwrap();
    let (head_part, body) = line.rsplit_once(' ').unwrap();
    let mut bytes =
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).unwrap();
    bytes[11] ^= 1;
    let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
    let altered = altered.replace(line, &format!("{head_part} {body}"));
    let altered = Note::parse(&altered).unwrap();
    assert!(matches!(
        policy(2, 1).check(&altered),
        Err(Error::WrongSignature { .. })
    ));
    // Twice by one key.
    let again = cosignature::sign(&witness(0), note.text(), 1_700_000_005).unwrap();
    note.add(&again).unwrap();
    assert!(matches!(
        policy(2, 1).check(&note),
        Err(Error::SignedTwice { .. })
    ));
    // Another log.
    let mut other = policy(0, 0);
    other.origin = "ledger.example/2".to_owned();
    assert_eq!(other.check(&read), Err(Error::OtherLog));
    // Only the witness signed.
    let text = read.text().to_owned();
    let line = cosignature::sign(&witness(0), &text, 5).unwrap();
    let only = Note::parse(&format!("{text}\n{line}")).unwrap();
    assert_eq!(policy(1, 1).check(&only), Err(Error::Unsigned));
}

#[test]
fn texts_that_are_no_checkpoint() {
    let root = Hash::leaf(b"x").to_base64();
    for text in [
        String::new(),
        "a\n".to_owned(),
        format!("a\n1\n{root}"),
        format!("\n1\n{root}\n"),
        format!("a\n01\n{root}\n"),
        format!("a\n+1\n{root}\n"),
        format!("a\n-1\n{root}\n"),
        format!("a\n0\n{root}\n"),
        format!("a\n281474976710657\n{root}\n"),
        format!("a\n18446744073709551616\n{root}\n"),
        format!("a\n1\n{root}\n\n"),
        format!("a\n1\n{}\n", &root[..40]),
        format!("a\n1\n{}\n", root.trim_end_matches('=')),
    ] {
        assert!(Checkpoint::parse(&text).is_err(), "{text:?}");
    }
    let extended = format!("a\n1\n{root}\nmore\n");
    assert_eq!(Checkpoint::parse(&extended).unwrap().to_text(), extended);
}

#[test]
fn a_receipt_stands_alone() {
    let (tree, shelf) = grown(300);
    let stored = Stored::new(300, &shelf).unwrap();
    let receipt = Receipt {
        extra: Some(b"for the reader".to_vec()),
        index: 217,
        proof: stored.inclusion(217).unwrap(),
        checkpoint: signed(Head {
            size: 300,
            root: tree.root(),
        }),
    };
    let text = receipt.to_text();
    let read = Receipt::parse(&text).unwrap();
    assert_eq!(read, receipt);
    read.check(&entry(217), &policy(0, 0)).unwrap();
    assert!(read.check(&entry(218), &policy(0, 0)).is_err());
    let mut elsewhere = read.clone();
    elsewhere.index = 218;
    assert!(elsewhere.check(&entry(217), &policy(0, 0)).is_err());
    let mut cut = read.clone();
    cut.proof.pop();
    assert!(cut.check(&entry(217), &policy(0, 0)).is_err());
    let mut padded = read;
    padded.proof.push(Hash::empty());
    assert!(padded.check(&entry(217), &policy(0, 0)).is_err());
}

#[test]
fn a_witness_takes_a_continuation_and_nothing_else() {
    let (first, _) = grown(100);
    let (second, shelf) = grown(300);
    let old = Head {
        size: 100,
        root: first.root(),
    };
    let new = Head {
        size: 300,
        root: second.root(),
    };
    let keys = [log_signer().verifier().clone()];
    let request = AddCheckpoint {
        old: 100,
        proof: Stored::new(300, &shelf).unwrap().consistency(100).unwrap(),
        checkpoint: signed(new),
    };
    assert_eq!(AddCheckpoint::parse(&request.to_text()).unwrap(), request);
    assert_eq!(judge(&request, Some(&keys), Some(&old)).unwrap().head, new);
    assert_eq!(judge(&request, None, Some(&old)), Err(Refusal::UnknownLog));
    let stranger = [Signer::new(ORIGIN, Algorithm::Ed25519, key(9))
        .unwrap()
        .verifier()
        .clone()];
    assert_eq!(
        judge(&request, Some(&stranger), Some(&old))
            .unwrap_err()
            .status(),
        403
    );
    assert_eq!(
        judge(&request, Some(&keys), None),
        Err(Refusal::OtherOld { latest: 0 })
    );
    let fork = Head {
        size: 100,
        root: Hash::leaf(b"another history"),
    };
    assert_eq!(
        judge(&request, Some(&keys), Some(&fork))
            .unwrap_err()
            .status(),
        422
    );
    let same_size = AddCheckpoint {
        old: 300,
        proof: Vec::new(),
        checkpoint: signed(new),
    };
    let other = Head {
        size: 300,
        root: Hash::leaf(b"another history"),
    };
    assert!(judge(&same_size, Some(&keys), Some(&new)).is_ok());
    assert_eq!(
        judge(&same_size, Some(&keys), Some(&other))
            .unwrap_err()
            .status(),
        422
    );
    let backwards = AddCheckpoint {
        old: 301,
        ..request.clone()
    };
    assert_eq!(
        judge(&backwards, Some(&keys), Some(&new)),
        Err(Refusal::OldBeyondNew)
    );
    let firsts = AddCheckpoint {
        old: 0,
        proof: Vec::new(),
        checkpoint: signed(new),
    };
    assert!(judge(&firsts, Some(&keys), None).is_ok());
    let with_proof = AddCheckpoint { old: 0, ..request };
    assert_eq!(
        judge(&with_proof, Some(&keys), None).unwrap_err().status(),
        422
    );
}

fn any_hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

proptest! {
    #[test]
    fn no_altered_proof_is_accepted(
        size in 1u64..400,
        place in any::<prop::sample::Index>(),
        old in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        other in any_hash(),
        what in 0..4,
    ) {
        let (tree, shelf) = grown(size);
        let stored = Stored::new(size, &shelf).unwrap();
        let head = Head { size, root: tree.root() };
        let index = place.index(usize::try_from(size).unwrap()) as u64;
        let alter = |mut proof: Vec<Hash>| {
            match what {
                0 if !proof.is_empty() => { let at = at.index(proof.len()); proof[at] = other; }
                1 if !proof.is_empty() => { let at = at.index(proof.len()); proof.remove(at); }
                2 if proof.len() > 1 => { let at = at.index(proof.len() - 1); proof.swap(at, at + 1); }
                _ => { let at = at.index(proof.len() + 1); proof.insert(at, other); }
            }
            proof
        };
        let proof = alter(stored.inclusion(index).unwrap());
        prop_assert!(check_inclusion(Hash::leaf(&entry(index)), index, &proof, &head).is_err());
        let old = old.index(usize::try_from(size).unwrap()) as u64 + 1;
        let from = Head { size: old, root: Stored::new(old, &grown(old).1).unwrap().root().unwrap() };
        let proof = alter(stored.consistency(old).unwrap());
        prop_assert!(check_consistency(&from, &head, &proof).is_err());
    }

    #[test]
    fn no_decoder_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>()) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = (Note::parse(&text), Receipt::parse(&text), AddCheckpoint::parse(&text));
        let _ = (Checkpoint::parse(&text), VerifierKey::parse(&text), text.parse::<TileId>());
        let _ = bundle::entries(&bytes, 3);
        // And what was once good.
        let (tree, shelf) = grown(9);
        let head = Head { size: 9, root: tree.root() };
        let receipt = Receipt {
            extra: None,
            index: 4,
            proof: Stored::new(9, &shelf).unwrap().inclusion(4).unwrap(),
            checkpoint: signed(head),
        };
        let good = receipt.to_text().into_bytes();
        let mut bad = good.clone();
        let at = flip.index(bad.len());
        bad[at] ^= 1 << (at % 7);
        if let Ok(text) = String::from_utf8(bad) {
            let read = Receipt::parse(&text).and_then(|read| read.check(&entry(4), &policy(0, 0)));
            prop_assert!(read.is_err(), "accepted an altered receipt: {text}");
        }
        let cut = cut.index(good.len());
        if let Ok(text) = String::from_utf8(good[..cut].to_vec()) {
            let read = Receipt::parse(&text).and_then(|read| read.check(&entry(4), &policy(0, 0)));
            prop_assert!(read.is_err());
        }
    }
}
