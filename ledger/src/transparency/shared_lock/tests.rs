use super::*;
use crate::testing::cutter::Cutter;
use crate::testing::postgres::{Postgres, address_at};
use std::sync::Arc;
use tlog::Checkpoint;
use tlog::hash::Hash;
use tlog::proof::Head;

const LEDGER: LedgerId = LedgerId([7; 16]);

fn pace() -> TurnPace {
    TurnPace {
        look: Duration::from_millis(20),
        silent_after: Duration::from_millis(300),
    }
}

fn lock_at(address: &str, holder: u8) -> SharedLock {
    let database = LockDatabase::new(address, None, None).unwrap();
    database.lock(LEDGER, [holder; 16], pace())
}

/// A checkpoint of a size; `other`: of other histories of that size.
fn checkpoint(size: u64, other: u8) -> Locked {
    let mut leaf = size.to_be_bytes().to_vec();
    leaf.push(other);
    let root = Hash::leaf(&leaf);
    let checkpoint = Checkpoint::new(&origin(LEDGER), Head { size, root });
    Locked {
        checkpoint: checkpoint.unwrap(),
    }
}

fn note(locked: &Locked) -> Note {
    let key = ed25519_dalek::SigningKey::from_bytes(&[4; 32]);
    let signer = super::super::signer(LEDGER, key).unwrap();
    let text = locked.checkpoint.to_text();
    let line = signer.sign(&text).unwrap();
    Note::parse(&format!("{text}\n{line}")).unwrap()
}

async fn take(lock: &SharedLock) -> bool {
    let seen = lock.look().await.unwrap();
    lock.take(&seen).await.unwrap()
}

/// Server and lock, begun anew.
async fn fresh(server: &Postgres, holder: u8) -> SharedLock {
    let lock = lock_at(&server.address(), holder);
    lock.look().await.unwrap();
    server.query("UPDATE idledger_checkpoint_lock SET holder = NULL, size = 0, checkpoint = NULL, note = NULL, missing = NULL");
    lock
}

/// One server for all of it: starting one takes longer than everything it is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_nodes_share() {
    let server = Postgres::start();
    eight_at_once_and_one_wins(&server).await;
    it_only_moves_forward(&server).await;
    who_lost_the_turn_changes_nothing(&server).await;
    whatever_is_cut_is_done_once(&server).await;
    what_is_acknowledged_survives_a_crash(&server).await;
    what_is_no_row_is_said(&server).await;
    who_may_not_enter_is_told_without_secrets(&server).await;
    only_what_is_safe_counts(&server).await;
}

async fn eight_at_once_and_one_wins(server: &Postgres) {
    // Nobody has made the table yet: all do.
    let locks: Vec<_> = (1..=8)
        .map(|holder| Arc::new(lock_at(&server.address(), holder)))
        .collect();
    let mut locked: Option<Locked> = None;
    for round in 1..=12 {
        let racing = locks.iter().map(|lock| {
            let lock = Arc::clone(lock);
            tokio::spawn(async move { take(&lock).await })
        });
        let racing: Vec<_> = racing.collect();
        let mut won = 0;
        for taken in racing {
            won += usize::from(taken.await.unwrap());
        }
        // Several may have taken it one after the other; one has it.
        assert!(won >= 1);
        let mut keepers = Vec::new();
        for lock in &locks {
            if lock.keep().await.is_ok() {
                keepers.push(Arc::clone(lock));
            }
        }
        assert_eq!(keepers.len(), 1);
        let keeper = keepers.pop().unwrap();
        // Eight different checkpoints of one size by the one who has the turn, and by all others.
        let swapping = (0..8).map(|other| {
            let (lock, old) = (Arc::clone(&keeper), locked.clone());
            let loser = Arc::clone(&locks[usize::from(other)]);
            tokio::spawn(async move {
                let new = checkpoint(round * 10, other);
                let lost = Arc::ptr_eq(&loser, &lock)
                    || loser.swap(old.as_ref(), &new).await == Err(SealError::LockMoved);
                assert!(lost, "not its turn");
                (lock.swap(old.as_ref(), &new).await, new)
            })
        });
        let swapping: Vec<_> = swapping.collect();
        let mut winners = Vec::new();
        for swapped in swapping {
            match swapped.await.unwrap() {
                (Ok(()), new) => winners.push(new),
                (Err(error), _) => assert_eq!(error, SealError::LockMoved),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        locked = winners.pop();
        assert_eq!(keeper.load().await.unwrap(), locked);
    }
}

async fn it_only_moves_forward(server: &Postgres) {
    let lock = fresh(server, 1).await;
    assert!(take(&lock).await);
    let (five, nine) = (checkpoint(5, 0), checkpoint(9, 0));
    assert_eq!(lock.load().await, Ok(None));
    assert_eq!(
        lock.swap(Some(&five), &nine).await,
        Err(SealError::LockMoved)
    );
    assert_eq!(lock.swap(None, &nine).await, Ok(()));
    assert_eq!(lock.swap(None, &nine).await, Err(SealError::LockMoved));
    for less in [five, checkpoint(9, 1)] {
        assert_eq!(
            lock.swap(Some(&nine), &less).await,
            Err(SealError::LockMoved)
        );
        // The database refuses it by itself too.
        let text = less.checkpoint.to_text();
        let (holder, epoch) = (&lock.holder[..], lock.turn().unwrap());
        let size = signed(less.checkpoint.head.size);
        let old = Some(nine.checkpoint.to_text());
        let parameters: Parameters<'_> = &[&lock.log, &holder, &epoch, &size, &text, &old];
        let asked = lock.ask("moving", SWAP, parameters);
        assert!(asked.await.unwrap().row.is_none());
    }
    assert_eq!(lock.swap(Some(&nine), &nine).await, Ok(()));
    assert_eq!(lock.load().await, Ok(Some(nine)));
    // Another ledger's row is another row.
    let database = LockDatabase::new(&server.address(), None, None).unwrap();
    let other = database.lock(LedgerId([8; 16]), [1; 16], pace());
    assert_eq!(other.load().await, Ok(None));
}

async fn who_lost_the_turn_changes_nothing(server: &Postgres) {
    let (one, other) = (fresh(server, 1).await, lock_at(&server.address(), 2));
    let (five, nine) = (checkpoint(5, 0), checkpoint(9, 0));
    assert_eq!(one.keep().await, Err(SealError::LockMoved), "not taken yet");
    assert!(take(&one).await);
    one.swap(None, &five).await.unwrap();
    one.show(Some(&note(&five)), None).await.unwrap();
    // Only what is locked can be shown.
    assert_eq!(
        one.show(Some(&note(&nine)), None).await,
        Err(SealError::LockMoved)
    );
    let before = other.look().await.unwrap();
    assert!(before.held);
    assert_eq!(before.published, Some(note(&five)));
    // A sign of life between look and take.
    one.keep().await.unwrap();
    assert!(!other.take(&before).await.unwrap());
    assert!(take(&other).await);
    let missing = Missing {
        size: 9,
        found: 1,
        wanted: 2,
        published: false,
        refuses: true,
    };
    assert_eq!(
        one.swap(Some(&five), &nine).await,
        Err(SealError::LockMoved)
    );
    assert_eq!(
        one.show(Some(&note(&five)), Some(missing)).await,
        Err(SealError::LockMoved)
    );
    assert_eq!(
        one.show(None, Some(missing)).await,
        Err(SealError::LockMoved)
    );
    assert_eq!(one.keep().await, Err(SealError::LockMoved));
    one.give_up().await.unwrap();
    other.keep().await.unwrap();
    other.swap(Some(&five), &nine).await.unwrap();
    other.show(None, Some(missing)).await.unwrap();
    let seen = one.look().await.unwrap();
    assert_eq!(
        (seen.published, seen.missing),
        (Some(note(&five)), Some(missing))
    );
    other.show(Some(&note(&nine)), None).await.unwrap();
    other.give_up().await.unwrap();
    other.give_up().await.unwrap();
    let seen = one.look().await.unwrap();
    assert!(!seen.held);
    assert_eq!(
        (seen.published.clone(), seen.missing),
        (Some(note(&nine)), None)
    );
    assert_eq!(
        other.swap(Some(&nine), &checkpoint(10, 0)).await,
        Err(SealError::LockMoved)
    );
    assert!(one.take(&seen).await.unwrap());
    one.give_up().await.unwrap();
}

/// The connection is cut before and after every message of every call.
async fn whatever_is_cut_is_done_once(server: &Postgres) {
    let fence = fresh(server, 9).await;
    let cutter = Cutter::before(&server.home());
    let address = address_at(cutter.directory());
    let mut locked: Option<Locked> = None;
    let mut size = 0;
    let (mut cut, mut whole) = (0, 0);
    for warm in [false, true] {
        for after in 0..14 {
            size += 1;
            let lock = lock_at(&address, 3);
            if warm {
                lock.look().await.unwrap();
            }
            cutter.cut_after(after);
            assert!(take(&lock).await, "{after}");
            let new = checkpoint(size, 0);
            if warm {
                cutter.rest();
                lock.keep().await.unwrap();
                lock.swap(locked.as_ref(), &new).await.unwrap();
                lock.show(Some(&note(&new)), None).await.unwrap();
                (locked, size) = (Some(new), size + 1);
                cutter.cut_after(after);
            }
            let new = checkpoint(size, 0);
            lock.swap(locked.as_ref(), &new).await.unwrap();
            lock.show(Some(&note(&new)), None).await.unwrap();
            lock.keep().await.unwrap();
            let seen = fence.look().await.unwrap();
            assert_eq!(seen.published, Some(note(&new)));
            lock.give_up().await.unwrap();
            if cutter.has_cut() {
                cut += 1;
            } else {
                whole += 1;
            }
            cutter.rest();
            assert!(!fence.look().await.unwrap().held);
            locked = Some(new);
        }
    }
    assert!(cut >= 20, "{cut} cut, {whole} whole");

    // What was cut after it was carried out is not taken for one's own if somebody else came between.
    let lock = lock_at(&address, 3);
    assert!(take(&lock).await);
    assert!(take(&fence).await);
    cutter.cut_after(1);
    let new = checkpoint(size + 1, 0);
    assert_eq!(
        lock.swap(locked.as_ref(), &new).await,
        Err(SealError::LockMoved)
    );
    cutter.rest();
    fence.give_up().await.unwrap();
}

async fn what_is_acknowledged_survives_a_crash(server: &Postgres) {
    let lock = fresh(server, 1).await;
    assert!(take(&lock).await);
    let mut locked = None;
    for size in 1..=20 {
        let new = checkpoint(size, 0);
        lock.swap(locked.as_ref(), &new).await.unwrap();
        locked = Some(new);
    }
    server.crash();
    // Asked while it is away; answered when it is back.
    let (found, ()) = tokio::join!(lock.load(), async { server.restart() });
    assert_eq!(found, Ok(locked));
    lock.keep().await.unwrap();
}

async fn what_is_no_row_is_said(server: &Postgres) {
    let lock = fresh(server, 1).await;
    let spoil = [
        "format = 2",
        "checkpoint = 'nonsense'",
        "note = 'nonsense'",
        "missing = '{1,-1,0,0,0}'",
        "missing = '{-1,1,0,0,0}'",
    ];
    for spoil in spoil {
        server.query(&format!("UPDATE idledger_checkpoint_lock SET {spoil}"));
        let error = lock.load().await.unwrap_err();
        assert!(matches!(error, SealError::Lock { .. }), "{error}");
        server.query("UPDATE idledger_checkpoint_lock SET format = 1, checkpoint = NULL, note = NULL, missing = NULL");
    }
    server.query("DELETE FROM idledger_checkpoint_lock");
    assert!(matches!(lock.load().await, Err(SealError::Lock { .. })));
    assert_eq!(lock.load().await, Ok(None), "made again");
    // The vault's database, in whatever schema its table is.
    server.query("CREATE SCHEMA other; CREATE TABLE other.idledger_slots (id bytea)");
    let error = lock_at(&server.address(), 1).load().await;
    assert_eq!(error, Err(SealError::VaultDatabase));
    server.query("DROP SCHEMA other CASCADE");
}

async fn who_may_not_enter_is_told_without_secrets(server: &Postgres) {
    server.query("CREATE ROLE guest LOGIN PASSWORD 'richtig'");
    let rules = "local all idledger trust\nlocal all all scram-sha-256\n";
    std::fs::write(server.home().join("data/pg_hba.conf"), rules).unwrap();
    server.query("SELECT pg_reload_conf()");
    let address = server.address().replace("idledger@", "guest:geheim@");
    let says = async |address: &str, password: Option<&str>| {
        let database = LockDatabase::new(address, password, None).unwrap();
        assert_eq!(format!("{database:?}"), "LockDatabase { .. }");
        let error = database.lock(LEDGER, [1; 16], pace()).load().await;
        let error = error.unwrap_err();
        assert!(matches!(error, SealError::Remote { .. }), "{error}");
        let says = format!("{error} {error:?}");
        assert!(
            !says.contains("geheim") && !says.contains("richtig"),
            "{says}"
        );
        says
    };
    assert!(says(&address, None).await.contains("28P01"));
    assert!(says(&address, Some("geheim auch")).await.contains("28P01"));
    // Let in, but not to the table.
    let denied = says(&address, Some("richtig")).await;
    assert!(denied.contains("42501"), "{denied}");
    server.query("GRANT SELECT, INSERT, UPDATE ON idledger_checkpoint_lock TO guest");
    let database = LockDatabase::new(&address, Some("richtig"), None).unwrap();
    let lock = database.lock(LEDGER, [1; 16], pace());
    assert_eq!(lock.load().await, Ok(None), "it needs to make no tables");
    assert!(take(&lock).await);
    lock.give_up().await.unwrap();
}

async fn only_what_is_safe_counts(server: &Postgres) {
    server.crash();
    server.restart_with("-c fsync=off");
    let error = lock_at(&server.address(), 1).load().await.unwrap_err();
    assert!(error.to_string().contains("without fsync"), "{error}");
    for careless in ["off", "local", "remote_write"] {
        server.crash();
        server.restart_with(&format!("-c synchronous_commit={careless}"));
        let lock = lock_at(&server.address(), 1);
        let row = lock.try_ask("SHOW synchronous_commit", &[]).await;
        let row = row.unwrap_or_else(|_| panic!("{careless}")).unwrap();
        assert_eq!(row.get::<_, String>(0), "on");
    }
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
        let error = LockDatabase::new(address, None, None).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(matches!(error, SealError::Address { .. }), "{said}");
        assert!(!said.contains("geheim"), "{said}");
    }
    let address = "postgres://user:geheim@localhost:5432/x";
    let error = LockDatabase::new(address, None, Some(b"geheim")).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("geheim"));
}

#[test]
fn one_database_under_two_names_is_one() {
    let same = |one, other| LockDatabase::is_same(one, other);
    let vault = "postgres://a:geheim@db.example/ledger";
    assert!(same(
        vault,
        "postgres://b@db.example:5432/ledger?connect_timeout=3"
    ));
    assert!(same(
        vault,
        "host=other,DB.example port=1,5432 dbname=ledger"
    ));
    assert!(same("postgres://a@localhost/x", "postgres://a@127.0.0.1/x"));
    assert!(same(
        "postgres://a@%2Frun%2Fpg/a",
        "postgres://a@%2Frun%2Fpg"
    ));
    assert!(!same(
        "postgres://a@%2Frun%2Fpg/a",
        "postgres://a@%2Frun%2Fpg2/a"
    ));
    assert!(!same(vault, "postgres://a@db.example/locks"));
    assert!(!same(vault, "postgres://a@db.example:5433/ledger"));
    assert!(!same(vault, "postgres://a@db2.example/ledger"));
    assert!(!same(vault, "nonsense"));
}

/// Whoever names an authority wants TLS, also on this machine.
#[tokio::test]
async fn a_server_without_tls_is_told_without_secrets() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            // Asked for TLS, it says no.
            let mut asked = [0; 8];
            client.read_exact(&mut asked).await.unwrap();
            client.write_all(b"N").await.unwrap();
        }
    });
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = rcgen::CertificateParams::default().self_signed(&key);
    let pem = authority.unwrap().pem();
    let address = format!("postgres://idledger:geheim@127.0.0.1:{port}/idledger");
    let database = LockDatabase::new(&address, None, Some(pem.as_bytes())).unwrap();
    let error = database.lock(LEDGER, [1; 16], pace()).load().await;
    let says = error.unwrap_err().to_string();
    assert!(says.contains("TLS") && !says.contains("geheim"), "{says}");
}
