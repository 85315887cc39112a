//! Map proofs against a model: a sorted map of everything, hashed in the plainest way.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The plainest map: all of it, sorted.
#[derive(Default)]
struct Model(BTreeMap<Key, Vec<u8>>);

impl Model {
    fn leaves(&self, bucket: u16) -> Vec<Leaf> {
        let inside = self.0.iter().filter(|(key, _)| key.bucket() == bucket);
        inside.map(|(key, value)| Leaf::of(*key, value)).collect()
    }

    fn buckets(&self) -> Vec<Hash> {
        let mut by_bucket: BTreeMap<u16, Vec<Hash>> = BTreeMap::new();
        for (key, value) in &self.0 {
            let leaf = Leaf::of(*key, value);
            by_bucket.entry(key.bucket()).or_default().push(leaf.hash());
        }
        let empty = Bucket::empty().hash();
        (0..=u16::MAX)
            .map(|bucket| {
                by_bucket
                    .get(&bucket)
                    .map_or(empty, |leaves| Bucket::of(leaves).hash())
            })
            .collect()
    }

    fn prove(&self, buckets: &[Hash], key: Key) -> Proof {
        let path = path_of(buckets, usize::from(key.bucket()));
        let value = self.0.get(&key).cloned();
        Proof::of(key, value, &self.leaves(key.bucket()), path)
    }
}

/// Keys that crowd into few buckets.
fn key() -> impl Strategy<Value = Key> {
    (0u8..3, any::<[u8; 2]>()).prop_map(|(bucket, [first, second])| {
        let mut key = [0; 32];
        (key[1], key[2], key[31]) = (bucket, first % 16, second % 4);
        Key(key)
    })
}

fn path_alterations(path: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    for at in 0..path.len() {
        let mut flipped = path.to_vec();
        flipped[at].0[7] ^= 1;
        all.push(flipped);
    }
    if let Some((_, rest)) = path.split_last() {
        all.push(rest.to_vec());
    }
    let mut longer = path.to_vec();
    longer.push(Hash::empty());
    all.push(longer);
    all
}

/// Every proof that differs from a good one in one thing.
#[expect(clippy::too_many_lines, reason = "one alteration after the other")]
fn alterations(good: &Proof) -> Vec<Proof> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Proof)| {
        let mut altered = good.clone();
        change(&mut altered);
        all.push(altered);
    };
    with(&|proof| proof.leaves += 1);
    with(&|proof| proof.leaves = proof.leaves.wrapping_sub(1));
    with(&|proof| proof.place += 1);
    with(&|proof| proof.place = proof.place.wrapping_sub(1));
    with(&|proof| proof.bucket.0[0] ^= 1);
    for path in path_alterations(&good.path) {
        with(&|proof| proof.path.clone_from(&path));
    }
    match &good.answer {
        Answer::Present { value, path } => {
            for path in path_alterations(path) {
                let value = value.clone();
                with(&|proof| {
                    let (value, path) = (value.clone(), path.clone());
                    proof.answer = Answer::Present { value, path };
                });
            }
            let mut other = value.clone();
            other.push(0);
            with(&|proof| {
                let (value, path) = (other.clone(), path.clone());
                proof.answer = Answer::Present { value, path };
            });
            with(&|proof| {
                let (before, after) = (None, None);
                proof.answer = Answer::Absent { before, after };
            });
        }
        Answer::Absent { before, after } => {
            let mut say = |before: Option<Neighbour>, after: Option<Neighbour>| {
                with(&|proof| {
                    let (before, after) = (before.clone(), after.clone());
                    proof.answer = Answer::Absent { before, after };
                });
            };
            if before != after {
                say(after.clone(), before.clone());
            }
            for one in [before, after].into_iter().flatten() {
                let mut others = Vec::new();
                for path in path_alterations(&one.path) {
                    others.push(Neighbour {
                        path,
                        ..one.clone()
                    });
                }
                for byte in [1, 2, 31] {
                    let mut other = one.clone();
                    other.leaf.key.0[byte] ^= 0x40;
                    others.push(other);
                }
                let mut other = one.clone();
                other.leaf.value.0[0] ^= 1;
                others.push(other);
                for other in others {
                    if Some(one) == before.as_ref() {
                        say(Some(other), after.clone());
                    } else {
                        say(before.clone(), Some(other));
                    }
                }
            }
            if before.is_some() {
                say(None, after.clone());
            }
            if after.is_some() {
                say(before.clone(), None);
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_map_proves_what_it_holds_and_what_it_does_not_and_nothing_else(
        rows in proptest::collection::btree_map(key(), proptest::collection::vec(any::<u8>(), 0..9), 0..40),
        asked in proptest::collection::vec(key(), 1..6),
    ) {
        let model = Model(rows);
        let buckets = model.buckets();
        let root = root_of(&buckets);
        let known = model.0.keys().copied().take(3);
        for key in asked.into_iter().chain(known) {
            let proof = model.prove(&buckets, key);
            let said = proof.check(key, &root).unwrap();
            prop_assert_eq!(said, model.0.get(&key).map(Vec::as_slice));
            prop_assert_eq!(proof.path.len(), DEPTH);
            let json = serde_json::to_string(&proof).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Proof>(&json).unwrap(), &proof);
            for altered in alterations(&proof) {
                prop_assert!(altered.check(key, &root).is_err(), "{altered:?}");
            }
            let mut other = root;
            other.0[31] ^= 1;
            prop_assert!(proof.check(key, &other).is_err());
        }
    }

    #[test]
    fn a_proof_says_nothing_of_another_key(
        rows in proptest::collection::btree_map(key(), any::<[u8; 3]>(), 1..30),
        asked in key(),
        other in key(),
    ) {
        let model = Model(rows.into_iter().map(|(key, value)| (key, value.to_vec())).collect());
        let buckets = model.buckets();
        let root = root_of(&buckets);
        let proof = model.prove(&buckets, asked);
        // A gap is a gap for every key in it; whatever is accepted must be true.
        if let Ok(said) = proof.check(other, &root) {
            prop_assert_eq!(said, model.0.get(&other).map(Vec::as_slice));
        }
    }
}

#[test]
fn paths_and_roots_are_those_of_the_tree() {
    let hashes: Vec<Hash> = (0u8..70).map(|n| Hash::leaf(&[n])).collect();
    for length in 0..=hashes.len() {
        let hashes = &hashes[..length];
        let mut tree = crate::Tree::new();
        for hash in hashes {
            tree.push(*hash, &mut |_| {});
        }
        let root = root_of(hashes);
        assert_eq!(root, tree.root());
        let size = length as u64;
        for (index, leaf) in (0u64..).zip(hashes) {
            let path = path_of(hashes, usize::try_from(index).unwrap());
            assert_eq!(
                check_inclusion(*leaf, index, &path, &Head { size, root }),
                Ok(())
            );
        }
    }
}

#[test]
fn the_root_of_nothing_is_frozen() {
    let empty = vec![Bucket::empty().hash(); 1 << 16];
    assert_eq!(
        hex::encode(root_of(&empty).0),
        "28e4168e7bd53c16b698525cb37bd007a00aa4a9fd58fcbcb9960098173175ff"
    );
}

#[test]
fn json_of_another_spelling_is_refused() {
    let model = Model::default();
    let buckets = model.buckets();
    let proof = model.prove(&buckets, Key([0xab; 32]));
    let json = serde_json::to_string(&proof).unwrap();
    for (what, other) in [
        ("\"leaves\":0", "\"leaves\":-1"),
        ("\"place\":0", "\"place\":0,\"more\":1"),
        ("\"absent\"", "\"missing\""),
    ] {
        assert!(json.contains(what));
        let altered = json.replacen(what, other, 1);
        assert!(
            serde_json::from_str::<Proof>(&altered).is_err(),
            "{altered}"
        );
    }
    let upper = format!("\"{}\"", hex::encode_upper([0xab; 32]));
    assert!(serde_json::from_str::<Key>(&upper).is_err());
    assert!(serde_json::from_str::<Key>("\"abcd\"").is_err());
}
