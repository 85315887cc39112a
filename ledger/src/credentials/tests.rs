use super::*;
use crate::secrets::Secret32;
use crate::wiring::{SeededRandomness, SystemRandomness};

const PASSWORD: &str = "con mèo nằm trên mái";

fn open_with(directory: &Path, cost: Cost, limits: Concurrency) -> Credentials {
    let keys = Keys::derive(&Secret32([1; 32]));
    Credentials::open(
        &crate::disk::RealDisk,
        directory,
        &keys,
        Arc::new(SystemRandomness::new()),
        cost,
        limits,
    )
    .unwrap()
}

fn open(directory: &Path) -> Credentials {
    open_with(
        directory,
        Cost::minimum_for_simulation(),
        Concurrency::default(),
    )
}

fn id(number: u8) -> VerifierId {
    VerifierId([number; 16])
}

#[tokio::test]
async fn a_credential_verifies_after_reopening_and_no_other_does() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.set(id(1), Kind::Password, PASSWORD).await.unwrap();
    store.set(id(2), Kind::Passcode, "482915").await.unwrap();
    for store in [store, open(directory.path())] {
        let verify = async |number, kind, secret: &str| {
            store.verify(id(number), kind, secret).await.unwrap()
        };
        assert!(verify(1, Kind::Password, PASSWORD).await);
        let decomposed = "con me\u{300}o na\u{306}\u{300}m tre\u{302}n ma\u{301}i";
        assert!(
            verify(1, Kind::Password, decomposed).await,
            "typed on another keyboard"
        );
        assert!(verify(2, Kind::Passcode, "482915").await);
        assert!(!verify(1, Kind::Password, "con mèo nằm trên mãi").await);
        assert!(!verify(2, Kind::Passcode, "482916").await);
        assert!(!verify(2, Kind::Passcode, "").await);
        assert!(!verify(1, Kind::Passcode, "482915").await, "another's");
        assert!(!verify(3, Kind::Password, PASSWORD).await, "there is none");
        drop(store);
    }
}

#[tokio::test]
async fn a_verifier_is_of_one_kind() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.set(id(1), Kind::Passcode, "482915").await.unwrap();
    let found = store.slots.read(id(1).0).await.unwrap().unwrap();
    let verifier = store.open_slot(id(1), &found).unwrap().unwrap();
    assert_eq!(verifier.kind, Kind::Passcode as u8);
    assert!(
        !store
            .compare(id(1), Kind::Password, Zeroizing::new(b"482915".to_vec()))
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn answers_count_all_together_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store
        .set_answers(id(1), &["Trường Tiểu học A", "Phở  bò"])
        .await
        .unwrap();
    let verify = async |answers: &[&str]| store.verify_answers(id(1), answers).await.unwrap();
    assert!(verify(&["trường tiểu học a", " phở bò"]).await);
    for wrong in [
        &["Phở bò", "Trường Tiểu học A"][..],
        &["Trường Tiểu học A"],
        &["Trường Tiểu học A", "Phở bò", "x"],
        &["trường tiểu học aphở", "bò"],
        &[],
    ] {
        assert!(!verify(wrong).await, "{wrong:?}");
    }
}

#[tokio::test]
async fn nothing_of_a_credential_is_stored_plain_and_a_deleted_one_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.set(id(1), Kind::Password, PASSWORD).await.unwrap();
    store.set(id(2), Kind::Passcode, "482915").await.unwrap();
    let found = store.slots.read(id(1).0).await.unwrap().unwrap();
    let verifier = store.open_slot(id(1), &found).unwrap().unwrap();
    let file = || std::fs::read(directory.path().join(LAYOUT.file)).unwrap();
    let stored = |needle: &[u8]| file().windows(needle.len()).any(|window| window == needle);
    assert!(!stored(b"482915") && !stored("mèo".as_bytes()));
    assert!(
        !stored(verifier.hash.as_slice()) && !stored(&verifier.salt),
        "sealed"
    );
    let sealed = &found.payload[12..89];
    assert!(stored(sealed));

    store.delete(id(1)).await.unwrap();
    store.delete(id(1)).await.unwrap();
    store.delete(id(9)).await.unwrap();
    assert!(!sealed.chunks(16).any(stored));
    assert!(!store.verify(id(1), Kind::Password, PASSWORD).await.unwrap());
    assert!(store.verify(id(2), Kind::Passcode, "482915").await.unwrap());
    let again = store.set(id(1), Kind::Password, PASSWORD).await;
    assert_eq!(again, Err(CredentialError::Exists), "an id is used once");
}

#[tokio::test]
async fn verifiers_outlive_a_change_of_cost() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path())
        .set(id(1), Kind::Password, PASSWORD)
        .await
        .unwrap();
    let store = open_with(directory.path(), Cost::default(), Concurrency::default());
    assert!(store.verify(id(1), Kind::Password, PASSWORD).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_after_a_full_queue_is_told_so_and_places_are_given_back() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Concurrency {
        running: 1,
        waiting: 1,
    };
    // The one permit is taken, so that the order of events does not depend on how fast hashing is.
    let store = Arc::new(open_with(directory.path(), Cost::default(), limits));
    let permit = store.running.clone().acquire_owned().await.unwrap();
    let verify = |store: Arc<Credentials>| async move {
        store.verify(id(1), Kind::Password, PASSWORD).await
    };
    let waiting = [
        tokio::spawn(verify(store.clone())),
        tokio::spawn(verify(store.clone())),
    ];
    while store.under_way.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(verify(store.clone()).await, Err(CredentialError::Busy));
    drop(permit);
    for task in waiting {
        assert_eq!(task.await.unwrap(), Ok(false));
    }
    assert_eq!(verify(store.clone()).await, Ok(false));
    assert_eq!(store.under_way.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn forms_and_costs_that_cannot_be_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for (kind, secret) in [
        (Kind::Password, "short"),
        (Kind::Passcode, "12345"),
        (Kind::Answers, "one answer is not a list"),
    ] {
        assert_eq!(
            store.set(id(1), kind, secret).await,
            Err(CredentialError::Form)
        );
    }
    assert_eq!(
        store.set_answers(id(1), &["", "x"]).await,
        Err(CredentialError::Form)
    );
    assert_eq!(store.count().await, Ok(0));
    let cost = Cost {
        memory_kib: 1,
        passes: 0,
        lanes: 0,
    };
    let keys = Keys::derive(&Secret32([1; 32]));
    let randomness = Arc::new(SeededRandomness::new(1));
    let error = Credentials::open(
        &crate::disk::RealDisk,
        directory.path(),
        &keys,
        randomness,
        cost,
        Concurrency::default(),
    )
    .err();
    assert_eq!(error, Some(CredentialError::Cost));
}
