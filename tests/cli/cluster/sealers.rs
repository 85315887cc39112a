//! Two servers of one ledger that share a checkpoint lock: one seals, the other shows the same and takes over.

use super::Cluster;
use super::nodes::joining;
use crate::run::{Place, Server};
use ledger::testing::postgres::Postgres;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_mins(2);

/// Asks until something is so.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + LONG;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The checkpoint that a server shows, and its size.
fn checkpoint(server: &Server) -> Option<(u64, String)> {
    let (status, note) = server.ask("GET", "/log/checkpoint", "", &[]);
    let size = note.lines().nth(1)?.parse().ok()?;
    (status == 200).then_some((size, note))
}

fn is_standby(server: &Server) -> bool {
    let metrics = server.get("/metrics");
    let mut lines = metrics.lines();
    let figure = lines.find_map(|line| line.strip_prefix("idledger_log_standby "));
    figure.unwrap_or_else(|| panic!("{metrics}")) == "1"
}

#[test]
fn the_server_that_seals_is_killed_and_the_other_goes_on() {
    let (cluster, database) = (Cluster::start(), Postgres::start());
    database.query("CREATE DATABASE locks");
    let first = Place::with_people(4);
    let keys = first.good(&["tree", "keys", "--format", "jsonl"]).lines();
    let key = keys[0]["verifier_key"].as_str().unwrap().to_owned();
    let (store, vault) = (cluster.take_over(&first), database.address());
    first.good(&["vault", "move", "--vault", &vault]);
    fs::rename(first.ledger().join("vault"), first.path("old vault")).unwrap();
    let (second, third) = (joining(&first), joining(&first));
    let lock = vault.strip_suffix("idledger").unwrap().to_owned() + "locks";
    let password = first.path("password");
    fs::write(&password, "not asked for\n").unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let common = ["--store", &store, "--vault", &vault];
    let shared = [
        "--checkpoint-lock",
        &lock,
        "--checkpoint-lock-password-file",
        password.to_str().unwrap(),
    ];
    let serve = |place: &Place| {
        let arguments = [&common[..], &shared[..], &["--open-reads"][..]].concat();
        place.serve(&arguments, &[])
    };
    let verify = |server: &Server| {
        let tiles = format!("http://{}/log", server.address());
        third.good(&["verify", "--tiles", &tiles, "--key", &key]);
    };
    let agree = |one: &Server, other: &Server, beyond: u64| {
        until("both show the same", || {
            let (one, other) = (checkpoint(one)?, checkpoint(other)?);
            (one == other && one.0 > beyond).then_some(one.0)
        })
    };

    let one = serve(&first);
    let other = serve(&second);
    let mut size = agree(&one, &other, 0);
    // Whichever asked first.
    let first_seals = until("one seals", || {
        let standing_by = (is_standby(&one), is_standby(&other));
        (standing_by.0 != standing_by.1).then_some(standing_by.1)
    });
    verify(&one);
    verify(&other);
    // One more command of the same ledger: it has no turn while a server seals, nor a lock beside the vault.
    let seal = [&["tree", "seal"][..], &common[..], &shared[..]].concat();
    assert_eq!(third.run(&seal).code, 11);
    let beside = [&seal[..6], &["--checkpoint-lock", &vault][..]].concat();
    let refused = third.run(&beside);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("another database"),
        "{}",
        refused.stderr
    );

    let mut servers = [(&first, one), (&second, other)];
    if !first_seals {
        servers.swap(0, 1);
    }
    for _ in 0..2 {
        let [(place, sealing), (_, standby)] = &mut servers;
        sealing.kill();
        let append = [&["keys", "token", "--quiet"][..], &common[..]].concat();
        third.good(&append);
        let (grown, _) = until("the other goes on", || {
            checkpoint(standby).filter(|(grown, _)| *grown > size)
        });
        assert!(!is_standby(standby));
        *sealing = serve(place);
        third.good(&append);
        size = agree(sealing, standby, grown);
        assert!(is_standby(sealing));
        verify(sealing);
        verify(standby);
        servers.swap(0, 1);
    }
    let [(_, one), (_, other)] = servers;
    for server in [one, other] {
        let (code, log) = server.end();
        assert_eq!(code, 0, "{log}");
        assert!(!log.contains("panicked"), "{log}");
    }
    // Nobody has the turn: what was recorded last is sealed at once.
    third.good(&[&["keys", "token", "--quiet"][..], &common[..]].concat());
    third.good(&seal);
}
