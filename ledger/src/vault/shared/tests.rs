mod secured;

use super::moving::{MoveError, Moved};
use super::*;
use crate::credentials::{Concurrency, Cost, Credentials, Kind};
use crate::secrets::{Keys, Secret32};
use crate::testing::cutter::Cutter;
use crate::testing::postgres::{Postgres, address_at};
use crate::vault::port::suite;
use crate::vault::{KeyState, LAYOUT, Vault};
use crate::wiring::SystemRandomness;
use domain::ids::VerifierId;
use domain::vocabulary::RetentionClass::{Permanent, Short, Usage};
use std::sync::Arc;

fn place(address: &str) -> SharedVault {
    SharedVault::new(address, None, None).unwrap()
}

async fn vault(address: &str, kek: u8) -> Result<Vault, VaultError> {
    let keys = Keys::derive(&Secret32([kek; 32]));
    Vault::open_shared(&place(address), &keys, Arc::new(SystemRandomness::new())).await
}

/// One server for all of it: starting one takes longer than everything it is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_that_servers_share() {
    let server = Postgres::start();
    let address = server.address();
    let slots = place(&address).slots(LAYOUT, [7; 16]).await.unwrap();
    suite::all(Arc::new(slots)).await;
    server.query("TRUNCATE idledger_vault, idledger_slots");

    two_nodes_see_one_vault(&address).await;
    what_is_acknowledged_survives_a_crash(&server).await;
    an_answer_that_is_lost_is_asked_for_again(&server).await;
    a_row_under_another_id_or_of_another_time_does_not_open(&server).await;
    server.query("TRUNCATE idledger_vault, idledger_slots");
    a_vault_moves_in(&address).await;

    let error = vault(&address, 2).await.err();
    let expected = VaultError::WrongKey { file: "keys.slots" };
    assert_eq!(error, Some(expected));
    server.query("UPDATE idledger_vault SET format = 2");
    let error = vault(&address, 1).await.err();
    assert!(
        matches!(error, Some(VaultError::Unusable { .. })),
        "{error:?}"
    );
    server.query("UPDATE idledger_vault SET format = 1");

    server.crash();
    server.restart_with("-c fsync=off");
    let error = vault(&address, 1).await.err().unwrap();
    assert!(error.to_string().contains("without fsync"), "{error}");
    server.crash();
    server.restart_with("-c synchronous_commit=off");
    let slots = place(&address).slots(LAYOUT, check(1)).await.unwrap();
    let client = slots.pool.get().await.unwrap();
    let row = client.query_one("SHOW synchronous_commit", &[]).await;
    assert_eq!(row.unwrap().get::<_, String>(0), "on");
}

fn check(kek: u8) -> [u8; 16] {
    Keys::derive(&Secret32([kek; 32])).check()
}

async fn two_nodes_see_one_vault(address: &str) {
    let (first, second) = (
        vault(address, 1).await.unwrap(),
        vault(address, 1).await.unwrap(),
    );
    let subject = [1; 16];
    let wanted = [(subject, Permanent), (subject, Usage)];
    let made = first.ensure_keys(&wanted).await.unwrap();
    let found = second.ensure_keys(&wanted).await.unwrap();
    for (subject, class) in wanted {
        let (made, found) = (made.get(&subject, class), found.get(&subject, class));
        assert_eq!(made.unwrap().0, found.unwrap().0);
    }
    // Both have used the key; what one destroys is gone for the other with the next call.
    assert!(second.destroy(&subject, Usage).await.unwrap());
    for node in [&first, &second] {
        let state = node.key(&subject, Usage).await.unwrap();
        assert!(matches!(state, KeyState::Destroyed));
        let state = node.key(&subject, Permanent).await.unwrap();
        assert!(matches!(state, KeyState::Live(_)));
        let error = node.ensure_keys(&[(subject, Usage)]).await.unwrap_err();
        assert_eq!(error, VaultError::Destroyed);
    }
    // Both destroy different keys of one subject at once: none comes back.
    for round in 10..30 {
        let subject = [round; 16];
        first.ensure_keys(&[(subject, Short)]).await.unwrap();
        let (one, other) = tokio::join!(
            first.destroy(&subject, Short),
            second.destroy(&subject, Permanent)
        );
        assert!(one.unwrap() && other.unwrap());
        for class in [Short, Permanent] {
            let state = first.key(&subject, class).await.unwrap();
            assert!(matches!(state, KeyState::Destroyed), "{round} {class:?}");
        }
    }
}

async fn what_is_acknowledged_survives_a_crash(server: &Postgres) {
    let vault = vault(&server.address(), 1).await.unwrap();
    let subjects: Vec<_> = (100..140).map(|number| [number; 16]).collect();
    let mut made = Vec::new();
    for subject in &subjects {
        made.push(vault.ensure_keys(&[(*subject, Short)]).await.unwrap());
    }
    for subject in subjects.iter().step_by(2) {
        assert!(vault.destroy(subject, Short).await.unwrap());
    }
    server.crash();
    // Asked while it is away; answered when it is back.
    let asked = vault.key(&subjects[0], Short);
    let (state, ()) = tokio::join!(asked, async { server.restart() });
    assert!(matches!(state, Ok(KeyState::Destroyed)), "{state:?}");
    for (number, (subject, made)) in subjects.iter().zip(&made).enumerate() {
        match vault.key(subject, Short).await.unwrap() {
            KeyState::Live(key) => {
                assert_eq!(number % 2, 1, "a destroyed key came back");
                assert_eq!(key.0, made.get(subject, Short).unwrap().0);
            }
            KeyState::Destroyed => assert_eq!(number % 2, 0, "a key was lost"),
            KeyState::Unknown => panic!("a key was lost"),
        }
    }
}

async fn an_answer_that_is_lost_is_asked_for_again(server: &Postgres) {
    let cutter = Cutter::before(&server.home());
    let address = address_at(cutter.directory());
    let slots = place(&address).slots(LAYOUT, check(1)).await.unwrap();
    let payload = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
    let id = |number: u8| [number; 16];
    // So that the statements are known to the connection and the answer that is cut is the last.
    slots.insert(id(200), payload("warm")).await.unwrap();
    slots.overwrite(id(200), 1, payload("x")).await.unwrap();

    cutter.cut_after(1);
    let made = slots.insert(id(201), payload("mine")).await;
    assert_eq!(made, Ok(Inserted::New), "it is this process's own");
    assert!(cutter.has_cut(), "the connection was cut");
    slots.overwrite(id(200), 2, payload("warm")).await.unwrap();

    cutter.cut_after(1);
    let written = slots.overwrite(id(201), 1, payload("anew")).await;
    assert_eq!(written, Ok(()));
    assert!(cutter.has_cut(), "the connection was cut");
    let found = slots.read(id(201)).await.unwrap().unwrap();
    assert_eq!((found.generation, &found.payload[..]), (2, &b"anew"[..]));

    // Somebody else's is not taken for one's own.
    cutter.cut_after(1);
    let made = slots.insert(id(201), payload("anew")).await;
    assert_eq!(made, Ok(Inserted::Existing));
}

async fn a_row_under_another_id_or_of_another_time_does_not_open(server: &Postgres) {
    let vault = vault(&server.address(), 1).await.unwrap();
    let (anna, binh) = ([0xa1; 16], [0xb2; 16]);
    vault.ensure_keys(&[(anna, Short)]).await.unwrap();
    vault.ensure_keys(&[(binh, Short)]).await.unwrap();
    let (a, b) = (hex::encode(anna), hex::encode(binh));
    server.query(&format!(
        "UPDATE idledger_slots SET payload = (SELECT payload FROM idledger_slots WHERE id = '\\x{a}') \
         WHERE id = '\\x{b}'"
    ));
    let error = vault.key(&binh, Short).await.unwrap_err();
    assert!(matches!(error, VaultError::Unusable { .. }), "{error}");
    server.query(&format!(
        "UPDATE idledger_slots SET generation = 5 WHERE id = '\\x{a}'"
    ));
    let error = vault.key(&anna, Short).await.unwrap_err();
    assert!(matches!(error, VaultError::Unusable { .. }), "{error}");
}

async fn a_vault_moves_in(address: &str) {
    let dir = tempfile::tempdir().unwrap();
    let keys = Keys::derive(&Secret32([1; 32]));
    let (disk, home) = (crate::disk::RealDisk, dir.path().join("vault"));
    let move_in = async |most: u64| {
        let place = place(address);
        let mut watch = |done, of| done < most && of == 62;
        moving::move_in(&place, &disk, dir.path(), &keys, &mut watch).await
    };
    assert_eq!(move_in(u64::MAX).await, Err(MoveError::None));
    let randomness: Arc<dyn crate::wiring::Randomness> = Arc::new(SystemRandomness::new());
    let local = Vault::open(&disk, &home, &keys, randomness.clone()).unwrap();
    let (cost, limits) = (Cost::minimum_for_simulation(), Concurrency::default());
    let verifiers =
        Credentials::open(&disk, &home, &keys, randomness.clone(), cost, limits).unwrap();
    let subjects: Vec<_> = (0..60).map(|number| [number; 16]).collect();
    let mut made = Vec::new();
    for subject in &subjects {
        made.push(local.ensure_keys(&[(*subject, Short)]).await.unwrap());
    }
    for subject in subjects.iter().step_by(3) {
        local.destroy(subject, Short).await.unwrap();
    }
    let (kept, deleted) = (VerifierId([1; 16]), VerifierId([2; 16]));
    for id in [kept, deleted] {
        verifiers.set(id, Kind::Passcode, "730518").await.unwrap();
    }
    verifiers.delete(deleted).await.unwrap();
    drop((local, verifiers));

    let locked = crate::disk::Disk::lock(&disk, &dir.path().join("lock")).unwrap();
    let error = move_in(u64::MAX).await.unwrap_err();
    assert_eq!(error, MoveError::Ledger(crate::store::StoreError::Locked));
    drop(locked);
    // Stopped half way, and run again.
    assert_eq!(move_in(20).await, Err(MoveError::Stopped { slots: 20 }));
    let moved = Moved {
        slots: 62,
        found: 20,
    };
    assert_eq!(move_in(u64::MAX).await, Ok(moved));

    let shared = vault(address, 1).await.unwrap();
    assert_eq!(shared.subjects().await, Ok(60));
    for (number, (subject, made)) in subjects.iter().zip(&made).enumerate() {
        match shared.key(subject, Short).await.unwrap() {
            KeyState::Live(key) => assert_eq!(key.0, made.get(subject, Short).unwrap().0),
            state => assert!(number % 3 == 0, "{number} {state:?}"),
        }
        let state = shared.key(subject, Usage).await.unwrap();
        assert!(matches!(state, KeyState::Live(_)));
    }
    let place = place(address);
    let verifiers = Credentials::open_shared(&place, &keys, randomness, cost, limits);
    let verifiers = verifiers.await.unwrap();
    let right = async |id| {
        verifiers
            .verify(id, Kind::Passcode, "730518")
            .await
            .unwrap()
    };
    assert!(right(kept).await && !right(deleted).await);

    // What the servers did since is never undone by moving again.
    shared.destroy(&subjects[1], Short).await.unwrap();
    assert_eq!(
        move_in(u64::MAX).await,
        Err(MoveError::Differs { slots: 1 })
    );
    let state = shared.key(&subjects[1], Short).await.unwrap();
    assert!(matches!(state, KeyState::Destroyed));
}

#[tokio::test]
async fn a_wrong_address_is_told_without_repeating_it() {
    for address in [
        "",
        "mysql://user:geheim@db/x",
        "postgres://user:geheim@[::1/x",
        "postgres://user:geheim@db/x?geheim=1",
        "user=geheim",
    ] {
        let error = SharedVault::new(address, None, None).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(matches!(error, VaultError::Address { .. }), "{said}");
        assert!(!said.contains("geheim"), "{said}");
    }
    let address = "postgres://user:geheim@localhost:5432/x";
    for authority in [
        &b""[..],
        b"geheim",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let error = SharedVault::new(address, None, Some(authority)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("geheim"));
    }
    let place = SharedVault::new(address, Some("geheim"), None).unwrap();
    assert_eq!(format!("{place:?}"), "SharedVault { .. }");
}
