//! Two servers of one ledger that share a checkpoint lock: one seals, the other shows the same and takes over.

use super::Cluster;
use super::nodes::joining;
use crate::run::{Place, Ran, Server};
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

/// Three directories of one ledger, and what they share.
struct Shared {
    places: [Place; 3],
    /// The log's key.
    key: String,
    vault: String,
    common: Vec<String>,
    lock: Vec<String>,
}

impl Shared {
    fn new(cluster: &Cluster, database: &Postgres) -> Self {
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
        let password = password.to_str().unwrap();
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Self {
            common: owned(&["--store", &store, "--vault", &vault]),
            lock: owned(&[
                "--checkpoint-lock",
                &lock,
                "--checkpoint-lock-password-file",
                password,
            ]),
            places: [first, second, third],
            key,
            vault,
        }
    }

    fn arguments<'a>(&'a self, command: &[&'a str], lock: &'a [String]) -> Vec<&'a str> {
        let shared = self.common.iter().chain(lock).map(String::as_str);
        command.iter().copied().chain(shared).collect()
    }

    fn serve(&self, place: usize) -> Server {
        let arguments = self.arguments(&["--open-reads"], &self.lock);
        self.places[place].serve(&arguments, &[])
    }

    /// A command of the third directory, where no server runs.
    fn run(&self, command: &[&str]) -> Ran {
        let named = command.contains(&"--checkpoint-lock");
        let lock = if named { &[][..] } else { &self.lock };
        self.places[2].run(&self.arguments(command, lock))
    }

    fn append(&self) {
        let ran = self.run(&["keys", "token", "--quiet"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }

    fn verify(&self, server: &Server) {
        let tiles = format!("http://{}/log", server.address());
        self.places[2].good(&["verify", "--tiles", &tiles, "--key", &self.key]);
    }
}

/// Waits until both show the same, of more than so many events.
fn agree(one: &Server, other: &Server, beyond: u64) -> u64 {
    until("both show the same", || {
        let (one, other) = (checkpoint(one)?, checkpoint(other)?);
        (one == other && one.0 > beyond).then_some(one.0)
    })
}

#[test]
fn the_server_that_seals_is_killed_and_the_other_goes_on() {
    let (cluster, database) = (Cluster::start(), Postgres::start());
    let shared = Shared::new(&cluster, &database);
    let (one, other) = (shared.serve(0), shared.serve(1));
    let mut size = agree(&one, &other, 0);
    // Whichever asked first.
    let first_seals = until("one seals", || {
        let standing_by = (is_standby(&one), is_standby(&other));
        (standing_by.0 != standing_by.1).then_some(standing_by.1)
    });
    shared.verify(&one);
    shared.verify(&other);
    // One more command of the same ledger: it has no turn while a server seals, nor a lock beside the vault.
    assert_eq!(shared.run(&["tree", "seal"]).code, 11);
    let beside = shared.run(&["tree", "seal", "--checkpoint-lock", &shared.vault]);
    assert_eq!(beside.code, 2, "{}", beside.stderr);
    assert!(
        beside.stderr.contains("another database"),
        "{}",
        beside.stderr
    );

    let mut servers = [(0, one), (1, other)];
    if !first_seals {
        servers.swap(0, 1);
    }
    for _ in 0..2 {
        let [(place, sealing), (_, standby)] = &mut servers;
        sealing.kill();
        shared.append();
        let (grown, _) = until("the other goes on", || {
            checkpoint(standby).filter(|(grown, _)| *grown > size)
        });
        assert!(!is_standby(standby));
        *sealing = shared.serve(*place);
        shared.append();
        size = agree(sealing, standby, grown);
        assert!(is_standby(sealing));
        shared.verify(sealing);
        shared.verify(standby);
        servers.swap(0, 1);
    }
    let [(_, one), (_, other)] = servers;
    for server in [one, other] {
        let (code, log) = server.end();
        assert_eq!(code, 0, "{log}");
        assert!(!log.contains("panicked"), "{log}");
    }
    // Nobody has the turn: what was recorded last is sealed at once.
    shared.append();
    let sealed = shared.run(&["tree", "seal"]);
    assert_eq!(sealed.code, 0, "{}", sealed.stderr);
}
