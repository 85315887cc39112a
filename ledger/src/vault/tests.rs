use super::*;
use crate::secrets::Secret32;
use crate::vault::layout::{Head, Parsed};
use crate::wiring::SeededRandomness;

fn keys(byte: u8) -> Keys {
    Keys::derive(&Secret32([byte; 32]))
}

fn open(directory: &Path) -> Vault {
    let randomness = Arc::new(crate::wiring::SystemRandomness::new());
    Vault::open(&crate::disk::RealDisk, directory, &keys(1), randomness).unwrap()
}

async fn live(vault: &Vault, subject: &Subject, class: RetentionClass) -> Option<[u8; 32]> {
    match vault.key(subject, class).await.unwrap() {
        KeyState::Live(key) => Some(key.0),
        _ => None,
    }
}

/// The bytes of every file under a directory.
fn everything(directory: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        bytes.extend(if path.is_dir() {
            everything(&path)
        } else {
            std::fs::read(path).unwrap()
        });
    }
    bytes
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

use RetentionClass::{Permanent, Short, Usage};

#[tokio::test]
async fn keys_are_made_once_and_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let vault = open(directory.path());
    let (anna, binh) = ([1; 16], [2; 16]);
    assert!(matches!(
        vault.key(&anna, Permanent).await,
        Ok(KeyState::Unknown)
    ));
    let wanted = [
        (anna, Permanent),
        (binh, Short),
        (anna, Short),
        (anna, Permanent),
    ];
    let made = vault.ensure_keys(&wanted).await.unwrap();
    let again = vault.ensure_keys(&wanted).await.unwrap();
    let mut distinct = std::collections::HashSet::new();
    for (subject, class) in wanted {
        let key = made.get(&subject, class).unwrap().0;
        assert_eq!(again.get(&subject, class).unwrap().0, key);
        distinct.insert(key);
    }
    assert_eq!(distinct.len(), 3);
    assert!(
        made.get(&binh, Permanent).is_none(),
        "only what was asked for"
    );
    drop(vault);
    let vault = open(directory.path());
    assert_eq!(
        live(&vault, &anna, Permanent).await,
        Some(made.get(&anna, Permanent).unwrap().0)
    );
    assert_eq!(vault.subjects().await.unwrap(), 2);
    let stored = everything(directory.path());
    assert!(
        distinct.iter().all(|key| !contains(&stored, key)),
        "no key is stored plain"
    );
}

#[tokio::test]
async fn a_destroyed_key_is_nowhere_and_never_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let vault = open(directory.path());
    let subject = [3; 16];
    let wanted = [(subject, Permanent), (subject, Usage), (subject, Short)];
    let made = vault.ensure_keys(&wanted).await.unwrap();
    let slot = vault.slots.read(subject).await.unwrap().unwrap().payload;
    assert!(contains(
        &everything(directory.path()),
        &slot[..WRAPPED_BYTES]
    ));

    assert!(vault.destroy(&subject, Short).await.unwrap());
    for vault in [vault, open(directory.path())] {
        let stored = everything(directory.path());
        for (class, wrapped) in RetentionClass::ALL.iter().zip(slot.chunks(WRAPPED_BYTES)) {
            // The surviving keys were wrapped anew: no old bytes of any of them remain.
            assert!(!contains(&stored, &wrapped[..12]), "{class:?} nonce");
            assert!(!contains(&stored, &wrapped[12..]), "{class:?} wrapped");
            assert!(
                !contains(&stored, &made.get(&subject, *class).unwrap().0),
                "{class:?} plain"
            );
        }
        assert!(matches!(
            vault.key(&subject, Short).await,
            Ok(KeyState::Destroyed)
        ));
        let error = vault.ensure_keys(&[(subject, Short)]).await.unwrap_err();
        assert_eq!(error, VaultError::Destroyed);
        for class in [Permanent, Usage] {
            let key = made.get(&subject, class).unwrap().0;
            assert_eq!(live(&vault, &subject, class).await, Some(key));
        }
        drop(vault);
    }

    let vault = open(directory.path());
    let survivor = vault.slots.read(subject).await.unwrap().unwrap().payload;
    assert!(
        vault.destroy(&subject, Short).await.unwrap(),
        "destroying twice is the same"
    );
    assert!(vault.destroy(&subject, Permanent).await.unwrap());
    assert!(vault.destroy(&subject, Usage).await.unwrap());
    let stored = everything(directory.path());
    assert!(
        survivor
            .chunks(WRAPPED_BYTES)
            .take(2)
            .all(|wrapped| !contains(&stored, wrapped))
    );
    assert!(
        !vault.destroy(&[4; 16], Usage).await.unwrap(),
        "there is nothing to destroy"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_race_for_a_subject_get_the_same_keys() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(open(directory.path()));
    for round in 0..20 {
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let vault = vault.clone();
                tokio::spawn(async move {
                    let keys = vault.ensure_keys(&[([round; 16], Usage)]).await.unwrap();
                    keys.get(&[round; 16], Usage).unwrap().0
                })
            })
            .collect();
        let mut seen = std::collections::HashSet::new();
        for task in tasks {
            seen.insert(task.await.unwrap());
        }
        assert_eq!(seen.len(), 1);
    }
    assert_eq!(vault.subjects().await.unwrap(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_never_see_a_key_after_its_destruction_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(open(directory.path()));
    for round in 0..30 {
        let subject = [round; 16];
        vault.ensure_keys(&[(subject, Short)]).await.unwrap();
        let reader = {
            let vault = vault.clone();
            let runtime = tokio::runtime::Handle::current();
            tokio::task::spawn_blocking(move || {
                let state = || runtime.block_on(vault.key(&subject, Short)).unwrap();
                while matches!(state(), KeyState::Live(_)) {}
            })
        };
        vault.destroy(&subject, Short).await.unwrap();
        assert!(matches!(
            vault.key(&subject, Short).await,
            Ok(KeyState::Destroyed)
        ));
        reader.await.unwrap();
        assert!(matches!(
            vault.key(&subject, Short).await,
            Ok(KeyState::Destroyed)
        ));
    }
}

#[tokio::test]
async fn the_cache_is_bounded_and_what_falls_out_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let vault = open(directory.path());
    let wanted: Vec<_> = (0..CACHE_SUBJECTS as u128 + 100)
        .map(|number| (number.to_be_bytes(), Permanent))
        .collect();
    let made = vault.ensure_keys(&wanted).await.unwrap();
    assert_eq!(vault.cache.lock().subjects.len(), CACHE_SUBJECTS);
    for (subject, class) in wanted.iter().step_by(97) {
        assert_eq!(
            live(&vault, subject, *class).await,
            made.get(subject, *class).map(|key| key.0)
        );
    }
    assert_eq!(vault.cache.lock().order.len(), CACHE_SUBJECTS);
}

#[tokio::test]
async fn another_key_encryption_key_is_noticed_at_once() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path())
        .ensure_keys(&[([1; 16], Usage)])
        .await
        .unwrap();
    let randomness = Arc::new(SeededRandomness::new(1));
    let error = Vault::open(
        &crate::disk::RealDisk,
        directory.path(),
        &keys(2),
        randomness,
    )
    .err();
    assert_eq!(error, Some(VaultError::WrongKey { file: "keys.slots" }));
}

#[tokio::test]
async fn keys_put_under_another_subject_do_not_unwrap() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path())
        .ensure_keys(&[([1; 16], Usage), ([2; 16], Usage)])
        .await
        .unwrap();
    let path = directory.path().join(LAYOUT.file);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = |number| usize::try_from(LAYOUT.offset(number)).unwrap();
    // Somebody who can write the file gives subject 2 the keys of subject 1, checksum and all.
    let Parsed::Whole(_, payload) = LAYOUT.parse(0, &bytes[at(0)..at(1)]) else {
        panic!()
    };
    let head = Head {
        live: true,
        generation: 1,
        batch: 0,
        id: [2; 16],
    };
    let forged = LAYOUT.slot(1, &head, payload);
    bytes[at(1)..at(2)].copy_from_slice(&forged);
    std::fs::write(&path, bytes).unwrap();
    let vault = open(directory.path());
    assert!(live(&vault, &[1; 16], Usage).await.is_some());
    assert!(matches!(
        vault.key(&[2; 16], Usage).await,
        Err(VaultError::Unusable { .. })
    ));
}

#[test]
fn errors_say_which_slot_and_never_whose() {
    let error = VaultError::Damaged {
        file: "keys.slots",
        slot: 7,
    };
    assert_eq!(error.to_string(), "`vault/keys.slots`: slot 7 is damaged");
}
